/* aggregate_read: a DMARC aggregate report out of its XML, which comes in pieces (unpack feeds it).
 *
 * Reads RFC 9990 and RFC 7489 Appendix C as one, and what real reporters make of them: elements in any order,
 * fields missing, several auth_results, unknown elements inside any other, namespaces or none, broken tags
 * (left out; the rest is read). Texts are cut and cleaned, numbers outside their range count as zero.
 *
 * What makes it no report at all: no <feedback>, no policy domain, no records and no period. */
#ifndef POSTHORN_CORE_REPORTS_AGGREGATE_READ_H
#define POSTHORN_CORE_REPORTS_AGGREGATE_READ_H

#include "core/reports/aggregate.h"

struct aggregate_reader; /* malloc'ed */

/* The report is made in the arena, which should have room for 16 MB. NULL when there is no memory. */
struct aggregate_reader *aggregate_reader_new(struct arena *a);
void aggregate_reader_free(struct aggregate_reader **r);
/* The next piece. ERR_DENIED: a DOCTYPE. ERR_LIMIT: a bound. */
NODISCARD enum err aggregate_reader_feed(struct aggregate_reader *r, slice piece);
/* The end. ERR_SYNTAX: it is no such report; *why says why (may be NULL). */
NODISCARD enum err aggregate_reader_end(struct aggregate_reader *r, struct aggregate_report *out,
                                        struct err_detail *why);

#endif
