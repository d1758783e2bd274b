/* smtp client: whole dialogues with good and bad servers, cut at every octet; what leaves is CRLF only and
 * dot-stuffed; each recipient is told exactly once whatever happens (THREATS 1, 12, 13, 62). */
#include "lib/test.h"

#include "core/smtp/client.h"

/* A dialogue is played: the client's bytes are awaited as text, the server's are fed. What the client tells
 * is written down in `told`. */
struct play {
    struct smtp_client *c;
    struct smtp_client_config config;
    struct smtp_client_mail mail;
    struct smtp_client_rcpt rcpts[SMTP_CLIENT_RCPT_MAX];
    struct mailbox sender, boxes[SMTP_CLIENT_RCPT_MAX];
    slice body;
    size_t body_at, piece;
    struct buf told, sent;
    bool mail_due;
};

static struct mailbox box(const char *text)
{
    struct mailbox m;
    assert_int_equal(mailbox_parse(slice_str(text), MAILBOX_UTF8, &m), OK);
    return m;
}

static void play_init(struct play *p, enum smtp_client_tls tls)
{
    memset(p, 0, sizeof *p);
    p->config = (struct smtp_client_config){
        .hostname = SLICE("us.test"), .tls = tls, .limits = &smtp_client_limits_default};
    p->c = smtp_client_new(&p->config);
    p->sender = box("a@us.test");
    p->mail = (struct smtp_client_mail){.sender = &p->sender, .rcpts = p->rcpts};
    p->body = SLICE("Subject: x\r\n\r\n.hello\r\n");
    p->piece = SIZE_MAX;
    buf_init(&p->told, 100000);
    buf_init(&p->sent, 1000000);
    smtp_client_tick(p->c, 1000);
}

static void play_rcpt(struct play *p, const char *address)
{
    size_t i = p->mail.n++;
    p->boxes[i] = box(address);
    p->rcpts[i].recipient = &p->boxes[i];
}

static void play_done(struct play *p)
{
    smtp_client_free(&p->c);
    buf_done(&p->told);
    buf_done(&p->sent);
}

static void play_event(struct play *p, const struct smtp_client_event *ev)
{
    struct buf *t = &p->told;
    switch (ev->type) {
    case SMTP_CLIENT_EV_STARTTLS:
        buf_str(t, "tls;");
        break;
    case SMTP_CLIENT_EV_READY:
        buf_str(t, "ready;");
        if (p->mail.n)
            smtp_client_send(p->c, &p->mail);
        break;
    case SMTP_CLIENT_EV_BODY:
        if (p->body_at == p->body.n)
            smtp_client_body_end(p->c);
        else
            p->body_at +=
                smtp_client_body(p->c, slice_sub(p->body, p->body_at,
                                                 p->body_at + size_min(p->piece, p->body.n - p->body_at)));
        break;
    case SMTP_CLIENT_EV_RCPT:
        buf_print(t, "%zu:%s %d %s%s;", ev->rcpt.at,
                  ev->rcpt.outcome == SMTP_CLIENT_TAKEN       ? "taken"
                  : ev->rcpt.outcome == SMTP_CLIENT_TEMPORARY ? "later"
                                                              : "never",
                  ev->rcpt.code, ev->rcpt.status, ev->rcpt.uncertain ? " uncertain" : "");
        break;
    case SMTP_CLIENT_EV_DONE:
        buf_str(t, ev->reusable ? "done;" : "lost;");
        break;
    case SMTP_CLIENT_EV_FAILED:
        buf_print(t, "failed %s %d;", err_name(ev->failed.error), ev->failed.code);
        break;
    case SMTP_CLIENT_EV_CLOSE:
        buf_str(t, "close;");
        break;
    }
}

static void play_run(struct play *p)
{
    struct smtp_client_event ev;
    for (;;) {
        slice out;
        while (smtp_client_next(p->c, &ev))
            play_event(p, &ev);
        out = smtp_client_pending(p->c);
        if (out.n == 0)
            return;
        buf_append(&p->sent, out);
        smtp_client_sent(p->c, out.n);
    }
}

static void says(struct play *p, const char *text)
{
    smtp_client_feed(p->c, slice_str(text));
    play_run(p);
}

/* What the client said since the last time. */
static void heard(struct play *p, const char *text)
{
    play_run(p);
    assert_slice(buf_view(&p->sent), text);
    buf_clear(&p->sent);
}

static void told(struct play *p, const char *text)
{
    play_run(p);
    assert_slice(buf_view(&p->told), text);
    buf_clear(&p->told);
}

static void a_plain_server_gets_one_command_at_a_time(void **state)
{
    struct play p;
    (void)state;
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    play_rcpt(&p, "b@them.test");
    play_rcpt(&p, "c@them.test");
    heard(&p, "");
    says(&p, "220 hello\r\n");
    heard(&p, "EHLO us.test\r\n");
    says(&p, "502 what?\r\n");
    heard(&p, "HELO us.test\r\n");
    says(&p, "250 fine\r\n");
    heard(&p, "MAIL FROM:<a@us.test>\r\n");
    says(&p, "250 ok\r\n");
    heard(&p, "RCPT TO:<b@them.test>\r\n");
    says(&p, "550 5.1.1 no such user\r\n");
    heard(&p, "RCPT TO:<c@them.test>\r\n");
    says(&p, "250 ok\r\n");
    heard(&p, "DATA\r\n");
    says(&p, "354 go\r\n");
    heard(&p, "Subject: x\r\n\r\n..hello\r\n.\r\n");
    told(&p, "ready;0:never 550 5.1.1;");
    says(&p, "250 2.0.0 queued\r\n");
    told(&p, "1:taken 250 2.0.0;done;");
    smtp_client_quit(p.c);
    heard(&p, "QUIT\r\n");
    says(&p, "221 bye\r\n");
    told(&p, "close;");
    play_done(&p);
}

static void a_session_is_pipelined_and_reused(void **state)
{
    struct play p;
    (void)state;
    play_init(&p, SMTP_CLIENT_TLS_NEVER);
    play_rcpt(&p, "b@them.test");
    play_rcpt(&p, "c@them.test");
    p.mail.body_bytes = 21;
    p.mail.eight_bit = true;
    p.mail.ret = SMTP_RET_HDRS;
    p.mail.envid = SLICE("QQ1");
    p.rcpts[0].notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE;
    p.rcpts[0].orcpt = SLICE("rfc822;b+2Bx@them.test");
    p.rcpts[1].orcpt = SLICE("rfc822;bad one\r\nDATA");
    says(&p, "220 hello\r\n");
    says(&p, "250-them.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-DSN\r\n250 8bitmime\r\n");
    heard(&p, "EHLO us.test\r\nMAIL FROM:<a@us.test> SIZE=21 BODY=8BITMIME RET=HDRS ENVID=QQ1\r\n"
              "RCPT TO:<b@them.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx@them.test\r\n"
              "RCPT TO:<c@them.test>\r\nDATA\r\n");
    says(&p, "250 ok\r\n250 ok\r\n451 later\r\n354 go\r\n");
    heard(&p, "Subject: x\r\n\r\n..hello\r\n.\r\n");
    says(&p, "250 got it\r\n");
    told(&p, "ready;1:later 451 4.0.0;0:taken 250 2.0.0;done;");
    p.body_at = 0;
    p.mail.n = 1;
    p.mail.envid = (slice){0};
    smtp_client_send(p.c, &p.mail);
    heard(&p, "MAIL FROM:<a@us.test> SIZE=21 BODY=8BITMIME RET=HDRS\r\n"
              "RCPT TO:<b@them.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx@them.test\r\nDATA\r\n");
    /* all recipients refused, and DATA accepted all the same: a lone dot, then RSET before the next */
    says(&p, "250 ok\r\n550 no\r\n354 go\r\n");
    heard(&p, ".\r\n");
    says(&p, "554 no valid recipients\r\n");
    told(&p, "0:never 550 5.0.0;done;");
    smtp_client_send(p.c, &p.mail);
    says(&p, "250 ok\r\n550 no\r\n503 no recipients\r\n");
    told(&p, "0:never 550 5.0.0;done;");
    buf_clear(&p.sent);
    smtp_client_send(p.c, &p.mail);
    play_run(&p);
    assert_true(slice_starts(buf_view(&p.sent), SLICE("RSET\r\nMAIL FROM")));
    says(&p, "250 reset\r\n552 5.2.3 too big\r\n503 mail first\r\n503 mail first\r\n");
    told(&p, "0:never 552 5.2.3;done;");
    play_done(&p);
}

static void what_the_server_cannot_carry_is_told_without_asking(void **state)
{
    struct play p;
    (void)state;
    play_init(&p, SMTP_CLIENT_TLS_NEVER);
    says(&p, "220 hello\r\n250-them.test\r\n250 SIZE 10\r\n");
    play_rcpt(&p, "b@them.test");
    buf_clear(&p.sent);
    buf_clear(&p.told);
    p.mail.eight_bit = true;
    smtp_client_send(p.c, &p.mail);
    told(&p, "0:never 0 5.6.3;done;");
    p.mail.eight_bit = false;
    p.mail.smtputf8 = true;
    smtp_client_send(p.c, &p.mail);
    told(&p, "0:never 0 5.6.7;done;");
    p.mail.smtputf8 = false;
    p.mail.body_bytes = 11;
    smtp_client_send(p.c, &p.mail);
    told(&p, "0:never 0 5.3.4;done;");
    heard(&p, "");
    p.mail.body_bytes = 10;
    smtp_client_send(p.c, &p.mail);
    heard(&p, "MAIL FROM:<a@us.test> SIZE=10\r\n");
    play_done(&p);
}

static void what_was_said_before_tls_is_forgotten(void **state)
{
    struct play p;
    (void)state;
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    play_rcpt(&p, "b@them.test");
    says(&p, "220 hello\r\n250-them.test\r\n250-PIPELINING\r\n250-SIZE 1\r\n250 STARTTLS\r\n");
    heard(&p, "EHLO us.test\r\nSTARTTLS\r\n");
    says(&p, "220 go\r\n");
    told(&p, "tls;");
    assert_int_equal(smtp_client_deadline(p.c), INT64_MAX);
    smtp_client_tls_started(p.c);
    assert_int_equal(smtp_client_offers(p.c), 0);
    heard(&p, "EHLO us.test\r\n");
    says(&p, "250 them.test\r\n");
    heard(&p, "MAIL FROM:<a@us.test>\r\n"); /* neither pipelined nor with SIZE */
    told(&p, "ready;");
    play_done(&p);
}

static void text_behind_starttls_ends_the_session(void **state)
{
    static const char *const tails[] = {"250 injected\r\n", "2", "\r\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(tails); i++)
        for (int apart = 0; apart < 2; apart++) {
            struct play p;
            play_init(&p, SMTP_CLIENT_TLS_MAY);
            play_rcpt(&p, "b@them.test");
            says(&p, "220 hello\r\n250-them.test\r\n250 STARTTLS\r\n");
            buf_clear(&p.sent);
            if (apart) {
                says(&p, "220 go\r\n");
                says(&p, tails[i]);
                told(&p, "tls;failed peer 0;");
            } else {
                struct buf b;
                buf_init(&b, 100);
                buf_str(&b, "220 go\r\n");
                buf_str(&b, tails[i]);
                smtp_client_feed(p.c, buf_view(&b));
                buf_done(&b);
                told(&p, "failed peer 0;");
            }
            heard(&p, "");
            play_done(&p);
        }
}

static void tls_is_optional_or_not(void **state)
{
    struct play p;
    (void)state;
    play_init(&p, SMTP_CLIENT_TLS_MUST);
    says(&p, "220 hello\r\n250 them.test\r\n");
    told(&p, "failed tls 0;");
    play_done(&p);
    play_init(&p, SMTP_CLIENT_TLS_MUST);
    says(&p, "220 hello\r\n250-them.test\r\n250 STARTTLS\r\n454 not now\r\n");
    told(&p, "failed tls 454;");
    play_done(&p);
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    says(&p, "220 hello\r\n250-them.test\r\n250 STARTTLS\r\n454 not now\r\n");
    told(&p, "ready;");
    play_done(&p);
}

/* The body as it is given, in pieces of every size, and what must leave. */
static void only_crlf_leaves_and_dots_are_doubled(void **state)
{
    static const struct {
        slice in, out;
    } cases[] = {
        {SLICE_INIT(""), SLICE_INIT(".\r\n")},
        {SLICE_INIT("a"), SLICE_INIT("a\r\n.\r\n")},
        {SLICE_INIT("a\r\n"), SLICE_INIT("a\r\n.\r\n")},
        {SLICE_INIT("."), SLICE_INIT("..\r\n.\r\n")},
        {SLICE_INIT("a\n.\nMAIL FROM:<x>\n"), SLICE_INIT("a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n")},
        {SLICE_INIT("a\r.\rb"), SLICE_INIT("a\r\n..\r\nb\r\n.\r\n")},
        {SLICE_INIT("a\r\n.\rb"), SLICE_INIT("a\r\n..\r\nb\r\n.\r\n")},
        {SLICE_INIT("a\n.\r\nb"), SLICE_INIT("a\r\n..\r\nb\r\n.\r\n")},
        {SLICE_INIT("a\r\r\n.\r\n"), SLICE_INIT("a\r\n\r\n..\r\n.\r\n")},
        {SLICE_INIT("\r\0\n.\r\n"), SLICE_INIT("\r\n\0\r\n..\r\n.\r\n")},
        {SLICE_INIT("\r\n\r\n..\r\n"), SLICE_INIT("\r\n\r\n...\r\n.\r\n")},
        {SLICE_INIT("\n\n\r\r"), SLICE_INIT("\r\n\r\n\r\n\r\n.\r\n")},
        {SLICE_INIT("x.\r\n.y"), SLICE_INIT("x.\r\n..y\r\n.\r\n")},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t piece = 1; piece < 6; piece++) {
            struct play p;
            play_init(&p, SMTP_CLIENT_TLS_NEVER);
            play_rcpt(&p, "b@them.test");
            says(&p, "220 hello\r\n250 them.test\r\n250 ok\r\n250 ok\r\n");
            buf_clear(&p.sent);
            p.body = cases[i].in;
            p.piece = piece;
            says(&p, "354 go\r\n");
            assert_slices(buf_view(&p.sent), cases[i].out);
            play_done(&p);
        }
}

static void a_large_body_is_asked_for_piece_by_piece(void **state)
{
    static uint8_t big[300000];
    struct play p;
    struct smtp_client_event ev;
    size_t total = 0;
    (void)state;
    memset(big, '.', sizeof big);
    for (size_t i = 1; i < sizeof big; i += 2)
        big[i] = '\n'; /* the worst case: each octet becomes two */
    play_init(&p, SMTP_CLIENT_TLS_NEVER);
    play_rcpt(&p, "b@them.test");
    says(&p, "220 hello\r\n250 them.test\r\n250 ok\r\n250 ok\r\n");
    smtp_client_feed(p.c, SLICE("354 go\r\n"));
    p.body = slice_of(big, sizeof big);
    for (bool more = true; more;) {
        while ((more = smtp_client_next(p.c, &ev))) {
            play_event(&p, &ev);
            assert_true(smtp_client_pending(p.c).n <= SMTP_CLIENT_OUT_MAX);
        }
        more = smtp_client_pending(p.c).n > 0;
        total += size_min(smtp_client_pending(p.c).n, 1000);
        smtp_client_sent(p.c, size_min(smtp_client_pending(p.c).n, 1000));
    }
    assert_int_equal(total, sizeof big * 2 + 3);
    play_done(&p);
}

/* The whole conversation of a good server, cut into two at every octet and into single octets: same events.
 */
static void the_split_of_the_input_changes_nothing(void **state)
{
    static const char talk[] = "220-hello\r\n220 there\r\n250-them.test\r\n250-PIPELINING\r\n250 DSN\r\n"
                               "250 2.1.0 ok\r\n550-5.1.1 no\r\n550 such user\r\n250 ok\r\n354 go\r\n";
    (void)state;
    for (size_t cut = 0; cut <= sizeof talk; cut++) {
        struct play p;
        slice all = slice_str(talk);
        play_init(&p, SMTP_CLIENT_TLS_MAY);
        play_rcpt(&p, "b@them.test");
        play_rcpt(&p, "c@them.test");
        for (size_t at = 0; at < all.n;) {
            size_t n = cut == sizeof talk ? 1 : at < cut ? cut : all.n - at;
            slice g = guard_copy(slice_sub(all, at, at + n));
            smtp_client_feed(p.c, g);
            guard_free(g);
            play_run(&p);
            at += n;
        }
        says(&p, "250 2.6.0 taken\r\n");
        told(&p, "ready;0:never 550 5.1.1;1:taken 250 2.6.0;done;");
        play_done(&p);
    }
}

/* The connection ends after every octet of the server's side: each recipient is told once, temporary; and
 * only after the end of data it is uncertain. */
static void a_cut_line_tells_each_recipient_once(void **state)
{
    static const char talk[] = "220 hello\r\n250-them.test\r\n250 PIPELINING\r\n"
                               "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n";
    size_t data = strlen(talk) - strlen("250 taken\r\n");
    (void)state;
    for (size_t n = 0; n < sizeof talk; n++) {
        struct play p;
        slice got, rest;
        play_init(&p, SMTP_CLIENT_TLS_MAY);
        play_rcpt(&p, "b@them.test");
        play_rcpt(&p, "c@them.test");
        smtp_client_feed(p.c, slice_of(talk, size_min(n, data)));
        play_run(&p); /* sends the message, when that much was said */
        smtp_client_feed(p.c, slice_from(slice_of(talk, n), data));
        play_run(&p);
        smtp_client_closed(p.c);
        play_run(&p);
        got = buf_view(&p.told);
        if (slice_starts(got, SLICE("ready;")))
            got = slice_from(got, 6);
        else
            assert_slice(got, "failed closed 0;");
        if (n == sizeof talk - 1) {
            assert_slice(got, "0:taken 250 2.0.0;1:taken 250 2.0.0;done;failed closed 0;");
        } else if (n >= data) {
            assert_slice(got, "0:later 0 4.4.2 uncertain;1:later 0 4.4.2 uncertain;lost;failed closed 0;");
        } else if (slice_starts(got, SLICE("0:"))) {
            assert_slice(got, "0:later 0 4.4.2;1:later 0 4.4.2;lost;failed closed 0;");
        }
        rest = slice_from(got, slice_find(got, SLICE("failed")));
        assert_slice(rest, "failed closed 0;");
        play_done(&p);
    }
}

static void nonsense_ends_the_session_and_nothing_else(void **state)
{
    static const char *const bad[] = {"hello\r\n", "\r\n",        "99 x\r\n",
                                      "600 x\r\n", "250_x\r\n",   "250-a\r\n251 b\r\n",
                                      "2x0 x\r\n", "354 why\r\n", "HTTP/1.1 400 Bad Request\r\n"};
    struct play p;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        play_init(&p, SMTP_CLIENT_TLS_MAY);
        play_rcpt(&p, "b@them.test");
        says(&p, "220 hello\r\n250 them.test\r\n");
        buf_clear(&p.told);
        says(&p, bad[i]);
        play_run(&p);
        assert_true(slice_starts(buf_view(&p.told), SLICE("0:later ")));
        assert_true(slice_find(buf_view(&p.told), SLICE("lost;failed peer")) < p.told.n);
        play_done(&p);
    }
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    says(&p, "220 hello\r\n250 them.test\r\n250 unasked\r\n");
    told(&p, "ready;failed peer 250;");
    play_done(&p);
}

static void an_endless_reply_is_not_kept(void **state)
{
    struct play p;
    (void)state;
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    for (int i = 0; i < 20000; i++) /* 1 MB of lines, never the last one */
        says(&p, "220-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    told(&p, "failed peer 0;");
    play_done(&p);
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    for (int i = 0; i < 2000; i++) /* one line without end */
        says(&p, "220 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    told(&p, "failed peer 0;");
    play_done(&p);
}

static void a_reply_is_kept_verbatim(void **state)
{
    struct play p;
    struct smtp_client_event ev;
    (void)state;
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    play_rcpt(&p, "b@them.test");
    says(&p, "220 hello\r\n250 them.test\r\n");
    smtp_client_feed(p.c, SLICE("550-5.7.1 no\ttype: mda\r\n550 \x1b[1mhttps://them.test/?a=%n\0\r\n"));
    assert_true(smtp_client_next(p.c, &ev));
    assert_int_equal(ev.type, SMTP_CLIENT_EV_RCPT);
    assert_slices(ev.rcpt.reply, SLICE("550-5.7.1 no\ttype: mda\n550 \x1b[1mhttps://them.test/?a=%n\0"));
    assert_string_equal(ev.rcpt.status, "5.7.1");
    play_done(&p);
}

static void a_421_ends_the_session_at_any_moment(void **state)
{
    static const char *const before[] = {"",
                                         "220 hello\r\n",
                                         "220 hello\r\n250 them.test\r\n",
                                         "220 hello\r\n250 them.test\r\n250 ok\r\n",
                                         "220 hello\r\n250 them.test\r\n250 ok\r\n250 ok\r\n",
                                         "220 hello\r\n250 them.test\r\n250 ok\r\n250 ok\r\n354 go\r\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        struct play p;
        play_init(&p, SMTP_CLIENT_TLS_MAY);
        play_rcpt(&p, "b@them.test");
        says(&p, before[i]);
        buf_clear(&p.told);
        says(&p, "421 4.3.2 going down\r\n");
        told(&p, i < 2 ? "failed closed 421;" : "0:later 421 4.3.2;lost;failed closed 421;");
        play_done(&p);
    }
}

static void silence_ends_by_the_clock(void **state)
{
    struct play p;
    (void)state;
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    assert_int_equal(smtp_client_deadline(p.c), 1000 + 5 * MS_MINUTE);
    smtp_client_tick(p.c, 1000 + 5 * MS_MINUTE - 1);
    told(&p, "");
    smtp_client_tick(p.c, 1000 + 5 * MS_MINUTE);
    told(&p, "failed timeout 0;");
    play_done(&p);
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    play_rcpt(&p, "b@them.test");
    says(&p, "220 hello\r\n250 them.test\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    assert_int_equal(smtp_client_deadline(p.c), 1000 + 10 * MS_MINUTE); /* after the end of data */
    smtp_client_tick(p.c, 1000 + 10 * MS_MINUTE);
    told(&p, "ready;0:later 0 4.4.1 uncertain;lost;failed timeout 0;");
    play_done(&p);
    play_init(&p, SMTP_CLIENT_TLS_MAY);
    says(&p, "220 hello\r\n250 them.test\r\n");
    assert_int_equal(smtp_client_deadline(p.c), INT64_MAX); /* idle */
    smtp_client_quit(p.c);
    smtp_client_tick(p.c, 1000 + MS_MINUTE);
    told(&p, "ready;close;"); /* no answer to QUIT is no failure */
    play_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_server_gets_one_command_at_a_time),
        cmocka_unit_test(a_session_is_pipelined_and_reused),
        cmocka_unit_test(what_the_server_cannot_carry_is_told_without_asking),
        cmocka_unit_test(what_was_said_before_tls_is_forgotten),
        cmocka_unit_test(text_behind_starttls_ends_the_session),
        cmocka_unit_test(tls_is_optional_or_not),
        cmocka_unit_test(only_crlf_leaves_and_dots_are_doubled),
        cmocka_unit_test(a_large_body_is_asked_for_piece_by_piece),
        cmocka_unit_test(the_split_of_the_input_changes_nothing),
        cmocka_unit_test(a_cut_line_tells_each_recipient_once),
        cmocka_unit_test(nonsense_ends_the_session_and_nothing_else),
        cmocka_unit_test(an_endless_reply_is_not_kept),
        cmocka_unit_test(a_reply_is_kept_verbatim),
        cmocka_unit_test(a_421_ends_the_session_at_any_moment),
        cmocka_unit_test(silence_ends_by_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
