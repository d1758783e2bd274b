/* digest: over OpenSSL 3. The one-shot calls fetch their algorithm each time, which costs about a microsecond
 * and keeps this free of globals. */
#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <limits.h>

/* OpenSSL wants pointers that are not NULL. */
static const uint8_t *digest_bytes(slice s)
{
    return s.n ? s.p : (const uint8_t *)"";
}

void digest_warm_up(void)
{
    uint8_t out[DIGEST_SHA256_SIZE];
    must(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_DIGESTS, NULL) == 1);
    digest_sha256(SLICE("x"), out);
    digest_hmac_sha256(SLICE("x"), SLICE("x"), out);
    digest_pbkdf2_sha256(SLICE("x"), SLICE("x"), 1, out);
}

void digest_sha256(slice s, uint8_t out[DIGEST_SHA256_SIZE])
{
    must(SHA256(digest_bytes(s), s.n, out) != NULL);
}

void digest_stream_init(struct digest_stream *d)
{
    const EVP_MD *md = NULL; /* what the context has: looking it up anew takes longer than hashing a line */
    if (!d->context) {
        d->context = EVP_MD_CTX_new();
        md = EVP_sha256();
    }
    must(d->context != NULL && EVP_DigestInit_ex(d->context, md, NULL) == 1);
}

void digest_stream_update(struct digest_stream *d, slice s)
{
    if (s.n)
        must(EVP_DigestUpdate(d->context, s.p, s.n) == 1);
}

void digest_stream_final(struct digest_stream *d, uint8_t out[DIGEST_SHA256_SIZE])
{
    must(EVP_DigestFinal_ex(d->context, out, NULL) == 1);
}

void digest_stream_done(struct digest_stream *d)
{
    EVP_MD_CTX_free(d->context);
    d->context = NULL;
}

void digest_hmac_sha256(slice key, slice s, uint8_t out[DIGEST_SHA256_SIZE])
{
    unsigned n = 0;
    must(key.n <= INT_MAX);
    must(HMAC(EVP_sha256(), digest_bytes(key), (int)key.n, digest_bytes(s), s.n, out, &n) != NULL);
    must(n == DIGEST_SHA256_SIZE);
}

void digest_hmac_sha512(slice key, slice s, uint8_t out[DIGEST_SHA512_SIZE])
{
    unsigned n = 0;
    must(key.n <= INT_MAX);
    must(HMAC(EVP_sha512(), digest_bytes(key), (int)key.n, digest_bytes(s), s.n, out, &n) != NULL);
    must(n == DIGEST_SHA512_SIZE);
}

void digest_pbkdf2_sha256(slice password, slice salt, uint32_t iterations, uint8_t out[DIGEST_SHA256_SIZE])
{
    must(password.n <= INT_MAX && salt.n <= INT_MAX && iterations >= 1 && iterations <= INT_MAX);
    must(PKCS5_PBKDF2_HMAC((const char *)digest_bytes(password), (int)password.n, digest_bytes(salt),
                           (int)salt.n, (int)iterations, EVP_sha256(), DIGEST_SHA256_SIZE, out) == 1);
}
