/* directory_accounts: accounts (A) and directory (B): the broker's epoch for tickets, how full accounts are,
 * and which were changed. */
#ifndef POSTHORN_IPC_DIRECTORY_ACCOUNTS_H
#define POSTHORN_IPC_DIRECTORY_ACCOUNTS_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum directory_accounts_type {
    DIRECTORY_ACCOUNTS_EPOCH = 1,
    DIRECTORY_ACCOUNTS_USAGE = 2,
    DIRECTORY_ACCOUNTS_INFO_ASK = 3,
    DIRECTORY_ACCOUNTS_INFO = 4,
    DIRECTORY_ACCOUNTS_REVOKED = 5,
};

struct broker_epoch {
    uint64_t epoch; /* made anew at each start of the broker; tickets of another epoch open nothing */
};

struct broker_usage {
    uint64_t account;
    uint64_t bytes;
    uint64_t messages;
};

struct account_info_ask {
    uint64_t account;
};

struct account_info {
    uint32_t err;
    slice address;
    uint64_t quota_bytes;
};

/* Suspended, removed or given a new password or quota: end its sessions. */
struct account_revoked {
    uint64_t account;
    bool removed;
};

extern const struct ipc_channel directory_accounts_channel;

#endif
