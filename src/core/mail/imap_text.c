#include "core/mail/imap_text.h"

#define IMAP_TEXT_QUOTED_MAX 1024

static bool imap_text_is_dropped(uint8_t c)
{
    return c == 0 || c == '\r' || c == '\n';
}

void imap_text_string(struct buf *out, slice s)
{
    size_t escapes = 0, dropped = 0, n = 0;
    bool plain = s.n <= IMAP_TEXT_QUOTED_MAX;
    uint8_t *p;
    for (size_t i = 0; i < s.n; i++) {
        bool drop = imap_text_is_dropped(s.p[i]);
        escapes += s.p[i] == '"' || s.p[i] == '\\';
        dropped += drop;
        plain = plain && (drop || s.p[i] == '\t' || (s.p[i] >= 32 && s.p[i] < 127));
    }
    if (!plain)
        (void)buf_print(out, "{%zu}\r\n", s.n - dropped); /* a full buffer is marked */
    p = buf_reserve(out, s.n - dropped + (plain ? escapes + 2 : 0));
    if (!p)
        return;
    if (plain)
        p[n++] = '"';
    for (size_t i = 0; i < s.n; i++) {
        if (imap_text_is_dropped(s.p[i]))
            continue;
        if (plain && (s.p[i] == '"' || s.p[i] == '\\'))
            p[n++] = '\\';
        p[n++] = s.p[i];
    }
    if (plain)
        p[n++] = '"';
    buf_commit(out, n);
}

void imap_text_nstring(struct buf *out, slice s)
{
    if (s.n)
        imap_text_string(out, s);
    else
        (void)buf_str(out, "NIL");
}

void imap_text_upper(struct buf *out, slice s)
{
    (void)buf_byte(out, '"');
    for (size_t i = 0; i < s.n; i++)
        (void)buf_byte(out, ascii_upper(s.p[i]));
    (void)buf_byte(out, '"');
}
