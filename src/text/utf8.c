#include "text/utf8.h"

/* Table 3-7 of the Unicode standard: the second byte's range is what rules out overlong forms, surrogates and
 * values above U+10FFFF; later bytes are 80..BF. Returns the length the first two bytes announce, 0 for none.
 */
static size_t utf8_sequence(uint8_t first, uint8_t *out_low, uint8_t *out_high)
{
    *out_low = 0x80;
    *out_high = 0xBF;
    if (first < 0xC2)
        return 0;
    if (first < 0xE0)
        return 2;
    if (first < 0xF0) {
        if (first == 0xE0)
            *out_low = 0xA0;
        if (first == 0xED)
            *out_high = 0x9F;
        return 3;
    }
    if (first > 0xF4)
        return 0;
    if (first == 0xF0)
        *out_low = 0x90;
    if (first == 0xF4)
        *out_high = 0x8F;
    return 4;
}

/* How many bytes at the front belong to one sequence, complete (== *out_length) or torn. 0: not even a first
 * byte. */
static size_t utf8_match(slice s, size_t *out_length)
{
    uint8_t low, high;
    size_t length, i;
    *out_length = 1;
    if (s.n == 0)
        return 0;
    if (s.p[0] < 0x80)
        return 1;
    length = utf8_sequence(s.p[0], &low, &high);
    *out_length = length;
    if (length == 0)
        return 0;
    if (s.n < 2 || s.p[1] < low || s.p[1] > high)
        return 1;
    for (i = 2; i < length && i < s.n; i++)
        if ((s.p[i] & 0xC0) != 0x80)
            break;
    return i;
}

size_t utf8_next(slice s, uint32_t *out_code)
{
    size_t length, have = utf8_match(s, &length);
    uint32_t code;
    if (have == 0 || have < length)
        return 0;
    code = length == 1   ? s.p[0]
           : length == 2 ? s.p[0] & 0x1Fu
           : length == 3 ? s.p[0] & 0x0Fu
                         : s.p[0] & 0x07u;
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (s.p[i] & 0x3Fu);
    *out_code = code;
    return length;
}

/* Index of the first byte above 127 at or after i; eight at a time. */
static size_t utf8_skip_ascii(slice s, size_t i)
{
    while (s.n - i >= 8) {
        uint64_t word;
        memcpy(&word, s.p + i, sizeof word);
        if (word & 0x8080808080808080u)
            break;
        i += 8;
    }
    while (i < s.n && s.p[i] < 0x80)
        i++;
    return i;
}

size_t utf8_valid_prefix(slice s)
{
    size_t i = 0;
    for (;;) {
        size_t length;
        i = utf8_skip_ascii(s, i);
        if (i == s.n)
            return i;
        if (utf8_match(slice_from(s, i), &length) < length || length == 0)
            return i;
        i += length;
    }
}

bool utf8_is_ascii(slice s)
{
    return utf8_skip_ascii(s, 0) == s.n;
}

bool utf8_has_c1(slice s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == 0xC2 && s.p[i + 1] < 0xA0)
            return true;
    return false;
}

size_t utf8_incomplete_tail(slice s)
{
    for (size_t back = 1; back <= 3 && back <= s.n; back++) {
        slice tail = slice_from(s, s.n - back);
        size_t length, have;
        if ((tail.p[0] & 0xC0) == 0x80)
            continue;
        have = utf8_match(tail, &length);
        return have == back && have < length ? back : 0;
    }
    return 0;
}

size_t utf8_put(uint8_t out[UTF8_MAX], uint32_t code)
{
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        code = UTF8_REPLACEMENT;
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

enum err utf8_sanitise(slice s, struct buf *out)
{
    while (s.n) {
        size_t good = utf8_valid_prefix(s), nul = slice_index(slice_sub(s, 0, good), 0), length, have;
        enum err e = buf_append(out, slice_sub(s, 0, nul));
        if (e)
            return e;
        s = slice_from(s, nul);
        if (s.n == 0)
            return OK;
        have = s.p[0] == 0 ? 1 : utf8_match(s, &length);
        e = buf_append(out, SLICE("\xEF\xBF\xBD"));
        if (e)
            return e;
        s = slice_from(s, size_max(have, 1));
    }
    return OK;
}

slice utf8_cut(slice s, size_t max)
{
    size_t i = 0;
    while (max && i < s.n) {
        i++;
        while (i < s.n && (s.p[i] & 0xC0) == 0x80)
            i++;
        max--;
    }
    return slice_sub(s, 0, i);
}
