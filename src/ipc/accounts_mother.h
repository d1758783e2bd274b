/* accounts_mother: accounts (A) asks the mother of the account processes (B) for one more. */
#ifndef POSTHORN_IPC_ACCOUNTS_MOTHER_H
#define POSTHORN_IPC_ACCOUNTS_MOTHER_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum accounts_mother_type {
    ACCOUNTS_MOTHER_SPAWN = 1,
    ACCOUNTS_MOTHER_SPAWNED = 2,
};

/* The descriptor is the account's end of its accounts_account channel. */
struct mother_spawn {
    uint64_t account;
};

struct mother_spawned {
    uint32_t err;
    uint32_t pid;
};

extern const struct ipc_channel accounts_mother_channel;

#endif
