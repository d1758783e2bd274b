#include "text/base64.h"

static const char base64_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { B64_FOREIGN = 64, B64_BLANK = 65, B64_PAD = 66 };
#define F B64_FOREIGN
#define W B64_BLANK
#define P B64_PAD
static const uint8_t base64_value[256] = {
    F,  F,  F,  F,  F,  F,  F,  F,  F,  W,  W,  F,  F,  W,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,
    F,  F,  F,  F,  F,  F,  W,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  62, F,  F,  F,  63, 52, 53, 54, 55,
    56, 57, 58, 59, 60, 61, F,  F,  F,  P,  F,  F,  F,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
    13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, F,  F,  F,  F,  F,  F,  26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, F,  F,  F,  F,  F,  F,  F,
    F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,
    F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,
    F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,
    F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,
    F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F,  F};
#undef F
#undef W
#undef P

/* The whole bytes that 2 or 3 held sextets make; one sextet alone makes none. */
static enum err base64_flush(struct base64_decoder *d, struct buf *out)
{
    enum err e = OK;
    if (d->have == 1)
        d->defects = true;
    if (d->have >= 2)
        e = buf_byte(out, (uint8_t)(d->have == 2 ? d->bits >> 4 : d->bits >> 10));
    if (!e && d->have == 3)
        e = buf_byte(out, (uint8_t)(d->bits >> 2));
    d->have = 0;
    d->bits = 0;
    return e;
}

enum err base64_feed(struct base64_decoder *d, slice in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        uint8_t v = base64_value[in.p[i]];
        if (v < 64) {
            d->bits = d->bits << 6 | v;
            if (++d->have == 4) {
                uint8_t three[3] = {(uint8_t)(d->bits >> 16), (uint8_t)(d->bits >> 8), (uint8_t)d->bits};
                enum err e = buf_append(out, slice_of(three, 3));
                if (e)
                    return e;
                d->have = 0;
                d->bits = 0;
            }
        } else if (v == B64_PAD) {
            enum err e = base64_flush(d, out);
            if (e)
                return e;
        } else if (v == B64_FOREIGN) {
            d->defects = true;
        }
    }
    return OK;
}

enum err base64_finish(struct base64_decoder *d, struct buf *out)
{
    return base64_flush(d, out);
}

enum err base64_decode(slice in, struct buf *out)
{
    size_t pad = 0, n;
    uint8_t *to;
    if (in.n % 4)
        return ERR_SYNTAX;
    while (pad < 2 && pad < in.n && in.p[in.n - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < in.n - pad; i++)
        if (base64_value[in.p[i]] >= 64)
            return ERR_SYNTAX;
    if (pad) { /* bits behind the last whole byte are zero: one text for one value */
        uint8_t last = base64_value[in.p[in.n - pad - 1]];
        if (last & (pad == 1 ? 0x03 : 0x0F))
            return ERR_SYNTAX;
    }
    n = in.n / 4 * 3 - pad;
    to = buf_reserve(out, n);
    if (!to)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) { /* byte i: of the sextet it begins in and the next one */
        const uint8_t *s = in.p + i / 3 * 4 + i % 3;
        unsigned two = (unsigned)base64_value[s[0]] << 6 | base64_value[s[1]];
        to[i] = (uint8_t)(two >> (4 - 2 * (i % 3)));
    }
    buf_commit(out, n);
    return OK;
}

enum err base64_encode(slice in, struct buf *out)
{
    size_t n = in.n / 3 + (in.n % 3 != 0);
    uint8_t *p;
    if (!size_mul(n, 4, &n))
        return ERR_LIMIT;
    p = buf_reserve(out, n);
    if (!p)
        return ERR_LIMIT;
    for (size_t i = 0, o = 0; i < in.n; i += 3, o += 4) {
        size_t left = in.n - i;
        uint32_t v = (uint32_t)in.p[i] << 16 | (left > 1 ? (uint32_t)in.p[i + 1] << 8 : 0) |
                     (left > 2 ? in.p[i + 2] : 0u);
        p[o] = (uint8_t)base64_alphabet[v >> 18];
        p[o + 1] = (uint8_t)base64_alphabet[v >> 12 & 63];
        p[o + 2] = left > 1 ? (uint8_t)base64_alphabet[v >> 6 & 63] : '=';
        p[o + 3] = left > 2 ? (uint8_t)base64_alphabet[v & 63] : '=';
    }
    buf_commit(out, n);
    return OK;
}

enum err base64_encode_lines(slice in, struct buf *out)
{
    while (in.n) {
        enum err e = base64_encode(slice_sub(in, 0, 57), out);
        if (!e)
            e = buf_str(out, "\r\n");
        if (e)
            return e;
        in = slice_from(in, 57);
    }
    return OK;
}
