/* header_check: what a message's header must be for anybody to be let in with it: one that all programs read
 * alike.
 *
 * Most of what is wrong with mail is let pass and flagged. Refused is what makes two readers see two messages
 * (a second From, a hole in the header, NUL) or what passes the stated bounds (THREATS 3, 20, default
 * limits). */
#ifndef POSTHORN_POLICY_HEADER_CHECK_H
#define POSTHORN_POLICY_HEADER_CHECK_H

#include "core/mail/fields.h"
#include "policy/verdict.h"

struct header_checked {
    slice block; /* the header block with its empty line */
    struct fields fields;
};

/* Looks at the header of a message and adds to the verdict what is wrong with it. */
void header_check(slice message, const struct mail_limits *limits, struct verdict *v,
                  struct header_checked *out);

#endif
