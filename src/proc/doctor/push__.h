/* What the files of push share. Nobody else includes it.
 *
 * push.c talks to the name server; push_judge.c decides what is to change. */
#ifndef POSTHORN_PROC_DOCTOR_PUSH__H
#define POSTHORN_PROC_DOCTOR_PUSH__H

#include "core/dns/dns_tsig.h"
#include "proc/doctor/dns_talk.h"
#include "proc/doctor/push.h"
#include "proc/doctor/retired.h"

#define PUSH_SETS    256
#define PUSH_ZONES   256
#define PUSH_CHANGES 1024

/* All planned records of one name and type, and what is there. */
struct push_set {
    const struct dns_plan_record *want; /* the first is there even when none is wanted */
    size_t n_want;
    const struct retired *gone; /* no record is wanted: the key is gone, and what it left is to go; a copy */
    struct dns_name at;         /* where its zone is looked for next */
    const struct dns_name *zone;
    const slice *have;
    size_t n_have;
    bool alias;          /* the name is a CNAME, and none is planned */
    bool referred;       /* the server hands the name on to other servers */
    const slice *beside; /* TXT records where a CNAME is planned */
    size_t n_beside;
    bool unknown; /* the server does not say what is there */
    bool looked, looked_beside, undone;
    size_t first_change, n_changes; /* in changes: those that change something */
};

/* A name that was asked for its SOA. */
struct push_zone {
    struct dns_name name;
    bool is;
};

struct push {
    struct doctor *doctor;
    struct arena arena;
    struct dns_tsig_key key;
    struct dns_talk *talk;
    struct dns_name host, zone;
    struct push_set sets[PUSH_SETS];
    size_t n_sets;
    struct push_zone zones[PUSH_ZONES];
    size_t n_zones;
    struct push_change changes[PUSH_CHANGES];
    size_t n_changes, added, removed, kept;
    struct push_set *now; /* asked for at the moment */
    struct dns_name asked;
    uint16_t asked_type;
    size_t updating; /* zones up to here are done */
    bool dry, force, full;
    struct ip ip;
    uint16_t port;
    slice domain;
    enum err failed; /* of the first zone that was not changed; words say why */
    char words[400];
    push_fn fn;
    void *arg;
    struct loop_task end;
    enum err err;
    char text[512];
};

/* What was seen of a set (have, alias, referred, beside, unknown, zone) against what is planned for it: adds
 * to p->changes and fills in s->first_change and s->n_changes, by push.h's rules on what is ours. */
void push__judge(struct push *p, struct push_set *s);

#endif
