/* edge: what all parts of this process share.
 *
 * The edge speaks with strangers: it accepts connections, does TLS and the protocols up to the moment
 * somebody is known, and then carries bytes. It owns nothing: no key, no password, no mail, no file.
 * Everything it knows it asks for over channels, and every channel may vanish and come back (its peer was
 * started anew). */
#ifndef POSTHORN_PROC_EDGE_EDGE_H
#define POSTHORN_PROC_EDGE_EDGE_H

#include "base/list.h"
#include "base/mail_id.h"
#include "ipc/chan.h"
#include "ipc/house.h"
#include "policy/journal_event.h"
#include "sys/loop.h"
#include "sys/tls.h"

struct conn;
struct auth_cache;
struct listener;

struct edge_limits {
    uint64_t message_bytes;           /* one message */
    uint32_t recipients;              /* of one message on smtp */
    uint32_t submission_recipients;   /* of one message of a logged-in user */
    uint32_t connections;             /* of this process */
    uint32_t connections_per_network; /* nobody logged in, one /24 or /64; not for loopback */
    uint64_t body_bytes;              /* of all bodies in memory, this process's share */
};

struct edge {
    struct loop *loop;
    unsigned index; /* which edge this is, from 0 */
    char hostname[256];
    struct edge_limits limits;

    /* NULL while the other side is gone. Ask again for every use; never keep a copy across callbacks. */
    struct chan *directory, *accounts, *judge, *relay, *keys, *resolver, *journal;

    struct tls_ctx *tls[SERVICE__COUNT]; /* NULL: no certificate, TLS is not offered */
    struct auth_cache *auth_cache;
    struct mail_id_maker mail_ids;
    uint64_t next_connection;

    struct list conns; /* struct conn.link */
    size_t n_conns;
    struct list listeners;
    bool draining;
    struct loop_task events_task;
    struct loop_timer housekeeping;
    struct buf events; /* for the journal, sent once a turn */
    uint64_t events_dropped;
    uint64_t body_bytes; /* of bodies in memory now; smtp counts */
};

/* Forgets all calls that were made with this arg on any of the channels: their callbacks will not come. */
void edge_forget(struct edge *e, void *arg);
/* Tells the journal. Fills in role and time where they are zero; text is copied. Never blocks, never fails:
 * what does not fit is counted and told as a number. */
void edge_tell(struct edge *e, const struct journal_event *event);
/* The same with connection and peer filled in. */
void edge_tell_conn(struct edge *e, const struct conn *c, const struct journal_event *event);
/* A new mail id. */
uint64_t edge_mail_id(struct edge *e);

/* The beginning of each protocol, on a connection whose TLS (where it comes first) is up: sets the
 * connection's protocol and greets. */
void imap_session_begin(struct edge *e, struct conn *c); /* imap_login.c */
void smtp_session_begin(struct edge *e, struct conn *c); /* smtp_session.c */

#endif
