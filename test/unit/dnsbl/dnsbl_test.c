/* dnsbl: a stub that returns every code of 127/8: only documented ones count (THREATS 28); lists that lie,
 * are gone or refuse us are switched off and on again; names are built right for both kinds of address. */
#include "lib/dns_kit.h"
#include "lib/test.h"

#include "core/dnsbl/dnsbl.h"

#include <stdio.h>

#define NOW ((time_ms)1700000000000)

static struct dnsbl_reading read_code(const struct dnsbl_facts *facts, bool white, uint8_t a, uint8_t b,
                                      uint8_t c, uint8_t d)
{
    uint8_t octets[] = {a, b, c, d};
    slice rdata = {octets, 4};
    struct dns_answer answer = {.status = DNS_ANSWER_OK, .rdata = &rdata, .n = 1};
    return dnsbl_read(facts, white, &answer);
}

static void only_documented_codes_count(void **state)
{
    static const struct {
        const char *zone;
        unsigned listed, errors; /* how many of the 65,536 codes of 127.0/16 */
    } rows[] = {
        {"zen.spamhaus.org", 9, 0},       {"sbl.spamhaus.org", 3, 0}, {"xbl.spamhaus.org", 4, 0},
        {"pbl.spamhaus.org", 2, 0},       {"dbl.spamhaus.org", 9, 1}, {"bl.spamcop.net", 1, 0},
        {"b.barracudacentral.org", 1, 0}, {"psbl.surriel.com", 1, 0}, {"dnsbl-1.uceprotect.net", 1, 0},
        {"list.dnswl.org", 60, 1},        {"unknown.example", 254, 0}};
    size_t known = 0;
    (void)state;
    while (dnsbl_facts_at(known))
        known++;
    assert_int_equal(known + 1, ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct dnsbl_facts *f = dnsbl_facts(slice_str(rows[i].zone));
        unsigned listed = 0, errors = 0;
        assert_true(f || i == ARRAY_LEN(rows) - 1);
        for (unsigned code = 0; code < 65536; code++) {
            struct dnsbl_reading r = read_code(f, false, 127, 0, (uint8_t)(code >> 8), (uint8_t)code);
            listed += r.status == DNSBL_LISTED;
            errors += r.status == DNSBL_ERROR;
            if (r.status == DNSBL_LISTED)
                assert_true(r.meaning != DNSBL_NOTHING && r.words.n > 0);
        }
        assert_int_equal(listed, rows[i].listed);
        assert_int_equal(errors, rows[i].errors);
        for (unsigned second = 1; second < 256; second++) { /* nothing is documented there */
            struct dnsbl_reading r = read_code(f, false, 127, (uint8_t)second, 0, 2);
            assert_int_equal(r.status, DNSBL_NOT_LISTED);
        }
        for (unsigned d = 0; d < 256; d++) { /* "you ask too often", "you use a public resolver" */
            assert_int_equal(read_code(f, false, 127, 255, 255, (uint8_t)d).status, DNSBL_ERROR);
            if (d != 127) /* a parked domain's web server */
                assert_int_equal(read_code(f, false, (uint8_t)d, 0, 0, 2).status, DNSBL_ERROR);
        }
    }
}

static void codes_mean_what_is_documented(void **state)
{
    const struct dnsbl_facts *zen = dnsbl_facts(SLICE("ZEN.spamhaus.org")),
                             *white = dnsbl_facts(SLICE("list.dnswl.org"));
    (void)state;
    assert_int_equal(read_code(zen, false, 127, 0, 0, 2).meaning, DNSBL_SPAM);
    assert_int_equal(read_code(zen, false, 127, 0, 0, 4).meaning, DNSBL_EXPLOITED);
    assert_int_equal(read_code(zen, false, 127, 0, 0, 11).meaning, DNSBL_POLICY);
    assert_int_equal(read_code(zen, false, 127, 0, 0, 8).status, DNSBL_NOT_LISTED);
    assert_int_equal(read_code(white, true, 127, 0, 5, 3).meaning, DNSBL_WELCOME);
    assert_int_equal(read_code(white, true, 127, 0, 0, 255).status, DNSBL_ERROR);
    assert_int_equal(read_code(NULL, true, 127, 0, 0, 2).meaning, DNSBL_WELCOME);
    assert_int_equal(read_code(NULL, false, 127, 0, 0, 2).meaning, DNSBL_UNKNOWN);
    assert_ptr_equal(dnsbl_facts(SLICE("0123abcd.zen.dq.spamhaus.net")), zen);
    assert_null(dnsbl_facts(SLICE("zen.dq.spamhaus.net.evil.example")));
    assert_null(dnsbl_facts(SLICE("zen.dq.spamhaus.net")));
    assert_null(dnsbl_facts(SLICE("notzen.dq.spamhaus.net")));
    assert_null(dnsbl_facts((slice){0}));
}

static void several_codes_are_one_listing_and_an_error_outweighs_them(void **state)
{
    uint8_t a[] = {127, 0, 0, 10}, b[] = {127, 0, 0, 2}, c[] = {127, 255, 255, 254};
    slice rdata[] = {{a, 4}, {b, 4}, {c, 3}, {c, 4}};
    struct dns_answer answer = {.status = DNS_ANSWER_OK, .rdata = rdata, .n = 3};
    const struct dnsbl_facts *zen = dnsbl_facts(SLICE("zen.spamhaus.org"));
    (void)state;
    assert_int_equal(dnsbl_read(zen, false, &answer).meaning, DNSBL_SPAM);
    answer.n = 4; /* the third was no address at all */
    assert_int_equal(dnsbl_read(zen, false, &answer).status, DNSBL_ERROR);
    answer.status = DNS_ANSWER_TIMEOUT;
    assert_int_equal(dnsbl_read(zen, false, &answer).status, DNSBL_NO_ANSWER);
    answer = (struct dns_answer){.status = DNS_ANSWER_NXDOMAIN};
    assert_int_equal(dnsbl_read(zen, false, &answer).status, DNSBL_NOT_LISTED);
}

static void names_to_ask_for(void **state)
{
    struct dns_name name;
    struct ip ip;
    char longest[254];
    (void)state;
    assert_int_equal(ip_parse(SLICE("192.0.2.99"), &ip), OK);
    assert_true(dnsbl_address_name(&ip, SLICE("list.example"), &name));
    assert_slice(dns_name_view(&name), "99.2.0.192.list.example");
    assert_int_equal(ip_parse(SLICE("2001:db8::1"), &ip), OK);
    assert_true(dnsbl_address_name(&ip, SLICE("list.example"), &name));
    assert_slice(dns_name_view(&name),
                 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example");
    assert_true(dnsbl_domain_name(SLICE("Bad.Example."), SLICE("list.example"), &name));
    assert_slice(dns_name_view(&name), "bad.example.list.example");
    assert_false(dnsbl_domain_name(SLICE("bad example"), SLICE("list.example"), &name));
    /* an address that passes for a domain is answered with an error, which would switch the list off: any
     * stranger could, with MAIL FROM:<x@192.0.2.1> */
    assert_false(dnsbl_domain_name(SLICE("192.0.2.1"), SLICE("list.example"), &name));
    assert_false(dnsbl_domain_name(SLICE("a.192.0.2.1."), SLICE("list.example"), &name));
    memset(longest, 'a', sizeof longest);
    for (size_t i = 50; i < sizeof longest; i += 51)
        longest[i] = '.';
    assert_true(dnsbl_domain_name(slice_of(longest, 240), SLICE("list.example"), &name));
    assert_false(dnsbl_domain_name(slice_of(longest, 241), SLICE("list.example"), &name));
}

#define SIX "0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

static bool check(struct dnsbl_list *l, struct dns_kit *k, time_ms now)
{
    bool changed = false;
    dns_kit_again(k);
    while (dnsbl_list_check(l, &k->table, now, &changed) == AUTH_WAIT)
        assert_true(dns_kit_answer(k));
    assert_true(k->rounds <= 1);
    return changed;
}

static struct dnsbl_reading ask(struct dnsbl_list *l, struct dns_kit *k, const char *address,
                                const char *domain, bool *out_changed)
{
    struct dnsbl_reading r = {.status = DNSBL_NOT_LISTED};
    struct ip ip;
    assert_int_equal(ip_parse(slice_str(address), &ip), OK);
    dns_kit_again(k);
    while (dnsbl_list_ask(l, &ip, slice_str(domain), &k->table, NOW, &r, out_changed) == AUTH_WAIT)
        assert_true(dns_kit_answer(k));
    return r;
}

static void a_list_that_fails_its_canaries_is_off(void **state)
{
    static const struct {
        const char *zone, *list, *why; /* why NULL: on */
        bool v6;
    } rows[] = {
        {"2.0.0.127.l.test A 127.0.0.2\n", "l.test", NULL, false},
        {"2.0.0.127.l.test A 127.0.0.2\n2." SIX "l.test A 127.0.0.2\n", "l.test", NULL, true},
        {"*.l.test A 127.0.0.2\n", "l.test",
         "it lists 127.0.0.1, which no list may: it probably lists everybody", false},
        {"*.l.test A 203.0.113.80\n", "l.test", "it answered 203.0.113.80: this is no answer of a list",
         false},
        {"*.zen.spamhaus.org A 127.255.255.254\n", "zen.spamhaus.org",
         "it answered 127.255.255.254: the list does not serve this resolver", false},
        {"l.test A 192.0.2.1\n", "l.test",
         "it does not list 127.0.0.2, which every list must: it is probably gone", false},
        {"2.0.0.127.l.test TIMEOUT\n", "l.test", "the DNS gives no answer for it", false},
        {"2.0.0.127.l.test A 127.0.0.2\n1.0.0.127.l.test SERVFAIL\n", "l.test",
         "the DNS gives no answer for it", false},
        {"dbltest.com.dbl.spamhaus.org A 127.0.1.2\n", "dbl.spamhaus.org", NULL, false},
        {"*.dbl.spamhaus.org A 127.0.1.2\n", "dbl.spamhaus.org",
         "it lists invalid, which no list may: it probably lists everybody", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dnsbl_list l;
        struct dns_kit k;
        assert_int_equal(dnsbl_list_init(&l, slice_str(rows[i].list), false, NOW), OK);
        assert_false(l.on);
        assert_int_equal(l.check_at, NOW);
        dns_kit_start(&k, rows[i].zone);
        assert_int_equal(check(&l, &k, NOW + 5), rows[i].why == NULL);
        assert_int_equal(l.on, rows[i].why == NULL);
        assert_int_equal(l.v6, rows[i].v6);
        assert_string_equal(l.why, rows[i].why ? rows[i].why : "");
        assert_true(l.check_at > NOW + 5);
        assert_false(check(&l, &k, NOW + 6)); /* no second alert for the same */
        assert_int_equal(l.since, rows[i].why ? NOW : NOW + 5);
        dns_kit_done(&k);
    }
}

static void a_list_that_is_off_is_not_asked_and_comes_back(void **state)
{
    struct dnsbl_list l;
    struct dnsbl_reading r;
    struct dns_kit k, broken;
    bool changed;
    slice words;
    (void)state;
    dns_kit_start(
        &k,
        "2.0.0.127.l.test A 127.0.0.2\n7.2.0.192.l.test A 127.0.0.2\n8.2.0.192.l.test A 127.255.255.255\n");
    dns_kit_start(&broken, "*.l.test A 127.0.0.2\n");
    assert_int_equal(dnsbl_list_init(&l, SLICE("L.test"), false, NOW), OK);
    r = ask(&l, &k, "192.0.2.7", "", &changed);
    assert_int_equal(r.status, DNSBL_OFF);
    assert_int_equal(k.asked, 0);
    assert_true(check(&l, &k, NOW));
    r = ask(&l, &k, "192.0.2.7", "", &changed);
    assert_int_equal(r.status, DNSBL_LISTED);
    assert_false(changed);
    assert_true(dnsbl_words(&l, SLICE("192.0.2.7"), &r, &k.answers, &words));
    assert_slice(words, "l.test lists 192.0.2.7 (127.0.0.2, listed)");
    assert_int_equal(ask(&l, &k, "192.0.2.9", "", &changed).status, DNSBL_NOT_LISTED);
    assert_int_equal(ask(&l, &k, "2001:db8::1", "", &changed).status, DNSBL_OFF); /* no canary of IPv6 */
    r = ask(&l, &k, "192.0.2.8", "", &changed);
    assert_int_equal(r.status, DNSBL_ERROR);
    assert_true(changed);
    assert_false(l.on);
    assert_int_equal(ask(&l, &k, "192.0.2.7", "", &changed).status, DNSBL_OFF);
    assert_false(changed);
    assert_true(check(&l, &k, l.check_at));
    assert_true(l.on);
    assert_true(check(&l, &broken, l.check_at));
    assert_false(l.on);
    dns_kit_done(&k);
    dns_kit_done(&broken);
}

static void a_list_of_names_is_asked_for_names(void **state)
{
    struct dnsbl_list l;
    struct dnsbl_reading r;
    struct dns_kit k;
    bool changed;
    (void)state;
    dns_kit_start(&k,
                  "dbltest.com.dbl.spamhaus.org A 127.0.1.2\nevil.example.dbl.spamhaus.org A 127.0.1.4\n");
    assert_int_equal(dnsbl_list_init(&l, SLICE("dbl.spamhaus.org"), false, NOW), OK);
    assert_true(check(&l, &k, NOW));
    r = ask(&l, &k, "192.0.2.7", "Evil.example", &changed);
    assert_int_equal(r.meaning, DNSBL_PHISHING);
    assert_int_equal(ask(&l, &k, "192.0.2.7", "[192.0.2.7]", &changed).status, DNSBL_OFF);
    assert_int_equal(dnsbl_list_init(&l, SLICE("not a name"), false, NOW), ERR_SYNTAX);
    dns_kit_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_documented_codes_count),
        cmocka_unit_test(codes_mean_what_is_documented),
        cmocka_unit_test(several_codes_are_one_listing_and_an_error_outweighs_them),
        cmocka_unit_test(names_to_ask_for),
        cmocka_unit_test(a_list_that_fails_its_canaries_is_off),
        cmocka_unit_test(a_list_that_is_off_is_not_asked_and_comes_back),
        cmocka_unit_test(a_list_of_names_is_asked_for_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
