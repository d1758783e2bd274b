/* x_accounts: edge or relay (A) and accounts (B), the broker: deliver a message, open a session. A ticket
 * opens what it names once; the broker checks it and passes the rest on unread. */
#ifndef POSTHORN_IPC_X_ACCOUNTS_H
#define POSTHORN_IPC_X_ACCOUNTS_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_accounts_type {
    X_ACCOUNTS_DELIVER = 1, /* descriptor: the sealed body */
    X_ACCOUNTS_DELIVERED = 2,
    X_ACCOUNTS_OPEN = 3,
    X_ACCOUNTS_OPENED = 4,
};

/* One message for one account. */
struct deliver {
    slice ticket; /* of the recipient, from rcpt_answer */
    uint64_t account;
    uint64_t mail_id;
    uint64_t connection; /* for the journal */
    slice reverse_path;  /* empty: null sender */
    slice recipient;     /* as in RCPT */
    slice detail;        /* the part after + */
    slice prefix;        /* header fields put before the body: Return-Path, Delivered-To, Received, ... */
    int64_t received_at; /* Unix ms */
    bool junk;           /* the verdict: file it as junk */
    slice mailbox;       /* empty: INBOX */
};

struct delivered {
    uint32_t err; /* OK: durable; ERR_EXISTS never (a repeat is OK); ERR_QUOTA, ERR_DISK_FULL, ERR_LOOP,
                     ERR_BUSY ... */
    slice text;   /* in words, when not OK */
    slice mailbox;
    uint32_t uid;
    uint32_t uidvalidity;
};

struct session_open {
    slice ticket;
    uint64_t account;
    uint8_t service;
    uint64_t connection; /* for the journal */
    slice client_ip;
    bool tls;
    slice address;   /* canonical address of the account */
    slice tag;       /* IMAP: tag of the command that logged in; the account answers it */
    bool capability; /* IMAP: put CAPABILITY into that answer */
    uint32_t flags;  /* IMAP: enum of core/imap/login.h, e.g. enabled extensions */
    slice leftover;  /* bytes of the client behind the login command */
};

/* On OK the descriptor is our end of a stream socket to the account process. */
struct session_opened {
    uint32_t err;
    slice text;
};

/* Also used by accounts_account. */
extern const struct ipc_shape deliver_shape, delivered_shape, session_open_shape, session_opened_shape;

extern const struct ipc_channel x_accounts_channel;

#endif
