/* schedule: which message of the queue is tried when. In memory only: the database has the same times. */
#ifndef POSTHORN_PROC_RELAY_SCHEDULE_H
#define POSTHORN_PROC_RELAY_SCHEDULE_H

#include "proc/relay/relay.h"

struct schedule *schedule_new(struct relay *r);
/* due_unix: INT64_MAX takes it out (held messages are in nobody's schedule). Replaces an earlier time. */
void schedule_put(struct schedule *s, uint64_t id, time_ms due_unix);
/* Starts what is due while there is room for it; sets the timer for the rest. */
void schedule_go_on(struct schedule *s);
size_t schedule_count(const struct schedule *s);

#endif
