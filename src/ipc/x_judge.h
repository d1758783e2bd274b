/* x_judge: edge or relay (A) shows judge (B) one message and gets a verdict with its reasons and the header
 * fields to add. */
#ifndef POSTHORN_IPC_X_JUDGE_H
#define POSTHORN_IPC_X_JUDGE_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum judge_action { JUDGE_ACCEPT, JUDGE_JUNK, JUDGE_DEFER, JUDGE_REJECT };

enum x_judge_type {
    X_JUDGE_ASK = 1,     /* descriptor: the sealed body */
    X_JUDGE_VERDICT = 2, /* descriptor: a body to use instead (Bcc removed) */
};

struct judge_rcpt {
    slice address;
};

struct judge_ask {
    uint64_t mail_id;
    bool outbound; /* submitted by an account of ours */
    slice client_ip;
    slice client_name; /* verified reverse name, or empty */
    slice helo;
    bool tls;
    slice reverse_path;
    slice account_address; /* outbound: who submits */
    bool smtputf8;
    int64_t now; /* Unix ms */
    const struct judge_rcpt *rcpts;
    size_t n_rcpts;
};

struct judge_reason {
    slice text;
};

/* One signature and what became of it. */
struct judge_dkim {
    slice domain, selector;
    uint8_t result;
};
#define JUDGE_DKIM_MAX 10

struct judge_verdict {
    uint8_t action; /* enum judge_action */
    uint32_t code;  /* SMTP reply when not accept */
    slice status;   /* enhanced status code */
    slice text;     /* in words, for the reply */
    const struct judge_reason *reasons;
    size_t n_reasons;
    slice prefix;     /* header fields to put before the message, CRLF line ends */
    slice message_id; /* for the journal */
    const struct judge_rcpt
        *senders; /* outbound: every From and Sender address, to be checked with directory */
    size_t n_senders;

    /* Inbound: what was found out about where it comes from, as values (THREATS 21). Results are numbers of
     * enum auth_result (core/auth/auth.h), policies of enum dmarc_policy; domains are lower-case A-labels or
     * empty. */
    bool judged;
    uint8_t iprev, spf, arc, dmarc;
    slice iprev_name, spf_domain;
    slice author;                  /* the domain of From that dmarc is about */
    uint8_t policy;                /* that the author's domain publishes */
    uint8_t applied;               /* what of it was done */
    uint8_t override_type;         /* enum authentication_override (policy/authentication.h) */
    bool replayed;                 /* the same signature came too often: no credit for it */
    const struct judge_dkim *dkim; /* every signature, in the order of the header */
    size_t n_dkim;
};

extern const struct ipc_channel x_judge_channel;

#endif
