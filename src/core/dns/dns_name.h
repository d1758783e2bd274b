/* dns_name: a domain name as text, and its two encodings.
 *
 * The rest of the house sees names only as lower-case text of letters, digits, hyphens and underscores
 * without a final dot; the root is the empty text. Any other octet in a label makes the name unusable here
 * (ERR_UNSUPPORTED), so no name from the DNS can carry a NUL, a line end, a dot inside a label or a control
 * character into a log, a command or a comparison (THREATS 3, 10). Internationalised names arrive as
 * A-labels.
 *
 * Limits: 63 octets a label, 253 a name (RFC 1035 §2.3.4); at most DNS_NAME_JUMPS compression pointers, each
 * of which points backwards (RFC 1035 §4.1.4), so reading a name always ends. */
#ifndef POSTHORN_CORE_DNS_DNS_NAME_H
#define POSTHORN_CORE_DNS_DNS_NAME_H

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/slice.h"

#define DNS_NAME_MAX   253
#define DNS_LABEL_MAX  63
#define DNS_NAME_WIRE  255 /* octets of a name on the wire, RFC 1035 §2.3.4 */
#define DNS_NAME_JUMPS 32

struct dns_name {
    uint8_t n;                   /* 0 is the root */
    char text[DNS_NAME_MAX + 1]; /* NUL-terminated */
};

static inline slice dns_name_view(const struct dns_name *name)
{
    return slice_of(name->text, name->n);
}
static inline bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
    return slice_eq(dns_name_view(a), dns_name_view(b));
}

/* From text, any case, one final dot allowed ("." is the root). ERR_SYNTAX when it is no such name; a label
 * may not be empty, and may not begin or end with a hyphen. */
NODISCARD enum err dns_name_parse(slice text, struct dns_name *out);
/* The same for a name that is only asked for, never shown or stored: a label may hold any printable ASCII
 * octet but '.' and '\\', the space too, and hyphens anywhere. SPF's macros make such names (RFC 7208 §7.3),
 * and there are zones that answer them. */
NODISCARD enum err dns_name_parse_odd(slice text, struct dns_name *out);
/* Can this be the name of a machine: at least one label, no underscore, and the last label not a number
 * (RFC 1123 §2.1), so that no address passes for a name. */
bool dns_name_is_host(const struct dns_name *name);
/* True when name is domain or lies below it. */
bool dns_name_below(const struct dns_name *name, slice domain);
/* Reads a name out of a message at *at, following compression pointers, and moves *at behind it.
 * ERR_SYNTAX: the bytes are no name, *at as before. ERR_UNSUPPORTED: a well-formed name with octets this type
 * does not hold; *at has moved. */
NODISCARD enum err dns_name_read(slice message, size_t *at, struct dns_name *out);
/* The same for the octets of dns_name_parse_odd(). */
NODISCARD enum err dns_name_read_odd(slice message, size_t *at, struct dns_name *out);
/* As dns_name_read(), but appends the uncompressed wire form to out, whatever octets the labels hold.
 * ERR_LIMIT when out is full. */
NODISCARD enum err dns_name_expand(slice message, size_t *at, struct buf *out);
/* Appends the wire form, uncompressed (RFC 1035 §3.1). ERR_LIMIT when out is full; out is then as before. */
NODISCARD enum err dns_name_write(const struct dns_name *name, struct buf *out);
/* The name under which an address has its PTR record, RFC 1035 §3.5, RFC 3596 §2.5. */
void dns_name_reverse(const struct ip *ip, struct dns_name *out);

#endif
