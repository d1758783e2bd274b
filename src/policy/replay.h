/* replay: how often one DKIM signature was seen lately (THREATS 23).
 *
 * Whoever has one message that a good domain signed can send it to a million people, and each copy passes. We
 * cannot tell such a copy from a mailing list's, so nothing is refused for it; but the domain gets no credit
 * for mail it did not send. Counted are recipients, and beside them the different client addresses.
 *
 * What it is: a bounded table in memory, without a clock of its own. What it is not: exact. It forgets what
 * was not seen for REPLAY_LIFE_MS, and under pressure what was seen longest ago in the same small group, so a
 * stranger who sends many signatures makes it forget a few others and never more than that.
 *
 * Limits: REPLAY_ROWS signatures, about 400 KB; addresses are counted up to REPLAY_CLIENTS. */
#ifndef POSTHORN_POLICY_REPLAY_H
#define POSTHORN_POLICY_REPLAY_H

#include "base/ip.h"
#include "base/time.h"

#define REPLAY_ROWS    4096
#define REPLAY_CLIENTS 8
#define REPLAY_MANY    20 /* recipients above which a signature counts as replayed */
#define REPLAY_LIFE_MS (2 * MS_DAY)

struct replay;

struct replay_seen {
    uint32_t times;   /* recipients, this message's included */
    uint32_t clients; /* different addresses that sent it; REPLAY_CLIENTS: that many or more */
    bool replayed;
};

struct replay *replay_new(void);
void replay_free(struct replay **r);
/* Counts a message with this signature (dkim_result.fingerprint), from client to so many recipients. now
 * never runs backwards. */
struct replay_seen replay_count(struct replay *r, uint64_t fingerprint, const struct ip *client,
                                uint32_t recipients, time_ms now);

#endif
