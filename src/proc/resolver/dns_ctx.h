/* dns_ctx: a validating resolver made of libunbound, as questions and answers.
 *
 * What it is: the cache, DNSSEC, the choice of servers, with our settings. What it is not: a channel or a
 * role; the tests use it with their own loop. libunbound draws ports and ids at random, varies the case of
 * names (0x20), keeps to the bailiwick and limits the work of one answer (THREATS 28); what it hands over is
 * read by core/dns (THREATS 10).
 *
 * Where it asks:
 *     forward given      there, and nowhere else
 *     else resolv.conf   the servers named there; an answer that fails or does not validate is asked for once
 * more by own recursion from the root, since many home routers cut DNSSEC off else               from the
 * root What it trusts: anchors given      those, strictly: what does not validate below them is ERR_DNS_BOGUS
 *     else               the root's keys; strictly, except with forward, where what does not validate counts
 * as insecure, because the administrator chose whom to trust
 *
 * Limits: DNS_CTX_OPEN_MAX questions at a time (more: ERR_BUSY), caches of about 4 MB. */
#ifndef POSTHORN_PROC_RESOLVER_DNS_CTX_H
#define POSTHORN_PROC_RESOLVER_DNS_CTX_H

#include "base/arena.h"
#include "core/dns/dns_packet.h"

#define DNS_CTX_OPEN_MAX 1024
#define DNS_CTX_RRS_MAX  250

struct dns_ctx;
struct loop;

struct dns_ctx_options {
    const slice *forwards; /* "192.0.2.1:53", "[2001:db8::1]:53" */
    size_t n_forwards;
    slice resolv_conf; /* the text of the file, or empty; counts without forwards */
    slice anchors;     /* DS or DNSKEY records, one a line; empty: the root's */
};

/* Before the lock-in: whatever libunbound reads, it reads here. ERR_CONFIG with detail when a setting is
 * wrong. */
NODISCARD enum err dns_ctx_new(const struct dns_ctx_options *o, struct dns_ctx **out,
                               struct err_detail *detail);
/* After the loop is there and before the first question. */
void dns_ctx_start(struct dns_ctx *c, struct loop *loop);

struct dns_ctx_answer {
    enum err err; /* OK (perhaps without records), ERR_NOT_FOUND, ERR_DNS, ERR_DNS_BOGUS, ERR_BUSY */
    bool secure;
    struct dns_packet_answer packet; /* when err is OK or ERR_NOT_FOUND */
    const char *why;                 /* words, when it failed; else "" */
};
/* Called once for each question, perhaps before dns_ctx_ask() returns. The answer lives until it returns. */
typedef void (*dns_ctx_fn)(void *arg, const struct dns_ctx_answer *answer);
void dns_ctx_ask(struct dns_ctx *c, const struct dns_name *name, uint16_t type, dns_ctx_fn fn, void *arg);
/* The same, but nothing comes out of our cache (what is kept is thrown away after a second), and, unless
 * forward was given, the servers that know are asked by own recursion; resolv.conf's only when that fails.
 * For doctor, which wants to see a record the moment it was mended. */
void dns_ctx_ask_fresh(struct dns_ctx *c, const struct dns_name *name, uint16_t type, dns_ctx_fn fn,
                       void *arg);

struct dns_ctx_facts {
    uint64_t asked, failed, bogus;
    size_t open;
};
void dns_ctx_facts(const struct dns_ctx *c, struct dns_ctx_facts *out);

#endif
