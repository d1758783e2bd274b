/* The last part of a message's way: into accounts and queue, and then the reply. The rules are in
 * smtp_message.h. */
#include "base/mail_id.h"
#include "core/smtp/received.h"
#include "ipc/x_accounts.h"
#include "ipc/x_intake.h"
#include "ipc/x_relay.h"
#include "proc/edge/smtp_message__.h"

#include <stdio.h>

#define DELIVER_MS (60 * MS_SECOND)
#define QUEUE_MS   (60 * MS_SECOND)
#define INTAKE_MS  (60 * MS_SECOND)

void message__reply_sender(struct message *m, const struct sender_answer *a)
{
    char text[400];
    int n;
    if (a->text.n) {
        message__reply(m, 550, "5.7.1", a->text);
        return;
    }
    n = snprintf(text, sizeof text, "You are logged in as %.*s, who may not send as %.*s",
                 SLICE_FMT(m->from.address), SLICE_FMT(a->address));
    message__reply(m, 550, "5.7.1", slice_of(text, size_min((size_t)n, sizeof text - 1)));
}

/* Received, above it what the judge found out, and for one recipient's copy Return-Path and Delivered-To on
 * top (RFC 5321 §4.4). What the judge adds to outgoing mail (Date, Message-ID) goes below Received. */
static enum err write_prefix(const struct message *m, const struct message_rcpt *r, struct buf *out)
{
    struct mailbox only;
    struct smtp_received received = {.helo = m->from.helo,
                                     .ptr = m->from.ptr,
                                     .ip = m->from.ip,
                                     .hostname = slice_str(m->edge->hostname),
                                     .esmtp = m->from.esmtp,
                                     .tls = m->from.tls,
                                     .authed = m->from.account != 0,
                                     .utf8 = m->mail.smtputf8,
                                     .tls_cipher = m->from.tls_cipher,
                                     .mail_id = m->id,
                                     .at = m->received_at};
    enum err e = OK;
    if (r) {
        struct mailbox to;
        e = smtp_return_path_write(&m->mail.sender, out);
        if (!e && mailbox_parse(r->address, MAILBOX_UTF8 | MAILBOX_POSTMASTER, &to) == OK)
            e = smtp_delivered_to_write(&to, out);
    }
    if (!e && m->from.account == 0)
        e = buf_append(out, m->judge_prefix);
    if (m->n_rcpts == 1)
        for (const struct message_rcpt *one = m->rcpts; one; one = one->next)
            if (one->accepted && mailbox_parse(one->address, MAILBOX_UTF8 | MAILBOX_POSTMASTER, &only) == OK)
                received.recipient = &only;
    if (!e)
        e = smtp_received_write(&received, out);
    if (!e && m->from.account != 0)
        e = buf_append(out, m->judge_prefix);
    return e;
}

static void reply_kept(struct message *m)
{
    char text[40], id[MAIL_ID_TEXT + 1];
    int n;
    mail_id_print(m->id, id);
    n = snprintf(text, sizeof text, "Kept as %s", id);
    message__reply(m, 250, "2.0.0", slice_of(text, (size_t)n));
}

/* The queue. */

static void queue_rest(struct message *m);

static void queue_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct message *m = arg;
    const struct queued *q = message;
    enum err said = e == OK ? err_from_wire(q->err) : e;
    (void)fds, (void)n_fds; /* none */
    if (message__patient(m, e, queue_rest))
        return;
    if (said == OK)
        reply_kept(m);
    else if (e == OK && q->text.n)
        message__reply(m, err_kind(said) == ERR_KIND_PERMANENT ? 554 : err_smtp_code(said),
                       err_smtp_status(said), q->text);
    else
        message__reply(m, 451, "4.3.0", SLICE("The queue of this server is not answering; please try again"));
}

/* Appends what of recipient r has to go to the queue. With an account of ours among its targets it stands
 * there under the address of the RCPT: relay asks directory anew, sends to those targets that are elsewhere,
 * and an account that took the message already takes it only once (THREATS 62: the key is mail id and
 * recipient). */
static void queue_items(const struct message_rcpt *r, struct enqueue_rcpt *items, size_t *n)
{
    struct enqueue_rcpt item = {.orcpt = r->orcpt, .notify = (uint8_t)r->notify};
    for (size_t i = 0; i < r->n_targets; i++)
        item.local = item.local || (r->targets[i].local && !r->targets[i].done && !r->targets[i].repeated);
    if (item.local) {
        item.address = r->address;
        items[(*n)++] = item;
    }
    for (size_t i = 0; i < r->n_targets && !item.local; i++) {
        item.address = r->targets[i].address;
        if (!r->targets[i].local)
            items[(*n)++] = item;
    }
}

/* Hands everything that is not done to relay; no recipient twice. */
static void queue_rest(struct message *m)
{
    size_t targets = 0;
    for (struct message_rcpt *r = m->rcpts; r; r = r->next)
        targets += r->accepted ? r->n_targets : 0;
    struct enqueue_rcpt *items = ARENA_ARRAY(&m->arena, targets, struct enqueue_rcpt);
    struct enqueue ask = {.mail_id = m->id,
                          .connection = m->from.connection,
                          .account = m->from.account,
                          .reverse_path = m->sender,
                          .envid = m->mail.envid,
                          .ret = (uint8_t)m->mail.ret,
                          .eight_bit = m->mail.eight_bit,
                          .smtputf8 = m->mail.smtputf8,
                          .junk = m->junk,
                          .received_at = m->received_at,
                          .message_id = m->message_id};
    struct buf prefix;
    enum err e = items ? OK : ERR_LIMIT;
    buf_init(&prefix, PREFIX_MAX);
    if (!e)
        e = write_prefix(m, NULL, &prefix);
    if (!e) {
        for (struct message_rcpt *r = m->rcpts; r; r = r->next)
            if (r->accepted)
                queue_items(r, items, &ask.n_rcpts);
        ask.prefix = buf_view(&prefix);
        ask.rcpts = items;
        e = role_call(m->edge->role, ROLE_RELAY, X_RELAY_ENQUEUE, &ask, &m->fd, 1, QUEUE_MS, queue_answered,
                      m);
    }
    buf_done(&prefix);
    if (e)
        queue_answered(m, e, NULL, NULL, 0);
}

/* Accounts. */

/* An answer that coming again soon would not change, or that the sender should hear: said in the session when
 * nobody took the message. */
static bool is_final(const struct message_target *t)
{
    return err_kind(t->err) == ERR_KIND_PERMANENT || t->err == ERR_QUOTA || t->err == ERR_DISK_FULL ||
           t->kind != RCPT_LOCAL;
}

static void reply_not_taken(struct message *m, const struct message_target *why)
{
    int code = err_smtp_code(why->err);
    const char *status = err_smtp_status(why->err);
    if (why->kind != RCPT_LOCAL && err_kind(why->err) == ERR_KIND_PERMANENT) {
        code = 554; /* the content is what a robot does not like, RFC 3463 §3.7 */
        status = "5.6.0";
    } else if (why->kind != RCPT_LOCAL) {
        code = 451;
        status = "4.3.0";
    }
    message__reply(m, code, status, why->text.n ? why->text : slice_str(err_text(why->err)));
}

static void deliveries_done(struct message *m)
{
    size_t done = 0, elsewhere = 0, undone = 0, final = 0;
    const struct message_target *why = NULL;
    for (struct message_rcpt *r = m->rcpts; r; r = r->next)
        for (size_t i = 0; r->accepted && i < r->n_targets; i++) {
            const struct message_target *t = &r->targets[i];
            if (t->repeated)
                continue;
            elsewhere += !t->local;
            done += t->local && t->done;
            if (t->local && !t->done) {
                undone++;
                final += is_final(t);
                /* what may be mended by coming again counts more: the other recipient is told then too */
                if (!why || err_kind(why->err) == ERR_KIND_PERMANENT)
                    why = t;
            }
        }
    if (undone == 0 && elsewhere == 0)
        reply_kept(m);
    else if (m->from.account == 0 && done == 0 && elsewhere == 0 && final == undone)
        reply_not_taken(m, why);
    else
        queue_rest(m);
}

/* One target has its answer: e when none came, else what was said. */
static void target_answered(struct message_target *t, enum err e, uint32_t said, slice text)
{
    struct message *m = t->rcpt->message;
    t->err = e == OK ? err_from_wire(said) : e;
    t->done = t->err == OK;
    if (e == OK && !t->done) {
        message__tell(m, (struct journal_event){.kind = JOURNAL_DELIVERY_FAILED,
                                                .address = t->address,
                                                .code = (uint32_t)err_smtp_code(t->err),
                                                .text = text.n ? text : slice_str(err_text(t->err))});
        if (!arena_dup(&m->arena, text, &t->text))
            t->text = (slice){0}; /* the error's own text then */
    }
    must(m->waiting > 0);
    if (--m->waiting == 0)
        deliveries_done(m);
}

static void delivered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct delivered *d = message;
    (void)fds, (void)n_fds; /* none */
    target_answered(arg, e, d ? d->err : 0, d ? d->text : (slice){0});
}

static void taken(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct intake_taken *d = message;
    (void)fds, (void)n_fds; /* none */
    target_answered(arg, e, d ? d->err : 0, d ? d->text : (slice){0});
}

/* To a robot of ours. */
static void give_one(struct message *m, struct message_target *t)
{
    struct intake ask = m->findings;
    ask.mail_id = m->id;
    ask.connection = m->from.connection;
    ask.recipient = t->address;
    ask.client_ip = ip_slice(&m->from.ip);
    ask.reverse_path = m->sender;
    ask.received_at = m->received_at;
    t->err = role_call(m->edge->role, t->kind == RCPT_PROBE ? ROLE_DOCTOR : ROLE_REPORTER, X_INTAKE_GIVE,
                       &ask, &m->fd, 1, INTAKE_MS, taken, t);
    if (t->err == OK)
        m->waiting++;
}

static void deliver_one(struct message *m, struct message_target *t, slice prefix)
{
    struct deliver ask = {.ticket = t->ticket,
                          .account = t->account,
                          .mail_id = m->id,
                          .connection = m->from.connection,
                          .reverse_path = m->sender,
                          .recipient = t->rcpt->address,
                          .detail = t->detail,
                          .prefix = prefix,
                          .received_at = m->received_at,
                          .junk = m->junk};
    t->err = role_call(m->edge->role, ROLE_ACCOUNTS, X_ACCOUNTS_DELIVER, &ask, &m->fd, 1, DELIVER_MS,
                       delivered, t);
    if (t->err == OK)
        m->waiting++;
}

/* The same account or robot by two recipients (an alias and the address itself) gets the message once. The
 * list is short or the sender's own loss: at most 100 recipients from strangers. */
static bool is_repeated(const struct message *m, const struct message_target *t)
{
    for (const struct message_rcpt *r = m->rcpts; r; r = r->next)
        for (size_t i = 0; r->accepted && i < r->n_targets; i++) {
            const struct message_target *other = &r->targets[i];
            if (other == t)
                return false;
            if (other->kind != t->kind)
                continue;
            if (other->local && other->account == t->account &&
                (t->kind == RCPT_LOCAL ? slice_eq(other->detail, t->detail)
                                       : slice_eq(other->address, t->address)))
                return true;
        }
    return false;
}

static void deliver_all(struct message *m)
{
    struct buf prefix;
    buf_init(&prefix, PREFIX_MAX);
    m->waiting = 1; /* ours: no answer ends the message while calls are still made */
    for (struct message_rcpt *r = m->rcpts; r; r = r->next) {
        enum err e;
        if (!r->accepted)
            continue;
        buf_clear(&prefix);
        e = write_prefix(m, r, &prefix);
        for (size_t i = 0; i < r->n_targets; i++) {
            struct message_target *t = &r->targets[i];
            t->err = e;
            if (!t->local)
                continue;
            t->repeated = is_repeated(m, t);
            if (t->repeated || e)
                continue;
            if (t->kind == RCPT_LOCAL)
                deliver_one(m, t, buf_view(&prefix));
            else
                give_one(m, t);
        }
    }
    buf_done(&prefix);
    if (--m->waiting == 0)
        deliveries_done(m);
}

void message__deliver(struct message *m)
{
    m->delivering = true;
    if (m->from.account == 0)
        deliver_all(m);
    else
        queue_rest(m); /* submitted mail: the queue delivers all of it */
}
