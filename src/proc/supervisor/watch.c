#include "proc/supervisor/watch.h"

#include "base/check.h"
#include "ipc/control.h"

/* An answer may take this many rounds before the question is forgotten and put again: far more than a role
 * that answers at all is given, so this matters only when the clock has leapt. */
#define WATCH_ASK_ROUNDS 1000

static void watch_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct watched *k = arg;
    (void)message, (void)fds, (void)n_fds;
    k->asked = false;
    if (e)
        return; /* no news: what was counted stays */
    if (k->missed >= WATCH_ROUNDS - 1)
        k->watch->fn(k->member, WATCH_BACK);
    k->missed = 0;
}

static void watch_ask(struct watched *k)
{
    struct watch *w = k->watch;
    if (!k->asked) {
        time_ms until = loop_now(w->loop) + WATCH_ASK_ROUNDS * w->period;
        k->asked = chan_call(k->control, CONTROL_STATUS, NULL, NULL, 0, until, watch_answered, k) == OK;
        if (k->asked)
            return;
        /* its socket is full and so is the queue before it: not read, which is no answer either */
    }
    k->missed++;
    if (k->missed == WATCH_ROUNDS - 1)
        w->fn(k->member, WATCH_SILENT);
    else if (k->missed == WATCH_ROUNDS)
        w->fn(k->member, WATCH_HANGS);
}

static void watch_round(void *arg)
{
    struct watch *w = arg;
    for (size_t i = 0; i < w->n; i++)
        if (w->all[i]->control)
            watch_ask(w->all[i]);
    loop_timer_after(&w->timer, w->period);
}

void watch_init(struct watch *w, struct loop *loop, time_ms period_ms, watch_fn fn)
{
    *w = (struct watch){.loop = loop, .period = period_ms, .fn = fn};
    loop_timer_init(loop, &w->timer, watch_round, w);
    if (period_ms > 0)
        loop_timer_after(&w->timer, period_ms);
}

void watch_add(struct watch *w, struct watched *k, void *member)
{
    must(w->n < WATCH_MAX);
    *k = (struct watched){.watch = w, .member = member};
    w->all[w->n++] = k;
}

void watch_ready(struct watched *k, struct chan *control)
{
    watch_gone(k);
    k->control = control;
}

void watch_gone(struct watched *k)
{
    if (k->control)
        chan_forget(k->control, k);
    k->control = NULL;
    k->asked = false;
    k->missed = 0;
}
