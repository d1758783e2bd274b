#include "ipc/admin_words.h"

static const struct ipc_field words_arg_fields[] = {
    IPC_TEXT(struct words_arg, text, TEXT_MAX),
};
static const struct ipc_shape words_arg_shape = IPC_SHAPE(struct words_arg, words_arg_fields);

static const struct ipc_field words_call_fields[] = {
    IPC_TEXT(struct words_call, verb, 32),
    IPC_ITEMS(struct words_call, args, n_args, 32, &words_arg_shape),
};
const struct ipc_shape words_call_shape = IPC_SHAPE(struct words_call, words_call_fields);

static const struct ipc_field words_more_fields[] = {
    IPC_NUM(struct words_more, U32, next),
};
const struct ipc_shape words_more_shape = IPC_SHAPE(struct words_more, words_more_fields);

static const struct ipc_field words_row_fields[] = {
    IPC_NUM(struct words_row, U32, err),
    IPC_TEXT(struct words_row, text, TEXT_MAX),
    IPC_TEXT(struct words_row, json, ADMIN_WORDS_JSON_MAX),
    IPC_NUM(struct words_row, U32, next),
};
const struct ipc_shape words_row_shape = IPC_SHAPE(struct words_row, words_row_fields);
