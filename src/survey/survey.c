#include "survey/survey__.h"

#include "policy/address_class.h"
#include "sys/fd.h"

#include <stdlib.h>

#define SURVEY_ARENA     ((size_t)32 << 20)
#define SURVEY_SCRATCH   ((size_t)32 << 20)
#define SURVEY_QUESTIONS 8192
#define OUTWARD_MS       20000

bool survey_allowed(const struct survey *s, const struct ip *ip)
{
    return s->o.private_ok || address_class(ip) == ADDRESS_GLOBAL;
}

void survey_begin(struct survey *s)
{
    s->open++;
}

void survey_done(struct survey *s)
{
    must(s->open > 0);
    if (--s->open == 0)
        loop_later(s->o.loop, &s->step);
}

/* ---- the recursive resolver */

struct resolving {
    struct survey *survey;
    struct dns_table *table;
    size_t question;
};

static void resolved(void *arg, const struct dns_answer *a)
{
    struct resolving r = *(struct resolving *)arg;
    free(arg);
    dns_table_put(r.table, r.question, a);
    if (dns_answer_failed(a))
        r.survey->unanswered++;
    else
        r.survey->answered++;
    survey_done(r.survey);
}

static void resolve_one(struct survey *s, struct dns_table *t, size_t question, slice name, uint16_t type)
{
    struct resolving *r = malloc(sizeof *r);
    must(r);
    *r = (struct resolving){s, t, question};
    survey_begin(s);
    s->o.lookup.ask(s->o.lookup.arg, name, type, resolved, r);
}

static bool dns_is_silent(const struct survey *s)
{
    return s->answered == 0 && s->unanswered >= SURVEY_SILENT;
}

void survey_resolve(struct survey *s, struct dns_table *t)
{
    static const struct dns_answer silent = {.status = DNS_ANSWER_TIMEOUT};
    size_t question;
    slice name;
    uint16_t type;
    bool dead = dns_is_silent(s);
    while (dns_table_next(t, &question, &name, &type))
        if (t == &s->dns && survey_zone_ask(s, question, name, type))
            continue;
        else if (dead)
            dns_table_put(t, question, &silent);
        else
            resolve_one(s, t, question, name, type);
}

/* ---- ports */

static void port_looked(void *arg)
{
    survey_done(arg);
}

static void ports_add(struct survey *s, enum facts_service service, const struct ip *ip, uint16_t port)
{
    if (port && s->n_ports < SURVEY_PORTS_MAX)
        s->ports[s->n_ports++] = (struct facts_port){.service = service, .ip = *ip, .port = port};
}

static void ports_look(struct survey *s)
{
    const struct setup *u = s->o.setup;
    if (!s->o.trust || s->o.before || u->domains_only)
        return;
    s->ports = ARENA_ARRAY(&s->arena, SURVEY_PORTS_MAX, struct facts_port);
    if (!s->ports) {
        s->failed = true;
        return;
    }
    for (size_t i = 0; i < u->n_addresses; i++) {
        const struct ip *ip = &u->addresses[i];
        if (u->addresses_found && !survey_allowed(s, ip))
            continue;
        ports_add(s, FACTS_SMTP, ip, u->smtp_port);
        ports_add(s, FACTS_SUBMISSION, ip, u->submission_port);
        ports_add(s, FACTS_SUBMISSIONS, ip, u->submissions_port);
        ports_add(s, FACTS_IMAPS, ip, u->imaps_port);
    }
    for (size_t i = 0; i < s->n_ports; i++) {
        survey_begin(s);
        survey_port_look(s->o.loop, s->o.trust, u->hostname, &s->arena, &s->ports[i], port_looked, s);
    }
}

/* ---- port 25 outward */

struct outward {
    struct survey *survey;
    struct facts_outward *fact;
};

static void outward_looked(void *arg, enum err e)
{
    struct outward *o = arg;
    o->fact->err = e;
    survey_done(o->survey);
    free(o);
}

/* An address of the host: itself, or of the first MX of the name, of a kind that this machine has a way to.
 * False: not known yet; *out_none: there is none. */
static bool outward_address(struct survey *s, slice host, struct ip *out, bool *out_none)
{
    const struct dns_answer *mx, *v4, *v6;
    struct dns_mx best = {.preference = UINT16_MAX};
    slice name;
    *out_none = false;
    if (ip_parse(host, out) == OK)
        return true;
    mx = dns_table_get(&s->finding, host, DNS_MX);
    if (!mx)
        return false;
    for (size_t i = 0; i < mx->n; i++) {
        struct dns_mx m;
        if (dns_rr_mx(mx->rdata[i], &m) == OK && (m.preference < best.preference || !best.host.n))
            best = m;
    }
    name = best.host.n ? dns_name_view(&best.host) : host;
    v4 = dns_table_get(&s->finding, name, DNS_A);
    v6 = dns_table_get(&s->finding, name, DNS_AAAA);
    if (!v4 || !v6)
        return false;
    *out_none = !((s->v4 && v4->n && dns_rr_a(v4->rdata[0], out) == OK && survey_allowed(s, out)) ||
                  (s->v6 && v6->n && dns_rr_aaaa(v6->rdata[0], out) == OK && survey_allowed(s, out)));
    return true;
}

static bool outward_find(struct survey *s)
{
    bool all = true, none;
    struct ip ip;
    for (size_t i = 0; i < s->o.n_outward && i < SURVEY_OUTWARD_MAX; i++)
        all &= outward_address(s, s->o.outward[i].host, &ip, &none);
    return all;
}

static void outward_look(struct survey *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->o.n_outward && i < SURVEY_OUTWARD_MAX; i++) {
        struct outward *o;
        struct ip ip;
        bool none = true;
        if (!outward_address(s, s->o.outward[i].host, &ip, &none) || none)
            continue; /* that it has no address says nothing of port 25 */
        o = malloc(sizeof *o);
        must(o);
        s->outward[n] = (struct facts_outward){.host = s->o.outward[i].host, .err = ERR_TIMEOUT};
        *o = (struct outward){s, &s->outward[n++]};
        survey_begin(s);
        survey_port_greets(s->o.loop, &ip, s->o.outward[i].port, OUTWARD_MS, outward_looked, o);
    }
    s->o.facts.outward = s->outward;
    s->o.facts.n_outward = n;
}

/* ---- the steps */

static void survey_end(struct survey *s, enum err e, const struct findings *f)
{
    s->fn(s->arg, e, f);
    loop_task_cancel(&s->step);
    arena_done(&s->scratch);
    arena_done(&s->arena);
    free(s->zones);
    free(s);
}

static void step_finding(struct survey *s)
{
    bool zones = survey_zones_find(s), outward = outward_find(s);
    if (!zones || !outward) {
        survey_begin(s);
        survey_resolve(s, &s->finding);
        survey_done(s);
        return;
    }
    s->phase = SURVEY_LOOKING;
    survey_begin(s);
    survey_zones_look(s);
    ports_look(s);
    outward_look(s);
    survey_done(s);
}

static void step_examining(struct survey *s)
{
    struct findings f;
    enum auth_step step;
    s->o.facts.ports = s->ports;
    s->o.facts.n_ports = s->n_ports;
    s->o.facts.dns_silent = dns_is_silent(s);
    survey_zones_end(s);
    arena_reset(&s->scratch);
    step = (s->o.before ? examine_before : examine)(s->o.setup, &s->o.facts, &s->dns, &s->scratch, &f);
    if (step == AUTH_WAIT) {
        survey_begin(s);
        survey_resolve(s, &s->dns);
        survey_done(s);
        return;
    }
    if (step == AUTH_NO_MEMORY || s->failed)
        survey_end(s, ERR_LIMIT, NULL);
    else
        survey_end(s, OK, &f);
}

static void survey_step(void *arg)
{
    struct survey *s = arg;
    if (s->phase == SURVEY_FINDING) {
        step_finding(s);
        return;
    }
    s->phase = SURVEY_EXAMINING;
    step_examining(s);
}

/* Does this machine have a way to such addresses? Nothing is sent: the kernel looks into its routes. */
static bool survey_has_way(const char *somewhere)
{
    struct ip ip;
    int fd CLEANUP(fd_done) = -1;
    must(ip_parse(slice_str(somewhere), &ip) == OK);
    return survey_dns_socket(&ip, 53, &fd) == OK;
}

void survey_run(const struct survey_options *o, survey_fn fn, void *arg)
{
    struct survey *s = calloc(1, sizeof *s);
    must(s);
    s->o = *o;
    s->fn = fn;
    s->arg = arg;
    s->v4 = o->private_ok || survey_has_way("192.33.4.12"); /* of the root's name servers */
    s->v6 = survey_has_way("2001:500:2::c");
    s->n_zones = o->setup->n_domains;
    s->zones = calloc(s->n_zones ? s->n_zones : 1, sizeof *s->zones);
    must(s->zones);
    arena_init(&s->arena, "survey", SURVEY_ARENA);
    arena_init(&s->scratch, "examination", SURVEY_SCRATCH);
    loop_task_init(&s->step, survey_step, s);
    s->zone_facts = ARENA_ARRAY(&s->arena, s->n_zones ? s->n_zones : 1, struct facts_zone);
    must(s->zone_facts && dns_table_init(&s->finding, &s->arena, SURVEY_QUESTIONS) &&
         dns_table_init(&s->dns, &s->arena, SURVEY_QUESTIONS)); /* the arena is new and large */
    for (size_t i = 0; i < s->n_zones; i++) {
        s->zones[i].survey = s;
        s->zones[i].fact = &s->zone_facts[i];
        s->zone_facts[i].domain = o->setup->domains[i].name;
    }
    loop_later(o->loop, &s->step);
}
