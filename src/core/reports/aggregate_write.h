/* aggregate_write: a DMARC aggregate report as XML: RFC 9990 §3.1, Appendix A ("version 1.0" of the namespace
 * urn:ietf:params:xml:ns:dmarc-2.0).
 *
 * Records are written as they come, in any number, into a bounded buffer; those beyond a bound are counted
 * and told in <error>. Every value passes one escaping: whatever a stranger put into a name or a comment, the
 * document stays well-formed, and holds no control character.
 *
 * What it is not: it groups nothing. Records with all in common are one record before they come here. */
#ifndef POSTHORN_CORE_REPORTS_AGGREGATE_WRITE_H
#define POSTHORN_CORE_REPORTS_AGGREGATE_WRITE_H

#include "base/buf.h"
#include "core/reports/aggregate.h"

#define AGGREGATE_WRITE_RECORDS_MAX 10000
#define AGGREGATE_WRITE_BYTES_MAX   ((size_t)8 << 20)

struct aggregate_writer {
    struct buf xml; /* the records */
    size_t records, records_max;
    uint64_t messages;                    /* of the records written */
    uint64_t records_left, messages_left; /* what found no room */
};

/* Give it back with aggregate_writer_done(). */
void aggregate_writer_init(struct aggregate_writer *w, size_t records_max, size_t bytes_max);
void aggregate_writer_done(struct aggregate_writer *w);
/* The next record; the one that was seen most comes first, if some may find no room. next is not looked at.
 * A record without author domain or source is left out. */
void aggregate_write_record(struct aggregate_writer *w, const struct aggregate_record *r);
/* Appends the whole document. Of head: org, email, contact, report_id, generator, begin, end (both seconds
 * count), policy. ERR_LIMIT when out is full. ERR_USAGE: there is no record, so there is no report. */
NODISCARD enum err aggregate_write_end(const struct aggregate_writer *w, const struct aggregate_report *head,
                                       struct buf *out);

/* Appends text between tags, escaped: & < > " ' as entities, control characters and what XML 1.0 §2.2 does
 * not allow as U+FFFD, broken UTF-8 too. */
void aggregate_write_text(struct buf *out, slice text);

#endif
