/* ask: the questions of a dns_table, put to resolver in parallel. */
#include "proc/doctor/doctor.h"

#include "ipc/x_resolver.h"

#include <stdlib.h>

#define ASK_MS (20 * MS_SECOND)

struct ask {
    struct dns_table *table;
    size_t open;
    void (*fn)(void *arg);
    void *arg;
    struct loop_task end;
};

struct ask_one {
    struct ask *ask;
    size_t question;
};

static void ask_end(void *arg)
{
    struct ask a = *(struct ask *)arg;
    free(arg);
    a.fn(a.arg);
}

static void ask_put(struct dns_table *t, size_t question, enum err e, const struct resolved *m)
{
    slice rdata[DNS_TABLE_RRS_MAX];
    struct dns_answer answer = {.status = x_resolver_status(e)};
    if (m && (e == OK || e == ERR_NOT_FOUND)) {
        answer.secure = m->secure;
        answer.ttl_s = m->ttl;
    }
    if (m && e == OK) {
        answer.n = size_min(m->n_rrs, DNS_TABLE_RRS_MAX);
        answer.rdata = rdata;
        for (size_t i = 0; i < answer.n; i++)
            rdata[i] = m->rrs[i].rdata;
    }
    dns_table_put(t, question, &answer);
}

static void ask_answered(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct ask_one *one = arg;
    struct ask *a = one->ask;
    const struct resolved *m = message;
    (void)fds, (void)n_fds;
    if (!e)
        e = err_from_wire(m->err);
    ask_put(a->table, one->question, e, m);
    free(one);
    if (--a->open == 0)
        ask_end(a);
}

void doctor_ask(struct doctor *d, struct dns_table *table, bool fresh, void (*fn)(void *arg), void *arg)
{
    struct ask *a = calloc(1, sizeof *a);
    size_t question;
    struct resolve m = {.fresh = fresh};
    must(a);
    *a = (struct ask){.table = table, .fn = fn, .arg = arg};
    while (dns_table_next(table, &question, &m.name, &m.type)) {
        struct ask_one *one = malloc(sizeof *one);
        enum err e;
        must(one);
        *one = (struct ask_one){a, question};
        e = role_call(d->role, ROLE_RESOLVER, X_RESOLVER_RESOLVE, &m, NULL, 0, ASK_MS, ask_answered, one);
        if (e) {
            free(one);
            ask_put(table, question, e, NULL);
        } else {
            a->open++;
        }
    }
    if (a->open)
        return;
    loop_task_init(&a->end, ask_end, a);
    loop_later(d->role->loop, &a->end);
}
