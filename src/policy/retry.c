#include "policy/retry.h"

const struct retry_policy retry_default = {
    .first_ms = 5 * MS_MINUTE,
    .longest_ms = 6 * MS_HOUR,
    .life_ms = 5 * MS_DAY,
    .notice_ms = 4 * MS_HOUR,
};

time_ms retry_next(const struct retry_policy *p, uint32_t attempts, time_ms arrived, time_ms now,
                   uint64_t random)
{
    time_ms wait = p->first_ms, end = arrived + p->life_ms, next;
    for (uint32_t i = 1; i < attempts && wait < p->longest_ms; i++)
        wait *= 2;
    if (wait > p->longest_ms)
        wait = p->longest_ms;
    next = now + wait + (time_ms)(random % (uint64_t)(wait / 4 + 1));
    if (now < end && next > end) /* one last attempt when its time is up, not hours later */
        next = end > now + p->first_ms ? end : now + p->first_ms;
    return next;
}

bool retry_is_over(const struct retry_policy *p, time_ms arrived, time_ms now)
{
    return now - arrived >= p->life_ms;
}

bool retry_is_late(const struct retry_policy *p, time_ms arrived, time_ms now)
{
    return now - arrived >= p->notice_ms;
}
