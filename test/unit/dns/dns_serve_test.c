/* dns_serve: what the small name server answers: each kind of question, each RCODE, sizes, and that no octets
 * make it say too much. Answers are read back with dns_packet, the parser of the resolver. dns_rate: who asks
 * too often. dns_text and dns_rr_write: records as text and back. */
#include "lib/test.h"

#include "core/dns/dns_rate.h"
#include "core/dns/dns_rr_write.h"
#include "core/dns/dns_serve.h"
#include "core/dns/dns_text.h"
#include "core/dns/dns_zone_text.h"

#include <stdio.h>

static struct dns_serve_zone *zone;
static struct arena arena;

static struct dns_name name_of(const char *text)
{
    struct dns_name n;
    assert_int_equal(dns_name_parse(slice_str(text), &n), OK);
    return n;
}

static const struct {
    const char *name;
    uint16_t type;
    const char *text;
} content[] = {
    {"a.roll.example.net", DNS_A, "198.51.100.1"},
    {"a.roll.example.net", DNS_A, "198.51.100.2"},
    {"a.roll.example.net", DNS_A, "198.51.100.2"}, /* a double */
    {"a.roll.example.net", DNS_AAAA, "2001:db8::1"},
    {"deep.er.roll.example.net", DNS_TXT, "\"v=DKIM1; p=AAAA\""},
    {"alias.roll.example.net", DNS_CNAME, "a.roll.example.net."},
    {"away.roll.example.net", DNS_CNAME, "elsewhere.example.org."},
    {"loop.roll.example.net", DNS_CNAME, "loop.roll.example.net."},
    {"gone.roll.example.net", DNS_CNAME, "missing.roll.example.net."},
    {"_25._tcp.roll.example.net", DNS_TLSA, "3 1 1 ABCD"},
};

static int setup(void **state)
{
    struct dns_serve_record records[ARRAY_LEN(content) + 1];
    struct buf rdata[ARRAY_LEN(content)];
    struct buf big = {.max = 8192};
    struct dns_name origin = name_of("roll.example.net"), server = name_of("mail.example.net");
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(content); i++) {
        rdata[i] = (struct buf){.max = 512};
        assert_int_equal(dns_zone_text_rdata(content[i].type, slice_str(content[i].text), &rdata[i]), OK);
        records[i] =
            (struct dns_serve_record){name_of(content[i].name), content[i].type, 300, buf_view(&rdata[i])};
    }
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(dns_rr_write_txt_part(SLICE("0123456789012345678901234567890123456789012345678901234"
                                                     "567890123456789012345678901234567890123456789012345678"
                                                     "9012345678901234567890123456789012345678901234567890"),
                                               &big),
                         OK);
    records[ARRAY_LEN(content)] =
        (struct dns_serve_record){name_of("big.roll.example.net"), DNS_TXT, 300, buf_view(&big)};
    assert_int_equal(dns_serve_zone_new(&origin, &server, 7, records, ARRAY_LEN(records), &zone), OK);
    for (size_t i = 0; i < ARRAY_LEN(content); i++)
        buf_done(&rdata[i]);
    buf_done(&big);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dns_serve_zone_free(&zone);
    arena_done(&arena);
    return 0;
}

/* A query; edns: 0 none, else the size. */
static slice query(const char *name, uint16_t type, uint16_t edns)
{
    static uint8_t bytes[600];
    struct buf b = {.max = sizeof bytes};
    struct dns_name n = name_of(name);
    slice s;
    buf_be16(&b, 0x1234);
    buf_be16(&b, 0x0100);
    buf_be16(&b, 1);
    buf_be32(&b, 0);
    buf_be16(&b, edns ? 1 : 0);
    assert_int_equal(dns_name_write(&n, &b), OK);
    buf_be16(&b, type);
    buf_be16(&b, 1);
    if (edns) {
        buf_byte(&b, 0);
        buf_be16(&b, DNS_OPT);
        buf_be16(&b, edns);
        buf_be32(&b, 0x8000);
        buf_be16(&b, 0);
    }
    memcpy(bytes, b.p, b.n);
    s = slice_of(bytes, b.n);
    buf_done(&b);
    return s;
}

static struct buf out = {.max = DNS_SERVE_TCP_MAX};

/* Asks, with the query against an unreadable page. */
static bool ask(slice q, bool tcp)
{
    slice g = guard_copy(q);
    bool answered;
    buf_clear(&out);
    answered = dns_serve_answer(zone, g, tcp, &out);
    guard_free(g);
    return answered;
}

static unsigned rcode(void)
{
    return out.p[3] & 15;
}

/* The records of an answer in text, joined by '|', or "?" when dns_packet refuses it. */
static const char *said(const char *name, uint16_t type)
{
    static const struct dns_packet_limits limits = {100, 65536};
    static char text[20000];
    struct dns_name n = name_of(name);
    struct dns_packet_answer a;
    struct buf b CLEANUP(buf_done) = {.max = sizeof text - 1};
    arena_done(&arena);
    arena_init(&arena, "test", 1 << 20);
    if (dns_packet_parse(buf_view(&out), &n, type, &limits, &arena, &a) != OK)
        return "?";
    for (size_t i = 0; i < a.n; i++) {
        if (i)
            buf_byte(&b, '|');
        assert_int_equal(dns_text_rdata(type, a.rdata[i], &b), OK);
    }
    memcpy(text, b.p ? (const char *)b.p : "", b.n);
    text[b.n] = 0;
    return text;
}

static const char *answer(const char *name, uint16_t type)
{
    assert_true(ask(query(name, type, 1232), false));
    assert_int_equal(rcode(), 0);
    assert_int_equal(out.p[2] & 4, 4); /* AA */
    return said(name, type);
}

static void what_is_there(void **state)
{
    (void)state;
    assert_string_equal(answer("a.roll.example.net", DNS_A), "198.51.100.1|198.51.100.2");
    assert_string_equal(answer("A.Roll.EXAMPLE.net", DNS_AAAA), "2001:db8::1");
    assert_string_equal(answer("deep.er.roll.example.net", DNS_TXT), "\"v=DKIM1; p=AAAA\"");
    assert_string_equal(answer("_25._tcp.roll.example.net", DNS_TLSA), "3 1 1 ABCD");
    assert_string_equal(answer("roll.example.net", DNS_NS), "mail.example.net.");
    assert_string_equal(answer("roll.example.net", DNS_SOA),
                        "mail.example.net. postmaster.mail.example.net. 7 3600 600 604800 60");
    assert_string_equal(answer("alias.roll.example.net", DNS_A), "198.51.100.1|198.51.100.2");
    assert_string_equal(answer("alias.roll.example.net", DNS_CNAME), "a.roll.example.net.");
    assert_string_equal(answer("away.roll.example.net", DNS_A), "");
    assert_int_equal(out.p[7], 1); /* the CNAME is in the answer */
    assert_true(ask(query("loop.roll.example.net", DNS_A, 0), false));
    assert_true(out.n < 512);
    assert_int_equal(dns_serve_zone_serial(zone), 7);
    assert_int_equal(dns_serve_zone_count(zone), ARRAY_LEN(content) + 1 - 1 + 2);
}

static void what_is_not(void **state)
{
    static const char *const nodata[][1] = {
        {"a.roll.example.net"}, {"er.roll.example.net"}, {"_tcp.roll.example.net"}, {"roll.example.net"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nodata); i++) {
        assert_string_equal(answer(nodata[i][0], DNS_MX), "");
        assert_int_equal(out.p[9], 1); /* SOA */
    }
    assert_true(ask(query("missing.roll.example.net", DNS_A, 0), false));
    assert_int_equal(rcode(), DNS_NXDOMAIN);
    assert_int_equal(out.p[9], 1);
    assert_true(ask(query("gone.roll.example.net", DNS_A, 0), false)); /* RFC 2308 §2.1: of the target */
    assert_int_equal(rcode(), DNS_NXDOMAIN);
    assert_int_equal(out.p[7], 1);
    assert_true(ask(query("example.net", DNS_A, 0), false));
    assert_int_equal(rcode(), DNS_REFUSED);
    assert_true(ask(query("notroll.example.net", DNS_A, 0), false));
    assert_int_equal(rcode(), DNS_REFUSED);
    assert_true(ask(query("roll.example.net", DNS_AXFR, 0), true));
    assert_int_equal(rcode(), DNS_REFUSED);
    assert_true(ask(query("roll.example.net", DNS_IXFR, 0), true));
    assert_int_equal(rcode(), DNS_REFUSED);
    assert_true(ask(query("a.roll.example.net", DNS_ANY, 0), false));
    assert_int_equal(rcode(), 0);
    assert_true(slice_find(buf_view(&out), SLICE("RFC8482")) < out.n);
    assert_true(out.n < 80);
}

/* The bytes of a query changed at one place. */
static unsigned changed(size_t at, uint8_t to)
{
    slice q = query("a.roll.example.net", DNS_A, 1232);
    uint8_t copy[600];
    memcpy(copy, q.p, q.n);
    copy[at] = to;
    assert_true(ask(slice_of(copy, q.n), false));
    return rcode();
}

static void odd_queries(void **state)
{
    slice q = query("a.roll.example.net", DNS_A, 1232);
    uint8_t copy[600];
    (void)state;
    for (size_t n = 0; n < q.n; n++) { /* cut short */
        bool answered = ask(slice_sub(q, 0, n), false);
        assert_int_equal(answered, n >= 12);
        if (answered)
            assert_int_equal(rcode(), DNS_FORMERR);
    }
    q = query("a.roll.example.net", DNS_A, 1232);
    memcpy(copy, q.p, q.n);
    copy[2] |= 0x80; /* an answer is never answered */
    assert_false(ask(slice_of(copy, q.n), false));
    assert_int_equal(changed(2, 0x29), DNS_NOTIMP);      /* UPDATE */
    assert_int_equal(changed(5, 2), DNS_FORMERR);        /* two questions */
    assert_int_equal(changed(7, 1), DNS_FORMERR);        /* an answer in it */
    assert_int_equal(changed(12, 0xc0), DNS_FORMERR);    /* a pointer in the question */
    assert_int_equal(changed(q.n - 12, 3), DNS_REFUSED); /* class CH */
    assert_int_equal(changed(13, 0), DNS_NXDOMAIN);      /* an odd octet */
    assert_int_equal(changed(q.n - 5, 1), 0);            /* EDNS version 1: BADVERS */
    assert_int_equal(out.p[out.n - 6], 1);
    assert_int_equal(rcode(), 0);
    buf_clear(&out);
    assert_true(dns_serve_answer(NULL, q, false, &out));
    assert_int_equal(rcode(), DNS_SERVFAIL);
    assert_true(ask(query("a.roll.example.net", DNS_A, 1232), false));
    assert_int_equal(out.p[out.n - 4], 0x80); /* DO comes back */
    /* case comes back as it was asked */
    memcpy(copy, query("a.roll.example.net", DNS_A, 0).p, 40);
    copy[13] = 'A';
    copy[16] = 'O';
    assert_true(ask(slice_of(copy, 12 + 20 + 4), false));
    assert_memory_equal(out.p + 12, copy + 12, 24);
}

static void sizes(void **state)
{
    (void)state;
    assert_true(ask(query("big.roll.example.net", DNS_TXT, 0), false));
    assert_int_equal(out.p[2] & 2, 2);
    assert_true(out.n < 64);
    assert_true(ask(query("big.roll.example.net", DNS_TXT, 4096), false));
    assert_int_equal(out.p[2] & 2, 2); /* longer than we send, whatever they take */
    assert_true(ask(query("big.roll.example.net", DNS_TXT, 4096), true));
    assert_int_equal(out.p[2] & 2, 0);
    assert_int_equal(strlen(said("big.roll.example.net", DNS_TXT)), 8 * 164 - 1);
    buf_clear(&out);
    assert_true(dns_serve_truncated(query("a.roll.example.net", DNS_A, 1232), &out));
    assert_int_equal(out.p[2] & 2, 2);
    assert_true(out.n <= query("a.roll.example.net", DNS_A, 1232).n);
}

/* 100,000 queries: half noise, half good ones with octets changed. Never larger than the cap. */
static void noise(void **state)
{
    uint64_t x = 88172645463325252u;
    uint8_t bytes[600];
    size_t answered = 0;
    struct buf b = {.max = DNS_SERVE_UDP_MAX};
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        slice q = query(content[i % ARRAY_LEN(content)].name, (uint16_t)(i % 300), i % 3 ? (uint16_t)i : 0);
        size_t n = q.n;
        memcpy(bytes, q.p, q.n);
        for (unsigned k = 0; k < (i & 1 ? 600 : i % 5); k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            bytes[i & 1 ? k : x % n] = (uint8_t)(x >> 32);
        }
        if (i & 1)
            n = x % sizeof bytes;
        buf_clear(&b);
        if (!dns_serve_answer(zone, slice_of(bytes, n), false, &b))
            continue;
        answered++;
        assert_true(b.n >= 12 && b.n <= DNS_SERVE_UDP_MAX);
        assert_int_equal(b.p[2] & 0x80, 0x80);
    }
    assert_true(answered > 50000);
    buf_done(&b);
}

static void zones_that_cannot_be(void **state)
{
    struct dns_name origin = name_of("z.example"), server = name_of("ns.example");
    struct dns_serve_record two[] = {{name_of("a.z.example"), DNS_CNAME, 1, SLICE("\x01x\0")},
                                     {name_of("a.z.example"), DNS_TXT, 1, SLICE("\x01x")}};
    struct dns_serve_record out_of = {name_of("a.example"), DNS_TXT, 1, SLICE("\x01x")};
    struct dns_serve_zone *z = NULL;
    (void)state;
    assert_int_equal(dns_serve_zone_new(&origin, &server, 1, two, 2, &z), ERR_SYNTAX);
    assert_int_equal(dns_serve_zone_new(&origin, &server, 1, &out_of, 1, &z), ERR_SYNTAX);
    assert_null(z);
    assert_int_equal(dns_serve_zone_new(&origin, &server, 1, NULL, 0, &z), OK);
    dns_serve_zone_free(&z);
    assert_null(z);
}

static void rate(void **state)
{
    static struct dns_rate r;
    struct ip a, b, near;
    unsigned answered = 0, truncated = 0;
    (void)state;
    dns_rate_init(&r, (struct hash_key){1, 2});
    assert_int_equal(ip_parse(SLICE("198.51.100.1"), &a), OK);
    assert_int_equal(ip_parse(SLICE("198.51.100.99"), &near), OK);
    assert_int_equal(ip_parse(SLICE("2001:db8::1"), &b), OK);
    for (unsigned i = 0; i < 1000; i++) {
        enum dns_rate_verdict v = dns_rate_take(&r, i % 2 ? &a : &near, 1000);
        answered += v == DNS_RATE_ANSWER;
        truncated += v == DNS_RATE_TRUNCATE;
    }
    assert_int_equal(answered, DNS_RATE_BURST);
    assert_int_equal(truncated, (1000 - DNS_RATE_BURST) / DNS_RATE_SLIP);
    assert_int_equal(dns_rate_take(&r, &b, 1000), DNS_RATE_ANSWER); /* others are not held up */
    answered = 0;
    for (unsigned i = 0; i < 1000; i++)
        answered += dns_rate_take(&r, &a, 2000) == DNS_RATE_ANSWER;
    assert_int_equal(answered, DNS_RATE_SECOND);
    answered = 0;
    for (unsigned i = 0; i < 1000; i++)
        answered += dns_rate_take(&r, &a, 2000000) == DNS_RATE_ANSWER;
    assert_int_equal(answered, DNS_RATE_BURST);
}

/* Wire to text and back is the same wire. */
static void text_and_back(void **state)
{
    static const struct {
        uint16_t type;
        const char *text;
    } rows[] = {
        {DNS_A, "198.51.100.25"},
        {DNS_AAAA, "2001:db8::25"},
        {DNS_MX, "10 mail.example.org."},
        {DNS_MX, "0 ."},
        {DNS_TXT, "\"v=spf1 -all\""},
        {DNS_TXT, "\"a\" \"b\\\"c\\\\\" \"\\000\\255 ;\""},
        {DNS_TXT, "\"\""},
        {DNS_SRV, "0 1 993 mail.example.org."},
        {DNS_TLSA, "3 1 1 00FFAB"},
        {DNS_NS, "ns.example.org."},
        {DNS_PTR, "mail.example.org."},
        {DNS_SOA, "ns.example.org. post.example.org. 4294967295 1 2 3 4"},
    };
    uint16_t type;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf wire CLEANUP(buf_done) = {.max = 1024}, text CLEANUP(buf_done) = {.max = 1024};
        assert_int_equal(dns_zone_text_rdata(rows[i].type, slice_str(rows[i].text), &wire), OK);
        assert_int_equal(dns_text_rdata(rows[i].type, buf_view(&wire), &text), OK);
        assert_slice(buf_view(&text), rows[i].text);
    }
    struct buf text CLEANUP(buf_done) = {.max = 1024};
    assert_int_equal(dns_text_rdata(DNS_MX, SLICE("\x01"), &text), OK); /* no MX: still text */
    assert_slice(buf_view(&text), "\\# 1 01");
    buf_clear(&text);
    assert_int_equal(dns_text_txt_joined(SLICE("\x02"
                                               "ab\x02\x1b\""),
                                         &text),
                     OK);
    assert_slice(buf_view(&text), "ab\\027\"");
    assert_true(dns_text_type(SLICE("tlsa"), &type));
    assert_int_equal(type, DNS_TLSA);
    assert_true(dns_text_type(SLICE("TYPE65280"), &type));
    assert_int_equal(type, 65280);
    assert_false(dns_text_type(SLICE("TYPE65536"), &type));
    assert_false(dns_text_type(SLICE("?"), &type));
    /* full buffers are left as they were */
    for (size_t max = 0; max < 40; max++) {
        struct buf small CLEANUP(buf_done) = {.max = max};
        struct dns_mx mx = {10, name_of("mail.example.org")};
        enum err e = dns_rr_write_mx(&mx, &small);
        assert_int_equal(e, max >= 20 ? OK : ERR_LIMIT);
        assert_int_equal(small.n, max >= 20 ? 20 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there), cmocka_unit_test(what_is_not),
        cmocka_unit_test(odd_queries),   cmocka_unit_test(sizes),
        cmocka_unit_test(noise),         cmocka_unit_test(rate),
        cmocka_unit_test(text_and_back), cmocka_unit_test(zones_that_cannot_be),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    buf_done(&out);
    return failed;
}
