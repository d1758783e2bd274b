/* x_keys: edge or relay (A) asks keys (B) for certificates (public) and for signatures with keys it never
 * sees. */
#ifndef POSTHORN_IPC_X_KEYS_H
#define POSTHORN_IPC_X_KEYS_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_keys_type {
    X_KEYS_CERTIFICATES_ASK = 1,
    X_KEYS_CERTIFICATES = 2,
    X_KEYS_SIGN = 3,
    X_KEYS_SIGNATURE = 4,
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

extern const struct ipc_channel x_keys_channel;

#endif
