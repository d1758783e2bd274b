/* arc_set: the ARC sets of a header block: which fields belong together, and whether they form a chain
 * (RFC 8617 §4.2, §5.2 steps 1 to 3). No keys, no hashes.
 *
 * Strict: each instance from 1 to the highest has exactly three fields, every one of which reads, and the cv=
 * of the seals are those of a chain. Anything else is a broken chain, for a chain is there to be believed.
 *
 * Limits: ARC_SETS_MAX sets, ARC_BYTES_MAX octets of ARC fields in all, since each seal covers all before it.
 */
#ifndef POSTHORN_CORE_ARC_ARC_SET_H
#define POSTHORN_CORE_ARC_ARC_SET_H

#include "core/arc/arc.h"
#include "core/dkim/dkim_parts.h"

#define ARC_BYTES_MAX ((size_t)512 * 1024)

enum arc_cv { ARC_CV_NONE, ARC_CV_PASS, ARC_CV_FAIL };

/* What ARC-Message-Signature and ARC-Seal have in common. */
struct arc_signature {
    slice raw, b; /* the field, and the value of b= in it */
    struct dns_name domain, selector;
    enum dkim_algorithm algorithm;
    slice signature;
    time_ms signed_at;
};

struct arc_set {
    const struct dkim_field *aar, *ams, *seal;
    struct arc_signature seal_signature;
    enum arc_cv cv;
    struct arc_signature ams_signature;
    enum dkim_canon header_canon, body_canon;
    bool canon_unsaid; /* no c=: simple/simple as in DKIM; but relaxed/relaxed was the rule in ARC's drafts,
                          for which there are signers and the public suite, so that is tried too */
    slice h;
    uint8_t body_digest[DIGEST_SHA256_SIZE];
    time_ms expires_at; /* 0: not said */
    slice results;      /* of the AAR, behind "i=N;" */
};

struct arc_chain {
    struct arc_set *sets; /* sets[0] is instance 1 */
    size_t n;             /* 0: no ARC field at all */
    slice broken;         /* empty, or why this is no chain; static or in the arena */
};

/* Reads all sets. Views into the block of fields. False at the arena's cap. */
NODISCARD bool arc_chain_read(const struct dkim_fields *fields, struct arena *a, struct arc_chain *out);

#endif
