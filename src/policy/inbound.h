/* inbound: may this message from outside come in, going by its header alone? Pure: the header in, a verdict
 * out. What it refuses is refused whoever sent it; what follows from who did is policy/authentication's. */
#ifndef POSTHORN_POLICY_INBOUND_H
#define POSTHORN_POLICY_INBOUND_H

#include "base/arena.h"
#include "core/mail/limits.h"
#include "policy/verdict.h"

#define INBOUND_RECEIVED_MAX 30 /* more Received fields than that is a loop (RFC 5321 §6.3) */

/* Views in *out are static text, or live in the arena or the message. False at the arena's cap. */
NODISCARD bool inbound_decide(slice message, const struct mail_limits *limits, struct arena *a,
                              struct verdict *out);

#endif
