#include "text/percent.h"

int hex_digit(uint8_t c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err percent_decode(slice in, struct buf *out)
{
    struct cursor c = cursor_of(in);
    while (!cursor_end(&c)) {
        int high = -1, low = -1, b;
        enum err e;
        if (c.rest.n >= 3 && c.rest.p[0] == '%') {
            high = hex_digit(c.rest.p[1]);
            low = hex_digit(c.rest.p[2]);
        }
        if (high >= 0 && low >= 0) {
            b = high << 4 | low;
            cursor_skip(&c, 3);
        } else {
            b = cursor_next(&c);
        }
        e = buf_byte(out, (uint8_t)b);
        if (e)
            return e;
    }
    return OK;
}

enum err percent_encode(slice in, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < in.n; i++) {
        uint8_t b = in.p[i], code[3] = {'%', (uint8_t)hex[b >> 4], (uint8_t)hex[b & 15]};
        bool plain = ascii_is_alpha(b) || ascii_is_digit(b) || b == '-' || b == '.' || b == '_';
        enum err e = plain ? buf_byte(out, b) : buf_append(out, slice_of(code, 3));
        if (e)
            return e;
    }
    return OK;
}
