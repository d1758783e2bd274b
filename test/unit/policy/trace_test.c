/* Shows what a person reads: events of one mail (or of the house) in, the told story out, compared as a
 * whole. Also: hostile texts come out escaped, one line an event, and the encoded form of events goes there
 * and back. */
#include "base/mail_id.h"
#include "lib/test.h"
#include "policy/trace.h"

#include <stdio.h>
#include <string.h>

#define T0 1795341731000 /* 2026-11-22 10:02:11 UTC */

static char id_text[MAIL_ID_TEXT + 1];

static uint64_t test_id(void)
{
    struct mail_id_maker m = {0};
    uint64_t id = mail_id_next(&m, T0);
    mail_id_print(id, id_text);
    return id;
}

#define EVENT(k, ms, ...)                                                                                    \
    (struct journal_event)                                                                                   \
    {                                                                                                        \
        .mail = test_id(), .at = T0 + (ms), .role = JOURNAL_ROLE_EDGE, .kind = JOURNAL_##k, __VA_ARGS__      \
    }

/* The story without its heading when body_only. */
static void assert_story(struct journal_event *e, size_t n, const char *want)
{
    CLEANUP(buf_done) struct buf b = {.max = 100000};
    slice got;
    trace_sort(e, n);
    assert_int_equal(trace_text(&b, e, n), OK);
    got = buf_view(&b);
    if (e[0].mail)
        got = slice_from(got, slice_index(got, '\n') + 1);
    assert_slice(got, want);
}

static void test_plain_delivery(void **state)
{
    struct journal_event e[] = {
        EVENT(ACCEPTED, 40, .text = SLICE("2.0.0 Kept"), .code = 250),
        EVENT(MAIL_FROM, 0, .address = SLICE("a@b.example"), .peer = SLICE("mail.example.org [192.0.2.7]"),
              .name = SLICE("TLS 1.3"), .text = SLICE("smtp")),
        EVENT(RCPT_OK, 1, .address = SLICE("bob@demo.test")),
        EVENT(MESSAGE_ID, 5, .name = SLICE("<m1@b.example>")),
        EVENT(MESSAGE_RECEIVED, 4, .number = 12288),
        EVENT(DELIVERED, 39, .address = SLICE("bob@demo.test"), .name = SLICE("INBOX"), .number = 12),
        EVENT(FLAGS_CHANGED, 60000, .address = SLICE("bob@demo.test"), .name = SLICE("INBOX"), .number = 12,
              .text = SLICE("+\\Seen"), .peer = SLICE("[127.0.0.1]")),
        EVENT(EXPUNGED, 136400000, .address = SLICE("bob@demo.test"), .name = SLICE("INBOX"), .number = 12),
    };
    CLEANUP(buf_done) struct buf b = {.max = 10000};
    char want[128];
    (void)state;
    assert_story(
        e, ARRAY_LEN(e),
        "2026-11-22 10:02:11 mail.example.org [192.0.2.7] connected over TLS 1.3 and offered a message from "
        "<a@b.example> to <bob@demo.test> (12 KB). It was accepted, filed into INBOX as UID 12 and is safe "
        "on disk.\n"
        "10:03:11 bob@demo.test changed flags (+\\Seen) in INBOX (UID 12) from [127.0.0.1].\n"
        "2026-11-23 23:55:31 bob@demo.test deleted it from INBOX (UID 12).\n");
    assert_int_equal(trace_text(&b, e, ARRAY_LEN(e)), OK);
    (void)snprintf(want, sizeof want, "Mail %s, Message-ID <m1@b.example> (times in UTC)\n", id_text);
    assert_true(slice_starts(buf_view(&b), slice_str(want)));
}

static void test_refused(void **state)
{
    struct journal_event e[] = {
        EVENT(MAIL_FROM, 0, .peer = SLICE("[2001:db8::1]"), .text = SLICE("smtp"), .number = 300),
        EVENT(RCPT_REFUSED, 1, .address = SLICE("nobody@demo.test"),
              .text = SLICE("5.1.1 no such mailbox here"), .code = 550),
        EVENT(RCPT_OK, 2, .address = SLICE("info@demo.test"), .name = SLICE("bob@demo.test"),
              .text = SLICE("alias")),
        EVENT(VERDICT, 3, .name = SLICE("reject"), .text = SLICE("30 Received fields")),
        EVENT(MESSAGE_REFUSED, 4, .text = SLICE("554 5.4.6 this message goes in circles"), .code = 554),
    };
    (void)state;
    assert_story(
        e, ARRAY_LEN(e),
        "2026-11-22 10:02:11 [2001:db8::1] connected and offered a message without sender (a notice) to "
        "<nobody@demo.test> and <info@demo.test> (which is bob@demo.test) (300 bytes). It was refused for "
        "<nobody@demo.test>: 550 5.1.1 no such mailbox here. It was refused, judged reject (30 Received "
        "fields): 554 5.4.6 this message goes in circles.\n");
}

static void test_all_recipients_refused(void **state)
{
    struct journal_event e[] = {
        EVENT(MAIL_FROM, 0, .peer = SLICE("[192.0.2.1]"), .address = SLICE("x@y.example"),
              .text = SLICE("smtp")),
        EVENT(RCPT_REFUSED, 1, .address = SLICE("n@demo.test"), .text = SLICE("5.1.1 no"), .code = 550),
    };
    (void)state;
    assert_story(e, ARRAY_LEN(e),
                 "2026-11-22 10:02:11 [192.0.2.1] connected and offered a message from <x@y.example> to "
                 "<n@demo.test>. It was refused for <n@demo.test>: 550 5.1.1 no.\n");
}

static void test_many_recipients(void **state)
{
    struct journal_event e[12] = {EVENT(MAIL_FROM, 0, .peer = SLICE("[192.0.2.1]"),
                                        .address = SLICE("x@y.example"), .text = SLICE("smtp"))};
    (void)state;
    for (int i = 1; i < 11; i++)
        e[i] = EVENT(RCPT_OK, i, .address = SLICE("r@d"));
    e[11] = EVENT(ABANDONED, 20, .text = SLICE("the connection broke"));
    assert_story(
        e, 12,
        "2026-11-22 10:02:11 [192.0.2.1] connected and offered a message from <x@y.example> to <r@d>, <r@d>, "
        "<r@d>, <r@d>, <r@d>, <r@d>, <r@d>, <r@d> and 2 more. The client left before the message was "
        "complete: the connection broke. Nothing was kept.\n");
}

static void test_outgoing(void **state)
{
    struct journal_event e[] = {
        EVENT(MAIL_FROM, 0, .peer = SLICE("[127.0.0.1]"), .address = SLICE("alice@demo.test"),
              .name = SLICE("TLS 1.3"), .text = SLICE("submission")),
        EVENT(RCPT_OK, 1, .address = SLICE("carol@far.example")),
        EVENT(MESSAGE_RECEIVED, 2, .number = 3 * 1024 * 1024 + 524288),
        EVENT(VERDICT, 2, .name = SLICE("accept"), .text = SLICE("From belongs to the account")),
        EVENT(QUEUED, 3, .address = SLICE("carol@far.example")),
        EVENT(ACCEPTED, 4, .code = 250),
        EVENT(ATTEMPT_FAILED, 1000, .peer = SLICE("mx1.far.example [192.0.2.9]:25"),
              .text = SLICE("connection refused")),
        EVENT(DEFERRED, 2000, .address = SLICE("carol@far.example"),
              .peer = SLICE("mx2.far.example [192.0.2.10]:25"), .name = SLICE("TLS 1.3"),
              .text = SLICE("451 4.7.1 try later"), .code = 451, .number = T0 + 300000),
        EVENT(RELAYED, 300000, .address = SLICE("carol@far.example"),
              .peer = SLICE("mx1.far.example [192.0.2.9]:25"), .name = SLICE("TLS 1.2, verified"),
              .text = SLICE("2.0.0 Ok: queued"), .code = 250),
        EVENT(DSN_SENT, 300001, .address = SLICE("alice@demo.test"), .name = SLICE("delivered"),
              .number = 32),
    };
    (void)state;
    assert_story(
        e, ARRAY_LEN(e),
        "2026-11-22 10:02:11 [127.0.0.1] connected over TLS 1.3 and submitted a message from "
        "<alice@demo.test> "
        "to <carol@far.example> (3.5 MB). It was accepted, checked (From belongs to the account), put into "
        "the "
        "queue for <carol@far.example> and is safe on disk.\n"
        "10:02:12 mx1.far.example [192.0.2.9]:25 could not take it: connection refused.\n"
        "10:02:13 It could not be passed on to <carol@far.example> by mx2.far.example [192.0.2.10]:25 over "
        "TLS "
        "1.3: 451 4.7.1 try later. The next attempt is at 10:07:11.\n"
        "10:07:11 mx1.far.example [192.0.2.9]:25 took it for <carol@far.example> over TLS 1.2, verified and "
        "answered: 250 2.0.0 Ok: queued.\n"
        "10:07:11 A notice (delivered) about it went to <alice@demo.test> as mail 0000000000010.\n");
}

static void test_house(void **state)
{
    struct journal_event e[] = {
        {.at = T0,
         .role = JOURNAL_ROLE_EDGE,
         .kind = JOURNAL_CONN_REFUSED,
         .peer = SLICE_INIT("[192.0.2.66]"),
         .name = SLICE_INIT("smtp"),
         .text = SLICE_INIT("20 connections from there already"),
         .code = 421},
        {.at = T0 + 1000,
         .role = JOURNAL_ROLE_EDGE,
         .kind = JOURNAL_LOGIN_FAILED,
         .peer = SLICE_INIT("[192.0.2.66]"),
         .name = SLICE_INIT("imaps"),
         .text = SLICE_INIT("the password does not match")},
        {.at = T0 + 2000,
         .role = JOURNAL_ROLE_SUPERVISOR,
         .kind = JOURNAL_ROLE_DIED,
         .name = SLICE_INIT("judge"),
         .number = 77,
         .text = SLICE_INIT("signal 9")},
    };
    (void)state;
    assert_story(
        e, ARRAY_LEN(e),
        "2026-11-22 10:02:11 A connection of [192.0.2.66] to smtp was refused: 421 20 connections from there "
        "already.\n"
        "10:02:12 A login from [192.0.2.66] by imaps failed: the password does not match.\n"
        "10:02:13 The process judge (77) died: signal 9. It is started again.\n");
}

/* THREATS 9, 15, 35: no text from outside breaks its line, colours a terminal or hides behind a direction
 * mark. */
static void test_hostile_texts(void **state)
{
    slice bad = SLICE(
        "a\r\nA1 DELETE INBOX\x1b[2J%n%s%p\0x' OR 1=1--*)(uid=*\xe2\x80\xa8\xe2\x80\xae\xff<img src=x>\"\\");
    struct journal_event e =
        EVENT(MAIL_REFUSED, 0, .address = bad, .peer = bad, .name = bad, .text = bad, .code = 553);
    CLEANUP(buf_done) struct buf b = {.max = 100000};
    size_t lines = 0;
    (void)state;

    assert_int_equal(trace_text(&b, &e, 1), OK);
    for (size_t i = 0; i < b.n; i++) {
        lines += b.p[i] == '\n';
        assert_true(b.p[i] == '\n' || (b.p[i] >= 0x20 && b.p[i] < 0x7f));
    }
    assert_int_equal(lines, 2);
    assert_true(slice_find(buf_view(&b), SLICE("a\\x0d\\x0aA1 DELETE INBOX\\x1b[2J%n%s%p\\x00x' OR "
                                               "1=1--*)(uid=*\\u{2028}\\u{202e}\\xff<img src=x>\"\\")) < b.n);
    buf_clear(&b);
    assert_int_equal(trace_json(&b, &e, 1), OK);
    for (size_t i = 0; i < b.n; i++)
        assert_true(b.p[i] >= 0x20 && b.p[i] < 0x7f);
    assert_true(slice_find(buf_view(&b), SLICE("\"text\": \"a\\u000d\\u000aA1 DELETE INBOX\\u001b[2J")) <
                b.n);
    assert_true(slice_find(buf_view(&b), SLICE("\\u2028\\u202e\\ufffd<img src=x>\\\"\\\\\"")) < b.n);
}

static void test_json(void **state)
{
    struct journal_event e = {.at = T0 + 7,
                              .role = JOURNAL_ROLE_EDGE,
                              .kind = JOURNAL_CONN_REFUSED,
                              .peer = SLICE_INIT("[192.0.2.66]"),
                              .name = SLICE_INIT("smtp"),
                              .text = SLICE_INIT("too many"),
                              .code = 421,
                              .connection = 9};
    CLEANUP(buf_done) struct buf b = {.max = 10000};
    (void)state;
    assert_int_equal(trace_json(&b, &e, 1), OK);
    assert_slice(buf_view(&b),
                 "{\"mail\": null, \"story\": [\"2026-11-22 10:02:11 A connection of [192.0.2.66] to smtp "
                 "was refused: "
                 "421 too many.\"], \"events\": [{\"at\": \"2026-11-22T10:02:11.007Z\", \"kind\": "
                 "\"connection_refused\", \"role\": \"edge\", \"peer\": \"[192.0.2.66]\", \"name\": "
                 "\"smtp\", \"text\": "
                 "\"too many\", \"connection\": \"9\", \"code\": 421}]}");
}

/* THREATS 63: dates on both sides of a leap day, of 2038 and at the end of a year. */
static void test_dates(void **state)
{
    const struct {
        time_ms at;
        const char *want;
    } c[] = {{0, "1970-01-01 00:00:00 "},
             {951782399000, "2000-02-28 23:59:59 "},
             {951782400000, "2000-02-29 00:00:00 "},
             {2147483648000, "2038-01-19 03:14:08 "},
             {4107542400000, "2100-03-01 00:00:00 "},
             {1798761599999, "2026-12-31 23:59:59 "}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct journal_event e = {
            .at = c[i].at, .role = JOURNAL_ROLE_SUPERVISOR, .kind = JOURNAL_SERVER_READY};
        CLEANUP(buf_done) struct buf b = {.max = 1000};
        assert_int_equal(trace_text(&b, &e, 1), OK);
        assert_slice(slice_sub(buf_view(&b), 0, 20), c[i].want);
    }
}

/* Every kind has its sentence, with all fields and with none, and a buffer too small is said so. */
static void test_every_kind(void **state)
{
    size_t told = 0;
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        struct journal_event full = {.mail = 5,
                                     .connection = 6,
                                     .at = T0,
                                     .role = JOURNAL_ROLE_EDGE,
                                     .kind = (enum journal_kind)kind,
                                     .code = 450,
                                     .number = 17,
                                     .address = SLICE_INIT("<addr>"),
                                     .peer = SLICE_INIT("<peer>"),
                                     .name = SLICE_INIT("<name>"),
                                     .text = SLICE_INIT("<text>")};
        struct journal_event bare = {.at = T0, .role = JOURNAL_ROLE_EDGE, .kind = (enum journal_kind)kind};
        CLEANUP(buf_done) struct buf b = {.max = 10000};
        CLEANUP(buf_done) struct buf tiny = {.max = 10};
        if (!journal_kind_name(kind))
            continue;
        told++;
        assert_int_equal(trace_text(&b, &full, 1), OK);
        assert_true(slice_find(buf_view(&b), SLICE("{")) == b.n &&
                    slice_find(buf_view(&b), SLICE("%")) == b.n);
        buf_clear(&b);
        assert_int_equal(trace_text(&b, &bare, 1), OK);
        assert_true(b.n > 25 && b.p[b.n - 1] == '\n' && b.p[b.n - 2] == '.');
        assert_true(slice_find(buf_view(&b), SLICE("{")) == b.n &&
                    slice_find(buf_view(&b), SLICE("}")) == b.n);
        assert_int_equal(trace_text(&tiny, &bare, 1), ERR_LIMIT);
        assert_int_equal(tiny.n, 0);
        assert_int_equal(trace_json(&tiny, &bare, 1), ERR_LIMIT);
        assert_int_equal(tiny.n, 0);
    }
    assert_true(told == 46);
}

static void test_encoding(void **state)
{
    uint8_t long_text[JOURNAL_TEXT_MAX + 2];
    struct journal_event e =
        EVENT(RELAYED, 0, .connection = UINT64_MAX, .code = UINT32_MAX, .number = UINT64_MAX,
              .address = SLICE("a"), .peer = SLICE("p"), .name = SLICE("n"));
    struct journal_event got;
    CLEANUP(buf_done) struct buf b = {.max = 4000};
    slice copy;
    struct cursor c;
    (void)state;

    memset(long_text, 'x', sizeof long_text);
    long_text[JOURNAL_TEXT_MAX - 1] = 0xc3; /* a two-byte letter across the bound goes as a whole */
    long_text[JOURNAL_TEXT_MAX] = 0xa4;
    e.text = slice_of(long_text, sizeof long_text);
    assert_int_equal(journal_event_encode(&b, &e), OK);
    copy = guard_copy(buf_view(&b));
    c = cursor_of(copy);
    assert_int_equal(journal_event_decode(&c, &got), OK);
    assert_true(cursor_end(&c));
    assert_int_equal(got.text.n, JOURNAL_TEXT_MAX - 1);
    assert_true(got.mail == e.mail && got.connection == e.connection && got.code == e.code &&
                got.number == e.number);
    assert_true(got.at == e.at && got.kind == e.kind && got.role == e.role);
    assert_slice(got.address, "a");
    assert_slice(got.peer, "p");
    assert_slice(got.name, "n");
    /* cut anywhere, it is no event, and the cursor stays */
    for (size_t n = 0; n < copy.n; n++) {
        slice part = guard_copy(slice_sub(copy, 0, n));
        c = cursor_of(part);
        assert_int_equal(journal_event_decode(&c, &got), ERR_SYNTAX);
        assert_int_equal(c.rest.n, n);
        guard_free(part);
    }
    guard_free(copy);
}

static void test_bad_encodings(void **state)
{
    const slice bad[] = {
        SLICE("\x00\x02\x00\x05"),                                     /* no such kind */
        SLICE("\xff\x02\x00\x05"),                                     /* no such kind */
        SLICE("\x01\x00\x00\x05"),                                     /* no such role */
        SLICE("\x01\x02\x01\x05\x00"),                                 /* a field that is there but zero */
        SLICE("\x01\x02\x00\x85\x00"),                                 /* a varint with a needless byte */
        SLICE("\x01\x02\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), /* past 64 bits */
        SLICE("\x01\x02\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),     /* past the largest time */
        SLICE("\x01\x02\x04\x05\xff\xff\xff\xff\x7f"),                 /* a code past 32 bits */
        SLICE("\x01\x02\x10\x05\xc1\x02"
              "aaaa"), /* an address past its bound */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        slice s = guard_copy(bad[i]);
        struct cursor c = cursor_of(s);
        struct journal_event e;
        assert_int_equal(journal_event_decode(&c, &e), ERR_SYNTAX);
        guard_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_delivery),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_all_recipients_refused),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_outgoing),
        cmocka_unit_test(test_house),
        cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_bad_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
