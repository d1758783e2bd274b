#include "ipc/directory_journal.h"

static const struct ipc_field trace_ask_fields[] = {
    IPC_TEXT(struct trace_ask, query, 1024),
    IPC_NUM(struct trace_ask, I64, since),
    IPC_NUM(struct trace_ask, U32, from),
    IPC_NUM(struct trace_ask, BOOL, json),
};
static const struct ipc_shape trace_ask_shape = IPC_SHAPE(struct trace_ask, trace_ask_fields);

static const struct ipc_field trace_row_fields[] = {
    IPC_NUM(struct trace_row, U32, err),
    IPC_TEXT(struct trace_row, text, 100000),
    IPC_NUM(struct trace_row, U32, next),
};
static const struct ipc_shape trace_row_shape = IPC_SHAPE(struct trace_row, trace_row_fields);

static const struct ipc_message directory_journal_messages[] = {
    {DIRECTORY_JOURNAL_ASK, "ask", IPC_A, IPC_REQUEST, DIRECTORY_JOURNAL_ROW, &trace_ask_shape, 0, 0},
    {DIRECTORY_JOURNAL_ROW, "row", IPC_B, IPC_REPLY, 0, &trace_row_shape, 0, 0},
};

const struct ipc_channel directory_journal_channel = {"directory_journal", 1, directory_journal_messages,
                                                      ARRAY_LEN(directory_journal_messages), 64};
