/* Guessing gets slower, then is refused, and does not lock its victim out (THREATS 31, 32). */
#include "lib/test.h"

#include "proc/directory/throttle.h"

#include <stdio.h>
#include <stdlib.h>

static struct throttle *t;

static int begin(void **state)
{
    (void)state;
    t = calloc(1, sizeof *t);
    t->key = (struct hash_key){3, 4};
    return t ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    free(t);
    return 0;
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(slice_str(text), &ip), OK);
    return ip;
}

static uint32_t fail_from(const char *ip, const char *name, time_ms now)
{
    struct ip a = ip_of(ip);
    bool alarm;
    return throttle_failed(t, &a, slice_str(name), now, &alarm);
}

static bool allows(const char *ip, const char *name, time_ms now)
{
    struct ip a = ip_of(ip);
    return throttle_allows(t, &a, slice_str(name), now);
}

static void answers_get_slower(void **state)
{
    uint32_t last = 0;
    (void)state;
    for (int i = 0; i < 6; i++) {
        uint32_t wait = fail_from("192.0.2.1", "a@x.test", 1000);
        assert_true(wait >= last && wait >= THROTTLE_WAIT_MIN && wait <= THROTTLE_WAIT_MAX);
        last = wait;
    }
    assert_int_equal(last, THROTTLE_WAIT_MAX);
    /* an hour later all is forgotten */
    assert_int_equal(fail_from("192.0.2.1", "a@x.test", 1000 + MS_HOUR), THROTTLE_WAIT_MIN);
}

static void network_is_refused_for_a_while(void **state)
{
    char name[32];
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_true(allows("192.0.2.1", "a@x.test", 0));
        snprintf(name, sizeof name, "n%d@x.test", i);
        (void)fail_from("192.0.2.7", name, 0);
    }
    assert_false(allows("192.0.2.200", "a@x.test", 0)); /* the same /24 */
    assert_true(allows("192.0.3.1", "a@x.test", 0));
    assert_true(allows("192.0.2.1", "a@x.test", MS_MINUTE));
    for (int i = 0; i < 20; i++)
        (void)fail_from("2001:db8::1", "z@x.test", 0);
    assert_false(allows("2001:db8::ffff:1", "a@x.test", 0));
    assert_true(allows("2001:db8:0:1::1", "a@x.test", 0));
}

/* a proxy or a web mail on this machine speaks for many people */
static void loopback_is_not_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++)
        (void)fail_from("127.0.0.1", "one@x.test", 0);
    assert_true(allows("127.0.0.1", "other@x.test", 0));
}

/* 10,000 networks, a guess each: the name is closed to strangers and open to where its owner is */
static void victim_keeps_its_devices(void **state)
{
    struct ip home = ip_of("198.51.100.4");
    char text[32];
    bool alarm;
    int alarms = 0;
    (void)state;
    throttle_passed(t, &home, SLICE("v@x.test"), 0);
    for (int i = 0; i < 10000; i++) {
        struct ip a;
        snprintf(text, sizeof text, "10.%d.%d.9", i / 256, i % 256);
        a = ip_of(text);
        (void)throttle_failed(t, &a, SLICE("v@x.test"), 1000, &alarm);
        alarms += alarm;
        assert_true(throttle_allows(t, &home, SLICE("v@x.test"), 1000));
    }
    assert_int_equal(alarms, 1);
    assert_false(allows("203.0.113.1", "v@x.test", 1000));
    assert_true(allows("203.0.113.1", "w@x.test", 1000));
    assert_true(allows("198.51.100.77", "v@x.test", 1000));
    /* it ends by itself, soon after the guessing does */
    assert_true(allows("203.0.113.1", "v@x.test", 1000 + 2 * THROTTLE_NAME_COST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_get_slower, begin, end),
        cmocka_unit_test_setup_teardown(network_is_refused_for_a_while, begin, end),
        cmocka_unit_test_setup_teardown(loopback_is_not_refused, begin, end),
        cmocka_unit_test_setup_teardown(victim_keeps_its_devices, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
