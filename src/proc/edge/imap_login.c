/* imap_login: the shell around core/imap/login.h: moves its bytes, looks its questions up with auth.c, and
 * when somebody is known has accounts open the account and hands the connection over to carry.c.
 *
 * Way of a login: PASSWORD or SASL -> auth -> ticket -> accounts OPEN -> ACCEPTED to the core -> DONE ->
 * carry. What the client sends meanwhile waits, in the core or in the connection, and is carried first, in
 * order. */
#include "ipc/x_accounts.h"
#include "proc/edge/auth.h"
#include "proc/edge/carry.h"
#include "proc/edge/conn.h"
#include "sys/fd.h"

#include "core/imap/login.h"

#include <stdlib.h>

#define OPEN_MS (20 * MS_SECOND)

struct imap_session {
    struct edge *edge;
    struct conn *conn;
    struct imap_login core;
    struct imap_login_config config;
    struct auth auth;
    int account_fd; /* while the core says its last word */
    bool opening;   /* accounts was asked */
    bool closing;
    bool eof; /* the client sends no more, but may wait for an answer */
};

static void imap_run(struct imap_session *s);

static void imap_answer(struct imap_session *s, enum imap_login_answer answer, slice data)
{
    if (imap_login_answer(&s->core, answer, data) != OK)
        fd_done(&s->account_fd); /* the client took too long and was told so meanwhile */
    conn_again(s->conn);         /* what waited in the connection may go on */
    imap_run(s);
}

static void imap_opened(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct imap_session *s = arg;
    const struct session_opened *r = message;
    s->opening = false;
    if (e == OK)
        e = err_from_wire(r->err);
    if (e == OK && n_fds == 1) {
        s->account_fd = fd_take(&fds[0]);
        imap_answer(s, IMAP_LOGIN_ACCEPTED, (slice){0});
    } else {
        imap_answer(s, e == ERR_SUSPENDED ? IMAP_LOGIN_SUSPENDED : IMAP_LOGIN_UNAVAILABLE, (slice){0});
    }
}

static void imap_open(struct imap_session *s, const struct auth_outcome *o)
{
    struct imap_login_handover h;
    imap_login_handover(&s->core, &h);
    struct session_open ask = {.ticket = o->ticket,
                               .account = o->account,
                               .service = (uint8_t)s->conn->service,
                               .connection = s->conn->id,
                               .client_ip = ip_slice(&s->conn->ip),
                               .tls = conn_is_tls(s->conn),
                               .address = o->address,
                               .tag = h.tag,
                               .capability = true};
    if (role_call(s->edge->role, ROLE_ACCOUNTS, X_ACCOUNTS_OPEN, &ask, NULL, 0, OPEN_MS, imap_opened, s) ==
        OK)
        s->opening = true;
    else
        imap_answer(s, IMAP_LOGIN_UNAVAILABLE, (slice){0});
}

static void imap_auth_outcome(void *arg, const struct auth_outcome *o)
{
    struct imap_session *s = arg;
    switch (o->step) {
    case AUTH_CHALLENGE:
        imap_answer(s, IMAP_LOGIN_CHALLENGE, o->data);
        break;
    case AUTH_ACCEPTED:
        imap_open(s, o);
        break;
    case AUTH_SUSPENDED:
        imap_answer(s, IMAP_LOGIN_SUSPENDED, (slice){0});
        break;
    case AUTH_LIMITED:
        imap_answer(s, IMAP_LOGIN_LIMITED, (slice){0});
        break;
    case AUTH_UNAVAILABLE:
        imap_answer(s, IMAP_LOGIN_UNAVAILABLE, (slice){0});
        break;
    case AUTH_DENIED:
    case AUTH_MALFORMED:
    case AUTH_UNKNOWN:
        imap_answer(s, IMAP_LOGIN_DENIED, (slice){0});
        break;
    }
}

static void imap_free(struct imap_session *s)
{
    role_forget(s->edge->role, s);
    auth_done(&s->auth);
    imap_login_done(&s->core);
    fd_done(&s->account_fd);
    free(s);
}

/* The account's process answers the login itself; from here on we carry. */
static void imap_hand_over(struct imap_session *s)
{
    struct imap_login_handover h;
    edge_known(s->edge, s->conn);
    imap_login_handover(&s->core, &h);
    carry_begin(s->edge, s->conn, fd_take(&s->account_fd), h.leftover);
    imap_free(s);
}

static void imap_send(struct imap_session *s)
{
    slice out = imap_login_pending(&s->core);
    size_t n = out.n ? conn_write(s->conn, out) : 0;
    if (n)
        imap_login_sent(&s->core, n);
}

static void imap_refused(struct imap_session *s, const char *reason)
{
    edge_tell(s->edge, s->conn,
              (struct journal_event){.kind = JOURNAL_CONN_CLOSED,
                                     .name = slice_str(service_name(s->conn->service)),
                                     .text = slice_str(reason)});
}

/* One event; true when there may be more. */
static bool imap_event(struct imap_session *s, const struct imap_login_event *ev)
{
    switch (ev->type) {
    case IMAP_LOGIN_MORE:
        return false;
    case IMAP_LOGIN_PASSWORD:
        auth_password(&s->auth, ev->user, ev->password);
        return true;
    case IMAP_LOGIN_SASL:
        auth_start(&s->auth, ev->mechanism, ev->has_initial, ev->data);
        return true;
    case IMAP_LOGIN_SASL_DATA:
        auth_continue(&s->auth, ev->data);
        return true;
    case IMAP_LOGIN_CANCELLED:
        auth_cancel(&s->auth);
        return true;
    case IMAP_LOGIN_DONE:
        return false; /* imap_run sees to it, after pending() has left */
    case IMAP_LOGIN_CLOSE:
        if (ev->reason)
            imap_refused(s, ev->reason);
        s->closing = true;
        return false;
    }
    return false;
}

static void imap_run(struct imap_session *s)
{
    struct imap_login_event ev;
    do
        imap_login_next(&s->core, &ev);
    while (imap_event(s, &ev));
    imap_send(s);
    bool busy = s->auth.x || s->opening || s->account_fd >= 0;
    if (s->closing || (s->eof && !busy)) {
        conn_close(s->conn);
    } else if (s->account_fd >= 0) {
        imap_hand_over(s); /* s is gone */
        return;
    } else {
        conn_set_deadline(s->conn, imap_login_deadline(&s->core));
    }
}

static void imap_on_bytes(void *arg, struct conn *c)
{
    struct imap_session *s = arg;
    if (s->closing)
        return;
    imap_login_tick(&s->core, loop_now(s->edge->loop));
    for (;;) {
        slice unread = conn_unread(c);
        size_t n = unread.n ? imap_login_feed(&s->core, unread) : 0;
        conn_used(c, n);
        imap_run(s);
        if (n == 0 || c->closing || c->arg != s)
            return;
    }
}

static void imap_on_drained(void *arg, struct conn *c)
{
    (void)c;
    imap_run(arg);
}

static void imap_on_deadline(void *arg, struct conn *c)
{
    struct imap_session *s = arg;
    (void)c;
    imap_login_tick(&s->core, loop_now(s->edge->loop));
    imap_run(s);
}

static void imap_on_eof(void *arg, struct conn *c)
{
    struct imap_session *s = arg;
    (void)c;
    s->eof = true;
    imap_run(s);
}

static void imap_on_drain(void *arg, struct conn *c)
{
    struct imap_session *s = arg;
    (void)c;
    imap_login_shutdown(&s->core, "This server is restarting; please connect again in a moment");
    imap_run(s);
}

static void imap_on_closed(void *arg, struct conn *c, enum err why)
{
    (void)c, (void)why;
    imap_free(arg);
}

static const struct conn_protocol imap_protocol = {
    .name = "imap",
    .on_bytes = imap_on_bytes,
    .on_drained = imap_on_drained,
    .on_deadline = imap_on_deadline,
    .on_eof = imap_on_eof,
    .on_drain = imap_on_drain,
    .on_closed = imap_on_closed,
};

void imap_session_begin(struct edge *e, struct conn *c)
{
    struct imap_session *s = calloc(1, sizeof(*s));
    must(s);
    s->edge = e;
    s->conn = c;
    s->account_fd = -1;
    s->config = (struct imap_login_config){
        .login_allowed = conn_is_tls(c) || c->plaintext, .scram = true, .hostname = e->hostname};
    auth_init(&s->auth, e, c, imap_auth_outcome, s);
    imap_login_init(&s->core, &imap_login_limits_default, &s->config);
    imap_login_tick(&s->core, loop_now(e->loop));
    conn_set_protocol(c, &imap_protocol, s);
    imap_run(s);
}
