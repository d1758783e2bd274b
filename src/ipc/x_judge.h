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
};

extern const struct ipc_channel x_judge_channel;

#endif
