/* body: a message body on its way through the house: bytes written once into a memfd, sealed, and then mapped
 * read-only by whoever is handed the descriptor. Nobody can change it. A small one is read instead, which is
 * quicker than making a mapping, its page faults and its end.
 *
 * Invariants: (1) a body that body_map() accepted carries F_SEAL_WRITE, F_SEAL_GROW and F_SEAL_SHRINK, so its
 * bytes and its size cannot change under the reader. (2) a copy is wiped before its memory is used again. */
#ifndef POSTHORN_SYS_BODY_H
#define POSTHORN_SYS_BODY_H

#include "base/buf.h"
#include "base/err.h"

#define BODY_COPY_MAX ((size_t)64 * 1024) /* a body up to here is read, a larger one mapped */

struct body_writer {
    int fd;          /* -1 until the first flush */
    struct buf held; /* not yet in the memfd */
    uint64_t bytes, bytes_max;
};

/* Nothing is opened before the first byte. bytes_max: append fails with ERR_TOO_LARGE beyond. */
void body_writer_init(struct body_writer *w, uint64_t bytes_max);
/* ERR_TOO_LARGE, ERR_BUSY (no descriptors or memory left) or OK. */
NODISCARD enum err body_append(struct body_writer *w, slice s);
/* Seals. *out_fd belongs to the caller; the writer is as after init. */
NODISCARD enum err body_seal(struct body_writer *w, int *out_fd, uint64_t *out_bytes);
/* Gives everything back; the writer is as after init. */
void body_writer_done(struct body_writer *w);

/* A sealed body that can be looked at. Zero-initialised is empty. */
struct body {
    const uint8_t *p;
    size_t n;
};
/* Makes a sealed memfd readable that somebody handed over. ERR_DENIED when it is not sealed, ERR_TOO_LARGE
 * above bytes_max. Borrows fd: it may be closed afterwards. */
NODISCARD enum err body_map(int fd, uint64_t bytes_max, struct body *out);
void body_unmap(struct body *b);
static inline slice body_view(const struct body *b)
{
    return (slice){b->p, b->n};
}

#endif
