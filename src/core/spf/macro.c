#include "core/spf/macro.h"

#include "base/check.h"

/* macro-expand = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-" */
struct macro {
    uint8_t letter; /* lower case; or one of % _ - */
    bool upper;     /* URL-escape */
    bool reverse;
    size_t keep;      /* right-hand parts; 0: all */
    slice delimiters; /* empty: "." */
};

static bool macro_in(uint8_t c, slice set)
{
    return slice_has(set, c);
}

/* Takes a macro whose '%' was taken. */
static bool macro_take(struct cursor *c, bool explaining, struct macro *out)
{
    struct macro m = {0};
    int b = cursor_next(c);
    if (b == '%' || b == '_' || b == '-') {
        *out = (struct macro){.letter = (uint8_t)b};
        return true;
    }
    if (b != '{' || (b = cursor_next(c)) < 0)
        return false;
    m.letter = ascii_lower((uint8_t)b);
    m.upper = m.letter != b;
    if (!macro_in(m.letter, explaining ? SLICE("slodipvhcrt") : SLICE("slodipvh")))
        return false;
    if ((b = cursor_peek(c)) >= '0' && b <= '9') {
        for (; (b = cursor_peek(c)) >= '0' && b <= '9'; cursor_skip(c, 1)) /* no value has a thousand parts */
            m.keep = size_min(m.keep * 10 + (size_t)(b - '0'), 1000);
        if (m.keep == 0)
            return false; /* RFC 7208 §7.3: must be nonzero */
    }
    if ((b = cursor_peek(c)) == 'r' || b == 'R') {
        m.reverse = true;
        cursor_skip(c, 1);
    }
    m.delimiters = c->rest;
    while ((b = cursor_peek(c)) > 0 && macro_in((uint8_t)b, SLICE(".-+,/_=")))
        cursor_skip(c, 1);
    m.delimiters.n -= c->rest.n;
    if (!cursor_take(c, '}'))
        return false;
    *out = m;
    return true;
}

/* macro-literal = %x21-24 / %x26-7E. *out_literal: what stands behind the last macro. */
static bool macro_walk(slice s, bool explaining, slice *out_literal)
{
    struct cursor c = cursor_of(s);
    struct macro m;
    slice literal = s;
    while (!cursor_end(&c)) {
        int b = cursor_next(&c);
        if (b == '%') {
            if (!macro_take(&c, explaining, &m))
                return false;
            literal = c.rest;
        } else if (b < (explaining ? ' ' : '!') || b > '~') {
            return false;
        }
    }
    *out_literal = literal;
    return true;
}

bool spf_macro_is_string(slice s)
{
    slice literal;
    return macro_walk(s, false, &literal);
}

bool spf_macro_is_explanation(slice s)
{
    slice literal;
    return macro_walk(s, true, &literal);
}

/* toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum ) */
static bool macro_is_toplabel(slice s)
{
    bool other = false;
    if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i]) && !ascii_is_alpha(s.p[i]) && s.p[i] != '-')
            return false;
        other |= !ascii_is_digit(s.p[i]);
    }
    return other;
}

/* domain-end = ( "." toplabel [ "." ] ) / macro-expand */
bool spf_macro_is_domain_spec(slice s)
{
    slice literal;
    size_t dot;
    if (s.n == 0 || !macro_walk(s, false, &literal))
        return false;
    if (literal.n == 0)
        return true;
    if (literal.p[literal.n - 1] == '.')
        literal.n--;
    dot = slice_rindex(literal, '.');
    return dot < literal.n && macro_is_toplabel(slice_from(literal, dot + 1));
}

bool spf_macro_uses(slice s, uint8_t letter)
{
    struct cursor c = cursor_of(s);
    struct macro m;
    while (!cursor_end(&c))
        if (cursor_next(&c) == '%' && macro_take(&c, true, &m) && m.letter == letter)
            return true;
    return false;
}

/* The address for i: dotted decimal, or 32 hexadecimal digits with dots between (RFC 7208 §7.3). The digits
 * are capitals: so the public suite has them, and to the DNS it is the same. */
static void macro_address(const struct ip *ip, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    char text[IP_TEXT];
    if (ip_is_v4(ip)) {
        ip_print(ip, text);
        buf_str(out, text);
        return;
    }
    for (size_t i = 0; i < sizeof ip->b; i++) {
        char four[4] = {hex[ip->b[i] >> 4], '.', hex[ip->b[i] & 15], '.'};
        buf_append(out, slice_of(four, i + 1 < sizeof ip->b ? 4 : 3));
    }
}

/* The value of a letter before it is transformed. */
static void macro_value(uint8_t letter, const struct spf_macros *m, struct buf *out)
{
    char text[IP_TEXT];
    switch (letter) {
    case 's':
        buf_append(out, m->local);
        buf_byte(out, '@');
        buf_append(out, m->sender_domain);
        break;
    case 'l':
        buf_append(out, m->local);
        break;
    case 'o':
        buf_append(out, m->sender_domain);
        break;
    case 'd':
        buf_append(out, m->domain);
        break;
    case 'i':
        macro_address(&m->client, out);
        break;
    case 'p':
        buf_append(out, m->client_name.n ? m->client_name : SLICE("unknown"));
        break;
    case 'v':
        buf_append(out, ip_is_v4(&m->client) ? SLICE("in-addr") : SLICE("ip6"));
        break;
    case 'h':
        buf_append(out, m->helo);
        break;
    case 'c':
        ip_print(&m->client, text);
        buf_str(out, text);
        break;
    case 'r':
        buf_append(out, m->receiver.n ? m->receiver : SLICE("unknown"));
        break;
    default: /* t */
        buf_u64(out, (uint64_t)(m->now > 0 ? m->now / MS_SECOND : 0));
    }
}

static void macro_escape(slice s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) /* unreserved stays, RFC 3986 §2.3 */
        if (ascii_is_alpha(s.p[i]) || ascii_is_digit(s.p[i]) || macro_in(s.p[i], SLICE("-._~")))
            buf_byte(out, s.p[i]);
        else
            buf_print(out, "%%%02X", s.p[i]);
}

/* Splits at any delimiter, turns the parts round, keeps the right-hand ones and joins them with dots
 * (RFC 7208 §7.3). The parts are walked from the end that comes out last, so that keeping is stopping. */
static void macro_transform(slice value, const struct macro *m, struct buf *out)
{
    slice delimiters = m->delimiters.n ? m->delimiters : SLICE(".");
    size_t parts = 1, skip;
    for (size_t i = 0; i < value.n; i++)
        parts += macro_in(value.p[i], delimiters);
    skip = m->keep && m->keep < parts ? parts - m->keep : 0;
    if (m->reverse) { /* the last part comes first: the right-hand ones of the result are the first of the
                         value */
        size_t end = value.n, part = 0;
        for (size_t i = value.n + 1; i-- > 0;) {
            if (i > 0 && !macro_in(value.p[i - 1], delimiters))
                continue;
            if (part >= skip) {
                if (part > skip)
                    buf_byte(out, '.');
                buf_append(out, slice_sub(value, i, end));
            }
            part++;
            end = i ? i - 1 : 0;
        }
    } else {
        size_t begin = 0, part = 0;
        for (size_t i = 0; i <= value.n; i++) {
            if (i < value.n && !macro_in(value.p[i], delimiters))
                continue;
            if (part >= skip) {
                if (part > skip)
                    buf_byte(out, '.');
                buf_append(out, slice_sub(value, begin, i));
            }
            part++;
            begin = i + 1;
        }
    }
}

static void macro_expand_one(const struct macro *m, const struct spf_macros *values, struct buf *out)
{
    struct buf value CLEANUP(buf_done), turned CLEANUP(buf_done);
    slice text;
    buf_init(&value, SPF_EXPANSION_MAX);
    buf_init(&turned, SPF_EXPANSION_MAX);
    macro_value(m->letter, values, &value);
    text = buf_view(&value);
    if (m->keep || m->reverse || m->delimiters.n) {
        macro_transform(text, m, &turned);
        text = buf_view(&turned);
    }
    if (buf_failed(&value) || buf_failed(&turned))
        out->failed = true;
    else if (m->upper)
        macro_escape(text, out);
    else
        buf_append(out, text);
}

enum err spf_macro_expand(slice s, const struct spf_macros *values, struct buf *out)
{
    struct cursor c = cursor_of(s);
    while (!cursor_end(&c) && !buf_failed(out)) {
        slice literal = slice_sub(c.rest, 0, slice_index(c.rest, '%'));
        bool end = literal.n == c.rest.n;
        struct macro m;
        buf_append(out, literal);
        cursor_skip(&c, literal.n + 1);
        if (end)
            break;
        must(macro_take(&c, true, &m)); /* it was checked before */
        if (m.letter == '%' || m.letter == '_')
            buf_byte(out, m.letter == '%' ? '%' : ' ');
        else if (m.letter == '-')
            buf_str(out, "%20");
        else
            macro_expand_one(&m, values, out);
    }
    return buf_failed(out) ? ERR_LIMIT : OK;
}
