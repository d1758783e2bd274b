/* gather: what a check begins with: the setup (our domains with their keys and settings, our addresses and
 * ports, the resolvers) and the facts that only this house knows (queue, disk, clock, probes). */
#ifndef POSTHORN_PROC_DOCTOR_GATHER_H
#define POSTHORN_PROC_DOCTOR_GATHER_H

#include "policy/doctor/facts.h"
#include "proc/doctor/doctor.h"

#define GATHER_DOMAINS_MAX 256 /* are checked; of a house with more the first, in order of their names */
#define GATHER_SILENT_MAX  8
#define GATHER_PROBES_MAX  32

struct gathered {
    struct arena *arena;
    struct setup setup;
    struct facts facts;
    struct setup_domain *domains;
    struct doctor_domain *settings; /* of the same domains */
    struct facts_age *ages;         /* of those that something is known of */
    slice silent[GATHER_SILENT_MAX];
    struct facts_probe probes[GATHER_PROBES_MAX];
};

/* Fills *out, all of it in the arena, which outlives it; only: one domain, or empty for all. fn is called
 * exactly once, never before this returns: ERR_NOT_FOUND: only is not ours. */
void gather(struct doctor *d, struct arena *arena, slice only, struct gathered *out,
            void (*fn)(void *arg, enum err e), void *arg);
/* Before the lock-in: reads which resolvers this machine asks. */
void gather_prepare(struct role_self *role);

#endif
