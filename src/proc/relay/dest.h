/* dest: one next hop: a domain and the hosts that take its mail, or a fixed host of the configuration. It
 * holds the deliveries that wait for it and the sessions that serve them.
 *
 * Who may be connected to: a route leads anywhere, it is the administrator's word; what the DNS says leads to
 * public addresses only (THREATS 36), and never back to ourselves (RFC 5321 §5.1). */
#ifndef POSTHORN_PROC_RELAY_DEST_H
#define POSTHORN_PROC_RELAY_DEST_H

#include "core/dns/dns_mx.h"
#include "proc/relay/job.h"

#define DEST_SESSIONS_MAX 10
#define DEST_HOSTS_MAX    12 /* addresses that one session tries */
#define DEST_MX_MAX       6  /* mail hosts whose addresses are looked up */
#define DEST_FAILURES_MAX 5  /* sessions in a row that end badly before what waits is put off */

/* Recipients of one message that travel together. */
struct delivery {
    struct list link;
    struct job *job; /* a reference */
    size_t n, room;
    size_t *at;            /* indices in job->rcpts */
    struct mailbox *boxes; /* their addresses */
    size_t again;  /* how many of at[] (moved to its front) an idle connection lost without an answer */
    unsigned lost; /* how often that happened */
};

struct dest_host {
    char name[DNS_NAME_MAX + 1];
    struct ip ip;
    uint16_t port;
    bool no_tls; /* its TLS failed: clear text until the addresses are looked up again */
};

struct dest_answers {
    enum err err; /* worst of those that matter */
    size_t n;
    struct ip ips[8];
};

struct dest {
    struct list link;    /* relay->dests */
    struct list touched; /* while one message is being handed out */
    struct relay *relay;
    uint64_t hash;
    char key[DNS_NAME_MAX + 64];
    struct routing routing; /* slices view key's text or the settings */
    char domain[DNS_NAME_MAX + 16];
    struct list waiting; /* struct delivery */
    size_t n_waiting;
    struct list sessions; /* struct session.link */
    size_t n_sessions, n_connecting;
    unsigned failures;
    /* looking up */
    unsigned lookups;
    bool known;
    time_ms expires_mono;
    uint32_t ttl_s;
    struct dns_mx_list mx;
    struct dest_answers v4[DEST_MX_MAX], v6[DEST_MX_MAX];
    struct dest_host hosts[DEST_HOSTS_MAX];
    size_t n_hosts;
    struct loop_timer idle;
};

/* Hands all busy remote recipients of a job to their next hops. */
void dest_deliver(struct job *j);
/* Starts what can be started. */
void dest_go(struct dest *d);
/* The next delivery for a session, or NULL. The caller owns it. */
struct delivery *dest_next(struct dest *d);
/* Back to the front of the line: nothing was answered. */
void dest_again(struct dest *d, struct delivery *v);
void delivery_free(struct delivery **v);
/* A session ended; without_host: it found no host that took it, o says why. */
void dest_session_over(struct dest *d, const struct job_outcome *o);
/* All sessions that wait: say QUIT and end. For draining. */
void dest_drain(struct relay *r);

#endif
