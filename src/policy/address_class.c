#include "policy/address_class.h"

struct range {
    uint8_t bits; /* of the 128; IPv4 counts from its v4-mapped form */
    uint8_t class;
    uint8_t prefix[16];
};

#define V4(a, b, c, d, length, class)                                                                        \
    {                                                                                                        \
        96 + (length), class,                                                                                \
        {                                                                                                    \
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d                                             \
        }                                                                                                    \
    }
#define V6(length, class, ...)                                                                               \
    {                                                                                                        \
        length, class,                                                                                       \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

/* The first range that holds the address decides. */
static const struct range ranges[] = {
    V4(0, 0, 0, 0, 8, ADDRESS_NONE),                /* RFC 1122 §3.2.1.3 */
    V4(10, 0, 0, 0, 8, ADDRESS_PRIVATE),            /* RFC 1918 */
    V4(100, 64, 0, 0, 10, ADDRESS_SHARED),          /* RFC 6598 */
    V4(127, 0, 0, 0, 8, ADDRESS_LOOPBACK),          /* RFC 1122 §3.2.1.3 */
    V4(169, 254, 0, 0, 16, ADDRESS_LINK_LOCAL),     /* RFC 3927 */
    V4(172, 16, 0, 0, 12, ADDRESS_PRIVATE),         /* RFC 1918 */
    V4(192, 0, 0, 0, 24, ADDRESS_RESERVED),         /* RFC 6890, with NAT64 discovery and DS-Lite */
    V4(192, 0, 2, 0, 24, ADDRESS_DOCUMENTATION),    /* RFC 5737 */
    V4(192, 31, 196, 0, 24, ADDRESS_RESERVED),      /* AS112, RFC 7535 */
    V4(192, 52, 193, 0, 24, ADDRESS_RESERVED),      /* AMT, RFC 7450 */
    V4(192, 88, 99, 0, 24, ADDRESS_TRANSLATED),     /* 6to4 relays, RFC 7526 */
    V4(192, 168, 0, 0, 16, ADDRESS_PRIVATE),        /* RFC 1918 */
    V4(192, 175, 48, 0, 24, ADDRESS_RESERVED),      /* AS112, RFC 7534 */
    V4(198, 18, 0, 0, 15, ADDRESS_RESERVED),        /* benchmarks, RFC 2544 */
    V4(198, 51, 100, 0, 24, ADDRESS_DOCUMENTATION), /* RFC 5737 */
    V4(203, 0, 113, 0, 24, ADDRESS_DOCUMENTATION),  /* RFC 5737 */
    V4(224, 0, 0, 0, 4, ADDRESS_MULTICAST),         /* RFC 5771 */
    V4(240, 0, 0, 0, 4, ADDRESS_RESERVED),          /* RFC 1112, and the broadcast address */
    V4(0, 0, 0, 0, 0, ADDRESS_GLOBAL),
    V6(127, ADDRESS_NONE, 0),                                       /* :: here, ::1 in address_class() */
    V6(96, ADDRESS_TRANSLATED, 0),                                  /* v4-compatible, RFC 4291 §2.5.5.1 */
    V6(96, ADDRESS_TRANSLATED, 0, 0x64, 0xff, 0x9b),                /* NAT64, RFC 6052 */
    V6(48, ADDRESS_TRANSLATED, 0, 0x64, 0xff, 0x9b, 0, 1),          /* local NAT64, RFC 8215 */
    V6(96, ADDRESS_TRANSLATED, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), /* SIIT ::ffff:0:a.b.c.d, RFC 2765 */
    V6(64, ADDRESS_RESERVED, 1),                                    /* discard only, RFC 6666 */
    V6(32, ADDRESS_TRANSLATED, 0x20, 1),                            /* Teredo, RFC 4380 */
    V6(32, ADDRESS_DOCUMENTATION, 0x20, 1, 0x0d, 0xb8),             /* RFC 3849 */
    V6(23, ADDRESS_RESERVED, 0x20, 1),                              /* protocol assignments, RFC 2928 */
    V6(16, ADDRESS_TRANSLATED, 0x20, 2),                            /* 6to4, RFC 3056 */
    V6(48, ADDRESS_RESERVED, 0x26, 0x20, 0, 0x4f, 0x80),            /* AS112, RFC 7534 */
    V6(20, ADDRESS_DOCUMENTATION, 0x3f, 0xff),                      /* RFC 9637 */
    V6(3, ADDRESS_GLOBAL, 0x20),                                    /* RFC 4291 §2.4 as assigned */
    V6(7, ADDRESS_PRIVATE, 0xfc),                                   /* RFC 4193 */
    V6(10, ADDRESS_LINK_LOCAL, 0xfe, 0x80),                         /* RFC 4291 §2.5.6 */
    V6(10, ADDRESS_PRIVATE, 0xfe, 0xc0),                            /* site-local, RFC 3879 */
    V6(8, ADDRESS_MULTICAST, 0xff),                                 /* RFC 4291 §2.7 */
};

static bool lies_in(const struct ip *ip, const struct range *r)
{
    unsigned whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(ip->b, r->prefix, whole) != 0)
        return false;
    return rest == 0 || ((ip->b[whole] ^ r->prefix[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

enum address_class address_class(const struct ip *ip)
{
    if (ip_is_loopback(ip))
        return ADDRESS_LOOPBACK;
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (lies_in(ip, &ranges[i]))
            return (enum address_class)ranges[i].class;
    return ADDRESS_RESERVED;
}

const char *address_class_text(enum address_class c)
{
    static const char *const texts[] = {
        [ADDRESS_GLOBAL] = "a global address",
        [ADDRESS_NONE] = "no address",
        [ADDRESS_LOOPBACK] = "an address of this machine",
        [ADDRESS_PRIVATE] = "a private address",
        [ADDRESS_SHARED] = "an address inside a provider's network",
        [ADDRESS_LINK_LOCAL] = "a link-local address",
        [ADDRESS_MULTICAST] = "a multicast address",
        [ADDRESS_DOCUMENTATION] = "an address for documentation",
        [ADDRESS_RESERVED] = "a reserved address",
        [ADDRESS_TRANSLATED] = "an address that holds another one",
    };
    must((size_t)c < ARRAY_LEN(texts));
    return texts[c];
}
