/* retry: waits grow and stay within their bounds, also when the clock jumps (THREATS 63). */
#include "lib/test.h"

#include "policy/retry.h"

static void waits_grow_from_minutes_to_hours(void **state)
{
    const struct retry_policy *p = &retry_default;
    time_ms now = 1000000, last = 0;
    (void)state;
    for (uint32_t attempts = 1; attempts < 12; attempts++) {
        time_ms wait = retry_next(p, attempts, now, now, 0) - now;
        assert_true(wait >= last);
        assert_in_range(wait, p->first_ms, p->longest_ms);
        last = wait;
    }
    assert_int_equal(last, p->longest_ms);
    assert_int_equal(retry_next(p, 1, now, now, 0) - now, 5 * MS_MINUTE);
    assert_int_equal(retry_next(p, UINT32_MAX, now, now, 0) - now, p->longest_ms);
}

static void jitter_is_at_most_a_quarter(void **state)
{
    const struct retry_policy *p = &retry_default;
    time_ms low = INT64_MAX, high = 0;
    (void)state;
    for (uint64_t r = 0; r < 100000; r++) {
        time_ms wait = retry_next(p, 3, 0, 0, r * 7919);
        low = wait < low ? wait : low;
        high = wait > high ? wait : high;
    }
    assert_in_range(low, 20 * MS_MINUTE, 20 * MS_MINUTE + MS_SECOND);
    assert_in_range(high, 25 * MS_MINUTE - MS_SECOND, 25 * MS_MINUTE);
}

/* The whole life of a message that never gets through: how often it is tried, and when it ends. */
static void five_days_then_it_ends(void **state)
{
    const struct retry_policy *p = &retry_default;
    time_ms now = 5000;
    uint32_t attempts = 0;
    (void)state;
    while (!retry_is_over(p, 5000, now)) {
        assert_true(attempts < 60);
        attempts++;
        now = retry_next(p, attempts, 5000, now, attempts * 2654435761u);
    }
    assert_in_range(attempts, 20, 40);
    assert_in_range(now - 5000, p->life_ms, p->life_ms + p->first_ms);
    assert_false(retry_is_late(p, 5000, 5000 + 4 * MS_HOUR - 1));
    assert_true(retry_is_late(p, 5000, 5000 + 4 * MS_HOUR));
}

static void a_clock_that_jumps_harms_nothing(void **state)
{
    const struct retry_policy *p = &retry_default;
    time_ms arrived = 1000 * MS_DAY;
    (void)state;
    assert_false(retry_is_over(p, arrived, arrived - MS_HOUR)); /* an hour back */
    assert_false(retry_is_late(p, arrived, arrived - 30 * MS_DAY));
    assert_in_range(retry_next(p, 1, arrived, arrived - MS_HOUR, 3) - (arrived - MS_HOUR), p->first_ms,
                    2 * p->first_ms);
    assert_true(retry_is_over(p, arrived, arrived + 30 * MS_DAY));
    assert_true(retry_next(p, 9, arrived, arrived + 30 * MS_DAY, 3) > arrived + 30 * MS_DAY);
    assert_true(retry_next(p, 1, (time_ms)2147483648 * 1000, (time_ms)2147483648 * 1000, 3) >
                (time_ms)2147483648 * 1000); /* 2038 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_grow_from_minutes_to_hours),
        cmocka_unit_test(jitter_is_at_most_a_quarter),
        cmocka_unit_test(five_days_then_it_ends),
        cmocka_unit_test(a_clock_that_jumps_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
