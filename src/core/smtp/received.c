#include "core/smtp/received.h"

#include "base/mail_id.h"
#include "text/date.h"

/* A word that can stand in a trace field: letters, digits and what names and literals need. */
static bool word_ok(slice s, size_t max)
{
    if (s.n == 0 || s.n > max)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && !memchr("-._:[]", s.p[i], 6))
            return false;
    return true;
}

/* With-protocol types of RFC 3848 and RFC 6531 §4.3. */
static const char *protocol(const struct smtp_received *r)
{
    static const char *const plain[] = {"ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"};
    static const char *const utf8[] = {"UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"};
    unsigned which = (r->tls ? 1u : 0u) + (r->authed ? 2u : 0u);
    return r->utf8 ? utf8[which] : r->esmtp ? plain[which] : "SMTP";
}

static enum err mailbox_in_angles(const struct mailbox *m, struct buf *out)
{
    (void)buf_byte(out, '<'); /* looked at below */
    (void)mailbox_print(m, out);
    (void)buf_byte(out, '>');
    return buf_failed(out) ? ERR_LIMIT : OK;
}

/* RFC 5321 §4.4: Time-stamp-line = "Received:" FWS From-domain By-domain Opt-info ";" FWS date-time;
 * From-domain = "FROM" FWS Extended-Domain; TCP-info = address-literal / ( Domain FWS address-literal ) */
enum err smtp_received_write(const struct smtp_received *r, struct buf *out)
{
    char id[MAIL_ID_TEXT + 1], ip[IP_TEXT];
    mail_id_print(r->mail_id, id);
    (void)buf_str(out, "Received: from "); /* all looked at by buf_failed() at the end */
    (void)buf_append(out, word_ok(r->helo, 255) ? r->helo : SLICE("unknown"));
    if (!ip_is_none(&r->ip)) {
        ip_print(&r->ip, ip);
        (void)buf_str(out, " (");
        if (word_ok(r->ptr, 255)) {
            (void)buf_append(out, r->ptr);
            (void)buf_byte(out, ' ');
        }
        (void)buf_print(out, "[%s%s])", ip_is_v4(&r->ip) ? "" : "IPv6:", ip);
    }
    (void)buf_str(out, "\r\n\tby ");
    (void)buf_append(out, r->hostname);
    (void)buf_print(out, " with %s id %s", protocol(r), id);
    if (r->recipient && !mailbox_is_null(r->recipient)) {
        (void)buf_str(out, "\r\n\tfor ");
        (void)mailbox_in_angles(r->recipient, out);
    }
    if (r->tls && word_ok(r->tls_cipher, 64)) { /* RFC 8314 §4.3: "tls" clause */
        (void)buf_str(out, "\r\n\ttls ");
        (void)buf_append(out, r->tls_cipher);
    }
    (void)buf_str(out, ";\r\n\t");
    (void)date_print(r->at, 0, out);
    (void)buf_str(out, "\r\n");
    return buf_failed(out) ? ERR_LIMIT : OK;
}

enum err smtp_return_path_write(const struct mailbox *sender, struct buf *out)
{
    (void)buf_str(out, "Return-Path: "); /* looked at below */
    (void)mailbox_in_angles(sender, out);
    (void)buf_str(out, "\r\n");
    return buf_failed(out) ? ERR_LIMIT : OK;
}

enum err smtp_delivered_to_write(const struct mailbox *recipient, struct buf *out)
{
    (void)buf_str(out, "Delivered-To: "); /* looked at below */
    (void)mailbox_key(recipient, out);
    (void)buf_str(out, "\r\n");
    return buf_failed(out) ? ERR_LIMIT : OK;
}
