/* Every SASL message parser on stranger's bytes. The first byte says which message it is. */
#include "core/sasl/plain.h"
#include "core/sasl/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NONCE SLICE("rOprNGfwEbeRWgbNEkqO")

static const struct scram_verifier verifier = {.salt = {1}, .salt_n = 16, .iterations = 4096};

/* What was understood comes out again within bounds. */
static void fuzz_first(slice s)
{
    struct scram_server server;
    struct buf out CLEANUP(buf_done) = {.max = 4096};
    scram_server_init(&server);
    if (scram_server_first(&server, s) != OK)
        return;
    must(scram_server_name(&server).n > 0 && scram_server_name(&server).n <= SCRAM_NAME_MAX);
    must(!slice_has(scram_server_name(&server), 0));
    must(scram_server_challenge(&server, &verifier, NONCE, &out) == OK);
    must(slice_starts(buf_view(&out), SLICE("r=")));
    /* nobody knows a password for a zero StoredKey */
    must(scram_server_final(&server, s, &out) != OK);
}

static void fuzz_final(slice s)
{
    struct scram_server server;
    struct buf out CLEANUP(buf_done) = {.max = 4096};
    scram_server_init(&server);
    must(scram_server_first(&server, SLICE("n,,n=user,r=abc")) == OK);
    must(scram_server_challenge(&server, &verifier, SLICE("def"), &out) == OK);
    must(scram_server_final(&server, s, &out) != OK);
}

static void fuzz_challenge(slice s)
{
    static const uint8_t salted[SCRAM_KEY_SIZE] = {9};
    struct scram_client client;
    struct buf out CLEANUP(buf_done) = {.max = 4096};
    scram_client_init(&client);
    must(scram_client_first(&client, SLICE("user"), NONCE, &out) == OK);
    if (scram_client_challenge(&client, s) != OK)
        return;
    must(client.iterations >= SCRAM_ITERATIONS_MIN && client.iterations <= SCRAM_ITERATIONS_MAX);
    must(client.salt_n > 0 && client.salt_n <= SCRAM_SALT_MAX);
    must(scram_client_proof(&client, salted, &out) == OK);
    must(scram_client_verify(&client, s) != OK);
}

static void fuzz_verify(slice s)
{
    static const uint8_t salted[SCRAM_KEY_SIZE] = {9};
    struct scram_client client;
    struct buf out CLEANUP(buf_done) = {.max = 4096};
    scram_client_init(&client);
    must(scram_client_first(&client, SLICE("user"), NONCE, &out) == OK);
    must(scram_client_challenge(&client, SLICE("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4096")) == OK);
    must(scram_client_proof(&client, salted, &out) == OK);
    if (scram_client_verify(&client, s) == OK)
        must(slice_starts(s, SLICE("v=")));
}

static void fuzz_plain(slice s)
{
    struct plain p;
    if (plain_parse(s, &p) == OK)
        must(p.name.n > 0 && p.password.n > 0 && p.name.n + p.password.n + 2 <= s.n);
}

static void fuzz_password(slice s)
{
    struct secret a, b;
    /* preparing is stable */
    if (scram_password_prepare(s, &a) == OK && scram_password_prepare(secret_view(&a), &b) == OK)
        must(slice_eq(secret_view(&a), secret_view(&b)));
}

static void fuzz_verifier(slice s)
{
    struct scram_verifier v, again;
    struct buf out CLEANUP(buf_done) = {.max = SCRAM_VERIFIER_TEXT_MAX};
    if (scram_verifier_parse(s, &v) != OK)
        return;
    must(scram_verifier_print(&v, &out) == OK);
    must(scram_verifier_parse(buf_view(&out), &again) == OK && memcmp(&v, &again, sizeof v) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const each[])(slice s) = {fuzz_first, fuzz_final,    fuzz_challenge, fuzz_verify,
                                            fuzz_plain, fuzz_password, fuzz_verifier};
    if (size)
        each[data[0] % ARRAY_LEN(each)](slice_of(data + 1, size - 1));
    return 0;
}
