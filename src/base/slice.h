/* slice: a view of bytes that somebody else owns: pointer and length, never relying on a NUL.
 *
 * A slice is a value; copying it copies the view. An empty slice may have a null pointer. ASCII only where a
 * function says "nocase": bytes above 127 compare as they are (THREATS 25). */
#ifndef POSTHORN_BASE_SLICE_H
#define POSTHORN_BASE_SLICE_H

#include "base/check.h"

#include <string.h>

typedef struct slice {
    const uint8_t *p;
    size_t n;
} slice;

/* A slice of a string literal; its NUL is not part of it. */
#define SLICE(literal) ((slice){(const uint8_t *)("" literal), sizeof(literal) - 1})
#define SLICE_INIT(literal)                                                                                  \
    {                                                                                                        \
        (const uint8_t *)("" literal), sizeof(literal) - 1                                                   \
    } /* for static tables */
/* For printf: "%.*s", SLICE_FMT(s). Only for text that was checked to be printable. */
#define SLICE_FMT(s) (int)((s).n > 4096 ? 4096 : (s).n), (const char *)((s).p ? (const void *)(s).p : "")

static inline slice slice_of(const void *p, size_t n)
{
    return (slice){(const uint8_t *)p, n};
}

/* Of a NUL-terminated string of ours (argv, table text). NULL gives an empty slice. */
static inline slice slice_str(const char *s)
{
    return (slice){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool slice_eq(slice a, slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline uint8_t ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static inline uint8_t ascii_upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
}

static inline bool ascii_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(uint8_t c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

bool slice_eq_nocase(slice a, slice b);
bool slice_starts(slice s, slice prefix);
bool slice_starts_nocase(slice s, slice prefix);
bool slice_ends_nocase(slice s, slice suffix);
/* Bytewise order, a shorter one first: <0, 0, >0. */
int slice_cmp(slice a, slice b);
/* Index of the first / last c, or s.n when there is none. */
size_t slice_index(slice s, uint8_t c);
size_t slice_rindex(slice s, uint8_t c);
/* Index of the first occurrence of what (exact / ASCII case folded), or s.n. what.n == 0 gives 0. */
size_t slice_find(slice s, slice what);
size_t slice_find_nocase(slice s, slice what);
/* The part from..to, both cut to the slice: never reads outside. */
slice slice_sub(slice s, size_t from, size_t to);
static inline slice slice_from(slice s, size_t from)
{
    return slice_sub(s, from, s.n);
}
/* Without leading and trailing SP, HTAB, CR and LF. */
slice slice_trim(slice s);
/* Splits at the first c: *head before it, *tail after it. False (head = s, tail empty) when c is not there.
 */
bool slice_split(slice s, uint8_t c, slice *out_head, slice *out_tail);
/* Does it hold a byte for which this is true? */
bool slice_has(slice s, uint8_t c);
/* Same length, same bytes, in time that depends on the lengths only. */
bool slice_eq_secret(slice a, slice b);
/* Whole slice is a decimal number without sign, 1..20 digits, no overflow. False otherwise. */
NODISCARD bool slice_u64(slice s, uint64_t *out);
NODISCARD bool slice_u32(slice s, uint32_t *out);

/* cursor: a slice being read from the front. Every read is checked; a parser never does p++. */
struct cursor {
    slice rest;
};

static inline struct cursor cursor_of(slice s)
{
    return (struct cursor){s};
}
static inline bool cursor_end(const struct cursor *c)
{
    return c->rest.n == 0;
}
/* The next byte, or -1 at the end. */
static inline int cursor_peek(const struct cursor *c)
{
    return c->rest.n ? c->rest.p[0] : -1;
}
/* The byte i ahead, or -1. */
static inline int cursor_peek_at(const struct cursor *c, size_t i)
{
    return i < c->rest.n ? c->rest.p[i] : -1;
}
/* Steps over n bytes, at most to the end. */
static inline void cursor_skip(struct cursor *c, size_t n)
{
    n = size_min(n, c->rest.n);
    if (n == 0)
        return;
    c->rest.p += n;
    c->rest.n -= n;
}
/* The next byte, stepping over it, or -1. */
static inline int cursor_next(struct cursor *c)
{
    int b = cursor_peek(c);
    cursor_skip(c, 1);
    return b;
}
/* Steps over b if it is next. */
static inline bool cursor_take(struct cursor *c, uint8_t b)
{
    if (cursor_peek(c) != b)
        return false;
    cursor_skip(c, 1);
    return true;
}
/* Steps over the word if it is next (ASCII case folded). */
bool cursor_take_nocase(struct cursor *c, slice word);
/* Takes n bytes. False, nothing taken, when there are fewer. */
NODISCARD bool cursor_bytes(struct cursor *c, size_t n, slice *out);
/* Takes the longest run for which the table (256 flags) is true; may be empty. */
slice cursor_span(struct cursor *c, const bool table[256]);
/* Takes a line without its end; the end is LF or CRLF and is stepped over. The last line may have no end.
 * False at the end of the input. */
NODISCARD bool cursor_line(struct cursor *c, slice *out);
/* Big-endian integers. */
NODISCARD bool cursor_u8(struct cursor *c, uint8_t *out);
NODISCARD bool cursor_u16(struct cursor *c, uint16_t *out);
NODISCARD bool cursor_u32(struct cursor *c, uint32_t *out);
NODISCARD bool cursor_u64(struct cursor *c, uint64_t *out);

#endif
