/* submission: what a message written by one of our users needs before it may leave (RFC 6409 §8): a Date, a
 * Message-ID and a From where they are missing, no Bcc, and the list of addresses it claims to be from. */
#ifndef POSTHORN_POLICY_SUBMISSION_H
#define POSTHORN_POLICY_SUBMISSION_H

#include "base/arena.h"
#include "base/time.h"
#include "core/mail/limits.h"
#include "policy/verdict.h"

struct submission {
    slice message;
    slice hostname; /* for a Message-ID of ours */
    uint64_t mail_id;
    slice account_address; /* who is logged in */
    bool smtputf8;
    time_ms now; /* Unix */
};

/* Whether the account may write as out->senders is the directory's to say. Views in *out are static text, or
 * live in the arena or the message. False at the arena's cap. */
NODISCARD bool submission_decide(const struct submission *s, const struct mail_limits *limits,
                                 struct arena *a, struct verdict *out);

#endif
