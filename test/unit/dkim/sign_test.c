/* Signing: both keys over one body, the fields that are named and named once more, the form of the field,
 * what is refused; our own verifier says pass, and after any field that must not be added, not pass (THREATS
 * 16, 22, 23). */
#include "dkim_kit.h"

static struct dkim_kit kit;

#define BODY "Dear  Bob,\r\n\r\n  yes. \r\n\r\n"

static const char usual[] =
    "Received: by x\r\nFrom: alice@example.org\r\nTo: bob@example.net\r\nTo: eve@example.net\r\n"
    "Subject: hello\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
    "References: <0@example.org>\r\nX-Campaign: 7\r\n\r\n";

static const struct dkim_sign_key both[] = {{SLICE_INIT("r"), DKIM_RSA_SHA256},
                                            {SLICE_INIT("e"), DKIM_ED25519_SHA256}};

static struct dkim_sign_ask ask_usual(void)
{
    return (struct dkim_sign_ask){.domain = SLICE("example.org"), .keys = both, .n_keys = 2, .now = KIT_NOW};
}

/* The message with its signatures in front. */
static enum err sign(const struct dkim_sign_ask *ask, slice header, slice body, size_t split, struct buf *out)
{
    struct arena a CLEANUP(arena_done);
    struct dkim_sign *s;
    arena_init(&a, "sign", (size_t)1 << 20);
    slice guarded = guard_copy(header);
    enum err e = dkim_sign_begin(guarded, ask, &a, &s);
    for (size_t at = 0; !e && at < body.n; at += split)
        dkim_sign_body(s, slice_sub(body, at, at + split));
    if (!e)
        e = dkim_sign_body_end(s);
    buf_clear(out);
    for (size_t i = 0; !e && i < ask->n_keys; i++) {
        struct buf signature CLEANUP(buf_done);
        uint8_t digest[DIGEST_SHA256_SIZE];
        buf_init(&signature, PRIVATE_KEY_SIGNATURE);
        dkim_sign_digest(s, i, digest);
        assert_int_equal(private_key_sign(i ? kit.ed25519 : kit.rsa, digest, &signature), OK);
        e = dkim_sign_field(s, i, buf_view(&signature), out);
    }
    if (!e)
        e = buf_append(out, header);
    if (!e)
        e = buf_append(out, body);
    guard_free(guarded);
    return e;
}

static void sign_usual(struct buf *out)
{
    struct dkim_sign_ask ask = ask_usual();
    buf_init(out, 100000);
    assert_int_equal(sign(&ask, slice_str(usual), SLICE(BODY), 7, out), OK);
}

static size_t passes(slice m, time_ms now)
{
    size_t n = 0;
    dkim_kit_verify(&kit, m, 0, now);
    for (size_t i = 0; i < kit.n; i++)
        n += kit.results[i].result == AUTH_PASS;
    return n;
}

static void test_both(void **state)
{
    struct buf m CLEANUP(buf_done);
    (void)state;
    sign_usual(&m);
    assert_int_equal(passes(buf_view(&m), KIT_NOW), 2);
    assert_int_equal(kit.n, 2);
    assert_slice(kit.results[0].algorithm, "rsa-sha256");
    assert_slice(kit.results[1].algorithm, "ed25519-sha256");
    assert_true(kit.results[0].signed_at == KIT_NOW);
    assert_true(kit.results[0].expires_at == KIT_NOW + 14 * MS_DAY);
    assert_int_equal(passes(buf_view(&m), KIT_NOW + 14 * MS_DAY - 1), 2);
    assert_int_equal(passes(buf_view(&m), KIT_NOW + 14 * MS_DAY), 0);
    assert_true(kit.results[0].expired);
}

/* RFC 5322 §2.1.1: no line of a field is longer than 78 characters; no blank ends a line. */
static void test_form(void **state)
{
    struct buf m CLEANUP(buf_done);
    (void)state;
    sign_usual(&m);
    struct cursor c = cursor_of(slice_sub(buf_view(&m), 0, slice_find(buf_view(&m), SLICE("Received:"))));
    slice line;
    size_t lines = 0;
    while (cursor_line(&c, &line)) {
        if (line.n > 78 || line.n < 3 || line.p[line.n - 1] == ' ')
            fail_msg("\"%.*s\"", SLICE_FMT(line));
        lines++;
    }
    assert_true(lines > 10);
}

/* A second field of each kind that can mislead makes both signatures fail; trace fields do not. */
static void test_added(void **state)
{
    static const struct {
        const char *field;
        bool passes;
    } table[] = {
        {"From: mallory@example.com", false},
        {"Subject: x", false},
        {"To: x@example.com", false},
        {"Cc: x@example.com", false},
        {"Date: Thu, 1 Jan 1970 00:00:00 +0000", false},
        {"Reply-To: mallory@example.com", false},
        {"Message-ID: <2@example.org>", false},
        {"MIME-Version: 1.0", false},
        {"Content-Type: text/html", false},
        {"content-transfer-encoding: base64", false},
        {"References: <3@example.org>", false}, /* it is there: so once more is too often */
        {"In-Reply-To: <3@example.org>", true}, /* it is not: a list may add it */
        {"List-Id: <list.example.net>", true},
        {"Sender: list@example.net", true},
        {"Received: by y", true},
        {"X-Spam: no", true},
        {"DKIM-Signature: none", true},
    };
    struct buf m CLEANUP(buf_done);
    (void)state;
    sign_usual(&m);
    size_t end = slice_find(buf_view(&m), SLICE("\r\n\r\n")) + 2;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct buf top CLEANUP(buf_done), bottom CLEANUP(buf_done);
        buf_init(&top, 100000);
        buf_init(&bottom, 100000);
        assert_int_equal(buf_print(&top, "%s\r\n", table[i].field) | buf_append(&top, buf_view(&m)), OK);
        assert_int_equal(buf_append(&bottom, slice_sub(buf_view(&m), 0, end)) |
                             buf_print(&bottom, "%s\r\n", table[i].field) |
                             buf_append(&bottom, slice_from(buf_view(&m), end)),
                         OK);
        size_t want = table[i].passes ? 2 : 0;
        if (passes(buf_view(&top), KIT_NOW) != want || passes(buf_view(&bottom), KIT_NOW) != want)
            fail_msg("%s", table[i].field);
    }
}

/* The domain's own fields; names that are no names, and fields that may not be signed, are left out. */
static void test_extra(void **state)
{
    static const slice extra[] = {
        SLICE_INIT("x-campaign"),  SLICE_INIT("X-CAMPAIGN"), SLICE_INIT("from"),  SLICE_INIT("Received"),
        SLICE_INIT("bad name"),    SLICE_INIT("a:b"),        SLICE_INIT("a;b=c"), SLICE_INIT(""),
        SLICE_INIT("X\r\nBcc: y"), SLICE_INIT("X-None")};
    struct dkim_sign_ask ask = ask_usual();
    struct buf m CLEANUP(buf_done);
    (void)state;
    buf_init(&m, 100000);
    ask.extra = extra;
    ask.n_extra = ARRAY_LEN(extra);
    assert_int_equal(sign(&ask, slice_str(usual), SLICE(BODY), 1000, &m), OK);
    assert_int_equal(passes(buf_view(&m), KIT_NOW), 2);
    slice text = buf_view(&m);
    assert_true(slice_find(text, SLICE("x-campaign:x-campaign;")) < text.n ||
                slice_find(text, SLICE("x-campaign: x-campaign;")) < text.n);
    assert_int_equal(
        slice_find_nocase(slice_sub(text, 0, slice_find(text, SLICE("Received:"))), SLICE("received")),
        slice_find(text, SLICE("Received:")));
    m.p[slice_find(text, SLICE("X-Campaign: 7")) + 12] = '8';
    assert_int_equal(passes(buf_view(&m), KIT_NOW), 0);
}

static void test_refused(void **state)
{
    static const struct {
        const char *header;
        enum err e;
    } table[] = {
        {"To: x\r\n\r\n", ERR_DENIED},
        {"From: x\r\njunk\r\n\r\n", ERR_DENIED},
        {"From: x\nTo: y\n\n", ERR_DENIED},
        {"", ERR_DENIED},
        {"From: x\r\n\r\n", OK},
        {"From: x\r\n", OK},
    };
    static const char *domains[] = {"",      "org", "exa mple.org", "example.org;", "example.org\r\nX: y",
                                    "-a.org"};
    struct dkim_sign_ask ask = ask_usual();
    struct buf m CLEANUP(buf_done);
    (void)state;
    buf_init(&m, 100000);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        assert_int_equal(sign(&ask, slice_str(table[i].header), SLICE(""), 1, &m), table[i].e);
    for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
        ask.domain = slice_str(domains[i]);
        assert_int_equal(sign(&ask, slice_str(usual), SLICE(""), 1, &m), ERR_SYNTAX);
        struct dkim_sign_key bad = {slice_str(domains[i]), DKIM_RSA_SHA256};
        ask = ask_usual();
        ask.keys = &bad;
        ask.n_keys = 1;
        assert_int_equal(sign(&ask, slice_str(usual), SLICE(""), 1, &m), i == 1 ? OK : ERR_SYNTAX);
        ask = ask_usual();
    }
    ask.n_keys = DKIM_SIGN_KEYS_MAX + 1;
    assert_int_equal(sign(&ask, slice_str(usual), SLICE(""), 1, &m), ERR_LIMIT);
    ask.n_keys = 0;
    assert_int_equal(sign(&ask, slice_str(usual), SLICE(""), 1, &m), OK);
    assert_slice(buf_view(&m), usual);
}

/* So many fields of a kind that h= cannot name them all: no signature rather than one that leaves some out.
 */
static void test_extremes(void **state)
{
    struct buf header CLEANUP(buf_done), m CLEANUP(buf_done);
    struct dkim_sign_ask ask = ask_usual();
    (void)state;
    buf_init(&header, 1000000);
    buf_init(&m, 1000000);
    for (int n = 150; n <= 300; n += 150) {
        buf_clear(&header);
        assert_int_equal(buf_str(&header, "From: x\r\n"), OK);
        for (int i = 0; i < n; i++)
            assert_int_equal(buf_print(&header, "Subject: %d\r\n", i), OK);
        assert_int_equal(buf_str(&header, "\r\n"), OK);
        assert_int_equal(sign(&ask, buf_view(&header), SLICE(BODY), 1, &m), n == 150 ? OK : ERR_LIMIT);
        if (n == 150)
            assert_int_equal(passes(buf_view(&m), KIT_NOW), 2);
    }
}

static int setup(void **state)
{
    (void)state;
    dkim_kit_init(&kit);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dkim_kit_done(&kit);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both),    cmocka_unit_test(test_form),
                                       cmocka_unit_test(test_added),   cmocka_unit_test(test_extra),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_extremes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
