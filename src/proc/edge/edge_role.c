/* The process: prepares OpenSSL, locks itself in, asks keys for certificates, and then accepts. Until
 * certificates are here clients wait in the kernel's queue. When keys was started anew it is asked again,
 * since its certificates may be new ones; connections that run keep what they have. */
#include "proc/edge/edge_role.h"

#include "crypto/digest.h"
#include "ipc/x_keys.h"
#include "proc/edge/auth_cache.h"
#include "proc/edge/conn.h"
#include "proc/edge/listener.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <sys/resource.h>

#define SIGN_MS               (2 * MS_SECOND) /* a handshake that waits longer for its signature fails */
#define SIGN_ARENA            ((size_t)8 * 1024)
#define CERTIFICATES_MS       (5 * MS_SECOND)
#define CERTIFICATES_AGAIN_MS 250
#define KEYS_AWAY_MS          (5 * MS_SECOND)
#define TICKET_KEYS_MS        (4 * MS_HOUR)
#define AUTH_CACHE            512
#define DRAIN_SPARE_MS        500 /* before the deadline: whoever is left is cut off */
#define FDS_SPARE             128 /* channels, listeners, bodies in passing */

static struct edge edge_self; /* one per process; sessions get a pointer to it */

/* Signatures. */

static enum err edge_sign(void *arg, uint32_t key, uint16_t scheme, slice text, struct buf *out)
{
    struct edge *e = arg;
    struct chan *keys = role_chan(e->role, ROLE_KEYS, 0);
    struct sign_ask ask = {.key = key, .algorithm = scheme, .data = text};
    struct signature got;
    struct arena arena;
    if (!keys)
        return ERR_CLOSED;
    arena_init(&arena, "signature", SIGN_ARENA);
    enum err r = chan_call_wait(keys, X_KEYS_SIGN, &ask, SIGN_MS, &arena, &got);
    if (r == OK)
        r = err_from_wire(got.err);
    if (r == OK)
        r = buf_append(out, got.bytes);
    arena_done(&arena);
    return r;
}

/* Certificates. */

/* The one name each service has in ALPN (IANA); SMTP has none that anybody offers (RFC 7301 §6). */
static const char *const *edge_alpn(enum service s)
{
    static const char *const imap[] = {"imap", NULL}, *const smtp[] = {"smtp", NULL};
    return s == SERVICE_IMAP || s == SERVICE_IMAPS ? imap : smtp;
}

static void edge_contexts(struct edge *e, const struct certificates *m)
{
    struct tls_certificate rows[TLS_CERTIFICATES];
    struct err_detail detail;
    size_t n = size_min(m->n_certificates, TLS_CERTIFICATES);
    if (n == 0)
        log_warning(
            "there is no TLS certificate: STARTTLS is not offered, submissions and imaps do not answer; the "
            "setting `tls` names one");
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct tls_certificate){m->certificates[i].chain, m->certificates[i].key};
    for (unsigned s = 0; s < SERVICE__COUNT; s++) {
        struct tls_server_options o = {.listener = slice_str(service_name((enum service)s)),
                                       .certificates = rows,
                                       .n_certificates = n,
                                       .signer = {edge_sign, e},
                                       .alpn = edge_alpn((enum service)s)};
        struct tls_ctx *fresh = NULL;
        if (n && tls_server_new(&o, &fresh, &detail) != OK) {
            log_error("no TLS for %s: %s", service_name((enum service)s), detail.text);
            continue;
        }
        tls_ctx_free(&e->tls[s]);
        e->tls[s] = fresh;
    }
}

static void edge_ask_certificates(void *arg);

static void edge_certificates(void *arg, enum err r, const void *message, int *fds, size_t n_fds)
{
    struct edge *e = arg;
    (void)fds, (void)n_fds;
    if (r != OK) {
        loop_timer_after(&e->certificates_timer, CERTIFICATES_AGAIN_MS);
        return;
    }
    edge_contexts(e, message);
    e->keys_away = false;
    loop_timer_clear(&e->keys_timer);
    if (!e->draining)
        listener_resume_all(e);
}

static void edge_ask_certificates(void *arg)
{
    struct edge *e = arg;
    if (role_call(e->role, ROLE_KEYS, X_KEYS_CERTIFICATES_ASK, NULL, NULL, 0, CERTIFICATES_MS,
                  edge_certificates, e) != OK)
        loop_timer_after(&e->certificates_timer, CERTIFICATES_AGAIN_MS);
}

static void edge_housekeeping(void *arg)
{
    struct edge *e = arg;
    for (size_t s = 0; s < SERVICE__COUNT; s++)
        if (e->tls[s])
            tls_ctx_new_ticket_keys(e->tls[s]);
    loop_timer_after(&e->housekeeping, TICKET_KEYS_MS);
}

/* keys did not come back in time: mail without TLS may go on, and handshakes fail one by one. */
static void edge_without_keys(void *arg)
{
    struct edge *e = arg;
    e->keys_away = false;
    log_warning("keys is away; TLS handshakes fail until it is back");
    listener_resume_all(e);
}

/* Start. */

/* How many connections the descriptors are enough for: asked before the lock-in, which forbids to ask, and
 * which will raise the soft limit to the hard one or to what rights.c says. */
static uint32_t edge_fds_room(void)
{
    struct rlimit files;
    must(getrlimit(RLIMIT_NOFILE, &files) == 0);
    size_t n = size_min(files.rlim_max, edge_rights.fds_max);
    return (uint32_t)(n > 2 * FDS_SPARE ? (n - FDS_SPARE) / 2 : FDS_SPARE / 2);
}

static enum err edge_prepare(struct role_self *r, struct err_detail *detail)
{
    struct edge *e = &edge_self;
    r->state = e;
    e->role = r;
    digest_warm_up();
    e->fds_room = edge_fds_room();
    e->auth_cache = auth_cache_new(AUTH_CACHE);
    enum err err = tls_setup();
    if (err != OK)
        err_detail_set(detail, "OpenSSL did not start: %s", err_text(err));
    return err;
}

static void edge_settings(struct edge *e, struct role_self *r)
{
    slice name = role_setting(r, "hostname", 0);
    name = slice_sub(name, 0, sizeof(e->hostname) - 1);
    if (name.n)
        memcpy(e->hostname, name.p, name.n);
    struct edge_limits *l = &e->limits;
    l->message_bytes = role_setting_u64(r, "message-size", 50u << 20);
    l->recipients = (uint32_t)role_setting_u64(r, "recipients", 100);
    l->submission_recipients = (uint32_t)role_setting_u64(r, "submission-recipients", 1000);
    l->connections = (uint32_t)role_setting_u64(r, "connections", 10000);
    l->connections_per_network = (uint32_t)role_setting_u64(r, "connections-per-network", 20);
    l->body_bytes = role_setting_u64(r, "body-memory", 256u << 20);
    if (l->connections > e->fds_room)
        l->connections = e->fds_room;
}

static enum err edge_start(struct role_self *r, struct err_detail *detail)
{
    struct edge *e = r->state;
    (void)detail;
    e->loop = r->loop;
    e->mail_ids.process = (uint8_t)(r->index % 64);
    list_init(&e->conns);
    list_init(&e->listeners);
    edge_settings(e, r);
    loop_timer_init(e->loop, &e->housekeeping, edge_housekeeping, e);
    loop_timer_init(e->loop, &e->certificates_timer, edge_ask_certificates, e);
    loop_timer_init(e->loop, &e->keys_timer, edge_without_keys, e);
    e->started = true;
    loop_timer_after(&e->housekeeping, TICKET_KEYS_MS);
    for (size_t i = 0; i < r->n_listeners; i++)
        listener_add(e, fd_take(&r->listeners[i].fd), r->listeners[i].service, r->listeners[i].plaintext);
    edge_ask_certificates(e);
    return OK;
}

static void edge_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                         const void *message, int *fds, size_t n_fds)
{
    (void)r, (void)peer, (void)type, (void)id, (void)message, (void)fds,
        (void)n_fds; /* edge asks, nobody asks it */
}

/* While keys is started anew, new connections wait in the kernel's queue rather than fail. */
static void edge_peer(struct role_self *r, struct role_peer *peer)
{
    struct edge *e = r->state;
    if (peer->role != ROLE_KEYS || !e->started || e->draining)
        return;
    if (peer->chan) {
        loop_timer_after(&e->certificates_timer, 0);
    } else if (e->tls[SERVICE_SMTP]) {
        e->keys_away = true;
        listener_pause_all(e);
        loop_timer_after(&e->keys_timer, KEYS_AWAY_MS);
    }
}

/* The end. */

static void edge_cut_off(void *arg)
{
    struct edge *e = arg;
    log_info("%zu connections were still open at the end", e->n_conns);
    role_exit(e->role);
}

static void edge_drain(struct role_self *r, time_ms ms)
{
    struct edge *e = r->state;
    if (e->draining)
        return;
    e->draining = true;
    loop_timer_clear(&e->keys_timer);
    loop_timer_clear(&e->certificates_timer);
    listener_close_all(e);
    if (e->n_conns == 0) {
        role_exit(r);
        return;
    }
    loop_timer_done(&e->housekeeping);
    loop_timer_init(e->loop, &e->housekeeping, edge_cut_off, e);
    loop_timer_after(&e->housekeeping, ms > DRAIN_SPARE_MS ? ms - DRAIN_SPARE_MS : 1);
    LIST_EACH_SAFE(it, &e->conns)
    {
        struct conn *c = LIST_OF(it, struct conn, link);
        if (c->protocol->on_drain)
            c->protocol->on_drain(c->arg, c);
        else
            conn_close(c);
    }
}

static void edge_status(struct role_self *r)
{
    struct edge *e = r->state;
    role_fact(r, "connections", "%zu", e->n_conns);
    if (listener_paused(e))
        role_fact(r, "listeners waiting", "%zu", listener_paused(e));
}

const struct role_spec edge_spec = {
    .role = ROLE_EDGE,
    .rights = &edge_rights,
    .prepare = edge_prepare,
    .start = edge_start,
    .on_message = edge_message,
    .on_peer = edge_peer,
    .on_drain = edge_drain,
    .on_status = edge_status,
};
