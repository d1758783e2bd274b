/* listener: takes connections, as many as this process can hold and one network may have, and no more.
 *
 * When descriptors or the limit of connections run out, accepting pauses until a connection ends: clients
 * wait in the kernel's queue, nothing spins. A network (/24, /64) whose connections of unknown people reach
 * the limit gets a polite refusal; loopback is not counted, since a proxy or a load generator there is not a
 * stranger. */
#ifndef POSTHORN_PROC_EDGE_LISTENER_H
#define POSTHORN_PROC_EDGE_LISTENER_H

#include "base/ip.h"
#include "proc/edge/edge.h"

/* Takes fd, a listening socket. Accepts nothing before listener_resume_all(). */
void listener_add(struct edge *e, int fd, enum service service, bool plaintext);
/* Accepts (again) wherever it can: after start, after certificates came, when a connection ended. */
void listener_resume_all(struct edge *e);
/* Lets clients wait in the kernel's queue until listener_resume_all(). */
void listener_pause_all(struct edge *e);
/* May one more connection of unknown people come from there? Counts it when it may; *out_block is what
 * conn->block wants. */
NODISCARD bool listener_admit(struct edge *e, const struct ip *ip, uint64_t *out_block);
/* Closes all listening sockets. */
void listener_close_all(struct edge *e);
/* Listeners that pause right now, for tests and status. */
size_t listener_paused(const struct edge *e);

#endif
