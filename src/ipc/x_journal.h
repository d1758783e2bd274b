/* x_journal: any role (A) tells journal (B) what happened. One way: telling never blocks mail. */
#ifndef POSTHORN_IPC_X_JOURNAL_H
#define POSTHORN_IPC_X_JOURNAL_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_journal_type {
    X_JOURNAL_EVENTS = 1,
};

/* Packed by journal_event_encode() of policy/journal_event.h, one after the other. */
struct journal_events {
    slice events;
    uint64_t dropped; /* events this sender had to drop before these */
};

extern const struct ipc_channel x_journal_channel;

#endif
