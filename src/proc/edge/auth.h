/* auth: one login, whichever protocol asks: PLAIN, LOGIN and SCRAM-SHA-256 against the directory.
 *
 * Directory knows SCRAM verifiers only. A SCRAM client's messages go through as they are; for PLAIN and LOGIN
 * this process plays the SCRAM client, so a password never leaves it. The slow step (PBKDF2) is remembered
 * for passwords that were right (auth_cache.h).
 *
 * Invariants
 *  1. Every step that is asked for is answered by exactly one call of the function given, later, never from
 *     inside the asking call; after auth_cancel() or auth_done() none comes.
 *  2. A failed login always has the same outcome and text, whether the account exists or not, after the same
 *     work (THREATS 32). Directory says how long to wait before the client hears of it.
 *  3. Passwords and what is derived from them are wiped as soon as they have been used. */
#ifndef POSTHORN_PROC_EDGE_AUTH_H
#define POSTHORN_PROC_EDGE_AUTH_H

#include "base/secret.h"
#include "core/sasl/scram.h"
#include "ipc/house.h"
#include "proc/edge/edge.h"

/* The words after AUTH in an EHLO reply. */
#define AUTH_MECHANISMS "SCRAM-SHA-256 PLAIN LOGIN"

enum auth_step {
    AUTH_CHALLENGE,   /* send data (base64 is the protocol's), and go on with auth_continue() */
    AUTH_ACCEPTED,    /* account, address and, for services that open one, ticket are set */
    AUTH_DENIED,      /* name or password is wrong */
    AUTH_SUSPENDED,   /* right, but the account is closed for now */
    AUTH_LIMITED,     /* too many failures from there; say so and close */
    AUTH_MALFORMED,   /* the client broke the mechanism's grammar: 501, BAD */
    AUTH_UNKNOWN,     /* no such mechanism: 504 */
    AUTH_UNAVAILABLE, /* directory does not answer: 454, NO [UNAVAILABLE] */
};

struct auth_outcome {
    enum auth_step step;
    slice data; /* AUTH_CHALLENGE: raw bytes */
    uint64_t account;
    slice address; /* canonical */
    slice ticket;
    slice text; /* for the client, in words; printable ASCII */
};

/* The outcome and its slices live until the function returns. auth_cancel() and auth_done() are allowed
 * inside. */
typedef void (*auth_fn)(void *arg, const struct auth_outcome *o);

struct auth_exchange;

/* Embedded in a session; all zero is fine for auth_done(). 64 bytes while nobody logs in. */
struct auth {
    struct edge *edge;
    const struct conn *conn;
    auth_fn fn;
    void *arg;
    struct auth_exchange *x; /* the exchange in hand, or NULL */
};

void auth_init(struct auth *a, struct edge *e, const struct conn *c, auth_fn fn, void *arg);
/* Ends an exchange in hand and wipes it. */
void auth_done(struct auth *a);

/* A login with name and password (IMAP LOGIN). */
void auth_password(struct auth *a, slice name, slice password);
/* The beginning of a SASL exchange. mechanism in any case; initial: decoded initial response, when
 * has_initial. */
void auth_start(struct auth *a, slice mechanism, bool has_initial, slice initial);
/* The client's answer to a challenge, decoded. */
void auth_continue(struct auth *a, slice data);
/* The client gave up; no outcome comes. */
void auth_cancel(struct auth *a);

#endif
