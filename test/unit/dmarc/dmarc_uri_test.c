/* dmarc_uri: where reports go (RFC 9989 §4.6, §4.8), and nobody gets any who did not say so (RFC 9990 §4). */
#include "lib/test.h"

#include "core/dmarc/dmarc_record.h"
#include "core/dmarc/dmarc_uri.h"
#include "core/dns/dns_zone_text.h"
#include "lib/dns_kit.h"

static void one_uri(void **state)
{
    static const struct {
        const char *text;
        enum err e;
        const char *mailbox;
        uint64_t size;
    } cases[] = {
        {"mailto:dmarc@example.com", OK, "dmarc@example.com", 0},
        {"MailTo:d%6Darc@Example.COM", OK, "dmarc@example.com", 0},
        {"mailto:dmarc@example.com!10m", OK, "dmarc@example.com", 10u << 20},
        {"mailto:dmarc@example.com!50", OK, "dmarc@example.com", 50},
        {"mailto:dmarc@example.com!99999999t", OK, "dmarc@example.com", UINT64_MAX},
        {"mailto:a%21b@example.com", OK, "a!b@example.com", 0},
        {"mailto:a@example.com?subject=x", OK, "a@example.com", 0},
        {"https://example.com/reports", ERR_UNSUPPORTED, NULL, 0},
        {"mailto:dmarc@example.com!", ERR_SYNTAX, NULL, 0},
        {"mailto:dmarc@example.com!m", ERR_SYNTAX, NULL, 0},
        {"mailto:dmarc@example.com!10x", ERR_SYNTAX, NULL, 0},
        {"mailto:", ERR_SYNTAX, NULL, 0},
        {"mailto:example.com", ERR_SYNTAX, NULL, 0},
        {"mailto:a@[192.0.2.1]", ERR_SYNTAX, NULL, 0},
        {"mailto:a@b@example.com", ERR_SYNTAX, NULL, 0},
        {"mailto:a%0d%0aBcc:x@example.com", ERR_SYNTAX, NULL, 0},
        {"mailto:a%00@example.com", ERR_SYNTAX, NULL, 0},
        {"mailto:a@example.com\r\nX: y", ERR_SYNTAX, NULL, 0},
        {"dmarc@example.com", ERR_SYNTAX, NULL, 0},
        {":x", ERR_SYNTAX, NULL, 0},
        {"1a:x", ERR_SYNTAX, NULL, 0},
        {"", ERR_SYNTAX, NULL, 0},
    };
    struct arena a;
    (void)state;
    arena_init(&a, "test", 65536);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        slice s = guard_copy(slice_str(cases[i].text));
        struct dmarc_uri u;
        enum err e = dmarc_uri_parse(s, &a, &u);
        if (e != cases[i].e)
            fail_msg("%s: %s", cases[i].text, err_name(e));
        assert_int_equal(dmarc_uri_valid(s), e != ERR_SYNTAX);
        if (!e) {
            assert_slice(u.mailbox, cases[i].mailbox);
            assert_slice(u.domain, "example.com");
            assert_true(u.size_max == cases[i].size);
        }
        guard_free(s);
    }
    arena_done(&a);
}

static void lists(void **state)
{
    struct arena a;
    struct dmarc_uri *list;
    size_t n;
    (void)state;
    arena_init(&a, "test", 65536);
    assert_true(dmarc_uri_list(SLICE("mailto:a@x.example , https://y.example,mailto:b@x.example!1k,, junk,"
                                     "mailto:a@x.example"),
                               &a, &list, &n));
    assert_int_equal(n, 2);
    assert_slice(list[0].mailbox, "a@x.example");
    assert_slice(list[1].mailbox, "b@x.example");
    assert_true(dmarc_uri_list(SLICE(""), &a, &list, &n));
    assert_int_equal(n, 0);
    arena_done(&a);
    arena_init(&a, "test", 16);
    assert_false(dmarc_uri_list(SLICE("mailto:a@x.example"), &a, &list, &n));
    arena_done(&a);
}

static const char zone_text[] =
    "example.com._report._dmarc.yes.example TXT \"v=DMARC1;\"\n"
    "example.com._report._dmarc.other.example TXT \"v=spf1 -all\"\n"
    "example.com._report._dmarc.slow.example SERVFAIL\n"
    "*._report._dmarc.service.example TXT \"v=DMARC1\"\n"
    "example.com._report._dmarc.moved.example TXT \"v=DMARC1; rua=mailto:new@moved.example\"\n"
    "example.com._report._dmarc.stray.example TXT \"v=DMARC1; rua=mailto:victim@bank.example\"\n"
    "example.com._report._dmarc.two.example TXT \"v=DMARC1\"\n"
    "example.com._report._dmarc.two.example TXT \"v=DMARC1;\"\n"
    "_dmarc.example.com TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.broken.example SERVFAIL\n";

static enum auth_result allowed(const char *policy, const char *to, struct arena *a,
                                struct dmarc_uri_permit *out)
{
    struct dns_zone zone;
    struct dns_table t;
    struct err_detail detail;
    unsigned rounds = 0;
    enum auth_step step;
    arena_init(a, "test", 1u << 20);
    assert_int_equal(dns_zone_text_read(slice_str(zone_text), a, &zone, &detail), OK);
    assert_true(dns_table_init(&t, a, 40));
    while ((step = dmarc_uri_allowed(slice_str(policy), slice_str(to), &t, a, out)) == AUTH_WAIT) {
        assert_int_equal(rounds++, 0); /* all at once */
        assert_true(dns_kit_answer_from(&zone, &t, a) > 0);
    }
    assert_int_equal(step, AUTH_DONE);
    assert_true(out->reason.n > 0);
    return out->result;
}

static void who_wants_reports(void **state)
{
    static const struct {
        const char *policy, *to;
        enum auth_result result;
        bool external;
    } cases[] = {
        {"example.com", "example.com", AUTH_PASS, false},
        {"example.com", "Example.COM.", AUTH_PASS, false},
        {"example.com", "reports.example.com", AUTH_PASS, false},
        {"mail.example.com", "example.com", AUTH_PASS, false},
        {"example.com", "yes.example", AUTH_PASS, true},
        {"example.com", "service.example", AUTH_PASS, true},
        {"sub.example.com", "service.example", AUTH_PASS, true},
        {"example.com", "two.example", AUTH_PASS, true},
        {"sub.example.com", "yes.example", AUTH_FAIL, true},
        {"example.com", "victim.example", AUTH_FAIL, true},
        {"example.com", "other.example", AUTH_FAIL, true},
        {"example.com", "slow.example", AUTH_TEMPERROR, true},
        {"example.com", "broken.example", AUTH_TEMPERROR, true},
        {"example.com", "", AUTH_FAIL, false},
        {"example.com", "a'b.example", AUTH_FAIL, false},
    };
    struct arena a;
    struct dmarc_uri_permit permit;
    struct dns_name name;
    (void)state;
    assert_int_equal(dmarc_uri_report_name(SLICE("example.com"), SLICE("third.example"), &name), OK);
    assert_slice(dns_name_view(&name), "example.com._report._dmarc.third.example");
    assert_int_equal(dmarc_uri_report_name(SLICE("exam ple.com"), SLICE("third.example"), &name), ERR_SYNTAX);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (allowed(cases[i].policy, cases[i].to, &a, &permit) != cases[i].result)
            fail_msg("%s to %s", cases[i].policy, cases[i].to);
        assert_int_equal(permit.external, cases[i].external);
        arena_done(&a);
    }
    assert_int_equal(allowed("example.com", "moved.example", &a, &permit), AUTH_PASS);
    assert_slice(permit.rua, "mailto:new@moved.example");
    arena_done(&a);
    assert_int_equal(allowed("example.com", "stray.example", &a, &permit), AUTH_PASS);
    assert_int_equal(permit.rua.n, 0); /* another domain's mailbox is not to be had that way */
    arena_done(&a);
}

/* What doctor may say about a record. */
static void defects(void **state)
{
    static const struct {
        const char *text;
        uint32_t defects;
        bool usable;
    } cases[] = {
        {"v=DMARC1; p=none", 0, true},
        {"v=DMARC1; p=none; rua=mailto:a@b.example; ruf=mailto:a@b.example; fo=1:d:s; adkim=s; aspf=r; "
         "psd=u; t=n;",
         0, true},
        {"v=DMARC1", DMARC_DEFECT_P_MISSING, false},
        {"v=DMARC1; p=reject; pct=50", DMARC_DEFECT_REMOVED, true},
        {"v=DMARC1; p=reject; foo=1", DMARC_DEFECT_UNKNOWN, true},
        {"v=DMARC1; p=reject; P=none", DMARC_DEFECT_UNKNOWN, true},
        {"v=DMARC1; p=reject; p=none", DMARC_DEFECT_TWICE, true},
        {"v=DMARC1; p=reject; junk", DMARC_DEFECT_SYNTAX, true},
        {"v=DMARC1; p=reject; fo=0:1", DMARC_DEFECT_VALUE, true},
        {"v=DMARC1; p=reject; fo=d:d", DMARC_DEFECT_VALUE, true},
        {"v=DMARC1; p=reject; fo=", DMARC_DEFECT_VALUE, true},
        {"v=DMARC1; p=reject; psd=x", DMARC_DEFECT_VALUE, true},
        {"v=DMARC1; p=reject; rua=a@b.example", DMARC_DEFECT_URI, true},
        {"v=DMARC1; p=reject; rua=mailto:a@b.example,a@b.example", DMARC_DEFECT_URI, true},
        {"v=DMARC1; p=refuse; rua=mailto:a@b.example", DMARC_DEFECT_P, true},
        {"v=DMARC1; p=none; sp=; np=x", DMARC_DEFECT_SP | DMARC_DEFECT_NP, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        slice s = guard_copy(slice_str(cases[i].text));
        struct dmarc_record r;
        assert_int_equal(dmarc_record_parse(s, &r), OK);
        if (r.defects != cases[i].defects || r.usable != cases[i].usable)
            fail_msg("%s: %x", cases[i].text, (unsigned)r.defects);
        guard_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_uri),
        cmocka_unit_test(lists),
        cmocka_unit_test(who_wants_reports),
        cmocka_unit_test(defects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
