#include "ipc/tool_directory.h"

static const struct ipc_field admin_arg_fields[] = {
    IPC_TEXT(struct admin_arg, text, 4096),
};
static const struct ipc_shape admin_arg_shape = IPC_SHAPE(struct admin_arg, admin_arg_fields);

static const struct ipc_field admin_call_fields[] = {
    IPC_TEXT(struct admin_call, verb, 64),
    IPC_ITEMS(struct admin_call, args, n_args, 1024, &admin_arg_shape),
    IPC_TEXT(struct admin_call, secret, 512),
};
static const struct ipc_shape admin_call_shape = IPC_SHAPE(struct admin_call, admin_call_fields);

static const struct ipc_field admin_row_fields[] = {
    IPC_TEXT(struct admin_row, json, 120000),
};
static const struct ipc_shape admin_row_shape = IPC_SHAPE(struct admin_row, admin_row_fields);

static const struct ipc_field admin_done_fields[] = {
    IPC_NUM(struct admin_done, U32, err),
    IPC_TEXT(struct admin_done, text, TEXT_MAX),
};
static const struct ipc_shape admin_done_shape = IPC_SHAPE(struct admin_done, admin_done_fields);

static const struct ipc_message tool_directory_messages[] = {
    {TOOL_DIRECTORY_CALL, "call", IPC_A, IPC_ONE_WAY, 0, &admin_call_shape, 0, 1},
    {TOOL_DIRECTORY_ROW, "row", IPC_B, IPC_ONE_WAY, 0, &admin_row_shape, 0, 0},
    {TOOL_DIRECTORY_DONE, "done", IPC_B, IPC_ONE_WAY, 0, &admin_done_shape, 0, 0},
};

const struct ipc_channel tool_directory_channel = {"tool_directory", 1, tool_directory_messages,
                                                   ARRAY_LEN(tool_directory_messages), 64};
