/* edge: what all parts of this process share.
 *
 * The edge speaks with strangers: it accepts connections, does TLS and the protocols up to the moment
 * somebody is known, and then carries bytes. It owns nothing: no key, no password, no mail, no file.
 * Everything it knows it asks for over channels (role_call() of ipc/role.h), and every channel may vanish and
 * come back. */
#ifndef POSTHORN_PROC_EDGE_EDGE_H
#define POSTHORN_PROC_EDGE_EDGE_H

#include "base/list.h"
#include "base/mail_id.h"
#include "ipc/role.h"
#include "sys/tls.h"

struct auth_cache;
struct block_count;
struct conn;

struct edge_limits {
    uint64_t message_bytes;           /* one message */
    uint32_t recipients;              /* of one message on smtp */
    uint32_t submission_recipients;   /* of one message of a logged-in user */
    uint32_t connections;             /* of this process */
    uint32_t connections_per_network; /* nobody logged in, one /24 or /64; not for loopback */
    uint64_t body_bytes;              /* of all bodies in memory, this process's share */
};

struct edge {
    struct role_self *role; /* role_call(), role_chan(), role_tell(), role_forget() */
    struct loop *loop;
    char hostname[256];
    struct edge_limits limits;
    uint32_t fds_room; /* connections there are descriptors for */

    struct tls_ctx *tls[SERVICE__COUNT]; /* NULL: no certificate (yet); TLS is not offered then */
    struct auth_cache *auth_cache;
    struct mail_id_maker mail_ids;

    struct list conns; /* struct conn.link */
    size_t n_conns;
    struct list listeners;
    struct block_count *blocks; /* of listener.c */
    bool started, draining;
    bool keys_away; /* new connections wait a little: nobody could sign their handshakes */
    struct loop_timer housekeeping, certificates_timer, keys_timer;

    /* For those who speak SMTP. */
    uint64_t body_bytes; /* of bodies in memory now, against limits.body_bytes */
    void *smtp;          /* what its sessions share */
};

/* Tells the journal, with connection and peer filled in. Text is copied. */
void edge_tell(struct edge *e, const struct conn *c, struct journal_event event);
/* A new id for a message or a connection. */
uint64_t edge_mail_id(struct edge *e);
/* Somebody is known on this connection: it does not count against its network's share any more. */
void edge_known(struct edge *e, struct conn *c);

/* The beginning of each protocol, on a connection whose TLS (where it comes first) is up: sets the
 * connection's protocol and greets. */
void imap_session_begin(struct edge *e, struct conn *c); /* imap_login.c */
void smtp_session_begin(struct edge *e, struct conn *c); /* smtp_session.c */

#endif
