/* address_class: the first and last address of every special range, their neighbours outside, and the ways to
 * write an inner address as an outer one (THREATS 36). */
#include "lib/test.h"
#include "policy/address_class.h"

static void assert_class(const char *text, enum address_class want)
{
    struct ip ip;
    enum address_class got;
    if (ip_parse(slice_str(text), &ip))
        fail_msg("%s is no address", text);
    got = address_class(&ip);
    if (got != want)
        fail_msg("%s is %s, not %s", text, address_class_text(got), address_class_text(want));
}

static void test_ranges(void **state)
{
    static const struct {
        const char *ip;
        enum address_class class;
    } c[] = {
        {"0.0.0.0", ADDRESS_NONE},
        {"0.255.255.255", ADDRESS_NONE},
        {"1.0.0.0", ADDRESS_GLOBAL},
        {"9.255.255.255", ADDRESS_GLOBAL},
        {"10.0.0.0", ADDRESS_PRIVATE},
        {"10.255.255.255", ADDRESS_PRIVATE},
        {"11.0.0.0", ADDRESS_GLOBAL},
        {"100.63.255.255", ADDRESS_GLOBAL},
        {"100.64.0.0", ADDRESS_SHARED},
        {"100.127.255.255", ADDRESS_SHARED},
        {"100.128.0.0", ADDRESS_GLOBAL},
        {"126.255.255.255", ADDRESS_GLOBAL},
        {"127.0.0.1", ADDRESS_LOOPBACK},
        {"127.255.255.255", ADDRESS_LOOPBACK},
        {"128.0.0.0", ADDRESS_GLOBAL},
        {"169.253.255.255", ADDRESS_GLOBAL},
        {"169.254.169.254", ADDRESS_LINK_LOCAL},
        {"169.255.0.0", ADDRESS_GLOBAL},
        {"172.15.255.255", ADDRESS_GLOBAL},
        {"172.16.0.0", ADDRESS_PRIVATE},
        {"172.31.255.255", ADDRESS_PRIVATE},
        {"172.32.0.0", ADDRESS_GLOBAL},
        {"192.0.0.170", ADDRESS_RESERVED},
        {"192.0.1.0", ADDRESS_GLOBAL},
        {"192.0.2.1", ADDRESS_DOCUMENTATION},
        {"192.0.3.0", ADDRESS_GLOBAL},
        {"192.88.99.1", ADDRESS_TRANSLATED},
        {"192.167.255.255", ADDRESS_GLOBAL},
        {"192.168.0.0", ADDRESS_PRIVATE},
        {"192.168.255.255", ADDRESS_PRIVATE},
        {"192.169.0.0", ADDRESS_GLOBAL},
        {"198.17.255.255", ADDRESS_GLOBAL},
        {"198.18.0.0", ADDRESS_RESERVED},
        {"198.19.255.255", ADDRESS_RESERVED},
        {"198.20.0.0", ADDRESS_GLOBAL},
        {"198.51.100.7", ADDRESS_DOCUMENTATION},
        {"203.0.113.7", ADDRESS_DOCUMENTATION},
        {"223.255.255.255", ADDRESS_GLOBAL},
        {"224.0.0.1", ADDRESS_MULTICAST},
        {"239.255.255.255", ADDRESS_MULTICAST},
        {"240.0.0.0", ADDRESS_RESERVED},
        {"255.255.255.255", ADDRESS_RESERVED},
        {"8.8.8.8", ADDRESS_GLOBAL},
        {"::", ADDRESS_NONE},
        {"::1", ADDRESS_LOOPBACK},
        {"::2", ADDRESS_TRANSLATED},
        {"::127.0.0.1", ADDRESS_TRANSLATED},
        {"::8.8.8.8", ADDRESS_TRANSLATED},
        {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
        {"::ffff:10.1.2.3", ADDRESS_PRIVATE},
        {"::ffff:a9fe:a9fe", ADDRESS_LINK_LOCAL},
        {"::ffff:8.8.8.8", ADDRESS_GLOBAL},
        {"::ffff:0:127.0.0.1", ADDRESS_TRANSLATED},
        {"64:ff9b::7f00:1", ADDRESS_TRANSLATED},
        {"64:ff9b::10.0.0.1", ADDRESS_TRANSLATED},
        {"64:ff9b:1::1", ADDRESS_TRANSLATED},
        {"64:ff9c::1", ADDRESS_RESERVED},
        {"100::1", ADDRESS_RESERVED},
        {"1fff:ffff::1", ADDRESS_RESERVED},
        {"2000::1", ADDRESS_GLOBAL},
        {"2001::1", ADDRESS_TRANSLATED},
        {"2001:0:ffff::1", ADDRESS_TRANSLATED},
        {"2001:2::1", ADDRESS_RESERVED},
        {"2001:10::1", ADDRESS_RESERVED},
        {"2001:1ff:ffff::1", ADDRESS_RESERVED},
        {"2001:200::1", ADDRESS_GLOBAL},
        {"2001:db7:ffff::1", ADDRESS_GLOBAL},
        {"2001:db8::1", ADDRESS_DOCUMENTATION},
        {"2001:db9::1", ADDRESS_GLOBAL},
        {"2002:7f00:1::1", ADDRESS_TRANSLATED},
        {"2003::1", ADDRESS_GLOBAL},
        {"2a00:1450::1", ADDRESS_GLOBAL},
        {"2620:4f:8000::1", ADDRESS_RESERVED},
        {"3ffe:ffff::1", ADDRESS_GLOBAL},
        {"3fff::1", ADDRESS_DOCUMENTATION},
        {"3fff:fff::1", ADDRESS_DOCUMENTATION},
        {"3fff:1000::1", ADDRESS_GLOBAL},
        {"4000::1", ADDRESS_RESERVED},
        {"5f00::1", ADDRESS_RESERVED},
        {"fbff::1", ADDRESS_RESERVED},
        {"fc00::1", ADDRESS_PRIVATE},
        {"fdff:ffff::1", ADDRESS_PRIVATE},
        {"fe00::1", ADDRESS_RESERVED},
        {"fe80::1", ADDRESS_LINK_LOCAL},
        {"febf::1", ADDRESS_LINK_LOCAL},
        {"fec0::1", ADDRESS_PRIVATE},
        {"ff02::1", ADDRESS_MULTICAST},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_MULTICAST},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(c); i++)
        assert_class(c[i].ip, c[i].class);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
