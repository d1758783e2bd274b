#include "proc/supervisor/outfit.h"

#include "ipc/control.h"
#include "sys/log.h"

#include <stdarg.h>
#include <stdio.h>

static void outfit_give(const struct outfit *o, uint16_t type, const void *message, int fd)
{
    if (o->to && chan_send(o->to, type, message, &fd, fd >= 0 ? 1 : 0))
        log_error("%s.%u does not take its boot messages", role_name(o->role), o->index);
}

static void outfit_setting(const struct outfit *o, const char *name, const char *format, ...) FORMAT(3, 4);
static void outfit_setting(const struct outfit *o, const char *name, const char *format, ...)
{
    char text[1200];
    struct control_setting s = {slice_str(name), {0}};
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap); /* no setting is longer */
    va_end(ap);
    s.value = slice_str(text);
    outfit_give(o, CONTROL_SETTING, &s, -1);
}

/* This server, as seen from outside. */
static void outfit_addresses(const struct outfit *o)
{
    const struct conf *c = o->ground->conf;
    for (size_t i = 0; i < c->address_count; i++) {
        char ip[IP_TEXT];
        ip_print(&c->addresses[i], ip);
        outfit_setting(o, "address", "%s", ip);
    }
}

/* What the DNS should say depends on what listens where. */
static void outfit_dns(const struct outfit *o)
{
    const struct conf *c = o->ground->conf;
    char text[CONF_ADDRESS_TEXT];
    for (size_t i = 0; i < c->listen_count; i++) {
        conf_address_print(&c->listens[i].address, text);
        outfit_setting(o, "listen", "%s %s%s", conf_service_name(c->listens[i].service), text,
                       c->listens[i].plaintext ? " plaintext" : "");
    }
    if (c->zone[0])
        outfit_setting(o, "zone", "%s", c->zone);
    if (c->dns_update_key[0]) {
        conf_address_print(&c->dns_update, text);
        outfit_setting(o, "dns-update", "%s", text);
        outfit_setting(o, "dns-update-key", "%s", o->ground->dns_update_key);
    }
}

static void outfit_doctor(const struct outfit *o)
{
    const struct conf *c = o->ground->conf;
    const struct conf_doctor *d = &c->doctor;
    char text[CONF_ADDRESS_TEXT];
    if (c->admin[0])
        outfit_setting(o, "admin", "%s", c->admin);
    if (d->off)
        outfit_setting(o, "doctor-off", "on");
    if (d->rdap_off)
        outfit_setting(o, "doctor-rdap-off", "on");
    for (size_t i = 0; i < d->outward_count; i++)
        outfit_setting(o, "outward", "%s", d->outward[i]);
    if (d->test)
        outfit_setting(o, "doctor-test", "%u %u", d->test_dns_port, d->test_probe_s);
    for (size_t i = 0; i < c->forward_count; i++) {
        conf_address_print(&c->forwards[i], text);
        outfit_setting(o, "forward", "%s", text);
    }
    for (size_t i = 0; i < c->judge_count; i++)
        if (c->judge[i].kind == CONF_DNSBL)
            outfit_setting(o, "dnsbl", "%s", c->judge[i].text);
}

static void outfit_settings(const struct outfit *o)
{
    const struct ground *g = o->ground;
    const struct conf *c = g->conf;
    outfit_setting(o, "hostname", "%s", c->hostname);
    for (unsigned l = 0; l < CONF_LIMIT__COUNT; l++) {
        uint64_t v = c->limits[l];
        /* What counts for the whole server is shared out among the edges. */
        if (o->role == ROLE_EDGE && (l == CONF_LIMIT_BODY_MEMORY || l == CONF_LIMIT_CONNECTIONS))
            v = v / o->edges + 1;
        outfit_setting(o, conf_limit_name((enum conf_limit)l), "%llu", (unsigned long long)v);
    }
    for (size_t i = 0; i < c->judge_count && o->role == ROLE_JUDGE; i++)
        outfit_setting(o, conf_judge_name(c->judge[i].kind), "%s", c->judge[i].text);
    if (*c->hold_remote)
        outfit_setting(o, "hold-remote", "%s", c->hold_remote);
    for (size_t i = 0; i < c->route_count && o->role == ROLE_RELAY; i++)
        outfit_setting(o, "route", "%s %s:%u", c->routes[i].domain, c->routes[i].host, c->routes[i].port);
    if (o->role == ROLE_DIRECTORY || o->role == ROLE_ACCOUNTS)
        outfit_setting(o, "ticket-key", "%s", g->ticket_key);
    if (o->role == ROLE_DOCTOR || o->role == ROLE_REPORTER)
        outfit_addresses(o);
    if (o->role == ROLE_DOCTOR) {
        outfit_dns(o);
        outfit_doctor(o);
    }
    if (o->role == ROLE_NAMESERVER)
        outfit_setting(o, "zone", "%s", c->zone);
    if (o->role == ROLE_RESOLVER) {
        outfit_setting(o, "resolver", "%s", c->resolver_forward ? "forward" : "system");
        for (size_t i = 0; i < c->forward_count; i++) {
            char text[64];
            conf_address_print(&c->forwards[i], text);
            outfit_setting(o, "forward", "%s", text);
        }
    }
}

static void outfit_file(const struct outfit *o, const char *name, int fd)
{
    struct control_file f = {slice_str(name)};
    if (fd >= 0)
        outfit_give(o, CONTROL_FILE, &f, fd);
}

static void outfit_things(const struct outfit *o)
{
    const struct ground *g = o->ground;
    if (g->folders[o->role] >= 0) {
        struct control_folder f = {SLICE("data")};
        outfit_give(o, CONTROL_FOLDER, &f, g->folders[o->role]);
    }
    if (o->role == ROLE_KEYS) {
        outfit_file(o, "tls-cert", g->tls_cert);
        outfit_file(o, "tls-key", g->tls_key);
    }
    if (o->role == ROLE_DOCTOR) {
        outfit_file(o, "trust", g->doctor_trust);
        outfit_file(o, "resolv.conf", g->resolv_conf);
    }
    if (o->role == ROLE_RESOLVER) {
        outfit_file(o, "trust-anchor", g->trust_anchor);
        outfit_file(o, "resolv.conf", g->resolv_conf);
    }
    if (o->role == ROLE_DIRECTORY)
        outfit_file(o, "control-socket", g->control_socket);
    for (size_t i = 0; i < g->conf->dns_listen_count && o->role == ROLE_NAMESERVER; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "dns-udp-%zu", i);
        outfit_file(o, name, g->dns_udp[i]);
        (void)snprintf(name, sizeof name, "dns-tcp-%zu", i);
        outfit_file(o, name, g->dns_tcp[i]);
    }
    for (size_t i = 0; i < g->conf->listen_count && o->role == ROLE_EDGE; i++) {
        char text[64];
        conf_address_print(&g->conf->listens[i].address, text);
        struct control_listener l = {(uint8_t)g->conf->listens[i].service, g->conf->listens[i].plaintext,
                                     slice_str(text)};
        outfit_give(o, CONTROL_LISTENER, &l, g->listeners[i]);
    }
}

void outfit_send(const struct outfit *o)
{
    outfit_settings(o);
    outfit_things(o);
}
