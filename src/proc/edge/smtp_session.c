/* smtp_session: the shell around core/smtp/server.h: moves its bytes, asks what it asks (auth.c for logins,
 * smtp_message.c for everything about a message), and tells the journal.
 *
 * The core keeps no input: what it cannot use yet stays in the connection, which stops reading when its
 * buffer is full. Answers may come from inside the asking call or any time later; smtp_run() then goes on
 * with the bytes that waited.
 *
 * Lifetime: a session lives as long as its connection. A message whose deliveries have begun outlives it. */
#include "core/smtp/server.h"
#include "ipc/x_directory.h"
#include "proc/edge/auth.h"
#include "proc/edge/conn.h"
#include "proc/edge/smtp_message.h"
#include "proc/edge/smtp_ptr.h"
#include "text/base64.h"

#include <stdio.h>
#include <stdlib.h>

#define SENDER_MS     (20 * MS_SECOND)
#define AUTHED_IN_MAX ((size_t)64 * 1024)

struct smtp_session {
    struct edge *edge;
    struct conn *conn;
    struct smtp_server_limits limits;
    struct smtp_server_config config;
    struct smtp_server *core;
    struct smtp_ptr ptr;
    struct auth auth;
    uint32_t auth_token;
    uint64_t account; /* who is logged in; 0: nobody */
    char address[ADDRESS_MAX + 1];
    struct message *message; /* from MAIL to its last dot */
    struct message *ending;  /* from there to its reply */
    uint32_t end_token;
    uint32_t mail_token;    /* MAIL that waits for directory */
    struct smtp_mail *mail; /* its arguments; envid views the next */
    char envid[128];
    unsigned owed; /* answers the core waits for */
    bool running, again, tls_wanted, closing, eof;
    bool refused; /* the core refused the message under way */
};

static void smtp_run(struct smtp_session *s);

static void smtp_answer(struct smtp_session *s, uint32_t token, int code, const char *status, slice text)
{
    struct smtp_answer a = {code, status, text};
    must(s->owed > 0);
    s->owed--;
    smtp_server_answer(s->core, token, &a);
    smtp_run(s);
}

static const char *service_text(const struct smtp_session *s)
{
    return service_name(s->conn->service);
}

/* "TLSv1.3", or empty. */
static slice tls_text(const struct smtp_session *s, struct tls_facts *facts)
{
    conn_tls_facts(s->conn, facts);
    return facts->established ? slice_str(facts->version) : (slice){0};
}

/* Logins. */

static void smtp_logged_in(struct smtp_session *s, const struct auth_outcome *o)
{
    size_t n = size_min(o->address.n, ADDRESS_MAX);
    s->account = o->account;
    if (n)
        memcpy(s->address, o->address.p, n);
    s->address[n] = 0;
    edge_known(s->edge, s->conn);
    conn_set_in_max(s->conn, AUTHED_IN_MAX);
    smtp_answer(s, s->auth_token, 235, "2.7.0", SLICE("Welcome"));
}

static void smtp_challenge(struct smtp_session *s, slice data)
{
    struct buf text;
    buf_init(&text, 8192);
    if (base64_encode(data, &text) == OK) {
        must(s->owed > 0);
        s->owed--;
        smtp_server_challenge(s->core, s->auth_token, buf_view(&text));
        buf_done(&text);
        smtp_run(s);
        return;
    }
    buf_done(&text);
    auth_cancel(&s->auth);
    smtp_answer(s, s->auth_token, 454, "4.7.0", SLICE("The login could not be checked; please try again"));
}

static void smtp_auth_outcome(void *arg, const struct auth_outcome *o)
{
    struct smtp_session *s = arg;
    switch (o->step) {
    case AUTH_CHALLENGE:
        smtp_challenge(s, o->data);
        return;
    case AUTH_ACCEPTED:
        smtp_logged_in(s, o);
        return;
    case AUTH_DENIED:
        smtp_answer(s, s->auth_token, 535, "5.7.8", o->text.n ? o->text : slice_str(err_text(ERR_AUTH)));
        return;
    case AUTH_SUSPENDED: /* RFC 4954 §4, RFC 5248: 5.7.13 user account disabled */
        smtp_answer(s, s->auth_token, 535, "5.7.13",
                    o->text.n ? o->text : slice_str(err_text(ERR_SUSPENDED)));
        return;
    case AUTH_LIMITED:
        smtp_answer(s, s->auth_token, 421, "4.7.0",
                    o->text.n ? o->text : SLICE("Too many failed logins; try again later"));
        return;
    case AUTH_MALFORMED:
        smtp_answer(s, s->auth_token, 501, "5.5.2",
                    SLICE("The login exchange was not as its mechanism asks"));
        return;
    case AUTH_UNKNOWN:
        smtp_answer(s, s->auth_token, 504, "5.5.4", SLICE("That way to log in is not offered"));
        return;
    case AUTH_UNAVAILABLE:
        smtp_answer(s, s->auth_token, 454, "4.7.0",
                    SLICE("The login could not be checked; please try again"));
        return;
    }
}

static void smtp_on_auth(struct smtp_session *s, const struct smtp_event *ev)
{
    struct buf data;
    bool ok;
    s->owed++;
    s->auth_token = ev->token;
    buf_init(&data, 16384);
    ok = base64_decode(ev->auth.response, &data) == OK;
    if (!ok) {
        auth_cancel(&s->auth);
        smtp_answer(s, ev->token, 501, "5.5.2", SLICE("That is not base64"));
    } else if (ev->type == SMTP_EV_AUTH) {
        auth_start(&s->auth, ev->auth.mechanism, ev->auth.has_response, buf_view(&data));
    } else {
        auth_continue(&s->auth, buf_view(&data));
    }
    secret_wipe(data.p, data.n);
    buf_done(&data);
}

/* Messages. */

static void smtp_message_reply(void *arg, uint32_t token, int code, const char *status, slice text)
{
    struct smtp_session *s = arg;
    if (token == s->end_token) { /* the message is gone with its reply */
        s->ending = NULL;
        s->end_token = 0;
    }
    smtp_answer(s, token, code, status, text);
}

static void smtp_mail_refused(struct smtp_session *s, slice sender, int code, slice text)
{
    struct tls_facts facts;
    edge_tell(s->edge, s->conn,
              (struct journal_event){.kind = JOURNAL_MAIL_REFUSED,
                                     .address = sender,
                                     .name = tls_text(s, &facts),
                                     .text = text,
                                     .code = (uint32_t)code});
}

static void smtp_begin_message(struct smtp_session *s, uint32_t token, const struct smtp_mail *mail)
{
    struct tls_facts facts;
    slice tls = tls_text(s, &facts);
    struct message_from from = {.connection = s->conn->id,
                                .ip = s->conn->ip,
                                .helo = smtp_server_helo(s->core),
                                .esmtp = smtp_server_is_esmtp(s->core),
                                .tls = conn_is_tls(s->conn),
                                .account = s->account,
                                .address = slice_str(s->address)};
    from.tls_cipher = slice_str(facts.cipher);
    s->message = message_new(s->edge, &from, mail, smtp_message_reply, s);
    edge_tell(s->edge, s->conn,
              (struct journal_event){.kind = JOURNAL_MAIL_FROM,
                                     .mail = message_id_of(s->message),
                                     .address = message_sender(s->message),
                                     .name = tls,
                                     .text = slice_str(service_text(s)),
                                     .number = mail->declared_bytes});
    smtp_answer(s, token, 250, "2.1.0", SLICE("Go on"));
}

static void smtp_sender_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct smtp_session *s = arg;
    const struct sender_answer *a = message;
    struct smtp_mail *mail = s->mail;
    uint32_t token = s->mail_token;
    slice text = SLICE("The part of this server that knows the mailboxes is not answering; please try again");
    (void)fds, (void)n_fds; /* none */
    s->mail = NULL;
    s->mail_token = 0;
    if (e == OK && err_from_wire(a->err) == OK) {
        smtp_begin_message(s, token, mail);
    } else if (e == OK) {
        text = a->text.n ? a->text
                         : SLICE("That sender address does not belong to the account that is logged in");
        smtp_mail_refused(s, a->address, 550, text);
        smtp_answer(s, token, 550, "5.7.1", text);
    } else {
        smtp_answer(s, token, 451, "4.3.0", text);
    }
    free(mail);
}

/* THREATS 38: whoever is logged in sends as himself. The null sender is nobody's: reading confirmations have
 * it. */
static void smtp_ask_sender(struct smtp_session *s, const struct smtp_event *ev)
{
    struct sender_item item;
    struct sender_ask ask = {.account = s->account, .addresses = &item, .n_addresses = 1};
    struct buf text;
    enum err e;
    buf_init(&text, MAILBOX_TEXT_MAX);
    must(mailbox_print(&ev->mail->sender, &text) == OK);
    item.address = buf_view(&text);
    must(!s->mail);
    s->mail = malloc(sizeof *s->mail);
    must(s->mail);
    *s->mail = *ev->mail;
    must(ev->mail->envid.n <= sizeof s->envid);
    if (ev->mail->envid.n)
        memcpy(s->envid, ev->mail->envid.p, ev->mail->envid.n);
    s->mail->envid = slice_of(s->envid, ev->mail->envid.n);
    s->mail_token = ev->token;
    e = role_call(s->edge->role, ROLE_DIRECTORY, X_DIRECTORY_SENDER_ASK, &ask, NULL, 0, SENDER_MS,
                  smtp_sender_answered, s);
    buf_done(&text);
    if (e != OK)
        smtp_sender_answered(s, e, NULL, NULL, 0);
}

static void smtp_on_mail(struct smtp_session *s, const struct smtp_event *ev)
{
    s->owed++;
    if (mailbox_local(&ev->mail->sender).n + mailbox_domain(&ev->mail->sender).n + 3 > ADDRESS_MAX)
        smtp_answer(s, ev->token, 553, "5.1.7", SLICE("That address is longer than addresses are"));
    else if (s->account && !mailbox_is_null(&ev->mail->sender))
        smtp_ask_sender(s, ev);
    else
        smtp_begin_message(s, ev->token, ev->mail);
}

static void smtp_on_body_begin(struct smtp_session *s, const struct smtp_event *ev)
{
    s->owed++;
    if (message_body_begin(s->message) == OK) {
        smtp_answer(s, ev->token, 250, NULL, (slice){0});
        return;
    }
    message_abandon(s->message, "no memory for its body");
    s->message = NULL;
    smtp_answer(s, ev->token, 452, "4.3.1",
                SLICE("This server has no room for more messages at once; please try again"));
}

static void smtp_on_body_end(struct smtp_session *s, const struct smtp_event *ev)
{
    s->owed++;
    s->ending = s->message;
    s->end_token = ev->token;
    s->message = NULL;
    message_end(s->ending, ev->token, smtp_ptr_name(&s->ptr));
}

/* What the core refused by itself. */
static void smtp_on_refused(struct smtp_session *s, const struct smtp_event *ev)
{
    static const enum journal_kind kinds[] = {
        [SMTP_REFUSED_BARE_NEWLINE] = JOURNAL_PROTOCOL_ABUSE,
        [SMTP_REFUSED_BODY_NEWLINE] = JOURNAL_PROTOCOL_ABUSE,
        [SMTP_REFUSED_FOREIGN] = JOURNAL_PROTOCOL_ABUSE,
        [SMTP_REFUSED_NONSENSE] = JOURNAL_PROTOCOL_ABUSE,
        [SMTP_REFUSED_ERRORS] = JOURNAL_PROTOCOL_ABUSE,
        [SMTP_REFUSED_IDLE_COMMANDS] = JOURNAL_PROTOCOL_ABUSE,
        [SMTP_REFUSED_LOGINS] = JOURNAL_CONN_CLOSED,
        [SMTP_REFUSED_STARTTLS_MORE] = JOURNAL_PROTOCOL_ABUSE,
        [SMTP_REFUSED_TOO_LARGE] = JOURNAL_MAIL_REFUSED,
        [SMTP_REFUSED_TOO_MANY] = JOURNAL_RCPT_REFUSED,
        [SMTP_REFUSED_TIMEOUT] = JOURNAL_CONN_CLOSED,
        [SMTP_REFUSED_ADDRESS] = JOURNAL_MAIL_REFUSED,
    };
    static_assert(ARRAY_LEN(kinds) == SMTP_REFUSED__COUNT, "every refusal is told");
    enum journal_kind kind = kinds[ev->refused.why];
    if (s->message &&
        (ev->refused.why == SMTP_REFUSED_TOO_LARGE || ev->refused.why == SMTP_REFUSED_BODY_NEWLINE))
        s->refused = true;
    if (s->message && ev->refused.why == SMTP_REFUSED_TOO_LARGE)
        kind = JOURNAL_MESSAGE_REFUSED;
    else if (s->message && ev->refused.why == SMTP_REFUSED_ADDRESS)
        kind = JOURNAL_RCPT_REFUSED;
    bool about_mail = kind != JOURNAL_PROTOCOL_ABUSE && kind != JOURNAL_CONN_CLOSED;
    edge_tell(s->edge, s->conn,
              (struct journal_event){.kind = kind,
                                     .mail = s->message ? message_id_of(s->message) : 0,
                                     .name = about_mail ? (slice){0} : slice_str(service_text(s)),
                                     .text = slice_str(smtp_refusal_text(ev->refused.why)),
                                     .code = (uint32_t)ev->refused.code});
}

static void smtp_event(struct smtp_session *s, const struct smtp_event *ev)
{
    switch (ev->type) {
    case SMTP_EV_HELO:
        if (ev->helo.early)
            edge_tell(s->edge, s->conn,
                      (struct journal_event){.kind = JOURNAL_CONN_OPENED,
                                             .name = slice_str(service_text(s)),
                                             .text = SLICE("it spoke before it was greeted")});
        break;
    case SMTP_EV_STARTTLS:
        s->tls_wanted = true;
        break;
    case SMTP_EV_AUTH:
    case SMTP_EV_AUTH_LINE:
        smtp_on_auth(s, ev);
        break;
    case SMTP_EV_AUTH_CANCEL:
        auth_cancel(&s->auth);
        break;
    case SMTP_EV_MAIL:
        smtp_on_mail(s, ev);
        break;
    case SMTP_EV_RCPT:
        s->owed++;
        message_rcpt(s->message, ev->token, ev->rcpt);
        break;
    case SMTP_EV_BODY_BEGIN:
        smtp_on_body_begin(s, ev);
        break;
    case SMTP_EV_BODY_BYTES:
        message_body_bytes(s->message, ev->bytes);
        break;
    case SMTP_EV_BODY_END:
        smtp_on_body_end(s, ev);
        break;
    case SMTP_EV_RESET:
        message_abandon(s->message, s->refused ? "it was refused" : "the client started over");
        s->refused = false;
        s->message = NULL;
        break;
    case SMTP_EV_REFUSED:
        smtp_on_refused(s, ev);
        break;
    case SMTP_EV_CLOSE:
        s->closing = true;
        break;
    }
}

static void smtp_send(struct smtp_session *s)
{
    slice out = smtp_server_pending(s->core);
    size_t n = out.n ? conn_write(s->conn, out) : 0;
    if (n)
        smtp_server_sent(s->core, n);
}

static void smtp_begin_tls(struct smtp_session *s)
{
    s->tls_wanted = false;
    /* Fails when clear bytes came meanwhile (THREATS 13) or the certificate went away. */
    if (conn_start_tls(s->conn, s->edge->tls[s->conn->service]) != OK)
        conn_kill(s->conn, ERR_TLS);
}

/* Everything that can be done now. */
static void smtp_run(struct smtp_session *s)
{
    struct smtp_event ev;
    time_ms at;
    if (s->running) {
        s->again = true;
        return;
    }
    s->running = true;
    do {
        s->again = false;
        smtp_server_tick(s->core, loop_now(s->edge->loop));
        smtp_server_feed(s->core, s->closing ? (slice){0} : conn_unread(s->conn));
        while (!s->tls_wanted && !s->closing && smtp_server_next(s->core, &ev))
            smtp_event(s, &ev);
        if (!s->closing)
            conn_used(s->conn, smtp_server_used(s->core));
        smtp_server_feed(s->core, (slice){0}); /* what was lent may move now */
        smtp_send(s);
    } while (s->again && !s->tls_wanted && !s->closing);
    s->running = false;
    if (s->tls_wanted) {
        smtp_begin_tls(s);
        return;
    }
    if (s->closing || (s->eof && s->owed == 0)) {
        if (smtp_server_pending(s->core).n == 0)
            conn_close(s->conn); /* else when it has drained */
        return;
    }
    at = smtp_server_deadline(s->core);
    conn_set_deadline(s->conn, at);
}

static void smtp_on_bytes(void *arg, struct conn *c)
{
    (void)c;
    smtp_run(arg);
}

static void smtp_on_drained(void *arg, struct conn *c)
{
    (void)c;
    smtp_run(arg);
}

static void smtp_on_deadline(void *arg, struct conn *c)
{
    (void)c;
    smtp_run(arg);
}

static void smtp_on_tls(void *arg, struct conn *c, enum err e)
{
    struct smtp_session *s = arg;
    if (e == OK) {
        smtp_server_tls_started(s->core);
        smtp_run(s);
        return;
    }
    edge_tell(s->edge, c,
              (struct journal_event){.kind = JOURNAL_TLS_FAILED,
                                     .name = slice_str(service_text(s)),
                                     .text = slice_str(e == ERR_TLS ? tls_trouble(c->tls) : err_text(e))});
}

static void smtp_on_eof(void *arg, struct conn *c)
{
    struct smtp_session *s = arg;
    (void)c;
    s->eof = true;
    smtp_run(s);
}

static void smtp_on_drain(void *arg, struct conn *c)
{
    struct smtp_session *s = arg;
    (void)c;
    smtp_server_drain(s->core);
    smtp_run(s);
}

static void smtp_on_closed(void *arg, struct conn *c, enum err why)
{
    struct smtp_session *s = arg;
    const char *text = why == ERR_TIMEOUT ? "the client took too long" : "the client's connection ended";
    (void)c;
    role_forget(s->edge->role, s);
    message_abandon(s->message, text);
    message_abandon(s->ending, text);
    auth_done(&s->auth);
    smtp_ptr_done(&s->ptr);
    smtp_server_free(&s->core);
    free(s->mail);
    free(s);
}

static const struct conn_protocol smtp_protocol = {
    .name = "smtp",
    .on_bytes = smtp_on_bytes,
    .on_drained = smtp_on_drained,
    .on_tls = smtp_on_tls,
    .on_deadline = smtp_on_deadline,
    .on_eof = smtp_on_eof,
    .on_drain = smtp_on_drain,
    .on_closed = smtp_on_closed,
};

void smtp_session_begin(struct edge *e, struct conn *c)
{
    struct smtp_session *s = calloc(1, sizeof *s);
    must(s);
    s->edge = e;
    s->conn = c;
    s->limits = smtp_server_limits_default;
    s->limits.message_bytes = e->limits.message_bytes;
    s->limits.recipients = e->limits.recipients;
    s->limits.recipients_authed = e->limits.submission_recipients;
    s->config = (struct smtp_server_config){
        .service = c->service == SERVICE_SUBMISSIONS  ? SMTP_SUBMISSIONS
                   : c->service == SERVICE_SUBMISSION ? SMTP_SUBMISSION
                                                      : SMTP_MX,
        .hostname = slice_str(e->hostname),
        .tls_offered = e->tls[c->service] != NULL,
        .tls_on = conn_is_tls(c),
        .plaintext_login = c->plaintext,
        .auth_mechanisms = SLICE(AUTH_MECHANISMS),
        .limits = &s->limits,
    };
    s->core = smtp_server_new(&s->config);
    auth_init(&s->auth, e, c, smtp_auth_outcome, s);
    smtp_server_tick(s->core, loop_now(e->loop));
    conn_set_protocol(c, &smtp_protocol, s);
    if (c->service == SERVICE_SMTP)
        smtp_ptr_begin(&s->ptr, e, &c->ip);
    smtp_server_greet(s->core, NULL);
    smtp_run(s);
}
