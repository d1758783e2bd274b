/* What the tags of a signature may be (RFC 6376 §3.5). */
#include "core/dkim/dkim_parts.h"

#include "text/idna.h"
#include "text/utf8.h"

const char *dkim_tag_algorithm(slice a, enum dkim_algorithm *out)
{
    if (slice_eq_nocase(a, SLICE("rsa-sha256")))
        *out = DKIM_RSA_SHA256;
    else if (slice_eq_nocase(a, SLICE("ed25519-sha256")))
        *out = DKIM_ED25519_SHA256;
    else if (slice_eq_nocase(a, SLICE("rsa-sha1")))
        return "it uses SHA-1, which is broken (RFC 8301): a= has to be rsa-sha256 or ed25519-sha256";
    else
        return "its algorithm (a=) is unknown";
    return NULL;
}

static bool canon_word(slice word, enum dkim_canon *out)
{
    *out = slice_eq_nocase(word, SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
    return *out == DKIM_RELAXED || slice_eq_nocase(word, SLICE("simple"));
}

const char *dkim_tag_canon(slice c, enum dkim_canon *out_header, enum dkim_canon *out_body)
{
    slice header, body;
    enum dkim_canon h, b = DKIM_SIMPLE;
    bool two = slice_split(c, '/', &header, &body);
    if (!canon_word(header, &h) || (two && !canon_word(body, &b)))
        return "its canonicalisation (c=) is unknown";
    *out_header = h;
    *out_body = b;
    return NULL;
}

/* In messages of RFC 6532 names may stand as U-labels (RFC 8616 §4). */
static bool name_read(slice text, struct dns_name *out)
{
    uint8_t ascii[IDNA_DOMAIN_MAX];
    size_t n;
    if (utf8_is_ascii(text))
        return text.n && text.p[text.n - 1] != '.' && dns_name_parse(text, out) == OK;
    return idna_to_ascii(text, ascii, &n) == OK && dns_name_parse(slice_of(ascii, n), out) == OK;
}

const char *dkim_tag_domain(slice d, struct dns_name *out)
{
    struct dns_name name;
    if (!name_read(d, &name) || !slice_has(dns_name_view(&name), '.') || slice_has(dns_name_view(&name), '_'))
        return "d= is no domain name";
    *out = name;
    return NULL;
}

const char *dkim_tag_selector(slice s, struct dns_name *out)
{
    struct dns_name name;
    if (!name_read(s, &name))
        return "s= is no selector";
    *out = name;
    return NULL;
}

const char *dkim_tag_names(slice h)
{
    struct tag_items it = tag_items(h);
    size_t n = 0;
    slice name;
    while (tag_items_next(&it, ':', &name)) {
        if (++n > DKIM_NAMES_MAX)
            return "h= names too many fields";
        if (name.n == 0)
            return "h= has an empty name";
        for (size_t i = 0; i < name.n; i++) /* field-name, RFC 5322 §2.2 */
            if (name.p[i] <= 32 || name.p[i] >= 127)
                return "h= holds what is no field name";
    }
    return n ? NULL : "h= is empty";
}

const char *dkim_tag_digest(slice bh, uint8_t out[DIGEST_SHA256_SIZE])
{
    struct buf b CLEANUP(buf_done);
    buf_init(&b, 2 * DIGEST_SHA256_SIZE);
    if (tag_base64(bh, &b) || b.n != DIGEST_SHA256_SIZE)
        return "bh= is no SHA-256 digest in base64";
    memcpy(out, b.p, DIGEST_SHA256_SIZE);
    return NULL;
}

const char *dkim_tag_signature(slice b, struct buf *out)
{
    if (b.n == 0)
        return "b= is empty";
    return tag_base64(b, out) ? "b= is no signature in base64" : NULL;
}

const char *dkim_tag_time(slice t, time_ms *out)
{
    uint64_t s;
    /* up to 12 digits: RFC 6376 §3.5 wants them taken, and no date needs more */
    if (t.n > 12 || !slice_u64(t, &s))
        return "t= or x= is no time";
    *out = (time_ms)s * MS_SECOND;
    return NULL;
}
