/* chan: one end of a channel between two roles: typed messages over a SOCK_SEQPACKET socket, with
 * descriptors.
 *
 * Requests and replies are matched by id; a reply nobody asked for, a type its end may not send, a wrong
 * number of descriptors, bytes that do not decode: each costs the sender the channel, never the receiver its
 * life. Sending never blocks: what the socket does not take waits in a bounded queue; beyond the bound
 * ERR_BUSY.
 *
 * Lifetime: handlers may send, reply, call and even close the channel. A decoded message and its slices live
 * until the handler returns. Descriptors that arrive belong to the handler: it takes what it keeps (sets the
 * entry to -1); the rest is closed behind it. Descriptors that are sent stay the caller's. */
#ifndef POSTHORN_IPC_CHAN_H
#define POSTHORN_IPC_CHAN_H

#include "ipc/codec.h"
#include "sys/loop.h"

struct chan;

/* A message that is not a reply. id is what chan_reply() wants (requests only, else 0). */
typedef void (*chan_message_fn)(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                                int *fds, size_t n_fds);
/* The reply to chan_call(), or why there is none (e != OK; message is NULL): ERR_TIMEOUT, ERR_CLOSED. Called
 * exactly once for each chan_call() that returned OK, except when chan_free() comes first. */
typedef void (*chan_reply_fn)(void *arg, enum err e, const void *message, int *fds, size_t n_fds);
/* The other end is gone or broke the rules (e: ERR_CLOSED, ERR_SYNTAX ...). Pending calls were answered
 * before. The owner frees the channel here or later. */
typedef void (*chan_closed_fn)(void *arg, struct chan *c, enum err e);

/* Takes fd (non-blocking from now on). end: which side we are. */
struct chan *chan_new(struct loop *loop, int fd, const struct ipc_channel *def, enum ipc_end end,
                      chan_message_fn on_message, chan_closed_fn on_closed, void *arg);
/* Closes; pending calls are forgotten without their callbacks. NULL is fine. */
void chan_free(struct chan *c);
/* Both ends of a new channel as descriptors (close-on-exec). */
NODISCARD enum err chan_pair(int out_fds[2]);

/* One-way message. */
NODISCARD enum err chan_send(struct chan *c, uint16_t type, const void *message, const int *fds,
                             size_t n_fds);
/* Request. deadline is monotonic; the callback gets ERR_TIMEOUT then. When this returns an error the callback
 * is not called. */
NODISCARD enum err chan_call(struct chan *c, uint16_t type, const void *message, const int *fds, size_t n_fds,
                             time_ms deadline, chan_reply_fn fn, void *arg);
/* Forgets all pending calls that were made with this arg: their callbacks will not come. */
void chan_forget(struct chan *c, void *arg);
/* Answers a request. A second answer, or one after the asker is gone, is an error that may be ignored. */
NODISCARD enum err chan_reply(struct chan *c, uint64_t id, uint16_t type, const void *message, const int *fds,
                              size_t n_fds);
/* Sends a request and waits, at most ms; for the one place where a protocol library cannot be interrupted
 * (TLS signatures). Other messages that arrive meanwhile are handled afterwards. The decoded reply lies in
 * *out and the arena. */
NODISCARD enum err chan_call_wait(struct chan *c, uint16_t type, const void *message, time_ms ms,
                                  struct arena *arena, void *out);
/* Requests sent and not yet answered. */
size_t chan_pending(const struct chan *c);
/* The other end is gone or broke the rules; chan_closed_fn comes, or came. */
bool chan_is_closed(const struct chan *c);

/* Blocking use without a loop (boot, the tool, the mother of accounts): reads one message.
 * fds: room for IPC_FDS_MAX. ERR_CLOSED at the end, ERR_TIMEOUT, ERR_SYNTAX. bytes: room of IPC_BYTES_MAX. */
NODISCARD enum err chan_read_wait(int fd, const struct ipc_channel *def, enum ipc_end us, time_ms timeout_ms,
                                  uint8_t *bytes, struct arena *arena, const struct ipc_message **out_row,
                                  uint64_t *out_id, void **out_message, int *fds, size_t *out_n_fds);
/* Writes one message, waiting as it must. */
NODISCARD enum err chan_write_wait(int fd, const struct ipc_channel *def, uint16_t type, uint64_t id,
                                   const void *message, const int *fds, size_t n_fds);

#endif
