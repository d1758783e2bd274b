#include "core/reports/failure_read.h"

#include "core/mail/address.h"
#include "core/mail/header.h"
#include "core/mail/limits.h"
#include "core/reports/report_text.h"
#include "text/date.h"

#define PROSE_LINES 200

struct reading {
    struct arena *arena;
    struct failure_report *out;
};

typedef void (*set_fn)(struct reading *r, slice value);

/* The domain behind the last @, whatever stands around it. */
static slice domain_of(slice value, struct arena *a)
{
    size_t at = slice_rindex(value, '@');
    slice s = slice_trim(at < value.n ? slice_from(value, at + 1) : value);
    size_t end = 0;
    while (end < s.n && (ascii_is_alpha(s.p[end]) || ascii_is_digit(s.p[end]) || s.p[end] == '-' ||
                         s.p[end] == '.' || s.p[end] == '_'))
        end++;
    return report_domain(slice_sub(s, 0, end), a);
}

static void first(slice *where, slice value)
{
    if (where->n == 0)
        *where = value;
}

static slice word(struct reading *r, slice value)
{
    slice s = report_text(value, 120, r->arena);
    uint8_t *copy = arena_alloc(r->arena, s.n);
    for (size_t i = 0; copy && i < s.n; i++)
        copy[i] = ascii_lower(s.p[i]);
    return slice_of(copy, copy ? s.n : 0);
}

/* clang-format off */
static void set_type(struct reading *r, slice v) { first(&r->out->type, word(r, v)); }
static void set_agent(struct reading *r, slice v) { first(&r->out->user_agent, report_text(v, 120, r->arena)); }
static void set_failure(struct reading *r, slice v) { first(&r->out->failure, word(r, v)); }
static void set_delivery(struct reading *r, slice v) { first(&r->out->delivery, word(r, v)); }
static void set_aligned(struct reading *r, slice v) { first(&r->out->aligned, word(r, v)); }
static void set_reported(struct reading *r, slice v) { first(&r->out->reported_domain, domain_of(v, r->arena)); }
static void set_mail_from(struct reading *r, slice v) { first(&r->out->mail_from, domain_of(v, r->arena)); }
static void set_rcpt_to(struct reading *r, slice v) { first(&r->out->rcpt_to, domain_of(v, r->arena)); }
static void set_dkim_domain(struct reading *r, slice v) { first(&r->out->dkim_domain, domain_of(v, r->arena)); }
static void set_selector(struct reading *r, slice v) { first(&r->out->dkim_selector, report_domain(v, r->arena)); }
/* clang-format on */

/* "dns; mta.example.net" */
static void set_mta(struct reading *r, slice v)
{
    slice kind, name;
    first(&r->out->reporting_mta, report_domain(slice_split(v, ';', &kind, &name) ? name : v, r->arena));
}

static void set_source(struct reading *r, slice v)
{
    struct ip ip;
    v = slice_trim(v);
    v = slice_sub(v, 0, slice_index(v, ' ')); /* OpenDMARC writes the name behind it */
    if (v.n > 2 && v.p[0] == '[' && v.p[v.n - 1] == ']')
        v = slice_sub(v, 1, v.n - 1);
    if (ip_is_none(&r->out->source) && ip_parse(v, &ip) == OK)
        r->out->source = ip;
}

static void set_arrived(struct reading *r, slice v)
{
    time_ms at;
    int zone;
    if (r->out->arrived == 0 && date_parse(v, &at, &zone) == OK && at > 0)
        r->out->arrived = at;
}

static void set_incidents(struct reading *r, slice v)
{
    uint32_t n;
    if (slice_u32(slice_trim(v), &n) && n > 0)
        r->out->incidents = n;
}

struct known {
    slice name;
    set_fn set;
};

static const struct known fields_known[] = {
    {SLICE_INIT("feedback-type"), set_type},
    {SLICE_INIT("user-agent"), set_agent},
    {SLICE_INIT("auth-failure"), set_failure},
    {SLICE_INIT("delivery-result"), set_delivery},
    {SLICE_INIT("identity-alignment"), set_aligned},
    {SLICE_INIT("reporting-mta"), set_mta},
    {SLICE_INIT("reported-domain"), set_reported},
    {SLICE_INIT("original-mail-from"), set_mail_from},
    {SLICE_INIT("original-rcpt-to"), set_rcpt_to},
    {SLICE_INIT("dkim-domain"), set_dkim_domain},
    {SLICE_INIT("dkim-selector"), set_selector},
    {SLICE_INIT("source-ip"), set_source},
    {SLICE_INIT("arrival-date"), set_arrived},
    {SLICE_INIT("received-date"), set_arrived}, /* RFC 5965 §3.2 */
    {SLICE_INIT("incidents"), set_incidents},
};

static const struct known prose_known[] = {
    {SLICE_INIT("sender domain"), set_reported}, {SLICE_INIT("sender ip address"), set_source},
    {SLICE_INIT("received date"), set_arrived},  {SLICE_INIT("delivery result"), set_delivery},
    {SLICE_INIT("dmarc results"), set_delivery},
};

static void set(struct reading *r, const struct known *known, size_t n, slice name, slice value)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(name, known[i].name))
            known[i].set(r, value);
}

static void read_inside(struct reading *r, slice inside)
{
    struct header_field from;
    slice line;
    if (header_find(inside, SLICE("From"), &from) && header_unfold(from.value, r->arena, &line)) {
        size_t at = slice_rindex(line, '@');
        if (at < line.n)
            r->out->header_from = domain_of(slice_from(line, at), r->arena);
    }
}

static enum err done(struct failure_report *r, struct failure_report *out, struct err_detail *why)
{
    first(&r->reported_domain, r->header_from);
    first(&r->reported_domain, r->dkim_domain);
    first(&r->reported_domain, r->mail_from);
    if (r->type.n == 0) {
        err_detail_set(why, "the part that should tell the failure has no Feedback-Type");
        return ERR_SYNTAX;
    }
    if (r->reported_domain.n == 0) {
        err_detail_set(why, "the report does not say which domain it is about");
        return ERR_SYNTAX;
    }
    *out = *r;
    return OK;
}

enum err failure_read(slice fields, slice inside, struct arena *a, struct failure_report *out,
                      struct err_detail *why)
{
    struct failure_report report = {.incidents = 1};
    struct reading r = {a, &report};
    struct header_iter it;
    struct header_field f;
    while (fields.n && (fields.p[0] == '\r' || fields.p[0] == '\n'))
        fields = slice_from(fields, 1); /* an empty line too many */
    it = header_iter(fields, &mail_limits_default);
    while (header_next(&it, &f)) {
        slice line;
        if (f.name.n == 0)
            continue;
        if (!header_unfold(f.value, a, &line))
            return ERR_LIMIT;
        set(&r, fields_known, ARRAY_LEN(fields_known), f.name, line);
    }
    read_inside(&r, inside);
    return done(&report, out, why);
}

enum err failure_read_prose(slice text, struct arena *a, struct failure_report *out, struct err_detail *why)
{
    struct failure_report report = {.incidents = 1};
    struct reading r = {a, &report};
    struct cursor c = cursor_of(text);
    slice line, name, value;
    for (size_t i = 0; i < PROSE_LINES && cursor_line(&c, &line); i++) {
        if (slice_starts(slice_trim(line), SLICE("---")))
            break; /* the message itself follows */
        if (slice_split(line, ':', &name, &value))
            set(&r, prose_known, ARRAY_LEN(prose_known), slice_trim(name), value);
    }
    if (report.reported_domain.n && !ip_is_none(&report.source)) {
        report.type = SLICE("auth-failure");
        report.failure = SLICE("dmarc");
    }
    return done(&report, out, why);
}
