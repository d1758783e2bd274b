#include "proc/keys/key_store.h"

#include "sys/tls_scheme.h"

#define ERR_STATE openssl_err_state /* base/err.h has a code of that name */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#undef ERR_STATE

#include <stdlib.h>

#define SECURE_HEAP ((size_t)4 * 1024 * 1024) /* a thousand keys of RSA-2048 (dkim_store.h) */

struct key_pair {
    EVP_PKEY *key;
    bool rsa;
    struct buf chain;
    uint8_t digest[KEY_DIGEST];
};

struct key_store {
    struct key_pair pairs[KEY_STORE_MAX];
    size_t n;
    time_ms second; /* of the count below */
    unsigned signatures;
};

struct key_store *key_store_new(void)
{
    IGNORE_RESULT(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL),
                  "what fails here fails again with the first key, with words");
    /* Before the first key. 1: locked, 2: there but not locked (no rights for that), 0: none; all work. */
    if (!CRYPTO_secure_malloc_initialized())
        IGNORE_RESULT(CRYPTO_secure_malloc_init(SECURE_HEAP, 32),
                      "ordinary memory that is wiped is used instead");
    struct key_store *s = calloc(1, sizeof(*s));
    must(s);
    return s;
}

void key_store_free(struct key_store **s)
{
    if (!s || !*s)
        return;
    for (size_t i = 0; i < (*s)->n; i++) {
        EVP_PKEY_free((*s)->pairs[i].key);
        buf_done(&(*s)->pairs[i].chain);
    }
    free(*s);
    *s = NULL;
}

size_t key_store_count(const struct key_store *s)
{
    return s->n;
}

slice key_store_chain(const struct key_store *s, size_t i)
{
    must(i < s->n);
    return buf_view(&s->pairs[i].chain);
}

const uint8_t *key_store_digest(const struct key_store *s, size_t i)
{
    must(i < s->n);
    return s->pairs[i].digest;
}

/* RFC 7671 §5.1: what a TLSA record 3 1 1 holds. */
static void key_digest(EVP_PKEY *key, uint8_t out[KEY_DIGEST])
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    must(n > 0 && EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL) == 1);
    OPENSSL_free(der);
}

static enum err key_fail(struct err_detail *detail, const char *text)
{
    ERR_clear_error();
    err_detail_set(detail, "%s", text);
    return ERR_CONFIG;
}

static int key_no_passphrase(char *room, int n, int writing, void *arg)
{
    (void)room, (void)n, (void)writing, (void)arg;
    return -1; /* there is nobody to ask */
}

static bool key_fits(EVP_PKEY *key, bool *out_rsa)
{
    char group[32] = "";
    size_t n = 0;
    *out_rsa = EVP_PKEY_is_a(key, "RSA");
    if (*out_rsa)
        return EVP_PKEY_get_bits(key) >= 2048 && EVP_PKEY_get_bits(key) <= 4096;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
           (strcmp(group, SN_X9_62_prime256v1) == 0 || strcmp(group, "P-256") == 0);
}

static enum err key_check(X509 *cert, EVP_PKEY *key, bool *out_rsa, struct err_detail *detail)
{
    if (!cert)
        return key_fail(detail, "the certificate file holds no certificate in PEM form; it should begin with "
                                "-----BEGIN CERTIFICATE-----");
    if (!key)
        return key_fail(
            detail, "the key file holds no private key in PEM form without passphrase; write it anew with "
                    "openssl pkey -in KEY -out KEY");
    if (!key_fits(key, out_rsa))
        return key_fail(detail,
                        "the private key is neither P-256 nor RSA of 2048 to 4096 bits; make a new one with "
                        "openssl ecparam -genkey -name prime256v1");
    if (X509_check_private_key(cert, key) != 1)
        return key_fail(
            detail, "the certificate and the private key do not belong together; the first certificate in "
                    "the file has to be the one of this key");
    return OK;
}

enum err key_store_add(struct key_store *s, slice cert_pem, slice key_pem, uint32_t *out_key,
                       struct err_detail *detail)
{
    if (s->n == KEY_STORE_MAX || cert_pem.n > KEY_PEM_MAX || key_pem.n > KEY_PEM_MAX)
        return ERR_LIMIT;
    BIO *cb = BIO_new_mem_buf(cert_pem.n ? (const void *)cert_pem.p : "", (int)cert_pem.n);
    BIO *kb = BIO_new_mem_buf(key_pem.n ? (const void *)key_pem.p : "", (int)key_pem.n);
    must(cb && kb);
    X509 *cert = PEM_read_bio_X509(cb, NULL, key_no_passphrase, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(kb, NULL, key_no_passphrase, NULL);
    struct key_pair *p = &s->pairs[s->n];
    enum err e = key_check(cert, key, &p->rsa, detail);
    X509_free(cert);
    BIO_free(cb);
    BIO_free(kb);
    if (e != OK) {
        EVP_PKEY_free(key);
        return e;
    }
    p->key = key;
    key_digest(key, p->digest);
    buf_init(&p->chain, KEY_PEM_MAX);
    must(buf_append(&p->chain, cert_pem) == OK);
    *out_key = (uint32_t)s->n++;
    return OK;
}

/* RFC 8446 §4.4.3: 64 spaces, the context string, a zero, the transcript hash. */
static bool text_is_tls13(slice t)
{
    static const slice contexts[] = {SLICE_INIT("TLS 1.3, server CertificateVerify"),
                                     SLICE_INIT("TLS 1.3, client CertificateVerify")};
    if (t.n != 64 + 34 + 32 && t.n != 64 + 34 + 48)
        return false;
    for (size_t i = 0; i < 64; i++)
        if (t.p[i] != ' ')
            return false;
    slice context = slice_sub(t, 64, 97);
    return t.p[97] == 0 && (slice_eq(context, contexts[0]) || slice_eq(context, contexts[1]));
}

/* RFC 8422 §5.4: both randoms, then ServerECDHParams: named_curve, the curve, the public point. */
static bool text_is_tls12(slice t)
{
    if (t.n < 64 + 4)
        return false;
    slice params = slice_from(t, 64);
    size_t point = params.p[3];
    unsigned group = (unsigned)params.p[1] << 8 | params.p[2];
    bool known = (group == 0x001d && point == 32) || (group == 0x0017 && point == 65);
    return params.p[0] == 3 && known && params.n == 4 + point;
}

bool key_text_allowed(slice text)
{
    return text_is_tls13(text) || text_is_tls12(text);
}

static bool key_rate(struct key_store *s, time_ms now)
{
    if (now / MS_SECOND != s->second) {
        s->second = now / MS_SECOND;
        s->signatures = 0;
    }
    return s->signatures++ < KEY_SIGN_RATE;
}

static bool key_sign(EVP_PKEY *key, const struct tls_scheme *scheme, slice text, uint8_t out[KEY_SIGNED_MAX],
                     size_t *n)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL;
    const char *hash = scheme->hash == 32 ? "SHA256" : scheme->hash == 48 ? "SHA384" : "SHA512";
    bool ok = c && EVP_DigestSignInit_ex(c, &p, hash, NULL, NULL, key, NULL) == 1;
    if (ok && scheme->pss)
        ok = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1;
    *n = KEY_SIGNED_MAX;
    ok = ok && EVP_DigestSign(c, out, n, text.p, text.n) == 1;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return ok;
}

enum err key_store_sign(struct key_store *s, uint32_t key, uint16_t scheme, slice text, time_ms now_mono,
                        struct buf *out)
{
    const struct tls_scheme *how = tls_scheme_find(scheme);
    uint8_t signature[KEY_SIGNED_MAX];
    size_t n = 0;
    if (key >= s->n)
        return ERR_NOT_FOUND;
    if (!how || how->rsa != s->pairs[key].rsa)
        return ERR_UNSUPPORTED;
    if (!key_text_allowed(text))
        return ERR_DENIED;
    if (!key_rate(s, now_mono))
        return ERR_BUSY;
    if (!key_sign(s->pairs[key].key, how, text, signature, &n))
        return ERR_BUG;
    return buf_append(out, slice_of(signature, n));
}
