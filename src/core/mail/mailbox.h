/* mailbox: the strict address of the SMTP envelope (RFC 5321 §4.1.2 Mailbox, RFC 6531 §3.3), as a typed
 * value.
 *
 * Every address that is compared, stored, queued or looked up is one of these; the lenient reader of header
 * fields is address.h. The local part is kept without its quoting, the domain as lower-case A-label or as an
 * address literal in brackets. No source routes are kept; no NUL, CR, LF or other control can be inside. */
#ifndef POSTHORN_CORE_MAIL_MAILBOX_H
#define POSTHORN_CORE_MAIL_MAILBOX_H

#include "base/buf.h"

/* RFC 5321 §4.5.3.1.1 says 64 and asks for generosity: long VERP and SRS local parts are real. */
#define MAILBOX_LOCAL_MAX  192
#define MAILBOX_DOMAIN_MAX 255
/* Longest printed form: what is longer is no mailbox to us (RFC 5321 §4.5.3.1.3 says 254). A buffer of this
 * size takes any mailbox. */
#define MAILBOX_TEXT_MAX 320

enum mailbox_allow {
    MAILBOX_UTF8 = 1,       /* bytes above 127 in local part and domain (SMTPUTF8 was asked for) */
    MAILBOX_NULL = 2,       /* path_parse(): "<>" */
    MAILBOX_POSTMASTER = 4, /* "postmaster" without a domain (RFC 5321 §4.5.1); domain_n is then 0 */
};

struct mailbox {
    uint16_t local_n, domain_n; /* both 0: the null sender */
    bool literal;               /* domain is an address literal such as [192.0.2.1] or [IPv6:2001:db8::1] */
    bool utf8;                  /* the local part is not ASCII: needs SMTPUTF8 to travel */
    uint8_t local[MAILBOX_LOCAL_MAX];
    uint8_t domain[MAILBOX_DOMAIN_MAX];
};

static inline slice mailbox_local(const struct mailbox *m)
{
    return (slice){m->local, m->local_n};
}
static inline slice mailbox_domain(const struct mailbox *m)
{
    return (slice){m->domain, m->domain_n};
}
static inline bool mailbox_is_null(const struct mailbox *m)
{
    return m->local_n == 0 && m->domain_n == 0;
}

/* Reads "local@domain", all of text. ERR_SYNTAX, or ERR_LIMIT when a part is too long. allow: bits of enum
 * mailbox_allow. */
NODISCARD enum err mailbox_parse(slice text, unsigned allow, struct mailbox *out);
/* Makes one of a local part without quoting and a domain, as address.h gives them. Same errors. */
NODISCARD enum err mailbox_make(slice local, slice domain, unsigned allow, struct mailbox *out);
/* Reads a path "<...>" at the cursor (RFC 5321 §4.1.2 Reverse-path, Forward-path; a source route is accepted
 * and ignored) and steps over it. On an error the cursor stays where it was. */
NODISCARD enum err path_parse(struct cursor *c, unsigned allow, struct mailbox *out);
/* Appends "local@domain", the local part quoted where it must be; nothing for the null sender. */
enum err mailbox_print(const struct mailbox *m, struct buf *out);
/* Appends the key under which an address is looked up: as mailbox_print() with the ASCII letters of the local
 * part lower-case (THREATS 25: bytes above 127 stay as they are). */
enum err mailbox_key(const struct mailbox *m, struct buf *out);
/* Same address: domains equal, local parts equal with ASCII case folded. */
bool mailbox_same(const struct mailbox *a, const struct mailbox *b);

#endif
