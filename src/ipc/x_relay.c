#include "ipc/x_relay.h"

static const struct ipc_field enqueue_rcpt_fields[] = {
    IPC_TEXT(struct enqueue_rcpt, address, ADDRESS_MAX),
    IPC_TEXT(struct enqueue_rcpt, orcpt, 512),
    IPC_NUM(struct enqueue_rcpt, U8, notify),
    IPC_NUM(struct enqueue_rcpt, BOOL, local),
};
static const struct ipc_shape enqueue_rcpt_shape = IPC_SHAPE(struct enqueue_rcpt, enqueue_rcpt_fields);

static const struct ipc_field enqueue_fields[] = {
    IPC_NUM(struct enqueue, U64, mail_id),
    IPC_NUM(struct enqueue, U64, connection),
    IPC_NUM(struct enqueue, U64, account),
    IPC_TEXT(struct enqueue, reverse_path, ADDRESS_MAX),
    IPC_TEXT(struct enqueue, envid, 128),
    IPC_NUM(struct enqueue, U8, ret),
    IPC_NUM(struct enqueue, BOOL, eight_bit),
    IPC_NUM(struct enqueue, BOOL, smtputf8),
    IPC_NUM(struct enqueue, BOOL, junk),
    IPC_TEXT(struct enqueue, prefix, PREFIX_MAX),
    IPC_NUM(struct enqueue, I64, received_at),
    IPC_TEXT(struct enqueue, message_id, 1000),
    IPC_ITEMS(struct enqueue, rcpts, n_rcpts, 1000, &enqueue_rcpt_shape),
};
static const struct ipc_shape enqueue_shape = IPC_SHAPE(struct enqueue, enqueue_fields);

static const struct ipc_field queued_fields[] = {
    IPC_NUM(struct queued, U32, err),
    IPC_TEXT(struct queued, text, TEXT_MAX),
};
static const struct ipc_shape queued_shape = IPC_SHAPE(struct queued, queued_fields);

static const struct ipc_field relay_look_fields[] = {
    IPC_NUM(struct relay_look, U64, mail_id),
    IPC_NUM(struct relay_look, BOOL, drop),
};
static const struct ipc_shape relay_look_shape = IPC_SHAPE(struct relay_look, relay_look_fields);

static const struct ipc_field relay_seen_fields[] = {
    IPC_NUM(struct relay_seen, U32, err),
    IPC_NUM(struct relay_seen, U64, messages),
    IPC_NUM(struct relay_seen, I64, oldest),
    IPC_NUM(struct relay_seen, BOOL, found),
    IPC_NUM(struct relay_seen, U32, attempts),
    IPC_NUM(struct relay_seen, U32, code),
    IPC_TEXT(struct relay_seen, reply, 4096),
    IPC_TEXT(struct relay_seen, host, 512),
    IPC_TEXT(struct relay_seen, held, 512),
    IPC_NUM(struct relay_seen, U32, unstored),
    IPC_TEXT(struct relay_seen, unstored_why, 1024),
};
static const struct ipc_shape relay_seen_shape = IPC_SHAPE(struct relay_seen, relay_seen_fields);

static const struct ipc_message x_relay_messages[] = {
    {X_RELAY_ENQUEUE, "enqueue", IPC_A, IPC_REQUEST, X_RELAY_QUEUED, &enqueue_shape, 1, 1},
    {X_RELAY_QUEUED, "queued", IPC_B, IPC_REPLY, 0, &queued_shape, 0, 0},
    {X_RELAY_LOOK, "look", IPC_A, IPC_REQUEST, X_RELAY_SEEN, &relay_look_shape, 0, 0},
    {X_RELAY_SEEN, "seen", IPC_B, IPC_REPLY, 0, &relay_seen_shape, 0, 0},
};

const struct ipc_channel x_relay_channel = {"x_relay", 1, x_relay_messages, ARRAY_LEN(x_relay_messages),
                                            4096};
