/* spf: may this client send mail with this envelope? RFC 7208, whole, as a function of a dns_table.
 *
 * It is a signal about the envelope and says nothing of the From that people see: that is DMARC's business.
 *
 * Invariants: 1. the same answers give the same result, in whatever order they arrive; 2. a name that is
 * shown (domain, reason) went through dns_name_parse(); 3. a check asks for no more than SPF_LOOKUPS_MAX
 * terms and their MX or PTR names, 10 each.
 *
 * Limits: a record of SPF_RECORD_MAX octets, SPF_RECORDS_MAX together (record.h), an expansion of
 * SPF_EXPANSION_MAX (macro.h); beyond them permerror. A run costs time in proportion to the records it reads;
 * nothing is allocated before the end but records of several strings and expanded names. */
#ifndef POSTHORN_CORE_SPF_SPF_H
#define POSTHORN_CORE_SPF_SPF_H

#include "base/ip.h"
#include "base/time.h"
#include "core/auth/auth.h"
#include "core/dns/dns_table.h"

#define SPF_LOOKUPS_MAX 10 /* terms that ask the DNS, RFC 7208 §4.6.4 */
#define SPF_VOID_MAX    2
#define SPF_TEXT_MAX    512 /* an explanation or a reason is cut to this */

struct spf_ask {
    struct ip client;
    slice helo;        /* as the client said it; may be no domain at all */
    slice local;       /* of the reverse-path, without quoting; with domain empty too: the null sender */
    slice domain;      /* of the reverse-path; Unicode is looked up as A-labels, RFC 8616 */
    slice receiver;    /* our host name, for %{r} */
    slice client_name; /* a verified reverse name, or empty; for %{p} where our own questions find none */
    time_ms now;       /* for %{t} */
    bool explain;      /* fetch exp= on a fail */
};

struct spf_result {
    enum auth_result result;
    bool of_helo;      /* the null sender: HELO was checked as postmaster@HELO (RFC 7208 §2.4) */
    slice domain;      /* that was checked, lower case; empty when it was no domain name */
    slice mechanism;   /* the term that decided, as written; "default" when none matched; empty on an error */
    slice explanation; /* what the domain's owner says to a fail; printable ASCII; often empty */
    slice reason;      /* in words for the journal: why this result */
    unsigned lookups, voids;
};

/* check_host() of RFC 7208 §4 for the MAIL FROM identity, or for HELO with the null sender. All of *out lives
 * in the arena or is static. */
NODISCARD enum auth_step spf_check(const struct spf_ask *ask, struct dns_table *dns, struct arena *a,
                                   struct spf_result *out);

#endif
