#include "proc/relay/relay.h"

#include "ipc/directory_relay.h"
#include "ipc/x_relay.h"
#include "proc/relay/admin.h"
#include "proc/relay/dest.h"
#include "proc/relay/job.h"
#include "proc/relay/look.h"
#include "proc/relay/schedule.h"
#include "proc/relay/sign.h"
#include "proc/relay/writer.h"
#include "store/db.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/tls.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RELAY_COPY_MAX   65536 /* a body up to this size is read into memory, a larger one mapped */
#define RELAY_ID_PROCESS 60    /* in mail ids: the edges have the low numbers */

void relay_go_on(struct relay *r)
{
    schedule_go_on(r->schedule);
    relay_drained(r);
}

void relay_tell_trouble(struct relay *r)
{
    const char *what = queue_trouble(r->queue);
    if (!what)
        return;
    log_error("%s", what);
    role_tell(r->role, (struct journal_event){
                           .kind = JOURNAL_TROUBLE, .name = SLICE("queue"), .text = slice_str(what)});
}

/* --- taking a message */

void relay_refuse(struct role_peer *peer, uint64_t id, enum err e, const char *text)
{
    const struct queued m = {.err = (uint32_t)e, .text = slice_str(text)};
    IGNORE_RESULT(chan_reply(peer->chan, id, X_RELAY_QUEUED, &m, NULL, 0),
                  "then the edge times out and says 4xx");
}

static enum err relay_check(const struct enqueue *m)
{
    struct mailbox box;
    if (m->mail_id == 0 || m->n_rcpts == 0 || m->n_rcpts > QUEUE_RCPTS_MAX || m->ret > 2)
        return ERR_SYNTAX;
    if (m->reverse_path.n && mailbox_parse(m->reverse_path, MAILBOX_UTF8, &box))
        return ERR_SYNTAX;
    for (size_t i = 0; i < m->n_rcpts; i++)
        if (mailbox_parse(m->rcpts[i].address, MAILBOX_UTF8 | MAILBOX_POSTMASTER, &box) ||
            m->rcpts[i].notify > 15)
            return ERR_SYNTAX;
    return OK;
}

/* The body, copied or mapped; *fd is taken when a local recipient will want it. */
static enum err relay_body(int *fd, bool local, struct buf *body, struct body *map, int *out_fd)
{
    struct stat st;
    if (fstat(*fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0)
        return ERR_DENIED;
    if ((uint64_t)st.st_size > RELAY_BODY_BYTES)
        return ERR_TOO_LARGE;
    if (st.st_size <= RELAY_COPY_MAX) {
        size_t n = (size_t)st.st_size;
        uint8_t *room = buf_reserve(body, n);
        must(room);
        if (pread(*fd, room, n, 0) != st.st_size)
            return ERR_IO;
        buf_commit(body, n);
    } else {
        enum err e = body_map(*fd, RELAY_BODY_BYTES, map);
        if (e)
            return e;
    }
    *out_fd = local ? fd_take(fd) : -1;
    return OK;
}

static struct queue_rcpt relay_rcpt(const struct relay *r, const struct enqueue_rcpt *in, uint32_t n)
{
    struct queue_rcpt q = {.n = n,
                           .address = in->address,
                           .orcpt = in->orcpt,
                           .notify = in->notify,
                           .local = in->local,
                           .state = QUEUE_WAITING,
                           .due = clock_unix()};
    if (!q.local && r->hold_remote.n) {
        q.state = QUEUE_HELD;
        q.reason = slice_sub(r->hold_remote, 0, QUEUE_REASON_MAX);
    }
    return q;
}

static void relay_tell_queued(struct job *j)
{
    for (size_t i = 0; i < j->n; i++) {
        const struct queue_rcpt *q = &j->rcpts[i].q;
        if (q->state == QUEUE_HELD)
            job_tell(j, i, (struct journal_event){.kind = JOURNAL_HELD, .text = q->reason});
        else
            job_tell(j, i,
                     (struct journal_event){.kind = JOURNAL_QUEUED,
                                            .text = q->local && !j->m.account
                                                        ? SLICE("the account cannot take it now")
                                                        : (slice){0}});
    }
}

static void relay_enqueue(struct relay *r, struct role_peer *peer, uint64_t id, const struct enqueue *in,
                          int *fd)
{
    struct queue_rcpt rcpts[QUEUE_RCPTS_MAX];
    struct queue_message m = {.id = in->mail_id,
                              .connection = in->connection,
                              .account = in->account,
                              .arrived = in->received_at > 0 ? in->received_at : clock_unix(),
                              .sender = in->reverse_path,
                              .envid = in->envid,
                              .ret = in->ret,
                              .eight_bit = in->eight_bit,
                              .smtputf8 = in->smtputf8,
                              .junk = in->junk,
                              .message_id = in->message_id,
                              .prefix = in->prefix,
                              .rcpts = rcpts,
                              .n_rcpts = in->n_rcpts};
    struct buf body CLEANUP(buf_done);
    struct body map = {0};
    struct job *j;
    int own = -1;
    bool local = false;
    enum err e = relay_check(in);
    buf_init(&body, RELAY_COPY_MAX);
    for (size_t i = 0; e == OK && i < in->n_rcpts; i++)
        local |= in->rcpts[i].local;
    if (e == OK)
        e = relay_body(fd, local, &body, &map, &own);
    if (e == OK && job_find(r, in->mail_id))
        e = ERR_BUSY;
    if (e) {
        body_unmap(&map);
        fd_done(&own);
        relay_refuse(peer, id, e, err_text(e));
        return;
    }
    for (size_t i = 0; i < in->n_rcpts; i++)
        rcpts[i] = relay_rcpt(r, &in->rcpts[i], (uint32_t)i);
    m.body_bytes = map.p ? map.n : body.n;
    j = job_new(r, &m, &body, &map, own);
    r->taken++;
    relay_tell_queued(j);
    writer_add(r->writer, j, peer, id);
    job_unref(&j);
}

static void relay_message(struct role_self *role, struct role_peer *peer, uint16_t type, uint64_t id,
                          const void *message, int *fds, size_t n_fds)
{
    struct relay *r = role->state;
    (void)n_fds;
    if (peer->def == &directory_relay_channel)
        admin_message(r, peer->chan, type, id, message);
    else if (type == X_RELAY_LOOK)
        look_answer(r, peer, id, message);
    else if (type != X_RELAY_ENQUEUE)
        return;
    else if (role->draining)
        relay_refuse(peer, id, ERR_BUSY, "the server is being stopped");
    else if (peer->role != ROLE_EDGE && !sign_may(r, peer, message))
        relay_refuse(peer, id, ERR_DENIED, "this is not what this part of the server may send");
    else if (peer->role != ROLE_EDGE) /* mail that this house writes itself */
        sign_mail(r, peer, id, message, &fds[0], relay_enqueue);
    else
        relay_enqueue(r, peer, id, message, &fds[0]);
}

static void relay_peer(struct role_self *role, struct role_peer *peer)
{
    struct relay *r = role->state;
    if (peer->def == &x_relay_channel) {
        sign_peer(r, peer);
        writer_peer(r->writer, peer);
    }
}

/* --- beginning and end */

static enum err relay_prepare(struct role_self *role, struct err_detail *detail)
{
    enum err e = tls_setup();
    (void)role;
    if (e)
        err_detail_set(detail, "relay: OpenSSL cannot be set up");
    return e;
}

static bool relay_recover(void *arg, const struct queue_entry *entry)
{
    struct relay *r = arg;
    if (entry->quarantine.n == 0)
        schedule_put(r->schedule, entry->id, entry->due);
    return true;
}

static void relay_settings(struct relay *r)
{
    struct role_self *role = r->role;
    slice text;
    r->hostname = role_setting(role, "hostname", 0);
    r->hold_remote = role_setting(role, "hold-remote", 0);
    r->remote = r->local = retry_default;
    r->local.first_ms = RELAY_SOON_MS;
    r->local.longest_ms = 15 * MS_MINUTE;
    r->remote.life_ms = r->local.life_ms = (time_ms)role_setting_u64(role, "queue-days", 5) * MS_DAY;
    for (size_t i = 0; r->n_routes < RELAY_ROUTES_MAX && (text = role_setting(role, "route", i)).n; i++)
        if (routing_parse(text, &r->routes[r->n_routes]))
            log_warning("the route \"%.*s\" is not understood and is ignored", SLICE_FMT(text));
        else
            r->n_routes++;
}

static enum err relay_start(struct role_self *role, struct err_detail *detail)
{
    static const struct tls_client_options tls = {
        0}; /* nothing to verify against yet: what was seen is recorded */
    struct relay *r = calloc(1, sizeof *r);
    enum err e;
    must(r);
    role->state = r;
    r->role = role;
    r->loop = role->loop;
    r->ids.process = RELAY_ID_PROCESS;
    r->hash_key = entropy_hash_key();
    list_init(&r->dests);
    list_init(&r->signings);
    relay_settings(r);
    r->writer = writer_new(r);
    r->schedule = schedule_new(r);
    db_setup();
    e = queue_open("queue.db", NULL, &r->queue, detail);
    if (e == OK && tls_client_new(&tls, &r->tls, detail))
        log_warning("outgoing mail goes without TLS: %s", detail->text);
    if (e == OK)
        e = queue_each(r->queue, 0, relay_recover, r);
    if (e == OK)
        relay_tell_trouble(r);
    return e;
}

void relay_drained(struct relay *r)
{
    if (!r->role->draining || r->n_sessions || r->n_locals)
        return;
    if (!writer_idle(r->writer) || !sign_idle(r))
        return; /* its end calls again */
    role_exit(r->role);
}

static void relay_drain(struct role_self *role, time_ms ms)
{
    struct relay *r = role->state;
    (void)ms;
    writer_flush(r->writer);
    dest_drain(r);
    relay_drained(r);
}

static void relay_status(struct role_self *role)
{
    struct relay *r = role->state;
    role_fact(role, "messages waiting", "%zu", schedule_count(r->schedule));
    role_fact(role, "messages under way", "%zu", r->n_jobs);
    role_fact(role, "connections", "%zu", r->n_sessions);
    role_fact(role, "taken since start", "%llu", (unsigned long long)r->taken);
    role_fact(role, "recipients sent", "%llu", (unsigned long long)r->sent);
    role_fact(role, "recipients delivered here", "%llu", (unsigned long long)r->delivered);
    role_fact(role, "attempts put off", "%llu", (unsigned long long)r->deferred);
    role_fact(role, "recipients given up", "%llu", (unsigned long long)r->bounced);
}

const struct role_spec relay_spec = {
    .role = ROLE_RELAY,
    .rights = &relay_rights,
    .prepare = relay_prepare,
    .start = relay_start,
    .on_message = relay_message,
    .on_peer = relay_peer,
    .on_drain = relay_drain,
    .on_status = relay_status,
};
