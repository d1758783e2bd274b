#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    if (!b)
        return;
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    size_t want;
    if (!size_add(b->n, n, &want) || want > b->max) {
        b->failed = true;
        return NULL;
    }
    if (want > b->cap || !b->p) {
        size_t cap = size_max(want, size_max(64, b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2));
        uint8_t *p;
        cap = size_max(size_min(cap, b->max), 1);
        p = realloc(b->p, cap);
        must(p);
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n)
{
    must(n <= b->cap - b->n);
    b->n += n;
}

enum err buf_append(struct buf *b, slice s)
{
    uint8_t *p = buf_reserve(b, s.n);
    if (!p)
        return ERR_LIMIT;
    if (s.n)
        memcpy(p, s.p, s.n);
    b->n += s.n;
    return OK;
}

enum err buf_byte(struct buf *b, uint8_t c)
{
    return buf_append(b, (slice){&c, 1});
}

enum err buf_str(struct buf *b, const char *literal)
{
    return buf_append(b, slice_str(literal));
}

enum err buf_print(struct buf *b, const char *format, ...)
{
    va_list ap;
    char small[512];
    int n;
    uint8_t *p;
    va_start(ap, format);
    n = vsnprintf(small, sizeof small, format, ap);
    va_end(ap);
    must(n >= 0);
    if ((size_t)n < sizeof small)
        return buf_append(b, slice_of(small, (size_t)n));
    p = buf_reserve(b, (size_t)n + 1);
    if (!p)
        return ERR_LIMIT;
    va_start(ap, format);
    (void)vsnprintf((char *)p, (size_t)n + 1, format, ap); /* same length as above */
    va_end(ap);
    b->n += (size_t)n;
    return OK;
}

enum err buf_u64(struct buf *b, uint64_t v)
{
    uint8_t digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (uint8_t)('0' + v % 10);
    while (v /= 10);
    return buf_append(b, slice_of(digits + i, sizeof digits - i));
}

enum err buf_be16(struct buf *b, uint16_t v)
{
    uint8_t w[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    return buf_append(b, slice_of(w, sizeof w));
}

enum err buf_be32(struct buf *b, uint32_t v)
{
    uint8_t w[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    return buf_append(b, slice_of(w, sizeof w));
}

enum err buf_be64(struct buf *b, uint64_t v)
{
    uint8_t w[8];
    for (size_t i = 0; i < 8; i++)
        w[i] = (uint8_t)(v >> (56 - 8 * i));
    return buf_append(b, slice_of(w, sizeof w));
}

void buf_consume(struct buf *b, size_t n)
{
    n = size_min(n, b->n);
    if (n && n < b->n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void buf_truncate(struct buf *b, size_t n)
{
    b->n = size_min(n, b->n);
}
