/* dsn: a report reads well to people and to programs, and nothing from outside gets out of its place (THREATS
 * 16). */
#include "lib/test.h"

#include "core/mail/dsn.h"
#include "core/mail/header.h"
#include "core/mail/mail_text.h"
#include "core/mail/message.h"

static struct mailbox mailbox(const char *text)
{
    struct mailbox m;
    assert_int_equal(mailbox_parse(slice_str(text), MAILBOX_UTF8, &m), OK);
    return m;
}

/* The parts of a built report. */
struct report {
    struct arena arena;
    struct buf text;
    struct mail_summary s;
    slice words, status, original;
};

static slice part_text(struct report *r, uint32_t number)
{
    struct part_range range;
    struct buf b;
    slice out;
    buf_init(&b, 1 << 20);
    assert_int_equal(part_table_find(&r->s.parts, &number, 1, PART_BODY, &range), OK);
    assert_int_equal(
        part_decode(range.part->cte,
                    slice_sub(buf_view(&r->text), (size_t)range.at, (size_t)(range.at + range.bytes)), &b),
        OK);
    assert_true(arena_dup(&r->arena, buf_view(&b), &out));
    buf_done(&b);
    return out;
}

static void build(const struct dsn *d, struct report *r)
{
    slice whole;
    struct cursor c;
    slice line;
    arena_init(&r->arena, "test", 8u << 20);
    buf_init(&r->text, 1 << 20);
    assert_int_equal(dsn_build(d, &r->text), OK);
    whole = buf_view(&r->text);
    assert_int_equal(mail_summarise(&whole, 1, &mail_limits_default, &r->arena, &r->s), OK);
    assert_int_equal(r->s.defects, 0);
    assert_int_equal(r->s.parts.n, 4); /* the report and its three parts: nothing broke out */
    r->words = part_text(r, 1);
    r->status = part_text(r, 2);
    r->original = part_text(r, 3);
    for (c = cursor_of(whole); cursor_line(&c, &line);)
        assert_true(line.n < 998);
    for (size_t i = 0; i < whole.n; i++) {
        assert_true(whole.p[i] != '\n' || whole.p[i - 1] == '\r');
        assert_true(whole.p[i] != '\r' || whole.p[i + 1] == '\n');
    }
}

static void done(struct report *r)
{
    arena_done(&r->arena);
    buf_done(&r->text);
}

static bool has(slice s, const char *what)
{
    if (slice_find(s, slice_str(what)) < s.n)
        return true;
    print_error("%s is not in\n%.*s\n", what, SLICE_FMT(s));
    return false;
}

static void reports_a_failure(void **state)
{
    struct mailbox to = mailbox("alice@a.test"), rcpt = mailbox("nobody@b.test");
    struct dsn_recipient r = {.recipient = &rcpt,
                              .original = SLICE("rfc822;nobody+2Bx@b.test"),
                              .action = DSN_FAILED,
                              .status = SLICE("5.1.1"),
                              .remote_host = SLICE("mx.b.test"),
                              .reply = SLICE("550-5.1.1 no such\r\n550 5.1.1 user"),
                              .reason = SLICE("There is no mailbox of that name; check the address."),
                              .last_attempt = 1795307700000};
    struct dsn d = {.hostname = SLICE("mx.a.test"),
                    .to = &to,
                    .envelope_id = SLICE("QQ+2B1"),
                    .message_id = SLICE("r1@mx.a.test"),
                    .boundary = SLICE("XyZ42"),
                    .now = 1795307700000,
                    .arrived = 1795304100000,
                    .original_header = SLICE("From: alice@a.test\r\nSubject: hello\r\n\r\nnot the body\r\n"),
                    .original_subject = SLICE("hello"),
                    .original_message_id = SLICE("m1@a.test"),
                    .recipients = &r,
                    .recipients_n = 1};
    struct report got;
    struct header_field f;
    (void)state;
    build(&d, &got);
    assert_slice(got.s.subject, "Not delivered: hello");
    assert_slice(got.s.message_id, "r1@mx.a.test");
    assert_slice(got.s.references[0], "m1@a.test");
    assert_slice(got.s.to.at[0].local, "alice");
    assert_true(header_find(buf_view(&got.text), SLICE("Auto-Submitted"), &f));
    assert_slice(slice_trim(f.value), "auto-replied");
    assert_slice(got.s.parts.at[0].subtype, "report");
    assert_slice(got.s.parts.at[2].subtype, "delivery-status");
    assert_true(has(got.words, "could not be delivered"));
    assert_true(has(got.words, "nobody@b.test"));
    assert_true(has(got.words, "There is no mailbox of that name"));
    assert_true(has(got.words, "The server mx.b.test said: 550-5.1.1 no such 550 5.1.1 user"));
    assert_slice(
        got.status,
        "Original-Envelope-Id: QQ+1\r\nReporting-MTA: dns; mx.a.test\r\nArrival-Date: Sat, 21 Nov 2026 "
        "23:35:00 +0000\r\n\r\nOriginal-Recipient: rfc822;nobody+x@b.test\r\nFinal-Recipient: rfc822; "
        "nobody@b.test\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; "
        "mx.b.test\r\nDiagnostic-Code: smtp; 550-5.1.1 no such 550 5.1.1 user\r\nLast-Attempt-Date: "
        "Sun, 22 Nov 2026 00:35:00 +0000\r\n");
    assert_slice(got.original, "From: alice@a.test\r\nSubject: hello\r\n\r\n");
    done(&got);
}

static void the_worst_gives_the_subject(void **state)
{
    struct mailbox to = mailbox("alice@a.test"), one = mailbox("x@b.test"), two = mailbox("y@b.test");
    struct dsn_recipient r[2] = {{.recipient = &one, .action = DSN_DELIVERED, .status = SLICE("2.0.0")},
                                 {.recipient = &two,
                                  .action = DSN_DELAYED,
                                  .status = SLICE("4.4.1"),
                                  .will_retry_until = 1795307700000}};
    struct dsn d = {.hostname = SLICE("h"),
                    .to = &to,
                    .message_id = SLICE("1@h"),
                    .boundary = SLICE("b"),
                    .now = 1,
                    .recipients = r,
                    .recipients_n = 2};
    struct report got;
    (void)state;
    build(&d, &got);
    assert_slice(got.s.subject, "Delayed");
    assert_true(has(got.words, "You need not do anything"));
    assert_true(has(got.words, "It will be tried until Sun, 22 Nov 2026"));
    assert_true(has(got.status, "Action: delivered\r\n"));
    assert_true(has(got.status, "Action: delayed\r\n"));
    assert_true(has(got.status, "Will-Retry-Until: Sun, 22 Nov 2026"));
    done(&got);
}

/* A hostile peer and a hostile original. */
static void nothing_breaks_out(void **state)
{
    static const char evil[] =
        "550 x\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<script>\x1B[2J\x07\xFF\xC2\x9B";
    struct mailbox to = mailbox("alice@a.test"), rcpt = mailbox("\"--b\"@b.test");
    struct dsn_recipient r = {.recipient = &rcpt,
                              .original = SLICE("rfc822;x+0D+0AInjected: yes"),
                              .action = DSN_FAILED,
                              .status = SLICE("5.0.0\r\nInjected: yes"),
                              .remote_host = slice_str(evil),
                              .reply = slice_str(evil),
                              .reason = slice_str(evil)};
    struct dsn d = {.hostname = SLICE("h"),
                    .to = &to,
                    .envelope_id = SLICE("a+0D+0AInjected: yes"),
                    .message_id = SLICE("1@h"),
                    .boundary = SLICE("b"),
                    .now = 1,
                    .original_header = slice_str(evil),
                    .original_subject = SLICE("x\r\nBcc: v@x"),
                    .original_message_id = SLICE("x>\r\nBcc: v@x"),
                    .recipients = &r,
                    .recipients_n = 1};
    struct report got;
    (void)state;
    build(&d, &got);
    assert_int_equal(header_count(buf_view(&got.text), SLICE("bcc")), 0);
    assert_int_equal(header_count(got.status, SLICE("injected")), 0);
    assert_int_equal(slice_find(buf_view(&got.text), SLICE("\nInjected")), got.text.n);
    for (size_t i = 0; i < got.text.n; i++)
        assert_true(got.text.p[i] < 127 &&
                    (got.text.p[i] >= 32 || got.text.p[i] == '\r' || got.text.p[i] == '\n'));
    done(&got);
}

static void utf8_addresses_make_a_global_report(void **state)
{
    struct mailbox to = mailbox("alice@a.test"), rcpt = mailbox("p\xC3\xA9@b.test");
    struct dsn_recipient r = {.recipient = &rcpt, .action = DSN_FAILED, .status = SLICE("5.6.7")};
    struct dsn d = {.hostname = SLICE("h"),
                    .to = &to,
                    .message_id = SLICE("1@h"),
                    .boundary = SLICE("b"),
                    .now = 1,
                    .recipients = &r,
                    .recipients_n = 1};
    struct report got;
    (void)state;
    build(&d, &got);
    assert_slice(got.s.parts.at[2].subtype, "global-delivery-status");
    assert_true(has(got.status, "Final-Recipient: utf-8; p\xC3\xA9@b.test\r\n"));
    assert_true(has(got.words, "p\xC3\xA9@b.test"));
    done(&got);
}

static void large_originals_are_cut(void **state)
{
    struct mailbox to = mailbox("alice@a.test"), rcpt = mailbox("x@b.test");
    struct dsn_recipient r[200];
    struct buf header;
    struct report got;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(r); i++)
        r[i] = (struct dsn_recipient){.recipient = &rcpt,
                                      .action = DSN_FAILED,
                                      .status = SLICE("5.1.1"),
                                      .reply = SLICE("550 no"),
                                      .reason = SLICE("No.")};
    buf_init(&header, 1 << 20);
    while (header.n < 300000)
        assert_int_equal(buf_str(&header, "X-Long: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"), OK);
    {
        struct dsn d = {.hostname = SLICE("h"),
                        .to = &to,
                        .message_id = SLICE("1@h"),
                        .boundary = SLICE("b"),
                        .now = 1,
                        .original_header = buf_view(&header),
                        .recipients = r,
                        .recipients_n = ARRAY_LEN(r)};
        build(&d, &got);
    }
    assert_true(got.original.n <= DSN_ORIGINAL_HEADER_MAX + 2);
    done(&got);
    buf_done(&header);
}

static void refuses_what_it_must_not_build(void **state)
{
    struct mailbox to = mailbox("alice@a.test"), null = {0};
    struct dsn_recipient r = {.recipient = &to, .action = DSN_FAILED, .status = SLICE("5.0.0")};
    const struct dsn good = {.hostname = SLICE("h"),
                             .to = &to,
                             .message_id = SLICE("1@h"),
                             .boundary = SLICE("b"),
                             .now = 1,
                             .recipients = &r,
                             .recipients_n = 1};
    struct dsn d;
    struct buf b;
    (void)state;
    buf_init(&b, 100000);
    d = good, d.to = &null; /* never to the null sender: RFC 5321 §6.1 */
    assert_int_equal(dsn_build(&d, &b), ERR_SYNTAX);
    d = good, d.recipients_n = 0;
    assert_int_equal(dsn_build(&d, &b), ERR_SYNTAX);
    d = good, d.boundary = SLICE("a\"b");
    assert_int_equal(dsn_build(&d, &b), ERR_SYNTAX);
    d = good, d.hostname = SLICE("h\r\nX: y");
    assert_int_equal(dsn_build(&d, &b), ERR_SYNTAX);
    d = good, d.message_id = SLICE("1@h> <2");
    assert_int_equal(dsn_build(&d, &b), ERR_SYNTAX);
    assert_int_equal(b.n, 0);
    assert_int_equal(dsn_build(&good, &b), OK);
    for (size_t max = 0; max < b.n; max += 13) {
        struct buf small;
        buf_init(&small, max);
        assert_int_equal(dsn_build(&good, &small), ERR_LIMIT);
        assert_int_equal(small.n, 0);
        buf_done(&small);
    }
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_a_failure),       cmocka_unit_test(the_worst_gives_the_subject),
        cmocka_unit_test(nothing_breaks_out),      cmocka_unit_test(utf8_addresses_make_a_global_report),
        cmocka_unit_test(large_originals_are_cut), cmocka_unit_test(refuses_what_it_must_not_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
