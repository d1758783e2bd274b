/* time: one type in one unit. Values are given in, never read here: clocks live in sys/clock. */
#ifndef POSTHORN_BASE_TIME_H
#define POSTHORN_BASE_TIME_H

#include <stdint.h>

/* Milliseconds: since 1970 UTC where a name says unix or at, of the monotonic clock where it says mono or
 * deadline, a span where it says ms. */
typedef int64_t time_ms;

#define MS_SECOND ((time_ms)1000)
#define MS_MINUTE (60 * MS_SECOND)
#define MS_HOUR   (60 * MS_MINUTE)
#define MS_DAY    (24 * MS_HOUR)

#endif
