/* survey: looks at a mail server from outside and fills policy/doctor's facts: the zones of its domains with
 * every name server asked by itself, every port with its certificate, port 25 outward; then examines them.
 * Used by role doctor and, when no server runs, by `posthorn doctor`.
 *
 * How it asks: where a domain's name servers are, a recursive resolver says (the lookup given); what the
 * domain's records are, all its servers are asked directly, in parallel, and their answers compared; names
 * that lie elsewhere, reverse names and DNSSEC proofs come from the recursive resolver again. When none of
 * the servers can be reached from here although the resolver got answers, port 53 outward is closed: the
 * resolver's answers are taken then.
 *
 * Loopback and private addresses are never asked or connected to, unless private_ok (tests) is set: what
 * stands in the DNS is somebody else's word (THREATS 36). Our own addresses, which the administrator wrote
 * down, are always looked at.
 *
 * Limits: SURVEY_SERVERS_MAX servers of a zone; every step has its time limit, a survey about a minute. */
#ifndef POSTHORN_SURVEY_SURVEY_H
#define POSTHORN_SURVEY_SURVEY_H

#include "policy/doctor/examine.h"
#include "survey/port.h"
#include "sys/loop.h"

#define SURVEY_SERVERS_MAX 8
#define SURVEY_OUTWARD_MAX 8
#define SURVEY_PORTS_MAX   64

/* The recursive resolver. */
struct survey_lookup {
    /* Calls fn(fn_arg, answer) once, never before this returns; the answer lives until fn returns. */
    void (*ask)(void *arg, slice name, uint16_t type, void (*fn)(void *fn_arg, const struct dns_answer *a),
                void *fn_arg);
    void *arg;
};

struct survey_outward {
    slice host;    /* a name (its MX is looked up) or an address */
    uint16_t port; /* 25 */
};

struct survey_options {
    struct loop *loop;
    const struct setup *setup; /* lives until the end */
    struct facts facts;        /* what the caller knows: clock, disk, queue, probes */
    struct survey_lookup lookup;
    struct survey_trust *trust; /* NULL: ports are not looked at */
    uint16_t dns_port;          /* 53, where name servers are asked */
    bool private_ok;
    bool before; /* before anything is set up: no ports of ours, examine_before() */
    const struct survey_outward *outward;
    size_t n_outward;
};

/* findings live until fn returns; ERR_LIMIT: too much for the memory of a survey. */
typedef void (*survey_fn)(void *arg, enum err e, const struct findings *findings);

/* fn is called exactly once, never before this returns. */
void survey_run(const struct survey_options *o, survey_fn fn, void *arg);

#endif
