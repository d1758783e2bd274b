#include "proc/relay/writer.h"

#include "ipc/x_relay.h"
#include "proc/relay/schedule.h"
#include "sys/log.h"

#include <stdlib.h>

struct writer_item {
    struct queue_op op;
    struct job *job;        /* a reference */
    bool edge;              /* an addition that an edge waits for; on failure it is answered, not kept */
    struct role_peer *peer; /* that edge; NULL when its channel went */
    uint64_t id;
    struct queue_rcpt *rcpts; /* of an addition */
    struct queue_message message;
};

struct writer_list {
    struct writer_item *items;
    size_t n, room;
};

struct writer {
    struct relay *relay;
    struct writer_list now;  /* of this turn */
    struct writer_list late; /* no additions: could not be written, comes first next time */
    struct loop_task task;
    struct loop_timer lazy;
    bool trouble; /* told about already */
};

static void writer_write(void *arg);

struct writer *writer_new(struct relay *r)
{
    struct writer *w = calloc(1, sizeof *w);
    must(w);
    w->relay = r;
    loop_task_init(&w->task, writer_write, w);
    loop_timer_init(r->loop, &w->lazy, writer_write, w);
    return w;
}

static struct writer_item *writer_push(struct writer_list *l, struct writer_item item)
{
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->items = realloc(l->items, l->room * sizeof *l->items);
        must(l->items);
    }
    l->items[l->n] = item;
    return &l->items[l->n++];
}

static struct writer_item *writer_item(struct writer *w, struct job *j, enum queue_op_type type)
{
    if (w->now.n == 0 && type != QUEUE_ADD)
        loop_timer_after(&w->lazy, WRITER_LAZY_MS);
    return writer_push(&w->now, (struct writer_item){.op = {.type = type, .id = j->m.id}, .job = job_ref(j)});
}

void writer_add(struct writer *w, struct job *j, struct role_peer *peer, uint64_t id)
{
    struct writer_item *it = writer_item(w, j, QUEUE_ADD);
    it->edge = peer != NULL;
    it->peer = peer;
    it->id = id;
    it->message = j->m;
    it->rcpts = calloc(j->n, sizeof *it->rcpts);
    must(it->rcpts);
    for (size_t i = 0; i < j->n; i++)
        it->rcpts[i] = j->rcpts[i].q;
    it->message.rcpts = it->rcpts;
    it->message.n_rcpts = j->n;
    it->op.body = j->bytes;
    loop_later(w->relay->loop, &w->task);
}

void writer_rcpt(struct writer *w, struct job *j, size_t at)
{
    writer_item(w, j, QUEUE_RCPT)->op.rcpt = j->rcpts[at].q;
}

void writer_rcpt_add(struct writer *w, struct job *j, size_t at)
{
    writer_item(w, j, QUEUE_RCPT_ADD)->op.rcpt = j->rcpts[at].q;
}

void writer_rcpt_done(struct writer *w, struct job *j, size_t at, bool last)
{
    struct writer_item *it = writer_item(w, j, QUEUE_RCPT_DONE);
    it->op.rcpt = j->rcpts[at].q;
    it->op.last = last;
}

void writer_peer(struct writer *w, const struct role_peer *peer)
{
    for (size_t i = 0; i < w->now.n; i++)
        if (w->now.items[i].peer == peer)
            w->now.items[i].peer = NULL;
}

static void writer_answer(struct writer_item *it, enum err e)
{
    struct queued m = {.err = (uint32_t)e, .text = e ? slice_str(err_text(e)) : (slice){0}};
    if (it->peer && it->peer->chan)
        IGNORE_RESULT(chan_reply(it->peer->chan, it->id, X_RELAY_QUEUED, &m, NULL, 0),
                      "an edge that went away tells its client 4xx; the message is kept all the same");
}

static void writer_collect(struct writer_list *l, bool edges, struct queue_op *ops, size_t *n)
{
    for (size_t i = 0; i < l->n; i++) {
        struct writer_item *it = &l->items[i];
        if (it->edge && !edges)
            continue;
        it->op.message = &it->message;
        ops[(*n)++] = it->op;
    }
}

/* What the queue said about each, back into the lists. */
static void writer_spread(struct writer_list *l, bool edges, const struct queue_op *ops, size_t *n)
{
    for (size_t i = 0; i < l->n; i++)
        if (edges || !l->items[i].edge)
            l->items[i].op.existed = ops[(*n)++].existed;
}

/* One transaction of all that waits; without the additions of edges when asked. */
static enum err writer_try(struct writer *w, bool edges)
{
    struct queue_op *ops = calloc(w->late.n + w->now.n, sizeof *ops);
    size_t n = 0;
    enum err e;
    must(ops);
    writer_collect(&w->late, true, ops, &n);
    writer_collect(&w->now, edges, ops, &n);
    e = n ? queue_write(w->relay->queue, ops, n) : OK;
    n = 0;
    writer_spread(&w->late, true, ops, &n);
    writer_spread(&w->now, edges, ops, &n);
    free(ops);
    return e;
}

static void writer_trouble(struct writer *w, enum err e)
{
    if (e && !w->trouble) {
        log_error("the queue cannot be written: %s. Mail is answered with 4xx until it can", err_text(e));
        role_tell(w->relay->role, (struct journal_event){.kind = JOURNAL_TROUBLE,
                                                         .name = SLICE("queue"),
                                                         .text = slice_str(err_text(e))});
    }
    w->trouble = e != OK;
}

static void writer_done(struct writer_item *it, enum err e)
{
    if (it->edge)
        writer_answer(it, e);
    if (e == OK && it->op.type == QUEUE_ADD && !it->op.existed)
        job_start_or_wait(it->job);
    free(it->rcpts);
    job_unref(&it->job);
}

/* edges, rest: what became of the additions of edges and of all others. */
static void writer_settle(struct writer *w, enum err edges, enum err rest)
{
    struct writer_list now = w->now, late = w->late;
    w->now = w->late = (struct writer_list){0}; /* starting jobs brings new items */
    for (size_t i = 0; i < late.n; i++)
        if (rest)
            (void)writer_push(&w->late, late.items[i]);
        else
            writer_done(&late.items[i], OK);
    for (size_t i = 0; i < now.n; i++)
        if (now.items[i].edge || rest == OK)
            writer_done(&now.items[i], now.items[i].edge ? edges : OK);
        else
            (void)writer_push(&w->late, now.items[i]);
    free(now.items);
    free(late.items);
}

static void writer_write(void *arg)
{
    struct writer *w = arg;
    bool edges = false;
    enum err e, rest;
    loop_timer_clear(&w->lazy);
    if (writer_idle(w))
        return;
    for (size_t i = 0; i < w->now.n; i++)
        edges |= w->now.items[i].edge;
    e = rest = writer_try(w, true);
    if (e && edges)
        rest = writer_try(w, false);
    writer_trouble(w, rest ? rest : e);
    relay_tell_trouble(w->relay);
    writer_settle(w, e, rest);
    if (w->late.n)
        loop_timer_after(&w->lazy, WRITER_AGAIN_MS);
    IGNORE_RESULT(queue_tidy(w->relay->queue), "a full disk shows at the next write");
    relay_go_on(w->relay);
}

void writer_flush(struct writer *w)
{
    writer_write(w);
}

bool writer_idle(const struct writer *w)
{
    return w->now.n == 0 && w->late.n == 0;
}
