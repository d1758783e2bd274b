#include "policy/routing.h"

enum err routing_parse(slice text, struct routing_route *out)
{
    slice domain, target, host;
    size_t colon;
    uint32_t port;
    if (!slice_split(text, ' ', &domain, &target) || domain.n == 0)
        return ERR_SYNTAX;
    target = slice_trim(target);
    colon = slice_rindex(target, ':');
    if (colon == target.n || !slice_u32(slice_from(target, colon + 1), &port) || port == 0 || port > 65535)
        return ERR_SYNTAX;
    host = slice_sub(target, 0, colon);
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = slice_sub(host, 1, host.n - 1);
    if (host.n == 0)
        return ERR_SYNTAX;
    *out = (struct routing_route){.domain = domain, .host = host, .port = (uint16_t)port};
    return OK;
}

/* How well a route fits: 0 not at all, else more the more of the domain it names. */
static size_t routing_fit(slice pattern, slice domain)
{
    slice tail;
    if (slice_eq(pattern, SLICE("*")))
        return 1;
    if (!slice_starts(pattern, SLICE("*.")))
        return slice_eq_nocase(pattern, domain) ? SIZE_MAX : 0;
    tail = slice_from(pattern, 1); /* ".parent": the star stands for at least one octet before it */
    return domain.n > tail.n && slice_ends_nocase(domain, tail) ? 1 + tail.n : 0;
}

/* address-literal, RFC 5321 §4.1.3 */
static void routing_literal(slice domain, struct routing *out)
{
    slice inside = slice_sub(domain, 1, domain.n - 1);
    bool v6 = slice_starts_nocase(inside, SLICE("IPv6:"));
    if (ip_parse(v6 ? slice_from(inside, 5) : inside, &out->ip)) {
        out->reason = "the address literal is of no kind that we know";
        return;
    }
    if (!routing_is_public(&out->ip)) {
        out->reason = "the address literal is not a public address";
        return;
    }
    out->kind = ROUTING_ADDRESS;
    out->port = ROUTING_SMTP_PORT;
}

void routing_find(const struct routing_route *routes, size_t n, slice domain, struct routing *out)
{
    size_t best = 0;
    *out = (struct routing){.kind = ROUTING_NOWHERE};
    for (size_t i = 0; i < n; i++) {
        size_t fit = routing_fit(routes[i].domain, domain);
        if (fit <= best)
            continue;
        best = fit;
        out->kind = ROUTING_FIXED;
        out->host = routes[i].host;
        out->port = routes[i].port;
    }
    if (best)
        return;
    if (domain.n >= 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']') {
        routing_literal(domain, out);
    } else if (domain.n == 0) {
        out->reason = "the address has no domain";
    } else {
        out->kind = ROUTING_MX;
        out->host = domain;
        out->port = ROUTING_SMTP_PORT;
    }
}

/* Prefixes that are not for the public Internet: the IANA special-purpose registries (RFC 6890) with
 * multicast. */
static const struct routing_block {
    /* IPv4 blocks in their v4-mapped form */
    struct ip ip;
    uint8_t bits;
} routing_blocks[] = {
#define V4(a, b, c, d, n)                                                                                    \
    {                                                                                                        \
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}}, 96 + n                                     \
    }
#define V6(a, b, c, d, n)                                                                                    \
    {                                                                                                        \
        {{a, b, c, d}}, n                                                                                    \
    }
    V4(0, 0, 0, 0, 8),              /* "this network", RFC 791 */
    V4(10, 0, 0, 0, 8),             /* RFC 1918 */
    V4(100, 64, 0, 0, 10),          /* shared, RFC 6598 */
    V4(127, 0, 0, 0, 8),            /* loopback, RFC 1122 */
    V4(169, 254, 0, 0, 16),         /* link-local, RFC 3927 */
    V4(172, 16, 0, 0, 12),          /* RFC 1918 */
    V4(192, 0, 0, 0, 24),           /* protocol assignments, RFC 6890 */
    V4(192, 0, 2, 0, 24),           /* documentation, RFC 5737 */
    V4(192, 168, 0, 0, 16),         /* RFC 1918 */
    V4(198, 18, 0, 0, 15),          /* benchmarking, RFC 2544 */
    V4(198, 51, 100, 0, 24),        /* documentation */
    V4(203, 0, 113, 0, 24),         /* documentation */
    V4(224, 0, 0, 0, 3),            /* multicast and reserved, RFC 5771, RFC 1112 */
    V6(0x00, 0x64, 0xff, 0x9b, 32), /* NAT64, RFC 6052: any IPv4 address may hide in it */
    V6(0x20, 0x01, 0x00, 0x00, 23), /* protocol assignments with Teredo, RFC 2928 */
    V6(0x20, 0x01, 0x0d, 0xb8, 32), /* documentation, RFC 3849 */
    V6(0x20, 0x02, 0x00, 0x00, 16), /* 6to4, RFC 3056: the same as NAT64 */
    V6(0x3f, 0xff, 0x00, 0x00, 20), /* documentation, RFC 9637 */
#undef V4
#undef V6
};

bool routing_is_public(const struct ip *ip)
{
    if (!ip_is_v4(ip) && (ip->b[0] & 0xe0) != 0x20)
        return false; /* IPv6 global unicast is 2000::/3 */
    for (size_t i = 0; i < ARRAY_LEN(routing_blocks); i++) {
        const struct routing_block *b = &routing_blocks[i];
        uint8_t whole = b->bits / 8, rest = b->bits % 8;
        uint8_t mask = (uint8_t)(0xff00u >> rest);
        if (memcmp(ip->b, b->ip.b, whole) == 0 && (!rest || ((ip->b[whole] ^ b->ip.b[whole]) & mask) == 0))
            return false;
    }
    return true;
}
