/* EHLO and HELO (RFC 5321 §4.1.1.1). */
#include "core/smtp/server__.h"

/* What a client may call itself: a domain or an address literal, and the underscores that many have. The name
 * goes into our Received field, so nothing that means something there gets through. Not strict beyond that:
 * RFC 5321 §4.1.4 forbids to refuse mail for a name that does not match. */
static bool name_ok(slice name)
{
    if (name.n == 0 || name.n > 255)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_is_alpha(name.p[i]) && !ascii_is_digit(name.p[i]) && !strchr("-._:[]", name.p[i]))
            return false;
    return true;
}

/* True when the session starts over (RFC 5321 §4.1.4: as RSET). */
static bool hello(struct smtp_server *s, slice args, bool esmtp)
{
    struct smtp_event *e;
    slice name, more;
    (void)slice_split(args, ' ', &name,
                      &more); /* some add words behind the name; RFC 5321 §4.1.1.1 has none */
    if (!name_ok(name)) {
        SMTP__REFUSE(s, 501, "5.5.4",
                     "Say who you are: a host name or an address literal such as [192.0.2.1]");
        return false;
    }
    smtp__txn_reset(s, true);
    if (s->helo_n)
        smtp__count_idle(s);
    memcpy(s->helo, name.p, name.n);
    s->helo_n = name.n;
    s->esmtp = esmtp;
    e = smtp__event(s, SMTP_EV_HELO);
    e->helo.name = smtp_server_helo(s);
    e->helo.esmtp = esmtp;
    e->helo.early = s->early;
    return !s->closing;
}

static void line(struct smtp_server *s, const char *text)
{
    (void)buf_str(&s->out, "250-");
    (void)buf_str(&s->out, text);
    (void)buf_str(&s->out, "\r\n");
}

void smtp__ehlo(struct smtp_server *s, slice args)
{
    if (!hello(s, args, true))
        return;
    (void)buf_str(&s->out, "250-");
    (void)buf_append(&s->out, s->config.hostname);
    (void)buf_str(&s->out, "\r\n250-SIZE "); /* RFC 1870 §3 */
    (void)buf_u64(&s->out, s->config.limits->message_bytes);
    (void)buf_str(&s->out, "\r\n");
    if (s->config.tls_offered && !s->tls)
        line(s, "STARTTLS"); /* RFC 3207 §4.2: not offered again once TLS is up */
    if (smtp__auth_offered(s)) {
        (void)buf_str(&s->out, "250-AUTH "); /* RFC 4954 §3 */
        (void)buf_append(&s->out, s->config.auth_mechanisms);
        (void)buf_str(&s->out, "\r\n");
    }
    line(s, "PIPELINING");                                 /* RFC 2920 */
    line(s, "8BITMIME");                                   /* RFC 6152 */
    line(s, "SMTPUTF8");                                   /* RFC 6531 */
    line(s, "CHUNKING");                                   /* RFC 3030 */
    line(s, "DSN");                                        /* RFC 3461 */
    (void)buf_str(&s->out, "250 ENHANCEDSTATUSCODES\r\n"); /* RFC 2034 */
    must(!buf_failed(&s->out));
}

void smtp__helo(struct smtp_server *s, slice args)
{
    if (hello(s, args, false))
        smtp__reply(s, 250, NULL, s->config.hostname);
}
