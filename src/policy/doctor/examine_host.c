/* The host name and our addresses: forward, reverse, blocklists; the resolver. */
#include "core/dnsbl/dnsbl.h"
#include "policy/address_class.h"
#include "policy/doctor/examine__.h"

#include <stdio.h>

/* The records that the host name should have, for a mend. */
static slice host_records(struct examine *x, enum dns_plan_kind kind)
{
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    const struct dns_plan_record *r = NULL;
    while (x->setup->n_domains && (r = examine_plan(&x->setup->domains[0], kind, r)))
        buf_print(&b, "%s%.*s", b.n ? "\n" : "", SLICE_FMT(examine_record(x, r)));
    if (!b.n) /* which addresses it has is not known either */
        buf_print(&b, "%.*s. 3600 IN A ADDRESS\n(ADDRESS: that of this server, as others see it)",
                  SLICE_FMT(x->setup->hostname));
    return examine_keep(x, buf_view(&b));
}

static slice ip_list(struct examine *x, const struct ip *ips, size_t n)
{
    struct buf b CLEANUP(buf_done) = {.max = 2048};
    for (size_t i = 0; i < n; i++)
        buf_print(&b, "%s%.*s", i ? ", " : "", SLICE_FMT(examine_ip(x, &ips[i])));
    return examine_keep(x, buf_view(&b));
}

/* Either the DNS is wrong, or the configuration does not name an address that is ours. */
static slice host_elsewhere_mend(struct examine *x, const struct examine_addresses *seen)
{
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    buf_print(&b, "%.*s\n(these alone; or, if it is an address of this server, in the configuration:)",
              SLICE_FMT(host_records(x, DNS_PLAN_ADDRESS)));
    for (size_t i = 0; i < seen->n && i < 8; i++)
        if (!examine_is_ours(x, &seen->at[i]))
            buf_print(&b, "\naddress %.*s", SLICE_FMT(examine_ip(x, &seen->at[i])));
    return examine_keep(x, buf_view(&b));
}

static void host_leads(struct examine *x, const struct examine_addresses *seen)
{
    slice host = x->setup->hostname, have = ip_list(x, seen->at, seen->n);
    size_t ours = 0;
    for (size_t i = 0; i < seen->n; i++)
        ours += examine_is_ours(x, &seen->at[i]);
    if (x->setup->addresses_found)
        return; /* then the two are the same thing */
    if (ours < seen->n)
        examine_found(x, FINDING_HOST_ELSEWHERE, host, host_elsewhere_mend(x, seen), have,
                      "%.*s leads to %.*s; this server's addresses are %.*s.", SLICE_FMT(host),
                      SLICE_FMT(have), SLICE_FMT(ip_list(x, x->setup->addresses, x->setup->n_addresses)));
    for (size_t i = 0; i < x->setup->n_addresses; i++) {
        bool named = false;
        for (size_t k = 0; k < seen->n; k++)
            named |= ip_eq(&seen->at[k], &x->setup->addresses[i]);
        if (!named && ours)
            examine_found(x, FINDING_HOST_INCOMPLETE, examine_ip(x, &x->setup->addresses[i]),
                          host_records(x, DNS_PLAN_ADDRESS), have, "%.*s does not lead to %.*s.",
                          SLICE_FMT(host), SLICE_FMT(examine_ip(x, &x->setup->addresses[i])));
    }
}

void examine_host(struct examine *x)
{
    slice host = x->setup->hostname;
    struct examine_addresses seen;
    if (!x->setup->n_addresses)
        examine_found(x, FINDING_ADDRESS_UNKNOWN, host,
                      SLICE("Write the addresses into the configuration, one a line: address 192.0.2.1"),
                      (slice){0}, "Neither the configuration nor the DNS says which addresses %.*s has.",
                      SLICE_FMT(host));
    if (!examine_addresses(x, host, &seen))
        return;
    if (seen.n == 0)
        examine_found(x, FINDING_HOST_MISSING, host, host_records(x, DNS_PLAN_ADDRESS), (slice){0},
                      "%.*s, the name of this server, has neither an A nor an AAAA record.", SLICE_FMT(host));
    else
        host_leads(x, &seen);
}

/* ---- reverse names */

/* Does one of the names lead back to the address? False in *out_known while it is not known. */
static bool reverse_confirmed(struct examine *x, slice name, const struct ip *ip, bool *out_known)
{
    struct examine_addresses seen;
    *out_known = examine_addresses(x, name, &seen);
    for (size_t i = 0; *out_known && i < seen.n; i++)
        if (ip_eq(&seen.at[i], ip))
            return true;
    return false;
}

/* Our own name has to lead back; of another, that only its owner can see to. */
static slice ptr_mend(struct examine *x, const struct ip *ip, const struct dns_name *name, slice ptr)
{
    slice forward = examine_text(x, "%s. 3600 IN %s %.*s", name->text, ip_is_v4(ip) ? "A" : "AAAA",
                                 SLICE_FMT(examine_ip(x, ip)));
    if (slice_eq(dns_name_view(name), x->setup->hostname))
        return forward;
    return examine_text(x, "%.*s\n(or, if the name is to stay: %.*s)", SLICE_FMT(ptr), SLICE_FMT(forward));
}

static void reverse_names(struct examine *x, const struct ip *ip, const struct dns_answer *a, slice mend)
{
    slice text = examine_ip(x, ip), seen = examine_answer(x, DNS_PTR, a);
    bool ours = false;
    for (size_t i = 0; i < a->n; i++) {
        struct dns_name name;
        bool known, confirmed;
        if (dns_rr_name(a->rdata[i], &name))
            continue;
        ours |= slice_eq(dns_name_view(&name), x->setup->hostname);
        confirmed = reverse_confirmed(x, dns_name_view(&name), ip, &known);
        if (known && !confirmed)
            examine_found(x, FINDING_PTR_UNCONFIRMED, text, ptr_mend(x, ip, &name, mend), seen,
                          "The reverse name of %.*s is %s, but %s does not lead to %.*s.", SLICE_FMT(text),
                          name.text, name.text, SLICE_FMT(text));
    }
    if (a->n > 1)
        examine_found(x, FINDING_PTR_SEVERAL, text, examine_alone(x, mend), seen,
                      "%.*s has %zu reverse names.", SLICE_FMT(text), a->n);
    if (!ours)
        examine_found(x, FINDING_PTR_OTHER, text, mend, seen, "The reverse name of %.*s is not %.*s.",
                      SLICE_FMT(text), SLICE_FMT(x->setup->hostname));
}

void examine_reverse(struct examine *x)
{
    for (size_t i = 0; i < x->setup->n_addresses; i++) {
        const struct ip *ip = &x->setup->addresses[i];
        enum address_class class = address_class(ip);
        struct dns_name name;
        const struct dns_answer *a;
        slice text = examine_ip(x, ip), mend;
        if (class != ADDRESS_GLOBAL && !x->setup->private_ok) {
            examine_found(
                x, FINDING_ADDRESS_PRIVATE, text,
                SLICE("Write the address that the world sees into the configuration (address IP), and "
                      "have port 25 of it forwarded to this machine."),
                (slice){0}, "%.*s is %s.", SLICE_FMT(text), address_class_text(class));
            continue;
        }
        dns_name_reverse(ip, &name);
        mend = examine_text(x,
                            "%s. 3600 IN PTR %.*s.\n(whoever gave you the address sets it, mostly under "
                            "\"reverse DNS\")",
                            name.text, SLICE_FMT(x->setup->hostname));
        a = examine_known(x, dns_name_view(&name), DNS_PTR);
        if (!a)
            continue;
        if (a->n == 0)
            examine_found(x, FINDING_PTR_MISSING, text, mend, (slice){0}, "%.*s has no reverse name.",
                          SLICE_FMT(text));
        else
            reverse_names(x, ip, a, mend);
    }
}

/* ---- blocklists (core/dnsbl). A list counts only while it passes its canaries. */

static void list_off(struct examine *x, slice zone, bool white, slice why)
{
    struct finding *f = examine_found(
        x, FINDING_DNSBL_OFF, zone,
        x->before ? SLICE("Look on the list's web page whether the address is on it.")
                  : examine_text(x,
                                 "If a public resolver is asked, let the server resolve by itself: no "
                                 "`resolver forward`.\nIf the list is gone, take the line `%s %.*s` out of "
                                 "the configuration.",
                                 white ? "dnswl" : "dnsbl", SLICE_FMT(zone)),
        (slice){0}, "The list %.*s is not used: %.*s.", SLICE_FMT(zone), SLICE_FMT(why));
    if (x->before)
        f->severity = FINDING_NOTE;
}

/* One address, or one domain when the list is one of names. */
static void list_ask(struct examine *x, struct dnsbl_list *l, const struct ip *ip, slice domain)
{
    slice what = ip ? examine_ip(x, ip) : domain, zone = dns_name_view(&l->zone);
    struct ip none = {0};
    struct dnsbl_reading r;
    struct dns_name name;
    const struct dns_answer *why;
    bool changed;
    if (dnsbl_list_ask(l, ip ? ip : &none, domain, x->dns, x->facts->now, &r, &changed) == AUTH_WAIT) {
        x->waiting = true;
        return;
    }
    if (r.status == DNSBL_ERROR)
        list_off(x, zone, l->white, slice_str(l->why));
    if (r.status != DNSBL_LISTED ||
        !(ip ? dnsbl_address_name(ip, zone, &name) : dnsbl_domain_name(domain, zone, &name)))
        return;
    why = examine_ask(x, dns_name_view(&name), DNS_TXT);
    if (!why)
        return;
    examine_found(
        x, FINDING_DNSBL_LISTED, examine_text(x, "%.*s on %.*s", SLICE_FMT(what), SLICE_FMT(zone)),
        SLICE("Look for the reason on the list's web page and end it (an account that was taken over, a "
              "form on a web page, a former holder of the address), then ask there to be taken off."),
        why->n ? examine_answer(x, DNS_TXT, why) : (slice){0}, "%.*s is listed by %.*s (%u.%u.%u.%u, %.*s).",
        SLICE_FMT(what), SLICE_FMT(zone), r.code[0], r.code[1], r.code[2], r.code[3], SLICE_FMT(r.words));
}

/* Is the list well? False: not known yet, or it is off. */
static bool list_is_well(struct examine *x, struct dnsbl_list *l)
{
    bool changed;
    if (dnsbl_list_check(l, x->dns, x->facts->now, &changed) != AUTH_WAIT)
        return l->on;
    x->waiting = true;
    return false;
}

void examine_lists(struct examine *x)
{
    /* what judge switched off, it does not use until it has checked it again, whatever is seen from here */
    for (size_t i = 0; i < x->facts->n_lists_off; i++)
        list_off(x, x->facts->lists_off[i].zone, x->facts->lists_off[i].white, x->facts->lists_off[i].why);
    for (size_t i = 0; i < x->setup->n_dnsbl; i++) {
        struct dnsbl_list l;
        if (dnsbl_list_init(&l, x->setup->dnsbl[i], false, x->facts->now))
            continue;
        if (!list_is_well(x, &l)) {
            if (!l.on)
                list_off(x, dns_name_view(&l.zone), l.white, slice_str(l.why));
            continue;
        }
        for (size_t k = 0; k < x->setup->n_addresses && !(l.facts && l.facts->names); k++)
            list_ask(x, &l, &x->setup->addresses[k], (slice){0});
    }
}

/* Lists of names; that one is off is said with the server. */
void examine_name_lists(struct examine *x, const struct setup_domain *d)
{
    for (size_t i = 0; i < x->setup->n_dnsbl; i++) {
        struct dnsbl_list l;
        if (dnsbl_list_init(&l, x->setup->dnsbl[i], false, x->facts->now) == OK && l.facts &&
            l.facts->names && list_is_well(x, &l))
            list_ask(x, &l, NULL, d->name);
    }
}

/* ---- the resolver */

const char *examine_public_resolver(slice address)
{
    static const struct {
        const char *address, *name;
    } known[] = {
        {"8.8.8.8", "Google Public DNS"},
        {"8.8.4.4", "Google Public DNS"},
        {"2001:4860:4860::8888", "Google Public DNS"},
        {"2001:4860:4860::8844", "Google Public DNS"},
        {"1.1.1.1", "Cloudflare"},
        {"1.0.0.1", "Cloudflare"},
        {"2606:4700:4700::1111", "Cloudflare"},
        {"2606:4700:4700::1001", "Cloudflare"},
        {"9.9.9.9", "Quad9"},
        {"149.112.112.112", "Quad9"},
        {"2620:fe::fe", "Quad9"},
        {"208.67.222.222", "OpenDNS"},
        {"208.67.220.220", "OpenDNS"},
        {"4.2.2.1", "Level 3"},
        {"4.2.2.2", "Level 3"},
        {"94.140.14.14", "AdGuard"},
        {"76.76.2.0", "Control D"},
    };
    struct ip ip, row;
    if (ip_parse(address, &ip))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (ip_parse(slice_str(known[i].address), &row) == OK && ip_eq(&ip, &row))
            return known[i].name;
    return NULL;
}

void examine_resolvers(struct examine *x)
{
    const struct dns_answer *root = examine_ask(x, SLICE("."), DNS_NS);
    for (size_t i = 0; i < x->setup->n_resolvers; i++) {
        const char *name = examine_public_resolver(x->setup->resolvers[i]);
        if (name)
            examine_found(
                x, FINDING_RESOLVER_PUBLIC, x->setup->resolvers[i],
                SLICE("Take the line `resolver forward ...` out of the configuration, and the public "
                      "addresses out of /etc/resolv.conf: Posthorn resolves from the root by itself."),
                (slice){0}, "The DNS is asked through %.*s (%s).", SLICE_FMT(x->setup->resolvers[i]), name);
    }
    /* the root is signed: an answer about it that was not validated was cut or not checked */
    if (root && root->status == DNS_ANSWER_OK && root->n && !root->secure)
        examine_found(
            x, FINDING_RESOLVER_NO_DNSSEC, SLICE("."),
            SLICE("Let Posthorn resolve from the root (no `resolver forward`), or forward to a server "
                  "that passes DNSSEC records on."),
            (slice){0}, "The signed root zone comes without proof.");
}
