/* What the files of a check share. Nobody else includes it.
 *
 * check.c makes the run, record after record; load.c finds and reads a record; mechanism.c looks at one term;
 * foresee.c notes the questions that will come. */
#ifndef POSTHORN_CORE_SPF_CHECK__H
#define POSTHORN_CORE_SPF_CHECK__H

#include "core/spf/macro.h"
#include "core/spf/record.h"
#include "core/spf/spf.h"

#define SPF_NAMES_MAX 10 /* of MX and of PTR records, RFC 7208 §4.6.4 */

struct spf_frame {
    struct dns_name domain; /* whose record it is */
    bool loaded;
    struct buf joined; /* the record, when it came in several strings */
    struct spf_record record;
    struct cursor rest;   /* terms that were not looked at yet */
    struct spf_term term; /* the one being looked at; in all frames but the last one an include */
};

struct spf_run {
    const struct spf_ask *ask;
    struct dns_table *dns;
    slice local;
    bool local_ascii;
    struct dns_name sender; /* domain of the identity that is checked */
    uint16_t address_type;
    unsigned lookups, voids;
    size_t octets; /* of the records that were loaded, against SPF_RECORDS_MAX */
    struct spf_frame frames[SPF_LOOKUPS_MAX + 1];
    size_t n;
    char client[IP_TEXT];
    char why[SPF_TEXT_MAX];
};

enum spf_turn {
    TURN_MISS,
    TURN_MATCH,
    TURN_ENTER, /* an include was pushed */
    TURN_WAIT,
    TURN_TEMP, /* why says it */
    TURN_PERM,
    TURN_NONE
};

/* run->why is this sentence, cut where it is too long. Returns turn. */
FORMAT(3, 4) enum spf_turn spf__say(struct spf_run *run, enum spf_turn turn, const char *format, ...);
/* The name, when it is fit to be shown; else words for it. */
slice spf__show(const struct dns_name *name);
/* Octets outside printable ASCII as "?", cut at out_n - 1; ends with NUL. */
void spf__printable(slice s, char *out, size_t out_n);

/* load.c */
/* The text of a TXT record: a view when it is one string, else joined in *joined, which is cleared before.
 * ERR_SYNTAX, ERR_LIMIT. */
NODISCARD enum err spf__txt(slice rdata, struct buf *joined, slice *out);
/* The first SPF record among TXT records; *out_n: how many there are. */
slice spf__pick(const struct dns_answer *a, size_t *out_n);
/* Reads the record of f->domain (RFC 7208 §4.4, §4.5): TURN_MATCH, WAIT, TEMP, PERM or NONE. */
enum spf_turn spf__load(struct spf_run *run, struct spf_frame *f);

/* mechanism.c */
/* Does it cost a lookup (RFC 7208 §4.6.4)? */
bool spf__asks(enum spf_kind kind);
/* One more term that asks. False: it is one too many, and *out is TURN_PERM. */
bool spf__count(struct spf_run *run, enum spf_turn *out);
/* The client's address in an ip4 or ip6 term. */
bool spf__match_literal(const struct spf_run *run, const struct spf_term *t);
/* The best of the client's own names (RFC 7208 §5.5): with near, the one that is near or below it, and with
 * any also another. TURN_MATCH, MISS (*out is empty) or WAIT. Errors on the way count as no name. */
enum spf_turn spf__client_name(struct spf_run *run, slice near, bool any, struct dns_name *out,
                               const struct dns_answer **out_ptr);
/* Macros of f's domain expanded: TURN_MATCH, WAIT or PERM. */
enum spf_turn spf__expand(struct spf_run *run, const struct spf_frame *f, slice spec, struct buf *out);
/* The name a term asks for. TURN_MATCH: *out is it. TURN_MISS: there can be no such name, and nothing is to
 * be asked. Also WAIT and PERM. */
enum spf_turn spf__target(struct spf_run *run, const struct spf_frame *f, slice spec, struct dns_name *out);
/* A frame for this domain's record; there is room for all that lookups allow. */
void spf__push(struct spf_run *run, const struct dns_name *domain);
/* f->term: TURN_ENTER when it was an include, whose frame is on top now. */
enum spf_turn spf__turn_term(struct spf_run *run, struct spf_frame *f);

/* foresee.c */
/* Notes every question that the records known so far may come to ask. */
void spf__foresee(struct spf_run *run);

#endif
