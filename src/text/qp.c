#include "text/qp.h"

#include "text/percent.h"

#define QP_LINE_MAX 76

/* White space at a line's end does not belong to the text; inside a line it does. At most sizeof blanks are
 * held back; a longer run is given out as text, which is the harmless reading. */
static enum err qp_blanks_out(struct qp_decoder *d, struct buf *out)
{
    enum err e = buf_append(out, slice_of(d->blanks, d->blanks_n));
    d->blanks_n = 0;
    return e;
}

/* Gives the held '=' and what follows it as plain text: they were no escape. */
static enum err qp_held_out(struct qp_decoder *d, struct buf *out)
{
    enum err e = buf_append(out, slice_of(d->held, d->held_n));
    d->held_n = 0;
    d->soft = false;
    d->defects = true;
    return e;
}

static enum err qp_plain(struct qp_decoder *d, uint8_t c, struct buf *out)
{
    enum err e = OK;
    if (c == ' ' || c == '\t') {
        if (d->blanks_n == sizeof d->blanks)
            e = qp_blanks_out(d, out);
        d->blanks[d->blanks_n++] = c;
        return e;
    }
    if (c == '\r') { /* part of the line end if LF follows: blanks before it wait */
        if (d->blanks_n == sizeof d->blanks)
            e = qp_blanks_out(d, out);
        if (d->blanks_n && d->blanks[d->blanks_n - 1] == '\r')
            e = qp_blanks_out(d, out);
        d->blanks[d->blanks_n++] = c;
        return e;
    }
    if (c == '\n') {
        bool crlf = d->blanks_n && d->blanks[d->blanks_n - 1] == '\r';
        d->blanks_n = 0;
        return buf_append(out, crlf ? SLICE("\r\n") : SLICE("\n"));
    }
    e = qp_blanks_out(d, out);
    if (!e && c == '=') {
        d->held[0] = c;
        d->held_n = 1;
        return OK;
    }
    return e ? e : buf_byte(out, c);
}

/* c comes behind a held '='. */
static enum err qp_escape(struct qp_decoder *d, uint8_t c, struct buf *out)
{
    enum err e;
    if (c == '\n' && (d->held_n == 1 || d->soft)) {
        d->held_n = 0;
        d->soft = false;
        return OK;
    }
    if ((d->held_n == 1 || d->soft) && (c == '\r' || c == ' ' || c == '\t')) {
        d->soft = true; /* a soft line break with white space before its end (RFC 2045 §6.7 rule 3) */
        return OK;
    }
    if (d->soft) { /* "=" blanks and then text: not a line end after all */
        e = qp_held_out(d, out);
        return e ? e : qp_plain(d, c, out);
    }
    if (hex_digit(c) < 0) {
        e = qp_held_out(d, out);
        return e ? e : qp_plain(d, c, out);
    }
    if (d->held_n == 1) {
        d->held[1] = c;
        d->held_n = 2;
        return OK;
    }
    d->held_n = 0;
    return buf_byte(out, (uint8_t)(hex_digit(d->held[1]) << 4 | hex_digit(c)));
}

/* Length of the run at the front that stands for itself whatever follows: nothing escaped, no line end, no
 * blank but between two words. */
static size_t qp_run(slice s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '=' && (s.p[n] > ' ' || (s.p[n] == ' ' && n + 1 < s.n && s.p[n + 1] > ' ')))
        n++;
    return n;
}

enum err qp_feed(struct qp_decoder *d, slice in, struct buf *out)
{
    size_t i = 0;
    while (i < in.n) {
        size_t run = d->held_n || d->blanks_n ? 0 : qp_run(slice_from(in, i));
        enum err e;
        if (run) {
            run = size_min(run, out->max - out->n + 1); /* one too many says that it is full */
            if (run > out->max - out->n)
                (void)buf_append(out, slice_sub(in, i, i + run - 1)); /* what fits stays */
            e = buf_append(out, slice_sub(in, i, i + run));
            i += run;
        } else {
            e = d->held_n ? qp_escape(d, in.p[i], out) : qp_plain(d, in.p[i], out);
            i++;
        }
        if (e)
            return e;
    }
    return OK;
}

enum err qp_finish(struct qp_decoder *d, struct buf *out)
{
    enum err e = OK;
    if (d->held_n && !d->soft && d->held_n != 1)
        e = qp_held_out(d, out);
    d->held_n = 0; /* a lone "=" at the very end is a soft break */
    d->soft = false;
    d->blanks_n = 0;
    return e;
}

enum err qp_encode(slice in, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t column = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i], code[3] = {'=', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
        bool crlf = c == '\r' && i + 1 < in.n && in.p[i + 1] == '\n';
        bool at_end = i + 1 == in.n || in.p[i + 1] == '\n' ||
                      (in.p[i + 1] == '\r' && i + 2 < in.n && in.p[i + 2] == '\n');
        bool plain;
        if (crlf)
            continue;
        if (c == '\n') {
            enum err e = buf_str(out, "\r\n");
            if (e)
                return e;
            column = 0;
            continue;
        }
        /* "From " and "." at a line's start are spoilt by some relays on the way */
        plain = ((c > 32 && c < 127) || ((c == ' ' || c == '\t') && !at_end)) && c != '=' &&
                !(column == 0 && (c == '.' || c == 'F'));
        if (column + (plain ? 1 : 3) > QP_LINE_MAX - (at_end ? 0 : 1)) {
            enum err e = buf_str(out, "=\r\n");
            if (e)
                return e;
            column = 0;
        }
        enum err e = plain ? buf_byte(out, c) : buf_append(out, slice_of(code, 3));
        if (e)
            return e;
        column += plain ? 1 : 3;
    }
    return OK;
}
