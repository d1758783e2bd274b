/* age: how long our domains have been registered, asked of their registries (RDAP) through role fetcher. */
#ifndef POSTHORN_PROC_DOCTOR_AGE_H
#define POSTHORN_PROC_DOCTOR_AGE_H

#include "policy/doctor/facts.h"
#include "proc/doctor/doctor.h"

/* What is known of a domain of ours (lower-case A-labels), without asking anybody. *out points into the
 * domain's name. False: nothing. */
bool age_fact(struct doctor *d, slice domain, struct facts_age *out);
extern const struct doctor_part doctor_age_part;

#endif
