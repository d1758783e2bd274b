/* x_resolver: anybody (A) asks resolver (B) for one DNS RRset, validated. */
#ifndef POSTHORN_IPC_X_RESOLVER_H
#define POSTHORN_IPC_X_RESOLVER_H

#include "core/dns/dns_table.h"
#include "ipc/codec.h"
#include "ipc/house.h"

enum x_resolver_type {
    X_RESOLVER_RESOLVE = 1,
    X_RESOLVER_RESOLVED = 2,
};

struct resolve {
    slice name;    /* without the last dot */
    uint16_t type; /* RR type, RFC 1035 numbers */
    bool fresh;    /* not out of the cache: asked of the servers that know, where the configuration lets us */
};

struct resolved_rr {
    slice rdata; /* wire form, names inside uncompressed */
};

struct resolved {
    uint32_t err;    /* OK (an answer, maybe empty), ERR_NOT_FOUND (NXDOMAIN), ERR_DNS (no answer: try later),
                        ERR_DNS_BOGUS, ERR_TIMEOUT, ERR_BUSY */
    bool secure;     /* validated with DNSSEC */
    uint32_t ttl;    /* seconds */
    slice canonical; /* the name after CNAMEs */
    slice text;      /* why, when it failed */
    const struct resolved_rr *rrs;
    size_t n_rrs;
};

/* What an answer means to a dns_table: e is the error of the call, or err of the answer. */
enum dns_answer_status x_resolver_status(enum err e);

extern const struct ipc_channel x_resolver_channel;

#endif
