#include "survey/dns.h"

#include "base/list.h"
#include "sys/entropy.h"
#include "sys/fd.h"
#include "sys/net.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLASS_IN  1
#define TYPE_OPT  41
#define UDP_TRIES 2
#define UDP_SIZE  1232 /* fits any path without fragments */
#define FLAG_QR   0x8000
#define FLAG_AA   0x0400
#define FLAG_TC   0x0200
#define FLAG_RD   0x0100
#define FLAG_AD   0x0020

struct ask {
    struct list link; /* in ask_waiting while it has no turn yet */
    struct loop *loop;
    struct ip server;
    uint16_t port, type, id;
    struct dns_name name;
    bool recurse, tcp, connected;
    unsigned tries;
    int fd;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_task later;
    enum err err;
    bool running;
    struct buf out, in; /* TCP */
    size_t sent;
    survey_dns_fn fn;
    void *arg;
};

/* Each question has a socket of its own; a process has only so many descriptors. */
static struct list ask_waiting = {&ask_waiting, &ask_waiting};
static unsigned ask_running;

static void ask_begin(struct ask *a);

static void ask_end(struct ask *a, enum err e, const struct survey_dns_reply *reply)
{
    survey_dns_fn fn = a->fn;
    void *arg = a->arg;
    ask_running -= a->running;
    if (!list_empty(&ask_waiting) && ask_running < SURVEY_DNS_AT_A_TIME) {
        struct ask *next = LIST_OF(ask_waiting.next, struct ask, link);
        list_remove(&next->link);
        ask_begin(next);
    }
    loop_io_done(&a->io);
    loop_timer_done(&a->timer);
    loop_task_cancel(&a->later);
    fd_done(&a->fd);
    buf_done(&a->out);
    buf_done(&a->in);
    free(a);
    fn(arg, e, reply);
}

static void ask_fail_later(void *arg)
{
    struct ask *a = arg;
    ask_end(a, a->err, NULL);
}

/* ---- writing */

static void ask_query(const struct ask *a, struct buf *b)
{
    slice label, rest = dns_name_view(&a->name);
    bool more = rest.n > 0;
    buf_be16(b, a->id);
    buf_be16(b, a->recurse ? FLAG_RD | FLAG_AD : 0); /* AD: tell us whether you validated, RFC 6840 §5.7 */
    buf_be16(b, 1);
    buf_be16(b, 0);
    buf_be16(b, 0);
    buf_be16(b, 1);
    while (more) {
        more = slice_split(rest, '.', &label, &rest);
        buf_byte(b, (uint8_t)label.n);
        buf_append(b, label);
    }
    buf_byte(b, 0);
    buf_be16(b, a->type);
    buf_be16(b, CLASS_IN);
    buf_byte(b, 0); /* EDNS(0), RFC 6891 §6.1.2 */
    buf_be16(b, TYPE_OPT);
    buf_be16(b, UDP_SIZE);
    buf_be32(b, 0);
    buf_be16(b, 0);
}

/* ---- reading */

/* The NS records of the authority section: of the first owner, which is the zone that is referred to. A name
 * that is none of a host (dns_name_read() gives ERR_UNSUPPORTED) is stepped over. */
static void reply_authority(slice message, struct survey_dns_reply *out)
{
    struct cursor head = cursor_of(message);
    uint16_t id, flags, counts[4], type, class, n;
    struct dns_name name;
    size_t at = 12;
    if (!cursor_u16(&head, &id) || !cursor_u16(&head, &flags))
        return;
    for (size_t i = 0; i < 4; i++)
        if (!cursor_u16(&head, &counts[i]))
            return;
    for (unsigned i = 0; i < counts[0]; i++) {
        if (dns_name_read(message, &at, &name) == ERR_SYNTAX)
            return;
        at += 4;
    }
    for (unsigned i = 0; i < (unsigned)counts[1] + counts[2]; i++) {
        enum err owner = dns_name_read(message, &at, &name);
        struct cursor c;
        uint32_t ttl;
        size_t rdata;
        if (owner == ERR_SYNTAX || at > message.n)
            return;
        c = cursor_of(slice_from(message, at));
        if (!cursor_u16(&c, &type) || !cursor_u16(&c, &class) || !cursor_u32(&c, &ttl) ||
            !cursor_u16(&c, &n) || c.rest.n < n)
            return;
        rdata = at + 10;
        at = rdata + n;
        if (i < counts[1] || type != DNS_NS || class != CLASS_IN || out->n_ns == SURVEY_DNS_NS_MAX || owner ||
            (out->n_ns && !dns_name_eq(&name, &out->ns_owner)))
            continue;
        out->ns_owner = name;
        if (dns_name_read(message, &rdata, &out->ns[out->n_ns]) == OK)
            out->n_ns++;
    }
}

enum err survey_dns_read(slice message, uint16_t asked_id, const struct dns_name *asked, uint16_t asked_type,
                         struct arena *arena, struct survey_dns_reply *out, bool *out_cut)
{
    static const struct dns_packet_limits limits = {.records = 256, .rdata_bytes = 65536};
    struct cursor c = cursor_of(message);
    uint16_t id, flags;
    enum err e;
    if (!cursor_u16(&c, &id) || !cursor_u16(&c, &flags) || id != asked_id || !(flags & FLAG_QR))
        return ERR_AGAIN; /* not for us */
    out->authoritative = flags & FLAG_AA;
    out->validated = flags & FLAG_AD;
    *out_cut = flags & FLAG_TC;
    e = dns_packet_parse(message, asked, asked_type, &limits, arena, &out->answer);
    if (e == OK)
        reply_authority(message, out);
    return e;
}

static void ask_tcp(struct ask *a);

static void ask_got(struct ask *a, slice message)
{
    struct survey_dns_reply reply = {0};
    struct arena arena;
    bool cut = false;
    enum err e;
    arena_init(&arena, "dns reply", (size_t)512 * 1024);
    e = survey_dns_read(message, a->id, &a->name, a->type, &arena, &reply, &cut);
    if (e != ERR_AGAIN && cut && !a->tcp)
        ask_tcp(a);
    else if (e != ERR_AGAIN)
        ask_end(a, e == OK ? OK : ERR_SYNTAX, e == OK ? &reply : NULL);
    arena_done(&arena);
}

/* ---- UDP */

static void ask_udp_ready(void *arg, unsigned ready)
{
    struct ask *a = arg;
    uint8_t bytes[4096];
    size_t n = 0;
    (void)ready;
    /* the socket is connected: only what this server sent arrives */
    if (net_read(a->fd, bytes, sizeof bytes, &n) == OK)
        ask_got(a, slice_of(bytes, n));
}

static socklen_t ask_address(const struct ip *ip, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (ip_is_v4(ip)) {
        struct sockaddr_in *v4 = (void *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, ip->b + 12, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (void *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, ip->b, 16);
    return sizeof *v6;
}

enum err survey_dns_socket(const struct ip *ip, uint16_t port, int *out_fd)
{
    struct sockaddr_storage to;
    socklen_t n = ask_address(ip, port, &to);
    int fd CLEANUP(fd_done) = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, n) < 0)
        return ERR_CONNECT;
    *out_fd = fd_take(&fd);
    return OK;
}

static enum err ask_udp(struct ask *a)
{
    struct buf b CLEANUP(buf_done) = {.max = 600};
    size_t sent = 0;
    ask_query(a, &b);
    if (a->fd < 0) {
        enum err e = survey_dns_socket(&a->server, a->port, &a->fd);
        if (e)
            return e;
        if (loop_io_init(a->loop, &a->io, a->fd, LOOP_READ, ask_udp_ready, a))
            return ERR_BUSY;
    }
    IGNORE_RESULT(net_write(a->fd, buf_view(&b), &sent), "a lost question is asked again");
    a->tries++;
    loop_timer_after(&a->timer, SURVEY_DNS_UDP_MS);
    return OK;
}

/* ---- TCP */

static void ask_tcp_read(struct ask *a)
{
    for (;;) {
        uint8_t bytes[4096];
        size_t n = 0;
        enum err e = net_read(a->fd, bytes, sizeof bytes, &n);
        uint16_t length;
        struct cursor c;
        if (e == ERR_AGAIN)
            return;
        if (e || buf_append(&a->in, slice_of(bytes, n))) {
            ask_end(a, ERR_CONNECT, NULL);
            return;
        }
        c = cursor_of(buf_view(&a->in));
        if (cursor_u16(&c, &length) && c.rest.n >= length) {
            ask_got(a, slice_sub(c.rest, 0, length));
            return;
        }
    }
}

static void ask_tcp_ready(void *arg, unsigned ready)
{
    struct ask *a = arg;
    size_t n = 0;
    if (!a->connected) {
        if (net_connected(a->fd)) {
            ask_end(a, ERR_CONNECT, NULL);
            return;
        }
        a->connected = true;
    }
    if (ready & LOOP_WRITE && a->sent < a->out.n) {
        if (net_write(a->fd, slice_from(buf_view(&a->out), a->sent), &n) == OK)
            a->sent += n;
        if (a->sent == a->out.n)
            loop_io_set(&a->io, LOOP_READ);
    }
    if (ready & LOOP_READ)
        ask_tcp_read(a);
}

static void ask_tcp(struct ask *a)
{
    struct buf query CLEANUP(buf_done) = {.max = 600};
    a->tcp = true;
    loop_io_done(&a->io);
    fd_done(&a->fd);
    ask_query(a, &query);
    buf_be16(&a->out, (uint16_t)query.n);
    buf_append(&a->out, buf_view(&query));
    loop_timer_after(&a->timer, SURVEY_DNS_TCP_MS);
    if (net_connect(&a->server, a->port, &a->fd) ||
        loop_io_init(a->loop, &a->io, a->fd, LOOP_READ | LOOP_WRITE, ask_tcp_ready, a)) {
        a->err = ERR_CONNECT;
        loop_later(a->loop, &a->later);
    }
}

/* ---- */

static void ask_late(void *arg)
{
    struct ask *a = arg;
    if (a->tcp || a->tries >= UDP_TRIES || ask_udp(a))
        ask_end(a, ERR_TIMEOUT, NULL);
}

static void ask_begin(struct ask *a)
{
    a->running = true;
    ask_running++;
    a->err = ask_udp(a);
    if (a->err)
        loop_later(a->loop, &a->later);
}

void survey_dns_ask(struct loop *loop, const struct ip *server, uint16_t port, const struct dns_name *name,
                    uint16_t type, bool recurse, survey_dns_fn fn, void *arg)
{
    struct ask *a = calloc(1, sizeof *a);
    must(a);
    *a = (struct ask){.loop = loop,
                      .server = *server,
                      .port = port,
                      .type = type,
                      .id = (uint16_t)entropy_u64(),
                      .name = *name,
                      .recurse = recurse,
                      .fd = -1,
                      .fn = fn,
                      .arg = arg};
    buf_init(&a->out, 1024);
    buf_init(&a->in, 65536 + 2);
    loop_timer_init(loop, &a->timer, ask_late, a);
    loop_task_init(&a->later, ask_fail_later, a);
    if (ask_running < SURVEY_DNS_AT_A_TIME)
        ask_begin(a);
    else
        list_append(&ask_waiting, &a->link);
}
