#include "core/dns/dns_name.h"

#include <stdio.h>

/* Which octets a label may hold here, folded to lower case; 0 for the others. */
static char dns_name_fold(uint8_t c, bool odd)
{
    if ((c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-' || c == '_')
        return (char)c;
    if (c >= 'A' && c <= 'Z')
        return (char)(c + 32);
    return odd && c >= ' ' && c <= '~' && c != '.' && c != '\\' ? (char)c : 0;
}

static enum err dns_name_parse_as(slice text, bool odd, struct dns_name *out)
{
    struct dns_name name; /* only what is used of it is written and copied: it is long */
    size_t label = 0;
    if (slice_eq(text, SLICE("."))) {
        out->n = 0;
        out->text[0] = 0;
        return OK;
    }
    if (text.n && text.p[text.n - 1] == '.')
        text = slice_sub(text, 0, text.n - 1);
    if (text.n == 0 || text.n > DNS_NAME_MAX)
        return ERR_SYNTAX;
    for (size_t i = 0; i <= text.n; i++) {
        if (i == text.n || text.p[i] == '.') {
            size_t n = i - label;
            if (n == 0 || n > DNS_LABEL_MAX || (!odd && (text.p[label] == '-' || text.p[i - 1] == '-')))
                return ERR_SYNTAX;
            label = i + 1;
        }
        if (i < text.n) {
            char c = text.p[i] == '.' ? '.' : dns_name_fold(text.p[i], odd);
            if (!c)
                return ERR_SYNTAX;
            name.text[i] = c;
        }
    }
    out->n = (uint8_t)text.n;
    memcpy(out->text, name.text, text.n);
    out->text[text.n] = 0;
    return OK;
}

enum err dns_name_parse(slice text, struct dns_name *out)
{
    return dns_name_parse_as(text, false, out);
}

enum err dns_name_parse_odd(slice text, struct dns_name *out)
{
    return dns_name_parse_as(text, true, out);
}

bool dns_name_is_host(const struct dns_name *name)
{
    slice all = dns_name_view(name), last = slice_from(all, slice_rindex(all, '.') + 1);
    uint64_t number;
    if (all.n == 0 || slice_has(all, '_'))
        return false;
    if (!slice_has(all, '.'))
        last = all;
    return !slice_u64(last, &number);
}

bool dns_name_below(const struct dns_name *name, slice domain)
{
    slice all = dns_name_view(name);
    if (domain.n == 0 || all.n < domain.n || !slice_eq_nocase(slice_from(all, all.n - domain.n), domain))
        return domain.n == 0;
    return all.n == domain.n || all.p[all.n - domain.n - 1] == '.';
}

/* One walk for both readers. label(arg, bytes) is called for each label, the empty one of the root last.
 * A pointer must lead to before the place where the part being read began (RFC 1035 §4.1.4, "prior
 * occurrence"), so the walk strictly descends. */
struct dns_name_walk {
    enum err (*label)(struct dns_name_walk *w, slice bytes);
    struct dns_name *text;
    struct buf *wire;
    bool take_odd; /* octets of dns_name_parse_odd() */
    bool odd;      /* a label with octets the text form does not hold */
};

static enum err dns_name_follow(slice message, size_t *at, struct dns_name_walk *w)
{
    size_t pos = *at, begun = *at, after = 0, total = 1;
    unsigned jumps = 0;
    for (;;) {
        uint8_t n;
        if (pos >= message.n)
            return ERR_SYNTAX;
        n = message.p[pos];
        if ((n & 0xc0) == 0xc0) {
            size_t to;
            if (pos + 1 >= message.n || ++jumps > DNS_NAME_JUMPS)
                return ERR_SYNTAX;
            to = (size_t)(n & 0x3f) << 8 | message.p[pos + 1];
            if (jumps == 1)
                after = pos + 2;
            if (to >= begun)
                return ERR_SYNTAX;
            pos = begun = to;
            continue;
        }
        if (n > DNS_LABEL_MAX || message.n - pos - 1 < n)
            return ERR_SYNTAX; /* 01 and 10 label types are not in use, RFC 6891 §5 */
        if (n)
            total += 1u + n;
        if (total > DNS_NAME_WIRE)
            return ERR_SYNTAX;
        enum err e = w->label(w, slice_sub(message, pos + 1, pos + 1 + n));
        if (e)
            return e;
        pos += 1u + n;
        if (n == 0)
            break;
    }
    *at = jumps ? after : pos;
    return OK;
}

static enum err dns_name_text_label(struct dns_name_walk *w, slice bytes)
{
    struct dns_name *name = w->text;
    if (bytes.n == 0 || w->odd)
        return OK;
    /* the wire bound of 255 makes this fit: dots stand where length octets stood */
    must(name->n + (name->n ? 1u : 0u) + bytes.n <= DNS_NAME_MAX);
    if (name->n)
        name->text[name->n++] = '.';
    for (size_t i = 0; i < bytes.n; i++) {
        char c = dns_name_fold(bytes.p[i], w->take_odd);
        if (!c) {
            w->odd = true;
            return OK;
        }
        name->text[name->n++] = c;
    }
    if (!w->take_odd && (bytes.p[0] == '-' || bytes.p[bytes.n - 1] == '-'))
        w->odd = true; /* keep what dns_name_parse() would take */
    return OK;
}

static enum err dns_name_read_as(slice message, size_t *at, bool odd, struct dns_name *out)
{
    struct dns_name name = {.n = 0};
    struct dns_name_walk w = {.label = dns_name_text_label, .text = &name, .take_odd = odd};
    enum err e = dns_name_follow(message, at, &w);
    if (e)
        return e;
    if (w.odd)
        return ERR_UNSUPPORTED;
    name.text[name.n] = 0;
    *out = name;
    return OK;
}

enum err dns_name_read(slice message, size_t *at, struct dns_name *out)
{
    return dns_name_read_as(message, at, false, out);
}

enum err dns_name_read_odd(slice message, size_t *at, struct dns_name *out)
{
    return dns_name_read_as(message, at, true, out);
}

static enum err dns_name_wire_label(struct dns_name_walk *w, slice bytes)
{
    enum err e = buf_byte(w->wire, (uint8_t)bytes.n);
    return e ? e : buf_append(w->wire, bytes);
}

enum err dns_name_expand(slice message, size_t *at, struct buf *out)
{
    struct dns_name_walk w = {.label = dns_name_wire_label, .wire = out};
    size_t before = out->n;
    enum err e = dns_name_follow(message, at, &w);
    if (e)
        buf_truncate(out, before);
    return e;
}

enum err dns_name_write(const struct dns_name *name, struct buf *out)
{
    slice rest = dns_name_view(name), label;
    size_t before = out->n;
    enum err e = OK;
    while (rest.n && e == OK) {
        slice_split(rest, '.', &label, &rest);
        must(label.n > 0 && label.n <= DNS_LABEL_MAX);
        e = buf_byte(out, (uint8_t)label.n);
        if (e == OK)
            e = buf_append(out, label);
    }
    if (e == OK)
        e = buf_byte(out, 0);
    if (e != OK)
        buf_truncate(out, before);
    return e;
}

void dns_name_reverse(const struct ip *ip, struct dns_name *out)
{
    int n;
    if (ip_is_v4(ip)) {
        n = snprintf(out->text, sizeof out->text, "%u.%u.%u.%u.in-addr.arpa", ip->b[15], ip->b[14], ip->b[13],
                     ip->b[12]);
    } else {
        static const char hex[] = "0123456789abcdef";
        char *p = out->text;
        for (size_t i = 16; i-- > 0;) {
            *p++ = hex[ip->b[i] & 15];
            *p++ = '.';
            *p++ = hex[ip->b[i] >> 4];
            *p++ = '.';
        }
        memcpy(p, "ip6.arpa", sizeof "ip6.arpa");
        n = 16 * 4 + 8;
    }
    must(n > 0 && n <= DNS_NAME_MAX);
    out->n = (uint8_t)n;
}
