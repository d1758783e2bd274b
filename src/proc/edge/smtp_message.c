/* The way of a message is told in smtp_message.h; this file is recipients, body and verdict. smtp_deliver.c
 * is what follows. */
#include "proc/edge/smtp_message.h"

#include "ipc/x_directory.h"
#include "ipc/x_judge.h"
#include "proc/edge/smtp_message__.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <stdlib.h>

#define ARENA_STRANGER ((size_t)1 << 20)
#define ARENA_AUTHED   ((size_t)6 << 20)
#define ENVELOPE_BYTES ((size_t)90 * 1024) /* of all recipients: what one IPC message can carry on */
#define DIRECTORY_MS   (20 * MS_SECOND)
#define JUDGE_MS       (60 * MS_SECOND)
#define REASONS_MAX    JOURNAL_TEXT_MAX
#define REPLY_TEXT_MAX 512

static void message_time(void *arg)
{
    struct message *m = arg;
    m->again(m);
}

struct message *message_new(struct edge *e, const struct message_from *from, const struct smtp_mail *mail,
                            message_reply_fn reply, void *arg)
{
    struct message *m = calloc(1, sizeof *m);
    struct buf text;
    must(m);
    m->edge = e;
    m->reply = reply;
    m->arg = arg;
    m->fd = -1;
    m->id = edge_mail_id(e);
    m->mail = *mail;
    m->from = *from;
    loop_timer_init(e->loop, &m->timer, message_time, m);
    arena_init(&m->arena, "smtp message", from->account ? ARENA_AUTHED : ARENA_STRANGER);
    body_writer_init(&m->body,
                     e->limits.message_bytes + 2); /* a last line that BDAT left open gets its CRLF */
    buf_init(&text, MAILBOX_TEXT_MAX);
    must(mailbox_print(&mail->sender, &text) == OK);
    must(arena_dup(&m->arena, buf_view(&text), &m->sender) &&
         arena_dup(&m->arena, mail->envid, &m->mail.envid) &&
         arena_dup(&m->arena, from->helo, &m->from.helo) &&
         arena_dup(&m->arena, from->tls_cipher, &m->from.tls_cipher) &&
         arena_dup(&m->arena, from->address, &m->from.address)); /* an empty arena has room for these */
    buf_done(&text);
    return m;
}

uint64_t message_id_of(const struct message *m)
{
    return m->id;
}

slice message_sender(const struct message *m)
{
    return m->sender;
}

void message__tell(struct message *m, struct journal_event event)
{
    event.mail = m->id;
    event.connection = m->from.connection;
    if (m->edge->role)
        role_tell(m->edge->role, event);
}

void message__free(struct message *m)
{
    if (m->edge->role) {
        role_forget(m->edge->role, m);
        for (struct message_rcpt *r = m->rcpts; r; r = r->next) {
            role_forget(m->edge->role, r);
            for (size_t i = 0; i < r->n_targets; i++)
                role_forget(m->edge->role, &r->targets[i]);
        }
    }
    m->edge->body_bytes -= m->counted_bytes;
    loop_timer_done(&m->timer);
    body_writer_done(&m->body);
    fd_done(&m->fd);
    arena_done(&m->arena);
    free(m);
}

bool message__patient(struct message *m, enum err e, void (*again)(struct message *))
{
    const struct smtp_shared *shared = m->edge->smtp;
    time_ms now = loop_now(m->edge->loop);
    if (e != ERR_CLOSED) {
        m->patient_until = 0;
        return false;
    }
    if (m->patient_until == 0)
        m->patient_until = now + (shared ? shared->patience_ms : MESSAGE_PATIENCE_MS);
    if (now >= m->patient_until)
        return false;
    m->again = again;
    loop_timer_after(&m->timer, MESSAGE_AGAIN_MS);
    return true;
}

void message__reply(struct message *m, int code, const char *status, slice text)
{
    message_reply_fn reply = m->reply;
    void *arg = m->arg;
    uint32_t token = m->token;
    char copy[REPLY_TEXT_MAX];
    size_t n = size_min(text.n, sizeof copy);
    if (n)
        memcpy(copy, text.p, n); /* it may lie in the message, which ends here */
    message__tell(m, (struct journal_event){.kind = code < 300 ? JOURNAL_ACCEPTED : JOURNAL_MESSAGE_REFUSED,
                                            .code = (uint32_t)code,
                                            .text = slice_of(copy, n)});
    message__free(m);
    if (reply)
        reply(arg, token, code, status, slice_of(copy, n));
}

void message_abandon(struct message *m, const char *why)
{
    if (!m)
        return;
    m->reply = NULL;
    if (m->delivering)
        return; /* smtp_deliver.c brings it to its end */
    message__tell(m, (struct journal_event){.kind = JOURNAL_ABANDONED, .text = slice_str(why)});
    message__free(m);
}

/* Recipients. */

static void rcpt_reply(struct message_rcpt *r, int code, const char *status, slice text)
{
    struct message *m = r->message;
    struct journal_event event = {.kind = code < 300 ? JOURNAL_RCPT_OK : JOURNAL_RCPT_REFUSED,
                                  .address = r->address,
                                  .code = code < 300 ? 0 : (uint32_t)code,
                                  .text = code < 300 ? (slice){0} : text};
    r->accepted = code < 300;
    if (r->accepted && (r->n_targets > 1 || !slice_eq_nocase(r->targets[0].address, r->address))) {
        event.name = r->targets[0].address;
        event.text = r->n_targets > 1 ? SLICE("alias of several") : SLICE("alias");
    }
    message__tell(m, event);
    if (r->accepted)
        m->n_rcpts++;
    else if (r->asked)
        m->n_asked--;
    if (m->reply)
        m->reply(m->arg, r->token, code, status, text);
}

/* Copies directory's answer. False at the arena's cap. */
static bool rcpt_keep_targets(struct message_rcpt *r, const struct rcpt_answer *a)
{
    struct arena *arena = &r->message->arena;
    r->targets = ARENA_ARRAY(arena, a->n_targets, struct message_target);
    if (!r->targets)
        return false;
    for (size_t i = 0; i < a->n_targets; i++) {
        const struct rcpt_target *from = &a->targets[i];
        struct message_target *t = &r->targets[i];
        t->rcpt = r;
        t->kind = (enum rcpt_kind)from->kind;
        t->local = from->kind != RCPT_REMOTE;
        t->account = from->account;
        if (!arena_dup(arena, from->ticket, &t->ticket) || !arena_dup(arena, from->address, &t->address) ||
            !arena_dup(arena, from->detail, &t->detail))
            return false;
    }
    r->n_targets = a->n_targets;
    return true;
}

static void rcpts_again(struct message *m);

static void rcpt_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct message_rcpt *r = arg;
    const struct rcpt_answer *a = message;
    enum err said = e == OK ? err_from_wire(a->err) : e;
    (void)fds, (void)n_fds; /* none */
    /* ERR_BUSY in words of directory: accounts is being started, so there are no tickets yet */
    if (message__patient(r->message, said == ERR_BUSY ? ERR_CLOSED : e, rcpts_again)) {
        r->again = true;
        return;
    }
    if (e != OK)
        rcpt_reply(
            r, 451, "4.3.0",
            SLICE("The part of this server that knows the mailboxes is not answering; please try again"));
    else if (said != OK && err_kind(said) == ERR_KIND_PERMANENT)
        rcpt_reply(r, 550, err_smtp_status(said), a->text.n ? a->text : slice_str(err_text(said)));
    else if (said != OK)
        rcpt_reply(r, err_smtp_code(said), err_smtp_status(said),
                   a->text.n ? a->text : slice_str(err_text(said)));
    else if (a->n_targets == 0 || !rcpt_keep_targets(r, a))
        rcpt_reply(r, 452, "4.5.3", SLICE("That is all the recipients one message may have here"));
    else
        rcpt_reply(r, 250, "2.1.5", SLICE("This recipient is fine"));
}

static void rcpt_ask(struct message_rcpt *r)
{
    struct message *m = r->message;
    struct rcpt_ask ask = {
        .address = r->address, .sender_account = m->from.account, .bytes = m->mail.declared_bytes};
    enum err e = role_call(m->edge->role, ROLE_DIRECTORY, X_DIRECTORY_RCPT_ASK, &ask, NULL, 0, DIRECTORY_MS,
                           rcpt_answered, r);
    if (e != OK)
        rcpt_answered(r, e, NULL, NULL, 0);
}

static void rcpts_again(struct message *m)
{
    size_t left = 0;
    for (const struct message_rcpt *r = m->rcpts; r; r = r->next)
        left += r->again;
    for (struct message_rcpt *r = m->rcpts, *next; r && left; r = next) {
        next = r->next; /* the answer to the last open RCPT can end the session, and m with it */
        if (r->again) {
            left--;
            r->again = false;
            rcpt_ask(r);
        }
    }
}

void message_rcpt(struct message *m, uint32_t token, const struct smtp_rcpt *rcpt)
{
    struct message_rcpt *r = ARENA_NEW(&m->arena, struct message_rcpt), **last = &m->rcpts;
    uint8_t room[MAILBOX_TEXT_MAX];
    struct buf text = {.p = room, .cap = sizeof room, .max = sizeof room}; /* never grows: everything fits */
    must(mailbox_print(&rcpt->recipient, &text) == OK);
    struct message_rcpt none = {.message = m, .token = token, .address = buf_view(&text)};
    if (r)
        *r = none;
    if (!r || !arena_dup(&m->arena, buf_view(&text), &r->address) ||
        !arena_dup(&m->arena, rcpt->orcpt, &r->orcpt) ||
        m->envelope_bytes + text.n + rcpt->orcpt.n > ENVELOPE_BYTES) {
        rcpt_reply(&none, 452, "4.5.3", SLICE("That is all the recipients one message may have here"));
        return;
    }
    r->notify = rcpt->notify;
    if (text.n > ADDRESS_MAX) {
        rcpt_reply(r, 550, "5.1.3", SLICE("That address is longer than addresses are"));
        return;
    }
    if (mailbox_is_null(&m->mail.sender) && m->from.account == 0 && m->n_asked > 0) { /* THREATS 30 */
        rcpt_reply(r, 452, "4.5.3", SLICE("A notice with the empty sender has one recipient"));
        return;
    }
    m->envelope_bytes += text.n + rcpt->orcpt.n + 16;
    while (*last)
        last = &(*last)->next;
    *last = r;
    r->asked = true;
    m->n_asked++;
    rcpt_ask(r);
}

/* Body. */

enum err message_body_begin(struct message *m)
{
    struct edge *e = m->edge;
    uint64_t want = m->mail.declared_bytes;
    if (e->body_bytes > e->limits.body_bytes || want > e->limits.body_bytes - e->body_bytes) {
        message__tell(m, (struct journal_event){.kind = JOURNAL_MESSAGE_REFUSED,
                                                .code = 452,
                                                .text = SLICE("no memory for more bodies at once")});
        return ERR_BUSY;
    }
    return OK;
}

void message_body_bytes(struct message *m, slice bytes)
{
    struct edge *e = m->edge;
    if (m->body_err != OK)
        return;
    if (bytes.n > e->limits.body_bytes || e->body_bytes > e->limits.body_bytes - bytes.n)
        m->body_err = ERR_BUSY;
    else
        m->body_err = body_append(&m->body, bytes);
    if (m->body_err != OK) {
        body_writer_done(&m->body);
        e->body_bytes -= m->counted_bytes;
        m->counted_bytes = 0;
        return;
    }
    m->counted_bytes += bytes.n;
    e->body_bytes += bytes.n;
}

/* The verdict. */

static void verdict_told(struct message *m, const struct judge_verdict *v)
{
    static const char *const names[] = {"accept", "junk", "defer", "reject"};
    struct buf reasons;
    buf_init(&reasons, REASONS_MAX);
    for (size_t i = 0; i < v->n_reasons; i++) {
        if (reasons.n + v->reasons[i].text.n + 2 > REASONS_MAX)
            continue; /* a shorter one may fit; each is told whole or not at all */
        (void)buf_str(&reasons, reasons.n ? "; " : "");
        (void)buf_append(&reasons, v->reasons[i].text);
    }
    message__tell(m, (struct journal_event){.kind = JOURNAL_VERDICT,
                                            .name = slice_str(names[v->action]),
                                            .text = buf_view(&reasons)});
    buf_done(&reasons);
    if (v->message_id.n)
        message__tell(m, (struct journal_event){.kind = JOURNAL_MESSAGE_ID, .name = v->message_id});
}

static void ask_senders(struct message *m);

static void senders_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct message *m = arg;
    const struct sender_answer *a = message;
    (void)fds, (void)n_fds; /* none */
    if (message__patient(m, e, ask_senders))
        return;
    if (e != OK)
        message__reply(
            m, 451, "4.3.0",
            SLICE("The part of this server that knows the mailboxes is not answering; please try again"));
    else if (err_from_wire(a->err) == OK)
        message__deliver(m);
    else
        message__reply_sender(m, a);
}

/* THREATS 38: every From and Sender address has to belong to whoever is logged in. */
static void ask_senders(struct message *m)
{
    struct sender_ask ask = {
        .account = m->from.account, .addresses = m->senders, .n_addresses = m->n_senders};
    enum err e = role_call(m->edge->role, ROLE_DIRECTORY, X_DIRECTORY_SENDER_ASK, &ask, NULL, 0, DIRECTORY_MS,
                           senders_answered, m);
    if (e != OK)
        senders_answered(m, e, NULL, NULL, 0);
}

static bool keep_senders(struct message *m, const struct judge_verdict *v)
{
    m->senders = ARENA_ARRAY(&m->arena, v->n_senders, struct sender_item);
    for (size_t i = 0; m->senders && i < v->n_senders; i++)
        if (!arena_dup(&m->arena, v->senders[i].address, &m->senders[i].address))
            return false;
    m->n_senders = v->n_senders;
    return m->senders != NULL;
}

static bool has_robot(const struct message *m)
{
    for (const struct message_rcpt *r = m->rcpts; r; r = r->next)
        for (size_t i = 0; r->accepted && i < r->n_targets; i++)
            if (r->targets[i].kind == RCPT_REPORT || r->targets[i].kind == RCPT_PROBE)
                return true;
    return false;
}

/* Robots hear who is proven to have sent what they read. False at the arena's cap. */
static bool keep_findings(struct message *m, const struct judge_verdict *v)
{
    struct intake *f = &m->findings;
    struct intake_dkim *dkim;
    if (!v->judged || !has_robot(m))
        return true;
    static_assert(X_INTAKE_DKIM_MAX >= JUDGE_DKIM_MAX, "every signature the judge tells has room");
    dkim = ARENA_ARRAY(&m->arena, v->n_dkim, struct intake_dkim);
    for (size_t i = 0; dkim && i < v->n_dkim; i++) {
        dkim[i].result = v->dkim[i].result;
        if (!arena_dup(&m->arena, v->dkim[i].domain, &dkim[i].domain) ||
            !arena_dup(&m->arena, v->dkim[i].selector, &dkim[i].selector))
            return false;
    }
    f->judged = true;
    f->spf = v->spf;
    f->dmarc = v->dmarc;
    f->dkim = dkim;
    f->n_dkim = v->n_dkim;
    return dkim && arena_dup(&m->arena, v->spf_domain, &f->spf_domain) &&
           arena_dup(&m->arena, v->author, &f->author);
}

static void refused_by_judge(struct message *m, const struct judge_verdict *v)
{
    bool defer = v->action == JUDGE_DEFER;
    int code = v->code >= 400 && v->code <= 599 ? (int)v->code : defer ? 451 : 550;
    char status[16] = {0};
    if (v->status.n && v->status.n < sizeof status)
        memcpy(status, v->status.p, v->status.n);
    message__reply(m, code,
                   status[0] ? status
                   : defer   ? "4.7.1"
                             : "5.7.1",
                   v->text.n ? v->text
                   : defer   ? SLICE("Not now; please try again later")
                             : SLICE("This message is not accepted"));
}

static void ask_judge(struct message *m);

static void judged(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct message *m = arg;
    const struct judge_verdict *v = message;
    if (message__patient(m, e, ask_judge))
        return;
    if (e != OK) {
        message__reply(
            m, 451, "4.3.0",
            SLICE("The part of this server that looks at messages is not answering; please try again"));
        return;
    }
    verdict_told(m, v);
    if (v->action == JUDGE_DEFER || v->action == JUDGE_REJECT) {
        refused_by_judge(m, v);
        return;
    }
    m->junk = v->action == JUDGE_JUNK;
    if (n_fds == 1) { /* a body without what must not be seen (Bcc) */
        fd_done(&m->fd);
        m->fd = fd_take(&fds[0]);
    }
    if (!arena_dup(&m->arena, v->prefix, &m->judge_prefix) ||
        !arena_dup(&m->arena, v->message_id, &m->message_id) || !keep_senders(m, v) || !keep_findings(m, v)) {
        message__reply(m, 451, "4.3.0",
                       SLICE("This message needs more room than there is; please try again"));
        return;
    }
    if (m->from.account && m->n_senders)
        ask_senders(m);
    else
        message__deliver(m);
}

static void ask_judge(struct message *m)
{
    struct judge_ask ask = {.mail_id = m->id,
                            .outbound = m->from.account != 0,
                            .client_ip = ip_slice(&m->from.ip),
                            .client_name = m->from.ptr,
                            .helo = m->from.helo,
                            .tls = m->from.tls,
                            .reverse_path = m->sender,
                            .account_address = m->from.address,
                            .smtputf8 = m->mail.smtputf8,
                            .now = m->received_at};
    struct judge_rcpt *items = ARENA_ARRAY(&m->arena, m->n_rcpts, struct judge_rcpt);
    enum err e = ERR_LIMIT;
    for (struct message_rcpt *r = m->rcpts; items && r; r = r->next)
        if (r->accepted)
            items[ask.n_rcpts++].address = r->address;
    ask.rcpts = items;
    if (items)
        e = role_call(m->edge->role, ROLE_JUDGE, X_JUDGE_ASK, &ask, &m->fd, 1, JUDGE_MS, judged, m);
    if (e != OK)
        judged(m, e, NULL, NULL, 0);
}

void message_end(struct message *m, uint32_t token, slice ptr)
{
    uint64_t bytes = 0;
    m->token = token;
    m->received_at = clock_unix();
    if (!arena_dup(&m->arena, ptr, &m->from.ptr))
        m->from.ptr = (slice){0}; /* Received does without */
    if (m->body_err == OK)
        m->body_err = body_seal(&m->body, &m->fd, &bytes);
    if (m->body_err != OK) {
        message__reply(m, err_smtp_code(m->body_err), err_smtp_status(m->body_err),
                       m->body_err == ERR_TOO_LARGE
                           ? SLICE("The message is larger than allowed; EHLO tells the limit")
                           : SLICE("This server has no room for more messages at once; please try again"));
        return;
    }
    message__tell(m, (struct journal_event){.kind = JOURNAL_MESSAGE_RECEIVED, .number = bytes});
    ask_judge(m);
}
