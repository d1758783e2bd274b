#include "ipc/x_resolver.h"

static const struct ipc_field resolve_fields[] = {
    IPC_TEXT(struct resolve, name, 255),
    IPC_NUM(struct resolve, U16, type),
    IPC_NUM(struct resolve, BOOL, fresh),
};
static const struct ipc_shape resolve_shape = IPC_SHAPE(struct resolve, resolve_fields);

static const struct ipc_field resolved_rr_fields[] = {
    IPC_TEXT(struct resolved_rr, rdata, 16384),
};
static const struct ipc_shape resolved_rr_shape = IPC_SHAPE(struct resolved_rr, resolved_rr_fields);

static const struct ipc_field resolved_fields[] = {
    IPC_NUM(struct resolved, U32, err),   IPC_NUM(struct resolved, BOOL, secure),
    IPC_NUM(struct resolved, U32, ttl),   IPC_TEXT(struct resolved, canonical, 255),
    IPC_TEXT(struct resolved, text, 256), IPC_ITEMS(struct resolved, rrs, n_rrs, 256, &resolved_rr_shape),
};
static const struct ipc_shape resolved_shape = IPC_SHAPE(struct resolved, resolved_fields);

static const struct ipc_message x_resolver_messages[] = {
    {X_RESOLVER_RESOLVE, "resolve", IPC_A, IPC_REQUEST, X_RESOLVER_RESOLVED, &resolve_shape, 0, 0},
    {X_RESOLVER_RESOLVED, "resolved", IPC_B, IPC_REPLY, 0, &resolved_shape, 0, 0},
};

const struct ipc_channel x_resolver_channel = {"x_resolver", 1, x_resolver_messages,
                                               ARRAY_LEN(x_resolver_messages), 4096};

enum dns_answer_status x_resolver_status(enum err e)
{
    switch (e) {
    case OK:
        return DNS_ANSWER_OK;
    case ERR_NOT_FOUND:
        return DNS_ANSWER_NXDOMAIN;
    case ERR_TIMEOUT:
        return DNS_ANSWER_TIMEOUT;
    case ERR_DNS_BOGUS:
        return DNS_ANSWER_BOGUS;
    default:
        return DNS_ANSWER_TEMPFAIL;
    }
}
