/* inbound and submission: what may come in and what leaves, decided from the header alone. */
#include "lib/test.h"

#include "core/mail/header.h"
#include "policy/inbound.h"
#include "policy/submission.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, "test", 64u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void mail_from_outside(void **state)
{
    static const struct {
        const char *message;
        size_t n;      /* 0: strlen */
        uint32_t code; /* 0: accepted */
        const char *message_id;
    } rows[] = {
        {"From: a@b\r\nMessage-ID: <1@b>\r\n\r\nFrom: body\r\n", 0, 0, "1@b"},
        {"From: a@b\r\nFrom: c@d\r\n\r\n", 0, 550, ""}, /* THREATS 20 */
        {"From: a@b\r\nfrom : c@d\r\n\r\n", 0, 550, ""},
        {"From: a@b, c@d\r\n\r\n", 0, 0, ""},
        {"From: a\0@b\r\n\r\n", 15, 550, ""}, /* THREATS 3 */
        {"Subject: x\0\r\n\r\n", 16, 550, ""},
        {"From: a@b\r\njunk line\r\nSubject: x\r\n\r\n", 0, 550, ""}, /* a hole */
        {"From: a@b\r\nno empty line before the body\r\n", 0, 0, ""},
        {"just a body\r\n", 0, 550, ""}, /* nobody wrote it */
        {"From a@b Sat Nov 22\r\nFrom: a@b\r\n\r\n", 0, 0, ""},
        {"Subject: nobody\r\n\r\n", 0, 550, ""},
        {" continues our own field\r\nFrom: a@b\r\n\r\n", 0, 550, ""}, /* THREATS 16 */
        {"\t; dmarc=pass\r\n\r\n", 0, 550, ""},
        {"", 0, 550, ""},
        {"\r\nFrom: a@b\r\nFrom: c@d\r\n", 0, 550, ""}, /* no header, all body */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice m = guard_copy(slice_of(rows[i].message, rows[i].n ? rows[i].n : strlen(rows[i].message)));
        struct verdict v;
        assert_true(inbound_decide(m, &mail_limits_default, &arena, &v));
        if ((v.action == VERDICT_REJECT) != (rows[i].code != 0) || v.code != rows[i].code)
            fail_msg("%s: %u", rows[i].message, v.code);
        assert_slice(v.message_id, rows[i].message_id);
        assert_true(v.code == 0 || (v.text.n > 0 && v.status.n == 5 && v.n_reasons > 0));
        guard_free(m);
    }
}

static void loops_end_after_30_servers(void **state)
{
    (void)state;
    for (unsigned n = 29; n <= 32; n++) {
        struct buf b;
        struct verdict v;
        buf_init(&b, 10000);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(buf_print(&b, "Received: from x by y%u\r\n", i), OK);
        assert_int_equal(buf_str(&b, "From: a@b\r\n\r\nReceived: not counted\r\n"), OK);
        assert_true(inbound_decide(buf_view(&b), &mail_limits_default, &arena, &v));
        assert_int_equal(v.code, n > 30 ? 554 : 0);
        buf_done(&b);
    }
}

static void bounds_of_headers_hold(void **state)
{
    struct buf b;
    struct verdict v;
    (void)state;
    buf_init(&b, 64u << 20);
    for (unsigned i = 0; i < 1001; i++)
        assert_int_equal(buf_print(&b, "X-%u: y\r\n", i), OK);
    assert_int_equal(buf_str(&b, "\r\n"), OK);
    assert_true(inbound_decide(buf_view(&b), &mail_limits_default, &arena, &v));
    assert_int_equal(v.code, 550); /* a From behind the last field we read would be seen by others */
    buf_clear(&b);
    assert_int_equal(buf_str(&b, "From: "), OK);
    while (b.n < 257 * 1024)
        assert_int_equal(buf_str(&b, "a@b,\r\n "), OK);
    assert_int_equal(buf_str(&b, "\r\n\r\n"), OK);
    assert_true(inbound_decide(buf_view(&b), &mail_limits_default, &arena, &v));
    assert_int_equal(v.code, 552);
    buf_clear(&b);
    while (b.n < (11u << 20)) {
        size_t from = b.n;
        assert_int_equal(buf_str(&b, "X: "), OK);
        while (b.n - from < 200000)
            assert_int_equal(buf_str(&b, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n "), OK);
        assert_int_equal(buf_str(&b, "x\r\n"), OK);
    }
    assert_int_equal(buf_str(&b, "From: a@b\r\nFrom: c@d\r\n\r\n"), OK);
    assert_true(inbound_decide(buf_view(&b), &mail_limits_default, &arena, &v));
    assert_int_equal(v.code, 552);
    buf_done(&b);
}

static struct verdict submit(const char *message)
{
    struct submission s = {.message = slice_str(message),
                           .hostname = SLICE("mx.a.test"),
                           .mail_id = 12345,
                           .account_address = SLICE("alice@a.test"),
                           .now = 1795307700000};
    struct verdict v;
    assert_true(submission_decide(&s, &mail_limits_default, &arena, &v));
    return v;
}

static void what_is_missing_is_added(void **state)
{
    struct verdict v = submit("From: Alice <Alice@A.test>\r\nSubject: x\r\n\r\nbody\r\n");
    (void)state;
    assert_int_equal(v.action, VERDICT_ACCEPT);
    assert_slice(v.prefix,
                 "Date: Sun, 22 Nov 2026 00:35:00 +0000\r\nMessage-ID: <0000000000C1S@mx.a.test>\r\n");
    assert_slice(v.message_id, "0000000000C1S@mx.a.test");
    assert_int_equal(v.n_senders, 1);
    assert_slice(v.senders[0], "Alice@a.test");
    assert_int_equal(v.n_keep, 0);

    v = submit("Date: x\r\nFrom: alice@a.test\r\nMessage-ID: <1@b>\r\n\r\n");
    assert_int_equal(v.prefix.n, 0);
    assert_slice(v.message_id, "1@b");

    v = submit("no header at all\r\n");
    assert_int_equal(v.action, VERDICT_ACCEPT);
    assert_true(slice_ends_nocase(v.prefix, SLICE("\r\nFrom: alice@a.test\r\n")));
    assert_int_equal(v.n_senders, 1);
    assert_slice(v.senders[0], "alice@a.test");
}

static void every_sender_is_listed(void **state)
{
    static const struct {
        const char *message;
        const char *senders; /* one a line; NULL: refused */
    } rows[] = {
        {"From: a@x, \"B C\" <b@y>\r\nSender: c@z\r\n\r\n", "a@x\nb@y\nc@z\n"},
        {"From: g: a@x, b@y;\r\n\r\n", "a@x\nb@y\n"},
        {"From: \"ceo@bank.test\" <a@x>\r\n\r\n", "a@x\n"},
        {"From: \"a b\"@x\r\n\r\n", "\"a b\"@x\n"},
        {"From: a@b\xC3\xBC"
         "cher.test\r\n\r\n",
         "a@xn--bcher-kva.test\n"},
        {"From: a@x\r\nFrom: b@y\r\n\r\n", NULL}, /* THREATS 38 */
        {"From: a@x\r\nSender: b@y\r\nSender: c@z\r\n\r\n", NULL},
        {"From: a@x b@y\r\n\r\n", NULL},
        {"From: alice\r\n\r\n", NULL},
        {"From: <>\r\n\r\n", NULL},
        {"From: \r\n\r\n", NULL},
        {"From: g:;\r\n\r\n", NULL},
        {"From: a@x@y\r\n\r\n", NULL},
        {"From: =?utf-8?q?a=40x?=\r\n\r\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct verdict v = submit(rows[i].message);
        struct buf b;
        if ((v.action == VERDICT_ACCEPT) != (rows[i].senders != NULL))
            fail_msg("%s: %u", rows[i].message, v.code);
        if (v.action == VERDICT_REJECT) {
            assert_int_equal(v.code, 550);
            continue;
        }
        buf_init(&b, 1000);
        for (size_t k = 0; k < v.n_senders; k++) {
            assert_int_equal(buf_append(&b, v.senders[k]), OK);
            assert_int_equal(buf_byte(&b, '\n'), OK);
        }
        assert_slice(buf_view(&b), rows[i].senders);
        buf_done(&b);
    }
}

static void bcc_is_cut_out(void **state)
{
    static const struct {
        const char *message, *left;
    } rows[] = {
        {"Bcc: v@x\r\nFrom: a@x\r\n\r\nBcc: body\r\n", "From: a@x\r\n\r\nBcc: body\r\n"},
        {"From: a@x\r\nBCC : v@x,\r\n w@x\r\nTo: b@y\r\nbcc:\r\n\r\nbody",
         "From: a@x\r\nTo: b@y\r\n\r\nbody"},
        {"From: a@x\r\nResent-Bcc: v@x\r\n", "From: a@x\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct verdict v = submit(rows[i].message);
        struct buf b;
        buf_init(&b, 1000);
        assert_int_equal(v.action, VERDICT_ACCEPT);
        for (size_t k = 0; k < v.n_keep; k++)
            assert_int_equal(buf_append(&b, v.keep[k]), OK);
        assert_slice(buf_view(&b), rows[i].left);
        assert_int_equal(header_count(buf_view(&b), SLICE("bcc")), 0);
        buf_done(&b);
    }
}

static void tells_when_memory_is_out(void **state)
{
    static const char text[] = "From: a@x, b@y\r\nBcc: c@d\r\n\r\n";
    bool enough = false;
    (void)state;
    for (size_t cap = 0; cap < 20000; cap += 64) {
        struct submission s = {.message = slice_str(text), .hostname = SLICE("h"), .mail_id = 1};
        struct verdict v;
        struct arena a;
        bool ok;
        arena_init(&a, "small", cap);
        ok = submission_decide(&s, &mail_limits_default, &a, &v);
        assert_true(ok || !enough);
        if (ok)
            assert_true(v.action == VERDICT_ACCEPT && v.n_senders == 2 && v.n_keep == 2);
        enough |= ok;
        arena_done(&a);
    }
    assert_true(enough);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mail_from_outside, setup, teardown),
        cmocka_unit_test_setup_teardown(loops_end_after_30_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_of_headers_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_missing_is_added, setup, teardown),
        cmocka_unit_test_setup_teardown(every_sender_is_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(bcc_is_cut_out, setup, teardown),
        cmocka_unit_test(tells_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
