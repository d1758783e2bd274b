/* check: looks at this server from outside every hour, and when it is asked to; keeps what is wrong and since
 * when; tells the administrator what changed.
 *
 * One round at a time, and beside it up to CHECK_ONES checks of one domain; others wait. A round over our
 * domains, whoever asked for it, is kept and told; a check of one domain only answers. Which domains a round
 * looks at, policy/doctor/rounds says; it goes through them in parts of GATHER_DOMAINS_MAX, the first of
 * which also looks at the server itself. */
#include "proc/doctor/check__.h"

#include "survey/stub.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK_FIRST_MS MS_MINUTE
#define CHECK_ARENA    ((size_t)24 << 20)
#define CHECK_ROUND    ((size_t)24 << 20)
#define CHECK_ONES     4u
#define CHECK_TRUST    ((size_t)1 << 20)

static struct survey_trust *check_trust; /* loaded before the lock-in */

bool check_is_off(const struct doctor *d)
{
    return d->check->off;
}

void check_test(const struct doctor *d, uint32_t *out_dns_port, uint32_t *out_probe_s)
{
    *out_dns_port = d->check ? d->check->test_dns_port : 0;
    *out_probe_s = d->check ? d->check->test_probe_s : 0;
}

/* ---- answers of the DNS for the survey */

struct lookup_one {
    void (*fn)(void *arg, const struct dns_answer *a);
    void *arg;
    struct dns_table table;
    struct arena arena;
    slice name;
    uint16_t type;
};

static void lookup_done(void *arg)
{
    struct lookup_one *l = arg;
    const struct dns_answer *a = dns_table_get(&l->table, l->name, l->type);
    static const struct dns_answer failed = {.status = DNS_ANSWER_TEMPFAIL};
    l->fn(l->arg, a ? a : &failed);
    arena_done(&l->arena);
    free(l);
}

/* libunbound answers the reverse names of loopback addresses by itself; tests have theirs in a server. */
static bool lookup_test(struct doctor *d, slice name, uint16_t type,
                        void (*fn)(void *fn_arg, const struct dns_answer *a), void *fn_arg)
{
    static struct survey_stub stub;
    struct ip loopback = ip_from_v4((const uint8_t[4]){127, 0, 0, 1});
    if (!d->check->test_dns_port || !slice_ends_nocase(name, SLICE(".127.in-addr.arpa")))
        return false;
    stub = (struct survey_stub){d->role->loop, loopback, (uint16_t)d->check->test_dns_port};
    survey_stub_ask(&stub, name, type, fn, fn_arg);
    return true;
}

void check__lookup(void *arg, slice name, uint16_t type, void (*fn)(void *fn_arg, const struct dns_answer *a),
                   void *fn_arg)
{
    struct lookup_one *l;
    if (lookup_test(arg, name, type, fn, fn_arg))
        return;
    l = calloc(1, sizeof *l);
    must(l);
    l->fn = fn;
    l->arg = fn_arg;
    l->type = type;
    arena_init(&l->arena, "lookup", (size_t)512 * 1024);
    must(arena_dup(&l->arena, name, &l->name) && dns_table_init(&l->table, &l->arena, 2));
    (void)dns_table_get(&l->table, l->name, type); /* notes it */
    doctor_ask(arg, &l->table, true, lookup_done, l);
}

bool check_is_own(const struct doctor *d, slice domain)
{
    slice admin = role_setting(d->role, "admin", 0), at = slice_from(admin, slice_rindex(admin, '@') + 1);
    struct dns_name host;
    return slice_eq_nocase(at, domain) ||
           (dns_name_parse(d->hostname, &host) == OK && dns_name_below(&host, domain));
}

/* Starts what may start: one round, and beside it a few checks of one domain, which somebody waits for. */
void check__next(struct doctor *d)
{
    unsigned running[2] = {0};
    LIST_EACH(it, &d->check->checks)
    {
        const struct check *c = LIST_OF(it, struct check, link);
        running[c->only[0] != 0] += c->running;
    }
    LIST_EACH(it, &d->check->checks)
    {
        struct check *c = LIST_OF(it, struct check, link);
        bool one = c->only[0] != 0;
        if (c->running || running[one] >= (one ? CHECK_ONES : 1))
            continue;
        running[one]++;
        check__start(c); /* goes on later: the list stays as it is */
    }
}

static void check_gone(void *arg)
{
    ((struct check *)arg)->call = NULL;
}

static void check_begin(struct doctor *d, struct doctor_call *call, slice only)
{
    struct check *c = calloc(1, sizeof *c);
    must(c);
    c->doctor = d;
    c->call = call;
    snprintf(c->only, sizeof c->only, "%.*s", SLICE_FMT(slice_sub(only, 0, sizeof c->only - 1)));
    arena_init(&c->arena, "check", CHECK_ARENA);
    arena_init(&c->round, "round", CHECK_ROUND);
    list_append(&d->check->checks, &c->link);
    if (call)
        doctor_on_gone(call, check_gone, c);
    check__next(d);
    if (!c->running)
        check__progress(c, "waiting for another look to end");
}

void check_soon(struct doctor *d)
{
    if (d->check->off)
        return;
    LIST_EACH(it, &d->check->checks)
    {
        const struct check *c = LIST_OF(it, struct check, link);
        if (!c->running && !c->call && !c->only[0])
            return; /* one waits already */
    }
    check_begin(d, NULL, (slice){0});
}

/* ---- the part */

static void check_run(struct doctor *d)
{
    d->check->next_at = clock_mono() + CHECK_EVERY_MS;
    check_soon(d);
}

static void check_verb(struct doctor *d, struct doctor_call *call)
{
    struct dns_name name = {0};
    slice domain = doctor_arg(call, 0);
    if (domain.n && dns_name_parse(domain, &name))
        doctor_end(call, ERR_SYNTAX, SLICE("that is no name of a domain"));
    else
        check_begin(d, call, dns_name_view(&name));
}

enum err check_prepare(struct role_self *role, struct err_detail *detail)
{
    struct buf pem CLEANUP(buf_done) = {.max = CHECK_TRUST};
    int fd CLEANUP(fd_done) = role_file(role, "trust");
    off_t at = 0;
    ssize_t n = 1;
    enum err e = tls_setup();
    while (!e && fd >= 0 && n > 0) {
        uint8_t *room = buf_reserve(&pem, 16384);
        n = room ? pread(fd, room, 16384, at) : 0;
        if (n > 0) {
            buf_commit(&pem, (size_t)n);
            at += n;
        }
    }
    gather_prepare(role);
    return e ? e : survey_trust_new(buf_view(&pem), &check_trust, detail);
}

static void check_start(struct doctor *d)
{
    struct doctor_check *k = calloc(1, sizeof *k);
    slice test = role_setting(d->role, "doctor-test", 0), port, seconds;
    must(k);
    list_init(&k->checks);
    k->kept = kept_open();
    k->next_at = clock_mono() + CHECK_FIRST_MS;
    k->trust = check_trust;
    k->off = role_setting(d->role, "doctor-off", 0).n > 0;
    if (slice_split(test, ' ', &port, &seconds) &&
        !(slice_u32(port, &k->test_dns_port) && slice_u32(seconds, &k->test_probe_s)))
        k->test_dns_port = k->test_probe_s = 0;
    d->check = k;
}

static void check_status(struct doctor *d)
{
    role_fact(d->role, "checks", "%llu", (unsigned long long)d->check->done);
    role_fact(d->role, "errors", "%zu", kept_count(d->check->kept, FINDING_ERROR));
    role_fact(d->role, "errors and warnings", "%zu", kept_count(d->check->kept, FINDING_WARNING));
}

static const struct doctor_verb check_verbs[] = {
    {"doctor", 0, 1, check_verb},
};

const struct doctor_part doctor_check_part = {
    .name = "check",
    .start = check_start,
    .run = check_run,
    .first_ms = CHECK_FIRST_MS,
    .every_ms = CHECK_EVERY_MS,
    .verbs = check_verbs,
    .n_verbs = ARRAY_LEN(check_verbs),
    .status = check_status,
};
