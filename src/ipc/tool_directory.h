/* tool_directory: the posthorn command (A) and directory (B), over the control socket in the data folder. */
#ifndef POSTHORN_IPC_TOOL_DIRECTORY_H
#define POSTHORN_IPC_TOOL_DIRECTORY_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum tool_directory_type {
    TOOL_DIRECTORY_CALL = 1,
    TOOL_DIRECTORY_ROW = 2,
    TOOL_DIRECTORY_DONE = 3,
};

struct admin_arg {
    slice text;
};

/* A call may bring a descriptor: a sealed memfd (sys/body.h) with a secret that no role on its way has to
 * read.
 */
struct admin_call {
    slice verb; /* "account add", "queue list", "status" ... */
    const struct admin_arg *args;
    size_t n_args;
    slice secret; /* a password, never in args */
};

struct admin_row {
    slice json; /* one JSON value */
};

struct admin_done {
    uint32_t err;
    slice text; /* a sentence when not OK */
};

extern const struct ipc_channel tool_directory_channel;

#endif
