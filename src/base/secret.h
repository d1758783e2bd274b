/* secret: bytes that must not outlive their use: wiped when done, never logged, never in an arena. */
#ifndef POSTHORN_BASE_SECRET_H
#define POSTHORN_BASE_SECRET_H

#include "base/err.h"
#include "base/slice.h"

struct secret {
    uint8_t bytes[512];
    size_t n;
};

/* Overwrites memory in a way the compiler keeps. */
void secret_wipe(void *p, size_t n);
/* Wipes and empties. NULL is fine. Fits CLEANUP(). */
void secret_done(struct secret *s);
/* Copies s in. ERR_LIMIT when it is longer than the room. */
NODISCARD enum err secret_set(struct secret *out, slice s);
static inline slice secret_view(const struct secret *s)
{
    return (slice){s->bytes, s->n};
}

#endif
