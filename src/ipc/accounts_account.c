#include "ipc/accounts_account.h"

#include "ipc/control.h"

static const struct ipc_field account_setting_fields[] = {
    IPC_NUM(struct account_setting, U64, account),
    IPC_NUM(struct account_setting, U64, quota_bytes),
    IPC_NUM(struct account_setting, U64, expunged_days),
    IPC_NUM(struct account_setting, U64, message_bytes),
    IPC_TEXT(struct account_setting, address, ADDRESS_MAX),
    IPC_TEXT(struct account_setting, hostname, 256),
};
static const struct ipc_shape account_setting_shape =
    IPC_SHAPE(struct account_setting, account_setting_fields);

static const struct ipc_field account_events_fields[] = {
    IPC_TEXT(struct account_events, events, 120000),
};
static const struct ipc_shape account_events_shape = IPC_SHAPE(struct account_events, account_events_fields);

static const struct ipc_field account_usage_fields[] = {
    IPC_NUM(struct account_usage, U64, bytes),
    IPC_NUM(struct account_usage, U64, messages),
    IPC_NUM(struct account_usage, U32, sessions),
    IPC_NUM(struct account_usage, BOOL, idle),
};
static const struct ipc_shape account_usage_shape = IPC_SHAPE(struct account_usage, account_usage_fields);

static const struct ipc_message accounts_account_messages[] = {
    {ACCOUNTS_ACCOUNT_SETTING, "setting", IPC_A, IPC_ONE_WAY, 0, &account_setting_shape, 0, 0},
    {ACCOUNTS_ACCOUNT_DELIVER, "deliver", IPC_A, IPC_REQUEST, ACCOUNTS_ACCOUNT_DELIVERED, &deliver_shape, 1,
     1},
    {ACCOUNTS_ACCOUNT_DELIVERED, "delivered", IPC_B, IPC_REPLY, 0, &delivered_shape, 0, 0},
    {ACCOUNTS_ACCOUNT_SESSION, "session", IPC_A, IPC_REQUEST, ACCOUNTS_ACCOUNT_SESSION_OPENED,
     &session_open_shape, 1, 1},
    {ACCOUNTS_ACCOUNT_SESSION_OPENED, "session_opened", IPC_B, IPC_REPLY, 0, &session_opened_shape, 0, 0},
    {ACCOUNTS_ACCOUNT_EVENTS, "events", IPC_B, IPC_ONE_WAY, 0, &account_events_shape, 0, 0},
    {ACCOUNTS_ACCOUNT_USAGE, "usage", IPC_B, IPC_ONE_WAY, 0, &account_usage_shape, 0, 0},
    {ACCOUNTS_ACCOUNT_RETIRE, "retire", IPC_A, IPC_ONE_WAY, 0, NULL, 0, 0},
    {ACCOUNTS_ACCOUNT_PROBE, "probe", IPC_A, IPC_REQUEST, ACCOUNTS_ACCOUNT_PROBED, &control_probe_shape, 0,
     0},
    {ACCOUNTS_ACCOUNT_PROBED, "probed", IPC_B, IPC_REPLY, 0, &control_probed_shape, 0, 0},
};

const struct ipc_channel accounts_account_channel = {"accounts_account", 1, accounts_account_messages,
                                                     ARRAY_LEN(accounts_account_messages), 8192};
