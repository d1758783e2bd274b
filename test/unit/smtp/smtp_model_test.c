/* THREATS 4: long random sessions, compared step by step with a small model of what RFC 5321 §4.1.4 allows.
 * The driver's own must() checks the invariants of the transaction: begun once, told of every end, bodies
 * only after MAIL and a good RCPT, exactly one decision for a message.
 *
 * Steps a run: SMTP_MODEL_STEPS, 200,000 unless set. */
#include "lib/test.h"
#include "unit/smtp/driver.h"

#include <stdio.h>
#include <stdlib.h>

struct model {
    bool helo, tls, authed, submission;
    bool txn, chunked, no_room;
    unsigned rcpts;
};

static uint64_t seed = 0x9E3779B97F4A7C15;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13; /* xorshift64 */
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

static void forget(struct model *m)
{
    m->txn = m->chunked = false;
    m->rcpts = 0;
}

/* One command: what is sent, and the codes the model expects, 0-ended. */
struct move {
    const char *text;
    int codes[3];
};

static struct move hello(struct model *m)
{
    m->helo = true;
    forget(m);
    return (struct move){pick(2) ? "EHLO c\r\n" : "HELO c\r\n", {250}};
}

static struct move mail(struct model *m)
{
    unsigned who = pick(6);
    bool ok = m->helo && !m->txn && !(m->submission && !m->authed);
    int refusal = !m->helo || m->txn ? 503 : 530;
    if (who == 0)
        return (struct move){"MAIL FROM:<refused@b.test>\r\n", {ok ? 550 : refusal}};
    if (who == 1)
        return (struct move){"MAIL FROM:<later@b.test>\r\n", {ok ? 451 : refusal}};
    if (who == 2)
        return (struct move){"MAIL FROM:<>x\r\n", {ok ? 501 : refusal}};
    if (who == 3)
        return (struct move){"MAIL FROM:<a@b.test> SIZE=2000000\r\n", {ok ? 552 : refusal}};
    if (ok) {
        forget(m);
        m->txn = true;
    }
    return (struct move){"MAIL FROM:<a@b.test>\r\n", {ok ? 250 : refusal}};
}

static struct move rcpt(struct model *m)
{
    bool ok = m->txn && !m->chunked;
    unsigned who = pick(5);
    if (who == 0)
        return (struct move){"RCPT TO:<@>\r\n", {ok ? 501 : 503}};
    if (ok && m->rcpts >= 3)
        return (struct move){"RCPT TO:<x@home.test>\r\n", {452}};
    if (who == 1)
        return (struct move){"RCPT TO:<unknown@home.test>\r\n", {ok ? 550 : 503}};
    if (who == 2)
        return (struct move){"RCPT TO:<full@home.test>\r\n", {ok ? 452 : 503}};
    if (ok)
        m->rcpts++;
    return (struct move){"RCPT TO:<x@home.test>\r\n", {ok ? 250 : 503}};
}

static struct move data(struct model *m)
{
    static const struct move bodies[] = {
        {"DATA\r\nplain\r\n.\r\n", {354, 250}},    {"DATA\r\nREJECT\r\n.\r\n", {354, 550}},
        {"DATA\r\nDEFER\r\n.\r\n", {354, 451}},    {"DATA\r\n.\r\n", {354, 250}},
        {"DATA\r\n..\r\n.a\r\n.\r\n", {354, 250}},
    };
    if (m->chunked)
        return (struct move){"DATA\r\n", {503}};
    if (!m->txn)
        return (struct move){"DATA\r\n", {503}};
    if (m->rcpts == 0)
        return (struct move){"DATA\r\n", {554}};
    forget(m);
    if (m->no_room)
        return (struct move){"DATA\r\n", {452}};
    return bodies[pick(ARRAY_LEN(bodies))];
}

static struct move bdat(struct model *m)
{
    unsigned what = pick(6);
    bool ok = m->txn && m->rcpts;
    int refusal = m->txn ? 554 : 503;
    if (what == 0) {
        forget(m);
        return (struct move){"BDAT none\r\n", {501}};
    }
    if (!ok)
        return (struct move){"BDAT 6\r\nQUIT\r\n", {refusal}};
    if (m->no_room && !m->chunked) {
        forget(m);
        return (struct move){"BDAT 6\r\nQUIT\r\n", {452}};
    }
    if (what == 1) {
        forget(m);
        return (struct move){"BDAT 8 LAST\r\nREJECT\r\n", {550}};
    }
    if (what == 2) {
        forget(m);
        return (struct move){"BDAT 0 LAST\r\n", {250}};
    }
    m->chunked = true;
    return (struct move){"BDAT 6\r\nQUIT\r\n", {250}};
}

static struct move auth(struct model *m)
{
    if (!m->submission)
        return (struct move){"AUTH PLAIN YmFk\r\n", {502}};
    if (!m->helo || m->authed || m->txn)
        return (struct move){"AUTH PLAIN YmFk\r\n", {503}};
    switch (pick(4)) {
    case 0:
        return (struct move){"AUTH PLAIN YmFk\r\n", {535}};
    case 1:
        return (struct move){"AUTH PLAIN\r\n*\r\n", {334, 501}};
    case 2:
        return (struct move){"AUTH NTLM\r\n", {504}};
    default:
        m->authed = true;
        return (struct move){"AUTH PLAIN Z29vZA==\r\n", {235}};
    }
}

static struct move starttls(struct model *m)
{
    if (m->tls)
        return (struct move){"STARTTLS\r\n", {503}};
    m->tls = true;
    m->helo = m->authed = false;
    forget(m);
    return (struct move){"STARTTLS\r\n", {220}};
}

static struct move other(struct model *m)
{
    switch (pick(6)) {
    case 0:
        forget(m);
        return (struct move){"RSET\r\n", {250}};
    case 1:
        return (struct move){"NOOP\r\n", {250}};
    case 2:
        return (struct move){"VRFY x\r\n", {252}};
    case 3:
        return (struct move){"EXPN x\r\n", {502}};
    case 4:
        return (struct move){"HELP\r\n", {214}};
    default:
        return (struct move){"BOGUS\r\n", {500}};
    }
}

static struct move next_move(struct model *m)
{
    static struct move (*const moves[])(struct model *) = {hello, mail, mail, mail, rcpt,     rcpt, rcpt,
                                                           data,  data, bdat, auth, starttls, other};
    return moves[pick(ARRAY_LEN(moves))](m);
}

/* The codes of the replies since from; multi-line ones count once. */
static size_t codes_of(const struct buf *out, size_t from, int *codes, size_t max)
{
    struct cursor c = cursor_of(slice_from(buf_view(out), from));
    slice line;
    size_t n = 0;
    while (cursor_line(&c, &line))
        if (line.n > 3 && line.p[3] == ' ' && n < max)
            codes[n++] = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
    return n;
}

static void feed_in_pieces(struct driver *d, slice s)
{
    while (s.n) {
        size_t n = pick(3) ? s.n : 1 + pick((unsigned)s.n);
        driver_feed(d, slice_sub(s, 0, n));
        s = slice_from(s, n);
    }
}

static void session(unsigned steps)
{
    struct smtp_server_limits l = smtp_server_limits_default;
    struct smtp_server_config config = {.hostname = SLICE("mx.test"),
                                        .auth_mechanisms = SLICE("PLAIN"),
                                        .service = pick(2) ? SMTP_MX : SMTP_SUBMISSION,
                                        .plaintext_login = true,
                                        .tls_offered = true,
                                        .limits = &l};
    struct model m = {.submission = config.service != SMTP_MX};
    struct driver d;
    l.errors = l.idle_commands = l.nonsense = l.auth_failures = UINT32_MAX;
    l.slow_ms = 0;
    l.recipients = l.recipients_authed = 3;
    l.message_bytes = 1000000;
    driver_init(&d, &config, (enum driver_answers)pick(3));
    smtp_server_greet(d.s, NULL);
    driver_feed(&d, (slice){0});
    while (steps--) {
        size_t from = d.out.n, n, want = 0;
        struct move move;
        int got[8];
        if (pick(50) == 0)
            m.no_room = d.no_room = !d.no_room;
        move = next_move(&m);
        feed_in_pieces(&d, slice_str(move.text));
        n = codes_of(&d.out, from, got, ARRAY_LEN(got));
        while (want < 3 && move.codes[want])
            want++;
        if (n != want || memcmp(got, move.codes, n * sizeof *got) != 0)
            fail_msg("after %s: got %.*s, %zu replies; want %d %d", move.text,
                     SLICE_FMT(slice_from(buf_view(&d.out), from)), n, move.codes[0], move.codes[1]);
        assert_false(d.closed);
        assert_int_equal(d.in_txn, m.txn); /* the shell and the model agree what is under way */
        if (d.tls_wanted)
            driver_tls_started(&d);
        assert_int_equal(smtp_server_in_transaction(d.s), m.txn);
        if (d.out.n > 1 << 16) {
            buf_clear(&d.out);
            buf_clear(&d.log);
        }
    }
    driver_done(&d);
}

static void test_model(void **state)
{
    const char *steps = getenv("SMTP_MODEL_STEPS");
    unsigned long total = steps ? strtoul(steps, NULL, 10) : 200000;
    (void)state;
    for (unsigned long done = 0; done < total; done += 500)
        session(500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
