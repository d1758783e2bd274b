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
#define PUSH_OPEN  16 /* pushes at a time; more domains wait for the next round, which follows at once */

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
    enum err err; /* how it ended: said once */
    struct dns_name domain;
    char why[256]; /* of a failure */
};

static struct {
    struct hash_key key;
    struct doctor *doctor;
    struct map memory; /* hash of the domain -> struct push_memory */
    bool running, again;
    size_t open, pushed, failed;
} pushes;

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

/* A push of a domain ended. Success that changed something, and failure, are said once. */
static void push_self_done(void *arg, const struct push_result *r)
{
    char *domain = arg;
    struct push_memory *m = push_remember(slice_str(domain));
    size_t changed = 0;
    for (size_t i = 0; i < r->n; i++)
        changed += r->changes[i].action != PUSH_KEEP;
    if (r->err) {
        pushes.failed++;
        if (m->err != r->err)
            push_tell_failure(domain, r->text);
        (void)snprintf(m->why, sizeof m->why, "%s", r->text); /* cut */
        m->plan = 0;                                          /* tried again next time */
    } else {
        pushes.pushed++;
        if (changed || m->err)
            log_info("the DNS records of %s were pushed: %s", domain, r->text);
    }
    m->err = r->err;
    free(domain);
    pushes.open--;
    if (pushes.again && !pushes.running)
        doctor_run_soon(pushes.doctor, &doctor_push_part);
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

static void push_self_one(void *arg, const struct doctor_domain *domain, enum err e, slice text,
                          const struct dns_plan_input *input, const struct dns_plan *plan)
{
    struct doctor *d = arg;
    struct push_memory *m;
    time_ms now = clock_mono();
    uint64_t hash;
    char *name;
    (void)text;
    if (e || !slice_eq(doctor_domain_setting(domain, "dns-push", SLICE("off")), SLICE("on")))
        return;
    m = push_remember(domain->name);
    hash = push_plan_hash(plan);
    if (m->plan == hash && now - m->pushed_mono < MS_HOUR)
        return;
    if (pushes.open == PUSH_OPEN) {
        pushes.again = true;
        return;
    }
    pushes.open++;
    m->plan = hash;
    m->pushed_mono = now;
    name = malloc(domain->name.n + 1);
    must(name);
    memcpy(name, domain->name.p, domain->name.n);
    name[domain->name.n] = 0;
    push_run(d, input, plan, false, false, push_self_done, name);
}

static void push_self_end(void *arg, enum err e, slice text)
{
    (void)e, (void)text; /* what is down is seen elsewhere; the next round comes */
    (void)arg;
    pushes.running = false;
    if (pushes.again && pushes.open < PUSH_OPEN)
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
    records_all(d, push_self_one, push_self_end, d);
}

static void push_changed(struct doctor *d)
{
    doctor_run_soon(d, &doctor_push_part);
}

static void push_start(struct doctor *d)
{
    pushes.doctor = d;
    pushes.key = entropy_hash_key();
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
