#include "sys/tls_openssl.h" /* before all else */

#include "base/buf.h"
#include "survey/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TRUST_MAX_BYTES (1 << 20)
#define NAMES_MAX       512

struct survey_certificates {
    X509_STORE *store;
};

enum err survey_certificates_new(slice pem, struct survey_certificates **out)
{
    struct survey_certificates *c = calloc(1, sizeof *c);
    BIO *b = pem.n && pem.n <= TRUST_MAX_BYTES ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *x;
    must(c);
    c->store = X509_STORE_new();
    must(c->store);
    while (b && (x = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
        IGNORE_RESULT(X509_STORE_add_cert(c->store, x), "one twice is one");
        X509_free(x);
    }
    ERR_clear_error();
    BIO_free(b);
    *out = c;
    return OK;
}

void survey_certificates_free(struct survey_certificates **c)
{
    if (!*c)
        return;
    X509_STORE_free((*c)->store);
    free(*c);
    *c = NULL;
}

static time_ms certificate_time(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (time_ms)timegm(&tm) * 1000 : 0;
}

static slice certificate_names(X509 *x, struct arena *arena)
{
    struct buf b CLEANUP(buf_done) = {.max = NAMES_MAX};
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    slice out = {0};
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type == GEN_DNS)
            buf_print(&b, "%s%.*s", b.n ? ", " : "", ASN1_STRING_length(n->d.dNSName),
                      (const char *)ASN1_STRING_get0_data(n->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    if (!arena_dup(arena, buf_view(&b), &out))
        return (slice){0};
    return out;
}

static void certificate_chain(struct survey_certificates *c, X509 *leaf, STACK_OF(X509) * sent,
                              struct arena *arena, struct facts_certificate *out)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    must(ctx);
    if (X509_STORE_CTX_init(ctx, c->store, leaf, sent) == 1) {
        X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
        out->chain_complete = X509_verify_cert(ctx) == 1;
        if (!out->chain_complete) {
            int why = X509_STORE_CTX_get_error(ctx);
            out->self_signed = why == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
            if (!arena_dup(arena, slice_str(X509_verify_cert_error_string(why)), &out->chain_error))
                out->chain_error = (slice){0};
        }
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
}

static void certificate_key(X509 *leaf, uint8_t out[32])
{
    uint8_t *der = NULL;
    unsigned n = 0;
    int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
    if (bytes > 0)
        IGNORE_RESULT(EVP_Digest(der, (size_t)bytes, out, &n, EVP_sha256(), NULL), "then it matches nothing");
    OPENSSL_free(der);
}

void survey_certificate_see(struct survey_certificates *c, const struct tls *t, slice hostname,
                            struct arena *arena, struct facts_certificate *out)
{
    struct buf der CLEANUP(buf_done) = {.max = 256 * 1024};
    STACK_OF(X509) *sent = sk_X509_new_null();
    const uint8_t *p, *end;
    X509 *x, *leaf = NULL;
    if (tls_peer_chain(t, &der) == OK) {
        p = der.p;
        end = der.p + der.n;
        while (p < end && (x = d2i_X509(NULL, &p, end - p))) {
            if (!leaf)
                leaf = x;
            else if (!sk_X509_push(sent, x))
                X509_free(x);
        }
    }
    if (leaf) {
        char name[256] = "";
        snprintf(name, sizeof name, "%.*s", SLICE_FMT(slice_sub(hostname, 0, sizeof name - 1)));
        out->seen = true;
        out->not_before = certificate_time(X509_get0_notBefore(leaf));
        out->not_after = certificate_time(X509_get0_notAfter(leaf));
        out->names_host = X509_check_host(leaf, name, 0, 0, NULL) == 1;
        out->names = certificate_names(leaf, arena);
        certificate_chain(c, leaf, sent, arena, out);
        certificate_key(leaf, out->spki_sha256);
    }
    X509_free(leaf);
    sk_X509_pop_free(sent, X509_free);
    ERR_clear_error();
}
