/* report_words: what reports on mail in our name mean, in sentences.
 *
 * Rows of aggregate reports are gathered by source (the address that sent), each source is put into one of a
 * few classes, and each class has its words and its advice:
 *
 *     OK ........ everything passed
 *     FORWARDED . SPF fails, our DKIM signature passes: somebody forwards our mail, and it is believed
 *     OWN ....... one of our own addresses fails: something of ours is broken
 *     CHANGED ... our signature is there, but broken on the way, or the receiver says so: a mailing list or a
 *                 forwarder
 *     SERVICE ... it proves another domain than ours (SPF or DKIM pass, not aligned): probably a service of
 *                 ours that does not use our name yet, or nobody of ours who is honest about his own
 *     FORGED .... it proves nothing
 *
 * Pure: rows in, lines out. */
#ifndef POSTHORN_POLICY_REPORT_WORDS_H
#define POSTHORN_POLICY_REPORT_WORDS_H

#include "core/reports/aggregate.h"

#define REPORT_SOURCES_MAX 4000 /* rows of further sources count in the totals only */
#define REPORT_TOLD_MAX    25   /* sources with a sentence of their own */
#define REPORT_FORGED_MAX  8    /* ... of which forgers */

enum report_class {
    REPORT_OK,
    REPORT_FORWARDED,
    REPORT_OWN,
    REPORT_CHANGED,
    REPORT_SERVICE,
    REPORT_FORGED,
    REPORT_CLASS__COUNT
};
const char *report_class_word(enum report_class c); /* "ok", "forwarded" ... */

struct report_source {
    struct ip ip;
    bool ours;                        /* one of this server's addresses */
    slice name;                       /* reverse name, or empty; the caller's */
    uint64_t messages, believed;      /* believed: DKIM or SPF passed aligned */
    uint64_t dkim_passed, spf_passed; /* aligned */
    uint64_t refused, quarantined;
    uint64_t own_broken; /* failed with a signature of ours that did not verify, or by a list or forwarder */
    uint64_t others;     /* failed, but SPF or DKIM passed for another domain */
    slice other;         /* such a domain, the first seen */
    bool other_is_dkim;  /* it signs with that domain; else SPF only */
};

/* Sources in the making. */
struct report_sources {
    slice domain; /* ours */
    struct arena *arena;
    struct report_source *at;
    size_t n;
    uint64_t messages, believed; /* of all rows */
    uint64_t left_out;           /* messages of sources beyond the bound */
};

/* False at the arena's cap. */
NODISCARD bool report_sources_init(struct report_sources *s, slice domain, struct arena *a);
/* Adds a row; the rows of one source come one behind the other. Domains are copied where kept. False at the
 * arena's cap. */
NODISCARD bool report_sources_add(struct report_sources *s, const struct aggregate_record *row,
                                  const struct ip *ours, size_t n_ours);
/* The largest failing ones first. */
void report_sources_sort(struct report_sources *s);
enum report_class report_class_of(const struct report_source *s);

struct report_words_tls {
    slice org;
    uint64_t good, failed;
    slice result, mx; /* of one kind of failure; result empty: the sums */
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
    size_t n_orgs;  /* organisations that sent aggregate reports */
    uint8_t policy; /* of enum dmarc_policy, as the newest report saw it; 255: not known */
    const struct report_sources *sources;
    unsigned watched_days;                /* how long there have been reports, at most the last 30 days */
    const struct report_sources *watched; /* of those days; NULL: no advice */
    const struct report_words_tls *tls;
    size_t n_tls;
    const struct report_words_failure *failures;
    size_t n_failures;
};

/* One thing to say. text and fix are whole sentences; fix may be empty. */
struct report_line {
    const char *kind; /* "total" "source" "advice" "tls" "failure" */
    enum report_class class;
    const struct report_source *source; /* kind "source" */
    slice text, fix;
};
typedef void (*report_line_fn)(void *arg, const struct report_line *line);

void report_words(const struct report_summary *s, report_line_fn fn, void *arg);

#endif
