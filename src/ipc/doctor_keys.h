/* doctor_keys: doctor (A) sees and moves along the life of our DKIM keys at keys (B). Only public halves and
 * states travel as messages; doctor knows the DNS and the clock, keys knows the secrets. A private key that
 * was made elsewhere comes as a sealed memfd, which doctor hands on and does not read. */
#ifndef POSTHORN_IPC_DOCTOR_KEYS_H
#define POSTHORN_IPC_DOCTOR_KEYS_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum doctor_keys_type {
    DOCTOR_KEYS_LIST = 1,
    DOCTOR_KEYS_ROW = 2,
    DOCTOR_KEYS_MAKE = 3,
    DOCTOR_KEYS_SET = 4,
    DOCTOR_KEYS_REMOVE = 5,
    DOCTOR_KEYS_DONE = 6,
    DOCTOR_KEYS_CERTIFICATES_ASK = 7,
    DOCTOR_KEYS_CERTIFICATES = 8,
    DOCTOR_KEYS_IMPORT = 9,
};

enum dkim_key_algorithm { DKIM_KEY_RSA = 1, DKIM_KEY_ED25519 = 2 }; /* on disk: never renumber */

/* What a key is good for just now. On disk: never renumber. */
enum dkim_key_state {
    DKIM_KEY_WAITING = 1, /* its record is to be published; signs nothing yet */
    DKIM_KEY_SIGNING = 2, /* its record was seen in the DNS */
    DKIM_KEY_RESTING = 3, /* signs no more; its record stays until all it signed has left the queues */
};

struct doctor_key_list {
    slice after; /* id of the last row; 0-length: from the beginning. Rows come in order of id */
};

/* One key. DOCTOR_KEYS_LIST is answered by the next row after `after`. */
struct doctor_key {
    uint32_t err; /* ERR_NOT_FOUND: no more rows */
    slice id;     /* "DOMAIN,SELECTOR" */
    slice domain, selector;
    uint8_t algorithm; /* enum dkim_key_algorithm */
    uint8_t state;     /* enum dkim_key_state */
    int64_t made_at;   /* Unix ms */
    int64_t state_at;  /* since when it is in this state, Unix ms */
    slice record;      /* the TXT record's text: "v=DKIM1; k=rsa; p=..." */
};

struct doctor_key_make {
    slice domain, selector;
    uint8_t algorithm;
    int64_t now;
};
/* With one descriptor: a sealed memfd that holds the private key in PEM. Answered by DOCTOR_KEYS_DONE; its
 * text may be a warning when err is OK. */
struct doctor_key_import {
    slice domain, selector;
    int64_t now;
};
struct doctor_key_set {
    slice id;
    uint8_t state;
    int64_t now;
};
struct doctor_key_remove {
    slice id;
};
struct doctor_key_done {
    uint32_t err;
    slice text;
};

/* The public keys of our TLS certificates, for TLSA records: SHA-256 of each SubjectPublicKeyInfo. */
struct doctor_certificate {
    slice spki_sha256; /* 32 octets */
};
struct doctor_certificates {
    const struct doctor_certificate *certificates;
    size_t n_certificates;
};

extern const struct ipc_channel doctor_keys_channel;

#endif
