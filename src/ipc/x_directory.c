#include "ipc/x_directory.h"

static const struct ipc_field rcpt_target_fields[] = {
    IPC_ENUM(struct rcpt_target, U8, kind, RCPT_PROBE), IPC_NUM(struct rcpt_target, U64, account),
    IPC_TEXT(struct rcpt_target, ticket, TICKET_MAX),   IPC_TEXT(struct rcpt_target, address, ADDRESS_MAX),
    IPC_TEXT(struct rcpt_target, detail, 64),
};
static const struct ipc_shape rcpt_target_shape = IPC_SHAPE(struct rcpt_target, rcpt_target_fields);

static const struct ipc_field rcpt_ask_fields[] = {
    IPC_TEXT(struct rcpt_ask, address, ADDRESS_MAX),
    IPC_NUM(struct rcpt_ask, U64, sender_account),
    IPC_NUM(struct rcpt_ask, U64, bytes),
};
static const struct ipc_shape rcpt_ask_shape = IPC_SHAPE(struct rcpt_ask, rcpt_ask_fields);

static const struct ipc_field rcpt_answer_fields[] = {
    IPC_NUM(struct rcpt_answer, U32, err),
    IPC_TEXT(struct rcpt_answer, text, TEXT_MAX),
    IPC_ITEMS(struct rcpt_answer, targets, n_targets, 128, &rcpt_target_shape),
};
static const struct ipc_shape rcpt_answer_shape = IPC_SHAPE(struct rcpt_answer, rcpt_answer_fields);

static const struct ipc_field auth_start_fields[] = {
    IPC_ENUM(struct auth_start, U8, service, SERVICE__COUNT - 1),
    IPC_TEXT(struct auth_start, client_first, 1024),
    IPC_TEXT(struct auth_start, client_ip, 16),
    IPC_NUM(struct auth_start, BOOL, tls),
};
static const struct ipc_shape auth_start_shape = IPC_SHAPE(struct auth_start, auth_start_fields);

static const struct ipc_field auth_challenge_fields[] = {
    IPC_NUM(struct auth_challenge, U32, err),
    IPC_NUM(struct auth_challenge, U64, handle),
    IPC_TEXT(struct auth_challenge, server_first, 1024),
    IPC_TEXT(struct auth_challenge, text, TEXT_MAX),
};
static const struct ipc_shape auth_challenge_shape = IPC_SHAPE(struct auth_challenge, auth_challenge_fields);

static const struct ipc_field auth_finish_fields[] = {
    IPC_NUM(struct auth_finish, U64, handle),
    IPC_TEXT(struct auth_finish, client_final, 2048),
};
static const struct ipc_shape auth_finish_shape = IPC_SHAPE(struct auth_finish, auth_finish_fields);

static const struct ipc_field auth_result_fields[] = {
    IPC_NUM(struct auth_result, U32, err),
    IPC_TEXT(struct auth_result, text, TEXT_MAX),
    IPC_TEXT(struct auth_result, server_final, 1024),
    IPC_NUM(struct auth_result, U64, account),
    IPC_TEXT(struct auth_result, address, ADDRESS_MAX),
    IPC_TEXT(struct auth_result, ticket, TICKET_MAX),
    IPC_NUM(struct auth_result, U32, wait_ms),
};
static const struct ipc_shape auth_result_shape = IPC_SHAPE(struct auth_result, auth_result_fields);

static const struct ipc_field sender_item_fields[] = {
    IPC_TEXT(struct sender_item, address, ADDRESS_MAX),
};
static const struct ipc_shape sender_item_shape = IPC_SHAPE(struct sender_item, sender_item_fields);

static const struct ipc_field sender_ask_fields[] = {
    IPC_NUM(struct sender_ask, U64, account),
    IPC_ITEMS(struct sender_ask, addresses, n_addresses, 512, &sender_item_shape),
};
static const struct ipc_shape sender_ask_shape = IPC_SHAPE(struct sender_ask, sender_ask_fields);

static const struct ipc_field sender_answer_fields[] = {
    IPC_NUM(struct sender_answer, U32, err),
    IPC_TEXT(struct sender_answer, address, ADDRESS_MAX),
    IPC_TEXT(struct sender_answer, text, TEXT_MAX),
};
static const struct ipc_shape sender_answer_shape = IPC_SHAPE(struct sender_answer, sender_answer_fields);

static const struct ipc_message x_directory_messages[] = {
    {X_DIRECTORY_RCPT_ASK, "rcpt_ask", IPC_A, IPC_REQUEST, X_DIRECTORY_RCPT_ANSWER, &rcpt_ask_shape, 0, 0},
    {X_DIRECTORY_RCPT_ANSWER, "rcpt_answer", IPC_B, IPC_REPLY, 0, &rcpt_answer_shape, 0, 0},
    {X_DIRECTORY_AUTH_START, "auth_start", IPC_A, IPC_REQUEST, X_DIRECTORY_AUTH_CHALLENGE, &auth_start_shape,
     0, 0},
    {X_DIRECTORY_AUTH_CHALLENGE, "auth_challenge", IPC_B, IPC_REPLY, 0, &auth_challenge_shape, 0, 0},
    {X_DIRECTORY_AUTH_FINISH, "auth_finish", IPC_A, IPC_REQUEST, X_DIRECTORY_AUTH_RESULT, &auth_finish_shape,
     0, 0},
    {X_DIRECTORY_AUTH_RESULT, "auth_result", IPC_B, IPC_REPLY, 0, &auth_result_shape, 0, 0},
    {X_DIRECTORY_SENDER_ASK, "sender_ask", IPC_A, IPC_REQUEST, X_DIRECTORY_SENDER_ANSWER, &sender_ask_shape,
     0, 0},
    {X_DIRECTORY_SENDER_ANSWER, "sender_answer", IPC_B, IPC_REPLY, 0, &sender_answer_shape, 0, 0},
};

const struct ipc_channel x_directory_channel = {"x_directory", 1, x_directory_messages,
                                                ARRAY_LEN(x_directory_messages), 4096};
