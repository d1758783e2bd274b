/* ticket: what opens an account. Directory issues it, accounts checks it, edge and relay only carry it.
 *
 * A ticket names one account, one scope and the moment it ends, and is authenticated with HMAC-SHA256 under a
 * key that the supervisor gives to directory and accounts alone. A process that was taken over can carry
 * tickets it was given and make none.
 *
 * Invariants
 *  1. A ticket is good once: nonces of one issuer go up by one, and struct ticket_replay remembers the last
 *     ones. A nonce older than its window counts as used.
 *  2. A ticket is good for one run of accounts: the epoch is new at each start of it, so what was used before
 *     a restart, when the memory of it went, cannot be used again.
 *  3. Times are of the monotonic clock, which all processes of a machine share and nobody can set.
 *
 * Form (74 bytes): version u8, scope u8, account u64, epoch u64, issuer u64, nonce u64, expires u64,
 * HMAC-SHA256 over all before it (32 bytes). Big-endian. */
#ifndef POSTHORN_IPC_TICKET_H
#define POSTHORN_IPC_TICKET_H

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

#define TICKET_SIZE     74
#define TICKET_KEY_SIZE 32
/* For TICKET_DELIVER: from RCPT to the end of a large message over a slow line. */
#define TICKET_DELIVER_MS (60 * MS_MINUTE)
/* For the others: from the login to the account's process. */
#define TICKET_SESSION_MS (60 * MS_SECOND)

enum ticket_scope {
    TICKET_DELIVER = 1, /* add one message, read nothing */
    TICKET_IMAP = 2,    /* a whole IMAP session */
};

struct ticket_key {
    uint8_t bytes[TICKET_KEY_SIZE];
};

/* The key from the supervisor's setting: 64 hex digits. ERR_SYNTAX otherwise. */
NODISCARD enum err ticket_key_parse(slice hex, struct ticket_key *out);

struct ticket {
    uint64_t account;
    enum ticket_scope scope;
    time_ms expires_mono;
    uint64_t epoch;  /* of the accounts process it is for */
    uint64_t issuer; /* random, of the directory process that made it */
    uint64_t nonce;  /* 1, 2, 3, ... of that issuer */
};

/* Writes its form and the MAC. */
void ticket_encode(const struct ticket *t, const struct ticket_key *key, uint8_t out[TICKET_SIZE]);

/* Checks form, MAC (in constant time), epoch, expiry and scope, in this order. ERR_SYNTAX: not a ticket;
 * ERR_DENIED: forged, or of another scope; ERR_EXPIRED: too late, or of an earlier run. Replay is the
 * caller's next step. */
NODISCARD enum err ticket_verify(slice bytes, const struct ticket_key *key, enum ticket_scope want,
                                 uint64_t epoch, time_ms now_mono, struct ticket *out);

/* Which nonces were used, of the two latest issuers. Embed it; all zero is empty. One per scope, so that a
 * flood of deliveries cannot push logins out of the window. */
#define TICKET_REPLAY_WINDOW ((uint64_t)1 << 20) /* tickets in flight; 128 KB of bits for each issuer */

struct ticket_replay {
    struct ticket_replay_issuer {
        uint64_t issuer, highest;
        uint64_t bits[TICKET_REPLAY_WINDOW / 64];
    } issuers[2];
    unsigned latest;
};

/* Marks a verified ticket as used. ERR_REPLAYED when it was used before or is older than the window. */
NODISCARD enum err ticket_replay_use(struct ticket_replay *r, const struct ticket *t);

#endif
