/* keys: loads what the supervisor hands over, and decides who may ask for what. */
#include "proc/keys/keys.h"

#include "base/secret.h"
#include "crypto/digest.h"
#include "ipc/doctor_keys.h"
#include "ipc/x_keys.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/tls_scheme.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A whole small file into room of KEY_PEM_MAX + 1 bytes. Read by position: the supervisor hands every keys
 * process the same open file, whose own position stays where the last one left it. */
static enum err keys_read(int fd, uint8_t *room, slice *out)
{
    size_t n = 0;
    while (n <= KEY_PEM_MAX) {
        ssize_t r = pread(fd, room + n, KEY_PEM_MAX + 1 - n, (off_t)n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_from_errno(errno);
        if (r == 0)
            break;
        n += (size_t)r;
    }
    *out = slice_of(room, n);
    return n > KEY_PEM_MAX ? ERR_TOO_LARGE : OK;
}

/* Reads the pair and makes one signature, so that OpenSSL has loaded all it needs before the lock-in. */
static enum err keys_load(struct key_store *s, int cert_fd, int key_fd, struct err_detail *detail)
{
    size_t room = KEY_PEM_MAX + 1;
    uint8_t *cert = malloc(room), *key = malloc(room);
    must(cert && key);
    IGNORE_RESULT(mlock(key, room), "not allowed everywhere; it is wiped in a moment");
    slice cert_pem, key_pem;
    uint32_t number = 0;
    enum err e = keys_read(cert_fd, cert, &cert_pem);
    if (e == OK)
        e = keys_read(key_fd, key, &key_pem);
    if (e != OK)
        err_detail_set(detail, "the TLS certificate or key file cannot be read: %s", err_text(e));
    else
        e = key_store_add(s, cert_pem, key_pem, &number, detail);
    secret_wipe(key, room);
    IGNORE_RESULT(munlock(key, room), "see above");
    free(key);
    free(cert);
    return e;
}

static enum err keys_prepare(struct role_self *r, struct err_detail *detail)
{
    struct keys *k = calloc(1, sizeof *k);
    must(k);
    k->role = r;
    struct key_store *s = key_store_new();
    k->tls = s;
    r->state = k;
    digest_warm_up();
    CLEANUP(fd_done) int cert = role_file(r, "tls-cert");
    CLEANUP(fd_done) int key = role_file(r, "tls-key");
    if (cert < 0 || key < 0)
        return OK; /* a server without TLS: demo listeners marked plaintext, a proxy in front */
    enum err e = keys_load(s, cert, key, detail);
    if (e != OK)
        return e;
    uint8_t text[64 + 34 + 32];
    struct buf out;
    memset(text, ' ', sizeof(text));
    memcpy(text + 64, "TLS 1.3, server CertificateVerify", 34);
    buf_init(&out, KEY_SIGNED_MAX);
    e = key_store_sign(s, 0, TLS_ECDSA_P256_SHA256, slice_of(text, sizeof(text)), clock_mono(), &out);
    if (e == ERR_UNSUPPORTED)
        e = key_store_sign(s, 0, TLS_RSA_PSS_SHA256, slice_of(text, sizeof(text)), clock_mono(), &out);
    buf_done(&out);
    if (e != OK)
        err_detail_set(detail, "OpenSSL cannot sign with the TLS key: %s", err_text(e));
    return e;
}

static enum err keys_start(struct role_self *r, struct err_detail *detail)
{
    return dkim_start(r->state, detail);
}

static void keys_certificates(struct key_store *s, struct chan *c, uint64_t id)
{
    struct key_certificate rows[KEY_STORE_MAX];
    struct certificates m = {rows, key_store_count(s)};
    for (size_t i = 0; i < m.n_certificates; i++)
        rows[i] = (struct key_certificate){
            .key = (uint32_t)i, .chain = key_store_chain(s, i), .is_default = i == 0};
    IGNORE_RESULT(chan_reply(c, id, X_KEYS_CERTIFICATES, &m, NULL, 0),
                  "who asked is gone and will ask again");
}

static void keys_digests(struct key_store *s, struct chan *c, uint64_t id)
{
    struct doctor_certificate rows[KEY_STORE_MAX];
    struct doctor_certificates m = {rows, key_store_count(s)};
    for (size_t i = 0; i < m.n_certificates; i++)
        rows[i].spki_sha256 = slice_of(key_store_digest(s, i), KEY_DIGEST);
    IGNORE_RESULT(chan_reply(c, id, DOCTOR_KEYS_CERTIFICATES, &m, NULL, 0), "doctor asks again");
}

static void keys_sign(struct key_store *s, struct chan *c, uint64_t id, const struct sign_ask *ask)
{
    struct buf out;
    buf_init(&out, KEY_SIGNED_MAX);
    enum err e = key_store_sign(s, ask->key, ask->algorithm, ask->data, clock_mono(), &out);
    struct signature m = {.err = (uint32_t)e, .bytes = e == OK ? buf_view(&out) : (slice){0}};
    IGNORE_RESULT(chan_reply(c, id, X_KEYS_SIGNATURE, &m, NULL, 0), "who asked is gone");
    buf_done(&out);
}

static void keys_refuse(struct chan *c, uint64_t id, uint16_t type)
{
    struct signature no = {.err = ERR_DENIED};
    struct dkim_keys none = {0};
    if (type == X_KEYS_SIGN || type == X_KEYS_DKIM_SIGN)
        IGNORE_RESULT(chan_reply(c, id, X_KEYS_SIGNATURE, &no, NULL, 0), "who asked is gone");
    else
        IGNORE_RESULT(chan_reply(c, id, X_KEYS_DKIM, &none, NULL, 0), "who asked is gone");
}

/* Who may ask what: the role at the other end was named by the supervisor. */
static void keys_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                         const void *message, int *fds, size_t n_fds)
{
    struct keys *k = r->state;
    if (!peer->chan)
        return;
    if (peer->def == &doctor_keys_channel && type == DOCTOR_KEYS_CERTIFICATES_ASK)
        keys_digests(k->tls, peer->chan, id);
    else if (peer->def == &doctor_keys_channel)
        dkim_doctor(k, peer->chan, type, id, message, n_fds ? fds[0] : -1);
    else if (peer->def != &x_keys_channel)
        return;
    else if (type == X_KEYS_CERTIFICATES_ASK)
        keys_certificates(k->tls, peer->chan, id);
    else if (type == X_KEYS_SIGN && (peer->role == ROLE_EDGE || peer->role == ROLE_RELAY))
        keys_sign(k->tls, peer->chan, id, message);
    else if (type != X_KEYS_SIGN && peer->role == ROLE_JUDGE)
        dkim_judge(k, peer->chan, type, id, message);
    else
        keys_refuse(peer->chan, id, type);
}

static void keys_peer(struct role_self *r, struct role_peer *peer)
{
    if (peer->def == &doctor_keys_channel && !peer->chan)
        dkim_doctor_gone(r->state);
}

/* A key that is being made is finished or lost; nothing was promised. */
static void keys_drain(struct role_self *r, time_ms ms)
{
    struct keys *k = r->state;
    (void)ms;
    dkim_end(k);
    key_store_free(&k->tls);
    role_exit(r);
}

static void keys_status(struct role_self *r)
{
    const struct keys *k = r->state;
    role_fact(r, "keys", "%zu", key_store_count(k->tls));
    role_fact(r, "mail keys", "%zu", k->dkim ? dkim_store_count(k->dkim) : 0);
    role_fact(r, "mail signatures", "%llu", (unsigned long long)k->signed_count);
}

const struct role_spec keys_spec = {
    .role = ROLE_KEYS,
    .rights = &keys_rights,
    .prepare = keys_prepare,
    .start = keys_start,
    .on_message = keys_message,
    .on_peer = keys_peer,
    .on_drain = keys_drain,
    .on_status = keys_status,
};
