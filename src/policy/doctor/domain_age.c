#include "policy/doctor/domain_age.h"

/* The name above, or empty when that is a top-level domain or there is none. */
static slice age_above(slice name)
{
    slice above = slice_from(name, slice_index(name, '.') + 1);
    return slice_has(above, '.') ? above : (slice){0};
}

/* A day has passed since it was asked about. A time that is far ahead is of a clock that was wrong. */
static bool age_stale(const struct domain_age *a, time_ms now)
{
    return now - a->asked_at >= DOMAIN_AGE_AGAIN || a->asked_at - now > DOMAIN_AGE_AGAIN;
}

/* The day of registration never changes; the end does, and matters when it is near. */
static bool age_changes(const struct domain_age *a, time_ms now)
{
    return !a->registered || (a->expires && a->expires - now < DOMAIN_AGE_SOON);
}

size_t domain_age_names(slice domain, slice out[DOMAIN_AGE_STEPS + 1])
{
    slice name = slice_has(domain, '.') ? domain : (slice){0};
    size_t n = 0;
    for (; name.n && n <= DOMAIN_AGE_STEPS; name = age_above(name))
        out[n++] = name;
    return n;
}

void domain_age_walk(slice domain, domain_age_find find, void *arg, time_ms now, struct domain_age_step *out)
{
    slice names[DOMAIN_AGE_STEPS + 1], stale = {0};
    size_t n = domain_age_names(domain, names);
    *out = (struct domain_age_step){0};
    for (size_t i = 0; i < n; i++) {
        const struct domain_age *a = find(arg, names[i]);
        if (!a) {
            out->ask = names[i];
            return;
        }
        if (a->state == DOMAIN_AGE_KNOWN) {
            out->name = names[i];
            out->known = a;
            if (age_changes(a, now) && age_stale(a, now))
                out->ask = names[i];
            return;
        }
        if (!stale.n && age_stale(a, now))
            stale = names[i];
        if (a->state == DOMAIN_AGE_FAILED)
            break; /* what is above it may be another's */
    }
    out->ask = stale; /* nobody has it so far: perhaps it was registered meanwhile */
}
