#include "core/dns/dns_rr.h"

static const struct {
    uint16_t type;
    const char *name;
} dns_type_names[] = {
    {DNS_A, "A"},     {DNS_NS, "NS"},       {DNS_CNAME, "CNAME"}, {DNS_SOA, "SOA"},
    {DNS_PTR, "PTR"}, {DNS_MX, "MX"},       {DNS_TXT, "TXT"},     {DNS_AAAA, "AAAA"},
    {DNS_SRV, "SRV"}, {DNS_DNAME, "DNAME"}, {DNS_TLSA, "TLSA"},
};

const char *dns_type_name(unsigned type)
{
    for (size_t i = 0; i < ARRAY_LEN(dns_type_names); i++)
        if (dns_type_names[i].type == type)
            return dns_type_names[i].name;
    return "?";
}

enum err dns_rr_a(slice rdata, struct ip *out)
{
    if (rdata.n != 4)
        return ERR_SYNTAX;
    *out = ip_from_v4(rdata.p);
    return OK;
}

enum err dns_rr_aaaa(slice rdata, struct ip *out)
{
    return ip_from_slice(rdata, out);
}

/* A name that is the last thing in its RDATA. Inside RDATA cut out of its message a compression pointer has
 * nothing to point to, so it is refused: dns_name_read() lets pointers lead backwards only, and the bytes
 * before the name are cut off here. */
static enum err dns_rr_last_name(slice rest, bool odd, struct dns_name *out)
{
    struct dns_name name;
    size_t at = 0;
    enum err e = odd ? dns_name_read_odd(rest, &at, &name) : dns_name_read(rest, &at, &name);
    if (e && e != ERR_UNSUPPORTED)
        return e;
    if (at != rest.n)
        return ERR_SYNTAX;
    if (e == OK)
        *out = name;
    return e;
}

enum err dns_rr_name(slice rdata, struct dns_name *out)
{
    return dns_rr_last_name(rdata, false, out);
}

enum err dns_rr_name_odd(slice rdata, struct dns_name *out)
{
    return dns_rr_last_name(rdata, true, out);
}

static enum err dns_rr_mx_as(slice rdata, bool odd, struct dns_mx *out)
{
    struct cursor c = cursor_of(rdata);
    struct dns_mx mx;
    enum err e;
    if (!cursor_u16(&c, &mx.preference))
        return ERR_SYNTAX;
    e = dns_rr_last_name(c.rest, odd, &mx.host);
    if (e == OK)
        *out = mx;
    return e;
}

enum err dns_rr_mx(slice rdata, struct dns_mx *out)
{
    return dns_rr_mx_as(rdata, false, out);
}

enum err dns_rr_mx_odd(slice rdata, struct dns_mx *out)
{
    return dns_rr_mx_as(rdata, true, out);
}

enum err dns_rr_srv(slice rdata, struct dns_srv *out)
{
    struct cursor c = cursor_of(rdata);
    struct dns_srv srv;
    enum err e;
    if (!cursor_u16(&c, &srv.priority) || !cursor_u16(&c, &srv.weight) || !cursor_u16(&c, &srv.port))
        return ERR_SYNTAX;
    e = dns_rr_last_name(c.rest, false, &srv.target);
    if (e == OK)
        *out = srv;
    return e;
}

enum err dns_rr_soa(slice rdata, struct dns_soa *out)
{
    struct dns_soa soa;
    struct dns_name rname;
    struct cursor c;
    size_t at = 0;
    enum err e = dns_name_read(rdata, &at, &soa.mname), e2;
    if (e && e != ERR_UNSUPPORTED)
        return e;
    rdata = slice_from(rdata, at); /* what was before is out of reach of pointers */
    at = 0;
    e2 = dns_name_read(rdata, &at, &rname);
    if (e2 && e2 != ERR_UNSUPPORTED)
        return e2;
    c = cursor_of(slice_from(rdata, at));
    if (!cursor_u32(&c, &soa.serial) || !cursor_u32(&c, &soa.refresh_s) || !cursor_u32(&c, &soa.retry_s) ||
        !cursor_u32(&c, &soa.expire_s) || !cursor_u32(&c, &soa.minimum_s) || !cursor_end(&c))
        return ERR_SYNTAX;
    if (e == OK) /* an RNAME with odd octets is common (john\.doe) and harmless */
        *out = soa;
    return e;
}

enum err dns_rr_tlsa(slice rdata, struct dns_tlsa *out)
{
    struct cursor c = cursor_of(rdata);
    struct dns_tlsa t;
    if (!cursor_u8(&c, &t.usage) || !cursor_u8(&c, &t.selector) || !cursor_u8(&c, &t.matching) ||
        cursor_end(&c))
        return ERR_SYNTAX;
    t.data = c.rest;
    *out = t;
    return OK;
}

enum err dns_rr_txt(slice rdata, struct buf *out)
{
    struct cursor c = cursor_of(rdata);
    size_t before = out->n;
    uint8_t n;
    slice part;
    if (rdata.n == 0)
        return ERR_SYNTAX; /* one or more character-strings, RFC 1035 §3.3.14 */
    while (cursor_u8(&c, &n)) {
        enum err e = cursor_bytes(&c, n, &part) ? buf_append(out, part) : ERR_SYNTAX;
        if (e) {
            buf_truncate(out, before);
            return e;
        }
    }
    return OK;
}
