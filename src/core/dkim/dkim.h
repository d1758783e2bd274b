/* dkim: DomainKeys Identified Mail, the receiving half: RFC 6376 with 8301 and 8463.
 *
 * A message is verified in one pass: dkim_verify_begin() reads the header and every signature in it,
 * dkim_verify_body() takes the body in any number of pieces and feeds each canonical form and hash once for
 * all signatures that share it, dkim_verify_finish() compares with the keys from the DNS. Our stricter rules
 * (THREATS 22): at most DKIM_SIGNATURES_MAX signatures are looked at, the topmost, and those below are as if
 * they were not there (who can put ten above the author's could as well take that one out); a signature with
 * l= is none; From must be signed; keys under 1024 bits and SHA-1 are refused; a header block that does not
 * parse fully has no valid signature. */
#ifndef POSTHORN_CORE_DKIM_DKIM_H
#define POSTHORN_CORE_DKIM_DKIM_H

#include "base/time.h"
#include "core/auth/auth.h"
#include "core/dns/dns_table.h"

#define DKIM_SIGNATURES_MAX 10

struct dkim_result {
    enum auth_result result;
    slice domain;    /* d=, checked and lower case; empty when unusable */
    slice selector;  /* s=, the same */
    slice identity;  /* i=, or empty */
    slice algorithm; /* "rsa-sha256", "ed25519-sha256", or as written when unknown */
    slice b;         /* the first 8 characters of b=, for header.b (RFC 8601 §2.7.1, RFC 6008) */
    slice reason;    /* in words: why not pass; never empty then */
    bool testing;    /* t=y in the key: RFC 6376 §3.6.1 */
    bool expired;
    unsigned key_bits;
    time_ms signed_at, expires_at; /* 0: not said */
    uint64_t fingerprint;          /* of b=: the same signature seen again has the same one (THREATS 23) */
};

struct dkim_verify;     /* lives in its arena */
struct dkim_keys_cache; /* parsed public keys, bounded; may be shared by messages of one thread */

struct dkim_keys_cache *dkim_keys_cache_new(size_t keys_max);
void dkim_keys_cache_free(struct dkim_keys_cache **c);

/* header: the header block with its empty line. Views into it are kept. NULL at the arena's cap. */
struct dkim_verify *dkim_verify_begin(slice header, struct arena *a);
/* The next piece of the body; any split gives the same result. */
void dkim_verify_body(struct dkim_verify *v, slice piece);
/* Once, after the last piece. */
void dkim_verify_body_end(struct dkim_verify *v);
/* Notes the key questions; may be called before the body is there, so that the DNS works meanwhile. */
void dkim_verify_want(struct dkim_verify *v, struct dns_table *dns);
/* Decides every signature: *out_n results in the order of the header, none when there is no signature. now in
 * Unix ms. cache may be NULL. */
NODISCARD enum auth_step dkim_verify_finish(struct dkim_verify *v, struct dns_table *dns, time_ms now,
                                            struct dkim_keys_cache *cache, const struct dkim_result **out,
                                            size_t *out_n);

#endif
