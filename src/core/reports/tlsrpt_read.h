/* tlsrpt_read: a TLS report out of its JSON (RFC 8460 §4): how many connections to our mail servers were
 * secured, and why others were not.
 *
 * jansson reads it, after a first look in which the text's depth and number of values are counted: so what a
 * stranger can make us allocate is bounded before (THREATS 26). Unknown members are left out, missing ones
 * are empty. */
#ifndef POSTHORN_CORE_REPORTS_TLSRPT_READ_H
#define POSTHORN_CORE_REPORTS_TLSRPT_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"

#define TLSRPT_BYTES_MAX    ((size_t)4 << 20)
#define TLSRPT_VALUES_MAX   50000
#define TLSRPT_DEPTH_MAX    16
#define TLSRPT_POLICIES_MAX 100
#define TLSRPT_FAILURES_MAX 2000 /* of one report; counts of later ones are in the summaries */

struct tlsrpt_failure {
    slice result;     /* "certificate-host-mismatch", RFC 8460 §4.3 */
    slice sending_ip; /* as written, when it is an address, else empty */
    slice receiving_mx, receiving_ip;
    slice reason; /* failure-reason-code or additional-information */
    uint64_t count;
};

struct tlsrpt_policy {
    slice type; /* "sts", "tlsa", "no-policy-found" */
    slice domain;
    slice mx; /* the first of mx-host */
    uint64_t good, failed;
    struct tlsrpt_failure *failures;
    size_t n_failures;
};

struct tlsrpt {
    slice org, contact, report_id;
    time_ms begin, end; /* Unix ms; 0: not said */
    struct tlsrpt_policy *policies;
    size_t n_policies;
};

/* Everything in the arena; texts as report_text() makes them. ERR_SYNTAX: no such report, ERR_LIMIT: a bound;
 * *why says it in words (may be NULL). */
NODISCARD enum err tlsrpt_read(slice json, struct arena *a, struct tlsrpt *out, struct err_detail *why);

#endif
