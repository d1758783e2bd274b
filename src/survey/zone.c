/* zone: the zones our domains lie in: which servers they have according to the zone above and according to
 * themselves, what each server says, and questions put to all of them. */
#include "survey/survey__.h"

#include "core/dns/dns_text.h"

#include <stdlib.h>

/* ---- finding the servers, by the recursive resolver */

/* The name without its first label; empty is the root. */
static slice name_above(slice name)
{
    return slice_from(name, slice_index(name, '.') + 1);
}

/* The nearest zone at or above the name. NULL: not known yet. */
static const struct dns_answer *zone_apex(struct survey *s, slice name, slice *out_apex)
{
    for (;;) {
        const struct dns_answer *a = dns_table_get(&s->finding, name.n ? name : SLICE("."), DNS_NS);
        if (!a)
            return NULL;
        if (!name.n || (a->status == DNS_ANSWER_OK && a->n)) {
            *out_apex = name;
            return a;
        }
        name = name_above(name);
    }
}

/* The first address of an answer that may be asked. */
static bool answer_address(const struct survey *s, const struct dns_answer *a,
                           enum err (*read)(slice rdata, struct ip *out), struct ip *out)
{
    struct ip ip;
    for (size_t i = 0; i < a->n; i++)
        if (read(a->rdata[i], &ip) == OK && survey_allowed(s, &ip)) {
            *out = ip;
            return true;
        }
    return false;
}

/* One address of a server that this machine has a way to, or none; *out_no_way: it has others only. False:
 * not known yet. */
static bool server_address(struct survey *s, const struct dns_name *name, struct ip *out, bool *out_no_way)
{
    const struct dns_answer *v4 = dns_table_get(&s->finding, dns_name_view(name), DNS_A);
    const struct dns_answer *v6 = dns_table_get(&s->finding, dns_name_view(name), DNS_AAAA);
    struct ip ip4, ip6;
    bool has4, has6;
    *out = (struct ip){{0}};
    *out_no_way = false;
    if (!v4 || !v6)
        return false;
    has4 = answer_address(s, v4, dns_rr_a, &ip4);
    has6 = answer_address(s, v6, dns_rr_aaaa, &ip6);
    if (has4 && s->v4)
        *out = ip4;
    else if (has6 && s->v6)
        *out = ip6;
    else
        *out_no_way = has4 || has6;
    return true;
}

static bool zone_servers(struct survey_zone *z, const struct dns_answer *ns)
{
    bool all = true;
    z->n_servers = 0;
    for (size_t i = 0; i < ns->n && z->n_servers < SURVEY_SERVERS_MAX; i++) {
        struct facts_server *f = &z->servers[z->n_servers];
        struct dns_name name;
        if (dns_rr_name(ns->rdata[i], &name))
            continue;
        *f = (struct facts_server){.err = ERR_TIMEOUT};
        all &= server_address(z->survey, &name, &f->ip, &f->no_way);
        if (!arena_dup(&z->survey->arena, dns_name_view(&name), &f->name))
            z->survey->failed = true;
        z->n_servers++;
    }
    return all;
}

static bool zone_parents(struct survey_zone *z, slice apex)
{
    slice above;
    const struct dns_answer *ns = zone_apex(z->survey, name_above(apex), &above);
    bool all = true;
    if (!ns)
        return false;
    z->n_parents = 0;
    for (size_t i = 0; i < ns->n && z->n_parents < ARRAY_LEN(z->parents); i++) {
        struct dns_name name;
        struct ip ip;
        bool no_way;
        if (dns_rr_name(ns->rdata[i], &name))
            continue;
        all &= server_address(z->survey, &name, &ip, &no_way);
        if (!ip_is_none(&ip))
            z->parents[z->n_parents++] = ip;
    }
    return all;
}

static bool zone_find(struct survey_zone *z)
{
    struct survey *s = z->survey;
    slice domain = z->fact->domain, apex;
    const struct dns_answer *own = dns_table_get(&s->finding, domain, DNS_SOA), *ns;
    ns = zone_apex(s, domain, &apex);
    if (!own || !ns)
        return false;
    z->resolver_knows = own->status == DNS_ANSWER_OK;
    if (own->status == DNS_ANSWER_NXDOMAIN) {
        z->fact->nxdomain = true;
        return true;
    }
    if (!apex.n || slice_index(apex, '.') == apex.n)
        return true; /* a top-level domain: its servers are not our business */
    z->fact->apex = apex;
    bool servers = zone_servers(z, ns), parents = zone_parents(z, apex);
    return servers && parents;
}

bool survey_zones_find(struct survey *s)
{
    bool all = true;
    for (size_t i = 0; i < s->n_zones; i++)
        all &= zone_find(&s->zones[i]);
    return all;
}

/* ---- asking each of them */

struct zone_ask {
    struct survey_zone *zone;
    size_t server;
};

static void zone_sort(struct dns_name *names, size_t n)
{
    for (size_t i = 1; i < n; i++) /* at most SURVEY_DNS_NS_MAX */
        for (size_t k = i; k > 0 && slice_cmp(dns_name_view(&names[k]), dns_name_view(&names[k - 1])) < 0;
             k--) {
            struct dns_name t = names[k];
            names[k] = names[k - 1];
            names[k - 1] = t;
        }
}

static size_t zone_take(const struct dns_packet_answer *a, struct dns_name *out)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n && n < SURVEY_DNS_NS_MAX; i++)
        n += dns_rr_name(a->rdata[i], &out[n]) == OK;
    zone_sort(out, n);
    return n;
}

static void zone_soa(void *arg, enum err e, const struct survey_dns_reply *r)
{
    struct zone_ask a = *(struct zone_ask *)arg;
    struct facts_server *f = &a.zone->servers[a.server];
    struct dns_soa soa;
    free(arg);
    f->err = e;
    if (!e) {
        f->rcode = r->answer.rcode;
        f->authoritative = r->authoritative && r->answer.rcode == DNS_NOERROR && r->answer.n == 1 &&
                           dns_rr_soa(r->answer.rdata[0], &soa) == OK;
        f->serial = f->authoritative ? soa.serial : 0;
        a.zone->usable |= f->authoritative;
    }
    survey_done(a.zone->survey);
}

static void zone_own_ns(void *arg, enum err e, const struct survey_dns_reply *r)
{
    struct zone_ask a = *(struct zone_ask *)arg;
    free(arg);
    if (!e && r->authoritative && r->answer.n && !a.zone->n_child_ns)
        a.zone->n_child_ns = zone_take(&r->answer, a.zone->child_ns);
    survey_done(a.zone->survey);
}

static void zone_parent_ns(void *arg, enum err e, const struct survey_dns_reply *r)
{
    struct zone_ask a = *(struct zone_ask *)arg;
    struct survey_zone *z = a.zone;
    free(arg);
    /* a referral; a server that holds both zones answers out of the lower one, which tells nothing */
    if (!e && !r->authoritative && r->n_ns && !z->n_parent_ns &&
        slice_eq(dns_name_view(&r->ns_owner), z->fact->apex)) {
        memcpy(z->parent_ns, r->ns, sizeof z->parent_ns);
        z->n_parent_ns = r->n_ns;
        zone_sort(z->parent_ns, z->n_parent_ns);
    }
    survey_done(z->survey);
}

static void zone_send(struct survey_zone *z, size_t server, const struct ip *ip, uint16_t type,
                      survey_dns_fn fn)
{
    struct survey *s = z->survey;
    struct zone_ask *a = malloc(sizeof *a);
    struct dns_name apex;
    must(a);
    *a = (struct zone_ask){z, server};
    must(dns_name_parse(z->fact->apex, &apex) == OK); /* it came out of one */
    survey_begin(s);
    survey_dns_ask(s->o.loop, ip, s->o.dns_port, &apex, type, false, fn, a);
}

void survey_zones_look(struct survey *s)
{
    for (size_t i = 0; i < s->n_zones; i++) {
        struct survey_zone *z = &s->zones[i];
        if (!z->fact->apex.n)
            continue;
        for (size_t k = 0; k < z->n_servers; k++)
            if (!ip_is_none(&z->servers[k].ip)) {
                zone_send(z, k, &z->servers[k].ip, DNS_SOA, zone_soa);
                zone_send(z, k, &z->servers[k].ip, DNS_NS, zone_own_ns);
            }
        for (size_t k = 0; k < z->n_parents; k++)
            zone_send(z, k, &z->parents[k], DNS_NS, zone_parent_ns);
    }
}

static slice zone_names(struct survey *s, const struct dns_name *names, size_t n)
{
    struct buf b CLEANUP(buf_done) = {.max = 8192};
    slice out = {0};
    for (size_t i = 0; i < n; i++)
        buf_print(&b, "%s%s", i ? " " : "", names[i].text);
    if (!arena_dup(&s->arena, buf_view(&b), &out))
        s->failed = true;
    return out;
}

void survey_zones_end(struct survey *s)
{
    for (size_t i = 0; i < s->n_zones; i++) {
        struct survey_zone *z = &s->zones[i];
        bool blind = !z->usable && z->resolver_knows; /* port 53 outward is closed here */
        z->fact->servers = z->servers;
        z->fact->n_servers = blind ? 0 : z->n_servers;
        if (!z->fact->parent_ns.n)
            z->fact->parent_ns = zone_names(s, z->parent_ns, z->n_parent_ns);
        if (!z->fact->child_ns.n)
            z->fact->child_ns = zone_names(s, z->child_ns, z->n_child_ns);
        z->fact->disagreements = z->disagreements;
        z->fact->n_disagreements = z->n_disagreements;
    }
    s->o.facts.zones = s->zone_facts;
    s->o.facts.n_zones = s->n_zones;
}

/* ---- one question, all servers */

struct zone_one {
    struct zone_question *question;
    size_t server;
};

struct zone_question {
    struct survey_zone *zone;
    size_t question, open;
    slice name;
    uint16_t type;
    struct arena arena;
    struct dns_answer answers[SURVEY_SERVERS_MAX];
    bool have[SURVEY_SERVERS_MAX], elsewhere; /* elsewhere: an alias leads out of the answer */
};

static int rdata_order(const void *a, const void *b)
{
    return slice_cmp(*(const slice *)a, *(const slice *)b);
}

static bool answers_equal(const struct dns_answer *a, const struct dns_answer *b)
{
    if (a->status != b->status || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!slice_eq(a->rdata[i], b->rdata[i]))
            return false;
    return true;
}

static void answer_print(struct buf *b, slice server, uint16_t type, const struct dns_answer *a)
{
    buf_print(b, "%s%.*s: ", b->n ? "\n" : "", SLICE_FMT(server));
    if (!a->n)
        buf_str(b, a->status == DNS_ANSWER_NXDOMAIN ? "no such name" : "nothing");
    for (size_t i = 0; i < a->n && i < 8; i++) {
        buf_str(b, i ? ", " : "");
        IGNORE_RESULT(dns_text_rdata(type, a->rdata[i], b), "cut text is evidence enough");
    }
}

static void question_compare(struct zone_question *q, size_t first)
{
    struct survey_zone *z = q->zone;
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    bool equal = true;
    for (size_t i = first + 1; i < z->n_servers; i++)
        equal &= !q->have[i] || answers_equal(&q->answers[first], &q->answers[i]);
    if (equal || z->n_disagreements == ARRAY_LEN(z->disagreements))
        return;
    for (size_t i = first; i < z->n_servers; i++)
        if (q->have[i])
            answer_print(&b, z->servers[i].name, q->type, &q->answers[i]);
    struct facts_disagreement *d = &z->disagreements[z->n_disagreements];
    d->type = q->type;
    d->name = q->name;
    if (arena_dup(&z->survey->arena, buf_view(&b), &d->text))
        z->n_disagreements++;
}

static void question_resolved(void *arg, const struct dns_answer *a)
{
    struct zone_question *q = arg;
    struct survey *s = q->zone->survey;
    dns_table_put(&s->dns, q->question, a);
    arena_done(&q->arena);
    free(q);
    survey_done(s);
}

static void question_end(struct zone_question *q)
{
    struct survey *s = q->zone->survey;
    size_t first = 0;
    while (first < q->zone->n_servers && !q->have[first])
        first++;
    if (first == q->zone->n_servers || (q->elsewhere && !q->answers[first].n)) {
        s->o.lookup.ask(s->o.lookup.arg, q->name, q->type, question_resolved, q);
        return;
    }
    question_compare(q, first);
    question_resolved(q, &q->answers[first]);
}

static void question_answered(void *arg, enum err e, const struct survey_dns_reply *r)
{
    struct zone_one one = *(struct zone_one *)arg;
    struct zone_question *q = one.question;
    struct dns_answer *a = &q->answers[one.server];
    slice *rdata;
    free(arg);
    if (!e && (r->answer.rcode == DNS_NOERROR || r->answer.rcode == DNS_NXDOMAIN)) {
        a->status = r->answer.rcode == DNS_NXDOMAIN ? DNS_ANSWER_NXDOMAIN : DNS_ANSWER_OK;
        a->ttl_s = r->answer.ttl_s;
        rdata = ARENA_ARRAY(&q->arena, r->answer.n, slice);
        q->have[one.server] = rdata != NULL;
        for (size_t i = 0; rdata && i < r->answer.n; i++)
            q->have[one.server] &= arena_dup(&q->arena, r->answer.rdata[i], &rdata[i]);
        if (rdata && r->answer.n)
            qsort(rdata, r->answer.n, sizeof *rdata, rdata_order);
        a->rdata = rdata;
        a->n = r->answer.n;
        /* what a name server says of where an alias of its own leads may be an old copy: the resolver knows
         */
        q->elsewhere |= !slice_eq_nocase(dns_name_view(&r->answer.canonical), q->name);
    }
    if (--q->open == 0)
        question_end(q);
}

static struct survey_zone *zone_of(struct survey *s, slice name)
{
    struct survey_zone *best = NULL;
    struct dns_name n;
    if (dns_name_parse(name, &n))
        return NULL;
    for (size_t i = 0; i < s->n_zones; i++) {
        struct survey_zone *z = &s->zones[i];
        if (z->usable && dns_name_below(&n, z->fact->apex) && (!best || z->fact->apex.n > best->fact->apex.n))
            best = z;
    }
    return best;
}

/* Does the setup say that another zone begins below: the one delegated to us? */
static bool zone_delegated(const struct survey *s, slice name)
{
    slice zone = s->o.setup->nameserver_zone;
    struct dns_name n;
    return zone.n && dns_name_parse(name, &n) == OK && dns_name_below(&n, zone);
}

bool survey_zone_ask(struct survey *s, size_t question, slice name, uint16_t type)
{
    struct survey_zone *z = zone_of(s, name);
    struct zone_question *q;
    struct dns_name n;
    if (!z || type == DNS_TLSA || zone_delegated(s, name) || dns_name_parse(name, &n))
        return false; /* of TLSA the proof is what matters */
    q = calloc(1, sizeof *q);
    must(q);
    *q = (struct zone_question){.zone = z, .question = question, .name = name, .type = type};
    arena_init(&q->arena, "question", (size_t)1 << 20);
    survey_begin(s);
    for (size_t i = 0; i < z->n_servers; i++)
        q->open += z->servers[i].authoritative;
    for (size_t i = 0; i < z->n_servers; i++) {
        struct zone_one *one;
        if (!z->servers[i].authoritative)
            continue;
        one = malloc(sizeof *one);
        must(one);
        *one = (struct zone_one){q, i};
        survey_dns_ask(s->o.loop, &z->servers[i].ip, s->o.dns_port, &n, type, false, question_answered, one);
    }
    return true;
}
