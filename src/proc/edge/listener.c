#include "proc/edge/listener.h"

#include "base/hash.h"
#include "proc/edge/conn.h"
#include "sys/entropy.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define LISTENER_BATCH    32  /* connections taken from one socket before others have their turn */
#define LISTENER_RETRY_MS 200 /* after descriptors ran out, when no connection of ours ends meanwhile */
#define REFUSALS_TOLD     10  /* a second; the rest is one number in the next one told */

struct listener {
    struct list link;
    struct edge *edge;
    int fd;
    enum service service;
    bool plaintext;
    bool paused;
    struct loop_io io;
    struct loop_timer retry;
};

struct block_count {
    struct hash_key key;
    struct map blocks; /* hash of a network -> how many, as a pointer-sized number */
    time_ms second;
    unsigned told;
    uint64_t untold;
};

static void listener_ready(void *arg, unsigned ready);
static void listener_retry(void *arg);

static struct block_count *blocks_of(struct edge *e)
{
    if (!e->blocks) {
        e->blocks = calloc(1, sizeof(*e->blocks));
        must(e->blocks);
        e->blocks->key = entropy_hash_key();
    }
    return e->blocks;
}

void listener_add(struct edge *e, int fd, enum service service, bool plaintext)
{
    struct listener *l = calloc(1, sizeof(*l));
    must(l);
    l->edge = e;
    l->fd = fd;
    l->service = service;
    l->plaintext = plaintext;
    l->paused = true;
    loop_timer_init(e->loop, &l->retry, listener_retry, l);
    must(fd_nonblocking(fd) == OK);
    must(loop_io_init(e->loop, &l->io, fd, 0, listener_ready, l) == OK);
    list_append(&e->listeners, &l->link);
    blocks_of(e);
}

static bool service_needs_tls(enum service s)
{
    return s == SERVICE_SUBMISSIONS || s == SERVICE_IMAPS;
}

static void listener_pause(struct listener *l)
{
    l->paused = true;
    loop_io_set(&l->io, 0);
}

static void listener_resume(struct listener *l)
{
    struct edge *e = l->edge;
    if (!l->paused || e->draining || e->keys_away || e->n_conns >= e->limits.connections ||
        (service_needs_tls(l->service) && !e->tls[l->service]))
        return;
    l->paused = false;
    loop_timer_clear(&l->retry);
    loop_io_set(&l->io, LOOP_READ);
}

static void listener_retry(void *arg)
{
    listener_resume(arg);
}

void listener_resume_all(struct edge *e)
{
    LIST_EACH(it, &e->listeners)
    listener_resume(LIST_OF(it, struct listener, link));
}

void listener_pause_all(struct edge *e)
{
    LIST_EACH(it, &e->listeners)
    listener_pause(LIST_OF(it, struct listener, link));
}

void listener_close_all(struct edge *e)
{
    LIST_EACH_SAFE(it, &e->listeners)
    {
        struct listener *l = LIST_OF(it, struct listener, link);
        list_remove(&l->link);
        loop_io_done(&l->io);
        loop_timer_done(&l->retry);
        fd_done(&l->fd);
        free(l);
    }
    if (e->n_conns == 0 && e->blocks) {
        map_done(&e->blocks->blocks);
        free(e->blocks);
        e->blocks = NULL;
    }
}

size_t listener_paused(const struct edge *e)
{
    size_t n = 0;
    LIST_EACH(it, &e->listeners)
    n += LIST_OF(it, struct listener, link)->paused;
    return n;
}

/* Networks. */

static uint64_t block_of(struct edge *e, const struct ip *ip)
{
    struct ip block = ip_block(ip, 24, 64);
    uint64_t h = hash_slice(&blocks_of(e)->key, ip_slice(&block));
    return h ? h : 1;
}

static size_t block_held(struct edge *e, uint64_t block)
{
    return (size_t)(uintptr_t)map_get(&blocks_of(e)->blocks, block);
}

static void block_set(struct edge *e, uint64_t block, size_t n)
{
    if (n)
        (void)map_put(&blocks_of(e)->blocks, block, (void *)(uintptr_t)n); /* the old number */
    else
        (void)map_remove(&blocks_of(e)->blocks, block);
}

bool listener_admit(struct edge *e, const struct ip *ip, uint64_t *out_block)
{
    uint64_t block = ip_is_loopback(ip) ? 0 : block_of(e, ip);
    size_t held = block ? block_held(e, block) : 0;
    if (block && held >= e->limits.connections_per_network)
        return false;
    if (block)
        block_set(e, block, held + 1);
    *out_block = block;
    return true;
}

void edge_known(struct edge *e, struct conn *c)
{
    if (!c->block)
        return;
    size_t held = block_held(e, c->block);
    must(held > 0);
    block_set(e, c->block, held - 1);
    c->block = 0;
}

/* Connections. */

static void listener_gone(struct conn *c)
{
    struct edge *e = c->edge;
    edge_known(e, c);
    must(e->n_conns > 0);
    e->n_conns--;
    listener_resume_all(e);
    if (e->draining && e->n_conns == 0 && e->role)
        role_exit(e->role);
}

/* TLS from the first byte: the protocol begins when the handshake is done. */

static void first_on_bytes(void *arg, struct conn *c)
{
    (void)arg, (void)c; /* none before the handshake */
}

static void session_begin(struct edge *e, struct conn *c)
{
    if (c->service == SERVICE_IMAP || c->service == SERVICE_IMAPS)
        imap_session_begin(e, c);
    else
        smtp_session_begin(e, c);
}

static void first_on_tls(void *arg, struct conn *c, enum err e)
{
    struct edge *edge = arg;
    if (e == OK) {
        session_begin(edge, c);
        return;
    }
    const char *why = e == ERR_TLS ? tls_trouble(c->tls) : err_text(e);
    edge_tell(edge, c,
              (struct journal_event){.kind = JOURNAL_TLS_FAILED,
                                     .name = slice_str(service_name(c->service)),
                                     .text = slice_str(why)});
}

static void first_on_closed(void *arg, struct conn *c, enum err why)
{
    (void)arg, (void)c, (void)why; /* nothing of ours is behind it */
}

static const struct conn_protocol first_protocol = {
    .name = "first",
    .on_bytes = first_on_bytes,
    .on_tls = first_on_tls,
    .on_closed = first_on_closed,
};

static void listener_take(struct listener *l, int fd, const struct ip *ip, uint16_t port, uint64_t block)
{
    struct edge *e = l->edge;
    int one = 1;
    IGNORE_RESULT(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)),
                  "finds dead peers earlier, no more");
    struct conn *c = conn_new(e->loop, fd, ip, port);
    c->edge = e;
    c->id = edge_mail_id(e);
    c->service = l->service;
    c->plaintext = l->plaintext;
    c->gone = listener_gone;
    c->block = block;
    list_append(&e->conns, &c->link);
    e->n_conns++;
    conn_set_protocol(c, &first_protocol, e);
    conn_start(c);
    if (!service_needs_tls(l->service))
        session_begin(e, c);
    else if (conn_start_tls(c, e->tls[l->service]) != OK)
        conn_kill(c, ERR_TLS);
}

static void listener_refuse(struct listener *l, int fd, const struct ip *ip)
{
    static const slice smtp =
        SLICE_INIT("421 4.7.0 Too many connections from your network; try again later\r\n");
    static const slice imap = SLICE_INIT("* BYE Too many connections from your network; try again later\r\n");
    struct edge *e = l->edge;
    struct block_count *b = blocks_of(e);
    char peer[IP_TEXT + 2], text[IP_TEXT];
    size_t n;
    if (!service_needs_tls(l->service))
        IGNORE_RESULT(net_write(fd, l->service == SERVICE_IMAP ? imap : smtp, &n), "a courtesy");
    time_ms second = loop_now(e->loop) / MS_SECOND;
    if (second != b->second)
        b->second = second, b->told = 0;
    if (b->told >= REFUSALS_TOLD) {
        b->untold++;
        return;
    }
    b->told++;
    ip_print(ip, text);
    int len = snprintf(peer, sizeof(peer), "[%s]", text);
    edge_tell(e, NULL,
              (struct journal_event){.kind = JOURNAL_CONN_REFUSED,
                                     .peer = slice_of(peer, (size_t)len),
                                     .name = slice_str(service_name(l->service)),
                                     .text = SLICE("too many connections from its network"),
                                     .code = 421,
                                     .number = b->untold});
    b->untold = 0;
}

static void listener_ready(void *arg, unsigned ready)
{
    struct listener *l = arg;
    struct edge *e = l->edge;
    (void)ready;
    for (unsigned i = 0; i < LISTENER_BATCH; i++) {
        struct ip ip;
        uint16_t port;
        int fd CLEANUP(fd_done) = -1;
        if (e->n_conns >= e->limits.connections) {
            listener_pause(l); /* until a connection ends */
            return;
        }
        enum err r = net_accept(l->fd, &fd, &ip, &port);
        if (r == ERR_BUSY) {
            log_warning("no descriptors left for a connection on %s; accepting pauses",
                        service_name(l->service));
            listener_pause(l);
            loop_timer_after(&l->retry, LISTENER_RETRY_MS);
            return;
        }
        if (r != OK)
            return;
        uint64_t block = 0;
        if (listener_admit(e, &ip, &block))
            listener_take(l, fd_take(&fd), &ip, port, block);
        else
            listener_refuse(l, fd, &ip);
    }
}
