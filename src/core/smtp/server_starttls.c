/* STARTTLS (RFC 3207). */
#include "core/smtp/server__.h"

void smtp__starttls(struct smtp_server *s, slice args)
{
    if (args.n) {
        SMTP__REFUSE(s, 501, "5.5.4", "STARTTLS takes no words behind it");
    } else if (s->tls) {
        SMTP__REFUSE(s, 503, "5.5.1", "TLS is up already");
    } else if (!s->config.tls_offered) {
        SMTP__REFUSE(s, 502, "5.5.1", "TLS is not offered here");
    } else if (s->used < s->in.n) { /* THREATS 13: words that were to look as if said inside TLS */
        s->used = s->in.n;
        smtp__end(s, SMTP_REFUSED_STARTTLS_MORE, 554, "5.5.1",
                  SLICE("Nothing may follow STARTTLS before TLS is up. Closing."));
    } else {
        smtp__txn_reset(s, true);
        SMTP__SAY(s, 220, "2.0.0", "Go ahead with TLS");
        s->phase = SMTP_PHASE_TLS;
        (void)smtp__event(s, SMTP_EV_STARTTLS); /* nothing to fill in */
    }
}
