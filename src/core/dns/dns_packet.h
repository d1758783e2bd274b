/* dns_packet: the answer section of a DNS response, without compression.
 *
 * The resolver reads what libunbound hands over as bytes of a message. This parser follows the CNAME chain
 * from the question and gives the records of the asked type as self-contained RDATA, which travels to other
 * processes and is read there by dns_rr.
 *
 * Limits: at most dns_packet_limits.records records are looked at and rdata_bytes of RDATA kept; a CNAME
 * chain of DNS_PACKET_CHAIN. A message that is malformed anywhere up to the end of its answer section is
 * refused as a whole. The authority section is read only for the negative TTL (RFC 2308 §5). */
#ifndef POSTHORN_CORE_DNS_DNS_PACKET_H
#define POSTHORN_CORE_DNS_DNS_PACKET_H

#include "base/arena.h"
#include "core/dns/dns_rr.h"

#define DNS_PACKET_CHAIN 12

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5
};

struct dns_packet_limits {
    size_t records;     /* in the answer section */
    size_t rdata_bytes; /* of all records kept */
};

struct dns_packet_answer {
    uint8_t rcode;
    uint32_t ttl_s;            /* the least of what was used; of a negative answer its SOA's, or 0 */
    struct dns_name canonical; /* where the CNAME chain ended */
    size_t n;
    slice *rdata; /* n of them, in the arena */
};

/* question is the name that was asked. ERR_SYNTAX: malformed; ERR_LIMIT: more than the limits or the arena
 * allow; ERR_LOOP: a CNAME chain too long or in circles. A question that does not match is ERR_SYNTAX. */
NODISCARD enum err dns_packet_parse(slice message, const struct dns_name *question, uint16_t type,
                                    const struct dns_packet_limits *limits, struct arena *arena,
                                    struct dns_packet_answer *out);

#endif
