#include "ipc/directory_relay.h"

static const struct ipc_field queue_call_fields[] = {
    IPC_TEXT(struct queue_call, verb, 32),
    IPC_TEXT(struct queue_call, id, 64),
    IPC_TEXT(struct queue_call, text, TEXT_MAX),
};
static const struct ipc_shape queue_call_shape = IPC_SHAPE(struct queue_call, queue_call_fields);

static const struct ipc_field queue_row_fields[] = {
    IPC_NUM(struct queue_row, U32, err),
    IPC_TEXT(struct queue_row, text, TEXT_MAX),
    IPC_TEXT(struct queue_row, json, 65536),
    IPC_NUM(struct queue_row, U32, next),
};
static const struct ipc_shape queue_row_shape = IPC_SHAPE(struct queue_row, queue_row_fields);

static const struct ipc_field queue_more_fields[] = {
    IPC_NUM(struct queue_more, U32, next),
    IPC_TEXT(struct queue_more, id, 64),
};
static const struct ipc_shape queue_more_shape = IPC_SHAPE(struct queue_more, queue_more_fields);

static const struct ipc_message directory_relay_messages[] = {
    {DIRECTORY_RELAY_CALL, "call", IPC_A, IPC_REQUEST, DIRECTORY_RELAY_ROW, &queue_call_shape, 0, 0},
    {DIRECTORY_RELAY_ROW, "row", IPC_B, IPC_REPLY, 0, &queue_row_shape, 0, 0},
    {DIRECTORY_RELAY_MORE, "more", IPC_A, IPC_REQUEST, DIRECTORY_RELAY_ROW, &queue_more_shape, 0, 0},
};

const struct ipc_channel directory_relay_channel = {"directory_relay", 1, directory_relay_messages,
                                                    ARRAY_LEN(directory_relay_messages), 64};
