#include "policy/doctor/rounds.h"

size_t rounds_rest(size_t n)
{
    size_t share = (n + ROUNDS_A_DAY - 1) / ROUNDS_A_DAY;
    return share > ROUNDS_REST ? share : ROUNDS_REST;
}

/* The first domain behind this name, n for none. */
static size_t rounds_behind(const struct rounds_domain *d, size_t n, slice after)
{
    size_t from = 0, to = n;
    while (after.n && from < to) {
        size_t half = from + (to - from) / 2;
        if (slice_cmp(d[half].name, after) <= 0)
            from = half + 1;
        else
            to = half;
    }
    return from;
}

size_t rounds_choose(struct rounds_domain *d, size_t n, slice after, size_t rest, slice *out_last)
{
    size_t chosen = 0, wrong = 0, taken = 0, first = rounds_behind(d, n, after);
    *out_last = after;
    for (size_t i = 0; i < n; i++) {
        d[i].chosen = d[i].always;
        chosen += d[i].always;
    }
    for (size_t i = 0; i < n && wrong < ROUNDS_WRONG; i++) {
        struct rounds_domain *at = &d[(first + i) % n];
        if (!at->wrong || at->chosen)
            continue;
        at->chosen = true;
        wrong++;
    }
    for (size_t i = 0; i < n && taken < rest; i++) {
        struct rounds_domain *at = &d[(first + i) % n];
        taken += !at->chosen;
        at->chosen = true;
        *out_last = at->name;
    }
    return chosen + wrong + taken;
}

struct rounds_domain *rounds_find(struct rounds_domain *d, size_t n, slice name)
{
    size_t at = rounds_behind(d, n, name);
    return name.n && at > 0 && slice_eq(d[at - 1].name, name) ? &d[at - 1] : NULL;
}
