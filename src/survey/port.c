#include "survey/port.h"

#include "base/buf.h"
#include "survey/certificate.h"
#include "sys/fd.h"
#include "sys/net.h"
#include "sys/tls.h"

#include <stdlib.h>

#define LOOK_BYTES_MAX 16384 /* of what the server says */

struct survey_trust {
    struct tls_ctx *tls;
    struct survey_certificates *certificates;
};

enum look_state { LOOK_CONNECT, LOOK_GREETING, LOOK_EHLO, LOOK_STARTTLS, LOOK_HANDSHAKE, LOOK_ALL };

struct look {
    struct loop *loop;
    struct survey_trust *trust;
    slice hostname;
    struct arena *arena;
    struct facts_port *fact;
    struct facts_port own; /* when nobody wants more than the greeting */
    enum look_state state;
    int fd;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_task later;
    struct buf in, out;
    struct tls *tls;
    bool greeting_only;
    survey_port_fn fn;
    void (*fn_greets)(void *arg, enum err e);
    void *arg;
};

enum err survey_trust_new(slice pem, struct survey_trust **out, struct err_detail *detail)
{
    static const struct tls_client_options options = {
        0}; /* what is shown is judged here, not by the handshake */
    struct survey_trust *t = calloc(1, sizeof *t);
    enum err e;
    must(t);
    e = tls_client_new(&options, &t->tls, detail);
    if (!e)
        e = survey_certificates_new(pem, &t->certificates);
    if (e) {
        survey_trust_free(&t);
        return e;
    }
    *out = t;
    return OK;
}

void survey_trust_free(struct survey_trust **t)
{
    if (!*t)
        return;
    tls_ctx_free(&(*t)->tls);
    survey_certificates_free(&(*t)->certificates);
    free(*t);
    *t = NULL;
}

static void look_end(struct look *l)
{
    struct look end = *l;
    loop_io_done(&l->io);
    loop_timer_done(&l->timer);
    loop_task_cancel(&l->later);
    fd_done(&l->fd);
    buf_done(&l->in);
    buf_done(&l->out);
    tls_free(&l->tls);
    enum err e = l->fact->err;
    free(l);
    if (end.fn_greets)
        end.fn_greets(end.arg, e);
    else
        end.fn(end.arg);
}

static void look_end_later(void *arg)
{
    look_end(arg);
}

static slice look_keep(struct look *l, slice s)
{
    slice out = {0};
    if (!arena_dup(l->arena, s, &out))
        return (slice){0};
    return out;
}

static void look_flush(struct look *l)
{
    size_t n = 0;
    if (l->tls && l->state == LOOK_HANDSHAKE) {
        while (tls_pending(l->tls).n && net_write(l->fd, tls_pending(l->tls), &n) == OK)
            tls_sent(l->tls, n);
    } else {
        while (l->out.n && net_write(l->fd, buf_view(&l->out), &n) == OK)
            buf_consume(&l->out, n);
    }
    loop_io_set(&l->io, LOOP_READ | (l->out.n || (l->tls && tls_pending(l->tls).n) ? LOOP_WRITE : 0));
}

static void look_say(struct look *l, const char *line)
{
    buf_str(&l->out, line);
    look_flush(l);
}

/* A whole reply of SMTP, or one line of IMAP; consumed by the caller. */
static bool look_reply(struct look *l, slice *out_text)
{
    slice line, rest = buf_view(&l->in);
    struct cursor c = cursor_of(rest);
    size_t end;
    for (;;) {
        end = slice_index(c.rest, '\n');
        if (end == c.rest.n)
            return false;
        line = slice_sub(c.rest, 0, end + 1);
        cursor_skip(&c, end + 1);
        if (line.n < 4 || line.p[3] != '-')
            break;
    }
    *out_text = slice_sub(rest, 0, rest.n - c.rest.n);
    return true;
}

static void look_handshake(struct look *l)
{
    enum err e = tls_handshake(l->tls);
    look_flush(l);
    if (e == ERR_AGAIN)
        return;
    if (e) {
        l->fact->tls_error = look_keep(l, slice_str(tls_trouble(l->tls)));
        look_end(l);
        return;
    }
    l->fact->tls = true;
    survey_certificate_see(l->trust->certificates, l->tls, l->hostname, l->arena, &l->fact->certificate);
    look_end(l);
}

static void look_handshake_begin(struct look *l)
{
    buf_clear(&l->in); /* what came before the handshake does not count */
    l->state = LOOK_HANDSHAKE;
    if (tls_connect(l->trust->tls, l->hostname, (slice){0}, TLS_VERIFY_RECORD, &l->tls)) {
        l->fact->tls_error = SLICE("OpenSSL did not start");
        look_end(l);
        return;
    }
    look_handshake(l);
}

static bool look_offers_starttls(slice reply)
{
    struct cursor c = cursor_of(reply);
    slice line;
    while (cursor_line(&c, &line))
        if (slice_eq_nocase(slice_trim(slice_from(line, 4)), SLICE("STARTTLS")))
            return true;
    return false;
}

/* One whole reply. */
static void look_replied(struct look *l, slice reply)
{
    bool good = reply.n && reply.p[0] == '2';
    slice first = slice_trim(slice_sub(reply, 0, slice_index(reply, '\n')));
    if (l->state == LOOK_GREETING) {
        l->fact->greeting = look_keep(l, slice_sub(first, 0, 200));
        if (!good)
            l->fact->err = ERR_REFUSED;
        if (!good || l->greeting_only) {
            look_end(l);
            return;
        }
        l->state = LOOK_EHLO;
        look_say(l, "EHLO doctor.invalid\r\n");
    } else if (l->state == LOOK_EHLO) {
        l->fact->starttls = good && look_offers_starttls(reply);
        if (!l->fact->starttls) {
            look_end(l);
            return;
        }
        l->state = LOOK_STARTTLS;
        look_say(l, "STARTTLS\r\n");
    } else if (l->state == LOOK_STARTTLS) {
        if (!good) {
            l->fact->tls_error = look_keep(l, first);
            look_end(l);
            return;
        }
        look_handshake_begin(l);
    }
}

static void look_read(struct look *l)
{
    uint8_t bytes[4096];
    size_t n = 0;
    slice reply;
    enum err e = net_read(l->fd, bytes, l->tls ? size_min(sizeof bytes, tls_room(l->tls)) : sizeof bytes, &n);
    if (e == ERR_AGAIN)
        return;
    if (e) {
        if (l->state == LOOK_HANDSHAKE)
            l->fact->tls_error = SLICE("the connection was closed during the handshake");
        else if (l->state == LOOK_GREETING)
            l->fact->err = ERR_CLOSED;
        look_end(l);
        return;
    }
    if (l->tls) {
        IGNORE_RESULT(tls_feed(l->tls, slice_of(bytes, n)), "it was asked how much fits");
        look_handshake(l);
        return;
    }
    if (buf_append(&l->in, slice_of(bytes, n))) {
        l->fact->err = ERR_PEER;
        look_end(l);
        return;
    }
    if (look_reply(l, &reply)) {
        struct buf whole CLEANUP(buf_done) = {.max = LOOK_BYTES_MAX};
        buf_append(&whole, reply);
        buf_clear(&l->in);
        look_replied(l, buf_view(&whole));
    }
}

static void look_connected(struct look *l)
{
    l->fact->err = net_connected(l->fd);
    if (l->fact->err) {
        look_end(l);
        return;
    }
    if (l->fact->service == FACTS_SUBMISSIONS || l->fact->service == FACTS_IMAPS) {
        l->fact->starttls = true;
        look_handshake_begin(l);
        return;
    }
    l->fact->err = ERR_TIMEOUT; /* until it greets */
    l->state = LOOK_GREETING;
    loop_io_set(&l->io, LOOP_READ);
}

static void look_ready(void *arg, unsigned ready)
{
    struct look *l = arg;
    if (l->state == LOOK_CONNECT) {
        look_connected(l);
        return;
    }
    if (l->state == LOOK_GREETING)
        l->fact->err = OK;
    if (ready & LOOP_READ)
        look_read(l);
    else if (ready & LOOP_WRITE)
        look_flush(l);
}

static void look_late(void *arg)
{
    struct look *l = arg;
    if (l->state <= LOOK_GREETING)
        l->fact->err = ERR_TIMEOUT;
    else if (l->state == LOOK_HANDSHAKE)
        l->fact->tls_error = SLICE("the handshake did not come to an end");
    look_end(l);
}

static struct look *look_new(struct loop *loop, time_ms ms, void *arg)
{
    struct look *l = calloc(1, sizeof *l);
    must(l);
    l->loop = loop;
    l->fd = -1;
    l->arg = arg;
    l->fact = &l->own;
    buf_init(&l->in, LOOK_BYTES_MAX);
    buf_init(&l->out, 1024);
    loop_timer_init(loop, &l->timer, look_late, l);
    loop_timer_after(&l->timer, ms);
    loop_task_init(&l->later, look_end_later, l);
    return l;
}

static void look_begin(struct look *l)
{
    enum err e = net_connect(&l->fact->ip, l->fact->port, &l->fd);
    if (!e)
        e = loop_io_init(l->loop, &l->io, l->fd, LOOP_WRITE, look_ready, l);
    l->fact->err = e;
    if (e)
        loop_later(l->loop, &l->later);
}

void survey_port_look(struct loop *loop, struct survey_trust *trust, slice hostname, struct arena *arena,
                      struct facts_port *fact, survey_port_fn fn, void *arg)
{
    struct look *l = look_new(loop, SURVEY_PORT_MS, arg);
    l->trust = trust;
    l->hostname = hostname;
    l->arena = arena;
    l->fact = fact;
    l->fn = fn;
    look_begin(l);
}

void survey_port_greets(struct loop *loop, const struct ip *ip, uint16_t port, time_ms ms,
                        void (*fn)(void *arg, enum err e), void *arg)
{
    static struct arena nowhere = {.name = "greeting", .cap = 0}; /* the text is not wanted */
    struct look *l = look_new(loop, ms, arg);
    l->arena = &nowhere;
    l->greeting_only = true;
    l->fn_greets = fn;
    l->own = (struct facts_port){.service = FACTS_SMTP, .ip = *ip, .port = port};
    look_begin(l);
}
