/* rotation_job: one domain: list its keys, look them up in the DNS, decide, do, and again until there is
 * nothing to do. */
#include "ipc/doctor_keys.h"
#include "proc/doctor/retired.h"
#include "proc/doctor/rotation.h"
#include "proc/doctor/seen.h"
#include "sys/clock.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define JOB_ARENA   ((size_t)512 * 1024)
#define JOB_MS      (3 * MS_MINUTE) /* keys may have others to make before */
#define JOB_ROUNDS  8
#define JOB_JUMP_MS MS_MINUTE

static_assert((int)ROTATION_RSA == (int)DKIM_KEY_RSA && (int)ROTATION_ED25519 == (int)DKIM_KEY_ED25519 &&
                  (int)ROTATION_WAITING == (int)DKIM_KEY_WAITING &&
                  (int)ROTATION_SIGNING == (int)DKIM_KEY_SIGNING &&
                  (int)ROTATION_RESTING == (int)DKIM_KEY_RESTING,
              "policy/key_rotation.h has the numbers of ipc/doctor_keys.h");

/* What is known between jobs. */
static struct {
    struct hash_key key;
    struct map seen;     /* hash of a waiting key's id -> struct job_seen */
    struct map said;     /* hash of a key's id -> said_mark: that it is in trouble was told */
    time_ms mono, unix;  /* when the clock was looked at last */
    time_ms steady_mono; /* since when it goes steadily */
    time_ms jumped_at;   /* Unix: a jump ahead was seen then; 0: none */
} job_memory;

struct job_seen {
    time_ms mono;
};
static char said_mark;

struct job {
    struct doctor *doctor;
    struct arena arena;
    slice domain;
    struct rotation_ask ask;
    struct dns_table dns;
    struct rotation_found_key keys[ROTATION_KEYS_MAX];
    size_t n;
    struct rotation_plan plan;
    size_t step, round;
    size_t at; /* the key whose name servers are asked next */
    struct rotation_found found;
    rotation_found_fn fn;
    void *arg;
    struct loop_task end;
};

void rotation_job_start(struct doctor *d)
{
    (void)d;
    job_memory.key = entropy_hash_key();
    job_memory.mono = job_memory.steady_mono = clock_mono();
    job_memory.unix = clock_unix();
}

void rotation_clock(struct doctor *d)
{
    time_ms mono = clock_mono(), unix = clock_unix();
    time_ms drift = (unix - job_memory.unix) - (mono - job_memory.mono);
    (void)d;
    if (drift > JOB_JUMP_MS || drift < -JOB_JUMP_MS)
        job_memory.steady_mono = mono;
    if (drift > ROTATION_FUTURE_MS)
        job_memory.jumped_at = unix;
    else if (job_memory.jumped_at > unix)
        job_memory.jumped_at = unix; /* it went back since: still a time behind that jump */
    job_memory.mono = mono;
    job_memory.unix = unix;
}

/* ---- the end */

static void job_end(void *arg)
{
    struct job *j = arg;
    j->found.keys = j->keys;
    j->found.n_keys = j->n;
    j->found.plan = &j->plan;
    j->fn(j->arg, &j->found);
    arena_done(&j->arena);
    free(j);
}

static void job_over(struct job *j, enum err e, const char *text)
{
    slice kept;
    j->found.err = e;
    if (e && arena_dup(&j->arena, slice_str(text), &kept))
        j->found.text = kept;
    loop_later(j->doctor->role->loop, &j->end);
}

/* ---- keys */

static void job_list_next(struct job *j, slice after);
static void job_look(struct job *j);

static bool job_keep(struct job *j, const struct doctor_key *m)
{
    struct rotation_found_key *k = &j->keys[j->n];
    *k = (struct rotation_found_key){.key = {.algorithm = m->algorithm,
                                             .state = m->state,
                                             .damaged = m->err != OK,
                                             .made_at = m->made_at,
                                             .state_at = m->state_at}};
    if (!arena_dup(&j->arena, m->id, &k->id) || !arena_dup(&j->arena, m->record, &k->record) ||
        !arena_dup(&j->arena, m->selector, &k->key.selector))
        return false;
    j->n++;
    return true;
}

static void job_key(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct job *j = arg;
    const struct doctor_key *m = message;
    (void)fds, (void)n_fds;
    if (!e)
        e = err_from_wire(m->err);
    if (e == ERR_NOT_FOUND || ((!e || e == ERR_CORRUPT) && !slice_eq(m->domain, j->domain))) {
        job_look(j);
        return;
    }
    if (e && e != ERR_CORRUPT) {
        job_over(j, e, "keys does not say which keys there are; see posthorn status");
        return;
    }
    if (j->n == ROTATION_KEYS_MAX || !job_keep(j, m)) {
        job_look(j); /* more than anybody needs: those are not looked at */
        return;
    }
    job_list_next(j, m->id);
}

static void job_list_next(struct job *j, slice after)
{
    struct doctor_key_list m = {after};
    enum err e = role_call(j->doctor->role, ROLE_KEYS, DOCTOR_KEYS_LIST, &m, NULL, 0, JOB_MS, job_key, j);
    if (e)
        job_over(j, e, "keys does not answer; see posthorn status");
}

static void job_list(struct job *j)
{
    char after[ROTATION_DOMAIN_MAX + 2];
    snprintf(after, sizeof after, "%.*s,", SLICE_FMT(j->domain)); /* ids are DOMAIN,SELECTOR, in order */
    j->n = 0;
    job_list_next(j, slice_str(after));
}

/* ---- the DNS */

/* SELECTOR._domainkey.DOMAIN */
static slice job_name(const struct job *j, const struct rotation_found_key *k,
                      char room[ROTATION_DOMAIN_MAX + 80])
{
    snprintf(room, ROTATION_DOMAIN_MAX + 80, "%.*s._domainkey.%.*s", SLICE_FMT(k->key.selector),
             SLICE_FMT(j->domain));
    return slice_str(room);
}

/* The answer for a key, or NULL: asked for. */
static const struct dns_answer *job_answer(struct job *j, const struct rotation_found_key *k)
{
    char room[ROTATION_DOMAIN_MAX + 80];
    return dns_table_get(&j->dns, job_name(j, k, room), DNS_TXT);
}

static bool job_wants_dns(const struct job *j, const struct rotation_found_key *k)
{
    return !j->ask.blind && !j->ask.gone && !k->key.damaged && k->key.state != ROTATION_RESTING;
}

static void job_looked(void *arg);

static void job_look(struct job *j)
{
    bool open = false;
    j->at = 0;
    for (size_t i = 0; i < j->n; i++)
        if (job_wants_dns(j, &j->keys[i]) && !job_answer(j, &j->keys[i]))
            open = true;
    if (open)
        doctor_ask(j->doctor, &j->dns, true, job_looked, j);
    else
        job_looked(j);
}

static enum rotation_seen job_seen(struct job *j, const struct rotation_found_key *k)
{
    const struct dns_answer *a = job_answer(j, k);
    struct buf texts[2] = {{.max = 4096}, {.max = 4096}};
    slice shown[2];
    size_t n = 0;
    enum rotation_seen seen;
    if (!a || dns_answer_failed(a))
        return ROTATION_SEEN_UNKNOWN;
    for (size_t i = 0; i < a->n && n < ARRAY_LEN(shown); i++)
        if (dns_rr_txt(a->rdata[i], &texts[n]) == OK) {
            shown[n] = buf_view(&texts[n]);
            n++;
        }
    seen = rotation_compare(k->record, shown, n);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_done(&texts[i]);
    return seen;
}

static void job_decide(struct job *j);

/* What the name servers say of the key at j->at. */
static void job_everywhere(void *arg, slice behind)
{
    struct job *j = arg;
    struct rotation_key *k = &j->keys[j->at++].key;
    if (behind.n) {
        k->seen = ROTATION_SEEN_PARTLY;
        if (!arena_dup(&j->arena, behind, &k->behind))
            k->behind = SLICE("one of them");
    }
    job_looked(j);
}

/* The answers of the DNS are there. Of keys that wait and are seen each name server is asked too. */
static void job_looked(void *arg)
{
    struct job *j = arg;
    char room[ROTATION_DOMAIN_MAX + 80];
    for (; j->at < j->n; j->at++) {
        struct rotation_found_key *k = &j->keys[j->at];
        if (!job_wants_dns(j, k))
            continue;
        k->key.seen = job_seen(j, k);
        if (k->key.state == ROTATION_WAITING && k->key.seen == ROTATION_SEEN_EQUAL) {
            seen_everywhere(j->doctor, job_name(j, k, room), k->record, job_everywhere, j);
            return;
        }
    }
    job_decide(j);
}

/* For how long a waiting key has been seen. */
static time_ms job_seen_ms(const struct rotation_found_key *k, uint64_t h)
{
    struct job_seen *s = map_get(&job_memory.seen, h);
    if (k->key.state != ROTATION_WAITING || k->key.seen != ROTATION_SEEN_EQUAL) {
        free(map_remove(&job_memory.seen, h));
        return 0;
    }
    if (!s) {
        s = calloc(1, sizeof *s);
        must(s);
        s->mono = clock_mono();
        IGNORE_RESULT(map_put(&job_memory.seen, h, s), "there was none");
    }
    return clock_mono() - s->mono;
}

/* ---- deciding and doing */

static void job_tell(struct job *j, const struct rotation_found_key *k, const char *text)
{
    struct buf b CLEANUP(buf_done) = {.max = JOURNAL_TEXT_MAX};
    buf_print(&b, "key %.*s of %.*s: %s", SLICE_FMT(k->key.selector), SLICE_FMT(j->domain), text);
    role_tell(j->doctor->role, (struct journal_event){
                                   .kind = JOURNAL_TROUBLE, .name = SLICE("dkim key"), .text = buf_view(&b)});
}

/* Trouble goes to the journal once, when it begins. */
static void job_trouble(struct job *j)
{
    for (size_t i = 0; i < j->plan.n_notes; i++) {
        const struct rotation_note *note = &j->plan.notes[i];
        uint64_t h = hash_slice(&job_memory.key, j->keys[i].id);
        if (note->weight != ROTATION_BAD)
            IGNORE_RESULT(map_remove(&job_memory.said, h), "it may not have been told");
        else if (!map_put(&job_memory.said, h, &said_mark) && !j->keys[i].key.damaged)
            job_tell(j, &j->keys[i], note->text);
    }
}

static void job_step(struct job *j);

static void job_decide(struct job *j)
{
    struct rotation_key keys[ROTATION_KEYS_MAX];
    struct rotation_input in = {.domain = j->domain,
                                .keys = keys,
                                .n_keys = j->n,
                                .now = clock_unix(),
                                .gone = j->ask.gone,
                                .force = j->ask.force && j->round == 0,
                                .slots = role_setting(j->doctor->role, "zone", 0).n > 0,
                                .limits = rotation_limits_usual};
    rotation_clock(j->doctor);
    in.steady_ms = clock_mono() - job_memory.steady_mono;
    in.jumped_at = job_memory.jumped_at;
    in.limits.rest_ms =
        ((time_ms)role_setting_u64(j->doctor->role, "queue-days", 5) + 14) * MS_DAY; /* x= is 14 days */
    j->found.waiting = false;
    for (size_t i = 0; i < j->n; i++) {
        struct rotation_found_key *k = &j->keys[i];
        if (!j->ask.blind)
            k->key.seen_ms = job_seen_ms(k, hash_slice(&job_memory.key, k->id));
        j->found.waiting = j->found.waiting || (!k->key.damaged && k->key.state == ROTATION_WAITING);
        keys[i] = k->key;
    }
    key_rotation(&in, &j->plan);
    if (!j->ask.blind)
        job_trouble(j);
    j->step = 0;
    if (j->ask.look || !j->plan.n_steps || j->round == JOB_ROUNDS)
        job_over(j, OK, "");
    else
        job_step(j);
}

static void job_stepped(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct job *j = arg;
    const struct doctor_key_done *m = message;
    const struct rotation_step *s = &j->plan.steps[j->step];
    (void)fds, (void)n_fds;
    if (!e)
        e = err_from_wire(m->err);
    if ((s->action == ROTATION_REMOVE && e == ERR_NOT_FOUND) ||
        (s->action == ROTATION_MAKE && e == ERR_EXISTS)) /* done by somebody else a moment ago */
        e = OK;
    if (e) {
        char text[512];
        snprintf(text, sizeof text, "keys could not do what has to be done next: %.*s",
                 message && m->text.n ? (int)size_min(m->text.n, 400) : (int)strlen(err_text(e)),
                 message && m->text.n ? (const char *)m->text.p : err_text(e));
        job_over(j, e, text);
        return;
    }
    j->found.changed = true;
    j->step++;
    job_step(j);
}

static enum err job_call(struct job *j, const struct rotation_step *s)
{
    struct doctor_key_make make = {j->domain, slice_str(s->selector), s->algorithm, clock_unix()};
    struct doctor_key_set set = {.now = clock_unix()};
    struct doctor_key_remove remove = {{0}};
    struct role_self *r = j->doctor->role;
    if (s->action == ROTATION_MAKE)
        return role_call(r, ROLE_KEYS, DOCTOR_KEYS_MAKE, &make, NULL, 0, JOB_MS, job_stepped, j);
    must(s->key < j->n);
    if (s->action == ROTATION_REMOVE) {
        remove.id = j->keys[s->key].id;
        if (role_setting(r, "dns-update", 0).n) /* first: a name that is noted and planned stays as it is */
            retired_note(j->domain, j->keys[s->key].key.selector, j->keys[s->key].record);
        return role_call(r, ROLE_KEYS, DOCTOR_KEYS_REMOVE, &remove, NULL, 0, JOB_MS, job_stepped, j);
    }
    set.id = j->keys[s->key].id;
    set.state = s->action == ROTATION_SIGN   ? DKIM_KEY_SIGNING
                : s->action == ROTATION_REST ? DKIM_KEY_RESTING
                                             : j->keys[s->key].key.state;
    return role_call(r, ROLE_KEYS, DOCTOR_KEYS_SET, &set, NULL, 0, JOB_MS, job_stepped, j);
}

/* The next step, or another look. */
static void job_step(struct job *j)
{
    enum err e;
    if (j->step == j->plan.n_steps) {
        j->round++;
        job_list(j);
        return;
    }
    e = job_call(j, &j->plan.steps[j->step]);
    if (e)
        job_over(j, e, "keys does not answer; see posthorn status");
}

void rotation_job(struct doctor *d, const struct rotation_ask *ask, rotation_found_fn fn, void *arg)
{
    struct job *j = calloc(1, sizeof *j);
    must(j && ask->domain.n <= ROTATION_DOMAIN_MAX);
    j->doctor = d;
    j->ask = *ask;
    j->fn = fn;
    j->arg = arg;
    arena_init(&j->arena, "rotation", JOB_ARENA);
    loop_task_init(&j->end, job_end, j);
    if (!arena_dup(&j->arena, ask->domain, &j->domain) ||
        !dns_table_init(&j->dns, &j->arena, 2 * (size_t)ROTATION_KEYS_MAX)) {
        job_over(j, ERR_LIMIT, "no memory");
        return;
    }
    job_list(j);
}
