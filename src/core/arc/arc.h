/* arc: Authenticated Received Chain, verifying only (RFC 8617). Used to rescue mail that came by way of a
 * sealer somebody here trusts, and for nothing else (THREATS 24). We never seal. */
#ifndef POSTHORN_CORE_ARC_ARC_H
#define POSTHORN_CORE_ARC_ARC_H

#include "core/dkim/dkim.h"

#define ARC_SETS_MAX 50 /* RFC 8617 §4.2.1 */

struct arc_result {
    enum auth_result result; /* none, pass, fail (RFC 8617 §4.4); never a temporary one: see temporary */
    bool temporary;          /* fail only because a key could not be had just now */
    unsigned sets;
    slice sealer;          /* d= of the newest seal; with pass, every seal is listed in sealers */
    const slice *sealers;  /* oldest first, sets of them */
    slice first_results;   /* the authentication results of the first set (instance 1), as text behind its
                              authserv-id: what the first sealer saw */
    bool first_dmarc_pass; /* they say dmarc=pass */
    unsigned oldest_pass; /* RFC 8617 §5.2: lowest instance whose message signature still verifies; 0: all */
    slice reason;         /* in words */
};

struct arc_verify;

/* Same way of work as dkim_verify: begin, body pieces, end, finish. */
struct arc_verify *arc_verify_begin(slice header, struct arena *a);
void arc_verify_body(struct arc_verify *v, slice piece);
void arc_verify_body_end(struct arc_verify *v);
void arc_verify_want(struct arc_verify *v, struct dns_table *dns);
NODISCARD enum auth_step arc_verify_finish(struct arc_verify *v, struct dns_table *dns, time_ms now,
                                           struct dkim_keys_cache *cache, struct arc_result *out);

#endif
