/* iprev: a reverse name counts only when it leads back; five names at most; errors are told from answers. */
#include "lib/dns_kit.h"
#include "lib/test.h"

#include "core/iprev/iprev.h"

#include <stdio.h>

static void results_and_their_reasons(void **state)
{
    static const struct {
        const char *zone, *client, *result, *name, *reason;
    } rows[] = {
        {"1.2.0.192.in-addr.arpa PTR Mx.Example.ORG.\nmx.example.org A 192.0.2.1\n", "192.0.2.1", "pass",
         "mx.example.org", "mx.example.org leads back to 192.0.2.1"},
        {"1.2.0.192.in-addr.arpa PTR bank.example\nbank.example A 203.0.113.1\n", "192.0.2.1", "fail",
         "bank.example", "bank.example does not lead back to 192.0.2.1"},
        {"1.2.0.192.in-addr.arpa PTR a.test\n1.2.0.192.in-addr.arpa PTR b.test\nb.test A 192.0.2.1\na.test "
         "TIMEOUT\n",
         "192.0.2.1", "pass", "b.test", "b.test leads back to 192.0.2.1"},
        {"1.2.0.192.in-addr.arpa PTR a.test\n1.2.0.192.in-addr.arpa PTR b.test\nb.test A 192.0.2.2\na.test "
         "TIMEOUT\n",
         "192.0.2.1", "temperror", "a.test", "the DNS gave no answer for the address of a name of 192.0.2.1"},
        {"1.2.0.192.in-addr.arpa SERVFAIL\n", "192.0.2.1", "temperror", "",
         "the DNS gave no answer for the name of 192.0.2.1"},
        {"x.test A 192.0.2.1\n", "192.0.2.1", "permerror", "", "192.0.2.1 has no PTR record"},
        {"1.2.0.192.in-addr.arpa PTR 192.0.2.1\n1.2.0.192.in-addr.arpa PTR "
         "a\\032b.test\n1.2.0.192.in-addr.arpa PTR .\n",
         "192.0.2.1", "permerror", "", "the PTR record of 192.0.2.1 holds no host name"},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six.test\n"
         "six.test AAAA 2001:db8::1\nsix.test A 192.0.2.1\n",
         "2001:db8::1", "pass", "six.test", "six.test leads back to 2001:db8::1"},
        {"1.2.0.192.in-addr.arpa PTR six.test\nsix.test AAAA 2001:db8::1\n", "::ffff:192.0.2.1", "fail",
         "six.test", "six.test does not lead back to 192.0.2.1"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct iprev_result r = {.result = AUTH_NONE};
        enum auth_step step;
        struct dns_kit k;
        struct ip ip;
        assert_int_equal(ip_parse(slice_str(rows[i].client), &ip), OK);
        dns_kit_start(&k, rows[i].zone);
        while ((step = iprev_check(&ip, &k.table, &k.answers, &r)) == AUTH_WAIT)
            assert_true(dns_kit_answer(&k));
        assert_int_equal(step, AUTH_DONE);
        assert_slices(auth_result_word(r.result), slice_str(rows[i].result));
        assert_slice(r.name, rows[i].name);
        assert_slice(r.reason, rows[i].reason);
        assert_true(k.rounds <= 2);
        dns_kit_done(&k);
    }
}

static void only_five_names_are_followed(void **state)
{
    (void)state;
    for (int good = 5; good <= 6; good++) { /* the one that leads back */
        struct iprev_result r = {.result = AUTH_NONE};
        struct dns_kit k;
        char zone[1000];
        struct ip ip;
        size_t n = 0;
        for (int i = 1; i <= 9; i++)
            n += (size_t)snprintf(zone + n, sizeof zone - n, "1.2.0.192.in-addr.arpa PTR p%d.test\n", i);
        snprintf(zone + n, sizeof zone - n, "p%d.test A 192.0.2.1\n", good);
        assert_int_equal(ip_parse(SLICE("192.0.2.1"), &ip), OK);
        dns_kit_start(&k, zone);
        while (iprev_check(&ip, &k.table, &k.answers, &r) == AUTH_WAIT)
            assert_true(dns_kit_answer(&k));
        assert_int_equal(r.result, good == 5 ? AUTH_PASS : AUTH_FAIL);
        assert_int_equal(k.asked, 6);
        dns_kit_done(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_their_reasons),
        cmocka_unit_test(only_five_names_are_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
