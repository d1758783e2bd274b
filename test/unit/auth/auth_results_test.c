/* auth_results: the field we write holds nothing that could be read as somebody else's result (THREATS 21),
 * fields in our name are known however they are written, and those of others are read. */
#include "lib/test.h"

#include "core/auth/auth_results.h"

static void printed(const struct auth_results *r, const char *want)
{
    struct buf b;
    buf_init(&b, 8192);
    assert_int_equal(auth_results_print(r, SLICE("mx.example.org"), &b), OK);
    assert_slice(buf_view(&b), want);
    buf_done(&b);
}

static void nothing_found(void **state)
{
    struct auth_results r = {.reverse_path = SLICE("a@example.com")};
    (void)state;
    printed(&r, "mx.example.org; none");
    r.spf.result = AUTH_NEUTRAL;
    r.spf.reason = SLICE("it says ?all");
    printed(&r, "mx.example.org; spf=neutral reason=\"it says ?all\" smtp.mailfrom=a@example.com; dkim=none; "
                "dmarc=none");
}

static void everything_found(void **state)
{
    struct dkim_result dkim[] = {{.result = AUTH_PASS,
                                  .domain = SLICE("example.com"),
                                  .selector = SLICE("sel._x"),
                                  .identity = SLICE("@news.example.com"),
                                  .algorithm = SLICE("rsa-sha256"),
                                  .b = SLICE("ab/+cd8g")},
                                 {.result = AUTH_FAIL,
                                  .domain = SLICE("example.net"),
                                  .selector = SLICE("s2"),
                                  .algorithm = SLICE("ed25519-sha256"),
                                  .b = SLICE("abcdefgh"),
                                  .reason = SLICE("the body was changed (bh=); x")}};
    struct auth_results r = {
        .client = SLICE("2001:db8::1"),
        .helo = SLICE("mail.example.com"),
        .reverse_path = SLICE("bounce+x=y@example.com"),
        .iprev = {.result = AUTH_PASS, .name = SLICE("mail.example.com")},
        .spf = {.result = AUTH_PASS,
                .domain = SLICE("example.com"),
                .reason = SLICE("not shown with a pass")},
        .dkim = dkim,
        .n_dkim = 2,
        .arc = {.result = AUTH_PASS, .sets = 2, .oldest_pass = 0},
        .dmarc = {.result = AUTH_FAIL,
                  .author = SLICE("a.example.org"),
                  .policy_domain = SLICE("example.org"),
                  .p = DMARC_POLICY_REJECT,
                  .policy_tag = 's',
                  .reason = SLICE("neither SPF (x) nor DKIM (y)")},
    };
    (void)state;
    printed(&r,
            "mx.example.org; iprev=pass policy.iprev=\"2001:db8::1\"; spf=pass "
            "smtp.mailfrom=bounce+x=y@example.com; dkim=pass header.d=example.com header.s=sel._x "
            "header.i=@news.example.com header.a=rsa-sha256 header.b=\"ab/+cd8g\"; dkim=fail reason=\"the "
            "body was "
            "changed [bh:], x\" header.d=example.net header.s=s2 header.a=ed25519-sha256 header.b=abcdefgh; "
            "arc=pass header.oldest-pass=0 smtp.remote-ip=\"2001:db8::1\"; dmarc=fail reason=\"neither SPF "
            "[x] nor "
            "DKIM [y]\" header.from=a.example.org polrec.p=reject polrec.domain=example.org");
    r.n_dkim = 0;
    r.iprev.result = AUTH_NONE;
    r.arc.result = AUTH_NONE;
    r.reverse_path = (slice){0};
    r.spf.of_helo = true;
    r.spf.domain = SLICE("mail.example.com");
    r.dmarc = (struct dmarc_result){.result = AUTH_PASS,
                                    .author = SLICE("mail.example.com"),
                                    .policy_domain = SLICE("mail.example.com"),
                                    .policy_tag = 'p'};
    printed(&r, "mx.example.org; spf=pass smtp.helo=mail.example.com; dkim=none; dmarc=pass "
                "header.from=mail.example.com "
                "polrec.p=none");
}

/* THREATS 21: espoofer A4 to A6 and CVE-2020-12272. Whatever comes in, one field comes out whose parts are
 * ours. */
static void nothing_is_injected(void **state)
{
    static const char *const evil[] = {
        "legitimate.com'a.attack.com",
        "legitimate.com(.attack.com",
        "legitimate.com\"x.attack.com",
        "legitimate.com; dmarc=pass header.from=legitimate.com; x.attack.com",
        "legitimate.com\r\nX-Evil: 1",
        "legitimate.com,.attack.com",
        "any@legitimate.com(a.attack.com",
        "\"a\r\nb\"@attack.com",
        "\"a; dmarc=pass header.from=x (\"@attack.com",
        "x\\\"@attack.com",
        "a b@attack.com",
        "\xc3\xa4@attack.com",
        "'legitimate.com'@attack.com",
        "dmarc=pass@attack.com",
        "@",
        "a@",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
        slice e = slice_str(evil[i]);
        struct dkim_result d = {.result = AUTH_FAIL,
                                .domain = e,
                                .selector = e,
                                .identity = e,
                                .algorithm = e,
                                .b = e,
                                .reason = e};
        struct auth_results r = {
            .client = SLICE("192.0.2.1"),
            .helo = e,
            .reverse_path = e,
            .iprev = {.result = AUTH_FAIL, .name = e, .reason = e},
            .spf = {.result = AUTH_FAIL, .domain = e, .mechanism = e, .explanation = e, .reason = e},
            .dkim = &d,
            .n_dkim = 1,
            .arc = {.result = AUTH_FAIL, .sealer = e, .reason = e},
            .dmarc = {.result = AUTH_FAIL, .author = e, .policy_domain = e, .policy_tag = 'p', .reason = e}};
        struct auth_results_reader reader;
        struct auth_results_method m;
        struct arena a;
        struct buf b;
        slice id;
        size_t methods = 0;
        arena_init(&a, "test", 65536);
        buf_init(&b, 8192);
        assert_int_equal(auth_results_print(&r, SLICE("mx.example.org"), &b), OK);
        for (size_t k = 0; k < b.n; k++)
            assert_true(b.p[k] >= ' ' && b.p[k] <= '~' && b.p[k] != '(' && b.p[k] != ')' && b.p[k] != '\\');
        assert_int_equal(slice_find(buf_view(&b), SLICE("=pass")), b.n);
        assert_int_equal(slice_find(buf_view(&b), SLICE("header.from=legitimate.com")), b.n);
        assert_int_equal(slice_find(buf_view(&b), SLICE("mailfrom=any@legitimate.com")), b.n);
        assert_int_equal(auth_results_read(buf_view(&b), &a, &reader, &id), OK);
        assert_slice(id, "mx.example.org");
        while (auth_results_next(&reader, &m) == OK) {
            assert_slice(m.result, "fail");
            methods++;
        }
        assert_int_equal(methods, 5);
        buf_done(&b);
        arena_done(&a);
    }
}

/* A full buffer is left as it was. */
static void too_small_a_buffer(void **state)
{
    struct auth_results r = {.spf = {.result = AUTH_FAIL, .domain = SLICE("example.com")}};
    (void)state;
    for (size_t max = 2; max < 40; max++) {
        struct buf b;
        buf_init(&b, max);
        buf_str(&b, "X:");
        assert_int_equal(auth_results_print(&r, SLICE("mx.example.org"), &b), ERR_LIMIT);
        assert_slice(buf_view(&b), "X:");
        buf_done(&b);
    }
}

static void ours_and_not_ours(void **state)
{
    static const char *const ours[] = {
        "mx.example.org; dmarc=pass",
        " mx.example.org ; none",
        "mx.example.org",
        "mx.example.org 1; spf=pass",
        "mx.example.org/1; spf=pass",
        "MX.Example.ORG; spf=pass",
        "mx.example.org.; spf=pass",
        "\"mx.example.org\"; spf=pass",
        "\"mx.exam\\ple.org\"; spf=pass",
        "(hello) mx.example.org; spf=pass",
        "(a (nested; comment) x)\r\n\tmx.example.org; spf=pass",
        "(not closed mx.example.org; spf=pass",
        "\r\n mx.example.org;\r\n spf=pass",
        "other.example mx.example.org; spf=pass",
        "(mx.example.org) other.example; spf=pass",
        "\"mx.example.org",
        "<mx.example.org>; spf=pass",
        "x@mx.example.org; spf=pass",
    };
    static const char *const others[] = {
        "",
        ";",
        "other.example; spf=pass smtp.mailfrom=mx.example.org",
        "mx.example.org.evil.example; spf=pass",
        "amx.example.org; spf=pass",
        "example.org; spf=pass",
        "mx-example.org; x",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        slice s = guard_copy(slice_str(ours[i]));
        if (!auth_results_is_ours(s, SLICE("mx.example.org")))
            fail_msg("not ours: %s", ours[i]);
        guard_free(s);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        slice s = guard_copy(slice_str(others[i]));
        if (auth_results_is_ours(s, SLICE("mx.example.org")))
            fail_msg("ours: %s", others[i]);
        guard_free(s);
    }
    assert_true(
        auth_results_is_ours(SLICE("m\xc3\xbcnchen.example; x=pass"), SLICE("xn--mnchen-3ya.example")));
    assert_false(auth_results_is_ours(SLICE("x"), (slice){0}));
    assert_false(auth_results_is_ours(SLICE("; x"), (slice){0}));
}

static void reads(const char *value, const char *id, const char *want)
{
    struct arena a;
    struct auth_results_reader r;
    struct auth_results_method m;
    struct buf b;
    slice got_id, s = guard_copy(slice_str(value));
    arena_init(&a, "test", 65536);
    buf_init(&b, 4096);
    assert_int_equal(auth_results_read(s, &a, &r, &got_id), OK);
    assert_slice(got_id, id);
    while (auth_results_next(&r, &m) == OK) {
        buf_append(&b, m.method);
        buf_byte(&b, '=');
        buf_append(&b, m.result);
        if (m.reason.n) {
            buf_str(&b, " why:");
            buf_append(&b, m.reason);
        }
        for (size_t i = 0; i < m.n; i++) {
            buf_byte(&b, ' ');
            buf_append(&b, m.at[i].type);
            buf_byte(&b, '|');
            buf_append(&b, m.at[i].name);
            buf_byte(&b, '|');
            buf_append(&b, m.at[i].value);
        }
        buf_str(&b, "\n");
    }
    assert_slice(buf_view(&b), want);
    buf_done(&b);
    arena_done(&a);
    guard_free(s);
}

/* The examples of RFC 8601 Appendix B, and what large senders write. */
static void fields_of_others(void **state)
{
    struct arena a;
    struct auth_results_reader r;
    slice id;
    (void)state;
    reads("example.org 1; none", "example.org", "");
    reads("example.com;\r\n          spf=pass smtp.mailfrom=example.net", "example.com",
          "spf=pass smtp|mailfrom|example.net\n");
    reads("example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass "
          "smtp.mailfrom=example.net",
          "example.com", "auth=pass smtp|auth|sender@example.net\nspf=pass smtp|mailfrom|example.net\n");
    reads("foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) "
          "fail\r\n "
          "policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting "
          "it) "
          "1362471462",
          "foo.example.net", "");
    reads(
        "mx.google.com; dkim=pass header.i=@x.example header.s=k1 header.b=NVYk/x+=; spf=pass (google.com: "
        "domain of "
        "a@x.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=a@x.example; dmarc=pass (p=NONE "
        "sp=QUARANTINE dis=NONE) header.from=x.example",
        "mx.google.com",
        "dkim=pass header|i|@x.example header|s|k1 header|b|NVYk/x+=\nspf=pass "
        "smtp|mailfrom|a@x.example\ndmarc=pass "
        "header|from|x.example\n");
    reads(
        "mx.microsoft.com 1; spf=pass smtp.mailfrom=x.example; dmarc=pass action=none header.from=x.example; "
        "compauth=pass reason=100; arc=none",
        "mx.microsoft.com",
        "spf=pass smtp|mailfrom|x.example\ndmarc=pass |action|none header|from|x.example\ncompauth=pass "
        "why:100\narc=none\n");
    reads("a; dkim/1=pass reason=\"a; b\\\" (c\" header.d=\"x y\" smtp.mailfrom=\"a b\"@x.example", "a",
          "dkim=pass why:a; b\" (c header|d|x y smtp|mailfrom|\"a b\"@x.example\n");
    /* what stands in a comment or in quotes is no result */
    reads("a; spf=fail (; dmarc=pass) ; x=y reason=\"; dmarc=pass\"", "a",
          "spf=fail\nx=y why:; dmarc=pass\n");
    reads("a; spf=fail (never closed ; dmarc=pass", "a", "spf=fail\n");
    reads("a; =pass; dmarc=; dmarc; ; spf=pass = = x", "a", "spf=pass\n");
    arena_init(&a, "test", 4096);
    assert_int_equal(auth_results_read(SLICE(""), &a, &r, &id), ERR_SYNTAX);
    assert_int_equal(auth_results_read(SLICE("; spf=pass"), &a, &r, &id), ERR_SYNTAX);
    assert_int_equal(auth_results_read(SLICE("a\0; spf=pass"), &a, &r, &id), ERR_SYNTAX);
    assert_int_equal(auth_results_read(SLICE("a; spf=pa\x1bss"), &a, &r, &id), ERR_SYNTAX);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_found),       cmocka_unit_test(everything_found),
        cmocka_unit_test(nothing_is_injected), cmocka_unit_test(too_small_a_buffer),
        cmocka_unit_test(ours_and_not_ours),   cmocka_unit_test(fields_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
