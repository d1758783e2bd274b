/* dns: names in both encodings, every RDATA type cut at every octet, compression that loops, MX order, null
 * and implicit MX, our own host among the MX (THREATS 2, 3, 10). */
#include "lib/test.h"

#include "base/arena.h"
#include "core/dns/dns_mx.h"
#include "core/dns/dns_packet.h"

static struct dns_name name_of(const char *text)
{
    struct dns_name name;
    assert_int_equal(dns_name_parse(slice_str(text), &name), OK);
    return name;
}

/* Appends the wire form of a name of ours. */
static void put_name(struct buf *b, const char *text)
{
    slice rest = slice_str(text), label;
    while (rest.n) {
        (void)slice_split(rest, '.', &label, &rest);
        buf_byte(b, (uint8_t)label.n);
        buf_append(b, label);
    }
    buf_byte(b, 0);
}

static void put_head(struct buf *b, uint8_t rcode, const char *question, uint16_t type, uint16_t answers,
                     uint16_t authority)
{
    buf_be16(b, 7);
    buf_be16(b, (uint16_t)(0x8180 | rcode));
    buf_be16(b, 1);
    buf_be16(b, answers);
    buf_be16(b, authority);
    buf_be16(b, 0);
    put_name(b, question);
    buf_be16(b, type);
    buf_be16(b, 1);
}

static void put_record(struct buf *b, const char *owner, uint16_t type, uint32_t ttl, slice rdata)
{
    put_name(b, owner);
    buf_be16(b, type);
    buf_be16(b, 1);
    buf_be32(b, ttl);
    buf_be16(b, (uint16_t)rdata.n);
    buf_append(b, rdata);
}

static const struct dns_packet_limits limits = {.records = 64, .rdata_bytes = 4096};

static enum err parse(slice message, const char *question, uint16_t type, struct arena *a,
                      struct dns_packet_answer *out)
{
    struct dns_name q = name_of(question);
    slice guarded = guard_copy(message);
    enum err e;
    arena_init(a, "test", 65536);
    e = dns_packet_parse(guarded, &q, type, &limits, a, out);
    guard_free(guarded);
    return e;
}

static void names_are_lower_case_text_or_nothing(void **state)
{
    static const char *bad[] = {"",   "..",    ".a",      "a..b",          "a b", "a\tb", "-a.test",
                                "a-", "a\\.b", "a.test-", "\xc3\xa4.test", "a/b", "a'b"};
    struct dns_name name;
    char long_label[70], whole[300];
    (void)state;
    name = name_of("MX1.Example.TEST.");
    assert_slice(dns_name_view(&name), "mx1.example.test");
    name = name_of(".");
    assert_int_equal(name.n, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(dns_name_parse(slice_str(bad[i]), &name), ERR_SYNTAX);
    assert_int_equal(dns_name_parse(SLICE("a\0.test"), &name), ERR_SYNTAX);
    memset(long_label, 'a', sizeof long_label);
    assert_int_equal(dns_name_parse(slice_of(long_label, 63), &name), OK);
    assert_int_equal(dns_name_parse(slice_of(long_label, 64), &name), ERR_SYNTAX);
    for (size_t i = 0; i < sizeof whole; i++)
        whole[i] = i % 2 ? '.' : 'a';
    assert_int_equal(dns_name_parse(slice_of(whole, 253), &name), OK);
    assert_int_equal(dns_name_parse(slice_of(whole, 255), &name), ERR_SYNTAX);
}

static void hosts_are_neither_services_nor_addresses(void **state)
{
    struct dns_name a = name_of("_dmarc.example.test"), b = name_of("192.0.2.1"),
                    c = name_of("mx1.example.test"), root = name_of(".");
    (void)state;
    assert_false(dns_name_is_host(&a));
    assert_false(dns_name_is_host(&b));
    assert_true(dns_name_is_host(&c));
    assert_false(dns_name_is_host(&root));
    assert_true(dns_name_below(&c, SLICE("example.TEST")));
    assert_false(dns_name_below(&c, SLICE("ample.test")));
}

static void compression_cannot_loop_or_lead_forwards(void **state)
{
    static const struct {
        slice bytes;
        size_t at;
        enum err want;
    } cases[] = {
        {SLICE_INIT("\xc0\x00"), 0, ERR_SYNTAX},                  /* to itself */
        {SLICE_INIT("\x01\x61\xc0\x00"), 0, ERR_SYNTAX},          /* in a circle */
        {SLICE_INIT("\xc0\x02\xc0\x00"), 2, ERR_SYNTAX},          /* two that point at each other */
        {SLICE_INIT("\xc0\x02\x01\x61\x00"), 0, ERR_SYNTAX},      /* forwards */
        {SLICE_INIT("\x01\x61\x00\xc0\x00"), 3, OK},              /* backwards */
        {SLICE_INIT("\x01\x61\x00\xc0"), 3, ERR_SYNTAX},          /* half a pointer */
        {SLICE_INIT("\x05\x61\x62"), 0, ERR_SYNTAX},              /* a label past the end */
        {SLICE_INIT("\x01\x61"), 0, ERR_SYNTAX},                  /* no root */
        {SLICE_INIT("\x41\x61\x00"), 0, ERR_SYNTAX},              /* label type 01 */
        {SLICE_INIT("\x03\x61\x2e\x62\x00"), 0, ERR_UNSUPPORTED}, /* a dot inside a label */
        {SLICE_INIT("\x03\x61\x00\x62\x00"), 0, ERR_UNSUPPORTED}, /* a NUL inside a label */
        {SLICE_INIT(""), 0, ERR_SYNTAX},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dns_name name;
        size_t at = cases[i].at;
        slice g = guard_copy(cases[i].bytes);
        enum err e = dns_name_read(g, &at, &name);
        if (e != cases[i].want)
            print_error("case %zu\n", i);
        assert_int_equal(e, cases[i].want);
        if (e == OK)
            assert_slice(dns_name_view(&name), "a");
        if (e == ERR_SYNTAX)
            assert_int_equal(at, cases[i].at);
        guard_free(g);
    }
}

static void a_name_of_255_octets_fits_and_one_more_does_not(void **state)
{
    (void)state;
    for (size_t labels = 126; labels <= 129; labels++) {
        struct buf b;
        struct dns_name name;
        size_t at = 0;
        buf_init(&b, 1000);
        for (size_t i = 0; i < labels; i++)
            buf_append(&b, SLICE("\x01x"));
        buf_byte(&b, 0);
        assert_int_equal(dns_name_read(buf_view(&b), &at, &name), labels <= 127 ? OK : ERR_SYNTAX);
        if (labels == 127)
            assert_int_equal(name.n, 253);
        buf_done(&b);
    }
}

/* Every type: the whole reads well, every shorter one and one longer do not. */
static void each_rdata_is_refused_when_cut_anywhere(void **state)
{
    static const struct {
        uint16_t type;
        slice rdata;
    } cases[] = {
        {DNS_A, SLICE_INIT("\xc0\x00\x02\x01")},
        {DNS_AAAA, SLICE_INIT("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")},
        {DNS_MX, SLICE_INIT("\x00\x0a\x02mx\x04test\x00")},
        {DNS_PTR, SLICE_INIT("\x04host\x04test\x00")},
        {DNS_SRV, SLICE_INIT("\0\x01\0\x02\0\x19\x04host\x00")},
        {DNS_SOA, SLICE_INIT("\x02ns\x00\x04post\x00\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05")},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t n = 0; n <= cases[i].rdata.n + 1; n++) {
            union {
                struct ip ip;
                struct dns_mx mx;
                struct dns_name name;
                struct dns_srv srv;
                struct dns_soa soa;
            } out;
            struct buf b;
            slice g;
            enum err e = ERR_BUG;
            buf_init(&b, 100);
            buf_append(&b, slice_sub(cases[i].rdata, 0, n));
            if (n > cases[i].rdata.n)
                buf_byte(&b, 0);
            g = guard_copy(buf_view(&b));
            switch (cases[i].type) {
            case DNS_A:
                e = dns_rr_a(g, &out.ip);
                break;
            case DNS_AAAA:
                e = dns_rr_aaaa(g, &out.ip);
                break;
            case DNS_MX:
                e = dns_rr_mx(g, &out.mx);
                break;
            case DNS_PTR:
                e = dns_rr_name(g, &out.name);
                break;
            case DNS_SRV:
                e = dns_rr_srv(g, &out.srv);
                break;
            case DNS_SOA:
                e = dns_rr_soa(g, &out.soa);
                break;
            }
            assert_int_equal(e, n == cases[i].rdata.n ? OK : ERR_SYNTAX);
            guard_free(g);
            buf_done(&b);
        }
}

static void text_is_joined_and_bounded(void **state)
{
    struct buf out, big;
    struct dns_tlsa tlsa;
    (void)state;
    buf_init(&out, 300);
    assert_int_equal(dns_rr_txt(SLICE("\x03"
                                      "v=s\x00\x05"
                                      "pf1 -"),
                                &out),
                     OK);
    assert_slice(buf_view(&out), "v=spf1 -");
    assert_int_equal(dns_rr_txt(SLICE("\x03"
                                      "ab"),
                                &out),
                     ERR_SYNTAX);
    assert_int_equal(dns_rr_txt(SLICE(""), &out), ERR_SYNTAX);
    assert_slice(buf_view(&out), "v=spf1 -"); /* untouched by what failed */
    buf_init(&big, 70000);
    for (int i = 0; i < 256; i++) {
        buf_byte(&big, 255);
        for (int j = 0; j < 255; j++)
            buf_byte(&big, 't');
    }
    assert_int_equal(dns_rr_txt(buf_view(&big), &out), ERR_LIMIT);
    assert_slice(buf_view(&out), "v=spf1 -");
    buf_done(&big);
    buf_done(&out);
    assert_int_equal(dns_rr_tlsa(SLICE("\x03\x01\x01"), &tlsa), ERR_SYNTAX);
    assert_int_equal(dns_rr_tlsa(SLICE("\x03\x01\x01\xaa"), &tlsa), OK);
    assert_int_equal(tlsa.usage, 3);
    assert_int_equal(tlsa.data.n, 1);
}

static void an_answer_follows_its_aliases_and_loses_its_compression(void **state)
{
    struct buf b;
    struct arena a;
    struct dns_packet_answer answer;
    struct dns_mx mx;
    (void)state;
    buf_init(&b, 2000);
    put_head(&b, 0, "www.example.test", DNS_MX, 4, 0);
    put_record(&b, "other.test", DNS_MX, 5, SLICE("\x00\x01\x01x\x00"));
    put_record(&b, "www.example.test", DNS_CNAME, 300, SLICE("\x04host\xc0\x10")); /* host.example.test */
    put_record(&b, "host.example.test", DNS_MX, 600, SLICE("\x00\x0a\x02mx\xc0\x10"));
    put_record(&b, "host.example.test", DNS_A, 1, SLICE("\x7f\0\0\x01"));
    assert_int_equal(parse(buf_view(&b), "www.example.test", DNS_MX, &a, &answer), OK);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.ttl_s, 300);
    assert_slice(dns_name_view(&answer.canonical), "host.example.test");
    assert_int_equal(dns_rr_mx(answer.rdata[0], &mx), OK);
    assert_slice(dns_name_view(&mx.host), "mx.example.test");
    arena_done(&a);
    for (size_t n = 0; n < b.n; n++) { /* cut at every octet */
        struct dns_packet_answer none;
        assert_int_not_equal(parse(slice_sub(buf_view(&b), 0, n), "www.example.test", DNS_MX, &a, &none), OK);
        arena_done(&a);
    }
    buf_done(&b);
}

static void an_answer_to_something_else_is_refused(void **state)
{
    struct buf b;
    struct arena a;
    struct dns_packet_answer answer;
    (void)state;
    buf_init(&b, 2000);
    put_head(&b, 0, "a.test", DNS_A, 1, 0);
    put_record(&b, "a.test", DNS_A, 60, SLICE("\x7f\0\0\x01"));
    assert_int_equal(parse(buf_view(&b), "b.test", DNS_A, &a, &answer), ERR_SYNTAX);
    arena_done(&a);
    assert_int_equal(parse(buf_view(&b), "a.test", DNS_AAAA, &a, &answer), ERR_SYNTAX);
    arena_done(&a);
    buf_clear(&b);
    put_head(&b, 0, "a.test", DNS_A, 1, 0);
    put_record(&b, "a.test", DNS_A, 60, SLICE("\x7f\0\0\x01"));
    b.p[7] = 0xff; /* 255 answers said, one there */
    assert_int_equal(parse(buf_view(&b), "a.test", DNS_A, &a, &answer), ERR_LIMIT);
    arena_done(&a);
    b.p[7] = 40;
    assert_int_equal(parse(buf_view(&b), "a.test", DNS_A, &a, &answer), ERR_SYNTAX);
    arena_done(&a);
    buf_done(&b);
}

static void aliases_in_a_circle_end(void **state)
{
    struct buf b;
    struct arena a;
    struct dns_packet_answer answer;
    (void)state;
    buf_init(&b, 2000);
    put_head(&b, 0, "a.test", DNS_A, 2, 0);
    put_record(&b, "a.test", DNS_CNAME, 60,
               SLICE("\x01"
                     "b\x04test\x00"));
    put_record(&b, "b.test", DNS_CNAME, 60,
               SLICE("\x01"
                     "a\x04test\x00"));
    assert_int_equal(parse(buf_view(&b), "a.test", DNS_A, &a, &answer), ERR_LOOP);
    arena_done(&a);
    buf_done(&b);
}

static void a_negative_answer_has_its_soa_ttl(void **state)
{
    struct buf b;
    struct arena a;
    struct dns_packet_answer answer;
    (void)state;
    buf_init(&b, 2000);
    put_head(&b, DNS_NXDOMAIN, "no.test", DNS_A, 0, 1);
    put_record(&b, "test", DNS_SOA, 3600,
               SLICE("\x00\x00\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x3c"));
    assert_int_equal(parse(buf_view(&b), "no.test", DNS_A, &a, &answer), OK);
    assert_int_equal(answer.rcode, DNS_NXDOMAIN);
    assert_int_equal(answer.n, 0);
    assert_int_equal(answer.ttl_s, 60);
    arena_done(&a);
    buf_done(&b);
}

static void mx_hosts_come_by_preference_and_equals_are_mixed(void **state)
{
    const slice rdata[] = {SLICE("\x00\x14\x04last\x04test\x00"),
                           SLICE("\x00\x0a\x01"
                                 "a\x04test\x00"),
                           SLICE("\x00\x0a\x01"
                                 "b\x04test\x00"),
                           SLICE("\x00\x0a\x01"
                                 "c\x04test\x00"),
                           SLICE("\x00\x01\x00"), /* the root among others is no host */
                           SLICE("\x00\x01\x09"
                                 "192\x2e"
                                 "0.2.1\x00")};
    struct dns_name domain = name_of("example.test");
    unsigned first[3] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct dns_mx_list list;
        assert_int_equal(dns_mx_list(rdata, ARRAY_LEN(rdata), &domain, seed, &list), OK);
        assert_int_equal(list.n, 4);
        assert_slice(dns_name_view(&list.hosts[3].host), "last.test");
        first[list.hosts[0].host.text[0] - 'a']++;
    }
    for (int i = 0; i < 3; i++) /* each about a third */
        assert_in_range(first[i], 800, 1200);
}

static void null_and_implicit_mx(void **state)
{
    const slice null_mx = SLICE("\x00\x00\x00"), odd = SLICE("\x00\x05\x03"
                                                             "a b\x00");
    struct dns_name domain = name_of("example.test");
    struct dns_mx_list list;
    (void)state;
    assert_int_equal(dns_mx_list(&null_mx, 1, &domain, 1, &list), OK);
    assert_true(list.null_mx);
    assert_int_equal(list.n, 0);
    assert_int_equal(dns_mx_list(NULL, 0, &domain, 1, &list), OK);
    assert_true(list.implicit);
    assert_slice(dns_name_view(&list.hosts[0].host), "example.test");
    assert_int_equal(dns_mx_list(&odd, 1, &domain, 1, &list), ERR_SYNTAX); /* not the implicit MX */
}

static void our_own_host_cuts_the_list(void **state)
{
    const slice rdata[] = {SLICE("\x00\x01\x01"
                                 "a\x04test\x00"),
                           SLICE("\x00\x05\x02us\x04test\x00"),
                           SLICE("\x00\x05\x01"
                                 "b\x04test\x00"),
                           SLICE("\x00\x09\x01"
                                 "c\x04test\x00")};
    struct dns_name domain = name_of("example.test");
    struct dns_mx_list list;
    (void)state;
    assert_int_equal(dns_mx_list(rdata, 4, &domain, 3, &list), OK);
    assert_int_equal(dns_mx_trim(&list, SLICE("US.test")), OK);
    assert_int_equal(list.n, 1);
    assert_slice(dns_name_view(&list.hosts[0].host), "a.test");
    assert_int_equal(dns_mx_list(rdata + 1, 3, &domain, 3, &list), OK);
    assert_int_equal(dns_mx_trim(&list, SLICE("us.test")), ERR_LOOP);
}

static void addresses_have_their_reverse_names(void **state)
{
    struct ip ip;
    struct dns_name name;
    (void)state;
    assert_int_equal(ip_parse(SLICE("192.0.2.7"), &ip), OK);
    dns_name_reverse(&ip, &name);
    assert_slice(dns_name_view(&name), "7.2.0.192.in-addr.arpa");
    assert_int_equal(ip_parse(SLICE("2001:db8::1"), &ip), OK);
    dns_name_reverse(&ip, &name);
    assert_slice(dns_name_view(&name),
                 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_lower_case_text_or_nothing),
        cmocka_unit_test(hosts_are_neither_services_nor_addresses),
        cmocka_unit_test(compression_cannot_loop_or_lead_forwards),
        cmocka_unit_test(a_name_of_255_octets_fits_and_one_more_does_not),
        cmocka_unit_test(each_rdata_is_refused_when_cut_anywhere),
        cmocka_unit_test(text_is_joined_and_bounded),
        cmocka_unit_test(an_answer_follows_its_aliases_and_loses_its_compression),
        cmocka_unit_test(an_answer_to_something_else_is_refused),
        cmocka_unit_test(aliases_in_a_circle_end),
        cmocka_unit_test(a_negative_answer_has_its_soa_ttl),
        cmocka_unit_test(mx_hosts_come_by_preference_and_equals_are_mixed),
        cmocka_unit_test(null_and_implicit_mx),
        cmocka_unit_test(our_own_host_cuts_the_list),
        cmocka_unit_test(addresses_have_their_reverse_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
