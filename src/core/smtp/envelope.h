/* smtp_envelope: the arguments of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3) with the parameters of the
 * extensions we offer, as typed values.
 *
 *     MAIL FROM:<path> [SIZE= BODY= SMTPUTF8 RET= ENVID= AUTH=]
 *     RCPT TO:<path>   [NOTIFY= ORCPT=]
 *
 * A parameter may come once, in any order; one that is unknown refuses the command (555, RFC 5321 §4.1.1.11).
 * DSN parameters (RFC 3461) are validated and kept as sent. */
#ifndef POSTHORN_CORE_SMTP_ENVELOPE_H
#define POSTHORN_CORE_SMTP_ENVELOPE_H

#include "base/slice.h"
#include "core/mail/mailbox.h"

enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS }; /* RFC 3461 §4.3 */

/* RFC 3461 §4.1; 0 is "not said". NEVER stands alone. */
enum smtp_notify {
    SMTP_NOTIFY_NEVER = 1,
    SMTP_NOTIFY_SUCCESS = 2,
    SMTP_NOTIFY_FAILURE = 4,
    SMTP_NOTIFY_DELAY = 8,
};

struct smtp_mail {
    struct mailbox sender;   /* null for "<>" */
    uint64_t declared_bytes; /* SIZE=, 0 when not said (RFC 1870 §6) */
    bool eight_bit;          /* BODY=8BITMIME (RFC 6152 §2) */
    bool smtputf8;           /* RFC 6531 §3.4 */
    enum smtp_ret ret;
    slice envid; /* xtext, at most 100 octets, or empty */
};

struct smtp_rcpt {
    struct mailbox recipient; /* "postmaster" without domain has an empty one (RFC 5321 §4.5.1) */
    unsigned notify;          /* bits of enum smtp_notify */
    slice orcpt;              /* "rfc822;xtext", at most 500 octets, or empty */
};

enum smtp_envelope_result {
    SMTP_ENVELOPE_OK,
    SMTP_ENVELOPE_NO_KEYWORD, /* not FROM: or TO: */
    SMTP_ENVELOPE_PATH,       /* the address does not parse */
    SMTP_ENVELOPE_PATH_8BIT,  /* it would, with SMTPUTF8 */
    SMTP_ENVELOPE_NO_DOMAIN,  /* it has no domain, or one that is not fully qualified (RFC 5321 §2.3.5) */
    SMTP_ENVELOPE_PARAM,      /* a parameter's value is wrong, or it comes twice */
    SMTP_ENVELOPE_UNKNOWN,    /* a parameter we do not know */
    SMTP_ENVELOPE__COUNT
};

/* args: what follows "MAIL " without the line end. auth_known: AUTH= is understood (RFC 4954 §5) and ignored.
 * Slices in *out view args; *out is untouched unless OK. */
NODISCARD enum smtp_envelope_result smtp_mail_parse(slice args, bool auth_known, struct smtp_mail *out);
/* args: what follows "RCPT "; utf8: the transaction asked for SMTPUTF8. */
NODISCARD enum smtp_envelope_result smtp_rcpt_parse(slice args, bool utf8, struct smtp_rcpt *out);
/* RFC 3461 §4: printable ASCII without '+' and '=', or '+' and two upper-case hex digits. Not empty. */
bool smtp_is_xtext(slice s);

#endif
