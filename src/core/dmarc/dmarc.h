/* dmarc: does the author's domain stand behind this message? RFC 9989 (tree walk, np, psd, t; no public
 * suffix list), as a function of what SPF and DKIM found and of a dns_table.
 *
 * What it is not: a decision about the message. It says what the author's domain asks for; the judge weighs
 * that.
 *
 * How we read the RFC where it leaves room:
 * - Of several author domains each is checked and the worst result wins (§11.5 lets the receiver choose;
 *   THREATS 20). From worst: fail that asks to reject, fail that asks for quarantine, temperror, permerror,
 * other fail, none, pass.
 * - temperror only when the answer that is missing could have made a pass, or when the policy itself could
 * not be had (§5.3.6): a signature of a stranger whose key cannot be fetched does not keep a message from
 * failing.
 * - SPF counts for the MAIL FROM identity, which is postmaster@HELO with the null sender (§3.2.4).
 * - A domain does not exist for np= when the DNS says NXDOMAIN for it (§3.2.13); any other answer means it
 * does. Without an answer it is not known whether sp or np is its policy, and that is a temperror of the
 * stricter of the two.
 * - With the policy unknown nothing passes or fails (§5.3.6), and what to do is left to the receiver
 * (§4.10.1). try_again says when waiting is better: see there. */
#ifndef POSTHORN_CORE_DMARC_DMARC_H
#define POSTHORN_CORE_DMARC_DMARC_H

#include "core/dkim/dkim.h"
#include "core/dmarc/dmarc_record.h"
#include "core/spf/spf.h"

#define DMARC_AUTHORS_MAX 16 /* different domains in From; more is permerror */
#define DMARC_REASON_MAX  600

struct dmarc_result {
    enum auth_result result; /* none (no record), pass, fail, temperror, permerror */
    slice author;            /* the From domain this is about, lower-case A-labels: of several, the worst */
    slice policy_domain;     /* where the record was found; empty: nowhere */
    slice organizational_domain; /* of the author; empty when it could not be found out */
    enum dmarc_policy published; /* what the record asks for this author (p, sp or np; t= not applied) */
    enum dmarc_policy
        asked;    /* after t=y lowered it by one step (RFC 9989 §4.7); none unless result is fail */
    bool testing; /* t=y */
    /* With temperror for want of the policy: nothing that passed SPF or DKIM speaks for the author either, as
     * far as can be seen, and a name above asks for protection or there is none with a record. Names whose
     * servers are slow or gone can be found below and among protected domains, and must not be the ones to
     * forge. */
    bool try_again;
    bool silent; /* not one name of the walk was answered: perhaps it is our own DNS */
    bool spf_aligned, dkim_aligned;
    bool spf_strict, dkim_strict; /* aspf=s, adkim=s */
    char policy_tag;              /* which tag decided: 'p', 's' (sp) or 'n' (np); 0 without a policy */
    slice record;                 /* as published; bytes that are not printable ASCII are '?' */
    slice rua, ruf;               /* as published, or empty */
    slice fo;                     /* as published, or empty: "0" */
    enum dmarc_policy p, sp, np;  /* all three, for reports (RFC 9990 §3.1.1.7); sp and np defaulted */
    slice reason;                 /* in words */
};

/* authors: the domains of every address in the one From field, lower-case A-labels (THREATS 20); the worst
 * result wins. n_authors == 0 is permerror, as is a domain that is no name (an address literal). All of *out
 * lives in the arena, the table or is static. */
NODISCARD enum auth_step dmarc_check(const slice *authors, size_t n_authors, const struct spf_result *spf,
                                     const struct dkim_result *dkim, size_t n_dkim, struct dns_table *dns,
                                     struct arena *a, struct dmarc_result *out);
/* Notes the first questions of the tree walks, before SPF and DKIM are known. */
void dmarc_want(const slice *authors, size_t n_authors, struct dns_table *dns);

#endif
