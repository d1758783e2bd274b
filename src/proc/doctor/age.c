/* age: asks registries about our domains, every hour a few of them, one after the other. What may be asked
 * when, policy/doctor/domain_age says; what is known is in the files of ages.c.
 *
 * A round is bounded: AGE_ASKS_MAX questions, AGE_FAILS_MAX failures in a row, AGE_ROUND_MS. The house never
 * waits for it: a domain nothing is known of has no age, and no finding.
 *
 * Where to ask, IANA's list says (RFC 9224). It is asked for when something is to be asked and the list is
 * older than a week, at most once a day. */
#include "proc/doctor/age.h"

#include "ipc/x_fetcher.h"
#include "policy/doctor/rdap.h"
#include "proc/doctor/ages.h"
#include "proc/doctor/check.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>

#define AGE_ASKS_MAX    64
#define AGE_FAILS_MAX   4
#define AGE_ROUND_MS    (10 * MS_MINUTE)
#define AGE_FETCH_MS    (10 * MS_SECOND)
#define AGE_CALL_MS     (AGE_FETCH_MS + 5 * MS_SECOND)
#define AGE_SERVERS_FOR (7 * MS_DAY)
#define AGE_ARENA       ((size_t)4 << 20)
#define HTTP_OK         200
#define HTTP_NOT_FOUND  404
#define HTTP_TOO_MANY   429

struct doctor_age {
    struct doctor *doctor;
    struct ages *ages;
    bool off, running, again;
    /* of the round under way */
    struct arena arena;
    slice *domains;
    size_t n, at;
    struct rdap_servers servers;
    bool have_servers;
    slice asked; /* the name; empty: the list of servers */
    unsigned asks, fails;
    time_ms began; /* monotonic */
    uint64_t answers;
};

bool age_fact(struct doctor *d, slice domain, struct facts_age *out)
{
    struct domain_age_step s;
    if (!d->age || d->age->off)
        return false;
    domain_age_walk(domain, ages_find, d->age->ages, clock_unix(), &s);
    if (!s.known)
        return false;
    *out = (struct facts_age){domain, s.name, s.known->registered, s.known->expires};
    return true;
}

/* ---- a round */

static void age_next(struct doctor_age *a);

static void age_end(struct doctor_age *a)
{
    ages_prune(a->ages, a->domains, a->n);
    if (ages_save(a->ages))
        log_warning("the file of ages in doctor's folder cannot be written: registries are asked again");
    arena_done(&a->arena);
    a->domains = NULL;
    a->n = a->at = 0;
    a->have_servers = a->running = false;
    if (a->again)
        doctor_run_soon(a->doctor, &doctor_age_part);
    a->again = false;
}

/* What came, mapped; what could not be had is empty, and that was a failure. */
static enum err age_open(const struct fetched *m, const int *fds, size_t n_fds, size_t bytes,
                         struct body *out)
{
    if (err_from_wire(m->err))
        return err_from_wire(m->err);
    return m->status == HTTP_OK && n_fds == 1 ? body_map(fds[0], bytes, out) : ERR_PEER;
}

static void age_servers_take(struct doctor_age *a, slice json)
{
    a->have_servers = rdap_servers_read(json, &a->arena, &a->servers) == OK;
}

/* IANA's list came. */
static void age_servers_came(struct doctor_age *a, const struct fetched *m, const int *fds, size_t n_fds)
{
    struct body body = {0};
    ages_servers_asked(a->ages, clock_unix());
    if (age_open(m, fds, n_fds, RDAP_SERVERS_BYTES, &body) == OK) {
        age_servers_take(a, body_view(&body));
        if (a->have_servers && ages_servers_save(body_view(&body)))
            log_warning("the list of registries cannot be written to doctor's folder");
        body_unmap(&body);
    }
    if (!a->have_servers)
        log_info("the list of domain registries (%s) could not be had, so how old domains are is not asked "
                 "today",
                 RDAP_SERVERS_URL);
}

static void age_learned(struct doctor_age *a, slice name, const struct domain_age *learned)
{
    if (!ages_put(a->ages, name, learned))
        a->at++; /* no room: its age stays unknown */
}

/* Of the name in a->asked. */
static void age_domain_came(struct doctor_age *a, const struct fetched *m, const int *fds, size_t n_fds)
{
    struct domain_age learned = {.state = DOMAIN_AGE_FAILED, .asked_at = clock_unix()};
    struct rdap_domain said;
    struct body body = {0};
    uint32_t status = err_from_wire(m->err) ? 0 : m->status;
    if (status == HTTP_NOT_FOUND)
        learned.state = DOMAIN_AGE_ABSENT;
    else if (age_open(m, fds, n_fds, RDAP_DOMAIN_BYTES, &body) == OK) {
        if (rdap_domain_read(body_view(&body), a->asked, &said) == OK) {
            learned.state = DOMAIN_AGE_KNOWN;
            learned.registered = said.registered;
            learned.expires = said.expires;
        }
        body_unmap(&body);
    }
    age_learned(a, a->asked, &learned);
    a->fails = learned.state == DOMAIN_AGE_FAILED ? a->fails + 1 : 0;
    a->answers += learned.state != DOMAIN_AGE_FAILED;
    if (status == HTTP_TOO_MANY)
        a->asks = AGE_ASKS_MAX; /* they want to be left alone: until the next round */
}

static void age_came(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct doctor_age *a = arg;
    if (!e && a->asked.n)
        age_domain_came(a, message, fds, n_fds);
    else if (!e)
        age_servers_came(a, message, fds, n_fds);
    if (e || (!a->asked.n && !a->have_servers)) /* e: fetcher went away; nothing was learned */
        age_end(a);
    else
        age_next(a);
}

/* False: it cannot be asked now. */
static bool age_fetch(struct doctor_age *a, slice url, size_t bytes)
{
    const struct fetch m = {.url = url, .bytes_max = bytes, .timeout_ms = AGE_FETCH_MS};
    return role_call(a->doctor->role, ROLE_FETCHER, X_FETCHER_FETCH, &m, NULL, 0, AGE_CALL_MS, age_came, a) ==
           OK;
}

/* Out of the file; when that is old or not there, from IANA. True: go on when age_came() says so. */
static bool age_servers_ask(struct doctor_age *a)
{
    struct buf b CLEANUP(buf_done) = {.max = RDAP_SERVERS_BYTES + 1};
    time_ms since = clock_unix() - ages_servers_at(a->ages);
    if (since >= 0 && since < AGE_SERVERS_FOR && ages_servers_load(&b) == OK)
        age_servers_take(a, buf_view(&b));
    if (a->have_servers || (since >= 0 && since < DOMAIN_AGE_AGAIN))
        return false;
    a->asked = (slice){0};
    return age_fetch(a, SLICE(RDAP_SERVERS_URL), RDAP_SERVERS_BYTES);
}

/* Asks about a name, or learns at once that nobody can be asked. False: the round is over. */
static bool age_ask(struct doctor_age *a, slice name, bool *out_waiting)
{
    struct buf url CLEANUP(buf_done) = {.max = RDAP_URL_MAX};
    const struct domain_age nobody = {.state = DOMAIN_AGE_FAILED, .asked_at = clock_unix()};
    *out_waiting = false;
    if (!a->have_servers && age_servers_ask(a)) {
        *out_waiting = true; /* the name's turn comes again */
        return true;
    }
    if (!a->have_servers)
        return false;
    if (rdap_url(&a->servers, name, &url)) {
        age_learned(a, name, &nobody);
        return true;
    }
    a->asked = name;
    *out_waiting = age_fetch(a, buf_view(&url), RDAP_DOMAIN_BYTES);
    a->asks++;
    return *out_waiting; /* fetcher is away: in an hour */
}

static void age_next(struct doctor_age *a)
{
    bool waiting = false, on = true;
    while (on && !waiting && a->at < a->n) {
        struct domain_age_step s;
        on = a->asks < AGE_ASKS_MAX && a->fails < AGE_FAILS_MAX && clock_mono() - a->began < AGE_ROUND_MS &&
             !a->doctor->role->draining;
        domain_age_walk(a->domains[a->at], ages_find, a->ages, clock_unix(), &s);
        if (!s.ask.n)
            a->at++;
        else if (on)
            on = age_ask(a, s.ask, &waiting);
    }
    if (!waiting)
        age_end(a);
}

static void age_domains(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct doctor_age *a = arg;
    a->domains = e ? NULL : ARENA_ARRAY(&a->arena, n, slice);
    for (size_t i = 0; a->domains && i < n; i++)
        if (arena_dup(&a->arena, domains[i].name, &a->domains[a->n]))
            a->n++;
    if (a->domains && a->n == n)
        age_next(a);
    else { /* not known which domains there are: nothing is thrown away */
        a->n = 0;
        a->running = false;
        arena_done(&a->arena);
    }
}

static void age_run(struct doctor *d)
{
    struct doctor_age *a = d->age;
    if (a->off || check_is_off(d))
        return;
    if (a->running) {
        a->again = true;
        return;
    }
    a->running = true;
    a->asks = a->fails = 0;
    a->began = clock_mono();
    arena_init(&a->arena, "ages", AGE_ARENA);
    doctor_domain_names(d, age_domains, a);
}

static void age_start(struct doctor *d)
{
    struct doctor_age *a = calloc(1, sizeof *a);
    must(a);
    a->doctor = d;
    a->off = role_setting(d->role, "doctor-rdap-off", 0).n > 0;
    a->ages = ages_open();
    d->age = a;
}

static void age_changed(struct doctor *d)
{
    uint32_t port, seconds;
    check_test(d, &port, &seconds);
    if (port) /* tests do not wait an hour */
        doctor_run_soon(d, &doctor_age_part);
}

static void age_status(struct doctor *d)
{
    if (!d->age->off)
        role_fact(d->role, "registries asked", "%llu, %zu names", (unsigned long long)d->age->answers,
                  ages_count(d->age->ages));
}

const struct doctor_part doctor_age_part = {
    .name = "age",
    .start = age_start,
    .run = age_run,
    .changed = age_changed,
    .first_ms = 3 * MS_MINUTE,
    .every_ms = MS_HOUR,
    .status = age_status,
};
