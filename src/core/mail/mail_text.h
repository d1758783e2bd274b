/* mail_text: the text of a message for searching and for previews: each text part with transfer encoding and
 * character set undone, as valid UTF-8. HTML is given with its tags. Bounded by the caller. */
#ifndef POSTHORN_CORE_MAIL_MAIL_TEXT_H
#define POSTHORN_CORE_MAIL_MAIL_TEXT_H

#include "base/arena.h"
#include "core/mail/part_table.h"

/* Gets the text of one part; false stops the walk. The view lives during the call. */
typedef bool mail_text_fn(void *arg, const struct part_entry *part, slice utf8);

/* Walks the text parts (leaves of type text) of a message that lies in pieces, in order. Memory and work stay
 * within a small multiple of max_bytes, which bounds the UTF-8 given in all; the part that passes it is cut.
 * OK, also when the bound or the callback ended it; ERR_CORRUPT when the table points outside the pieces. */
NODISCARD enum err mail_text_each(const slice *pieces, size_t n, const struct part_table *t, size_t max_bytes,
                                  mail_text_fn *fn, void *arg);
/* The text of one part whose body was cut out of the message already, appended as UTF-8. OK, ERR_LIMIT (what
 * fitted stays), ERR_UNSUPPORTED for an unknown transfer encoding (nothing appended). */
enum err mail_text_part(const struct part_entry *part, slice body, struct buf *out);

/* The first characters of the message's text on one line: of its first text/plain part, else of text/html
 * without the tags. False at the arena's cap. */
NODISCARD bool mail_text_preview(const slice *pieces, size_t n, const struct part_table *t, size_t chars,
                                 struct arena *a, slice *out);

#endif
