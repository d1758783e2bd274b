#include "proc/doctor/push__.h"

#include "core/dns/dns_packet.h"
#include "core/dns/dns_update.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define PUSH_ARENA ((size_t)4 << 20)

static void push_next(struct push *p);

static void push_end(void *arg)
{
    struct push *p = arg;
    struct push_result r = {p->err, p->text, p->changes, p->n_changes};
    p->fn(p->arg, &r);
    dns_talk_free(&p->talk);
    secret_done(&p->key.secret);
    arena_done(&p->arena);
    free(p);
}

static void push_finish(struct push *p, enum err e, const char *text)
{
    p->err = e;
    snprintf(p->text, sizeof p->text, "%s", text);
    loop_later(p->doctor->role->loop, &p->end);
}

/* ---- the update of one zone */

static bool push_changes_something(const struct push *p, const struct push_set *s)
{
    for (size_t i = s->first_change; i < s->first_change + s->n_changes; i++)
        if (p->changes[i].action != PUSH_KEEP)
            return true;
    return false;
}

static enum err push_conditions(const struct push *p, const struct push_set *s, struct buf *b)
{
    enum err e = OK;
    (void)p;
    if (s->n_have == 0)
        return dns_update_absent(b, &s->want[0].name, s->want[0].type);
    for (size_t i = 0; i < s->n_have && !e; i++)
        e = dns_update_present(b, &s->want[0].name, s->want[0].type, s->have[i]);
    return e;
}

/* Removals first: a CNAME is only taken where nothing else is, RFC 2136 §3.4.2.2. */
static enum err push_write(const struct push *p, const struct push_set *s, enum push_action action,
                           struct buf *b)
{
    enum err e = OK;
    for (size_t i = s->first_change; i < s->first_change + s->n_changes && !e; i++) {
        const struct push_change *c = &p->changes[i];
        if (c->action != action)
            continue;
        e = action == PUSH_ADD ? dns_update_add(b, &c->name, c->type, c->ttl_s, c->rdata)
                               : dns_update_remove(b, &c->name, c->type, c->rdata);
    }
    return e;
}

static uint16_t push_id(void)
{
    uint8_t b[2];
    entropy_bytes(b, sizeof b);
    return (uint16_t)(b[0] << 8 | b[1]);
}

/* The changes of this zone did not come about. */
static void push_undone(struct push *p, const struct push_zone *zone)
{
    for (size_t i = 0; i < p->n_sets; i++) {
        struct push_set *s = &p->sets[i];
        if (s->zone != &zone->name)
            continue;
        s->undone = true;
        for (size_t k = s->first_change; k < s->first_change + s->n_changes; k++) {
            struct push_change *c = &p->changes[k];
            if (c->action == PUSH_KEEP)
                continue;
            p->added -= c->action == PUSH_ADD;
            p->removed -= c->action == PUSH_REMOVE;
            p->kept++;
            c->text = c->action == PUSH_ADD ? SLICE("not added: the server did not change this zone")
                                            : SLICE("not removed: the server did not change this zone");
            c->action = PUSH_KEEP;
        }
    }
}

/* A zone that fails does not hold up the others: the next one has a conversation of its own. When nobody
 * answers at all there is no next one. */
static void push_failed(struct push *p, enum err e, const char *text)
{
    const struct push_zone *zone = &p->zones[p->updating - 1];
    push_undone(p, zone);
    if (!p->failed) {
        p->failed = e;
        snprintf(p->words, sizeof p->words, "the zone %.100s was not changed: %.250s", zone->name.text, text);
    }
    if (e == ERR_TIMEOUT || e == ERR_CONNECT) {
        for (; p->updating < p->n_zones; p->updating++)
            push_undone(p, &p->zones[p->updating]);
        push_finish(p, p->failed, p->words);
        return;
    }
    dns_talk_free(&p->talk);
    p->talk = dns_talk_new(p->doctor->role->loop, &p->ip, p->port, &p->key);
    push_next(p);
}

static void push_updated(void *arg, enum err e, const char *text, slice answer, uint8_t rcode)
{
    (void)answer;
    if (!e && rcode)
        push_failed(arg, ERR_REFUSED, dns_update_rcode_text(rcode));
    else if (e)
        push_failed(arg, e, text);
    else
        push_next(arg);
}

/* Sends what is to change in zone. False: nothing. */
static bool push_update(struct push *p, const struct push_zone *zone)
{
    struct buf b CLEANUP(buf_done) = {.max = 65000};
    bool any = false;
    enum err e = OK;
    if (!zone->is)
        return false;
    for (size_t i = 0; i < p->n_sets; i++)
        any = any || (p->sets[i].zone == &zone->name && push_changes_something(p, &p->sets[i]));
    if (!any)
        return false;
    e = dns_update_begin(push_id(), &zone->name, &b);
    for (size_t i = 0; i < p->n_sets && !e; i++)
        if (p->sets[i].zone == &zone->name && push_changes_something(p, &p->sets[i]))
            e = push_conditions(p, &p->sets[i], &b);
    for (int action = PUSH_REMOVE; action >= PUSH_ADD; action--)
        for (size_t i = 0; i < p->n_sets && !e; i++)
            if (p->sets[i].zone == &zone->name)
                e = push_write(p, &p->sets[i], (enum push_action)action, &b);
    if (e)
        push_finish(p, e, "the changes of one zone do not fit into one message");
    else
        dns_talk_ask(p->talk, &b, push_updated, p);
    return true;
}

static void push_done(struct push *p)
{
    char words[256];
    const char *did = p->dry ? "would be " : "";
    for (size_t i = 0; i < p->n_sets && !p->dry && !p->full; i++)
        if (p->sets[i].gone && p->sets[i].looked && !p->sets[i].unknown && !p->sets[i].undone)
            retired_forget(p->domain, slice_str(p->sets[i].gone->selector));
    if (p->full)
        push_finish(p, ERR_LIMIT, "there are more changes than one push may make");
    else if (p->failed)
        push_finish(p, p->failed, p->words);
    else if (p->added + p->removed + p->kept == 0)
        push_finish(p, OK, "Nothing to change: the DNS holds every record of the plan.");
    else {
        snprintf(words, sizeof words, "%zu %sadded, %zu %sremoved, %zu left as they are.", p->added, did,
                 p->removed, did, p->kept);
        push_finish(p, OK, words);
    }
}

/* ---- asking */

static void push_answered(void *arg, enum err e, const char *text, slice answer, uint8_t rcode);

static void push_ask(struct push *p, struct push_set *s, const struct dns_name *name, uint16_t type)
{
    struct buf b CLEANUP(buf_done) = {.max = 1024};
    p->now = s;
    p->asked = *name;
    p->asked_type = type;
    must(dns_update_question(push_id(), name, type, &b) == OK);
    dns_talk_ask(p->talk, &b, push_answered, p);
}

static const struct push_zone *push_zone_known(const struct push *p, const struct dns_name *name)
{
    for (size_t i = 0; i < p->n_zones; i++)
        if (dns_name_eq(&p->zones[i].name, name))
            return &p->zones[i];
    return NULL;
}

static bool push_up(struct dns_name *name)
{
    slice head, tail;
    struct dns_name up;
    if (!slice_split(dns_name_view(name), '.', &head, &tail) || dns_name_parse(tail, &up) != OK)
        return false;
    *name = up;
    return true;
}

/* Follows what is known upwards. True: a question has to be asked. */
static bool push_zone_of(struct push *p, struct push_set *s)
{
    while (!s->zone && s->at.n) {
        const struct push_zone *z = push_zone_known(p, &s->at);
        if (!z && p->n_zones < PUSH_ZONES) {
            push_ask(p, s, &s->at, DNS_SOA);
            return true;
        }
        if (z && z->is)
            s->zone = &z->name;
        else if (!push_up(&s->at))
            s->at.n = 0;
    }
    return false;
}

/* What is asked or done next; ends the job when there is nothing. */
static void push_next(struct push *p)
{
    for (size_t i = 0; i < p->n_sets; i++)
        if (push_zone_of(p, &p->sets[i]))
            return;
    for (size_t i = 0; i < p->n_sets; i++) {
        struct push_set *s = &p->sets[i];
        if (s->zone && !s->looked) {
            push_ask(p, s, &s->want[0].name, s->want[0].type);
            return;
        }
        if (s->zone && s->want[0].type == DNS_CNAME && s->n_have == 0 && !s->looked_beside) {
            push_ask(p, s, &s->want[0].name, DNS_TXT);
            return;
        }
    }
    if (p->updating == 0)
        for (size_t i = 0; i < p->n_sets; i++)
            push__judge(p, &p->sets[i]);
    while (!p->dry && !p->full && p->updating < p->n_zones)
        if (push_update(p, &p->zones[p->updating++]))
            return;
    push_done(p);
}

static void push_looked(struct push *p, struct push_set *s, const struct dns_packet_answer *a, bool referred)
{
    if (p->asked_type == DNS_TXT && s->want[0].type == DNS_CNAME) {
        s->looked_beside = true;
        s->beside = a->rdata;
        s->n_beside = a->n;
        return;
    }
    s->looked = true;
    s->referred = referred;
    s->alias = !dns_name_eq(&a->canonical, &s->want[0].name);
    s->have = a->rdata;
    s->n_have = s->alias ? 0 : a->n;
}

static void push_answered(void *arg, enum err e, const char *text, slice answer, uint8_t rcode)
{
    static const struct dns_packet_limits limits = {512, 65536};
    struct push *p = arg;
    struct dns_packet_answer a = {0};
    if (e) {
        push_finish(p, e, text);
        return;
    }
    if (rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN)
        e = dns_packet_parse(answer, &p->asked, p->asked_type, &limits, &p->arena, &a);
    if (p->asked_type == DNS_SOA) { /* a server that does not keep a zone refuses, or is not authoritative */
        p->zones[p->n_zones++] = (struct push_zone){p->asked, !e && a.n > 0 && rcode == DNS_NOERROR &&
                                                                  dns_name_eq(&a.canonical, &p->asked)};
        push_next(p);
        return;
    }
    if (e || (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN)) {
        if (!p->failed) {
            p->failed = e ? e : ERR_REFUSED;
            snprintf(p->words, sizeof p->words, "the server does not say what %.200s holds: %.150s",
                     p->asked.text, e ? err_text(e) : dns_update_rcode_text(rcode));
        }
        p->now->looked = p->now->looked_beside = p->now->unknown = true;
        push_next(p);
        return;
    }
    /* without AA the name lies below a cut: what were added there nobody would see */
    push_looked(p, p->now, &a, answer.n > 2 && !(answer.p[2] & 4));
    push_next(p);
}

/* ---- beginning */

static bool push_keep(struct push *p, const struct dns_plan_record *r)
{
    struct dns_plan_record *copy;
    struct push_set *s = p->n_sets ? &p->sets[p->n_sets - 1] : NULL;
    if (r->owner != DNS_PLAN_OWNER_DOMAIN && r->owner != DNS_PLAN_OWNER_HOST)
        return true;
    copy = ARENA_NEW(&p->arena, struct dns_plan_record);
    if (!copy || !arena_dup(&p->arena, r->rdata, &copy->rdata))
        return false;
    slice rdata = copy->rdata;
    *copy = *r;
    copy->rdata = rdata;
    copy->text = copy->why = (slice){0};
    if (s && dns_name_eq(&s->want[0].name, &r->name) && s->want[0].type == r->type) {
        /* records of a set follow each other, and so do their copies */
        struct dns_plan_record *all = ARENA_ARRAY(&p->arena, s->n_want + 1, struct dns_plan_record);
        if (!all)
            return false;
        memcpy(all, s->want, s->n_want * sizeof *all);
        all[s->n_want] = *copy;
        s->want = all;
        s->n_want++;
        return true;
    }
    if (p->n_sets == PUSH_SETS)
        return false;
    p->sets[p->n_sets] = (struct push_set){.want = copy, .n_want = 1, .at = r->name};
    if (r->kind == DNS_PLAN_DELEGATION && !push_up(&p->sets[p->n_sets].at))
        return true; /* NS at the cut belong to the zone above */
    p->n_sets++;
    return true;
}

/* What keys of this domain left behind, unless the plan has something under the name again. */
static bool push_keep_gone(struct push *p)
{
    for (const struct retired *r = retired_of(p->domain); r && p->n_sets < PUSH_SETS; r = r->next) {
        struct dns_plan_record *want = ARENA_NEW(&p->arena, struct dns_plan_record);
        struct retired *gone = ARENA_NEW(&p->arena, struct retired);
        bool planned = false;
        for (size_t i = 0; i < p->n_sets && !planned; i++)
            planned = dns_name_eq(&p->sets[i].want[0].name, &r->name);
        if (!want || !gone)
            return false;
        if (planned)
            continue;
        *gone = *r;
        gone->next = NULL;
        *want = (struct dns_plan_record){
            .kind = DNS_PLAN_DKIM, .type = DNS_TXT, .name = r->name, .ttl_s = DNS_PLAN_TTL_S};
        p->sets[p->n_sets++] = (struct push_set){.want = want, .gone = gone, .at = r->name};
    }
    return true;
}

/* "ADDRESS:PORT" */
static bool push_server(slice text, struct ip *out_ip, uint16_t *out_port)
{
    size_t colon = slice_rindex(text, ':');
    slice host = slice_sub(text, 0, colon);
    uint32_t port;
    if (host.n > 2 && host.p[0] == '[')
        host = slice_sub(host, 1, host.n - 1);
    if (ip_parse(host, out_ip) != OK || !slice_u32(slice_from(text, colon + 1), &port) || port > UINT16_MAX)
        return false;
    *out_port = (uint16_t)port;
    return true;
}

void push_run(struct doctor *d, const struct dns_plan_input *input, const struct dns_plan *plan, bool dry,
              bool force, push_fn fn, void *arg)
{
    struct push *p = calloc(1, sizeof *p);
    bool good;
    must(p);
    *p = (struct push){.doctor = d, .dry = dry, .force = force, .fn = fn, .arg = arg};
    arena_init(&p->arena, "push", PUSH_ARENA);
    loop_task_init(&p->end, push_end, p);
    if (role_setting(d->role, "dns-update", 0).n == 0 ||
        !push_server(role_setting(d->role, "dns-update", 0), &p->ip, &p->port) ||
        dns_tsig_key_parse(role_setting(d->role, "dns-update-key", 0), &p->key) != OK) {
        push_finish(
            p, ERR_CONFIG,
            "the configuration has no line `dns-update ADDRESS@PORT KEY-FILE`, so it is not known where "
            "to send records; `posthorn dns DOMAIN` shows them for setting by hand");
        return;
    }
    good = dns_name_parse(input->hostname, &p->host) == OK &&
           (input->zone.n == 0 || dns_name_parse(input->zone, &p->zone) == OK) &&
           arena_dup(&p->arena, input->domain, &p->domain);
    for (size_t i = 0; i < plan->n && good; i++)
        good = push_keep(p, &plan->records[i]);
    if (!good || !push_keep_gone(p)) {
        push_finish(p, ERR_LIMIT, "the plan is too large to be sent");
        return;
    }
    p->talk = dns_talk_new(d->role->loop, &p->ip, p->port, &p->key);
    push_next(p);
}
