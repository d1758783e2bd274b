/* Canonical forms: the examples of RFC 6376 §3.4.5, the digests of empty bodies, every split, and, against a
 * slow reading of the rules, random bodies made of what matters. */
#include "core/dkim/dkim_parts.h"
#include "lib/test.h"
#include "text/base64.h"

static void hash_text(slice s, uint8_t out[DIGEST_SHA256_SIZE])
{
    digest_sha256(s, out);
}

static void assert_body(enum dkim_canon canon, slice body, slice want)
{
    struct dkim_body_hash h = {0};
    uint8_t a[DIGEST_SHA256_SIZE], b[DIGEST_SHA256_SIZE];
    hash_text(want, b);
    for (size_t split = 1; split <= body.n + 1; split++) {
        dkim_body_hash_begin(&h, canon);
        for (size_t at = 0; at < body.n; at += split) {
            slice piece = guard_copy(slice_sub(body, at, at + split));
            dkim_body_hash_feed(&h, piece);
            guard_free(piece);
        }
        dkim_body_hash_end(&h, a);
        if (memcmp(a, b, sizeof(a)) != 0)
            fail_msg("canon %d, body of %zu in pieces of %zu", (int)canon, body.n, split);
    }
    dkim_body_hash_done(&h);
}

static void test_bodies(void **state)
{
    static const struct {
        const char *body, *simple, *relaxed;
    } table[] = {
        /* RFC 6376 §3.4.5 */
        {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
        {"", "\r\n", ""},
        {"\r\n", "\r\n", ""},
        {"\r\n\r\n", "\r\n", ""},
        {" \t\r\n \r\n", " \t\r\n \r\n", ""},
        {"x", "x\r\n", "x\r\n"},
        {"x ", "x \r\n", "x\r\n"},
        {" x", " x\r\n", " x\r\n"},
        {"\tx\t\ty", "\tx\t\ty\r\n", " x y\r\n"},
        {"\r\n\r\nx\r\n", "\r\n\r\nx\r\n", "\r\n\r\nx\r\n"},
        {"x\r\n \r\n\r\ny", "x\r\n \r\n\r\ny\r\n", "x\r\n\r\n\r\ny\r\n"},
        /* CR and LF alone are octets */
        {"x\ry\nz\r", "x\ry\nz\r\r\n", "x\ry\nz\r\r\n"},
        {"x \ry \nz \r", "x \ry \nz \r\r\n", "x \ry \nz \r\r\n"},
        {"x\n\n", "x\n\n\r\n", "x\n\n\r\n"},
        {"x \r \r\n", "x \r \r\n", "x \r\r\n"},
        {"\r\r\n\r\r\n", "\r\r\n\r\r\n", "\r\r\n\r\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        assert_body(DKIM_SIMPLE, slice_str(table[i].body), slice_str(table[i].simple));
        assert_body(DKIM_RELAXED, slice_str(table[i].body), slice_str(table[i].relaxed));
    }
}

/* RFC 6376 §3.4.3, §3.4.4 print these digests. */
static void test_empty(void **state)
{
    static const char *want[] = {"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=",
                                 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="};
    (void)state;
    for (int canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
        struct dkim_body_hash h = {0};
        struct buf text CLEANUP(buf_done);
        uint8_t digest[DIGEST_SHA256_SIZE];
        buf_init(&text, 100);
        dkim_body_hash_begin(&h, (enum dkim_canon)canon);
        dkim_body_hash_end(&h, digest);
        dkim_body_hash_done(&h);
        assert_int_equal(base64_encode(slice_of(digest, sizeof(digest)), &text), OK);
        assert_slice(buf_view(&text), want[canon]);
    }
}

/* The relaxed form, read from RFC 6376 §3.4.4 a line at a time. */
static void slow_relaxed(slice body, struct buf *out)
{
    size_t keep = 0;
    while (body.n) {
        size_t end = slice_find(body, SLICE("\r\n")), n = end;
        bool blank = false;
        while (n && (body.p[n - 1] == ' ' || body.p[n - 1] == '\t'))
            n--;
        for (size_t i = 0; i < n; i++) {
            if (body.p[i] == ' ' || body.p[i] == '\t') {
                blank = true;
                continue;
            }
            if (blank)
                buf_byte(out, ' ');
            blank = false;
            buf_byte(out, body.p[i]);
        }
        if (n)
            keep = out->n + 2;
        buf_str(out, "\r\n");
        body = slice_from(body, end + 2);
    }
    buf_truncate(out, keep);
}

static void slow_simple(slice body, struct buf *out)
{
    while (body.n >= 2 && body.p[body.n - 1] == '\n' && body.p[body.n - 2] == '\r')
        body.n -= 2;
    buf_append(out, body);
    buf_str(out, "\r\n");
}

static void test_random(void **state)
{
    static const char *words[] = {" ",
                                  "\t",
                                  "\r\n",
                                  "\r",
                                  "\n",
                                  "a",
                                  "  ",
                                  "\r\n\r\n",
                                  "word",
                                  " \r\n",
                                  "a line that is longer than the blocks in which text is looked through, ok",
                                  "\r\n\r\n\r\n\r\n\r\n\r\n\r\n"};
    uint32_t seed = 1;
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct buf body CLEANUP(buf_done), want CLEANUP(buf_done);
        uint8_t a[DIGEST_SHA256_SIZE], b[DIGEST_SHA256_SIZE];
        buf_init(&body, 10000);
        buf_init(&want, 10000);
        for (int i = 0; i < round % 40; i++) {
            seed = seed * 1664525 + 1013904223;
            assert_int_equal(buf_str(&body, words[(seed >> 16) % ARRAY_LEN(words)]), OK);
        }
        enum dkim_canon canon = round & 1 ? DKIM_RELAXED : DKIM_SIMPLE;
        if (canon == DKIM_RELAXED)
            slow_relaxed(buf_view(&body), &want);
        else
            slow_simple(buf_view(&body), &want);
        hash_text(buf_view(&want), b);
        struct dkim_body_hash h = {0};
        dkim_body_hash_begin(&h, canon);
        for (size_t at = 0; at < body.n;) {
            seed = seed * 1664525 + 1013904223;
            size_t n = 1 + (seed >> 20) % 90;
            slice piece = guard_copy(slice_sub(buf_view(&body), at, at + n));
            dkim_body_hash_feed(&h, piece);
            guard_free(piece);
            at += n;
        }
        dkim_body_hash_end(&h, a);
        dkim_body_hash_done(&h);
        if (memcmp(a, b, sizeof(a)) != 0)
            fail_msg("round %d", round);
    }
}

/* A hundred million empty lines cost a number, and count for nothing at the end. */
static void test_held(void **state)
{
    struct dkim_body_hash h = {0};
    uint8_t a[DIGEST_SHA256_SIZE], b[DIGEST_SHA256_SIZE];
    struct buf lines CLEANUP(buf_done);
    (void)state;
    buf_init(&lines, 20000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buf_str(&lines, "\r\n"), OK);
    dkim_body_hash_begin(&h, DKIM_RELAXED);
    dkim_body_hash_feed(&h, SLICE("text\r\n"));
    for (int i = 0; i < 10000; i++)
        dkim_body_hash_feed(&h, buf_view(&lines));
    assert_true(h.held == 100000001);
    dkim_body_hash_end(&h, a);
    dkim_body_hash_done(&h);
    hash_text(SLICE("text\r\n"), b);
    assert_memory_equal(a, b, sizeof(a));
}

static void assert_field(enum dkim_canon canon, const char *raw, const char *want)
{
    struct dkim_header_hash h = {0};
    uint8_t a[DIGEST_SHA256_SIZE], b[DIGEST_SHA256_SIZE];
    slice guarded = guard_copy(slice_str(raw));
    dkim_header_hash_begin(&h, canon);
    dkim_header_hash_field(&h, guarded);
    dkim_header_hash_end(&h, a);
    dkim_header_hash_done(&h);
    guard_free(guarded);
    hash_text(slice_str(want), b);
    if (memcmp(a, b, sizeof(a)) != 0)
        fail_msg("\"%s\" is not \"%s\"", raw, want);
}

static void test_fields(void **state)
{
    (void)state;
    /* RFC 6376 §3.4.5 */
    assert_field(DKIM_RELAXED, "A: X\r\n", "a:X\r\n");
    assert_field(DKIM_RELAXED, "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n");
    assert_field(DKIM_SIMPLE, "A: X\r\n", "A: X\r\n");
    assert_field(DKIM_SIMPLE, "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n");
    assert_field(DKIM_RELAXED, "Subject:\r\n", "subject:\r\n");
    assert_field(DKIM_RELAXED, "Subject: \t\r\n \r\n", "subject:\r\n");
    assert_field(DKIM_RELAXED, "X-a:b:c", "x-a:b:c\r\n");
    assert_field(DKIM_RELAXED, "X:a\r\n  b\r\n\tc\r\n", "x:a b c\r\n");
}

static void assert_signature(enum dkim_canon canon, const char *raw, const char *b, const char *want)
{
    struct dkim_header_hash h = {0};
    uint8_t x[DIGEST_SHA256_SIZE], y[DIGEST_SHA256_SIZE];
    slice s = slice_str(raw);
    size_t at = slice_find(s, slice_str(b));
    dkim_header_hash_begin(&h, canon);
    dkim_header_hash_signature(&h, s, slice_sub(s, at, at + strlen(b)));
    dkim_header_hash_end(&h, x);
    dkim_header_hash_done(&h);
    hash_text(slice_str(want), y);
    if (memcmp(x, y, sizeof(x)) != 0)
        fail_msg("\"%s\" is not \"%s\"", raw, want);
}

/* RFC 6376 §3.7: b= with the white space around its value is taken out, and nothing else. */
static void test_signature(void **state)
{
    (void)state;
    assert_signature(DKIM_RELAXED, "DKIM-Signature: a=1;\r\n b=QUJ\r\n D; c=2\r\n", "QUJ\r\n D",
                     "dkim-signature:a=1; b=; c=2");
    assert_signature(DKIM_SIMPLE, "DKIM-Signature: a=1;\r\n b = QUJ\r\n D ; c=2\r\n", "QUJ\r\n D",
                     "DKIM-Signature: a=1;\r\n b =; c=2");
    assert_signature(DKIM_SIMPLE, "DKIM-Signature: bh=QUJE; b=XYZ= \r\n",
                     "XYZ=", "DKIM-Signature: bh=QUJE; b=");
}

static void test_select(void **state)
{
    struct arena a CLEANUP(arena_done);
    struct dkim_fields f;
    struct dkim_header_hash h = {0};
    uint8_t x[DIGEST_SHA256_SIZE], y[DIGEST_SHA256_SIZE];
    (void)state;
    arena_init(&a, "fields", 100000);
    assert_true(dkim_fields_read(SLICE("A: 1\r\nB: 2\r\na: 3\r\nFrom: x\r\nA: 4\r\n\r\n"), &a, &f));
    assert_null(f.defect);
    assert_int_equal(dkim_fields_count(&f, SLICE("a")), 3);
    for (int again = 0; again < 2; again++) {
        dkim_header_hash_begin(&h, DKIM_RELAXED);
        assert_true(dkim_fields_hash(&f, SLICE("a : A:from:b:none:b:a:a:a"), &h));
        dkim_header_hash_end(&h, x);
        hash_text(SLICE("a:4\r\na:3\r\nfrom:x\r\nb:2\r\na:1\r\n"), y);
        assert_memory_equal(x, y, sizeof(x));
    }
    dkim_header_hash_done(&h);
    static const char *junk[] = {
        "From: x\r\nno field\r\n\r\n", "From: x\r\n: y\r\n", " x\r\nFrom: y\r\n", "From x: y\r\n",
        "From: a\nTo: b\r\n",          "From: a\rb\r\n",     "\xc3\xa9: x\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
        assert_true(dkim_fields_read(slice_str(junk[i]), &a, &f));
        assert_non_null(f.defect);
    }
    assert_true(dkim_fields_read(slice_of("A: \0\r\n", 6), &a, &f));
    assert_non_null(f.defect);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bodies), cmocka_unit_test(test_empty),
                                       cmocka_unit_test(test_random), cmocka_unit_test(test_held),
                                       cmocka_unit_test(test_fields), cmocka_unit_test(test_signature),
                                       cmocka_unit_test(test_select)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
