#include "ipc/directory_reporter.h"

static const struct ipc_message directory_reporter_messages[] = {
    {DIRECTORY_REPORTER_CALL, "call", IPC_A, IPC_REQUEST, DIRECTORY_REPORTER_ROW, &words_call_shape, 0, 0},
    {DIRECTORY_REPORTER_ROW, "row", IPC_B, IPC_REPLY, 0, &words_row_shape, 0, 0},
    {DIRECTORY_REPORTER_MORE, "more", IPC_A, IPC_REQUEST, DIRECTORY_REPORTER_ROW, &words_more_shape, 0, 0},
};

const struct ipc_channel directory_reporter_channel = {"directory_reporter", 1, directory_reporter_messages,
                                                       ARRAY_LEN(directory_reporter_messages), 64};
