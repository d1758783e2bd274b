#include "core/smtp/client_write.h"

/* MAIL FROM, RFC 5321 §4.1.1.2, with the parameters the server offered. */
void smtp_client_put_mail(struct buf *out, unsigned offers, const struct smtp_client_mail *m)
{
    (void)buf_str(out, "MAIL FROM:<");
    (void)mailbox_print(m->sender, out);
    (void)buf_byte(out, '>');
    if ((offers & SMTP_CLIENT_SIZE) && m->body_bytes) {
        (void)buf_str(out, " SIZE=");
        (void)buf_u64(out, m->body_bytes);
    }
    if (m->eight_bit && (offers & SMTP_CLIENT_8BITMIME))
        (void)buf_str(out, " BODY=8BITMIME");
    if (m->smtputf8)
        (void)buf_str(out, " SMTPUTF8");
    if (offers & SMTP_CLIENT_DSN) {
        if (m->ret)
            (void)buf_str(out, m->ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
        if (m->envid.n && smtp_is_xtext(m->envid)) {
            (void)buf_str(out, " ENVID=");
            (void)buf_append(out, m->envid);
        }
    }
    (void)buf_str(out, "\r\n");
}

/* NOTIFY, RFC 3461 §4.1. */
static void smtp_client_put_notify(struct buf *out, unsigned notify)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {{SMTP_NOTIFY_NEVER, "NEVER"},
                 {SMTP_NOTIFY_SUCCESS, "SUCCESS"},
                 {SMTP_NOTIFY_FAILURE, "FAILURE"},
                 {SMTP_NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (notify & words[i].bit) {
            (void)buf_str(out, before);
            (void)buf_str(out, words[i].word);
            before = ",";
        }
}

void smtp_client_put_rcpt(struct buf *out, unsigned offers, const struct smtp_client_rcpt *r)
{
    (void)buf_str(out, "RCPT TO:<");
    (void)mailbox_print(r->recipient, out);
    (void)buf_byte(out, '>');
    if (offers & SMTP_CLIENT_DSN) {
        slice type, value;
        smtp_client_put_notify(out, r->notify);
        if (slice_split(r->orcpt, ';', &type, &value) && smtp_is_xtext(type) && smtp_is_xtext(value)) {
            (void)buf_str(out, " ORCPT=");
            (void)buf_append(out, r->orcpt);
        }
    }
    (void)buf_str(out, "\r\n");
}

/* --- the body */

void smtp_client_lines_init(struct smtp_client_lines *l)
{
    *l = (struct smtp_client_lines){.line_start = true};
}

/* One line without its end; whole: a line end follows. */
static void smtp_client_put_line(struct smtp_client_lines *l, slice text, bool whole, struct buf *out)
{
    if (text.n) {
        if (l->line_start && text.p[0] == '.')
            (void)buf_byte(out, '.'); /* RFC 5321 §4.5.2 */
        (void)buf_append(out, text);
        l->line_start = false;
    }
    if (whole) {
        (void)buf_str(out, "\r\n");
        l->line_start = true;
    }
}

void smtp_client_lines_put(struct smtp_client_lines *l, slice rest, struct buf *out)
{
    if (l->cr_held && rest.n) {
        l->cr_held = false;
        if (rest.p[0] == '\n')
            rest = slice_from(rest, 1);
        smtp_client_put_line(l, (slice){0}, true, out);
    }
    while (rest.n) {
        size_t lf = slice_index(rest, '\n'), cr = slice_index(slice_sub(rest, 0, lf), '\r');
        slice text = slice_sub(rest, 0, cr);
        if (cr == rest.n) { /* no end in sight */
            smtp_client_put_line(l, text, false, out);
            return;
        }
        if (cr + 1 == rest.n && rest.p[cr] == '\r') { /* what follows tells whether it stands alone */
            smtp_client_put_line(l, text, false, out);
            l->cr_held = true;
            return;
        }
        smtp_client_put_line(l, text, true, out);
        rest = slice_from(rest, cr < lf && rest.p[cr + 1] == '\n' ? cr + 2 : cr + 1);
    }
}

void smtp_client_lines_end(struct smtp_client_lines *l, struct buf *out)
{
    if (l->cr_held || !l->line_start)
        smtp_client_put_line(l, (slice){0}, true, out);
    l->cr_held = false;
    (void)buf_str(out, ".\r\n");
}
