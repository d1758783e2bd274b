/* dns_rr_write: typed writers of RDATA: the counterpart of the readers in dns_rr.h.
 *
 * Each appends the RDATA of one record in wire form, without compression, and returns OK or ERR_LIMIT when
 * out is full; out is then as before. */
#ifndef POSTHORN_CORE_DNS_DNS_RR_WRITE_H
#define POSTHORN_CORE_DNS_DNS_RR_WRITE_H

#include "core/dns/dns_rr.h"

#define DNS_RR_TXT_PART 255 /* octets of one character-string, RFC 1035 §3.3 */

/* A or AAAA, as the address is. */
NODISCARD enum err dns_rr_write_ip(const struct ip *ip, struct buf *out);
/* CNAME, DNAME, NS and PTR. */
NODISCARD enum err dns_rr_write_name(const struct dns_name *name, struct buf *out);
NODISCARD enum err dns_rr_write_mx(const struct dns_mx *mx, struct buf *out);
NODISCARD enum err dns_rr_write_srv(const struct dns_srv *srv, struct buf *out);
NODISCARD enum err dns_rr_write_tlsa(const struct dns_tlsa *tlsa, struct buf *out);
/* rname is the mailbox of whoever keeps the zone, written as a name (RFC 1035 §3.3.13). */
NODISCARD enum err dns_rr_write_soa(const struct dns_soa *soa, const struct dns_name *rname, struct buf *out);
/* Text split into character-strings of DNS_RR_TXT_PART octets; the empty text is one empty string. */
NODISCARD enum err dns_rr_write_txt(slice text, struct buf *out);
/* Appends one more character-string to TXT RDATA. ERR_LIMIT also when it is longer than DNS_RR_TXT_PART. */
NODISCARD enum err dns_rr_write_txt_part(slice part, struct buf *out);

#endif
