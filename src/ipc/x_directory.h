/* x_directory: edge or relay (A) asks directory (B): who is this recipient, is this password right, may this
 * account send as that address. */
#ifndef POSTHORN_IPC_X_DIRECTORY_H
#define POSTHORN_IPC_X_DIRECTORY_H

#include "ipc/codec.h"
#include "ipc/house.h"

/* The last two are addresses of ours that no account has: robots read what comes there (ipc/x_intake.h). */
enum rcpt_kind { RCPT_LOCAL, RCPT_REMOTE, RCPT_REPORT, RCPT_PROBE };

enum x_directory_type {
    X_DIRECTORY_RCPT_ASK = 1,
    X_DIRECTORY_RCPT_ANSWER = 2,
    X_DIRECTORY_AUTH_START = 3,
    X_DIRECTORY_AUTH_CHALLENGE = 4,
    X_DIRECTORY_AUTH_FINISH = 5,
    X_DIRECTORY_AUTH_RESULT = 6,
    X_DIRECTORY_SENDER_ASK = 7,
    X_DIRECTORY_SENDER_ANSWER = 8,
};

/* Where mail for an address goes. */
struct rcpt_target {
    uint8_t kind;     /* enum rcpt_kind */
    uint64_t account; /* local: account id */
    slice ticket;     /* local: delivers one message to that account */
    slice address;    /* final address: of the account, the robot's, or the remote one */
    slice detail;     /* the part after +, or empty */
};

struct rcpt_ask {
    slice address;           /* as in RCPT, checked by the SMTP core */
    uint64_t sender_account; /* 0: a stranger; else who submits: remote addresses are then allowed */
    uint64_t bytes;          /* size of the message as far as known, for the quota */
};

struct rcpt_answer {
    uint32_t err; /* OK; ERR_NOT_FOUND unknown; ERR_DENIED not ours (relaying); ERR_SUSPENDED, ERR_QUOTA;
                     ERR_BUSY ... */
    slice text;   /* in words, when err is not OK */
    const struct rcpt_target *targets; /* never empty when OK */
    size_t n_targets;
};

/* First message of SCRAM-SHA-256 (RFC 5802); for PLAIN and LOGIN the edge plays the SCRAM client. */
struct auth_start {
    uint8_t service; /* what the ticket shall open */
    slice client_first;
    slice client_ip;
    bool tls;
};

struct auth_challenge {
    uint32_t err;    /* OK; ERR_BUSY: too many failures from there, text says so */
    uint64_t handle; /* names this exchange */
    slice server_first;
    slice text;
};

struct auth_finish {
    uint64_t handle;
    slice client_final;
};

struct auth_result {
    uint32_t err; /* OK, ERR_AUTH, ERR_SUSPENDED, ERR_BUSY */
    slice text;   /* in words */
    slice server_final;
    uint64_t account;
    slice address;    /* canonical address of the account */
    slice ticket;     /* opens the account once (IMAP); empty for submission */
    uint32_t wait_ms; /* tell the client only after this long */
};

struct sender_item {
    slice address;
};

/* May this account use these addresses (MAIL FROM, From, Sender; THREATS 38)? */
struct sender_ask {
    uint64_t account;
    const struct sender_item *addresses;
    size_t n_addresses;
};

struct sender_answer {
    uint32_t err;  /* OK, or ERR_DENIED */
    slice address; /* the first that is not allowed */
    slice text;
};

extern const struct ipc_channel x_directory_channel;

#endif
