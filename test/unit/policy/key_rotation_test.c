/* The life of DKIM keys: single decisions, and simulated years with outages of the DNS, clocks that jump and
 * restarts: mail is always signed by a key whose record was seen, nothing is removed too early, and it never
 * comes to a standstill. */
#include "lib/test.h"

#include "policy/key_rotation.h"

#include <stdio.h>

#define T0 ((time_ms)1795305600000) /* 2026-11-22 */

static struct rotation_input input(const struct rotation_key *keys, size_t n, time_ms now)
{
    return (struct rotation_input){.domain = SLICE("example.org"),
                                   .keys = keys,
                                   .n_keys = n,
                                   .now = now,
                                   .steady_ms = MS_DAY,
                                   .limits = rotation_limits_usual};
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

/* ---- years, simulated hour by hour */

struct world {
    uint64_t seed;
    struct rotation_key keys[ROTATION_KEYS_MAX];
    char names[ROTATION_KEYS_MAX][ROTATION_SELECTOR_MAX + 1];
    size_t n;
    time_ms real, offset, steady; /* the clock shows real + offset */
    time_ms published_at[ROTATION_KEYS_MAX], last_signed[ROTATION_KEYS_MAX], seen_since[ROTATION_KEYS_MAX];
    bool outage, record_gone;
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
    }
    w->n--;
    w->removed++;
}

static void do_step(struct world *w, const struct rotation_step *s)
{
    time_ms now = w->real + w->offset;
    struct rotation_key *k = &w->keys[s->key];
    switch (s->action) {
    case ROTATION_MAKE:
        assert_true(w->n < 12); /* it does not pile up */
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
        w->n++;
        w->made++;
        break;
    case ROTATION_SIGN:
        assert_int_equal(k->state, ROTATION_WAITING);
        assert_true(w->published_at[s->key] <= w->real); /* never before its record was there */
        k->state = ROTATION_SIGNING;
        k->state_at = now;
        break;
    case ROTATION_REST:
        assert_int_equal(k->state, ROTATION_SIGNING);
        k->state = ROTATION_RESTING;
        k->state_at = now;
        break;
    case ROTATION_REMOVE:
        assert_int_equal(k->state, ROTATION_RESTING);
        drop(w, s->key);
        break;
    case ROTATION_STAMP:
        k->state_at = now;
        if (k->made_at > now)
            k->made_at = now;
        break;
    }
}

static void look(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct rotation_key *k = &w->keys[i];
        k->seen = w->outage                       ? ROTATION_SEEN_UNKNOWN
                  : w->record_gone                ? ROTATION_SEEN_MISSING
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
    for (int round = 0;; round++) {
        struct rotation_input in = input(w->keys, w->n, w->real + w->offset);
        assert_true(round < 12); /* it comes to rest */
        in.steady_ms = w->steady;
        in.slots = slots;
        look(w);
        key_rotation(&in, &p);
        if (!p.n_steps)
            break;
        do_step(w, &p.steps[0]);
    }
    for (int a = 1; a <= 2; a++) {
        size_t best = w->n;
        for (size_t i = 0; i < w->n; i++)
            if (w->keys[i].algorithm == a && w->keys[i].state == ROTATION_SIGNING &&
                (best == w->n || w->keys[i].state_at > w->keys[best].state_at))
                best = i;
        if (best < w->n) {
            w->last_signed[best] = w->real;
            signs[a] = true;
        }
    }
    w->hours++;
    w->signed_hours += signs[1] && signs[2];
    w->real += MS_HOUR;
    w->steady += MS_HOUR;
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
        if (restarts && chance(&w, 50) == 0) {
            w.steady = 0;
            memset(w.seen_since, 0, sizeof w.seen_since);
        }
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
                                       cmocka_unit_test(a_record_that_vanished),
                                       cmocka_unit_test(too_many_keys),
                                       cmocka_unit_test(a_domain_that_is_gone),
                                       cmocka_unit_test(clocks),
                                       cmocka_unit_test(years),
                                       cmocka_unit_test(a_long_wrong_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
