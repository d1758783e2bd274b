/* The life of DKIM keys: single decisions, and simulated years with outages of the DNS, clocks that jump and
 * restarts: mail is always signed by a key whose record was seen, nothing is removed too early, and it never
 * comes to a standstill. */
#include "lib/test.h"

#include "policy/key_rotation.h"

#include <stdio.h>

#define T0 ((time_ms)1795305600000) /* 2026-11-22 */

/* Every domain has its own day; most tests want one that is easy to reckon with. */
static struct rotation_input input(const struct rotation_key *keys, size_t n, time_ms now)
{
    struct rotation_input in = {.domain = SLICE("example.org"),
                                .keys = keys,
                                .n_keys = n,
                                .now = now,
                                .steady_ms = MS_DAY,
                                .limits = rotation_limits_usual};
    in.limits.spread_ms = 0;
    return in;
}

static struct rotation_key key(const char *selector, int algorithm, int state, time_ms state_at,
                               enum rotation_seen seen)
{
    return (struct rotation_key){.selector = slice_str(selector),
                                 .algorithm = (uint8_t)algorithm,
                                 .state = (uint8_t)state,
                                 .made_at = state_at,
                                 .state_at = state_at,
                                 .seen = seen};
}

/* "make ph202611r, sign 0, ..." */
static const char *steps(const struct rotation_plan *p)
{
    static const char *const words[] = {"make", "sign", "rest", "remove", "stamp"};
    static char text[1024];
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < p->n_steps; i++) {
        const struct rotation_step *s = &p->steps[i];
        if (s->action == ROTATION_MAKE)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %s", i ? ", " : "", words[s->action],
                                  s->selector);
        else
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %zu", i ? ", " : "", words[s->action],
                                  s->key);
    }
    return text;
}

static void decides(const struct rotation_input *in, const char *want)
{
    static struct rotation_plan p;
    key_rotation(in, &p);
    assert_string_equal(steps(&p), want);
    for (size_t i = 0; i < p.n_notes; i++)
        assert_true(p.notes[i].text[0] != 0);
}

static void says(const struct rotation_input *in, size_t i, enum rotation_weight weight, const char *words)
{
    static struct rotation_plan p;
    key_rotation(in, &p);
    if (!strstr(p.notes[i].text, words))
        fail_msg("\"%s\" does not say \"%s\"", p.notes[i].text, words);
    assert_int_equal(p.notes[i].weight, weight);
}

static enum rotation_seen compared(const char *want, const char *a, const char *b)
{
    slice shown[2] = {slice_str(a), slice_str(b)};
    return rotation_compare(slice_str(want), shown, a ? b ? 2 : 1 : 0);
}

static void records(void **state)
{
    const char *rsa = "v=DKIM1; k=rsa; p=MIIBIjANBg", *ed = "v=DKIM1; k=ed25519; p=11qYAYKx";
    (void)state;
    assert_int_equal(compared(rsa, NULL, NULL), ROTATION_SEEN_MISSING);
    assert_int_equal(compared(rsa, rsa, NULL), ROTATION_SEEN_EQUAL);
    assert_int_equal(compared(rsa, rsa, rsa), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(ed, ed, NULL), ROTATION_SEEN_EQUAL);
    assert_int_equal(compared(rsa, "p=MIIB IjAN\tBg", NULL), ROTATION_SEEN_EQUAL);
    assert_int_equal(compared(rsa, "v=DKIM1;p=MIIBIjANBg;k=rsa;h=sha1:sha256;s=email;t=s", NULL),
                     ROTATION_SEEN_EQUAL);
    assert_int_equal(compared(rsa, "v=DKIM1; k=rsa; p=MIIBIjANBG", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(rsa, "v=DKIM1; k=rsa; p=MIIBIjANB", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(rsa, "v=DKIM1; k=rsa; p=", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(rsa, "v=DKIM1; k=rsa", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(rsa, "v=DKIM1; k=rsa; h=sha1; p=MIIBIjANBg", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(rsa, "v=DKIM1; s=tls; p=MIIBIjANBg", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(rsa, "v=DKIM2; p=MIIBIjANBg", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(rsa, "\"v=DKIM1; k=rsa; p=MIIBIjANBg\"", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(ed, "v=DKIM1; p=11qYAYKx", NULL), ROTATION_SEEN_DIFFERENT);
    assert_int_equal(compared(rsa, "", NULL), ROTATION_SEEN_DIFFERENT);
}

static void first_keys(void **state)
{
    struct rotation_input in = input(NULL, 0, T0);
    struct rotation_key k[] = {key("ph202611r", 1, 1, T0, ROTATION_SEEN_MISSING),
                               key("ph202611e", 2, 1, T0, ROTATION_SEEN_MISSING)};
    (void)state;
    decides(&in, "make ph202611r, make ph202611e");
    in.steady_ms = 0; /* just started: mail is not signed at all, so at once */
    decides(&in, "make ph202611r, make ph202611e");
    in.slots = true;
    decides(&in, "make ph-rsa-1, make ph-ed-1");
    in = input(k, 2, T0 + MS_DAY);
    decides(&in, "");
    says(&in, 0, ROTATION_DO,
         "waits since 2026-11-22 for its record to be published; posthorn dns example.org");
    k[0].seen = ROTATION_SEEN_EQUAL; /* nothing signs: at once */
    decides(&in, "sign 0");
    k[0].seen = ROTATION_SEEN_DIFFERENT;
    says(&in, 0, ROTATION_DO, "another text");
    k[0].seen = ROTATION_SEEN_UNKNOWN;
    says(&in, 0, ROTATION_FINE, "no answer");
    decides(&in, "");
    in.n_keys = 1; /* the other was lost */
    decides(&in, "make ph202611e");
}

static void rolling(void **state)
{
    struct rotation_key k[] = {key("ph202611r", 1, 2, T0, ROTATION_SEEN_EQUAL),
                               key("ph202611e", 2, 2, T0, ROTATION_SEEN_EQUAL),
                               {.algorithm = 0}};
    struct rotation_input in = input(k, 2, T0 + 179 * MS_DAY);
    struct rotation_plan p;
    (void)state;
    decides(&in, "");
    says(&in, 0, ROTATION_FINE, "signs since 2026-11-22; its successor is made on 2027-05-21");
    key_rotation(&in, &p);
    assert_int_equal(p.next_at, T0 + 180 * MS_DAY);
    in.force = true;
    decides(&in, "make ph202705r, make ph202705e");
    in.force = false;
    in.now = T0 + 181 * MS_DAY;
    decides(&in, "make ph202705r, make ph202705e");
    in.steady_ms = ROTATION_STEADY_MS - 1; /* maybe the clock is wrong: no hurry */
    decides(&in, "");
    in.steady_ms = MS_DAY;
    k[1].state_at = in.now; /* Ed25519 has time */
    k[2] = key("ph202705r", 1, 1, in.now, ROTATION_SEEN_MISSING);
    in.n_keys = 3;
    decides(&in, "");
    in.force = true; /* one waits already */
    decides(&in, "make ph202705e");
    in.force = false;
    k[2].seen = ROTATION_SEEN_EQUAL;
    decides(&in, "");
    says(&in, 2, ROTATION_FINE, "takes over when");
    k[2].seen_ms = MS_HOUR;
    decides(&in, "sign 2");
    k[2].state = 2;
    decides(&in, "rest 0");
    k[0].state = 3;
    k[0].state_at = in.now;
    decides(&in, "");
    in.now += 18 * MS_DAY;
    decides(&in, "");
    says(&in, 0, ROTATION_FINE, "has to stay until 2027-06-10");
    in.now += 2 * MS_DAY;
    in.steady_ms = 0;
    decides(&in, "");
    in.steady_ms = MS_DAY;
    decides(&in, "remove 0");
}

/* A name server that does not have the record yet: who has a key that signs waits for it, who has none does
 * not. */
static void one_server_behind(void **state)
{
    struct rotation_key k[] = {key("a", 1, 2, T0, ROTATION_SEEN_EQUAL),
                               key("b", 2, 2, T0, ROTATION_SEEN_EQUAL),
                               key("c", 1, 1, T0, ROTATION_SEEN_PARTLY)};
    struct rotation_input in = input(k, 3, T0 + MS_DAY);
    (void)state;
    k[2].behind = SLICE("ns2.example.net");
    k[2].seen_ms = MS_DAY;
    decides(&in, "");
    says(&in, 2, ROTATION_DO, "the name server ns2.example.net does not show its record yet");
    k[0].algorithm = 2;
    decides(&in, "sign 2, rest 1");
    says(&in, 2, ROTATION_FINE, "it signs from now on, although ns2.example.net");
}

static void a_record_that_vanished(void **state)
{
    struct rotation_key k[] = {key("a", 1, 2, T0, ROTATION_SEEN_MISSING),
                               key("b", 2, 2, T0, ROTATION_SEEN_DIFFERENT)};
    struct rotation_input in = input(k, 2, T0 + MS_DAY);
    (void)state;
    decides(&in, "");
    says(&in, 0, ROTATION_BAD, "its record has gone from the DNS");
    says(&in, 1, ROTATION_BAD, "the DNS shows another text than its record");
    k[0].seen = ROTATION_SEEN_UNKNOWN;
    says(&in, 0, ROTATION_FINE, "no answer");
}

static void selectors(void **state)
{
    struct rotation_key k[] = {key("PH202611R", 1, 3, T0, 0),
                               key("ph202611r2", 2, 3, T0, 0),
                               {.selector = SLICE("ph202611r3"), .damaged = true},
                               key("ph-rsa-1", 1, 3, T0, 0),
                               key("ph-rsa-2", 1, 3, T0, 0),
                               key("e", 2, 2, T0, ROTATION_SEEN_EQUAL)};
    struct rotation_input in = input(k, 6, T0 + 1);
    (void)state;
    decides(&in, "make ph202611r4");
    says(&in, 2, ROTATION_BAD, "damaged");
    in.slots = true;
    k[0].state = 2;
    k[0].seen = ROTATION_SEEN_EQUAL;
    in.now = T0 + 200 * MS_DAY;
    k[3].state_at = k[4].state_at = k[1].state_at = k[5].state_at = in.now;
    decides(&in, ""); /* both slots are in use */
    k[4].selector = SLICE("x");
    decides(&in, "make ph-rsa-2");
}

static void too_many_keys(void **state)
{
    struct rotation_key k[ROTATION_KEYS_MAX + 8];
    char names[ROTATION_KEYS_MAX + 8][8];
    struct rotation_input in = input(k, ARRAY_LEN(k), T0 + 1);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(k); i++) {
        snprintf(names[i], sizeof names[i], "k%zu", i);
        k[i] = key(names[i], 1, 3, T0, 0);
    }
    decides(&in, "");
    in.now = T0 + 100 * MS_DAY; /* as many as fit, the rest when asked again */
    struct rotation_plan p;
    key_rotation(&in, &p);
    assert_int_equal(p.n_steps, ROTATION_STEPS_MAX);
}

static void a_domain_that_is_gone(void **state)
{
    struct rotation_key k[] = {key("a", 1, 2, T0, 0), key("b", 2, 1, T0, ROTATION_SEEN_EQUAL),
                               key("c", 1, 3, T0, 0)};
    struct rotation_input in = input(k, 3, T0 + MS_DAY);
    (void)state;
    in.gone = true;
    decides(&in, "rest 0, remove 1");
    in.steady_ms = 5;
    decides(&in, "");
    in.steady_ms = MS_DAY;
    in.now = T0 + 30 * MS_DAY;
    decides(&in, "rest 0, remove 1, remove 2");
}

static void clocks(void **state)
{
    struct rotation_key k[] = {key("a", 1, 2, T0, ROTATION_SEEN_EQUAL), key("b", 2, 3, T0, 0),
                               key("c", 2, 2, T0, ROTATION_SEEN_EQUAL)};
    struct rotation_input in = input(k, 3, T0 + 3650 * MS_DAY);
    (void)state;
    in.steady_ms = MS_MINUTE; /* ten years ahead, just now */
    decides(&in, "");
    in.now = T0 - 3650 * MS_DAY; /* ten years back */
    decides(&in, "");
    in.now = 5; /* a machine without a clock, in 1970 */
    decides(&in, "");
    in.now = -5;
    decides(&in, "");
    in.now = T0 - 2 * MS_HOUR; /* the keys were stamped by a wrong clock, and this one has proved itself */
    in.steady_ms = MS_DAY;
    decides(&in, "stamp 0, stamp 1, stamp 2");
    in.now = T0 - MS_HOUR / 2; /* a clock that is set a little */
    decides(&in, "");
}

/* A clock that was years behind when a key began to rest, and is right again: the rest begins anew. */
static void a_rest_by_a_wrong_clock(void **state)
{
    struct rotation_key k[] = {key("a", 1, 3, T0 - 3650 * MS_DAY, 0), key("b", 2, 2, T0, ROTATION_SEEN_EQUAL),
                               key("c", 1, 2, T0, ROTATION_SEEN_EQUAL)};
    struct rotation_input in = input(k, 3, T0 + MS_DAY);
    (void)state;
    in.jumped_at = T0 + MS_DAY - MS_MINUTE;
    decides(&in, "stamp 0");
    k[0].state_at = in.now;
    decides(&in, "");
    in.now += 20 * MS_DAY;
    decides(&in, "remove 0");
    in.jumped_at = 0; /* nobody saw a jump: it has rested long enough */
    k[0].state_at = T0 - 3650 * MS_DAY;
    decides(&in, "remove 0");
}

/* The newest key signs: one that took over with an earlier time than the one before it would not. */
static void a_successor_is_newer(void **state)
{
    struct rotation_key k[] = {key("a", 1, 2, T0, ROTATION_SEEN_EQUAL),
                               key("b", 1, 1, T0, ROTATION_SEEN_EQUAL),
                               key("c", 2, 2, T0, ROTATION_SEEN_EQUAL)};
    struct rotation_input in = input(k, 3, T0 - MS_MINUTE);
    (void)state;
    k[1].seen_ms = MS_DAY;
    decides(&in, "");
    in.now = T0;
    decides(&in, "");
    in.now = T0 + 1;
    in.steady_ms = ROTATION_STEADY_MS - 1;
    decides(&in, "");
    in.steady_ms = ROTATION_STEADY_MS;
    decides(&in, "sign 1");
}

/* Domains that were added together do not roll together. */
static void spread(void **state)
{
    static struct rotation_plan p;
    struct rotation_key k[] = {key("a", 1, 2, T0, ROTATION_SEEN_EQUAL),
                               key("b", 2, 2, T0, ROTATION_SEEN_EQUAL)};
    unsigned by_day[31] = {0}, most = 0;
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        char domain[32];
        struct rotation_input in = input(k, 2, T0);
        time_ms due, day;
        snprintf(domain, sizeof domain, "customer%u.example", i);
        in.domain = slice_str(domain);
        in.limits = rotation_limits_usual;
        key_rotation(&in, &p);
        due = p.next_at - T0;
        assert_true(due > 150 * MS_DAY && due <= 180 * MS_DAY);
        day = (180 * MS_DAY - due) / MS_DAY;
        by_day[day]++;
        in.now = p.next_at - 1;
        decides(&in, "");
        in.now = p.next_at; /* what it said comes true, both together */
        key_rotation(&in, &p);
        assert_int_equal(p.n_steps, 2);
    }
    for (size_t i = 0; i < ARRAY_LEN(by_day); i++)
        most = by_day[i] > most ? by_day[i] : most;
    assert_true(most < 500); /* 333 a day on average */
}

/* Somebody else's record under the name of a key that waits: under force another name is taken. */
static void another_server(void **state)
{
    struct rotation_key k[] = {key("ph202611r", 1, 1, T0, ROTATION_SEEN_DIFFERENT),
                               key("b", 2, 2, T0, ROTATION_SEEN_EQUAL)};
    struct rotation_input in = input(k, 2, T0 + MS_HOUR);
    (void)state;
    decides(&in, "");
    says(&in, 0, ROTATION_DO, "posthorn dkim rotate");
    in.force = true;
    decides(&in, "remove 0, make ph202611r2, make ph202611e");
    k[0].seen = ROTATION_SEEN_MISSING; /* it only was not published yet */
    decides(&in, "make ph202611e");
}

/* Both slots taken and nothing that signs: a name with a date is better than no signature. */
static void slots_in_use(void **state)
{
    struct rotation_key k[] = {{.selector = SLICE("ph-rsa-1"), .damaged = true},
                               key("ph-rsa-2", 1, 3, T0, 0),
                               key("ph-ed-1", 2, 2, T0, ROTATION_SEEN_EQUAL)};
    struct rotation_input in = input(k, 3, T0 + 1);
    (void)state;
    in.slots = true;
    decides(&in, "make ph202611r");
}

/* ---- years, simulated hour by hour */

struct world {
    uint64_t seed;
    struct rotation_key keys[ROTATION_KEYS_MAX];
    char names[ROTATION_KEYS_MAX][ROTATION_SELECTOR_MAX + 1];
    size_t n;
    time_ms real, offset, steady; /* the clock shows real + offset */
    time_ms published_at[ROTATION_KEYS_MAX], last_signed[ROTATION_KEYS_MAX], seen_since[ROTATION_KEYS_MAX];
    bool garbled[ROTATION_KEYS_MAX];
    bool outage, record_gone;
    time_ms offset_seen, jumped_at; /* what doctor saw of the clock */
    bool force, flaky;              /* flaky: what is told to keys may be lost */
    bool slow;                      /* keys are made slowly */
    struct rotation_step making[4];
    time_ms made_when[4];
    size_t n_making;
    bool ever[3]; /* by algorithm: a key signed */
    unsigned made, removed, signed_hours, hours;
};

static uint64_t chance(struct world *w, uint64_t of)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (w->seed >> 33) % of;
}

static void drop(struct world *w, size_t i)
{
    /* nothing that it signed can still be under way */
    if (w->last_signed[i])
        assert_true(w->real - w->last_signed[i] >= 19 * MS_DAY - MS_HOUR);
    for (; i + 1 < w->n; i++) {
        w->keys[i] = w->keys[i + 1];
        memcpy(w->names[i], w->names[i + 1], sizeof w->names[i]);
        w->keys[i].selector = slice_str(w->names[i]);
        w->published_at[i] = w->published_at[i + 1];
        w->last_signed[i] = w->last_signed[i + 1];
        w->seen_since[i] = w->seen_since[i + 1];
        w->garbled[i] = w->garbled[i + 1];
    }
    w->n--;
    w->removed++;
}

static void add_key(struct world *w, const struct rotation_step *s)
{
    time_ms now = w->real + w->offset;
    assert_true(w->n < 20); /* it does not pile up */
    for (size_t i = 0; i < w->n; i++)
        assert_string_not_equal(w->names[i], s->selector);
    memcpy(w->names[w->n], s->selector, sizeof s->selector);
    w->keys[w->n] = (struct rotation_key){.selector = slice_str(w->names[w->n]),
                                          .algorithm = s->algorithm,
                                          .state = ROTATION_WAITING,
                                          .made_at = now,
                                          .state_at = now};
    w->published_at[w->n] = w->real + (time_ms)chance(w, 72) * MS_HOUR; /* by hand, within three days */
    w->last_signed[w->n] = w->seen_since[w->n] = 0;
    w->garbled[w->n] = false;
    w->n++;
    w->made++;
}

/* As keys does it: what is being made is not in the list, and the same name again is refused at the end. */
static void make_slowly(struct world *w, const struct rotation_step *s)
{
    for (size_t i = 0; i < w->n_making; i++)
        if (strcmp(w->making[i].selector, s->selector) == 0)
            return;
    if (w->n_making == ARRAY_LEN(w->making))
        return;
    w->made_when[w->n_making] = w->real + (time_ms)chance(w, 30) * MS_HOUR;
    w->making[w->n_making++] = *s;
}

static void made_slowly(struct world *w)
{
    for (size_t i = 0; i < w->n_making;) {
        if (w->made_when[i] > w->real) {
            i++;
            continue;
        }
        add_key(w, &w->making[i]);
        w->n_making--;
        w->making[i] = w->making[w->n_making];
        w->made_when[i] = w->made_when[w->n_making];
    }
}

/* False: it was lost. */
static bool do_step(struct world *w, const struct rotation_step *s)
{
    time_ms now = w->real + w->offset;
    struct rotation_key *k = &w->keys[s->key];
    if (w->flaky && chance(w, 20) == 0)
        return false;
    switch (s->action) {
    case ROTATION_MAKE:
        if (!w->slow)
            add_key(w, s);
        else
            make_slowly(w, s);
        break;
    case ROTATION_SIGN:
        assert_int_equal(k->state, ROTATION_WAITING);
        /* never before its record was there, and was seen to be */
        assert_true(w->published_at[s->key] <= w->real && !w->garbled[s->key] && !w->outage &&
                    !w->record_gone);
        k->state = ROTATION_SIGNING;
        k->state_at = now;
        break;
    case ROTATION_REST:
        assert_int_equal(k->state, ROTATION_SIGNING);
        k->state = ROTATION_RESTING;
        k->state_at = now;
        break;
    case ROTATION_REMOVE:
        if (k->state == ROTATION_WAITING)
            assert_int_equal(w->last_signed[s->key], 0);
        else
            assert_int_equal(k->state, ROTATION_RESTING);
        drop(w, s->key);
        break;
    case ROTATION_STAMP:
        k->state_at = now;
        if (k->made_at > now)
            k->made_at = now;
        break;
    }
    return true;
}

static void look(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct rotation_key *k = &w->keys[i];
        k->seen = w->outage                       ? ROTATION_SEEN_UNKNOWN
                  : w->record_gone                ? ROTATION_SEEN_MISSING
                  : w->garbled[i]                 ? ROTATION_SEEN_DIFFERENT
                  : w->published_at[i] <= w->real ? ROTATION_SEEN_EQUAL
                                                  : ROTATION_SEEN_MISSING;
        if (k->seen != ROTATION_SEEN_EQUAL)
            w->seen_since[i] = 0;
        else if (!w->seen_since[i])
            w->seen_since[i] = w->real;
        k->seen_ms = w->seen_since[i] ? w->real - w->seen_since[i] : 0;
    }
}

static void hour(struct world *w, bool slots)
{
    static struct rotation_plan p;
    bool signs[3] = {false};
    time_ms now = w->real + w->offset;
    if (w->offset - w->offset_seen > ROTATION_FUTURE_MS)
        w->jumped_at = now;
    else if (w->jumped_at > now)
        w->jumped_at = now;
    w->offset_seen = w->offset;
    made_slowly(w);
    for (int round = 0;; round++) {
        struct rotation_input in = input(w->keys, w->n, now);
        assert_true(round < 24); /* it comes to rest */
        in.steady_ms = w->steady;
        in.slots = slots;
        in.jumped_at = w->jumped_at;
        in.force = w->force && round == 0;
        look(w);
        key_rotation(&in, &p);
        if (!p.n_steps || !do_step(w, &p.steps[0]) || p.steps[0].action == ROTATION_MAKE)
            break;
    }
    w->force = false;
    for (int a = 1; a <= 2; a++) {
        size_t best = w->n;
        for (size_t i = 0; i < w->n; i++)
            if (w->keys[i].algorithm == a && w->keys[i].state == ROTATION_SIGNING &&
                (best == w->n || w->keys[i].state_at > w->keys[best].state_at))
                best = i;
        if (best < w->n) {
            w->last_signed[best] = w->real;
            signs[a] = w->ever[a] = true;
        }
        assert_true(signs[a] || !w->ever[a]); /* what once was signed is signed */
    }
    w->hours++;
    w->signed_hours += signs[1] && signs[2];
    w->real += MS_HOUR;
    w->steady += MS_HOUR;
}

static void restart(struct world *w)
{
    w->steady = 0;
    w->jumped_at = 0;
    w->offset_seen = w->offset;
    memset(w->seen_since, 0, sizeof w->seen_since);
}

static void two_years(uint64_t seed, bool slots, bool outages, bool jumps, bool restarts)
{
    static struct world w;
    w = (struct world){.seed = seed, .real = T0};
    for (unsigned h = 0; h < 2 * 365 * 24; h++) {
        if (outages && chance(&w, 100) == 0)
            w.outage = !w.outage;
        if (outages && chance(&w, 400) == 0)
            w.record_gone = !w.record_gone;
        if (restarts && chance(&w, 50) == 0)
            restart(&w);
        /* a clock that jumps by years and comes back after an hour */
        if (w.offset) {
            w.offset = 0;
            w.steady = 0;
        } else if (jumps && chance(&w, 200) == 0) {
            w.offset = (time_ms)(chance(&w, 20) + 1) * 365 * MS_DAY * (chance(&w, 2) ? 1 : -1);
            w.steady = 0;
        }
        hour(&w, slots);
    }
    /* four rotations in two years, give or take what clocks and outages cost */
    if (w.made < 6 || w.made > 16 || w.removed + 8 < w.made)
        fail_msg("seed %llu: %u keys made, %u removed", (unsigned long long)seed, w.made, w.removed);
    /* signed from the first days on, without a gap */
    if (w.signed_hours + 24 * 30 < w.hours)
        fail_msg("seed %llu: signed in %u of %u hours", (unsigned long long)seed, w.signed_hours, w.hours);
}

static void years(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++)
        for (unsigned how = 0; how < 16; how++)
            two_years(seed, how & 1, how & 2, how & 4, how & 8);
}

/* An administrator brings a key of another server, at any time. */
static void import(struct world *w)
{
    struct rotation_step s = {.action = ROTATION_MAKE, .algorithm = (uint8_t)(1 + chance(w, 2))};
    for (size_t i = 0; i < w->n; i++)
        if (w->keys[i].state == ROTATION_WAITING && strncmp(w->names[i], "other", 5) == 0)
            return; /* one at a time */
    snprintf(s.selector, sizeof s.selector, "other%u", w->made);
    add_key(w, &s);
    w->published_at[w->n - 1] = w->real;
}

/* What may happen in an hour. */
static void mischief(struct world *w, unsigned *calm)
{
    if (chance(w, 150) == 0)
        w->outage = !w->outage;
    if (chance(w, 500) == 0)
        w->record_gone = !w->record_gone;
    if (w->n && chance(w, 60) == 0) {
        size_t i = (size_t)chance(w, w->n);
        w->garbled[i] = !w->garbled[i];
    }
    if (chance(w, 1000) == 0)
        w->force = true;
    if (chance(w, 2000) == 0)
        import(w);
    if (*calm) { /* what a restart hides of a clock is not to be known */
        --*calm;
    } else if (chance(w, 500) == 0) {
        /* by years or days, ahead or back, for hours or weeks; then right again */
        time_ms by =
            chance(w, 2) ? (time_ms)(chance(w, 20) + 1) * 365 * MS_DAY : (time_ms)chance(w, 40) * MS_DAY;
        w->offset = w->offset && chance(w, 3) ? 0 : chance(w, 2) ? by : -by;
        w->steady = 0;
        *calm = 6;
    } else if (chance(w, 40) == 0) {
        restart(w);
    }
}

static void calm_again(struct world *w, unsigned hours, bool slots)
{
    w->outage = w->record_gone = w->flaky = false;
    memset(w->garbled, 0, sizeof w->garbled);
    if (w->offset)
        w->steady = 0;
    w->offset = 0;
    for (unsigned h = 0; h < hours; h++)
        hour(w, slots);
}

/* Everything at once, at any moment; and when it is over, all is well again within weeks. */
static void anything(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        static struct world w;
        bool slots = seed & 1;
        unsigned calm = 0, made;
        w = (struct world){.seed = seed, .real = T0, .flaky = seed & 2, .slow = seed & 4};
        for (unsigned h = 0; h < 400 * 24; h++) {
            mischief(&w, &calm);
            hour(&w, slots);
        }
        calm_again(&w, 60 * 24, slots);
        for (size_t i = 0; i < w.n; i++)
            assert_true(w.keys[i].state_at <= w.real);
        assert_true(w.ever[1] && w.ever[2]);
        if (w.n > 6)
            fail_msg("seed %llu: %zu keys are left", (unsigned long long)seed, w.n);
        made = w.made;
        calm_again(&w, 210 * 24, slots); /* and it goes on rolling */
        assert_true(w.made >= made + 2);
    }
}

/* A clock that is ahead for months: everything heals when it is right again. */
static void a_long_wrong_clock(void **state)
{
    static struct world w;
    unsigned made;
    (void)state;
    w = (struct world){.seed = 3, .real = T0, .offset = 3650 * MS_DAY};
    for (unsigned h = 0; h < 60 * 24; h++)
        hour(&w, false);
    w.offset = 0;
    w.steady = 0;
    for (unsigned h = 0; h < 24; h++)
        hour(&w, false);
    for (size_t i = 0; i < w.n; i++)
        assert_true(w.keys[i].state_at <= w.real);
    made = w.made;
    assert_int_equal(made, 2);
    for (unsigned h = 0; h < 200 * 24; h++)
        hour(&w, false);
    assert_int_equal(w.made, 4); /* rolled once since */
    assert_int_equal(w.n + w.removed, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records),
                                       cmocka_unit_test(first_keys),
                                       cmocka_unit_test(rolling),
                                       cmocka_unit_test(selectors),
                                       cmocka_unit_test(one_server_behind),
                                       cmocka_unit_test(a_record_that_vanished),
                                       cmocka_unit_test(too_many_keys),
                                       cmocka_unit_test(a_domain_that_is_gone),
                                       cmocka_unit_test(clocks),
                                       cmocka_unit_test(a_rest_by_a_wrong_clock),
                                       cmocka_unit_test(a_successor_is_newer),
                                       cmocka_unit_test(spread),
                                       cmocka_unit_test(another_server),
                                       cmocka_unit_test(slots_in_use),
                                       cmocka_unit_test(anything),
                                       cmocka_unit_test(years),
                                       cmocka_unit_test(a_long_wrong_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
