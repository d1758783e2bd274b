/* x_relay: edge (A) hands relay (B) a message for the queue. QUEUED with OK means durable. */
#ifndef POSTHORN_IPC_X_RELAY_H
#define POSTHORN_IPC_X_RELAY_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_relay_type {
    X_RELAY_ENQUEUE = 1, /* descriptor: the sealed body */
    X_RELAY_QUEUED = 2,
};

struct enqueue_rcpt {
    slice address;
    slice orcpt;    /* DSN: ORCPT as given */
    uint8_t notify; /* DSN: bits 1 never 2 success 4 failure 8 delay; 0: not given */
    bool
        local; /* one of our accounts that could not take it just now, or a local address of submitted mail */
};

struct enqueue {
    uint64_t mail_id;
    uint64_t connection;
    uint64_t account; /* who submitted it; 0: came from outside (then never a DSN) */
    slice reverse_path;
    slice envid;    /* DSN: ENVID */
    uint8_t ret;    /* DSN: 0 not given, 1 FULL, 2 HDRS */
    bool eight_bit; /* BODY=8BITMIME */
    bool smtputf8;
    slice prefix;        /* header fields to put before the body */
    int64_t received_at; /* Unix ms */
    slice message_id;
    const struct enqueue_rcpt *rcpts;
    size_t n_rcpts;
};

struct queued {
    uint32_t err;
    slice text;
};

extern const struct ipc_channel x_relay_channel;

#endif
