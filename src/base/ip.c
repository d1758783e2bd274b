#include "base/ip.h"

#include <arpa/inet.h>

static const uint8_t ip_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ip_is_v4(const struct ip *a)
{
    return memcmp(a->b, ip_mapped, sizeof ip_mapped) == 0;
}

bool ip_is_none(const struct ip *a)
{
    static const struct ip none;
    return ip_eq(a, &none);
}

bool ip_is_loopback(const struct ip *a)
{
    static const struct ip one = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    return ip_is_v4(a) ? a->b[12] == 127 : ip_eq(a, &one);
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

struct ip ip_from_v4(const uint8_t b[4])
{
    struct ip a;
    memcpy(a.b, ip_mapped, sizeof ip_mapped);
    memcpy(a.b + 12, b, 4);
    return a;
}

enum err ip_parse(slice text, struct ip *out)
{
    char z[IP_TEXT];
    struct in_addr v4;
    struct in6_addr v6;
    if (text.n == 0 || text.n >= sizeof z || slice_has(text, 0))
        return ERR_SYNTAX;
    memcpy(z, text.p, text.n);
    z[text.n] = 0;
    if (inet_pton(AF_INET, z, &v4) == 1) {
        *out = ip_from_v4((const uint8_t *)&v4);
        return OK;
    }
    if (inet_pton(AF_INET6, z, &v6) != 1)
        return ERR_SYNTAX;
    memcpy(out->b, &v6, sizeof out->b);
    return OK;
}

void ip_print(const struct ip *a, char out[IP_TEXT])
{
    const char *r =
        ip_is_v4(a) ? inet_ntop(AF_INET, a->b + 12, out, IP_TEXT) : inet_ntop(AF_INET6, a->b, out, IP_TEXT);
    must(r);
}

enum err ip_from_slice(slice s, struct ip *out)
{
    if (s.n != sizeof out->b)
        return ERR_SYNTAX;
    memcpy(out->b, s.p, sizeof out->b);
    return OK;
}

struct ip ip_block(const struct ip *a, unsigned v4_bits, unsigned v6_bits)
{
    struct ip r = *a;
    unsigned keep = ip_is_v4(a) ? 96 + v4_bits : v6_bits;
    for (unsigned i = 0; i < 16; i++) {
        unsigned bits = keep > 8 * i ? keep - 8 * i : 0;
        r.b[i] = (uint8_t)(bits >= 8 ? r.b[i] : r.b[i] & ~(0xffu >> bits));
    }
    return r;
}
