/* Contexts: what all connections of a listener, or of the relay, have in common. */
#include "sys/tls__.h"
#include "sys/tls_remote.h"

#include <stdlib.h>

#define CHAIN_MAX 10
#define PEM_MAX   (64 * 1024)
#define TRUST_MAX (1024 * 1024)
#define TICKET_S  (2 * 60 * 60)
/* Forward secret suites only. The CBC ones are for old mail servers, which would otherwise fall back to no
 * TLS. */
#define SERVER_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!SHA1:!PSK:!SRP"
#define SERVER_SIGS                                                                                          \
    "ECDSA+SHA256:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512"

enum err tls_setup(void)
{
    if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL))
        return ERR_TLS;
    enum err e = tls_remote_setup();
    if (e != OK)
        return e;
    uint8_t seed[1]; /* seeds the generator before the process is locked in */
    if (!tls__bio_method() || RAND_bytes(seed, sizeof(seed)) != 1)
        return ERR_TLS;
    return OK;
}

static enum err ctx_fail(struct err_detail *detail, enum err e, const char *what)
{
    char why[160] = "";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, why, sizeof(why));
    ERR_clear_error();
    if (detail)
        err_detail_set(detail, "%s%s%s", what, why[0] ? ": " : "", why);
    return e;
}

static enum err ctx_new(const SSL_METHOD *method, struct tls_ctx **out)
{
    struct tls_ctx *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_MEMORY;
    c->refs = 1;
    c->ssl = SSL_CTX_new(method);
    if (!c->ssl || SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION) != 1) {
        tls_ctx_free(&c);
        return ERR_TLS;
    }
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
    *out = c;
    return OK;
}

void tls_ctx_free(struct tls_ctx **c)
{
    if (!c || !*c)
        return;
    struct tls_ctx *x = *c;
    *c = NULL;
    if (--x->refs > 0)
        return; /* its last connection sees to it */
    X509_free(x->client_cert);
    EVP_PKEY_free(x->client_key);
    SSL_CTX_free(x->ssl);
    free(x);
}

static BIO *pem_open(slice pem, size_t most)
{
    return pem.n && pem.n <= most ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

/* The next certificate, or NULL at the end of the text. */
static X509 *pem_next(BIO *b)
{
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    if (!x)
        ERR_clear_error(); /* the end is reported as an error, too */
    return x;
}

static enum err ctx_issuers(SSL_CTX *ssl, BIO *b)
{
    for (size_t n = 0;; n++) {
        X509 *x = pem_next(b);
        if (!x)
            return OK;
        bool ok = n < CHAIN_MAX && SSL_CTX_add1_chain_cert(ssl, x) == 1;
        X509_free(x);
        if (!ok)
            return ERR_LIMIT;
    }
}

/* Certificate, issuers and a remote key into the context. */
static enum err ctx_certificate(struct tls_ctx *c, const struct tls_certificate *cert,
                                const struct tls_signer *signer, struct err_detail *detail)
{
    BIO *b = pem_open(cert->chain_pem, PEM_MAX);
    X509 *x = b ? pem_next(b) : NULL;
    EVP_PKEY *key = NULL;
    enum err e = OK;
    if (!x)
        e = ctx_fail(detail, ERR_CONFIG, "the certificate file holds no certificate in PEM form");
    else if (!X509_get0_pubkey(x) || tls_remote_key(X509_get0_pubkey(x), signer, cert->key, &key) != OK)
        e = ctx_fail(detail, ERR_CONFIG,
                     "the certificate's key is neither P-256 nor RSA of 2048 to 4096 bits");
    else if (!c->server) {
        c->client_cert = x, c->client_key = key; /* moved */
        x = NULL, key = NULL;
    } else if (SSL_CTX_use_certificate(c->ssl, x) != 1 || ctx_issuers(c->ssl, b) != OK ||
               SSL_CTX_use_PrivateKey(c->ssl, key) != 1)
        e = ctx_fail(detail, ERR_CONFIG, "OpenSSL refuses the certificate");
    EVP_PKEY_free(key);
    X509_free(x);
    BIO_free(b);
    return e;
}

/* RFC 7301 §3.2: our first name that the client offers, or the alert. */
static int ctx_choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned in_n, void *arg)
{
    const struct tls_ctx *c = arg;
    unsigned char *chosen = NULL;
    (void)ssl;
    if (c->n_alpn == 0 || SSL_select_next_proto(&chosen, out_n, c->alpn, (unsigned)c->n_alpn, in, in_n) !=
                              OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum err ctx_set_alpn(struct tls_ctx *c, const char *const *names)
{
    for (; names && *names; names++) {
        size_t n = strlen(*names);
        if (n == 0 || n > 255 || c->n_alpn + 1 + n > TLS_ALPN_MAX)
            return ERR_LIMIT;
        c->alpn[c->n_alpn++] = (uint8_t)n;
        memcpy(c->alpn + c->n_alpn, *names, n);
        c->n_alpn += n;
    }
    SSL_CTX_set_alpn_select_cb(c->ssl, ctx_choose_alpn, c);
    return OK;
}

enum err tls_server_new(const struct tls_server_options *o, struct tls_ctx **out, struct err_detail *detail)
{
    must(o->listener.n >= 1 && o->listener.n <= SSL_MAX_SSL_SESSION_ID_LENGTH && o->signer.sign);
    struct tls_ctx *c = NULL;
    enum err e = tls_setup();
    if (e == OK)
        e = ctx_new(TLS_server_method(), &c);
    if (e != OK)
        return ctx_fail(detail, e, "OpenSSL did not start");
    c->server = true;
    if (SSL_CTX_set_session_id_context(c->ssl, o->listener.p, (unsigned)o->listener.n) != 1 ||
        SSL_CTX_set_cipher_list(c->ssl, SERVER_TLS12) != 1 ||
        SSL_CTX_set1_groups_list(c->ssl, "X25519:P-256") != 1 ||
        SSL_CTX_set1_sigalgs_list(c->ssl, SERVER_SIGS) != 1 || SSL_CTX_set_num_tickets(c->ssl, 1) != 1 ||
        ctx_set_alpn(c, o->alpn) != OK)
        e = ctx_fail(detail, ERR_TLS, "OpenSSL refuses a setting");
    SSL_CTX_set_timeout(c->ssl, TICKET_S);
    if (e == OK && (o->n_certificates == 0 || o->n_certificates > TLS_CERTIFICATES))
        e = ctx_fail(detail, ERR_CONFIG, "a TLS listener needs one to four certificates");
    for (size_t i = 0; e == OK && i < o->n_certificates; i++)
        e = ctx_certificate(c, &o->certificates[i], &o->signer, detail);
    if (e != OK) {
        tls_ctx_free(&c);
        return e;
    }
    *out = c;
    return OK;
}

void tls_ctx_new_ticket_keys(struct tls_ctx *c)
{
    uint8_t keys[80]; /* the size OpenSSL asks for: name 16, HMAC 32, AES 32 */
    if (RAND_bytes(keys, sizeof(keys)) == 1 &&
        SSL_CTX_set_tlsext_ticket_keys(c->ssl, keys, sizeof(keys)) != 1)
        ERR_clear_error(); /* the old keys stay: no harm beyond their age */
    OPENSSL_cleanse(keys, sizeof(keys));
}

/* A peer asked for a certificate. Under TLS 1.2 the text to sign would be the whole handshake; we stay
 * anonymous. */
static int ctx_client_certificate(SSL *ssl, X509 **x, EVP_PKEY **key)
{
    const struct tls_ctx *c = SSL_get_app_data(ssl) ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;
    if (!c || !c->client_cert || SSL_version(ssl) < TLS1_3_VERSION)
        return 0;
    X509_up_ref(c->client_cert);
    EVP_PKEY_up_ref(c->client_key);
    *x = c->client_cert, *key = c->client_key;
    return 1;
}

static enum err ctx_trust(SSL_CTX *ssl, slice pem, struct err_detail *detail)
{
    BIO *b = pem_open(pem, TRUST_MAX);
    size_t n = 0;
    for (X509 *x; b && (x = pem_next(b)); n++) {
        bool ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), x) == 1;
        X509_free(x);
        if (!ok)
            break;
    }
    BIO_free(b);
    return n ? OK : ctx_fail(detail, ERR_CONFIG, "the file of trusted certificates holds none in PEM form");
}

enum err tls_client_new(const struct tls_client_options *o, struct tls_ctx **out, struct err_detail *detail)
{
    struct tls_ctx *c = NULL;
    enum err e = tls_setup();
    if (e == OK)
        e = ctx_new(TLS_client_method(), &c);
    if (e != OK)
        return ctx_fail(detail, e, "OpenSSL did not start");
    SSL_CTX_set_app_data(c->ssl, c);
    if (SSL_CTX_dane_enable(c->ssl) != 1 || SSL_CTX_set1_groups_list(c->ssl, "X25519:P-256:P-384:P-521") != 1)
        e = ctx_fail(detail, ERR_TLS, "OpenSSL refuses a setting");
    if (e == OK && o->trust_pem.n)
        e = ctx_trust(c->ssl, o->trust_pem, detail);
    if (e == OK && o->n_certificates)
        e = ctx_certificate(c, &o->certificates[0], &o->signer, detail);
    if (e == OK && o->n_certificates)
        SSL_CTX_set_client_cert_cb(c->ssl, ctx_client_certificate);
    if (e != OK) {
        tls_ctx_free(&c);
        return e;
    }
    *out = c;
    return OK;
}
