/* dsn: builds delivery status notifications, RFC 3464 in a multipart/report (RFC 6522), from typed values.
 *
 * Of the original only the header is ever returned (RFC 3461 §4.3 RET=HDRS). Every byte from outside is
 * escaped: the peer's replies, the addresses, the original header. The result is 7-bit with CRLF line ends,
 * unless an address needs UTF-8: then the report part is message/global-delivery-status (RFC 6533). */
#ifndef POSTHORN_CORE_MAIL_DSN_H
#define POSTHORN_CORE_MAIL_DSN_H

#include "base/buf.h"
#include "base/time.h"
#include "core/mail/mailbox.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };

struct dsn_recipient {
    const struct mailbox *recipient; /* Final-Recipient */
    slice original;                  /* ORCPT as given, "rfc822;addr" in xtext, or empty */
    enum dsn_action action;
    slice status;             /* "5.1.1" */
    slice remote_host;        /* who said so, or empty when we did */
    slice reply;              /* the peer's reply verbatim, "550 5.1.1 no such user", or empty */
    slice reason;             /* one sentence of ours in plain words: what happened, what to do */
    time_ms last_attempt;     /* 0: none */
    time_ms will_retry_until; /* DSN_DELAYED; 0: not said */
};

struct dsn {
    slice hostname;           /* ours: Reporting-MTA and the From address mailer-daemon@hostname */
    const struct mailbox *to; /* the original sender; never the null sender */
    slice envelope_id;        /* ENVID as given (xtext), or empty */
    slice message_id;         /* of this report, without <>: "ID@hostname" */
    slice boundary; /* 1..60 characters of A-Z a-z 0-9, chosen by the caller, not found in the original */
    time_ms now, arrived;      /* arrived: of the original */
    slice original_header;     /* its header block; cut at original_max and escaped where 8-bit */
    slice original_subject;    /* decoded UTF-8, may be empty: for the words */
    slice original_message_id; /* for References, without <>; may be empty */
    const struct dsn_recipient *recipients;
    size_t recipients_n; /* at least 1 */
};

#define DSN_ORIGINAL_HEADER_MAX 65536

/* Appends the whole message. ERR_SYNTAX when a value is not what it must be (null sender, bad boundary, no
 * recipient), ERR_LIMIT when out is full; out is then as before. The envelope to send it with: sender null,
 * recipient dsn->to. */
NODISCARD enum err dsn_build(const struct dsn *dsn, struct buf *out);

#endif
