/* reporter_journal: reporter (A) hands journal (B) what reports say, and asks for it again.
 *
 * A report of any size is one request: its head as a message, its rows in a sealed memfd, each packed by
 * report_rows_add() of report_rows.h. KEPT with OK means durable. Questions are answered in pages. */
#ifndef POSTHORN_IPC_REPORTER_JOURNAL_H
#define POSTHORN_IPC_REPORTER_JOURNAL_H

#include "ipc/codec.h"
#include "ipc/house.h"
#include "ipc/x_reporter.h"

enum reporter_journal_type {
    REPORTER_JOURNAL_REPORT = 1, /* descriptor: rows of the head's kind */
    REPORTER_JOURNAL_KEPT = 2,
    REPORTER_JOURNAL_SEEN = 3, /* descriptor: rows of struct seen_row: what we judged */
    REPORTER_JOURNAL_ASK = 4,
    REPORTER_JOURNAL_PAGE = 5,
    REPORTER_JOURNAL_OWED_ASK = 6, /* which reports do we owe? */
    REPORTER_JOURNAL_OWED = 7,
    REPORTER_JOURNAL_MATERIAL_ASK = 8, /* the rows of one of them */
    REPORTER_JOURNAL_MATERIAL = 9,
    REPORTER_JOURNAL_SETTLED = 10, /* one of them is sent, or will never be; answered by KEPT */
};

#define REPORT_ROWS_BYTES_MAX ((uint64_t)24 << 20)
#define REPORT_TEXT_MAX       255

/* The numbers are on disk. */
enum report_head_kind { REPORT_HEAD_AGGREGATE = 0, REPORT_HEAD_FAILURE = 1, REPORT_HEAD_TLS = 2 };

/* Times are Unix ms. Policies are numbers of enum dmarc_policy, 255: not said. */
struct report_head {
    uint8_t kind;
    uint64_t mail_id; /* the message it came in */
    slice org, report_id;
    slice domain; /* of ours, that it is about */
    slice email, contact;
    slice author; /* the domain that is proven to have sent it (DMARC pass), or empty */
    slice holder; /* the end of author that somebody registered: whom the room it takes is charged to */
    int64_t begin, end, taken_at;
    uint8_t p, sp, np, adkim, aspf; /* the last two: 'r', 's' or 0 */
    bool testing;
    bool proven; /* it counts: author is not empty */
    slice fo;
    uint64_t messages; /* all that it counts, rows left out included */
    uint64_t left_out; /* rows beyond our bound */
    slice mistake;     /* what was wrong with its form, or empty */
};

struct report_dkim {
    slice domain, selector;
    uint8_t result; /* enum auth_result */
};

struct aggregate_row {
    slice source; /* 16 bytes, all zero: could not be read */
    uint64_t count;
    uint8_t disposition, reason; /* enum aggregate_disposition, aggregate_reason */
    slice reason_comment;
    bool dkim_aligned, spf_aligned;
    slice header_from, envelope_from, envelope_to;
    slice spf_domain;
    uint8_t spf; /* enum auth_result */
    bool spf_of_helo;
    const struct report_dkim *dkim;
    size_t n_dkim;
};

/* A policy with its sums (result empty), or one kind of failure. */
struct tls_row {
    slice policy_type, policy_domain, mx;
    uint64_t good, failed;
    slice result;
    slice sending_ip, receiving_mx, receiving_ip, reason;
    uint64_t count;
};

struct failure_row {
    slice source; /* 16 bytes or all zero */
    slice failure, delivery, aligned, user_agent;
    slice header_from, mail_from, rcpt_to, dkim_domain, dkim_selector;
    int64_t arrived;
    uint64_t incidents;
};

/* struct seen, counted: messages of one period that have all in common. */
struct seen_row {
    int64_t begin; /* Unix seconds: when the period begins in which they came; mostly a day, UTC */
    slice author, policy_domain, record;
    slice source, envelope_from, envelope_to;
    uint8_t spf;
    bool spf_of_helo;
    slice spf_domain;
    const struct report_dkim *dkim;
    size_t n_dkim;
    uint8_t dmarc;
    bool spf_aligned, dkim_aligned;
    uint8_t policy, disposition, override_type;
    slice override_comment;
    uint64_t count;
};

struct report_kept {
    uint32_t err;
    slice text; /* in words, when not OK */
    bool known; /* it was there already, and is counted once */
};

/* What is asked of the reports on one domain whose period ends behind since. */
enum report_question {
    REPORT_ASK_ORGS,    /* who reported, and how much */
    REPORT_ASK_SOURCES, /* rows of proven aggregate reports, those of the newest period first */
    REPORT_ASK_TLS,     /* rows of proven TLS reports, alike ones as one, by who reported */
    REPORT_ASK_FAILURES,
    REPORT_ASK_SENT,   /* how many aggregate reports we sent, on mail to the domain */
    REPORT_ASK_FAILED, /* how many failure reports we sent since, as orgs: one for each policy domain (org);
                          domain: that one only; empty: all */
    REPORT_ASK__LAST = REPORT_ASK_FAILED
};

/* Where a page of sources ended. */
struct report_place {
    int64_t end; /* of the report's period */
    uint64_t report, row;
};

struct report_ask {
    uint8_t question;
    slice domain;
    int64_t since, until; /* Unix ms; until 0: now */
    uint32_t from;        /* rows to leave out: of the pages before. Of sources: 0, or any other number: */
    struct report_place behind; /* go on behind this row */
};

struct report_org {
    slice org;
    uint8_t kind;
    bool proven;
    uint64_t reports, messages;
    int64_t begin, end; /* of all of them */
    uint8_t p;          /* that the newest saw published */
};

struct report_row {
    uint64_t report;    /* a number of its report */
    slice org;          /* who reported it */
    int64_t begin, end; /* the period of its report */
    struct aggregate_row row;
};

/* Only the list of the question is filled. */
struct report_page {
    uint32_t err;
    const struct report_org *orgs;
    size_t n_orgs;
    const struct report_row *sources;
    size_t n_sources;
    struct report_place place; /* of the last of them */
    const struct report_tls *tls;
    size_t n_tls;
    const struct failure_row *failures;
    size_t n_failures;
    uint64_t sent, sent_messages; /* REPORT_ASK_SENT */
    bool more;                    /* ask again, from behind these */
};

struct report_tls {
    slice org;
    struct tls_row row;
};

/* One report that we owe: of one period, about one policy, on mail to one domain of ours. A record that was
 * changed during the period makes another policy, so another report (RFC 9990 §3.1). */
struct owed {
    int64_t begin; /* Unix seconds */
    slice policy_domain, envelope_to, record;
    uint64_t messages;
};
/* Those whose period began at until or before and which are not settled, in order, behind the one given (all
 * zero: from the first on). */
struct owed_ask {
    int64_t until;
    int64_t begin;
    slice policy_domain, envelope_to, record;
};
struct owed_page {
    uint32_t err;
    const struct owed *owed;
    size_t n_owed;
    bool more;
};
/* The rows of one report, those of most messages first; those that a report tells alike are one. */
struct material_ask {
    int64_t begin;
    slice policy_domain, envelope_to, record;
    uint32_t from;
};
struct material {
    uint32_t err;
    const struct seen_row *rows; /* begin, policy_domain, envelope_to, record, dmarc and policy are empty */
    size_t n_rows;
    bool more;
};
/* What became of a report; the numbers are on disk. */
enum settled_outcome {
    SETTLED_SENT = 0,
    SETTLED_NOBODY = 1,
    SETTLED_OFF = 2,
    SETTLED_GIVEN_UP = 3,
    SETTLED_FAILURE = 4, /* no aggregate report but a failure report, which record names: so many are sent */
    SETTLED__LAST = SETTLED_FAILURE
};
#define SETTLED_TO_MAX 2000
struct settled {
    int64_t begin;
    slice policy_domain, envelope_to, record;
    uint8_t outcome;
    int64_t at; /* Unix ms */
    slice to;   /* mailboxes, or why nobody got it */
    uint64_t messages;
};

#define REPORT_PAGE_ROWS  400
#define REPORT_PAGE_BYTES ((size_t)100 * 1024) /* a page ends behind the row that passes it */

extern const struct ipc_shape aggregate_row_shape, tls_row_shape, failure_row_shape, seen_row_shape;
extern const struct ipc_channel reporter_journal_channel;

#endif
