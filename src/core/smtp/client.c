#include "core/smtp/client__.h"

#include <stdlib.h>

const struct smtp_client_limits smtp_client_limits_default = {
    .greeting_ms = 5 * MS_MINUTE, /* RFC 5321 §4.5.3.2.1 */
    .hello_ms = 5 * MS_MINUTE,
    .starttls_ms = 2 * MS_MINUTE,
    .mail_ms = 5 * MS_MINUTE,   /* §4.5.3.2.2 */
    .rcpt_ms = 5 * MS_MINUTE,   /* §4.5.3.2.3 */
    .data_ms = 2 * MS_MINUTE,   /* §4.5.3.2.4 */
    .block_ms = 3 * MS_MINUTE,  /* §4.5.3.2.5 */
    .final_ms = 10 * MS_MINUTE, /* §4.5.3.2.6 */
    .quit_ms = 5 * MS_SECOND,   /* nothing depends on the answer */
};

struct smtp_client *smtp_client_new(const struct smtp_client_config *config)
{
    struct smtp_client *c = calloc(1, sizeof *c);
    must(c);
    c->config = *config;
    buf_init(&c->in, (size_t)128 * 1024);
    buf_init(&c->out, SMTP_CLIENT_OUT_MAX);
    smtp_client_reply_init(&c->reply);
    c->phase = PHASE_GREETING;
    c->deadline = INT64_MAX;
    return c;
}

void smtp_client_free(struct smtp_client **c)
{
    if (!*c)
        return;
    buf_done(&(*c)->in);
    buf_done(&(*c)->out);
    smtp_client_reply_done(&(*c)->reply);
    free(*c);
    *c = NULL;
}

static time_ms smtp_client_patience(const struct smtp_client *c)
{
    const struct smtp_client_limits *l = c->config.limits;
    const time_ms ms[PHASE__COUNT] = {
        [PHASE_GREETING] = l->greeting_ms, [PHASE_EHLO] = l->hello_ms, [PHASE_HELO] = l->hello_ms,
        [PHASE_STARTTLS] = l->starttls_ms, [PHASE_RSET] = l->mail_ms,  [PHASE_MAIL] = l->mail_ms,
        [PHASE_RCPT] = l->rcpt_ms,         [PHASE_DATA] = l->data_ms,  [PHASE_BODY] = l->block_ms,
        [PHASE_FINAL] = l->final_ms,       [PHASE_QUIT] = l->quit_ms,
    };
    return ms[c->phase];
}

static void smtp_client_wait(struct smtp_client *c)
{
    time_ms ms = smtp_client_patience(c);
    c->deadline = ms ? c->now + ms : INT64_MAX;
}

void smtp_client__go(struct smtp_client *c, enum smtp_client_phase phase)
{
    c->phase = phase;
    smtp_client_wait(c);
}

/* --- telling recipients */

void smtp_client__tell_all(struct smtp_client *c, struct smtp_client_verdict v)
{
    c->fan = true;
    c->fan_at = 0;
    c->verdict = v;
}

static const char *smtp_client_class_status(enum smtp_client_outcome o)
{
    return o == SMTP_CLIENT_TAKEN ? "2.0.0" : o == SMTP_CLIENT_TEMPORARY ? "4.0.0" : "5.0.0";
}

static enum smtp_client_outcome smtp_client_class(int code)
{
    return code < 300 ? SMTP_CLIENT_TAKEN : code < 500 ? SMTP_CLIENT_TEMPORARY : SMTP_CLIENT_PERMANENT;
}

struct smtp_client_verdict smtp_client__said(const struct smtp_client *c)
{
    enum smtp_client_outcome o = smtp_client_class(c->reply.code);
    return (struct smtp_client_verdict){
        .outcome = o, .status = c->reply.status[0] ? c->reply.status : smtp_client_class_status(o)};
}

void smtp_client__tell(struct smtp_client *c, size_t at, const struct smtp_client_verdict *v,
                       struct smtp_client_event *out)
{
    must(c->rcpt[at] != RCPT_TOLD);
    out->type = SMTP_CLIENT_EV_RCPT;
    out->rcpt.at = at;
    out->rcpt.outcome = v->outcome;
    out->rcpt.code = v->ours ? 0 : c->reply.code;
    out->rcpt.status = v->status;
    out->rcpt.reply = v->ours ? (slice){0} : buf_view(&c->reply.text);
    out->rcpt.reason = v->reason;
    out->rcpt.uncertain = v->ours && c->ended && c->rcpt[at] == RCPT_ACCEPTED;
    out->rcpt.dsn_passed = c->offers & SMTP_CLIENT_DSN;
    if (c->rcpt[at] == RCPT_ACCEPTED)
        c->accepted--;
    c->rcpt[at] = RCPT_TOLD;
    c->told++;
}

static bool smtp_client_fan_next(struct smtp_client *c, struct smtp_client_event *out)
{
    while (c->fan && c->fan_at < c->mail.n) {
        size_t at = c->fan_at++;
        if (c->rcpt[at] == RCPT_TOLD)
            continue;
        smtp_client__tell(c, at, &c->verdict, out);
        return true;
    }
    c->fan = false;
    return false;
}

/* --- the session's end */

void smtp_client__fail(struct smtp_client *c, enum err e, const char *reason, bool reply)
{
    if (c->phase == PHASE_DEAD)
        return;
    if (c->open) {
        struct smtp_client_verdict v = {
            .outcome = SMTP_CLIENT_TEMPORARY, .status = err_smtp_status(e), .reason = reason, .ours = true};
        if (reply)
            v = smtp_client__said(c);
        if (reply && c->reply.code < 400) /* an untimely yes means nothing */
            v = (struct smtp_client_verdict){
                .outcome = SMTP_CLIENT_TEMPORARY, .status = "4.5.0", .reason = reason};
        smtp_client__tell_all(c, v);
    }
    c->failed = e;
    c->failed_reason = reason;
    c->failed_reply = reply;
    buf_clear(&c->out);
    buf_clear(&c->in);
    c->in_seen = 0;
    smtp_client__go(c, PHASE_DEAD);
}

void smtp_client_closed(struct smtp_client *c)
{
    if (c->phase == PHASE_QUIT) {
        c->close_due = true;
        smtp_client__go(c, PHASE_DEAD);
        c->failed_told = true;
    }
    smtp_client__fail(c, ERR_CLOSED, "the other server closed the connection", false);
}

void smtp_client_tick(struct smtp_client *c, time_ms now)
{
    bool first = c->now == 0 && c->phase == PHASE_GREETING;
    c->now = now;
    if (first && c->deadline == INT64_MAX)
        smtp_client_wait(c);
    if (now < c->deadline)
        return;
    if (c->phase == PHASE_QUIT)
        smtp_client_closed(c);
    else
        smtp_client__fail(c, ERR_TIMEOUT, "the other server did not answer in time", false);
}

time_ms smtp_client_deadline(const struct smtp_client *c)
{
    return c->deadline;
}

/* --- commands */

void smtp_client__hello(struct smtp_client *c, bool esmtp)
{
    (void)buf_str(&c->out, esmtp ? "EHLO " : "HELO "); /* small: fits an empty buffer */
    (void)buf_append(&c->out, c->config.hostname);
    (void)buf_str(&c->out, "\r\n");
    smtp_client__go(c, esmtp ? PHASE_EHLO : PHASE_HELO);
}

void smtp_client__put_from(struct smtp_client *c, enum smtp_client_phase phase)
{
    smtp_client__go(c, phase);
    if (phase == PHASE_RSET) {
        (void)buf_str(&c->out, "RSET\r\n");
        if (!c->pipelined)
            return;
        phase = PHASE_MAIL;
    }
    if (phase == PHASE_MAIL) {
        smtp_client_put_mail(&c->out, c->offers, &c->mail);
        if (!c->pipelined)
            return;
        phase = PHASE_RCPT;
    }
    if (phase == PHASE_RCPT) {
        for (size_t i = c->rcpt_at; i < c->mail.n; i++) {
            smtp_client_put_rcpt(&c->out, c->offers, &c->mail.rcpts[i]);
            if (!c->pipelined)
                return;
        }
        phase = PHASE_DATA;
    }
    if (phase == PHASE_DATA)
        (void)buf_str(&c->out, "DATA\r\n");
    must(!buf_failed(&c->out)); /* SMTP_CLIENT_RCPT_MAX commands of bounded size, and nothing else waits */
}

/* What this server cannot carry; NULL when it can. */
static const char *smtp_client_cannot(const struct smtp_client *c, const struct smtp_client_mail *m,
                                      const char **out_status)
{
    if (m->eight_bit && !(c->offers & SMTP_CLIENT_8BITMIME)) {
        *out_status = "5.6.3"; /* RFC 6152 §3, RFC 3463 §3.7 */
        return "the message has 8-bit text and the other server takes 7-bit text only";
    }
    if (m->smtputf8 && !(c->offers & SMTP_CLIENT_SMTPUTF8)) {
        *out_status = "5.6.7"; /* RFC 6531 §3.2 */
        return "the message needs internationalised addresses and the other server does not know them";
    }
    if (m->body_bytes && c->size_max && m->body_bytes > c->size_max) {
        *out_status = "5.3.4"; /* RFC 1870 §6.3 */
        return "the message is larger than the other server allows";
    }
    return NULL;
}

void smtp_client_send(struct smtp_client *c, const struct smtp_client_mail *mail)
{
    const char *status = NULL, *why = smtp_client_cannot(c, mail, &status);
    must(c->phase == PHASE_IDLE && !c->open && mail->n >= 1 && mail->n <= SMTP_CLIENT_RCPT_MAX);
    c->mail = *mail;
    c->open = true;
    c->rcpt_at = c->accepted = c->told = 0;
    memset(c->rcpt, RCPT_OPEN, sizeof c->rcpt);
    smtp_client_lines_init(&c->lines);
    c->ended = false;
    if (why) {
        smtp_client__tell_all(
            c, (struct smtp_client_verdict){
                   .outcome = SMTP_CLIENT_PERMANENT, .status = status, .reason = why, .ours = true});
        c->done_due = true;
        return;
    }
    c->pipelined = c->offers & SMTP_CLIENT_PIPELINING;
    smtp_client__put_from(c, c->dirty ? PHASE_RSET : PHASE_MAIL);
    c->dirty = true; /* until the server has answered the end of data */
}

void smtp_client_quit(struct smtp_client *c)
{
    if (c->phase != PHASE_IDLE || c->open)
        return;
    (void)buf_str(&c->out, "QUIT\r\n");
    smtp_client__go(c, PHASE_QUIT);
}

void smtp_client_tls_started(struct smtp_client *c)
{
    if (c->phase != PHASE_HANDSHAKE)
        return;
    c->tls_on = true;
    c->offers = 0; /* RFC 3207 §4.2: all knowledge from before is discarded */
    c->size_max = 0;
    buf_clear(&c->in);
    c->in_seen = 0;
    smtp_client__hello(c, true);
}

/* --- the body */

size_t smtp_client_body(struct smtp_client *c, slice piece)
{
    size_t room = c->out.n < SMTP_CLIENT_BODY_OUT ? SMTP_CLIENT_BODY_OUT - c->out.n : 0;
    if (c->phase != PHASE_BODY)
        return piece.n; /* it failed meanwhile: the rest has no reader */
    piece = slice_sub(piece, 0, room);
    smtp_client_lines_put(&c->lines, piece, &c->out);
    must(!buf_failed(&c->out));
    return piece.n;
}
static_assert(4 * SMTP_CLIENT_BODY_OUT <= SMTP_CLIENT_OUT_MAX, "a piece always fits");

void smtp_client_body_end(struct smtp_client *c)
{
    if (c->phase != PHASE_BODY)
        return;
    smtp_client_lines_end(&c->lines, &c->out); /* room is left by SMTP_CLIENT_BODY_OUT */
    must(!buf_failed(&c->out));
    c->ended = true;
    smtp_client__go(c, PHASE_FINAL);
}

void smtp_client_feed(struct smtp_client *c, slice bytes)
{
    if (c->phase == PHASE_DEAD || bytes.n == 0)
        return;
    if (c->phase == PHASE_HANDSHAKE) { /* in clear, behind the 220 */
        smtp_client__fail(c, ERR_PEER, "text came behind the reply to STARTTLS: somebody may be between",
                          false);
        return;
    }
    if (buf_append(&c->in, bytes))
        smtp_client__fail(c, ERR_PEER, "the other server sent far too much", false);
}

/* Takes the next line off the input. ERR_MORE: not there yet. */
static enum err smtp_client_line(struct smtp_client *c)
{
    slice in = buf_view(&c->in), line;
    size_t lf = c->in_seen + slice_index(slice_from(in, c->in_seen), '\n');
    enum err e;
    if (lf >= in.n) {
        c->in_seen = in.n;
        return in.n > SMTP_CLIENT_LINE_MAX ? ERR_PEER : ERR_MORE;
    }
    line = slice_sub(in, 0, lf);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (c->reply.whole)
        smtp_client_reply_clear(&c->reply);
    e = smtp_client_reply_line(&c->reply, line);
    buf_consume(&c->in, lf + 1);
    c->in_seen = 0;
    return e == ERR_MORE ? OK : e;
}

static bool smtp_client_flag_event(struct smtp_client *c, struct smtp_client_event *out)
{
    if (c->starttls_due) {
        c->starttls_due = false;
        out->type = SMTP_CLIENT_EV_STARTTLS;
        return true;
    }
    if (c->ready_due && c->phase == PHASE_IDLE) {
        c->ready_due = false;
        out->type = SMTP_CLIENT_EV_READY;
        return true;
    }
    if (c->open && (c->phase == PHASE_DEAD || (c->phase == PHASE_IDLE && c->done_due))) {
        must(c->told == c->mail.n); /* invariant 1 */
        c->open = c->done_due = false;
        out->type = SMTP_CLIENT_EV_DONE;
        out->reusable = c->phase == PHASE_IDLE;
        return true;
    }
    if (c->close_due) {
        c->close_due = false;
        out->type = SMTP_CLIENT_EV_CLOSE;
        return true;
    }
    if (c->phase == PHASE_DEAD && !c->failed_told) {
        c->failed_told = true;
        out->type = SMTP_CLIENT_EV_FAILED;
        out->failed.error = c->failed;
        out->failed.code = c->failed_reply ? c->reply.code : 0;
        out->failed.reply = c->failed_reply ? buf_view(&c->reply.text) : (slice){0};
        out->failed.reason = c->failed_reason;
        return true;
    }
    return false;
}

bool smtp_client_next(struct smtp_client *c, struct smtp_client_event *out)
{
    memset(out, 0, sizeof *out);
    for (;;) {
        enum err e;
        if (smtp_client_fan_next(c, out) || smtp_client_flag_event(c, out))
            return true;
        if (c->phase == PHASE_DEAD || c->phase == PHASE_HANDSHAKE)
            return false;
        if (c->in.n == 0 || (e = smtp_client_line(c)) == ERR_MORE)
            break;
        if (e)
            smtp_client__fail(c, ERR_PEER, "the other server sent something that is no SMTP reply", false);
        else if (c->reply.whole && smtp_client__on_reply(c, out))
            return true;
    }
    if (c->phase == PHASE_BODY && c->out.n < SMTP_CLIENT_BODY_OUT) {
        out->type = SMTP_CLIENT_EV_BODY;
        return true;
    }
    return false;
}

slice smtp_client_pending(const struct smtp_client *c)
{
    return buf_view(&c->out);
}

void smtp_client_sent(struct smtp_client *c, size_t n)
{
    buf_consume(&c->out, n);
    if (n && c->deadline != INT64_MAX)
        smtp_client_wait(c); /* time runs while the server keeps silent or does not read, not while we send */
}

unsigned smtp_client_offers(const struct smtp_client *c)
{
    return c->offers;
}

uint64_t smtp_client_size_max(const struct smtp_client *c)
{
    return c->size_max;
}

bool smtp_client_is_idle(const struct smtp_client *c)
{
    return c->phase == PHASE_IDLE && !c->open && !c->ready_due;
}
