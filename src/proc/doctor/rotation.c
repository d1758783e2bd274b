/* rotation: when which domain's keys are looked at. */
#include "proc/doctor/rotation.h"

#include "ipc/doctor_keys.h"
#include "policy/domain_setting.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>

#define ROTATION_TELL_MS MS_MINUTE
#define ROTATION_TURN    32 /* domains in which something was done: then others may come in between */

struct rotation_name {
    char text[ROTATION_DOMAIN_MAX + 1];
};

struct rotation_names {
    struct rotation_name *at;
    size_t n, room;
};

struct doctor_rotation {
    struct doctor *doctor;
    bool running, again;           /* again: something changed meanwhile */
    bool retry;                    /* the domains could not be asked for */
    bool full;                     /* this run looks at every domain */
    struct rotation_names ours;    /* in order: every domain, as the run began */
    struct rotation_names todo;    /* of this run */
    struct rotation_names signing; /* in order: domains that sign, as the last run saw them */
    struct rotation_names hot;     /* something is under way there */
    size_t at, open, worked;
    time_ms full_at; /* monotonic: the next full run */
    time_ms wait_ms; /* until the next look at hot ones */
    bool changed;    /* this run took steps */
    bool untold;     /* ... that nobody was told of yet */
    time_ms told_at; /* monotonic: when others were told last */
    struct loop_timer hot_timer;
    char sweep[ROTATION_DOMAIN_MAX + 3]; /* after which key the search for strangers goes on */
    unsigned signing_now, jobs_failed;
};

/* One domain of a run. */
struct rotation_one {
    struct doctor_rotation *rotation;
    bool gone;
    struct rotation_name name;
};

/* ---- sets of names */

static void names_add(struct rotation_names *s, slice name)
{
    if (name.n > ROTATION_DOMAIN_MAX)
        return; /* no domain is so long */
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->at = realloc(s->at, s->room * sizeof s->at[0]);
        must(s->at);
    }
    snprintf(s->at[s->n++].text, sizeof s->at[0].text, "%.*s", SLICE_FMT(name));
}

static void names_clear(struct rotation_names *s)
{
    free(s->at);
    *s = (struct rotation_names){0};
}

static int names_order(const void *a, const void *b)
{
    const struct rotation_name *x = a, *y = b;
    return slice_cmp(slice_str(x->text), slice_str(y->text));
}

static void names_sort(struct rotation_names *s)
{
    if (s->n)
        qsort(s->at, s->n, sizeof s->at[0], names_order);
}

/* The names are in order (bytes), as directory gives them or as names_sort() does: a search by halves. */
static bool names_have(const struct rotation_names *s, slice name)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp(slice_str(s->at[mid].text), name);
        if (c == 0)
            return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static bool names_have_unordered(const struct rotation_names *s, slice name)
{
    for (size_t i = 0; i < s->n; i++)
        if (slice_eq(slice_str(s->at[i].text), name))
            return true;
    return false;
}

/* ---- what is under way */

static void hot_again(struct doctor_rotation *r)
{
    if (r->hot.n || r->retry)
        loop_timer_after(&r->hot_timer, r->wait_ms);
}

void rotation_hot(struct doctor *d, slice domain)
{
    struct doctor_rotation *r = d->rotation;
    if (r->hot.n < DOCTOR_DOMAINS_MAX && !names_have_unordered(&r->hot, domain))
        names_add(&r->hot, domain);
    r->wait_ms = ROTATION_SOON_MS;
    if (!r->running)
        hot_again(r);
}

/* ---- a run */

static void run_on(struct doctor_rotation *r);

/* The plan of the DNS has other keys now. */
static void run_tell(struct doctor_rotation *r)
{
    r->told_at = clock_mono();
    r->untold = false;
    doctor_changed(r->doctor, &doctor_rotation_part);
}

static void run_end(struct doctor_rotation *r)
{
    r->running = false;
    names_clear(&r->ours);
    names_clear(&r->todo);
    if (r->untold)
        run_tell(r);
    r->wait_ms = r->changed || 2 * r->wait_ms < ROTATION_SOON_MS ? ROTATION_SOON_MS
                 : 2 * r->wait_ms < ROTATION_EVERY_MS            ? 2 * r->wait_ms
                                                                 : ROTATION_EVERY_MS;
    hot_again(r);
    if (r->again)
        doctor_run_soon(r->doctor, &doctor_rotation_part);
}

static void run_found(void *arg, const struct rotation_found *f)
{
    struct rotation_one *one = arg;
    struct doctor_rotation *r = one->rotation;
    r->open--;
    r->changed = r->changed || f->changed;
    r->untold = r->untold || f->changed;
    r->worked += f->changed;
    if (r->untold && clock_mono() - r->told_at >= ROTATION_TELL_MS)
        run_tell(r); /* keys for thousands of domains take long to make: their records need not wait for it */
    for (size_t i = 0; i < f->n_keys; i++)
        r->signing_now += f->keys[i].key.state == ROTATION_SIGNING;
    if (f->err) {
        r->jobs_failed++;
        role_tell(r->doctor->role, (struct journal_event){
                                       .kind = JOURNAL_TROUBLE, .name = SLICE("dkim key"), .text = f->text});
    }
    if (!one->gone && (f->waiting || f->err) && r->hot.n < DOCTOR_DOMAINS_MAX)
        names_add(&r->hot, slice_str(one->name.text));
    free(one);
    run_on(r);
}

static void run_one(struct doctor_rotation *r, slice domain, bool gone)
{
    struct rotation_one *one = calloc(1, sizeof *one);
    struct rotation_ask ask = {.domain = domain, .gone = gone};
    must(one);
    one->rotation = r;
    one->gone = gone;
    snprintf(one->name.text, sizeof one->name.text, "%.*s", SLICE_FMT(domain));
    r->open++;
    rotation_job(r->doctor, &ask, run_found, one);
}

/* Keys of domains that are not ours: from one domain to the next, skipping its keys ('~' is behind every
 * letter of a selector). */
static void sweep_key(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct doctor_rotation *r = arg;
    const struct doctor_key *m = message;
    (void)fds, (void)n_fds;
    r->open--;
    if (!e && m->err && m->err != ERR_CORRUPT)
        e = err_from_wire(m->err);
    if (e || m->domain.n > ROTATION_DOMAIN_MAX) {
        r->sweep[0] = 0; /* the end, or another time */
    } else {
        snprintf(r->sweep, sizeof r->sweep, "%.*s,~", SLICE_FMT(m->domain));
        if (!names_have(&r->ours, m->domain))
            run_one(r, m->domain, true);
    }
    run_on(r);
}

static void sweep_next(struct doctor_rotation *r)
{
    struct doctor_key_list m = {slice_eq(slice_str(r->sweep), SLICE("*")) ? (slice){0} : slice_str(r->sweep)};
    if (role_call(r->doctor->role, ROLE_KEYS, DOCTOR_KEYS_LIST, &m, NULL, 0, MS_MINUTE, sweep_key, r) == OK)
        r->open++;
    else
        r->sweep[0] = 0;
}

/* A domain that is added while thousands of others get their keys need not wait for them all: this run ends
 * early, the next one begins with the new and goes on with what is left. */
static void run_cut(struct doctor_rotation *r)
{
    for (; r->at < r->todo.n; r->at++)
        if (r->hot.n < DOCTOR_DOMAINS_MAX)
            names_add(&r->hot, slice_str(r->todo.at[r->at].text));
}

static void run_on(struct doctor_rotation *r)
{
    if (r->again && r->worked >= ROTATION_TURN)
        run_cut(r);
    while (r->at < r->todo.n && r->open < ROTATION_JOBS)
        run_one(r, slice_str(r->todo.at[r->at++].text), false);
    if (r->at == r->todo.n && !r->open && r->sweep[0])
        sweep_next(r);
    if (r->at == r->todo.n && !r->open)
        run_end(r);
}

/* The settings came: which domains are looked at in this run. */
static void run_domains(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct doctor_rotation *r = arg;
    struct rotation_names hot = r->hot, before = r->signing;
    names_sort(&hot);
    r->hot = r->signing = (struct rotation_names){0};
    if (e) { /* directory is down or slow: nothing is known, so nothing is done */
        if (e == ERR_LIMIT)
            log_error("there are more than %d domains: no DKIM keys are made or rolled", DOCTOR_DOMAINS_MAX);
        r->hot = hot;
        r->signing = before;
        if (r->full)
            r->full_at = 0;
        r->retry = true;
        run_end(r);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        names_add(&r->ours, domains[i].name);
        if (domain_setting_on(doctor_domain_setting(&domains[i], "sign", SLICE("on"))))
            names_add(&r->signing, domains[i].name);
    }
    for (size_t i = 0; i < r->signing.n; i++) /* what is new first */
        if (!names_have(&before, slice_str(r->signing.at[i].text)))
            names_add(&r->todo, slice_str(r->signing.at[i].text));
    for (size_t i = 0; i < r->signing.n; i++) {
        slice name = slice_str(r->signing.at[i].text);
        if (names_have(&before, name) && (r->full || names_have(&hot, name)))
            names_add(&r->todo, name);
    }
    names_clear(&hot);
    names_clear(&before);
    if (r->full)
        snprintf(r->sweep, sizeof r->sweep, "*");
    run_on(r);
}

static void run_begin(struct doctor_rotation *r)
{
    rotation_clock(r->doctor);
    if (r->running) {
        r->again = true;
        return;
    }
    r->running = true;
    r->again = r->changed = r->untold = r->retry = false;
    r->full = clock_mono() >= r->full_at;
    r->told_at = clock_mono();
    r->at = r->open = r->worked = 0;
    r->sweep[0] = 0;
    if (r->full) {
        r->full_at =
            clock_mono() + ROTATION_EVERY_MS - MS_MINUTE; /* the clock rings a little early or late */
        r->signing_now = r->jobs_failed = 0;
    }
    doctor_domains(r->doctor, (slice){0}, run_domains, r);
}

static void rotation_run(struct doctor *d)
{
    run_begin(d->rotation);
}

static void rotation_hot_timer(void *arg)
{
    run_begin(arg);
}

static void rotation_changed(struct doctor *d)
{
    d->rotation->wait_ms = ROTATION_SOON_MS;
    doctor_run_soon(d, &doctor_rotation_part);
}

static void rotation_start(struct doctor *d)
{
    struct doctor_rotation *r = calloc(1, sizeof *r);
    must(r);
    r->doctor = d;
    r->wait_ms = ROTATION_SOON_MS;
    d->rotation = r;
    loop_timer_init(d->role->loop, &r->hot_timer, rotation_hot_timer, r);
    rotation_job_start(d);
}

static void rotation_status(struct doctor *d)
{
    role_fact(d->role, "domains that sign", "%zu", d->rotation->signing.n);
    role_fact(d->role, "keys that sign", "%u", d->rotation->signing_now);
}

const struct doctor_part doctor_rotation_part = {
    .name = "rotation",
    .start = rotation_start,
    .run = rotation_run,
    .changed = rotation_changed,
    .first_ms = MS_SECOND,
    .every_ms = ROTATION_EVERY_MS,
    .verbs = rotation_verbs,
    .n_verbs = ROTATION_VERBS,
    .status = rotation_status,
};
