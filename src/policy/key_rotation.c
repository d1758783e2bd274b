#include "policy/key_rotation.h"

#include "base/buf.h"
#include "base/hash.h"
#include "text/date.h"
#include "text/tag_list.h"

#include <stdarg.h>
#include <stdio.h>

const struct rotation_limits rotation_limits_usual = {
    .rotate_ms = 180 * MS_DAY, .spread_ms = 30 * MS_DAY, .settle_ms = MS_HOUR, .rest_ms = (5 + 14) * MS_DAY};

static const struct {
    const char *word;     /* for people */
    const char *letter;   /* ends a selector with a date */
    const char *slots[2]; /* as in policy/dns_plan.h */
} rotation_kinds[] = {[ROTATION_RSA] = {"RSA", "r", {"ph-rsa-1", "ph-rsa-2"}},
                      [ROTATION_ED25519] = {"Ed25519", "e", {"ph-ed-1", "ph-ed-2"}}};

/* ---- what the DNS shows */

static bool compare_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Base64 as it is written: white space does not count (RFC 6376 §2.10). */
static bool compare_base64(slice a, slice b)
{
    struct cursor x = cursor_of(a), y = cursor_of(b);
    for (;;) {
        while (compare_blank(cursor_peek(&x)))
            cursor_skip(&x, 1);
        while (compare_blank(cursor_peek(&y)))
            cursor_skip(&y, 1);
        if (cursor_end(&x) || cursor_end(&y))
            return cursor_end(&x) && cursor_end(&y);
        if (cursor_next(&x) != cursor_next(&y))
            return false;
    }
}

static slice compare_tag(const struct tag_list *l, const char *name, const char *fallback)
{
    const slice *v = tag_list_find(l, slice_str(name));
    return v ? *v : slice_str(fallback);
}

enum rotation_seen rotation_compare(slice want, const slice *shown, size_t n)
{
    struct tag_list mine, theirs;
    if (n == 0)
        return ROTATION_SEEN_MISSING;
    if (n > 1 || tag_list_parse(want, &mine) != OK || tag_list_parse(shown[0], &theirs) != OK)
        return ROTATION_SEEN_DIFFERENT;
    if (slice_eq(compare_tag(&theirs, "v", "DKIM1"), SLICE("DKIM1")) &&
        slice_eq_nocase(compare_tag(&theirs, "k", "rsa"), compare_tag(&mine, "k", "rsa")) &&
        tag_item_find(compare_tag(&theirs, "h", "sha256"), ':', SLICE("sha256")) &&
        (tag_item_find(compare_tag(&theirs, "s", "*"), ':', SLICE("*")) ||
         tag_item_find(compare_tag(&theirs, "s", "*"), ':', SLICE("email"))) &&
        compare_base64(compare_tag(&theirs, "p", ""), compare_tag(&mine, "p", "-")))
        return ROTATION_SEEN_EQUAL;
    return ROTATION_SEEN_DIFFERENT;
}

struct rotation {
    const struct rotation_input *in;
    struct rotation_plan *out;
    size_t n; /* keys that are looked at */
};

static const struct rotation_key *rotation_at(const struct rotation *r, size_t i)
{
    return &r->in->keys[i];
}

static bool rotation_good(const struct rotation_key *k)
{
    return !k->damaged && k->algorithm >= ROTATION_RSA && k->algorithm <= ROTATION_ED25519 &&
           k->state >= ROTATION_WAITING && k->state <= ROTATION_RESTING;
}

static bool rotation_steady(const struct rotation *r)
{
    return r->in->steady_ms >= ROTATION_STEADY_MS;
}

/* The time since; 0 when it lies in the future. */
static time_ms rotation_age(const struct rotation *r, time_ms since)
{
    return since < r->in->now ? r->in->now - since : 0;
}

/* When a successor of this signing key is made. Each domain has its own day, always the same: no secret. */
static time_ms rotation_due(const struct rotation *r, const struct rotation_key *k)
{
    static const struct hash_key fixed = {0, 0};
    const struct rotation_limits *l = &r->in->limits;
    uint64_t less = l->spread_ms > 0 ? hash_slice(&fixed, r->in->domain) % (uint64_t)l->spread_ms : 0;
    return k->state_at + l->rotate_ms - (time_ms)less;
}

static struct rotation_step *rotation_step(struct rotation *r, enum rotation_action action, size_t key)
{
    struct rotation_step *s;
    if (r->out->n_steps == ROTATION_STEPS_MAX)
        return NULL; /* the rest comes when it is asked again */
    s = &r->out->steps[r->out->n_steps++];
    *s = (struct rotation_step){.action = action, .key = key};
    return s;
}

static void rotation_until(struct rotation *r, size_t key, time_ms at)
{
    r->out->notes[key].until = at;
    if (!r->out->next_at || at < r->out->next_at)
        r->out->next_at = at;
}

/* ---- words */

/* "2026-11-22" */
static const char *rotation_day(time_ms at, char out[32])
{
    struct buf b CLEANUP(buf_done) = {.max = 31};
    if (at < 0 || date_print_iso(at, &b) != OK || b.n < 10)
        return "an unknown day";
    snprintf(out, 32, "%.10s", (const char *)b.p);
    return out;
}

static void rotation_note(struct rotation *r, size_t key, enum rotation_weight weight, const char *format,
                          ...) FORMAT(4, 5);
static void rotation_note(struct rotation *r, size_t key, enum rotation_weight weight, const char *format,
                          ...)
{
    struct rotation_note *note = &r->out->notes[key];
    va_list ap;
    note->weight = weight;
    va_start(ap, format);
    (void)vsnprintf(note->text, sizeof note->text, format, ap); /* cut when too long */
    va_end(ap);
}

static void rotation_note_waiting(struct rotation *r, size_t i, bool first)
{
    const struct rotation_key *k = rotation_at(r, i);
    char day[32];
    switch (k->seen) {
    case ROTATION_SEEN_EQUAL:
        rotation_note(r, i, ROTATION_FINE,
                      first ? "its record is in the DNS: it signs from now on"
                            : "its record is in the DNS; it takes over when it has been there for an hour");
        break;
    case ROTATION_SEEN_DIFFERENT:
        rotation_note(r, i, ROTATION_DO,
                      "waits: the DNS shows another text under its name than the record it needs; put the "
                      "record in as posthorn dns shows it, or, when that record is another server's, let "
                      "posthorn dkim rotate make a key of another name");
        break;
    case ROTATION_SEEN_MISSING:
        rotation_note(r, i, ROTATION_DO,
                      "waits since %s for its record to be published; posthorn dns %.*s shows it",
                      rotation_day(k->state_at, day), SLICE_FMT(r->in->domain));
        break;
    case ROTATION_SEEN_PARTLY:
        rotation_note(
            r, i, first ? ROTATION_FINE : ROTATION_DO,
            first ? "its record is in the DNS: it signs from now on, although %.*s does not show it yet"
                  : "waits: the name server %.*s does not show its record yet; others do",
            SLICE_FMT(slice_sub(k->behind, 0, size_min(k->behind.n, 200))));
        break;
    case ROTATION_SEEN_UNKNOWN:
    default:
        rotation_note(r, i, ROTATION_FINE,
                      "waits: the DNS gave no answer on its record; it is looked at again within the hour");
    }
}

static void rotation_note_signing(struct rotation *r, size_t i)
{
    const struct rotation_key *k = rotation_at(r, i);
    char day[32], then[32];
    switch (k->seen) {
    case ROTATION_SEEN_MISSING:
        rotation_note(
            r, i, ROTATION_BAD,
            "signs, but its record has gone from the DNS, so nobody can check these signatures: put "
            "it back as posthorn dns %.*s shows it",
            SLICE_FMT(r->in->domain));
        break;
    case ROTATION_SEEN_DIFFERENT:
        rotation_note(
            r, i, ROTATION_BAD,
            "signs, but the DNS shows another text than its record, so these signatures fail: put it "
            "in as posthorn dns %.*s shows it",
            SLICE_FMT(r->in->domain));
        break;
    case ROTATION_SEEN_UNKNOWN:
    case ROTATION_SEEN_EQUAL:
    case ROTATION_SEEN_PARTLY: /* of keys that sign it is not asked */
    default:
        rotation_note(r, i, ROTATION_FINE, "signs since %s%s; its successor is made on %s",
                      rotation_day(k->state_at, day),
                      k->seen == ROTATION_SEEN_EQUAL ? ""
                                                     : " (the DNS gave no answer on its record just now)",
                      rotation_day(rotation_due(r, k), then));
    }
}

/* ---- selectors */

static bool rotation_taken(const struct rotation *r, const char *selector)
{
    for (size_t i = 0; i < r->in->n_keys; i++)
        if (slice_eq_nocase(r->in->keys[i].selector, slice_str(selector)))
            return true;
    for (size_t i = 0; i < r->out->n_steps; i++)
        if (r->out->steps[i].action == ROTATION_MAKE && strcmp(r->out->steps[i].selector, selector) == 0)
            return true;
    return false;
}

/* "ph202611r", "ph202611r2" ... or the slot that is free. False: both are in use, unless any is set: then one
 * with a date (better a record by hand than no key that signs). */
static bool rotation_selector(const struct rotation *r, unsigned algorithm, bool any,
                              char out[ROTATION_SELECTOR_MAX + 1])
{
    int64_t year;
    unsigned month, day;
    if (r->in->slots) {
        for (size_t i = 0; i < 2; i++) {
            snprintf(out, ROTATION_SELECTOR_MAX + 1, "%s", rotation_kinds[algorithm].slots[i]);
            if (!rotation_taken(r, out))
                return true;
        }
        if (!any)
            return false;
    }
    date_civil(r->in->now < 0 ? 0 : r->in->now / MS_DAY, &year, &month, &day);
    for (unsigned i = 1; i <= ROTATION_KEYS_MAX + 1; i++) {
        char more[12] = "";
        if (i > 1)
            snprintf(more, sizeof more, "%u", i);
        snprintf(out, ROTATION_SELECTOR_MAX + 1, "ph%04lld%02u%s%s", (long long)(year % 10000), month,
                 rotation_kinds[algorithm].letter, more);
        if (!rotation_taken(r, out))
            return true;
    }
    return false;
}

static bool rotation_make(struct rotation *r, unsigned algorithm, bool first)
{
    char selector[ROTATION_SELECTOR_MAX + 1];
    struct rotation_step *s;
    if (r->in->n_keys >= ROTATION_KEYS_MAX || !rotation_selector(r, algorithm, first, selector) ||
        !(s = rotation_step(r, ROTATION_MAKE, 0)))
        return false;
    s->algorithm = (uint8_t)algorithm;
    memcpy(s->selector, selector, sizeof s->selector);
    return true;
}

/* ---- one algorithm */

/* Times from a clock that was wrong are written anew: those ahead once the clock has proved itself, the
 * beginning of a rest at once. */
static void rotation_stamp(struct rotation *r, size_t i)
{
    const struct rotation_key *k = rotation_at(r, i);
    time_ms latest = k->made_at > k->state_at ? k->made_at : k->state_at;
    bool ahead = rotation_steady(r) && latest - ROTATION_FUTURE_MS > r->in->now;
    bool rests = k->state == ROTATION_RESTING && k->state_at < r->in->jumped_at;
    if (ahead || rests)
        (void)rotation_step(r, ROTATION_STAMP, i); /* NULL: next time */
}

static void rotation_resting(struct rotation *r, size_t i)
{
    const struct rotation_key *k = rotation_at(r, i);
    char day[32];
    time_ms until = k->state_at + r->in->limits.rest_ms;
    if (rotation_age(r, k->state_at) < r->in->limits.rest_ms) {
        rotation_note(r, i, ROTATION_FINE,
                      "signs no more; its record has to stay until %s, then key and record may go",
                      rotation_day(until, day));
        rotation_until(r, i, until);
        return;
    }
    rotation_note(r, i, ROTATION_FINE, "signs no more; it is removed, and its record may go");
    if (rotation_steady(r) && k->state_at >= r->in->jumped_at)
        (void)rotation_step(r, ROTATION_REMOVE, i); /* NULL: next time */
}

static bool rotation_newer(const struct rotation_key *a, const struct rotation_key *b)
{
    return a->state_at != b->state_at ? a->state_at > b->state_at : a->made_at > b->made_at;
}

/* The key that signs (the newest, as keys chooses), or n. */
static size_t rotation_signing(const struct rotation *r, unsigned algorithm)
{
    size_t best = r->n;
    for (size_t i = 0; i < r->n; i++) {
        const struct rotation_key *k = rotation_at(r, i);
        if (rotation_good(k) && k->algorithm == algorithm && k->state == ROTATION_SIGNING &&
            (best == r->n || rotation_newer(k, rotation_at(r, best))))
            best = i;
    }
    return best;
}

/* Of the keys that wait the one to take next: seen in the DNS, for the longest time; or n. *out_waiting: how
 * many wait. */
static size_t rotation_ready(struct rotation *r, unsigned algorithm, bool first, size_t *out_waiting)
{
    size_t best = r->n;
    *out_waiting = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct rotation_key *k = rotation_at(r, i);
        if (!rotation_good(k) || k->algorithm != algorithm || k->state != ROTATION_WAITING)
            continue;
        ++*out_waiting;
        rotation_note_waiting(r, i, first);
        /* no signature is no better than one that some cannot check yet */
        if ((k->seen == ROTATION_SEEN_EQUAL || (first && k->seen == ROTATION_SEEN_PARTLY)) &&
            (first || k->seen_ms >= r->in->limits.settle_ms) &&
            (best == r->n || k->seen_ms > rotation_at(r, best)->seen_ms))
            best = i;
    }
    return best;
}

/* May a key that is ready take over from the one that signs? Not while a clock may be wrong; and it has to be
 * the newer one afterwards, because the newest signs. */
static bool rotation_may_succeed(const struct rotation *r, size_t signing)
{
    return rotation_steady(r) && rotation_at(r, signing)->state_at < r->in->now;
}

/* Under force a key that waits although its name shows another record gives way: whose that record is, is not
 * known (another server of the domain may sign with it), and another name is free at once. It never signed.
 */
static size_t rotation_give_way(struct rotation *r, unsigned algorithm)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n && r->in->force; i++) {
        const struct rotation_key *k = rotation_at(r, i);
        if (rotation_good(k) && k->algorithm == algorithm && k->state == ROTATION_WAITING &&
            k->seen == ROTATION_SEEN_DIFFERENT && rotation_step(r, ROTATION_REMOVE, i))
            n++;
    }
    return n;
}

static void rotation_kind(struct rotation *r, unsigned algorithm)
{
    size_t signing = rotation_signing(r, algorithm), waiting, ready;
    bool first = signing == r->n;
    time_ms due = 0;
    ready = rotation_ready(r, algorithm, first, &waiting);
    for (size_t i = 0; i < r->n; i++) {
        const struct rotation_key *k = rotation_at(r, i);
        if (!rotation_good(k) || k->algorithm != algorithm)
            continue;
        rotation_stamp(r, i);
        if (k->state == ROTATION_RESTING)
            rotation_resting(r, i);
        else if (k->state == ROTATION_SIGNING)
            rotation_note_signing(r, i);
        if (k->state == ROTATION_SIGNING && i != signing)
            (void)rotation_step(r, ROTATION_REST, i); /* its successor signs. NULL: next time */
    }
    if (ready < r->n && (first || rotation_may_succeed(r, signing))) {
        (void)rotation_step(r, ROTATION_SIGN, ready); /* NULL: next time */
        return;
    }
    waiting -= rotation_give_way(r, algorithm);
    if (!first) {
        due = rotation_due(r, rotation_at(r, signing));
        if (!waiting)
            rotation_until(r, signing, due);
    }
    if (waiting)
        return;
    if (first || r->in->force || (r->in->now >= due && rotation_steady(r))) {
        if (!rotation_make(r, algorithm, first) && !first)
            rotation_note(r, signing, ROTATION_FINE,
                          "signs; its successor is made when the key before it has rested long enough");
    }
}

/* ---- a domain that is not ours any more */

static void rotation_gone(struct rotation *r, size_t i)
{
    const struct rotation_key *k = rotation_at(r, i);
    if (!rotation_good(k))
        return;
    rotation_stamp(r, i);
    if (k->state == ROTATION_RESTING) {
        rotation_resting(r, i);
        return;
    }
    rotation_note(r, i, ROTATION_FINE, "the domain is not here any more");
    if (rotation_steady(r)) /* NULL: next time */
        (void)rotation_step(r, k->state == ROTATION_SIGNING ? ROTATION_REST : ROTATION_REMOVE, i);
}

void key_rotation(const struct rotation_input *in, struct rotation_plan *out)
{
    struct rotation r = {in, out, size_min(in->n_keys, ROTATION_KEYS_MAX)};
    *out = (struct rotation_plan){.n_notes = r.n};
    for (size_t i = 0; i < r.n; i++)
        if (!rotation_good(&in->keys[i]))
            rotation_note(&r, i, ROTATION_BAD,
                          "its file is damaged: put it back from a backup, or leave it; another key signs");
        else if (in->gone)
            rotation_gone(&r, i);
    if (!in->gone) {
        rotation_kind(&r, ROTATION_RSA);
        rotation_kind(&r, ROTATION_ED25519);
    }
}
