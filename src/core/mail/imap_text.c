#include "core/mail/imap_text.h"

#define IMAP_TEXT_QUOTED_MAX 1024

static bool imap_text_is_dropped(uint8_t c)
{
    return c == 0 || c == '\r' || c == '\n';
}

void imap_text_string(struct buf *out, slice s)
{
    size_t escapes = 0, dropped = 0;
    bool plain = s.n <= IMAP_TEXT_QUOTED_MAX;
    uint8_t *p;
    for (size_t i = 0; i < s.n; i++) {
        escapes += s.p[i] == '"' || s.p[i] == '\\';
        dropped += imap_text_is_dropped(s.p[i]);
        plain = plain && s.p[i] >= 32 && s.p[i] < 127;
    }
    if (!plain) {
        (void)buf_print(out, "{%zu}\r\n", s.n - dropped); /* a full buffer is marked */
        for (size_t i = 0; i < s.n; i++)
            if (!imap_text_is_dropped(s.p[i]))
                (void)buf_byte(out, s.p[i]);
        return;
    }
    p = buf_reserve(out, s.n + escapes + 2);
    if (!p)
        return;
    *p++ = '"';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            *p++ = '\\';
        *p++ = s.p[i];
    }
    *p = '"';
    buf_commit(out, s.n + escapes + 2);
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
