/* check: looks at this server from outside every hour, and when it is asked to; keeps what is wrong and since
 * when; tells the administrator what changed.
 *
 * One round at a time, and beside it up to CHECK_ONES checks of one domain; others wait. A round over our
 * domains, whoever asked for it, is kept and told; a check of one domain only answers. Which domains a round
 * looks at, policy/doctor/rounds says; it goes through them in parts of GATHER_DOMAINS_MAX, the first of
 * which also looks at the server itself. */
#include "proc/doctor/check.h"

#include "ipc/admin_words.h"
#include "ipc/x_resolver.h"
#include "proc/doctor/gather.h"
#include "survey/stub.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/tls.h"
#include "text/date.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK_FIRST_MS MS_MINUTE
#define CHECK_EVERY_MS MS_HOUR
#define CHECK_ARENA    ((size_t)24 << 20)
#define CHECK_ROUND    ((size_t)24 << 20)
#define CHECK_ONES     4u
#define CHECK_TELL_MAX 200 /* events of the journal for one round */
#define CHECK_TRUST    ((size_t)1 << 20)
#define CHECK_ASK_MS   (30 * MS_SECOND)
#define DNS_PORT       53
#define SMTP_PORT      25

/* Whose mail servers are tried to see whether port 25 outward is open; `doctor outward` names others. */
static const char *const check_outward[] = {"gmail.com", "icloud.com"};

struct check {
    struct list link;
    struct doctor *doctor;
    struct doctor_call *call; /* NULL: the clock, or the asker is gone */
    char only[256];
    bool running;
    struct arena arena; /* of the part under way */
    struct gathered gathered;
    struct survey_outward outward[SURVEY_OUTWARD_MAX];
    /* of the whole round */
    struct arena round;
    struct rounds_domain *domains; /* all of ours */
    size_t n_domains;
    slice *all;   /* their names */
    slice *names; /* those that this round looks at */
    size_t n_names, at;
    slice last;
    enum err names_err; /* which domains are ours is not known */
    enum err err;       /* of a part that did not come to its end */
    bool house_looked, silent;
    size_t looked, found;
    enum finding_severity worst;
    struct findings opened, closed;
};

struct doctor_check {
    struct list checks;
    struct kept *kept;
    struct survey_trust *trust;
    bool off;
    uint32_t test_dns_port, test_probe_s;
    time_ms last_at;
    time_ms next_at; /* monotonic: the next round by the clock */
    uint64_t done;
};

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

static void check_lookup(void *arg, slice name, uint16_t type,
                         void (*fn)(void *fn_arg, const struct dns_answer *a), void *fn_arg)
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

/* ---- one check */

static void check_next(struct doctor *d);

static void check_free(struct check *c)
{
    struct doctor *d = c->doctor;
    list_remove(&c->link);
    arena_done(&c->arena);
    arena_done(&c->round);
    free(c);
    check_next(d);
}

static void check_part(struct check *c);

/* ---- the answer */

static void check_answer(struct check *c, const struct findings *f)
{
    struct buf b CLEANUP(buf_done) = {.max = ADMIN_WORDS_JSON_MAX};
    for (size_t i = 0; c->call && i < f->n; i++) {
        buf_clear(&b);
        if (finding_json(&f->at[i], &b) == OK)
            doctor_row(c->call, buf_view(&b));
    }
}

/* When each of the domains that were not looked at will have been, Unix ms. */
static time_ms check_rest_by(const struct check *c)
{
    size_t left = c->n_domains - c->looked, share = rounds_rest(c->n_domains);
    time_ms next = c->doctor->check->next_at - clock_mono();
    return clock_unix() + (next > 0 ? next : 0) + (time_ms)((left - 1) / share) * CHECK_EVERY_MS;
}

static void check_summary(struct check *c)
{
    struct buf b CLEANUP(buf_done) = {.max = 1024};
    if (!c->call)
        return;
    buf_print(&b, "{\"summary\":\"%s\",\"domains\":%zu,\"looked_at\":%zu,\"findings\":%zu",
              finding_severity_name(c->worst), c->n_domains, c->looked, c->found);
    if (c->looked < c->n_domains && !c->only[0] && !check_is_off(c->doctor)) {
        buf_str(&b, ",\"rest_by\":\"");
        date_print_iso(check_rest_by(c), &b);
        buf_byte(&b, '"');
    }
    buf_byte(&b, '}');
    doctor_row(c->call, buf_view(&b));
    doctor_end(c->call, OK, (slice){0});
    c->call = NULL;
}

static void check_fail(struct check *c, enum err e, slice text)
{
    if (c->call)
        doctor_end(c->call, e, text);
    c->call = NULL;
    check_free(c);
}

/* ---- the end of a round */

static enum kept_look check_look(void *arg, slice domain)
{
    const struct check *c = arg;
    const struct rounds_domain *d = rounds_find(c->domains, c->n_domains, domain);
    if (!domain.n)
        return c->house_looked ? KEPT_LOOKED : KEPT_NOT_LOOKED;
    if (!d)
        return c->names_err ? KEPT_NOT_LOOKED : KEPT_NOT_OURS;
    return d->looked ? KEPT_LOOKED : KEPT_NOT_LOOKED;
}

static void check_save(const struct doctor_check *k)
{
    if (kept_save(k->kept))
        log_warning(
            "the file of findings in doctor's folder cannot be written: since when something is wrong is "
            "forgotten at the next start");
}

static void check_told(void *arg, enum err e)
{
    struct check *c = arg;
    if (e)
        kept_untold(c->doctor->check->kept, &c->opened);
    check_save(c->doctor->check);
    check_free(c);
}

static void check_keep(struct check *c)
{
    struct doctor *d = c->doctor;
    struct doctor_check *k = d->check;
    kept_end(k->kept, check_look, c, &c->closed);
    if (!c->names_err && !c->silent)
        kept_round_set(k->kept, c->last);
    findings_sort(&c->opened);
    findings_sort(&c->closed);
    for (size_t i = 0; i < c->opened.n && i < CHECK_TELL_MAX; i++)
        role_tell(d->role, (struct journal_event){.kind = JOURNAL_TROUBLE,
                                                  .name = slice_str(finding_rows[c->opened.at[i].kind].word),
                                                  .text = c->opened.at[i].what});
    k->last_at = clock_unix();
    k->done++;
    if (k->off) /* whoever switches it on again is told */
        check_told(c, ERR_STATE);
    else if (!c->opened.n && !c->closed.n)
        check_told(c, OK);
    else if (c->names_err && !role_setting(d->role, "admin", 0).n) /* which domain's postmaster? */
        check_told(c, c->names_err);
    else
        alert_send(d, c->all, c->n_domains, &c->opened, &c->closed, kept_count(k->kept, FINDING_WARNING),
                   check_told, c);
}

static void check_end(struct check *c)
{
    if (c->err && c->call) {
        doctor_end(c->call, c->err, SLICE("the check did not come to its end; try one domain at a time"));
        c->call = NULL;
    }
    check_summary(c);
    if (c->only[0])
        check_free(c);
    else
        check_keep(c); /* what its other parts found counts */
}

/* What a part found, or that it could not be done. */
static void check_surveyed(void *arg, enum err e, const struct findings *found)
{
    struct check *c = arg;
    struct findings f;
    bool house = !c->gathered.setup.domains_only;
    if (e) {
        log_error("a check of this server did not come to its end: %s", err_text(e));
        c->err = e;
    } else {
        f = *found; /* since is filled in */
        for (size_t i = 0; i < c->gathered.setup.n_domains; i++) {
            struct rounds_domain *d =
                rounds_find(c->domains, c->n_domains, c->gathered.setup.domains[i].name);
            if (d)
                d->looked = true;
            c->looked += d != NULL;
        }
        c->house_looked |= house;
        c->silent = findings_find(&f, FINDING_DNS_SILENT, SLICE("dns")) < f.n;
        c->found += f.n;
        if (findings_worst(&f) > c->worst)
            c->worst = findings_worst(&f);
        if (c->only[0])
            kept_since(c->doctor->check->kept, &f);
        else
            kept_see(c->doctor->check->kept, &f, clock_unix(), &c->opened);
        check_answer(c, &f);
    }
    if (c->at < c->n_names && !c->silent) /* of a dead DNS more parts learn no more */
        check_part(c);
    else
        check_end(c);
}

static void check_outward_list(struct check *c, struct survey_options *o)
{
    slice host;
    o->outward = c->outward;
    for (size_t i = 0;
         o->n_outward < SURVEY_OUTWARD_MAX && (host = role_setting(c->doctor->role, "outward", i)).n; i++) {
        struct survey_outward *to = &c->outward[o->n_outward++];
        slice name, port;
        uint32_t number;
        *to = (struct survey_outward){host, SMTP_PORT};
        if (slice_split(host, '@', &name, &port) && slice_u32(port, &number) && number <= UINT16_MAX)
            *to = (struct survey_outward){name, (uint16_t)number};
    }
    for (size_t i = 0; !o->n_outward && !c->doctor->check->test_dns_port && i < ARRAY_LEN(check_outward); i++)
        c->outward[i] = (struct survey_outward){slice_str(check_outward[i]), SMTP_PORT};
    if (!o->n_outward && !c->doctor->check->test_dns_port)
        o->n_outward = ARRAY_LEN(check_outward);
}

static void check_progress(struct check *c, const char *text)
{
    struct buf b CLEANUP(buf_done) = {.max = 512};
    buf_print(&b, "{\"progress\":\"%s\"}", text);
    if (c->call)
        doctor_row(c->call, buf_view(&b));
}

static void check_gathered(void *arg, enum err e)
{
    struct check *c = arg;
    struct doctor *d = c->doctor;
    uint32_t port = d->check->test_dns_port;
    struct facts *facts = &c->gathered.facts;
    struct survey_options o;
    if (!e && c->only[0] && !c->gathered.setup.n_domains && !facts->n_silent) {
        check_fail(c, ERR_NOT_FOUND, SLICE("that is no domain of this server; see posthorn domain list"));
        return;
    }
    if (e) {
        check_surveyed(c, e, NULL);
        return;
    }
    if (c->names_err && facts->n_silent < GATHER_SILENT_MAX)
        c->gathered.silent[facts->n_silent++] =
            SLICE("our domains: directory does not say which there are; see posthorn status");
    o = (struct survey_options){.loop = d->role->loop,
                                .setup = &c->gathered.setup,
                                .facts = *facts,
                                .lookup = {check_lookup, d},
                                .trust = d->check->trust,
                                .dns_port = (uint16_t)(port ? port : DNS_PORT),
                                .private_ok = port != 0};
    if (!c->gathered.setup.domains_only) {
        check_progress(c, "asking the name servers, connecting to each port");
        check_outward_list(c, &o);
    }
    survey_run(&o, check_surveyed, c);
}

/* Who waits sees that it goes on, and does not give up (directory waits three minutes for a row). */
static void check_waiters(struct doctor *d)
{
    LIST_EACH(it, &d->check->checks)
    {
        struct check *c = LIST_OF(it, struct check, link);
        if (!c->running)
            check_progress(c, "waiting for another look to end");
    }
}

static void check_part(struct check *c)
{
    size_t at = c->at, n = size_min(c->n_names - at, GATHER_DOMAINS_MAX);
    char text[96];
    if (at) {
        snprintf(text, sizeof text, "looking at domain %zu of %zu", at + 1, c->n_names);
        check_progress(c, text);
        check_waiters(c->doctor);
    }
    c->at += n;
    arena_reset(&c->arena);
    gather(c->doctor, &c->arena, c->names + at, n, at == 0, &c->gathered, check_gathered, c);
}

bool check_is_own(const struct doctor *d, slice domain)
{
    slice admin = role_setting(d->role, "admin", 0), at = slice_from(admin, slice_rindex(admin, '@') + 1);
    struct dns_name host;
    return slice_eq_nocase(at, domain) ||
           (dns_name_parse(d->hostname, &host) == OK && dns_name_below(&host, domain));
}

static bool check_choose(struct check *c, const struct doctor_domain *domains, size_t n)
{
    struct kept *kept = c->doctor->check->kept;
    c->domains = ARENA_ARRAY(&c->round, n, struct rounds_domain);
    c->all = ARENA_ARRAY(&c->round, n, slice);
    c->names = ARENA_ARRAY(&c->round, n, slice);
    if (!c->domains || !c->all || !c->names)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!arena_dup(&c->round, domains[i].name, &c->all[i]))
            return false;
        c->domains[i] =
            (struct rounds_domain){.name = c->all[i], .always = check_is_own(c->doctor, c->all[i])};
    }
    c->n_domains = n;
    kept_wrong(kept, c->domains, n);
    (void)rounds_choose(c->domains, n, kept_round(kept), rounds_rest(n), &c->last);
    for (size_t own = 2; own-- > 0;) /* the server's own first: with them it looks at itself */
        for (size_t i = 0; i < n; i++)
            if (c->domains[i].chosen && c->domains[i].always == (own > 0))
                c->names[c->n_names++] = c->all[i];
    return true;
}

static void check_names(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct check *c = arg;
    c->names_err = e;
    if (!e && !check_choose(c, domains, n)) {
        c->names_err = ERR_LIMIT;
        c->n_names = c->n_domains = 0;
    }
    kept_begin(c->doctor->check->kept);
    findings_init(&c->opened, &c->round);
    findings_init(&c->closed, &c->round);
    check_part(c);
}

static void check_start_one(struct check *c)
{
    struct doctor *d = c->doctor;
    c->running = true;
    check_progress(c, "looking at the domains and their settings");
    if (!c->only[0]) {
        doctor_domain_names(d, check_names, c);
        return;
    }
    c->all = c->names = ARENA_ARRAY(&c->round, 1, slice);
    c->domains = ARENA_ARRAY(&c->round, 1, struct rounds_domain);
    must(c->names && c->domains); /* the arena is new */
    c->names[0] = c->domains[0].name = slice_str(c->only);
    c->n_names = c->n_domains = 1;
    check_part(c);
}

/* Starts what may start: one round, and beside it a few checks of one domain, which somebody waits for. */
static void check_next(struct doctor *d)
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
        check_start_one(c); /* goes on later: the list stays as it is */
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
    check_next(d);
    if (!c->running)
        check_progress(c, "waiting for another look to end");
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
