#include "ipc/doctor_judge.h"

static const struct ipc_field judge_look_fields[] = {
    IPC_NUM(struct judge_look, BOOL, lists),
};
static const struct ipc_shape judge_look_shape = IPC_SHAPE(struct judge_look, judge_look_fields);

static const struct ipc_field judge_list_off_fields[] = {
    IPC_TEXT(struct judge_list_off, zone, 255),
    IPC_NUM(struct judge_list_off, BOOL, white),
    IPC_TEXT(struct judge_list_off, why, 160),
    IPC_NUM(struct judge_list_off, I64, since),
};
static const struct ipc_shape judge_list_off_shape = IPC_SHAPE(struct judge_list_off, judge_list_off_fields);

static const struct ipc_field judge_lists_off_fields[] = {
    IPC_ITEMS(struct judge_lists_off, lists, n_lists, DOCTOR_JUDGE_LISTS_MAX, &judge_list_off_shape),
};
static const struct ipc_shape judge_lists_off_shape =
    IPC_SHAPE(struct judge_lists_off, judge_lists_off_fields);

static const struct ipc_message doctor_judge_messages[] = {
    {DOCTOR_JUDGE_LOOK, "look", IPC_A, IPC_REQUEST, DOCTOR_JUDGE_LISTS, &judge_look_shape, 0, 0},
    {DOCTOR_JUDGE_LISTS, "lists", IPC_B, IPC_REPLY, 0, &judge_lists_off_shape, 0, 0},
};

const struct ipc_channel doctor_judge_channel = {"doctor_judge", 1, doctor_judge_messages,
                                                 ARRAY_LEN(doctor_judge_messages), 4};
