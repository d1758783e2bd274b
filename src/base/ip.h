/* ip: an IPv4 or IPv6 address as a value. IPv4 is kept in its v4-mapped form, so one comparison serves both.
 */
#ifndef POSTHORN_BASE_IP_H
#define POSTHORN_BASE_IP_H

#include "base/err.h"
#include "base/slice.h"

struct ip {
    uint8_t b[16]; /* ::ffff:a.b.c.d for IPv4; all zero: none */
};

#define IP_TEXT 46 /* the longest text with its NUL */

bool ip_is_v4(const struct ip *a);
bool ip_is_none(const struct ip *a);
bool ip_is_loopback(const struct ip *a);
bool ip_eq(const struct ip *a, const struct ip *b);
struct ip ip_from_v4(const uint8_t b[4]);
/* Dotted quad or IPv6 text without brackets and zone. ERR_SYNTAX otherwise. */
NODISCARD enum err ip_parse(slice text, struct ip *out);
/* Writes the usual text (RFC 5952 for IPv6) and a NUL. */
void ip_print(const struct ip *a, char out[IP_TEXT]);
/* For IPC, where an address is a slice of 16 bytes. */
static inline slice ip_slice(const struct ip *a)
{
    return slice_of(a->b, sizeof a->b);
}
NODISCARD enum err ip_from_slice(slice s, struct ip *out);
/* The first bits of the address (of the 32 or 128) kept, the others zero: the block it lies in. */
struct ip ip_block(const struct ip *a, unsigned v4_bits, unsigned v6_bits);

#endif
