/* report_words: what reports on mail in our name mean, in sentences, for somebody who runs a server beside
 * other work: what happened, whether it matters, what to do. Classes and groups of sources:
 * policy/report_sources.
 *
 * Pure: numbers in, lines out. */
#ifndef POSTHORN_POLICY_REPORT_WORDS_H
#define POSTHORN_POLICY_REPORT_WORDS_H

#include "policy/report_sources.h"

#define REPORT_TOLD_MAX   25 /* groups with a sentence of their own */
#define REPORT_FORGED_MAX 3  /* ... of forgers; of more, all of them get one together */

struct report_words_tls {
    slice org;
    uint64_t good, failed;
    slice result, mx; /* of one kind of failure; result empty: the sums */
    slice reason;     /* what the sender adds to it, or empty */
    uint64_t count;
};

struct report_words_failure {
    struct ip source;
    slice failure, header_from;
    uint64_t incidents;
};

struct report_summary {
    slice domain;
    unsigned days;  /* that were asked for */
    slice hostname; /* of this server */
    size_t n_orgs;  /* organisations that are proven to have sent aggregate reports */
    slice org;      /* the only one, when it is one */
    /* reports of any kind whose sender is not proven: they count nowhere */
    uint64_t unproven_reports, unproven_messages;
    slice unproven_org; /* whom the largest claims to be from */
    size_t n_unproven_orgs;
    bool cut;       /* there are more rows than are read: the oldest are missing */
    uint8_t policy; /* of enum dmarc_policy, as the newest report saw it; 255: not known */
    const struct report_sources *sources; /* sorted */
    unsigned watched_days;                /* how long there have been reports, at most the last 30 days */
    const struct report_sources *watched; /* of those days; NULL: no advice */
    const struct report_words_tls *tls;
    size_t n_tls;
    const struct report_words_failure *failures;
    size_t n_failures;
};

/* One thing to say. text and fix are whole sentences; fix may be empty. */
struct report_line {
    const char *kind; /* "total" "source" "advice" "tls" "failure" "unproven" */
    enum report_class class;
    const struct report_group *group;   /* kind "source" */
    const struct report_summary *sum;   /* the first of kind "total", and "advice" */
    const struct report_words_tls *tls; /* kind "tls"; sums may be of several policies */
    const struct report_words_failure *failure;
    slice text, fix;
};
typedef void (*report_line_fn)(void *arg, const struct report_line *line);

/* False: the sources' arena is full. */
NODISCARD bool report_words(const struct report_summary *s, report_line_fn fn, void *arg);

#endif
