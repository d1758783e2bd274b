/* What the files of trace share. Nobody else includes it. All append; the buffer's failed mark is asked once,
 * at the end of each line. */
#ifndef POSTHORN_POLICY_TRACE__H
#define POSTHORN_POLICY_TRACE__H

#include "policy/trace.h"

/* --- trace_put.c: pieces of sentences */

void trace__put(struct buf *b, const char *text);
/* Text from outside, escaped. */
void trace__put_outside(struct buf *b, slice s);
/* In angle brackets. */
void trace__put_address(struct buf *b, slice address);
/* "550 5.1.1 no such user", whether or not the text already begins with its code. */
void trace__put_reply(struct buf *b, const struct journal_event *e);
/* " over TLS 1.3, verified"; nothing without facts. */
void trace__put_over_tls(struct buf *b, slice facts);
void trace__put_size(struct buf *b, uint64_t bytes);
/* "2026-11-22" and "10:02:11", UTC. */
void trace__put_date(struct buf *b, time_ms at);
void trace__put_clock(struct buf *b, time_ms at);
/* The time of day, behind the date when that is another than beside's. */
void trace__put_when(struct buf *b, time_ms at, time_ms beside);

/* --- trace_arrival.c */

/* What the first look over the events finds. */
struct trace__arrival {
    const struct journal_event *from, *received, *verdict, *end, *message_id;
    size_t accepted, refused, filed, failed, queued;
    time_ms until; /* deliveries and queueing up to here belong to the arrival */
    slice only_recipient;
};

struct trace__arrival trace__arrival_of(const struct journal_event *events, size_t n);
/* Does the arrival's paragraph tell this event? */
bool trace__in_arrival(const struct trace__arrival *a, const struct journal_event *e);
void trace__tell_arrival(struct buf *b, const struct trace__arrival *a, const struct journal_event *events,
                         size_t n);

/* --- trace_sentence.c */

void trace__tell_one(struct buf *b, const struct journal_event *e);

#endif
