#include "dkim_kit.h"

#include "text/base64.h"

#include <stdio.h>

void dkim_kit_zone(struct dkim_kit *k, const char *format, ...)
{
    char text[8192];
    struct err_detail detail = {0};
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    assert_true(n > 0 && (size_t)n < sizeof(text));
    arena_reset(&k->zone_arena);
    if (dns_zone_text_read(slice_of(text, (size_t)n), &k->zone_arena, &k->zone, &detail))
        fail_msg("%s", detail.text);
}

void dkim_kit_zone_usual(struct dkim_kit *k)
{
    dkim_kit_zone(k,
                  "r._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=%.*s\"\n"
                  "e._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=%.*s\"\n",
                  SLICE_FMT(buf_view(&k->rsa_text)), SLICE_FMT(buf_view(&k->ed25519_text)));
}

void dkim_kit_init(struct dkim_kit *k)
{
    *k = (struct dkim_kit){.rsa = private_key_make(PRIVATE_KEY_RSA),
                           .ed25519 = private_key_make(PRIVATE_KEY_ED25519),
                           .cache = dkim_keys_cache_new(8)};
    assert_true(k->rsa && k->ed25519);
    arena_init(&k->zone_arena, "zone", (size_t)1 << 20);
    arena_init(&k->arena, "message", (size_t)64 << 20);
    buf_init(&k->rsa_text, 1000);
    buf_init(&k->ed25519_text, 1000);
    assert_int_equal(private_key_public_text(k->rsa, &k->rsa_text), OK);
    assert_int_equal(private_key_public_text(k->ed25519, &k->ed25519_text), OK);
    dkim_kit_zone_usual(k);
}

void dkim_kit_done(struct dkim_kit *k)
{
    private_key_free(&k->rsa);
    private_key_free(&k->ed25519);
    buf_done(&k->rsa_text);
    buf_done(&k->ed25519_text);
    arena_done(&k->zone_arena);
    arena_done(&k->arena);
    dkim_keys_cache_free(&k->cache);
}

void dkim_kit_sign(struct dkim_kit *k, const struct dkim_form *form, slice message, size_t body_bytes,
                   struct buf *out)
{
    struct arena a CLEANUP(arena_done);
    struct buf field CLEANUP(buf_done), signature CLEANUP(buf_done);
    struct dkim_body_hash body = {0};
    struct dkim_header_hash header = {0};
    struct dkim_fields fields;
    uint8_t digest[DIGEST_SHA256_SIZE];
    size_t at = header_end(message);
    arena_init(&a, "sign", (size_t)1 << 20);
    buf_init(&field, 8192);
    buf_init(&signature, 1024);
    dkim_body_hash_begin(&body, form->body);
    dkim_body_hash_feed(&body, slice_sub(slice_from(message, at), 0, body_bytes));
    dkim_body_hash_end(&body, digest);
    dkim_body_hash_done(&body);
    assert_int_equal(buf_print(&field, "DKIM-Signature: %s;\r\n bh=", form->tags), OK);
    assert_int_equal(base64_encode(slice_of(digest, sizeof(digest)), &field), OK);
    assert_int_equal(buf_str(&field, "; b="), OK);
    assert_true(dkim_fields_read(slice_sub(message, 0, at), &a, &fields));
    dkim_header_hash_begin(&header, form->header);
    assert_true(dkim_fields_hash(&fields, slice_str(form->h), &header));
    dkim_header_hash_signature(&header, buf_view(&field), slice_of(NULL, 0));
    dkim_header_hash_end(&header, digest);
    dkim_header_hash_done(&header);
    assert_int_equal(private_key_sign(form->ed25519 ? k->ed25519 : k->rsa, digest, &signature), OK);
    assert_int_equal(base64_encode(buf_view(&signature), &field), OK);
    assert_int_equal(buf_str(&field, "\r\n"), OK);
    buf_clear(out);
    assert_int_equal(buf_append(out, buf_view(&field)), OK);
    assert_int_equal(buf_append(out, message), OK);
}

static void answer(struct dkim_kit *k, struct dns_table *table)
{
    size_t question, asked = 0;
    slice name;
    uint16_t type;
    for (; dns_table_next(table, &question, &name, &type); asked++) {
        struct dns_answer got;
        assert_int_equal(type, DNS_TXT);
        dns_zone_answer(&k->zone, name, type, &k->arena, &got);
        dns_table_put(table, question, &got);
    }
    assert_true(asked > 0);
    k->questions += asked;
}

void dkim_kit_verify(struct dkim_kit *k, slice message, size_t split, time_ms now)
{
    struct dns_table table;
    size_t at = header_end(message);
    enum auth_step step;
    arena_reset(&k->arena);
    k->questions = 0;
    assert_true(dns_table_init(&table, &k->arena, 20));
    struct dkim_verify *v = dkim_verify_begin(slice_sub(message, 0, at), &k->arena);
    assert_non_null(v);
    split = split ? split : message.n + 1;
    for (; at < message.n; at += split)
        dkim_verify_body(v, slice_sub(message, at, at + split));
    dkim_verify_body_end(v);
    while ((step = dkim_verify_finish(v, &table, now, k->cache, &k->results, &k->n)) == AUTH_WAIT)
        answer(k, &table);
    assert_int_equal(step, AUTH_DONE);
    for (size_t i = 0; i < k->n; i++)
        assert_true((k->results[i].result == AUTH_PASS) == (k->results[i].reason.n == 0));
}

const struct dkim_result *dkim_kit_one(struct dkim_kit *k, slice message)
{
    dkim_kit_verify(k, message, 0, KIT_NOW);
    assert_int_equal(k->n, 1);
    return &k->results[0];
}
