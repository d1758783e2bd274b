/* wiring: who may ask whom, over which channel. A channel that is not in this table does not exist. */
#ifndef POSTHORN_PROC_SUPERVISOR_WIRING_H
#define POSTHORN_PROC_SUPERVISOR_WIRING_H

#include "ipc/codec.h"
#include "ipc/house.h"

struct wire {
    enum role asks, answers; /* end A and end B; an edge stands for every edge */
    const struct ipc_channel *channel;
};

extern const struct wire wires[];
extern const size_t wires_n;

#endif
