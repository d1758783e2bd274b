#include "core/dkim/signature.h"

#include "base/hash.h"

/* RFC 8601 §2.7.1 has these words: permerror for what is wrong in itself, neutral for what we do not know how
 * to read, policy for what is right but not accepted here. */
static void refuse(struct dkim_signature *s, enum auth_result result, const char *why)
{
    s->result.result = result;
    s->result.reason = slice_str(why);
}

/* True when there is nothing wrong (why is NULL). */
static bool permerror(struct dkim_signature *s, const char *why)
{
    if (why)
        refuse(s, AUTH_PERMERROR, why);
    return !why;
}

/* A value without the white space it may hold, in the arena when there is some. */
static bool read_squeezed(slice value, struct arena *a, slice *out)
{
    size_t n = 0;
    uint8_t *p;
    bool blanks = false;
    for (size_t i = 0; i < value.n; i++)
        blanks = blanks || value.p[i] <= ' ';
    *out = value;
    if (!blanks)
        return true;
    p = arena_alloc(a, value.n);
    if (!p)
        return false;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] > ' ')
            p[n++] = value.p[i];
    *out = slice_of(p, n);
    return true;
}

/* v=, a=, c=, q=, l=: is it a signature of a kind that we take? */
static bool read_kind(const struct tag_list *tags, struct dkim_signature *s)
{
    const slice *v = tag_list_find(tags, SLICE("v")), *a = tag_list_find(tags, SLICE("a"));
    const slice *c = tag_list_find(tags, SLICE("c")), *q = tag_list_find(tags, SLICE("q"));
    const char *why;
    if (!v || !slice_eq(*v, SLICE("1"))) {
        refuse(s, v ? AUTH_NEUTRAL : AUTH_PERMERROR,
               v ? "its version (v=) is unknown" : "it has no version (v=)");
        return false;
    }
    why = dkim_tag_algorithm(*a, &s->algorithm);
    if (why) {
        refuse(s, slice_eq_nocase(*a, SLICE("rsa-sha1")) ? AUTH_POLICY : AUTH_NEUTRAL, why);
        return false;
    }
    why = c ? dkim_tag_canon(*c, &s->header_canon, &s->body_canon) : NULL;
    if (!why && q && !tag_item_find(*q, ':', SLICE("dns/txt")))
        why = "it names no way to its key that is known here (q=)";
    if (why) {
        refuse(s, AUTH_NEUTRAL, why);
        return false;
    }
    if (tag_list_find(tags, SLICE("l"))) {
        refuse(s, AUTH_NONE, "l= is not accepted: what follows the signed part could be anybody's");
        return false;
    }
    return true;
}

/* i=: [local-part] "@" domain, where the domain is d= or below (RFC 6376 §3.5). */
static bool read_identity(const struct tag_list *tags, struct arena *a, struct dkim_signature *s)
{
    const slice *i = tag_list_find(tags, SLICE("i"));
    slice identity, domain;
    struct dns_name name;
    if (!i)
        return true;
    if (!read_squeezed(*i, a, &identity))
        return false;
    size_t at = slice_rindex(identity, '@');
    domain = slice_from(identity, at + 1);
    if (at == identity.n || dkim_tag_domain(domain, &name)) {
        refuse(s, AUTH_PERMERROR, "i= is no identity");
    } else if (!dns_name_below(&name, dns_name_view(&s->domain))) {
        refuse(s, AUTH_PERMERROR, "i= is not in the domain of d=");
    } else {
        s->identity_below = !dns_name_eq(&name, &s->domain);
        s->result.identity = identity;
    }
    return true;
}

static bool read_times(const struct tag_list *tags, struct dkim_signature *s)
{
    const slice *t = tag_list_find(tags, SLICE("t")), *x = tag_list_find(tags, SLICE("x"));
    if (!permerror(s, t ? dkim_tag_time(*t, &s->result.signed_at) : NULL) ||
        !permerror(s, x ? dkim_tag_time(*x, &s->result.expires_at) : NULL))
        return false;
    /* without t= too: nothing was made before 1970, and 0 would read as "not said" */
    return permerror(
        s, x && s->result.expires_at <= s->result.signed_at ? "it ends (x=) before it was made (t=)" : NULL);
}

static size_t names_count(slice h, slice name)
{
    struct tag_items it = tag_items(h);
    slice item;
    size_t n = 0;
    while (tag_items_next(&it, ':', &item))
        n += slice_eq_nocase(item, name);
    return n;
}

/* RFC 6376 §5.4: From has to be signed. §8.15: a field that may stand once (RFC 5322 §3.6) stands twice and
 * one of them is not signed: the reader might be shown that one (THREATS 22). */
static bool read_names(const struct dkim_fields *fields, struct dkim_signature *s)
{
    static const struct {
        slice name;
        const char *why;
    } once[] = {
        {SLICE_INIT("From"), "there is a From field that is not signed"},
        {SLICE_INIT("Subject"), "there is a Subject field that is not signed"},
        {SLICE_INIT("Date"), "there is a Date field that is not signed"},
        {SLICE_INIT("Sender"), "there is a Sender field that is not signed"},
        {SLICE_INIT("Reply-To"), "there is a Reply-To field that is not signed"},
        {SLICE_INIT("Message-ID"), "there is a Message-ID field that is not signed"},
        {SLICE_INIT("MIME-Version"), "there is a MIME-Version field that is not signed"},
        {SLICE_INIT("Content-Type"), "there is a Content-Type field that is not signed"},
        {SLICE_INIT("Content-Transfer-Encoding"),
         "there is a Content-Transfer-Encoding field that is not signed"},
    };
    if (!permerror(s, dkim_tag_names(s->h)))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(once); i++) {
        size_t there = dkim_fields_count(fields, once[i].name);
        if (i > 0 && there < 2)
            continue;
        size_t named = names_count(s->h, once[i].name);
        if (i == 0 && named == 0)
            return permerror(s, "the From field is not signed (h=)");
        if (named > 0 && named < there) {
            refuse(s, AUTH_POLICY, once[i].why);
            return false;
        }
    }
    return true;
}

/* bh= and b=. */
static bool read_values(const struct tag_list *tags, struct arena *a, struct dkim_signature *s)
{
    static const struct hash_key open = {0};
    struct buf b CLEANUP(buf_done);
    buf_init(&b, DKIM_SIGNATURE_MAX);
    if (!permerror(s, dkim_tag_digest(*tag_list_find(tags, SLICE("bh")), s->body_digest)) ||
        !permerror(s, dkim_tag_signature(s->b, &b)))
        return true;
    s->result.fingerprint = hash_slice(&open, buf_view(&b));
    return arena_dup(a, buf_view(&b), &s->signature);
}

/* What of the tags may be shown although the rest is refused: names that are names, the beginning of b=. */
static bool read_shown(const struct tag_list *tags, struct arena *a, struct dkim_signature *s)
{
    const slice *alg = tag_list_find(tags, SLICE("a"));
    slice b;
    bool plain = alg && alg->n <= 32;
    for (size_t i = 0; plain && i < alg->n; i++)
        plain = ascii_is_alpha(alg->p[i]) || ascii_is_digit(alg->p[i]) || alg->p[i] == '-';
    if (plain)
        s->result.algorithm = *alg;
    /* base64 only: a quarter of it is enough to see, white space included */
    if (!read_squeezed(slice_sub(s->b, 0, 64), a, &b))
        return false;
    for (size_t i = 0; i < b.n; i++)
        if (!ascii_is_alpha(b.p[i]) && !ascii_is_digit(b.p[i]) && b.p[i] != '+' && b.p[i] != '/')
            b.n = i;
    s->result.b = slice_sub(b, 0, 8);
    return true;
}

static bool read_tags(const struct tag_list *tags, struct dkim_signature *s)
{
    static const struct {
        slice name;
        const char *missing;
    } required[] = {
        {SLICE_INIT("a"), "it has no algorithm (a=)"},   {SLICE_INIT("b"), "it has no signature (b=)"},
        {SLICE_INIT("bh"), "it has no body hash (bh=)"}, {SLICE_INIT("d"), "it has no domain (d=)"},
        {SLICE_INIT("h"), "it names no fields (h=)"},    {SLICE_INIT("s"), "it has no selector (s=)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        if (!tag_list_find(tags, required[i].name))
            return permerror(s, required[i].missing);
    s->b = *tag_list_find(tags, SLICE("b"));
    s->h = *tag_list_find(tags, SLICE("h"));
    return true;
}

static bool read_names_of_key(const struct tag_list *tags, struct dkim_signature *s)
{
    if (!permerror(s, dkim_tag_domain(*tag_list_find(tags, SLICE("d")), &s->domain)))
        return false;
    s->result.domain = dns_name_view(&s->domain);
    if (!permerror(s, dkim_tag_selector(*tag_list_find(tags, SLICE("s")), &s->selector)))
        return false;
    s->result.selector = dns_name_view(&s->selector);
    return true;
}

bool dkim_signature_read(const struct dkim_fields *fields, const struct dkim_field *field, struct arena *a,
                         struct dkim_signature *s)
{
    struct tag_list tags;
    s->raw = field->raw;
    enum err e = tag_list_parse(field->value, &tags);
    if (e) {
        refuse(s, AUTH_PERMERROR,
               e == ERR_EXISTS ? "it has a tag twice" : "it is no list of tags (RFC 6376 §3.2)");
        return true;
    }
    if (!read_tags(&tags, s))
        return true;
    if (!read_shown(&tags, a, s))
        return false;
    if (!read_names_of_key(&tags, s) || !permerror(s, fields->defect) || !read_kind(&tags, s) ||
        !read_times(&tags, s) || !read_names(fields, s))
        return true;
    return read_identity(&tags, a, s) && (s->result.reason.n || read_values(&tags, a, s));
}
