/* record: the grammar of one SPF record (RFC 7208 §12), as text that is walked; nothing is kept but views.
 *
 * spf_record_parse() reads the whole record once, because an error anywhere makes it useless (RFC 7208 §4.6);
 * after that spf_record_term() hands the same terms out one by one and cannot fail. */
#ifndef POSTHORN_CORE_SPF_RECORD_H
#define POSTHORN_CORE_SPF_RECORD_H

#include "base/ip.h"
#include "core/auth/auth.h"

/* A record of more octets is not read. RFC 7208 §3.4 advises 450; the longest in use have a few thousand. */
#define SPF_RECORD_MAX ((size_t)16384)
/* Those of one check together. Each answer of the DNS has them all read again, and a check may wait for more
 * than a hundred. */
#define SPF_RECORDS_MAX (2 * SPF_RECORD_MAX)

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT,
    SPF_EXP,
    SPF_MODIFIER, /* an unknown one, which means nothing */
};

struct spf_term {
    enum spf_kind kind;
    enum auth_result qualifier; /* pass, fail, softfail or neutral; a mechanism's result when it matches */
    slice text;                 /* as written */
    slice spec;                 /* the domain-spec, unexpanded; empty: the current domain */
    struct ip ip;               /* ip4, ip6 */
    uint8_t v4_bits, v6_bits;   /* ip4, ip6, a, mx */
};

struct spf_record {
    slice terms;
    slice redirect, exp; /* their domain-specs; empty: none */
    bool has_all;        /* redirect is then never used, RFC 7208 §5.1 */
};

/* Does this text begin as an SPF record (RFC 7208 §4.5)? The first 7 octets suffice. */
bool spf_record_is(slice text);
/* ERR_SYNTAX when it is no good, *out_bad then the term, which may hold any octets. text is a whole record.
 */
NODISCARD enum err spf_record_parse(slice text, struct spf_record *out, slice *out_bad);
/* The next term of a record that was parsed; rest begins as record.terms. False at the end. */
NODISCARD bool spf_record_term(struct cursor *rest, struct spf_term *out);

#endif
