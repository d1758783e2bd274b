/* dns_kit: a DNS made of zone text, for tests of cores that are functions of a dns_table.
 *
 *     struct dns_kit k;
 *     dns_kit_start(&k, "example.org TXT \"v=spf1 -all\"\n");
 *     while ((step = spf_check(&ask, &k.table, &k.arena, &r)) == AUTH_WAIT)
 *         assert_true(dns_kit_answer(&k)); */
#ifndef POSTHORN_TEST_LIB_DNS_KIT_H
#define POSTHORN_TEST_LIB_DNS_KIT_H

#include "core/dns/dns_table.h"
#include "core/dns/dns_zone_text.h"

/* Answers all questions that were noted, from a zone; how many. Answers lie in the arena. */
size_t dns_kit_answer_from(const struct dns_zone *zone, struct dns_table *table, struct arena *arena);

struct dns_kit {
    struct arena arena, answers;
    struct dns_zone zone;
    struct dns_table table;
    unsigned rounds, asked;
    /* When set, it may change an answer before it is put in. */
    void (*change)(struct dns_kit *k, slice name, uint16_t type, struct dns_answer *answer);
    const void *arg;
};

/* Ends the process when the text is no zone. */
void dns_kit_start(struct dns_kit *k, const char *zone_text);
/* The same zone, a table without answers. */
void dns_kit_again(struct dns_kit *k);
void dns_kit_done(struct dns_kit *k);
/* Answers all questions that were noted. False: there was none, so the core would wait for ever. */
bool dns_kit_answer(struct dns_kit *k);

#endif
