/* x_keys: edge, relay or judge (A) asks keys (B) for certificates (public) and for signatures with keys it
 * never sees. Handshakes are signed for edge and relay only, mail for judge only. */
#ifndef POSTHORN_IPC_X_KEYS_H
#define POSTHORN_IPC_X_KEYS_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_keys_type {
    X_KEYS_CERTIFICATES_ASK = 1,
    X_KEYS_CERTIFICATES = 2,
    X_KEYS_SIGN = 3,
    X_KEYS_SIGNATURE = 4,
    X_KEYS_DKIM_ASK = 5,
    X_KEYS_DKIM = 6,
    X_KEYS_DKIM_SIGN = 7, /* answered by X_KEYS_SIGNATURE */
};

struct key_certificate {
    uint32_t key;    /* names the private key in sign_ask */
    slice chain;     /* PEM, leaf first */
    bool is_default; /* used when no name matches */
};

struct certificates {
    const struct key_certificate *certificates;
    size_t n_certificates;
};

struct sign_ask {
    uint32_t key;
    uint16_t algorithm; /* enum of sys/tls.h */
    slice data;         /* digest or bytes, as the algorithm says */
};

struct signature {
    uint32_t err;
    slice bytes;
};

/* Which keys sign for a domain now (none: the mail goes out unsigned). */
struct dkim_keys_ask {
    slice domain;
};
struct dkim_key {
    slice selector;
    uint8_t algorithm; /* enum dkim_key_algorithm of ipc/doctor_keys.h */
};
struct dkim_keys {
    const struct dkim_key *keys;
    size_t n_keys;
};

/* digest: SHA-256 of the header fields as RFC 6376 §3.7 puts them together, signed as RFC 8301 (RSA, PKCS #1
 * v1.5) or RFC 8463 §3 (Ed25519 over the digest) says. */
struct dkim_sign_ask {
    slice domain, selector;
    slice digest;
};

extern const struct ipc_channel x_keys_channel;

#endif
