/* watch: notices a role that hangs without dying. Each role that works is asked for its status once a round
 * (the same question `posthorn status` asks); one whose answer is still out WATCH_ROUNDS rounds later hangs.
 *
 * Only rounds count, never a clock: a round is one turn of this process's own loop, and the next is set when
 * one is over. A machine that was suspended, or a container that was frozen, wakes up to one round, and the
 * answers that lie in the sockets are read before the next.
 *
 * A late answer is an answer: what is slow is left alone. What the watch does not see: a role that never
 * becomes ready (its start is told by nobody else either, but it holds no mail), the children of account, and
 * a role that answers this question and does no other work. */
#ifndef POSTHORN_PROC_SUPERVISOR_WATCH_H
#define POSTHORN_PROC_SUPERVISOR_WATCH_H

#include "ipc/chan.h"
#include "sys/loop.h"

#define WATCH_MS     (20 * MS_SECOND) /* a round */
#define WATCH_ROUNDS 3
#define WATCH_MAX    80

enum watch_news {
    WATCH_SILENT, /* one round before the last: worth a line in the log */
    WATCH_BACK,   /* it answered after it was told of as silent */
    WATCH_HANGS,  /* told once; the caller ends it */
};

/* member: what watch_add() was given. */
typedef void (*watch_fn)(void *member, enum watch_news news);

/* One role's process; lives as long as the watch. Private but for the declaration. */
struct watched {
    struct watch *watch;
    void *member;
    struct chan *control; /* NULL: not to be asked */
    bool asked;           /* an answer is out */
    unsigned missed;      /* rounds that found it so */
};

struct watch {
    struct loop *loop;
    struct loop_timer timer;
    time_ms period;
    watch_fn fn;
    struct watched *all[WATCH_MAX];
    size_t n;
};

/* period_ms: WATCH_MS, or what a test wants; 0: nobody is watched. */
void watch_init(struct watch *w, struct loop *loop, time_ms period_ms, watch_fn fn);
/* At most WATCH_MAX. k is zero-initialised. */
void watch_add(struct watch *w, struct watched *k, void *member);
/* It works: asked from the next round on over control, borrowed until watch_gone(). */
void watch_ready(struct watched *k, struct chan *control);
/* It ended, or is told to end and is slow by right. Before control is freed. */
void watch_gone(struct watched *k);

#endif
