/* relay: the role that keeps mail which is still on its way, and sends it.
 *
 * How a message goes through this process:
 *
 *     relay.c     takes it from an edge, makes a job of it
 *     writer.c    writes what all jobs of one turn changed in one transaction, then answers the edges
 *     job.c       one message in memory: who waits, what each attempt gave, what is told to whom
 *     local.c     our own recipients: directory says where, accounts takes it
 *     dest.c      one next hop: its hosts (route, MX, addresses), its deliveries in line, its sessions
 *     session.c   one connection: TCP, TLS, core/smtp/client
 *     sign.c      what doctor and reporter write is signed before it is queued
 *     notice.c    delivery status notifications for our own submitters
 *     schedule.c  which message is tried again when
 *     admin.c     the administrator's words: list, show, retry, hold, release, drop
 *
 * Invariants
 *  1. An edge hears OK only after the commit that holds its message (THREATS 53).
 *  2. While a job is in memory its message is not in the schedule, and the other way round; no message is
 *     tried twice at a time.
 *  3. What changes in a job is written before the job is forgotten. A recipient that gets a notice is done in
 *     the same transaction that adds the notice.
 *  4. Nobody but an account of ours is ever sent a notice, and nothing answers a null sender (THREATS 19,
 *     30).
 *  5. Nothing bounces because our own house, its DNS or its disk is in trouble: those are temporary.
 *
 * Limits: RELAY_* below. */
#ifndef POSTHORN_PROC_RELAY_RELAY_H
#define POSTHORN_PROC_RELAY_RELAY_H

#include "base/hash.h"
#include "base/mail_id.h"
#include "ipc/role.h"
#include "policy/retry.h"
#include "policy/routing.h"
#include "store/queue.h"

#define RELAY_ROUTES_MAX   64
#define RELAY_SESSIONS_MAX 200  /* connections, all destinations */
#define RELAY_JOBS_MAX     4000 /* messages under way */
/* Bytes of messages kept in memory; above it they wait on disk. */
#define RELAY_BODIES_MAX ((size_t)64 << 20)
/* No message is larger, whatever the limits of the edges. */
#define RELAY_BODY_BYTES ((uint64_t)256 << 20)
/* Until another try when our own house was the reason. */
#define RELAY_SOON_MS (15 * MS_SECOND)
/* How long what nobody may be told of is kept for the administrator. */
#define RELAY_FAILED_MS (30 * MS_DAY)

struct dest;
struct job;
struct schedule;
struct tls_ctx;
struct writer;

struct relay {
    struct role_self *role;
    struct loop *loop;
    struct queue *queue;
    slice hostname;
    slice hold_remote; /* not empty: mail to other domains is held for this reason */
    struct routing_route routes[RELAY_ROUTES_MAX];
    size_t n_routes;
    struct retry_policy remote, local;
    struct tls_ctx *tls; /* NULL: none could be made; then mail goes in clear */
    struct mail_id_maker ids;
    struct hash_key hash_key;

    struct map jobs; /* mail id -> struct job */
    size_t n_jobs, body_bytes;
    struct writer *writer;
    struct schedule *schedule;
    time_ms reports_minute; /* of the clock, and how many messages reporter handed in during it */
    unsigned reports;
    struct list signings; /* struct signing.link: mail of this house on its way through judge */
    struct list dests;    /* struct dest.link */
    struct map dest_map;
    size_t n_sessions, n_locals;
    bool starved; /* a destination waits because of RELAY_SESSIONS_MAX */

    uint64_t taken, sent, delivered, deferred, bounced; /* since the start, for status */
};

extern const struct rights relay_rights;
extern const struct role_spec relay_spec;

/* Answers a message that is not taken. */
void relay_refuse(struct role_peer *peer, uint64_t id, enum err e, const char *text);
/* Called when a message, a session or memory came free: starts what waits. */
void relay_go_on(struct relay *r);
/* Tells log and journal when the queue's file was damaged. */
void relay_tell_trouble(struct relay *r);
/* Draining: is everything done that was begun? */
void relay_drained(struct relay *r);

#endif
