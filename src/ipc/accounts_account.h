/* accounts_account: accounts (A) and one account process (B). DELIVER and SESSION carry the structs of
 * x_accounts.h, the ticket already checked and emptied. The process sends what it tells the journal through
 * here (it has no other channel), and how full it is. */
#ifndef POSTHORN_IPC_ACCOUNTS_ACCOUNT_H
#define POSTHORN_IPC_ACCOUNTS_ACCOUNT_H

#include "ipc/codec.h"
#include "ipc/house.h"
#include "ipc/x_accounts.h"

enum accounts_account_type {
    ACCOUNTS_ACCOUNT_SETTING = 1,
    ACCOUNTS_ACCOUNT_DELIVER = 2,
    ACCOUNTS_ACCOUNT_DELIVERED = 3,
    ACCOUNTS_ACCOUNT_SESSION = 4, /* descriptor: the account's end of the stream socket */
    ACCOUNTS_ACCOUNT_SESSION_OPENED = 5,
    ACCOUNTS_ACCOUNT_EVENTS = 6,
    ACCOUNTS_ACCOUNT_USAGE = 7,
    ACCOUNTS_ACCOUNT_RETIRE = 8, /* finish: sessions get BYE, then exit */
    ACCOUNTS_ACCOUNT_PROBE = 9,  /* test builds: control_probe and control_probed of control.h */
    ACCOUNTS_ACCOUNT_PROBED = 10,
};

/* Sent first. */
struct account_setting {
    uint64_t account;
    uint64_t quota_bytes; /* 0: none */
    uint64_t expunged_days;
    uint64_t message_bytes; /* largest message */
    slice address;
    slice hostname;
};

/* Packed journal events (policy/journal_event.h). */
struct account_events {
    slice events;
};

/* After changes, at most once a second. */
struct account_usage {
    uint64_t bytes;
    uint64_t messages;
    uint32_t sessions;
    bool idle; /* nothing to do: may be retired */
};

extern const struct ipc_channel accounts_account_channel;

#endif
