/* Settings that name addresses and ports: listen, resolver, route, address, dns-update. */
#include "conf/conf__setting.h"
#include "conf/conf__value.h"

#include <stdio.h>

static const struct {
    const char *name;
    bool tls_at_once;
} conf_services[] = {
    [CONF_SMTP] = {"smtp", false},
    [CONF_SUBMISSION] = {"submission", false},
    [CONF_SUBMISSIONS] = {"submissions", true},
    [CONF_IMAP] = {"imap", false},
    [CONF_IMAPS] = {"imaps", true},
};
static_assert(ARRAY_LEN(conf_services) == CONF_SERVICE__COUNT, "every service has a row");

const char *conf_service_name(enum conf_service s)
{
    return conf_services[s].name;
}

bool conf_service_tls_at_once(enum conf_service s)
{
    return conf_services[s].tls_at_once;
}

/* The nameserver has listeners of its own: they are bound as UDP and TCP, and no edge gets them. */
static void set_listen_dns(struct conf__state *st, const struct conf__line *l)
{
    struct conf_address a;
    char text[CONF_ADDRESS_TEXT];
    if (l->n > 3)
        conf_problem_add(st->problems, l->number, "take the word away",
                         "\"%.*s\" is not understood behind the address of the name server",
                         CONF__QUOTE(l->words[3]));
    if (!conf__address_parse(l->words[2], ':', &a)) {
        conf_problem_add(st->problems, l->number,
                         "write ADDRESS:PORT with a numeric address, like 198.51.100.25:53",
                         "\"%.*s\" is no address with a port", CONF__QUOTE(l->words[2]));
        return;
    }
    conf_address_print(&a, text);
    for (size_t i = 0; i < st->c->dns_listen_count; i++)
        if (st->c->dns_listens[i].port == a.port && ip_eq(&st->c->dns_listens[i].ip, &a.ip)) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s is taken already by dns", text);
            return;
        }
    if (st->c->dns_listen_count == CONF_DNS_MAX)
        conf_problem_add(st->problems, l->number, NULL, "more than %d listen dns lines", CONF_DNS_MAX);
    else
        st->c->dns_listens[st->c->dns_listen_count++] = a;
}

void conf__set_listen(struct conf__state *st, const struct conf__line *l)
{
    static const char *const names[] = {"smtp", "submission", "submissions", "imap", "imaps", "dns"};
    struct conf_listen item = {.service = CONF_SERVICE__COUNT, .line = l->number};
    char hint[256], text[CONF_ADDRESS_TEXT];
    static_assert(ARRAY_LEN(names) == CONF_SERVICE__COUNT + 1, "the same services, and dns");

    if (slice_eq(l->words[1], SLICE("dns"))) {
        set_listen_dns(st, l);
        return;
    }
    for (size_t i = 0; i < CONF_SERVICE__COUNT; i++)
        if (slice_eq(l->words[1], slice_str(conf_services[i].name)))
            item.service = (enum conf_service)i;
    if (item.service == CONF_SERVICE__COUNT) {
        conf__hint_names(hint, l->words[1], names, ARRAY_LEN(names), "the services are");
        conf_problem_add(st->problems, l->number, hint, "there is no service \"%.*s\"",
                         CONF__QUOTE(l->words[1]));
    }
    if (!conf__address_parse(l->words[2], ':', &item.address)) {
        conf_problem_add(st->problems, l->number,
                         "write ADDRESS:PORT with a numeric address, like 0.0.0.0:25 or [::]:25",
                         "\"%.*s\" is no address with a port", CONF__QUOTE(l->words[2]));
        return;
    }
    conf_address_print(&item.address, text);
    if (l->n == 4) {
        item.plaintext = true; /* also when misspelt: no second complaint about a missing certificate */
        if (!slice_eq(l->words[3], SLICE("plaintext")))
            conf_problem_add(st->problems, l->number, "the only word allowed here is \"plaintext\"",
                             "\"%.*s\" is not understood after the address", CONF__QUOTE(l->words[3]));
        else if (!ip_is_loopback(&item.address.ip))
            conf_problem_add(st->problems, l->number, "take the word away, or listen on 127.0.0.1 or [::1]",
                             "passwords would cross the network readable: plaintext is for loopback "
                             "addresses only, not for %s",
                             text);
        else if (item.service != CONF_SERVICE__COUNT && conf_service_tls_at_once(item.service))
            conf_problem_add(st->problems, l->number, "take the word away",
                             "%s speaks TLS from the first byte; plaintext makes no sense there",
                             conf_service_name(item.service));
    }
    if (item.service == CONF_SERVICE__COUNT)
        return;
    for (size_t i = 0; i < st->c->listen_count; i++) {
        const struct conf_listen *o = &st->c->listens[i];
        if (o->address.port == item.address.port && ip_eq(&o->address.ip, &item.address.ip)) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s is taken already by %s in line %u", text, conf_service_name(o->service),
                             o->line);
            return;
        }
    }
    if (st->c->listen_count == CONF_LISTEN_MAX)
        conf_problem_add(st->problems, l->number, NULL, "more than %d listen lines", CONF_LISTEN_MAX);
    else
        st->c->listens[st->c->listen_count++] = item;
}

void conf__set_resolver(struct conf__state *st, const struct conf__line *l)
{
    static const char *const names[] = {"system", "forward"};
    char hint[256];
    if (slice_eq(l->words[1], SLICE("system"))) {
        if (l->n > 2)
            conf_problem_add(st->problems, l->number, "write \"resolver forward ADDRESS@PORT\" to name one",
                             "\"resolver system\" takes no address");
        return;
    }
    if (!slice_eq(l->words[1], SLICE("forward"))) {
        conf__hint_names(hint, l->words[1], names, ARRAY_LEN(names), "there are");
        conf_problem_add(st->problems, l->number, hint, "there is no resolver \"%.*s\"",
                         CONF__QUOTE(l->words[1]));
        return;
    }
    if (l->n == 2)
        conf_problem_add(st->problems, l->number, "write ADDRESS@PORT behind it, like 127.0.0.1@53",
                         "\"resolver forward\" needs the address of a name server");
    st->c->resolver_forward = true;
    for (size_t i = 2; i < l->n; i++) {
        struct conf_address a;
        slice w = l->words[i];
        if (!conf__address_parse(w, '@', &a))
            conf_problem_add(st->problems, l->number, "write ADDRESS@PORT, like 127.0.0.1@53",
                             "\"%.*s\" is no address of a name server", CONF__QUOTE(w));
        else if (st->c->forward_count == CONF_FORWARD_MAX)
            conf_problem_add(st->problems, l->number, NULL, "more than %d name servers", CONF_FORWARD_MAX);
        else
            st->c->forwards[st->c->forward_count++] = a;
    }
}

void conf__set_route(struct conf__state *st, const struct conf__line *l)
{
    struct conf_route r = {.line = l->number};
    slice domain = l->words[1], host;
    bool v6, good = true;
    struct ip ip;

    if (slice_eq(domain, SLICE("*")))
        memcpy(r.domain, "*", 2);
    else if (slice_starts(domain, SLICE("*.")) && domain.n < 250) {
        char below[CONF_NAME_MAX];
        good = conf__host_parse(slice_from(domain, 2), below);
        if (good)
            snprintf(r.domain, sizeof r.domain, "*.%.250s", below);
    } else
        good = conf__host_parse(domain, r.domain);
    if (!good)
        conf_problem_add(st->problems, l->number,
                         "write a domain (example.org), all below one (*.example.org) or all (*)",
                         "\"%.*s\" is no domain", CONF__QUOTE(domain));
    if (!conf__host_port_split(l->words[2], ':', &host, &v6, &r.port) ||
        (v6 ? ip_parse(host, &ip) != OK || !slice_has(host, ':') : !conf__host_parse(host, r.host))) {
        conf_problem_add(st->problems, l->number,
                         "write HOST:PORT, like smtp.example.net:25 or [2001:db8::1]:25",
                         "\"%.*s\" is no host with a port", CONF__QUOTE(l->words[2]));
        return;
    }
    if (v6)
        snprintf(r.host, sizeof r.host, "%.*s", SLICE_FMT(host));
    if (!good)
        return;
    for (size_t i = 0; i < st->c->route_count; i++)
        if (strcmp(st->c->routes[i].domain, r.domain) == 0) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s has a route already, in line %u", r.domain, st->c->routes[i].line);
            return;
        }
    if (st->c->route_count == CONF_ROUTE_MAX)
        conf_problem_add(st->problems, l->number, NULL, "more than %d route lines", CONF_ROUTE_MAX);
    else
        st->c->routes[st->c->route_count++] = r;
}

void conf__set_address(struct conf__state *st, const struct conf__line *l)
{
    struct ip ip;
    if (ip_parse(l->words[1], &ip) != OK || ip_is_none(&ip)) {
        conf_problem_add(st->problems, l->number, "write one numeric address, like 198.51.100.25",
                         "\"%.*s\" is no address of this server", CONF__QUOTE(l->words[1]));
        return;
    }
    for (size_t i = 0; i < st->c->address_count; i++)
        if (ip_eq(&st->c->addresses[i], &ip)) {
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "the address %.*s is there already", CONF__QUOTE(l->words[1]));
            return;
        }
    if (st->c->address_count == CONF_ADDRESS_MAX)
        conf_problem_add(st->problems, l->number, NULL, "more than %d address lines", CONF_ADDRESS_MAX);
    else
        st->c->addresses[st->c->address_count++] = ip;
}

void conf__set_dns_update(struct conf__state *st, const struct conf__line *l)
{
    st->c->dns_update_line = l->number;
    if (!conf__address_parse(l->words[1], '@', &st->c->dns_update))
        conf_problem_add(st->problems, l->number,
                         "write the numeric address of the primary name server, like 192.0.2.53@53",
                         "\"%.*s\" is no address of a name server", CONF__QUOTE(l->words[1]));
    conf__path_set(st, l, l->words[2], st->c->dns_update_key);
}
