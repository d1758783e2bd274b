/* gather: what a check begins with: the setup (our domains with their keys and settings, our addresses and
 * ports, the resolvers) and the facts that only this house knows (queue, disk, clock, probes). */
#ifndef POSTHORN_PROC_DOCTOR_GATHER_H
#define POSTHORN_PROC_DOCTOR_GATHER_H

#include "policy/doctor/facts.h"
#include "proc/doctor/doctor.h"

#define GATHER_DOMAINS_MAX 64 /* at a time; a round of more domains is several parts (check.c) */
#define GATHER_PUSHES_MAX  256
#define GATHER_SILENT_MAX  8
#define GATHER_PROBES_MAX  32

struct gathered {
    struct arena *arena;
    struct setup setup;
    struct facts facts;
    struct setup_domain *domains;
    struct facts_age *ages; /* of those that something is known of */
    slice silent[GATHER_SILENT_MAX];
    struct facts_probe probes[GATHER_PROBES_MAX];
};

/* Fills *out, all of it in the arena, which outlives it, for these domains of ours (at most
 * GATHER_DOMAINS_MAX; names live until fn is called). One that is not ours any more is left out. house: also
 * what is said of the server itself. fn is called exactly once, never before this returns. */
void gather(struct doctor *d, struct arena *arena, const slice *names, size_t n, bool house,
            struct gathered *out, void (*fn)(void *arg, enum err e), void *arg);
/* Before the lock-in: reads which resolvers this machine asks. */
void gather_prepare(struct role_self *role);

#endif
