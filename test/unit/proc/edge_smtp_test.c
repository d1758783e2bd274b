/* SMTP sessions of the edge, in front of a played house: directory, judge, accounts, relay and resolver
 * answer by simple rules in the next turn, or are down, or never answer. What clients see, and what is kept
 * where. */
#include "lib/test.h"

#include "core/sasl/scram.h"
#include "ipc/x_accounts.h"
#include "ipc/x_directory.h"
#include "ipc/x_intake.h"
#include "ipc/x_judge.h"
#include "ipc/x_relay.h"
#include "ipc/x_resolver.h"
#include "proc/edge/auth_cache.h"
#include "proc/edge/conn.h"
#include "proc/edge/edge.h"
#include "proc/edge/smtp_message.h"
#include "sys/body.h"
#include "sys/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLS 64

struct call {
    enum role peer;
    uint16_t type;
    struct arena arena;
    const void *message;
    int fd;
    chan_reply_fn fn;
    void *arg;
};

static struct edge edge;
static struct role_self role;
static struct call calls[CALLS];
static size_t n_calls;
static bool down[ROLE__COUNT], silent[ROLE__COUNT];
static struct buf kept;    /* deliveries: "account recipient junk\nprefix + body\n" */
static struct buf queue;   /* what relay got */
static struct buf given;   /* what robots got: "reporter recipient from\nbody" */
static struct buf journal; /* kinds and texts */
static struct scram_server scram;
static const char *ptr_name;
static struct smtp_shared shared;
static bool no_tickets; /* directory is there, accounts is not yet */
static int client;

/* What role.c does in a house. */

static const struct ipc_channel *channel_of(enum role peer)
{
    return peer == ROLE_DIRECTORY  ? &x_directory_channel
           : peer == ROLE_JUDGE    ? &x_judge_channel
           : peer == ROLE_ACCOUNTS ? &x_accounts_channel
           : peer == ROLE_RELAY    ? &x_relay_channel
           : peer == ROLE_REPORTER ? &x_intake_channel
           : peer == ROLE_DOCTOR   ? &x_intake_channel
                                   : &x_resolver_channel;
}

enum err role_call(struct role_self *r, enum role peer, uint16_t type, const void *message, const int *fds,
                   size_t n_fds, time_ms ms, chan_reply_fn fn, void *arg)
{
    const struct ipc_message *row = ipc_find(channel_of(peer), type);
    struct call *c = &calls[n_calls];
    struct buf b;
    slice bytes;
    void *copy;
    (void)r;
    assert_in_range(ms, 1, 5 * MS_MINUTE);
    assert_int_equal(n_fds, row->fds_min);
    if (down[peer])
        return ERR_CLOSED;
    must(n_calls < CALLS);
    *c = (struct call){.peer = peer, .type = type, .fd = -1, .fn = fn, .arg = arg};
    arena_init(&c->arena, "call", 1 << 20);
    buf_init(&b, IPC_BYTES_MAX);
    assert_int_equal(ipc_encode(&b, row->shape, message), OK);
    copy = arena_alloc(&c->arena, row->shape->size);
    must(copy && arena_dup(&c->arena, buf_view(&b), &bytes));
    assert_int_equal(ipc_decode(bytes, row->shape, &c->arena, copy), OK);
    buf_done(&b);
    c->message = copy;
    if (n_fds)
        must(fd_dup(fds[0], &c->fd) == OK);
    n_calls++;
    return OK;
}

static void call_drop(size_t i)
{
    arena_done(&calls[i].arena);
    fd_done(&calls[i].fd);
    memmove(&calls[i], &calls[i + 1], (--n_calls - i) * sizeof calls[0]);
}

void role_forget(struct role_self *r, void *arg)
{
    (void)r;
    for (size_t i = n_calls; i-- > 0;)
        if (calls[i].arg == arg)
            call_drop(i);
}

void role_tell(struct role_self *r, struct journal_event event)
{
    (void)r;
    must(buf_print(&journal, "%s <%.*s> %.*s|%.*s", journal_kind_name(event.kind), SLICE_FMT(event.address),
                   SLICE_FMT(event.name), SLICE_FMT(event.text)) == OK);
    if (event.code)
        (void)buf_print(&journal, " %u", event.code);
    (void)buf_str(&journal, "\n");
}

void role_exit(struct role_self *r)
{
    (void)r;
}

void imap_session_begin(struct edge *e, struct conn *c)
{
    (void)e, (void)c;
}

/* The played house. */

static void answer(struct call *c, const void *message, int *fds, size_t n_fds)
{
    c->fn(c->arg, OK, message, fds, n_fds);
    for (size_t i = 0; i < n_fds; i++)
        fd_done(&fds[i]);
}

static void play_rcpt(struct call *c)
{
    const struct rcpt_ask *ask = c->message;
    struct rcpt_target t[2] = {{.kind = RCPT_LOCAL, .ticket = SLICE("ticket"), .address = ask->address}};
    struct rcpt_answer a = {.targets = t, .n_targets = 1};
    slice local, domain;
    (void)slice_split(ask->address, '@', &local, &domain);
    if (no_tickets) {
        a = (struct rcpt_answer){.err = ERR_BUSY, .text = SLICE("Not now")};
    } else if (domain.n && !slice_eq(domain, SLICE("home.test"))) {
        t[0] = (struct rcpt_target){.kind = RCPT_REMOTE, .address = ask->address};
        if (ask->sender_account == 0)
            a = (struct rcpt_answer){.err = ERR_DENIED, .text = SLICE("We do not relay mail for strangers")};
    } else if (slice_starts(local, SLICE("bob"))) {
        t[0].account = 1;
        t[0].address = SLICE("bob@home.test");
    } else if (slice_eq(local, SLICE("carol"))) {
        t[0].account = 2;
    } else if (slice_eq(local, SLICE("full"))) {
        t[0].account = 3;
    } else if (slice_eq(local, SLICE("busy"))) {
        t[0].account = 4;
    } else if (slice_starts(local, SLICE("dmarc-reports"))) {
        t[0] = (struct rcpt_target){.kind = RCPT_REPORT, .address = SLICE("dmarc-reports@home.test")};
    } else if (slice_eq(local, SLICE("posthorn-probe"))) {
        t[0] = (struct rcpt_target){.kind = RCPT_PROBE, .address = ask->address};
    } else if (slice_eq(local, SLICE("both"))) {
        t[0].account = 1;
        t[1] = (struct rcpt_target){.kind = RCPT_REMOTE, .address = SLICE("x@else.test")};
        a.n_targets = 2;
    } else {
        a = (struct rcpt_answer){.err = ERR_NOT_FOUND, .text = SLICE("Nobody has that address here")};
    }
    answer(c, &a, NULL, 0);
}

static void play_directory(struct call *c)
{
    static const uint8_t salt[SCRAM_SALT_SIZE] = "sixteen bytes ok";
    static struct scram_verifier v;
    struct buf out;
    if (c->type == X_DIRECTORY_RCPT_ASK) {
        play_rcpt(c);
        return;
    }
    if (c->type == X_DIRECTORY_SENDER_ASK) {
        const struct sender_ask *ask = c->message;
        struct sender_answer a = {0};
        for (size_t i = 0; i < ask->n_addresses; i++)
            if (!slice_eq(ask->addresses[i].address, SLICE("alice@home.test")))
                a = (struct sender_answer){
                    .err = ERR_DENIED,
                    .address = ask->addresses[i].address,
                    .text = SLICE("That address is not yours; see https://mail.home.test/addresses")};
        answer(c, &a, NULL, 0);
        return;
    }
    buf_init(&out, 4096);
    if (c->type == X_DIRECTORY_AUTH_START) {
        const struct auth_start *start = c->message;
        struct auth_challenge a = {.handle = 7};
        must(scram_verifier_make(SLICE("secret"), salt, &v) == OK);
        scram_server_init(&scram);
        must(scram_server_first(&scram, start->client_first) == OK);
        must(scram_server_challenge(&scram, &v, SLICE("servernonceservernonce"), &out) == OK);
        a.server_first = buf_view(&out);
        answer(c, &a, NULL, 0);
    } else {
        const struct auth_finish *finish = c->message;
        struct auth_result a = {.account = 9, .address = SLICE("alice@home.test")};
        a.err = (uint32_t)scram_server_final(&scram, finish->client_final, &out);
        a.server_final = buf_view(&out);
        answer(c, &a, NULL, 0);
    }
    buf_done(&out);
}

static bool has(const struct body *b, const char *what)
{
    return slice_find(body_view(b), slice_str(what)) < b->n;
}

static void play_judge(struct call *c)
{
    const struct judge_ask *ask = c->message;
    struct judge_reason why = {SLICE("looked at it")};
    struct judge_rcpt sender = {SLICE("alice@home.test")};
    struct judge_verdict v = {.prefix = SLICE("X-Judge: yes\r\n"),
                              .message_id = SLICE("<1@client.test>"),
                              .reasons = &why,
                              .n_reasons = 1};
    struct body b = {0};
    int fd = -1;
    must(body_map(c->fd, 1 << 26, &b) == OK);
    if (has(&b, "SPAM"))
        v = (struct judge_verdict){
            .action = JUDGE_REJECT, .code = 550, .status = SLICE("5.7.1"), .text = SLICE("No spam please")};
    if (has(&b, "LATER"))
        v = (struct judge_verdict){.action = JUDGE_DEFER};
    if (has(&b, "JUNK"))
        v.action = JUDGE_JUNK;
    if (ask->outbound) {
        v.senders = &sender;
        v.n_senders = 1;
        if (has(&b, "From: boss"))
            sender.address = SLICE("boss@home.test");
    }
    if (has(&b, "Bcc:")) {
        struct body_writer w;
        uint64_t n;
        body_writer_init(&w, 1000);
        must(body_append(&w, SLICE("without\r\n")) == OK && body_seal(&w, &fd, &n) == OK);
    }
    body_unmap(&b);
    answer(c, &v, &fd, fd >= 0);
}

static void keep(struct buf *where, const struct call *c, slice prefix)
{
    struct body b = {0};
    must(body_map(c->fd, 1 << 26, &b) == OK);
    (void)buf_append(where, prefix);
    (void)buf_append(where, body_view(&b));
    (void)buf_str(where, "--\n");
    body_unmap(&b);
}

static void play_accounts(struct call *c)
{
    const struct deliver *d = c->message;
    struct delivered a = {.err = d->account == 3 ? ERR_QUOTA : d->account == 4 ? ERR_BUSY : OK};
    if (a.err == ERR_QUOTA)
        a.text = SLICE("The mailbox of full@home.test is full");
    assert_slice(d->ticket, "ticket");
    if (a.err == OK) {
        must(buf_print(&kept, "%u %.*s%s\n", (unsigned)d->account, SLICE_FMT(d->recipient),
                       d->junk ? " junk" : "") == OK);
        keep(&kept, c, d->prefix);
    }
    answer(c, &a, NULL, 0);
}

static void play_intake(struct call *c)
{
    const struct intake *in = c->message;
    struct intake_taken a = {0};
    struct body b = {0};
    must(body_map(c->fd, 1 << 26, &b) == OK);
    if (has(&b, "NOREPORT"))
        a = (struct intake_taken){.err = ERR_SYNTAX, .text = SLICE("this is no report")};
    body_unmap(&b);
    if (a.err == OK) {
        must(buf_print(&given, "%s %.*s <%.*s>\n", c->peer == ROLE_DOCTOR ? "doctor" : "reporter",
                       SLICE_FMT(in->recipient), SLICE_FMT(in->reverse_path)) == OK);
        keep(&given, c, (slice){0});
    }
    answer(c, &a, NULL, 0);
}

static void play_relay(struct call *c)
{
    const struct enqueue *q = c->message;
    struct queued a = {0};
    must(buf_print(&queue, "from <%.*s> account %u\n", SLICE_FMT(q->reverse_path), (unsigned)q->account) ==
         OK);
    for (size_t i = 0; i < q->n_rcpts; i++)
        (void)buf_print(&queue, "%s %.*s\n", q->rcpts[i].local ? "local" : "remote",
                        SLICE_FMT(q->rcpts[i].address));
    keep(&queue, c, q->prefix);
    answer(c, &a, NULL, 0);
}

static void play_resolver(struct call *c)
{
    static const uint8_t name[] = "\4host\7example\3net";
    static const uint8_t address[] = {192, 0, 2, 7};
    const struct resolve *ask = c->message;
    struct resolved_rr rr = {.rdata = ask->type == 12 ? slice_of(name, sizeof name) : slice_of(address, 4)};
    struct resolved a = {.rrs = &rr, .n_rrs = 1};
    if (!ptr_name || (ask->type == 1 && strcmp(ptr_name, "liar") == 0))
        a = (struct resolved){.err = ERR_NOT_FOUND};
    answer(c, &a, NULL, 0);
}

/* Runs the loop, and the house, until nothing more happens by itself. */
static void turns(void)
{
    static void (*const play[])(struct call *) = {
        [ROLE_DIRECTORY] = play_directory, [ROLE_JUDGE] = play_judge,       [ROLE_ACCOUNTS] = play_accounts,
        [ROLE_RELAY] = play_relay,         [ROLE_RESOLVER] = play_resolver, [ROLE_REPORTER] = play_intake,
        [ROLE_DOCTOR] = play_intake,
    };
    for (int i = 0; i < 8; i++) {
        loop_turn(edge.loop, false);
        for (size_t n = 0; n < n_calls;) {
            struct call c = calls[n];
            if (silent[c.peer]) {
                n++;
                continue;
            }
            memmove(&calls[n], &calls[n + 1], (--n_calls - n) * sizeof calls[0]);
            play[c.peer](&c);
            arena_done(&c.arena);
            fd_done(&c.fd);
            n = 0;
            i = 0;
        }
    }
}

static const char *receive(void)
{
    static char room[1 << 16];
    size_t n = 0;
    turns();
    for (;;) {
        ssize_t r = read(client, room + n, sizeof room - 1 - n);
        if (r <= 0)
            break;
        n += (size_t)r;
        turns();
    }
    room[n] = 0;
    return room;
}

static const char *say(const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(write(client, text, n), n);
    return receive();
}

static bool ended(void)
{
    char b;
    turns();
    return read(client, &b, 1) == 0;
}

static struct conn *begin_on(enum service service)
{
    struct ip ip = ip_from_v4((const uint8_t[]){192, 0, 2, 7});
    struct conn *c;
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    c = conn_new(edge.loop, fds[0], &ip, 4711);
    c->edge = &edge;
    c->id = 9;
    c->service = service;
    c->plaintext = service != SERVICE_SMTP;
    list_append(&edge.conns, &c->link);
    client = fds[1];
    conn_start(c);
    smtp_session_begin(&edge, c);
    assert_string_equal(receive(), "220 mx.home.test ESMTP Posthorn\r\n");
    return c;
}

static int fresh(void **state)
{
    (void)state;
    edge = (struct edge){.role = &role, .loop = loop_new(), .auth_cache = auth_cache_new(4)};
    (void)snprintf(edge.hostname, sizeof edge.hostname, "mx.home.test");
    edge.limits = (struct edge_limits){
        .message_bytes = 1 << 20, .recipients = 5, .submission_recipients = 10, .body_bytes = 4 << 20};
    shared = (struct smtp_shared){.patience_ms = 0};
    edge.smtp = &shared;
    no_tickets = false;
    list_init(&edge.conns);
    list_init(&edge.listeners);
    memset(down, 0, sizeof down);
    memset(silent, 0, sizeof silent);
    n_calls = 0;
    ptr_name = NULL;
    buf_init(&kept, 1 << 22);
    buf_init(&queue, 1 << 22);
    buf_init(&given, 1 << 22);
    buf_init(&journal, 1 << 22);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fd_done(&client);
    LIST_EACH(it, &edge.conns)
    conn_kill(LIST_OF(it, struct conn, link), OK);
    for (int i = 0; i < 5; i++)
        loop_turn(edge.loop, false);
    assert_true(list_empty(&edge.conns));
    while (n_calls) /* of messages that go on without their client: their deadline comes */
        (memset(silent, 0, sizeof silent), turns());
    assert_int_equal(edge.body_bytes, 0); /* all memory for bodies was given back */
    auth_cache_free(&edge.auth_cache);
    loop_turn(edge.loop, false);
    loop_free(edge.loop);
    buf_done(&kept);
    buf_done(&queue);
    buf_done(&given);
    buf_done(&journal);
    return 0;
}

static bool holds(const struct buf *b, const char *what)
{
    return slice_find(buf_view(b), slice_str(what)) < b->n;
}

#define assert_holds(b, what)                                                                                \
    do {                                                                                                     \
        if (!holds(&(b), what))                                                                              \
            fail_msg("\"%s\" is not in:\n%.*s", what, SLICE_FMT(buf_view(&(b))));                            \
    } while (0)
#define assert_starts(text, want)                                                                            \
    do {                                                                                                     \
        const char *got_ = (text);                                                                           \
        if (strncmp(got_, want, strlen(want)) != 0)                                                          \
            fail_msg("want %s...\ngot %s", want, got_);                                                      \
    } while (0)

/* HELO to the 354; replies are looked at by those who care. */
static void until_data(const char *rcpts)
{
    char text[2000];
    assert_starts(say("HELO c.test\r\n"), "250 ");
    (void)snprintf(text, sizeof text, "MAIL FROM:<sender@else.test>\r\n%sDATA\r\n", rcpts);
    if (!strstr(say(text), "\r\n354 "))
        fail_msg("no 354");
}

static void test_mail_in(void **s)
{
    (void)s;
    ptr_name = "host.example.net";
    begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<bob@home.test>\r\n");
    assert_starts(say("Subject: hi\r\n\r\n..dot\r\n.\r\n"), "250 2.0.0 Kept as ");
    assert_holds(kept,
                 "1 bob@home.test\nReturn-Path: <sender@else.test>\r\nDelivered-To: bob@home.test\r\n"
                 "X-Judge: yes\r\n"
                 "Received: from c.test (host.example.net [192.0.2.7])\r\n\tby mx.home.test with SMTP id ");
    assert_holds(kept, "\r\n\tfor <bob@home.test>;\r\n");
    assert_holds(kept, "+0000\r\nSubject: hi\r\n\r\n.dot\r\n--\n");
    assert_int_equal(queue.n, 0);
    assert_string_equal(say("QUIT\r\n"), "221 2.0.0 Goodbye\r\n");
    assert_true(ended());
    assert_holds(journal, "mail_from <sender@else.test> |smtp\nrecipient_accepted <bob@home.test> |\n"
                          "message_received <> |\nverdict <> accept|looked at it\n"
                          "message_id <> <1@client.test>|\naccepted <> |Kept as ");
}

static void test_name_that_lies(void **s)
{
    (void)s;
    ptr_name = "liar";
    begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<bob@home.test>\r\n");
    assert_starts(say(".\r\n"), "250 ");
    assert_holds(kept, "Received: from c.test ([192.0.2.7])\r\n");
}

static void test_recipients(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    assert_starts(say("HELO c.test\r\n"), "250 ");
    assert_starts(say("MAIL FROM:<sender@else.test>\r\n"), "250 ");
    assert_string_equal(say("RCPT TO:<nobody@home.test>\r\nRCPT TO:<x@foreign.test>\r\n"
                            "RCPT TO:<@home.test:x@foreign.test>\r\n"),
                        "550 5.1.1 Nobody has that address here\r\n"
                        "550 5.7.1 We do not relay mail for strangers\r\n"
                        "550 5.7.1 We do not relay mail for strangers\r\n");
    assert_holds(journal, "recipient_refused <nobody@home.test> |Nobody has that address here 550\n");
    assert_string_equal(say("RCPT TO:<bob@home.test>\r\nRCPT TO:<bobalias@home.test>\r\nDATA\r\n"),
                        "250 2.1.5 This recipient is fine\r\n250 2.1.5 This recipient is fine\r\n"
                        "354 Send the message; a line with only a dot ends it\r\n");
    assert_starts(say(".\r\n"), "250 ");
    assert_holds(kept, "1 bob@home.test\n");
    assert_false(holds(&kept, "bobalias")); /* one account, one copy */
    assert_false(holds(&kept, "\tfor <"));  /* and no recipient learns of another */
    assert_holds(journal, "recipient_accepted <bobalias@home.test> bob@home.test|alias\n");
}

/* A notice has one recipient (THREATS 30). */
static void test_null_sender(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    (void)say("HELO c.test\r\nMAIL FROM:<>\r\n");
    assert_starts(say("RCPT TO:<bob@home.test>\r\nRCPT TO:<carol@home.test>\r\n"),
                  "250 2.1.5 This recipient is fine\r\n452 4.5.3");
    (void)say("DATA\r\n");
    assert_starts(say(".\r\n"), "250 ");
    assert_holds(kept, "Return-Path: <>\r\n");
}

static void test_house_is_down(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    down[ROLE_DIRECTORY] = true;
    (void)say("HELO c.test\r\nMAIL FROM:<a@else.test>\r\n");
    assert_starts(say("RCPT TO:<bob@home.test>\r\n"),
                  "451 4.3.0 The part of this server that knows the mailboxes");
    down[ROLE_DIRECTORY] = false;
    (void)say("RCPT TO:<bob@home.test>\r\nDATA\r\n");
    down[ROLE_JUDGE] = true;
    assert_starts(say(".\r\n"), "451 4.3.0 The part of this server that looks at messages");
    down[ROLE_JUDGE] = false;
    down[ROLE_ACCOUNTS] = true;
    (void)say("MAIL FROM:<a@else.test>\r\nRCPT TO:<bob@home.test>\r\nDATA\r\n");
    assert_starts(say("kept\r\n.\r\n"), "250 2.0.0 Kept as "); /* in the queue */
    assert_holds(queue, "from <a@else.test> account 0\nlocal bob@home.test\nX-Judge: yes\r\nReceived: ");
    assert_holds(queue, "kept\r\n--\n");
    assert_false(holds(&queue, "Return-Path")); /* whoever delivers it puts that on */
    down[ROLE_RELAY] = true;
    (void)say("MAIL FROM:<a@else.test>\r\nRCPT TO:<bob@home.test>\r\nDATA\r\n");
    assert_starts(say(".\r\n"), "451 4.3.0 The queue of this server is not answering");
    assert_int_equal(kept.n, 0);
}

/* A role that is started anew is waited for, and the client notices nothing. */
static void test_house_comes_back(void **s)
{
    enum role gone[] = {ROLE_DIRECTORY, ROLE_JUDGE, ROLE_RELAY, ROLE_NONE};
    (void)s;
    shared.patience_ms = MS_HOUR;
    begin_on(SERVICE_SMTP);
    down[ROLE_ACCOUNTS] = true;
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        char got[300] = "";
        down[gone[i]] = true;
        no_tickets = gone[i] == ROLE_NONE;
        assert_starts(
            say("EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@home.test>\r\nRCPT TO:<carol@home.test>\r\n"
                "BDAT 2 LAST\r\n\r\n"),
            "250-");
        down[gone[i]] = no_tickets = false;
        while (!strstr(got, "Kept as")) { /* what the timer is set to passes in the loop */
            loop_turn(edge.loop, true);
            (void)snprintf(got, sizeof got, "%s", receive());
        }
        assert_holds(queue, "local bob@home.test\nlocal carol@home.test\n");
        buf_clear(&queue);
    }
    down[ROLE_JUDGE] = true; /* and a client that leaves meanwhile takes its message with it */
    (void)say("MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@home.test>\r\nBDAT 2 LAST\r\n\r\n");
    fd_done(&client);
    turns();
    assert_int_equal(queue.n, 0);
}

/* One reply for all recipients: 250 only when each is kept somewhere. */
static void test_some_cannot_take_it(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<full@home.test>\r\n");
    assert_string_equal(say(".\r\n"), "452 4.2.2 The mailbox of full@home.test is full\r\n");
    assert_int_equal(queue.n, 0); /* said in the session: no bounce later */
    assert_holds(journal, "delivery_failed <full@home.test> |The mailbox of full@home.test is full 452\n");
    assert_holds(journal, "message_refused <> |The mailbox of full@home.test is full 452\n");
    until_data("RCPT TO:<full@home.test>\r\nRCPT TO:<bob@home.test>\r\nRCPT TO:<busy@home.test>\r\n");
    assert_starts(say(".\r\n"), "250 ");
    assert_holds(kept, "1 bob@home.test\n");
    assert_holds(queue, "account 0\nlocal full@home.test\nlocal busy@home.test\nX-Judge");
    buf_clear(&queue);
    until_data("RCPT TO:<busy@home.test>\r\n");
    assert_starts(say(".\r\n"), "250 ");
    assert_holds(queue, "account 0\nlocal busy@home.test\nX-Judge");
}

/* Addresses that no account has: their roles get the bare message; one reply for all, as always. */
static void test_robots(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<dmarc-reports@home.test>\r\nRCPT TO:<dmarc-reports+x@home.test>\r\n"
               "RCPT TO:<posthorn-probe@home.test>\r\nRCPT TO:<bob@home.test>\r\n");
    assert_starts(say("Subject: r\r\n\r\nx\r\n.\r\n"), "250 ");
    assert_slice(buf_view(&given), "reporter dmarc-reports@home.test <sender@else.test>\n"
                                   "Subject: r\r\n\r\nx\r\n--\n"
                                   "doctor posthorn-probe@home.test <sender@else.test>\n"
                                   "Subject: r\r\n\r\nx\r\n--\n");
    assert_holds(kept, "1 bob@home.test\n");
    assert_int_equal(queue.n, 0);
    until_data("RCPT TO:<dmarc-reports@home.test>\r\n");
    assert_string_equal(say("NOREPORT\r\n.\r\n"), "554 5.6.0 this is no report\r\n");
    assert_holds(journal, "delivery_failed <dmarc-reports@home.test> |this is no report 501\n");
    down[ROLE_REPORTER] = true; /* nothing is queued for a robot alone: who sends reports comes again */
    until_data("RCPT TO:<dmarc-reports@home.test>\r\n");
    assert_starts(say(".\r\n"), "451 4.3.0 ");
    assert_int_equal(queue.n, 0);
    until_data("RCPT TO:<dmarc-reports@home.test>\r\nRCPT TO:<bob@home.test>\r\n");
    assert_starts(say(".\r\n"), "250 "); /* bob has it, so it is ours: the queue brings the rest */
    assert_holds(queue, "account 0\nlocal dmarc-reports@home.test\nX-Judge");
}

static void test_alias_to_elsewhere(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<both@home.test>\r\n");
    assert_starts(say(".\r\n"), "250 ");
    assert_holds(kept, "1 both@home.test\n");
    assert_holds(queue, "account 0\nremote x@else.test\nX-Judge");
}

static void test_verdicts(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<bob@home.test>\r\n");
    assert_string_equal(say("SPAM\r\n.\r\n"), "550 5.7.1 No spam please\r\n");
    until_data("RCPT TO:<bob@home.test>\r\n");
    assert_string_equal(say("LATER\r\n.\r\n"), "451 4.7.1 Not now; please try again later\r\n");
    assert_int_equal(kept.n, 0);
    until_data("RCPT TO:<bob@home.test>\r\n");
    assert_starts(say("JUNK\r\n.\r\n"), "250 ");
    assert_holds(kept, "1 bob@home.test junk\n");
}

static void login(void)
{
    assert_starts(say("EHLO laptop.test\r\n"), "250-");
    /* "\0alice@home.test\0secret" */
    assert_string_equal(say("AUTH PLAIN AGFsaWNlQGhvbWUudGVzdABzZWNyZXQ=\r\n"), "235 2.7.0 Welcome\r\n");
}

static void test_submission(void **s)
{
    (void)s;
    begin_on(SERVICE_SUBMISSION);
    assert_starts(say("EHLO laptop.test\r\nMAIL FROM:<alice@home.test>\r\n"), "250-");
    /* wrong password: the same words as for an unknown name */
    assert_starts(say("AUTH PLAIN AGFsaWNlQGhvbWUudGVzdAB3cm9uZw==\r\n"), "535 5.7.8 ");
    login();
    assert_starts(say("MAIL FROM:<boss@home.test>\r\n"), "550 5.7.1 That address is not yours; see https://");
    assert_holds(journal, "mail_refused <boss@home.test> |That address is not yours");
    (void)say("MAIL FROM:<alice@home.test> ENVID=abc\r\nRCPT TO:<bob@home.test>\r\nRCPT "
              "TO:<x@foreign.test>\r\nDATA\r\n");
    assert_starts(say("From: boss@home.test\r\n\r\n.\r\n"),
                  "550 5.7.1 That address is not yours; see https://");
    assert_int_equal(queue.n, 0);
    (void)say("MAIL FROM:<alice@home.test> ENVID=abc\r\nRCPT TO:<bob@home.test>\r\nRCPT "
              "TO:<x@foreign.test>\r\nRCPT TO:<both@home.test>\r\nDATA\r\n");
    assert_starts(say("From: alice@home.test\r\nBcc: y@z.test\r\n\r\n.\r\n"), "250 2.0.0 Kept as ");
    assert_holds(queue, "from <alice@home.test> account 9\nlocal bob@home.test\nremote x@foreign.test\n"
                        "local both@home.test\n"
                        "Received: from laptop.test ([192.0.2.7])\r\n\tby mx.home.test with ESMTPA id ");
    assert_holds(queue, "+0000\r\nX-Judge: yes\r\nwithout\r\n--\n"); /* the judge's body, without Bcc */
    assert_int_equal(kept.n, 0);                                     /* the queue delivers */
    down[ROLE_DIRECTORY] = true;
    assert_starts(say("MAIL FROM:<alice@home.test>\r\n"), "451 4.3.0 ");
}

/* The client goes while the judge thinks: nothing is delivered. While accounts commit: all is finished. */
static void test_client_goes(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    silent[ROLE_JUDGE] = true;
    until_data("RCPT TO:<bob@home.test>\r\n");
    (void)say("one\r\n.\r\n");
    assert_int_equal(n_calls, 1);
    fd_done(&client);
    turns();
    assert_int_equal(n_calls, 1); /* it may only have closed its half; the answer is awaited */
    silent[ROLE_JUDGE] = false;
    turns();
    assert_holds(kept, "one\r\n");
    buf_clear(&kept);
    silent[ROLE_ACCOUNTS] = true;
    struct conn *c = begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<bob@home.test>\r\nRCPT TO:<busy@home.test>\r\n");
    (void)say("two\r\n.\r\n");
    assert_int_equal(n_calls, 2);
    conn_kill(c, ERR_CLOSED);
    turns();
    silent[ROLE_ACCOUNTS] = false;
    turns();
    assert_holds(kept, "two\r\n");
    assert_holds(queue, "local busy@home.test");
    silent[ROLE_JUDGE] = true;
    c = begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<bob@home.test>\r\n");
    (void)say("three\r\n.\r\n");
    conn_kill(c, ERR_CLOSED);
    turns();
    assert_int_equal(n_calls, 0);
    assert_holds(journal, "abandoned <> |the client's connection ended\n");
    silent[ROLE_DIRECTORY] = true;
    c = begin_on(SERVICE_SMTP);
    (void)say(
        "HELO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@home.test>\r\nRCPT TO:<carol@home.test>\r\n");
    assert_int_equal(n_calls, 2); /* asked ahead */
    conn_kill(c, ERR_CLOSED);
    turns();
    assert_int_equal(n_calls, 0);
    assert_false(holds(&kept, "three"));
}

static void test_bounds(void **s)
{
    static char big[1 << 16];
    (void)s;
    memset(big, 'x', sizeof big - 3);
    memcpy(big + sizeof big - 3, "\r\n", 3);
    edge.limits.message_bytes = 300000;
    begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<bob@home.test>\r\n");
    for (int i = 0; i < 6; i++)
        assert_string_equal(say(big), "");
    assert_starts(say(".\r\n"), "552 5.3.4 ");
    assert_int_equal(edge.body_bytes, 0);
    edge.limits.body_bytes = 100000; /* memory for all bodies is nearly gone */
    assert_starts(say("MAIL FROM:<a@b.test> SIZE=200000\r\n"), "250 ");
    assert_starts(say("RCPT TO:<bob@home.test>\r\nDATA\r\n"),
                  "250 2.1.5 This recipient is fine\r\n452 4.3.1 ");
    until_data("RCPT TO:<bob@home.test>\r\n");
    for (int i = 0; i < 3; i++)
        assert_string_equal(say(big), "");
    assert_starts(say(".\r\n"), "451 4.3.2 This server has no room");
    assert_int_equal(kept.n, 0);
}

static void test_abuse_is_told(void **s)
{
    (void)s;
    begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<bob@home.test>\r\n");
    assert_starts(say("a\n.\nMAIL FROM:<evil@bank.test>\r\n"), "550 5.6.0 ");
    assert_true(ended());
    assert_holds(journal, "protocol_abuse <> smtp|the message held a CR or LF on its own");
    assert_holds(journal, "abandoned <> |");
    assert_false(holds(&journal, "evil"));
    assert_int_equal(kept.n, 0);
}

/* THREATS 13, with the connection around it. */
static void test_starttls_injection(void **s)
{
    (void)s;
    edge.tls[SERVICE_SMTP] = (struct tls_ctx *)(void *)&edge; /* offered; never used here */
    begin_on(SERVICE_SMTP);
    assert_starts(say("STARTTLS\r\nMAIL FROM:<x@y.test>\r\n"), "554 5.5.1 ");
    assert_true(ended());
    assert_holds(journal, "protocol_abuse <> smtp|bytes came behind STARTTLS");
}

static void test_drain(void **s)
{
    struct conn *c;
    (void)s;
    c = begin_on(SERVICE_SMTP);
    until_data("RCPT TO:<bob@home.test>\r\n");
    c->protocol->on_drain(c->arg, c);
    assert_starts(say("last\r\n.\r\n"), "250 2.0.0 Kept as ");
    assert_true(ended());
    assert_holds(kept, "last\r\n");
    fd_done(&client);
    c = begin_on(SERVICE_SMTP);
    c->protocol->on_drain(c->arg, c);
    assert_starts(receive(), "421 4.3.2 ");
    assert_true(ended());
}

/* A client that closes its half behind a whole pipeline still hears all. */
static void test_half_close(void **s)
{
    static const char all[] =
        "HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@home.test>\r\nBDAT 3 LAST\r\nabc";
    (void)s;
    begin_on(SERVICE_SMTP);
    assert_int_equal(write(client, all, sizeof all - 1), sizeof all - 1);
    must(shutdown(client, SHUT_WR) == 0);
    assert_non_null(strstr(receive(), "250 2.0.0 Kept as "));
    assert_true(ended());
    assert_holds(kept, "abc\r\n--\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_mail_in, fresh, end),
        cmocka_unit_test_setup_teardown(test_name_that_lies, fresh, end),
        cmocka_unit_test_setup_teardown(test_recipients, fresh, end),
        cmocka_unit_test_setup_teardown(test_null_sender, fresh, end),
        cmocka_unit_test_setup_teardown(test_house_is_down, fresh, end),
        cmocka_unit_test_setup_teardown(test_house_comes_back, fresh, end),
        cmocka_unit_test_setup_teardown(test_some_cannot_take_it, fresh, end),
        cmocka_unit_test_setup_teardown(test_robots, fresh, end),
        cmocka_unit_test_setup_teardown(test_alias_to_elsewhere, fresh, end),
        cmocka_unit_test_setup_teardown(test_verdicts, fresh, end),
        cmocka_unit_test_setup_teardown(test_submission, fresh, end),
        cmocka_unit_test_setup_teardown(test_client_goes, fresh, end),
        cmocka_unit_test_setup_teardown(test_bounds, fresh, end),
        cmocka_unit_test_setup_teardown(test_abuse_is_told, fresh, end),
        cmocka_unit_test_setup_teardown(test_starttls_injection, fresh, end),
        cmocka_unit_test_setup_teardown(test_drain, fresh, end),
        cmocka_unit_test_setup_teardown(test_half_close, fresh, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
