/* encoded_word: RFC 2047 encoded words in free text, both ways. Reading is lenient: what is no encoded word
 * stays as it is. Never used on an address (THREATS 25). */
#ifndef POSTHORN_CORE_MAIL_ENCODED_WORD_H
#define POSTHORN_CORE_MAIL_ENCODED_WORD_H

#include "base/arena.h"
#include "base/buf.h"

/* The unfolded text with its encoded words decoded: valid UTF-8, control characters replaced by blanks. Views
 * line when it is plain. Blanks between two encoded words vanish; neighbours of the same charset and encoding
 * are joined before conversion, so characters torn apart by careless senders come out whole. False at the
 * arena's cap. */
NODISCARD bool encoded_word_text(slice line, struct arena *a, slice *out);

/* Appends the UTF-8 text as encoded words of at most 75 characters, base64 or Q, whichever is shorter,
 * divided at characters. "\r\n " stands between them. column: where the first begins on its line. ERR_LIMIT;
 * text is valid UTF-8. */
enum err encoded_word_write(slice text, size_t column, struct buf *out);

#endif
