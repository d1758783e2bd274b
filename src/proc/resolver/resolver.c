#include "proc/resolver/resolver.h"

#include "ipc/x_resolver.h"
#include "proc/resolver/dns_ctx.h"
#include "sys/fd.h"

#include <stdlib.h>
#include <unistd.h>

#define RESOLVER_FILE_MAX 65536

/* Who waits for an answer. peer becomes NULL when the channel goes: an answer to an old channel must never
 * reach a new one, where the same number may stand for another question. */
struct asker {
    struct list link;
    struct role_peer *peer;
    uint64_t id;
};

static struct list askers;
static struct dns_ctx *ctx;

static void resolver_reply(void *arg, const struct dns_ctx_answer *answer)
{
    struct asker *a = arg;
    struct resolved_rr rrs[DNS_CTX_RRS_MAX];
    struct resolved m = {.err = (uint32_t)answer->err,
                         .secure = answer->secure,
                         .ttl = answer->packet.ttl_s,
                         .canonical = dns_name_view(&answer->packet.canonical),
                         .text = slice_sub(slice_str(answer->why), 0, 256),
                         .rrs = rrs,
                         .n_rrs = answer->packet.n};
    for (size_t i = 0; i < answer->packet.n; i++)
        rrs[i].rdata = answer->packet.rdata[i];
    if (a->peer && a->peer->chan) {
        enum err e = chan_reply(a->peer->chan, a->id, X_RESOLVER_RESOLVED, &m, NULL, 0);
        if (e == ERR_LIMIT) { /* a record longer than the channel takes */
            m = (struct resolved){.err = ERR_DNS, .text = SLICE("the answer is larger than any we can use")};
            e = chan_reply(a->peer->chan, a->id, X_RESOLVER_RESOLVED, &m, NULL, 0);
        }
        IGNORE_RESULT(e, "an asker that is gone or does not read asks again");
    }
    list_remove(&a->link);
    free(a);
}

static void resolver_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                             const void *message, int *fds, size_t n_fds)
{
    const struct resolve *m = message;
    struct dns_name name;
    (void)r, (void)fds, (void)n_fds;
    if (type != X_RESOLVER_RESOLVE)
        return;
    if (dns_name_parse_odd(m->name, &name)) {
        const struct resolved bad = {.err = ERR_NOT_FOUND, .text = SLICE("this cannot be a name in the DNS")};
        IGNORE_RESULT(chan_reply(peer->chan, id, X_RESOLVER_RESOLVED, &bad, NULL, 0), "as above");
        return;
    }
    struct asker *a = malloc(sizeof *a);
    must(a);
    *a = (struct asker){.peer = peer, .id = id};
    list_append(&askers, &a->link);
    (m->fresh ? dns_ctx_ask_fresh : dns_ctx_ask)(ctx, &name, m->type, resolver_reply, a);
}

static void resolver_peer(struct role_self *r, struct role_peer *peer)
{
    (void)r;
    LIST_EACH(it, &askers)
    {
        struct asker *a = LIST_OF(it, struct asker, link);
        if (a->peer == peer)
            a->peer = NULL;
    }
}

/* A small text file that was handed over open. */
static enum err resolver_file(struct role_self *r, const char *name, struct buf *out)
{
    int fd CLEANUP(fd_done) = role_file(r, name);
    if (fd < 0)
        return OK;
    if (lseek(fd, 0, SEEK_SET) < 0) /* an earlier run of this role read it from the same open file */
        return ERR_IO;
    for (;;) {
        uint8_t *room = buf_reserve(out, 4096);
        ssize_t n;
        if (!room)
            return ERR_TOO_LARGE;
        n = read(fd, room, 4096);
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return OK;
        buf_commit(out, (size_t)n);
    }
}

static enum err resolver_prepare(struct role_self *r, struct err_detail *detail)
{
    struct buf conf CLEANUP(buf_done), anchors CLEANUP(buf_done);
    slice forwards[8];
    struct dns_ctx_options o = {.forwards = forwards};
    enum err e;
    buf_init(&conf, RESOLVER_FILE_MAX);
    buf_init(&anchors, RESOLVER_FILE_MAX);
    e = resolver_file(r, "resolv.conf", &conf);
    if (e == OK)
        e = resolver_file(r, "trust-anchor", &anchors);
    if (e) {
        err_detail_set(detail, "resolver: the trust anchor or resolv.conf cannot be read: %s", err_text(e));
        return e;
    }
    while (o.n_forwards < ARRAY_LEN(forwards) && role_setting(r, "forward", o.n_forwards).n) {
        forwards[o.n_forwards] = role_setting(r, "forward", o.n_forwards);
        o.n_forwards++;
    }
    o.resolv_conf = buf_view(&conf);
    o.anchors = buf_view(&anchors);
    return dns_ctx_new(&o, &ctx, detail);
}

static enum err resolver_start(struct role_self *r, struct err_detail *detail)
{
    (void)detail;
    list_init(&askers);
    dns_ctx_start(ctx, r->loop);
    return OK;
}

static void resolver_status(struct role_self *r)
{
    struct dns_ctx_facts f;
    dns_ctx_facts(ctx, &f);
    role_fact(r, "questions", "%llu", (unsigned long long)f.asked);
    role_fact(r, "questions failed", "%llu", (unsigned long long)f.failed);
    role_fact(r, "answers that failed DNSSEC", "%llu", (unsigned long long)f.bogus);
    role_fact(r, "questions open", "%zu", f.open);
}

const struct role_spec resolver_spec = {
    .role = ROLE_RESOLVER,
    .rights = &resolver_rights,
    .prepare = resolver_prepare,
    .start = resolver_start,
    .on_message = resolver_message,
    .on_peer = resolver_peer,
    .on_status = resolver_status,
};
