/* routing: where mail for a domain goes: a fixed next hop of the configuration, an address literal, or the
 * DNS; and which addresses the DNS may not send us to.
 *
 * Pure. Routes are looked up by the domain itself, then by the longest "*.parent" above it, then by "*". A
 * route is the administrator's word and may lead anywhere, loopback included. What strangers say (MX records,
 * address literals) may not: an address of this machine, of a private or a reserved range would make the
 * relay speak to things that trust it (THREATS 36), or to itself for ever (RFC 5321 §5.1). */
#ifndef POSTHORN_POLICY_ROUTING_H
#define POSTHORN_POLICY_ROUTING_H

#include "base/ip.h"
#include "base/slice.h"

#define ROUTING_SMTP_PORT 25

struct routing_route {
    slice domain; /* "example.org", "*.example.org", "*"; any case */
    slice host;   /* a name or an address */
    uint16_t port;
};

enum routing_kind {
    ROUTING_MX,      /* ask the DNS for .domain */
    ROUTING_FIXED,   /* .host and .port of a route */
    ROUTING_ADDRESS, /* an address literal: .ip */
    ROUTING_NOWHERE, /* a domain that is neither: .reason says why; permanent */
};

struct routing {
    enum routing_kind kind;
    slice host;
    uint16_t port;
    struct ip ip;
    const char *reason;
};

/* "DOMAIN HOST:PORT", HOST perhaps in brackets. ERR_SYNTAX. The slices view text. */
NODISCARD enum err routing_parse(slice text, struct routing_route *out);
/* domain: as in a mailbox, lower-case A-labels or a literal in brackets. The result views routes and domain.
 */
void routing_find(const struct routing_route *routes, size_t n, slice domain, struct routing *out);
/* May a stranger's DNS or literal send mail there: global unicast only. */
bool routing_is_public(const struct ip *ip);

#endif
