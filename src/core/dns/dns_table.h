/* dns_table: the questions one piece of work has to the DNS, and the answers known so far.
 *
 * How a protocol core asks without doing I/O: it is a function of its inputs and of this table. It calls
 * dns_table_get(); when the answer is not there the question is noted and the core returns "wait". The shell
 * sends all questions that were noted (dns_table_next()), at once and in parallel, puts the answers in
 * (dns_table_put()) and runs the core again. A core should therefore note every question it can foresee
 * before it returns. The same question is asked once, however many cores want it.
 *
 * Invariants: 1. an answer never changes once it is there: a core that is run again decides the same.
 * 2. At most questions_max questions; one more, or one that the arena has no room for, is answered
 * DNS_ANSWER_TEMPFAIL.
 *
 * Limits: answers cost memory of the arena; RDATA of one answer beyond DNS_TABLE_RDATA_MAX bytes or
 * DNS_TABLE_RRS_MAX records makes it DNS_ANSWER_TEMPFAIL (THREATS 10). */
#ifndef POSTHORN_CORE_DNS_DNS_TABLE_H
#define POSTHORN_CORE_DNS_DNS_TABLE_H

#include "base/arena.h"
#include "core/dns/dns_rr.h"

#define DNS_TABLE_RDATA_MAX ((size_t)128 * 1024)
#define DNS_TABLE_RRS_MAX   256

enum dns_answer_status {
    DNS_ANSWER_OK,       /* records, or none: the name exists but has no record of this type */
    DNS_ANSWER_NXDOMAIN, /* no such name */
    DNS_ANSWER_TEMPFAIL, /* SERVFAIL, no server reached, malformed */
    DNS_ANSWER_TIMEOUT,
    DNS_ANSWER_BOGUS, /* DNSSEC validation failed */
};

struct dns_answer {
    enum dns_answer_status status;
    bool secure; /* validated with DNSSEC */
    uint32_t ttl_s;
    const slice *rdata; /* uncompressed RDATA, n of them; read with dns_rr */
    size_t n;
};

/* RFC 7208 §4.6.4, a "void lookup": answered, but with nothing. */
static inline bool dns_answer_void(const struct dns_answer *a)
{
    return a->status == DNS_ANSWER_NXDOMAIN || (a->status == DNS_ANSWER_OK && a->n == 0);
}
/* No answer for now: TEMPFAIL, TIMEOUT or BOGUS. */
static inline bool dns_answer_failed(const struct dns_answer *a)
{
    return a->status != DNS_ANSWER_OK && a->status != DNS_ANSWER_NXDOMAIN;
}

struct dns_table_row;

struct dns_table {
    struct arena *arena;
    struct dns_table_row **rows; /* each made when it is asked: few of them are */
    size_t n, max, sent;
};

/* A table in the arena with room for questions_max questions. False at the arena's cap. */
NODISCARD bool dns_table_init(struct dns_table *t, struct arena *arena, size_t questions_max);
/* The answer for name (any case, a final dot allowed) and type, or NULL: not known yet, and noted. A name
 * that dns_name_parse() refuses is answered DNS_ANSWER_NXDOMAIN without asking anybody. Lives as long as the
 * arena. */
const struct dns_answer *dns_table_get(struct dns_table *t, slice name, uint16_t type);
/* The same for a name of dns_name_parse_odd(). */
const struct dns_answer *dns_table_get_odd(struct dns_table *t, slice name, uint16_t type);
/* The next question nobody was told of yet, in the order of noting. False: no more for now. name lives in the
 * arena; it may be one of dns_name_parse_odd(). */
NODISCARD bool dns_table_next(struct dns_table *t, size_t *out_question, slice *out_name, uint16_t *out_type);
/* Puts the answer to a question in, copying it. A second answer to the same question is ignored. At the
 * arena's cap the answer becomes DNS_ANSWER_TEMPFAIL. */
void dns_table_put(struct dns_table *t, size_t question, const struct dns_answer *answer);
/* Questions that were handed out by dns_table_next() and have no answer yet. */
size_t dns_table_open(const struct dns_table *t);

#endif
