/* DKIM on one core: a message of 20 KB with two signatures (RSA-2048, Ed25519), keys in the cache and DNS
 * answers there; signing with both keys, and without the keys; canonical forms alone.
 *
 *     dkim_bench [SECONDS_EACH] */
#include "core/dkim/sign.h"
#include "core/mail/header.h"
#include "crypto/private_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct private_key *keys[2];
static const struct dkim_sign_key selectors[2] = {{SLICE_INIT("r"), DKIM_RSA_SHA256},
                                                  {SLICE_INIT("e"), DKIM_ED25519_SHA256}};
static struct buf records[2];
static struct buf message, signed_message;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* HTML mail, as most mail is: indented lines, some long ones; then base64. */
static void make_message(void)
{
    buf_init(&message, 1 << 20);
    buf_str(&message,
            "Received: from a.example (a.example [192.0.2.1]) by mx.example.org with ESMTPS id 1\r\n"
            "\t(version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256);\r\n\tThu, 1 Jan 2026 "
            "00:00:00 +0000\r\nFrom: Alice <alice@example.org>\r\nTo: Bob <bob@example.net>\r\n"
            "Subject: The quarterly figures, with a subject of the usual length\r\nDate: Thu, 1 Jan "
            "2026 00:00:00 +0000\r\nMessage-ID: <0123456789@example.org>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
            "X-Mailer: none\r\n\r\n");
    while (message.n < 12 * 1024)
        buf_str(&message, "  <tr>\r\n    <td class=\"a\">Some words of text in a cell of a table</td>\r\n"
                          "    <td>and more words here, a line that is not long</td>\r\n  </tr>\r\n");
    while (message.n < 20 * 1024)
        buf_str(&message, "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9\r\n");
}

static struct dkim_sign *sign(struct arena *a)
{
    struct dkim_sign_ask ask = {
        .domain = SLICE("example.org"), .keys = selectors, .n_keys = 2, .now = (time_ms)1700000000000};
    struct dkim_sign *s;
    size_t body = header_end(buf_view(&message));
    must(dkim_sign_begin(slice_sub(buf_view(&message), 0, body), &ask, a, &s) == OK);
    dkim_sign_body(s, slice_from(buf_view(&message), body));
    must(dkim_sign_body_end(s) == OK);
    return s;
}

static void sign_whole(struct arena *a, struct buf *out)
{
    struct dkim_sign *s = sign(a);
    for (size_t i = 0; i < 2; i++) {
        uint8_t digest[DIGEST_SHA256_SIZE];
        struct buf signature CLEANUP(buf_done);
        buf_init(&signature, PRIVATE_KEY_SIGNATURE);
        dkim_sign_digest(s, i, digest);
        must(private_key_sign(keys[i], digest, &signature) == OK);
        must(dkim_sign_field(s, i, buf_view(&signature), out) == OK);
    }
}

static void verify(struct arena *a, struct dkim_keys_cache *cache)
{
    struct dns_table table;
    const struct dkim_result *results;
    size_t n, question, body = header_end(buf_view(&signed_message));
    slice name;
    uint16_t type;
    must(dns_table_init(&table, a, 10));
    struct dkim_verify *v = dkim_verify_begin(slice_sub(buf_view(&signed_message), 0, body), a);
    must(v);
    dkim_verify_want(v, &table);
    while (dns_table_next(&table, &question, &name, &type)) {
        slice rdata = buf_view(&records[name.p[0] == 'e']);
        struct dns_answer answer = {.status = DNS_ANSWER_OK, .rdata = &rdata, .n = 1};
        dns_table_put(&table, question, &answer);
    }
    dkim_verify_body(v, slice_from(buf_view(&signed_message), body));
    dkim_verify_body_end(v);
    must(dkim_verify_finish(v, &table, (time_ms)1700000000000, cache, &results, &n) == AUTH_DONE);
    must(n == 2 && results[0].result == AUTH_PASS && results[1].result == AUTH_PASS);
}

static void make_keys(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct buf text CLEANUP(buf_done);
        buf_init(&text, 2000);
        keys[i] = private_key_make(i ? PRIVATE_KEY_ED25519 : PRIVATE_KEY_RSA);
        must(keys[i] && buf_print(&text, "v=DKIM1; k=%s; p=", i ? "ed25519" : "rsa") == OK);
        must(private_key_public_text(keys[i], &text) == OK);
        buf_init(&records[i], 2000);
        for (size_t at = 0; at < text.n; at += 255) {
            slice part = slice_sub(buf_view(&text), at, at + 255);
            must(buf_byte(&records[i], (uint8_t)part.n) == OK && buf_append(&records[i], part) == OK);
        }
    }
}

enum what { VERIFY, SIGN, SIGN_WITHOUT_KEYS, RELAXED, SIMPLE, WHATS };
static const char *const names[] = {"verify, 2 signatures", "sign with both keys", "sign, without the keys",
                                    "relaxed body", "simple body"};

static void once(enum what what, struct arena *a, struct dkim_keys_cache *cache)
{
    static struct dkim_body_hash h;
    struct buf out CLEANUP(buf_done);
    uint8_t digest[DIGEST_SHA256_SIZE];
    buf_init(&out, 1 << 20);
    switch (what) {
    case VERIFY:
        verify(a, cache);
        break;
    case SIGN:
        sign_whole(a, &out);
        break;
    case SIGN_WITHOUT_KEYS:
        (void)sign(a);
        break;
    default:
        dkim_body_hash_begin(&h, what == RELAXED ? DKIM_RELAXED : DKIM_SIMPLE);
        dkim_body_hash_feed(&h, slice_from(buf_view(&message), header_end(buf_view(&message))));
        dkim_body_hash_end(&h, digest);
    }
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    struct dkim_keys_cache *cache = dkim_keys_cache_new(16);
    struct arena a;
    arena_init(&a, "message", (size_t)16 << 20);
    make_message();
    make_keys();
    buf_init(&signed_message, 1 << 20);
    sign_whole(&a, &signed_message);
    must(buf_append(&signed_message, buf_view(&message)) == OK);
    for (enum what what = VERIFY; what < WHATS; what++) {
        if (argc > 2 && (unsigned)argv[2][0] - '0' != (unsigned)what)
            continue;
        double start = now(), spent;
        unsigned long n = 0;
        do {
            for (int i = 0; i < 50; i++, n++) {
                arena_reset(&a);
                once(what, &a, cache);
            }
            spent = now() - start;
        } while (spent < seconds);
        printf("%-24s %8.0f/s  %7.1f us  %6.0f MB/s\n", names[what], (double)n / spent,
               spent / (double)n * 1e6, (double)message.n * (double)n / spent / 1e6);
    }
    return 0;
}
