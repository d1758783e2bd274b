#include "proc/resolver/ub_loop.h"

#include <stdlib.h>
#include <sys/time.h>

#include <unbound-event.h>

/* The members that libunbound sees come first. One event is a descriptor, a deadline, or both. */
struct ub_loop_event {
    struct ub_event super;
    int fd;
    short bits;
    void (*fn)(int, short, void *);
    void *arg;
    struct loop_io io;
    struct loop_timer timer; /* made when first wanted */
    bool timer_on;
};

static struct loop *ub_loop_loop;

static struct ub_loop_event *ub_loop_event(struct ub_event *ev)
{
    return (struct ub_loop_event *)(void *)ev;
}

static void ub_loop_stop(struct ub_loop_event *e)
{
    loop_io_done(&e->io);
    if (e->timer_on)
        loop_timer_clear(&e->timer);
    e->timer_on = false;
}

/* What is not persistent becomes inactive before its callback runs, as in libevent, whose rules these are.
 * The callback may free the event: nothing is touched after it. */
static void ub_loop_fire(struct ub_loop_event *e, short bits)
{
    if (!(e->bits & UB_EV_PERSIST))
        ub_loop_stop(e);
    e->fn(e->fd, bits, e->arg);
}

static void ub_loop_ready(void *arg, unsigned ready)
{
    struct ub_loop_event *e = arg;
    short bits = 0;
    if ((ready & LOOP_READ) && (e->bits & UB_EV_READ))
        bits |= UB_EV_READ;
    if ((ready & LOOP_WRITE) && (e->bits & UB_EV_WRITE))
        bits |= UB_EV_WRITE;
    if (bits)
        ub_loop_fire(e, bits);
}

static void ub_loop_late(void *arg)
{
    struct ub_loop_event *e = arg;
    e->timer_on = false;
    ub_loop_fire(e, UB_EV_TIMEOUT);
}

static void ub_loop_set_timer(struct ub_loop_event *e, const struct timeval *tv)
{
    if (!e->timer.handle)
        loop_timer_init(ub_loop_loop, &e->timer, ub_loop_late, e);
    loop_timer_after(&e->timer, (time_ms)tv->tv_sec * 1000 + (time_ms)(tv->tv_usec + 999) / 1000);
    e->timer_on = true;
}

static int ub_loop_add(struct ub_event *ev, struct timeval *tv)
{
    struct ub_loop_event *e = ub_loop_event(ev);
    unsigned events = (e->bits & UB_EV_READ ? LOOP_READ : 0u) | (e->bits & UB_EV_WRITE ? LOOP_WRITE : 0u);
    must(ub_loop_loop);
    ub_loop_stop(e);
    if (e->fd >= 0 && events && loop_io_init(ub_loop_loop, &e->io, e->fd, events, ub_loop_ready, e))
        return -1;
    if (tv && (e->bits & UB_EV_TIMEOUT))
        ub_loop_set_timer(e, tv);
    return 0;
}

static int ub_loop_del(struct ub_event *ev)
{
    ub_loop_stop(ub_loop_event(ev));
    return 0;
}

static void ub_loop_add_bits(struct ub_event *ev, short bits)
{
    ub_loop_event(ev)->bits |= bits;
}

static void ub_loop_del_bits(struct ub_event *ev, short bits)
{
    ub_loop_event(ev)->bits &= (short)~bits;
}

static void ub_loop_set_fd(struct ub_event *ev, int fd)
{
    ub_loop_event(ev)->fd = fd;
}

static void ub_loop_free(struct ub_event *ev)
{
    struct ub_loop_event *e = ub_loop_event(ev);
    ub_loop_stop(e);
    loop_timer_done(&e->timer);
    free(e);
}

static int ub_loop_add_timer(struct ub_event *ev, struct ub_event_base *base, void (*fn)(int, short, void *),
                             void *arg, struct timeval *tv)
{
    struct ub_loop_event *e = ub_loop_event(ev);
    (void)base;
    must(ub_loop_loop);
    e->fn = fn;
    e->arg = arg;
    ub_loop_set_timer(e, tv);
    return 0;
}

/* Not called for queries made by ub_resolve_event(). */
static int ub_loop_no_signal(struct ub_event *ev, struct timeval *tv)
{
    (void)ev, (void)tv;
    return -1;
}

static int ub_loop_no_signal_del(struct ub_event *ev)
{
    (void)ev;
    return -1;
}

static void ub_loop_no_windows(struct ub_event *ev)
{
    (void)ev;
}

static void ub_loop_no_windows_block(struct ub_event *ev, int bits)
{
    (void)ev, (void)bits;
}

static struct ub_event_vmt ub_loop_event_vmt = {
    .add_bits = ub_loop_add_bits,
    .del_bits = ub_loop_del_bits,
    .set_fd = ub_loop_set_fd,
    .free = ub_loop_free,
    .add = ub_loop_add,
    .del = ub_loop_del,
    .add_timer = ub_loop_add_timer,
    .del_timer = ub_loop_del,
    .add_signal = ub_loop_no_signal,
    .del_signal = ub_loop_no_signal_del,
    .winsock_unregister_wsaevent = ub_loop_no_windows,
    .winsock_tcp_wouldblock = ub_loop_no_windows_block,
};

static struct ub_event *ub_loop_new_event(struct ub_event_base *base, int fd, short bits,
                                          void (*fn)(int, short, void *), void *arg)
{
    struct ub_loop_event *e = calloc(1, sizeof *e);
    (void)base;
    must(e);
    e->super.magic = UB_EVENT_MAGIC;
    e->super.vmt = &ub_loop_event_vmt;
    e->fd = fd;
    e->bits = bits;
    e->fn = fn;
    e->arg = arg;
    return &e->super;
}

static void ub_loop_base_free(struct ub_event_base *base)
{
    (void)base; /* it is static */
}

static int ub_loop_base_dispatch(struct ub_event_base *base)
{
    (void)base;
    return -1;
}

static int ub_loop_base_exit(struct ub_event_base *base, struct timeval *tv)
{
    (void)base, (void)tv;
    return -1;
}

static struct ub_event *ub_loop_new_signal(struct ub_event_base *base, int fd, void (*fn)(int, short, void *),
                                           void *arg)
{
    return ub_loop_new_event(base, fd, 0, fn, arg);
}

static struct ub_event *ub_loop_new_windows(struct ub_event_base *base, void *handle,
                                            void (*fn)(int, short, void *), void *arg)
{
    (void)base, (void)handle, (void)fn, (void)arg;
    return NULL;
}

static struct ub_event_base_vmt ub_loop_base_vmt = {
    .free = ub_loop_base_free,
    .dispatch = ub_loop_base_dispatch,
    .loopexit = ub_loop_base_exit,
    .new_event = ub_loop_new_event,
    .new_signal = ub_loop_new_signal,
    .winsock_register_wsaevent = ub_loop_new_windows,
};

static struct ub_event_base ub_loop_the_base = {.magic = UB_EVENT_MAGIC, .vmt = &ub_loop_base_vmt};

struct ub_event_base *ub_loop_base(void)
{
    return &ub_loop_the_base;
}

void ub_loop_start(struct loop *loop)
{
    ub_loop_loop = loop;
}
