/* records: what policy/dns_plan needs to know, gathered: a domain's settings, its DKIM keys and the TLS
 * certificates from keys, listeners and addresses from the configuration, what included SPF records cost.
 *
 * Also the part of doctor that answers `posthorn dns`. */
#ifndef POSTHORN_PROC_DOCTOR_RECORDS_H
#define POSTHORN_PROC_DOCTOR_RECORDS_H

#include "policy/dns_plan.h"
#include "proc/doctor/doctor.h"

/* input and plan live until fn returns. When e is not OK they are NULL and text says why (a plan without the
 * keys would be a wrong plan, so a keys process that is down is an error). */
typedef void (*records_fn)(void *arg, enum err e, slice text, const struct dns_plan_input *input,
                           const struct dns_plan *plan);
/* The plan for a domain (the values are copied). fn is called exactly once, never before this returns. */
void records_plan(struct doctor *d, const struct doctor_domain *domain, records_fn fn, void *arg);

/* The plans of all domains, one after the other. one is called for each, with what records_plan() gives; then
 * end, once, with the first error there was (also one of asking for the domains). */
typedef void (*records_one_fn)(void *arg, const struct doctor_domain *domain, enum err e, slice text,
                               const struct dns_plan_input *input, const struct dns_plan *plan);
typedef void (*records_end_fn)(void *arg, enum err e, slice text);
void records_all(struct doctor *d, records_one_fn one, records_end_fn end, void *arg);

/* {"name":"value" and so on: appends ,"name":"value" with what is not printable ASCII escaped. */
void records_string(struct buf *b, const char *name, slice value);

#endif
