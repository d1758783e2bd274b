/* domains: every domain of ours and how it is set, asked of directory: the names page by page, then each
 * domain's settings. */
#include "proc/doctor/doctor.h"

#include "sys/clock.h"

#include <stdlib.h>

#define DOMAINS_MS        (20 * MS_SECOND)
#define DOMAINS_ARENA     ((size_t)16 << 20)
#define DOMAINS_AT_A_TIME 16

struct domains_ask {
    struct doctor *doctor;
    struct arena arena;
    struct doctor_domain *domains;
    size_t n, room;
    size_t sent, open; /* settings asked for, and not answered yet */
    enum err err;
    bool names_only;
    doctor_domains_fn fn;
    void *arg;
    struct loop_task end;
};

/* One question for settings. */
struct domains_one {
    struct domains_ask *ask;
    struct doctor_domain *domain;
};

slice doctor_domain_setting(const struct doctor_domain *domain, const char *name, slice fallback)
{
    for (size_t i = 0; i < domain->n_values; i++)
        if (slice_eq(domain->values[i].name, slice_str(name)))
            return domain->values[i].value;
    return fallback;
}

static int domains_order(const void *a, const void *b)
{
    return slice_cmp(((const struct doctor_domain *)a)->name, ((const struct doctor_domain *)b)->name);
}

static void domains_end(void *arg)
{
    struct domains_ask *a = arg;
    if (a->names_only && a->n)
        qsort(a->domains, a->n, sizeof *a->domains, domains_order);
    a->fn(a->arg, a->err, a->domains, a->err ? 0 : a->n);
    arena_done(&a->arena);
    free(a->domains);
    free(a);
}

static void domains_over(struct domains_ask *a, enum err e)
{
    if (!a->err)
        a->err = e;
    if (!a->open)
        loop_later(a->doctor->role->loop, &a->end);
}

static void domains_settings(struct domains_ask *a);

static enum err domains_keep(struct domains_ask *a, struct doctor_domain *to, const struct settings_domain *m)
{
    struct settings_value *values = ARENA_ARRAY(&a->arena, m->n_values, struct settings_value);
    if (!values)
        return ERR_LIMIT;
    for (size_t i = 0; i < m->n_values; i++)
        if (!arena_dup(&a->arena, m->values[i].name, &values[i].name) ||
            !arena_dup(&a->arena, m->values[i].value, &values[i].value))
            return ERR_LIMIT;
    to->values = values;
    to->n_values = m->n_values;
    return OK;
}

static void domains_set(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct domains_one *one = arg;
    struct domains_ask *a = one->ask;
    const struct settings_domain *m = message;
    (void)fds, (void)n_fds;
    a->open--;
    if (!e)
        e = err_from_wire(m->err);
    if (!e)
        e = domains_keep(a, one->domain, m);
    free(one);
    if (e || a->err)
        domains_over(a, e ? e : a->err);
    else
        domains_settings(a);
}

static void domains_settings(struct domains_ask *a)
{
    while (a->sent < a->n && a->open < DOMAINS_AT_A_TIME) {
        struct domains_one *one = malloc(sizeof *one);
        struct settings_domain_ask m = {a->domains[a->sent].name};
        enum err e;
        must(one);
        *one = (struct domains_one){a, &a->domains[a->sent++]};
        e = role_call(a->doctor->role, ROLE_DIRECTORY, X_SETTINGS_DOMAIN_ASK, &m, NULL, 0, DOMAINS_MS,
                      domains_set, one);
        if (e) {
            free(one);
            domains_over(a, e);
            return;
        }
        a->open++;
    }
    if (!a->open)
        domains_over(a, OK);
}

static enum err domains_add(struct domains_ask *a, slice name)
{
    if (a->n == DOCTOR_DOMAINS_MAX)
        return ERR_LIMIT;
    if (a->n == a->room) {
        a->room = a->room ? 2 * a->room : 64;
        a->domains = realloc(a->domains, a->room * sizeof *a->domains);
        must(a->domains);
    }
    a->domains[a->n] = (struct doctor_domain){0};
    if (!arena_dup(&a->arena, name, &a->domains[a->n].name))
        return ERR_LIMIT;
    a->n++;
    return OK;
}

static enum err domains_page(struct domains_ask *a, slice after);

static void domains_came(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct domains_ask *a = arg;
    const struct settings_domains *m = message;
    (void)fds, (void)n_fds;
    if (!e)
        e = err_from_wire(m->err);
    for (size_t i = 0; !e && i < m->n_domains; i++)
        e = domains_add(a, m->domains[i].name);
    if (!e && m->more && a->n)
        e = domains_page(a, a->domains[a->n - 1].name);
    else if (!e) {
        if (a->names_only)
            domains_over(a, OK);
        else
            domains_settings(a);
        return;
    }
    if (e)
        domains_over(a, e);
}

static enum err domains_page(struct domains_ask *a, slice after)
{
    struct settings_domains_ask m = {after};
    return role_call(a->doctor->role, ROLE_DIRECTORY, X_SETTINGS_DOMAINS_ASK, &m, NULL, 0, DOMAINS_MS,
                     domains_came, a);
}

static struct domains_ask *domains_begin(struct doctor *d, doctor_domains_fn fn, void *arg)
{
    struct domains_ask *a = calloc(1, sizeof *a);
    must(a);
    a->doctor = d;
    a->fn = fn;
    a->arg = arg;
    arena_init(&a->arena, "domains", DOMAINS_ARENA);
    loop_task_init(&a->end, domains_end, a);
    return a;
}

void doctor_domain_names(struct doctor *d, doctor_domains_fn fn, void *arg)
{
    struct domains_ask *a = domains_begin(d, fn, arg);
    enum err e = domains_page(a, (slice){0});
    a->names_only = true;
    if (e)
        domains_over(a, e);
}

void doctor_domains(struct doctor *d, slice only, doctor_domains_fn fn, void *arg)
{
    struct domains_ask *a = domains_begin(d, fn, arg);
    enum err e = only.n ? domains_add(a, only) : domains_page(a, (slice){0});
    if (e)
        domains_over(a, e);
    else if (only.n)
        domains_settings(a);
}
