/* dns_rr: typed readers of RDATA.
 *
 * Each reader gets the RDATA of one record without compression (as dns_packet hands it out) and uses all of
 * it: a byte too few or too many is ERR_SYNTAX, and nothing is read past its end (THREATS 10). A name with
 * octets we do not hold gives ERR_UNSUPPORTED; the caller skips that record. */
#ifndef POSTHORN_CORE_DNS_DNS_RR_H
#define POSTHORN_CORE_DNS_DNS_RR_H

#include "core/dns/dns_name.h"

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_DNAME = 39,
    DNS_OPT = 41, /* RFC 6891 */
    DNS_TLSA = 52,
    DNS_TSIG = 250, /* RFC 8945 */
    DNS_IXFR = 251,
    DNS_AXFR = 252,
    DNS_ANY = 255
};

/* "MX" and so on, or "TYPE123" never: unknown types give "?". Static memory. */
const char *dns_type_name(unsigned type);

struct dns_mx {
    uint16_t preference;
    struct dns_name host; /* the root for a null MX, RFC 7505 §3 */
};
struct dns_srv {
    uint16_t priority, weight, port;
    struct dns_name target;
};
struct dns_soa {
    struct dns_name mname;
    uint32_t serial, refresh_s, retry_s, expire_s, minimum_s;
};
struct dns_tlsa { /* RFC 6698 §2.1 */
    uint8_t usage, selector, matching;
    slice data; /* inside rdata */
};

NODISCARD enum err dns_rr_a(slice rdata, struct ip *out);
NODISCARD enum err dns_rr_aaaa(slice rdata, struct ip *out);
NODISCARD enum err dns_rr_mx(slice rdata, struct dns_mx *out);
/* CNAME, DNAME, NS and PTR are one name each. */
NODISCARD enum err dns_rr_name(slice rdata, struct dns_name *out);
/* The same, and the host of an MX record, with a name of dns_name_parse_odd(). */
NODISCARD enum err dns_rr_name_odd(slice rdata, struct dns_name *out);
NODISCARD enum err dns_rr_mx_odd(slice rdata, struct dns_mx *out);
NODISCARD enum err dns_rr_srv(slice rdata, struct dns_srv *out);
/* RNAME is checked but not kept: nothing here asks for it. */
NODISCARD enum err dns_rr_soa(slice rdata, struct dns_soa *out);
/* RFC 6698 §2.1; association data may not be empty. */
NODISCARD enum err dns_rr_tlsa(slice rdata, struct dns_tlsa *out);
/* The character-strings of a TXT record joined without anything between (RFC 7208 §3.3, RFC 6376 §3.6.2.2),
 * appended to out; whatever octets they hold. ERR_LIMIT when out is full; out is then as before. */
NODISCARD enum err dns_rr_txt(slice rdata, struct buf *out);

#endif
