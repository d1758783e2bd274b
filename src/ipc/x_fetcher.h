/* x_fetcher: keys, relay or doctor (A) has fetcher (B) get one https URL from the outside (THREATS 36). */
#ifndef POSTHORN_IPC_X_FETCHER_H
#define POSTHORN_IPC_X_FETCHER_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum x_fetcher_type {
    X_FETCHER_FETCH = 1,
    X_FETCHER_FETCHED = 2, /* descriptor: the sealed content */
};

struct fetch {
    slice url;
    uint64_t bytes_max;  /* 0: 5 MB */
    uint32_t timeout_ms; /* 0: 10 s */
};

struct fetched {
    uint32_t err;
    uint32_t status; /* HTTP status */
    slice text;      /* why not */
    slice content_type;
};

extern const struct ipc_channel x_fetcher_channel;

#endif
