#include "tls_kit.h"
#include "sys/tls_openssl.h"

static void kit_write(BIO *b, struct buf *out)
{
    char *p = NULL;
    long n = BIO_get_mem_data(b, &p);
    buf_init(out, 64 * 1024);
    must(n > 0 && buf_append(out, slice_of(p, (size_t)n)) == OK);
    BIO_free(b);
}

void tls_kit_init(struct tls_kit *k, enum tls_kit_kind kind)
{
    *k = (struct tls_kit){0};
    buf_init(&k->last_text, TLS_TO_SIGN_MAX);
    EVP_PKEY *key = kind == TLS_KIT_RSA    ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                    : kind == TLS_KIT_P384 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384")
                                           : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *x = X509_new();
    must(key && x);
    must(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 7) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(x), -3600) && X509_gmtime_adj(X509_getm_notAfter(x), 86400));
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                    (const unsigned char *)"mail.test", -1, -1, 0) == 1);
    must(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 && X509_set_pubkey(x, key) == 1);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:mail.test");
    must(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
    must(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *b = BIO_new(BIO_s_mem());
    must(b && PEM_write_bio_X509(b, x) == 1);
    kit_write(b, &k->cert_pem);
    b = BIO_new(BIO_s_mem());
    must(b && PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1);
    kit_write(b, &k->key_pem);
    X509_free(x);
    k->key = key;
}

void tls_kit_done(struct tls_kit *k)
{
    EVP_PKEY_free(k->key);
    buf_done(&k->cert_pem);
    buf_done(&k->key_pem);
    buf_done(&k->last_text);
}

enum err tls_kit_sign(void *arg, uint32_t key, uint16_t scheme, slice text, struct buf *out)
{
    struct tls_kit *k = arg;
    k->asked++;
    k->last_key = key;
    k->last_scheme = scheme;
    buf_clear(&k->last_text);
    must(buf_append(&k->last_text, text) == OK);
    if (k->refuse != OK)
        return k->refuse;
    must(tls_scheme_find(scheme));
    size_t bytes = tls_scheme_find(scheme)->hash;
    const EVP_MD *md = bytes == 32 ? EVP_sha256() : bytes == 48 ? EVP_sha384() : EVP_sha512();
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL;
    must(c && EVP_DigestSignInit(c, &p, md, NULL, k->key) == 1);
    if (scheme >> 8 == 8) {
        must(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1);
        must(EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    uint8_t sig[TLS_SIGNED_MAX];
    size_t n = sizeof(sig);
    must(EVP_DigestSign(c, sig, &n, text.p, text.n) == 1);
    EVP_MD_CTX_free(c);
    if (k->spoil)
        sig[n - 1] ^= 1;
    return buf_append(out, slice_of(sig, n));
}
