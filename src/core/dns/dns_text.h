/* dns_text: RDATA as it is written in a zone file (RFC 1035 §5.1), and a TXT record as the web panels of DNS
 * providers want it.
 *
 * Output is printable ASCII whatever the octets were: what is not printable is written as \DDD, quotes and
 * backslashes get a backslash. So text from the DNS can be shown and pasted safely (THREATS 3). The reader
 * of this form is dns_zone_text. */
#ifndef POSTHORN_CORE_DNS_DNS_TEXT_H
#define POSTHORN_CORE_DNS_DNS_TEXT_H

#include "core/dns/dns_rr.h"

/* The type of a mnemonic ("TXT", any case) or of "TYPE52" (RFC 3597 §5). False: there is none. */
NODISCARD bool dns_text_type(slice text, uint16_t *out);
/* Appends "MX", or "TYPE65280" for a type without a name here. */
enum err dns_text_type_print(uint16_t type, struct buf *out);
/* Appends the RDATA of one record: names with their final dot, TXT as quoted strings of at most 255 octets
 * each, types that are not known as \# and hexadecimal digits (RFC 3597 §5). Octets that are no RDATA of the
 * type are written in that way too, so there is always a text. ERR_LIMIT when out is full. */
NODISCARD enum err dns_text_rdata(uint16_t type, slice rdata, struct buf *out);
/* One character-string in quotes. */
enum err dns_text_quote(slice octets, struct buf *out);
/* The strings of a TXT record joined to one, without quotes: what most web panels ask for. Octets that are
 * not printable are written as \DDD. ERR_SYNTAX when it is no TXT RDATA. */
NODISCARD enum err dns_text_txt_joined(slice rdata, struct buf *out);
/* A name with its final dot. */
enum err dns_text_name(const struct dns_name *name, struct buf *out);
/* A line of a zone file with its end: name, TTL, class, type, RDATA. ERR_LIMIT when out is full. */
NODISCARD enum err dns_text_record(const struct dns_name *name, uint32_t ttl_s, uint16_t type, slice rdata,
                                   struct buf *out);

#endif
