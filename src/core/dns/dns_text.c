#include "core/dns/dns_text.h"

static const char dns_text_hex[] = "0123456789ABCDEF";

bool dns_text_type(slice text, uint16_t *out)
{
    uint32_t number;
    for (uint16_t type = 1; type <= DNS_ANY; type++)
        if (*dns_type_name(type) != '?' && slice_eq_nocase(text, slice_str(dns_type_name(type)))) {
            *out = type;
            return true;
        }
    if (!slice_starts_nocase(text, SLICE("TYPE")) || !slice_u32(slice_from(text, 4), &number) ||
        number > UINT16_MAX)
        return false;
    *out = (uint16_t)number;
    return true;
}

enum err dns_text_type_print(uint16_t type, struct buf *out)
{
    const char *name = dns_type_name(type);
    return *name == '?' ? buf_print(out, "TYPE%u", (unsigned)type) : buf_str(out, name);
}

enum err dns_text_name(const struct dns_name *name, struct buf *out)
{
    enum err e = buf_append(out, dns_name_view(name));
    return e ? e : buf_byte(out, '.');
}

/* One octet of a character-string, RFC 1035 §5.1. quotes: inside quotes, where a quote needs its backslash.
 */
static void dns_text_octet(uint8_t c, bool quotes, struct buf *out)
{
    if (c < ' ' || c > '~') {
        buf_print(out, "\\%03u", (unsigned)c);
        return;
    }
    if (quotes && (c == '"' || c == '\\'))
        buf_byte(out, '\\');
    buf_byte(out, c);
}

enum err dns_text_quote(slice octets, struct buf *out)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < octets.n; i++)
        dns_text_octet(octets.p[i], true, out);
    return buf_byte(out, '"');
}

enum err dns_text_txt_joined(slice rdata, struct buf *out)
{
    struct buf joined CLEANUP(buf_done);
    enum err e;
    buf_init(&joined, rdata.n);
    e = dns_rr_txt(rdata, &joined);
    if (e)
        return e;
    for (size_t i = 0; i < joined.n; i++)
        dns_text_octet(joined.p[i], false, out);
    return out->failed ? ERR_LIMIT : OK;
}

static void dns_text_hexes(slice octets, struct buf *out)
{
    for (size_t i = 0; i < octets.n; i++) {
        buf_byte(out, (uint8_t)dns_text_hex[octets.p[i] >> 4]);
        buf_byte(out, (uint8_t)dns_text_hex[octets.p[i] & 15]);
    }
}

/* ---- one function a type; each says whether rdata was what the type asks for, and has then written it */

static bool dns_text_ip(slice rdata, bool v4, struct buf *out)
{
    char text[IP_TEXT];
    struct ip ip;
    if ((v4 ? dns_rr_a(rdata, &ip) : dns_rr_aaaa(rdata, &ip)) != OK || ip_is_v4(&ip) != v4)
        return false;
    ip_print(&ip, text);
    buf_str(out, text);
    return true;
}

static bool dns_text_a(slice rdata, struct buf *out)
{
    return dns_text_ip(rdata, true, out);
}

static bool dns_text_aaaa(slice rdata, struct buf *out)
{
    return dns_text_ip(rdata, false, out);
}

static bool dns_text_one_name(slice rdata, struct buf *out)
{
    struct dns_name name;
    if (dns_rr_name(rdata, &name) != OK)
        return false;
    dns_text_name(&name, out);
    return true;
}

static bool dns_text_mx(slice rdata, struct buf *out)
{
    struct dns_mx mx;
    if (dns_rr_mx(rdata, &mx) != OK)
        return false;
    buf_print(out, "%u ", (unsigned)mx.preference);
    dns_text_name(&mx.host, out);
    return true;
}

static bool dns_text_srv(slice rdata, struct buf *out)
{
    struct dns_srv srv;
    if (dns_rr_srv(rdata, &srv) != OK)
        return false;
    buf_print(out, "%u %u %u ", (unsigned)srv.priority, (unsigned)srv.weight, (unsigned)srv.port);
    dns_text_name(&srv.target, out);
    return true;
}

static bool dns_text_tlsa(slice rdata, struct buf *out)
{
    struct dns_tlsa t;
    if (dns_rr_tlsa(rdata, &t) != OK)
        return false;
    buf_print(out, "%u %u %u ", (unsigned)t.usage, (unsigned)t.selector, (unsigned)t.matching);
    dns_text_hexes(t.data, out);
    return true;
}

static bool dns_text_soa(slice rdata, struct buf *out)
{
    struct dns_soa soa;
    struct dns_name rname;
    size_t at = 0;
    slice rest;
    if (dns_rr_soa(rdata, &soa) != OK || dns_name_read(rdata, &at, &rname) != OK)
        return false;
    rest = slice_from(rdata, at);
    at = 0;
    if (dns_name_read(rest, &at, &rname) != OK)
        return false;
    dns_text_name(&soa.mname, out);
    buf_byte(out, ' ');
    dns_text_name(&rname, out);
    buf_print(out, " %lu %lu %lu %lu %lu", (unsigned long)soa.serial, (unsigned long)soa.refresh_s,
              (unsigned long)soa.retry_s, (unsigned long)soa.expire_s, (unsigned long)soa.minimum_s);
    return true;
}

static bool dns_text_txt(slice rdata, struct buf *out)
{
    struct buf joined CLEANUP(buf_done);
    struct cursor c = cursor_of(rdata);
    uint8_t n;
    slice part;
    buf_init(&joined, rdata.n);
    if (dns_rr_txt(rdata, &joined) != OK)
        return false;
    while (cursor_u8(&c, &n) && cursor_bytes(&c, n, &part)) {
        if (part.p != rdata.p + 1)
            buf_byte(out, ' ');
        dns_text_quote(part, out);
    }
    return true;
}

static const struct {
    uint16_t type;
    bool (*print)(slice rdata, struct buf *out);
} dns_text_types[] = {
    {DNS_A, dns_text_a},       {DNS_AAAA, dns_text_aaaa},      {DNS_NS, dns_text_one_name},
    {DNS_MX, dns_text_mx},     {DNS_CNAME, dns_text_one_name}, {DNS_PTR, dns_text_one_name},
    {DNS_SRV, dns_text_srv},   {DNS_DNAME, dns_text_one_name}, {DNS_TXT, dns_text_txt},
    {DNS_TLSA, dns_text_tlsa}, {DNS_SOA, dns_text_soa},
};

enum err dns_text_rdata(uint16_t type, slice rdata, struct buf *out)
{
    size_t before = out->n;
    bool done = false, failed = out->failed;
    for (size_t i = 0; i < ARRAY_LEN(dns_text_types) && !done; i++)
        if (dns_text_types[i].type == type)
            done = dns_text_types[i].print(rdata, out);
    if (!done) {
        buf_print(out, "\\# %zu%s", rdata.n, rdata.n ? " " : "");
        dns_text_hexes(rdata, out);
    }
    if (!out->failed && !failed)
        return OK;
    buf_truncate(out, before);
    return ERR_LIMIT;
}

enum err dns_text_record(const struct dns_name *name, uint32_t ttl_s, uint16_t type, slice rdata,
                         struct buf *out)
{
    size_t before = out->n;
    enum err e;
    dns_text_name(name, out);
    buf_print(out, " %lu IN ", (unsigned long)ttl_s);
    dns_text_type_print(type, out);
    buf_byte(out, ' ');
    e = dns_text_rdata(type, rdata, out);
    if (e == OK)
        e = buf_byte(out, '\n');
    if (e != OK)
        buf_truncate(out, before);
    return e;
}
