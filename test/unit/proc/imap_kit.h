/* imap_kit: an account in a folder of its own and IMAP sessions on it, in one process, for tests. */
#ifndef POSTHORN_TEST_IMAP_KIT_H
#define POSTHORN_TEST_IMAP_KIT_H

#include "lib/test.h"

#include "base/buf.h"
#include "proc/account/imap_session.h"

#define IMAP_KIT_CLIENTS 4

struct imap_kit {
    char folder[64];
    struct imap_host host;
    struct account_db *db;
    int fd[IMAP_KIT_CLIENTS];         /* our end; -1: not there */
    struct buf got[IMAP_KIT_CLIENTS]; /* read and not yet looked at */
    bool closed[IMAP_KIT_CLIENTS];
};

extern time_ms imap_kit_now; /* what the sessions take for the time */

void imap_kit_start(struct imap_kit *k);
void imap_kit_stop(struct imap_kit *k);
/* Client i connects, logged in already. */
void imap_kit_connect(struct imap_kit *k, int i);
void imap_kit_send(struct imap_kit *k, int i, slice s);
/* Runs the loop for a while without waiting and reads what came for all clients. */
void imap_kit_pump(struct imap_kit *k);
/* The next line for client i, without CRLF, into *out (valid until the next call). False when none comes. */
bool imap_kit_line(struct imap_kit *k, int i, struct buf *out);
/* Sends the command (CRLF is added) and gives all up to and with its tagged line. */
slice imap_kit_ask(struct imap_kit *k, int i, const char *tag, const char *command, struct buf *out);
/* Puts a message into a mailbox as a delivery would. */
void imap_kit_deliver(struct imap_kit *k, const char *mailbox, const char *message);

#endif
