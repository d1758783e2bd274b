/* smtp_received: writes the trace fields that we put above a message: Received (RFC 5321 §4.4), Return-Path
 * (§4.4 too) and Delivered-To (RFC 9228).
 *
 * Every value that comes from outside is checked here again and replaced when it does not fit its grammar, so
 * a field can never gain another line (THREATS 16). Lines end with CRLF and stay under 998 octets. */
#ifndef POSTHORN_CORE_SMTP_RECEIVED_H
#define POSTHORN_CORE_SMTP_RECEIVED_H

#include "base/buf.h"
#include "base/ip.h"
#include "base/time.h"
#include "core/mail/mailbox.h"

struct smtp_received {
    slice helo;     /* what the client called itself */
    slice ptr;      /* its name in the DNS, confirmed, or empty */
    struct ip ip;   /* its address; none: left out */
    slice hostname; /* ours */
    bool esmtp, tls, authed, utf8;
    slice tls_cipher; /* "TLS_AES_256_GCM_SHA384", or empty (RFC 8314 §4.3) */
    uint64_t mail_id;
    const struct mailbox *recipient; /* when there is exactly one; else NULL, so that none is given away */
    time_ms at;                      /* Unix time */
};

/* Each appends one field with its CRLF. ERR_LIMIT when out is full.
 * Received, RFC 5321 §4.4. */
NODISCARD enum err smtp_received_write(const struct smtp_received *r, struct buf *out);
/* Return-Path, RFC 5321 §4.4; the null sender as "<>". */
NODISCARD enum err smtp_return_path_write(const struct mailbox *sender, struct buf *out);
/* Delivered-To, RFC 9228. */
NODISCARD enum err smtp_delivered_to_write(const struct mailbox *recipient, struct buf *out);

#endif
