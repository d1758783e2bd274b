/* conn: one client connection: plaintext in and out, whether TLS lies below or not, with deadlines and
 * bounds.
 *
 * A protocol on top sees unread bytes, says how many it used, writes, and asks for TLS or the end. The
 * connection moves bytes between the socket, TLS and two bounded buffers, and stops reading when the protocol
 * does not keep up.
 *
 * Invariants
 *  1. Callbacks of a protocol never come out of a call the protocol makes itself: not conn_write(),
 *     conn_used(), conn_start_tls() or conn_close(). They come from the loop, one at a time.
 *  2. on_closed comes exactly once, as the last; the connection is freed right after it. A protocol that was
 *     set may keep the pointer until then and no longer.
 *  3. At most in_max unread plaintext bytes, TLS_IN_MAX ciphertext bytes and CONN_OUT_MAX (or TLS_OUT_MAX)
 *     bytes to be sent are kept; buffers that are empty hold no memory. Idle, a connection costs under 1 KB
 *     without TLS.
 *  4. A STARTTLS never carries clear bytes over into the secured half (THREATS 13): conn_start_tls() refuses
 *     while unread bytes are there.
 *  5. Before the handshake is done at most CONN_HELLO_MAX bytes and CONN_HELLO_MS are spent on a client
 *     (THREATS 8). */
#ifndef POSTHORN_PROC_EDGE_CONN_H
#define POSTHORN_PROC_EDGE_CONN_H

#include "base/buf.h"
#include "base/ip.h"
#include "base/list.h"
#include "base/time.h"
#include "ipc/house.h"
#include "sys/loop.h"
#include "sys/tls.h"

#define CONN_IN_MAX    ((size_t)16 * 1024) /* unread plaintext before a login; conn_set_in_max() changes it */
#define CONN_OUT_MAX   ((size_t)64 * 1024) /* plaintext waiting for the socket */
#define CONN_HELLO_MAX ((size_t)16 * 1024) /* ciphertext of a handshake */
#define CONN_HELLO_MS  (30 * MS_SECOND)
#define CONN_STALL_MS  (5 * MS_MINUTE) /* nothing of what we want to send was taken for so long */
#define CONN_LINGER_MS (2 * MS_SECOND) /* after the end: how long we wait for the client's */

struct conn;

/* What speaks on a connection. Each may be NULL save on_bytes and on_closed. */
struct conn_protocol {
    const char *name;
    /* Unread bytes came, or conn_again() was called: look at conn_unread(), tell with conn_used(). */
    void (*on_bytes)(void *arg, struct conn *c);
    /* All that was written has left, after conn_write() took less than was offered or conn_want_drained(). */
    void (*on_drained)(void *arg, struct conn *c);
    /* The handshake of conn_start_tls() is done (OK) or failed (the connection then ends by itself). */
    void (*on_tls)(void *arg, struct conn *c, enum err e);
    /* The moment of conn_set_deadline() has come. */
    void (*on_deadline)(void *arg, struct conn *c);
    /* The client sent its last byte (half-close), and conn_unread() is all there is of it. NULL: the
     * connection is closed once all is written; who still owes an answer has to say so here. */
    void (*on_eof)(void *arg, struct conn *c);
    /* This process is to end soon: finish what runs and close. NULL: closed at once. */
    void (*on_drain)(void *arg, struct conn *c);
    /* The end; free what is behind arg. why: OK when the protocol closed it, ERR_CLOSED the peer, ERR_TLS,
     * ERR_TIMEOUT (stalled), ERR_IO ... */
    void (*on_closed)(void *arg, struct conn *c, enum err why);
};

/* Read these freely; only conn.c writes the private half. */
struct conn {
    struct edge *edge;
    uint64_t id;  /* for the journal: names this connection for ever */
    struct ip ip; /* of the client */
    uint16_t port;
    enum service service;
    bool plaintext;               /* listener allows login without TLS */
    struct list link;             /* in edge's list of connections */
    void (*gone)(struct conn *c); /* of listener.c: uncounts this connection; may be NULL */
    uint64_t block;               /* of listener.c: which address block it counts for; 0: none any more */

    struct loop *loop;
    const struct conn_protocol *protocol;
    void *arg;
    int fd;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_task task; /* the rest of this turn: flush, again, end */
    time_ms timer_at;      /* 0: not set */
    time_ms deadline;      /* the protocol's; 0: none */
    time_ms own_deadline;  /* ours: handshake, stall, linger; 0: none */
    struct tls *tls;
    struct buf in, out;
    size_t in_at, out_at;
    size_t in_max;
    size_t hello_bytes;
    slice fresh; /* unread bytes that still lie in the read buffer of this turn; behind c->in there is none
                    then */
    unsigned events;
    bool handshaking, told_tls;
    bool paused, again, want_drained, eof, told_eof;
    bool closing, shut, ended;
    enum err why;
};

/* Takes fd (it is closed with the connection). Nothing is read before conn_start(). */
struct conn *conn_new(struct loop *loop, int fd, const struct ip *ip, uint16_t port);
/* Sets who speaks; may be changed inside a callback. */
void conn_set_protocol(struct conn *c, const struct conn_protocol *protocol, void *arg);
void conn_start(struct conn *c);

/* What was received and not used yet; lent until the callback returns or conn_used(). */
slice conn_unread(const struct conn *c);
void conn_used(struct conn *c, size_t n);
/* Calls on_bytes once more later in this turn, even when nothing new came; also after conn_pause(c, false).
 */
void conn_again(struct conn *c);
/* No reading while true: for protocols that wait for somebody else and have had enough. */
void conn_pause(struct conn *c, bool pause);
/* More room for unread bytes, and so larger reads (message bodies, after a login). Not less than is unread
 * now. */
void conn_set_in_max(struct conn *c, size_t n);

/* Takes as many bytes as there is room for (all, usually) and sends them at the end of the turn. 0 after
 * conn_close(). When less than all was taken on_drained comes later. */
NODISCARD size_t conn_write(struct conn *c, slice s);
/* The same where the protocol knows that it never writes more than CONN_OUT_MAX unsent: more ends the
 * connection. */
void conn_say(struct conn *c, slice s);
/* Calls on_drained once all that was written has left. */
void conn_want_drained(struct conn *c);
bool conn_has_unsent(const struct conn *c);
/* How many bytes conn_write() would take now. */
size_t conn_write_room(const struct conn *c);

/* Begins the server's side of a handshake; what was written before leaves in clear first. on_tls tells.
 * ERR_STATE when unread clear bytes are there or TLS is on: the protocol has to close then. */
NODISCARD enum err conn_start_tls(struct conn *c, struct tls_ctx *ctx);
/* The handshake is done. */
bool conn_is_tls(const struct conn *c);
/* All zero without TLS. */
void conn_tls_facts(const struct conn *c, struct tls_facts *out);

/* on_deadline at this monotonic time; 0: never. */
void conn_set_deadline(struct conn *c, time_ms at_mono);

/* Sends what was written, says goodbye, and ends: never a reset that would eat the last words. Reading stops
 * now. */
void conn_close(struct conn *c);
/* Ends now, whatever is unsent. on_closed comes with this reason. */
void conn_kill(struct conn *c, enum err why);

/* "[192.0.2.7]" or "[2001:db8::1]" and a NUL, as the journal wants peers. */
#define CONN_PEER_TEXT (IP_TEXT + 2)
void conn_peer(const struct conn *c, char out[CONN_PEER_TEXT]);

#endif
