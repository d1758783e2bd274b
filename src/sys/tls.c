/* Connections. OpenSSL reads from t->in and writes to t->out through a BIO of ours; both are given back to
 * the allocator when they run empty, so an idle connection costs what OpenSSL keeps and little more. */
#include "sys/tls__.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORD_MAX  ((size_t)16 * 1024) /* plaintext of one record, RFC 8446 §5.1 */
#define RECORD_ROOM (RECORD_MAX + 1024) /* its ciphertext, and something of the protocol's own */

struct tls {
    SSL *ssl;
    struct tls_ctx *ctx;
    struct buf in, out;
    size_t in_at, out_at; /* of these so many bytes are used up */
    bool server;
    bool established;
    bool closed; /* close_notify sent */
    bool broken; /* fatal error; nothing but pending() makes sense */
    char trouble[128];
};

/* Moves what is left to the front. */
static void buf_compact(struct buf *b, size_t *at)
{
    buf_consume(b, *at);
    *at = 0;
}

/* Gives memory back, or moves what is left to the front once more than half is used up. */
static void buf_settle(struct buf *b, size_t *at)
{
    if (*at == b->n) {
        buf_done(b);
        *at = 0;
    } else if (*at > b->n / 2) {
        buf_compact(b, at);
    }
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *out_n)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n > TLS_OUT_MAX - t->out.n)
        buf_compact(&t->out, &t->out_at);
    if (buf_append(&t->out, slice_of(p, n)) != OK) {
        t->out.failed = false;
        BIO_set_retry_write(b);
        return 0;
    }
    *out_n = n;
    return 1;
}

static int bio_read(BIO *b, char *p, size_t n, size_t *out_n)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    size_t have = t->in.n - t->in_at;
    if (have == 0) {
        BIO_set_retry_read(b);
        return 0;
    }
    n = size_min(n, have);
    memcpy(p, t->in.p + t->in_at, n);
    t->in_at += n;
    *out_n = n;
    return 1;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
    (void)b, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls__bio_method(void)
{
    static BIO_METHOD *method; /* a constant that OpenSSL wants built at run time */
    if (method)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "posthorn");
    if (method) {
        BIO_meth_set_write_ex(method, bio_write);
        BIO_meth_set_read_ex(method, bio_read);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    return method;
}

static enum err tls_new(struct tls_ctx *c, struct tls **out)
{
    struct tls *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_MEMORY;
    t->server = c->server;
    t->ctx = c;
    c->refs++;
    buf_init(&t->in, TLS_IN_MAX);
    buf_init(&t->out, TLS_OUT_MAX);
    t->ssl = SSL_new(c->ssl);
    BIO *b = BIO_new(tls__bio_method());
    if (!t->ssl || !b) {
        BIO_free(b);
        tls_free(&t);
        return ERR_MEMORY;
    }
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    SSL_set_bio(t->ssl, b, b);
    SSL_set_app_data(t->ssl, t);
    *out = t;
    return OK;
}

enum err tls_accept(struct tls_ctx *c, struct tls **out)
{
    must(c->server);
    enum err e = tls_new(c, out);
    if (e == OK)
        SSL_set_accept_state((*out)->ssl);
    return e;
}

static enum err connect_settings(struct tls *t, slice name, slice alpn, enum tls_verify verify)
{
    if (name.n > TLSEXT_MAXLEN_host_name || slice_has(name, 0) || alpn.n > 255)
        return ERR_SYNTAX;
    char host[TLSEXT_MAXLEN_host_name + 1];
    if (name.n)
        memcpy(host, name.p, name.n);
    host[name.n] = 0;
    /* An address literal is no SNI name (RFC 6066 §3) and is verified as an address. */
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
    bool is_ip = ip != NULL;
    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    if (name.n && is_ip && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), host) != 1)
        return ERR_TLS;
    if (name.n && !is_ip && (SSL_set_tlsext_host_name(t->ssl, host) != 1 || SSL_set1_host(t->ssl, host) != 1))
        return ERR_TLS;
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    uint8_t wire[256];
    wire[0] = (uint8_t)alpn.n;
    if (alpn.n) {
        memcpy(wire + 1, alpn.p, alpn.n);
        if (SSL_set_alpn_protos(t->ssl, wire, (unsigned)alpn.n + 1) != 0) /* zero is success here */
            return ERR_TLS;
    }
    /* With VERIFY_NONE a client still verifies, goes on whatever comes out, and keeps the result. */
    SSL_set_verify(t->ssl, verify == TLS_VERIFY_PKIX ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return OK;
}

enum err tls_connect(struct tls_ctx *c, slice name, slice alpn, enum tls_verify verify, struct tls **out)
{
    must(!c->server);
    struct tls *t = NULL;
    enum err e = tls_new(c, &t);
    if (e != OK)
        return e;
    e = connect_settings(t, name, alpn, verify);
    if (e != OK) {
        tls_free(&t);
        return e;
    }
    SSL_set_connect_state(t->ssl);
    *out = t;
    return OK;
}

void tls_free(struct tls **t)
{
    if (!t || !*t)
        return;
    SSL_free((*t)->ssl);
    tls_ctx_free(&(*t)->ctx);
    buf_done(&(*t)->in);
    buf_done(&(*t)->out);
    free(*t);
    *t = NULL;
}

size_t tls_room(const struct tls *t)
{
    return TLS_IN_MAX - (t->in.n - t->in_at);
}

enum err tls_feed(struct tls *t, slice ciphertext)
{
    if (t->broken)
        return OK; /* nobody will read it */
    if (ciphertext.n > tls_room(t))
        return ERR_LIMIT;
    if (ciphertext.n > TLS_IN_MAX - t->in.n)
        buf_compact(&t->in, &t->in_at);
    enum err e = buf_append(&t->in, ciphertext);
    must(e == OK);
    return OK;
}

static enum err tls_fail(struct tls *t)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code), *data = NULL;
    int flags = 0;
    for (unsigned long c; (c = ERR_get_error_all(NULL, NULL, NULL, &data, &flags));)
        if (ERR_GET_LIB(c) == ERR_LIB_USER && (flags & ERR_TXT_STRING) && data) {
            snprintf(t->trouble, sizeof(t->trouble), "%s", data); /* our own words come first */
            reason = NULL;
            break;
        }
    if (reason)
        snprintf(t->trouble, sizeof(t->trouble), "%s", reason);
    else if (!t->trouble[0])
        snprintf(t->trouble, sizeof(t->trouble), "the peer broke the TLS protocol");
    ERR_clear_error();
    t->broken = true;
    return ERR_TLS;
}

/* What an unsuccessful call into OpenSSL means. */
static enum err tls_result(struct tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: /* our buffer is full: sending makes room, then this is called again */
        return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_CLOSED;
    default:
        return tls_fail(t);
    }
}

enum err tls_handshake(struct tls *t)
{
    if (t->broken)
        return ERR_TLS;
    if (t->established)
        return OK;
    ERR_clear_error();
    int r = SSL_do_handshake(t->ssl);
    enum err e = r == 1 ? OK : tls_result(t, r);
    t->established = e == OK;
    buf_settle(&t->in, &t->in_at);
    return e == ERR_CLOSED ? tls_fail(t) : e;
}

enum err tls_read(struct tls *t, uint8_t *room, size_t n, size_t *out_n)
{
    if (t->broken)
        return ERR_TLS;
    must(t->established && n > 0);
    size_t got = 0;
    ERR_clear_error();
    int r = SSL_read_ex(t->ssl, room, n, &got);
    enum err e = r == 1 ? OK : tls_result(t, r);
    buf_settle(&t->in, &t->in_at);
    if (e == OK)
        *out_n = got;
    return e;
}

size_t tls_write_room(const struct tls *t)
{
    return (TLS_OUT_MAX - (t->out.n - t->out_at)) / RECORD_ROOM * RECORD_MAX;
}

enum err tls_write(struct tls *t, slice plain, size_t *out_used)
{
    if (t->broken)
        return ERR_TLS;
    must(t->established && !t->closed);
    size_t used = 0;
    ERR_clear_error();
    while (used < plain.n) {
        size_t wrote = 0;
        /* what was sent counts as room (tls_write_room() promises it), so it has to go at every record */
        if (TLS_OUT_MAX - t->out.n < RECORD_ROOM)
            buf_compact(&t->out, &t->out_at);
        if (TLS_OUT_MAX - t->out.n < RECORD_ROOM)
            break;
        int r = SSL_write_ex(t->ssl, plain.p + used, size_min(plain.n - used, RECORD_MAX), &wrote);
        enum err e = r == 1 ? OK : tls_result(t, r);
        if (e == ERR_AGAIN)
            break;
        if (e != OK)
            return e;
        used += wrote;
    }
    *out_used = used;
    return OK;
}

void tls_close(struct tls *t)
{
    if (t->broken || t->closed || !t->established)
        return;
    t->closed = true;
    ERR_clear_error();
    if (SSL_shutdown(t->ssl) < 0)
        ERR_clear_error(); /* no room for the alert: the peer sees the connection end, which mail protocols
                              allow */
}

slice tls_pending(const struct tls *t)
{
    return slice_from(buf_view(&t->out), t->out_at);
}

void tls_sent(struct tls *t, size_t n)
{
    must(n <= t->out.n - t->out_at);
    t->out_at += n;
    buf_settle(&t->out, &t->out_at);
}

bool tls_established(const struct tls *t)
{
    return t->established;
}

const char *tls_trouble(const struct tls *t)
{
    return t->trouble;
}

/* Text from the peer or the library, fit for a log. */
static void fact(char *out, size_t room, const char *s)
{
    size_t i = 0;
    for (; s && s[i] && i + 1 < room; i++)
        out[i] = s[i] > ' ' && s[i] < 127 ? s[i] : (s[i] == ' ' ? ' ' : '?');
    out[i] = 0;
}

#define FACT(member, s) fact(out->member, sizeof(out->member), (s))

static void facts_group(const struct tls *t, struct tls_facts *out)
{
    int nid = (int)SSL_get_negotiated_group(t->ssl);
    if (nid == NID_undef || (nid & TLSEXT_nid_unknown))
        return;
    const char *nist = EC_curve_nid2nist(nid);
    FACT(group, nist ? nist : OBJ_nid2sn(nid));
}

void tls_facts(const struct tls *t, struct tls_facts *out)
{
    memset(out, 0, sizeof(*out));
    FACT(name, SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
    out->established = t->established;
    if (!t->established)
        return;
    FACT(version, SSL_get_version(t->ssl));
    FACT(cipher, SSL_get_cipher_name(t->ssl));
    facts_group(t, out);
    out->resumed = SSL_session_reused(t->ssl) == 1;
    const unsigned char *p = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(t->ssl, &p, &n);
    char alpn[16] = "";
    if (n)
        memcpy(alpn, p, size_min(n, sizeof(alpn) - 1));
    FACT(alpn, alpn);
    if (t->server)
        return;
    long verdict = SSL_get_verify_result(t->ssl);
    X509 *peer = SSL_get0_peer_certificate(t->ssl);
    out->verified = peer && verdict == X509_V_OK;
    if (!out->verified)
        FACT(verdict, peer ? X509_verify_cert_error_string(verdict) : "the peer showed no certificate");
}

enum err tls_peer_chain(const struct tls *t, struct buf *out)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        uint8_t *der = NULL;
        int n = i2d_X509(sk_X509_value(chain, i), &der);
        enum err e = n > 0 ? buf_append(out, slice_of(der, (size_t)n)) : ERR_SYNTAX;
        OPENSSL_free(der);
        if (e)
            return e;
    }
    return sk_X509_num(chain) > 0 ? OK : ERR_NOT_FOUND;
}
