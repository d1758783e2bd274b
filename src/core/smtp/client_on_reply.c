/* What each reply of the other server means, and what comes next. */
#include "core/smtp/client__.h"

static void smtp_client_learn(struct smtp_client *c)
{
    static const struct {
        const char *keyword;
        unsigned bit;
    } known[] = {{"PIPELINING", SMTP_CLIENT_PIPELINING},
                 {"SIZE", SMTP_CLIENT_SIZE},
                 {"8BITMIME", SMTP_CLIENT_8BITMIME},
                 {"SMTPUTF8", SMTP_CLIENT_SMTPUTF8},
                 {"DSN", SMTP_CLIENT_DSN},
                 {"STARTTLS", SMTP_CLIENT_STARTTLS}};
    slice args;
    c->offers = SMTP_CLIENT_ESMTP;
    c->size_max = 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (smtp_client_reply_offers(&c->reply, slice_str(known[i].keyword), &args)) {
            c->offers |= known[i].bit;
            if (known[i].bit == SMTP_CLIENT_SIZE && !slice_u64(slice_trim(args), &c->size_max))
                c->size_max = 0; /* no number, or none that means anything: not said */
        }
    if (!(c->offers &
          SMTP_CLIENT_8BITMIME)) /* RFC 6531 §3.1 asks for both; one without the other is a mistake */
        c->offers &= ~(unsigned)SMTP_CLIENT_SMTPUTF8;
}

static void smtp_client_ready(struct smtp_client *c)
{
    smtp_client__go(c, PHASE_IDLE);
    c->ready_due = true;
}

static void smtp_client_no_tls(struct smtp_client *c, const char *why, bool reply)
{
    if (c->config.tls == SMTP_CLIENT_TLS_MUST)
        smtp_client__fail(c, ERR_TLS, why, reply);
    else
        smtp_client_ready(c);
}

static void smtp_client_on_greeting(struct smtp_client *c)
{
    if (c->reply.code == 220)
        smtp_client__hello(c, true);
    else /* RFC 5321 §3.1: 554 is "no mail here"; another host or time may do better */
        smtp_client__fail(c, ERR_REFUSED, "the other server refused the connection", true);
}

static void smtp_client_on_hello(struct smtp_client *c)
{
    bool ehlo = c->phase == PHASE_EHLO;
    if (c->reply.code / 100 != 2) {
        if (ehlo && c->reply.code / 100 == 5 && !c->tls_on)
            smtp_client__hello(c, false); /* RFC 5321 §3.2 */
        else
            smtp_client__fail(c, ERR_REFUSED, "the other server refused our greeting", true);
        return;
    }
    if (ehlo)
        smtp_client_learn(c);
    if (c->tls_on || c->config.tls == SMTP_CLIENT_TLS_NEVER) {
        smtp_client_ready(c);
    } else if (c->offers & SMTP_CLIENT_STARTTLS) {
        (void)buf_str(&c->out, "STARTTLS\r\n");
        smtp_client__go(c, PHASE_STARTTLS);
    } else {
        smtp_client_no_tls(c, "the other server does not offer TLS", false);
    }
}

static void smtp_client_on_starttls(struct smtp_client *c)
{
    if (c->reply.code != 220) {
        smtp_client_no_tls(c, "the other server refused TLS", true);
    } else if (c->in.n) { /* RFC 3207 §6, THREATS 13 */
        smtp_client__fail(c, ERR_PEER, "text came behind the reply to STARTTLS: somebody may be between",
                          false);
    } else {
        smtp_client__go(c, PHASE_HANDSHAKE);
        c->starttls_due = true;
    }
}

static void smtp_client_done(struct smtp_client *c)
{
    c->done_due = true;
    smtp_client__go(c, PHASE_IDLE);
}

static void smtp_client_on_rset(struct smtp_client *c)
{
    if (c->reply.code / 100 != 2)
        smtp_client__fail(c, ERR_PEER, "the other server refused RSET", true);
    else if (c->pipelined)
        smtp_client__go(c, PHASE_MAIL);
    else
        smtp_client__put_from(c, PHASE_MAIL);
}

static void smtp_client_on_mail(struct smtp_client *c)
{
    if (c->reply.code / 100 == 3) {
        smtp_client__fail(c, ERR_PEER, "the other server answered MAIL with a code that makes no sense",
                          true);
        return;
    }
    if (c->reply.code / 100 != 2)
        smtp_client__tell_all(c, smtp_client__said(c));
    if (c->pipelined)
        smtp_client__go(c, PHASE_RCPT);
    else if (c->reply.code / 100 == 2)
        smtp_client__put_from(c, PHASE_RCPT);
    else
        smtp_client_done(c);
}

/* Gives true when an event came out: the recipient was refused. */
static bool smtp_client_on_rcpt(struct smtp_client *c, struct smtp_client_event *out)
{
    size_t at = c->rcpt_at++;
    bool told = false;
    if (c->reply.code / 100 == 3) {
        smtp_client__fail(c, ERR_PEER, "the other server answered RCPT with a code that makes no sense",
                          true);
        return false;
    }
    if (c->reply.code / 100 == 2 && c->rcpt[at] == RCPT_OPEN) {
        c->rcpt[at] = RCPT_ACCEPTED;
        c->accepted++;
    } else if (c->rcpt[at] == RCPT_OPEN) {
        struct smtp_client_verdict v = smtp_client__said(c);
        if (c->reply.code == 552) { /* "too many recipients", RFC 5321 §4.5.3.1.10 */
            v.outcome = SMTP_CLIENT_TEMPORARY;
            v.status = "4.5.3";
        }
        smtp_client__tell(c, at, &v, out);
        told = true;
    }
    if (c->pipelined)
        smtp_client__go(c, c->rcpt_at < c->mail.n ? PHASE_RCPT : PHASE_DATA);
    else if (c->rcpt_at < c->mail.n)
        smtp_client__put_from(c, PHASE_RCPT);
    else if (c->accepted)
        smtp_client__put_from(c, PHASE_DATA);
    else
        smtp_client_done(c);
    return told;
}

static void smtp_client_on_data(struct smtp_client *c)
{
    if (c->reply.code == 354 && c->accepted) {
        smtp_client__go(c, PHASE_BODY);
    } else if (c->reply.code == 354) { /* nobody to send it to; RFC 2920 §3.1: a lone dot */
        (void)buf_str(&c->out, ".\r\n");
        smtp_client__go(c, PHASE_FINAL);
    } else if (c->reply.code / 100 >= 4) {
        if (c->accepted)
            smtp_client__tell_all(c, smtp_client__said(c));
        smtp_client_done(c);
    } else {
        smtp_client__fail(c, ERR_PEER, "the other server answered DATA with a code that makes no sense",
                          true);
    }
}

static void smtp_client_on_final(struct smtp_client *c)
{
    if (c->reply.code / 100 == 3) {
        smtp_client__fail(c, ERR_PEER,
                          "the other server answered the message with a code that makes no sense", true);
        return;
    }
    if (c->accepted)
        smtp_client__tell_all(c, smtp_client__said(c));
    c->dirty = false;
    smtp_client_done(c);
}

bool smtp_client__on_reply(struct smtp_client *c, struct smtp_client_event *out)
{
    if (c->reply.code == 421 &&
        c->phase != PHASE_QUIT) { /* RFC 5321 §4.2.1: it closes the channel, at any time */
        smtp_client__fail(c, ERR_CLOSED, "the other server ended the session", true);
        return false;
    }
    switch (c->phase) {
    case PHASE_GREETING:
        smtp_client_on_greeting(c);
        return false;
    case PHASE_EHLO:
    case PHASE_HELO:
        smtp_client_on_hello(c);
        return false;
    case PHASE_STARTTLS:
        smtp_client_on_starttls(c);
        return false;
    case PHASE_RSET:
        smtp_client_on_rset(c);
        return false;
    case PHASE_MAIL:
        smtp_client_on_mail(c);
        return false;
    case PHASE_RCPT:
        return smtp_client_on_rcpt(c, out);
    case PHASE_DATA:
        smtp_client_on_data(c);
        return false;
    case PHASE_FINAL:
        smtp_client_on_final(c);
        return false;
    case PHASE_QUIT:
        smtp_client_closed(c);
        return false;
    case PHASE_BODY: /* before its end was said: a refusal, or nonsense */
        smtp_client__fail(c, ERR_PEER, "the other server answered before the message was sent", true);
        return false;
    default:
        smtp_client__fail(c, ERR_PEER, "the other server spoke without being asked", true);
        return false;
    }
}
