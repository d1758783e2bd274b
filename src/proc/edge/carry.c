#include "proc/edge/carry.h"

#include "base/secret.h"
#include "proc/edge/edge.h"
#include "sys/fd.h"
#include "sys/net.h"

#include <stdlib.h>
#include <sys/socket.h>

#define CARRY_IN_MAX    ((size_t)64 * 1024) /* of the client, while the account is slow */
#define CARRY_FIRST_MAX ((size_t)64 * 1024) /* what the login half had read too far */
#define CARRY_TAIL      256                 /* last bytes of the account, to see a BYE in */
#define CARRY_QUIET_MS  250 /* this process ends: a session that is quiet for so long is told BYE */

struct carry {
    struct edge *edge;
    struct conn *conn;
    int fd;
    struct loop_io io;
    unsigned events;
    struct buf first;
    size_t first_at;
    bool client_ended; /* the client sends no more */
    bool told_account; /* and the account knows */
    bool account_gone;
    bool asked; /* the client said something after the account's last word: an answer is due */
    bool moved; /* anything was carried since the last look */
    uint8_t tail[CARRY_TAIL];
    size_t tail_n;
};

static uint8_t carry_room[64 * 1024]; /* one thread, one connection at a time */

static void carry_watch(struct carry *k, bool want_write)
{
    unsigned events = want_write ? LOOP_WRITE : 0;
    if (!k->account_gone && conn_write_room(k->conn) > 0)
        events |= LOOP_READ;
    if (events != k->events && loop_io_active(&k->io)) {
        loop_io_set(&k->io, events);
        k->events = events;
    }
}

/* OK: all went; ERR_AGAIN: the account is slow; else it is gone. */
static enum err carry_up_first(struct carry *k)
{
    while (k->first_at < k->first.n) {
        size_t n = 0;
        enum err e = net_write(k->fd, slice_from(buf_view(&k->first), k->first_at), &n);
        if (e != OK)
            return e;
        k->first_at += n;
    }
    secret_wipe(k->first.p, k->first.n);
    buf_done(&k->first);
    k->first_at = 0;
    return OK;
}

static enum err carry_up_unread(struct carry *k)
{
    for (;;) {
        slice s = conn_unread(k->conn);
        size_t n = 0;
        if (s.n == 0)
            return OK;
        enum err e = net_write(k->fd, s, &n);
        if (e != OK)
            return e;
        conn_used(k->conn, n);
        k->asked = k->moved = true;
    }
}

/* Client to account. */
static void carry_up(struct carry *k)
{
    if (k->account_gone)
        return;
    enum err e = carry_up_first(k);
    if (e == OK)
        e = carry_up_unread(k);
    if (e == OK && k->client_ended && !k->told_account) {
        k->told_account = true;
        IGNORE_RESULT(shutdown(k->fd, SHUT_WR), "if it is gone, reading tells");
    }
    if (e == ERR_AGAIN || e == OK) {
        carry_watch(k, e == ERR_AGAIN);
        return;
    }
    /* It does not listen any more, but may have said why: what it said is still carried down. */
    conn_used(k->conn, conn_unread(k->conn).n);
    carry_watch(k, false);
}

/* Did the account's last words end the session, and properly? */
static bool carry_said_bye(const struct carry *k)
{
    slice tail = slice_of(k->tail, k->tail_n);
    size_t at = slice_find_nocase(tail, SLICE("* BYE"));
    return at < tail.n && (at == 0 || tail.p[at - 1] == '\n');
}

static void carry_end(struct carry *k)
{
    bool whole_line = k->tail_n == 0 || k->tail[k->tail_n - 1] == '\n';
    k->account_gone = true;
    if (!carry_said_bye(k) && !k->client_ended) {
        edge_tell(k->edge, k->conn,
                  (struct journal_event){.kind = JOURNAL_CONN_CLOSED,
                                         .name = slice_str(service_name(k->conn->service)),
                                         .text = SLICE("the account's process ended unexpectedly")});
        if (whole_line)
            conn_say(k->conn,
                     SLICE("* BYE The process of this mailbox ended unexpectedly; nothing that was answered "
                           "OK is lost, please connect again\r\n"));
    }
    loop_io_done(&k->io);
    fd_done(&k->fd);
    conn_close(k->conn);
}

static void carry_remember(struct carry *k, slice s)
{
    if (s.n >= CARRY_TAIL) {
        memcpy(k->tail, s.p + s.n - CARRY_TAIL, CARRY_TAIL);
        k->tail_n = CARRY_TAIL;
        return;
    }
    size_t keep = size_min(k->tail_n, CARRY_TAIL - s.n);
    memmove(k->tail, k->tail + k->tail_n - keep, keep);
    memcpy(k->tail + keep, s.p, s.n);
    k->tail_n = keep + s.n;
}

/* Account to client: only as much as the connection takes, so nothing is ever left over here. */
static void carry_down(struct carry *k)
{
    size_t n = 0, room = size_min(conn_write_room(k->conn), sizeof(carry_room));
    if (room > 0) {
        enum err e = net_read(k->fd, carry_room, room, &n);
        if (e == OK) {
            slice s = slice_of(carry_room, n);
            carry_remember(k, s);
            k->asked = false;
            k->moved = true;
            size_t took = conn_write(k->conn, s);
            must(took == n || k->conn->closing);
        } else if (e != ERR_AGAIN) {
            carry_end(k);
            return;
        }
    }
    if (conn_write_room(k->conn) == 0)
        conn_want_drained(k->conn);
    carry_watch(k, k->events & LOOP_WRITE);
}

static void carry_ready(void *arg, unsigned ready)
{
    struct carry *k = arg;
    if (ready & LOOP_WRITE)
        carry_up(k);
    if ((ready & LOOP_READ) && !k->account_gone)
        carry_down(k);
}

static void carry_on_bytes(void *arg, struct conn *c)
{
    (void)c;
    carry_up(arg);
}

static void carry_on_drained(void *arg, struct conn *c)
{
    struct carry *k = arg;
    (void)c;
    carry_watch(k, k->events & LOOP_WRITE);
}

static void carry_on_eof(void *arg, struct conn *c)
{
    struct carry *k = arg;
    (void)c;
    k->client_ended = true;
    carry_up(k);
}

/* This process is to end. A command in hand gets its answer; once nothing moves and nothing is due the client
 * is told to come again. */
static void carry_on_drain(void *arg, struct conn *c)
{
    struct carry *k = arg;
    k->moved = false;
    conn_set_deadline(c, loop_now(k->edge->loop) + CARRY_QUIET_MS);
}

static void carry_on_deadline(void *arg, struct conn *c)
{
    struct carry *k = arg;
    bool whole_line = k->tail_n > 0 && k->tail[k->tail_n - 1] == '\n';
    if (k->asked || k->moved || !whole_line || conn_has_unsent(c)) {
        carry_on_drain(k, c);
        return;
    }
    conn_say(c, SLICE("* BYE This server is restarting; please connect again in a moment\r\n"));
    conn_close(c);
}

static void carry_on_closed(void *arg, struct conn *c, enum err why)
{
    struct carry *k = arg;
    (void)c, (void)why;
    loop_io_done(&k->io);
    fd_done(&k->fd);
    buf_done(&k->first);
    free(k);
}

static const struct conn_protocol carry_protocol = {
    .name = "carry",
    .on_bytes = carry_on_bytes,
    .on_drained = carry_on_drained,
    .on_eof = carry_on_eof,
    .on_deadline = carry_on_deadline,
    .on_drain = carry_on_drain,
    .on_closed = carry_on_closed,
};

void carry_begin(struct edge *e, struct conn *c, int fd, slice first)
{
    struct carry *k = calloc(1, sizeof(*k));
    must(k);
    k->edge = e;
    k->conn = c;
    k->fd = fd;
    k->client_ended = c->told_eof;
    buf_init(&k->first, CARRY_FIRST_MAX);
    conn_set_protocol(c, &carry_protocol, k);
    conn_set_deadline(c, 0);
    conn_set_in_max(c, CARRY_IN_MAX);
    if (buf_append(&k->first, first) != OK || fd_nonblocking(fd) != OK ||
        loop_io_init(e->loop, &k->io, fd, LOOP_READ, carry_ready, k) != OK) {
        conn_say(c, SLICE("* BYE This server is short of memory or connections; try again in a minute\r\n"));
        conn_close(c);
        return;
    }
    k->events = LOOP_READ;
    conn_again(c);
}
