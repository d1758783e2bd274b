/* dns: the judge's questions to the DNS: asked once however many messages want the answer, and kept for a
 * little while, so that a busy sender costs no round trips and name servers that are dead do not hold up
 * every message.
 *
 * What it is: one bounded table of questions, open and answered. What it is not: the cache of the DNS;
 * resolver has that, and with it the truth about TTLs. Answers stay DNS_KEEP_MS at most, failures
 * DNS_KEEP_FAILED_MS.
 *
 * A message is an asker. When answers came it is called back, not inside the call in which it asked. When
 * time is up it gives up: what is open is answered DNS_ANSWER_TIMEOUT, and what it asks later too.
 *
 * Limits: DNS_ENTRIES_MAX questions, DNS_BYTES_MAX of answers; the ones used longest ago go first. While
 * resolver is away or full a question waits for it, as long as its askers do; resolver has DNS_SENT_MAX of
 * ours at a time, so that strangers with slow name servers leave it room for the questions of others. */
#ifndef POSTHORN_PROC_JUDGE_DNS_H
#define POSTHORN_PROC_JUDGE_DNS_H

#include "base/list.h"
#include "core/dns/dns_table.h"
#include "ipc/role.h"

#define DNS_ENTRIES_MAX    8192
#define DNS_SENT_MAX       768 /* resolver takes 1,024 of all who ask */
#define DNS_BYTES_MAX      ((size_t)8 << 20)
#define DNS_KEEP_MS        (60 * MS_SECOND)
#define DNS_KEEP_LEAST_MS  (1 * MS_SECOND) /* also with TTL 0: a burst of mail asks once */
#define DNS_KEEP_FAILED_MS (5 * MS_SECOND)
#define DNS_ASK_MS         (10 * MS_SECOND) /* for one message, all of its questions */
#define DNS_ASK_SILENT_MS  (4 * MS_SECOND)  /* the same when nothing at all was answered since it began */
/* The same when that was so for a message before. Not shorter: a stranger whose own names say nothing can
 * bring this about on a quiet server, and what he sends next must not find the honest names too slow. */
#define DNS_ASK_DEAD_MS (1 * MS_SECOND)

struct judge_dns;

struct judge_asker {
    struct dns_table *table;
    void (*came)(void *arg); /* some answers are there */
    void *arg;
    struct list waits; /* inside */
    bool late;         /* gave up */
    bool fresh;        /* set after init: nothing out of a cache, ours or resolver's */
};

struct judge_dns *judge_dns_new(struct role_self *role);
void judge_dns_free(struct judge_dns **d);
void judge_asker_init(struct judge_asker *a, struct dns_table *table, void (*came)(void *arg), void *arg);
/* Sends what the table noted. The number of questions that were answered at once: when it is not 0 the core
 * can be run again at once. */
size_t judge_dns_ask(struct judge_dns *d, struct judge_asker *a);
/* Time is up. */
void judge_dns_give_up(struct judge_dns *d, struct judge_asker *a);
/* It waits for nothing any more; before its table goes. */
void judge_asker_done(struct judge_asker *a);
/* Until when a message that began then should wait for the DNS, as it looks now. */
time_ms judge_dns_until(const struct judge_dns *d, time_ms began_at);

/* Was anything answered since then, to whomever? Resolver having no room for questions counts too: who fills
 * it up (a few messages whose SPF records ask slow servers) must not make it look dead. */
bool judge_dns_works(const struct judge_dns *d, time_ms since);

struct judge_dns_facts {
    uint64_t asked, found; /* questions that went to resolver; answered from here */
    size_t kept, bytes;
};
void judge_dns_facts(const struct judge_dns *d, struct judge_dns_facts *out);

#endif
