#include "proc/doctor/gather.h"

#include "ipc/doctor_judge.h"
#include "ipc/x_relay.h"
#include "proc/doctor/age.h"
#include "proc/doctor/check.h"
#include "proc/doctor/push.h"
#include "proc/doctor/records.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#define GATHER_MS       (20 * MS_SECOND)
#define RESOLVERS_MAX   8
#define LISTS_MAX       16
#define RESOLV_CONF_MAX 16384

struct gathering {
    struct doctor *doctor;
    struct gathered *out;
    const slice *names;
    size_t n_names, at;
    size_t open;
    enum err err;
    struct loop_task end;
    void (*fn)(void *arg, enum err e);
    void *arg;
};

static char gather_resolv_conf[RESOLV_CONF_MAX];

void gather_prepare(struct role_self *role)
{
    int fd CLEANUP(fd_done) = role_file(role, "resolv.conf");
    if (fd >= 0) /* resolver reads the same open file: its place in it is left alone */
        IGNORE_RESULT(pread(fd, gather_resolv_conf, sizeof gather_resolv_conf - 1, 0) < 0,
                      "then no resolver is known, and nothing is said of it");
}

static void gathered_one(struct gathering *g)
{
    if (--g->open == 0)
        loop_later(g->doctor->role->loop, &g->end);
}

static void gather_end(void *arg)
{
    struct gathering g = *(struct gathering *)arg;
    free(arg);
    g.fn(g.arg, g.err);
}

static slice gather_keep(struct gathering *g, slice s)
{
    slice out = {0};
    if (!arena_dup(g->out->arena, s, &out))
        g->err = ERR_LIMIT;
    return out;
}

static void gather_silent(struct gathering *g, const char *who, slice why)
{
    struct buf b CLEANUP(buf_done) = {.max = 512};
    struct facts *f = &g->out->facts;
    if (f->n_silent == GATHER_SILENT_MAX)
        return;
    buf_print(&b, "%s: %.*s", who, SLICE_FMT(slice_sub(why, 0, 300)));
    g->out->silent[f->n_silent++] = gather_keep(g, buf_view(&b));
}

/* ---- domains */

/* A copy of the list in the arena. */
static void *gather_list(struct gathering *g, const void *list, size_t n, size_t size)
{
    void *copy = arena_array(g->out->arena, n, size);
    if (!copy)
        g->err = ERR_LIMIT;
    else if (n)
        memcpy(copy, list, n * size);
    return copy;
}

static void gather_input(struct gathering *g, const struct dns_plan_input *in, struct dns_plan_input *out)
{
    struct dns_plan_key *keys = gather_list(g, in->keys, in->n_keys, sizeof *keys);
    struct dns_plan_service *services = gather_list(g, in->services, in->n_services, sizeof *services);
    struct dns_plan_include *includes = gather_list(g, in->includes, in->n_includes, sizeof *includes);
    slice *tlsa = gather_list(g, in->tlsa, in->n_tlsa, sizeof *tlsa);
    *out = *in;
    out->addresses = gather_list(g, in->addresses, in->n_addresses, sizeof *in->addresses);
    if (g->err)
        return;
    for (size_t i = 0; i < in->n_keys; i++) {
        keys[i].selector = gather_keep(g, keys[i].selector);
        keys[i].record = gather_keep(g, keys[i].record);
    }
    for (size_t i = 0; i < in->n_services; i++)
        services[i].name = gather_keep(g, services[i].name);
    for (size_t i = 0; i < in->n_includes; i++)
        includes[i].name = gather_keep(g, includes[i].name);
    for (size_t i = 0; i < in->n_tlsa; i++)
        tlsa[i] = gather_keep(g, tlsa[i]);
    out->keys = keys;
    out->services = services;
    out->includes = includes;
    out->tlsa = tlsa;
    out->domain = gather_keep(g, in->domain);
    out->hostname = gather_keep(g, in->hostname);
    out->dmarc = gather_keep(g, in->dmarc);
    out->zone = gather_keep(g, in->zone);
}

/* Where strangers meet each service. */
static void gather_ports(struct setup *s, const struct dns_plan_input *in)
{
    for (size_t i = 0; i < in->n_services; i++) {
        const struct dns_plan_service *v = &in->services[i];
        if (slice_eq(v->name, SLICE("smtp")) && (!s->smtp_port || v->port == 25))
            s->smtp_port = v->port;
        else if (slice_eq(v->name, SLICE("submission")))
            s->submission_port = v->port;
        else if (slice_eq(v->name, SLICE("submissions")))
            s->submissions_port = v->port;
        else if (slice_eq(v->name, SLICE("imaps")))
            s->imaps_port = v->port;
    }
}

static void gather_next(struct gathering *g);

static void gather_plan(void *arg, enum err e, slice text, const struct dns_plan_input *input,
                        const struct dns_plan *plan)
{
    struct gathering *g = arg;
    struct setup *s = &g->out->setup;
    struct setup_domain *to = &g->out->domains[s->n_domains];
    (void)plan;
    if (e) {
        gather_silent(g, "the plan of the records", text);
        gather_next(g);
        return;
    }
    *to = (struct setup_domain){.name = gather_keep(g, input->domain)};
    gather_input(g, input, &to->in);
    if (!g->err && dns_plan_make(&to->in, g->out->arena, &to->plan))
        g->err = ERR_LIMIT;
    if (!g->err && !s->n_domains) { /* the same in every domain's */
        s->addresses = to->in.addresses;
        s->n_addresses = to->in.n_addresses;
        s->nameserver_zone = to->in.zone;
        gather_ports(s, &to->in);
    }
    if (!g->err && age_fact(g->doctor, to->name, &g->out->ages[g->out->facts.n_ages]))
        g->out->facts.n_ages++;
    s->n_domains += !g->err;
    gather_next(g);
}

static void gather_domain(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct gathering *g = arg;
    if (!e && n == 1) {
        records_plan(g->doctor, &domains[0], gather_plan, g); /* copies the settings before it returns */
        return;
    }
    if (e && e != ERR_NOT_FOUND)
        gather_silent(g, "our domains",
                      SLICE("directory does not say how a domain is set; see posthorn status"));
    gather_next(g);
}

/* One domain after the other, so that many are no storm. */
static void gather_next(struct gathering *g)
{
    if (g->err || g->at == g->n_names)
        gathered_one(g);
    else
        doctor_domains(g->doctor, g->names[g->at++], gather_domain, g);
}

/* ---- the house */

static void gather_queue(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct gathering *g = arg;
    const struct relay_seen *m = message;
    struct facts *f = &g->out->facts;
    (void)fds, (void)n_fds;
    if (!e)
        e = err_from_wire(m->err);
    if (e) {
        gather_silent(g, "relay", slice_str(err_text(e)));
    } else {
        f->queue_known = true;
        f->queue_messages = m->messages;
        f->queue_oldest = m->oldest;
        f->unstored = m->unstored;
        f->unstored_why = gather_keep(g, m->unstored_why);
    }
    gathered_one(g);
}

static void gather_lists(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct gathering *g = arg;
    const struct judge_lists_off *m = message;
    struct facts_list *off;
    (void)fds, (void)n_fds;
    if (e) {
        gather_silent(g, "judge", slice_str(err_text(e)));
    } else if (m->n_lists && (off = ARENA_ARRAY(g->out->arena, m->n_lists, struct facts_list)) != NULL) {
        for (size_t i = 0; i < m->n_lists; i++)
            off[i] = (struct facts_list){.zone = gather_keep(g, m->lists[i].zone),
                                         .white = m->lists[i].white,
                                         .why = gather_keep(g, m->lists[i].why)};
        g->out->facts.lists_off = off;
        g->out->facts.n_lists_off = m->n_lists;
    }
    gathered_one(g);
}

/* Asks a role; when it cannot be asked, that is said and counts as an answer. */
static void gather_from(struct gathering *g, enum role role, const char *name, uint16_t type,
                        const void *message, chan_reply_fn fn)
{
    enum err e = role_call(g->doctor->role, role, type, message, NULL, 0, GATHER_MS, fn, g);
    if (e) {
        gather_silent(g, name, slice_str(err_text(e)));
        gathered_one(g);
    }
}

static void gather_machine(struct gathering *g)
{
    struct facts *f = &g->out->facts;
    struct statvfs st;
    struct timex t = {.modes = 0};                            /* only asks */
    int state = g->out->setup.private_ok ? -1 : adjtimex(&t); /* a test is not about its machine's clock */
    f->now = clock_unix();
    /* a container may not be told: then nothing is concluded */
    f->clock_synchronised = state < 0                                        ? FACTS_UNKNOWN
                            : state == TIME_ERROR || (t.status & STA_UNSYNC) ? FACTS_NO
                                                                             : FACTS_YES;
    if (statvfs(".", &st) == 0 && st.f_blocks) {
        f->disk_known = true;
        f->disk_free = (uint64_t)st.f_bavail * st.f_frsize;
        f->disk_total = (uint64_t)st.f_blocks * st.f_frsize;
    }
    struct facts_push *failed = ARENA_ARRAY(g->out->arena, GATHER_PUSHES_MAX, struct facts_push);
    if (failed) {
        f->pushes_failed = failed;
        f->n_pushes_failed = push_failures(g->out->arena, failed, GATHER_PUSHES_MAX);
    }
    f->probes = g->out->probes;
    f->n_probes = probe_facts(g->doctor, g->out->probes, GATHER_PROBES_MAX);
    for (size_t i = 0; i < f->n_probes; i++) { /* the probes go on while the check runs */
        struct facts_probe *p = &g->out->probes[i];
        p->domain = gather_keep(g, p->domain);
        p->part = gather_keep(g, p->part);
        p->reason = gather_keep(g, p->reason);
        p->dkim_reason = gather_keep(g, p->dkim_reason);
    }
}

/* "192.0.2.1:53" or "[2001:db8::1]:53" without the port. */
static slice gather_host(slice address)
{
    slice host = slice_sub(address, 0, slice_rindex(address, ':'));
    return host.n > 2 && host.p[0] == '[' ? slice_sub(host, 1, host.n - 1) : host;
}

static void gather_resolvers(struct gathering *g)
{
    struct setup *s = &g->out->setup;
    slice *list = ARENA_ARRAY(g->out->arena, RESOLVERS_MAX, slice), one, line;
    struct cursor c = cursor_of(slice_str(gather_resolv_conf));
    if (!list) {
        g->err = ERR_LIMIT;
        return;
    }
    for (size_t i = 0;
         s->n_resolvers < RESOLVERS_MAX && (one = role_setting(g->doctor->role, "forward", i)).n; i++)
        list[s->n_resolvers++] = gather_host(one);
    while (s->n_resolvers < RESOLVERS_MAX && cursor_line(&c, &line)) {
        struct cursor words = cursor_of(line);
        if (cursor_take_nocase(&words, SLICE("nameserver")))
            list[s->n_resolvers++] = slice_trim(words.rest);
    }
    s->resolvers = list;
}

static void gather_setup(struct gathering *g)
{
    struct setup *s = &g->out->setup;
    slice *lists = ARENA_ARRAY(g->out->arena, LISTS_MAX, slice), one;
    uint32_t port, seconds;
    check_test(g->doctor, &port, &seconds);
    *s = (struct setup){.hostname = g->doctor->hostname,
                        .domains = g->out->domains,
                        .dnsbl = lists,
                        .private_ok = port != 0,
                        .addresses_found = role_setting(g->doctor->role, "address", 0).n == 0};
    for (size_t i = 0; lists && s->n_dnsbl < LISTS_MAX && (one = role_setting(g->doctor->role, "dnsbl", i)).n;
         i++)
        lists[s->n_dnsbl++] = one;
    gather_resolvers(g);
}

void gather(struct doctor *d, struct arena *arena, const slice *names, size_t n, bool house,
            struct gathered *out, void (*fn)(void *arg, enum err e), void *arg)
{
    struct gathering *g = calloc(1, sizeof *g);
    const struct relay_look look = {0};
    const struct judge_look lists = {.lists = true};
    must(g && n <= GATHER_DOMAINS_MAX);
    *g = (struct gathering){
        .doctor = d, .out = out, .names = names, .n_names = n, .open = 2, .fn = fn, .arg = arg};
    loop_task_init(&g->end, gather_end, g);
    *out = (struct gathered){.arena = arena};
    out->domains = ARENA_ARRAY(arena, GATHER_DOMAINS_MAX, struct setup_domain);
    out->ages = ARENA_ARRAY(arena, GATHER_DOMAINS_MAX, struct facts_age);
    must(out->domains && out->ages); /* the arena is new */
    out->facts.ages = out->ages;
    out->facts.silent = out->silent;
    gather_setup(g);
    out->setup.domains_only = !house;
    gather_machine(g);
    gather_next(g);
    if (house) {
        g->open += 2;
        gather_from(g, ROLE_RELAY, "relay", X_RELAY_LOOK, &look, gather_queue);
        gather_from(g, ROLE_JUDGE, "judge", DOCTOR_JUDGE_LOOK, &lists, gather_lists);
    }
    gathered_one(g);
}
