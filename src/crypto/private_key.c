#include "crypto/private_key.h"

#include "text/base64.h"

#define ERR_STATE openssl_err_state /* base/err.h has a code of that name */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#undef ERR_STATE
#include <sodium.h>

#include <stdlib.h>

#define RSA_BITS 2048

struct private_key {
    EVP_PKEY *key;
    enum private_key_kind kind;
    EVP_PKEY_CTX *sign; /* RSA: ready to sign */
    uint8_t *pair;      /* Ed25519: seed and public half, as libsodium wants them, in the secure heap */
};

static bool ready_rsa(struct private_key *k)
{
    k->sign = EVP_PKEY_CTX_new(k->key, NULL);
    return k->sign && EVP_PKEY_sign_init(k->sign) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(k->sign, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(k->sign, EVP_sha256()) == 1;
}

static bool ready_ed25519(struct private_key *k)
{
    size_t seed = crypto_sign_SEEDBYTES, public = crypto_sign_PUBLICKEYBYTES;
    static_assert(crypto_sign_SECRETKEYBYTES == crypto_sign_SEEDBYTES + crypto_sign_PUBLICKEYBYTES,
                  "libsodium's secret key is the one behind the other");
    k->pair = OPENSSL_secure_malloc(crypto_sign_SECRETKEYBYTES);
    return k->pair && EVP_PKEY_get_raw_private_key(k->key, k->pair, &seed) == 1 &&
           EVP_PKEY_get_raw_public_key(k->key, k->pair + seed, &public) == 1 &&
           seed == crypto_sign_SEEDBYTES && public == crypto_sign_PUBLICKEYBYTES;
}

/* Takes the key. NULL when there is no room for what signing needs. */
static struct private_key *private_key_of(EVP_PKEY *key, enum private_key_kind kind)
{
    struct private_key *k = calloc(1, sizeof(*k));
    must(k);
    k->key = key;
    k->kind = kind;
    if (kind == PRIVATE_KEY_RSA ? !ready_rsa(k) : !ready_ed25519(k))
        private_key_free(&k);
    ERR_clear_error();
    return k;
}

struct private_key *private_key_make(enum private_key_kind kind)
{
    EVP_PKEY *key = kind == PRIVATE_KEY_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS)
                                            : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    ERR_clear_error();
    return key ? private_key_of(key, kind) : NULL;
}

static int private_key_no_passphrase(char *room, int n, int writing, void *arg)
{
    (void)room, (void)n, (void)writing, (void)arg;
    return -1; /* there is nobody to ask */
}

static enum err private_key_fail(struct err_detail *detail, const char *text)
{
    err_detail_set(detail, "%s", text);
    return ERR_CONFIG;
}

enum err private_key_read(slice pem, struct private_key **out, struct err_detail *detail)
{
    EVP_PKEY *key;
    BIO *bio;
    if (pem.n > PRIVATE_KEY_PEM_MAX)
        return private_key_fail(detail, "the key file is too long for a key");
    bio = BIO_new_mem_buf(pem.n ? (const void *)pem.p : "", (int)pem.n);
    must(bio);
    key = PEM_read_bio_PrivateKey(bio, NULL, private_key_no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (!key)
        return private_key_fail(detail,
                                "the file holds no private key in PEM form without passphrase; write it anew "
                                "with openssl pkey -in KEY -out KEY");
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    int bits = EVP_PKEY_get_bits(key);
    if (!EVP_PKEY_is_a(key, "ED25519") && !(rsa && bits >= 1024 && bits <= 4096)) {
        EVP_PKEY_free(key);
        return private_key_fail(detail, "the key is neither RSA of 1024 to 4096 bits nor Ed25519");
    }
    struct private_key *k = private_key_of(key, rsa ? PRIVATE_KEY_RSA : PRIVATE_KEY_ED25519);
    if (!k)
        return private_key_fail(detail, "there is no room for one more key in memory");
    *out = k;
    return OK;
}

void private_key_free(struct private_key **k)
{
    if (!k || !*k)
        return;
    EVP_PKEY_CTX_free((*k)->sign);
    EVP_PKEY_free((*k)->key); /* libcrypto wipes the private numbers */
    OPENSSL_secure_clear_free((*k)->pair, crypto_sign_SECRETKEYBYTES);
    free(*k);
    *k = NULL;
}

enum private_key_kind private_key_kind_of(const struct private_key *k)
{
    return k->kind;
}

unsigned private_key_bits(const struct private_key *k)
{
    return k->kind == PRIVATE_KEY_RSA ? (unsigned)EVP_PKEY_get_bits(k->key) : 256;
}

enum err private_key_write(const struct private_key *k, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    char *text = NULL;
    must(bio);
    must(PEM_write_bio_PKCS8PrivateKey(bio, k->key, NULL, NULL, 0, NULL, NULL) == 1);
    long n = BIO_get_mem_data(bio, &text);
    enum err e = n > 0 ? buf_append(out, slice_of(text, (size_t)n)) : ERR_BUG;
    BIO_free(bio);
    return e;
}

enum err private_key_public_text(const struct private_key *k, struct buf *out)
{
    if (k->kind == PRIVATE_KEY_ED25519) {
        uint8_t raw[32];
        size_t n = sizeof(raw);
        must(EVP_PKEY_get_raw_public_key(k->key, raw, &n) == 1 && n == sizeof(raw));
        return base64_encode(slice_of(raw, n), out);
    }
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(k->key, &der);
    must(n > 0);
    size_t before = out->n;
    enum err e = base64_encode(slice_of(der, (size_t)n), out);
    OPENSSL_free(der);
    if (e)
        buf_truncate(out, before);
    return e;
}

enum err private_key_sign(const struct private_key *k, const uint8_t digest[DIGEST_SHA256_SIZE],
                          struct buf *out)
{
    uint8_t signature[PRIVATE_KEY_SIGNATURE];
    size_t n = sizeof(signature);
    unsigned long long n_ed25519;
    if (k->kind == PRIVATE_KEY_ED25519) {
        must(crypto_sign_detached(signature, &n_ed25519, digest, DIGEST_SHA256_SIZE, k->pair) == 0);
        return buf_append(out, slice_of(signature, (size_t)n_ed25519));
    }
    bool ok = EVP_PKEY_sign(k->sign, signature, &n, digest, DIGEST_SHA256_SIZE) == 1;
    ERR_clear_error();
    return ok ? buf_append(out, slice_of(signature, n)) : ERR_BUG;
}
