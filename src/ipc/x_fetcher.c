#include "ipc/x_fetcher.h"

static const struct ipc_field fetch_fields[] = {
    IPC_TEXT(struct fetch, url, 2048),
    IPC_NUM(struct fetch, U64, bytes_max),
    IPC_NUM(struct fetch, U32, timeout_ms),
};
static const struct ipc_shape fetch_shape = IPC_SHAPE(struct fetch, fetch_fields);

static const struct ipc_field fetched_fields[] = {
    IPC_NUM(struct fetched, U32, err),
    IPC_NUM(struct fetched, U32, status),
    IPC_TEXT(struct fetched, text, TEXT_MAX),
    IPC_TEXT(struct fetched, content_type, 256),
};
static const struct ipc_shape fetched_shape = IPC_SHAPE(struct fetched, fetched_fields);

static const struct ipc_message x_fetcher_messages[] = {
    {X_FETCHER_FETCH, "fetch", IPC_A, IPC_REQUEST, X_FETCHER_FETCHED, &fetch_shape, 0, 0},
    {X_FETCHER_FETCHED, "fetched", IPC_B, IPC_REPLY, 0, &fetched_shape, 0, 1},
};

const struct ipc_channel x_fetcher_channel = {"x_fetcher", 1, x_fetcher_messages,
                                              ARRAY_LEN(x_fetcher_messages), 64};
