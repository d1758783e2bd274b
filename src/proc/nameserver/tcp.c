/* tcp: queries over connections, RFC 7766: two octets of length before each message, several queries on one
 * connection, answered in their order. */
#include "proc/nameserver/nameserver.h"

#include "sys/fd.h"
#include "sys/net.h"

#include <stdlib.h>

#define TCP_QUERY_MAX 4096 /* no query to us is longer */
#define TCP_QUERIES   1000 /* of one connection; whoever has more comes again */
#define TCP_OUT_MAX   ((size_t)256 * 1024)

struct tcp_conn {
    struct list link;
    struct nameserver *server;
    int fd;
    struct ip block;
    struct loop_io io;
    struct loop_timer idle;
    struct buf in, out;
    unsigned queries;
};

static void tcp_close(struct tcp_conn *c)
{
    list_remove(&c->link);
    c->server->n_conns--;
    loop_io_done(&c->io);
    loop_timer_done(&c->idle);
    fd_done(&c->fd);
    buf_done(&c->in);
    buf_done(&c->out);
    free(c);
}

static void tcp_idle(void *arg)
{
    tcp_close(arg);
}

/* False: the connection is gone. */
static bool tcp_write(struct tcp_conn *c)
{
    while (c->out.n) {
        size_t n = 0;
        enum err e = net_write(c->fd, buf_view(&c->out), &n);
        if (e == ERR_AGAIN)
            return true;
        if (e)
            return false;
        buf_consume(&c->out, n);
    }
    return true;
}

/* Answers what came in whole. False: this connection ends. */
static bool tcp_answer(struct tcp_conn *c)
{
    struct nameserver *s = c->server;
    for (;;) {
        struct cursor in = cursor_of(buf_view(&c->in));
        uint16_t n;
        slice query;
        if (!cursor_u16(&in, &n))
            return true;
        if (n > TCP_QUERY_MAX || c->queries == TCP_QUERIES)
            return false;
        if (!cursor_bytes(&in, n, &query))
            return true;
        if (c->out.n > DNS_SERVE_TCP_MAX && !tcp_write(c))
            return false;
        if (c->out.n > DNS_SERVE_TCP_MAX)
            return true; /* what is answered has to go first */
        buf_clear(&s->out);
        if (!dns_serve_answer(s->zone, query, true, &s->out))
            return false;
        buf_be16(&c->out, (uint16_t)s->out.n);
        buf_append(&c->out, buf_view(&s->out));
        if (buf_failed(&c->out))
            return false;
        s->answered++;
        c->queries++;
        buf_consume(&c->in, 2u + n);
        loop_timer_after(&c->idle, NAMESERVER_IDLE_MS);
    }
}

static bool tcp_read(struct tcp_conn *c)
{
    size_t n = 0;
    uint8_t *room = buf_reserve(&c->in, TCP_QUERY_MAX);
    enum err e = room ? net_read(c->fd, room, TCP_QUERY_MAX, &n) : OK;
    if (e == ERR_AGAIN)
        return true;
    buf_commit(&c->in, n);
    return !e;
}

static void tcp_ready(void *arg, unsigned ready)
{
    struct tcp_conn *c = arg;
    bool goes = tcp_write(c);
    if (goes && ready & LOOP_READ)
        goes = tcp_read(c);
    if (goes)
        goes = tcp_answer(c) && tcp_write(c);
    if (!goes) {
        tcp_close(c);
        return;
    }
    /* what waits to go out is not added to */
    loop_io_set(&c->io, c->out.n ? LOOP_WRITE : LOOP_READ);
}

static bool tcp_too_many(const struct nameserver *s, const struct ip *block)
{
    size_t n = 0;
    LIST_EACH(it, &s->conns)
    n += ip_eq(&LIST_OF(it, struct tcp_conn, link)->block, block);
    return s->n_conns >= NAMESERVER_CONNS || n >= NAMESERVER_CONNS_BLOCK;
}

static void tcp_new(struct nameserver *s, int fd, const struct ip *peer)
{
    struct ip block = ip_block(peer, 24, 56);
    struct tcp_conn *c;
    if (tcp_too_many(s, &block)) {
        s->refused++;
        fd_done(&fd);
        return;
    }
    c = calloc(1, sizeof *c);
    must(c);
    *c = (struct tcp_conn){.server = s, .fd = fd, .block = block};
    buf_init(&c->in, (size_t)4 * TCP_QUERY_MAX);
    buf_init(&c->out, TCP_OUT_MAX);
    loop_timer_init(s->role->loop, &c->idle, tcp_idle, c);
    list_append(&s->conns, &c->link);
    s->n_conns++;
    loop_timer_after(&c->idle, NAMESERVER_IDLE_MS);
    if (loop_io_init(s->role->loop, &c->io, fd, LOOP_READ, tcp_ready, c) != OK)
        tcp_close(c);
}

void nameserver_tcp_ready(void *arg, unsigned ready)
{
    struct nameserver_socket *socket = arg;
    struct ip peer;
    uint16_t port;
    int fd;
    (void)ready;
    for (int i = 0; i < 16 && net_accept(socket->fd, &fd, &peer, &port) == OK; i++)
        tcp_new(socket->server, fd, &peer);
}
