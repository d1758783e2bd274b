#include "proc/relay/dest.h"

#include "ipc/x_resolver.h"
#include "proc/relay/session.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define DEST_RESOLVE_MS (60 * MS_SECOND)
#define DEST_IDLE_MS    (60 * MS_SECOND)
#define DEST_TTL_MIN_S  60
#define DEST_TTL_MAX_S  300

/* --- deliveries */

void delivery_free(struct delivery **vp)
{
    struct delivery *v = *vp;
    *vp = NULL;
    if (!v)
        return;
    job_unref(&v->job);
    free(v->at);
    free(v->boxes);
    free(v);
}

static void delivery_add(struct delivery *v, size_t at, const struct mailbox *box)
{
    if (v->n == v->room) {
        v->room = v->room ? 2 * v->room : 1;
        v->at = realloc(v->at, v->room * sizeof *v->at);
        v->boxes = realloc(v->boxes, v->room * sizeof *v->boxes);
        must(v->at && v->boxes);
    }
    v->at[v->n] = at;
    v->boxes[v->n++] = *box;
}

/* All of its recipients get the same answer, and it is gone. */
static void delivery_end(struct delivery *v, const struct job_outcome *o)
{
    for (size_t i = 0; i < v->n; i++)
        job_result(v->job, v->at[i], o);
    delivery_free(&v);
}

/* --- the list of destinations */

static void dest_free(struct dest *d)
{
    list_remove(&d->link);
    (void)map_remove(&d->relay->dest_map, d->hash); /* a neighbour with the same hash is only made again */
    loop_timer_done(&d->idle);
    free(d);
}

static void dest_is_idle(void *arg)
{
    struct dest *d = arg;
    if (d->n_waiting || d->n_sessions || d->lookups)
        loop_timer_after(&d->idle, DEST_IDLE_MS);
    else
        dest_free(d);
}

static void dest_key(const struct routing *r, slice domain, char *out, size_t cap)
{
    if (r->kind == ROUTING_FIXED)
        (void)snprintf(out, cap, "%.*s:%u", SLICE_FMT(r->host),
                       r->port); /* names are bounded by the settings */
    else
        (void)snprintf(out, cap, "%.*s", SLICE_FMT(domain));
}

/* The destination with this key, or NULL and the number under which it may be put. */
static struct dest *dest_find(struct relay *r, const char *key, uint64_t *hash)
{
    for (*hash = hash_slice(&r->hash_key, slice_str(key));; ++*hash) {
        struct dest *d = map_get(&r->dest_map, *hash);
        if (!d || strcmp(d->key, key) == 0)
            return d;
    }
}

static struct dest *dest_get(struct relay *r, const struct routing *routing, slice domain)
{
    char key[sizeof((struct dest *)0)->key];
    struct dest *d;
    uint64_t hash;
    dest_key(routing, domain, key, sizeof key);
    d = dest_find(r, key, &hash);
    if (d)
        return d;
    d = calloc(1, sizeof *d);
    must(d);
    d->relay = r;
    d->hash = hash;
    memcpy(d->key, key, sizeof key);
    (void)snprintf(d->domain, sizeof d->domain, "%.*s", SLICE_FMT(domain)); /* a mailbox's domain fits */
    d->routing = *routing;
    if (routing->kind != ROUTING_FIXED)
        d->routing.host = slice_str(d->domain);
    list_init(&d->waiting);
    list_init(&d->sessions);
    list_init(&d->touched);
    list_append(&r->dests, &d->link);
    (void)map_put(&r->dest_map, hash, d); /* it was free */
    loop_timer_init(r->loop, &d->idle, dest_is_idle, d);
    loop_timer_after(&d->idle, DEST_IDLE_MS);
    return d;
}

/* --- waiting */

struct delivery *dest_next(struct dest *d)
{
    struct delivery *v;
    if (list_empty(&d->waiting))
        return NULL;
    v = LIST_OF(d->waiting.next, struct delivery, link);
    list_remove(&v->link);
    d->n_waiting--;
    return v;
}

void dest_again(struct dest *d, struct delivery *v)
{
    list_append(d->waiting.next, &v->link); /* before the first */
    d->n_waiting++;
}

static void dest_fail(struct dest *d, const struct job_outcome *o)
{
    size_t n = d->n_waiting; /* those that come while this runs are another matter */
    while (n-- && d->n_waiting)
        delivery_end(dest_next(d), o);
}

static void dest_fail_with(struct dest *d, enum smtp_client_outcome outcome, const char *status,
                           const char *reason, bool soon)
{
    const struct job_outcome o = {.outcome = outcome,
                                  .status = status,
                                  .reason = slice_str(reason),
                                  .host = d->relay->hostname,
                                  .peer = slice_str(d->domain),
                                  .soon = soon};
    d->known = false;
    dest_fail(d, &o);
}

/* --- looking up */

struct dest_lookup {
    struct dest *dest;
    size_t host; /* index into mx.hosts; SIZE_MAX: the MX question */
    bool v6;
};

static void dest_resolved(void *arg, enum err e, const void *message, int *fds, size_t n_fds);

static void dest_ask(struct dest *d, slice name, uint16_t type, size_t host)
{
    struct dest_lookup *l = calloc(1, sizeof *l);
    const struct resolve m = {.name = name, .type = type};
    enum err e;
    must(l);
    *l = (struct dest_lookup){.dest = d, .host = host, .v6 = type == DNS_AAAA};
    d->lookups++;
    e = role_call(d->relay->role, ROLE_RESOLVER, X_RESOLVER_RESOLVE, &m, NULL, 0, DEST_RESOLVE_MS,
                  dest_resolved, l);
    if (e)
        dest_resolved(l, e, NULL, NULL, 0);
}

static bool dest_is_soon(enum err e)
{
    return e == ERR_CLOSED || e == ERR_BUSY;
}

static void dest_add_host(struct dest *d, const struct dns_name *name, const struct ip *ip)
{
    struct dest_host *h;
    if (d->n_hosts == DEST_HOSTS_MAX)
        return;
    h = &d->hosts[d->n_hosts++];
    *h = (struct dest_host){.ip = *ip, .port = d->routing.port};
    memcpy(h->name, name->text, sizeof h->name);
}

/* All address questions are answered. */
static void dest_addresses_known(struct dest *d)
{
    bool temporary = false, inner = false, soon = false;
    for (size_t i = 0; i < d->mx.n; i++)
        for (int v4 = 0; v4 < 2; v4++) {
            const struct dest_answers *a = v4 ? &d->v4[i] : &d->v6[i];
            temporary |= a->err != OK && a->err != ERR_NOT_FOUND;
            soon |= dest_is_soon(a->err);
            for (size_t k = 0; k < a->n; k++)
                if (d->routing.kind == ROUTING_FIXED || routing_is_public(&a->ips[k]))
                    dest_add_host(d, &d->mx.hosts[i].host, &a->ips[k]);
                else
                    inner = true;
        }
    if (d->n_hosts) {
        uint32_t ttl = d->ttl_s < DEST_TTL_MIN_S   ? DEST_TTL_MIN_S
                       : d->ttl_s > DEST_TTL_MAX_S ? DEST_TTL_MAX_S
                                                   : d->ttl_s;
        d->known = true;
        d->failures = 0;
        d->expires_mono = loop_now(d->relay->loop) + (time_ms)ttl * 1000;
        dest_go(d);
    } else if (temporary) {
        dest_fail_with(d, SMTP_CLIENT_TEMPORARY, "4.4.3", "the DNS gives no answer about its mail hosts now",
                       soon);
    } else if (inner) {
        dest_fail_with(
            d, SMTP_CLIENT_PERMANENT, "5.4.4",
            "its mail hosts have only addresses inside a private network; if that is meant, give it a route",
            false);
    } else {
        dest_fail_with(d, SMTP_CLIENT_PERMANENT, "5.4.4",
                       d->mx.implicit ? "the domain has no mail host and no address"
                                      : "none of its mail hosts exists",
                       false);
    }
}

static void dest_ask_addresses(struct dest *d)
{
    memset(d->v4, 0, sizeof d->v4);
    memset(d->v6, 0, sizeof d->v6);
    d->n_hosts = 0;
    if (d->mx.n > DEST_MX_MAX)
        d->mx.n = DEST_MX_MAX;
    d->lookups++; /* no answer is the last one before all were asked */
    for (size_t i = 0; i < d->mx.n; i++) {
        dest_ask(d, dns_name_view(&d->mx.hosts[i].host), DNS_AAAA, i);
        dest_ask(d, dns_name_view(&d->mx.hosts[i].host), DNS_A, i);
    }
    if (--d->lookups == 0)
        dest_addresses_known(d);
}

/* The answer to the MX question, RFC 5321 §5.1. */
static void dest_mx_known(struct dest *d, enum err e, const struct resolved *m)
{
    slice rdata[64];
    struct dns_name domain;
    size_t n = 0;
    if (e == OK && dns_name_parse(slice_str(d->domain), &domain))
        e = ERR_SYNTAX;
    if (e == OK)
        e = err_from_wire(m->err);
    if (e == OK) {
        for (; n < m->n_rrs && n < ARRAY_LEN(rdata); n++)
            rdata[n] = m->rrs[n].rdata;
        d->ttl_s = m->ttl;
        e = dns_mx_list(rdata, n, &domain, entropy_u64(), &d->mx);
        if (e == ERR_SYNTAX)
            dest_fail_with(d, SMTP_CLIENT_PERMANENT, "5.4.4", "its MX records name no usable host", false);
        else if (d->mx.null_mx) /* RFC 7505 §4.1 */
            dest_fail_with(d, SMTP_CLIENT_PERMANENT, "5.1.10",
                           "the domain says that it takes no mail (null MX)", false);
        else if (dns_mx_trim(&d->mx, d->relay->hostname))
            dest_fail_with(d, SMTP_CLIENT_PERMANENT, "5.4.6",
                           "its best mail host is this server, which does not know the domain", false);
        else
            dest_ask_addresses(d);
    } else if (e == ERR_NOT_FOUND) {
        dest_fail_with(d, SMTP_CLIENT_PERMANENT, "5.1.2", "the domain does not exist", false);
    } else if (e == ERR_SYNTAX) {
        dest_fail_with(d, SMTP_CLIENT_PERMANENT, "5.1.2", "the domain is no name that the DNS could know",
                       false);
    } else {
        dest_fail_with(d, SMTP_CLIENT_TEMPORARY, "4.4.3",
                       e == ERR_DNS_BOGUS ? "the domain's DNS answers fail their DNSSEC check"
                                          : "the DNS gives no answer about the domain now",
                       dest_is_soon(e));
    }
}

static void dest_resolved(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct dest_lookup *l = arg;
    struct dest *d = l->dest;
    const struct resolved *m = message;
    (void)fds, (void)n_fds;
    d->lookups--;
    if (l->host == SIZE_MAX) {
        dest_mx_known(d, e, m);
    } else {
        struct dest_answers *a = l->v6 ? &d->v6[l->host] : &d->v4[l->host];
        a->err = e ? e : err_from_wire(m->err);
        for (size_t i = 0; a->err == OK && i < m->n_rrs && a->n < ARRAY_LEN(a->ips); i++)
            if ((l->v6 ? dns_rr_aaaa(m->rrs[i].rdata, &a->ips[a->n])
                       : dns_rr_a(m->rrs[i].rdata, &a->ips[a->n])) == OK)
                a->n++;
        if (a->err == OK && a->n && m->ttl < d->ttl_s)
            d->ttl_s = m->ttl;
        if (d->lookups == 0)
            dest_addresses_known(d);
    }
    free(l);
}

static void dest_look_up(struct dest *d)
{
    struct dns_name name = {0};
    struct ip ip;
    d->known = false;
    d->ttl_s = DEST_TTL_MAX_S;
    if (d->routing.kind == ROUTING_MX) {
        dest_ask(d, slice_str(d->domain), DNS_MX, SIZE_MAX);
        return;
    }
    ip = d->routing.ip;
    if (d->routing.kind == ROUTING_ADDRESS || ip_parse(d->routing.host, &ip) == OK) {
        char text[IP_TEXT];
        ip_print(&ip, text);
        name.n = (uint8_t)snprintf(name.text, sizeof name.text, "[%s]", text); /* fits */
        d->n_hosts = 0;
        dest_add_host(d, &name, &ip);
        d->known = true;
        d->failures = 0;
        d->expires_mono = loop_now(d->relay->loop) + (time_ms)DEST_TTL_MAX_S * 1000;
    } else if (dns_name_parse(d->routing.host, &name)) {
        dest_fail_with(d, SMTP_CLIENT_TEMPORARY, "4.3.5", "the route for this domain names no usable host",
                       false);
    } else {
        d->mx = (struct dns_mx_list){.implicit = true, .n = 1, .hosts = {{.host = name}}};
        dest_ask_addresses(d);
    }
}

/* --- starting */

void dest_go(struct dest *d)
{
    struct relay *r = d->relay;
    if (d->lookups || list_empty(&d->waiting))
        return;
    if (!d->known || d->expires_mono <= loop_now(r->loop)) {
        dest_look_up(d);
        if (d->lookups || !d->known)
            return;
    }
    LIST_EACH_SAFE(it, &d->sessions)
    {
        if (list_empty(&d->waiting))
            return;
        session_go(LIST_OF(it, struct session, link));
    }
    while (d->n_connecting < d->n_waiting && d->n_sessions < DEST_SESSIONS_MAX) {
        r->starved = r->n_sessions >= RELAY_SESSIONS_MAX;
        if (r->starved || r->role->draining || !session_new(d))
            return;
    }
}

void dest_session_over(struct dest *d, const struct job_outcome *o)
{
    if (o) {
        d->failures++;
        if (d->n_sessions == 0 || d->failures >= DEST_FAILURES_MAX) {
            d->known = false;
            dest_fail(d, o);
        }
    }
    dest_go(d);
    if (d->relay->starved) {
        d->relay->starved = false;
        LIST_EACH_SAFE(it, &d->relay->dests)
        {
            dest_go(LIST_OF(it, struct dest, link));
        }
    }
    relay_drained(d->relay);
}

static struct delivery *dest_delivery(struct dest *d, struct job *j)
{
    struct delivery *v = list_empty(&d->waiting) ? NULL : LIST_OF(d->waiting.prev, struct delivery, link);
    if (v && v->job == j && v->n < SMTP_CLIENT_RCPT_MAX)
        return v;
    v = calloc(1, sizeof *v);
    must(v);
    v->job = job_ref(j);
    must(d->waiting.prev); /* said for the analyser, which does not see list_init() */
    list_append(&d->waiting, &v->link);
    d->n_waiting++;
    return v;
}

static void dest_refuse(struct job *j, size_t at, const char *status, const char *reason)
{
    const struct job_outcome o = {.outcome = SMTP_CLIENT_PERMANENT,
                                  .status = status,
                                  .reason = slice_str(reason),
                                  .host = j->relay->hostname};
    job_result(j, at, &o);
}

static void dest_deliver_one(struct job *j, size_t at, struct list *touched)
{
    struct routing routing;
    struct mailbox box;
    struct dest *d;
    if (mailbox_parse(j->rcpts[at].q.address, MAILBOX_UTF8, &box)) {
        dest_refuse(j, at, "5.1.3", "this is no address that mail can be sent to");
        return;
    }
    routing_find(j->relay->routes, j->relay->n_routes, mailbox_domain(&box), &routing);
    if (routing.kind == ROUTING_NOWHERE) {
        dest_refuse(j, at, "5.1.2", routing.reason);
        return;
    }
    d = dest_get(j->relay, &routing, mailbox_domain(&box));
    delivery_add(dest_delivery(d, j), at, &box);
    if (list_empty(&d->touched))
        list_append(touched, &d->touched);
}

void dest_deliver(struct job *j)
{
    struct list touched;
    list_init(&touched);
    for (size_t i = 0; i < j->n; i++)
        if (j->rcpts[i].phase == JOB_BUSY && !j->rcpts[i].q.local)
            dest_deliver_one(j, i, &touched);
    while (!list_empty(&touched)) {
        struct dest *d = LIST_OF(touched.next, struct dest, touched);
        list_remove(&d->touched);
        dest_go(d);
    }
}

void dest_drain(struct relay *r)
{
    LIST_EACH_SAFE(it, &r->dests)
    {
        struct dest *d = LIST_OF(it, struct dest, link);
        LIST_EACH_SAFE(s, &d->sessions)
        {
            session_drain(LIST_OF(s, struct session, link));
        }
    }
}
