/* date: civil time by arithmetic, without libc's time zones or locale.
 *
 * Reads RFC 5322 §3.3 date-time with the obsolete forms of §4.3 (two-digit years, zone names, comments) and
 * IMAP's date-time (RFC 9051 §9). Years 1900..9999. Seconds are of Unix time; a leap second counts as the
 * second before it. */
#ifndef POSTHORN_TEXT_DATE_H
#define POSTHORN_TEXT_DATE_H

#include "base/buf.h"
#include "base/time.h"

/* Days since 1970-01-01 of a proleptic Gregorian date (month 1..12, day 1..31), and back. */
int64_t date_days(int64_t year, unsigned month, unsigned day);
void date_civil(int64_t days, int64_t *out_year, unsigned *out_month, unsigned *out_day);
/* 0 Sunday .. 6 Saturday. */
unsigned date_weekday(int64_t days);

/* Reads a Date field's value (comments and folding allowed; the weekday is not checked). *out_zone_minutes is
 * the offset east of UTC (0 for "-0000" and unknown zone names). ERR_SYNTAX when it is no date. */
NODISCARD enum err date_parse(slice s, time_ms *out_unix, int *out_zone_minutes);
/* Appends "Sat, 22 Nov 2026 00:35:00 +0000" (RFC 5322 §3.3). */
enum err date_print(time_ms unix_ms, int zone_minutes, struct buf *out);

/* IMAP date-time without its quotes: "17-Jul-1996 02:44:25 -0700", a one-digit day as " 7-" or "07-".
 * Reading is strict (RFC 9051 §9 date-time). */
NODISCARD enum err date_parse_imap(slice s, time_ms *out_unix, int *out_zone_minutes);
enum err date_print_imap(time_ms unix_ms, int zone_minutes, struct buf *out);
/* IMAP search date without quotes: "1-Feb-1994" or "01-Feb-1994" as days since 1970. */
NODISCARD enum err date_parse_imap_day(slice s, int64_t *out_days);
/* Days since 1970 of a moment as seen in a zone: what IMAP's SENTON and ON compare. */
int64_t date_day_in_zone(time_ms unix_ms, int zone_minutes);
/* Appends "2026-11-22T00:35:00Z" (RFC 3339). */
enum err date_print_iso(time_ms unix_ms, struct buf *out);
/* Reads RFC 3339 §5.6 date-time, strictly; fractions of a second are left out. */
NODISCARD enum err date_parse_iso(slice s, time_ms *out_unix);

#endif
