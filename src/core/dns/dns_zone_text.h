/* dns_zone_text: DNS records as text, one a line, as in a zone file (RFC 1035 §5.1).
 *
 *     NAME [TTL] [IN] TYPE RDATA     example.org TXT "v=spf1 -all"
 *     NAME SERVFAIL|TIMEOUT|BOGUS    questions for this name fail so, except for types that have records
 *
 * Read as a zone file is: blanks and tabs, LF or CRLF, words in any case, TTL and class in either order; ";"
 * begins a comment outside quotes; inside parentheses a record goes on over line ends; a line that begins
 * with a blank and with no name is about the name before; escapes are \X and \DDD; a text without quotes is
 * one word; RFC 3597 gives any type as TYPE99 and any data as \# LENGTH HEX. Beyond a zone file: every name
 * is absolute, with or without its last dot; octets beyond ASCII stand in quotes as they are; a quoted string
 * longer than 255 octets is cut into several; TXT with nothing behind it is one empty text.
 *
 * Not there: "@", $ORIGIN and $INCLUDE, other classes; they are errors. $TTL is passed over.
 *
 * What it is not: a checker of zones. A record of a type that nothing here asks for (CAA, SPF, DS) makes its
 * name exist and its data is not looked at; a word that is the name of no type is an error. A record whose
 * name cannot be asked for (dns_name.h) is left out.
 *
 * Limits: DNS_ZONE_RECORDS_MAX lines, RDATA of 65,535 octets. A line costs time in proportion to its length.
 */
#ifndef POSTHORN_CORE_DNS_DNS_ZONE_TEXT_H
#define POSTHORN_CORE_DNS_DNS_ZONE_TEXT_H

#include "core/dns/dns_zone.h"

#define DNS_ZONE_RECORDS_MAX 100000
#define DNS_ZONE_RDATA_MAX   65535

/* Appends the wire form, uncompressed, of RDATA given as text. For A, AAAA, MX, TXT, PTR, CNAME, DNAME, NS,
 * SOA, SRV, TLSA; for any type as "\# LENGTH HEX" (RFC 3597 §5). ERR_SYNTAX: it is none of that type;
 * ERR_UNSUPPORTED: another type; ERR_LIMIT: out is full. out is as before on an error. */
NODISCARD enum err dns_zone_text_rdata(uint16_t type, slice text, struct buf *out);

/* Appends a name as text, with escapes \DDD and \X, in its wire form. The same errors. */
NODISCARD enum err dns_zone_text_name(slice text, struct buf *out);

/* Reads a whole file. All of *out lives in the arena. ERR_SYNTAX with the line and what is wrong in detail;
 * ERR_LIMIT: too many records, or the arena's cap. */
NODISCARD enum err dns_zone_text_read(slice text, struct arena *a, struct dns_zone *out,
                                      struct err_detail *detail);

#endif
