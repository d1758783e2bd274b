#include "sys/clock.h"

#include "base/check.h"

#include <time.h>

static time_ms clock_read(clockid_t id)
{
    struct timespec t;
    must(clock_gettime(id, &t) == 0);
    return (time_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

time_ms clock_unix(void)
{
    return clock_read(CLOCK_REALTIME);
}

time_ms clock_mono(void)
{
    return clock_read(CLOCK_MONOTONIC);
}
