#include "ipc/x_accounts.h"

static const struct ipc_field deliver_fields[] = {
    IPC_TEXT(struct deliver, ticket, TICKET_MAX),
    IPC_NUM(struct deliver, U64, account),
    IPC_NUM(struct deliver, U64, mail_id),
    IPC_NUM(struct deliver, U64, connection),
    IPC_TEXT(struct deliver, reverse_path, ADDRESS_MAX),
    IPC_TEXT(struct deliver, recipient, ADDRESS_MAX),
    IPC_TEXT(struct deliver, detail, 64),
    IPC_TEXT(struct deliver, prefix, PREFIX_MAX),
    IPC_NUM(struct deliver, I64, received_at),
    IPC_NUM(struct deliver, BOOL, junk),
    IPC_TEXT(struct deliver, mailbox, 1024),
};
const struct ipc_shape deliver_shape = IPC_SHAPE(struct deliver, deliver_fields);

static const struct ipc_field delivered_fields[] = {
    IPC_NUM(struct delivered, U32, err),         IPC_TEXT(struct delivered, text, TEXT_MAX),
    IPC_TEXT(struct delivered, mailbox, 1024),   IPC_NUM(struct delivered, U32, uid),
    IPC_NUM(struct delivered, U32, uidvalidity),
};
const struct ipc_shape delivered_shape = IPC_SHAPE(struct delivered, delivered_fields);

static const struct ipc_field session_open_fields[] = {
    IPC_TEXT(struct session_open, ticket, TICKET_MAX),
    IPC_NUM(struct session_open, U64, account),
    IPC_ENUM(struct session_open, U8, service, SERVICE__COUNT - 1),
    IPC_NUM(struct session_open, U64, connection),
    IPC_TEXT(struct session_open, client_ip, 16),
    IPC_NUM(struct session_open, BOOL, tls),
    IPC_TEXT(struct session_open, address, ADDRESS_MAX),
    IPC_TEXT(struct session_open, tag, 256),
    IPC_NUM(struct session_open, BOOL, capability),
    IPC_NUM(struct session_open, U32, flags),
    IPC_TEXT(struct session_open, leftover, 65536),
};
const struct ipc_shape session_open_shape = IPC_SHAPE(struct session_open, session_open_fields);

static const struct ipc_field session_opened_fields[] = {
    IPC_NUM(struct session_opened, U32, err),
    IPC_TEXT(struct session_opened, text, TEXT_MAX),
};
const struct ipc_shape session_opened_shape = IPC_SHAPE(struct session_opened, session_opened_fields);

static const struct ipc_message x_accounts_messages[] = {
    {X_ACCOUNTS_DELIVER, "deliver", IPC_A, IPC_REQUEST, X_ACCOUNTS_DELIVERED, &deliver_shape, 1, 1},
    {X_ACCOUNTS_DELIVERED, "delivered", IPC_B, IPC_REPLY, 0, &delivered_shape, 0, 0},
    {X_ACCOUNTS_OPEN, "open", IPC_A, IPC_REQUEST, X_ACCOUNTS_OPENED, &session_open_shape, 0, 0},
    {X_ACCOUNTS_OPENED, "opened", IPC_B, IPC_REPLY, 0, &session_opened_shape, 0, 1},
};

const struct ipc_channel x_accounts_channel = {"x_accounts", 1, x_accounts_messages,
                                               ARRAY_LEN(x_accounts_messages), 8192};
