/* dkim_run: DKIM over message files, for dkim_test.py here and in test/peers.
 *
 *     dkim_run verify ZONE NOW SPLIT MESSAGE...
 *     dkim_run sign DOMAIN NOW SPLIT MESSAGE SELECTOR=KEYFILE...    the signed message
 *     dkim_run key rsa|ed25519 KEYFILE                              makes a key; the text of its record
 *
 * NOW is in seconds since 1970; bodies are fed in pieces of SPLIT octets, 0: whole. verify writes for each
 * message a line "= MESSAGE", then one for each signature:
 * RESULT TAB DOMAIN TAB SELECTOR TAB ALGORITHM TAB B TAB BITS TAB REASON */
#include "core/dkim/dkim.h"
#include "core/dkim/sign.h"
#include "core/dns/dns_zone_text.h"
#include "core/mail/header.h"
#include "crypto/private_key.h"
#include "lib/dns_kit.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX ((size_t)256 << 20)

static bool read_all(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t *room;
    size_t n;
    while (f && (room = buf_reserve(out, 65536)) != NULL && (n = fread(room, 1, 65536, f)) > 0)
        buf_commit(out, n);
    return f && fclose(f) == 0;
}

static void print_result(const struct dkim_result *r)
{
    printf("%.*s\t%.*s\t%.*s\t%.*s\t%.*s\t%u\t%.*s\n", SLICE_FMT(auth_result_word(r->result)),
           SLICE_FMT(r->domain), SLICE_FMT(r->selector), SLICE_FMT(r->algorithm), SLICE_FMT(r->b),
           r->key_bits, SLICE_FMT(r->reason));
}

static void verify(slice message, const struct dns_zone *zone, time_ms now, size_t split,
                   struct dkim_keys_cache *cache)
{
    struct arena arena CLEANUP(arena_done);
    struct dns_table table;
    const struct dkim_result *results;
    size_t n, body = header_end(message);
    enum auth_step step;
    arena_init(&arena, "message", (size_t)64 << 20);
    must(dns_table_init(&table, &arena, 20));
    struct dkim_verify *v = dkim_verify_begin(slice_sub(message, 0, body), &arena);
    must(v);
    dkim_verify_want(v, &table);
    split = split ? split : message.n + 1;
    for (size_t at = body; at < message.n; at += split)
        dkim_verify_body(v, slice_sub(message, at, at + split));
    dkim_verify_body_end(v);
    while ((step = dkim_verify_finish(v, &table, now, cache, &results, &n)) == AUTH_WAIT)
        must(dns_kit_answer_from(zone, &table, &arena) > 0); /* a wait without a question would be for ever */
    must(step == AUTH_DONE);
    for (size_t i = 0; i < n; i++)
        print_result(&results[i]);
}

static int run_verify(int argc, char **argv)
{
    struct buf zone_text CLEANUP(buf_done);
    struct arena arena CLEANUP(arena_done);
    struct dkim_keys_cache *cache CLEANUP(dkim_keys_cache_free) = dkim_keys_cache_new(64);
    struct err_detail detail = {0};
    struct dns_zone zone;
    uint64_t now, split;
    buf_init(&zone_text, MESSAGE_MAX);
    arena_init(&arena, "zone", MESSAGE_MAX);
    if (argc < 3 || !slice_u64(slice_str(argv[1]), &now) || !slice_u64(slice_str(argv[2]), &split))
        return 2;
    if (!read_all(argv[0], &zone_text) || dns_zone_text_read(buf_view(&zone_text), &arena, &zone, &detail)) {
        fprintf(stderr, "dkim_run: %s: %s\n", argv[0], detail.text);
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        struct buf message CLEANUP(buf_done);
        buf_init(&message, MESSAGE_MAX);
        if (!read_all(argv[i], &message))
            return 2;
        printf("= %s\n", argv[i]);
        verify(buf_view(&message), &zone, (time_ms)now * MS_SECOND, (size_t)split, cache);
    }
    return 0;
}

struct signer {
    struct private_key *keys[DKIM_SIGN_KEYS_MAX];
    struct dkim_sign_key selectors[DKIM_SIGN_KEYS_MAX];
    size_t n;
};

static bool signer_add(struct signer *s, const char *text)
{
    struct buf pem CLEANUP(buf_done);
    struct err_detail detail;
    slice file;
    buf_init(&pem, MESSAGE_MAX);
    if (s->n == DKIM_SIGN_KEYS_MAX ||
        !slice_split(slice_str(text), '=', &s->selectors[s->n].selector, &file) ||
        !read_all((const char *)file.p, &pem) || private_key_read(buf_view(&pem), &s->keys[s->n], &detail))
        return false;
    s->selectors[s->n].algorithm =
        private_key_kind_of(s->keys[s->n]) == PRIVATE_KEY_RSA ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
    s->n++;
    return true;
}

static enum err sign(const struct signer *by, const struct dkim_sign_ask *ask, slice message, size_t split)
{
    struct buf out CLEANUP(buf_done);
    struct arena arena CLEANUP(arena_done);
    struct dkim_sign *s;
    size_t body = header_end(message);
    buf_init(&out, MESSAGE_MAX);
    arena_init(&arena, "message", (size_t)64 << 20);
    enum err e = dkim_sign_begin(slice_sub(message, 0, body), ask, &arena, &s);
    if (e)
        return e;
    split = split ? split : message.n + 1;
    for (size_t at = body; at < message.n; at += split)
        dkim_sign_body(s, slice_sub(message, at, at + split));
    e = dkim_sign_body_end(s);
    for (size_t i = 0; i < by->n && !e; i++) {
        struct buf signature CLEANUP(buf_done);
        uint8_t digest[DIGEST_SHA256_SIZE];
        buf_init(&signature, PRIVATE_KEY_SIGNATURE);
        dkim_sign_digest(s, i, digest);
        e = private_key_sign(by->keys[i], digest, &signature);
        if (!e)
            e = dkim_sign_field(s, i, buf_view(&signature), &out);
    }
    if (!e)
        e = buf_append(&out, message);
    if (!e)
        must(fwrite(out.p, 1, out.n, stdout) == out.n);
    return e;
}

static int run_sign(int argc, char **argv)
{
    struct buf message CLEANUP(buf_done);
    struct signer by = {.n = 0};
    uint64_t now, split;
    buf_init(&message, MESSAGE_MAX);
    if (argc < 5 || !slice_u64(slice_str(argv[1]), &now) || !slice_u64(slice_str(argv[2]), &split) ||
        !read_all(argv[3], &message))
        return 2;
    for (int i = 4; i < argc; i++)
        if (!signer_add(&by, argv[i]))
            return 2;
    struct dkim_sign_ask ask = {
        .domain = slice_str(argv[0]), .keys = by.selectors, .n_keys = by.n, .now = (time_ms)now * MS_SECOND};
    enum err e = sign(&by, &ask, buf_view(&message), (size_t)split);
    for (size_t i = 0; i < by.n; i++)
        private_key_free(&by.keys[i]);
    if (e)
        fprintf(stderr, "dkim_run: not signed: %s\n", err_name(e));
    return e ? 1 : 0;
}

static int run_key(int argc, char **argv)
{
    struct buf pem CLEANUP(buf_done), text CLEANUP(buf_done);
    buf_init(&pem, PRIVATE_KEY_PEM_MAX);
    buf_init(&text, PRIVATE_KEY_PEM_MAX);
    if (argc != 2)
        return 2;
    bool rsa = strcmp(argv[0], "rsa") == 0;
    struct private_key *k CLEANUP(private_key_free) =
        private_key_make(rsa ? PRIVATE_KEY_RSA : PRIVATE_KEY_ED25519);
    if (!k || private_key_write(k, &pem) || private_key_public_text(k, &text))
        return 1;
    FILE *f = fopen(argv[1], "wb");
    if (!f || fwrite(pem.p, 1, pem.n, f) != pem.n || fclose(f) != 0)
        return 1;
    printf("v=DKIM1; k=%s; p=%.*s\n", rsa ? "rsa" : "ed25519", SLICE_FMT(buf_view(&text)));
    return 0;
}

int main(int argc, char **argv)
{
    int status = 2;
    if (argc > 2 && strcmp(argv[1], "verify") == 0)
        status = run_verify(argc - 2, argv + 2);
    else if (argc > 2 && strcmp(argv[1], "sign") == 0)
        status = run_sign(argc - 2, argv + 2);
    else if (argc > 2 && strcmp(argv[1], "key") == 0)
        status = run_key(argc - 2, argv + 2);
    if (status == 2)
        fputs("dkim_run: wrong use; see the top of dkim_run.c\n", stderr);
    return status;
}
