/* clock: the only place that reads the time. */
#ifndef POSTHORN_SYS_CLOCK_H
#define POSTHORN_SYS_CLOCK_H

#include "base/time.h"

time_ms clock_unix(void); /* since 1970 UTC; may jump when the clock is set */
time_ms clock_mono(void); /* never runs backwards; for deadlines */

#endif
