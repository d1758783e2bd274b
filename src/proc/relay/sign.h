/* sign: mail that the house itself writes (doctor's probes and alerts, reporter's reports) passes by the
 * judge, as a user's does at the edge, and gets its DKIM signatures before it is queued.
 *
 * Notices (notice.c) do not: they are queued in the transaction that settles what they tell about, and they
 * go to accounts of this house only. When the judge does not answer, the message is queued as it is.
 *
 * Reporter reads what strangers send, so it is believed no further than its job goes: reports, in the name of
 * the robot that takes them (as the judge reads From), to a few, SIGN_REPORTS_A_MINUTE at most. Whatever else
 * it hands in is refused, and so is what the judge did not see: its reports can wait. */
#ifndef POSTHORN_PROC_RELAY_SIGN_H
#define POSTHORN_PROC_RELAY_SIGN_H

#include "ipc/x_relay.h"
#include "proc/relay/relay.h"

#define SIGN_REPORTS_A_MINUTE 120
#define SIGN_REPORTS_RCPTS    16

typedef void (*sign_done_fn)(struct relay *r, struct role_peer *peer, uint64_t id, const struct enqueue *in,
                             int *fd);

/* May this role hand in such a message at all? */
bool sign_may(struct relay *r, const struct role_peer *peer, const struct enqueue *in);
/* Calls done with the message, its prefix grown by what the judge added, now or later; or refuses it. Takes
 * *fd. */
void sign_mail(struct relay *r, struct role_peer *peer, uint64_t id, const struct enqueue *in, int *fd,
               sign_done_fn done);
/* The peer's channel went or is a new one: what it asked for is dropped, it asks again. */
void sign_peer(struct relay *r, const struct role_peer *peer);
/* Nothing is under way. */
bool sign_idle(const struct relay *r);

#endif
