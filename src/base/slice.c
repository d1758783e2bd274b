#include "base/slice.h"

bool slice_eq_nocase(slice a, slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

bool slice_starts(slice s, slice prefix)
{
    return slice_eq(slice_sub(s, 0, prefix.n), prefix);
}

bool slice_starts_nocase(slice s, slice prefix)
{
    return slice_eq_nocase(slice_sub(s, 0, prefix.n), prefix);
}

bool slice_ends_nocase(slice s, slice suffix)
{
    return s.n >= suffix.n && slice_eq_nocase(slice_from(s, s.n - suffix.n), suffix);
}

int slice_cmp(slice a, slice b)
{
    size_t n = size_min(a.n, b.n);
    int r = n ? memcmp(a.p, b.p, n) : 0;
    return r ? r : (a.n > b.n) - (a.n < b.n);
}

size_t slice_index(slice s, uint8_t c)
{
    const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

size_t slice_rindex(slice s, uint8_t c)
{
    for (size_t i = s.n; i > 0; i--)
        if (s.p[i - 1] == c)
            return i - 1;
    return s.n;
}

size_t slice_find(slice s, slice what)
{
    const uint8_t *at;
    if (what.n == 0)
        return 0;
    if (what.n > s.n)
        return s.n;
    at = memmem(s.p, s.n, what.p, what.n);
    return at ? (size_t)(at - s.p) : s.n;
}

size_t slice_find_nocase(slice s, slice what)
{
    if (what.n == 0)
        return 0;
    if (what.n > s.n)
        return s.n;
    for (size_t i = 0; i <= s.n - what.n; i++)
        if (slice_eq_nocase((slice){s.p + i, what.n}, what))
            return i;
    return s.n;
}

slice slice_sub(slice s, size_t from, size_t to)
{
    to = size_min(to, s.n);
    from = size_min(from, to);
    return (slice){from ? s.p + from : s.p, to - from};
}

slice slice_trim(slice s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
        s = slice_from(s, 1);
    while (s.n &&
           (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
        s.n--;
    return s;
}

bool slice_split(slice s, uint8_t c, slice *out_head, slice *out_tail)
{
    size_t i = slice_index(s, c);
    bool found = i < s.n;
    *out_head = slice_sub(s, 0, i);
    *out_tail = slice_from(s, found ? i + 1 : s.n);
    return found;
}

bool slice_has(slice s, uint8_t c)
{
    return slice_index(s, c) < s.n;
}

bool slice_eq_secret(slice a, slice b)
{
    volatile uint8_t diff = 0;
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
    return diff == 0;
}

bool slice_u64(slice s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 20)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i]) || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

bool slice_u32(slice s, uint32_t *out)
{
    uint64_t v;
    if (!slice_u64(s, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

bool cursor_take_nocase(struct cursor *c, slice word)
{
    if (!slice_starts_nocase(c->rest, word))
        return false;
    cursor_skip(c, word.n);
    return true;
}

bool cursor_bytes(struct cursor *c, size_t n, slice *out)
{
    if (n > c->rest.n)
        return false;
    *out = slice_sub(c->rest, 0, n);
    cursor_skip(c, n);
    return true;
}

slice cursor_span(struct cursor *c, const bool table[256])
{
    size_t n = 0;
    slice s;
    while (n < c->rest.n && table[c->rest.p[n]])
        n++;
    s = slice_sub(c->rest, 0, n);
    cursor_skip(c, n);
    return s;
}

bool cursor_line(struct cursor *c, slice *out)
{
    size_t i;
    slice line;
    if (c->rest.n == 0)
        return false;
    i = slice_index(c->rest, '\n');
    line = slice_sub(c->rest, 0, i);
    cursor_skip(c, i + 1);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    *out = line;
    return true;
}

bool cursor_u8(struct cursor *c, uint8_t *out)
{
    slice s;
    if (!cursor_bytes(c, 1, &s))
        return false;
    *out = s.p[0];
    return true;
}

bool cursor_u16(struct cursor *c, uint16_t *out)
{
    slice s;
    if (!cursor_bytes(c, 2, &s))
        return false;
    *out = (uint16_t)(s.p[0] << 8 | s.p[1]);
    return true;
}

bool cursor_u32(struct cursor *c, uint32_t *out)
{
    slice s;
    if (!cursor_bytes(c, 4, &s))
        return false;
    *out = (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 | s.p[3];
    return true;
}

bool cursor_u64(struct cursor *c, uint64_t *out)
{
    uint32_t high, low;
    if (c->rest.n < 8 || !cursor_u32(c, &high) || !cursor_u32(c, &low))
        return false;
    *out = (uint64_t)high << 32 | low;
    return true;
}
