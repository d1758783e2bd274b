/* envelope: IMAP's ENVELOPE of a header (RFC 9051 §7.5.2), in the bytes that are stored and sent. */
#ifndef POSTHORN_CORE_MAIL_ENVELOPE_H
#define POSTHORN_CORE_MAIL_ENVELOPE_H

#include "base/buf.h"
#include "core/mail/fields.h"

/* Appends "(date subject from sender reply-to to cc bcc in-reply-to message-id)". Values stand as in the
 * header, unfolded, encoded words left as they are; sender and reply-to default to from. A full buffer is
 * marked. */
void envelope_write(const struct fields *fields, const struct address_list addresses[FIELD_ADDRESSES],
                    struct buf *out);

#endif
