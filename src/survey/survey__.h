/* What the files of survey share. */
#ifndef POSTHORN_SURVEY_SURVEY__H
#define POSTHORN_SURVEY_SURVEY__H

#include "survey/dns.h"
#include "survey/survey.h"

struct survey_zone {
    struct survey *survey;
    struct facts_zone *fact;
    struct facts_server servers[SURVEY_SERVERS_MAX];
    size_t n_servers;
    bool usable; /* a server answered for it */
    struct ip parents[2];
    size_t n_parents;
    size_t open;
    /* what servers and the zone above say: names, sorted */
    struct dns_name parent_ns[SURVEY_DNS_NS_MAX], child_ns[SURVEY_DNS_NS_MAX];
    size_t n_parent_ns, n_child_ns;
    struct facts_disagreement disagreements[16];
    size_t n_disagreements;
    bool resolver_knows; /* the resolver got an answer about it */
};

#define SURVEY_SILENT 3 /* questions, none of them answered: the DNS is dead */

struct survey {
    struct survey_options o;
    struct arena arena;          /* facts, answers */
    struct arena scratch;        /* of one examination */
    struct dns_table finding;    /* questions to find the servers */
    struct dns_table dns;        /* the examination's */
    size_t open;                 /* things under way */
    bool v4, v6;                 /* this machine has a way to such addresses */
    size_t answered, unanswered; /* questions to the recursive resolver */
    struct survey_zone *zones;
    size_t n_zones;
    struct facts_zone *zone_facts;
    struct facts_port *ports;
    size_t n_ports;
    struct facts_outward outward[SURVEY_OUTWARD_MAX];
    enum { SURVEY_FINDING, SURVEY_LOOKING, SURVEY_EXAMINING } phase;
    bool failed;
    struct loop_task step;
    survey_fn fn;
    void *arg;
};

/* May this address be asked? */
bool survey_allowed(const struct survey *s, const struct ip *ip);
/* One thing more is under way / done; at the last one the survey goes on. */
void survey_begin(struct survey *s);
void survey_done(struct survey *s);
/* Sends what a table noted to the recursive resolver. When that has not answered anything at all so far, the
 * rest is not asked: a dead DNS costs one wait, not one for each round. */
void survey_resolve(struct survey *s, struct dns_table *t);

/* zone.c: notes in s->finding what it must know of the zones; true when all of it is there. */
bool survey_zones_find(struct survey *s);
/* Asks each server and the zone above. */
void survey_zones_look(struct survey *s);
/* Fills the facts. */
void survey_zones_end(struct survey *s);
/* Answers a question of s->dns by the servers of its zone; false: it lies in no zone of ours. */
bool survey_zone_ask(struct survey *s, size_t question, slice name, uint16_t type);

#endif
