/* carry: after the login: bytes between a client's connection and its account's process, both ways, and
 * nothing else.
 *
 * Neither side can make this process hold more than a bounded amount: when one does not take, the other is
 * not read. The end of one direction is passed on as such. When the account's process ends without having
 * said BYE (it died, or was killed), the client is told so in words before its connection is closed. */
#ifndef POSTHORN_PROC_EDGE_CARRY_H
#define POSTHORN_PROC_EDGE_CARRY_H

#include "proc/edge/conn.h"

/* Takes the connection's protocol over, and fd, a stream socket to the account's process. first: bytes of the
 * client that were read before; they go first, then what is unread in the connection. Everything is freed
 * with the connection. Fails when memory or descriptors are short: fd is then closed and the connection ends
 * with a BYE. */
void carry_begin(struct edge *e, struct conn *c, int fd, slice first);

#endif
