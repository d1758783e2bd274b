/* macro: the macro strings of SPF (RFC 7208 §7): their grammar, and their expansion into a buffer with a cap.
 */
#ifndef POSTHORN_CORE_SPF_MACRO_H
#define POSTHORN_CORE_SPF_MACRO_H

#include "base/buf.h"
#include "base/ip.h"
#include "base/time.h"

/* An expansion beyond this many octets is refused (ERR_LIMIT). */
#define SPF_EXPANSION_MAX ((size_t)4096)

/* What the letters stand for. */
struct spf_macros {
    slice local, sender_domain; /* l, o, and s of both */
    slice domain;               /* d, the current one */
    slice helo;                 /* h */
    slice receiver;             /* r; empty: "unknown" */
    slice client_name;          /* p; empty: "unknown" */
    struct ip client;           /* i, v, c */
    time_ms now;                /* t */
};

/* Is this a domain-spec: a macro-string that ends in a top label or a macro? c, r and t are not allowed in
 * it. */
bool spf_macro_is_domain_spec(slice s);
/* Is this a macro-string without c, r, t: the value of an unknown modifier? */
bool spf_macro_is_string(slice s);
/* Is this an explain-string: spaces and all letters allowed? */
bool spf_macro_is_explanation(slice s);
/* Does it use this macro letter (lower case; either case is found)? */
bool spf_macro_uses(slice s, uint8_t letter);
/* Appends the expansion of a string that one of the above took. ERR_LIMIT: longer than out takes. */
NODISCARD enum err spf_macro_expand(slice s, const struct spf_macros *m, struct buf *out);

#endif
