/* dns_zone: a small table of records that answers questions: the DNS of tests and of `posthorn authcheck
 * --dns FILE`. dns_zone_text makes one out of a file.
 *
 * It answers as a resolver does: NXDOMAIN where nothing has the name or lies below it, no records where the
 * name has others or only names below; CNAMEs are followed, and where they lead in a circle the answer is
 * TEMPFAIL; "*.NAME" answers for names below that are not there (RFC 4592). DNAME is not followed.
 *
 * What it is not: a server (core/dns/dns_serve is one), nor fast: a question is a walk over all records. */
#ifndef POSTHORN_CORE_DNS_DNS_ZONE_H
#define POSTHORN_CORE_DNS_DNS_ZONE_H

#include "base/arena.h"
#include "core/dns/dns_table.h"

struct dns_zone_record {
    struct dns_name name; /* without its "*." */
    bool wild;
    uint16_t type;  /* 0: none that is answered; the name exists */
    uint8_t status; /* enum dns_answer_status; other than OK: the whole name fails so */
    uint32_t ttl_s;
    slice rdata;
};

struct dns_zone {
    struct dns_zone_record *records;
    size_t n;
};

/* Answers a question out of the table. *out lives in the arena. At the arena's cap the answer is TEMPFAIL. */
void dns_zone_answer(const struct dns_zone *z, slice name, uint16_t type, struct arena *a,
                     struct dns_answer *out);

#endif
