/* How long the domain has been registered, and how long it will be: what the registry says of it. What is not
 * known is no finding. */
#include "policy/doctor/examine__.h"
#include "text/date.h"

#define AGE_NEW       (90 * MS_DAY)
#define AGE_VERY_NEW  (14 * MS_DAY)
#define AGE_ENDS      (30 * MS_DAY)
#define AGE_ENDS_SOON (7 * MS_DAY)

/* "2026-11-22": the time of day means nothing here. */
static slice age_day(struct examine *x, time_ms at)
{
    struct buf b CLEANUP(buf_done) = {.max = 64};
    if (date_print_iso(at, &b))
        return (slice){0};
    return examine_keep(x, slice_sub(buf_view(&b), 0, slice_index(buf_view(&b), 'T')));
}

static void age_new(struct examine *x, const struct facts_age *a)
{
    time_ms age = x->facts->now - a->registered;
    struct finding *f;
    if (age >= AGE_NEW || age < -MS_DAY) /* ahead of now: a clock is wrong, ours or theirs */
        return;
    f = examine_found(
        x, FINDING_DOMAIN_NEW, a->name,
        SLICE("Nothing but time mends this. Until then: send little, to people who expect it, and more from "
              "week to week; no newsletters. See that SPF, DKIM and DMARC stay right."),
        (slice){0}, "%.*s was registered on %.*s; to large providers it is new until it is %d days old.",
        SLICE_FMT(a->name), SLICE_FMT(age_day(x, a->registered)), (int)(AGE_NEW / MS_DAY));
    if (age < AGE_VERY_NEW)
        f->severity = FINDING_WARNING;
}

static void age_ends(struct examine *x, const struct facts_age *a)
{
    time_ms left = a->expires - x->facts->now;
    struct finding *f;
    if (left >= AGE_ENDS)
        return;
    f = examine_found(
        x, FINDING_DOMAIN_EXPIRES, a->name,
        SLICE("Renew it where it was registered. If it is renewed there by itself: see that this is switched "
              "on, and that the means of payment and the address they write to are still right."),
        (slice){0},
        left < 0 ? "The registration of %.*s ended on %.*s." : "The registration of %.*s ends on %.*s.",
        SLICE_FMT(a->name), SLICE_FMT(age_day(x, a->expires)));
    if (left < AGE_ENDS_SOON)
        f->severity = FINDING_ERROR;
}

void examine_age(struct examine *x, const struct setup_domain *d)
{
    for (size_t i = 0; i < x->facts->n_ages; i++) {
        const struct facts_age *a = &x->facts->ages[i];
        if (!slice_eq(a->domain, d->name))
            continue;
        if (a->registered)
            age_new(x, a);
        if (a->expires)
            age_ends(x, a);
    }
}
