#include "core/smtp/body_scan.h"

enum { LINE, MIDDLE, AFTER_CR, DOT, DOT_CR };

/* The longest run of octets from at (inside a line, or at its start) that needs no care: it ends before a dot
 * that starts a line (when dots is set), or with the input. Sets the state for what follows. False: bare CR
 * or LF. */
static bool run(struct smtp_body_scan *s, slice in, size_t at, bool dots, size_t *out_end)
{
    for (;;) {
        slice rest = slice_from(in, at);
        size_t lf = slice_index(rest, '\n'), body = lf < rest.n ? lf : rest.n, cr;
        if (rest.n == 0) {
            *out_end = at;
            return true;
        }
        cr = slice_index(slice_sub(rest, 0, body), '\r');
        if (lf == rest.n) { /* the line goes on beyond this input */
            s->state = rest.p[rest.n - 1] == '\r' ? AFTER_CR : MIDDLE;
            *out_end = in.n;
            return cr == body || (s->state == AFTER_CR && cr == body - 1);
        }
        if (lf == 0 || cr != lf - 1)
            return false;
        at += lf + 1;
        s->state = LINE;
        if (dots && at < in.n && in.p[at] == '.') {
            *out_end = at;
            return true;
        }
    }
}

static enum smtp_scan scan(struct smtp_body_scan *s, slice in, bool dots, size_t *out_used, slice *out_bytes)
{
    size_t at = 0, from, end;
    *out_bytes = (slice){0};
    if (s->state == LINE && dots && in.n && in.p[0] == '.') {
        s->state = DOT;
        at = 1;
    }
    *out_used = at;
    if (at == in.n)
        return SMTP_SCAN_MORE;
    from = at;
    if (s->state == DOT) {
        if (in.p[at] == '\r') {
            s->state = DOT_CR;
            *out_used = ++at;
            if (at == in.n)
                return SMTP_SCAN_MORE;
        } else {
            s->state = MIDDLE; /* RFC 5321 §4.5.2: the dot before other characters is dropped */
        }
    }
    if (s->state == DOT_CR) {
        if (in.p[at] != '\n')
            return SMTP_SCAN_BARE;
        *out_used = at + 1;
        s->state = LINE;
        return SMTP_SCAN_END;
    }
    if (s->state == AFTER_CR) {
        if (in.p[at] != '\n')
            return SMTP_SCAN_BARE;
        s->state = LINE;
        at++;
        if (dots && at < in.n && in.p[at] == '.') {
            *out_used = at;
            *out_bytes = slice_sub(in, from, at);
            return SMTP_SCAN_BYTES;
        }
    }
    if (!run(s, in, at, dots, &end))
        return SMTP_SCAN_BARE;
    *out_used = end;
    *out_bytes = slice_sub(in, from, end);
    return SMTP_SCAN_BYTES;
}

enum smtp_scan smtp_scan_data(struct smtp_body_scan *s, slice in, size_t *out_used, slice *out_bytes)
{
    return scan(s, in, true, out_used, out_bytes);
}

enum smtp_scan smtp_scan_chunk(struct smtp_body_scan *s, slice in, size_t *out_used, slice *out_bytes)
{
    return scan(s, in, false, out_used, out_bytes);
}

bool smtp_scan_torn(const struct smtp_body_scan *s)
{
    return s->state == AFTER_CR;
}

bool smtp_scan_at_line_start(const struct smtp_body_scan *s)
{
    return s->state == LINE;
}
