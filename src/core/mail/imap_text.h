/* imap_text: strings inside the stored ENVELOPE and BODYSTRUCTURE, in the form a server sends them (RFC 9051
 * §4.3). */
#ifndef POSTHORN_CORE_MAIL_IMAP_TEXT_H
#define POSTHORN_CORE_MAIL_IMAP_TEXT_H

#include "base/buf.h"

/* Appends s as a quoted string when it is short printable ASCII, else as a literal "{n}" CRLF bytes; line
 * ends and NUL, which neither may hold here, are left out. The buffer's failed mark tells of its maximum. */
void imap_text_string(struct buf *out, slice s);
/* NIL for an empty slice, else as above. */
void imap_text_nstring(struct buf *out, slice s);
/* A quoted string in upper case ("TEXT"); s is a MIME token. */
void imap_text_upper(struct buf *out, slice s);

#endif
