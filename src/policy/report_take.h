/* report_take: finds the report in a message that came to dmarc-reports@ or tls-reports@, and reads it.
 *
 * Looked at are, in this order: a message/feedback-report part (a failure report); the first part whose type,
 * file name or first bytes say XML, JSON, gzip or zip; and prose as some servers write it. What was found is
 * told by its content, not by the address it came to: reporters mix them up.
 *
 * Pure, and bounded in all: the arena's cap, the limits of unpack, xml and the readers (THREATS 26). */
#ifndef POSTHORN_POLICY_REPORT_TAKE_H
#define POSTHORN_POLICY_REPORT_TAKE_H

#include "core/reports/aggregate.h"
#include "core/reports/failure_read.h"
#include "core/reports/tlsrpt_read.h"

#define REPORT_ARENA_MAX  ((size_t)24 << 20) /* what one message may cost */
#define REPORT_PACKED_MAX ((size_t)10 << 20) /* bytes of an attachment as it came */

enum report_kind { REPORT_AGGREGATE, REPORT_FAILURE, REPORT_TLS };

struct report {
    enum report_kind kind;
    struct aggregate_report aggregate;
    struct failure_report failure;
    struct tlsrpt tls;
};

/* message: as it came, header and body. ERR_NOT_FOUND: no attachment of a report's kind; ERR_SYNTAX,
 * ERR_LIMIT, ERR_DENIED, ERR_CORRUPT, ERR_UNSUPPORTED: it cannot be taken; *why says why, for the sender, in
 * words. */
NODISCARD enum err report_take(slice message, struct arena *a, struct report *out, struct err_detail *why);

#endif
