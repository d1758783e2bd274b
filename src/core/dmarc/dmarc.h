/* dmarc: does the author's domain stand behind this message? RFC 9989 (tree walk, np, psd, t; no public
 * suffix list), as a function of what SPF and DKIM found and of a dns_table. */
#ifndef POSTHORN_CORE_DMARC_DMARC_H
#define POSTHORN_CORE_DMARC_DMARC_H

#include "core/dkim/dkim.h"
#include "core/spf/spf.h"

#define DMARC_AUTHORS_MAX 16 /* different domains in From; more is permerror */
#define DMARC_WALK_MAX    8  /* DNS questions of one tree walk, RFC 9989 §4.10 */

/* The numbers travel on channels and lie in the journal. */
enum dmarc_policy { DMARC_POLICY_NONE = 0, DMARC_POLICY_QUARANTINE = 1, DMARC_POLICY_REJECT = 2 };
slice dmarc_policy_word(enum dmarc_policy p); /* "none" ... */

struct dmarc_result {
    enum auth_result result; /* none (no record), pass, fail, temperror, permerror */
    slice author;            /* the From domain this is about, lower-case A-labels: of several, the worst */
    slice policy_domain;     /* where the record was found; empty: nowhere */
    slice organizational_domain; /* of the author */
    enum dmarc_policy published; /* what the record asks for this author (p, sp or np; t= not applied) */
    enum dmarc_policy asked; /* after t=y lowered it by one step (RFC 9989 §4.7); none when result is pass */
    bool testing;            /* t=y */
    bool spf_aligned, dkim_aligned;
    bool spf_strict, dkim_strict; /* aspf=s, adkim=s */
    char policy_tag;              /* which tag decided: 'p', 's' (sp) or 'n' (np) */
    slice record;                 /* as published */
    slice rua, ruf;               /* as published, or empty */
    slice fo;                     /* as published, or empty: "0" */
    slice reason;                 /* in words */
};

/* authors: the domains of every address in the one From field, lower-case A-labels (THREATS 20); the worst
 * result wins. n_authors == 0 is permerror. spf->of_helo and results of other identities count as RFC 9989
 * says. */
NODISCARD enum auth_step dmarc_check(const slice *authors, size_t n_authors, const struct spf_result *spf,
                                     const struct dkim_result *dkim, size_t n_dkim, struct dns_table *dns,
                                     struct arena *a, struct dmarc_result *out);
/* Notes the first questions of the tree walks, before SPF and DKIM are known. */
void dmarc_want(const slice *authors, size_t n_authors, struct dns_table *dns);

#endif
