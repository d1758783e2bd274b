/* What keys signs and what it does not, as functions: THREATS 50, 51. */
#include "lib/test.h"

#include "../sys/tls_kit.h"
#include "proc/keys/key_store.h"
#include "sys/tls_openssl.h"

static uint8_t text13[64 + 34 + 48];

static slice server_text(size_t hash)
{
    memset(text13, ' ', 64);
    memcpy(text13 + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(text13 + 98, 0xab, 48);
    return slice_of(text13, 98 + hash);
}

static struct key_store *store_of(struct tls_kit *kit)
{
    struct key_store *s = key_store_new();
    uint32_t key = 99;
    struct err_detail d = {""};
    if (key_store_add(s, buf_view(&kit->cert_pem), buf_view(&kit->key_pem), &key, &d) != OK)
        fail_msg("%s", d.text);
    assert_int_equal(key, 0);
    assert_slices(key_store_chain(s, 0), buf_view(&kit->cert_pem));
    return s;
}

static bool verifies(const struct tls_kit *kit, bool pss, slice text, slice signature)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL;
    must(EVP_DigestVerifyInit(c, &p, EVP_sha256(), NULL, kit->key) == 1);
    if (pss)
        must(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1);
    int r = EVP_DigestVerify(c, signature.p, signature.n, text.p, text.n);
    EVP_MD_CTX_free(c);
    return r == 1;
}

static void signs(enum tls_kit_kind kind, uint16_t scheme, uint16_t foreign)
{
    struct tls_kit kit;
    struct buf out;
    tls_kit_init(&kit, kind);
    buf_init(&out, KEY_SIGNED_MAX);
    struct key_store *s = store_of(&kit);
    slice text = server_text(32);
    assert_int_equal(key_store_sign(s, 0, scheme, text, 1, &out), OK);
    assert_true(verifies(&kit, scheme >> 8 == 8, text, buf_view(&out)));
    buf_clear(&out);
    assert_int_equal(key_store_sign(s, 0, foreign, text, 1, &out), ERR_UNSUPPORTED);
    assert_int_equal(key_store_sign(s, 0, 0x0203, text, 1, &out), ERR_UNSUPPORTED);
    assert_int_equal(key_store_sign(s, 1, scheme, text, 1, &out), ERR_NOT_FOUND);
    assert_int_equal(key_store_sign(s, 0, scheme, SLICE("From: alice@demo.test\r\n"), 1, &out), ERR_DENIED);
    assert_int_equal(out.n, 0);
    key_store_free(&s);
    assert_null(s);
    buf_done(&out);
    tls_kit_done(&kit);
}

static void test_ec(void **state)
{
    (void)state;
    signs(TLS_KIT_EC, TLS_ECDSA_P256_SHA256, TLS_RSA_PSS_SHA256);
}

static void test_rsa(void **state)
{
    (void)state;
    signs(TLS_KIT_RSA, TLS_RSA_PSS_SHA256, TLS_ECDSA_P256_SHA256);
}

/* Only the two texts of TLS, to the byte; read against an unreadable page. */
static void test_texts(void **state)
{
    (void)state;
    assert_true(key_text_allowed(server_text(32)));
    assert_true(key_text_allowed(server_text(48)));
    assert_false(key_text_allowed(server_text(40)));
    for (size_t i = 0; i < 98; i++) {
        server_text(32);
        text13[i] ^= 1;
        assert_false(key_text_allowed(slice_of(text13, 130)));
    }
    uint8_t t12[64 + 4 + 65] = {0};
    memcpy(t12 + 64, "\x03\x00\x1d\x20", 4);
    assert_true(key_text_allowed(slice_of(t12, 64 + 4 + 32)));
    memcpy(t12 + 64, "\x03\x00\x17\x41", 4);
    assert_true(key_text_allowed(slice_of(t12, sizeof(t12))));
    memcpy(t12 + 64, "\x03\x00\x17\x40", 4);
    assert_false(key_text_allowed(slice_of(t12, sizeof(t12) - 1)));
    memcpy(t12 + 64, "\x01\x00\x17\x41", 4);
    assert_false(key_text_allowed(slice_of(t12, sizeof(t12))));
    memcpy(t12 + 64, "\x03\x00\x1d\x20", 4);
    for (size_t n = 0; n < sizeof(t12); n++) {
        slice g = guard_copy(slice_of(t12, n));
        assert_int_equal(key_text_allowed(g), n == 64 + 4 + 32);
        guard_free(g);
    }
}

static void refused(slice cert, slice key, const char *word)
{
    struct key_store *s = key_store_new();
    struct err_detail d = {""};
    uint32_t number;
    assert_int_equal(key_store_add(s, cert, key, &number, &d), ERR_CONFIG);
    if (!strstr(d.text, word))
        fail_msg("\"%s\" says nothing of \"%s\"", d.text, word);
    assert_int_equal(key_store_count(s), 0);
    key_store_free(&s);
}

static void test_bad_pairs(void **state)
{
    (void)state;
    struct tls_kit a, b, p384;
    tls_kit_init(&a, TLS_KIT_EC);
    tls_kit_init(&b, TLS_KIT_EC);
    tls_kit_init(&p384, TLS_KIT_P384);
    refused(buf_view(&a.cert_pem), buf_view(&b.key_pem), "belong together");
    refused(buf_view(&a.key_pem), buf_view(&a.key_pem), "no certificate");
    refused((slice){0}, (slice){0}, "no certificate");
    refused(buf_view(&a.cert_pem), buf_view(&a.cert_pem), "no private key");
    refused(buf_view(&p384.cert_pem), buf_view(&p384.key_pem), "P-256");
    EVP_PKEY *key = a.key;
    BIO *locked = BIO_new(BIO_s_mem());
    must(PEM_write_bio_PKCS8PrivateKey(locked, key, EVP_aes_128_cbc(), "word", 4, NULL, NULL) == 1);
    char *p = NULL;
    long n = BIO_get_mem_data(locked, &p);
    refused(buf_view(&a.cert_pem), slice_of(p, (size_t)n), "passphrase");
    BIO_free(locked);
    tls_kit_done(&a);
    tls_kit_done(&b);
    tls_kit_done(&p384);
}

static void test_rate(void **state)
{
    (void)state;
    struct tls_kit kit;
    struct buf out;
    tls_kit_init(&kit, TLS_KIT_EC);
    struct key_store *s = store_of(&kit);
    unsigned good = 0;
    buf_init(&out, KEY_SIGNED_MAX);
    for (unsigned i = 0; i < KEY_SIGN_RATE + 50; i++) {
        buf_clear(&out);
        enum err e = key_store_sign(s, 0, TLS_ECDSA_P256_SHA256, server_text(32), 5000, &out);
        good += e == OK;
        assert_true(e == OK || e == ERR_BUSY);
    }
    assert_int_equal(good, KEY_SIGN_RATE);
    buf_clear(&out);
    assert_int_equal(key_store_sign(s, 0, TLS_ECDSA_P256_SHA256, server_text(32), 6000, &out), OK);
    buf_done(&out);
    key_store_free(&s);
    tls_kit_done(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ec), cmocka_unit_test(test_rsa),
                                       cmocka_unit_test(test_texts), cmocka_unit_test(test_bad_pairs),
                                       cmocka_unit_test(test_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
