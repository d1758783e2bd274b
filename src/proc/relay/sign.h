/* sign: mail that the house itself writes (doctor's probes and alerts, reporter's reports) passes by the
 * judge, as a user's does at the edge, and gets its DKIM signatures before it is queued.
 *
 * Notices (notice.c) do not: they are queued in the transaction that settles what they tell about, and they
 * go to accounts of this house only. When the judge does not answer, the message is queued as it is. */
#ifndef POSTHORN_PROC_RELAY_SIGN_H
#define POSTHORN_PROC_RELAY_SIGN_H

#include "ipc/x_relay.h"
#include "proc/relay/relay.h"

typedef void (*sign_done_fn)(struct relay *r, struct role_peer *peer, uint64_t id, const struct enqueue *in,
                             int *fd);

/* Calls done with the message, its prefix grown by what the judge added, now or later. Takes *fd. */
void sign_mail(struct relay *r, struct role_peer *peer, uint64_t id, const struct enqueue *in, int *fd,
               sign_done_fn done);
/* The peer's channel went or is a new one: what it asked for is dropped, it asks again. */
void sign_peer(struct relay *r, const struct role_peer *peer);
/* Nothing is under way. */
bool sign_idle(const struct relay *r);

#endif
