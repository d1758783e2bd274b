#include "proc/nameserver/nameserver.h"

#include "ipc/doctor_nameserver.h"
#include "sys/entropy.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/net.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMESERVER_BATCH     64 /* datagrams before others have their turn */
#define NAMESERVER_QUERY_MAX 4096
#define NAMESERVER_COMING    ((size_t)40 << 20)

/* ---- the zone */

static void zone_forget(struct nameserver *s)
{
    arena_done(&s->coming);
    free(s->records);
    s->records = NULL;
    s->n_records = s->room = 0;
}

static enum err zone_add(struct nameserver *s, const struct nameserver_record *m)
{
    struct dns_serve_record *r;
    if (s->n_records == DNS_SERVE_RECORDS_MAX)
        return ERR_LIMIT;
    if (s->n_records == s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->records = realloc(s->records, s->room * sizeof *s->records);
        must(s->records);
    }
    r = &s->records[s->n_records];
    *r = (struct dns_serve_record){.type = m->type, .ttl_s = m->ttl_s};
    if (dns_name_parse(m->name, &r->name) != OK)
        return ERR_SYNTAX;
    if (!arena_dup(&s->coming, m->rdata, &r->rdata))
        return ERR_LIMIT;
    s->n_records++;
    return OK;
}

/* A page; with the last one the new zone takes the place of the old. */
static enum err zone_take(struct nameserver *s, const struct nameserver_put *m)
{
    struct dns_serve_zone *zone = NULL;
    enum err e = OK;
    if (m->first)
        zone_forget(s);
    for (size_t i = 0; i < m->n_records && !e; i++)
        e = zone_add(s, &m->records[i]);
    if (!e && m->last)
        e = dns_serve_zone_new(&s->origin, &s->host, m->serial, s->records, s->n_records, &zone);
    if (zone) {
        dns_serve_zone_free(&s->zone);
        s->zone = zone;
    }
    if (e || m->last)
        zone_forget(s);
    return e;
}

static void nameserver_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                               const void *message, int *fds, size_t n_fds)
{
    struct nameserver *s = r->state;
    struct nameserver_taken taken = {.err = OK};
    (void)fds, (void)n_fds;
    if (peer->def != &doctor_nameserver_channel || !peer->chan || type != DOCTOR_NAMESERVER_PUT)
        return;
    taken.err = (uint32_t)zone_take(s, message);
    if (taken.err)
        taken.text = SLICE("the zone holds a record that cannot be, or too many; the old one stays");
    IGNORE_RESULT(chan_reply(peer->chan, id, DOCTOR_NAMESERVER_TAKEN, &taken, NULL, 0),
                  "doctor gives it again");
}

/* ---- datagrams */

static void udp_one(struct nameserver *s, int fd, const uint8_t *bytes, const struct net_datagram *d)
{
    slice query = slice_of(bytes, d->n);
    enum dns_rate_verdict v = dns_rate_take(&s->rate, &d->peer, loop_now(s->role->loop));
    bool due = false;
    buf_clear(&s->out);
    if (d->peer_port && v == DNS_RATE_ANSWER)
        due = dns_serve_answer(s->zone, query, false, &s->out);
    else if (d->peer_port && v == DNS_RATE_TRUNCATE)
        due = dns_serve_truncated(query, &s->out);
    if (due && net_answer(fd, d, buf_view(&s->out)) == OK)
        s->answered++;
    else
        s->dropped++;
}

static void udp_ready(void *arg, unsigned ready)
{
    struct nameserver_socket *socket = arg;
    uint8_t bytes[NAMESERVER_QUERY_MAX];
    struct net_datagram d;
    (void)ready;
    for (int i = 0; i < NAMESERVER_BATCH && net_receive(socket->fd, bytes, sizeof bytes, &d) == OK; i++)
        udp_one(socket->server, socket->fd, bytes, &d);
}

/* ---- the role */

static enum err nameserver_listen(struct nameserver *s, struct nameserver_socket *to, const char *name,
                                  loop_io_fn fn)
{
    enum err e;
    to->server = s;
    to->fd = role_file(s->role, name);
    if (to->fd < 0)
        return OK;
    e = fd_nonblocking(to->fd);
    return e ? e : loop_io_init(s->role->loop, &to->io, to->fd, LOOP_READ, fn, to);
}

static enum err nameserver_start(struct role_self *r, struct err_detail *detail)
{
    struct nameserver *s = calloc(1, sizeof *s);
    enum err e = OK;
    must(s);
    r->state = s;
    s->role = r;
    list_init(&s->conns);
    arena_init(&s->coming, "zone coming in", NAMESERVER_COMING);
    buf_init(&s->out, DNS_SERVE_TCP_MAX);
    dns_rate_init(&s->rate, entropy_hash_key());
    if (dns_name_parse(role_setting(r, "zone", 0), &s->origin) != OK ||
        dns_name_parse(role_setting(r, "hostname", 0), &s->host) != OK) {
        err_detail_set(detail, "the zone or the host name is no name of the DNS");
        return ERR_CONFIG;
    }
    for (size_t i = 0; i < NAMESERVER_LISTENERS && !e; i++) {
        char name[16];
        snprintf(name, sizeof name, "dns-udp-%zu", i);
        e = nameserver_listen(s, &s->udp[i], name, udp_ready);
        snprintf(name, sizeof name, "dns-tcp-%zu", i);
        if (!e)
            e = nameserver_listen(s, &s->tcp[i], name, nameserver_tcp_ready);
    }
    if (e)
        err_detail_set(detail, "a socket cannot be watched: %s", err_text(e));
    return e;
}

static void nameserver_status(struct role_self *r)
{
    const struct nameserver *s = r->state;
    role_fact(r, "zone", "%s", s->origin.text);
    role_fact(r, "records", "%zu", s->zone ? dns_serve_zone_count(s->zone) : 0);
    if (s->zone)
        role_fact(r, "serial", "%lu", (unsigned long)dns_serve_zone_serial(s->zone));
    role_fact(r, "answered", "%llu", (unsigned long long)s->answered);
    role_fact(r, "not answered", "%llu", (unsigned long long)s->dropped);
    role_fact(r, "connections", "%zu", s->n_conns);
    role_fact(r, "connections refused", "%llu", (unsigned long long)s->refused);
}

const struct role_spec nameserver_spec = {
    .role = ROLE_NAMESERVER,
    .rights = &nameserver_rights,
    .start = nameserver_start,
    .on_message = nameserver_message,
    .on_status = nameserver_status,
};
