/* What the files of tell share: tell.c asks and decides, tell_rows.c puts the answer into rows of JSON. */
#ifndef POSTHORN_PROC_REPORTER_TELL__H
#define POSTHORN_PROC_REPORTER_TELL__H

#include "policy/report_words.h"
#include "proc/reporter/reporter.h"

#define TELL_ROWS    4000 /* JSON objects of one answer */
#define TELL_SOURCES 500  /* in the table */
#define TELL_PTR_MAX 25
#define TELL_WEB     3 /* names of the domain that are asked for addresses */

/* What is asked of the DNS: the name of a source, or an address of a name of the domain's. */
struct tell_name {
    struct tell *tell;
    struct report_source *source; /* or NULL: */
    slice name;
    uint16_t type;
};

struct tell {
    struct list link;
    struct reporter *reporter;
    struct role_peer *peer; /* NULL: who asked is gone */
    uint64_t id;            /* of the question in hand; 0: none */
    uint32_t number;
    struct arena arena;
    slice domain;
    unsigned days;
    time_ms now;
    size_t step, from; /* the page in hand */
    struct report_place place;
    bool cut; /* there are more rows than TELL_INPUT */
    struct tell_name names[TELL_PTR_MAX + 2 * TELL_WEB];
    size_t n_names, names_open; /* asked; not answered, and one while they are being asked */
    struct ip ours[16];
    size_t n_ours;
    struct report_org *orgs;
    size_t n_orgs;
    time_ms first; /* when the oldest report of the watched days begins; 0: none */
    uint8_t policy;
    time_ms policy_end;
    struct report_sources sources, watched;
    struct report_words_tls *tls;
    size_t n_tls;
    struct report_words_failure *failures;
    size_t n_failures;
    uint64_t sent, sent_messages; /* reports of ours */
    struct buf json;              /* the rows, one behind the other */
    uint32_t at[TELL_ROWS + 1];
    size_t n_rows;
};

/* The rows, one behind the other in t->json; what does not fit is left out. */
void tell__line(void *arg, const struct report_line *line); /* a report_line_fn; arg: struct tell */
void tell__sent(struct tell *t);
void tell__tables(struct tell *t);

#endif
