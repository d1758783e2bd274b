#include "proc/judge/dns.h"

#include "base/hash.h"
#include "ipc/x_resolver.h"
#include "sys/entropy.h"

#include <stdlib.h>

#define DNS_AGAIN_MS 200 /* resolver is being started again */

/* One question: open (asked of resolver, with those who wait) or answered. */
struct entry {
    struct list age; /* in judge_dns.ages, the one used last is last */
    struct list waits;
    struct judge_dns *dns;
    uint64_t key;
    struct dns_name name;
    uint16_t type;
    bool open, again;
    bool sent;  /* resolver has it */
    bool fresh; /* asked past resolver's cache */
    time_ms asked_at, until;
    struct dns_answer answer; /* its RDATA in bytes */
    uint8_t *bytes;
    size_t n_bytes;
};

struct wait {
    struct list of_entry, of_asker;
    struct judge_asker *asker;
    size_t question;
};

struct judge_dns {
    struct role_self *role;
    struct hash_key hash_key;
    struct map entries;
    struct list ages;
    struct loop_timer again;
    bool again_set; /* it must not be put off by each further question */
    struct judge_dns_facts facts;
    time_ms answered_at; /* the last time that anything was */
    time_ms busy_at;     /* the last time that resolver had no room for a question, or we kept one back */
    size_t sent;         /* questions that resolver has */
    bool dead;           /* a message gave up, and nothing was answered since */
};

static void dns_again(void *arg);

struct judge_dns *judge_dns_new(struct role_self *role)
{
    struct judge_dns *d = calloc(1, sizeof *d);
    must(d);
    d->role = role;
    d->hash_key = entropy_hash_key();
    list_init(&d->ages);
    loop_timer_init(role->loop, &d->again, dns_again, d);
    return d;
}

/* Resolver has it no more. */
static void entry_back(struct entry *e)
{
    e->dns->sent -= e->sent;
    e->sent = false;
}

static void entry_forget(struct entry *e)
{
    entry_back(e);
    role_forget(e->dns->role, e);
}

static void entry_free(struct entry *e)
{
    struct judge_dns *d = e->dns;
    must(list_empty(&e->waits));
    if (e->open)
        entry_forget(e);
    list_remove(&e->age);
    (void)map_remove(&d->entries, e->key);
    d->facts.kept--;
    d->facts.bytes -= e->n_bytes;
    free(e->bytes);
    free(e);
}

void judge_dns_free(struct judge_dns **p)
{
    struct judge_dns *d = *p;
    if (!d)
        return;
    LIST_EACH_SAFE(it, &d->ages)
    entry_free(LIST_OF(it, struct entry, age));
    loop_timer_done(&d->again);
    map_done(&d->entries);
    free(d);
    *p = NULL;
}

/* ---- askers */

void judge_asker_init(struct judge_asker *a, struct dns_table *table, void (*came)(void *arg), void *arg)
{
    *a = (struct judge_asker){.table = table, .came = came, .arg = arg};
    list_init(&a->waits);
}

static void wait_free(struct wait *w)
{
    list_remove(&w->of_entry);
    list_remove(&w->of_asker);
    free(w);
}

void judge_asker_done(struct judge_asker *a)
{
    if (!a->table)
        return;
    LIST_EACH_SAFE(it, &a->waits)
    wait_free(LIST_OF(it, struct wait, of_asker));
}

static void answer_failed(struct judge_asker *a, size_t question, enum dns_answer_status status)
{
    const struct dns_answer failed = {.status = status};
    dns_table_put(a->table, question, &failed);
}

void judge_dns_give_up(struct judge_dns *d, struct judge_asker *a)
{
    a->late = true;
    LIST_EACH_SAFE(it, &a->waits)
    {
        struct wait *w = LIST_OF(it, struct wait, of_asker);
        answer_failed(a, w->question, DNS_ANSWER_TIMEOUT);
        wait_free(w);
    }
    d->dead = loop_now(d->role->loop) >= d->answered_at + DNS_ASK_DEAD_MS;
}

time_ms judge_dns_until(const struct judge_dns *d, time_ms began_at)
{
    return began_at + (d->dead                      ? DNS_ASK_DEAD_MS
                       : d->answered_at >= began_at ? DNS_ASK_MS
                                                    : DNS_ASK_SILENT_MS);
}

bool judge_dns_works(const struct judge_dns *d, time_ms since)
{
    return d->answered_at >= since || d->busy_at >= since;
}

/* ---- what is kept */

static void entry_use(struct entry *e)
{
    list_remove(&e->age);
    list_append(&e->dns->ages, &e->age);
}

/* Makes room before questions are asked; what is waited for stays. */
static void dns_trim(struct judge_dns *d)
{
    LIST_EACH_SAFE(it, &d->ages)
    {
        struct entry *e = LIST_OF(it, struct entry, age);
        if (d->facts.kept <= DNS_ENTRIES_MAX && d->facts.bytes <= DNS_BYTES_MAX)
            return;
        if (list_empty(&e->waits))
            entry_free(e);
    }
}

static struct entry *entry_find(struct judge_dns *d, slice name, uint16_t type)
{
    struct hash_key k = d->hash_key;
    struct entry *e;
    uint64_t key;
    k.k1 ^= type;
    key = hash_slice(&k, name);
    e = map_get(&d->entries, key);
    if (e && (e->type != type || !slice_eq(dns_name_view(&e->name), name)))
        return NULL; /* two names with one key: it does not happen; then the second is not asked */
    if (e)
        return e;
    e = calloc(1, sizeof *e);
    must(e);
    if (dns_name_parse_odd(name, &e->name)) {
        free(e);
        return NULL;
    }
    e->dns = d;
    e->key = key;
    e->type = type;
    list_init(&e->waits);
    list_init(&e->age);
    list_append(&d->ages, &e->age);
    (void)map_put(&d->entries, key, e);
    d->facts.kept++;
    return e;
}

static void entry_keep(struct entry *e, const struct resolved *r)
{
    size_t bytes = r->n_rrs * sizeof(slice), at = bytes;
    slice *rdata;
    for (size_t i = 0; i < r->n_rrs; i++)
        bytes += r->rrs[i].rdata.n;
    e->bytes = malloc(bytes + 1);
    must(e->bytes);
    rdata = (slice *)(void *)e->bytes;
    for (size_t i = 0; i < r->n_rrs; i++) {
        slice from = r->rrs[i].rdata;
        if (from.n)
            memcpy(e->bytes + at, from.p, from.n);
        rdata[i] = slice_of(e->bytes + at, from.n);
        at += from.n;
    }
    e->n_bytes = bytes;
    e->dns->facts.bytes += bytes;
    e->answer.rdata = rdata;
    e->answer.n = r->n_rrs;
}

static void entry_forget_answer(struct entry *e)
{
    e->dns->facts.bytes -= e->n_bytes;
    e->n_bytes = 0;
    free(e->bytes);
    e->bytes = NULL;
    e->answer = (struct dns_answer){0};
}

static void entry_settle(struct entry *e, enum err err, const struct resolved *r)
{
    struct judge_dns *d = e->dns;
    time_ms keep = err == ERR_BUSY ? 0 : DNS_KEEP_FAILED_MS;
    e->open = e->again = false;
    entry_forget_answer(e);
    e->answer.status = x_resolver_status(err);
    if (err == OK)
        entry_keep(e, r);
    if (!dns_answer_failed(&e->answer)) {
        e->answer.ttl_s = r->ttl;
        e->answer.secure = r->secure;
        keep = r->ttl < DNS_KEEP_MS / MS_SECOND ? (time_ms)r->ttl * MS_SECOND : DNS_KEEP_MS;
        if (keep < DNS_KEEP_LEAST_MS) /* "no such thing" often comes without a TTL */
            keep = dns_answer_void(&e->answer) ? DNS_KEEP_FAILED_MS : DNS_KEEP_LEAST_MS;
        d->answered_at = loop_now(d->role->loop);
        d->dead = false;
    }
    e->until = loop_now(d->role->loop) + keep;
    LIST_EACH_SAFE(it, &e->waits)
    {
        struct wait *w = LIST_OF(it, struct wait, of_entry);
        struct judge_asker *a = w->asker;
        dns_table_put(a->table, w->question, &e->answer);
        wait_free(w);
        a->came(a->arg);
    }
}

/* Resolver being away or full of questions is no answer: the question is put again while somebody waits. */
static void entry_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct entry *entry = arg;
    const struct resolved *r = message;
    enum err err = e == OK ? err_from_wire(r->err) : e;
    (void)fds, (void)n_fds; /* none */
    entry_back(entry);
    if (err == ERR_BUSY)
        entry->dns->busy_at = loop_now(entry->dns->role->loop);
    if ((e == ERR_CLOSED || err == ERR_BUSY) && !list_empty(&entry->waits)) {
        entry->again = true;
        if (!entry->dns->again_set)
            loop_timer_after(&entry->dns->again, DNS_AGAIN_MS);
        entry->dns->again_set = true;
        return;
    }
    entry_settle(entry, err, r);
}

static void entry_send(struct entry *e)
{
    const struct resolve ask = {.name = dns_name_view(&e->name), .type = e->type, .fresh = e->fresh};
    struct judge_dns *d = e->dns;
    enum err err;
    e->asked_at = loop_now(d->role->loop);
    e->open = true;
    e->again = false;
    if (d->sent == DNS_SENT_MAX) {
        entry_answered(e, ERR_BUSY, NULL, NULL, 0);
        return;
    }
    d->facts.asked++;
    err = role_call(d->role, ROLE_RESOLVER, X_RESOLVER_RESOLVE, &ask, NULL, 0, DNS_ASK_MS, entry_answered, e);
    if (err) {
        entry_answered(e, err, NULL, NULL, 0);
        return;
    }
    e->sent = true;
    d->sent++;
}

static void dns_again(void *arg)
{
    struct judge_dns *d = arg;
    d->again_set = false;
    LIST_EACH_SAFE(it, &d->ages)
    {
        struct entry *e = LIST_OF(it, struct entry, age);
        if (e->open && e->again)
            entry_send(e);
    }
}

/* One question of an asker. True: it was answered at once. */
static bool dns_ask_one(struct judge_dns *d, struct judge_asker *a, size_t question, slice name,
                        uint16_t type)
{
    time_ms now = loop_now(d->role->loop);
    struct entry *e = a->late ? NULL : entry_find(d, name, type);
    struct wait *w;
    if (!e) {
        answer_failed(a, question, a->late ? DNS_ANSWER_TIMEOUT : DNS_ANSWER_TEMPFAIL);
        return true;
    }
    entry_use(e);
    if (!e->open && now < e->until && !a->fresh) {
        dns_table_put(a->table, question, &e->answer);
        d->facts.found++;
        return true;
    }
    w = calloc(1, sizeof *w);
    must(w);
    *w = (struct wait){.asker = a, .question = question};
    list_append(&e->waits, &w->of_entry);
    list_append(&a->waits, &w->of_asker);
    if (e->open && now < e->asked_at + DNS_ASK_MS + MS_SECOND)
        return false;
    if (e->open)
        entry_forget(e); /* its answer went with resolver's old channel */
    e->fresh = a->fresh;
    entry_send(e);
    return false;
}

size_t judge_dns_ask(struct judge_dns *d, struct judge_asker *a)
{
    size_t question, answered = 0;
    slice name;
    uint16_t type;
    dns_trim(d);
    while (dns_table_next(a->table, &question, &name, &type))
        answered += dns_ask_one(d, a, question, name, type);
    return answered;
}

void judge_dns_facts(const struct judge_dns *d, struct judge_dns_facts *out)
{
    *out = d->facts;
}
