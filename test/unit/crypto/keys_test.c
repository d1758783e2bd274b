/* public_key and private_key: the published example of RFC 8463, every way a key in the DNS is written, keys
 * that are refused, signatures that are none; what one half signs the other verifies. */
#include "crypto/private_key.h"
#include "crypto/public_key.h"
#include "lib/test.h"
#include "text/base64.h"

static void decode(const char *text, struct buf *out)
{
    buf_init(out, 4096);
    assert_int_equal(base64_decode(slice_str(text), out), OK);
}

static struct public_key *public_half(const struct private_key *k)
{
    struct buf text CLEANUP(buf_done), octets CLEANUP(buf_done);
    struct public_key *p = NULL;
    buf_init(&text, 4096);
    buf_init(&octets, 4096);
    assert_int_equal(private_key_public_text(k, &text), OK);
    assert_int_equal(base64_decode(buf_view(&text), &octets), OK);
    slice guarded = guard_copy(buf_view(&octets));
    assert_int_equal(private_key_kind_of(k) == PRIVATE_KEY_RSA ? public_key_rsa(guarded, &p)
                                                               : public_key_ed25519(guarded, &p),
                     OK);
    guard_free(guarded);
    return p;
}

/* Signs, verifies; every bit of the signature and of the digest counts. */
static void sign_and_verify(enum private_key_kind kind)
{
    struct private_key *k CLEANUP(private_key_free) = private_key_make(kind);
    struct buf pem CLEANUP(buf_done), s CLEANUP(buf_done);
    uint8_t digest[DIGEST_SHA256_SIZE];
    struct err_detail detail;
    assert_non_null(k);
    buf_init(&pem, PRIVATE_KEY_PEM_MAX);
    buf_init(&s, PRIVATE_KEY_SIGNATURE);
    assert_int_equal(private_key_write(k, &pem), OK);
    struct private_key *again CLEANUP(private_key_free) = NULL;
    assert_int_equal(private_key_read(buf_view(&pem), &again, &detail), OK);
    assert_int_equal(private_key_kind_of(again), kind);
    digest_sha256(SLICE("what is signed"), digest);
    assert_int_equal(private_key_sign(again, digest, &s), OK);
    struct public_key *p CLEANUP(public_key_free) = public_half(k);
    assert_int_equal(public_key_bits(p), private_key_bits(k));
    assert_true(public_key_verify(p, digest, buf_view(&s)));
    for (size_t i = 0; i < s.n; i++) {
        s.p[i] ^= 1;
        assert_false(public_key_verify(p, digest, buf_view(&s)));
        s.p[i] ^= 1;
    }
    assert_false(public_key_verify(p, digest, slice_sub(buf_view(&s), 0, s.n - 1)));
    assert_false(public_key_verify(p, digest, slice_of(NULL, 0)));
    digest[31] ^= 0x80;
    assert_false(public_key_verify(p, digest, buf_view(&s)));
    digest[31] ^= 0x80;
    assert_true(public_key_verify(p, digest, buf_view(&s)));
}

static void test_rsa(void **state)
{
    (void)state;
    sign_and_verify(PRIVATE_KEY_RSA);
}

static void test_ed25519(void **state)
{
    (void)state;
    sign_and_verify(PRIVATE_KEY_ED25519);
}

/* RFC 8463 §A.1, §A.2: the keys of the example. */
#define ED25519_PUBLIC  "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define ED25519_PRIVATE "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="

static void test_rfc8463(void **state)
{
    struct buf d CLEANUP(buf_done), pem CLEANUP(buf_done), text CLEANUP(buf_done);
    struct err_detail detail;
    struct private_key *k CLEANUP(private_key_free) = NULL;
    (void)state;
    /* PKCS #8 of a raw key, RFC 8410 §7: a fixed beginning and the 32 octets */
    decode("MC4CAQAwBQYDK2VwBCIEIA==", &d);
    struct buf raw CLEANUP(buf_done);
    decode(ED25519_PRIVATE, &raw);
    assert_int_equal(buf_append(&d, buf_view(&raw)), OK);
    buf_init(&pem, 1000);
    assert_int_equal(buf_str(&pem, "-----BEGIN PRIVATE KEY-----\n"), OK);
    assert_int_equal(base64_encode(buf_view(&d), &pem), OK);
    assert_int_equal(buf_str(&pem, "\n-----END PRIVATE KEY-----\n"), OK);
    assert_int_equal(private_key_read(buf_view(&pem), &k, &detail), OK);
    buf_init(&text, 100);
    assert_int_equal(private_key_public_text(k, &text), OK);
    assert_slice(buf_view(&text), ED25519_PUBLIC);
}

static void der_value(struct buf *out, uint8_t tag, bool zero, slice v)
{
    size_t n = v.n + zero;
    assert_int_equal(buf_byte(out, tag), OK);
    if (n >= 256)
        assert_int_equal(buf_byte(out, 0x82) | buf_byte(out, (uint8_t)(n >> 8)), OK);
    else if (n >= 128)
        assert_int_equal(buf_byte(out, 0x81), OK);
    assert_int_equal(buf_byte(out, (uint8_t)n), OK);
    if (zero)
        assert_int_equal(buf_byte(out, 0), OK);
    assert_int_equal(buf_append(out, v), OK);
}

/* RSAPublicKey with a modulus of that many octets. */
static enum err load(size_t n_octets, uint8_t first, uint8_t last, slice e, struct public_key **out)
{
    struct buf n CLEANUP(buf_done), in CLEANUP(buf_done), der CLEANUP(buf_done);
    buf_init(&n, 10000);
    buf_init(&in, 10000);
    buf_init(&der, 10000);
    for (size_t i = 0; i < n_octets; i++)
        assert_int_equal(buf_byte(&n, i == 0 ? first : i + 1 == n_octets ? last : (uint8_t)(i * 7)), OK);
    der_value(&in, 2, n.p[0] >= 0x80, buf_view(&n));
    der_value(&in, 2, false, e);
    der_value(&der, 0x30, false, buf_view(&in));
    slice guarded = guard_copy(buf_view(&der));
    enum err r = public_key_rsa(guarded, out);
    guard_free(guarded);
    return r;
}

static void test_limits(void **state)
{
    slice f4 = SLICE("\x01\x00\x01"), even = SLICE("\x01\x00\x02"), long_one = SLICE("\x01\x00\x00\x00\x01");
    struct public_key *k = NULL;
    uint8_t digest[DIGEST_SHA256_SIZE] = {0}, signature[1024] = {1};
    (void)state;
    assert_int_equal(load(128, 0x80, 1, f4, &k), OK);
    assert_int_equal(public_key_bits(k), 1024);
    assert_false(public_key_verify(k, digest, slice_of(signature, 128)));
    public_key_free(&k);
    assert_int_equal(load(128, 0x7f, 1, f4, &k), OK);
    assert_int_equal(public_key_bits(k), 1023);
    assert_false(public_key_verify(k, digest, slice_of(signature, 128)));
    public_key_free(&k);
    assert_int_equal(load(64, 0x80, 1, f4, &k), OK);
    assert_int_equal(public_key_bits(k), 512);
    public_key_free(&k);
    assert_int_equal(load(1024, 0x80, 1, f4, &k), OK);
    assert_int_equal(public_key_bits(k), 8192);
    assert_false(public_key_verify(k, digest, slice_of(signature, 1024)));
    public_key_free(&k);
    assert_int_equal(load(1025, 0x80, 1, f4, &k), ERR_UNSUPPORTED);
    assert_int_equal(load(256, 0x80, 2, f4, &k), ERR_UNSUPPORTED);
    assert_int_equal(load(256, 0x80, 1, even, &k), ERR_UNSUPPORTED);
    assert_int_equal(load(256, 0x80, 1, long_one, &k), ERR_UNSUPPORTED);
    assert_int_equal(load(256, 0x80, 1, SLICE("\x01"), &k), ERR_UNSUPPORTED);
    assert_int_equal(load(256, 0x80, 1, SLICE("\x03"), &k), OK);
    public_key_free(&k);
}

/* The RSA key of RFC 6376 §C, as SubjectPublicKeyInfo and bare, cut at every octet and with every octet
 * changed: refused, or another key; never a crash. */
static void test_damage(void **state)
{
    static const char *texts[] = {
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/"
        "zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi"
        "tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
        "MIGJAoGBALVI635dLK4cJJAH3Lx6upo3X/Lm1tQz3mezcWTA3BUBnyIsdnRf57aD5BtNmhPrYYDlWlzw3UgnKisIxktkk5+"
        "iMQMlFtAS10JB8L3YadXNJY+JBcbeSi5TgJe4WFzNgW95FWDAuSTRXSWZfA/8xjflbTLDx0euFZOM7C4T0GwLAgMBAAE="};
    (void)state;
    for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
        struct buf d CLEANUP(buf_done);
        struct public_key *k = NULL;
        decode(texts[t], &d);
        assert_int_equal(public_key_rsa(buf_view(&d), &k), OK);
        assert_int_equal(public_key_bits(k), 1024);
        public_key_free(&k);
        for (size_t i = 0; i < d.n; i++) {
            slice cut = guard_copy(slice_sub(buf_view(&d), 0, i));
            assert_int_equal(public_key_rsa(cut, &k), ERR_SYNTAX);
            guard_free(cut);
            d.p[i] ^= 0x81;
            if (public_key_rsa(buf_view(&d), &k) == OK)
                public_key_free(&k);
            d.p[i] ^= 0x81;
        }
        assert_int_equal(buf_byte(&d, 0), OK);
        assert_int_equal(public_key_rsa(buf_view(&d), &k), ERR_SYNTAX); /* something behind it */
    }
}

static void test_refused(void **state)
{
    struct private_key *k = NULL;
    struct public_key *p = NULL;
    struct err_detail detail;
    uint8_t digest[DIGEST_SHA256_SIZE] = {0}, zeros[64] = {0};
    (void)state;
    assert_int_equal(private_key_read(SLICE("no key"), &k, &detail), ERR_CONFIG);
    assert_non_null(strstr(detail.text, "openssl pkey"));
    assert_int_equal(private_key_read(slice_of(NULL, 0), &k, &detail), ERR_CONFIG);
    assert_int_equal(public_key_ed25519(slice_of(zeros, 31), &p), ERR_SYNTAX);
    assert_int_equal(public_key_ed25519(slice_of(zeros, 33), &p), ERR_SYNTAX);
    /* a key of small order, under which one signature fits everything */
    zeros[0] = 1;
    assert_int_equal(public_key_ed25519(slice_of(zeros, 32), &p), OK);
    assert_false(public_key_verify(p, digest, slice_of(zeros, 64)));
    public_key_free(&p);
}

static void test_stream(void **state)
{
    struct digest_stream d = {0};
    uint8_t one[DIGEST_SHA256_SIZE], two[DIGEST_SHA256_SIZE];
    (void)state;
    digest_sha256(SLICE("in one piece or in many"), one);
    for (int again = 0; again < 2; again++) {
        digest_stream_init(&d);
        digest_stream_update(&d, SLICE("in one piece"));
        digest_stream_update(&d, slice_of(NULL, 0));
        digest_stream_update(&d, SLICE(" or in many"));
        digest_stream_final(&d, two);
        assert_memory_equal(one, two, sizeof(one));
    }
    digest_stream_done(&d);
    digest_stream_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rsa),     cmocka_unit_test(test_ed25519),
                                       cmocka_unit_test(test_rfc8463), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_damage),  cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_stream)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
