/* imap/set: sequence sets (RFC 9051 §9 "sequence-set"): `1,3:5,9:*` or `$`.
 *
 * Parsed as it stands (`*` is kept as 0), resolved once against the largest number there is, then sorted,
 * merged and disjoint: walking it and asking for membership is linear and logarithmic. */
#ifndef POSTHORN_CORE_IMAP_SET_H
#define POSTHORN_CORE_IMAP_SET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct imap_range {
    uint32_t lo, hi; /* both included; before resolving 0 is `*` and lo may be larger */
};

struct imap_set {
    struct imap_range *ranges; /* in the arena */
    size_t n;
    bool saved; /* `$`: the result saved by SEARCH (RFC 9051 §6.4.4.1); no ranges */
};

/* Reads a set from the front. ERR_SYNTAX, or ERR_LIMIT when the arena is full or it has more than ranges_max.
 */
NODISCARD enum err imap_set_parse(struct cursor *c, struct arena *arena, size_t ranges_max,
                                  struct imap_set *out);
/* Puts star (the largest number in use, 0 in an empty mailbox) in for `*`, then sorts and merges. O(n log n).
 */
void imap_set_resolve(struct imap_set *set, uint32_t star);
/* Of a resolved set: the largest number in it, 0 when empty; is n in it; how many numbers. */
uint32_t imap_set_max(const struct imap_set *set);
bool imap_set_has(const struct imap_set *set, uint32_t n);
uint64_t imap_set_count(const struct imap_set *set);

/* The same of ranges that are sorted and disjoint. */
bool imap_ranges_have(const struct imap_range *ranges, size_t ranges_n, uint32_t n);

/* Writes ascending numbers as a compact set: zero-init, put each, end. Writes nothing for no numbers. */
struct imap_set_writer {
    uint32_t lo, hi; /* the run in hand; hi == 0: none */
    bool some;       /* something was written */
};
void imap_set_put(struct imap_set_writer *w, struct buf *b, uint32_t n);
void imap_set_end(struct imap_set_writer *w, struct buf *b);

#endif
