#include "ipc/reporter_journal.h"

#include "core/auth/auth.h"
#include "core/reports/aggregate.h"

#define DOMAIN 255

static const struct ipc_field report_head_fields[] = {
    IPC_ENUM(struct report_head, U8, kind, REPORT_HEAD_TLS),
    IPC_NUM(struct report_head, U64, mail_id),
    IPC_TEXT(struct report_head, org, REPORT_TEXT_MAX),
    IPC_TEXT(struct report_head, report_id, REPORT_TEXT_MAX),
    IPC_TEXT(struct report_head, domain, DOMAIN),
    IPC_TEXT(struct report_head, email, REPORT_TEXT_MAX),
    IPC_TEXT(struct report_head, contact, REPORT_TEXT_MAX),
    IPC_TEXT(struct report_head, author, DOMAIN),
    IPC_TEXT(struct report_head, holder, DOMAIN),
    IPC_NUM(struct report_head, I64, begin),
    IPC_NUM(struct report_head, I64, end),
    IPC_NUM(struct report_head, I64, taken_at),
    IPC_NUM(struct report_head, U8, p),
    IPC_NUM(struct report_head, U8, sp),
    IPC_NUM(struct report_head, U8, np),
    IPC_NUM(struct report_head, U8, adkim),
    IPC_NUM(struct report_head, U8, aspf),
    IPC_NUM(struct report_head, BOOL, testing),
    IPC_NUM(struct report_head, BOOL, proven),
    IPC_TEXT(struct report_head, fo, REPORT_TEXT_MAX),
    IPC_NUM(struct report_head, U64, messages),
    IPC_NUM(struct report_head, U64, left_out),
    IPC_TEXT(struct report_head, mistake, REPORT_TEXT_MAX),
};
static const struct ipc_shape report_head_shape = IPC_SHAPE(struct report_head, report_head_fields);

static const struct ipc_field report_dkim_fields[] = {
    IPC_TEXT(struct report_dkim, domain, DOMAIN),
    IPC_TEXT(struct report_dkim, selector, DOMAIN),
    IPC_ENUM(struct report_dkim, U8, result, AUTH__LAST),
};
static const struct ipc_shape report_dkim_shape = IPC_SHAPE(struct report_dkim, report_dkim_fields);

#define AGGREGATE_ROW_FIELDS(type, at)                                                                       \
    IPC_TEXT(type, at source, 16), IPC_NUM(type, U64, at count),                                             \
        IPC_ENUM(type, U8, at disposition, SEEN_REJECT),                                                     \
        IPC_ENUM(type, U8, at reason, AGGREGATE_REASON__LAST),                                               \
        IPC_TEXT(type, at reason_comment, REPORT_TEXT_MAX), IPC_NUM(type, BOOL, at dkim_aligned),            \
        IPC_NUM(type, BOOL, at spf_aligned), IPC_TEXT(type, at header_from, DOMAIN),                         \
        IPC_TEXT(type, at envelope_from, DOMAIN), IPC_TEXT(type, at envelope_to, DOMAIN),                    \
        IPC_TEXT(type, at spf_domain, DOMAIN), IPC_ENUM(type, U8, at spf, AUTH__LAST),                       \
        IPC_NUM(type, BOOL, at spf_of_helo),                                                                 \
        IPC_ITEMS(type, at dkim, at n_dkim, X_REPORTER_DKIM_MAX, &report_dkim_shape)

static const struct ipc_field aggregate_row_fields[] = {AGGREGATE_ROW_FIELDS(struct aggregate_row, )};
const struct ipc_shape aggregate_row_shape = IPC_SHAPE(struct aggregate_row, aggregate_row_fields);

#define TLS_ROW_FIELDS(type, at)                                                                             \
    IPC_TEXT(type, at policy_type, REPORT_TEXT_MAX), IPC_TEXT(type, at policy_domain, DOMAIN),               \
        IPC_TEXT(type, at mx, REPORT_TEXT_MAX), IPC_NUM(type, U64, at good), IPC_NUM(type, U64, at failed),  \
        IPC_TEXT(type, at result, REPORT_TEXT_MAX), IPC_TEXT(type, at sending_ip, 64),                       \
        IPC_TEXT(type, at receiving_mx, DOMAIN), IPC_TEXT(type, at receiving_ip, 64),                        \
        IPC_TEXT(type, at reason, REPORT_TEXT_MAX), IPC_NUM(type, U64, at count)

static const struct ipc_field tls_row_fields[] = {TLS_ROW_FIELDS(struct tls_row, )};
const struct ipc_shape tls_row_shape = IPC_SHAPE(struct tls_row, tls_row_fields);

static const struct ipc_field failure_row_fields[] = {
    IPC_TEXT(struct failure_row, source, 16),
    IPC_TEXT(struct failure_row, failure, REPORT_TEXT_MAX),
    IPC_TEXT(struct failure_row, delivery, REPORT_TEXT_MAX),
    IPC_TEXT(struct failure_row, aligned, REPORT_TEXT_MAX),
    IPC_TEXT(struct failure_row, user_agent, REPORT_TEXT_MAX),
    IPC_TEXT(struct failure_row, header_from, DOMAIN),
    IPC_TEXT(struct failure_row, mail_from, DOMAIN),
    IPC_TEXT(struct failure_row, rcpt_to, DOMAIN),
    IPC_TEXT(struct failure_row, dkim_domain, DOMAIN),
    IPC_TEXT(struct failure_row, dkim_selector, DOMAIN),
    IPC_NUM(struct failure_row, I64, arrived),
    IPC_NUM(struct failure_row, U64, incidents),
};
const struct ipc_shape failure_row_shape = IPC_SHAPE(struct failure_row, failure_row_fields);

static const struct ipc_field seen_row_fields[] = {
    IPC_NUM(struct seen_row, I64, begin),
    IPC_TEXT(struct seen_row, author, DOMAIN),
    IPC_TEXT(struct seen_row, policy_domain, DOMAIN),
    IPC_TEXT(struct seen_row, record, 2048),
    IPC_TEXT(struct seen_row, source, 16),
    IPC_TEXT(struct seen_row, envelope_from, DOMAIN),
    IPC_TEXT(struct seen_row, envelope_to, DOMAIN),
    IPC_ENUM(struct seen_row, U8, spf, AUTH__LAST),
    IPC_NUM(struct seen_row, BOOL, spf_of_helo),
    IPC_TEXT(struct seen_row, spf_domain, DOMAIN),
    IPC_ITEMS(struct seen_row, dkim, n_dkim, X_REPORTER_DKIM_MAX, &report_dkim_shape),
    IPC_ENUM(struct seen_row, U8, dmarc, AUTH__LAST),
    IPC_NUM(struct seen_row, BOOL, spf_aligned),
    IPC_NUM(struct seen_row, BOOL, dkim_aligned),
    IPC_ENUM(struct seen_row, U8, policy, 2),
    IPC_ENUM(struct seen_row, U8, disposition, SEEN_REJECT),
    IPC_ENUM(struct seen_row, U8, override_type, SEEN_OVERRIDE_FORWARDER),
    IPC_TEXT(struct seen_row, override_comment, 256),
    IPC_NUM(struct seen_row, U64, count),
};
const struct ipc_shape seen_row_shape = IPC_SHAPE(struct seen_row, seen_row_fields);

static const struct ipc_field report_kept_fields[] = {
    IPC_NUM(struct report_kept, U32, err),
    IPC_TEXT(struct report_kept, text, TEXT_MAX),
    IPC_NUM(struct report_kept, BOOL, known),
};
static const struct ipc_shape report_kept_shape = IPC_SHAPE(struct report_kept, report_kept_fields);

static const struct ipc_field report_ask_fields[] = {
    IPC_ENUM(struct report_ask, U8, question, REPORT_ASK__LAST),
    IPC_TEXT(struct report_ask, domain, DOMAIN),
    IPC_NUM(struct report_ask, I64, since),
    IPC_NUM(struct report_ask, I64, until),
    IPC_NUM(struct report_ask, U32, from),
    IPC_NUM(struct report_ask, I64, behind.end),
    IPC_NUM(struct report_ask, U64, behind.report),
    IPC_NUM(struct report_ask, U64, behind.row),
};
static const struct ipc_shape report_ask_shape = IPC_SHAPE(struct report_ask, report_ask_fields);

static const struct ipc_field report_row_fields[] = {
    IPC_NUM(struct report_row, U64, report),       IPC_TEXT(struct report_row, org, REPORT_TEXT_MAX),
    IPC_NUM(struct report_row, I64, begin),        IPC_NUM(struct report_row, I64, end),
    AGGREGATE_ROW_FIELDS(struct report_row, row.),
};
static const struct ipc_shape report_row_shape = IPC_SHAPE(struct report_row, report_row_fields);

static const struct ipc_field report_org_fields[] = {
    IPC_TEXT(struct report_org, org, REPORT_TEXT_MAX),
    IPC_ENUM(struct report_org, U8, kind, REPORT_HEAD_TLS),
    IPC_NUM(struct report_org, BOOL, proven),
    IPC_NUM(struct report_org, U64, reports),
    IPC_NUM(struct report_org, U64, messages),
    IPC_NUM(struct report_org, I64, begin),
    IPC_NUM(struct report_org, I64, end),
    IPC_NUM(struct report_org, U8, p),
};
static const struct ipc_shape report_org_shape = IPC_SHAPE(struct report_org, report_org_fields);

static const struct ipc_field report_tls_fields[] = {IPC_TEXT(struct report_tls, org, REPORT_TEXT_MAX),
                                                     TLS_ROW_FIELDS(struct report_tls, row.)};
static const struct ipc_shape report_tls_shape = IPC_SHAPE(struct report_tls, report_tls_fields);

static const struct ipc_field report_page_fields[] = {
    IPC_NUM(struct report_page, U32, err),
    IPC_ITEMS(struct report_page, orgs, n_orgs, REPORT_PAGE_ROWS, &report_org_shape),
    IPC_ITEMS(struct report_page, sources, n_sources, REPORT_PAGE_ROWS, &report_row_shape),
    IPC_NUM(struct report_page, I64, place.end),
    IPC_NUM(struct report_page, U64, place.report),
    IPC_NUM(struct report_page, U64, place.row),
    IPC_ITEMS(struct report_page, tls, n_tls, REPORT_PAGE_ROWS, &report_tls_shape),
    IPC_ITEMS(struct report_page, failures, n_failures, REPORT_PAGE_ROWS, &failure_row_shape),
    IPC_NUM(struct report_page, U64, sent),
    IPC_NUM(struct report_page, U64, sent_messages),
    IPC_NUM(struct report_page, BOOL, more),
};
static const struct ipc_shape report_page_shape = IPC_SHAPE(struct report_page, report_page_fields);

#define OWED_KEY(type)                                                                                       \
    IPC_NUM(type, I64, begin), IPC_TEXT(type, policy_domain, DOMAIN), IPC_TEXT(type, envelope_to, DOMAIN),   \
        IPC_TEXT(type, record, 2048)

static const struct ipc_field owed_fields[] = {OWED_KEY(struct owed), IPC_NUM(struct owed, U64, messages)};
static const struct ipc_shape owed_shape = IPC_SHAPE(struct owed, owed_fields);
static const struct ipc_field owed_ask_fields[] = {IPC_NUM(struct owed_ask, I64, until),
                                                   OWED_KEY(struct owed_ask)};
static const struct ipc_shape owed_ask_shape = IPC_SHAPE(struct owed_ask, owed_ask_fields);
static const struct ipc_field owed_page_fields[] = {
    IPC_NUM(struct owed_page, U32, err),
    IPC_ITEMS(struct owed_page, owed, n_owed, REPORT_PAGE_ROWS, &owed_shape),
    IPC_NUM(struct owed_page, BOOL, more),
};
static const struct ipc_shape owed_page_shape = IPC_SHAPE(struct owed_page, owed_page_fields);
static const struct ipc_field material_ask_fields[] = {OWED_KEY(struct material_ask),
                                                       IPC_NUM(struct material_ask, U32, from)};
static const struct ipc_shape material_ask_shape = IPC_SHAPE(struct material_ask, material_ask_fields);
static const struct ipc_field material_fields[] = {
    IPC_NUM(struct material, U32, err),
    IPC_ITEMS(struct material, rows, n_rows, REPORT_PAGE_ROWS, &seen_row_shape),
    IPC_NUM(struct material, BOOL, more),
};
static const struct ipc_shape material_shape = IPC_SHAPE(struct material, material_fields);
static const struct ipc_field settled_fields[] = {
    OWED_KEY(struct settled),
    IPC_ENUM(struct settled, U8, outcome, SETTLED__LAST),
    IPC_NUM(struct settled, I64, at),
    IPC_TEXT(struct settled, to, SETTLED_TO_MAX),
    IPC_NUM(struct settled, U64, messages),
};
static const struct ipc_shape settled_shape = IPC_SHAPE(struct settled, settled_fields);

static const struct ipc_message reporter_journal_messages[] = {
    {REPORTER_JOURNAL_REPORT, "report", IPC_A, IPC_REQUEST, REPORTER_JOURNAL_KEPT, &report_head_shape, 1, 1},
    {REPORTER_JOURNAL_KEPT, "kept", IPC_B, IPC_REPLY, 0, &report_kept_shape, 0, 0},
    {REPORTER_JOURNAL_SEEN, "seen", IPC_A, IPC_REQUEST, REPORTER_JOURNAL_KEPT, NULL, 1, 1},
    {REPORTER_JOURNAL_ASK, "ask", IPC_A, IPC_REQUEST, REPORTER_JOURNAL_PAGE, &report_ask_shape, 0, 0},
    {REPORTER_JOURNAL_PAGE, "page", IPC_B, IPC_REPLY, 0, &report_page_shape, 0, 0},
    {REPORTER_JOURNAL_OWED_ASK, "owed_ask", IPC_A, IPC_REQUEST, REPORTER_JOURNAL_OWED, &owed_ask_shape, 0, 0},
    {REPORTER_JOURNAL_OWED, "owed", IPC_B, IPC_REPLY, 0, &owed_page_shape, 0, 0},
    {REPORTER_JOURNAL_MATERIAL_ASK, "material_ask", IPC_A, IPC_REQUEST, REPORTER_JOURNAL_MATERIAL,
     &material_ask_shape, 0, 0},
    {REPORTER_JOURNAL_MATERIAL, "material", IPC_B, IPC_REPLY, 0, &material_shape, 0, 0},
    {REPORTER_JOURNAL_SETTLED, "settled", IPC_A, IPC_REQUEST, REPORTER_JOURNAL_KEPT, &settled_shape, 0, 0},
};

const struct ipc_channel reporter_journal_channel = {"reporter_journal", 1, reporter_journal_messages,
                                                     ARRAY_LEN(reporter_journal_messages), 64};
