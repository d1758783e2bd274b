/* trace: the journey of a message, told from its events in plain words, in time order.
 *
 * What it is: events in, text or JSON out. What it is not: it looks nothing up and keeps nothing. All text
 * from outside passes journal_event_escape(): whatever stood in an EHLO, an address or a mailbox name, the
 * story holds no control character and each event stays on its line (THREATS 9, 15, 35). Times are UTC
 * (THREATS 63). */
#ifndef POSTHORN_POLICY_TRACE_H
#define POSTHORN_POLICY_TRACE_H

#include "policy/journal_event.h"

/* Puts events into the order in which they are told: by time, then by kind. */
void trace_sort(struct journal_event *events, size_t n);

/* Appends the story of one mail: a heading and lines of "[date] time sentences". All n events have the same
 * mail id and are sorted; with mail id 0 they are events of the house and each gets a line, without heading.
 * ERR_LIMIT when the buffer was too small: the text then ends after a whole line. */
NODISCARD enum err trace_text(struct buf *out, const struct journal_event *events, size_t n);

/* The same as one JSON object: {"mail": "ID" or null, "story": ["time sentences", ...], "events": [...]}.
 * ERR_LIMIT when the buffer was too small; the buffer is then as it was. */
NODISCARD enum err trace_json(struct buf *out, const struct journal_event *events, size_t n);

#endif
