/* bodystructure: IMAP's BODY and BODYSTRUCTURE of a part tree (RFC 9051 §7.5.2), in the bytes that are stored
 * and sent. */
#ifndef POSTHORN_CORE_MAIL_BODYSTRUCTURE_H
#define POSTHORN_CORE_MAIL_BODYSTRUCTURE_H

#include "core/mail/mime.h"

/* Appends BODYSTRUCTURE, or with extensions false BODY. Types are upper case, parameter names lower case; a
 * text part without charset has ("charset" "US-ASCII"); a multipart without parts shows one empty text part,
 * because the grammar wants one. A full buffer is marked. */
void bodystructure_write(const struct mime_part *parts, size_t n, bool extensions, struct buf *out);

#endif
