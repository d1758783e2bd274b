/* doctor_nameserver: doctor (A) gives nameserver (B) the zone to answer for. A zone comes in pages; the last
 * one puts it in place of the old zone as a whole. nameserver forgets all when it is started anew; doctor
 * then gives it again. */
#ifndef POSTHORN_IPC_DOCTOR_NAMESERVER_H
#define POSTHORN_IPC_DOCTOR_NAMESERVER_H

#include "ipc/codec.h"
#include "ipc/house.h"

enum doctor_nameserver_type {
    DOCTOR_NAMESERVER_PUT = 1,
    DOCTOR_NAMESERVER_TAKEN = 2,
};

#define NAMESERVER_RDATA_MAX  8192
#define NAMESERVER_PAGE       512 /* records; doctor also keeps a page under NAMESERVER_PAGE_BYTES */
#define NAMESERVER_PAGE_BYTES 65536

struct nameserver_record {
    slice name; /* lower case, no final dot */
    uint16_t type;
    uint32_t ttl_s;
    slice rdata; /* wire, uncompressed */
};

struct nameserver_put {
    uint32_t serial;
    bool first, last; /* a first page forgets pages before that had no last */
    const struct nameserver_record *records;
    size_t n_records;
};

struct nameserver_taken {
    uint32_t err;
    slice text; /* why not; the old zone stays */
};

extern const struct ipc_channel doctor_nameserver_channel;

#endif
