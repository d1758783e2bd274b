/* unpack: what lies in a gzip or zip that a stranger sent, in pieces, within limits (THREATS 26).
 *
 * gzip: RFC 1952, all members one after the other. zip: one member, found in the central directory: the first
 * that ends in one of the names wanted, else the first that is no folder; stored or deflated, not encrypted,
 * no zip64. Neither if what comes out begins like an archive itself: one level only, so an archive that holds
 * itself ends there.
 *
 * Memory: 48 KB beside the input. Time: linear in input and output, both bounded. */
#ifndef POSTHORN_TEXT_UNPACK_H
#define POSTHORN_TEXT_UNPACK_H

#include "base/err.h"
#include "base/slice.h"

struct unpack_limits {
    uint64_t bytes_max; /* that may come out */
    unsigned ratio_max; /* out for each byte in, beyond the first 64 KB */
};
/* 10 MB, 100 */
extern const struct unpack_limits unpack_limits_default;

enum unpack_kind { UNPACK_NOTHING, UNPACK_GZIP, UNPACK_ZIP };
/* By the first bytes. */
enum unpack_kind unpack_kind(slice bytes);

/* Gets the next piece; an error ends the unpacking with it, and *why is then its to write. */
typedef enum err (*unpack_fn)(void *arg, slice piece);
/* Unpacks; what is packed in no known way is one piece as it is (the limit of bytes holds). endings: of names
 * wanted, such as ".xml". ERR_LIMIT: a limit; ERR_DENIED: an archive inside, an encrypted one;
 * ERR_UNSUPPORTED: another method; ERR_CORRUPT: damaged; *why says it in words (may be NULL). */
NODISCARD enum err unpack(slice packed, const slice *endings, size_t n_endings,
                          const struct unpack_limits *limits, unpack_fn fn, void *arg,
                          struct err_detail *why);

#endif
