#include "proc/doctor/dns_talk.h"

#include "core/dns/dns_update.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/net.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TALK_READ 4096

struct dns_talk {
    struct loop *loop;
    struct ip ip;
    uint16_t port;
    const struct dns_tsig_key *key;
    struct dns_tsig_mac mac;
    int fd;
    bool connected;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_task end; /* tells the outcome after this turn */
    struct buf in, out;
    uint16_t id;
    enum err err;
    char text[384];
    uint8_t rcode;
    dns_talk_fn fn;
    void *arg;
};

static void talk_fail(struct dns_talk *t, enum err e, const char *format, ...) FORMAT(3, 4);
static void talk_fail(struct dns_talk *t, enum err e, const char *format, ...)
{
    char ip[IP_TEXT], what[256];
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(what, sizeof what, format, ap); /* a long one is cut */
    va_end(ap);
    ip_print(&t->ip, ip);
    snprintf(t->text, sizeof t->text, "name server %s port %u: %s", ip, t->port, what);
    t->err = e;
    loop_io_done(&t->io);
    fd_done(&t->fd);
    loop_later(t->loop, &t->end);
}

static void talk_end(void *arg)
{
    struct dns_talk *t = arg;
    dns_talk_fn fn = t->fn;
    struct buf answer CLEANUP(buf_done) = t->in;
    if (!fn)
        return;
    buf_init(&t->in, answer.max);
    t->fn = NULL;
    loop_timer_clear(&t->timer);
    fn(t->arg, t->err, t->text, t->err ? (slice){0} : slice_from(buf_view(&answer), 2), t->rcode);
}

static void talk_late(void *arg)
{
    struct dns_talk *t = arg;
    talk_fail(
        t, ERR_TIMEOUT,
        t->connected
            ? "it does not answer"
            : "no connection comes about: is it the right address, and does a firewall let TCP through?");
}

/* A whole answer is there. */
static void talk_answered(struct dns_talk *t, slice answer)
{
    int64_t skew = 0;
    enum dns_tsig_result r;
    if (dns_update_answer(answer, t->id, &t->rcode) != OK) {
        talk_fail(t, ERR_PEER, "its answer is none to what was asked");
        return;
    }
    r = dns_tsig_check(answer, t->key, &t->mac, clock_unix(), &skew);
    if (r == DNS_TSIG_GOOD)
        loop_later(t->loop, &t->end);
    else if (r == DNS_TSIG_MISSING && t->rcode)
        talk_fail(t, ERR_REFUSED, "%s", dns_update_rcode_text(t->rcode));
    else if (r == DNS_TSIG_LATE || r == DNS_TSIG_BADTIME)
        talk_fail(t, ERR_REFUSED, "%s; its clock is %lld seconds %s ours", dns_tsig_text(r),
                  (long long)(skew < 0 ? -skew : skew), skew < 0 ? "behind" : "ahead of");
    else
        talk_fail(t, ERR_REFUSED, "%s (key %s)", dns_tsig_text(r), t->key->name.text);
}

static void talk_read(struct dns_talk *t)
{
    for (;;) {
        uint8_t *room = buf_reserve(&t->in, TALK_READ);
        size_t n = 0;
        enum err e = room ? net_read(t->fd, room, TALK_READ, &n) : ERR_LIMIT;
        struct cursor c;
        uint16_t length;
        if (e == ERR_AGAIN)
            return;
        if (e) {
            talk_fail(t, ERR_CLOSED, "it closed the connection without an answer");
            return;
        }
        buf_commit(&t->in, n);
        c = cursor_of(buf_view(&t->in));
        if (cursor_u16(&c, &length) && c.rest.n >= length) {
            loop_io_set(&t->io, 0);
            buf_truncate(&t->in, 2u + length);
            talk_answered(t, slice_sub(c.rest, 0, length));
            return;
        }
    }
}

static void talk_ready(void *arg, unsigned ready)
{
    struct dns_talk *t = arg;
    if (!t->connected) {
        if (net_connected(t->fd) != OK) {
            talk_fail(t, ERR_CONNECT, "it takes no connection: does it run, and listen on TCP there?");
            return;
        }
        t->connected = true;
    }
    while (t->out.n) {
        size_t n = 0;
        enum err e = net_write(t->fd, buf_view(&t->out), &n);
        if (e == ERR_AGAIN)
            return;
        if (e) {
            talk_fail(t, ERR_CLOSED, "it closed the connection");
            return;
        }
        buf_consume(&t->out, n);
    }
    loop_io_set(&t->io, LOOP_READ);
    if (ready & LOOP_READ)
        talk_read(t);
}

void dns_talk_ask(struct dns_talk *t, struct buf *message, dns_talk_fn fn, void *arg)
{
    enum err e;
    must(!t->fn && message->n >= 12);
    t->fn = fn;
    t->arg = arg;
    t->err = OK;
    t->text[0] = 0;
    t->id = (uint16_t)(message->p[0] << 8 | message->p[1]);
    buf_clear(&t->in);
    buf_clear(&t->out);
    loop_timer_after(&t->timer, DNS_TALK_MS);
    e = dns_tsig_sign(message, t->key, clock_unix(), &t->mac);
    buf_be16(&t->out, (uint16_t)message->n);
    buf_append(&t->out, buf_view(message));
    if (e || buf_failed(&t->out)) {
        talk_fail(t, ERR_LIMIT, "the request is too large for one message");
        return;
    }
    if (t->fd < 0) {
        e = net_connect(&t->ip, t->port, &t->fd);
        if (!e)
            e = loop_io_init(t->loop, &t->io, t->fd, LOOP_WRITE, talk_ready, t);
        if (e)
            talk_fail(t, ERR_CONNECT, "it takes no connection: does it run, and listen on TCP there?");
    } else {
        loop_io_set(&t->io, LOOP_WRITE);
    }
}

struct dns_talk *dns_talk_new(struct loop *loop, const struct ip *ip, uint16_t port,
                              const struct dns_tsig_key *key)
{
    struct dns_talk *t = calloc(1, sizeof *t);
    must(t);
    *t = (struct dns_talk){.loop = loop, .ip = *ip, .port = port, .key = key, .fd = -1};
    buf_init(&t->in, 65537 + TALK_READ);
    buf_init(&t->out, 65537);
    loop_timer_init(loop, &t->timer, talk_late, t);
    loop_task_init(&t->end, talk_end, t);
    return t;
}

void dns_talk_free(struct dns_talk **t)
{
    if (!t || !*t)
        return;
    loop_io_done(&(*t)->io);
    loop_timer_done(&(*t)->timer);
    loop_task_cancel(&(*t)->end);
    fd_done(&(*t)->fd);
    buf_done(&(*t)->in);
    buf_done(&(*t)->out);
    free(*t);
    *t = NULL;
}
