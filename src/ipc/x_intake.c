#include "ipc/x_intake.h"

#include "core/auth/auth.h"

static const struct ipc_field intake_dkim_fields[] = {
    IPC_TEXT(struct intake_dkim, domain, 255),
    IPC_TEXT(struct intake_dkim, selector, 255),
    IPC_ENUM(struct intake_dkim, U8, result, AUTH__LAST),
};
static const struct ipc_shape intake_dkim_shape = IPC_SHAPE(struct intake_dkim, intake_dkim_fields);

static const struct ipc_field intake_fields[] = {
    IPC_NUM(struct intake, U64, mail_id),
    IPC_NUM(struct intake, U64, connection),
    IPC_TEXT(struct intake, recipient, ADDRESS_MAX),
    IPC_TEXT(struct intake, client_ip, 16),
    IPC_TEXT(struct intake, reverse_path, ADDRESS_MAX),
    IPC_NUM(struct intake, I64, received_at),
    IPC_NUM(struct intake, BOOL, judged),
    IPC_ENUM(struct intake, U8, spf, AUTH__LAST),
    IPC_ENUM(struct intake, U8, dmarc, AUTH__LAST),
    IPC_TEXT(struct intake, spf_domain, 255),
    IPC_TEXT(struct intake, author, 255),
    IPC_ITEMS(struct intake, dkim, n_dkim, X_INTAKE_DKIM_MAX, &intake_dkim_shape),
};
static const struct ipc_shape intake_shape = IPC_SHAPE(struct intake, intake_fields);

static const struct ipc_field intake_taken_fields[] = {
    IPC_NUM(struct intake_taken, U32, err),
    IPC_TEXT(struct intake_taken, text, TEXT_MAX),
};
static const struct ipc_shape intake_taken_shape = IPC_SHAPE(struct intake_taken, intake_taken_fields);

static const struct ipc_message x_intake_messages[] = {
    {X_INTAKE_GIVE, "give", IPC_A, IPC_REQUEST, X_INTAKE_TAKEN, &intake_shape, 1, 1},
    {X_INTAKE_TAKEN, "taken", IPC_B, IPC_REPLY, 0, &intake_taken_shape, 0, 0},
};

/* few at a time: whoever reads reports is not hurried */
const struct ipc_channel x_intake_channel = {"x_intake", 1, x_intake_messages, ARRAY_LEN(x_intake_messages),
                                             64};
