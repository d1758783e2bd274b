/* ub_loop: libunbound's pluggable events on our loop, so that it resolves inside this one thread: no helper
 * thread, no pipe, nothing that the jail would have to allow.
 *
 * The base may be made before the loop is there (libunbound reads its files before the lock-in); events may
 * be made then, but none may become active. The base lives as long as the process. */
#ifndef POSTHORN_PROC_RESOLVER_UB_LOOP_H
#define POSTHORN_PROC_RESOLVER_UB_LOOP_H

#include "sys/loop.h"

struct ub_event_base;

/* For ub_ctx_create_ub_event(). There is one. */
struct ub_event_base *ub_loop_base(void);
/* Once, before the first query that leaves this process. */
void ub_loop_start(struct loop *loop);

#endif
