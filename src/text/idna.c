#include "text/idna.h"

#include "text/utf8.h"

#include <idn2.h>

/* A host name of letters, digits and hyphens (RFC 5321 §2.3.5 with RFC 1123 §2.1); in is lower case already.
 */
static bool idna_is_host(slice s)
{
    slice label;
    bool more = true;
    if (s.n == 0 || s.n > IDNA_DOMAIN_MAX)
        return false;
    while (more) {
        more = slice_split(s, '.', &label, &s);
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!ascii_is_digit(label.p[i]) && !(label.p[i] >= 'a' && label.p[i] <= 'z') && label.p[i] != '-')
                return false;
    }
    return true;
}

/* Is one of the labels an A-label ("xn--...")? Those are checked by libidn2. */
static bool idna_has_alabel(slice s)
{
    slice label;
    bool more = true;
    while (more) {
        more = slice_split(s, '.', &label, &s);
        if (slice_starts_nocase(label, SLICE("xn--")))
            return true;
    }
    return false;
}

enum err idna_to_ascii(slice domain, uint8_t out[IDNA_DOMAIN_MAX], size_t *out_n)
{
    char in[4 * IDNA_DOMAIN_MAX + 1], *ascii = NULL;
    uint8_t lower[IDNA_DOMAIN_MAX];
    size_t n;
    bool ok;
    if (domain.n && domain.p[domain.n - 1] == '.')
        domain.n--;
    if (domain.n == 0 || domain.n >= sizeof in || slice_has(domain, 0))
        return ERR_SYNTAX;
    if (utf8_is_ascii(domain) && !idna_has_alabel(domain)) {
        if (domain.n > IDNA_DOMAIN_MAX)
            return ERR_SYNTAX;
        for (size_t i = 0; i < domain.n; i++)
            lower[i] = ascii_lower(domain.p[i]);
        if (!idna_is_host(slice_of(lower, domain.n)))
            return ERR_SYNTAX;
        memcpy(out, lower, domain.n);
        *out_n = domain.n;
        return OK;
    }
    if (!utf8_valid(domain))
        return ERR_SYNTAX;
    memcpy(in, domain.p, domain.n);
    in[domain.n] = 0;
    if (idn2_to_ascii_8z(in, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES))
        return ERR_SYNTAX;
    n = strlen(ascii);
    ok = n <= IDNA_DOMAIN_MAX;
    for (size_t i = 0; ok && i < n; i++)
        lower[i] = ascii_lower((uint8_t)ascii[i]);
    ok = ok && idna_is_host(slice_of(lower, n));
    idn2_free(ascii);
    if (!ok)
        return ERR_SYNTAX;
    memcpy(out, lower, n);
    *out_n = n;
    return OK;
}

/* A rough script of a letter: enough to see that one label mixes alphabets that look alike. 0: common to all.
 */
static int idna_script(uint32_t c)
{
    if (c < 0x80)
        return ascii_is_alpha((uint8_t)c) ? 1 : 0;
    if (c < 0x370)
        return c < 0x250 ? 1 : 0;
    if (c < 0x400)
        return 2; /* Greek */
    if (c < 0x530)
        return 3; /* Cyrillic */
    if (c < 0x590)
        return 4; /* Armenian */
    if (c >= 0x2E80 && c < 0xA000)
        return 6; /* Han, Kana, Bopomofo: they mix with each other and with Latin */
    if (c >= 0xAC00 && c < 0xD7B0)
        return 6;
    return 5;
}

static bool idna_mixes(slice label)
{
    unsigned seen = 0;
    while (label.n) {
        uint32_t code = 0;
        size_t n = utf8_next(label, &code);
        int script = n ? idna_script(code) : 0;
        if (n == 0)
            return true;
        if (script)
            seen |= 1u << script;
        label = slice_from(label, n);
    }
    if (seen & 1u << 6)
        seen &= ~(1u << 1);
    return (seen & (seen - 1)) != 0;
}

static enum err idna_label_to_unicode(slice label, struct buf *out)
{
    char in[64], *utf8 = NULL;
    enum err e;
    if (label.n >= sizeof in || slice_has(label, 0) || !slice_starts_nocase(label, SLICE("xn--")))
        return buf_append(out, label);
    memcpy(in, label.p, label.n);
    in[label.n] = 0;
    if (idn2_to_unicode_8z8z(in, &utf8, IDN2_NONTRANSITIONAL) || idna_mixes(slice_str(utf8)))
        e = buf_append(out, label);
    else
        e = buf_append(out, slice_str(utf8));
    idn2_free(utf8);
    return e;
}

enum err idna_to_unicode(slice ascii, struct buf *out)
{
    slice label;
    bool more = true;
    while (more) {
        enum err e;
        more = slice_split(ascii, '.', &label, &ascii);
        e = idna_label_to_unicode(label, out);
        if (!e && more)
            e = buf_byte(out, '.');
        if (e)
            return e;
    }
    return OK;
}
