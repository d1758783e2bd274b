#include "proc/doctor/ages.h"

#include "base/hash.h"
#include "base/time.h"
#include "proc/doctor/own_file.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define AGES_FILE     "ages"
#define AGES_BYTES    ((size_t)12 << 20)
#define SERVERS_FILE  "rdap-servers"
#define SERVERS_NAME  "." /* the line that says when the list of servers was asked for */
#define AGES_NAME_MAX 253
#define AGES_TIME_MAX INT64_C(253402300799999) /* the end of the year 9999 */

struct age_row {
    struct domain_age age;
    bool needed; /* ages_prune() is at work */
    size_t n;
    uint8_t name[];
};

struct ages {
    struct hash_key key;
    struct map rows;
    time_ms servers_at;
    bool changed;
};

static const char *const age_words[] = {
    [DOMAIN_AGE_FAILED] = "failed", [DOMAIN_AGE_ABSENT] = "absent", [DOMAIN_AGE_KNOWN] = "known"};

static slice row_name(const struct age_row *r)
{
    return slice_of(r->name, r->n);
}

static struct age_row *ages_row(const struct ages *a, slice name)
{
    struct age_row *r = map_get(&a->rows, hash_slice(&a->key, name));
    return r && slice_eq(row_name(r), name) ? r : NULL;
}

const struct domain_age *ages_find(void *arg, slice name)
{
    const struct age_row *r = ages_row(arg, name);
    return r ? &r->age : NULL;
}

static struct age_row *ages_add(struct ages *a, slice name)
{
    struct age_row *r;
    if (!name.n || name.n > AGES_NAME_MAX || a->rows.n >= AGES_MAX)
        return NULL;
    r = calloc(1, sizeof *r + name.n);
    must(r);
    memcpy(r->name, name.p, name.n);
    r->n = name.n;
    free(map_put(&a->rows, hash_slice(&a->key, name), r));
    return r;
}

bool ages_put(struct ages *a, slice name, const struct domain_age *learned)
{
    struct age_row *r = ages_row(a, name);
    if (!r)
        r = ages_add(a, name);
    if (!r)
        return false;
    a->changed = true;
    if (learned->state == DOMAIN_AGE_FAILED && r->age.state == DOMAIN_AGE_KNOWN)
        r->age.asked_at = learned->asked_at;
    else
        r->age = *learned;
    return true;
}

void ages_prune(struct ages *a, const slice *domains, size_t n)
{
    struct map left = {0};
    size_t at = 0;
    uint64_t key;
    void *row;
    for (size_t i = 0; i < n; i++) {
        slice names[DOMAIN_AGE_STEPS + 1];
        size_t k = domain_age_names(domains[i], names);
        while (k > 0) {
            struct age_row *r = ages_row(a, names[--k]);
            if (r)
                r->needed = true;
        }
    }
    while (map_each(&a->rows, &at, &key, &row)) {
        struct age_row *r = row;
        if (r->needed) {
            r->needed = false;
            IGNORE_RESULT(map_put(&left, key, r), "it is not in there yet");
        } else {
            a->changed = true;
            free(r);
        }
    }
    map_done(&a->rows);
    a->rows = left;
}

size_t ages_count(const struct ages *a)
{
    return a->rows.n;
}

time_ms ages_servers_at(const struct ages *a)
{
    return a->servers_at;
}

void ages_servers_asked(struct ages *a, time_ms now)
{
    a->servers_at = now;
    a->changed = true;
}

/* ---- the files */

static bool ages_time(slice text, time_ms *out)
{
    uint64_t v;
    if (!slice_u64(text, &v) || v > AGES_TIME_MAX)
        return false;
    *out = (time_ms)v;
    return true;
}

static void ages_line(struct ages *a, slice line)
{
    slice name, state, asked, registered;
    struct domain_age age = {0};
    size_t word = 0;
    (void)slice_split(line, '\t', &name, &line);
    (void)slice_split(line, '\t', &state, &line);
    (void)slice_split(line, '\t', &asked, &line);
    if (!slice_split(line, '\t', &registered, &line) || !ages_time(asked, &age.asked_at) ||
        !ages_time(registered, &age.registered) || !ages_time(line, &age.expires))
        return;
    while (word < ARRAY_LEN(age_words) && !slice_eq(state, slice_str(age_words[word])))
        word++;
    age.state = (enum domain_age_state)word;
    if (slice_eq(name, SLICE(SERVERS_NAME)))
        a->servers_at = age.asked_at;
    else if (word < ARRAY_LEN(age_words))
        IGNORE_RESULT(ages_put(a, name, &age), "more than there is room for is asked again");
}

struct ages *ages_open(void)
{
    struct ages *a = calloc(1, sizeof *a);
    struct buf b CLEANUP(buf_done) = {.max = AGES_BYTES};
    struct cursor c;
    slice line;
    must(a);
    a->key = entropy_hash_key();
    IGNORE_RESULT(own_file_read(AGES_FILE, &b), "what cannot be read is asked again");
    c = cursor_of(buf_view(&b));
    while (cursor_line(&c, &line))
        ages_line(a, line);
    a->changed = false;
    return a;
}

void ages_free(struct ages **a)
{
    if (!*a)
        return;
    ages_prune(*a, NULL, 0);
    map_done(&(*a)->rows);
    free(*a);
    *a = NULL;
}

enum err ages_save(struct ages *a)
{
    struct buf b CLEANUP(buf_done) = {.max = AGES_BYTES};
    size_t at = 0;
    uint64_t key;
    void *row;
    enum err e;
    if (!a->changed)
        return OK;
    buf_print(&b, SERVERS_NAME "\t%s\t%lld\t0\t0\n", age_words[DOMAIN_AGE_KNOWN], (long long)a->servers_at);
    while (map_each(&a->rows, &at, &key, &row)) {
        const struct age_row *r = row;
        buf_print(&b, "%.*s\t%s\t%lld\t%lld\t%lld\n", SLICE_FMT(row_name(r)), age_words[r->age.state],
                  (long long)r->age.asked_at, (long long)r->age.registered, (long long)r->age.expires);
    }
    e = buf_failed(&b) ? ERR_LIMIT : own_file_write(AGES_FILE, buf_view(&b));
    a->changed = a->changed && e;
    return e;
}

enum err ages_servers_save(slice json)
{
    return own_file_write(SERVERS_FILE, json);
}

enum err ages_servers_load(struct buf *out)
{
    return own_file_read(SERVERS_FILE, out);
}
