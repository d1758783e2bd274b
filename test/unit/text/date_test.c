/* date: days of the calendar both ways, Date fields as they are really written, IMAP's dates. */
#include "lib/test.h"

#include "text/date.h"

static void every_day_of_ten_centuries_goes_there_and_back(void **state)
{
    int64_t day = date_days(1600, 1, 1);
    unsigned weekday = date_weekday(day);
    (void)state;
    assert_int_equal(date_days(1970, 1, 1), 0);
    assert_int_equal(date_weekday(0), 4);
    for (; day < date_days(2600, 1, 1); day++) {
        int64_t year;
        unsigned month, of_month;
        date_civil(day, &year, &month, &of_month);
        if (date_days(year, month, of_month) != day || month < 1 || month > 12 ||
            date_weekday(day) != weekday)
            fail_msg("day %lld", (long long)day);
        weekday = (weekday + 1) % 7;
    }
}

static void reads_date_fields(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: no date */
        int zone;
    } rows[] = {
        {"Sat, 22 Nov 2026 00:35:00 +0000", 1795307700, 0},
        {"Thu, 14 Feb 2008 12:00:00 +0000 (GMT)", 1202990400, 0},
        {"Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360},
        {"21 Nov 97 09:55:06 GMT", 880106106, 0},
        {"Fri, 21 Nov 1997 09(comment (nested \\) )):   55  :  06 -0600", 880127706, -360},
        {"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 "
         "(Newfoundland Time)",
         -27723480, -210},
        {"1 Jan 1970 00:00:00 EST", 18000, -300},
        {"1 Jan 70 00:00 PDT", 25200, -420},
        {"Mon 1 Jan 2018 10:00:00 +0530", 1514781000, 330},
        {"1-Jan-2018 00:00:00 Z", 1514764800, 0},
        {"29 Feb 2024 23:59:60 +0000", 1709251199, 0},
        {"1 January 2018 00:00 +0000", 1514764800, 0},
        {"29 Feb 2023 00:00:00 +0000", -1, 0},
        {"32 Jan 2018 00:00:00 +0000", -1, 0},
        {"1 Foo 2018 00:00:00 +0000", -1, 0},
        {"1 Jan 2018 24:00:00 +0000", -1, 0},
        {"1 Jan 2018", -1, 0},
        {"yesterday", -1, 0},
        {"", -1, 0},
        {"(", -1, 0},
        {"(\\", -1, 0},
        {"1 Jan 99999 00:00:00 +0000", -1, 0},
        {"Sat, 22 Nov 2026 00:35:00 +0060", 1795307700, 0}, /* an impossible zone counts as none */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice s = guard_copy(slice_str(rows[i].text));
        time_ms at = 0;
        int zone = 0;
        enum err e = date_parse(s, &at, &zone);
        if ((e == OK) != (rows[i].seconds != -1) || (e == OK && at != rows[i].seconds * 1000) ||
            zone != rows[i].zone)
            fail_msg("%s: %d %lld %d", rows[i].text, e, (long long)at, zone);
        guard_free(s);
    }
}

static void prints_dates(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 200);
    assert_int_equal(date_print(1795307700000, 0, &b), OK);
    assert_slice(buf_view(&b), "Sun, 22 Nov 2026 00:35:00 +0000");
    buf_clear(&b);
    assert_int_equal(date_print(-1, -210, &b), OK);
    assert_slice(buf_view(&b), "Wed, 31 Dec 1969 20:29:59 -0330");
    buf_clear(&b);
    assert_int_equal(date_print_imap(837596665000, -420, &b), OK);
    assert_slice(buf_view(&b), "17-Jul-1996 02:44:25 -0700");
    buf_clear(&b);
    assert_int_equal(date_print_imap(0, 0, &b), OK);
    assert_slice(buf_view(&b), " 1-Jan-1970 00:00:00 +0000");
    buf_clear(&b);
    assert_int_equal(date_print_iso(1795307700000, &b), OK);
    assert_slice(buf_view(&b), "2026-11-22T00:35:00Z");
    buf_done(&b);
}

static void imap_dates_are_strict(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"17-Jul-1996 02:44:25 -0700", 837596665},
        {" 1-Jan-1970 00:00:00 +0000", 0},
        {"01-jan-1970 00:00:00 +0000", 0},
        {"1-Jan-1970 00:00:00 +0000", -1},
        {"17-Jul-1996 2:44:25 -0700", -1},
        {"17-Jul-1996 02:44:25 -0700 ", -1},
        {"17-Jul-1996 02:44:25", -1},
        {"17-Jul-96 02:44:25 -0700", -1},
        {"31-Jun-1996 02:44:25 -0700", -1},
        {"17-Jul-1996 02:44:25 GMT", -1},
    };
    int64_t days = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        time_ms at = -1000;
        int zone;
        enum err e = date_parse_imap(slice_str(rows[i].text), &at, &zone);
        if ((e == OK) != (rows[i].seconds != -1) || at != rows[i].seconds * 1000)
            fail_msg("%s", rows[i].text);
    }
    assert_int_equal(date_parse_imap_day(SLICE("1-Feb-1994"), &days), OK);
    assert_int_equal(days, date_days(1994, 2, 1));
    assert_int_equal(date_parse_imap_day(SLICE("30-Feb-1994"), &days), ERR_SYNTAX);
    assert_int_equal(date_parse_imap_day(SLICE("1-Feb-94"), &days), ERR_SYNTAX);
    assert_int_equal(date_day_in_zone(-1, 0), -1);
    assert_int_equal(date_day_in_zone(0, -1), -1);
    assert_int_equal(date_day_in_zone(86400000 - 1, 1), 1);
}

static void iso_dates_are_strict(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: no date */
    } rows[] = {
        {"1985-04-12T23:20:50.52Z", 482196050},
        {"1996-12-19T16:39:57-08:00", 851042397},
        {"1990-12-31T23:59:60Z", 662687999}, /* a leap second counts as the one before it */
        {"2026-11-22t00:35:00z", 1795307700},
        {"2026-11-22T00:35:00+00:00", 1795307700},
        {"2026-11-22T00:35:00.000000001+23:59", 1795307700 - 23 * 3600 - 59 * 60},
        {"2026-11-22T00:35:00", -1},
        {"2026-11-22 00:35:00Z", -1},
        {"2026-11-22", -1},
        {"2026-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-01-01T24:00:00Z", -1},
        {"2026-01-01T00:00:00.Z", -1},
        {"2026-01-01T00:00:00+0000", -1},
        {"2026-01-01T00:00:00+24:00", -1},
        {"2026-01-01T00:00:00Zx", -1},
        {"-026-01-01T00:00:00Z", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        time_ms at = -1000;
        enum err e = date_parse_iso(slice_str(rows[i].text), &at);
        if ((e == OK) != (rows[i].seconds != -1) || at != rows[i].seconds * 1000)
            fail_msg("%s: %lld", rows[i].text, (long long)at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_ten_centuries_goes_there_and_back),
        cmocka_unit_test(reads_date_fields),
        cmocka_unit_test(prints_dates),
        cmocka_unit_test(imap_dates_are_strict),
        cmocka_unit_test(iso_dates_are_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
