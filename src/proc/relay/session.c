#include "proc/relay/session.h"

#include "sys/fd.h"
#include "sys/net.h"

#include <stdio.h>
#include <stdlib.h>

static void session_pump(struct session *s);
static bool session_connect(struct session *s);

/* --- its end */

static void session_close(struct session *s)
{
    loop_io_done(&s->io);
    fd_done(&s->fd);
    smtp_client_free(&s->client);
    tls_free(&s->tls);
    s->connected = s->tls_up = false;
    s->tls_text[0] = 0;
}

static void session_connecting(struct session *s, bool connecting)
{
    if (s->connecting == connecting)
        return;
    s->connecting = connecting;
    s->dest->n_connecting += connecting ? 1u : (size_t)-1;
}

/* o: why, when it ended badly. */
static void session_free(struct session *s, const struct job_outcome *o)
{
    struct dest *d = s->dest;
    must(!s->delivery);
    session_connecting(s, false);
    session_close(s);
    loop_timer_done(&s->timer);
    list_remove(&s->link);
    free(s->rcpts);
    d->n_sessions--;
    d->relay->n_sessions--;
    dest_session_over(d, o); /* o may view s */
    free(s);
}

/* This host did not work out: the next one, or none is left. */
static void session_next_host(struct session *s, enum err e, uint32_t code, slice reply, const char *reason)
{
    struct job_outcome o = {.outcome = SMTP_CLIENT_TEMPORARY,
                            .code = code,
                            .status = err_smtp_status(e),
                            .reason = slice_str(reason),
                            .host = slice_str(s->to.name),
                            .peer = slice_str(s->peer)};
    char text[1024];
    size_t n = size_min(reply.n, sizeof text);
    if (reply.p)
        memcpy(text, reply.p, n); /* it lies in the client, which goes now */
    o.reply = slice_of(text, n);
    session_close(s);
    s->host++;
    if (session_connect(s))
        return;
    session_free(s, &o);
}

/* --- connecting */

static void session_arm(struct session *s)
{
    time_ms at = s->limit;
    if (s->client && smtp_client_deadline(s->client) < at)
        at = smtp_client_deadline(s->client);
    if (s->client && !s->delivery && smtp_client_is_idle(s->client) && s->idle_until < at)
        at = s->idle_until;
    if (at == INT64_MAX || (s->armed <= at && s->armed > loop_now(s->dest->relay->loop)))
        return; /* the timer fires early and is set again: cheaper than moving it each time */
    s->armed = at;
    loop_timer_set(&s->timer, at);
}

static void session_start_client(struct session *s)
{
    s->connected = true;
    s->limit = INT64_MAX;
    s->config = (struct smtp_client_config){
        .hostname = s->dest->relay->hostname,
        .tls = s->to.no_tls || !s->dest->relay->tls ? SMTP_CLIENT_TLS_NEVER : SMTP_CLIENT_TLS_MAY,
        .limits = &smtp_client_limits_default};
    s->client = smtp_client_new(&s->config);
    smtp_client_tick(s->client, loop_now(s->dest->relay->loop));
}

static void session_read(struct session *s);

static void session_ready(void *arg, unsigned ready)
{
    struct session *s = arg;
    if (!s->connected) {
        enum err e = net_connected(s->fd);
        if (e) {
            session_next_host(s, e, 0, (slice){0}, "no connection could be made to the mail host");
            return;
        }
        session_start_client(s);
    }
    smtp_client_tick(s->client, loop_now(s->dest->relay->loop));
    if (ready & LOOP_READ)
        session_read(s);
    session_pump(s);
}

static void session_late(void *arg)
{
    struct session *s = arg;
    time_ms now = loop_now(s->dest->relay->loop);
    s->armed = 0;
    if (s->limit <= now) {
        session_next_host(s, ERR_TIMEOUT, 0, (slice){0},
                          s->connected ? "the TLS handshake took too long" : "the mail host does not answer");
        return;
    }
    if (s->client) {
        smtp_client_tick(s->client, now);
        if (smtp_client_is_idle(s->client) && !s->delivery && s->idle_until <= now)
            smtp_client_quit(s->client);
        session_pump(s);
    } else {
        session_arm(s);
    }
}

/* Starts connecting to the next host that takes a connection at all. */
static bool session_connect(struct session *s)
{
    struct dest *d = s->dest;
    for (; s->host < d->n_hosts; s->host++) {
        char ip[IP_TEXT];
        s->to = d->hosts[s->host];
        ip_print(&s->to.ip, ip);
        if (s->to.name[0] == '[')
            (void)snprintf(s->peer, sizeof s->peer, "[%s]", ip); /* all of it fits */
        else
            (void)snprintf(s->peer, sizeof s->peer, "%s [%s]", s->to.name, ip);
        if (net_connect(&s->to.ip, s->to.port, &s->fd))
            continue;
        if (loop_io_init(d->relay->loop, &s->io, s->fd, LOOP_WRITE, session_ready, s)) {
            fd_done(&s->fd);
            continue;
        }
        session_connecting(s, true);
        s->limit = loop_now(d->relay->loop) + SESSION_CONNECT_MS;
        session_arm(s);
        return true;
    }
    return false;
}

bool session_new(struct dest *d)
{
    struct session *s = calloc(1, sizeof *s);
    must(s);
    s->dest = d;
    s->fd = -1;
    list_init(&s->link);
    list_append(&d->sessions, &s->link);
    d->n_sessions++;
    d->relay->n_sessions++;
    loop_timer_init(d->relay->loop, &s->timer, session_late, s);
    if (session_connect(s))
        return true;
    struct job_outcome o = {.outcome = SMTP_CLIENT_TEMPORARY,
                            .status = "4.4.1",
                            .reason = SLICE("no connection could be made to any of its mail hosts"),
                            .host = slice_str(s->to.name),
                            .peer = slice_str(s->peer)};
    session_free(s, &o);
    return false;
}

/* --- deliveries */

static bool session_has_8bit(slice s)
{
    uint8_t all = 0;
    for (size_t i = 0; i < s.n; i++)
        all |= s.p[i];
    return all & 0x80;
}

static void session_result(struct session *s, const struct smtp_client_event *ev)
{
    struct delivery *v = s->delivery;
    struct job_outcome o = {.outcome = ev->rcpt.outcome,
                            .code = (uint32_t)ev->rcpt.code,
                            .status = ev->rcpt.status,
                            .reply = ev->rcpt.reply,
                            .reason = slice_str(ev->rcpt.reason),
                            .host = slice_str(s->to.name),
                            .peer = slice_str(s->peer),
                            .tls = slice_str(s->tls_text),
                            .dsn_passed = ev->rcpt.dsn_passed};
    must(v); /* results come while a message is under way only */
    /* An idle connection may be closed by its server the moment we use it: that is no attempt (RFC 5321
     * §3.8). */
    if (s->served && v->lost == 0 && o.outcome == SMTP_CLIENT_TEMPORARY && !ev->rcpt.uncertain &&
        (o.code == 0 || o.code == 421)) {
        struct mailbox box = v->boxes[ev->rcpt.at];
        size_t at = v->at[ev->rcpt.at];
        v->boxes[v->again] = box; /* never overtakes: results come in order, save those refused earlier */
        v->at[v->again++] = at;
        return;
    }
    if (ev->rcpt.uncertain)
        o.reason = SLICE("the connection broke after the message was sent; the other server may have it");
    s->any_taken |= o.outcome == SMTP_CLIENT_TAKEN;
    job_result(v->job, v->at[ev->rcpt.at], &o);
}

static void session_done(struct session *s)
{
    struct delivery *v = s->delivery;
    must(v);
    s->delivery = NULL;
    s->served++;
    if (s->any_taken)
        s->dest->failures = 0;
    s->idle_until = loop_now(s->dest->relay->loop) + SESSION_IDLE_MS;
    if (v->again) {
        v->n = v->again;
        v->again = 0;
        v->lost++;
        dest_again(s->dest, v);
    } else {
        delivery_free(&v);
    }
}

static void session_begin(struct session *s, struct delivery *v)
{
    struct job *j = v->job;
    static const struct mailbox null_sender;
    static struct mailbox sender; /* one thread; the client prints it before anything else runs */
    enum err e = job_body(j);
    if (e == OK && j->m.sender.n)
        e = mailbox_parse(j->m.sender, MAILBOX_UTF8, &sender);
    if (e) {
        struct job_outcome o = {.outcome = SMTP_CLIENT_TEMPORARY,
                                .status = "4.3.0",
                                .reason = SLICE("the message cannot be read from the queue"),
                                .host = s->dest->relay->hostname};
        for (size_t i = 0; i < v->n; i++)
            job_result(j, v->at[i], &o);
        delivery_free(&v);
        return;
    }
    s->delivery = v;
    s->any_taken = false;
    s->body_at = 0;
    free(s->rcpts);
    s->rcpts = calloc(v->n, sizeof *s->rcpts);
    must(s->rcpts);
    for (size_t i = 0; i < v->n; i++) {
        const struct queue_rcpt *q = &j->rcpts[v->at[i]].q;
        s->rcpts[i] =
            (struct smtp_client_rcpt){.recipient = &v->boxes[i], .notify = q->notify, .orcpt = q->orcpt};
    }
    s->mail = (struct smtp_client_mail){.sender = j->m.sender.n ? &sender : &null_sender,
                                        .body_bytes = j->m.prefix.n + j->bytes.n,
                                        .smtputf8 = j->m.smtputf8,
                                        .ret = (enum smtp_ret)j->m.ret,
                                        .envid = j->m.envid,
                                        .rcpts = s->rcpts,
                                        .n = v->n};
    /* Declared or not: what matters is whether there is any, when the server takes 7-bit text only. */
    s->mail.eight_bit =
        smtp_client_offers(s->client) & SMTP_CLIENT_8BITMIME ? j->m.eight_bit : session_has_8bit(j->bytes);
    smtp_client_send(s->client, &s->mail);
}

static void session_body(struct session *s)
{
    const struct job *j;
    must(s->delivery); /* the core asks for the body of a message it was given */
    j = s->delivery->job;
    size_t prefix = j->m.prefix.n;
    if (s->body_at < prefix)
        s->body_at += smtp_client_body(s->client, slice_from(j->m.prefix, s->body_at));
    else if (s->body_at < prefix + j->bytes.n)
        s->body_at += smtp_client_body(s->client, slice_from(j->bytes, s->body_at - prefix));
    else
        smtp_client_body_end(s->client);
}

/* --- TLS */

static void session_tls_trouble(struct session *s, const char *why)
{
    struct journal_event e = {.kind = JOURNAL_TLS_FAILED,
                              .peer = slice_str(s->peer),
                              .name = SLICE("smtp"),
                              .text = slice_str(why)};
    role_tell(s->dest->relay->role, e);
    if (s->host < s->dest->n_hosts && !s->to.no_tls &&
        ip_eq(&s->dest->hosts[s->host].ip,
              &s->to.ip)) { /* opportunistic: the same host again, in clear (RFC 7435) */
        s->dest->hosts[s->host].no_tls = true;
        s->host--;
    }
    session_next_host(s, ERR_TLS, 0, (slice){0}, "TLS failed");
}

static void session_tls_facts(struct session *s)
{
    struct tls_facts f;
    tls_facts(s->tls, &f);
    (void)snprintf(s->tls_text, sizeof s->tls_text, "%s %s, %s", f.version, f.cipher,
                   f.verified ? "verified" : "not verified"); /* fits */
}

/* False: the session is gone. */
static bool session_handshake(struct session *s)
{
    enum err e = tls_handshake(s->tls);
    if (e == OK) {
        s->tls_up = true;
        s->limit = INT64_MAX;
        session_tls_facts(s);
        smtp_client_tls_started(s->client);
    } else if (e != ERR_AGAIN) {
        session_tls_trouble(s, tls_trouble(s->tls));
        return false;
    }
    return true;
}

static bool session_starttls(struct session *s)
{
    slice name = s->to.name[0] == '[' ? (slice){0} : slice_str(s->to.name);
    if (tls_connect(s->dest->relay->tls, name, (slice){0}, TLS_VERIFY_RECORD, &s->tls)) {
        session_tls_trouble(s, "TLS could not be set up here");
        return false;
    }
    s->limit = loop_now(s->dest->relay->loop) + SESSION_TLS_MS;
    return session_handshake(s);
}

/* --- bytes */

static void session_plain(struct session *s)
{
    static uint8_t room[16384];
    size_t n;
    enum err e;
    while ((e = tls_read(s->tls, room, sizeof room, &n)) == OK)
        smtp_client_feed(s->client, slice_of(room, n));
    if (e != ERR_AGAIN)
        smtp_client_closed(s->client);
}

static void session_read(struct session *s)
{
    static uint8_t room[16384];
    for (int i = 0; i < 8; i++) { /* then others have their chance; the loop is level-triggered */
        size_t n, cap = s->tls ? size_min(sizeof room, tls_room(s->tls)) : sizeof room;
        enum err e = net_read(s->fd, room, cap, &n);
        if (e == ERR_AGAIN)
            return;
        if (e) {
            if (s->tls && !s->tls_up)
                s->over = true; /* the handshake is told by session_pump() */
            else
                smtp_client_closed(s->client);
            return;
        }
        if (!s->tls) {
            smtp_client_feed(s->client, slice_of(room, n));
        } else if (tls_feed(s->tls, slice_of(room, n))) {
            smtp_client_closed(s->client);
            return;
        } else if (s->tls_up) {
            session_plain(s);
        } else {
            return; /* session_pump() goes on with the handshake */
        }
        if (n < cap)
            return;
    }
}

/* Moves what the client says towards the socket. True when something moved. */
static bool session_write(struct session *s)
{
    slice out = smtp_client_pending(s->client);
    size_t n = 0;
    bool moved = false;
    enum err e;
    if (s->tls) {
        if (s->tls_up && out.n && tls_write(s->tls, out, &n) == OK && n) {
            smtp_client_sent(s->client, n);
            moved = true;
        }
        out = tls_pending(s->tls);
    }
    if (out.n == 0)
        return moved;
    e = net_write(s->fd, out, &n);
    if (e == ERR_AGAIN)
        return moved;
    if (e) {
        if (s->tls && !s->tls_up)
            s->over = true;
        else
            smtp_client_closed(s->client);
        return true;
    }
    if (s->tls)
        tls_sent(s->tls, n);
    else
        smtp_client_sent(s->client, n);
    return n > 0 || moved;
}

/* --- what the client says */

/* False: the session is gone. */
static bool session_event(struct session *s, const struct smtp_client_event *ev)
{
    switch (ev->type) {
    case SMTP_CLIENT_EV_STARTTLS:
        return session_starttls(s);
    case SMTP_CLIENT_EV_READY:
        session_connecting(s, false);
        s->idle_until = loop_now(s->dest->relay->loop) + SESSION_IDLE_MS;
        return true;
    case SMTP_CLIENT_EV_BODY:
        session_body(s);
        return true;
    case SMTP_CLIENT_EV_RCPT:
        session_result(s, ev);
        return true;
    case SMTP_CLIENT_EV_DONE:
        session_done(s);
        return true;
    case SMTP_CLIENT_EV_CLOSE:
        session_free(s, NULL);
        return false;
    case SMTP_CLIENT_EV_FAILED:
        break;
    }
    if (s->connecting) {
        session_next_host(s, ev->failed.error, (uint32_t)ev->failed.code, ev->failed.reply,
                          ev->failed.reason);
        return false;
    }
    const struct job_outcome o = {.outcome = SMTP_CLIENT_TEMPORARY,
                                  .code = (uint32_t)ev->failed.code,
                                  .status = err_smtp_status(ev->failed.error),
                                  .reply = ev->failed.reply,
                                  .reason = slice_str(ev->failed.reason),
                                  .host = slice_str(s->to.name),
                                  .peer = slice_str(s->peer)};
    char text[1024]; /* the reply lies in the client */
    struct job_outcome kept = o;
    size_t n = size_min(o.reply.n, sizeof text);
    if (n)
        memcpy(text, o.reply.p, n);
    kept.reply = slice_of(text, n);
    session_free(s, s->served ? NULL : &kept);
    return false;
}

static bool session_want_next(struct session *s)
{
    struct delivery *v;
    if (s->delivery || !smtp_client_is_idle(s->client))
        return false;
    if (s->served >= SESSION_MESSAGES_MAX || s->dest->relay->role->draining) {
        smtp_client_quit(s->client);
        return true;
    }
    v = dest_next(s->dest);
    if (!v)
        return false;
    session_begin(s, v);
    return true;
}

/* Everything that can be done now, until nothing moves. */
static void session_pump(struct session *s)
{
    struct smtp_client_event ev;
    if (s->pumping || !s->client)
        return;
    s->pumping = true;
    for (bool moved = true; moved;) {
        if (s->tls && !s->tls_up && !s->over) {
            s->pumping = false; /* when it ends here, the session may begin anew */
            if (!session_handshake(s))
                return;
            s->pumping = true;
        }
        while (smtp_client_next(s->client, &ev)) {
            s->pumping = ev.type != SMTP_CLIENT_EV_STARTTLS && ev.type != SMTP_CLIENT_EV_FAILED;
            if (!session_event(s, &ev))
                return;
            s->pumping = true;
        }
        moved = session_want_next(s);
        moved |= session_write(s);
        if (s->over) {
            s->pumping = s->over = false;
            session_tls_trouble(s, "the other server closed the connection during the handshake");
            return;
        }
    }
    s->pumping = false;
    loop_io_set(&s->io,
                LOOP_READ |
                    (smtp_client_pending(s->client).n || (s->tls && tls_pending(s->tls).n) ? LOOP_WRITE : 0));
    session_arm(s);
}

void session_go(struct session *s)
{
    if (s->client && !s->connecting && !s->delivery)
        session_pump(s);
}

void session_drain(struct session *s)
{
    if (!s->client || s->connecting) {
        const struct job_outcome o = {.outcome = SMTP_CLIENT_TEMPORARY,
                                      .status = "4.3.2",
                                      .reason = SLICE("this server is being stopped"),
                                      .soon = true};
        session_free(s, &o);
        return;
    }
    session_go(s);
}
