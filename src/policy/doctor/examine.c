/* examine: the table of checks and what they share. */
#include "policy/doctor/examine.h"

#include "core/dns/dns_text.h"
#include "policy/doctor/examine__.h"

#include <stdarg.h>
#include <stdio.h>

#define QUOTE_MAX 4096

const char *facts_service_name(enum facts_service s)
{
    static const char *const names[] = {"smtp", "submission", "submissions", "imaps"};
    return (unsigned)s < ARRAY_LEN(names) ? names[s] : "none";
}

/* ---- what the checks share */

const struct dns_answer *examine_ask(struct examine *x, slice name, uint16_t type)
{
    const struct dns_answer *a = dns_table_get(x->dns, name, type);
    if (!a)
        x->waiting = true;
    return a;
}

static const char *answer_trouble(enum dns_answer_status s)
{
    switch (s) {
    case DNS_ANSWER_TIMEOUT:
        return "nobody answered in time";
    case DNS_ANSWER_BOGUS:
        return "the answer failed its DNSSEC check";
    default:
        return "no name server gave a usable answer";
    }
}

const struct dns_answer *examine_known(struct examine *x, slice name, uint16_t type)
{
    const struct dns_answer *a = examine_ask(x, name, type);
    slice what;
    if (!a || !dns_answer_failed(a))
        return a;
    what = examine_text(x, "%s %.*s", dns_type_name(type), SLICE_FMT(name));
    if (a->status == DNS_ANSWER_BOGUS)
        examine_found(
            x, FINDING_DNSSEC_BOGUS, name,
            SLICE("Ask whoever keeps the zone to sign it again, or to take the DS record out of the "
                  "zone above until that is done."),
            what, "The answer to %.*s failed its DNSSEC check.", SLICE_FMT(what));
    else if (!x->facts->dns_silent) /* said once, for all */
        examine_found(x, FINDING_UNOBSERVED, what,
                      SLICE("See whether the name servers of the zone run and can be reached; doctor looks "
                            "again within the hour."),
                      (slice){0}, "The record %.*s could not be looked at: %s.", SLICE_FMT(what),
                      answer_trouble(a->status));
    return NULL;
}

slice examine_keep(struct examine *x, slice s)
{
    slice out = {0};
    if (!arena_dup(x->arena, s, &out))
        x->failed = true;
    return out;
}

slice examine_quote(struct examine *x, slice s)
{
    struct buf b CLEANUP(buf_done) = {.max = 3 * QUOTE_MAX};
    for (size_t i = 0; i < s.n && i < QUOTE_MAX; i++)
        if (s.p[i] == '\n')
            buf_str(&b, "\xe2\x90\x8a"); /* U+240A, the picture of a line feed */
        else
            buf_byte(&b, s.p[i]);
    return examine_keep(x, buf_view(&b));
}

static slice examine_vtext(struct examine *x, const char *format, va_list ap) FORMAT(2, 0);
static slice examine_vtext(struct examine *x, const char *format, va_list ap)
{
    char text[2048];
    int n = vsnprintf(text, sizeof text, format, ap);
    return examine_keep(x, slice_of(text, n < 0 ? 0 : size_min((size_t)n, sizeof text - 1)));
}

slice examine_text(struct examine *x, const char *format, ...)
{
    va_list ap;
    slice s;
    va_start(ap, format);
    s = examine_vtext(x, format, ap);
    va_end(ap);
    return s;
}

struct finding *examine_found(struct examine *x, enum finding_kind kind, slice subject, slice mend,
                              slice evidence, const char *format, ...)
{
    va_list ap;
    slice what;
    size_t n = x->out->n;
    struct finding *f;
    va_start(ap, format);
    what = examine_vtext(x, format, ap);
    va_end(ap);
    f = findings_add(x->out, kind, subject, what, mend, evidence);
    if (x->out->n > n)
        f->domain = x->domain;
    return f;
}

slice examine_name(struct examine *x, const char *prefix, slice name)
{
    return examine_text(x, "%s.%.*s", prefix, SLICE_FMT(name));
}

slice examine_record(struct examine *x, const struct dns_plan_record *r)
{
    struct buf b CLEANUP(buf_done) = {.max = 16384};
    if (dns_text_record(&r->name, r->ttl_s, r->type, r->rdata, &b))
        return (slice){0};
    return examine_keep(x, slice_trim(buf_view(&b)));
}

slice examine_alone(struct examine *x, slice record)
{
    return examine_text(x, "%.*s\n(this one alone: take the others out)", SLICE_FMT(record));
}

slice examine_answer(struct examine *x, uint16_t type, const struct dns_answer *a)
{
    struct buf b CLEANUP(buf_done) = {.max = 8192};
    for (size_t i = 0; i < a->n && i < 16; i++) {
        size_t before = b.n;
        if (i)
            buf_byte(&b, '\n');
        buf_print(&b, "%s ", dns_type_name(type));
        if (dns_text_rdata(type, a->rdata[i], &b)) {
            buf_truncate(&b, before);
            break;
        }
    }
    return examine_keep(x, buf_view(&b));
}

slice examine_txt(struct examine *x, slice rdata)
{
    struct buf b CLEANUP(buf_done) = {.max = 16384};
    if (dns_rr_txt(rdata, &b))
        return (slice){0};
    return examine_keep(x, buf_view(&b));
}

const struct dns_plan_record *examine_plan(const struct setup_domain *d, enum dns_plan_kind kind,
                                           const struct dns_plan_record *after)
{
    for (size_t i = after ? (size_t)(after - d->plan.records) + 1 : 0; i < d->plan.n; i++)
        if (d->plan.records[i].kind == kind)
            return &d->plan.records[i];
    return NULL;
}

bool examine_is_ours(const struct examine *x, const struct ip *ip)
{
    for (size_t i = 0; i < x->setup->n_addresses; i++)
        if (ip_eq(&x->setup->addresses[i], ip))
            return true;
    return false;
}

slice examine_ip(struct examine *x, const struct ip *ip)
{
    char text[IP_TEXT];
    ip_print(ip, text);
    return examine_keep(x, slice_str(text));
}

bool examine_addresses(struct examine *x, slice name, struct examine_addresses *out)
{
    const struct dns_answer *v4 = examine_ask(x, name, DNS_A), *v6 = examine_ask(x, name, DNS_AAAA);
    *out = (struct examine_addresses){0};
    if (!v4 || !v6 || !examine_known(x, name, DNS_A) || !examine_known(x, name, DNS_AAAA))
        return false;
    out->at = ARENA_ARRAY(x->arena, v4->n + v6->n, struct ip);
    if (!out->at) {
        x->failed = true;
        return false;
    }
    for (size_t i = 0; i < v4->n; i++)
        out->n += dns_rr_a(v4->rdata[i], &out->at[out->n]) == OK;
    for (size_t i = 0; i < v6->n; i++)
        out->n += dns_rr_aaaa(v6->rdata[i], &out->at[out->n]) == OK;
    return true;
}

/* ---- the table */

static const struct {
    void (*fn)(struct examine *x);
    bool before; /* also before anything is set up */
} host_checks[] = {
    {examine_house, true},     {examine_host, false},  {examine_reverse, true}, {examine_lists, true},
    {examine_resolvers, true}, {examine_ports, false}, {examine_probes, false},
};

/* Of a domain, and of one that exists in the DNS: of one that does not, it is enough to say so. */
static void (*const any_domain_checks[])(struct examine *x, const struct setup_domain *d) = {
    examine_zone,
    examine_age,
};
static void (*const domain_checks[])(struct examine *x, const struct setup_domain *d) = {
    examine_name_lists, examine_mx, examine_spf, examine_dkim, examine_dmarc, examine_tlsrpt, examine_srv,
};

/* Once, with the records of the host name, which are in every domain's plan. */
static void (*const first_domain_checks[])(struct examine *x, const struct setup_domain *d) = {
    examine_helo,
    examine_tlsa,
    examine_delegated,
};

static bool domain_exists(const struct examine *x, slice domain)
{
    for (size_t i = 0; i < x->facts->n_zones; i++)
        if (slice_eq(x->facts->zones[i].domain, domain) && x->facts->zones[i].nxdomain)
            return false;
    return true;
}

static enum auth_step examine_end(struct examine *x)
{
    if (x->failed || x->out->failed)
        return AUTH_NO_MEMORY;
    if (x->waiting)
        return AUTH_WAIT;
    findings_sort(x->out);
    return AUTH_DONE;
}

enum auth_step examine(const struct setup *setup, const struct facts *facts, struct dns_table *dns,
                       struct arena *a, struct findings *out)
{
    struct examine x = {.setup = setup, .facts = facts, .dns = dns, .arena = a, .out = out};
    findings_init(out, a);
    for (size_t i = 0; !setup->domains_only && i < ARRAY_LEN(host_checks); i++)
        host_checks[i].fn(&x);
    for (size_t i = 0; !setup->domains_only && setup->n_domains && i < ARRAY_LEN(first_domain_checks); i++)
        first_domain_checks[i](&x, &setup->domains[0]);
    for (size_t d = 0; d < setup->n_domains; d++) {
        x.domain = setup->domains[d].name;
        for (size_t i = 0; i < ARRAY_LEN(any_domain_checks); i++)
            any_domain_checks[i](&x, &setup->domains[d]);
        for (size_t i = 0; i < ARRAY_LEN(domain_checks) && domain_exists(&x, x.domain); i++)
            domain_checks[i](&x, &setup->domains[d]);
    }
    return examine_end(&x);
}

static void before_today(struct examine *x, slice domain)
{
    const struct dns_answer *mx = examine_known(x, domain, DNS_MX), *txt = examine_known(x, domain, DNS_TXT);
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    if (!mx || !txt)
        return;
    for (size_t i = 0; i < mx->n; i++) {
        struct dns_mx m;
        if (dns_rr_mx(mx->rdata[i], &m) == OK)
            buf_print(&b, "%s%s", b.n ? ", " : "", m.host.n ? m.host.text : ".");
    }
    if (b.n)
        examine_found(x, FINDING_TODAY, domain,
                      SLICE("Nothing to do before the server runs; then publish what posthorn dns says. "
                            "Messages that lie there have to be moved."),
                      examine_answer(x, DNS_MX, mx), "Mail for %.*s goes to %.*s today.", SLICE_FMT(domain),
                      SLICE_FMT(buf_view(&b)));
    for (size_t i = 0; i < txt->n; i++) {
        slice text = examine_txt(x, txt->rdata[i]);
        if (dns_plan_txt_is(txt->rdata[i], SLICE("v=spf1")))
            examine_found(
                x, FINDING_TODAY, examine_text(x, "SPF of %.*s", SLICE_FMT(domain)),
                examine_text(x, "Keep what others still send by:\nposthorn domain set %.*s spf-include NAMES",
                             SLICE_FMT(domain)),
                examine_quote(x, text), "%.*s has an SPF record today; it will be replaced.",
                SLICE_FMT(domain));
    }
}

enum auth_step examine_before(const struct setup *setup, const struct facts *facts, struct dns_table *dns,
                              struct arena *a, struct findings *out)
{
    struct examine x = {.setup = setup, .facts = facts, .dns = dns, .arena = a, .out = out, .before = true};
    findings_init(out, a);
    for (size_t i = 0; i < ARRAY_LEN(host_checks); i++)
        if (host_checks[i].before)
            host_checks[i].fn(&x);
    for (size_t d = 0; d < setup->n_domains; d++) {
        x.domain = setup->domains[d].name;
        examine_zone(&x, &setup->domains[d]);
        examine_name_lists(&x, &setup->domains[d]);
        before_today(&x, setup->domains[d].name);
    }
    return examine_end(&x);
}
