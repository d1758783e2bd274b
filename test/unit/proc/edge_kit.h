/* edge_kit: an edge without a house: its questions to other roles are caught and answered by the test. Linked
 * instead of ipc/role.c. */
#ifndef POSTHORN_TEST_UNIT_PROC_EDGE_KIT_H
#define POSTHORN_TEST_UNIT_PROC_EDGE_KIT_H

#include "core/sasl/scram.h"
#include "proc/edge/conn.h"
#include "proc/edge/edge.h"

/* The question that waits, if any. */
struct kit_call {
    enum role peer;
    uint16_t type;
    const void *message; /* encoded and decoded again, as the channel would */
    chan_reply_fn fn;
    void *arg;
};

extern struct edge kit_edge;
extern struct kit_call kit_call; /* fn is NULL when none waits */
extern unsigned kit_calls;       /* since kit_begin() */
extern bool kit_down;            /* other roles are gone: calls fail */
extern struct journal_event kit_told;
extern char kit_told_text[256];
extern unsigned kit_smtp_begun;

void kit_begin(void);
void kit_end(void);
/* Runs the loop until nothing more happens by itself. */
void kit_turns(void);
/* Answers the question that waits. */
void kit_reply(enum err e, const void *message, int *fds, size_t n_fds);
/* Plays directory for one account with this password, until the exchange is over. result: what a right
 * password gets (ERR_SUSPENDED ...). */
void kit_directory(const char *password, enum err result);
/* A connection over a socket pair; the client's end is non-blocking. */
struct conn *kit_conn(enum service service, bool plaintext, int *out_client);
/* All the client can read now, after turns; NUL behind. Cut at 64 KB. */
const char *kit_read(int client);
void kit_send(int client, const char *text);
/* The client sees the end of the connection. */
bool kit_ended(int client);

#endif
