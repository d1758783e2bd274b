/* mail_text: the text of a message for searching: each text part, transfer encoding and character set undone,
 * as valid UTF-8, in pieces. HTML is given with its tags (text_kind says so). Bounded by the caller. */
#ifndef POSTHORN_CORE_MAIL_MAIL_TEXT_H
#define POSTHORN_CORE_MAIL_MAIL_TEXT_H

#include "base/arena.h"
#include "core/mail/part_table.h"

/* Gets one run of UTF-8 of the part; false stops the walk. */
typedef bool mail_text_fn(void *arg, const struct part_entry *part, slice utf8);

/* Walks the text parts of a message that lies in pieces. Gives at most max_bytes of UTF-8 in all. OK, also
 * when the bound or the callback ended it; ERR_CORRUPT when a range of the table lies outside the pieces. */
NODISCARD enum err mail_text_each(const slice *pieces, size_t n, const struct part_table *t, size_t max_bytes,
                                  mail_text_fn *fn, void *arg);
/* The text of one part, already cut out of the message, appended as UTF-8. */
enum err mail_text_part(const struct part_entry *part, slice body, struct buf *out);

#endif
