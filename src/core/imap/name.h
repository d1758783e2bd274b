/* imap/name: mailbox names on the wire and patterns for LIST.
 *
 * Inside, a name is UTF-8 with '/' between levels, INBOX in capitals. On the wire it is modified UTF-7 (RFC
 * 3501 §5.1.3) until the client has enabled IMAP4rev2 or UTF8=ACCEPT, then UTF-8 as it is (RFC 9051 §5.1). */
#ifndef POSTHORN_CORE_IMAP_NAME_H
#define POSTHORN_CORE_IMAP_NAME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define IMAP_NAME_MAX       1000 /* bytes of a name inside */
#define IMAP_NAME_LEVELS    32
#define IMAP_NAME_DELIMITER '/'

/* From the wire. utf8: the client has enabled it. Any case of INBOX, alone or as the first level, becomes
 * INBOX. ERR_SYNTAX for wrong UTF-7 or UTF-8 or control characters; ERR_LIMIT when too long. Empty stays
 * empty. */
NODISCARD enum err imap_name_decode(slice wire, bool utf8, struct arena *arena, slice *out);
/* May a mailbox be made under this name? No empty level, no `%` or `*`, not too deep or long. */
bool imap_name_ok(slice name);
/* To the wire, as an astring would be: quoted, or a literal where it must be. */
void imap_name_write(struct buf *b, slice name, bool utf8);
/* Does the name match a LIST pattern: `*` any characters, `%` any but the delimiter (RFC 9051 §6.3.9.1)?
 * O(name * pattern), no recursion; both at most IMAP_NAME_MAX. INBOX compares in any case. */
bool imap_name_match(slice name, slice pattern);

#endif
