/* inbound: may this message from outside come in? Pure: the message's header in, a verdict out. What SPF,
 * DKIM, DMARC and the filter have to say will join here. */
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
