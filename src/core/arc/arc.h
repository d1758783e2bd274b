/* arc: Authenticated Received Chain, verifying only (RFC 8617). Used to rescue mail that came by way of a
 * sealer somebody here trusts, and for nothing else (THREATS 24). We never seal.
 *
 * A chain that passes says that its sealers said what stands in it, not that it is true: anybody can seal.
 * Who uses the result looks at every one of the sealers.
 *
 * Works on the parts of DKIM (core/dkim/dkim_parts.h) and keeps its stricter rules: keys under 1024 bits and
 * SHA-1 are refused, a message signature with l= is none, a header block that does not parse fully has no
 * chain.
 *
 * Limits: ARC_SETS_MAX sets, ARC_BYTES_MAX octets of ARC fields (arc_set.h). The keys of a chain of more than
 * ARC_AT_ONCE sets are asked for when its newest set has proved right, so that a made-up chain costs two
 * questions; for such a chain oldest_pass is not looked for. */
#ifndef POSTHORN_CORE_ARC_ARC_H
#define POSTHORN_CORE_ARC_ARC_H

#include "core/dkim/dkim.h"

#define ARC_SETS_MAX 50 /* RFC 8617 §4.2.1 */
#define ARC_AT_ONCE  5

struct arc_result {
    enum auth_result result; /* none, pass, fail (RFC 8617 §4.4); never a temporary one: see temporary */
    bool temporary;          /* fail only because a key could not be had just now */
    unsigned sets;
    slice sealer;           /* d= of the newest seal; with pass, every seal is listed in sealers */
    const slice *sealers;   /* oldest first, sets of them; NULL unless pass */
    bool from_signed;       /* the newest message signature covers From; else anybody may have written it */
    slice first_results;    /* the authentication results of the first set (instance 1), as text behind its
                               authserv-id: what the first sealer saw. Only with pass */
    bool first_dmarc_pass;  /* they say dmarc=pass, and nowhere another dmarc= */
    slice first_dmarc_from; /* of what domain (header.from=): a name, lower case; empty when not said */
    unsigned oldest_pass; /* RFC 8617 §5.2: lowest instance whose message signature still verifies; 0: all */
    slice reason;         /* in words; empty with none */
};

struct arc_verify;

/* Same way of work as dkim_verify: begin, body pieces, end, finish. */
/* header: the header block with its empty line. Views into it are kept. NULL at the arena's cap. */
struct arc_verify *arc_verify_begin(slice header, struct arena *a);
/* Has dkim, which gets the same body, hash it for both: called before the first piece. All else stays as it
 * is, only that dkim_verify_body_end() comes before arc_verify_finish(), and dkim lives as long. */
void arc_verify_share(struct arc_verify *v, struct dkim_verify *dkim);
void arc_verify_body(struct arc_verify *v, slice piece);
void arc_verify_body_end(struct arc_verify *v);
void arc_verify_want(struct arc_verify *v, struct dns_table *dns);
NODISCARD enum auth_step arc_verify_finish(struct arc_verify *v, struct dns_table *dns, time_ms now,
                                           struct dkim_keys_cache *cache, struct arc_result *out);

#endif
