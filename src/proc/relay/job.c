#include "proc/relay/job.h"

#include "core/mail/dsn.h"
#include "proc/relay/dest.h"
#include "proc/relay/local.h"
#include "proc/relay/notice.h"
#include "proc/relay/schedule.h"
#include "proc/relay/writer.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/fd.h"

#include <stdio.h>
#include <stdlib.h>

#define JOB_ARENA_BYTES ((size_t)32 << 20) /* 1,000 recipients, each with the longest record and reply */

/* --- life */

static slice job_keep(struct job *j, slice s)
{
    slice r;
    must(arena_dup(&j->arena, s, &r)); /* bounded by the channel and the record: far below the cap */
    return r;
}

static struct job *job_make(struct relay *r, uint64_t id)
{
    struct job *j = calloc(1, sizeof *j);
    must(j);
    j->relay = r;
    j->fd = -1;
    j->refs = 1;
    arena_init(&j->arena, "job", JOB_ARENA_BYTES);
    buf_init(&j->body, (size_t)RELAY_BODY_BYTES);
    j->m.id = id;
    r->n_jobs++;
    (void)map_put(&r->jobs, id, j);
    return j;
}

static void job_set_rcpts(struct job *j, const struct queue_rcpt *rcpts, size_t n)
{
    j->rcpts = ARENA_ARRAY(&j->arena, n, struct job_rcpt);
    must(j->rcpts);
    j->n = j->room = n;
    for (size_t i = 0; i < n; i++)
        j->rcpts[i].q = rcpts[i];
}

static void job_count_body(struct job *j)
{
    j->has_body = true;
    j->counted = j->bytes.n;
    j->relay->body_bytes += j->counted;
}

struct job *job_new(struct relay *r, const struct queue_message *m, struct buf *body, struct body *map,
                    int fd)
{
    struct job *j = job_make(r, m->id);
    j->m = *m;
    j->m.rcpts = NULL;
    j->m.n_rcpts = 0;
    j->m.sender = job_keep(j, m->sender);
    j->m.envid = job_keep(j, m->envid);
    j->m.message_id = job_keep(j, m->message_id);
    j->m.prefix = job_keep(j, m->prefix);
    job_set_rcpts(j, m->rcpts, m->n_rcpts);
    for (size_t i = 0; i < j->n; i++) {
        j->rcpts[i].q.address = job_keep(j, j->rcpts[i].q.address);
        j->rcpts[i].q.orcpt = job_keep(j, j->rcpts[i].q.orcpt);
        j->rcpts[i].q.reason = job_keep(j, j->rcpts[i].q.reason);
    }
    if (map->p) {
        j->map = *map;
        *map = (struct body){0};
        j->bytes = body_view(&j->map);
    } else {
        j->body = *body;
        buf_init(body, 0);
        j->bytes = buf_view(&j->body);
    }
    j->fd = fd;
    job_count_body(j);
    return j;
}

enum err job_load(struct relay *r, uint64_t id, struct job **out)
{
    struct job *j;
    enum err e;
    if (job_find(r, id))
        return ERR_BUSY;
    j = job_make(r, id);
    e = queue_load(r->queue, id, &j->arena, &j->m);
    if (e) {
        j->settled = true;
        job_unref(&j);
        return e;
    }
    job_set_rcpts(j, j->m.rcpts, j->m.n_rcpts);
    *out = j;
    return OK;
}

struct job *job_ref(struct job *j)
{
    j->refs++;
    return j;
}

void job_unref(struct job **jp)
{
    struct job *j = *jp;
    *jp = NULL;
    must(j->refs);
    if (--j->refs)
        return;
    (void)map_remove(&j->relay->jobs, j->m.id);
    j->relay->n_jobs--;
    j->relay->body_bytes -= j->counted;
    buf_done(&j->body);
    body_unmap(&j->map);
    fd_done(&j->fd);
    arena_done(&j->arena);
    free(j);
}

struct job *job_find(const struct relay *r, uint64_t id)
{
    return map_get(&r->jobs, id);
}

enum err job_body(struct job *j)
{
    enum err e;
    if (j->has_body)
        return OK;
    e = queue_body(j->relay->queue, j->m.id, &j->body);
    if (e == OK && j->body.n != j->m.body_bytes) {
        IGNORE_RESULT(queue_quarantine(j->relay->queue, j->m.id, SLICE("its body is shorter than it was")),
                      "it is left alone either way");
        e = ERR_CORRUPT;
    }
    if (e)
        return e;
    j->bytes = buf_view(&j->body);
    job_count_body(j);
    return OK;
}

enum err job_fd(struct job *j, int *out_fd)
{
    enum err e = OK;
    if (j->fd < 0) {
        struct body_writer w;
        uint64_t bytes;
        if ((e = job_body(j)))
            return e;
        body_writer_init(&w, RELAY_BODY_BYTES);
        e = body_append(&w, j->bytes);
        if (e == OK)
            e = body_seal(&w, &j->fd, &bytes);
        body_writer_done(&w);
    }
    if (e == OK)
        *out_fd = j->fd;
    return e;
}

void job_tell(struct job *j, size_t at, struct journal_event e)
{
    e.mail = j->m.id;
    e.connection = j->m.connection;
    e.address = j->rcpts[at].q.address;
    role_tell(j->relay->role, e);
}

bool job_may_notify(const struct job *j)
{
    return j->m.account != 0 && j->m.sender.n != 0;
}

/* --- an attempt */

static void job_settle(struct job *j);

static void job_hold(struct job *j, size_t at, enum queue_state state, slice reason)
{
    struct queue_rcpt *q = &j->rcpts[at].q;
    q->state = state;
    q->reason = job_keep(j, slice_sub(reason, 0, QUEUE_REASON_MAX));
    job_tell(j, at, (struct journal_event){.kind = JOURNAL_HELD, .text = q->reason});
}

static size_t job_open(const struct job *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->n; i++)
        n += j->rcpts[i].phase != JOB_GONE;
    return n;
}

static void job_gone(struct job *j, size_t at)
{
    j->rcpts[at].phase = JOB_GONE;
    writer_rcpt_done(j->relay->writer, j, at, job_open(j) == 0);
}

void job_start(struct job *j)
{
    time_ms now = clock_unix();
    (void)job_ref(j); /* until job_settle() */
    j->busy++;        /* keeps it from settling while recipients are handed out */
    for (size_t i = 0; i < j->n; i++) {
        struct job_rcpt *rc = &j->rcpts[i];
        if (rc->q.state == QUEUE_HELD || rc->q.due > now || rc->phase != JOB_RESTING)
            continue;
        if (rc->q.state == QUEUE_FAILED) {
            job_tell(j, i, (struct journal_event){.kind = JOURNAL_DROPPED, .text = rc->q.reason});
            job_gone(j, i);
            continue;
        }
        if (!rc->q.local && j->relay->hold_remote.n) {
            job_hold(j, i, QUEUE_HELD, j->relay->hold_remote);
            writer_rcpt(j->relay->writer, j, i);
            continue;
        }
        rc->phase = JOB_BUSY;
        j->busy++;
        if (rc->q.local)
            local_deliver(j, i);
    }
    dest_deliver(j); /* the remote ones, grouped by next hop */
    if (--j->busy == 0)
        job_settle(j);
}

static time_ms job_due(const struct job *j)
{
    time_ms due = INT64_MAX;
    for (size_t i = 0; i < j->n; i++) {
        const struct job_rcpt *rc = &j->rcpts[i];
        if (rc->phase == JOB_RESTING && rc->q.state != QUEUE_HELD && rc->q.due < due)
            due = rc->q.due;
    }
    return due;
}

void job_start_or_wait(struct job *j)
{
    struct relay *r = j->relay;
    if (r->n_jobs <= RELAY_JOBS_MAX && r->body_bytes <= RELAY_BODIES_MAX && !r->role->draining)
        job_start(j);
    else
        schedule_put(r->schedule, j->m.id, job_due(j));
}

/* Is this wanted by the sender, RFC 3461 §4.1? Without NOTIFY failures and delays are told. */
static bool job_wanted(const struct job *j, size_t at, unsigned bit)
{
    unsigned notify = j->rcpts[at].q.notify;
    if (!job_may_notify(j))
        return false;
    return notify ? notify & bit : bit != SMTP_NOTIFY_SUCCESS;
}

static void job_note(struct job *j, size_t at, enum dsn_action action, const struct job_outcome *o)
{
    struct job_rcpt *rc = &j->rcpts[at];
    rc->noted = true;
    rc->action = (uint8_t)action;
    rc->status = o->status ? arena_str(&j->arena, slice_str(o->status)) : NULL;
    if (!rc->status)
        rc->status = action == DSN_FAILED ? "5.0.0" : action == DSN_DELAYED ? "4.0.0" : "2.0.0";
    rc->reason = job_keep(j, o->reason);
}

static void job_remember(struct job *j, size_t at, const struct job_outcome *o)
{
    struct queue_rcpt *q = &j->rcpts[at].q;
    q->last_attempt = clock_unix();
    q->code = o->code;
    q->reply = job_keep(j, slice_sub(o->reply.n ? o->reply : o->reason, 0, QUEUE_REPLY_MAX));
    q->host = job_keep(j, slice_sub(o->host, 0, QUEUE_REASON_MAX));
}

static struct journal_event job_event(enum journal_kind kind, const struct job *j, size_t at,
                                      const struct job_outcome *o)
{
    return (struct journal_event){
        .kind = kind, .peer = o->peer, .name = o->tls, .text = j->rcpts[at].q.reply, .code = o->code};
}

static void job_taken(struct job *j, size_t at, const struct job_outcome *o)
{
    if (!o->local)
        job_tell(j, at, job_event(JOURNAL_RELAYED, j, at, o));
    j->relay->sent += !o->local;
    j->relay->delivered += o->local;
    if (job_wanted(j, at, SMTP_NOTIFY_SUCCESS) && !o->dsn_passed) {
        job_note(j, at, o->local ? DSN_DELIVERED : DSN_RELAYED, o);
        j->rcpts[at].phase = JOB_NOTED;
    } else {
        job_gone(j, at);
    }
}

static void job_failed(struct job *j, size_t at, const struct job_outcome *o)
{
    char reason[QUEUE_REASON_MAX];
    int n;
    j->relay->bounced++;
    job_tell(j, at, job_event(JOURNAL_BOUNCED, j, at, o));
    if (job_wanted(j, at, SMTP_NOTIFY_FAILURE)) {
        job_note(j, at, DSN_FAILED, o);
        j->rcpts[at].phase = JOB_NOTED;
        return;
    }
    if (j->m.account || j->m.sender.n == 0) { /* told not to tell, or nobody to tell */
        job_gone(j, at);
        return;
    }
    /* A stranger's mail that we had promised to bring: no notice goes to strangers (THREATS 30), and it is
     * not thrown away behind its recipient's back. */
    n = snprintf(reason, sizeof reason, "it cannot be delivered: %.*s", SLICE_FMT(j->rcpts[at].q.reply));
    job_hold(j, at, QUEUE_FAILED, slice_of(reason, size_min((size_t)(n > 0 ? n : 0), sizeof reason - 1)));
    j->rcpts[at].q.due = clock_unix() + RELAY_FAILED_MS;
    j->rcpts[at].phase = JOB_RESTING;
    writer_rcpt(j->relay->writer, j, at);
}

static void job_deferred(struct job *j, size_t at, const struct job_outcome *o)
{
    const struct retry_policy *p = o->local ? &j->relay->local : &j->relay->remote;
    struct queue_rcpt *q = &j->rcpts[at].q;
    time_ms now = clock_unix();
    struct journal_event e;
    j->relay->deferred++;
    if (!o->soon)
        q->attempts++;
    q->due = o->soon ? now + RELAY_SOON_MS + (time_ms)(entropy_u64() % MS_SECOND)
                     : retry_next(p, q->attempts, j->m.arrived, now, entropy_u64());
    e = job_event(JOURNAL_DEFERRED, j, at, o);
    e.number = (uint64_t)q->due;
    job_tell(j, at, e);
    j->rcpts[at].phase = JOB_RESTING;
    if (retry_is_late(p, j->m.arrived, now) && !q->delay_told && job_wanted(j, at, SMTP_NOTIFY_DELAY)) {
        q->delay_told = true;
        job_note(j, at, DSN_DELAYED, o);
        return; /* written with the notice */
    }
    writer_rcpt(j->relay->writer, j, at);
}

void job_result(struct job *j, size_t at, const struct job_outcome *o)
{
    const struct retry_policy *p = o->local ? &j->relay->local : &j->relay->remote;
    must(j->rcpts[at].phase == JOB_BUSY && j->busy);
    job_remember(j, at, o);
    if (o->outcome == SMTP_CLIENT_TAKEN) {
        job_taken(j, at, o);
    } else if (o->outcome == SMTP_CLIENT_PERMANENT) {
        job_failed(j, at, o);
    } else if (retry_is_over(p, j->m.arrived, clock_unix())) {
        struct job_outcome over = *o;
        over.status = "4.4.7"; /* delivery time expired, RFC 3463 §3.5 */
        job_failed(j, at, &over);
    } else {
        job_deferred(j, at, o);
    }
    if (--j->busy == 0)
        job_settle(j);
}

void job_add_remote(struct job *j, size_t from, slice address)
{
    struct job_rcpt *more;
    uint32_t n = 0;
    for (size_t i = 0; i < j->n; i++) {
        if (j->rcpts[i].phase != JOB_GONE && slice_eq(j->rcpts[i].q.address, address) && !j->rcpts[i].q.local)
            return; /* it gets one already */
        n = j->rcpts[i].q.n > n ? j->rcpts[i].q.n : n;
    }
    if (j->n == j->room) {
        more = ARENA_ARRAY(&j->arena, 2 * j->room, struct job_rcpt);
        if (!more)
            return; /* thousands of targets: directory bounds them far below */
        memcpy(more, j->rcpts, j->n * sizeof *more);
        j->rcpts = more;
        j->room *= 2;
    }
    j->rcpts[j->n] = (struct job_rcpt){.q = j->rcpts[from].q};
    struct queue_rcpt *q = &j->rcpts[j->n].q;
    q->n = n + 1;
    q->address = job_keep(j, address);
    q->local = false;
    q->attempts = 0;
    q->due = clock_unix();
    job_tell(j, j->n, (struct journal_event){.kind = JOURNAL_QUEUED, .text = SLICE("an alias leads there")});
    writer_rcpt_add(j->relay->writer, j, j->n);
    j->n++;
}

/* --- its end */

/* Nobody is being tried any more: the notice, then the schedule. */
static void job_settle(struct job *j)
{
    must(!j->settled);
    j->settled = true;
    notice_send(j);
    for (size_t i = 0; i < j->n; i++) {
        struct job_rcpt *rc = &j->rcpts[i];
        if (!rc->noted)
            continue;
        rc->noted = false;
        if (rc->phase == JOB_NOTED)
            job_gone(j, i);
        else
            writer_rcpt(j->relay->writer, j, i);
    }
    schedule_put(j->relay->schedule, j->m.id, job_due(j));
    job_unref(&j);
}
