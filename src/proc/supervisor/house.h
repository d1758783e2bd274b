/* house: the running roles: starts them, joins them, watches them, starts them again, and ends them in order.
 *
 * A role is in one of these states:
 *   down     not running; a timer may bring it up again
 *   starting forked, its boot messages are sent, READY has not come
 *   ready    works
 *   ending   was told to drain
 * When a role goes down, every channel it had is dead; when it comes up, new ones are made for each of its
 * wires whose other end runs, and the other ends are handed out. Back-off doubles from 100 ms to 10 s and
 * starts again after five seconds of work. A role that hangs is found by the watch and killed, and so starts
 * again. */
#ifndef POSTHORN_PROC_SUPERVISOR_HOUSE_H
#define POSTHORN_PROC_SUPERVISOR_HOUSE_H

#include "proc/supervisor/ground.h"
#include "sys/loop.h"

#include <stddef.h>

/* Runs the house until it was asked to end. ready_fd: gets "ready\n" once, -1: nobody asks. watch_ms: how
 * long a round of the watch is, 0: nobody is watched. The exit status for main(). */
int house_run(struct ground *g, int ready_fd, time_ms watch_ms);

#endif
