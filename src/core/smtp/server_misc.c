/* The small commands: RSET, NOOP, VRFY, EXPN, HELP, QUIT (RFC 5321 §4.1.1.5 to §4.1.1.10). */
#include "core/smtp/server__.h"

void smtp__rset(struct smtp_server *s, slice args)
{
    if (args.n) {
        SMTP__REFUSE(s, 501, "5.5.4", "RSET takes no words behind it");
        return;
    }
    smtp__txn_reset(s, true);
    SMTP__SAY(s, 250, "2.0.0", "Forgotten");
    smtp__count_idle(s);
}

void smtp__noop(struct smtp_server *s, slice args)
{
    (void)args; /* RFC 5321 §4.1.1.9: a string may follow and means nothing */
    SMTP__SAY(s, 250, "2.0.0", "Still here");
    smtp__count_idle(s);
}

/* RFC 5321 §3.5.3, §7.3: who has a mailbox here is not told (THREATS 32). The transaction is not touched. */
void smtp__vrfy(struct smtp_server *s, slice args)
{
    if (args.n == 0)
        SMTP__REFUSE(s, 501, "5.5.4", "VRFY what?");
    else
        SMTP__SAY(s, 252, "2.1.5", "Not told here; send the message and see");
    smtp__count_idle(s);
}

void smtp__expn(struct smtp_server *s, slice args)
{
    (void)args; /* refused whatever they are */
    SMTP__REFUSE(s, 502, "5.5.1", "Lists are not told here");
}

void smtp__help(struct smtp_server *s, slice args)
{
    (void)args; /* the same help for all */
    SMTP__SAY(s, 214, "2.0.0",
              "This is Posthorn, a mail server. It speaks SMTP, RFC 5321:\n"
              "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
    smtp__count_idle(s);
}

void smtp__quit(struct smtp_server *s, slice args)
{
    if (args.n) {
        SMTP__REFUSE(s, 501, "5.5.4", "QUIT takes no words behind it");
        return;
    }
    SMTP__SAY(s, 221, "2.0.0", "Goodbye");
    smtp__close(s, true);
}
