/* x_relay: edge (A) hands relay (B) a message for the queue. QUEUED with OK means durable. */
#ifndef POSTHORN_IPC_X_RELAY_H
#define POSTHORN_IPC_X_RELAY_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_relay_type {
    X_RELAY_ENQUEUE = 1, /* descriptor: the sealed body */
    X_RELAY_QUEUED = 2,
    X_RELAY_LOOK = 3, /* only doctor asks */
    X_RELAY_SEEN = 4,
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
    bool junk;           /* the verdict: file it as junk */
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

/* How the queue is, and how one message in it is. */
struct relay_look {
    uint64_t mail_id; /* 0: only the queue */
    bool drop;        /* take the message out, quietly: a probe that is too late */
};

struct relay_seen {
    uint32_t err;       /* of the queue's database */
    uint64_t messages;  /* that wait */
    int64_t oldest;     /* Unix ms; 0: none waits */
    uint32_t unstored;  /* recipients of ours whose accounts could not take their mail when it was tried */
    slice unstored_why; /* what the last of them said */
    bool found;         /* the message is still there; then of its first recipient: */
    uint32_t attempts;
    uint32_t code;     /* of the last reply; 0: there was none */
    slice reply, host; /* verbatim, or our words when there was none */
    slice held;        /* why it is held, or empty */
};

extern const struct ipc_channel x_relay_channel;

#endif
