/* MAIL (RFC 5321 §4.1.1.2): the only place where a transaction begins. */
#include "core/smtp/server__.h"

static bool may_begin(struct smtp_server *s)
{
    if (s->helo_n == 0)
        SMTP__REFUSE(s, 503, "5.5.1", "Say EHLO first");
    else if (s->txn.active) /* RFC 5321 §4.1.4 */
        SMTP__REFUSE(s, 503, "5.5.1", "A message is under way; RSET would drop it");
    else if (smtp__is_submission(s) && !s->tls && !s->config.plaintext_login)
        SMTP__REFUSE(s, 530, "5.7.0", "Say STARTTLS first, or use port 465"); /* RFC 3207 §4 */
    else if (smtp__is_submission(s) && !s->authed)
        SMTP__REFUSE(s, 530, "5.7.0",
                     "Log in first: this port is for sending by people who have an account here"
                     "; mail for them comes in by port 25"); /* RFC 4954 §6 */
    else
        return true;
    return false;
}

static void refuse_sender(struct smtp_server *s, enum smtp_envelope_result r)
{
    switch (r) {
    case SMTP_ENVELOPE_NO_KEYWORD:
        SMTP__REFUSE(s, 501, "5.5.4", "Write MAIL FROM:<address>");
        return;
    case SMTP_ENVELOPE_PARAM:
        SMTP__REFUSE(s, 501, "5.5.4", "A parameter of MAIL has a wrong value, or came twice");
        return;
    case SMTP_ENVELOPE_UNKNOWN: /* RFC 5321 §4.1.1.11 */
        SMTP__REFUSE(s, 555, "5.5.4", "A parameter of MAIL is not known here");
        return;
    case SMTP_ENVELOPE_PATH_8BIT: /* RFC 6531 §3.5, RFC 5321 §4.5.3.1 */
        smtp__note_refusal(s, SMTP_REFUSED_ADDRESS, 553);
        SMTP__REFUSE(s, 553, "5.6.7", "An address with letters beyond ASCII needs the parameter SMTPUTF8");
        return;
    case SMTP_ENVELOPE_NO_DOMAIN:
        smtp__note_refusal(s, SMTP_REFUSED_ADDRESS, 553);
        SMTP__REFUSE(s, 553, "5.1.7", "The sender's address needs a full domain, as in name@example.org");
        return;
    case SMTP_ENVELOPE_PATH:
    case SMTP_ENVELOPE_OK:
    case SMTP_ENVELOPE__COUNT:
        smtp__note_refusal(s, SMTP_REFUSED_ADDRESS, 501);
        SMTP__REFUSE(s, 501, "5.1.7", "The sender's address is not written as MAIL FROM:<name@example.org>");
        return;
    }
}

void smtp__mail(struct smtp_server *s, slice args)
{
    enum smtp_envelope_result r;
    if (!may_begin(s))
        return;
    r = smtp_mail_parse(args, smtp__is_submission(s), &s->args.mail);
    if (r != SMTP_ENVELOPE_OK) {
        refuse_sender(s, r);
    } else if (s->args.mail.declared_bytes > s->config.limits->message_bytes) { /* RFC 1870 §6.1 */
        smtp__note_refusal(s, SMTP_REFUSED_TOO_LARGE, 552);
        SMTP__REFUSE(s, 552, "5.3.4", "A message of that size is larger than allowed; EHLO tells the limit");
    } else {
        s->txn.smtputf8 = s->args.mail.smtputf8;
        smtp__ask(s, SMTP_ASK_MAIL, SMTP_EV_MAIL)->mail = &s->args.mail;
    }
}

void smtp__mail_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    if (a->code < 300) {
        s->txn.active = true;
        smtp__reply(s, a->code, a->status, a->text);
    } else {
        smtp__txn_reset(s, false);
        smtp__refuse(s, a->code, a->status, a->text);
    }
}
