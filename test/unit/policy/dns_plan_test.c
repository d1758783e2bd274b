/* dns_plan: the records of a domain: what is planned for typical servers, with and without a delegated zone,
 * and what is said beside it. Texts are compared as a person would read them in a zone file. */
#include "lib/test.h"

#include "core/dns/dns_text.h"
#include "policy/dns_plan.h"

#include <stdio.h>

static struct arena arena;

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(slice_str(text), &ip), OK);
    return ip;
}

static const uint8_t digest[32] = {0xab, 0xcd, 0xef};
static const slice tlsa[] = {{digest, sizeof digest}};
static const struct dns_plan_service services[] = {
    {SLICE_INIT("smtp"), 25},         {SLICE_INIT("smtp"), 25},   {SLICE_INIT("submission"), 587},
    {SLICE_INIT("submissions"), 465}, {SLICE_INIT("imaps"), 993},
};
static const struct dns_plan_key keys[] = {
    {SLICE_INIT("ph-rsa-1"), SLICE_INIT("v=DKIM1; k=rsa; p=AAAA"), DNS_PLAN_KEY_SIGNING},
    {SLICE_INIT("ph-rsa-2"), SLICE_INIT("v=DKIM1; k=rsa; p=BBBB"), DNS_PLAN_KEY_WAITING},
    {SLICE_INIT("old2025"), SLICE_INIT("v=DKIM1; k=rsa; p=CCCC"), DNS_PLAN_KEY_RESTING},
};

static struct dns_plan_input input(const struct ip *ips, size_t n)
{
    return (struct dns_plan_input){.domain = SLICE("Example.org"),
                                   .hostname = SLICE("mail.example.org"),
                                   .addresses = ips,
                                   .n_addresses = n,
                                   .keys = keys,
                                   .n_keys = 3,
                                   .tlsa = tlsa,
                                   .n_tlsa = 1,
                                   .services = services,
                                   .n_services = ARRAY_LEN(services),
                                   .sign = true};
}

static struct dns_plan make(const struct dns_plan_input *in)
{
    struct dns_plan plan;
    arena_done(&arena);
    arena_init(&arena, "test", (size_t)512 * 1024);
    assert_int_equal(dns_plan_make(in, &arena, &plan), OK);
    return plan;
}

/* "NAME TYPE TEXT owner must|should" of each record, a line each, of one kind or all (-1). */
static const char *lines(const struct dns_plan *plan, int kind)
{
    static char text[32768];
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < plan->n; i++) {
        const struct dns_plan_record *r = &plan->records[i];
        assert_true(r->why.n > 20);
        if (kind < 0 || (int)r->kind == kind)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s %s %.*s %s %s\n", r->name.text,
                                   dns_type_name(r->type), SLICE_FMT(r->text), dns_plan_owner_name(r->owner),
                                   r->must ? "must" : "should");
    }
    return text;
}

static bool noted(const struct dns_plan *plan, const char *words)
{
    for (size_t i = 0; i < plan->n_notes; i++)
        if (slice_find(plan->notes[i], slice_str(words)) < plan->notes[i].n)
            return true;
    return false;
}

static void a_whole_domain(void **state)
{
    struct ip ips[2] = {ip_of("2001:db8::25"), ip_of("198.51.100.25")};
    struct dns_plan_input in = input(ips, 2);
    struct dns_plan plan = make(&in);
    (void)state;
    assert_string_equal(
        lines(&plan, -1),
        "example.org MX 10 mail.example.org. domain must\n"
        "example.org TXT \"v=spf1 mx ip6:2001:db8::25 ip4:198.51.100.25 ~all\" domain must\n"
        "ph-rsa-1._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=AAAA\" domain must\n"
        "ph-rsa-2._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=BBBB\" domain must\n"
        "old2025._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=CCCC\" domain should\n"
        "_dmarc.example.org TXT \"v=DMARC1; p=none; rua=mailto:dmarc-reports@example.org\" domain must\n"
        "_smtp._tls.example.org TXT \"v=TLSRPTv1; rua=mailto:tls-reports@example.org\" domain should\n"
        "_submissions._tcp.example.org SRV 0 1 465 mail.example.org. domain should\n"
        "_submission._tcp.example.org SRV 10 1 587 mail.example.org. domain should\n"
        "_imaps._tcp.example.org SRV 0 1 993 mail.example.org. domain should\n"
        "_imap._tcp.example.org SRV 0 0 0 . domain should\n"
        "_pop3s._tcp.example.org SRV 0 0 0 . domain should\n"
        "_pop3._tcp.example.org SRV 0 0 0 . domain should\n"
        "mail.example.org A 198.51.100.25 domain must\n"
        "mail.example.org AAAA 2001:db8::25 domain must\n"
        "mail.example.org TXT \"v=spf1 a -all\" domain should\n"
        "_25._tcp.mail.example.org TLSA 3 1 1 "
        "ABCDEF0000000000000000000000000000000000000000000000000000000000 domain should\n"
        "_587._tcp.mail.example.org TLSA 3 1 1 "
        "ABCDEF0000000000000000000000000000000000000000000000000000000000 domain should\n"
        "_465._tcp.mail.example.org TLSA 3 1 1 "
        "ABCDEF0000000000000000000000000000000000000000000000000000000000 domain should\n"
        "_993._tcp.mail.example.org TLSA 3 1 1 "
        "ABCDEF0000000000000000000000000000000000000000000000000000000000 domain should\n"
        "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mail.example.org. "
        "provider must\n"
        "25.100.51.198.in-addr.arpa PTR mail.example.org. provider must\n");
    assert_int_equal(plan.n_notes, 0);
}

/* The same plan with a zone of ours: fixed CNAMEs, and behind them what rolls. */
static void a_delegated_zone(void **state)
{
    struct ip ip = ip_of("198.51.100.25");
    struct dns_plan_input in = input(&ip, 1);
    struct dns_plan plan;
    (void)state;
    in.zone = SLICE("roll.example.net");
    plan = make(&in);
    assert_string_equal(
        lines(&plan, DNS_PLAN_DKIM),
        "ph-rsa-1._domainkey.example.org CNAME ph-rsa-1._domainkey.example.org.roll.example.net. domain "
        "must\n"
        "ph-rsa-2._domainkey.example.org CNAME ph-rsa-2._domainkey.example.org.roll.example.net. domain "
        "must\n"
        "ph-ed-1._domainkey.example.org CNAME ph-ed-1._domainkey.example.org.roll.example.net. domain must\n"
        "ph-ed-2._domainkey.example.org CNAME ph-ed-2._domainkey.example.org.roll.example.net. domain must\n"
        "ph-rsa-1._domainkey.example.org.roll.example.net TXT \"v=DKIM1; k=rsa; p=AAAA\" posthorn must\n"
        "ph-rsa-2._domainkey.example.org.roll.example.net TXT \"v=DKIM1; k=rsa; p=BBBB\" posthorn must\n"
        "old2025._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=CCCC\" domain should\n");
    assert_string_equal(lines(&plan, DNS_PLAN_DMARC),
                        "_dmarc.example.org CNAME _dmarc.example.org.roll.example.net. domain must\n"
                        "_dmarc.example.org.roll.example.net TXT \"v=DMARC1; p=none; "
                        "rua=mailto:dmarc-reports@example.org\" posthorn must\n");
    assert_string_equal(lines(&plan, DNS_PLAN_DELEGATION),
                        "roll.example.net NS mail.example.org. host must\n");
    assert_int_equal(plan.records[0].ttl_s, DNS_PLAN_TTL_S);
    for (size_t i = 0; i < plan.n; i++)
        if (plan.records[i].owner == DNS_PLAN_OWNER_US)
            assert_int_equal(plan.records[i].ttl_s, DNS_PLAN_ZONE_TTL_S);
    /* rotation: other keys in the slots change nothing that somebody has to set by hand */
    in.n_keys = 0;
    plan = make(&in);
    assert_int_equal(plan.n > 4, true);
    assert_non_null(strstr(lines(&plan, DNS_PLAN_DKIM), "ph-rsa-1._domainkey.example.org CNAME"));
    /* a domain inside the zone needs no CNAME at all */
    in = input(&ip, 1);
    in.zone = SLICE("example.org");
    plan = make(&in);
    assert_null(strstr(lines(&plan, -1), "CNAME"));
    assert_non_null(strstr(lines(&plan, DNS_PLAN_MX), "posthorn must"));
    assert_true(noted(&plan, "glue"));
}

static void spf_of_each_sort(void **state)
{
    static const struct dns_plan_include cheap[] = {
        {SLICE_INIT("_spf.Shop.example"), 3}, {SLICE_INIT("example.org"), 0}, {SLICE_INIT("bad name"), 0}};
    static const struct dns_plan_include dear[] = {
        {SLICE_INIT("a.example"), 5}, {SLICE_INIT("b.example"), -1}, {SLICE_INIT("c.example"), 2}};
    struct ip ip = ip_of("198.51.100.25");
    struct dns_plan_input in = input(&ip, 1);
    struct dns_plan plan;
    (void)state;
    in.includes = cheap;
    in.n_includes = 3;
    plan = make(&in);
    assert_string_equal(
        lines(&plan, DNS_PLAN_SPF),
        "example.org TXT \"v=spf1 mx ip4:198.51.100.25 include:_spf.shop.example ~all\" domain must\n");
    assert_true(noted(&plan, "cannot be included"));
    assert_false(noted(&plan, "lookups"));
    in.includes = dear;
    plan = make(&in);
    assert_true(noted(&plan, "at least 11 DNS lookups and 10 are allowed"));
    in.n_includes = 0;
    in.sign = false;
    plan = make(&in);
    assert_non_null(strstr(lines(&plan, DNS_PLAN_SPF), " -all\""));
    assert_true(noted(&plan, "is not signed"));
    /* the domain is its own host: one SPF record */
    in.hostname = SLICE("example.org");
    plan = make(&in);
    assert_string_equal(lines(&plan, DNS_PLAN_SPF_HELO), "");
}

/* More text than one character-string holds: split, never cut, and readable back. */
static void long_records_are_split(void **state)
{
    struct dns_plan_include many[20];
    char names[20][80];
    struct ip ip = ip_of("198.51.100.25");
    struct dns_plan_input in = input(&ip, 1);
    struct dns_plan plan;
    struct buf joined CLEANUP(buf_done) = {.max = 8192};
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        snprintf(names[i], sizeof names[i], "sender-with-a-long-name-%zu.mail.example.net", i);
        many[i] = (struct dns_plan_include){slice_str(names[i]), 0};
    }
    in.includes = many;
    in.n_includes = 20;
    plan = make(&in);
    for (size_t i = 0; i < plan.n; i++)
        if (plan.records[i].kind == DNS_PLAN_SPF) {
            assert_true(plan.records[i].rdata.n > 768);
            assert_int_equal(plan.records[i].rdata.p[0], 255);
            assert_int_equal(dns_rr_txt(plan.records[i].rdata, &joined), OK);
            assert_true(slice_ends_nocase(buf_view(&joined), SLICE("name-19.mail.example.net ~all")));
            assert_true(slice_find(plan.records[i].text, SLICE("\" \"")) < plan.records[i].text.n);
        }
    assert_true(joined.n > 768);
}

static void dmarc_by_setting(void **state)
{
    struct dns_plan_input in = input(NULL, 0);
    struct dns_plan plan;
    (void)state;
    in.dmarc = SLICE("reject");
    plan = make(&in);
    assert_string_equal(lines(&plan, DNS_PLAN_DMARC),
                        "_dmarc.example.org TXT \"v=DMARC1; p=reject; np=reject; "
                        "rua=mailto:dmarc-reports@example.org\" domain must\n");
    assert_true(noted(&plan, "address of this server is not known"));
    in.dmarc = SLICE("p\"=x");
    plan = make(&in);
    assert_non_null(strstr(lines(&plan, DNS_PLAN_DMARC), "p=none;"));
    assert_true(noted(&plan, "none of none"));
}

static void what_cannot_be(void **state)
{
    struct ip ip = ip_of("192.168.1.2");
    struct dns_plan_input in = input(&ip, 1);
    struct dns_plan plan;
    char deep[254];
    (void)state;
    plan = make(&in);
    assert_true(noted(&plan, "192.168.1.2 is a private address"));
    memset(deep, 'a', sizeof deep);
    for (size_t i = 50; i < 240; i += 50)
        deep[i] = '.';
    deep[240] = 0;
    in.domain = slice_str(deep);
    plan = make(&in); /* the name itself is fine; those below it would be too long */
    assert_true(noted(&plan, "cannot be"));
    in.domain = SLICE("no domain");
    assert_int_equal(dns_plan_make(&in, &arena, &plan), ERR_SYNTAX);
    in.domain = SLICE("");
    assert_int_equal(dns_plan_make(&in, &arena, &plan), ERR_SYNTAX);
    in.domain = SLICE("example.org");
    arena_done(&arena);
    for (size_t cap = 0; cap < 200000; cap += 5003) {
        struct dns_plan untouched = {.n = 77};
        arena_init(&arena, "small", cap);
        if (dns_plan_make(&in, &arena, &untouched) != OK)
            assert_int_equal(untouched.n, 77);
        arena_done(&arena);
    }
}

static void markers(void **state)
{
    (void)state;
    assert_true(dns_plan_txt_is(SLICE("\x0bv=SPF1 -all"), SLICE("v=spf1")));
    assert_true(dns_plan_txt_is(SLICE("\x06v=spf1"), SLICE("v=spf1")));
    assert_true(dns_plan_txt_is(SLICE("\x03v=s\x08pf1 -all"), SLICE("v=spf1")));
    assert_false(dns_plan_txt_is(SLICE("\x07v=spf10"), SLICE("v=spf1")));
    assert_false(dns_plan_txt_is(SLICE("\x09site=spf1"), SLICE("v=spf1")));
    assert_false(dns_plan_txt_is(SLICE("\x09v=spf1"), SLICE("v=spf1")));
    assert_true(dns_plan_is_slot(SLICE("PH-RSA-2")));
    assert_false(dns_plan_is_slot(SLICE("ph-rsa-3")));
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_domain),   cmocka_unit_test(a_delegated_zone),
        cmocka_unit_test(spf_of_each_sort), cmocka_unit_test(long_records_are_split),
        cmocka_unit_test(dmarc_by_setting), cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(markers),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
