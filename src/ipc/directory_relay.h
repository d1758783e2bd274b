/* directory_relay: directory (A) carries the administrator's words on the queue to relay (B). */
#ifndef POSTHORN_IPC_DIRECTORY_RELAY_H
#define POSTHORN_IPC_DIRECTORY_RELAY_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum directory_relay_type {
    DIRECTORY_RELAY_CALL = 1,
    DIRECTORY_RELAY_ROW = 2,
    DIRECTORY_RELAY_MORE = 3,
};

struct queue_call {
    slice verb; /* list, show, retry, hold, release, drop */
    slice id;   /* mail id, or empty for all */
    slice text; /* reason for hold */
};

/* One JSON object a row; more says that another row follows. */
struct queue_row {
    uint32_t err;
    slice text; /* why not, or what was done */
    slice json;
    uint32_t next; /* ask again from this row; 0: no more */
};

struct queue_more {
    uint32_t next;
    slice id;
};

extern const struct ipc_channel directory_relay_channel;

#endif
