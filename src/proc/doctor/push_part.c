/* push_part: when pushes run: `posthorn dns DOMAIN --push`, and by themselves for domains with dns-push on:
 * when their plan changed, and once an hour in case somebody changed the DNS. */
#include "core/dns/dns_text.h"
#include "ipc/admin_words.h"
#include "proc/doctor/push.h"
#include "proc/doctor/records.h"
#include "proc/doctor/retired.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>

#define PUSH_FIRST (20 * MS_SECOND)
#define PUSH_EVERY (5 * MS_MINUTE) /* looks whether plans changed; that asks no server */
#define PUSH_OPEN  16              /* pushes at a time; other domains wait in their order */

/* ---- one push for the administrator */

struct push_call {
    struct doctor *doctor;
    struct doctor_call *call;
    bool dry, force;
};

static const char *const push_actions[] = {
    [PUSH_ADD] = "add", [PUSH_REMOVE] = "remove", [PUSH_KEEP] = "leave"};

static void push_rows(struct doctor_call *call, const struct push_result *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct push_change *c = &r->changes[i];
        struct buf line CLEANUP(buf_done) = {.max = 16384},
                        b CLEANUP(buf_done) = {.max = ADMIN_WORDS_JSON_MAX};
        if (dns_text_record(&c->name, c->ttl_s, c->type, c->rdata, &line) != OK)
            continue;
        buf_print(&b, "{\"action\":\"%s\"", push_actions[c->action]);
        records_string(&b, "line", slice_trim(buf_view(&line)));
        if (c->text.n)
            records_string(&b, "text", c->text);
        buf_byte(&b, '}');
        doctor_row(call, buf_view(&b));
    }
}

static void push_call_done(void *arg, const struct push_result *r)
{
    struct push_call *c = arg;
    push_rows(c->call, r);
    doctor_end(c->call, r->err, slice_str(r->text));
    free(c);
}

static void push_call_planned(void *arg, enum err e, slice text, const struct dns_plan_input *input,
                              const struct dns_plan *plan)
{
    struct push_call *c = arg;
    if (!e) {
        push_run(c->doctor, input, plan, c->dry, c->force, push_call_done, c);
        return;
    }
    doctor_end(c->call, e, text);
    free(c);
}

static void push_call_domain(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct push_call *c = arg;
    if (!e && n == 1) {
        records_plan(c->doctor, &domains[0], push_call_planned, c);
        return;
    }
    doctor_end(c->call, e ? e : ERR_NOT_FOUND,
               e && e != ERR_NOT_FOUND
                   ? SLICE("directory does not say how the domain is set; see posthorn status")
                   : SLICE("that is no domain of this server; `posthorn domain list` shows them"));
    free(c);
}

static void push_verb(struct doctor *d, struct doctor_call *call)
{
    struct push_call *c;
    struct dns_name name;
    if (dns_name_parse(doctor_arg(call, 0), &name) != OK || name.n == 0) {
        doctor_end(call, ERR_SYNTAX, SLICE("that is no name of a domain"));
        return;
    }
    c = malloc(sizeof *c);
    must(c);
    *c = (struct push_call){d, call, slice_eq(doctor_arg(call, 1), SLICE("dry-run")),
                            slice_eq(doctor_arg(call, 2), SLICE("force"))};
    doctor_domains(d, dns_name_view(&name), push_call_domain, c);
}

/* ---- by themselves */

/* What a domain's records looked like when they were pushed, and when that was. */
struct push_memory {
    uint64_t plan;
    time_ms pushed_mono;
    enum err err;   /* how it ended: said once */
    bool queued;    /* waits, or is under way */
    uint32_t round; /* the last one over all domains that had it */
    struct list queue;
    struct dns_name domain;
    char why[256]; /* of a failure */
};

static struct {
    struct hash_key key;
    struct doctor *doctor;
    struct map memory; /* hash of the domain -> struct push_memory */
    struct list queue;
    bool running, again;
    uint32_t round;
    size_t open, pushed, failed;
} pushes;

static void push_go_on(void);

static uint64_t push_plan_hash(const struct dns_plan *plan)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->n; i++) {
        uint64_t parts[3] = {hash_slice(&pushes.key, dns_name_view(&plan->records[i].name)),
                             hash_slice(&pushes.key, plan->records[i].rdata), plan->records[i].type};
        sum += hash_slice(&pushes.key, slice_of(parts, sizeof parts));
    }
    return sum;
}

static struct push_memory *push_remember(slice domain)
{
    uint64_t key = hash_slice(&pushes.key, domain);
    struct push_memory *m = map_get(&pushes.memory, key);
    if (m)
        return m;
    m = calloc(1, sizeof *m);
    must(m);
    list_init(&m->queue);
    if (dns_name_parse(domain, &m->domain)) /* names of domains were checked when they were added */
        m->domain.n = 0;
    IGNORE_RESULT(map_put(&pushes.memory, key, m), "there was none");
    return m;
}

static void push_tell_failure(const char *domain, const char *why)
{
    char text[TEXT_MAX + 1];
    (void)snprintf(text, sizeof text, "the DNS records of %.255s were not pushed: %s", domain, why); /* cut */
    log_warning("%s", text);
    role_tell(
        pushes.doctor->role,
        (struct journal_event){.kind = JOURNAL_TROUBLE, .name = SLICE("dns-push"), .text = slice_str(text)});
}

/* This domain is done, for now. */
static void push_self_end(struct push_memory *m)
{
    m->queued = false;
    pushes.open--;
    push_go_on();
}

/* A push of a domain ended. Success that changed something, and failure, are said once. */
static void push_self_done(void *arg, const struct push_result *r)
{
    struct push_memory *m = arg;
    size_t changed = 0;
    for (size_t i = 0; i < r->n; i++)
        changed += r->changes[i].action != PUSH_KEEP;
    if (r->err) {
        pushes.failed++;
        if (m->err != r->err)
            push_tell_failure(m->domain.text, r->text);
        (void)snprintf(m->why, sizeof m->why, "%s", r->text); /* cut */
        m->plan = 0;                                          /* tried again next time */
    } else {
        pushes.pushed++;
        if (changed || m->err)
            log_info("the DNS records of %s were pushed: %s", m->domain.text, r->text);
    }
    m->err = r->err;
    push_self_end(m);
}

size_t push_failures(struct arena *a, struct facts_push *out, size_t max)
{
    size_t n = 0, at = 0;
    uint64_t key;
    void *value;
    while (n < max && map_each(&pushes.memory, &at, &key, &value)) {
        const struct push_memory *m = value;
        if (m->err && arena_dup(a, dns_name_view(&m->domain), &out[n].domain) &&
            arena_dup(a, slice_str(m->why), &out[n].why))
            n++;
    }
    return n;
}

static bool push_is_on(const struct doctor_domain *domain)
{
    return slice_eq(doctor_domain_setting(domain, "dns-push", SLICE("off")), SLICE("on"));
}

static void push_self_planned(void *arg, enum err e, slice text, const struct dns_plan_input *input,
                              const struct dns_plan *plan)
{
    struct push_memory *m = arg;
    (void)text; /* what is down is seen elsewhere; the next round comes */
    if (e) {
        push_self_end(m);
        return;
    }
    m->plan = push_plan_hash(plan);
    m->pushed_mono = clock_mono();
    push_run(pushes.doctor, input, plan, false, false, push_self_done, m);
}

static void push_self_domain(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct push_memory *m = arg;
    if (e || n != 1 || !push_is_on(&domains[0]))
        push_self_end(m); /* it was removed, or switched off, meanwhile */
    else
        records_plan(pushes.doctor, &domains[0], push_self_planned, m);
}

/* Begins as many as may be under way. Each is planned anew: it may have waited long. */
static void push_go_on(void)
{
    while (!list_empty(&pushes.queue) && pushes.open < PUSH_OPEN) {
        struct push_memory *m = LIST_OF(pushes.queue.next, struct push_memory, queue);
        list_remove(&m->queue);
        pushes.open++;
        doctor_domains(pushes.doctor, dns_name_view(&m->domain), push_self_domain, m);
    }
}

/* A domain's plan, in a round over all: has it changed, or is it an hour since it was pushed? */
static void push_self_one(void *arg, const struct doctor_domain *domain, enum err e, slice text,
                          const struct dns_plan_input *input, const struct dns_plan *plan)
{
    struct push_memory *m;
    (void)arg, (void)text, (void)input;
    if (e)
        return;
    if (!push_is_on(domain))
        return;
    m = push_remember(domain->name);
    m->round = pushes.round;
    if (m->queued || !m->domain.n ||
        (m->plan == push_plan_hash(plan) && clock_mono() - m->pushed_mono < MS_HOUR))
        return;
    m->queued = true;
    list_append(&pushes.queue, &m->queue);
    push_go_on();
}

static void push_round_end(void *arg, enum err e, slice text)
{
    size_t at = 0;
    uint64_t key;
    void *value;
    (void)arg, (void)text; /* what is down is seen elsewhere; the next round comes */
    while (!e && map_each(&pushes.memory, &at, &key, &value)) {
        struct push_memory *m = value;
        if (m->round !=
            pushes.round) { /* removed, or switched off: nothing is asked of it, so nothing fails */
            m->err = OK;
            m->plan = 0;
        }
    }
    pushes.running = false;
    if (pushes.again)
        doctor_run_soon(pushes.doctor, &doctor_push_part);
}

static void push_self(struct doctor *d)
{
    if (role_setting(d->role, "dns-update", 0).n == 0)
        return;
    if (pushes.running) {
        pushes.again = true;
        return;
    }
    pushes.running = true;
    pushes.again = false;
    pushes.round++;
    records_all(d, push_self_one, push_round_end, d);
}

static void push_changed(struct doctor *d)
{
    doctor_run_soon(d, &doctor_push_part);
}

static void push_start(struct doctor *d)
{
    pushes.doctor = d;
    pushes.key = entropy_hash_key();
    list_init(&pushes.queue);
    retired_start();
}

static void push_status(struct doctor *d)
{
    if (role_setting(d->role, "dns-update", 0).n) {
        role_fact(d->role, "pushes", "%zu", pushes.pushed);
        role_fact(d->role, "pushes failed", "%zu", pushes.failed);
    }
}

static const struct doctor_verb push_verbs[] = {
    {"dns push", 1, 3, push_verb},
};

const struct doctor_part doctor_push_part = {
    .name = "push",
    .start = push_start,
    .run = push_self,
    .changed = push_changed,
    .first_ms = PUSH_FIRST,
    .every_ms = PUSH_EVERY,
    .verbs = push_verbs,
    .n_verbs = ARRAY_LEN(push_verbs),
    .status = push_status,
};
