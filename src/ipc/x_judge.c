#include "ipc/x_judge.h"

static const struct ipc_field judge_rcpt_fields[] = {
    IPC_TEXT(struct judge_rcpt, address, ADDRESS_MAX),
};
static const struct ipc_shape judge_rcpt_shape = IPC_SHAPE(struct judge_rcpt, judge_rcpt_fields);

static const struct ipc_field judge_ask_fields[] = {
    IPC_NUM(struct judge_ask, U64, mail_id),
    IPC_NUM(struct judge_ask, BOOL, outbound),
    IPC_TEXT(struct judge_ask, client_ip, 16),
    IPC_TEXT(struct judge_ask, client_name, 256),
    IPC_TEXT(struct judge_ask, helo, 256),
    IPC_NUM(struct judge_ask, BOOL, tls),
    IPC_TEXT(struct judge_ask, reverse_path, ADDRESS_MAX),
    IPC_TEXT(struct judge_ask, account_address, ADDRESS_MAX),
    IPC_NUM(struct judge_ask, BOOL, smtputf8),
    IPC_NUM(struct judge_ask, I64, now),
    IPC_ITEMS(struct judge_ask, rcpts, n_rcpts, 1000, &judge_rcpt_shape),
};
static const struct ipc_shape judge_ask_shape = IPC_SHAPE(struct judge_ask, judge_ask_fields);

static const struct ipc_field judge_reason_fields[] = {
    IPC_TEXT(struct judge_reason, text, TEXT_MAX),
};
static const struct ipc_shape judge_reason_shape = IPC_SHAPE(struct judge_reason, judge_reason_fields);

static const struct ipc_field judge_dkim_fields[] = {
    IPC_TEXT(struct judge_dkim, domain, 255),
    IPC_TEXT(struct judge_dkim, selector, 255),
    IPC_NUM(struct judge_dkim, U8, result),
};
static const struct ipc_shape judge_dkim_shape = IPC_SHAPE(struct judge_dkim, judge_dkim_fields);

static const struct ipc_field judge_verdict_fields[] = {
    IPC_ENUM(struct judge_verdict, U8, action, JUDGE_REJECT),
    IPC_NUM(struct judge_verdict, U32, code),
    IPC_TEXT(struct judge_verdict, status, 16),
    IPC_TEXT(struct judge_verdict, text, TEXT_MAX),
    IPC_ITEMS(struct judge_verdict, reasons, n_reasons, 64, &judge_reason_shape),
    IPC_TEXT(struct judge_verdict, prefix, PREFIX_MAX),
    IPC_TEXT(struct judge_verdict, message_id, 1000),
    IPC_ITEMS(struct judge_verdict, senders, n_senders, 512, &judge_rcpt_shape),
    IPC_NUM(struct judge_verdict, BOOL, judged),
    IPC_NUM(struct judge_verdict, U8, iprev),
    IPC_NUM(struct judge_verdict, U8, spf),
    IPC_NUM(struct judge_verdict, U8, arc),
    IPC_NUM(struct judge_verdict, U8, dmarc),
    IPC_TEXT(struct judge_verdict, iprev_name, 255),
    IPC_TEXT(struct judge_verdict, spf_domain, 255),
    IPC_TEXT(struct judge_verdict, author, 255),
    IPC_NUM(struct judge_verdict, U8, policy),
    IPC_NUM(struct judge_verdict, U8, applied),
    IPC_NUM(struct judge_verdict, U8, override_type),
    IPC_NUM(struct judge_verdict, BOOL, replayed),
    IPC_ITEMS(struct judge_verdict, dkim, n_dkim, JUDGE_DKIM_MAX, &judge_dkim_shape),
};
static const struct ipc_shape judge_verdict_shape = IPC_SHAPE(struct judge_verdict, judge_verdict_fields);

static const struct ipc_message x_judge_messages[] = {
    {X_JUDGE_ASK, "ask", IPC_A, IPC_REQUEST, X_JUDGE_VERDICT, &judge_ask_shape, 1, 1},
    {X_JUDGE_VERDICT, "verdict", IPC_B, IPC_REPLY, 0, &judge_verdict_shape, 0, 1},
};

const struct ipc_channel x_judge_channel = {"x_judge", 1, x_judge_messages, ARRAY_LEN(x_judge_messages),
                                            4096};
