/* dmarc_record: one DMARC policy record, read (RFC 9989 §4.7, §4.8).
 *
 * What it is not: a search for records, see dmarc_walk.h. The version is strict: a text that does not begin
 * with "v=DMARC1", exactly so but for blanks around "=", is no DMARC record at all. The rest is lenient,
 * because the RFC wants it so: unknown tags and tags with a value outside their grammar count as absent, and
 * of a tag that occurs twice the first counts. What was odd is kept as bits for those who advise a domain's
 * owner.
 *
 * Invariant: rua, ruf and fo hold printable ASCII only, whatever the DNS said. */
#ifndef POSTHORN_CORE_DMARC_DMARC_RECORD_H
#define POSTHORN_CORE_DMARC_DMARC_RECORD_H

#include "base/err.h"
#include "base/slice.h"

#define DMARC_RECORD_MAX 8192 /* octets; a longer text is no record to us */

/* The numbers travel on channels and lie in the journal. */
enum dmarc_policy { DMARC_POLICY_NONE = 0, DMARC_POLICY_QUARANTINE = 1, DMARC_POLICY_REJECT = 2 };
slice dmarc_policy_word(enum dmarc_policy p); /* "none" ... */

/* psd=: is the domain one under which others register names? */
enum dmarc_psd { DMARC_PSD_UNSAID = 0, DMARC_PSD_YES = 1, DMARC_PSD_NO = 2 };

enum dmarc_defect {
    DMARC_DEFECT_P_MISSING = 1 << 0,
    DMARC_DEFECT_P = 1 << 1, /* a value that is none of the three */
    DMARC_DEFECT_SP = 1 << 2,
    DMARC_DEFECT_NP = 1 << 3,
    DMARC_DEFECT_VALUE = 1 << 4,   /* of adkim, aspf, psd, t or fo: taken as absent */
    DMARC_DEFECT_URI = 1 << 5,     /* rua or ruf holds something that is no URI */
    DMARC_DEFECT_REMOVED = 1 << 6, /* pct, rf or ri: RFC 9989 knows them no more */
    DMARC_DEFECT_UNKNOWN = 1 << 7, /* a tag nobody registered */
    DMARC_DEFECT_TWICE = 1 << 8,   /* a tag occurs twice; the first counts */
    DMARC_DEFECT_SYNTAX = 1 << 9,  /* something that is no tag=value */
};

struct dmarc_record {
    bool usable;                 /* false: no valid p, sp or np and no rua: no DMARC for mail that meets it */
    enum dmarc_policy p, sp, np; /* sp is p, and np is sp, where not said */
    bool has_sp, has_np;
    enum dmarc_psd psd;
    bool testing;                 /* t=y */
    bool dkim_strict, spf_strict; /* adkim=s, aspf=s */
    slice rua, ruf;               /* as published, or empty */
    slice fo;                     /* valid, or empty: "0" */
    uint32_t defects;
};

/* text: the strings of one TXT record joined. ERR_NOT_FOUND: no DMARC record (another version, another kind
 * of record, or longer than DMARC_RECORD_MAX). *out views text. With an invalid p, sp or np, or without p,
 * the record acts as p=none when rua holds a valid URI, and is not usable otherwise (RFC 9989 §4.10.1). */
NODISCARD enum err dmarc_record_parse(slice text, struct dmarc_record *out);

#endif
