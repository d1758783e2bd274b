#include "text/utf7.h"

#include "text/utf8.h"

static const char utf7_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int utf7_value(int c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

/* One UTF-16 unit of a shifted run. high holds a surrogate that waits for its second half. */
static enum err utf7_unit(uint32_t unit, uint32_t *high, struct buf *out)
{
    uint8_t utf8[UTF8_MAX];
    if (*high) {
        uint32_t code;
        if (unit < 0xDC00 || unit > 0xDFFF)
            return ERR_SYNTAX;
        code = 0x10000 + ((*high - 0xD800) << 10) + (unit - 0xDC00);
        *high = 0;
        return buf_append(out, slice_of(utf8, utf8_put(utf8, code)));
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        *high = unit;
        return OK;
    }
    if ((unit >= 0xDC00 && unit <= 0xDFFF) || (unit >= 0x20 && unit <= 0x7E) || unit == 0)
        return ERR_SYNTAX; /* "&" encodes only what is not printable ASCII */
    return buf_append(out, slice_of(utf8, utf8_put(utf8, unit)));
}

/* What stands between '&' and '-'. */
static enum err utf7_run(struct cursor *c, struct buf *out)
{
    uint32_t bits = 0, held = 0, high = 0;
    bool any = false;
    while (!cursor_take(c, '-')) {
        int v = utf7_value(cursor_next(c));
        if (v < 0)
            return ERR_SYNTAX;
        bits = (bits << 6 | (uint32_t)v) & 0xFFFFFF;
        held += 6;
        if (held >= 16) {
            enum err e;
            held -= 16;
            e = utf7_unit(bits >> held & 0xFFFF, &high, out);
            if (e)
                return e;
            any = true;
        }
    }
    if (!any || high || held >= 6 || (bits & ((1u << held) - 1)))
        return ERR_SYNTAX;
    return OK;
}

enum err utf7_decode(slice in, struct buf *out)
{
    struct cursor c = cursor_of(in);
    size_t start = out->n;
    bool after_run = false;
    enum err e = OK;
    while (!e && !cursor_end(&c)) {
        int b = cursor_next(&c);
        if (b < 0x20 || b > 0x7E) {
            e = ERR_SYNTAX;
        } else if (b != '&') {
            e = buf_byte(out, (uint8_t)b);
            after_run = false;
        } else if (cursor_take(&c, '-')) {
            e = buf_byte(out, '&');
            after_run = false;
        } else if (after_run) {
            e = ERR_SYNTAX; /* two runs side by side: superfluous shifts (RFC 3501 §5.1.3) */
        } else {
            e = utf7_run(&c, out);
            after_run = true;
        }
    }
    if (e)
        buf_truncate(out, start);
    return e;
}

struct utf7_writer {
    struct buf *out;
    uint32_t bits, held;
    bool shifted;
};

static enum err utf7_write_unit(struct utf7_writer *w, uint32_t unit)
{
    enum err e = OK;
    if (!w->shifted) {
        e = buf_byte(w->out, '&');
        w->shifted = true;
    }
    w->bits = (w->bits << 16 | unit) & 0xFFFFFF; /* at most 5 held + 16 */
    w->held += 16;
    while (!e && w->held >= 6) {
        w->held -= 6;
        e = buf_byte(w->out, (uint8_t)utf7_alphabet[w->bits >> w->held & 63]);
    }
    return e;
}

static enum err utf7_write_end(struct utf7_writer *w)
{
    enum err e = OK;
    if (!w->shifted)
        return OK;
    if (w->held)
        e = buf_byte(w->out, (uint8_t)utf7_alphabet[w->bits << (6 - w->held) & 63]);
    w->held = 0;
    w->bits = 0;
    w->shifted = false;
    return e ? e : buf_byte(w->out, '-');
}

static enum err utf7_write(struct utf7_writer *w, uint32_t code)
{
    enum err e;
    if (code >= 0x20 && code <= 0x7E) {
        e = utf7_write_end(w);
        if (!e)
            e = buf_byte(w->out, (uint8_t)code);
        return e || code != '&' ? e : buf_byte(w->out, '-');
    }
    if (code < 0x10000)
        return utf7_write_unit(w, code);
    code -= 0x10000;
    e = utf7_write_unit(w, 0xD800 + (code >> 10));
    return e ? e : utf7_write_unit(w, 0xDC00 + (code & 0x3FF));
}

enum err utf7_encode(slice in, struct buf *out)
{
    struct utf7_writer w = {.out = out};
    size_t start = out->n;
    enum err e = OK;
    while (!e && in.n) {
        uint32_t code = 0;
        size_t n = utf8_next(in, &code);
        if (n == 0 || code == 0)
            e = ERR_SYNTAX;
        else
            e = utf7_write(&w, code);
        in = slice_from(in, n);
    }
    if (!e)
        e = utf7_write_end(&w);
    if (e)
        buf_truncate(out, start);
    return e;
}
