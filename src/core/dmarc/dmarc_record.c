#include "core/dmarc/dmarc_record.h"
#include "core/dmarc/dmarc_uri.h"
#include "text/tag_list.h"

slice dmarc_policy_word(enum dmarc_policy p)
{
    static const slice words[] = {SLICE_INIT("none"), SLICE_INIT("quarantine"), SLICE_INIT("reject")};
    return words[(unsigned)p < ARRAY_LEN(words) ? p : DMARC_POLICY_NONE];
}

/* RFC 9989 §4.8: dmarc-value is printable ASCII; a TAB may stand around it and is trimmed by then. */
static bool dmarc_printable(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    return true;
}

static bool dmarc_policy_of(slice value, enum dmarc_policy *out)
{
    for (enum dmarc_policy p = DMARC_POLICY_NONE; p <= DMARC_POLICY_REJECT; p++)
        if (slice_eq_nocase(value, dmarc_policy_word(p))) {
            *out = p;
            return true;
        }
    return false;
}

/* dmarc-fo: "0" or "1", "d", "s", divided by colons; 0 and 1 exclude each other (RFC 9989 §4.7). */
static bool dmarc_fo_valid(slice value)
{
    struct tag_items it = tag_items(value);
    slice item;
    unsigned seen = 0;
    while (tag_items_next(&it, ':', &item)) {
        unsigned bit = 0;
        static const char words[] = "01ds";
        for (unsigned i = 0; i < 4 && item.n == 1; i++)
            if (ascii_lower(item.p[0]) == (uint8_t)words[i])
                bit = 1u << i;
        if (!bit || (seen & bit))
            return false;
        seen |= bit;
    }
    return seen && (seen & 3u) != 3u;
}

/* One of two letters; anything else is a defect and leaves *flag. */
static void dmarc_letter(slice value, uint8_t on, uint8_t off, bool *flag, uint32_t *defects)
{
    if (value.n == 1 && ascii_lower(value.p[0]) == on)
        *flag = true;
    else if (value.n != 1 || ascii_lower(value.p[0]) != off)
        *defects |= DMARC_DEFECT_VALUE;
}

/* The tags, in the order of their bits in "seen". */
enum dmarc_tag {
    DMARC_TAG_P,
    DMARC_TAG_SP,
    DMARC_TAG_NP,
    DMARC_TAG_PSD,
    DMARC_TAG_T,
    DMARC_TAG_ADKIM,
    DMARC_TAG_ASPF,
    DMARC_TAG_RUA,
    DMARC_TAG_RUF,
    DMARC_TAG_FO,
    DMARC_TAG_PCT,
    DMARC_TAG_RF,
    DMARC_TAG_RI,
    DMARC_TAG__COUNT
};
static const slice dmarc_tags[DMARC_TAG__COUNT] = {
    SLICE_INIT("p"),     SLICE_INIT("sp"),   SLICE_INIT("np"),  SLICE_INIT("psd"), SLICE_INIT("t"),
    SLICE_INIT("adkim"), SLICE_INIT("aspf"), SLICE_INIT("rua"), SLICE_INIT("ruf"), SLICE_INIT("fo"),
    SLICE_INIT("pct"),   SLICE_INIT("rf"),   SLICE_INIT("ri"),
};

static void dmarc_uris(slice value, slice *out, struct dmarc_record *r)
{
    struct tag_items it = tag_items(value);
    slice item;
    bool any = false;
    while (tag_items_next(&it, ',', &item)) {
        bool valid = dmarc_uri_valid(item);
        any = any || valid;
        if (!valid)
            r->defects |= DMARC_DEFECT_URI;
    }
    if (any && dmarc_printable(value))
        *out = value;
    else
        r->defects |= DMARC_DEFECT_URI;
}

static void dmarc_tag_value(enum dmarc_tag tag, slice value, struct dmarc_record *r)
{
    bool yes = false, no = false;
    switch (tag) {
    case DMARC_TAG_P:
        if (!dmarc_policy_of(value, &r->p))
            r->defects |= DMARC_DEFECT_P;
        break;
    case DMARC_TAG_SP:
        r->has_sp = dmarc_policy_of(value, &r->sp);
        if (!r->has_sp)
            r->defects |= DMARC_DEFECT_SP;
        break;
    case DMARC_TAG_NP:
        r->has_np = dmarc_policy_of(value, &r->np);
        if (!r->has_np)
            r->defects |= DMARC_DEFECT_NP;
        break;
    case DMARC_TAG_PSD:
        if (slice_eq_nocase(value, SLICE("u")))
            break;
        dmarc_letter(value, 'y', 'n', &yes, &r->defects);
        no = slice_eq_nocase(value, SLICE("n"));
        r->psd = yes ? DMARC_PSD_YES : no ? DMARC_PSD_NO : DMARC_PSD_UNSAID;
        break;
    case DMARC_TAG_T:
        dmarc_letter(value, 'y', 'n', &r->testing, &r->defects);
        break;
    case DMARC_TAG_ADKIM:
        dmarc_letter(value, 's', 'r', &r->dkim_strict, &r->defects);
        break;
    case DMARC_TAG_ASPF:
        dmarc_letter(value, 's', 'r', &r->spf_strict, &r->defects);
        break;
    case DMARC_TAG_RUA:
        dmarc_uris(value, &r->rua, r);
        break;
    case DMARC_TAG_RUF:
        dmarc_uris(value, &r->ruf, r);
        break;
    case DMARC_TAG_FO:
        if (dmarc_printable(value) && dmarc_fo_valid(value))
            r->fo = value;
        else
            r->defects |= DMARC_DEFECT_VALUE;
        break;
    default: /* pct, rf, ri */
        r->defects |= DMARC_DEFECT_REMOVED;
        break;
    }
}

/* dmarc-tag = 1*ALPHA equals 1*dmarc-value */
static void dmarc_tag(slice item, unsigned *seen, struct dmarc_record *r)
{
    slice name, value;
    if (!slice_split(item, '=', &name, &value)) {
        if (item.n)
            r->defects |= DMARC_DEFECT_SYNTAX;
        return;
    }
    name = slice_trim(name);
    value = slice_trim(value);
    for (unsigned i = 0; i < DMARC_TAG__COUNT; i++) {
        if (!slice_eq(name, dmarc_tags[i]))
            continue;
        if (*seen & (1u << i)) {
            r->defects |= DMARC_DEFECT_TWICE;
            return;
        }
        *seen |= 1u << i;
        dmarc_tag_value((enum dmarc_tag)i, value, r);
        return;
    }
    r->defects |= DMARC_DEFECT_UNKNOWN;
}

/* dmarc-version = "v" equals %s"DMARC1"; the first tag, with nothing before it. */
static bool dmarc_version(slice item)
{
    slice name, value;
    return item.n && item.p[0] == 'v' && slice_split(item, '=', &name, &value) &&
           slice_eq(slice_trim(name), SLICE("v")) && slice_eq(slice_trim(value), SLICE("DMARC1"));
}

/* RFC 9989 §4.7: sp speaks for np, p for sp. §4.10.1: what a record without a valid policy is worth. */
static void dmarc_policies(unsigned seen, struct dmarc_record *r)
{
    if (!(seen & (1u << DMARC_TAG_P)))
        r->defects |= DMARC_DEFECT_P_MISSING;
    r->usable = true;
    if (r->defects & (DMARC_DEFECT_P_MISSING | DMARC_DEFECT_P | DMARC_DEFECT_SP | DMARC_DEFECT_NP)) {
        r->usable = r->rua.n > 0;
        r->p = DMARC_POLICY_NONE;
        r->has_sp = r->has_np = false;
    }
    if (!r->has_sp)
        r->sp = r->p;
    if (!r->has_np)
        r->np = r->sp;
}

enum err dmarc_record_parse(slice text, struct dmarc_record *out)
{
    struct dmarc_record r = {0};
    struct tag_items it = tag_items(text);
    unsigned seen = 0;
    slice item;
    if (text.n > DMARC_RECORD_MAX || text.n == 0 || text.p[0] != 'v')
        return ERR_NOT_FOUND;
    if (!tag_items_next(&it, ';', &item) || !dmarc_version(item))
        return ERR_NOT_FOUND;
    while (tag_items_next(&it, ';', &item))
        dmarc_tag(item, &seen, &r);
    dmarc_policies(seen, &r);
    *out = r;
    return OK;
}
