#include "ipc/accounts_mother.h"

static const struct ipc_field mother_spawn_fields[] = {
    IPC_NUM(struct mother_spawn, U64, account),
};
static const struct ipc_shape mother_spawn_shape = IPC_SHAPE(struct mother_spawn, mother_spawn_fields);

static const struct ipc_field mother_spawned_fields[] = {
    IPC_NUM(struct mother_spawned, U32, err),
    IPC_NUM(struct mother_spawned, U32, pid),
};
static const struct ipc_shape mother_spawned_shape = IPC_SHAPE(struct mother_spawned, mother_spawned_fields);

static const struct ipc_message accounts_mother_messages[] = {
    {ACCOUNTS_MOTHER_SPAWN, "spawn", IPC_A, IPC_REQUEST, ACCOUNTS_MOTHER_SPAWNED, &mother_spawn_shape, 1, 1},
    {ACCOUNTS_MOTHER_SPAWNED, "spawned", IPC_B, IPC_REPLY, 0, &mother_spawned_shape, 0, 0},
};

const struct ipc_channel accounts_mother_channel = {"accounts_mother", 1, accounts_mother_messages,
                                                    ARRAY_LEN(accounts_mother_messages), 4096};
