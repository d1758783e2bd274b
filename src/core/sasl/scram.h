/* scram: SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, as pure functions of the messages.
 *
 * The server side runs in directory, which knows verifiers and no passwords; the client side runs in edge,
 * which plays it for whoever logs in with PLAIN, so that a password never leaves edge. Messages are here
 * without the base64 of the protocol around them.
 *
 * A server goes first() -> [the shell looks the user up] -> challenge() -> final(); a client goes first() ->
 * challenge() -> [the shell derives or remembers the salted password] -> proof() -> verify(). Another order
 * is ERR_STATE. After an error the object is spent: init it anew.
 *
 * Invariants
 *  1. Nothing is allocated; what was said is kept in the object, in bounds.
 *  2. The nonce is checked before the proof, the proof in constant time.
 *  3. Channel binding (-PLUS) is not offered: "n" and "y" are understood, "p=" is ERR_UNSUPPORTED.
 *  4. An authorization id other than the user's own name is ERR_DENIED.
 * Limits: SCRAM_MESSAGE_MAX bytes a message, SCRAM_NAME_MAX a name, SCRAM_NONCE_MAX a nonce,
 * SCRAM_ITERATIONS_MIN..MAX iterations. */
#ifndef POSTHORN_CORE_SASL_SCRAM_H
#define POSTHORN_CORE_SASL_SCRAM_H

#include "base/buf.h"
#include "base/secret.h"

#define SCRAM_KEY_SIZE       32
#define SCRAM_MESSAGE_MAX    1024
#define SCRAM_NAME_MAX       320
#define SCRAM_NONCE_MAX      128 /* of one side */
#define SCRAM_SALT_MAX       64
#define SCRAM_SALT_SIZE      16 /* of the salts we make */
#define SCRAM_NONCE_SIZE     24 /* of those scram_nonce() makes, from SCRAM_RANDOM_SIZE random bytes */
#define SCRAM_RANDOM_SIZE    18
#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 1000000
/* What new verifiers get; docs/decisions/0003-credentials.md says why. */
#define SCRAM_ITERATIONS 4096

/* What is stored of a password: RFC 5802 §3. */
struct scram_verifier {
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_n;
    uint32_t iterations;
    uint8_t stored_key[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
};

/* ---- passwords */

/* Prepares a password: RFC 4013 with what we need of it. ASCII stays as it is; other text goes through NFKC
 * with its blanks made plain and its invisible characters dropped. ERR_SYNTAX: empty, control characters or
 * not UTF-8; ERR_LIMIT: longer than a struct secret. */
NODISCARD enum err scram_password_prepare(slice password, struct secret *out);
/* SaltedPassword of a prepared password: the only slow step, about half a microsecond an iteration. */
void scram_salted_password(slice prepared, slice salt, uint32_t iterations, uint8_t out[SCRAM_KEY_SIZE]);
/* StoredKey and ServerKey. */
void scram_keys(const uint8_t salted[SCRAM_KEY_SIZE], uint8_t out_stored[SCRAM_KEY_SIZE],
                uint8_t out_server[SCRAM_KEY_SIZE]);
/* Both for a new password: prepares it and fills the verifier with SCRAM_ITERATIONS. salt is random. Errors
 * are those of scram_password_prepare(). */
NODISCARD enum err scram_verifier_make(slice password, const uint8_t salt[SCRAM_SALT_SIZE],
                                       struct scram_verifier *out);
/* The same answers for a name that does not exist, every time, from a secret key: THREATS 32. No password
 * fits it. */
void scram_verifier_fake(slice key, slice name, struct scram_verifier *out);

/* A verifier as text, as others keep it too: SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY, base64. */
#define SCRAM_VERIFIER_TEXT_MAX 256
enum err scram_verifier_print(const struct scram_verifier *v, struct buf *out);
/* ERR_SYNTAX, or ERR_LIMIT when the iterations are out of bounds. */
NODISCARD enum err scram_verifier_parse(slice text, struct scram_verifier *out);
/* Random bytes as a nonce: base64 has no comma in it. */
void scram_nonce(const uint8_t random[SCRAM_RANDOM_SIZE], uint8_t out[SCRAM_NONCE_SIZE]);

/* ---- server */

struct scram_server {
    int state;
    uint8_t name[SCRAM_NAME_MAX];
    size_t name_n;
    uint8_t gs2[SCRAM_NAME_MAX * 3 + 8]; /* "n,," and the like */
    size_t gs2_n;
    uint8_t auth[3 * SCRAM_MESSAGE_MAX]; /* AuthMessage as it grows */
    size_t auth_n;
    uint8_t nonce[2 * SCRAM_NONCE_MAX]; /* the client's and ours */
    size_t nonce_n;
    struct scram_verifier verifier;
};

void scram_server_init(struct scram_server *s);
/* Wipes it. Fits CLEANUP(). */
void scram_server_done(struct scram_server *s);
/* client-first-message. The name then is in scram_server_name(). ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED,
 * ERR_DENIED. */
NODISCARD enum err scram_server_first(struct scram_server *s, slice message);
/* Who wants in, unescaped; valid from first() to done(). */
slice scram_server_name(const struct scram_server *s);
/* Appends server-first-message. nonce is new for each exchange: see scram_nonce(). ERR_LIMIT: it is too long.
 */
NODISCARD enum err scram_server_challenge(struct scram_server *s, const struct scram_verifier *v, slice nonce,
                                          struct buf *out);
/* client-final-message. OK: the password was known, and server-final-message is appended. ERR_AUTH: it was
 * not. ERR_SYNTAX, ERR_LIMIT: not the message that was due. */
NODISCARD enum err scram_server_final(struct scram_server *s, slice message, struct buf *out);

/* ---- client */

struct scram_client {
    int state;
    uint8_t auth[3 * SCRAM_MESSAGE_MAX];
    size_t auth_n;
    uint8_t nonce[SCRAM_NONCE_MAX];
    size_t nonce_n;
    uint8_t full_nonce[2 * SCRAM_NONCE_MAX];
    size_t full_nonce_n;
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_n;
    uint32_t iterations;
    uint8_t server_signature[SCRAM_KEY_SIZE];
};

void scram_client_init(struct scram_client *c);
void scram_client_done(struct scram_client *c);
/* Appends client-first-message. ERR_LIMIT: the name is too long; ERR_SYNTAX: it is empty or holds NUL. */
NODISCARD enum err scram_client_first(struct scram_client *c, slice name, slice nonce, struct buf *out);
/* server-first-message. c->salt, c->salt_n and c->iterations then say what is to be derived. */
NODISCARD enum err scram_client_challenge(struct scram_client *c, slice message);
/* Appends client-final-message. salted comes from scram_salted_password(). */
NODISCARD enum err scram_client_proof(struct scram_client *c, const uint8_t salted[SCRAM_KEY_SIZE],
                                      struct buf *out);
/* server-final-message. ERR_AUTH: the server refused, or does not know the password itself. */
NODISCARD enum err scram_client_verify(struct scram_client *c, slice message);

#endif
