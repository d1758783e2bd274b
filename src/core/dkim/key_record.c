/* Key records (RFC 6376 §3.6.1), and how they are found and used. */
#include "core/dkim/dkim_keys.h"
#include "core/dkim/dkim_parts.h"

#include <stdarg.h>
#include <stdio.h>

#define KEY_TEXT_MAX    ((size_t)8 * 1024) /* RSA of 8192 bits needs 1.4 KB */
#define KEY_RECORDS_MAX 10

slice dkim_words(struct arena *a, const char *format, ...)
{
    char text[512];
    slice out = {0};
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (n <= 0 || !arena_dup(a, slice_of(text, size_min((size_t)n, sizeof(text) - 1)), &out))
        return slice_of(NULL, 0);
    return out;
}

bool dkim_key_name(slice selector, slice domain, struct dns_name *out)
{
    static const slice middle = SLICE_INIT("._domainkey.");
    char text[DNS_NAME_MAX];
    if (selector.n == 0 || domain.n == 0 || selector.n + middle.n + domain.n > sizeof(text))
        return false;
    memcpy(text, selector.p, selector.n);
    memcpy(text + selector.n, middle.p, middle.n);
    memcpy(text + selector.n + middle.n, domain.p, domain.n);
    return dns_name_parse(slice_of(text, selector.n + middle.n + domain.n), out) == OK;
}

const char *dkim_key_record_parse(slice text, enum dkim_algorithm algorithm, struct dkim_key_record *out)
{
    struct tag_list list;
    struct dkim_key_record r = {.rsa = true};
    const slice *v, *tag;
    if (tag_list_parse(text, &list))
        return "is no list of tags";
    v = tag_list_find(&list, SLICE("v"));
    if (v && (!slice_eq(*v, SLICE("DKIM1")) || !slice_eq(list.at[0].name, SLICE("v"))))
        return "is no DKIM key: v= has to be DKIM1 and to come first";
    tag = tag_list_find(&list, SLICE("p"));
    if (!tag)
        return "is no DKIM key: it has no p=";
    r.p = *tag;
    tag = tag_list_find(&list, SLICE("k"));
    if (tag) {
        r.rsa = slice_eq_nocase(*tag, SLICE("rsa"));
        if (!r.rsa && !slice_eq_nocase(*tag, SLICE("ed25519")))
            return "holds a key of an unknown kind (k=)";
    }
    if (r.rsa != (algorithm == DKIM_RSA_SHA256))
        return r.rsa ? "holds an RSA key, but the signature is made with Ed25519"
                     : "holds an Ed25519 key, but the signature is made with RSA";
    tag = tag_list_find(&list, SLICE("h"));
    if (tag && !tag_item_find(*tag, ':', SLICE("sha256")))
        return "does not allow SHA-256 (h=)";
    tag = tag_list_find(&list, SLICE("s"));
    if (tag && !tag_item_find(*tag, ':', SLICE("*")) && !tag_item_find(*tag, ':', SLICE("email")))
        return "is not meant for email (s=)";
    tag = tag_list_find(&list, SLICE("t"));
    if (tag) {
        r.testing = tag_item_find(*tag, ':', SLICE("y"));
        r.strict = tag_item_find(*tag, ':', SLICE("s"));
    }
    *out = r;
    return NULL;
}

/* Why there is no usable key: words in the arena. */
static enum auth_step key_is(struct dkim_key *out, enum auth_result result, slice reason)
{
    *out = (struct dkim_key){.result = result, .reason = reason};
    return reason.n ? AUTH_DONE : AUTH_NO_MEMORY;
}

static enum auth_step key_failed(struct arena *a, const struct dns_name *name, enum dns_answer_status status,
                                 struct dkim_key *out)
{
    const char *why = status == DNS_ANSWER_TIMEOUT ? "the DNS did not answer in time"
                      : status == DNS_ANSWER_BOGUS ? "the answer of the DNS is not validly signed (DNSSEC)"
                                                   : "the DNS gave no answer";
    return key_is(out, AUTH_TEMPERROR,
                  dkim_words(a, "%s when asked for the key record at %s", why, name->text));
}

/* The first record that is a key for this algorithm; else *out_why says what is wrong with the first one that
 * is any key, or with the first. */
static enum auth_step key_pick(const struct dns_answer *answer, enum dkim_algorithm algorithm,
                               struct arena *a, struct dkim_key_record *out, const char **out_why)
{
    *out_why = "cannot be read";
    for (size_t i = 0; i < size_min(answer->n, KEY_RECORDS_MAX); i++) {
        struct buf b CLEANUP(buf_done);
        slice text;
        buf_init(&b, KEY_TEXT_MAX);
        if (dns_rr_txt(answer->rdata[i], &b))
            continue;
        if (!arena_dup(a, buf_view(&b), &text))
            return AUTH_NO_MEMORY;
        const char *why = dkim_key_record_parse(text, algorithm, out);
        if (!why) {
            *out_why = NULL;
            return AUTH_DONE;
        }
        if (i == 0)
            *out_why = why;
    }
    return AUTH_DONE;
}

enum auth_step dkim_key_find(struct dns_table *dns, slice selector, slice domain,
                             enum dkim_algorithm algorithm, struct arena *a, struct dkim_key *out)
{
    struct dns_name name;
    struct dkim_key_record record;
    const char *why;
    if (!dkim_key_name(selector, domain, &name))
        return key_is(out, AUTH_PERMERROR, dkim_words(a, "s= and d= together are too long for a name"));
    const struct dns_answer *answer = dns_table_get(dns, dns_name_view(&name), DNS_TXT);
    if (!answer)
        return AUTH_WAIT;
    if (dns_answer_failed(answer))
        return key_failed(a, &name, answer->status, out);
    if (answer->n == 0 || answer->status != DNS_ANSWER_OK)
        return key_is(out, AUTH_PERMERROR, dkim_words(a, "no key record at %s", name.text));
    enum auth_step step = key_pick(answer, algorithm, a, &record, &why);
    if (step != AUTH_DONE)
        return step;
    if (why)
        return key_is(out, AUTH_PERMERROR, dkim_words(a, "the key record at %s %s", name.text, why));
    if (record.p.n == 0)
        return key_is(out, AUTH_PERMERROR,
                      dkim_words(a, "the key of selector %.*s at %.*s is revoked", SLICE_FMT(selector),
                                 SLICE_FMT(domain)));
    *out = (struct dkim_key){.result = AUTH_PASS, .record = record};
    return AUTH_DONE;
}

enum auth_result dkim_key_check(struct dkim_keys_cache *cache, const struct dkim_key *key,
                                const uint8_t digest[DIGEST_SHA256_SIZE], slice signature, struct arena *a,
                                unsigned *out_bits, slice *out_reason)
{
    struct public_key *own CLEANUP(public_key_free) = NULL, *k;
    enum err e = dkim_keys_get(cache, &key->record, &k, &own);
    if (e) {
        *out_reason = e == ERR_UNSUPPORTED ? SLICE("the key in the DNS is not one that honest people make")
                                           : SLICE("the key in the DNS (p=) is no key of its kind");
        return AUTH_PERMERROR;
    }
    *out_bits = public_key_bits(k);
    if (key->record.rsa && *out_bits < PUBLIC_KEY_RSA_BITS_MIN) {
        *out_reason = dkim_words(a, "the key has only %u bits; fewer than %u are not accepted (RFC 8301)",
                                 *out_bits, PUBLIC_KEY_RSA_BITS_MIN);
        return AUTH_POLICY;
    }
    if (public_key_verify(k, digest, signature))
        return AUTH_PASS;
    *out_reason = SLICE("the signed header fields were changed after signing (or a field was added)");
    return AUTH_FAIL;
}
