#include "policy/dns_plan.h"

#include "core/dns/dns_rr_write.h"
#include "core/dns/dns_text.h"
#include "policy/address_class.h"

#include <stdarg.h>
#include <stdio.h>

#define DNS_PLAN_WHY_MAX 400
#define DNS_PLAN_TXT_MAX 4096

const char *const dns_plan_slots[DNS_PLAN_SLOTS] = {"ph-rsa-1", "ph-rsa-2", "ph-ed-1", "ph-ed-2"};

bool dns_plan_is_slot(slice selector)
{
    for (size_t i = 0; i < DNS_PLAN_SLOTS; i++)
        if (slice_eq_nocase(selector, slice_str(dns_plan_slots[i])))
            return true;
    return false;
}

const char *dns_plan_kind_name(enum dns_plan_kind k)
{
    static const char *const names[] = {
        [DNS_PLAN_MX] = "mx",           [DNS_PLAN_SPF] = "spf",
        [DNS_PLAN_DKIM] = "dkim",       [DNS_PLAN_DMARC] = "dmarc",
        [DNS_PLAN_TLS_RPT] = "tls-rpt", [DNS_PLAN_SRV] = "srv",
        [DNS_PLAN_ADDRESS] = "address", [DNS_PLAN_SPF_HELO] = "spf-helo",
        [DNS_PLAN_TLSA] = "tlsa",       [DNS_PLAN_DELEGATION] = "delegation",
        [DNS_PLAN_PTR] = "ptr",
    };
    static_assert(ARRAY_LEN(names) == DNS_PLAN_KIND__COUNT, "every kind has a name");
    return k < DNS_PLAN_KIND__COUNT ? names[k] : "?";
}

const char *dns_plan_owner_name(enum dns_plan_owner o)
{
    static const char *const names[] = {
        [DNS_PLAN_OWNER_DOMAIN] = "domain",
        [DNS_PLAN_OWNER_HOST] = "host",
        [DNS_PLAN_OWNER_PROVIDER] = "provider",
        [DNS_PLAN_OWNER_US] = "posthorn",
    };
    static_assert(ARRAY_LEN(names) == DNS_PLAN_OWNER__COUNT, "every owner has a name");
    return o < DNS_PLAN_OWNER__COUNT ? names[o] : "?";
}

bool dns_plan_txt_is(slice rdata, slice marker)
{
    struct buf joined CLEANUP(buf_done) = {.max = rdata.n};
    slice text;
    if (dns_rr_txt(rdata, &joined) != OK)
        return false;
    text = buf_view(&joined);
    return slice_starts_nocase(text, marker) &&
           (text.n == marker.n || text.p[marker.n] == ' ' || text.p[marker.n] == ';');
}

/* ---- the plan being made. failed: a cap was reached; all that follows does nothing. */

struct plan {
    const struct dns_plan_input *in;
    struct arena *a;
    struct dns_plan *out;
    struct dns_name domain, host, zone;
    bool failed;
};

/* One record to be: what a builder knows before the name's owner is settled. */
struct plan_item {
    enum dns_plan_kind kind;
    bool must;
    uint16_t type;
    slice marker;
    char why[DNS_PLAN_WHY_MAX];
};

static void plan_note(struct plan *p, const char *format, ...) FORMAT(2, 3);
static void plan_note(struct plan *p, const char *format, ...)
{
    char text[512];
    va_list ap;
    if (p->failed || p->out->n_notes == DNS_PLAN_NOTES_MAX)
        return;
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap); /* a long one is cut */
    va_end(ap);
    if (!arena_dup(p->a, slice_str(text), &p->out->notes[p->out->n_notes]))
        p->failed = true;
    else
        p->out->n_notes++;
}

/* prefix.base as a name. A name that is too long or malformed leaves its record out, and is said. */
static bool plan_name(struct plan *p, const char *prefix, slice base, struct dns_name *out)
{
    char text[2 * DNS_NAME_MAX + 2];
    int n = snprintf(text, sizeof text, "%s%s%.*s", prefix, *prefix && base.n ? "." : "", SLICE_FMT(base));
    if (n > 0 && (size_t)n < sizeof text && dns_name_parse(slice_of(text, (size_t)n), out) == OK)
        return true;
    plan_note(
        p,
        "The name %.100s.%.*s cannot be: it is longer than %d octets or has an odd character. Its record "
        "is left out.",
        prefix, SLICE_FMT(base), DNS_NAME_MAX);
    return false;
}

static enum dns_plan_owner plan_owner(const struct plan *p, const struct dns_name *name,
                                      enum dns_plan_kind kind)
{
    if (kind == DNS_PLAN_PTR)
        return DNS_PLAN_OWNER_PROVIDER;
    if (p->zone.n && kind != DNS_PLAN_DELEGATION && dns_name_below(name, dns_name_view(&p->zone)))
        return DNS_PLAN_OWNER_US;
    if (kind != DNS_PLAN_DELEGATION && dns_name_below(name, dns_name_view(&p->domain)))
        return DNS_PLAN_OWNER_DOMAIN;
    return DNS_PLAN_OWNER_HOST;
}

static void plan_add(struct plan *p, const struct plan_item *item, const struct dns_name *name, slice rdata)
{
    struct dns_plan_record *r = &p->out->records[p->out->n];
    struct buf text CLEANUP(buf_done) = {.max = 4 * DNS_PLAN_TXT_MAX + 64};
    if (p->failed || p->out->n == DNS_PLAN_RECORDS_MAX) {
        p->failed = true;
        return;
    }
    *r = (struct dns_plan_record){
        .kind = item->kind,
        .owner = plan_owner(p, name, item->kind),
        .must = item->must,
        .name = *name,
        .type = item->type,
        .marker = item->marker,
    };
    r->ttl_s = r->owner == DNS_PLAN_OWNER_US ? DNS_PLAN_ZONE_TTL_S : DNS_PLAN_TTL_S;
    if (dns_text_rdata(item->type, rdata, &text) != OK || !arena_dup(p->a, rdata, &r->rdata) ||
        !arena_dup(p->a, buf_view(&text), &r->text) || !arena_dup(p->a, slice_str(item->why), &r->why))
        p->failed = true;
    else
        p->out->n++;
}

static void plan_add_name(struct plan *p, const struct plan_item *item, const struct dns_name *name,
                          const struct dns_name *target)
{
    struct buf b CLEANUP(buf_done) = {.max = DNS_NAME_WIRE};
    if (dns_rr_write_name(target, &b) != OK)
        p->failed = true;
    plan_add(p, item, name, buf_view(&b));
}

static void plan_add_txt(struct plan *p, const struct plan_item *item, const struct dns_name *name,
                         slice text)
{
    struct buf b CLEANUP(buf_done) = {.max = DNS_PLAN_TXT_MAX};
    if (dns_rr_write_txt(text, &b) != OK) {
        plan_note(p, "The record %s would be longer than %d octets and is left out.", name->text,
                  DNS_PLAN_TXT_MAX);
        return;
    }
    plan_add(p, item, name, buf_view(&b));
}

/* Where a name is led to in the delegated zone: NAME.ZONE. False: there is no zone, or the name lies in it.
 */
static bool plan_delegated(struct plan *p, const struct dns_name *name, struct dns_name *out)
{
    return p->zone.n && !dns_name_below(name, dns_name_view(&p->zone)) &&
           plan_name(p, name->text, dns_name_view(&p->zone), out);
}

static void plan_add_cname(struct plan *p, const struct plan_item *item, const struct dns_name *name,
                           const struct dns_name *target)
{
    struct plan_item cname = {.kind = item->kind, .must = item->must, .type = DNS_CNAME};
    snprintf(cname.why, sizeof cname.why,
             "Leads to the zone this server answers for, so that the record behind it changes without your "
             "doing. Set it once.");
    plan_add_name(p, &cname, name, target);
}

/* A TXT record that lives in the delegated zone when there is one, with its CNAME. */
static void plan_add_rolling(struct plan *p, const struct plan_item *item, const char *prefix, slice text)
{
    struct dns_name name, target;
    if (!plan_name(p, prefix, dns_name_view(&p->domain), &name))
        return;
    if (!plan_delegated(p, &name, &target)) {
        plan_add_txt(p, item, &name, text);
        return;
    }
    plan_add_cname(p, item, &name, &target);
    plan_add_txt(p, item, &target, text);
}

/* ---- one builder a kind */

static void plan_mx(struct plan *p)
{
    struct plan_item item = {.kind = DNS_PLAN_MX, .must = true, .type = DNS_MX};
    struct dns_mx mx = {10, p->host};
    struct buf b CLEANUP(buf_done) = {.max = DNS_NAME_WIRE + 2};
    snprintf(item.why, sizeof item.why,
             "Tells other servers that mail for %s goes to this server. Without it no mail comes in.",
             p->domain.text);
    if (dns_rr_write_mx(&mx, &b) != OK)
        p->failed = true;
    plan_add(p, &item, &p->domain, buf_view(&b));
}

/* The include terms, and what the whole costs, RFC 7208 §4.6.4. */
static void plan_spf_includes(struct plan *p, struct buf *text)
{
    int lookups = 1; /* mx */
    bool sure = true;
    for (size_t i = 0; i < p->in->n_includes; i++) {
        const struct dns_plan_include *in = &p->in->includes[i];
        struct dns_name name;
        if (dns_name_parse(in->name, &name) != OK || name.n == 0 || dns_name_eq(&name, &p->domain)) {
            plan_note(p,
                      "The setting spf-include names something that cannot be included; it is left out of "
                      "the SPF record. See `posthorn domain show %s`.",
                      p->domain.text);
            continue;
        }
        buf_print(text, " include:%s", name.text);
        lookups += 1 + (in->lookups > 0 ? in->lookups : 0);
        sure = sure && in->lookups >= 0;
    }
    if (lookups > DNS_PLAN_SPF_LOOKUPS)
        plan_note(
            p,
            "The SPF record of %s costs %s%d DNS lookups and %d are allowed: receivers will count it as "
            "broken, and none of your mail passes SPF. Take names out of spf-include: `posthorn domain "
            "set %s spf-include NAMES`.",
            p->domain.text, sure ? "" : "at least ", lookups, DNS_PLAN_SPF_LOOKUPS, p->domain.text);
}

static void plan_spf(struct plan *p)
{
    struct plan_item item = {
        .kind = DNS_PLAN_SPF, .must = true, .type = DNS_TXT, .marker = SLICE_INIT("v=spf1")};
    struct buf text CLEANUP(buf_done) = {.max = DNS_PLAN_TXT_MAX};
    buf_str(&text, "v=spf1 mx");
    for (size_t i = 0; i < p->in->n_addresses; i++) {
        char ip[IP_TEXT];
        ip_print(&p->in->addresses[i], ip);
        buf_print(&text, " %s:%s", ip_is_v4(&p->in->addresses[i]) ? "ip4" : "ip6", ip);
    }
    plan_spf_includes(p, &text);
    buf_str(&text, p->in->sign ? " ~all" : " -all");
    snprintf(item.why, sizeof item.why, "%s",
             p->in->sign ? "Says which servers send mail of this domain. It ends in ~all because the mail is "
                           "signed too: what a forwarder passes on fails SPF and is still yours by its "
                           "signature; DMARC says what happens to the rest."
                         : "Says which servers send mail of this domain. It ends in -all because the mail is "
                           "not signed: SPF is all that tells it from a forgery.");
    if (buf_failed(&text))
        plan_note(p,
                  "The SPF record of %s would be longer than %d octets and is left out: shorten "
                  "spf-include.",
                  p->domain.text, DNS_PLAN_TXT_MAX);
    else
        plan_add_txt(p, &item, &p->domain, buf_view(&text));
}

static const char *plan_key_why(enum dns_plan_key_state state)
{
    switch (state) {
    case DNS_PLAN_KEY_WAITING:
        return "The public half of the next DKIM key. It signs as soon as this record is seen in the DNS.";
    case DNS_PLAN_KEY_SIGNING:
        return "The public half of a DKIM key that signs mail now. Without it receivers take the signatures "
               "as broken.";
    case DNS_PLAN_KEY_RESTING:
        return "The public half of a DKIM key that signs no more. It stays until all mail it signed has "
               "arrived; then the record may go.";
    default:
        return "";
    }
}

static const struct plan_item plan_dkim_item = {
    .kind = DNS_PLAN_DKIM, .must = true, .type = DNS_TXT, .marker = SLICE_INIT("v=DKIM1")};

/* _domainkey names lead to the zone for all slots at once, used or not: so none is ever missing. */
static void plan_dkim_slots(struct plan *p)
{
    for (size_t i = 0; i < DNS_PLAN_SLOTS; i++) {
        char prefix[64];
        struct dns_name name, target;
        snprintf(prefix, sizeof prefix, "%s._domainkey", dns_plan_slots[i]);
        if (plan_name(p, prefix, dns_name_view(&p->domain), &name) && plan_delegated(p, &name, &target))
            plan_add_cname(p, &plan_dkim_item, &name, &target);
    }
}

static void plan_dkim(struct plan *p)
{
    bool slots = p->zone.n && !dns_name_below(&p->domain, dns_name_view(&p->zone));
    if (slots)
        plan_dkim_slots(p);
    for (size_t i = 0; i < p->in->n_keys; i++) {
        const struct dns_plan_key *k = &p->in->keys[i];
        struct plan_item item = plan_dkim_item;
        struct dns_name name, target;
        char prefix[DNS_LABEL_MAX + 16];
        if (k->selector.n > DNS_LABEL_MAX)
            continue;
        snprintf(item.why, sizeof item.why, "%s", plan_key_why(k->state));
        item.must = k->state != DNS_PLAN_KEY_RESTING;
        snprintf(prefix, sizeof prefix, "%.*s._domainkey", SLICE_FMT(k->selector));
        if (!plan_name(p, prefix, dns_name_view(&p->domain), &name))
            continue;
        if (slots && dns_plan_is_slot(k->selector)) {
            if (!plan_delegated(p, &name, &target))
                continue;
            name = target;
        }
        plan_add_txt(p, &item, &name, k->record);
    }
    if (!p->in->sign)
        plan_note(p, "Mail of %s is not signed. `posthorn domain set %s sign on` changes that.",
                  p->domain.text, p->domain.text);
    else if (p->in->n_keys == 0)
        plan_note(p,
                  "There is no DKIM key for %s yet: one is made within minutes of the domain being added. "
                  "Then ask again.",
                  p->domain.text);
}

/* RFC 9989 §4.7. psd is not ours to say, and without rua nobody would learn that something is wrong. */
static void plan_dmarc(struct plan *p)
{
    struct plan_item item = {
        .kind = DNS_PLAN_DMARC, .must = true, .type = DNS_TXT, .marker = SLICE_INIT("v=DMARC1")};
    struct buf text CLEANUP(buf_done) = {.max = DNS_PLAN_TXT_MAX};
    slice policy = p->in->dmarc.n ? p->in->dmarc : SLICE("none");
    bool none = slice_eq(policy, SLICE("none"));
    if (!none && !slice_eq(policy, SLICE("quarantine")) && !slice_eq(policy, SLICE("reject"))) {
        plan_note(p, "The setting dmarc of %s is none of none, quarantine and reject; the plan says none.",
                  p->domain.text);
        policy = SLICE("none");
        none = true;
    }
    buf_print(&text, "v=DMARC1; p=%.*s;%s rua=mailto:dmarc-reports@%s", SLICE_FMT(policy),
              none ? "" : " np=reject;", p->domain.text);
    snprintf(item.why, sizeof item.why,
             none
                 ? "Asks receivers to tell you who sends mail in your name, and to let it all through for "
                   "now. When the reports look right: `posthorn domain set %s dmarc quarantine`, then reject."
                 : "Tells receivers what to do with mail in the name of %s that fails SPF and DKIM, and asks "
                   "them for reports. Names below it that do not exist (np) never send mail.",
             p->domain.text);
    plan_add_rolling(p, &item, "_dmarc", buf_view(&text));
}

/* RFC 8460 §3. */
static void plan_tls_rpt(struct plan *p)
{
    struct plan_item item = {
        .kind = DNS_PLAN_TLS_RPT, .must = false, .type = DNS_TXT, .marker = SLICE_INIT("v=TLSRPTv1")};
    char text[DNS_NAME_MAX + 64];
    snprintf(text, sizeof text, "v=TLSRPTv1; rua=mailto:tls-reports@%s", p->domain.text);
    snprintf(item.why, sizeof item.why,
             "Asks other servers to report when they could not send to you over TLS; nobody tells you "
             "otherwise.");
    plan_add_rolling(p, &item, "_smtp._tls", slice_str(text));
}

/* Services that clients look for, RFC 6186 §3, RFC 8314 §5.1. TLS from the first byte comes first. */
static const struct plan_srv {
    const char *service; /* as in a listen line */
    const char *label;
    uint16_t priority;
} plan_srvs[] = {
    {"submissions", "_submissions._tcp", 0},
    {"submission", "_submission._tcp", 10},
    {"imaps", "_imaps._tcp", 0},
    {"imap", "_imap._tcp", 10},
    {"pop3s", "_pop3s._tcp", 0},
    {"pop3", "_pop3._tcp", 10},
};

static void plan_srv_add(struct plan *p, const struct plan_srv *s, const struct dns_name *name, uint16_t port)
{
    struct plan_item item = {.kind = DNS_PLAN_SRV, .must = false, .type = DNS_SRV};
    struct dns_srv srv = {0, 0, 0, {0}};
    struct buf b CLEANUP(buf_done) = {.max = DNS_NAME_WIRE + 6};
    if (port) {
        srv = (struct dns_srv){s->priority, 1, port, p->host};
        snprintf(item.why, sizeof item.why,
                 "Lets mail programs find the %s service by themselves when somebody types in an address.",
                 s->service);
    } else {
        snprintf(item.why, sizeof item.why,
                 "Says that there is no %s service for this domain, so that mail programs need not try.",
                 s->service);
    }
    if (dns_rr_write_srv(&srv, &b) != OK)
        p->failed = true;
    plan_add(p, &item, name, buf_view(&b));
}

/* Each port once, for a service that listens at several addresses. */
static bool plan_port_again(const struct dns_plan_input *in, size_t i, bool same_service)
{
    for (size_t k = 0; k < i; k++)
        if (in->services[k].port == in->services[i].port &&
            (!same_service || slice_eq(in->services[k].name, in->services[i].name)))
            return true;
    return false;
}

static void plan_srv(struct plan *p)
{
    for (size_t s = 0; s < ARRAY_LEN(plan_srvs); s++) {
        struct dns_name name;
        bool any = false;
        if (!plan_name(p, plan_srvs[s].label, dns_name_view(&p->domain), &name))
            continue;
        for (size_t i = 0; i < p->in->n_services; i++) {
            if (!slice_eq(p->in->services[i].name, slice_str(plan_srvs[s].service)) ||
                plan_port_again(p->in, i, true))
                continue;
            any = true;
            plan_srv_add(p, &plan_srvs[s], &name, p->in->services[i].port);
        }
        if (!any)
            plan_srv_add(p, &plan_srvs[s], &name, 0);
    }
}

/* All of one type, so that a set lies together. */
static void plan_addresses_of(struct plan *p, bool v4)
{
    struct plan_item item = {.kind = DNS_PLAN_ADDRESS, .must = true, .type = v4 ? DNS_A : DNS_AAAA};
    snprintf(item.why, sizeof item.why,
             "Where this server is. Mail for the domain, mail programs and every check of its name need it.");
    for (size_t i = 0; i < p->in->n_addresses; i++) {
        struct buf b CLEANUP(buf_done) = {.max = 16};
        if (ip_is_v4(&p->in->addresses[i]) != v4)
            continue;
        if (dns_rr_write_ip(&p->in->addresses[i], &b) != OK)
            p->failed = true;
        plan_add(p, &item, &p->host, buf_view(&b));
    }
}

static void plan_address(struct plan *p)
{
    plan_addresses_of(p, true);
    plan_addresses_of(p, false);
    for (size_t i = 0; i < p->in->n_addresses; i++) {
        enum address_class c = address_class(&p->in->addresses[i]);
        char text[IP_TEXT];
        if (c == ADDRESS_GLOBAL || c == ADDRESS_DOCUMENTATION)
            continue;
        ip_print(&p->in->addresses[i], text);
        plan_note(p,
                  "%s is %s: nobody outside reaches it. Give the address that others see with a line "
                  "`address IP` in the configuration.",
                  text, address_class_text(c));
    }
    if (p->in->n_addresses == 0)
        plan_note(p,
                  "The address of this server is not known, so there are no A, AAAA and PTR records in the "
                  "plan, and SPF names it by mx only. Add a line `address IP` to the configuration.");
}

/* RFC 7208 §2.3: checks of HELO, and the only SPF of bounces. */
static void plan_spf_helo(struct plan *p)
{
    struct plan_item item = {
        .kind = DNS_PLAN_SPF_HELO, .must = false, .type = DNS_TXT, .marker = SLICE_INIT("v=spf1")};
    if (dns_name_eq(&p->host, &p->domain))
        return; /* one SPF record a name; the domain's own names the same addresses */
    snprintf(
        item.why, sizeof item.why,
        "Bounces have no sender, so receivers check SPF of the name this server greets with. Only its own "
        "addresses may use it, hence -all.");
    plan_add_txt(p, &item, &p->host, SLICE("v=spf1 a -all"));
}

/* RFC 7672 §3.1.1: usage 3 (this key), selector 1 (public key), matching 1 (SHA-256). */
static void plan_tlsa(struct plan *p)
{
    struct plan_item item = {.kind = DNS_PLAN_TLSA, .must = false, .type = DNS_TLSA};
    for (size_t i = 0; i < p->in->n_services; i++) {
        struct dns_name name;
        char prefix[24];
        if (plan_port_again(p->in, i, false))
            continue;
        snprintf(prefix, sizeof prefix, "_%u._tcp", (unsigned)p->in->services[i].port);
        if (!plan_name(p, prefix, dns_name_view(&p->host), &name))
            continue;
        snprintf(
            item.why, sizeof item.why,
            "Pins the TLS key of port %u (%.*s), so that nobody in between can stand in for this server. "
            "It counts only where the zone is signed with DNSSEC, and does no harm elsewhere.",
            (unsigned)p->in->services[i].port, SLICE_FMT(p->in->services[i].name));
        for (size_t k = 0; k < p->in->n_tlsa; k++) {
            struct dns_tlsa t = {3, 1, 1, p->in->tlsa[k]};
            struct buf b CLEANUP(buf_done) = {.max = 128};
            if (t.data.n != 32)
                continue;
            if (dns_rr_write_tlsa(&t, &b) != OK)
                p->failed = true;
            plan_add(p, &item, &name, buf_view(&b));
        }
    }
}

static void plan_delegation(struct plan *p)
{
    struct plan_item item = {.kind = DNS_PLAN_DELEGATION, .must = true, .type = DNS_NS};
    if (p->zone.n == 0)
        return;
    snprintf(item.why, sizeof item.why,
             "Hands the zone %.200s to this server. Set it in the zone above; everything in it rolls by "
             "itself.",
             p->zone.text);
    plan_add_name(p, &item, &p->zone, &p->host);
    if (dns_name_below(&p->host, dns_name_view(&p->zone)))
        plan_note(p,
                  "The host name %.100s lies in the delegated zone %.100s: the zone above needs its A and "
                  "AAAA records too (glue). A host name outside the zone is simpler.",
                  p->host.text, p->zone.text);
}

static void plan_ptr(struct plan *p)
{
    struct plan_item item = {.kind = DNS_PLAN_PTR, .must = true, .type = DNS_PTR};
    for (size_t i = 0; i < p->in->n_addresses; i++) {
        struct dns_name name;
        char text[IP_TEXT];
        ip_print(&p->in->addresses[i], text);
        dns_name_reverse(&p->in->addresses[i], &name);
        snprintf(item.why, sizeof item.why,
                 "The name of the address %s. Large receivers refuse mail from an address without one. Only "
                 "your provider can set it: look for \"reverse DNS\" there and enter %.200s.",
                 text, p->host.text);
        plan_add_name(p, &item, &name, &p->host);
    }
}

/* The plan, in the order it is shown. */
static void (*const plan_rows[])(struct plan *p) = {
    plan_mx,      plan_spf,      plan_dkim, plan_dmarc,      plan_tls_rpt, plan_srv,
    plan_address, plan_spf_helo, plan_tlsa, plan_delegation, plan_ptr,
};
static_assert(ARRAY_LEN(plan_rows) == DNS_PLAN_KIND__COUNT, "every kind has a builder");

enum err dns_plan_make(const struct dns_plan_input *in, struct arena *a, struct dns_plan *out)
{
    struct dns_plan plan = {0};
    struct plan p = {.in = in, .a = a, .out = &plan};
    if (dns_name_parse(in->domain, &p.domain) != OK || p.domain.n == 0 ||
        dns_name_parse(in->hostname, &p.host) != OK || p.host.n == 0 ||
        (in->zone.n && (dns_name_parse(in->zone, &p.zone) != OK || p.zone.n == 0)))
        return ERR_SYNTAX;
    plan.records = ARENA_ARRAY(a, DNS_PLAN_RECORDS_MAX, struct dns_plan_record);
    plan.notes = ARENA_ARRAY(a, DNS_PLAN_NOTES_MAX, slice);
    if (!plan.records || !plan.notes)
        return ERR_LIMIT;
    for (size_t i = 0; i < ARRAY_LEN(plan_rows); i++)
        plan_rows[i](&p);
    if (p.failed)
        return ERR_LIMIT;
    *out = plan;
    return OK;
}
