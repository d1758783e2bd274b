#include "core/spf/record.h"

#include "core/spf/macro.h"

/* What a mechanism may have behind its name. */
enum { WITH_SPEC = 1, NEEDS_SPEC = 2, WITH_CIDR = 4, WITH_ADDRESS = 8 };

static const struct {
    slice name;
    enum spf_kind kind;
    unsigned with;
} mechanisms[] = {
    {SLICE_INIT("all"), SPF_ALL, 0},
    {SLICE_INIT("include"), SPF_INCLUDE, WITH_SPEC | NEEDS_SPEC},
    {SLICE_INIT("a"), SPF_A, WITH_SPEC | WITH_CIDR},
    {SLICE_INIT("mx"), SPF_MX, WITH_SPEC | WITH_CIDR},
    {SLICE_INIT("ptr"), SPF_PTR, WITH_SPEC},
    {SLICE_INIT("ip4"), SPF_IP4, WITH_ADDRESS},
    {SLICE_INIT("ip6"), SPF_IP6, WITH_ADDRESS},
    {SLICE_INIT("exists"), SPF_EXISTS, WITH_SPEC | NEEDS_SPEC},
};

bool spf_record_is(slice text)
{
    return slice_starts_nocase(text, SLICE("v=spf1")) && (text.n == 6 || text.p[6] == ' ');
}

/* cidr = "/" ( "0" / %x31-39 *DIGIT ), taken off the end of a term: what stands before is left in *s.
 * False, nothing taken: there is none. *out_bits 255: there is one, and it is wrong. */
static bool record_take_cidr(slice *s, unsigned most, bool twice, uint8_t *out_bits)
{
    size_t slash = s->n;
    uint32_t bits;
    slice digits;
    while (slash > 0 && ascii_is_digit(s->p[slash - 1]))
        slash--;
    digits = slice_from(*s, slash);
    if (digits.n == 0 || slash == 0 || s->p[slash - 1] != '/')
        return false;
    if (twice && (slash < 2 || s->p[slash - 2] != '/'))
        return false;
    *s = slice_sub(*s, 0, slash - (twice ? 2 : 1));
    *out_bits = slice_u32(digits, &bits) && bits <= most && (digits.p[0] != '0' || digits.n == 1)
                    ? (uint8_t)bits
                    : 255;
    return true;
}

/* dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]. False: a length is out of range. */
static bool record_dual_cidr(slice *s, struct spf_term *t)
{
    (void)record_take_cidr(s, 128, true, &t->v6_bits);
    (void)record_take_cidr(s, 32, false, &t->v4_bits);
    return t->v4_bits != 255 && t->v6_bits != 255;
}

/* qnum has no leading zeros, RFC 7208 §12. */
static bool record_address(slice s, struct spf_term *t)
{
    bool v4 = t->kind == SPF_IP4;
    (void)record_take_cidr(&s, v4 ? 32 : 128, false, v4 ? &t->v4_bits : &t->v6_bits);
    if (t->v4_bits == 255 || t->v6_bits == 255 || ip_parse(s, &t->ip))
        return false;
    return v4 ? !slice_has(s, ':') && ip_is_v4(&t->ip) : slice_has(s, ':');
}

static bool record_mechanism(slice s, struct spf_term *t)
{
    static const char qualifiers[] = "+-~?";
    static const enum auth_result results[] = {AUTH_PASS, AUTH_FAIL, AUTH_SOFTFAIL, AUTH_NEUTRAL};
    size_t q, name;
    t->qualifier = AUTH_PASS;
    for (q = 0; q < ARRAY_LEN(results); q++)
        if (s.p[0] == (uint8_t)qualifiers[q]) {
            t->qualifier = results[q];
            s = slice_from(s, 1);
            break;
        }
    name = size_min(slice_index(s, ':'), slice_index(s, '/'));
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        unsigned with = mechanisms[i].with;
        slice rest = slice_from(s, name);
        if (!slice_eq_nocase(slice_sub(s, 0, name), mechanisms[i].name))
            continue;
        t->kind = mechanisms[i].kind;
        if (with & WITH_ADDRESS)
            return rest.n > 1 && rest.p[0] == ':' && record_address(slice_from(rest, 1), t);
        if ((with & WITH_CIDR) && !record_dual_cidr(&rest, t))
            return false;
        if (rest.n == 0)
            return !(with & NEEDS_SPEC);
        t->spec = slice_from(rest, 1);
        return (with & WITH_SPEC) && rest.p[0] == ':' && spf_macro_is_domain_spec(t->spec);
    }
    return false;
}

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ), and "=" right behind it, or s.n: this is no modifier. */
static size_t record_modifier_name(slice s)
{
    size_t i = 0;
    while (i < s.n &&
           (ascii_is_alpha(s.p[i]) || (i && (ascii_is_digit(s.p[i]) || slice_has(SLICE("-_."), s.p[i])))))
        i++;
    return i && i < s.n && s.p[i] == '=' ? i : s.n;
}

static bool record_term(slice s, struct spf_term *out)
{
    struct spf_term t = {.text = s, .v4_bits = 32, .v6_bits = 128, .kind = SPF_MODIFIER};
    size_t eq = record_modifier_name(s);
    bool good;
    if (eq == s.n) {
        good = record_mechanism(s, &t);
    } else {
        slice name = slice_sub(s, 0, eq);
        t.spec = slice_from(s, eq + 1);
        if (slice_eq_nocase(name, SLICE("redirect")))
            t.kind = SPF_REDIRECT;
        else if (slice_eq_nocase(name, SLICE("exp")))
            t.kind = SPF_EXP;
        good = t.kind == SPF_MODIFIER ? spf_macro_is_string(t.spec) : spf_macro_is_domain_spec(t.spec);
    }
    *out = t;
    return good;
}

/* The next word. Only the space separates (RFC 7208 §4.6.1). */
static bool record_word(struct cursor *rest, slice *out)
{
    while (cursor_take(rest, ' '))
        ;
    *out = slice_sub(rest->rest, 0, slice_index(rest->rest, ' '));
    cursor_skip(rest, out->n);
    return out->n > 0;
}

bool spf_record_term(struct cursor *rest, struct spf_term *out)
{
    slice word;
    if (!record_word(rest, &word))
        return false;
    must(record_term(word, out)); /* spf_record_parse() saw it */
    return true;
}

enum err spf_record_parse(slice text, struct spf_record *out, slice *out_bad)
{
    struct spf_record r = {.terms = slice_from(text, 6)};
    struct cursor rest = cursor_of(r.terms);
    slice word;
    while (record_word(&rest, &word)) {
        struct spf_term t;
        slice *once = NULL;
        bool good = record_term(word, &t);
        if (good && t.kind == SPF_REDIRECT)
            once = &r.redirect;
        else if (good && t.kind == SPF_EXP)
            once = &r.exp;
        if (!good || (once && once->n)) { /* neither may appear twice, RFC 7208 §6 */
            *out_bad = word;
            return ERR_SYNTAX;
        }
        if (once)
            *once = t.spec;
        r.has_all |= t.kind == SPF_ALL;
    }
    *out = r;
    return OK;
}
