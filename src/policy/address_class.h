/* address_class: what kind of IP address this is, so that what we fetch on somebody's word never reaches
 * inside (THREATS 36). Only ADDRESS_GLOBAL may be connected to: the table lists what is special, in the order
 * of the IANA special-purpose registries (RFC 6890), and of IPv6 only 2000::/3 is global at all. */
#ifndef POSTHORN_POLICY_ADDRESS_CLASS_H
#define POSTHORN_POLICY_ADDRESS_CLASS_H

#include "base/ip.h"

enum address_class {
    ADDRESS_GLOBAL,        /* an ordinary address of the Internet */
    ADDRESS_NONE,          /* 0.0.0.0/8, :: */
    ADDRESS_LOOPBACK,      /* 127.0.0.0/8, ::1 */
    ADDRESS_PRIVATE,       /* RFC 1918, unique local RFC 4193 */
    ADDRESS_SHARED,        /* 100.64.0.0/10, RFC 6598 */
    ADDRESS_LINK_LOCAL,    /* 169.254.0.0/16 (where clouds keep secrets), fe80::/10 */
    ADDRESS_MULTICAST,     /* 224.0.0.0/4, ff00::/8 */
    ADDRESS_DOCUMENTATION, /* 192.0.2.0/24 and its like */
    ADDRESS_RESERVED,      /* benchmarks, protocol assignments, the future, all else */
    ADDRESS_TRANSLATED,    /* holds another address: NAT64, 6to4, Teredo, v4-compatible */
};

enum address_class address_class(const struct ip *ip);
/* In words: "a private address". Static memory. */
const char *address_class_text(enum address_class c);

#endif
