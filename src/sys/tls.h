/* tls: one TLS 1.2 or 1.3 connection as an object between bytes and bytes, for servers (edge) and clients
 * (relay).
 *
 * What it is: ciphertext in, plaintext out, and back. It owns no descriptor and waits for nothing: the caller
 * moves the bytes. OpenSSL does the work behind two buffers of ours, so memory is bounded and given back when
 * idle. What it is not: a place for private keys. A server context is given certificates (public) and a
 * callback that has signatures made elsewhere (tls_remote.h, docs/decisions/0002-remote-keys.md).
 *
 * Invariants
 * 1. TLS 1.2 or later, forward secret, no renegotiation, no compression, no early data.
 * 2. A ticket opens a session on the listener that issued it and nowhere else (session id context and ticket
 * keys are of the context), and holds no identity: there is no client certificate and no application data
 * (THREATS 18).
 * 3. An ALPN offer without one of our names is answered by the alert no_application_protocol (THREATS 14, RFC
 * 7301 §3.2); no offer at all is fine.
 * 4. At most TLS_IN_MAX bytes of ciphertext and TLS_OUT_MAX bytes to be sent are kept for a connection.
 *
 * Use: tls_feed() what the socket gave; tls_handshake() until OK; then tls_read() until ERR_AGAIN. After
 * every call send tls_pending() and tell how much went with tls_sent(). */
#ifndef POSTHORN_SYS_TLS_H
#define POSTHORN_SYS_TLS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "sys/tls_scheme.h"

#define TLS_IN_MAX       ((size_t)68 * 1024)
#define TLS_OUT_MAX      ((size_t)84 * 1024)
#define TLS_CERTIFICATES 4 /* certificates of one context: one for each kind of key */

/* Has a signature made by whoever holds the private key.
 * key: the number the certificate was given with. scheme: TLS SignatureScheme (RFC 8446 §4.2.3), of those
 * in tls_scheme.h. to_sign: the text as TLS defines it, not yet hashed, at most TLS_TO_SIGN_MAX bytes.
 * out: the signature is appended (ECDSA as DER). Called inside tls_handshake(); may block for a short
 * time.
 */
struct tls_signer {
    enum err (*sign)(void *arg, uint32_t key, uint16_t scheme, slice to_sign, struct buf *out);
    void *arg;
};

struct tls_certificate {
    slice chain_pem; /* the certificate first, then its issuers; public */
    uint32_t key;    /* the signer's number of its private key */
};

struct tls_server_options {
    slice listener; /* names the listener (1..32 bytes, for example "imaps"): tickets are bound to it */
    const struct tls_certificate *certificates;
    size_t n_certificates;    /* 1..TLS_CERTIFICATES, of different kinds of key */
    struct tls_signer signer; /* arg must outlive the context */
    const char *const *alpn;  /* protocol names we accept ("imap"), NULL-ended; NULL: none is accepted */
};

struct tls_client_options {
    slice trust_pem; /* CA certificates to verify against; empty: nothing verifies, and the facts say so */
    /* A client certificate, used when the peer asks for one, TLS 1.3 only; n_certificates may be 0. */
    const struct tls_certificate *certificates;
    size_t n_certificates;
    struct tls_signer signer;
};

enum tls_verify {
    TLS_VERIFY_RECORD, /* opportunistic: go on whatever the certificate is, and record the result (RFC 7435)
                        */
    TLS_VERIFY_PKIX, /* the handshake fails unless the chain is trusted and names the peer (MTA-STS, RFC 8461)
                      */
};

struct tls_ctx; /* settings shared by many connections */
struct tls;     /* one connection */

/* What the journal and the Received field tell. Text is NUL-terminated, printable ASCII, cut to its room. */
struct tls_facts {
    bool established;
    bool resumed;
    bool verified;    /* client: chain trusted and name matched */
    char version[16]; /* "TLSv1.3" */
    char cipher[48];  /* "TLS_AES_256_GCM_SHA384" */
    char group[24];   /* "X25519" */
    char alpn[16];    /* "imap", or empty */
    char name[256];   /* server: the name the client asked for (SNI), '?' for odd bytes; client: the one we
                         asked for */
    char verdict[96]; /* client: why verified is false, in words */
};

/* Prepares OpenSSL once for this process: no configuration file is read, the providers are loaded. Call it
 * before the process is locked in; calling it again is harmless. */
NODISCARD enum err tls_setup(void);

/* *out is given back with tls_ctx_free(); connections that run keep what they need. ERR_CONFIG with detail
 * when a certificate does not parse or its key is neither P-256 nor RSA of 2048 to 4096 bits. detail may be
 * NULL. */
NODISCARD enum err tls_server_new(const struct tls_server_options *o, struct tls_ctx **out,
                                  struct err_detail *detail);
NODISCARD enum err tls_client_new(const struct tls_client_options *o, struct tls_ctx **out,
                                  struct err_detail *detail);
/* Fresh ticket keys: sessions issued before are not resumed any more. Worth calling every few hours. */
void tls_ctx_new_ticket_keys(struct tls_ctx *c);
void tls_ctx_free(struct tls_ctx **c);

/* A connection that waits for a ClientHello. *out is freed with tls_free(). */
NODISCARD enum err tls_accept(struct tls_ctx *c, struct tls **out);
/* A connection that starts with a ClientHello, in tls_pending() after the first tls_handshake().
 * name: the peer's host name (SNI and verification), may be empty. alpn: one protocol name to offer, or
 * empty. */
NODISCARD enum err tls_connect(struct tls_ctx *c, slice name, slice alpn, enum tls_verify verify,
                               struct tls **out);
void tls_free(struct tls **t);

/* Takes ciphertext. All of it, or ERR_LIMIT and none when TLS_IN_MAX would be passed: then read first.
 * tls_room() tells how much fits. */
NODISCARD enum err tls_feed(struct tls *t, slice ciphertext);
size_t tls_room(const struct tls *t);
/* Goes on with the handshake. OK: established. ERR_AGAIN: more ciphertext is needed. ERR_TLS: failed for
 * good; send tls_pending() (the alert), then close. */
NODISCARD enum err tls_handshake(struct tls *t);
/* Up to n bytes of plaintext. OK with *out_n > 0. ERR_AGAIN: nothing whole is here. ERR_CLOSED: the peer said
 * close_notify. ERR_TLS: failed for good. Not before tls_handshake() gave OK. */
NODISCARD enum err tls_read(struct tls *t, uint8_t *room, size_t n, size_t *out_n);
/* Encrypts as much of plain as there is room for; *out_used tells how much, may be 0: send first. */
NODISCARD enum err tls_write(struct tls *t, slice plain, size_t *out_used);
/* How many bytes tls_write() would take now. */
size_t tls_write_room(const struct tls *t);
/* Queues close_notify, once. The connection may still be read. */
void tls_close(struct tls *t);
/* Ciphertext to be sent; lives until the next call. tls_sent() drops its first n bytes. */
slice tls_pending(const struct tls *t);
void tls_sent(struct tls *t, size_t n);

bool tls_established(const struct tls *t);
/* Client: appends the certificates the peer showed, as DER one behind the other, its own first. ERR_NOT_FOUND
 * when it showed none; ERR_LIMIT when out is full. */
NODISCARD enum err tls_peer_chain(const struct tls *t, struct buf *out);
void tls_facts(const struct tls *t, struct tls_facts *out);
/* Why the last call failed, in words, for the journal. Lives as long as the connection. */
const char *tls_trouble(const struct tls *t);

#endif
