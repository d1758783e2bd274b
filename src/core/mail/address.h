/* address: the address lists of header fields (RFC 5322 §3.4 with the obsolete syntax of §4.4, RFC 6532),
 * read leniently: whatever stands there, an answer comes out, and what was wrong is flagged.
 *
 * Encoded words are never decoded inside an address (THREATS 25); only display names are text. For the strict
 * address of the SMTP envelope, and to compare addresses, see mailbox.h. */
#ifndef POSTHORN_CORE_MAIL_ADDRESS_H
#define POSTHORN_CORE_MAIL_ADDRESS_H

#include "base/arena.h"
#include "core/mail/limits.h"

enum address_kind {
    ADDRESS_MAILBOX,
    ADDRESS_GROUP_START, /* name is the group's name */
    ADDRESS_GROUP_END,
};

struct address {
    enum address_kind kind;
    slice name;   /* display name or, without one, a trailing comment; quoting removed, encoded words NOT
                     decoded;   empty when there is none. header_text() makes it readable */
    slice route;  /* obsolete source route "@a,@b", or empty */
    slice local;  /* quoting removed */
    slice domain; /* as written, blanks and comments removed; empty when there was no "@" */
};

struct address_list {
    struct address *at;
    size_t n;
    uint32_t defects; /* MAIL_DEFECT_ADDRESS, MAIL_DEFECT_ADDRESS_MANY */
};

/* Reads the value of From, To and the like. Everything lives in the arena or views the value. False only at
 * the arena's cap. */
NODISCARD bool address_list_parse(slice value, const struct mail_limits *limits, struct arena *a,
                                  struct address_list *out);
/* Reads the ids of Message-ID, In-Reply-To or References: what stands in <>, without them (RFC 5322 §3.6.4);
 * blanks inside are removed. At most max ids, the last ones when there are more (References grows at its
 * end). False at the arena's cap. */
NODISCARD bool address_msg_ids(slice value, size_t max, struct arena *a, slice **out_ids, size_t *out_n);

#endif
