#include "proc/relay/local.h"

#include "core/smtp/received.h"
#include "ipc/x_accounts.h"
#include "ipc/x_directory.h"
#include "ipc/x_intake.h"

#include <stdlib.h>

#define LOCAL_ASK_MS     (30 * MS_SECOND)
#define LOCAL_DELIVER_MS (120 * MS_SECOND)

/* One recipient's attempt. It lives until all its targets answered. */
struct local {
    struct job *job; /* a reference */
    size_t at;
    size_t open;    /* deliveries under way, and one while they are being started */
    enum err worst; /* temporary counts more: it is tried again as a whole */
    char text[QUEUE_REASON_MAX];
    size_t text_n;
    struct arena arena;
    slice *remote; /* addresses outside that an alias of ours leads to */
    size_t n_remote;
};

/* Errors that come from our own house being in motion. */
static bool local_is_soon(enum err e)
{
    switch (e) {
    case ERR_CLOSED:
    case ERR_TIMEOUT:
    case ERR_BUSY:
    case ERR_AGAIN:
    case ERR_EXPIRED:
    case ERR_REPLAYED:
    case ERR_MEMORY:
        return true;
    default:
        return false;
    }
}

static bool local_is_temporary(enum err e)
{
    return err_kind(e) != ERR_KIND_PERMANENT;
}

static void local_note(struct local *l, enum err e, slice text)
{
    if (e == OK || (l->worst && (local_is_temporary(l->worst) || !local_is_temporary(e))))
        return;
    l->worst = e;
    if (text.n == 0)
        text = slice_str(err_text(e));
    l->text_n = size_min(text.n, sizeof l->text);
    memcpy(l->text, text.p, l->text_n);
}

static void local_end(struct local *l)
{
    struct job *j = l->job;
    struct job_outcome o = {
        .local = true, .host = j->relay->hostname, .reason = slice_of(l->text, l->text_n)};
    if (--l->open)
        return;
    if (l->worst == OK) {
        o.outcome = SMTP_CLIENT_TAKEN;
        o.status = "2.1.5";
        for (size_t i = 0; i < l->n_remote; i++)
            job_add_remote(j, l->at, l->remote[i]);
    } else if (local_is_temporary(l->worst)) {
        o.outcome = SMTP_CLIENT_TEMPORARY;
        o.status = err_smtp_status(l->worst);
        o.soon = local_is_soon(l->worst);
    } else {
        o.outcome = SMTP_CLIENT_PERMANENT;
        o.status = err_smtp_status(l->worst);
    }
    if (l->worst)
        job_tell(j, l->at, (struct journal_event){.kind = JOURNAL_DELIVERY_FAILED, .text = o.reason});
    job_result(j, l->at, &o);
    j->relay->n_locals--;
    relay_drained(j->relay);
    job_unref(&l->job);
    arena_done(&l->arena);
    free(l);
}

/* One target's answer. e: the call itself failed, and there is no answer. */
static void local_answered(struct local *l, enum err e, uint32_t err, slice text)
{
    local_note(l, e ? e : err_from_wire(err), e ? (slice){0} : text);
    local_end(l);
}

static void local_delivered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct delivered *m = message;
    (void)fds, (void)n_fds;
    local_answered(arg, e, e ? 0 : m->err, e ? (slice){0} : m->text);
}

static void local_taken(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct intake_taken *m = message;
    (void)fds, (void)n_fds;
    local_answered(arg, e, e ? 0 : m->err, e ? (slice){0} : m->text);
}

/* Asks for one target, with the body. e: what went wrong before. */
static void local_ask(struct local *l, enum err e, enum role whom, uint16_t type, const void *message,
                      chan_reply_fn answered)
{
    struct job *j = l->job;
    int fd = -1;
    if (e == OK)
        e = job_fd(j, &fd);
    l->open++;
    if (e == OK)
        e = role_call(j->relay->role, whom, type, message, &fd, 1, LOCAL_DELIVER_MS, answered, l);
    if (e)
        local_answered(l, local_is_temporary(e) ? e : ERR_BUG, 0, (slice){0});
}

/* Return-Path, Delivered-To and what the message has already. */
static enum err local_prefix(const struct job *j, slice address, struct buf *out)
{
    struct mailbox sender = {0}, target;
    enum err e = j->m.sender.n ? mailbox_parse(j->m.sender, MAILBOX_UTF8, &sender) : OK;
    if (e == OK)
        e = mailbox_parse(address, MAILBOX_UTF8 | MAILBOX_POSTMASTER, &target);
    if (e == OK)
        e = smtp_return_path_write(&sender, out);
    if (e == OK)
        e = smtp_delivered_to_write(&target, out);
    return e ? e : buf_append(out, j->m.prefix);
}

static void local_hand_over(struct local *l, const struct rcpt_target *t)
{
    struct job *j = l->job;
    struct buf prefix CLEANUP(buf_done);
    struct deliver m = {.ticket = t->ticket,
                        .account = t->account,
                        .mail_id = j->m.id,
                        .connection = j->m.connection,
                        .reverse_path = j->m.sender,
                        .recipient = j->rcpts[l->at].q.address,
                        .detail = t->detail,
                        .junk = j->m.junk,
                        .received_at = j->m.arrived};
    enum err e;
    buf_init(&prefix, PREFIX_MAX);
    e = local_prefix(j, j->rcpts[l->at].q.address, &prefix);
    if (e == ERR_LIMIT) { /* the trace fields of others leave no room: go without ours */
        buf_clear(&prefix);
        e = buf_append(&prefix, slice_sub(j->m.prefix, 0, PREFIX_MAX));
    }
    m.prefix = buf_view(&prefix);
    local_ask(l, e, ROLE_ACCOUNTS, X_ACCOUNTS_DELIVER, &m, local_delivered);
}

/* To a robot of ours: reports and probes that were submitted, or that waited here. */
static void local_give(struct local *l, const struct rcpt_target *t)
{
    struct job *j = l->job;
    struct intake m = {.mail_id = j->m.id,
                       .connection = j->m.connection,
                       .recipient = t->address,
                       .reverse_path = j->m.sender,
                       .received_at = j->m.arrived};
    local_ask(l, OK, t->kind == RCPT_PROBE ? ROLE_DOCTOR : ROLE_REPORTER, X_INTAKE_GIVE, &m, local_taken);
}

static void local_answer(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct local *l = arg;
    const struct rcpt_answer *m = message;
    bool known;
    (void)fds, (void)n_fds;
    if (e)
        local_note(l, e, (slice){0});
    else
        local_note(l, err_from_wire(m->err), m->text);
    for (size_t i = 0; l->worst == OK && i < m->n_targets; i++)
        l->n_remote += m->targets[i].kind == RCPT_REMOTE;
    known = l->worst == OK;
    if (known && l->n_remote) {
        size_t n = 0;
        l->remote = ARENA_ARRAY(&l->arena, l->n_remote, slice);
        must(l->remote);
        for (size_t i = 0; i < m->n_targets; i++)
            if (m->targets[i].kind == RCPT_REMOTE)
                must(arena_dup(&l->arena, m->targets[i].address,
                               &l->remote[n++])); /* bounded by the channel */
    }
    for (size_t i = 0; known && i < m->n_targets; i++) {
        if (m->targets[i].kind == RCPT_LOCAL)
            local_hand_over(l, &m->targets[i]);
        else if (m->targets[i].kind != RCPT_REMOTE)
            local_give(l, &m->targets[i]);
    }
    local_end(l);
}

void local_deliver(struct job *j, size_t at)
{
    struct local *l = calloc(1, sizeof *l);
    struct rcpt_ask m = {.address = j->rcpts[at].q.address,
                         .sender_account = j->m.account,
                         .bytes = j->m.body_bytes + j->m.prefix.n};
    enum err e;
    must(l);
    *l = (struct local){.job = job_ref(j), .at = at, .open = 1};
    arena_init(&l->arena, "local delivery", (size_t)1 << 20);
    j->relay->n_locals++;
    e = role_call(j->relay->role, ROLE_DIRECTORY, X_DIRECTORY_RCPT_ASK, &m, NULL, 0, LOCAL_ASK_MS,
                  local_answer, l);
    if (e == OK)
        return;
    local_note(l, local_is_temporary(e) ? e : ERR_BUG, (slice){0});
    local_end(l);
}
