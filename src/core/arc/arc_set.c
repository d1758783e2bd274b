#include "core/arc/arc_set.h"
#include "text/cfws.h"

enum arc_field { ARC_AAR, ARC_AMS, ARC_SEAL, ARC_OTHER };

static const char *const arc_names[] = {"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"};

static enum arc_field arc_field_kind(slice name)
{
    for (enum arc_field k = ARC_AAR; k < ARC_OTHER; k++)
        if (slice_eq_nocase(name, slice_str(arc_names[k])))
            return k;
    return ARC_OTHER;
}

/* instance = 1*2DIGIT, 1 to 50 (RFC 8617 §4.2.1). 0 when it is none. */
static unsigned arc_instance(slice digits)
{
    uint32_t i;
    return digits.n <= 2 && slice_u32(digits, &i) && i >= 1 && i <= ARC_SETS_MAX ? i : 0;
}

/* arc-info = [CFWS] "i" [CFWS] "=" [CFWS] 1*2DIGIT [CFWS] ";" authres-payload (RFC 8617 §4.1.1). */
static unsigned arc_aar_instance(slice value, slice *out_results)
{
    struct cursor c = cursor_of(value);
    slice digits;
    size_t n = 0;
    cfws_skip(&c);
    if (!cursor_take(&c, 'i'))
        return 0;
    cfws_skip(&c);
    if (!cursor_take(&c, '='))
        return 0;
    cfws_skip(&c);
    while (n < c.rest.n && ascii_is_digit(c.rest.p[n]))
        n++;
    digits = slice_sub(c.rest, 0, n);
    cursor_skip(&c, n);
    cfws_skip(&c);
    if (!cursor_take(&c, ';'))
        return 0;
    *out_results = slice_trim(c.rest);
    return arc_instance(digits);
}

/* A tag that has to be there. NULL with *why set when it is not. */
static const slice *arc_tag(const struct tag_list *tags, slice name, const char **why)
{
    const slice *value = tag_list_find(tags, name);
    if (!value)
        *why = "a tag that it needs is missing";
    return value;
}

/* a=, b=, d=, s=, t=. Returns NULL or why not; *full at the arena's cap. */
static const char *arc_signature_read(const struct tag_list *tags, const struct dkim_field *field,
                                      struct arena *a, struct arc_signature *out, bool *full)
{
    struct buf CLEANUP(buf_done) signature = {0};
    const char *why = NULL;
    const slice *alg = arc_tag(tags, SLICE("a"), &why), *b = arc_tag(tags, SLICE("b"), &why);
    const slice *d = arc_tag(tags, SLICE("d"), &why), *s = arc_tag(tags, SLICE("s"), &why);
    const slice *t = tag_list_find(tags, SLICE("t"));
    if (!alg || !b || !d || !s)
        return why;
    out->raw = field->raw;
    out->b = *b;
    buf_init(&signature, DKIM_SIGNATURE_MAX);
    why = dkim_tag_algorithm(*alg, &out->algorithm);
    if (!why)
        why = dkim_tag_domain(*d, &out->domain);
    if (!why)
        why = dkim_tag_selector(*s, &out->selector);
    if (!why && t)
        why = dkim_tag_time(*t, &out->signed_at);
    if (!why)
        why = dkim_tag_signature(*b, &signature);
    if (!why && !arena_dup(a, buf_view(&signature), &out->signature)) {
        *full = true;
        why = "out of memory";
    }
    return why;
}

/* RFC 8617 §4.1.2: h= is as in DKIM-Signature, but may be empty, and never names ARC-Seal. */
static const char *arc_names_signed(slice h)
{
    struct tag_items it = tag_items(h);
    size_t n = 0;
    slice name;
    while (tag_items_next(&it, ':', &name)) {
        if (++n > DKIM_NAMES_MAX)
            return "h= names too many fields";
        if (arc_field_kind(name) == ARC_SEAL)
            return "h= names ARC-Seal, which it must not";
    }
    return NULL;
}

static const char *arc_ams_read(const struct tag_list *tags, const struct dkim_field *field, struct arena *a,
                                struct arc_set *set, bool *full)
{
    const char *why = NULL;
    const slice *bh = arc_tag(tags, SLICE("bh"), &why), *h = arc_tag(tags, SLICE("h"), &why);
    const slice *c = tag_list_find(tags, SLICE("c")), *x = tag_list_find(tags, SLICE("x"));
    if (!bh || !h)
        return why;
    if (tag_list_find(tags, SLICE("l")))
        return "l= is not accepted: what follows the signed part could be anybody's";
    set->h = *h;
    set->header_canon = set->body_canon = DKIM_SIMPLE;
    set->canon_unsaid = !c;
    why = arc_signature_read(tags, field, a, &set->ams_signature, full);
    if (!why)
        why = dkim_tag_digest(*bh, set->body_digest);
    if (!why && c)
        why = dkim_tag_canon(*c, &set->header_canon, &set->body_canon);
    if (!why && x)
        why = dkim_tag_time(*x, &set->expires_at);
    return why ? why : arc_names_signed(*h);
}

/* RFC 8617 §4.1.3: the tags of a seal; h= must not be there. */
static const char *arc_seal_read(const struct tag_list *tags, const struct dkim_field *field, struct arena *a,
                                 struct arc_set *set, bool *full)
{
    const char *why = NULL;
    const slice *cv = arc_tag(tags, SLICE("cv"), &why);
    if (!cv)
        return why;
    if (tag_list_find(tags, SLICE("h")))
        return "it has an h=, which a seal must not";
    if (slice_eq_nocase(*cv, SLICE("none")))
        set->cv = ARC_CV_NONE;
    else if (slice_eq_nocase(*cv, SLICE("pass")))
        set->cv = ARC_CV_PASS;
    else if (slice_eq_nocase(*cv, SLICE("fail")))
        set->cv = ARC_CV_FAIL;
    else
        return "its cv= is none of none, pass and fail";
    return arc_signature_read(tags, field, a, &set->seal_signature, full);
}

/* Puts one field into its set. Returns NULL or why that breaks the chain. */
static const char *arc_take(struct arc_chain *chain, enum arc_field kind, const struct dkim_field *field,
                            struct arena *a, bool *full)
{
    struct tag_list tags;
    struct arc_set *set;
    const struct dkim_field **place;
    unsigned instance;
    slice results = {0};
    if (kind == ARC_AAR) {
        instance = arc_aar_instance(field->value, &results);
    } else {
        const slice *i = tag_list_parse(field->value, &tags) ? NULL : tag_list_find(&tags, SLICE("i"));
        instance = i ? arc_instance(*i) : 0;
    }
    if (instance == 0)
        return "it cannot be read, or has no instance (i=) from 1 to 50";
    set = &chain->sets[instance - 1];
    place = kind == ARC_AAR ? &set->aar : kind == ARC_AMS ? &set->ams : &set->seal;
    if (*place)
        return "it is there twice for one instance";
    *place = field;
    chain->n = size_max(chain->n, instance);
    if (kind == ARC_AAR) {
        set->results = results;
        return NULL;
    }
    return kind == ARC_AMS ? arc_ams_read(&tags, field, a, set, full)
                           : arc_seal_read(&tags, field, a, set, full);
}

/* RFC 8617 §5.2, steps 2 and 3: complete sets, cv= none first and pass behind, and no fail. False at the
 * arena's cap. */
static bool arc_chain_rules(const struct arc_chain *chain, struct arena *a, slice *out_broken)
{
    for (size_t i = chain->n; i > 0; i--) {
        const struct arc_set *s = &chain->sets[i - 1];
        if (!s->aar || !s->ams || !s->seal)
            *out_broken = dkim_words(a, "ARC set %zu is incomplete", i);
        else if (s->cv == ARC_CV_FAIL)
            *out_broken = dkim_words(a, "the chain was found broken by %s (ARC set %zu says cv=fail)",
                                     s->seal_signature.domain.text, i);
        else if (s->cv != (i == 1 ? ARC_CV_NONE : ARC_CV_PASS))
            *out_broken = dkim_words(a, "the seal of ARC set %zu says cv=%s, which cannot be", i,
                                     i == 1 ? "pass" : "none");
        else
            continue;
        return out_broken->n > 0;
    }
    return true;
}

bool arc_chain_read(const struct dkim_fields *fields, struct arena *a, struct arc_chain *out)
{
    struct arc_chain chain = {0};
    size_t bytes = 0;
    bool full = false;
    for (size_t i = 0; i < fields->n && chain.broken.n == 0; i++) {
        enum arc_field kind = arc_field_kind(fields->at[i].name);
        const char *why;
        if (kind == ARC_OTHER)
            continue;
        if (!chain.sets && !(chain.sets = ARENA_ARRAY(a, ARC_SETS_MAX, struct arc_set)))
            return false;
        bytes += fields->at[i].raw.n;
        why = bytes > ARC_BYTES_MAX ? "the ARC fields are longer than is looked at"
                                    : arc_take(&chain, kind, &fields->at[i], a, &full);
        chain.n = size_max(chain.n, 1);
        if (full)
            return false;
        if (why)
            chain.broken = dkim_words(a, "%s: %s", arc_names[kind], why);
        if (why && chain.broken.n == 0)
            return false;
    }
    if (chain.n && chain.broken.n == 0 && fields->defect)
        chain.broken = slice_str(fields->defect);
    if (chain.n && chain.broken.n == 0 && !arc_chain_rules(&chain, a, &chain.broken))
        return false;
    *out = chain;
    return true;
}
