/* Shared by tls.c and tls_ctx.c only. */
#ifndef POSTHORN_SYS_TLS__H
#define POSTHORN_SYS_TLS__H

#include "sys/tls.h"
#include "sys/tls_openssl.h"

#define TLS_ALPN_MAX 64

struct tls_ctx {
    SSL_CTX *ssl;
    unsigned refs; /* who made it, and each connection */
    bool server;
    uint8_t alpn[TLS_ALPN_MAX]; /* accepted names in wire form: length, name, ... */
    size_t n_alpn;
    X509 *client_cert; /* what a peer that asks gets, and its key; or NULL */
    EVP_PKEY *client_key;
};

/* The custom BIO's method; made once. NULL when OpenSSL has no memory. */
BIO_METHOD *tls__bio_method(void);

#endif
