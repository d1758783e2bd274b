/* survey/dns: one DNS question to one server, over UDP and, when the answer was cut, over TCP; read by
 * core/dns. Not a resolver: it follows nothing and keeps nothing.
 *
 * Each question has a socket, a port and an id of its own, and an answer counts only from the address that
 * was asked (THREATS 28). Time: two tries of SURVEY_DNS_UDP_MS, then SURVEY_DNS_TCP_MS. At most
 * SURVEY_DNS_AT_A_TIME are under way in a process; others wait for their turn. */
#ifndef POSTHORN_SURVEY_DNS_H
#define POSTHORN_SURVEY_DNS_H

#include "core/dns/dns_packet.h"
#include "sys/loop.h"

#define SURVEY_DNS_UDP_MS    1500
#define SURVEY_DNS_TCP_MS    4000
#define SURVEY_DNS_NS_MAX    16
#define SURVEY_DNS_AT_A_TIME 96

struct survey_dns_reply {
    bool authoritative;                    /* AA */
    bool validated;                        /* AD */
    struct dns_packet_answer answer;       /* its rcode too */
    struct dns_name ns[SURVEY_DNS_NS_MAX]; /* NS records of the authority section: a referral */
    size_t n_ns;
    struct dns_name ns_owner;
};

/* Reads one answer; *out is set with OK only, and lies in the arena. out_cut: TC is set, so that what is here
 * may not be all; it is set also with ERR_SYNTAX. ERR_AGAIN: no answer to this question. ERR_SYNTAX,
 * ERR_LIMIT: as dns_packet_parse(). The referral (ns) is what could be read of it. */
NODISCARD enum err survey_dns_read(slice message, uint16_t asked_id, const struct dns_name *asked,
                                   uint16_t asked_type, struct arena *arena, struct survey_dns_reply *out,
                                   bool *out_cut);

/* reply is NULL unless e is OK; it lives until the callback returns. ERR_TIMEOUT, ERR_CONNECT, ERR_SYNTAX. */
typedef void (*survey_dns_fn)(void *arg, enum err e, const struct survey_dns_reply *reply);

/* A UDP socket connected to the address. ERR_CONNECT: there is no way to it from this machine. */
NODISCARD enum err survey_dns_socket(const struct ip *ip, uint16_t port, int *out_fd);

/* recurse: sets RD, for a resolver. fn is called exactly once, never before this returns. */
void survey_dns_ask(struct loop *loop, const struct ip *server, uint16_t port, const struct dns_name *name,
                    uint16_t type, bool recurse, survey_dns_fn fn, void *arg);

#endif
