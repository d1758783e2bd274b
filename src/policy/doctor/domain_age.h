/* domain_age: which name to ask the registry about next, and what is known of a domain of ours.
 *
 * What registries keep is the registrable domain. Where it begins nobody can tell from the name alone, so the
 * domain itself is asked about, and when the registry does not have it, the name above: at most
 * DOMAIN_AGE_STEPS times, and never a top-level domain.
 *
 * Asking is rare: a name at most once a day; never again when the day of registration is known, but for a
 * domain that runs out within DOMAIN_AGE_SOON, until it was renewed. Nothing here is asked, stored or timed:
 * proc/doctor/age.c does that. */
#ifndef POSTHORN_POLICY_DOCTOR_DOMAIN_AGE_H
#define POSTHORN_POLICY_DOCTOR_DOMAIN_AGE_H

#include "base/slice.h"
#include "base/time.h"

#define DOMAIN_AGE_STEPS 2
#define DOMAIN_AGE_AGAIN MS_DAY
#define DOMAIN_AGE_SOON  (30 * MS_DAY) /* before it runs out */

enum domain_age_state {
    DOMAIN_AGE_FAILED, /* nobody answered, or nothing that could be read */
    DOMAIN_AGE_ABSENT, /* the registry does not have that name */
    DOMAIN_AGE_KNOWN,
};

/* What is known of one name. */
struct domain_age {
    enum domain_age_state state;
    time_ms asked_at;            /* Unix ms */
    time_ms registered, expires; /* Unix ms; 0: not said. With DOMAIN_AGE_KNOWN only */
};

/* What is known of a name, or NULL: it was never asked about. */
typedef const struct domain_age *(*domain_age_find)(void *arg, slice name);

struct domain_age_step {
    slice ask;                      /* part of the domain; empty: nothing is to be asked now */
    slice name;                     /* the name that the registry has; empty: not known */
    const struct domain_age *known; /* of that name */
};

/* Where we stand with a domain (lower-case A-labels). */
void domain_age_walk(slice domain, domain_age_find find, void *arg, time_ms now, struct domain_age_step *out);
/* All names that the walk of a domain may come to, parts of it, into out[]. How many. For who throws away
 * what is not needed. */
size_t domain_age_names(slice domain, slice out[DOMAIN_AGE_STEPS + 1]);

#endif
