/* imap/lex: the words of the grammar (RFC 9051 §9), read from a command as the reader collected it. Private
 * to core/imap.
 *
 * Each reads from the front of the cursor and gives OK, ERR_SYNTAX, or ERR_LIMIT when the arena is full. On
 * failure the cursor may have moved: the command is bad as a whole. Slices are views of the command, except
 * quoted strings with escapes, which are copied into the arena. With a NULL arena escapes are checked but
 * left in place. */
#ifndef POSTHORN_CORE_IMAP_LEX_H
#define POSTHORN_CORE_IMAP_LEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"

/* 1*<any ASTRING-CHAR except "+">, at most 128 bytes. */
NODISCARD enum err imap__tag(struct cursor *c, slice *out);
/* 1*ATOM-CHAR. */
NODISCARD enum err imap__atom(struct cursor *c, slice *out);
/* A word of letters, digits, '.', '-' and '=': command, item and option names. */
NODISCARD enum err imap__word(struct cursor *c, slice *out);
/* quoted / literal. */
NODISCARD enum err imap__string(struct cursor *c, struct arena *arena, slice *out);
/* 1*ASTRING-CHAR / string. */
NODISCARD enum err imap__astring(struct cursor *c, struct arena *arena, slice *out);
/* list-mailbox: as astring, with the wildcards % and * among its characters. */
NODISCARD enum err imap__list_mailbox(struct cursor *c, struct arena *arena, slice *out);
/* "NIL" or string; out.p is NULL for NIL. */
NODISCARD enum err imap__nstring(struct cursor *c, struct arena *arena, slice *out);
NODISCARD enum err imap__number(struct cursor *c, uint32_t *out);
NODISCARD enum err imap__nz_number(struct cursor *c, uint32_t *out);
NODISCARD enum err imap__number64(struct cursor *c, uint64_t *out);
/* One SP. */
static inline bool imap__sp(struct cursor *c)
{
    return cursor_take(c, ' ');
}
/* The word, and then no further letter of a word. Steps over it. */
bool imap__keyword(struct cursor *c, const char *word);

/* date: dd-Mon-yyyy, perhaps quoted. Days since 1970-01-01. */
NODISCARD enum err imap__date(struct cursor *c, int64_t *out_days);
/* date-time: "dd-Mon-yyyy hh:mm:ss +zzzz" in quotes. Unix time and the zone in minutes. */
NODISCARD enum err imap__date_time(struct cursor *c, time_ms *out_unix, int *out_zone_minutes);
struct imap_literal {
    uint64_t size;
    bool sync;   /* {n}: the client waits for `+` */
    bool binary; /* ~{n} */
};
/* Does this line, its CRLF cut off, end in a literal's announcement? ERR_NOT_FOUND when not; ERR_SYNTAX for a
 * number that does not fit. */
NODISCARD enum err imap__literal_at_end(slice line, struct imap_literal *out);

#endif
