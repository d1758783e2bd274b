/* look: what doctor may know of the queue: how much waits and since when, and why its own probe waits. */
#ifndef POSTHORN_PROC_RELAY_LOOK_H
#define POSTHORN_PROC_RELAY_LOOK_H

#include "ipc/x_relay.h"
#include "proc/relay/relay.h"

void look_answer(struct relay *r, struct role_peer *peer, uint64_t id, const struct relay_look *m);

#endif
