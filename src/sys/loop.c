#include "sys/loop.h"

#include <stdlib.h>
#include <uv.h>

struct loop {
    uv_loop_t uv;
    uv_prepare_t before_wait;
    uv_check_t after_wait;
    uv_idle_t keep_awake; /* active while tasks wait, so that the wait does not block */
    struct list tasks;
};

struct loop_io_handle {
    uv_poll_t uv;
    int want; /* what libuv was asked to watch for; asking again costs two system calls */
    loop_io_fn fn;
    void *arg;
};

struct loop_timer_handle {
    uv_timer_t uv;
    struct loop *loop;
    loop_fn fn;
    void *arg;
};

struct loop_signal_handle {
    uv_signal_t uv;
    loop_fn fn;
    void *arg;
};

static void loop_awake(uv_idle_t *h)
{
    (void)h; /* its being active is the point */
}

/* Runs the tasks that wait now; those they add wait for the next round. */
static void loop_run_tasks(struct loop *l)
{
    struct list now;
    if (list_empty(&l->tasks))
        return;
    now = l->tasks;
    now.next->prev = &now;
    now.prev->next = &now;
    list_init(&l->tasks);
    while (!list_empty(&now)) {
        struct loop_task *t = LIST_OF(now.next, struct loop_task, link);
        list_remove(&t->link);
        t->queued = false;
        t->fn(t->arg);
    }
    if (list_empty(&l->tasks))
        (void)uv_idle_stop(&l->keep_awake); /* always 0 */
}

static void loop_before_wait(uv_prepare_t *h)
{
    loop_run_tasks(h->data);
}

static void loop_after_wait(uv_check_t *h)
{
    loop_run_tasks(h->data);
}

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    must(l);
    list_init(&l->tasks);
    must(uv_loop_init(&l->uv) == 0);
    must(uv_prepare_init(&l->uv, &l->before_wait) == 0);
    must(uv_check_init(&l->uv, &l->after_wait) == 0);
    must(uv_idle_init(&l->uv, &l->keep_awake) == 0);
    l->before_wait.data = l->after_wait.data = l;
    must(uv_prepare_start(&l->before_wait, loop_before_wait) == 0);
    must(uv_check_start(&l->after_wait, loop_after_wait) == 0);
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    uv_close((uv_handle_t *)&l->before_wait, NULL);
    uv_close((uv_handle_t *)&l->after_wait, NULL);
    uv_close((uv_handle_t *)&l->keep_awake, NULL);
    (void)uv_run(&l->uv, UV_RUN_NOWAIT); /* lets the closes finish */
    if (uv_loop_close(&l->uv) == 0)
        free(l);
}

void loop_run(struct loop *l)
{
    (void)uv_run(&l->uv, UV_RUN_DEFAULT); /* the answer only says whether handles are left */
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

void loop_turn(struct loop *l, bool wait)
{
    (void)uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

time_ms loop_now(const struct loop *l)
{
    return (time_ms)uv_now(&l->uv);
}

static void loop_free_handle(uv_handle_t *h)
{
    free(h); /* uv is the first member of every handle struct */
}

static void loop_io_ready(uv_poll_t *h, int status, int events)
{
    struct loop_io_handle *io = (struct loop_io_handle *)(void *)h;
    unsigned ready = 0;
    if (status < 0)
        io->want = 0; /* libuv stopped watching */
    if (status < 0 || events & UV_READABLE)
        ready |= LOOP_READ;
    if (status < 0 || events & UV_WRITABLE)
        ready |= LOOP_WRITE;
    io->fn(io->arg, ready);
}

enum err loop_io_init(struct loop *l, struct loop_io *io, int fd, unsigned events, loop_io_fn fn, void *arg)
{
    struct loop_io_handle *h = calloc(1, sizeof *h);
    int r;
    must(h);
    r = uv_poll_init(&l->uv, &h->uv, fd);
    if (r) {
        free(h);
        return err_from_errno(-r);
    }
    h->fn = fn;
    h->arg = arg;
    io->handle = h;
    loop_io_set(io, events);
    return OK;
}

void loop_io_set(struct loop_io *io, unsigned events)
{
    int want = (events & LOOP_READ ? UV_READABLE : 0) | (events & LOOP_WRITE ? UV_WRITABLE : 0);
    if (want == io->handle->want)
        return;
    io->handle->want = want;
    if (want)
        must(uv_poll_start(&io->handle->uv, want, loop_io_ready) == 0);
    else
        must(uv_poll_stop(&io->handle->uv) == 0);
}

bool loop_io_active(const struct loop_io *io)
{
    return io->handle != NULL;
}

void loop_io_done(struct loop_io *io)
{
    if (!io->handle)
        return;
    uv_close((uv_handle_t *)&io->handle->uv, loop_free_handle);
    io->handle = NULL;
}

static void loop_timer_fire(uv_timer_t *h)
{
    struct loop_timer_handle *t = (struct loop_timer_handle *)(void *)h;
    t->fn(t->arg);
}

void loop_timer_init(struct loop *l, struct loop_timer *t, loop_fn fn, void *arg)
{
    struct loop_timer_handle *h = calloc(1, sizeof *h);
    must(h);
    must(uv_timer_init(&l->uv, &h->uv) == 0);
    h->loop = l;
    h->fn = fn;
    h->arg = arg;
    t->handle = h;
}

void loop_timer_set(struct loop_timer *t, time_ms deadline_mono)
{
    time_ms left = deadline_mono - loop_now(t->handle->loop);
    loop_timer_after(t, left);
}

void loop_timer_after(struct loop_timer *t, time_ms ms)
{
    must(uv_timer_start(&t->handle->uv, loop_timer_fire, ms > 0 ? (uint64_t)ms : 0, 0) == 0);
}

void loop_timer_clear(struct loop_timer *t)
{
    if (t->handle)
        must(uv_timer_stop(&t->handle->uv) == 0);
}

void loop_timer_done(struct loop_timer *t)
{
    if (!t->handle)
        return;
    uv_close((uv_handle_t *)&t->handle->uv, loop_free_handle);
    t->handle = NULL;
}

void loop_task_init(struct loop_task *t, loop_fn fn, void *arg)
{
    *t = (struct loop_task){.fn = fn, .arg = arg};
    list_init(&t->link);
}

void loop_later(struct loop *l, struct loop_task *t)
{
    if (t->queued)
        return;
    t->queued = true;
    list_append(&l->tasks, &t->link);
    must(uv_idle_start(&l->keep_awake, loop_awake) == 0);
}

void loop_task_cancel(struct loop_task *t)
{
    if (!t->queued)
        return;
    list_remove(&t->link);
    t->queued = false;
}

static void loop_signal_fire(uv_signal_t *h, int signum)
{
    struct loop_signal_handle *s = (struct loop_signal_handle *)(void *)h;
    (void)signum;
    s->fn(s->arg);
}

void loop_signal(struct loop *l, int signum, loop_fn fn, void *arg)
{
    struct loop_signal_handle *h = calloc(1, sizeof *h);
    must(h);
    h->fn = fn;
    h->arg = arg;
    must(uv_signal_init(&l->uv, &h->uv) == 0);
    must(uv_signal_start(&h->uv, loop_signal_fire, signum) == 0);
    uv_unref((uv_handle_t *)&h->uv);
}
