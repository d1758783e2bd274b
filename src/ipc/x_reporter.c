#include "ipc/x_reporter.h"

#include "core/auth/auth.h"

static const struct ipc_field seen_dkim_fields[] = {
    IPC_TEXT(struct seen_dkim, domain, 255),
    IPC_TEXT(struct seen_dkim, selector, 255),
    IPC_ENUM(struct seen_dkim, U8, result, AUTH__LAST),
};
static const struct ipc_shape seen_dkim_shape = IPC_SHAPE(struct seen_dkim, seen_dkim_fields);

static const struct ipc_field seen_fields[] = {
    IPC_NUM(struct seen, U64, mail_id),
    IPC_NUM(struct seen, I64, at),
    IPC_TEXT(struct seen, source, 16),
    IPC_TEXT(struct seen, author, 255),
    IPC_TEXT(struct seen, policy_domain, 255),
    IPC_TEXT(struct seen, record, 2048),
    IPC_TEXT(struct seen, envelope_from, 255),
    IPC_TEXT(struct seen, envelope_to, 255),
    IPC_ENUM(struct seen, U8, spf, AUTH__LAST),
    IPC_NUM(struct seen, BOOL, spf_of_helo),
    IPC_TEXT(struct seen, spf_domain, 255),
    IPC_ITEMS(struct seen, dkim, n_dkim, X_REPORTER_DKIM_MAX, &seen_dkim_shape),
    IPC_ENUM(struct seen, U8, dmarc, AUTH__LAST),
    IPC_NUM(struct seen, BOOL, spf_aligned),
    IPC_NUM(struct seen, BOOL, dkim_aligned),
    IPC_ENUM(struct seen, U8, policy, 2),
    IPC_ENUM(struct seen, U8, disposition, SEEN_REJECT),
    IPC_ENUM(struct seen, U8, override_type, SEEN_OVERRIDE_FORWARDER),
    IPC_TEXT(struct seen, override_comment, 256),
};
static const struct ipc_shape seen_shape = IPC_SHAPE(struct seen, seen_fields);

static const struct ipc_field failed_fields[] = {
    IPC_NUM(struct failed, U64, mail_id),        IPC_NUM(struct failed, I64, at),
    IPC_TEXT(struct failed, source, 16),         IPC_TEXT(struct failed, author, 255),
    IPC_TEXT(struct failed, policy_domain, 255), IPC_TEXT(struct failed, record, 2048),
    IPC_TEXT(struct failed, envelope_from, 255), IPC_TEXT(struct failed, envelope_to, 255),
    IPC_TEXT(struct failed, failure, 16),        IPC_TEXT(struct failed, delivery, 16),
    IPC_NUM(struct failed, BOOL, spf_aligned),   IPC_NUM(struct failed, BOOL, dkim_aligned),
    IPC_TEXT(struct failed, dkim_domain, 255),   IPC_TEXT(struct failed, dkim_selector, 255),
    IPC_TEXT(struct failed, results, 8192),      IPC_TEXT(struct failed, header, FAILED_HEADER_MAX),
};
static const struct ipc_shape failed_shape = IPC_SHAPE(struct failed, failed_fields);

static const struct ipc_message x_reporter_messages[] = {
    {X_REPORTER_SEEN, "seen", IPC_A, IPC_ONE_WAY, 0, &seen_shape, 0, 0},
    {X_REPORTER_FAILED, "failed", IPC_A, IPC_ONE_WAY, 0, &failed_shape, 0, 0},
};

const struct ipc_channel x_reporter_channel = {"x_reporter", 1, x_reporter_messages,
                                               ARRAY_LEN(x_reporter_messages), 16};
