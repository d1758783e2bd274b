/* domain_setting_check: values as they are typed, to the form in which they are kept. Apart from the table,
 * so that those who only read settings do not link libidn2. */
#include "policy/domain_setting.h"

#include "core/dns/dns_name.h"
#include "text/idna.h"

#define SAY(s) (int)size_min((s).n, 80), (const char *)((s).n ? (const void *)(s).p : "")

static enum err setting_word(const struct domain_setting *s, slice value, struct buf *out,
                             struct err_detail *detail)
{
    slice rest = slice_str(s->words), word;
    bool more = true;
    while (more) {
        more = slice_split(rest, '|', &word, &rest);
        if (slice_eq_nocase(word, value))
            return buf_append(out, word);
    }
    err_detail_set(detail, "%s is one of %s, not \"%.*s\"", s->name, s->words, SAY(value));
    return ERR_SYNTAX;
}

/* Fields that change on the way by their nature, or that we write ourselves: a signature over them breaks
 * (RFC 6376 §5.4.1 names Return-Path, and fields that are modified in transit). */
static bool setting_field_changes(slice name)
{
    static const slice never[] = {SLICE_INIT("return-path"),    SLICE_INIT("received"),
                                  SLICE_INIT("delivered-to"),   SLICE_INIT("bcc"),
                                  SLICE_INIT("dkim-signature"), SLICE_INIT("authentication-results"),
                                  SLICE_INIT("x-original-to")};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (slice_eq_nocase(name, never[i]))
            return true;
    return slice_starts_nocase(name, SLICE("arc-"));
}

/* RFC 5322 §3.6.8: printable ASCII without ":". Without ";" too, which ends a tag of RFC 6376 §3.2, and
 * without "," that parts our lists. */
static enum err setting_field(slice item, struct buf *out, struct err_detail *detail)
{
    bool good = item.n > 0 && item.n <= 64;
    for (size_t i = 0; i < item.n && good; i++)
        good = item.p[i] > ' ' && item.p[i] < 127 && item.p[i] != ':' && item.p[i] != ';' && item.p[i] != '|';
    if (!good) {
        err_detail_set(detail, "\"%.*s\" is no name of a header field; write it like List-Unsubscribe",
                       SAY(item));
        return ERR_SYNTAX;
    }
    if (setting_field_changes(item)) {
        err_detail_set(detail, "%.*s changes on the way, so a signature over it would break; leave it out",
                       SAY(item));
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < item.n; i++)
        buf_byte(out, ascii_lower(item.p[i]));
    return buf_failed(out) ? ERR_LIMIT : OK;
}

static enum err setting_name(slice item, struct buf *out, struct err_detail *detail)
{
    struct dns_name name;
    uint8_t ascii[IDNA_DOMAIN_MAX];
    size_t n;
    enum err e = dns_name_parse(item, &name); /* with underscores: _spf.example.org */
    if (e != OK && idna_to_ascii(item, ascii, &n) == OK)
        e = dns_name_parse(slice_of(ascii, n), &name);
    if (e != OK || !slice_has(dns_name_view(&name), '.')) {
        err_detail_set(detail, "\"%.*s\" is no domain name; write it like _spf.example.org", SAY(item));
        return ERR_SYNTAX;
    }
    return buf_append(out, dns_name_view(&name));
}

static bool setting_parts(uint8_t c)
{
    return c == ',' || c == ' ' || c == '\t';
}

/* Is the item in the list already? */
static bool setting_has(slice list, slice item)
{
    slice there;
    while (domain_setting_item(&list, &there))
        if (slice_eq(there, item))
            return true;
    return false;
}

static enum err setting_list(const struct domain_setting *s, slice value, struct buf *out,
                             struct err_detail *detail)
{
    size_t start = out->n, count = 0, at = 0;
    while (at < value.n) {
        size_t begin, from = out->n;
        slice item;
        enum err e;
        while (at < value.n && setting_parts(value.p[at]))
            at++;
        begin = at;
        while (at < value.n && !setting_parts(value.p[at]))
            at++;
        item = slice_sub(value, begin, at);
        if (item.n == 0)
            break;
        if (from > start)
            buf_byte(out, ',');
        e = s->kind == DOMAIN_SETTING_FIELDS ? setting_field(item, out, detail)
                                             : setting_name(item, out, detail);
        if (e != OK)
            return e;
        item = slice_from(buf_view(out), from + (from > start));
        if (setting_has(slice_sub(buf_view(out), start, from), item))
            buf_truncate(out, from);
        else if (++count > s->items_max) {
            err_detail_set(detail, "%s takes at most %zu names", s->name, s->items_max);
            return ERR_LIMIT;
        }
    }
    return OK;
}

enum err domain_setting_check(const struct domain_setting *s, slice value, struct buf *out,
                              struct err_detail *detail)
{
    struct buf b CLEANUP(buf_done) = {.max = DOMAIN_SETTING_VALUE_MAX};
    enum err e;
    value = slice_trim(value);
    if (s->kind == DOMAIN_SETTING_SWITCH || s->kind == DOMAIN_SETTING_CHOICE)
        e = setting_word(s, value, &b, detail);
    else
        e = setting_list(s, value, &b, detail);
    if (e == OK && buf_failed(&b))
        e = ERR_LIMIT;
    if (e == ERR_LIMIT && buf_failed(&b))
        err_detail_set(detail, "the value of %s is longer than %d bytes", s->name, DOMAIN_SETTING_VALUE_MAX);
    return e == OK ? buf_append(out, buf_view(&b)) : e;
}
