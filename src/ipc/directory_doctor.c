#include "ipc/directory_doctor.h"

static const struct ipc_message directory_doctor_messages[] = {
    {DIRECTORY_DOCTOR_CALL, "call", IPC_A, IPC_REQUEST, DIRECTORY_DOCTOR_ROW, &words_call_shape, 0, 1},
    {DIRECTORY_DOCTOR_ROW, "row", IPC_B, IPC_REPLY, 0, &words_row_shape, 0, 0},
    {DIRECTORY_DOCTOR_MORE, "more", IPC_A, IPC_REQUEST, DIRECTORY_DOCTOR_ROW, &words_more_shape, 0, 0},
};

const struct ipc_channel directory_doctor_channel = {"directory_doctor", 1, directory_doctor_messages,
                                                     ARRAY_LEN(directory_doctor_messages), 64};
