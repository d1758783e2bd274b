/* sign: DKIM signatures for outgoing mail (RFC 6376 §5): relaxed/relaxed, RSA and Ed25519 side by side
 * (RFC 8463 §3), valid for 14 days (THREATS 23).
 *
 * The private keys are elsewhere: this makes the digests that are to be signed, and, when the signatures come
 * back, the fields. Begin, body pieces, end; then for each key dkim_sign_digest() and dkim_sign_field().
 *
 * Signed are the fields of a fixed list, those of the domain's own list, and nothing else. Each is named once
 * more than it is there, so that none can be added; fields that nobody may add to a message of ours are named
 * even when they are not there (THREATS 22). */
#ifndef POSTHORN_CORE_DKIM_SIGN_H
#define POSTHORN_CORE_DKIM_SIGN_H

#include "core/dkim/dkim_parts.h"

#define DKIM_SIGN_VALID_MS  (14 * MS_DAY)
#define DKIM_SIGN_KEYS_MAX  8
#define DKIM_SIGN_EXTRA_MAX 32
#define DKIM_SIGN_FIELD_MAX ((size_t)16 * 1024) /* of one finished field */

struct dkim_sign_key {
    slice selector;
    enum dkim_algorithm algorithm;
};

struct dkim_sign_ask {
    slice domain; /* d= */
    const struct dkim_sign_key *keys;
    size_t n_keys;      /* at most DKIM_SIGN_KEYS_MAX */
    const slice *extra; /* names of further fields that are signed; those that are no names are left out */
    size_t n_extra;     /* at most DKIM_SIGN_EXTRA_MAX are used */
    time_ms now;        /* Unix ms: t=, and x= after it */
};

struct dkim_sign; /* lives in its arena */

/* header: the header block as it will be sent, with or without its empty line; views into it are kept.
 * ERR_SYNTAX: domain or a selector is no name; ERR_DENIED: the header block is none that a signature could
 * hold for (junk in it, no From field, thousands of fields); ERR_LIMIT: too many keys, or the arena's cap. */
NODISCARD enum err dkim_sign_begin(slice header, const struct dkim_sign_ask *ask, struct arena *a,
                                   struct dkim_sign **out);
/* The next piece of the body, lines ended by CRLF; hashed once for all keys. */
void dkim_sign_body(struct dkim_sign *s, slice piece);
/* Once, after the last piece. ERR_LIMIT: h= came out too long. */
NODISCARD enum err dkim_sign_body_end(struct dkim_sign *s);
/* What key i (in the order of ask) signs. */
void dkim_sign_digest(const struct dkim_sign *s, size_t i, uint8_t out[DIGEST_SHA256_SIZE]);
/* Appends the finished field of key i with its CRLF, folded at 78 columns. signature: of that digest.
 * ERR_LIMIT when out is full. */
NODISCARD enum err dkim_sign_field(const struct dkim_sign *s, size_t i, slice signature, struct buf *out);

#endif
