/* retry: when to try again, when to tell the sender that it takes long, and when to give up (RFC 5321
 * §4.5.4.1).
 *
 * Pure: counts and times in, times out; the jitter is a number the caller draws, so a test can repeat it. The
 * waits grow from 5 minutes to 6 hours; the first ones are short because most trouble (greylisting, a
 * restart) is. Jitter of up to a quarter keeps messages that failed together from coming back together. */
#ifndef POSTHORN_POLICY_RETRY_H
#define POSTHORN_POLICY_RETRY_H

#include "base/check.h"
#include "base/time.h"

struct retry_policy {
    time_ms first_ms; /* wait after the first failure */
    time_ms longest_ms;
    time_ms life_ms;   /* from arrival to giving up */
    time_ms notice_ms; /* from arrival to the word that it takes long */
};
extern const struct retry_policy retry_default; /* 5 minutes .. 6 hours, 5 days, 4 hours */

/* Unix time of the next attempt after `attempts` (1..) failed ones, never before now + first_ms, never so
 * late that the last attempt misses the end of life by more than the jitter. random: any number. */
time_ms retry_next(const struct retry_policy *p, uint32_t attempts, time_ms arrived, time_ms now,
                   uint64_t random);
/* Is it time to give up: the message is older than its life. A clock that jumped back makes nothing old. */
bool retry_is_over(const struct retry_policy *p, time_ms arrived, time_ms now);
/* Is it time to tell the sender? */
bool retry_is_late(const struct retry_policy *p, time_ms arrived, time_ms now);

#endif
