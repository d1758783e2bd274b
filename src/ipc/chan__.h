/* What the files of chan share. Nobody else includes it. chan.c is the channel in its loop; chan_wire.c one
 * message on the socket, and whole messages without a loop. */
#ifndef POSTHORN_IPC_CHAN__H
#define POSTHORN_IPC_CHAN__H

#include "ipc/chan.h"

#include <sys/types.h>

/* Closes those that are not -1, and makes them so. */
void chan__close_fds(int *fds, size_t n);
/* A whole message, header in front, in place of what out holds. As ipc_encode(). */
NODISCARD enum err chan__pack(struct buf *out, const struct ipc_channel *def, const struct ipc_message *row,
                              uint64_t id, const void *message);
/* sendmsg(2) with descriptors, at most IPC_FDS_MAX; below 0: errno. */
ssize_t chan__sendmsg(int fd, slice bytes, const int *fds, size_t n_fds);
/* One message into room (IPC_BYTES_MAX bytes), its descriptors into fds (IPC_FDS_MAX). Does not wait:
 * ERR_AGAIN. ERR_CLOSED; ERR_SYNTAX: more of either than we allow; no descriptor is then open. */
NODISCARD enum err chan__recvmsg(int fd, uint8_t *room, slice *out_bytes, int *fds, size_t *out_n_fds);
/* Header, table and shape: is this a message the other end may send? ERR_SYNTAX, ERR_STATE, ERR_LIMIT. The
 * message lies in the arena and views bytes; NULL when it has no shape. */
NODISCARD enum err chan__unpack(const struct ipc_channel *def, enum ipc_end us, slice bytes, size_t n_fds,
                                struct arena *arena, const struct ipc_message **out_row, uint64_t *out_id,
                                void **out_message);
/* Waits until there is something to read; until is monotonic. ERR_TIMEOUT, ERR_IO. */
NODISCARD enum err chan__wait_readable(int fd, time_ms until);

#endif
