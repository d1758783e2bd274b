/* dns_zone_text: DNS records as text, one a line, as in a zone file (RFC 1035 §5.1), and a small table of
 * them that answers questions: the DNS of tests and of `posthorn authcheck --dns FILE`.
 *
 *     NAME [TTL] [IN] TYPE RDATA     example.org TXT "v=spf1 -all"
 *     NAME SERVFAIL|TIMEOUT|BOGUS    questions for this name fail so, except for types that have records
 *
 * Every name is absolute, with or without its last dot; "@" and $ORIGIN are not there. ";" begins a comment
 * outside quotes; parentheses on one line are blanks. A quoted string longer than 255 octets is cut into
 * several. "*.NAME" answers for names below that are not there (RFC 4592).
 *
 * What it is not: a server (core/dns has one), nor a checker of zones: a record of a type that is not in the
 * table below makes its name exist and is otherwise ignored.
 *
 * Limits: DNS_ZONE_RECORDS_MAX records, RDATA of 65,535 octets. A line costs time in proportion to its
 * length; a question is a walk over all records. */
#ifndef POSTHORN_CORE_DNS_DNS_ZONE_TEXT_H
#define POSTHORN_CORE_DNS_DNS_ZONE_TEXT_H

#include "base/arena.h"
#include "core/dns/dns_table.h"

#define DNS_ZONE_RECORDS_MAX 100000
#define DNS_ZONE_RDATA_MAX   65535

/* Appends the wire form, uncompressed, of RDATA given as text. For A, AAAA, MX, TXT, PTR, CNAME, DNAME, NS,
 * SOA, SRV, TLSA; for any type as "\# LENGTH HEX" (RFC 3597 §5). ERR_SYNTAX: it is none of that type;
 * ERR_UNSUPPORTED: another type; ERR_LIMIT: out is full. out is as before on an error. */
NODISCARD enum err dns_zone_text_rdata(uint16_t type, slice text, struct buf *out);

/* Appends a name as text, with escapes \DDD and \X, in its wire form. The same errors. */
NODISCARD enum err dns_zone_text_name(slice text, struct buf *out);

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

/* Reads a whole file. All of *out lives in the arena. ERR_SYNTAX with the line and what is wrong in detail;
 * ERR_LIMIT: too many records, or the arena's cap. Records of names that cannot be asked for (dns_name.h) are
 * left out. */
NODISCARD enum err dns_zone_text_read(slice text, struct arena *a, struct dns_zone *out,
                                      struct err_detail *detail);

/* Answers a question out of the table, following CNAMEs: NXDOMAIN where nothing has that name or lies below
 * it. *out lives in the arena. At the arena's cap the answer is TEMPFAIL. */
void dns_zone_answer(const struct dns_zone *z, slice name, uint16_t type, struct arena *a,
                     struct dns_answer *out);

#endif
