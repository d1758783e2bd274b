#include "crypto/public_key.h"

#define ERR_STATE openssl_err_state /* base/err.h has a code of that name */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#undef ERR_STATE
#include <sodium.h>

#include <stdlib.h>

struct public_key {
    unsigned bits;
    bool ed25519;
    uint8_t octets[PUBLIC_KEY_ED25519_SIZE];
    EVP_PKEY *rsa; /* NULL when it is too short to be used */
    EVP_PKEY_CTX *verify;
};

/* --- DER, as much of it as an RSA key needs (X.690 §8, §10) --- */

#define DER_INTEGER    0x02
#define DER_BIT_STRING 0x03
#define DER_NULL       0x05
#define DER_OID        0x06
#define DER_SEQUENCE   0x30

/* Takes one value of that tag. The length is written in the one shortest way. */
static bool der_take(struct cursor *c, uint8_t tag, slice *out)
{
    uint8_t first, more;
    size_t n = 0;
    if (!cursor_take(c, tag) || !cursor_u8(c, &first))
        return false;
    if (first < 0x80)
        return cursor_bytes(c, first, out);
    if (first != 0x81 && first != 0x82)
        return false;
    for (unsigned i = 0; i < (first & 3u); i++) {
        if (!cursor_u8(c, &more) || (i == 0 && more == 0))
            return false;
        n = n << 8 | more;
    }
    return n >= 0x80 && cursor_bytes(c, n, out);
}

/* A positive INTEGER in its shortest form; *out is without the zero that may stand before it. */
static bool der_positive(struct cursor *c, slice *out)
{
    slice n;
    if (!der_take(c, DER_INTEGER, &n) || n.n == 0 || n.p[0] >= 0x80)
        return false;
    if (n.p[0] == 0) {
        n = slice_from(n, 1);
        if (n.n == 0 || n.p[0] < 0x80)
            return false;
    }
    *out = n;
    return true;
}

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } */
static bool der_rsa(slice der, slice *out_n, slice *out_e)
{
    struct cursor c = cursor_of(der), in;
    slice sequence;
    if (!der_take(&c, DER_SEQUENCE, &sequence) || !cursor_end(&c))
        return false;
    in = cursor_of(sequence);
    return der_positive(&in, out_n) && der_positive(&in, out_e) && cursor_end(&in);
}

/* SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE { OID rsaEncryption, NULL }, BIT STRING { RSAPublicKey } } */
static bool der_spki(slice der, slice *out)
{
    static const slice rsa_encryption = SLICE_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
    struct cursor c = cursor_of(der), in, algorithm;
    slice sequence, id, oid, none, bits;
    if (!der_take(&c, DER_SEQUENCE, &sequence) || !cursor_end(&c))
        return false;
    in = cursor_of(sequence);
    if (!der_take(&in, DER_SEQUENCE, &id))
        return false;
    algorithm = cursor_of(id);
    if (!der_take(&algorithm, DER_OID, &oid) || !slice_eq(oid, rsa_encryption))
        return false;
    if (!cursor_end(&algorithm) &&
        (!der_take(&algorithm, DER_NULL, &none) || none.n || !cursor_end(&algorithm)))
        return false;
    if (!der_take(&in, DER_BIT_STRING, &bits) || !cursor_end(&in) || bits.n == 0 || bits.p[0] != 0)
        return false;
    *out = slice_from(bits, 1);
    return true;
}

static unsigned rsa_bits(slice n)
{
    unsigned bits = (unsigned)(n.n - 1) * 8;
    for (unsigned top = n.p[0]; top; top >>= 1)
        bits++;
    return bits;
}

static bool rsa_exponent_ok(slice e)
{
    return e.n <= 4 && (e.p[e.n - 1] & 1) && !(e.n == 1 && e.p[0] < 3);
}

/* Hands the numbers to libcrypto, and makes ready to verify with them. False when it does not like them. */
static bool rsa_load(struct public_key *k, slice n, slice e)
{
    BIGNUM *bn = BN_bin2bn(n.p, (int)n.n, NULL), *be = BN_bin2bn(e.p, (int)e.n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    must(bn && be && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
         OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    must(params && c && EVP_PKEY_fromdata_init(c) == 1);
    bool liked = EVP_PKEY_fromdata(c, &k->rsa, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(bn);
    BN_free(be);
    ERR_clear_error();
    if (!liked)
        return false;
    k->verify = EVP_PKEY_CTX_new(k->rsa, NULL);
    must(k->verify && EVP_PKEY_verify_init(k->verify) == 1 &&
         EVP_PKEY_CTX_set_rsa_padding(k->verify, RSA_PKCS1_PADDING) == 1 &&
         EVP_PKEY_CTX_set_signature_md(k->verify, EVP_sha256()) == 1);
    return true;
}

enum err public_key_rsa(slice der, struct public_key **out)
{
    slice bare = der, n, e;
    IGNORE_RESULT(der_spki(der, &bare), "else it is the bare form, or none");
    if (!der_rsa(bare, &n, &e))
        return ERR_SYNTAX;
    if (n.n > PUBLIC_KEY_RSA_BITS_MAX / 8 || !(n.p[n.n - 1] & 1) || !rsa_exponent_ok(e))
        return ERR_UNSUPPORTED;
    struct public_key *k = calloc(1, sizeof(*k));
    must(k);
    k->bits = rsa_bits(n);
    if (k->bits >= PUBLIC_KEY_RSA_BITS_MIN && !rsa_load(k, n, e)) {
        public_key_free(&k);
        return ERR_UNSUPPORTED;
    }
    *out = k;
    return OK;
}

enum err public_key_ed25519(slice octets, struct public_key **out)
{
    if (octets.n != PUBLIC_KEY_ED25519_SIZE)
        return ERR_SYNTAX;
    struct public_key *k = calloc(1, sizeof(*k));
    must(k);
    k->bits = 256;
    k->ed25519 = true;
    memcpy(k->octets, octets.p, octets.n);
    *out = k;
    return OK;
}

void public_key_free(struct public_key **k)
{
    if (!k || !*k)
        return;
    EVP_PKEY_CTX_free((*k)->verify);
    EVP_PKEY_free((*k)->rsa);
    free(*k);
    *k = NULL;
}

unsigned public_key_bits(const struct public_key *k)
{
    return k->bits;
}

bool public_key_verify(struct public_key *k, const uint8_t digest[DIGEST_SHA256_SIZE], slice signature)
{
    if (k->ed25519) /* needs no sodium_init(): its SHA-512 and curve arithmetic have one implementation */
        return signature.n == crypto_sign_BYTES &&
               crypto_sign_verify_detached(signature.p, digest, DIGEST_SHA256_SIZE, k->octets) == 0;
    if (!k->rsa || signature.n != (k->bits + 7) / 8)
        return false;
    bool good = EVP_PKEY_verify(k->verify, signature.p, signature.n, digest, DIGEST_SHA256_SIZE) == 1;
    if (!good)
        ERR_clear_error();
    return good;
}
