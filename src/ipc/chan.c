#include "ipc/chan__.h"

#include "base/hash.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <errno.h>
#include <stdlib.h>

#define CHAN_QUEUE_MAX    4096 /* messages waiting for the socket */
#define CHAN_QUEUE_BYTES  ((size_t)8 << 20)
#define CHAN_ARENA_BYTES  ((size_t)4 << 20)
#define CHAN_READS_A_TURN 64 /* messages taken before other watchers have their chance */

struct chan_call_state {
    uint64_t id;
    uint16_t reply;
    chan_reply_fn fn;
    void *arg;
    time_ms deadline;
    struct list link; /* in order of making, which is nearly the order of deadlines */
};

struct chan_waiting {
    struct list link;
    size_t n;
    int fds[IPC_FDS_MAX];
    size_t n_fds;
    uint8_t bytes[];
};

struct chan {
    struct loop *loop;
    const struct ipc_channel *def;
    enum ipc_end end;
    int fd;
    struct loop_io io;
    struct loop_timer timer;
    time_ms armed; /* what the timer stands at */
    chan_message_fn on_message;
    chan_closed_fn on_closed;
    void *arg;
    uint64_t next_id;
    struct map calls;       /* id -> chan_call_state */
    struct list call_order; /* oldest first */
    struct list queue;      /* chan_waiting */
    size_t queued, queued_bytes;
    struct list early; /* chan_waiting: arrived during chan_call_wait() */
    struct loop_task early_task;
    struct arena arena;
    struct buf out;
    int depth; /* inside a handler */
    bool closed, freed;
    enum err why;
    struct loop_task close_task;
};

static uint8_t chan_bytes[IPC_BYTES_MAX]; /* one thread, one message at a time */
/* ... and chan_call_wait() runs inside the handler of another */
static uint8_t chan_wait_bytes[IPC_BYTES_MAX];

static void chan_ready(void *arg, unsigned ready);
static void chan_tell_closed(void *arg);
static void chan_handle_early(void *arg);
static void chan_expire(void *arg);

struct chan *chan_new(struct loop *loop, int fd, const struct ipc_channel *def, enum ipc_end end,
                      chan_message_fn on_message, chan_closed_fn on_closed, void *arg)
{
    struct chan *c = calloc(1, sizeof *c);
    must(c);
    *c = (struct chan){.loop = loop,
                       .def = def,
                       .end = end,
                       .fd = fd,
                       .on_message = on_message,
                       .on_closed = on_closed,
                       .arg = arg,
                       .next_id = 1};
    list_init(&c->call_order);
    list_init(&c->queue);
    list_init(&c->early);
    arena_init(&c->arena, "chan", CHAN_ARENA_BYTES);
    buf_init(&c->out, IPC_BYTES_MAX);
    loop_timer_init(loop, &c->timer, chan_expire, c);
    loop_task_init(&c->close_task, chan_tell_closed, c);
    loop_task_init(&c->early_task, chan_handle_early, c);
    must(fd_nonblocking(fd) == OK);
    must(loop_io_init(loop, &c->io, fd, LOOP_READ, chan_ready, c) == OK);
    return c;
}

static void chan_drop_list(struct list *l)
{
    LIST_EACH_SAFE(it, l)
    {
        struct chan_waiting *w = LIST_OF(it, struct chan_waiting, link);
        chan__close_fds(w->fds, w->n_fds);
        free(w);
    }
    list_init(l);
}

static void chan_release(struct chan *c)
{
    LIST_EACH_SAFE(it, &c->call_order)
    free(LIST_OF(it, struct chan_call_state, link));
    map_done(&c->calls);
    arena_done(&c->arena);
    buf_done(&c->out);
    free(c);
}

/* The end of a callback, inside which the owner may have freed it: c->depth was counted up at its start. */
static void chan_leave(struct chan *c)
{
    c->depth--;
    if (c->freed && c->depth == 0)
        chan_release(c);
}

void chan_free(struct chan *c)
{
    if (!c || c->freed)
        return;
    c->freed = c->closed = true;
    loop_task_cancel(&c->close_task);
    loop_task_cancel(&c->early_task);
    loop_io_done(&c->io);
    loop_timer_done(&c->timer);
    fd_done(&c->fd);
    chan_drop_list(&c->queue);
    chan_drop_list(&c->early);
    c->queued = c->queued_bytes = 0;
    if (c->depth == 0)
        chan_release(c);
}

bool chan_is_closed(const struct chan *c)
{
    return c->closed;
}

size_t chan_pending(const struct chan *c)
{
    return c->calls.n;
}

/* Stops the channel now; the owner hears of it at the end of the turn, outside any other callback. */
static void chan_fail(struct chan *c, enum err e)
{
    if (c->closed)
        return;
    c->closed = true;
    c->why = e;
    loop_io_done(&c->io);
    loop_later(c->loop, &c->close_task);
}

static void chan_finish_call(struct chan *c, struct chan_call_state *s, enum err e, const void *message,
                             int *fds, size_t n)
{
    chan_reply_fn fn = s->fn;
    void *arg = s->arg;
    (void)map_remove(&c->calls, s->id); /* it is there: s came from it */
    list_remove(&s->link);
    free(s);
    fn(arg, e, message, fds, n);
}

static void chan_tell_closed(void *arg)
{
    struct chan *c = arg;
    c->depth++;
    while (!c->freed && !list_empty(&c->call_order))
        chan_finish_call(c, LIST_OF(c->call_order.next, struct chan_call_state, link), ERR_CLOSED, NULL, NULL,
                         0);
    if (!c->freed)
        c->on_closed(c->arg, c, c->why);
    chan_leave(c);
}

/* The timer stands at or before the earliest deadline; firing early costs one look. */
static void chan_arm(struct chan *c, time_ms deadline)
{
    c->armed = deadline;
    loop_timer_set(&c->timer, deadline);
}

static void chan_expire(void *arg)
{
    struct chan *c = arg;
    time_ms now = loop_now(c->loop), next = INT64_MAX;
    c->depth++;
    for (bool again = true; again && !c->freed;) {
        again = false;
        next = INT64_MAX;
        LIST_EACH(it, &c->call_order)
        {
            struct chan_call_state *s = LIST_OF(it, struct chan_call_state, link);
            if (s->deadline <= now) {
                chan_finish_call(c, s, ERR_TIMEOUT, NULL, NULL, 0);
                again = true;
                break;
            }
            next = s->deadline < next ? s->deadline : next;
        }
    }
    if (!c->freed && !c->closed && next != INT64_MAX)
        chan_arm(c, next);
    chan_leave(c);
}

/* ---- sending ---- */

/* A message that has to wait; it has no descriptors yet. */
static struct chan_waiting *chan_waiting_new(slice bytes)
{
    struct chan_waiting *w = malloc(sizeof *w + bytes.n);
    must(w);
    w->n = bytes.n;
    w->n_fds = 0;
    memcpy(w->bytes, bytes.p, bytes.n);
    return w;
}

static enum err chan_enqueue(struct chan *c, slice bytes, const int *fds, size_t n_fds)
{
    struct chan_waiting *w;
    if (c->queued >= CHAN_QUEUE_MAX || c->queued_bytes + bytes.n > CHAN_QUEUE_BYTES)
        return ERR_BUSY;
    w = chan_waiting_new(bytes);
    for (size_t i = 0; i < n_fds; i++) {
        enum err e = fd_dup(fds[i], &w->fds[i]);
        if (e) {
            chan__close_fds(w->fds, w->n_fds);
            free(w);
            return ERR_BUSY;
        }
        w->n_fds++;
    }
    list_append(&c->queue, &w->link);
    c->queued++;
    c->queued_bytes += bytes.n;
    if (c->queued == 1)
        loop_io_set(&c->io, LOOP_READ | LOOP_WRITE);
    return OK;
}

static enum err chan_put(struct chan *c, const struct ipc_message *row, uint64_t id, const void *message,
                         const int *fds, size_t n_fds)
{
    enum err e;
    if (c->closed)
        return ERR_CLOSED;
    must(row && row->from == c->end && n_fds >= row->fds_min && n_fds <= row->fds_max);
    e = chan__pack(&c->out, c->def, row, id, message);
    if (e)
        return e;
    if (list_empty(&c->queue)) {
        if (chan__sendmsg(c->fd, buf_view(&c->out), fds, n_fds) >= 0)
            return OK;
        if (errno != EAGAIN && errno != ENOBUFS) {
            chan_fail(c, ERR_CLOSED);
            return ERR_CLOSED;
        }
    }
    return chan_enqueue(c, buf_view(&c->out), fds, n_fds);
}

static void chan_flush(struct chan *c)
{
    while (!list_empty(&c->queue)) {
        struct chan_waiting *w = LIST_OF(c->queue.next, struct chan_waiting, link);
        if (chan__sendmsg(c->fd, slice_of(w->bytes, w->n), w->fds, w->n_fds) < 0) {
            if (errno != EAGAIN && errno != ENOBUFS)
                chan_fail(c, ERR_CLOSED);
            return;
        }
        list_remove(&w->link);
        c->queued--;
        c->queued_bytes -= w->n;
        chan__close_fds(w->fds, w->n_fds);
        free(w);
    }
    loop_io_set(&c->io, LOOP_READ);
}

enum err chan_send(struct chan *c, uint16_t type, const void *message, const int *fds, size_t n_fds)
{
    const struct ipc_message *row = ipc_find(c->def, type);
    must(row && row->way == IPC_ONE_WAY);
    return chan_put(c, row, 0, message, fds, n_fds);
}

enum err chan_call(struct chan *c, uint16_t type, const void *message, const int *fds, size_t n_fds,
                   time_ms deadline, chan_reply_fn fn, void *arg)
{
    const struct ipc_message *row = ipc_find(c->def, type);
    struct chan_call_state *s;
    enum err e;
    must(row && row->way == IPC_REQUEST);
    if (c->calls.n >= c->def->outstanding_max)
        return ERR_BUSY;
    e = chan_put(c, row, c->next_id, message, fds, n_fds);
    if (e)
        return e;
    s = calloc(1, sizeof *s);
    must(s);
    *s = (struct chan_call_state){
        .id = c->next_id++, .reply = row->reply, .fn = fn, .arg = arg, .deadline = deadline};
    (void)map_put(&c->calls, s->id, s); /* ids are never used twice */
    list_append(&c->call_order, &s->link);
    if (c->calls.n == 1 || deadline < c->armed)
        chan_arm(c, deadline);
    return OK;
}

static void chan_ignore_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    (void)arg, (void)e, (void)message, (void)fds, (void)n_fds; /* it was forgotten */
}

void chan_forget(struct chan *c, void *arg)
{
    if (!c || c->freed)
        return;
    LIST_EACH_SAFE(it, &c->call_order)
    {
        struct chan_call_state *s = LIST_OF(it, struct chan_call_state, link);
        if (s->arg == arg)
            s->fn = chan_ignore_reply; /* it stays expected: its reply may still come, or its deadline */
    }
}

enum err chan_reply(struct chan *c, uint64_t id, uint16_t type, const void *message, const int *fds,
                    size_t n_fds)
{
    const struct ipc_message *row = ipc_find(c->def, type);
    must(row && row->way == IPC_REPLY);
    return chan_put(c, row, id, message, fds, n_fds);
}

/* ---- receiving ---- */

static void chan_dispatch(struct chan *c, slice bytes, int *fds, size_t n_fds)
{
    const struct ipc_message *row;
    void *message;
    uint64_t id;
    enum err e = chan__unpack(c->def, c->end, bytes, n_fds, &c->arena, &row, &id, &message);
    if (!e && row->way == IPC_REPLY) {
        struct chan_call_state *s = map_get(&c->calls, id);
        if (!s || s->reply != row->type) {
            /* A reply that came after its deadline is no offence. */
            e = id < c->next_id && !s ? OK : ERR_STATE;
        } else {
            chan_finish_call(c, s, OK, message, fds, n_fds);
        }
    } else if (!e) {
        c->on_message(c->arg, c, row->type, id, message, fds, n_fds);
    }
    chan__close_fds(fds, n_fds);
    if (!c->freed)
        arena_reset(&c->arena);
    if (e && !c->freed)
        chan_fail(c, e);
}

static void chan_read(struct chan *c)
{
    for (int i = 0; i < CHAN_READS_A_TURN && !c->closed; i++) {
        int fds[IPC_FDS_MAX];
        size_t n_fds = 0;
        slice bytes;
        enum err e = chan__recvmsg(c->fd, chan_bytes, &bytes, fds, &n_fds);
        if (e == ERR_AGAIN)
            return;
        if (e) {
            chan_fail(c, e);
            return;
        }
        chan_dispatch(c, bytes, fds, n_fds);
    }
}

static void chan_ready(void *arg, unsigned ready)
{
    struct chan *c = arg;
    c->depth++;
    if (ready & LOOP_WRITE)
        chan_flush(c);
    if (ready & LOOP_READ && !c->closed && list_empty(&c->early))
        chan_read(c);
    chan_leave(c);
}

/* ---- waiting ---- */

static void chan_handle_early(void *arg)
{
    struct chan *c = arg;
    c->depth++;
    while (!c->closed && !list_empty(&c->early)) {
        struct chan_waiting *w = LIST_OF(c->early.next, struct chan_waiting, link);
        list_remove(&w->link);
        chan_dispatch(c, slice_of(w->bytes, w->n), w->fds, w->n_fds);
        free(w);
    }
    chan_leave(c);
}

static void chan_keep_early(struct chan *c, slice bytes, const int *fds, size_t n_fds)
{
    struct chan_waiting *w = chan_waiting_new(bytes);
    w->n_fds = n_fds;
    if (n_fds)
        memcpy(w->fds, fds, n_fds * sizeof *fds);
    list_append(&c->early, &w->link);
    loop_later(c->loop, &c->early_task);
}

enum err chan_call_wait(struct chan *c, uint16_t type, const void *message, time_ms ms, struct arena *arena,
                        void *out)
{
    const struct ipc_message *row = ipc_find(c->def, type), *got;
    time_ms until = clock_mono() + ms;
    uint64_t id = c->next_id;
    enum err e;
    must(row && row->way == IPC_REQUEST);
    e = chan_put(c, row, id, message, NULL, 0);
    if (e)
        return e;
    c->next_id++;
    for (;;) {
        int fds[IPC_FDS_MAX];
        size_t n_fds = 0;
        slice bytes, kept;
        uint64_t got_id;
        void *reply;
        if (!list_empty(&c->queue))
            chan_flush(c);
        e = c->closed ? ERR_CLOSED : chan__wait_readable(c->fd, until);
        if (!e)
            e = chan__recvmsg(c->fd, chan_wait_bytes, &bytes, fds, &n_fds);
        if (e == ERR_AGAIN)
            continue;
        if (e == ERR_CLOSED || e == ERR_SYNTAX)
            chan_fail(c, e);
        if (e)
            return e;
        struct cursor head = cursor_of(slice_from(bytes, 4));
        if (!cursor_u64(&head, &got_id) || got_id != id || row->reply != (bytes.p[2] << 8 | bytes.p[3])) {
            chan_keep_early(c, bytes, fds, n_fds);
            continue;
        }
        chan__close_fds(fds, n_fds); /* no such reply carries any */
        if (!arena_dup(arena, bytes, &kept))
            return ERR_LIMIT;
        e = chan__unpack(c->def, c->end, kept, 0, arena, &got, &got_id, &reply);
        if (e) {
            chan_fail(c, e);
            return e;
        }
        memcpy(out, reply, got->shape->size);
        return OK;
    }
}
