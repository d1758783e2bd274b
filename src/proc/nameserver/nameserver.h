/* nameserver: the process that answers for the one zone that was delegated to us.
 *
 * It holds the zone that doctor gave it last (core/dns/dns_serve) and the sockets the supervisor bound, and
 * nothing else. Until the zone is there it answers SERVFAIL, so that nobody remembers a wrong "no such name".
 *
 * Limits: UDP answers by core/dns/dns_rate; NAMESERVER_CONNS connections, NAMESERVER_CONNS_BLOCK of one
 * network, each idle for NAMESERVER_IDLE_MS at most. */
#ifndef POSTHORN_PROC_NAMESERVER_NAMESERVER_H
#define POSTHORN_PROC_NAMESERVER_NAMESERVER_H

#include "core/dns/dns_rate.h"
#include "core/dns/dns_serve.h"
#include "ipc/role.h"

#define NAMESERVER_LISTENERS   4
#define NAMESERVER_CONNS       100
#define NAMESERVER_CONNS_BLOCK 10
#define NAMESERVER_IDLE_MS     (10 * MS_SECOND)

struct nameserver;

struct nameserver_socket {
    struct nameserver *server;
    int fd;
    struct loop_io io;
};

struct nameserver {
    struct role_self *role;
    struct dns_name origin, host;
    struct dns_serve_zone *zone;
    /* the zone that is coming in, page by page */
    struct arena coming;
    struct dns_serve_record *records;
    size_t n_records, room;
    struct dns_rate rate;
    struct nameserver_socket udp[NAMESERVER_LISTENERS], tcp[NAMESERVER_LISTENERS];
    struct buf out;
    struct list conns; /* tcp.c */
    size_t n_conns;
    uint64_t answered, dropped, refused; /* refused: connections over a limit */
};

extern const struct rights nameserver_rights;
extern const struct role_spec nameserver_spec;

/* tcp.c: takes connections from s. */
void nameserver_tcp_ready(void *arg, unsigned ready);

#endif
