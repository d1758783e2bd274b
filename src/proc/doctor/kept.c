#include "proc/doctor/check.h"

#include "base/hash.h"
#include "proc/doctor/own_file.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define KEPT_FILE    "findings"
#define KEPT_BYTES   ((size_t)12 << 20)
#define KEPT_SUBJECT 511 /* longer ones are cut */
#define KEPT_NAME    253
#define KEPT_SINCE   UINT64_C(253402300799999) /* the end of the year 9999, in Unix ms */

struct kept_row {
    enum finding_kind kind;
    enum finding_severity severity, told; /* told: FINDING_OK when it was not */
    time_ms since;
    uint32_t seen; /* rounds in a row */
    bool now;
    size_t n_subject, n_domain;
    char text[]; /* subject, domain */
};

struct kept {
    struct hash_key key;
    struct map rows;
    char round[KEPT_NAME + 1];
};

static slice row_subject(const struct kept_row *r)
{
    return slice_of(r->text, r->n_subject);
}

static slice row_domain(const struct kept_row *r)
{
    return slice_of(r->text + r->n_subject, r->n_domain);
}

/* What a passing trouble of the network can cause by itself; and the first minutes of a domain. */
static bool kept_is_soft(enum finding_kind k)
{
    return k == FINDING_UNOBSERVED || k == FINDING_DNS_SILENT || k == FINDING_ROLE_SILENT ||
           k == FINDING_SERVER_LAME || k == FINDING_SERIAL_DIFFERS || k == FINDING_SERVERS_DISAGREE ||
           k == FINDING_DNSBL_OFF || k == FINDING_STORE_REFUSES || k == FINDING_DKIM_NO_KEY;
}

static uint64_t kept_hash(const struct kept *k, enum finding_kind kind, slice subject)
{
    struct hash_key key = {k->key.k0, k->key.k1 ^ (uint64_t)kind};
    return hash_slice(&key, slice_sub(subject, 0, KEPT_SUBJECT));
}

static struct kept_row *kept_find(const struct kept *k, enum finding_kind kind, slice subject)
{
    struct kept_row *r = map_get(&k->rows, kept_hash(k, kind, subject));
    return r && r->kind == kind && slice_eq(row_subject(r), slice_sub(subject, 0, KEPT_SUBJECT)) ? r : NULL;
}

/* NULL: there are too many. */
static struct kept_row *kept_add(struct kept *k, enum finding_kind kind, slice subject, slice domain)
{
    slice s = slice_sub(subject, 0, KEPT_SUBJECT), d = slice_sub(domain, 0, KEPT_NAME);
    struct kept_row *r = k->rows.n < KEPT_MAX ? calloc(1, sizeof *r + s.n + d.n) : NULL;
    if (!r) {
        must(k->rows.n >= KEPT_MAX);
        return NULL;
    }
    *r = (struct kept_row){.kind = kind, .n_subject = s.n, .n_domain = d.n};
    if (s.n)
        memcpy(r->text, s.p, s.n);
    if (d.n)
        memcpy(r->text + s.n, d.p, d.n);
    free(map_put(&k->rows, kept_hash(k, kind, s), r));
    return r;
}

/* ---- the file */

/* A line that is not one of ours is left out: the next round finds it again. */
static void kept_line(struct kept *k, slice line)
{
    slice word, since, seen, told, subject, domain;
    uint64_t since_ms, times, was_told;
    struct kept_row *r;
    (void)slice_split(line, '\t', &word, &line);
    if (slice_eq(word, SLICE("round"))) {
        kept_round_set(k, line);
        return;
    }
    (void)slice_split(line, '\t', &since, &line);
    (void)slice_split(line, '\t', &seen, &line);
    if (!slice_split(line, '\t', &told, &line) || finding_of_word(word) == FINDING__COUNT ||
        !slice_u64(since, &since_ms) || since_ms > KEPT_SINCE || !slice_u64(seen, &times) ||
        !slice_u64(told, &was_told) || was_told > FINDING_ERROR)
        return;
    (void)slice_split(line, '\t', &subject, &domain);
    r = kept_find(k, finding_of_word(word), subject) ? NULL
                                                     : kept_add(k, finding_of_word(word), subject, domain);
    if (!r)
        return;
    r->severity = finding_rows[r->kind].severity;
    r->since = (time_ms)since_ms;
    r->seen = (uint32_t)(times & UINT32_MAX);
    /* 1 is of a time when it only said that it was told */
    r->told = was_told == 1 ? r->severity : (enum finding_severity)was_told;
}

struct kept *kept_open(void)
{
    struct kept *k = calloc(1, sizeof *k);
    struct buf b CLEANUP(buf_done) = {.max = KEPT_BYTES};
    struct cursor c;
    slice line;
    must(k);
    k->key = entropy_hash_key();
    IGNORE_RESULT(own_file_read(KEPT_FILE, &b), "what cannot be read counts as new");
    c = cursor_of(buf_view(&b));
    while (cursor_line(&c, &line))
        kept_line(k, line);
    return k;
}

void kept_free(struct kept **k)
{
    size_t at = 0;
    uint64_t key;
    void *row;
    if (!*k)
        return;
    while (map_each(&(*k)->rows, &at, &key, &row))
        free(row);
    map_done(&(*k)->rows);
    free(*k);
    *k = NULL;
}

enum err kept_save(const struct kept *k)
{
    struct buf b CLEANUP(buf_done) = {.max = KEPT_BYTES};
    size_t at = 0;
    uint64_t key;
    void *row;
    if (k->round[0])
        buf_print(&b, "round\t%s\n", k->round);
    while (map_each(&k->rows, &at, &key, &row)) {
        const struct kept_row *r = row;
        buf_print(&b, "%s\t%lld\t%u\t%d\t%.*s\t%.*s\n", finding_rows[r->kind].word, (long long)r->since,
                  (unsigned)r->seen, (int)r->told, SLICE_FMT(row_subject(r)), SLICE_FMT(row_domain(r)));
    }
    return buf_failed(&b) ? ERR_LIMIT : own_file_write(KEPT_FILE, buf_view(&b));
}

/* ---- a round */

void kept_begin(struct kept *k)
{
    size_t at = 0;
    uint64_t key;
    void *row;
    while (map_each(&k->rows, &at, &key, &row))
        ((struct kept_row *)row)->now = false;
}

static void kept_one(struct kept *k, struct finding *f, time_ms now, struct findings *opened)
{
    struct kept_row *r = kept_find(k, f->kind, f->subject);
    f->since = now;
    if (!r) {
        r = kept_add(k, f->kind, f->subject, f->domain);
        if (!r)
            return; /* it is shown to who asks, and told when there is room */
        r->since = now;
    }
    r->severity = f->severity;
    f->since = r->since;
    r->seen += !r->now && r->seen < UINT32_MAX;
    r->now = true;
    if (f->severity <= r->told || f->severity < FINDING_WARNING ||
        r->seen < (kept_is_soft(f->kind) ? 2u : 1u))
        return;
    r->told = f->severity;
    (void)findings_copy(opened, f); /* at its limit the alert says how many more there are */
}

void kept_see(struct kept *k, struct findings *found, time_ms now, struct findings *opened)
{
    for (size_t i = 0; i < found->n; i++)
        kept_one(k, &found->at[i], now, opened);
}

void kept_end(struct kept *k, enum kept_look (*look)(void *arg, slice domain), void *arg,
              struct findings *closed)
{
    struct map left = {0};
    size_t at = 0;
    uint64_t key;
    void *row;
    while (map_each(&k->rows, &at, &key, &row)) {
        struct kept_row *r = row;
        enum kept_look seen = r->now ? KEPT_NOT_LOOKED : look(arg, row_domain(r));
        if (seen == KEPT_NOT_LOOKED) {
            IGNORE_RESULT(map_put(&left, key, r), "it is not in there yet");
            continue;
        }
        if (r->told && seen == KEPT_LOOKED)
            (void)findings_copy(closed, &(struct finding){.kind = r->kind,
                                                          .severity = r->severity,
                                                          .subject = row_subject(r),
                                                          .what = slice_str(finding_rows[r->kind].title),
                                                          .domain = row_domain(r),
                                                          .since = r->since});
        free(r);
    }
    map_done(&k->rows);
    k->rows = left;
}

void kept_untold(struct kept *k, const struct findings *opened)
{
    for (size_t i = 0; i < opened->n; i++) {
        struct kept_row *r = kept_find(k, opened->at[i].kind, opened->at[i].subject);
        if (r)
            r->told = FINDING_OK;
    }
}

void kept_since(const struct kept *k, struct findings *found)
{
    for (size_t i = 0; i < found->n; i++) {
        const struct kept_row *r = kept_find(k, found->at[i].kind, found->at[i].subject);
        if (r)
            found->at[i].since = r->since;
    }
}

void kept_wrong(const struct kept *k, struct rounds_domain *d, size_t n)
{
    size_t at = 0;
    uint64_t key;
    void *row;
    while (map_each(&k->rows, &at, &key, &row)) {
        const struct kept_row *r = row;
        struct rounds_domain *one = r->severity >= FINDING_WARNING ? rounds_find(d, n, row_domain(r)) : NULL;
        if (one)
            one->wrong = true;
    }
}

slice kept_round(const struct kept *k)
{
    return slice_str(k->round);
}

void kept_round_set(struct kept *k, slice name)
{
    snprintf(k->round, sizeof k->round, "%.*s", SLICE_FMT(slice_sub(name, 0, KEPT_NAME)));
}

size_t kept_count(const struct kept *k, enum finding_severity at_least)
{
    size_t n = 0, at = 0;
    uint64_t key;
    void *row;
    while (map_each(&k->rows, &at, &key, &row))
        n += ((const struct kept_row *)row)->severity >= at_least;
    return n;
}
