/* RCPT (RFC 5321 §4.1.1.3). Several may be asked ahead; their replies keep their order (RFC 2920 §3.2). */
#include "core/smtp/server__.h"

#define RCPTS_SEEN 10 /* RCPT commands of one message, as a multiple of the recipients it may have */

static void refuse_recipient(struct smtp_server *s, enum smtp_envelope_result r)
{
    switch (r) {
    case SMTP_ENVELOPE_NO_KEYWORD:
        SMTP__REFUSE(s, 501, "5.5.4", "Write RCPT TO:<address>");
        return;
    case SMTP_ENVELOPE_PARAM:
        SMTP__REFUSE(s, 501, "5.5.4", "A parameter of RCPT has a wrong value, or came twice");
        return;
    case SMTP_ENVELOPE_UNKNOWN: /* RFC 5321 §4.1.1.11 */
        SMTP__REFUSE(s, 555, "5.5.4", "A parameter of RCPT is not known here");
        return;
    case SMTP_ENVELOPE_PATH_8BIT: /* RFC 6531 §3.5 */
        smtp__note_refusal(s, SMTP_REFUSED_ADDRESS, 553);
        SMTP__REFUSE(s, 553, "5.6.7", "An address with letters beyond ASCII needs SMTPUTF8 in MAIL");
        return;
    case SMTP_ENVELOPE_NO_DOMAIN:
        smtp__note_refusal(s, SMTP_REFUSED_ADDRESS, 550);
        SMTP__REFUSE(s, 550, "5.1.2", "The recipient's address needs a full domain, as in name@example.org");
        return;
    case SMTP_ENVELOPE_PATH:
    case SMTP_ENVELOPE_OK:
    case SMTP_ENVELOPE__COUNT:
        smtp__note_refusal(s, SMTP_REFUSED_ADDRESS, 501);
        SMTP__REFUSE(s, 501, "5.1.3", "The recipient's address is not written as RCPT TO:<name@example.org>");
        return;
    }
}

/* Over the limit: 452, so that the rest comes in another transaction (RFC 5321 §4.5.3.1.10). That is no
 * error: a client may have sent all its RCPTs at once. One that does not stop is sent away. */
static void too_many(struct smtp_server *s, uint32_t max, bool first)
{
    if (s->txn.rcpts_seen / RCPTS_SEEN > max) {
        smtp__end(s, SMTP_REFUSED_TOO_MANY, 421, "4.7.0", SLICE("Too many recipients. Closing."));
        return;
    }
    if (first) /* told once a message */
        smtp__note_refusal(s, SMTP_REFUSED_TOO_MANY, 452);
    SMTP__SAY(s, 452, "4.5.3", "That is all the recipients one message may have here");
}

void smtp__rcpt(struct smtp_server *s, slice args)
{
    const struct smtp_server_limits *l = s->config.limits;
    uint32_t max = s->authed ? l->recipients_authed : l->recipients;
    struct smtp_slot *slot;
    struct smtp_event *e;
    enum smtp_envelope_result r;
    if (!s->txn.active || s->txn.chunked) {
        smtp__refuse(s, 503, "5.5.1",
                     s->txn.active ? SLICE("The message has begun") : SLICE("MAIL comes first"));
        return;
    }
    r = smtp_rcpt_parse(args, s->txn.smtputf8, &s->args.rcpt);
    if (r != SMTP_ENVELOPE_OK) {
        refuse_recipient(s, r);
        return;
    }
    s->txn.rcpts_seen++;
    if (s->txn.rcpts_ok + s->txn.rcpts_asked >= max || s->txn.rcpts_seen / RCPTS_SEEN > max) {
        too_many(s, max, !s->txn.rcpts_over);
        s->txn.rcpts_over = true;
        return;
    }
    slot = smtp__slot_add(s);
    must(slot); /* command_advance() saw that there is room */
    e = smtp__event(s, SMTP_EV_RCPT);
    e->token = slot->token = smtp__token(s);
    e->rcpt = &s->args.rcpt;
    s->txn.rcpts_asked++;
}

void smtp__rcpt_answer(struct smtp_server *s, struct smtp_slot *slot, const struct smtp_answer *a)
{
    const struct smtp_server_limits *l = s->config.limits;
    must(s->txn.rcpts_asked > 0);
    s->txn.rcpts_asked--;
    slot->ready = true;
    smtp__print_reply(&slot->reply, a->code, a->status, a->text);
    if (a->code < 300) {
        s->txn.rcpts_ok++;
    } else if (a->code >= 500) {
        if (++s->refused_rcpts > l->slow_after && l->slow_ms) { /* THREATS 32: guessing names is slow */
            s->slow_until = (s->slow_until > s->now ? s->slow_until : s->now) + l->slow_ms;
            slot->not_before = s->slow_until;
        }
        if (++s->errors >= l->errors)
            smtp__end(s, SMTP_REFUSED_ERRORS, 421, "4.7.0", SLICE("Too many refused commands. Closing."));
    }
    smtp__slots_flush(s);
}
