/* The SMTP server core: the body scanner, envelope arguments, trace fields, questions asked ahead, limits,
 * and the smuggling matrix of THREATS 12. Whole dialogues are in test/wire/smtp. */
#include "core/smtp/body_scan.h"
#include "core/smtp/received.h"
#include "lib/test.h"
#include "unit/smtp/driver.h"

static struct smtp_server_limits limits;
static struct smtp_server_config config;

static int fresh(void **state)
{
    (void)state;
    limits = smtp_server_limits_default;
    limits.slow_ms = 0;
    config = (struct smtp_server_config){
        .hostname = SLICE("mx.test"), .auth_mechanisms = SLICE("PLAIN"), .limits = &limits};
    return 0;
}

static void begin(struct driver *d, enum driver_answers answers)
{
    driver_init(d, &config, answers);
    smtp_server_greet(d->s, NULL);
    driver_feed(d, SLICE("HELO c\r\n"));
    buf_clear(&d->out);
    buf_clear(&d->log);
}

static unsigned count(const struct buf *b, const char *what)
{
    slice rest = buf_view(b), w = slice_str(what);
    unsigned n = 0;
    for (size_t i; (i = slice_find(rest, w)) < rest.n; n++)
        rest = slice_from(rest, i + w.n);
    return n;
}

/* Scans text cut at one place; the message octets go to out. */
static enum smtp_scan scan_cut(slice text, size_t cut, bool chunk, struct buf *out, size_t *out_used)
{
    struct smtp_body_scan s = {0};
    slice parts[2] = {slice_sub(text, 0, cut), slice_from(text, cut)};
    buf_clear(out);
    *out_used = 0;
    for (int i = 0; i < 2; i++) {
        slice guarded = guard_copy(parts[i]), in = guarded;
        enum smtp_scan r = SMTP_SCAN_MORE;
        while (in.n && r != SMTP_SCAN_END && r != SMTP_SCAN_BARE) {
            size_t used;
            slice bytes;
            r = chunk ? smtp_scan_chunk(&s, in, &used, &bytes) : smtp_scan_data(&s, in, &used, &bytes);
            assert_int_equal(buf_append(out, bytes), OK);
            in = slice_from(in, used);
            *out_used += used;
            assert_true(used > 0 || r == SMTP_SCAN_BARE);
        }
        guard_free(guarded);
        if (r == SMTP_SCAN_END || r == SMTP_SCAN_BARE)
            return r;
    }
    return SMTP_SCAN_MORE;
}

static void test_scan(void **state)
{
    static const struct {
        const char *in, *out;
        enum smtp_scan result;
    } rows[] = {
        {".\r\n", "", SMTP_SCAN_END},
        {"a\r\n.\r\n", "a\r\n", SMTP_SCAN_END},
        {"a\r\n..\r\n.b\r\n...c\r\n.\r\nMAIL", "a\r\n.\r\nb\r\n..c\r\n", SMTP_SCAN_END},
        {"a.b\r\n.\r\n", "a.b\r\n", SMTP_SCAN_END},
        {"\r\n\r\n.\r\n", "\r\n\r\n", SMTP_SCAN_END},
        {"a\r\n.", "a\r\n", SMTP_SCAN_MORE},
        {"a\r\n.\r", "a\r\n", SMTP_SCAN_MORE},
        {"abc", "abc", SMTP_SCAN_MORE},
        {"\n", "", SMTP_SCAN_BARE},
        {"a\n.\n", "", SMTP_SCAN_BARE},
        {"a\r.\r", "", SMTP_SCAN_BARE},
        {".\n", "", SMTP_SCAN_BARE},
        {".\r\r\n", "", SMTP_SCAN_BARE},
        {"..\n", "", SMTP_SCAN_BARE},
        {"a\r\r\n", "", SMTP_SCAN_BARE},
        {"a\rb\r\n", "", SMTP_SCAN_BARE},
        {"a\r\nb\nc\r\n", "", SMTP_SCAN_BARE},
        {"a\r\n\n", "", SMTP_SCAN_BARE},
    };
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = slice_str(rows[i].in);
        for (size_t cut = 0; cut <= in.n; cut++) {
            size_t used;
            assert_int_equal(scan_cut(in, cut, false, &out, &used), rows[i].result);
            if (rows[i].result == SMTP_SCAN_BARE)
                continue;
            assert_slice(buf_view(&out), rows[i].out);
            if (rows[i].result == SMTP_SCAN_END) /* nothing behind the end is touched */
                assert_int_equal(used, slice_find(in, SLICE("MAIL")));
        }
    }
    for (size_t cut = 0; cut <= 12; cut++) { /* in chunks a dot is a dot */
        size_t used;
        assert_int_equal(scan_cut(SLICE("a\r\n.\r\n..b\r\n"), cut, true, &out, &used), SMTP_SCAN_MORE);
        assert_slice(buf_view(&out), "a\r\n.\r\n..b\r\n");
    }
    buf_done(&out);
}

/* THREATS 12: every fake end of data, followed by a smuggled transaction, cut at every byte. One message or
 * none, never two; DATA and BDAT alike. */
static void test_smuggling(void **state)
{
    static const char *const ends[] = {"\n", "\r", "\r\n", "\r\0\n", "\n\r", "\r\r\n"};
    static const size_t ends_n[] = {1, 1, 2, 3, 2, 3};
    struct buf text;
    (void)state;
    buf_init(&text, 10000);
    for (size_t a = 0; a < ARRAY_LEN(ends); a++) {
        for (size_t b = 0; b < ARRAY_LEN(ends) * 2; b++) {
            bool real = a == 2 && b % 6 == 2, chunked = b >= ARRAY_LEN(ends);
            if (real)
                continue; /* CRLF.CRLF is no fake */
            buf_clear(&text);
            (void)buf_str(&text, "MAIL FROM:<a@b.test>\r\nRCPT TO:<x@home.test>\r\n");
            if (chunked) {
                (void)buf_print(&text, "BDAT %zu LAST\r\n", (size_t)20 + ends_n[a] + 1 + ends_n[b % 6] + 62);
            } else {
                (void)buf_str(&text, "DATA\r\n");
            }
            (void)buf_str(&text, "Subject: one\r\n\r\ntext");
            (void)buf_append(&text, slice_of(ends[a], ends_n[a]));
            (void)buf_str(&text, ".");
            (void)buf_append(&text, slice_of(ends[b % 6], ends_n[b % 6]));
            (void)buf_str(
                &text,
                "MAIL FROM:<evil@bank.test>\r\nRCPT TO:<x@home.test>\r\nDATA\r\nevil\r\n.\r\nQUIT\r\n");
            for (size_t cut = 0; cut <= text.n; cut++) {
                struct driver d;
                begin(&d, DRIVER_AT_ONCE);
                driver_feed(&d, slice_sub(buf_view(&text), 0, cut));
                driver_feed(&d, slice_from(buf_view(&text), cut));
                assert_true(d.accepted <= 1);
                assert_int_equal(count(&d.log, "evil@bank"),
                                 count(&d.log, "MESSAGE") ? count(&d.log, "MAIL FROM:<evil@bank") : 0);
                driver_done(&d);
            }
        }
    }
    buf_done(&text);
}

/* With a pipeline of recipients many are asked before one is answered, and no more than the bound. */
static void test_asked_ahead(void **state)
{
    struct driver d;
    struct buf text;
    (void)state;
    for (int answers = DRIVER_LATER; answers <= DRIVER_BACKWARDS; answers++) {
        buf_init(&text, 100000);
        (void)buf_str(&text, "MAIL FROM:<a@b.test>\r\n");
        for (int i = 0; i < 90; i++)
            (void)buf_print(&text, "RCPT TO:<%s%d@home.test>\r\n", i % 7 == 3 ? "unknown" : "u", i);
        (void)buf_str(&text, "RCPT TO:<unknown@home.test>\r\nDATA\r\nhello\r\n.\r\n");
        begin(&d, (enum driver_answers)answers);
        driver_feed(&d, buf_view(&text));
        assert_int_equal(d.most_asked, SMTP_SERVER_AHEAD);
        assert_int_equal(count(&d.out, "250 2.1.5 Recipient fine\r\n"), 90);
        assert_int_equal(slice_find(buf_view(&d.out), SLICE("550 5.1.1 No such mailbox\r\n354 ")),
                         23 + 90 * 26); /* "unknown" alone is refused, last in line */
        assert_int_equal(d.accepted, 1);
        driver_done(&d);
        buf_done(&text);
    }
}

/* THREATS 32: who guesses names waits. */
static void test_guessing_is_slow(void **state)
{
    struct driver d;
    (void)state;
    limits.slow_ms = 1000;
    limits.slow_after = 2;
    begin(&d, DRIVER_AT_ONCE);
    driver_feed(&d, SLICE("MAIL FROM:<a@b.test>\r\n"));
    for (int i = 0; i < 4; i++)
        driver_feed(&d, SLICE("RCPT TO:<unknown@home.test>\r\n"));
    driver_feed(&d, SLICE("NOOP\r\n"));
    assert_int_equal(count(&d.out, "550 "), 2);
    assert_int_equal(smtp_server_deadline(d.s), 2000);
    driver_tick(&d, 1999);
    assert_int_equal(count(&d.out, "550 "), 2);
    driver_tick(&d, 2000);
    assert_int_equal(count(&d.out, "550 "), 3);
    assert_int_equal(count(&d.out, "Still here"), 0);
    driver_tick(&d, 3000);
    assert_int_equal(count(&d.out, "550 "), 4);
    assert_int_equal(count(&d.out, "Still here"), 1);
    driver_done(&d);
}

/* A client that sends commands and reads nothing does not make us keep its replies without bound. */
static void test_back_pressure(void **state)
{
    struct driver d;
    (void)state;
    limits.idle_commands = 1000000;
    begin(&d, DRIVER_AT_ONCE);
    d.drained = true;
    for (int i = 0; i < 2000; i++)
        driver_feed(&d, SLICE("NOOP\r\n"));
    assert_in_range(smtp_server_pending(d.s).n, limits.reply_bytes, limits.reply_bytes + 100);
    d.drained = false;
    driver_feed(&d, (slice){0});
    for (int i = 0; i < 100; i++)
        driver_feed(&d, (slice){0});
    assert_int_equal(count(&d.out, "Still here"), 2000);
    assert_int_equal(d.in.n, 0);
    driver_done(&d);
}

static void test_early_talker(void **state)
{
    struct driver d;
    (void)state;
    driver_init(&d, &config, DRIVER_AT_ONCE);
    driver_feed(&d, SLICE("EHLO spam\r\n"));
    assert_int_equal(d.out.n, 0);
    smtp_server_greet(d.s, NULL);
    driver_feed(&d, (slice){0});
    assert_slice(buf_view(&d.log), "HELO spam esmtp early\n");
    driver_done(&d);
}

static void test_refused_greeting(void **state)
{
    struct driver d;
    (void)state;
    driver_init(&d, &config, DRIVER_AT_ONCE);
    smtp_server_greet(
        d.s, &(struct smtp_answer){421, "4.7.0", SLICE("Too many connections\nfrom your network \x01\xff")});
    driver_feed(&d, SLICE("EHLO spam\r\n"));
    assert_slice(buf_view(&d.out), "421-4.7.0 Too many connections\r\n421 4.7.0 from your network ??\r\n");
    assert_slice(buf_view(&d.log), "CLOSE\n");
    driver_done(&d);
}

/* A long answer is wrapped, and a 421 from the shell ends the session. */
static void test_shell_says_421(void **state)
{
    struct smtp_event e;
    struct driver d;
    char text[900];
    (void)state;
    memset(text, 'x', sizeof text);
    begin(&d, DRIVER_AT_ONCE);
    smtp_server_feed(d.s, SLICE("MAIL FROM:<a@b.test>\r\n"));
    assert_true(smtp_server_next(d.s, &e));
    assert_int_equal(e.type, SMTP_EV_MAIL);
    assert_false(smtp_server_next(d.s, &e));
    assert_int_equal(smtp_server_deadline(d.s), INT64_MAX); /* the shell's time runs now */
    smtp_server_answer(d.s, e.token + 1, &(struct smtp_answer){250, NULL, SLICE("nobody asked")});
    assert_int_equal(smtp_server_pending(d.s).n, 0);
    smtp_server_answer(d.s, e.token, &(struct smtp_answer){421, "4.3.2", slice_of(text, sizeof text)});
    assert_true(slice_starts(smtp_server_pending(d.s), SLICE("421-4.3.2 xxx")));
    assert_true(slice_find(smtp_server_pending(d.s), SLICE("\r\n421 4.3.2 xxx")) <= 512);
    assert_true(smtp_server_next(d.s, &e));
    assert_int_equal(e.type, SMTP_EV_CLOSE);
    assert_false(e.quit);
    assert_false(smtp_server_next(d.s, &e));
    assert_true(smtp_server_is_closed(d.s));
    driver_done(&d);
}

static void test_envelope_keeps_values_on_failure(void **state)
{
    struct smtp_mail m = {.declared_bytes = 7};
    struct smtp_rcpt r = {.notify = 3};
    (void)state;
    assert_int_equal(smtp_mail_parse(SLICE("FROM:<a@b.test> SIZE=1 SIZE=2"), false, &m), SMTP_ENVELOPE_PARAM);
    assert_int_equal(m.declared_bytes, 7);
    assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b.test> X=1"), false, &r), SMTP_ENVELOPE_UNKNOWN);
    assert_int_equal(r.notify, 3);
    assert_int_equal(smtp_mail_parse(SLICE("FROM:<\"a>b\\\"\"@b.test> size=5"), false, &m), SMTP_ENVELOPE_OK);
    assert_slice(mailbox_local(&m.sender), "a>b\"");
    assert_int_equal(m.declared_bytes, 5);
    assert_int_equal(smtp_mail_parse(SLICE("FROM:<a@b.test> AUTH=e+3Dmc2@example.com"), true, &m),
                     SMTP_ENVELOPE_OK);
    assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b.test> ORCPT=utf-8;\xc3\xa4@b.test"), true, &r),
                     SMTP_ENVELOPE_OK);
    assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b.test> ORCPT=utf-8;\xc3\xa4@b.test"), false, &r),
                     SMTP_ENVELOPE_PARAM);
    assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b.test> ORCPT=utf-8;\xff@b.test"), true, &r),
                     SMTP_ENVELOPE_PARAM);
}

static void test_received(void **state)
{
    struct mailbox to, odd;
    struct smtp_received r = {.helo = SLICE("client.example"),
                              .ptr = SLICE("host.example.net"),
                              .hostname = SLICE("mx.test"),
                              .esmtp = true,
                              .tls = true,
                              .tls_cipher = SLICE("TLS_AES_256_GCM_SHA384"),
                              .mail_id = 0x1234567890abcdef,
                              .at = 1795307700000};
    struct buf out;
    (void)state;
    buf_init(&out, 2000);
    assert_int_equal(mailbox_parse(SLICE("bob@home.test"), 0, &to), OK);
    assert_int_equal(mailbox_parse(SLICE("\"B x\"@home.test"), 0, &odd), OK);
    assert_int_equal(ip_parse(SLICE("192.0.2.7"), &r.ip), OK);
    r.recipient = &to;
    assert_int_equal(smtp_received_write(&r, &out), OK);
    assert_slice(buf_view(&out), "Received: from client.example (host.example.net [192.0.2.7])\r\n"
                                 "\tby mx.test with ESMTPS id 14D2PF28AQKFF\r\n"
                                 "\tfor <bob@home.test>\r\n\ttls TLS_AES_256_GCM_SHA384;\r\n"
                                 "\tSun, 22 Nov 2026 00:35:00 +0000\r\n");
    buf_clear(&out);
    assert_int_equal(ip_parse(SLICE("2001:db8::1"), &r.ip), OK);
    r.helo = SLICE(
        "evil\r\nX-Injected: 1"); /* THREATS 16: cannot come from the core; is stopped here all the same */
    r.ptr = SLICE("a b");
    r.recipient = NULL;
    r.authed = r.utf8 = true;
    r.tls = false;
    assert_int_equal(smtp_received_write(&r, &out), OK);
    assert_slice(buf_view(&out), "Received: from unknown ([IPv6:2001:db8::1])\r\n"
                                 "\tby mx.test with UTF8SMTPA id 14D2PF28AQKFF;\r\n"
                                 "\tSun, 22 Nov 2026 00:35:00 +0000\r\n");
    buf_clear(&out);
    assert_int_equal(smtp_return_path_write(&(struct mailbox){0}, &out), OK);
    assert_int_equal(smtp_return_path_write(&odd, &out), OK);
    assert_int_equal(smtp_delivered_to_write(&odd, &out), OK);
    assert_slice(buf_view(&out), "Return-Path: <>\r\nReturn-Path: <\"B x\"@home.test>\r\n"
                                 "Delivered-To: \"b x\"@home.test\r\n");
    out.max = out.n;
    assert_int_equal(smtp_return_path_write(&odd, &out), ERR_LIMIT);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),
        cmocka_unit_test_setup(test_smuggling, fresh),
        cmocka_unit_test_setup(test_asked_ahead, fresh),
        cmocka_unit_test_setup(test_guessing_is_slow, fresh),
        cmocka_unit_test_setup(test_back_pressure, fresh),
        cmocka_unit_test_setup(test_early_talker, fresh),
        cmocka_unit_test_setup(test_refused_greeting, fresh),
        cmocka_unit_test_setup(test_shell_says_421, fresh),
        cmocka_unit_test(test_envelope_keeps_values_on_failure),
        cmocka_unit_test(test_received),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
