/* dmarc_walk: the DNS tree walk of RFC 9989 §4.10, which finds the DMARC records that speak for a name and
 * its organizational domain, without a public suffix list. A function of a dns_table.
 *
 * All questions of a walk are noted at once, so that they run in parallel; answers above a psd= that ends the
 * walk are not waited for.
 *
 * Limits: DMARC_WALK_MAX questions, however long the name is (§4.10: the middle of a long name is skipped).
 */
#ifndef POSTHORN_CORE_DMARC_DMARC_WALK_H
#define POSTHORN_CORE_DMARC_DMARC_WALK_H

#include "base/arena.h"
#include "core/auth/auth.h"
#include "core/dmarc/dmarc_record.h"
#include "core/dns/dns_table.h"

#define DMARC_WALK_MAX 8 /* DNS questions of one tree walk, RFC 9989 §4.10 */

/* What one name answered. */
enum dmarc_found {
    DMARC_FOUND_NOTHING, /* no record, or several: all discarded (§4.10, step 2) */
    DMARC_FOUND_RECORD,
    DMARC_FOUND_FAILED, /* no answer for now */
};

struct dmarc_step {
    slice domain; /* without "_dmarc."; a part of the name that was walked */
    enum dmarc_found found;
    bool several; /* more than one record stood there */
    bool exists;  /* the DNS said that something is at or below _dmarc.domain, so domain exists */
    struct dmarc_record record; /* with DMARC_FOUND_RECORD */
    slice text;                 /* the record as published, joined */
};

struct dmarc_walk {
    struct dmarc_step at[DMARC_WALK_MAX]; /* from the whole name upwards, to the one that ended the walk */
    size_t n;
    bool failed; /* some name gave no answer, and what it has might matter; organizational is then a guess */
    slice organizational; /* the organizational domain (§4.10.2); the name itself when no record was found */
    const struct dmarc_step *psd; /* the public suffix domain with its record, or NULL */
};

/* The names that the walk beginning at domain asks for, in order: domain itself first. How many; none for the
 * root. */
size_t dmarc_walk_names(slice domain, slice out[DMARC_WALK_MAX]);
/* Notes all questions of the walk. */
void dmarc_walk_want(slice domain, struct dns_table *dns);
/* Walks. domain is a lower-case name of at least one label that dns_name_parse() took; *out views it, the
 * arena and the table. */
NODISCARD enum auth_step dmarc_walk(slice domain, struct dns_table *dns, struct arena *a,
                                    struct dmarc_walk *out);
/* The same, taking what both walks meet from one that is there already; known may be NULL. */
NODISCARD enum auth_step dmarc_walk_beside(slice domain, const struct dmarc_walk *known,
                                           struct dns_table *dns, struct arena *a, struct dmarc_walk *out);
/* The step at a domain that has a record, or NULL. */
const struct dmarc_step *dmarc_walk_at(const struct dmarc_walk *w, slice domain);
/* The one DMARC record of an answer to a TXT question; out->domain is the caller's and stays. AUTH_DONE or
 * AUTH_NO_MEMORY. */
NODISCARD enum auth_step dmarc_answer_record(const struct dns_answer *answer, struct arena *a,
                                             struct dmarc_step *out);

/* Is name equal to domain or below it? Both lower case. */
bool dmarc_below(slice name, slice domain);

#endif
