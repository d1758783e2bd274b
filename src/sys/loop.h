/* loop: the event loop of a process, thin over libuv.
 *
 * One thread. Callbacks run one after another. What a callback frees stays valid for libuv until the end of
 * the turn, so any object may be freed inside its own callback: loop_io_done() and loop_timer_done() are
 * always safe. loop_later() runs a function once, after the events of this turn: the place for group commits
 * and for objects that were asked to die. */
#ifndef POSTHORN_SYS_LOOP_H
#define POSTHORN_SYS_LOOP_H

#include "base/err.h"
#include "base/list.h"
#include "base/time.h"

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l); /* all watchers must be done */
/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Runs one turn; waits for an event when wait is true. For tests. */
void loop_turn(struct loop *l, bool wait);
/* Monotonic time at the start of this turn. */
time_ms loop_now(const struct loop *l);

#define LOOP_READ  1u
#define LOOP_WRITE 2u

/* Watches a non-blocking descriptor, level-triggered. Zero-initialised is "not watching". Does not own the
 * fd: loop_io_done() first, then close. A broken fd shows as ready for what was asked: the read or write
 * tells. */
struct loop_io {
    struct loop_io_handle *handle;
};
typedef void (*loop_io_fn)(void *arg, unsigned ready);
NODISCARD enum err loop_io_init(struct loop *l, struct loop_io *io, int fd, unsigned events, loop_io_fn fn,
                                void *arg);
void loop_io_set(struct loop_io *io, unsigned events); /* 0: not now */
bool loop_io_active(const struct loop_io *io);
void loop_io_done(struct loop_io *io);

/* One deadline. Zero-initialised after loop_timer_init(). Fires once per set. */
struct loop_timer {
    struct loop_timer_handle *handle;
};
typedef void (*loop_fn)(void *arg);
void loop_timer_init(struct loop *l, struct loop_timer *t, loop_fn fn, void *arg);
void loop_timer_set(struct loop_timer *t,
                    time_ms deadline_mono);              /* replaces an earlier one; past: next turn */
void loop_timer_after(struct loop_timer *t, time_ms ms); /* from now */
void loop_timer_clear(struct loop_timer *t);
void loop_timer_done(struct loop_timer *t);

/* A function to run once after this turn's events. Scheduling twice is once. A task that schedules itself
 * again runs in the next turn, after other events had their chance: so long work yields. */
struct loop_task {
    struct list link;
    loop_fn fn;
    void *arg;
    bool queued;
};
void loop_task_init(struct loop_task *t, loop_fn fn, void *arg);
void loop_later(struct loop *l, struct loop_task *t);
void loop_task_cancel(struct loop_task *t);

/* A signal as an event. At most once per signal and process; never undone. */
void loop_signal(struct loop *l, int signum, loop_fn fn, void *arg);

#endif
