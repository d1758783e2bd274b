/* dns_talk: one signed conversation with a name server over TCP: a request, its answer, the next request. The
 * connection is made with the first request. Each answer's signature is checked before anybody sees it. */
#ifndef POSTHORN_PROC_DOCTOR_DNS_TALK_H
#define POSTHORN_PROC_DOCTOR_DNS_TALK_H

#include "base/ip.h"
#include "core/dns/dns_tsig.h"
#include "sys/loop.h"

#define DNS_TALK_MS (10 * MS_SECOND) /* for each answer */

struct dns_talk;

/* key has to outlive the talk. */
struct dns_talk *dns_talk_new(struct loop *loop, const struct ip *ip, uint16_t port,
                              const struct dns_tsig_key *key);
void dns_talk_free(struct dns_talk **t);
/* e is OK: answer is a signed answer with this RCODE, and lives until fn returns. Else text is a sentence for
 * people, and the talk is of no more use. fn may free the talk or ask again. */
typedef void (*dns_talk_fn)(void *arg, enum err e, const char *text, slice answer, uint8_t rcode);
/* Signs the message (which is spoilt by it) and sends it. One request at a time. fn is called once, never
 * before this returns, unless the talk is freed first. */
void dns_talk_ask(struct dns_talk *t, struct buf *message, dns_talk_fn fn, void *arg);

#endif
