/* dns_serve: a small authoritative name server as a function: one zone in memory, a query's bytes in, an
 * answer's bytes out. For the one zone that is delegated to us.
 *
 * What it is not: a resolver, a secondary, a signer. It knows no wildcards, no delegations inside the zone,
 * no transfers and no updates; whoever has the records makes a new zone and drops the old one.
 *
 * Invariants
 *  1. An answer over UDP is never longer than the asker's EDNS size, DNS_SERVE_UDP_MAX at most, 512 without
 *     EDNS; what does not fit is marked TC and empty, so nothing is amplified by much (THREATS 10).
 *  2. The question is copied as it came, so its case comes back (draft-vixie-dnsext-dns0x20).
 *  3. Whatever the bytes, the work is bounded by their length and DNS_SERVE_CHAIN look-ups.
 *
 * Limits: DNS_SERVE_RECORDS_MAX records. */
#ifndef POSTHORN_CORE_DNS_DNS_SERVE_H
#define POSTHORN_CORE_DNS_DNS_SERVE_H

#include "core/dns/dns_packet.h"
#include "core/dns/dns_rr.h"

#define DNS_SERVE_RECORDS_MAX 100000
#define DNS_SERVE_UDP_MAX     1232 /* fits everywhere without fragments */
#define DNS_SERVE_TCP_MAX     65535
#define DNS_SERVE_CHAIN       8
#define DNS_SERVE_NEGATIVE_S  60 /* how long "no such name" may be remembered: what is new is seen soon */

struct dns_serve_record {
    struct dns_name name;
    uint16_t type;
    uint32_t ttl_s;
    slice rdata; /* wire, uncompressed, at most 65,535 octets */
};

struct dns_serve_zone;

/* A zone with the records, which are copied, and SOA and NS of its own: server is the host that answers.
 * Equal records count once. ERR_SYNTAX: a record lies outside the zone or beside a CNAME; ERR_LIMIT: too many
 * records or too much RDATA. */
NODISCARD enum err dns_serve_zone_new(const struct dns_name *origin, const struct dns_name *server,
                                      uint32_t serial, const struct dns_serve_record *records, size_t n,
                                      struct dns_serve_zone **out);
void dns_serve_zone_free(struct dns_serve_zone **z);
uint32_t dns_serve_zone_serial(const struct dns_serve_zone *z);
/* Records in it, SOA and NS counted. */
size_t dns_serve_zone_count(const struct dns_serve_zone *z);

/* Appends the answer to a query (without the length octets of TCP). zone may be NULL: SERVFAIL. False: no
 * answer at all is due (the bytes are no query). out has to have room for DNS_SERVE_TCP_MAX octets over TCP,
 * DNS_SERVE_UDP_MAX over UDP, and is empty. */
bool dns_serve_answer(const struct dns_serve_zone *zone, slice query, bool tcp, struct buf *out);
/* The empty answer with TC: "ask again over TCP". False as above. */
bool dns_serve_truncated(slice query, struct buf *out);

#endif
