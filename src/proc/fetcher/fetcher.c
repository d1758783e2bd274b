/* The shell around fetch: names are looked up by the resolver, addresses judged by policy/address_class. */
#include "proc/fetcher/fetcher.h"

#include "ipc/x_fetcher.h"
#include "ipc/x_resolver.h"
#include "policy/address_class.h"
#include "proc/fetcher/fetch.h"
#include "sys/settle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define DNS_A    1
#define DNS_AAAA 28

/* Who asked, for the reply. The channel is found again by role: it may have been made anew. */
struct asked {
    struct role_self *role;
    enum role peer;
    unsigned index;
    struct chan *chan; /* compared only: a reply on another channel than the asking one would be an error */
    uint64_t id;
};

/* One name being looked up: two questions. */
struct lookup {
    struct list link;
    struct role_self *role;
    struct fetch_job *job;
    unsigned waiting;
    enum err err;
    bool any;
    struct ip ips[FETCH_IPS_MAX];
    size_t n;
};

struct fetcher_state {
    struct fetch_world *world;
    struct list lookups;
    uint64_t fetched, refused;
};

static const char *const authorities[] = {"/etc/ssl/certs/ca-certificates.crt",
                                          "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

/* --- looking up */

static void lookup_free(struct lookup *l)
{
    role_forget(l->role, l);
    list_remove(&l->link);
    free(l);
}

static void on_resolved(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct lookup *l = arg;
    const struct resolved *r = message;
    (void)fds, (void)n_fds;

    if (e == OK)
        e = err_from_wire(r->err);
    if (e == OK || e == ERR_NOT_FOUND)
        l->any = true;
    else
        l->err = e;
    for (size_t i = 0; e == OK && i < r->n_rrs && l->n < FETCH_IPS_MAX; i++) {
        slice data = r->rrs[i].rdata;
        if (data.n == 4)
            l->ips[l->n++] = ip_from_v4(data.p);
        else if (data.n == 16 && ip_from_slice(data, &l->ips[l->n]) == OK)
            l->n++;
    }
    if (--l->waiting > 0)
        return;
    struct fetch_job *job = l->job;
    struct lookup copy = *l;
    lookup_free(l);
    fetch_resolved(job, copy.n == 0 && copy.err ? copy.err : OK, copy.ips, copy.n);
}

static enum err lookup_begin(void *arg, struct fetch_job *job, const char *host)
{
    struct role_self *r = arg;
    struct fetcher_state *s = r->state;
    struct lookup *l = calloc(1, sizeof *l);
    const uint16_t types[] = {DNS_A, DNS_AAAA};
    enum err e = OK;

    must(l);
    l->role = r;
    l->job = job;
    list_append(&s->lookups, &l->link);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        slice name = slice_str(host);
        if (name.n && name.p[name.n - 1] == '.')
            name.n--;
        struct resolve ask = {.name = name, .type = types[i]};
        enum err one =
            role_call(r, ROLE_RESOLVER, X_RESOLVER_RESOLVE, &ask, NULL, 0, FETCH_MS_MAX, on_resolved, l);
        l->waiting += one == OK;
        e = one ? one : e;
    }
    if (l->waiting == 0) {
        lookup_free(l);
        return e;
    }
    if (e)
        l->err = e;
    return OK;
}

static void lookup_cancel(void *arg, struct fetch_job *job)
{
    struct role_self *r = arg;
    struct fetcher_state *s = r->state;
    LIST_EACH_SAFE(it, &s->lookups)
    {
        struct lookup *l = LIST_OF(it, struct lookup, link);
        if (l->job == job)
            lookup_free(l);
    }
}

static enum err only_global(void *arg, const struct ip *ip, struct err_detail *detail)
{
    enum address_class class = address_class(ip);
    (void)arg;
    if (class == ADDRESS_GLOBAL)
        return OK;
    err_detail_set(detail, "leads to %s, which is never fetched from", address_class_text(class));
    return ERR_DENIED;
}

/* --- asked and answered */

static void answer(struct asked *a, const struct fetch_result *r)
{
    struct chan *chan = role_chan(a->role, a->peer, a->index);
    struct fetched m = {.err = (uint32_t)r->err,
                        .status = r->status,
                        .text = slice_str(r->text),
                        .content_type = slice_str(r->content_type)};
    if (chan && chan == a->chan)
        IGNORE_RESULT(chan_reply(chan, a->id, X_FETCHER_FETCHED, &m, &r->body_fd, r->body_fd >= 0 ? 1 : 0),
                      "who asked is gone");
    free(a);
}

static void on_done(void *arg, const struct fetch_result *r)
{
    struct asked *a = arg;
    struct fetcher_state *s = a->role->state;
    if (r->err)
        s->refused++;
    else
        s->fetched++;
    answer(a, r);
}

static void fetcher_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                            const void *message, int *fds, size_t n_fds)
{
    struct fetcher_state *s = r->state;
    const struct fetch *f = message;
    struct err_detail detail = {{0}};
    struct asked *a;
    (void)fds, (void)n_fds;

    if (peer->def != &x_fetcher_channel || type != X_FETCHER_FETCH || !peer->chan || !s->world)
        return;
    a = calloc(1, sizeof *a);
    must(a);
    *a = (struct asked){.role = r, .peer = peer->role, .index = peer->index, .chan = peer->chan, .id = id};
    enum err e = fetch_begin(s->world, f->url, f->bytes_max, f->timeout_ms, on_done, a, &detail);
    if (e) {
        s->refused++;
        answer(a, &(struct fetch_result){.err = e, .text = detail.text, .content_type = "", .body_fd = -1});
    }
}

/* --- life */

static enum err fetcher_prepare(struct role_self *r, struct err_detail *detail)
{
    struct fetcher_state *s = calloc(1, sizeof *s);
    struct fetch_hooks hooks = {
        .resolve = lookup_begin, .unresolve = lookup_cancel, .allowed = only_global, .arg = r, .ca_fd = -1};
    (void)detail;
    must(s);
    list_init(&s->lookups);
    for (size_t i = 0; i < ARRAY_LEN(authorities) && hooks.ca_fd < 0; i++)
        hooks.ca_fd = open(authorities[i], O_RDONLY | O_CLOEXEC);
    r->state = s;
    s->world = fetch_world_new(r->loop, &hooks);
    return OK;
}

static enum err fetcher_start(struct role_self *r, struct err_detail *detail)
{
    (void)r, (void)detail;
    settle(); /* libcurl and what it brings are needed rarely */
    return OK;
}

static void fetcher_drain(struct role_self *r, time_ms ms)
{
    struct fetcher_state *s = r->state;
    (void)ms;
    fetch_world_free(s->world);
    s->world = NULL;
    role_exit(r);
}

static void fetcher_status(struct role_self *r)
{
    struct fetcher_state *s = r->state;
    role_fact(r, "fetched", "%llu", (unsigned long long)s->fetched);
    role_fact(r, "refused", "%llu", (unsigned long long)s->refused);
    role_fact(r, "running", "%zu", s->world ? fetch_running(s->world) : 0);
}

const struct role_spec fetcher_spec = {
    .role = ROLE_FETCHER,
    .rights = &fetcher_rights,
    .prepare = fetcher_prepare,
    .start = fetcher_start,
    .on_message = fetcher_message,
    .on_drain = fetcher_drain,
    .on_status = fetcher_status,
};
