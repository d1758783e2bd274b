#include "ipc/control.h"

static const struct ipc_field control_setting_fields[] = {
    IPC_TEXT(struct control_setting, name, 64),
    IPC_TEXT(struct control_setting, value, 65536),
};
static const struct ipc_shape control_setting_shape =
    IPC_SHAPE(struct control_setting, control_setting_fields);

static const struct ipc_field control_listener_fields[] = {
    IPC_ENUM(struct control_listener, U8, service, SERVICE__COUNT - 1),
    IPC_NUM(struct control_listener, BOOL, plaintext),
    IPC_TEXT(struct control_listener, address, 64),
};
static const struct ipc_shape control_listener_shape =
    IPC_SHAPE(struct control_listener, control_listener_fields);

static const struct ipc_field control_folder_fields[] = {
    IPC_TEXT(struct control_folder, name, 64),
};
static const struct ipc_shape control_folder_shape = IPC_SHAPE(struct control_folder, control_folder_fields);

static const struct ipc_field control_file_fields[] = {
    IPC_TEXT(struct control_file, name, 64),
};
static const struct ipc_shape control_file_shape = IPC_SHAPE(struct control_file, control_file_fields);

static const struct ipc_field control_channel_end_fields[] = {
    IPC_ENUM(struct control_channel_end, U8, peer, ROLE__COUNT - 1),
    IPC_NUM(struct control_channel_end, U8, index),
    IPC_TEXT(struct control_channel_end, channel, 64),
    IPC_NUM(struct control_channel_end, BOOL, asks),
};
static const struct ipc_shape control_channel_end_shape =
    IPC_SHAPE(struct control_channel_end, control_channel_end_fields);

static const struct ipc_field control_start_fields[] = {
    IPC_NUM(struct control_start, U8, index),
};
static const struct ipc_shape control_start_shape = IPC_SHAPE(struct control_start, control_start_fields);

static const struct ipc_field control_failed_fields[] = {
    IPC_TEXT(struct control_failed, text, TEXT_MAX),
};
static const struct ipc_shape control_failed_shape = IPC_SHAPE(struct control_failed, control_failed_fields);

static const struct ipc_field control_drain_fields[] = {
    IPC_NUM(struct control_drain, U32, ms),
};
static const struct ipc_shape control_drain_shape = IPC_SHAPE(struct control_drain, control_drain_fields);

static const struct ipc_field control_fact_fields[] = {
    IPC_TEXT(struct control_fact, name, 64),
    IPC_TEXT(struct control_fact, value, 1024),
};
static const struct ipc_shape control_fact_shape = IPC_SHAPE(struct control_fact, control_fact_fields);

static const struct ipc_field control_facts_fields[] = {
    IPC_ITEMS(struct control_facts, facts, n_facts, 256, &control_fact_shape),
};
static const struct ipc_shape control_facts_shape = IPC_SHAPE(struct control_facts, control_facts_fields);

static const struct ipc_field control_probe_fields[] = {
    IPC_NUM(struct control_probe, U32, what),
};
const struct ipc_shape control_probe_shape = IPC_SHAPE(struct control_probe, control_probe_fields);

static const struct ipc_field control_probed_fields[] = {
    IPC_NUM(struct control_probed, I64, result),
};
const struct ipc_shape control_probed_shape = IPC_SHAPE(struct control_probed, control_probed_fields);

static const struct ipc_field control_role_fields[] = {
    IPC_ENUM(struct control_role, U8, role, ROLE__COUNT - 1),
    IPC_NUM(struct control_role, U8, index),
    IPC_NUM(struct control_role, U32, pid),
    IPC_NUM(struct control_role, U32, restarts),
    IPC_NUM(struct control_role, I64, since),
    IPC_NUM(struct control_role, BOOL, ready),
    IPC_ITEMS(struct control_role, facts, n_facts, 256, &control_fact_shape),
};
static const struct ipc_shape control_role_shape = IPC_SHAPE(struct control_role, control_role_fields);

static const struct ipc_field control_house_fields[] = {
    IPC_ITEMS(struct control_house, roles, n_roles, 128, &control_role_shape),
    IPC_NUM(struct control_house, I64, since),
    IPC_TEXT(struct control_house, version, 64),
    IPC_TEXT(struct control_house, hostname, 256),
};
static const struct ipc_shape control_house_shape = IPC_SHAPE(struct control_house, control_house_fields);

static const struct ipc_message control_messages[] = {
    {CONTROL_SETTING, "setting", IPC_A, IPC_ONE_WAY, 0, &control_setting_shape, 0, 0},
    {CONTROL_LISTENER, "listener", IPC_A, IPC_ONE_WAY, 0, &control_listener_shape, 1, 1},
    {CONTROL_FOLDER, "folder", IPC_A, IPC_ONE_WAY, 0, &control_folder_shape, 1, 1},
    {CONTROL_FILE, "file", IPC_A, IPC_ONE_WAY, 0, &control_file_shape, 1, 1},
    {CONTROL_CHANNEL, "channel", IPC_A, IPC_ONE_WAY, 0, &control_channel_end_shape, 1, 1},
    {CONTROL_START, "start", IPC_A, IPC_ONE_WAY, 0, &control_start_shape, 0, 0},
    {CONTROL_READY, "ready", IPC_B, IPC_ONE_WAY, 0, NULL, 0, 0},
    {CONTROL_FAILED, "failed", IPC_B, IPC_ONE_WAY, 0, &control_failed_shape, 0, 0},
    {CONTROL_DRAIN, "drain", IPC_A, IPC_ONE_WAY, 0, &control_drain_shape, 0, 0},
    {CONTROL_STATUS, "status", IPC_A, IPC_REQUEST, CONTROL_FACTS, NULL, 0, 0},
    {CONTROL_FACTS, "facts", IPC_B, IPC_REPLY, 0, &control_facts_shape, 0, 0},
    {CONTROL_PROBE, "probe", IPC_A, IPC_REQUEST, CONTROL_PROBED, &control_probe_shape, 0, 2},
    {CONTROL_PROBED, "probed", IPC_B, IPC_REPLY, 0, &control_probed_shape, 0, 0},
    {CONTROL_HOUSE_ASK, "house_ask", IPC_B, IPC_REQUEST, CONTROL_HOUSE, NULL, 0, 0},
    {CONTROL_HOUSE, "house", IPC_A, IPC_REPLY, 0, &control_house_shape, 0, 0},
};

const struct ipc_channel control_channel = {"control", 1, control_messages, ARRAY_LEN(control_messages), 64};
