/* The domain's zone and its servers; MX; SRV; the zone that is delegated to us. */
#include "core/dns/dns_text.h"
#include "policy/doctor/examine__.h"

/* ---- the zone */

static void zone_servers(struct examine *x, const struct facts_zone *z)
{
    size_t good = 0, unseen = 0;
    for (size_t i = 0; i < z->n_servers; i++) {
        good += z->servers[i].err == OK && z->servers[i].authoritative;
        unseen += z->servers[i].no_way;
    }
    for (size_t i = 0; i < z->n_servers; i++) {
        const struct facts_server *s = &z->servers[i];
        slice who = examine_text(x, "%.*s [%.*s]", SLICE_FMT(s->name),
                                 SLICE_FMT(ip_is_none(&s->ip) ? SLICE("no address") : examine_ip(x, &s->ip)));
        if (s->no_way || (s->err == OK && s->authoritative))
            continue;
        examine_found(
            x, FINDING_SERVER_LAME, examine_text(x, "%.*s at %.*s", SLICE_FMT(z->apex), SLICE_FMT(who)),
            SLICE("Mend the server, or take its NS record out of the zone and out of the registry."),
            (slice){0}, "The name server %.*s %s for %.*s.", SLICE_FMT(who),
            s->err == OK         ? "does not feel responsible"
            : ip_is_none(&s->ip) ? "has no address and so cannot answer"
                                 : "does not answer",
            SLICE_FMT(z->apex));
    }
    if (!good && !unseen && z->n_servers)
        examine_found(x, FINDING_SERVERS_NONE, z->apex,
                      SLICE("Start the name servers, or name others at the registry."), (slice){0},
                      "None of the %zu name servers of %.*s answers for it.", z->n_servers,
                      SLICE_FMT(z->apex));
}

static void zone_serials(struct examine *x, const struct facts_zone *z)
{
    const struct facts_server *first = NULL;
    for (size_t i = 0; i < z->n_servers; i++) {
        const struct facts_server *s = &z->servers[i];
        if (s->err || !s->authoritative)
            continue;
        if (!first)
            first = s;
        else if (s->serial != first->serial)
            examine_found(
                x, FINDING_SERIAL_DIFFERS, z->apex,
                SLICE("If this lasts longer than some minutes: see why the older one does not fetch the "
                      "zone (NOTIFY, AXFR, TSIG key, firewall)."),
                (slice){0}, "%.*s has version %u of %.*s and %.*s has %u.", SLICE_FMT(first->name),
                (unsigned)first->serial, SLICE_FMT(z->apex), SLICE_FMT(s->name), (unsigned)s->serial);
    }
}

void examine_zone(struct examine *x, const struct setup_domain *d)
{
    for (size_t i = 0; i < x->facts->n_zones; i++) {
        const struct facts_zone *z = &x->facts->zones[i];
        if (!slice_eq(z->domain, d->name))
            continue;
        if (z->nxdomain) {
            examine_found(
                x, FINDING_DOMAIN_MISSING, d->name,
                examine_text(
                    x,
                    "Register the domain or renew it, and have its name servers entered at the registry. "
                    "Then publish its records:\nposthorn dns %.*s --zone",
                    SLICE_FMT(d->name)),
                (slice){0}, "%.*s does not exist: the zone above it knows nothing of it.",
                SLICE_FMT(d->name));
            continue;
        }
        zone_servers(x, z);
        zone_serials(x, z);
        if (z->parent_ns.n && z->child_ns.n && !slice_eq(z->parent_ns, z->child_ns))
            examine_found(x, FINDING_DELEGATION_DIFFERS, z->apex,
                          SLICE("Enter the same names at the registry and as NS records of the zone."),
                          examine_text(x, "registry: %.*s\nzone: %.*s", SLICE_FMT(z->parent_ns),
                                       SLICE_FMT(z->child_ns)),
                          "The registry delegates %.*s to other name servers than the zone names itself.",
                          SLICE_FMT(z->apex));
        for (size_t k = 0; k < z->n_disagreements; k++)
            examine_found(x, FINDING_SERVERS_DISAGREE,
                          examine_text(x, "%s %.*s", dns_type_name(z->disagreements[k].type),
                                       SLICE_FMT(z->disagreements[k].name)),
                          SLICE("See why one of them does not have the present zone."),
                          z->disagreements[k].text, "The name servers of %.*s do not agree on %s of %.*s.",
                          SLICE_FMT(z->apex), dns_type_name(z->disagreements[k].type),
                          SLICE_FMT(z->disagreements[k].name));
    }
}

/* ---- MX */

#define MX_LOOKED_AT 16 /* records of a domain; each costs three questions */

static slice mx_mend(struct examine *x, const struct setup_domain *d)
{
    const struct dns_plan_record *r = examine_plan(d, DNS_PLAN_MX, NULL);
    return r ? examine_record(x, r) : (slice){0};
}

/* One host named by an MX record that is not our host name. True when it leads to us all the same. */
static bool mx_other(struct examine *x, const struct setup_domain *d, const struct dns_name *host, slice seen,
                     bool *out_known)
{
    slice name = dns_name_view(host);
    struct examine_addresses to;
    struct ip ip;
    bool ours = false;
    const struct dns_answer *cname = examine_ask(x, name, DNS_CNAME);
    *out_known = false;
    if (ip_parse(name, &ip) == OK) {
        *out_known = true;
        examine_found(x, FINDING_MX_IP, d->name, mx_mend(x, d), seen,
                      "The MX record of %.*s holds the address %s; there must be a name.", SLICE_FMT(d->name),
                      host->text);
        return true; /* said already */
    }
    if (!examine_addresses(x, name, &to) || !cname)
        return false;
    *out_known = true;
    for (size_t i = 0; i < to.n; i++)
        ours |= examine_is_ours(x, &to.at[i]);
    if (cname->status == DNS_ANSWER_OK && cname->n) {
        examine_found(x, FINDING_MX_CNAME, d->name, mx_mend(x, d), seen,
                      "The MX record of %.*s names %s, which is an alias.", SLICE_FMT(d->name), host->text);
        return true;
    }
    if (to.n == 0) {
        examine_found(x, FINDING_MX_NO_ADDRESS, d->name, mx_mend(x, d), seen,
                      "The MX record of %.*s names %s, which has no address.", SLICE_FMT(d->name),
                      host->text);
        return true;
    }
    return ours;
}

void examine_mx(struct examine *x, const struct setup_domain *d)
{
    const struct dns_answer *a = examine_known(x, d->name, DNS_MX);
    size_t ours = 0, others = 0, known = 0, n;
    slice seen, mend = mx_mend(x, d);
    if (!a)
        return;
    if (a->n == 0) {
        examine_found(x, FINDING_MX_MISSING, d->name, mend, (slice){0}, "%.*s has no MX record.",
                      SLICE_FMT(d->name));
        return;
    }
    seen = examine_answer(x, DNS_MX, a);
    n = size_min(a->n, MX_LOOKED_AT);
    for (size_t i = 0; i < n; i++) {
        struct dns_mx mx;
        bool sure = true, here;
        if (dns_rr_mx(a->rdata[i], &mx)) { /* a name that is none of a host */
            others++;
            known++;
            continue;
        }
        if (mx.host.n == 0) {
            examine_found(x, FINDING_MX_NULL, d->name, mend, seen,
                          "%.*s has a null MX: it says that it takes no mail at all.", SLICE_FMT(d->name));
            return;
        }
        here = slice_eq(dns_name_view(&mx.host), x->setup->hostname) || mx_other(x, d, &mx.host, seen, &sure);
        ours += here;
        others += !here && sure;
        known += sure;
    }
    if (known < n)
        return;
    if (!ours)
        examine_found(x, FINDING_MX_ELSEWHERE, d->name, mend, seen,
                      "The MX records of %.*s do not lead to this server.", SLICE_FMT(d->name));
    else if (others)
        examine_found(
            x, FINDING_MX_ALSO, d->name,
            examine_text(x,
                         "%.*s\n(this one alone: take the others out, unless those servers hand mail on to "
                         "this one)",
                         SLICE_FMT(mend)),
            seen, "Mail for %.*s goes to other servers beside this one.", SLICE_FMT(d->name));
}

/* ---- SRV */

static void srv_one(struct examine *x, const struct dns_plan_record *r)
{
    const struct dns_answer *a = examine_known(x, dns_name_view(&r->name), r->type);
    struct dns_srv want, have;
    slice name = dns_name_view(&r->name);
    if (!a || dns_rr_srv(r->rdata, &want))
        return;
    if (a->n == 0) {
        if (want.target.n) /* that a service is not there need not be said */
            examine_found(x, FINDING_SRV_MISSING, name, examine_record(x, r), (slice){0},
                          "There is no SRV record %.*s.", SLICE_FMT(name));
        return;
    }
    for (size_t i = 0; i < a->n; i++)
        if (dns_rr_srv(a->rdata[i], &have) == OK && dns_name_eq(&have.target, &want.target) &&
            (have.port == want.port || !want.target.n))
            return;
    examine_found(x, FINDING_SRV_DIFFERENT, name, examine_record(x, r), examine_answer(x, DNS_SRV, a),
                  "The SRV record %.*s leads elsewhere.", SLICE_FMT(name));
}

void examine_srv(struct examine *x, const struct setup_domain *d)
{
    const struct dns_plan_record *r = NULL;
    while ((r = examine_plan(d, DNS_PLAN_SRV, r)))
        srv_one(x, r);
}

/* ---- the zone that we answer for */

void examine_delegated(struct examine *x, const struct setup_domain *d)
{
    const struct dns_plan_record *r = NULL;
    while ((r = examine_plan(d, DNS_PLAN_DELEGATION, r))) {
        const struct dns_answer *a = examine_known(x, dns_name_view(&r->name), r->type);
        bool there = false;
        if (!a)
            continue;
        for (size_t i = 0; i < a->n; i++)
            there |= slice_eq(a->rdata[i], r->rdata);
        if (!there)
            examine_found(x, FINDING_DELEGATION_MISSING, dns_name_view(&r->name), examine_record(x, r),
                          examine_answer(x, r->type, a), "The zone %.*s is not delegated to this server.",
                          SLICE_FMT(dns_name_view(&r->name)));
    }
}
