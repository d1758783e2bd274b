/* smtp_ptr: the name of a client's address in the DNS, believed only when the name leads back to the address
 * (RFC 1912 §2.1). Looked up while the session goes on; nobody waits for it. */
#ifndef POSTHORN_PROC_EDGE_SMTP_PTR_H
#define POSTHORN_PROC_EDGE_SMTP_PTR_H

#include "base/ip.h"
#include "core/dns/dns_name.h"
#include "proc/edge/edge.h"

struct smtp_ptr {
    struct edge *edge;
    struct ip ip;
    struct dns_name tried;
    bool confirmed;
};

/* Starts looking. Loopback addresses are not looked up. */
void smtp_ptr_begin(struct smtp_ptr *p, struct edge *e, const struct ip *ip);
/* The confirmed name, or empty: not known (yet). */
slice smtp_ptr_name(const struct smtp_ptr *p);
void smtp_ptr_done(struct smtp_ptr *p);

#endif
