/* dns_mx: which hosts take a domain's mail, in which order (RFC 5321 §5.1).
 *
 * Pure: the caller hands in the records and a random number and gets the list of hosts to try. Hosts of equal
 * preference are mixed by that number, so many senders share the load and a test can repeat one. */
#ifndef POSTHORN_CORE_DNS_DNS_MX_H
#define POSTHORN_CORE_DNS_DNS_MX_H

#include "core/dns/dns_rr.h"

#define DNS_MX_MAX 16 /* hosts kept; the best ones when a domain names more */

struct dns_mx_list {
    bool null_mx;  /* the domain says that it takes no mail, RFC 7505 */
    bool implicit; /* no MX record: the domain itself is its host, RFC 5321 §5.1 */
    size_t n;
    struct dns_mx hosts[DNS_MX_MAX];
};

/* rdata: count MX records of domain, as dns_packet gives them; count 0 (the name exists without MX) gives the
 * implicit MX. random mixes equals. Records that name no host (odd octets, the root beside others, an address
 * written as a name) are left out; when none is left the result is ERR_SYNTAX: there are MX records and none
 * can be used, which must be an error and not the implicit MX (RFC 5321 §5.1). */
NODISCARD enum err dns_mx_list(const slice *rdata, size_t count, const struct dns_name *domain,
                               uint64_t random, struct dns_mx_list *out);
/* We are self: leaves out self and all that is not better (RFC 5321 §5.1, so that mail between a domain's
 * hosts only ever moves towards the best). ERR_LOOP when nothing is left: we are the best host and yet do not
 * keep this domain. */
NODISCARD enum err dns_mx_trim(struct dns_mx_list *list, slice self);

#endif
