/* push: makes the records of a domain in the DNS equal to its plan, by RFC 2136, changing only what is ours.
 *
 * A job goes through: zones (which zone keeps each name: SOA, label by label upwards), look (what is there
 * now), update (one message a zone, with what was seen as its condition, so that nothing that somebody
 * changed meanwhile is lost).
 *
 * What is ours and may be replaced: TXT of the plan's kind that names our report address (DMARC, TLS-RPT),
 * the record of a key we had (retired.h), an SPF record from which nothing but addresses would be lost; SRV
 * and MX that lead to this host, CNAME into our zone, TLSA of our ports. All else stays and is told, unless
 * force: a key under our selector that we never had is another server's, which may sign with it. Where two
 * cannot stand side by side (a second SPF record breaks both) ours is not added then. Records of keys that
 * are gone are taken away.
 *
 * A zone that does not take its update does not hold up the others; the push has failed then, and says which
 * zone it was. Each zone changes as a whole or not at all. */
#ifndef POSTHORN_PROC_DOCTOR_PUSH_H
#define POSTHORN_PROC_DOCTOR_PUSH_H

#include "policy/dns_plan.h"
#include "policy/doctor/facts.h"
#include "proc/doctor/doctor.h"

enum push_action { PUSH_ADD, PUSH_REMOVE, PUSH_KEEP };
struct push_change {
    enum push_action action;
    struct dns_name name;
    uint16_t type;
    uint32_t ttl_s;
    slice rdata;
    slice text; /* why it is kept, else empty */
};

struct push_result {
    enum err err;
    const char *text; /* a sentence: what was done, or what failed */
    const struct push_change *changes;
    size_t n;
};
typedef void (*push_fn)(void *arg, const struct push_result *result);
/* Runs a job for a plan (copied). fn is called once, never before this returns. ERR_CONFIG in the result:
 * there is no dns-update line. */
void push_run(struct doctor *d, const struct dns_plan_input *input, const struct dns_plan *plan, bool dry,
              bool force, push_fn fn, void *arg);

/* The domains whose last automatic push failed, at most max of them. The text lives in the arena; fewer at
 * its cap. */
size_t push_failures(struct arena *a, struct facts_push *out, size_t max);

#endif
