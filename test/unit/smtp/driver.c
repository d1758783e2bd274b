#include "unit/smtp/driver.h"

#include <stdio.h>

static void say(struct driver *d, const char *what)
{
    (void)buf_str(&d->log, what);
}

/* As the wire tests write bytes: printable as they are, others escaped. */
static void say_bytes(struct driver *d, slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '\r')
            say(d, "\\r");
        else if (c == '\n')
            say(d, "\\n");
        else if (c == '\\')
            say(d, "\\\\");
        else if (c >= ' ' && c <= '~')
            (void)buf_byte(&d->log, c);
        else
            (void)buf_print(&d->log, "\\x%02X", c);
    }
}

void driver_init(struct driver *d, const struct smtp_server_config *config, enum driver_answers answers)
{
    *d = (struct driver){.answers = answers};
    buf_init(&d->in, 1u << 24);
    buf_init(&d->out, 1u << 24);
    buf_init(&d->log, 1u << 24);
    buf_init(&d->body, 1u << 24);
    d->s = smtp_server_new(config);
    smtp_server_tick(d->s, 1000);
}

void driver_done(struct driver *d)
{
    smtp_server_free(&d->s);
    buf_done(&d->in);
    buf_done(&d->out);
    buf_done(&d->log);
    buf_done(&d->body);
}

static void answer(struct driver *d, uint32_t token, int code, const char *status, slice text)
{
    struct smtp_answer a = {code, status, text};
    must(token != 0);
    if (d->answers == DRIVER_AT_ONCE) {
        smtp_server_answer(d->s, token, &a);
        return;
    }
    must(d->questions_n < ARRAY_LEN(d->questions));
    d->questions[d->questions_n++] = (struct driver_question){token, a};
    if (d->questions_n > d->most_asked)
        d->most_asked = (unsigned)d->questions_n;
}

static void on_mail(struct driver *d, const struct smtp_event *e)
{
    slice local = mailbox_local(&e->mail->sender);
    must(!d->in_txn); /* THREATS 4: a transaction begins only when the last one ended */
    say(d, "MAIL <");
    (void)mailbox_print(&e->mail->sender, &d->log);
    say(d, ">");
    if (e->mail->declared_bytes)
        (void)buf_print(&d->log, " size=%llu", (unsigned long long)e->mail->declared_bytes);
    say(d, e->mail->eight_bit ? " 8bit" : "");
    say(d, e->mail->smtputf8 ? " utf8" : "");
    say(d, e->mail->ret == SMTP_RET_FULL ? " ret=full" : e->mail->ret == SMTP_RET_HDRS ? " ret=hdrs" : "");
    if (e->mail->envid.n)
        (void)buf_print(&d->log, " envid=%.*s", SLICE_FMT(e->mail->envid));
    say(d, "\n");
    d->txn_rcpts = 0;
    if (slice_eq_nocase(local, SLICE("refused"))) {
        answer(d, e->token, 550, "5.7.1", SLICE("Not from you"));
    } else if (slice_eq_nocase(local, SLICE("later"))) {
        answer(d, e->token, 451, "4.7.1", SLICE("Not now"));
    } else {
        d->in_txn = true;
        answer(d, e->token, 250, "2.1.0", SLICE("Sender fine"));
    }
}

static void on_rcpt(struct driver *d, const struct smtp_event *e)
{
    slice local = mailbox_local(&e->rcpt->recipient);
    must(d->in_txn && !d->in_body);
    say(d, "RCPT <");
    (void)mailbox_print(&e->rcpt->recipient, &d->log);
    say(d, ">");
    if (e->rcpt->notify)
        (void)buf_print(&d->log, " notify=%u", e->rcpt->notify);
    if (e->rcpt->orcpt.n) {
        say(d, " orcpt=");
        say_bytes(d, e->rcpt->orcpt);
    }
    say(d, "\n");
    if (slice_eq_nocase(local, SLICE("unknown"))) {
        answer(d, e->token, 550, "5.1.1", SLICE("No such mailbox"));
    } else if (slice_eq_nocase(local, SLICE("full"))) {
        answer(d, e->token, 452, "4.2.2", SLICE("The mailbox is full"));
    } else if (slice_eq_nocase(local, SLICE("later"))) {
        answer(d, e->token, 451, "4.3.0", SLICE("Not now"));
    } else {
        d->txn_rcpts++;
        answer(d, e->token, 250, "2.1.5", SLICE("Recipient fine"));
    }
}

static void on_auth(struct driver *d, const struct smtp_event *e)
{
    if (e->type == SMTP_EV_AUTH)
        (void)buf_print(&d->log, "AUTH %.*s%s%.*s\n", SLICE_FMT(e->auth.mechanism),
                        e->auth.has_response ? " =" : "", SLICE_FMT(e->auth.response));
    else
        (void)buf_print(&d->log, "AUTH-LINE %.*s\n", SLICE_FMT(e->auth.response));
    if (slice_eq(e->auth.response, SLICE("Z29vZA==")))
        answer(d, e->token, 235, "2.7.0", SLICE("Welcome"));
    else if (slice_eq(e->auth.response, SLICE("YmFk")))
        answer(d, e->token, 535, "5.7.8", SLICE("The name or the password is wrong"));
    else
        smtp_server_challenge(d->s, e->token, SLICE("Y2hhbGxlbmdl"));
}

static void on_body_end(struct driver *d, const struct smtp_event *e)
{
    must(d->in_body && d->txn_rcpts > 0 && e->body_bytes == d->body.n);
    say(d, "MESSAGE ");
    say_bytes(d, buf_view(&d->body));
    say(d, "\n");
    d->in_txn = d->in_body = false;
    if (slice_find(buf_view(&d->body), SLICE("REJECT")) < d->body.n) {
        answer(d, e->token, 550, "5.7.1", SLICE("That is not welcome"));
    } else if (slice_find(buf_view(&d->body), SLICE("DEFER")) < d->body.n) {
        answer(d, e->token, 451, "4.3.0", SLICE("Not now"));
    } else {
        d->accepted++;
        answer(d, e->token, 250, "2.0.0", SLICE("Kept"));
    }
}

static void on_body_begin(struct driver *d, const struct smtp_event *e)
{
    must(d->in_txn && !d->in_body && d->txn_rcpts > 0);
    buf_clear(&d->body);
    if (d->no_room) {
        say(d, "BODY-REFUSED\n");
        d->in_txn = false;
        answer(d, e->token, 452, "4.3.1", SLICE("No room"));
        return;
    }
    d->in_body = true;
    answer(d, e->token, 250, NULL, (slice){0});
}

static void handle(struct driver *d, const struct smtp_event *e)
{
    must(!d->closed);
    switch (e->type) {
    case SMTP_EV_HELO:
        (void)buf_print(&d->log, "HELO %.*s%s%s\n", SLICE_FMT(e->helo.name), e->helo.esmtp ? " esmtp" : "",
                        e->helo.early ? " early" : "");
        break;
    case SMTP_EV_STARTTLS:
        say(d, "STARTTLS\n");
        d->tls_wanted = true;
        break;
    case SMTP_EV_AUTH:
    case SMTP_EV_AUTH_LINE:
        on_auth(d, e);
        break;
    case SMTP_EV_AUTH_CANCEL:
        say(d, "AUTH-CANCEL\n");
        break;
    case SMTP_EV_MAIL:
        on_mail(d, e);
        break;
    case SMTP_EV_RCPT:
        on_rcpt(d, e);
        break;
    case SMTP_EV_BODY_BEGIN:
        on_body_begin(d, e);
        break;
    case SMTP_EV_BODY_BYTES:
        must(d->in_body && e->bytes.n);
        must(buf_append(&d->body, e->bytes) == OK);
        break;
    case SMTP_EV_BODY_END:
        on_body_end(d, e);
        break;
    case SMTP_EV_RESET:
        must(d->in_txn);
        d->in_txn = d->in_body = false;
        say(d, "RESET\n");
        break;
    case SMTP_EV_REFUSED:
        (void)buf_print(&d->log, "REFUSED %d %s\n", e->refused.code, smtp_refusal_text(e->refused.why));
        break;
    case SMTP_EV_CLOSE:
        must(!d->in_txn);
        say(d, e->quit ? "CLOSE quit\n" : "CLOSE\n");
        d->closed = true;
        break;
    }
}

static void take_replies(struct driver *d)
{
    slice pending = smtp_server_pending(d->s);
    if (d->drained)
        return;
    must(buf_append(&d->out, pending) == OK);
    smtp_server_sent(d->s, pending.n);
}

void driver_feed(struct driver *d, slice bytes)
{
    bool more = true;
    must(buf_append(&d->in, bytes) == OK);
    while (more) {
        struct smtp_event e;
        smtp_server_feed(d->s, buf_view(&d->in));
        while (smtp_server_next(d->s, &e)) {
            handle(d, &e);
            if (d->tls_wanted)
                break; /* what is left is for TLS */
        }
        take_replies(d);
        buf_consume(&d->in, smtp_server_used(d->s));
        more = false;
        if (d->questions_n) {
            struct driver_question q;
            if (d->answers == DRIVER_BACKWARDS) {
                q = d->questions[--d->questions_n];
            } else {
                q = d->questions[0];
                memmove(d->questions, d->questions + 1, --d->questions_n * sizeof q);
            }
            smtp_server_answer(d->s, q.token, &q.answer);
            more = true;
        }
    }
}

void driver_tick(struct driver *d, time_ms now)
{
    smtp_server_tick(d->s, now);
    driver_feed(d, (slice){0});
}

void driver_tls_started(struct driver *d)
{
    d->tls_wanted = false;
    smtp_server_tls_started(d->s);
}
