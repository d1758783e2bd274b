#include "ipc/directory_accounts.h"

static const struct ipc_field broker_epoch_fields[] = {
    IPC_NUM(struct broker_epoch, U64, epoch),
};
static const struct ipc_shape broker_epoch_shape = IPC_SHAPE(struct broker_epoch, broker_epoch_fields);

static const struct ipc_field broker_usage_fields[] = {
    IPC_NUM(struct broker_usage, U64, account),
    IPC_NUM(struct broker_usage, U64, bytes),
    IPC_NUM(struct broker_usage, U64, messages),
};
static const struct ipc_shape broker_usage_shape = IPC_SHAPE(struct broker_usage, broker_usage_fields);

static const struct ipc_field account_info_ask_fields[] = {
    IPC_NUM(struct account_info_ask, U64, account),
};
static const struct ipc_shape account_info_ask_shape =
    IPC_SHAPE(struct account_info_ask, account_info_ask_fields);

static const struct ipc_field account_info_fields[] = {
    IPC_NUM(struct account_info, U32, err),
    IPC_TEXT(struct account_info, address, ADDRESS_MAX),
    IPC_NUM(struct account_info, U64, quota_bytes),
};
static const struct ipc_shape account_info_shape = IPC_SHAPE(struct account_info, account_info_fields);

static const struct ipc_field account_revoked_fields[] = {
    IPC_NUM(struct account_revoked, U64, account),
    IPC_NUM(struct account_revoked, BOOL, removed),
};
static const struct ipc_shape account_revoked_shape =
    IPC_SHAPE(struct account_revoked, account_revoked_fields);

static const struct ipc_message directory_accounts_messages[] = {
    {DIRECTORY_ACCOUNTS_EPOCH, "epoch", IPC_A, IPC_ONE_WAY, 0, &broker_epoch_shape, 0, 0},
    {DIRECTORY_ACCOUNTS_USAGE, "usage", IPC_A, IPC_ONE_WAY, 0, &broker_usage_shape, 0, 0},
    {DIRECTORY_ACCOUNTS_INFO_ASK, "info_ask", IPC_A, IPC_REQUEST, DIRECTORY_ACCOUNTS_INFO,
     &account_info_ask_shape, 0, 0},
    {DIRECTORY_ACCOUNTS_INFO, "info", IPC_B, IPC_REPLY, 0, &account_info_shape, 0, 0},
    {DIRECTORY_ACCOUNTS_REVOKED, "revoked", IPC_B, IPC_ONE_WAY, 0, &account_revoked_shape, 0, 0},
};

const struct ipc_channel directory_accounts_channel = {"directory_accounts", 1, directory_accounts_messages,
                                                       ARRAY_LEN(directory_accounts_messages), 64};
