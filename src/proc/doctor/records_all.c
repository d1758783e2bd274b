/* records_all: the plans of all domains, one after the other, so that ten thousand domains are no storm. */
#include "proc/doctor/records.h"

#include <stdio.h>
#include <stdlib.h>

#define ALL_ARENA ((size_t)24 << 20)

struct records_walk {
    struct doctor *doctor;
    struct arena arena;
    struct doctor_domain *domains;
    size_t n, at;
    enum err err;
    char text[256];
    records_one_fn one;
    records_end_fn end;
    void *arg;
};

static void walk_end(struct records_walk *w)
{
    w->end(w->arg, w->err, slice_str(w->text));
    arena_done(&w->arena);
    free(w);
}

static void walk_fail(struct records_walk *w, enum err e, slice text)
{
    if (w->err)
        return;
    w->err = e;
    snprintf(w->text, sizeof w->text, "%.*s", SLICE_FMT(text));
}

static void walk_one(void *arg, enum err e, slice text, const struct dns_plan_input *input,
                     const struct dns_plan *plan)
{
    struct records_walk *w = arg;
    if (e)
        walk_fail(w, e, text);
    w->one(w->arg, &w->domains[w->at], e, text, input, plan);
    if (++w->at < w->n)
        records_plan(w->doctor, &w->domains[w->at], walk_one, w);
    else
        walk_end(w);
}

static bool walk_keep(struct records_walk *w, const struct doctor_domain *domain)
{
    struct doctor_domain *to = &w->domains[w->n];
    struct settings_value *values = ARENA_ARRAY(&w->arena, domain->n_values, struct settings_value);
    if (!values || !arena_dup(&w->arena, domain->name, &to->name))
        return false;
    for (size_t i = 0; i < domain->n_values; i++)
        if (!arena_dup(&w->arena, domain->values[i].name, &values[i].name) ||
            !arena_dup(&w->arena, domain->values[i].value, &values[i].value))
            return false;
    to->values = values;
    to->n_values = domain->n_values;
    w->n++;
    return true;
}

static void walk_begin(void *arg, enum err e, const struct doctor_domain *domains, size_t n)
{
    struct records_walk *w = arg;
    w->domains = ARENA_ARRAY(&w->arena, n, struct doctor_domain);
    for (size_t i = 0; i < n && !e; i++)
        if (!w->domains || !walk_keep(w, &domains[i]))
            e = ERR_LIMIT;
    if (e)
        walk_fail(w, e, SLICE("directory does not say which domains there are; see posthorn status"));
    if (e || w->n == 0)
        walk_end(w);
    else
        records_plan(w->doctor, &w->domains[0], walk_one, w);
}

void records_all(struct doctor *d, records_one_fn one, records_end_fn end, void *arg)
{
    struct records_walk *w = calloc(1, sizeof *w);
    must(w);
    *w = (struct records_walk){.doctor = d, .one = one, .end = end, .arg = arg};
    arena_init(&w->arena, "all domains", ALL_ARENA);
    doctor_domains(d, (slice){0}, walk_begin, w);
}
