/* One direction in: socket -> (TLS) -> c->fresh or c->in -> protocol. One direction out: protocol -> c->out
 * or TLS -> socket, at the end of the turn, so that what one callback writes leaves in one piece.
 *
 * Bytes just read lie in a buffer that all connections of this process share (conn_room); c->fresh views them
 * while the protocol looks. What it leaves is copied to c->in. So a connection that keeps up holds no memory
 * for input. */
#include "proc/edge/conn.h"

#include "sys/fd.h"
#include "sys/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define CONN_FLUSH_MS (8 * MS_SECOND) /* last words of a connection that is being closed */

static uint8_t conn_room[64 * 1024]; /* one thread, one connection at a time */

static void conn_ready(void *arg, unsigned ready);
static void conn_turn(void *arg);
static void conn_time(void *arg);

struct conn *conn_new(struct loop *loop, int fd, const struct ip *ip, uint16_t port)
{
    struct conn *c = calloc(1, sizeof(*c));
    must(c);
    c->loop = loop;
    c->fd = fd;
    c->ip = *ip;
    c->port = port;
    c->in_max = CONN_IN_MAX;
    list_init(&c->link);
    buf_init(&c->in, c->in_max);
    buf_init(&c->out, CONN_OUT_MAX);
    loop_timer_init(loop, &c->timer, conn_time, c);
    loop_task_init(&c->task, conn_turn, c);
    return c;
}

void conn_set_protocol(struct conn *c, const struct conn_protocol *protocol, void *arg)
{
    must(protocol->on_bytes && protocol->on_closed);
    c->protocol = protocol;
    c->arg = arg;
}

void conn_start(struct conn *c)
{
    if (loop_io_init(c->loop, &c->io, c->fd, LOOP_READ, conn_ready, c) != OK)
        conn_kill(c, ERR_IO);
    else
        c->events = LOOP_READ;
    loop_later(c->loop, &c->task);
}

/* Buffers that are read from the front. */

static void conn_compact(struct buf *b, size_t *at)
{
    buf_consume(b, *at);
    *at = 0;
}

static void conn_drop(struct buf *b, size_t *at, size_t n)
{
    must(n <= b->n - *at);
    *at += n;
    if (*at == b->n) {
        buf_done(b);
        *at = 0;
    }
}

static enum err conn_keep(struct buf *b, size_t *at, slice s)
{
    if (s.n > b->max - b->n)
        conn_compact(b, at);
    return buf_append(b, s);
}

slice conn_unread(const struct conn *c)
{
    return c->fresh.n ? c->fresh : slice_from(buf_view(&c->in), c->in_at);
}

void conn_used(struct conn *c, size_t n)
{
    if (c->fresh.n) {
        must(n <= c->fresh.n);
        c->fresh = slice_from(c->fresh, n);
    } else {
        conn_drop(&c->in, &c->in_at, n);
    }
    loop_later(c->loop, &c->task); /* there may be room again for what TLS holds */
}

void conn_again(struct conn *c)
{
    c->again = true;
    loop_later(c->loop, &c->task);
}

void conn_pause(struct conn *c, bool pause)
{
    c->paused = pause;
    loop_later(c->loop, &c->task);
}

void conn_set_in_max(struct conn *c, size_t n)
{
    c->in_max = c->in.max = n;
}

static size_t conn_room_in(const struct conn *c)
{
    size_t unread = conn_unread(c).n;
    return unread < c->in_max ? c->in_max - unread : 0;
}

/* Shows the protocol new plaintext bytes (they lie in conn_room), then keeps what it left. */
static void conn_deliver(struct conn *c, slice bytes)
{
    if (c->in.n > c->in_at && bytes.n) {
        enum err e = conn_keep(&c->in, &c->in_at, bytes);
        must(e == OK); /* no more was read than there was room for */
    } else {
        c->fresh = bytes;
    }
    c->protocol->on_bytes(c->arg, c);
    bytes = c->fresh;
    c->fresh = (slice){0};
    if (bytes.n && !c->closing) {
        enum err e = conn_keep(&c->in, &c->in_at, bytes);
        must(e == OK);
    }
}

/* TLS. */

enum err conn_start_tls(struct conn *c, struct tls_ctx *ctx)
{
    if (c->tls || c->closing || conn_unread(c).n)
        return ERR_STATE;
    enum err e = tls_accept(ctx, &c->tls);
    if (e != OK)
        return e;
    c->handshaking = true;
    c->own_deadline = loop_now(c->loop) + CONN_HELLO_MS;
    loop_later(c->loop, &c->task);
    return OK;
}

bool conn_is_tls(const struct conn *c)
{
    return c->tls && tls_established(c->tls);
}

void conn_tls_facts(const struct conn *c, struct tls_facts *out)
{
    if (c->tls)
        tls_facts(c->tls, out);
    else
        *out = (struct tls_facts){0};
}

/* Ends for this reason after our last words (an alert, perhaps) have left. */
static void conn_finish(struct conn *c, enum err why)
{
    if (!c->closing) {
        conn_close(c);
        c->why = why;
    }
}

static void conn_tls_done(struct conn *c, enum err e)
{
    c->handshaking = false;
    c->own_deadline = 0;
    if (c->protocol->on_tls)
        c->protocol->on_tls(c->arg, c, e);
    if (e != OK)
        conn_finish(c, e);
}

/* One step of the handshake. True when plaintext may follow. */
static bool conn_shake(struct conn *c)
{
    enum err e = tls_handshake(c->tls);
    if (e == ERR_AGAIN && c->hello_bytes > CONN_HELLO_MAX)
        e = ERR_LIMIT;
    if (e == ERR_AGAIN && c->eof)
        e = ERR_CLOSED;
    if (e == ERR_AGAIN)
        return false;
    conn_tls_done(c, e);
    return e == OK;
}

/* Takes out of TLS what it holds and the protocol has room for. */
static void conn_pump(struct conn *c)
{
    if (c->handshaking && !conn_shake(c))
        return;
    while (!c->closing && !c->paused && c->tls) {
        size_t room = size_min(conn_room_in(c), sizeof(conn_room)), n = 0;
        if (room == 0)
            return;
        enum err e = tls_read(c->tls, conn_room, room, &n);
        if (e == ERR_AGAIN)
            return;
        if (e == ERR_CLOSED) {
            c->eof = true;
            return;
        }
        if (e != OK) {
            conn_finish(c, e);
            return;
        }
        conn_deliver(c, slice_of(conn_room, n));
    }
}

/* Reading. */

static void conn_discard(struct conn *c)
{
    size_t n;
    enum err e = net_read(c->fd, conn_room, sizeof(conn_room), &n);
    if (e != OK && e != ERR_AGAIN) {
        c->eof = true;
        conn_kill(c, c->why);
    }
}

static void conn_receive(struct conn *c)
{
    size_t n = 0, room = c->tls ? tls_room(c->tls) : conn_room_in(c);
    if (room == 0 || (c->paused && !c->handshaking))
        return;
    enum err e = net_read(c->fd, conn_room, size_min(room, sizeof(conn_room)), &n);
    if (e == ERR_AGAIN)
        return;
    if (e != OK) {
        c->eof = true;
        loop_later(c->loop, &c->task);
    } else if (!c->tls) {
        conn_deliver(c, slice_of(conn_room, n));
    } else {
        if (c->handshaking)
            c->hello_bytes += n;
        e = tls_feed(c->tls, slice_of(conn_room, n));
        must(e == OK); /* no more was read than there was room for */
        conn_pump(c);
    }
}

/* Writing. */

bool conn_has_unsent(const struct conn *c)
{
    return c->out.n > c->out_at || (c->tls && tls_pending(c->tls).n);
}

size_t conn_write_room(const struct conn *c)
{
    if (c->closing || c->handshaking)
        return 0;
    return c->tls ? tls_write_room(c->tls) : CONN_OUT_MAX - (c->out.n - c->out_at);
}

size_t conn_write(struct conn *c, slice s)
{
    size_t used = 0;
    if (c->closing || c->handshaking || s.n == 0)
        return 0;
    if (c->tls) {
        if (tls_write(c->tls, s, &used) != OK)
            conn_kill(c, ERR_TLS);
    } else {
        used = size_min(s.n, CONN_OUT_MAX - (c->out.n - c->out_at));
        enum err e = conn_keep(&c->out, &c->out_at, slice_sub(s, 0, used));
        must(e == OK);
    }
    if (used < s.n)
        c->want_drained = true;
    if (!c->own_deadline)
        c->own_deadline = loop_now(c->loop) + CONN_STALL_MS;
    loop_later(c->loop, &c->task);
    return used;
}

void conn_say(struct conn *c, slice s)
{
    if (!c->closing && conn_write(c, s) < s.n)
        conn_kill(c, ERR_LIMIT);
}

void conn_want_drained(struct conn *c)
{
    c->want_drained = true;
    loop_later(c->loop, &c->task);
}

/* Sends what the socket takes. ERR_AGAIN: it takes no more for now. */
static enum err conn_send(struct conn *c)
{
    for (;;) {
        bool clear = c->out.n > c->out_at;
        slice s = clear    ? slice_from(buf_view(&c->out), c->out_at)
                  : c->tls ? tls_pending(c->tls)
                           : (slice){0};
        size_t n = 0;
        if (s.n == 0)
            return OK;
        enum err e = net_write(c->fd, s, &n);
        if (e != OK)
            return e;
        if (clear)
            conn_drop(&c->out, &c->out_at, n);
        else
            tls_sent(c->tls, n);
        if (!c->closing && !c->handshaking)
            c->own_deadline = loop_now(c->loop) + CONN_STALL_MS;
    }
}

/* Everything that was written has left. */
static void conn_sent_all(struct conn *c)
{
    if (!c->closing) {
        if (!c->handshaking)
            c->own_deadline = 0;
        if (c->want_drained) {
            c->want_drained = false;
            if (c->protocol->on_drained)
                c->protocol->on_drained(c->arg, c);
        }
        return;
    }
    if (c->shut)
        return;
    c->shut = true;
    c->own_deadline = loop_now(c->loop) + CONN_LINGER_MS;
    if (c->eof || shutdown(c->fd, SHUT_WR) < 0)
        conn_kill(c, c->why);
}

static void conn_flush(struct conn *c)
{
    if (c->ended)
        return;
    enum err e = conn_send(c);
    if (e == OK)
        conn_sent_all(c);
    else if (e != ERR_AGAIN)
        conn_kill(c, c->closing ? c->why : e);
}

/* The end. */

void conn_close(struct conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    c->why = OK;
    c->own_deadline = loop_now(c->loop) + CONN_FLUSH_MS;
    buf_done(&c->in);
    c->in_at = 0;
    c->fresh = (slice){0};
    if (c->tls)
        tls_close(c->tls);
    loop_later(c->loop, &c->task);
}

void conn_kill(struct conn *c, enum err why)
{
    if (!c->closing)
        c->why = why;
    c->closing = c->ended = true;
    c->fresh = (slice){0};
    loop_later(c->loop, &c->task);
}

static void conn_free(struct conn *c)
{
    if (c->protocol)
        c->protocol->on_closed(c->arg, c, c->why);
    if (c->gone)
        c->gone(c);
    list_remove(&c->link);
    loop_task_cancel(&c->task);
    loop_timer_done(&c->timer);
    if (loop_io_active(&c->io))
        loop_io_done(&c->io);
    fd_done(&c->fd);
    tls_free(&c->tls);
    buf_done(&c->in);
    buf_done(&c->out);
    free(c);
}

/* The client's last byte was read, and the protocol has been shown all that came before. */
static void conn_tell_eof(struct conn *c)
{
    if (!c->eof || c->told_eof || c->closing || c->handshaking)
        return;
    if (c->tls && (c->paused || conn_room_in(c) == 0))
        return; /* TLS may hold more than there was room for */
    c->told_eof = true;
    if (c->protocol->on_eof)
        c->protocol->on_eof(c->arg, c);
    else
        conn_finish(c, ERR_CLOSED);
}

/* Time. The timer is set again only when something earlier comes up; a deadline that moved is found when it
 * fires. */

static time_ms conn_next_deadline(const struct conn *c)
{
    time_ms at = c->closing ? 0 : c->deadline;
    if (c->own_deadline && (!at || c->own_deadline < at))
        at = c->own_deadline;
    return at;
}

void conn_set_deadline(struct conn *c, time_ms at_mono)
{
    c->deadline = at_mono == INT64_MAX ? 0 : at_mono;
    loop_later(c->loop, &c->task);
}

static void conn_time(void *arg)
{
    struct conn *c = arg;
    time_ms now = loop_now(c->loop);
    c->timer_at = 0;
    if (c->own_deadline && now >= c->own_deadline) {
        if (c->handshaking)
            conn_tls_done(c, ERR_TIMEOUT);
        else
            conn_kill(c, ERR_TIMEOUT);
    } else if (c->deadline && now >= c->deadline && !c->closing) {
        c->deadline = 0;
        if (c->protocol->on_deadline)
            c->protocol->on_deadline(c->arg, c);
    }
    loop_later(c->loop, &c->task);
}

/* What we want to hear of next. */
static void conn_settle(struct conn *c)
{
    bool hold = c->closing ? !c->shut : (c->paused && !c->handshaking) || conn_room_in(c) == 0;
    unsigned events = 0;
    if (!c->eof && !hold && (c->closing || !c->tls || tls_room(c->tls) > 0))
        events |= LOOP_READ;
    if (conn_has_unsent(c))
        events |= LOOP_WRITE;
    if (events != c->events && loop_io_active(&c->io)) {
        loop_io_set(&c->io, events);
        c->events = events;
    }
    time_ms at = conn_next_deadline(c);
    if (at && (!c->timer_at || at < c->timer_at)) {
        c->timer_at = at;
        loop_timer_set(&c->timer, at);
    }
}

static void conn_ready(void *arg, unsigned ready)
{
    struct conn *c = arg;
    if (c->ended)
        return;
    if (ready & LOOP_WRITE)
        conn_flush(c);
    if ((ready & LOOP_READ) && !c->eof) {
        if (c->closing)
            conn_discard(c);
        else
            conn_receive(c);
    }
    if (!c->task.queued)
        conn_settle(c);
}

static void conn_turn(void *arg)
{
    struct conn *c = arg;
    if (c->again && !c->closing && !c->handshaking) {
        c->again = false;
        conn_deliver(c, (slice){0});
    }
    if (c->tls && !c->closing)
        conn_pump(c);
    conn_tell_eof(c);
    conn_flush(c);
    if (c->ended) {
        conn_free(c);
        return;
    }
    conn_settle(c);
}

void conn_peer(const struct conn *c, char out[CONN_PEER_TEXT])
{
    char ip[IP_TEXT];
    ip_print(&c->ip, ip);
    snprintf(out, CONN_PEER_TEXT, "[%s]", ip);
}
