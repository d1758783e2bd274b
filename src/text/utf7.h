/* utf7: the modified UTF-7 of IMAP mailbox names (RFC 3501 §5.1.3), both ways, strict: one name has exactly
 * one encoding, and anything else is refused. */
#ifndef POSTHORN_TEXT_UTF7_H
#define POSTHORN_TEXT_UTF7_H

#include "base/buf.h"

/* Mailbox name as sent by an IMAP4rev1 client -> UTF-8. ERR_SYNTAX (also for bytes above 126 or controls) or
 * ERR_LIMIT leave out as it was. */
NODISCARD enum err utf7_decode(slice in, struct buf *out);
/* UTF-8 -> modified UTF-7. ERR_SYNTAX when in is no valid UTF-8. */
NODISCARD enum err utf7_encode(slice in, struct buf *out);

#endif
