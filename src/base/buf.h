/* buf: growable bytes with a maximum stated when it is made.
 *
 * An append past the maximum fails with ERR_LIMIT and marks the buffer as failed: a run of appends may be
 * written without looking at each and checked once with buf_failed(). A view lives until the next change.
 * struct buf {0} with a max is ready for use; buf_done() gives the memory back. */
#ifndef POSTHORN_BASE_BUF_H
#define POSTHORN_BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t n, cap, max;
    bool failed; /* an append did not fit since the last clear */
};

void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer may be used again with the same max. NULL is fine. */
void buf_done(struct buf *b);
/* Empties it and clears the failed mark; keeps the memory. */
void buf_clear(struct buf *b);
static inline slice buf_view(const struct buf *b)
{
    return (slice){b->p, b->n};
}
static inline bool buf_failed(const struct buf *b)
{
    return b->failed;
}

/* Each returns OK or ERR_LIMIT; after ERR_LIMIT the content is as before. The result may be ignored when
 * buf_failed() is asked later. */
enum err buf_append(struct buf *b, slice s);
enum err buf_byte(struct buf *b, uint8_t c);
enum err buf_str(struct buf *b, const char *literal);
/* printf-like; the format is always a literal. */
enum err buf_print(struct buf *b, const char *format, ...) FORMAT(2, 3);
/* Decimal number. */
enum err buf_u64(struct buf *b, uint64_t v);
/* Big-endian integers. */
enum err buf_be16(struct buf *b, uint16_t v);
enum err buf_be32(struct buf *b, uint32_t v);
enum err buf_be64(struct buf *b, uint64_t v);
/* Makes room for n more bytes and gives their place; buf_commit() then counts those that were written.
 * NULL at the maximum. The place lives until the next change. */
NODISCARD uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
/* Drops the first n bytes (at most all). */
void buf_consume(struct buf *b, size_t n);
/* Cuts to the first n bytes (at most what is there). */
void buf_truncate(struct buf *b, size_t n);

#endif
