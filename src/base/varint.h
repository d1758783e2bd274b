/* varint: numbers in one to ten bytes, seven bits a byte, the lowest first, a set top bit for "more follows"
 * (LEB128). What the account database and the journal keep on disk is made of them. */
#ifndef POSTHORN_BASE_VARINT_H
#define POSTHORN_BASE_VARINT_H

#include "base/slice.h"

#define VARINT_MAX 10 /* bytes of the longest */

/* Writes v at p, where VARINT_MAX bytes are free. Returns where the next byte goes. */
NODISCARD uint8_t *varint_put(uint8_t *p, uint64_t v);
/* Reads one. False, *out untouched: it is cut off, larger than 64 bits, or not in its shortest form, which
 * varint_put() always makes. */
NODISCARD bool varint_take(struct cursor *c, uint64_t *out);

/* Signed numbers near zero as small unsigned ones: 0, -1, 1, -2 ... become 0, 1, 2, 3 ... */
static inline uint64_t varint_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t varint_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

#endif
