#include "text/date.h"

#include "text/cfws.h"

static const char date_months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char date_days_of_week[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* Days and civil dates count in eras of 400 years that begin on 1 March, so that the leap day is a year's
 * last (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
int64_t date_days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void date_civil(int64_t days, int64_t *out_year, unsigned *out_month, unsigned *out_day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *out_day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    *out_month = (unsigned)(month < 10 ? month + 3 : month - 9);
    *out_year = year + era * 400 + (*out_month <= 2);
}

unsigned date_weekday(int64_t days)
{
    int64_t d = (days + 4) % 7;
    return (unsigned)(d < 0 ? d + 7 : d);
}

static unsigned date_month_days(int64_t year, unsigned month)
{
    static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* The number of a month's English name (3 letters, any case), or 0. */
static unsigned date_month(slice name)
{
    for (unsigned i = 0; i < 12; i++)
        if (slice_eq_nocase(name, slice_of(date_months[i], 3)))
            return i + 1;
    return 0;
}

struct date_fields {
    uint32_t year, month, day, hour, minute, second;
    int zone; /* minutes east */
};

static bool date_make(const struct date_fields *f, time_ms *out)
{
    int64_t days, seconds;
    if (f->year < 1900 || f->year > 9999 || f->month < 1 || f->month > 12 || f->day < 1 ||
        f->day > date_month_days(f->year, f->month) || f->hour > 23 || f->minute > 59 || f->second > 60)
        return false;
    days = date_days(f->year, f->month, f->day);
    seconds = f->second == 60 ? 59 : f->second;
    *out = (((days * 24 + f->hour) * 60 + f->minute - f->zone) * 60 + seconds) * MS_SECOND;
    return true;
}

/* ---- RFC 5322 ---- */

static slice date_word(struct cursor *c)
{
    size_t n = 0;
    slice s;
    while (n < c->rest.n && ascii_is_alpha(c->rest.p[n]))
        n++;
    s = slice_sub(c->rest, 0, n);
    cursor_skip(c, n);
    return s;
}

/* min..max digits. */
static bool date_number(struct cursor *c, size_t min, size_t max, uint32_t *out, size_t *out_digits)
{
    size_t n = 0;
    while (n < c->rest.n && n <= max && ascii_is_digit(c->rest.p[n]))
        n++;
    if (n < min || n > max || !slice_u32(slice_sub(c->rest, 0, n), out))
        return false;
    cursor_skip(c, n);
    if (out_digits)
        *out_digits = n;
    return true;
}

/* zone = ("+" / "-") 4DIGIT */
static bool date_zone_number(struct cursor *c, int *out)
{
    bool minus = cursor_take(c, '-');
    uint32_t v;
    if (!minus && !cursor_take(c, '+'))
        return false;
    if (!date_number(c, 4, 4, &v, NULL) || v % 100 > 59)
        return false;
    *out = (int)(v / 100 * 60 + v % 100) * (minus ? -1 : 1);
    return true;
}

/* obs-zone: names of the United States and UT; military letters and all else count as unknown, -0000 (RFC
 * 5322 §4.3). */
static int date_zone_name(slice name)
{
    static const struct {
        slice name;
        int hours;
    } rows[] = {{SLICE_INIT("EDT"), -4}, {SLICE_INIT("EST"), -5}, {SLICE_INIT("CDT"), -5},
                {SLICE_INIT("CST"), -6}, {SLICE_INIT("MDT"), -6}, {SLICE_INIT("MST"), -7},
                {SLICE_INIT("PDT"), -7}, {SLICE_INIT("PST"), -8}, {SLICE_INIT("CET"), 1},
                {SLICE_INIT("CEST"), 2}, {SLICE_INIT("BST"), 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_eq_nocase(rows[i].name, name))
            return rows[i].hours * 60;
    return 0;
}

/* obs-year: two digits 00..49 are 2000.., 50..99 and three digits are 1900.. (RFC 5322 §4.3) */
static uint32_t date_full_year(uint32_t year, size_t digits)
{
    if (digits == 2)
        return year < 50 ? year + 2000 : year + 1900;
    return digits == 3 ? year + 1900 : year;
}

/* time-of-day = hour ":" minute [ ":" second ], CFWS allowed around each (obs-hour, obs-minute, obs-second)
 */
static bool date_time_of_day(struct cursor *c, struct date_fields *f)
{
    if (!date_number(c, 1, 2, &f->hour, NULL))
        return false;
    cfws_skip(c);
    if (!cursor_take(c, ':'))
        return false;
    cfws_skip(c);
    if (!date_number(c, 1, 2, &f->minute, NULL))
        return false;
    cfws_skip(c);
    if (cursor_take(c, ':')) {
        cfws_skip(c);
        if (!date_number(c, 1, 2, &f->second, NULL))
            return false;
        cfws_skip(c);
    }
    return true;
}

/* date-time = [ day-of-week "," ] day month year time-of-day zone; "-" between day, month and year is seen
 * too */
enum err date_parse(slice s, time_ms *out_unix, int *out_zone_minutes)
{
    struct cursor c = cursor_of(s);
    struct date_fields f = {0};
    size_t digits;
    cfws_skip(&c);
    if (date_word(&c).n) {
        cfws_skip(&c);
        (void)cursor_take(&c, ','); /* the comma is often forgotten */
        cfws_skip(&c);
    }
    if (!date_number(&c, 1, 2, &f.day, NULL))
        return ERR_SYNTAX;
    cfws_skip(&c);
    (void)cursor_take(&c, '-');
    f.month = date_month(slice_sub(date_word(&c), 0, 3));
    cfws_skip(&c);
    (void)cursor_take(&c, '-');
    if (!date_number(&c, 2, 4, &f.year, &digits))
        return ERR_SYNTAX;
    f.year = date_full_year(f.year, digits);
    cfws_skip(&c);
    if (!date_time_of_day(&c, &f))
        return ERR_SYNTAX;
    if (!date_zone_number(&c, &f.zone))
        f.zone = date_zone_name(date_word(&c));
    if (!date_make(&f, out_unix))
        return ERR_SYNTAX;
    *out_zone_minutes = f.zone;
    return OK;
}

/* ---- printing ---- */

struct date_printed {
    int64_t days, year;
    unsigned month, day, hour, minute, second, zone;
    char sign;
};

static struct date_printed date_split(time_ms unix_ms, int zone_minutes)
{
    struct date_printed d;
    int64_t seconds = unix_ms / MS_SECOND - (unix_ms % MS_SECOND < 0) + (int64_t)zone_minutes * 60, rest;
    d.days = seconds / 86400 - (seconds % 86400 < 0);
    rest = seconds - d.days * 86400;
    date_civil(d.days, &d.year, &d.month, &d.day);
    d.hour = (unsigned)(rest / 3600);
    d.minute = (unsigned)(rest / 60 % 60);
    d.second = (unsigned)(rest % 60);
    d.sign = zone_minutes < 0 ? '-' : '+';
    d.zone = (unsigned)(zone_minutes < 0 ? -zone_minutes : zone_minutes);
    d.zone = d.zone / 60 * 100 + d.zone % 60;
    return d;
}

enum err date_print(time_ms unix_ms, int zone_minutes, struct buf *out)
{
    struct date_printed d = date_split(unix_ms, zone_minutes);
    return buf_print(out, "%s, %u %s %04lld %02u:%02u:%02u %c%04u", date_days_of_week[date_weekday(d.days)],
                     d.day, date_months[d.month - 1], (long long)d.year, d.hour, d.minute, d.second, d.sign,
                     d.zone);
}

enum err date_print_imap(time_ms unix_ms, int zone_minutes, struct buf *out)
{
    struct date_printed d = date_split(unix_ms, zone_minutes);
    return buf_print(out, "%2u-%s-%04lld %02u:%02u:%02u %c%04u", d.day, date_months[d.month - 1],
                     (long long)d.year, d.hour, d.minute, d.second, d.sign, d.zone);
}

enum err date_print_iso(time_ms unix_ms, struct buf *out)
{
    struct date_printed d = date_split(unix_ms, 0);
    return buf_print(out, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)d.year, d.month, d.day, d.hour,
                     d.minute, d.second);
}

/* time-offset = "Z" / time-numoffset */
static bool date_iso_zone(struct cursor *c, int *out_minutes)
{
    uint32_t hours, minutes;
    bool west = cursor_peek(c) == '-';
    if (cursor_take(c, 'Z') || cursor_take(c, 'z')) {
        *out_minutes = 0;
        return true;
    }
    if (!(cursor_take(c, '-') || cursor_take(c, '+')) || !date_number(c, 2, 2, &hours, NULL) ||
        !cursor_take(c, ':') || !date_number(c, 2, 2, &minutes, NULL) || hours > 23 || minutes > 59)
        return false;
    *out_minutes = (west ? -1 : 1) * (int)(hours * 60 + minutes);
    return true;
}

enum err date_parse_iso(slice s, time_ms *out_unix)
{
    struct cursor c = cursor_of(s);
    struct date_fields f = {0};
    time_ms at;
    if (!date_number(&c, 4, 4, &f.year, NULL) || !cursor_take(&c, '-') ||
        !date_number(&c, 2, 2, &f.month, NULL) || !cursor_take(&c, '-') ||
        !date_number(&c, 2, 2, &f.day, NULL) || !(cursor_take(&c, 'T') || cursor_take(&c, 't')) ||
        !date_number(&c, 2, 2, &f.hour, NULL) || !cursor_take(&c, ':') ||
        !date_number(&c, 2, 2, &f.minute, NULL) || !cursor_take(&c, ':') ||
        !date_number(&c, 2, 2, &f.second, NULL))
        return ERR_SYNTAX;
    if (cursor_take(&c, '.')) {
        if (!ascii_is_digit((uint8_t)(cursor_peek(&c) & 0xff)))
            return ERR_SYNTAX;
        while (cursor_peek(&c) >= '0' && cursor_peek(&c) <= '9')
            cursor_skip(&c, 1);
    }
    if (!date_iso_zone(&c, &f.zone) || !cursor_end(&c) || !date_make(&f, &at))
        return ERR_SYNTAX;
    *out_unix = at;
    return OK;
}

/* ---- IMAP ---- */

/* date-month "-" date-year */
static bool date_imap_rest(struct cursor *c, struct date_fields *f)
{
    if (!cursor_take(c, '-'))
        return false;
    f->month = date_month(date_word(c));
    return f->month && cursor_take(c, '-') && date_number(c, 4, 4, &f->year, NULL);
}

/* date-time = date-day-fixed "-" date-month "-" date-year SP time SP zone; date-day-fixed = (SP DIGIT) /
 * 2DIGIT */
enum err date_parse_imap(slice s, time_ms *out_unix, int *out_zone_minutes)
{
    struct cursor c = cursor_of(s);
    struct date_fields f = {0};
    bool one = cursor_take(&c, ' ');
    if (!date_number(&c, one ? 1 : 2, one ? 1 : 2, &f.day, NULL) || !date_imap_rest(&c, &f) ||
        !cursor_take(&c, ' ') || !date_number(&c, 2, 2, &f.hour, NULL) || !cursor_take(&c, ':') ||
        !date_number(&c, 2, 2, &f.minute, NULL) || !cursor_take(&c, ':') ||
        !date_number(&c, 2, 2, &f.second, NULL) || !cursor_take(&c, ' ') || !date_zone_number(&c, &f.zone) ||
        !cursor_end(&c) || !date_make(&f, out_unix))
        return ERR_SYNTAX;
    *out_zone_minutes = f.zone;
    return OK;
}

/* date-text = date-day "-" date-month "-" date-year; date-day = 1*2DIGIT */
enum err date_parse_imap_day(slice s, int64_t *out_days)
{
    struct cursor c = cursor_of(s);
    struct date_fields f = {0};
    if (!date_number(&c, 1, 2, &f.day, NULL) || !date_imap_rest(&c, &f) || !cursor_end(&c) || f.day < 1 ||
        f.day > date_month_days(f.year, f.month))
        return ERR_SYNTAX;
    *out_days = date_days(f.year, f.month, f.day);
    return OK;
}

int64_t date_day_in_zone(time_ms unix_ms, int zone_minutes)
{
    return date_split(unix_ms, zone_minutes).days;
}
