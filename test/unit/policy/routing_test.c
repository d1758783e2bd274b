/* routing: which route counts, literals, and that no stranger's DNS leads to an inner address (THREATS 36).
 */
#include "lib/test.h"

#include "policy/routing.h"

static const struct routing_route routes[] = {
    {SLICE_INIT("*"), SLICE_INIT("smart.test"), 587},
    {SLICE_INIT("*.sink.test"), SLICE_INIT("127.0.0.1"), 2599},
    {SLICE_INIT("*.deep.sink.test"), SLICE_INIT("127.0.0.2"), 26},
    {SLICE_INIT("Exact.sink.test"), SLICE_INIT("::1"), 25},
};

static void the_nearest_route_counts(void **state)
{
    static const struct {
        const char *domain, *host;
    } cases[] = {
        {"a.sink.test", "127.0.0.1"}, {"A.SINK.test", "127.0.0.1"},   {"sink.test", "smart.test"},
        {"xsink.test", "smart.test"}, {"a.b.sink.test", "127.0.0.1"}, {"a.deep.sink.test", "127.0.0.2"},
        {"exact.sink.test", "::1"},   {"[192.0.2.1]", "smart.test"},  {"other.test", "smart.test"},
    };
    struct routing r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        routing_find(routes, ARRAY_LEN(routes), slice_str(cases[i].domain), &r);
        assert_int_equal(r.kind, ROUTING_FIXED);
        assert_slice(r.host, cases[i].host);
    }
    routing_find(routes + 1, 3, SLICE("other.test"), &r);
    assert_int_equal(r.kind, ROUTING_MX);
    assert_slice(r.host, "other.test");
    routing_find(NULL, 0, SLICE(""), &r);
    assert_int_equal(r.kind, ROUTING_NOWHERE);
}

static void routes_are_read_from_text(void **state)
{
    static const char *const bad[] = {
        "",           "a.test",  "a.test host", "a.test host:", "a.test host:0", "a.test host:65536",
        "a.test :25", " host:25"};
    struct routing_route r;
    (void)state;
    assert_int_equal(routing_parse(SLICE("*.sink.test 127.0.0.1:2599"), &r), OK);
    assert_slice(r.domain, "*.sink.test");
    assert_slice(r.host, "127.0.0.1");
    assert_int_equal(r.port, 2599);
    assert_int_equal(routing_parse(SLICE("* [::1]:25"), &r), OK);
    assert_slice(r.host, "::1");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(routing_parse(slice_str(bad[i]), &r), ERR_SYNTAX);
}

static void literals_lead_to_public_addresses_only(void **state)
{
    static const struct {
        const char *domain;
        enum routing_kind kind;
    } cases[] = {
        {"[9.9.9.9]", ROUTING_ADDRESS},
        {"[IPv6:2620:fe::9]", ROUTING_ADDRESS},
        {"[127.0.0.1]", ROUTING_NOWHERE},
        {"[IPv6:::1]", ROUTING_NOWHERE},
        {"[IPv6:::ffff:127.0.0.1]", ROUTING_NOWHERE},
        {"[10.0.0.1]", ROUTING_NOWHERE},
        {"[]", ROUTING_NOWHERE},
        {"[tag:data]", ROUTING_NOWHERE},
    };
    struct routing r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        routing_find(NULL, 0, slice_str(cases[i].domain), &r);
        assert_int_equal(r.kind, cases[i].kind);
        assert_true((r.kind == ROUTING_NOWHERE) == (r.reason != NULL));
    }
}

static void inner_addresses_are_not_public(void **state)
{
    static const char *const inner[] = {"0.0.0.0",
                                        "0.1.2.3",
                                        "10.255.255.255",
                                        "100.64.0.1",
                                        "100.127.255.255",
                                        "127.0.0.1",
                                        "127.9.9.9",
                                        "169.254.1.1",
                                        "172.16.0.1",
                                        "172.31.255.255",
                                        "192.0.0.8",
                                        "192.168.1.1",
                                        "198.18.0.1",
                                        "198.19.255.1",
                                        "224.0.0.1",
                                        "240.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "::ffff:10.0.0.1",
                                        "::ffff:127.0.0.1",
                                        "fe80::1",
                                        "fec0::1",
                                        "fc00::1",
                                        "fd12:3456::1",
                                        "ff02::1",
                                        "64:ff9b::7f00:1",
                                        "2002:7f00:1::",
                                        "2001:db8::1",
                                        "2001::1",
                                        "::127.0.0.1"};
    static const char *const outer[] = {"1.1.1.1",     "9.255.255.255",  "11.0.0.0",        "100.63.255.255",
                                        "100.128.0.0", "126.1.1.1",      "128.0.0.1",       "172.15.255.255",
                                        "172.32.0.0",  "198.17.255.255", "198.20.0.0",      "223.255.255.255",
                                        "2620:fe::fe", "2a00:1450::1",   "2001:4860::8888", "2003::1"};
    struct ip ip;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(inner); i++) {
        assert_int_equal(ip_parse(slice_str(inner[i]), &ip), OK);
        if (routing_is_public(&ip))
            print_error("%s\n", inner[i]);
        assert_false(routing_is_public(&ip));
    }
    for (size_t i = 0; i < ARRAY_LEN(outer); i++) {
        assert_int_equal(ip_parse(slice_str(outer[i]), &ip), OK);
        if (!routing_is_public(&ip))
            print_error("%s\n", outer[i]);
        assert_true(routing_is_public(&ip));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_route_counts),
        cmocka_unit_test(routes_are_read_from_text),
        cmocka_unit_test(literals_lead_to_public_addresses_only),
        cmocka_unit_test(inner_addresses_are_not_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
