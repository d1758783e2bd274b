#include "policy/routing.h"

#include "policy/address_class.h"

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

bool routing_is_public(const struct ip *ip)
{
    return address_class(ip) == ADDRESS_GLOBAL;
}
