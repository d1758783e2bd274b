#include "core/mail/mailbox.h"

#include "text/idna.h"
#include "text/utf8.h"

#include <arpa/inet.h>

static_assert(MAILBOX_DOMAIN_MAX >= IDNA_DOMAIN_MAX, "a domain fits");

/* atext = ALPHA / DIGIT / "!#$%&'*+-/=?^_`{|}~" (RFC 5322 §3.2.3); UTF-8 is decided elsewhere */
static bool mailbox_is_atext(uint8_t c)
{
    static const slice specials = SLICE_INIT("!#$%&'*+-/=?^_`{|}~");
    return ascii_is_alpha(c) || ascii_is_digit(c) || (c < 128 && slice_has(specials, c));
}

static enum err mailbox_put(struct mailbox *m, uint8_t c)
{
    if (m->local_n == MAILBOX_LOCAL_MAX)
        return ERR_LIMIT;
    m->local[m->local_n++] = c;
    m->utf8 |= c >= 128;
    return OK;
}

/* Dot-string = Atom *("." Atom) (RFC 5321 §4.1.2, RFC 6531 §3.3) */
static enum err mailbox_dot_string(struct cursor *c, unsigned allow, struct mailbox *m)
{
    bool after_dot = true;
    for (;;) {
        int b = cursor_peek(c);
        bool dot = b == '.';
        enum err e;
        if (b < 0 || !(dot || mailbox_is_atext((uint8_t)b) || (b >= 128 && (allow & MAILBOX_UTF8))))
            break;
        if (dot && after_dot)
            return ERR_SYNTAX;
        e = mailbox_put(m, (uint8_t)b);
        if (e)
            return e;
        after_dot = dot;
        cursor_skip(c, 1);
    }
    return after_dot ? ERR_SYNTAX : OK;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; its content is printable ASCII, blanks, or UTF-8 when allowed
 */
static enum err mailbox_quoted_string(struct cursor *c, unsigned allow, struct mailbox *m)
{
    cursor_skip(c, 1);
    while (!cursor_take(c, '"')) {
        bool escaped = cursor_take(c, '\\');
        int b = cursor_next(c);
        enum err e;
        if (b < 32 || b == 127 || (b >= 128 && (escaped || !(allow & MAILBOX_UTF8))))
            return ERR_SYNTAX;
        e = mailbox_put(m, (uint8_t)b);
        if (e)
            return e;
    }
    return m->local_n ? OK : ERR_SYNTAX;
}

/* address-literal = "[" ( IPv4 / "IPv6:" IPv6 ) "]" (RFC 5321 §4.1.3); kept in its canonical form */
static enum err mailbox_literal(slice text, struct mailbox *m)
{
    char in[INET6_ADDRSTRLEN + 1], out[INET6_ADDRSTRLEN];
    uint8_t address[16];
    bool six = slice_starts_nocase(text, SLICE("[IPv6:"));
    slice inner;
    size_t n, prefix = six ? 6 : 1;
    if (text.n < 3 || text.p[text.n - 1] != ']')
        return ERR_SYNTAX;
    inner = slice_sub(text, prefix, text.n - 1);
    if (inner.n == 0 || inner.n >= sizeof in || slice_has(inner, 0))
        return ERR_SYNTAX;
    memcpy(in, inner.p, inner.n);
    in[inner.n] = 0;
    if (inet_pton(six ? AF_INET6 : AF_INET, in, address) != 1 ||
        !inet_ntop(six ? AF_INET6 : AF_INET, address, out, sizeof out))
        return ERR_SYNTAX;
    n = strlen(out);
    memcpy(m->domain, six ? "[IPv6:" : "[", prefix);
    memcpy(m->domain + prefix, out, n);
    m->domain[prefix + n] = ']';
    m->domain_n = (uint16_t)(prefix + n + 1);
    m->literal = true;
    return OK;
}

static enum err mailbox_domain_parse(struct cursor *c, unsigned allow, struct mailbox *m)
{
    size_t n = 0;
    slice text;
    enum err e;
    if (cursor_peek(c) == '[') {
        n = slice_index(c->rest, ']');
        if (n == c->rest.n)
            return ERR_SYNTAX;
        text = slice_sub(c->rest, 0, n + 1);
        e = mailbox_literal(text, m);
    } else {
        size_t length;
        while (n < c->rest.n && c->rest.p[n] != '>' && c->rest.p[n] > 32)
            n++;
        text = slice_sub(c->rest, 0, n);
        /* the trailing dot of a fully qualified name has no place in mail (RFC 5321 §2.3.5) */
        if (text.n == 0 || text.p[text.n - 1] == '.' || (!(allow & MAILBOX_UTF8) && !utf8_is_ascii(text)))
            return ERR_SYNTAX;
        e = idna_to_ascii(text, m->domain, &length);
        if (!e)
            m->domain_n = (uint16_t)length;
    }
    if (!e)
        cursor_skip(c, text.n);
    return e;
}

static bool mailbox_needs_quotes(slice local)
{
    bool after_dot = true;
    for (size_t i = 0; i < local.n; i++) {
        uint8_t c = local.p[i];
        if (c == '.' ? after_dot : c < 128 && !mailbox_is_atext(c))
            return true;
        after_dot = c == '.';
    }
    return after_dot;
}

/* Would it print to more than MAILBOX_TEXT_MAX? */
static bool mailbox_is_long(const struct mailbox *m)
{
    slice local = mailbox_local(m);
    size_t n = local.n + m->domain_n + (m->domain_n > 0);
    if (mailbox_needs_quotes(local)) {
        n += 2;
        for (size_t i = 0; i < local.n; i++)
            n += local.p[i] == '"' || local.p[i] == '\\';
    }
    return n > MAILBOX_TEXT_MAX;
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static enum err mailbox_read(struct cursor *c, unsigned allow, struct mailbox *m)
{
    bool quoted = cursor_peek(c) == '"';
    enum err e = quoted ? mailbox_quoted_string(c, allow, m) : mailbox_dot_string(c, allow, m);
    if (e)
        return e;
    if (m->utf8 && (!utf8_valid(mailbox_local(m)) || utf8_has_c1(mailbox_local(m))))
        return ERR_SYNTAX;
    if (cursor_take(c, '@')) {
        e = mailbox_domain_parse(c, allow, m);
        return e || !mailbox_is_long(m) ? e : ERR_LIMIT;
    }
    if ((allow & MAILBOX_POSTMASTER) && slice_eq_nocase(mailbox_local(m), SLICE("postmaster")))
        return OK;
    return ERR_SYNTAX;
}

enum err mailbox_parse(slice text, unsigned allow, struct mailbox *out)
{
    struct cursor c = cursor_of(text);
    struct mailbox m = {0};
    enum err e = mailbox_read(&c, allow, &m);
    if (e)
        return e;
    if (!cursor_end(&c))
        return ERR_SYNTAX;
    *out = m;
    return OK;
}

enum err mailbox_make(slice local, slice domain, unsigned allow, struct mailbox *out)
{
    struct mailbox m = {0};
    struct cursor c = cursor_of(domain);
    enum err e = local.n ? OK : ERR_SYNTAX;
    for (size_t i = 0; !e && i < local.n; i++) {
        uint8_t b = local.p[i];
        e = b < 32 || b == 127 || (b >= 128 && !(allow & MAILBOX_UTF8)) ? ERR_SYNTAX : mailbox_put(&m, b);
    }
    if (!e && m.utf8 && (!utf8_valid(local) || utf8_has_c1(local)))
        e = ERR_SYNTAX;
    if (!e)
        e = mailbox_domain_parse(&c, allow, &m);
    if (e)
        return e;
    if (!cursor_end(&c))
        return ERR_SYNTAX;
    if (mailbox_is_long(&m))
        return ERR_LIMIT;
    *out = m;
    return OK;
}

/* A-d-l ":" before the mailbox: MUST be accepted, SHOULD be ignored (RFC 5321 §4.1.1.3 and appendix C) */
static enum err path_skip_route(struct cursor *c, unsigned allow)
{
    while (cursor_take(c, '@')) {
        struct mailbox hop = {0};
        struct cursor name = *c;
        size_t n = 0;
        enum err e;
        while (n < c->rest.n && c->rest.p[n] != ',' && c->rest.p[n] != ':' && c->rest.p[n] != '>')
            n++;
        name.rest = slice_sub(c->rest, 0, n);
        e = mailbox_domain_parse(&name, allow, &hop);
        if (e || !cursor_end(&name))
            return ERR_SYNTAX;
        cursor_skip(c, n);
        if (cursor_take(c, ':'))
            return OK;
        if (!cursor_take(c, ',') || cursor_peek(c) != '@')
            return ERR_SYNTAX;
    }
    return OK;
}

/* Path = "<" [ A-d-l ":" ] Mailbox ">" */
enum err path_parse(struct cursor *c, unsigned allow, struct mailbox *out)
{
    struct cursor at = *c;
    struct mailbox m = {0};
    enum err e;
    if (!cursor_take(&at, '<'))
        return ERR_SYNTAX;
    if ((allow & MAILBOX_NULL) && cursor_take(&at, '>')) {
        *out = m;
        *c = at;
        return OK;
    }
    e = path_skip_route(&at, allow);
    if (!e)
        e = mailbox_read(&at, allow, &m);
    if (e)
        return e;
    if (!cursor_take(&at, '>'))
        return ERR_SYNTAX;
    *out = m;
    *c = at;
    return OK;
}

static enum err mailbox_print_as(const struct mailbox *m, bool fold, struct buf *out)
{
    uint8_t room[2 * MAILBOX_LOCAL_MAX + 3 + MAILBOX_DOMAIN_MAX];
    slice local = mailbox_local(m), domain = mailbox_domain(m);
    bool quote = mailbox_needs_quotes(local);
    size_t n = 0;
    if (mailbox_is_null(m))
        return OK;
    if (quote)
        room[n++] = '"';
    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '"' || local.p[i] == '\\')
            room[n++] = '\\';
        room[n++] = fold ? ascii_lower(local.p[i]) : local.p[i];
    }
    if (quote)
        room[n++] = '"';
    if (domain.n) {
        room[n++] = '@';
        memcpy(room + n, domain.p, domain.n);
        n += domain.n;
    }
    return buf_append(out, slice_of(room, n));
}

enum err mailbox_print(const struct mailbox *m, struct buf *out)
{
    return mailbox_print_as(m, false, out);
}

enum err mailbox_key(const struct mailbox *m, struct buf *out)
{
    return mailbox_print_as(m, true, out);
}

bool mailbox_same(const struct mailbox *a, const struct mailbox *b)
{
    return slice_eq(mailbox_domain(a), mailbox_domain(b)) &&
           slice_eq_nocase(mailbox_local(a), mailbox_local(b));
}
