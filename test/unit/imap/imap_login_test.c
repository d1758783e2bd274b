/* imap/login: what a client sees before login, and what the edge is told; each dialogue whole and byte by
 * byte. */
#include "lib/test.h"

#include "core/imap/login.h"

static const struct imap_login_config open_config = {
    .login_allowed = true, .scram = true, .hostname = "mx.test"};
static const struct imap_login_config closed_config = {.login_allowed = false, .hostname = "mx.test"};

#define CAPS_OPEN "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE AUTH=PLAIN AUTH=SCRAM-SHA-256"
#define GREETING  "* OK [CAPABILITY " CAPS_OPEN "] mx.test Posthorn ready\r\n"

/* Feeds in steps; password lookups answer by the password, SASL ones by the data; tells all that is sent and
 * asked. */
static void run(struct imap_login *l, slice in, size_t step, struct buf *log)
{
    struct imap_login_event ev;
    size_t at = 0;
    do {
        at += imap_login_feed(l, slice_sub(in, at, at + step));
        for (;;) {
            (void)buf_append(log, imap_login_pending(l));
            imap_login_sent(l, SIZE_MAX);
            imap_login_next(l, &ev);
            (void)buf_append(log, imap_login_pending(l));
            imap_login_sent(l, SIZE_MAX);
            if (ev.type == IMAP_LOGIN_MORE)
                break;
            if (ev.type == IMAP_LOGIN_CLOSE || ev.type == IMAP_LOGIN_DONE) {
                (void)buf_str(log, ev.type == IMAP_LOGIN_CLOSE ? "<close>" : "<done>");
                return;
            }
            if (ev.type == IMAP_LOGIN_PASSWORD) {
                (void)buf_print(log, "<%.*s:%.*s>", SLICE_FMT(ev.user), SLICE_FMT(ev.password));
                assert_int_equal(imap_login_answer(l,
                                                   slice_eq(ev.password, SLICE("right")) ? IMAP_LOGIN_ACCEPTED
                                                   : slice_eq(ev.password, SLICE("later"))
                                                       ? IMAP_LOGIN_UNAVAILABLE
                                                       : IMAP_LOGIN_DENIED,
                                                   (slice){0}),
                                 OK);
            } else if (ev.type == IMAP_LOGIN_CANCELLED) {
                (void)buf_str(log, "<cancelled>");
            } else {
                (void)buf_print(log, "<%.*s%s%.*s>", SLICE_FMT(ev.mechanism), ev.has_initial ? "=" : ".",
                                SLICE_FMT(ev.data));
                assert_int_equal(imap_login_answer(l,
                                                   slice_eq(ev.data, SLICE("go")) ? IMAP_LOGIN_ACCEPTED
                                                                                  : IMAP_LOGIN_CHALLENGE,
                                                   SLICE("hm")),
                                 OK);
            }
        }
    } while (at < in.n);
}

static void dialogues_come_out_as_they_should(void **state)
{
    static const struct {
        const struct imap_login_config *config;
        const char *in, *out; /* out without the greeting */
    } rows[] = {
        {&open_config, "a CAPABILITY\r\nb NOOP\r\n",
         "* CAPABILITY " CAPS_OPEN "\r\na OK CAPABILITY completed\r\nb OK NOOP completed\r\n"},
        {&open_config, "a LOGOUT\r\nb NOOP\r\n", "* BYE logging out\r\na OK LOGOUT completed\r\n<close>"},
        {&open_config, "a LOGIN joe right\r\nb SELECT INBOX\r\n", "<joe:right><done>"},
        {&open_config, "a LOGIN \"j\\\"oe\" {5}\r\nright\r\n", "+ go on\r\n<j\"oe:right><done>"},
        {&open_config, "a LOGIN joe wrong\r\nb LOGIN joe later\r\n",
         "<joe:wrong>a NO [AUTHENTICATIONFAILED] the name or the password is wrong\r\n"
         "<joe:later>b NO [UNAVAILABLE] the account cannot be opened right now: try again\r\n"},
        {&open_config, "a AUTHENTICATE PLAIN Z28=\r\n", "<PLAIN=go><done>"},
        {&open_config, "a authenticate plain\r\nZ28=\r\n", "<PLAIN.>+ aG0=\r\n<.go><done>"},
        {&open_config, "a AUTHENTICATE SCRAM-SHA-256 =\r\n*\r\nb NOOP\r\n",
         "<SCRAM-SHA-256=>+ aG0=\r\na BAD the exchange was given up\r\n<cancelled>b OK NOOP completed\r\n"},
        {&open_config, "a AUTHENTICATE PLAIN\r\n%%%\r\nb NOOP\r\n",
         "<PLAIN.>+ aG0=\r\na BAD that is no base64\r\n<cancelled>b OK NOOP completed\r\n"},
        {&open_config, "a AUTHENTICATE CRAM-MD5\r\n", "a NO that mechanism is not offered\r\n"},
        {&open_config, "a ID (\"name\" \"x\")\r\n", "* ID (\"name\" \"Posthorn\")\r\na OK ID completed\r\n"},
        {&open_config, "a STARTTLS\r\n", "a BAD STARTTLS is not offered: use port 993\r\n"},
        {&open_config, "a NOOP\r\nb SELECT INBOX\r\n", "a OK NOOP completed\r\nb BAD log in first\r\n"},
        {&open_config, "a NOOP\r\nx FOO\r\ny BAR\r\nz BAZ\r\n",
         "a OK NOOP completed\r\nx BAD there is no such command\r\ny BAD there is no such command\r\n"
         "z BAD there is no such command\r\n* BYE too many commands that make no sense\r\n<close>"},
        /* THREATS 14: nothing of it comes back */
        {&open_config, "POST / HTTP/1.1\r\nHost: x\r\n\r\n", "* BYE this is an IMAP server\r\n<close>"},
        {&open_config, "EHLO x\r\n", "* BYE this is an IMAP server\r\n<close>"},
        {&open_config, "\x16\x03\x01\x02\n", "* BYE this is an IMAP server\r\n<close>"},
        {&open_config, "a APPEND INBOX {99999}\r\n", "a BAD log in first\r\n"},
        {&closed_config, "a LOGIN joe right\r\nb AUTHENTICATE PLAIN\r\n",
         "a NO [PRIVACYREQUIRED] logging in needs TLS: use port 993\r\n"
         "b NO [PRIVACYREQUIRED] logging in needs TLS: use port 993\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = guard_copy(slice_str(rows[i].in));
        for (size_t step = 1; step <= in.n; step += step < 4 ? 1 : in.n) {
            struct imap_login l;
            struct buf log;
            slice got;
            size_t greeting;
            buf_init(&log, 20000);
            imap_login_init(&l, &imap_login_limits_default, rows[i].config);
            run(&l, in, step, &log);
            got = buf_view(&log);
            greeting = slice_find(got, SLICE("\r\n")) + 2;
            assert_slice(slice_from(got, greeting), rows[i].out);
            if (rows[i].config == &open_config)
                assert_slice(slice_sub(got, 0, greeting), GREETING);
            else
                assert_true(slice_find(got, SLICE("LOGINDISABLED")) < greeting);
            imap_login_done(&l);
            buf_done(&log);
        }
        guard_free(in);
    }
}

static void handing_over_keeps_tag_id_and_what_follows(void **state)
{
    struct imap_login l;
    struct imap_login_event ev;
    struct imap_login_handover h;
    slice in = SLICE("i ID (\"name\" \"mutt\")\r\nx7 LOGIN a b\r\ny SELECT INBOX\r\n");
    (void)state;
    imap_login_init(&l, &imap_login_limits_default, &open_config);
    assert_int_equal(imap_login_feed(&l, in), in.n);
    imap_login_next(&l, &ev);
    assert_int_equal(ev.type, IMAP_LOGIN_PASSWORD);
    imap_login_handover(&l, &h);
    assert_slice(h.tag, "x7");
    assert_slice(h.id, "(\"name\" \"mutt\")");
    assert_slice(h.leftover, "y SELECT INBOX\r\n");
    assert_false(h.authenticate);
    /* while it is looked up nothing else is executed */
    imap_login_next(&l, &ev);
    assert_int_equal(ev.type, IMAP_LOGIN_MORE);
    assert_int_equal(imap_login_answer(&l, IMAP_LOGIN_CHALLENGE, SLICE("x")), ERR_STATE);
    assert_int_equal(imap_login_answer(&l, IMAP_LOGIN_ACCEPTED, (slice){0}), OK);
    imap_login_next(&l, &ev);
    assert_int_equal(ev.type, IMAP_LOGIN_DONE);
    imap_login_handover(&l, &h);
    assert_slice(h.leftover, "y SELECT INBOX\r\n");
    assert_int_equal(imap_login_answer(&l, IMAP_LOGIN_ACCEPTED, (slice){0}), ERR_STATE);
    imap_login_done(&l);
}

static void floods_stay_within_the_budget(void **state)
{
    static const char *const floods[] = {"aaaaaaaaaaaaaaaa", "a X {0}\r\n", "\r\n", "a NOOP\r\n",
                                         "a X {8000}\r\n"};
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(floods); f++) {
        struct imap_login l;
        struct imap_login_event ev;
        slice s = slice_str(floods[f]);
        imap_login_init(&l, &imap_login_limits_default, &open_config);
        for (int i = 0; i < 20000; i++) { /* a client that sends and never reads */
            IGNORE_RESULT(imap_login_feed(&l, s), "a full buffer is what is tried here");
            imap_login_next(&l, &ev);
            assert_true(l.in.cap + l.out.cap + l.reader.text.cap + l.sasl.cap <= 16384 + 8192 + 16384 + 8192);
        }
        assert_true(ev.type == IMAP_LOGIN_CLOSE || ev.type == IMAP_LOGIN_MORE);
        imap_login_done(&l);
    }
}

static void slow_clients_are_sent_away(void **state)
{
    struct imap_login l;
    struct imap_login_event ev;
    (void)state;
    imap_login_init(&l, &imap_login_limits_default, &open_config);
    imap_login_tick(&l, 1000000);
    assert_int_equal(imap_login_deadline(&l), 1000000 + 30 * MS_SECOND);
    imap_login_tick(&l, 1000000 + 29 * MS_SECOND);
    assert_int_equal(imap_login_feed(&l, SLICE("a NOOP\r\n")), 8);
    imap_login_next(&l, &ev);
    assert_int_equal(imap_login_deadline(&l), 1000000 + 59 * MS_SECOND);
    imap_login_tick(&l, 1000000 + 59 * MS_SECOND);
    imap_login_next(&l, &ev);
    assert_int_equal(ev.type, IMAP_LOGIN_CLOSE);
    assert_true(slice_find(imap_login_pending(&l), SLICE("* BYE")) < imap_login_pending(&l).n);
    imap_login_done(&l);
}

static void failed_logins_are_counted(void **state)
{
    struct imap_login l;
    struct buf log;
    slice in =
        SLICE("a LOGIN a b\r\na LOGIN a b\r\na LOGIN a b\r\na LOGIN a b\r\na LOGIN a b\r\na LOGIN a b\r\n");
    (void)state;
    buf_init(&log, 20000);
    imap_login_init(&l, &imap_login_limits_default, &open_config);
    run(&l, in, 10, &log);
    assert_true(slice_ends_nocase(buf_view(&log), SLICE("* BYE too many failed logins\r\n<close>")));
    imap_login_done(&l);
    buf_done(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialogues_come_out_as_they_should),
        cmocka_unit_test(handing_over_keeps_tag_id_and_what_follows),
        cmocka_unit_test(floods_stay_within_the_budget),
        cmocka_unit_test(slow_clients_are_sent_away),
        cmocka_unit_test(failed_logins_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
