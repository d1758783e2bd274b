/* SCRAM-SHA-256 gives the messages of RFC 7677 §3, both sides agree with each other, and everything that is
 * not the right message at the right time is refused. */
#include "lib/test.h"

#include "core/sasl/scram.h"
#include "crypto/digest.h"
#include "text/base64.h"

#include <stdio.h>

/* RFC 7677 §3 */
#define C1       "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define NONCE    "rOprNGfwEbeRWgbNEkqO"
#define SNONCE   "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define S1       "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define C2_BARE  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define C2       C2_BARE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define S2       "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
#define PASSWORD "pencil"

static void vector_verifier(struct scram_verifier *v)
{
    static struct scram_verifier made;
    if (made.iterations) { /* the slow step once */
        *v = made;
        return;
    }
    struct buf salt CLEANUP(buf_done) = {.max = 64};
    uint8_t salted[SCRAM_KEY_SIZE];
    assert_int_equal(base64_decode(SLICE("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt), OK);
    memset(v, 0, sizeof *v);
    memcpy(v->salt, salt.p, salt.n);
    v->salt_n = salt.n;
    v->iterations = 4096;
    scram_salted_password(SLICE(PASSWORD), buf_view(&salt), 4096, salted);
    scram_keys(salted, v->stored_key, v->server_key);
    made = *v;
}

static void rfc7677_server(void **state)
{
    struct scram_server s;
    struct scram_verifier v;
    struct buf out CLEANUP(buf_done) = {.max = 4096};
    (void)state;
    vector_verifier(&v);
    scram_server_init(&s);
    assert_int_equal(scram_server_first(&s, SLICE(C1)), OK);
    assert_slice(scram_server_name(&s), "user");
    assert_int_equal(scram_server_challenge(&s, &v, SLICE(SNONCE), &out), OK);
    assert_slice(buf_view(&out), S1);
    buf_clear(&out);
    assert_int_equal(scram_server_final(&s, SLICE(C2), &out), OK);
    assert_slice(buf_view(&out), S2);
    assert_int_equal(scram_server_final(&s, SLICE(C2), &out), ERR_STATE);
    scram_server_done(&s);
}

static void rfc7677_client(void **state)
{
    struct scram_client c;
    struct buf out CLEANUP(buf_done) = {.max = 4096};
    uint8_t salted[SCRAM_KEY_SIZE];
    (void)state;
    scram_client_init(&c);
    assert_int_equal(scram_client_first(&c, SLICE("user"), SLICE(NONCE), &out), OK);
    assert_slice(buf_view(&out), C1);
    assert_int_equal(scram_client_challenge(&c, SLICE(S1)), OK);
    assert_int_equal(c.iterations, 4096);
    scram_salted_password(SLICE(PASSWORD), slice_of(c.salt, c.salt_n), c.iterations, salted);
    buf_clear(&out);
    assert_int_equal(scram_client_proof(&c, salted, &out), OK);
    assert_slice(buf_view(&out), C2);
    assert_int_equal(scram_client_verify(&c, SLICE(S2)), OK);
    scram_client_done(&c);
}

/* One whole exchange; gives what the server, then the client said. */
static enum err talk(const struct scram_verifier *v, const char *name, const char *password,
                     enum err *out_client)
{
    struct scram_client c;
    struct scram_server s;
    struct buf a CLEANUP(buf_done) = {.max = 2048}, b CLEANUP(buf_done) = {.max = 2048};
    struct secret prepared CLEANUP(secret_done) = {.n = 0};
    uint8_t salted[SCRAM_KEY_SIZE], nonce[SCRAM_NONCE_SIZE], random[SCRAM_RANDOM_SIZE] = {7};
    enum err e;
    scram_nonce(random, nonce);
    scram_client_init(&c);
    scram_server_init(&s);
    assert_int_equal(scram_password_prepare(slice_str(password), &prepared), OK);
    assert_int_equal(scram_client_first(&c, slice_str(name), slice_of(nonce, sizeof nonce), &a), OK);
    assert_int_equal(scram_server_first(&s, buf_view(&a)), OK);
    assert_slice(scram_server_name(&s), name);
    assert_int_equal(scram_server_challenge(&s, v, slice_of(nonce, sizeof nonce), &b), OK);
    assert_int_equal(scram_client_challenge(&c, buf_view(&b)), OK);
    scram_salted_password(secret_view(&prepared), slice_of(c.salt, c.salt_n), c.iterations, salted);
    buf_clear(&a);
    buf_clear(&b);
    assert_int_equal(scram_client_proof(&c, salted, &a), OK);
    e = scram_server_final(&s, buf_view(&a), &b);
    *out_client = scram_client_verify(&c, e == OK ? buf_view(&b) : SLICE("e=invalid-proof"));
    return e;
}

static void both_sides(void **state)
{
    static const uint8_t salt[SCRAM_SALT_SIZE] = {1, 2, 3};
    struct scram_verifier v, fake, again;
    enum err client;
    (void)state;
    assert_int_equal(scram_verifier_make(SLICE("p\xc3\xa4ss, w\xc3\xb6rd="), salt, &v), OK);
    assert_int_equal(v.iterations, SCRAM_ITERATIONS);
    assert_int_equal(talk(&v, "a=b,c@d", "p\xc3\xa4ss, w\xc3\xb6rd=", &client), OK);
    assert_int_equal(client, OK);
    /* the same password typed as base letters and combining marks */
    assert_int_equal(talk(&v, "x", "pa\xcc\x88ss, wo\xcc\x88rd=", &client), OK);
    assert_int_equal(talk(&v, "x", "pass, word=", &client), ERR_AUTH);
    assert_int_equal(client, ERR_AUTH);
    scram_verifier_fake(SLICE("key"), SLICE("nobody"), &fake);
    scram_verifier_fake(SLICE("key"), SLICE("nobody"), &again);
    assert_memory_equal(&fake, &again, sizeof fake);
    scram_verifier_fake(SLICE("key"), SLICE("nobody2"), &again);
    assert_memory_not_equal(fake.salt, again.salt, SCRAM_SALT_SIZE);
    assert_int_equal(talk(&fake, "nobody", "guess", &client), ERR_AUTH);
    assert_int_equal(fake.iterations, v.iterations);
}

static void wrong_firsts(void **state)
{
    static const struct {
        const char *text;
        enum err want;
    } rows[] = {
        {"", ERR_SYNTAX},
        {"n", ERR_SYNTAX},
        {"n,", ERR_SYNTAX},
        {"n,,", ERR_SYNTAX},
        {"n,,n=", ERR_SYNTAX},
        {"n,,n=u", ERR_SYNTAX},
        {"n,,n=u,r=", ERR_SYNTAX},
        {"n,,n=,r=x", ERR_SYNTAX},
        {"n,,r=x,n=u", ERR_SYNTAX},
        {"n,,n=u=2,r=x", ERR_SYNTAX},
        {"n,,n=u=2c,r=x", ERR_SYNTAX},
        {"n,,n=u=41,r=x", ERR_SYNTAX},
        {"n,,n=u,r=a b", ERR_SYNTAX},
        {"z,,n=u,r=x", ERR_SYNTAX},
        {"p=tls-exporter,,n=u,r=x", ERR_UNSUPPORTED},
        {"n,,m=x,n=u,r=x", ERR_UNSUPPORTED},
        {"n,a=other,n=u,r=x", ERR_DENIED},
        {"n,a=u,n=u,r=x", OK},
        {"y,,n=u,r=x", OK},
        {"y,,n=u,r=x,t=ext", OK},
        {"n,,n=a=2Cb=3D,r=x", OK},
    };
    char long_one[SCRAM_MESSAGE_MAX + 2];
    struct scram_server s;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice g = guard_copy(slice_str(rows[i].text));
        scram_server_init(&s);
        if (scram_server_first(&s, g) != rows[i].want)
            fail_msg("%s", rows[i].text);
        guard_free(g);
    }
    scram_server_init(&s);
    assert_int_equal(scram_server_first(&s, slice_of("n,,n=a\0b,r=x", 12)), ERR_SYNTAX);
    scram_server_init(&s);
    snprintf(long_one, sizeof long_one, "n,,n=u,r=%0*d", (int)sizeof long_one - 10, 1);
    assert_int_equal(scram_server_first(&s, slice_str(long_one)), ERR_LIMIT);
    scram_server_init(&s);
    assert_int_equal(scram_server_first(&s, slice_sub(slice_str(long_one), 0, 9 + SCRAM_NONCE_MAX + 1)),
                     ERR_LIMIT);
    scram_server_init(&s);
    assert_int_equal(scram_server_first(&s, slice_sub(slice_str(long_one), 0, 9 + SCRAM_NONCE_MAX)), OK);
}

static enum err final_of(const char *text)
{
    struct scram_server s;
    struct scram_verifier v;
    struct buf out CLEANUP(buf_done) = {.max = 4096};
    slice g = guard_copy(slice_str(text));
    enum err e;
    vector_verifier(&v);
    scram_server_init(&s);
    assert_int_equal(scram_server_first(&s, SLICE(C1)), OK);
    assert_int_equal(scram_server_challenge(&s, &v, SLICE(SNONCE), &out), OK);
    e = scram_server_final(&s, g, &out);
    guard_free(g);
    return e;
}

static void wrong_finals(void **state)
{
    static const char c2[] = C2;
    char text[sizeof c2];
    (void)state;
    assert_int_equal(final_of(C2), OK);
    assert_int_equal(final_of(C2_BARE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVR="),
                     ERR_SYNTAX); /* bits */
    assert_int_equal(final_of(C2_BARE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), ERR_AUTH);
    assert_int_equal(final_of(C2_BARE ",p=dHzb"), ERR_SYNTAX);
    assert_int_equal(final_of(C2_BARE), ERR_SYNTAX);
    assert_int_equal(final_of(C2_BARE ",x=1,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), ERR_AUTH);
    assert_int_equal(final_of(C2_BARE ",m=1,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), ERR_SYNTAX);
    assert_int_equal(final_of("c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA"),
                     ERR_SYNTAX);
    assert_int_equal(final_of(C2 ",x=1"), ERR_SYNTAX);
    for (size_t n = 0; n < sizeof c2 - 1; n++) {
        memcpy(text, c2, n);
        text[n] = 0;
        assert_int_not_equal(final_of(text), OK);
    }
}

static void wrong_order(void **state)
{
    struct scram_server s;
    struct scram_verifier v;
    struct buf out CLEANUP(buf_done) = {.max = 4096};
    (void)state;
    vector_verifier(&v);
    scram_server_init(&s);
    assert_int_equal(scram_server_final(&s, SLICE(C2), &out), ERR_STATE);
    scram_server_init(&s);
    assert_int_equal(scram_server_challenge(&s, &v, SLICE(SNONCE), &out), ERR_STATE);
    assert_int_equal(scram_server_first(&s, SLICE(C1)), ERR_STATE);
    scram_server_init(&s);
    assert_int_equal(scram_server_first(&s, SLICE("junk")), ERR_SYNTAX);
    assert_int_equal(scram_server_challenge(&s, &v, SLICE(SNONCE), &out), ERR_STATE);
    assert_int_equal(out.n, 0);
}

static void client_is_careful(void **state)
{
    static const struct {
        const char *text;
        enum err want;
    } rows[] = {
        {S1, OK},
        {"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ERR_SYNTAX},
        {"r=XOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ERR_SYNTAX},
        {"r=rOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", ERR_LIMIT},
        {"r=rOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000", ERR_LIMIT},
        {"r=rOprNGfwEbeRWgbNEkqOabc,s=,i=4096", ERR_SYNTAX},
        {"r=rOprNGfwEbeRWgbNEkqOabc,s=!!,i=4096", ERR_SYNTAX},
        {"m=x,r=rOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ERR_UNSUPPORTED},
        {"e=unknown-user", ERR_SYNTAX},
        {"", ERR_SYNTAX},
    };
    struct scram_client c;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out CLEANUP(buf_done) = {.max = 4096};
        scram_client_init(&c);
        assert_int_equal(scram_client_first(&c, SLICE("user"), SLICE(NONCE), &out), OK);
        if (scram_client_challenge(&c, slice_str(rows[i].text)) != rows[i].want)
            fail_msg("%s", rows[i].text);
    }
}

static void passwords(void **state)
{
    struct secret s;
    (void)state;
    /* RFC 4013 §3 */
    assert_int_equal(scram_password_prepare(SLICE("I\xc2\xadX"), &s), OK);
    assert_slice(secret_view(&s), "IX");
    assert_int_equal(scram_password_prepare(SLICE("user"), &s), OK);
    assert_slice(secret_view(&s), "user");
    assert_int_equal(scram_password_prepare(SLICE("USER"), &s), OK);
    assert_slice(secret_view(&s), "USER");
    assert_int_equal(scram_password_prepare(SLICE("\xc2\xaa"), &s), OK);
    assert_slice(secret_view(&s), "a");
    assert_int_equal(scram_password_prepare(SLICE("\xe2\x85\xa8"), &s), OK);
    assert_slice(secret_view(&s), "IX");
    assert_int_equal(scram_password_prepare(SLICE("\x07"), &s), ERR_SYNTAX);
    /* and ours */
    assert_int_equal(scram_password_prepare(SLICE("a\xc2\xa0"
                                                  "b"),
                                            &s),
                     OK);
    assert_slice(secret_view(&s), "a b");
    assert_int_equal(scram_password_prepare(SLICE(""), &s), ERR_SYNTAX);
    assert_int_equal(scram_password_prepare(SLICE("\xc2\xad"), &s), ERR_SYNTAX);
    assert_int_equal(scram_password_prepare(SLICE("a\xff"), &s), ERR_SYNTAX);
    assert_int_equal(scram_password_prepare(slice_of("a\0b", 3), &s), ERR_SYNTAX);
    assert_int_equal(scram_password_prepare(SLICE("\xc3\xa4\xc2\x85"), &s), ERR_SYNTAX);
}

/* RFC 4231 §4.3 and RFC 7914 §11 */
static void digests(void **state)
{
    static const uint8_t hmac[4] = {0x5b, 0xdc, 0xc1, 0x46}, kdf[4] = {0x55, 0xac, 0x04, 0x6e};
    uint8_t out[DIGEST_SHA256_SIZE];
    (void)state;
    digest_warm_up();
    digest_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), out);
    assert_memory_equal(out, hmac, sizeof hmac);
    digest_pbkdf2_sha256(SLICE("passwd"), SLICE("salt"), 1, out);
    assert_memory_equal(out, kdf, sizeof kdf);
    digest_sha256((slice){0}, out);
    assert_int_equal(out[0], 0xe3);
    digest_hmac_sha256((slice){0}, (slice){0}, out);
    assert_int_equal(out[0], 0xb6);
}

static void verifier_text(void **state)
{
    static const char text[] =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    struct scram_verifier v, want;
    struct buf out CLEANUP(buf_done) = {.max = SCRAM_VERIFIER_TEXT_MAX};
    (void)state;
    vector_verifier(&want);
    assert_int_equal(scram_verifier_parse(slice_str(text), &v), OK);
    assert_memory_equal(&v, &want, sizeof v);
    assert_int_equal(scram_verifier_print(&v, &out), OK);
    assert_slice(buf_view(&out), text);
    for (size_t n = 0; n < sizeof text - 1; n++)
        assert_int_not_equal(scram_verifier_parse(slice_of(text, n), &v), OK);
    assert_int_equal(scram_verifier_parse(SLICE("SCRAM-SHA-256$1:AAAA$AAAA:AAAA"), &v), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests),        cmocka_unit_test(rfc7677_server),
        cmocka_unit_test(rfc7677_client), cmocka_unit_test(both_sides),
        cmocka_unit_test(wrong_firsts),   cmocka_unit_test(wrong_finals),
        cmocka_unit_test(wrong_order),    cmocka_unit_test(client_is_careful),
        cmocka_unit_test(passwords),      cmocka_unit_test(verifier_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
