/* dns_update: DNS requests: questions, and updates of a zone (RFC 2136).
 *
 * An update is built in order: begin, what has to be true before (prerequisites), then the changes. The
 * server does all of it or nothing. Each function returns OK or ERR_LIMIT when out is full; the message is
 * then spoilt. */
#ifndef POSTHORN_CORE_DNS_DNS_UPDATE_H
#define POSTHORN_CORE_DNS_DNS_UPDATE_H

#include "core/dns/dns_rr.h"

#define DNS_UPDATE_MAX 60000 /* octets of a message, so that a signature still fits */

/* Appends a question; recursion is not asked for. out is empty. */
NODISCARD enum err dns_update_question(uint16_t id, const struct dns_name *name, uint16_t type,
                                       struct buf *out);

NODISCARD enum err dns_update_begin(uint16_t id, const struct dns_name *zone, struct buf *out);
/* Prerequisite: there is no record of this type, RFC 2136 §2.4.3. */
NODISCARD enum err dns_update_absent(struct buf *out, const struct dns_name *name, uint16_t type);
/* Prerequisite: the set of this name and type is exactly what is given in one call for each of its records,
 * RFC 2136 §2.4.2. */
NODISCARD enum err dns_update_present(struct buf *out, const struct dns_name *name, uint16_t type,
                                      slice rdata);
NODISCARD enum err dns_update_add(struct buf *out, const struct dns_name *name, uint16_t type, uint32_t ttl_s,
                                  slice rdata);
NODISCARD enum err dns_update_remove(struct buf *out, const struct dns_name *name, uint16_t type,
                                     slice rdata);

/* The RCODE of an answer to the request with this id. ERR_SYNTAX: it is none. */
NODISCARD enum err dns_update_answer(slice answer, uint16_t id, uint8_t *out_rcode);
/* What an RCODE means for an update, a sentence without its full stop. Static memory. */
const char *dns_update_rcode_text(unsigned rcode);

#endif
