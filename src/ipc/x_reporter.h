/* x_reporter: judge (A) tells reporter (B) how it judged a message from outside, for the aggregate and
 * failure reports that we owe the domain it claims to come from (RFC 9990, RFC 9991). One way, as the journal
 * is told: a lost row costs a count in somebody's report, never mail.
 *
 * Told are messages whose author's domain has a DMARC record; whether anybody asked for reports, and whether
 * we send them, is decided when they are made.
 *
 * A message that failed in a way whose report its domain asks for by ruf= and fo= is told with its header,
 * as FAILED; reporter asks whether our domain sends such reports at all. */
#ifndef POSTHORN_IPC_X_REPORTER_H
#define POSTHORN_IPC_X_REPORTER_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_reporter_type {
    X_REPORTER_SEEN = 1,
    X_REPORTER_FAILED = 2,
};

#define FAILED_HEADER_MAX ((size_t)32 * 1024) /* of the header; what is beyond is cut */

#define X_REPORTER_DKIM_MAX 10

/* What was done with the message, RFC 9990 §3.1.1.8. The numbers lie in the journal. */
enum seen_disposition { SEEN_NONE = 0, SEEN_PASS = 1, SEEN_QUARANTINE = 2, SEEN_REJECT = 3 };
/* Why that differs from what the record asked, RFC 9990 §3.1.1.9. The numbers lie in the journal. */
enum seen_override {
    SEEN_OVERRIDE_NO = 0,
    SEEN_OVERRIDE_LOCAL_POLICY = 1,
    SEEN_OVERRIDE_MAILING_LIST = 2,
    SEEN_OVERRIDE_OTHER = 3,
    SEEN_OVERRIDE_TEST_MODE = 4, /* policy_test_mode: t=y */
    SEEN_OVERRIDE_FORWARDER = 5, /* trusted_forwarder */
};

/* Results are numbers of enum auth_result (core/auth/auth.h), policies of enum dmarc_policy; domains are
 * lower-case A-labels or empty. */
struct seen_dkim {
    slice domain, selector;
    uint8_t result;
};

struct seen {
    uint64_t mail_id;
    int64_t at;          /* Unix ms */
    slice source;        /* 16 bytes: who sent it to us */
    slice author;        /* domain of From: header_from */
    slice policy_domain; /* where the record was found */
    slice record;        /* as published: its policy and its rua go into the report */
    slice envelope_from; /* domain of the reverse-path, or empty */
    slice envelope_to;   /* domain of the (first) recipient: whose "reports" setting counts */
    uint8_t spf;
    bool spf_of_helo;
    slice spf_domain;
    const struct seen_dkim *dkim; /* every signature, in the order of the header */
    size_t n_dkim;
    uint8_t dmarc;                  /* result: pass, fail ... */
    bool spf_aligned, dkim_aligned; /* passed and aligned */
    uint8_t policy;                 /* that the record asks for this author */
    uint8_t disposition;            /* enum seen_disposition */
    uint8_t override_type;          /* enum seen_override */
    slice override_comment;         /* in words, or empty */
};

/* Texts of the message are as it came; names as in struct seen. */
struct failed {
    uint64_t mail_id;
    int64_t at; /* Unix ms */
    slice source;
    slice author, policy_domain, record;
    slice envelope_from, envelope_to; /* domains; the first is empty for the null sender */
    slice failure;                    /* what it is reported for, a word of Auth-Failure */
    slice delivery;                   /* what became of it, a word of Delivery-Result */
    bool spf_aligned, dkim_aligned;
    slice dkim_domain, dkim_selector; /* of a signature that failed, or empty */
    slice results;                    /* value of the Authentication-Results field */
    slice header;
};

extern const struct ipc_channel x_reporter_channel;

#endif
