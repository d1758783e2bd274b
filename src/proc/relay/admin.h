/* admin: the administrator's words on the queue, from directory. */
#ifndef POSTHORN_PROC_RELAY_ADMIN_H
#define POSTHORN_PROC_RELAY_ADMIN_H

#include "proc/relay/relay.h"

/* A DIRECTORY_RELAY_CALL or _MORE. Always answers. */
void admin_message(struct relay *r, struct chan *c, uint16_t type, uint64_t id, const void *message);

#endif
