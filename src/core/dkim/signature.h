/* signature: one DKIM-Signature field, read and checked as far as that goes without key, body and clock
 * (RFC 6376 §3.5, §6.1.1). */
#ifndef POSTHORN_CORE_DKIM_SIGNATURE_H
#define POSTHORN_CORE_DKIM_SIGNATURE_H

#include "core/dkim/dkim_parts.h"

struct dkim_signature {
    struct dkim_result result; /* result.reason not empty: refused, and nothing below counts */
    struct dns_name domain, selector;
    enum dkim_algorithm algorithm;
    enum dkim_canon header_canon, body_canon;
    slice raw; /* the whole field */
    slice b;   /* the value of b= in raw */
    slice h;   /* the value of h= */
    slice signature;
    uint8_t body_digest[DIGEST_SHA256_SIZE]; /* bh= */
    bool identity_below;                     /* i= has a domain below d=, not d= itself */
};

/* Reads field, one of fields, into *out (all zero). Views into it are kept; what is not a view lives in the
 * arena. False at the arena's cap. */
NODISCARD bool dkim_signature_read(const struct dkim_fields *fields, const struct dkim_field *field,
                                   struct arena *a, struct dkim_signature *out);

#endif
