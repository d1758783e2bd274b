/* The real posthorn-relay, started as the supervisor starts it. The test plays everybody around it: an edge,
 * directory, accounts, resolver, journal, the administrator, and a mail host on loopback that can be told to
 * misbehave.
 *
 * Shown: what was answered OK is delivered, also after kill -9 and after the line was cut at every octet
 * (THREATS 53, 62); line ends leave clean (12); injected text ends the session (13); nobody but our
 * submitters gets a notice (30); the DNS cannot lead inside (36) and its silence bounces nothing. argv[1]:
 * the program. */
#include "lib/test.h"

#include "base/mail_id.h"
#include "core/dns/dns_rr.h"
#include "ipc/chan.h"
#include "ipc/control.h"
#include "ipc/directory_relay.h"
#include "ipc/x_accounts.h"
#include "ipc/x_directory.h"
#include "ipc/x_intake.h"
#include "ipc/x_journal.h"
#include "ipc/x_judge.h"
#include "ipc/x_relay.h"
#include "ipc/x_resolver.h"
#include "policy/journal_event.h"
#include "sys/body.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/net.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define MX_CONNS    16

static const char *program;

struct mx_conn {
    struct world *w;
    int fd;
    struct loop_io io;
    struct buf in;
    bool data;
};

struct world {
    struct loop *loop;
    char folder[64];
    pid_t pid;
    struct chan *control, *edge, *admin, *directory, *accounts, *resolver, *journal, *reporter, *reports,
        *judge;
    const char *author; /* of From, as the judge says */
    bool ready;
    /* the mail host */
    int listener;
    struct loop_io listener_io;
    uint16_t port;
    struct mx_conn conns[MX_CONNS];
    unsigned connections, messages;
    size_t said, cut; /* octets said on all connections; the line is cut after `cut`, SIZE_MAX: never */
    const char *rcpt_reply, *behind_starttls;
    struct buf message; /* the last one, as it came */
    /* accounts */
    enum err account_says;
    unsigned delivered;
    struct buf delivered_text; /* prefix and body of the last */
    char delivered_to[128];
    /* resolver: what it says for MX and for A */
    enum err dns_says;
    slice mx_rdata, a_rdata;
    /* what was told, as text */
    struct buf told;
    /* the last answers */
    bool answered;
    enum err queued;
    char text[TEXT_MAX + 1], json[4096];
};

static void world_until(struct world *w, bool (*done)(const struct world *w))
{
    time_ms end = clock_mono() + PATIENCE_MS;
    while (!done(w)) {
        if (clock_mono() > end)
            fail_msg("nothing happens. Told so far: %.*s", SLICE_FMT(buf_view(&w->told)));
        loop_turn(w->loop, true);
    }
}

/* --- the mail host */

static void mx_close(struct mx_conn *c)
{
    if (c->fd < 0)
        return;
    loop_io_done(&c->io);
    fd_done(&c->fd);
    buf_done(&c->in);
}

static bool mx_say(struct mx_conn *c, const char *text)
{
    struct world *w = c->w;
    slice s = slice_str(text);
    bool whole = w->cut - w->said >= s.n;
    s = slice_sub(s, 0, w->cut - w->said);
    w->said += s.n;
    if (s.n)
        IGNORE_RESULT(fd_write_all(c->fd, s), "a client that is gone is the test's business");
    if (!whole)
        mx_close(c);
    return whole;
}

static bool mx_line(struct mx_conn *c, slice line)
{
    struct world *w = c->w;
    if (c->data) {
        buf_append(&w->message, line);
        buf_str(&w->message, "\r\n");
        if (!slice_eq(line, SLICE(".")))
            return true;
        c->data = false;
        w->messages++;
        return mx_say(c, "250 2.0.0 taken\r\n");
    }
    if (slice_starts(line, SLICE("EHLO")))
        return mx_say(c, w->behind_starttls ? "250-them.test\r\n250 STARTTLS\r\n"
                                            : "250-them.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
    if (slice_starts(line, SLICE("STARTTLS")))
        return mx_say(c, w->behind_starttls);
    if (slice_starts(line, SLICE("RCPT")))
        return mx_say(c, w->rcpt_reply);
    if (slice_starts(line, SLICE("DATA"))) {
        c->data = w->rcpt_reply[0] == '2';
        buf_clear(&w->message);
        return mx_say(c, c->data ? "354 go\r\n" : "503 no recipients\r\n");
    }
    return mx_say(c, "250 2.1.0 ok\r\n");
}

static void mx_ready(void *arg, unsigned ready)
{
    struct mx_conn *c = arg;
    uint8_t room[4096];
    size_t n;
    enum err e = net_read(c->fd, room, sizeof room, &n);
    (void)ready;
    if (e == ERR_AGAIN)
        return;
    if (e) {
        mx_close(c);
        return;
    }
    buf_append(&c->in, slice_of(room, n));
    for (;;) {
        slice in = buf_view(&c->in), line;
        size_t lf = slice_index(in, '\n');
        if (lf == in.n)
            return;
        assert_true(lf > 0 && in.p[lf - 1] == '\r'); /* THREATS 12: never a lone LF */
        line = slice_sub(in, 0, lf - 1);
        assert_false(slice_has(line, '\r'));
        if (!mx_line(c, line))
            return;
        buf_consume(&c->in, lf + 1);
    }
}

static void mx_accept(void *arg, unsigned ready)
{
    struct world *w = arg;
    struct ip ip;
    uint16_t port;
    (void)ready;
    for (size_t i = 0; i < MX_CONNS; i++) {
        struct mx_conn *c = &w->conns[i];
        if (c->fd >= 0 || net_accept(w->listener, &c->fd, &ip, &port))
            continue;
        w->connections++;
        c->data = false;
        buf_init(&c->in, 1 << 20);
        assert_int_equal(loop_io_init(w->loop, &c->io, c->fd, LOOP_READ, mx_ready, c), OK);
        (void)mx_say(c, "220 them.test\r\n");
        return;
    }
}

/* --- those whom relay asks */

static void directory_gets(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                           int *fds, size_t n_fds)
{
    const struct rcpt_ask *m = message;
    struct rcpt_target targets[2] = {
        {.kind = RCPT_LOCAL, .account = 5, .ticket = SLICE("ticket"), .address = m->address}};
    struct rcpt_answer a = {.targets = targets, .n_targets = 1};
    (void)arg, (void)type, (void)fds, (void)n_fds;
    if (slice_starts(m->address, SLICE("gone@")))
        a = (struct rcpt_answer){.err = ERR_NOT_FOUND, .text = SLICE("there is no such account")};
    if (slice_starts(m->address, SLICE("dmarc-reports@")))
        targets[0] = (struct rcpt_target){.kind = RCPT_REPORT, .address = m->address};
    if (slice_starts(m->address, SLICE("alias@"))) {
        targets[1] = (struct rcpt_target){.kind = RCPT_REMOTE, .address = SLICE("away@them.test")};
        a.n_targets = 2;
    }
    assert_int_equal(chan_reply(c, id, X_DIRECTORY_RCPT_ANSWER, &a, NULL, 0), OK);
}

static void accounts_gets(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                          int *fds, size_t n_fds)
{
    struct world *w = arg;
    const struct deliver *m = message;
    struct delivered a = {.err = (uint32_t)w->account_says, .text = SLICE("as the test wants")};
    struct body body;
    (void)type;
    assert_int_equal(n_fds, 1);
    assert_int_equal(body_map(fds[0], 1 << 20, &body), OK); /* it is sealed */
    buf_clear(&w->delivered_text);
    buf_append(&w->delivered_text, m->prefix);
    buf_append(&w->delivered_text, body_view(&body));
    body_unmap(&body);
    snprintf(w->delivered_to, sizeof w->delivered_to, "%.*s", SLICE_FMT(m->recipient));
    w->delivered += w->account_says == OK;
    assert_int_equal(chan_reply(c, id, X_ACCOUNTS_DELIVERED, &a, NULL, 0), OK);
}

static void reporter_gets(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                          int *fds, size_t n_fds)
{
    struct world *w = arg;
    const struct intake *m = message;
    struct intake_taken a = {.err = (uint32_t)w->account_says, .text = SLICE("this is no report")};
    struct body body;
    (void)type;
    assert_int_equal(n_fds, 1);
    assert_false(m->judged);
    assert_int_equal(body_map(fds[0], 1 << 20, &body), OK);
    buf_clear(&w->delivered_text);
    buf_append(&w->delivered_text, body_view(&body));
    body_unmap(&body);
    snprintf(w->delivered_to, sizeof w->delivered_to, "%.*s", SLICE_FMT(m->recipient));
    w->delivered += w->account_says == OK;
    assert_int_equal(chan_reply(c, id, X_INTAKE_TAKEN, &a, NULL, 0), OK);
}

static void judge_gets(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                       size_t n_fds)
{
    struct world *w = arg;
    const struct judge_rcpt sender = {.address = slice_str(w->author)};
    const struct judge_verdict a = {.action = JUDGE_ACCEPT, .senders = &sender, .n_senders = 1};
    (void)type, (void)message, (void)fds, (void)n_fds;
    assert_int_equal(chan_reply(c, id, X_JUDGE_VERDICT, &a, NULL, 0), OK);
}

static void resolver_gets(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                          int *fds, size_t n_fds)
{
    struct world *w = arg;
    const struct resolve *m = message;
    struct resolved_rr rr = {m->type == DNS_MX ? w->mx_rdata : w->a_rdata};
    struct resolved a = {
        .err = (uint32_t)w->dns_says, .ttl = 60, .canonical = m->name, .rrs = &rr, .n_rrs = rr.rdata.n > 0};
    (void)type, (void)fds, (void)n_fds;
    if (m->type == DNS_AAAA)
        a.n_rrs = 0;
    assert_int_equal(chan_reply(c, id, X_RESOLVER_RESOLVED, &a, NULL, 0), OK);
}

/* "relayed(b@them.test,250 2.0.0 taken) " and so on */
static void journal_gets(void *arg, struct chan *ch, uint16_t type, uint64_t id, const void *message,
                         int *fds, size_t n_fds)
{
    struct world *w = arg;
    struct cursor c = cursor_of(((const struct journal_events *)message)->events);
    struct journal_event e;
    (void)ch, (void)type, (void)id, (void)fds, (void)n_fds;
    while (!cursor_end(&c)) {
        assert_int_equal(journal_event_decode(&c, &e), OK);
        buf_print(&w->told, "%s(%.*s,", journal_kind_name(e.kind), SLICE_FMT(e.address));
        buf_append(&w->told, e.text);
        buf_str(&w->told, ") ");
    }
}

static void control_gets(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                         size_t n_fds)
{
    struct world *w = arg;
    (void)c, (void)id, (void)fds, (void)n_fds;
    if (type == CONTROL_FAILED)
        fail_msg("%.*s", SLICE_FMT(((const struct control_failed *)message)->text));
    w->ready |= type == CONTROL_READY;
}

static void nobody_gets(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                        size_t n_fds)
{
    (void)arg, (void)c, (void)type, (void)id, (void)message, (void)fds, (void)n_fds;
}

static void closes(void *arg, struct chan *c, enum err e)
{
    (void)arg, (void)c;
    assert_int_equal(e, ERR_CLOSED); /* the relay ended; it never breaks a rule */
}

/* --- starting and ending it */

static void world_setting(struct world *w, const char *name, const char *value)
{
    struct control_setting m = {slice_str(name), slice_str(value)};
    assert_int_equal(chan_send(w->control, CONTROL_SETTING, &m, NULL, 0), OK);
}

static struct chan *world_join(struct world *w, enum role peer, const struct ipc_channel *def, bool it_asks,
                               chan_message_fn gets)
{
    struct control_channel_end m = {(uint8_t)peer, 0, slice_str(def->name), it_asks};
    int pair[2];
    assert_int_equal(chan_pair(pair), OK);
    assert_int_equal(chan_send(w->control, CONTROL_CHANNEL, &m, &pair[1], 1), OK);
    fd_done(&pair[1]);
    return chan_new(w->loop, pair[0], def, it_asks ? IPC_B : IPC_A, gets, closes, w);
}

static bool is_ready(const struct world *w)
{
    return w->ready;
}

static void relay_begin(struct world *w, const char *hold)
{
    char name[] = "posthorn-relay", *argv[] = {name, NULL}, route[64];
    struct control_folder folder = {SLICE("data")};
    struct control_start start = {0};
    int pair[2], room CLEANUP(fd_done) = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chan_pair(pair), OK);
    w->ready = false;
    w->pid = fork();
    if (w->pid == 0) {
        if (pair[1] == 3)
            (void)fcntl(3, F_SETFD, 0);
        else
            (void)dup2(pair[1], 3);
        (void)execv(program, argv);
        _exit(111);
    }
    fd_done(&pair[1]);
    w->control = chan_new(w->loop, pair[0], &control_channel, IPC_A, control_gets, closes, w);
    world_setting(w, "hostname", "us.test");
    snprintf(route, sizeof route, "them.test 127.0.0.1:%u", w->port);
    world_setting(w, "route", route);
    if (hold)
        world_setting(w, "hold-remote", hold);
    assert_int_equal(chan_send(w->control, CONTROL_FOLDER, &folder, &room, 1), OK);
    w->edge = world_join(w, ROLE_EDGE, &x_relay_channel, false, nobody_gets);
    w->admin = world_join(w, ROLE_DIRECTORY, &directory_relay_channel, false, nobody_gets);
    w->directory = world_join(w, ROLE_DIRECTORY, &x_directory_channel, true, directory_gets);
    w->accounts = world_join(w, ROLE_ACCOUNTS, &x_accounts_channel, true, accounts_gets);
    w->reporter = world_join(w, ROLE_REPORTER, &x_intake_channel, true, reporter_gets);
    w->reports = world_join(w, ROLE_REPORTER, &x_relay_channel, false, nobody_gets);
    w->judge = world_join(w, ROLE_JUDGE, &x_judge_channel, true, judge_gets);
    w->resolver = world_join(w, ROLE_RESOLVER, &x_resolver_channel, true, resolver_gets);
    w->journal = world_join(w, ROLE_JOURNAL, &x_journal_channel, true, journal_gets);
    assert_int_equal(chan_send(w->control, CONTROL_START, &start, NULL, 0), OK);
    world_until(w, is_ready);
}

static void relay_end(struct world *w, int signum)
{
    int status;
    (void)kill(w->pid, signum);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    chan_free(w->control);
    chan_free(w->edge);
    chan_free(w->admin);
    chan_free(w->directory);
    chan_free(w->accounts);
    chan_free(w->reporter);
    chan_free(w->reports);
    chan_free(w->judge);
    chan_free(w->resolver);
    chan_free(w->journal);
    for (size_t i = 0; i < MX_CONNS; i++)
        mx_close(&w->conns[i]);
}

static void forget(struct world *w)
{
    w->connections = w->messages = w->delivered = 0;
    w->said = 0;
    w->cut = SIZE_MAX;
    w->rcpt_reply = "250 2.1.5 ok\r\n";
    w->behind_starttls = NULL;
    w->account_says = OK;
    w->dns_says = OK;
    w->mx_rdata = w->a_rdata = (slice){0};
    buf_clear(&w->told);
    buf_clear(&w->message);
}

static int begin(void **state)
{
    static struct world w;
    struct ip here;
    memset(&w, 0, sizeof w);
    w.loop = loop_new();
    buf_init(&w.told, 1 << 20);
    buf_init(&w.message, 1 << 20);
    buf_init(&w.delivered_text, 1 << 20);
    snprintf(w.folder, sizeof w.folder, "/tmp/posthorn-relay-XXXXXX");
    if (!mkdtemp(w.folder) || ip_parse(SLICE("127.0.0.1"), &here) || net_listen(&here, 0, &w.listener, NULL))
        return -1;
    w.port = net_port(w.listener);
    for (size_t i = 0; i < MX_CONNS; i++)
        w.conns[i] = (struct mx_conn){.w = &w, .fd = -1};
    if (loop_io_init(w.loop, &w.listener_io, w.listener, LOOP_READ, mx_accept, &w))
        return -1;
    forget(&w);
    relay_begin(&w, NULL);
    *state = &w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    char path[128];
    static const char *const files[] = {"queue.db", "queue.db-wal", "queue.db-journal"};
    relay_end(w, SIGKILL);
    loop_io_done(&w->listener_io);
    fd_done(&w->listener);
    loop_turn(w->loop, false);
    loop_free(w->loop);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", w->folder, files[i]);
        (void)unlink(path); /* some are not there */
    }
    rmdir(w->folder);
    buf_done(&w->told);
    buf_done(&w->message);
    buf_done(&w->delivered_text);
    return 0;
}

/* --- asking it */

static bool is_answered(const struct world *w)
{
    return w->answered;
}

static void queued(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct world *w = arg;
    const struct queued *m = message;
    (void)fds, (void)n_fds;
    w->queued = e ? e : err_from_wire(m->err);
    w->answered = true;
}

static enum err enqueue(struct world *w, uint64_t id, uint64_t account, const char *sender, const char *to,
                        bool local, const char *text)
{
    struct enqueue_rcpt rcpt = {.address = slice_str(to), .local = local};
    struct enqueue m = {.mail_id = id,
                        .account = account,
                        .reverse_path = slice_str(sender),
                        .prefix = SLICE("Received: here\r\n"),
                        .received_at = clock_unix(),
                        .rcpts = &rcpt,
                        .n_rcpts = 1};
    struct body_writer b;
    uint64_t n;
    int fd CLEANUP(fd_done) = -1;
    body_writer_init(&b, 1 << 20);
    assert_int_equal(body_append(&b, slice_str(text)), OK);
    assert_int_equal(body_seal(&b, &fd, &n), OK);
    body_writer_done(&b);
    w->answered = false;
    assert_int_equal(chan_call(w->edge, X_RELAY_ENQUEUE, &m, &fd, 1, clock_mono() + PATIENCE_MS, queued, w),
                     OK);
    world_until(w, is_answered);
    return w->queued;
}

static void admin_row(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct world *w = arg;
    const struct queue_row *m = message;
    (void)fds, (void)n_fds;
    w->queued = e ? e : err_from_wire(m->err);
    snprintf(w->text, sizeof w->text, "%.*s", e ? 0 : (int)m->text.n, e ? "" : (const char *)m->text.p);
    snprintf(w->json, sizeof w->json, "%.*s", e ? 0 : (int)m->json.n, e ? "" : (const char *)m->json.p);
    w->answered = true;
}

static enum err admin(struct world *w, const char *verb, uint64_t id)
{
    char text[MAIL_ID_TEXT + 1] = "";
    struct queue_call m = {.verb = slice_str(verb)};
    if (id)
        mail_id_print(id, text);
    m.id = slice_str(text);
    w->answered = false;
    assert_int_equal(
        chan_call(w->admin, DIRECTORY_RELAY_CALL, &m, NULL, 0, clock_mono() + PATIENCE_MS, admin_row, w), OK);
    world_until(w, is_answered);
    return w->queued;
}

static bool was_told(const struct world *w, const char *what)
{
    return slice_find(buf_view(&w->told), slice_str(what)) < w->told.n;
}

static bool told_sent(const struct world *w)
{
    return was_told(w, "relayed(");
}
static bool told_deferred(const struct world *w)
{
    return was_told(w, "deferred(");
}
static bool told_bounced(const struct world *w)
{
    return was_told(w, "bounced(");
}
static bool told_held(const struct world *w)
{
    return was_told(w, "held(");
}
static bool is_delivered(const struct world *w)
{
    return w->delivered > 0;
}

/* Until nothing is in the queue any more (what is done is written a moment later). */
static void empty(struct world *w)
{
    time_ms stop = clock_mono() + PATIENCE_MS;
    do {
        assert_int_equal(admin(w, "list", 0), OK);
        if (clock_mono() > stop)
            fail_msg("still in the queue: %s", w->json);
    } while (w->json[0]);
}

static void assert_told(const struct world *w, const char *what)
{
    if (!was_told(w, what))
        fail_msg("not told: %s; but: %.*s", what, SLICE_FMT(buf_view(&w->told)));
}

/* Waits out the moment in which a finished attempt is being written. */
static void retry(struct world *w, uint64_t id)
{
    while (admin(w, "retry", id) == ERR_BUSY)
        ;
    assert_int_equal(w->queued, OK);
}

/* --- the tests */

static void mail_goes_out_once_and_clean(void **state)
{
    struct world *w = *state;
    forget(w);
    assert_int_equal(
        enqueue(w, 101, 0, "a@us.test", "b@them.test", false, "Subject: x\r\n\r\n.dot\nbare\r.\r\n"), OK);
    world_until(w, told_sent);
    assert_told(w, "relayed(b@them.test,250 2.0.0 taken)");
    assert_slice(buf_view(&w->message), "Received: here\r\nSubject: x\r\n\r\n..dot\r\nbare\r\n..\r\n.\r\n");
    empty(w);
    assert_int_equal(w->messages, 1);
    assert_int_equal(enqueue(w, 102, 0, "a@us.test", "b@them.test", false, "again"), OK);
    empty(w);
    assert_int_equal(w->messages, 2);
    assert_int_equal(w->connections, 1); /* the same one */
}

static void what_was_answered_survives_kill_9(void **state)
{
    struct world *w = *state;
    forget(w);
    w->cut = 0; /* the mail host hangs up at once */
    for (uint64_t id = 201; id <= 210; id++)
        assert_int_equal(enqueue(w, id, 0, "a@us.test", "b@them.test", false, "kept"), OK);
    relay_end(w, SIGKILL);
    forget(w);
    relay_begin(w, NULL);
    assert_int_equal(admin(w, "retry", 0), OK);
    for (int i = 0; w->messages < 10; i++) { /* those the dead one had put off are due later: ask again */
        assert_true(i < 10000);
        assert_int_equal(admin(w, "retry", 0), OK);
    }
    empty(w);
    assert_int_equal(w->messages, 10);
    assert_int_equal(enqueue(w, 205, 0, "a@us.test", "b@them.test", false, "kept"), OK); /* done: a new one */
    empty(w);
}

static void an_id_that_is_there_is_not_taken_twice(void **state)
{
    struct world *w = *state;
    enum err e;
    forget(w);
    w->rcpt_reply = "451 4.7.1 later\r\n";
    assert_int_equal(enqueue(w, 301, 0, "a@us.test", "b@them.test", false, "one"), OK);
    world_until(w, told_deferred);
    w->rcpt_reply = "250 ok\r\n";
    do
        e = enqueue(w, 301, 0, "a@us.test", "b@them.test", false, "one");
    while (e == ERR_BUSY); /* while the first attempt is being written */
    assert_int_equal(e, OK);
    retry(w, 301);
    world_until(w, told_sent);
    empty(w);
    assert_int_equal(w->messages, 1);
}

/* The mail host's line is cut after each octet of what it says: nothing is lost, and there is a second copy
 * only when the host had the message and could not say so (RFC 1047). */
static void a_line_cut_anywhere_loses_nothing(void **state)
{
    struct world *w = *state;
    size_t whole;
    forget(w);
    relay_end(w, SIGKILL); /* a fresh process: no connection is open */
    relay_begin(w, NULL);
    assert_int_equal(enqueue(w, 400, 0, "a@us.test", "b@them.test", false, "x"), OK);
    world_until(w, told_sent);
    whole = w->said;
    empty(w); /* that it is done is written */
    for (size_t cut = 0; cut < whole; cut++) {
        unsigned first;
        for (size_t i = 0; i < MX_CONNS; i++)
            mx_close(&w->conns[i]); /* so that the next message begins a connection */
        forget(w);
        w->cut = cut;
        assert_int_equal(enqueue(w, 401 + cut, 0, "a@us.test", "b@them.test", false, "x"), OK);
        world_until(w, told_deferred);
        first = w->messages;
        assert_true(first <= 1);
        assert_true(first == 0 || cut >= whole - strlen("250 2.0.0 taken\r\n"));
        w->cut = SIZE_MAX;
        retry(w, 401 + cut);
        world_until(w, told_sent);
        empty(w);
        assert_int_equal(w->messages, first + 1);
        assert_false(told_bounced(w));
    }
}

static void text_behind_starttls_is_never_believed(void **state)
{
    struct world *w = *state;
    forget(w);
    relay_end(w, SIGKILL);
    relay_begin(w, NULL);
    w->behind_starttls = "220 go\r\n250 injected\r\n";
    assert_int_equal(enqueue(w, 501, 0, "a@us.test", "b@them.test", false, "x"), OK);
    world_until(w, told_deferred);
    assert_told(w, "text came behind the reply to STARTTLS");
    assert_int_equal(w->messages, 0);
    forget(w);
    retry(w, 501);
    empty(w);
    assert_int_equal(w->messages, 1);
}

static void only_our_submitters_get_a_notice(void **state)
{
    struct world *w = *state;
    forget(w);
    w->rcpt_reply = "550-5.1.1 no\ttype: mda\r\n550 such <user>\r\n";
    assert_int_equal(
        enqueue(w, 601, 9, "a@us.test", "b@them.test", false, "Subject: secret plans\r\n\r\ntext of mine"),
        OK);
    world_until(w, is_delivered);
    assert_told(w, "bounced(b@them.test,550-5.1.1 no\ttype: mda\n550 such <user>)");
    assert_told(w, "notice_sent(a@us.test,");
    assert_string_equal(w->delivered_to, "a@us.test");
    assert_true(slice_starts(buf_view(&w->delivered_text), SLICE("Return-Path: <>\r\n")));
    assert_true(slice_find(buf_view(&w->delivered_text), SLICE("Final-Recipient: rfc822; b@them.test")) <
                w->delivered_text.n);
    assert_true(slice_find(buf_view(&w->delivered_text), SLICE("text of mine")) == w->delivered_text.n);
    empty(w);
    forget(w); /* a stranger's mail that we forwarded: kept and told to the administrator, to nobody else */
    w->rcpt_reply = "550 no\r\n";
    assert_int_equal(enqueue(w, 602, 0, "stranger@far.test", "b@them.test", false, "x"), OK);
    world_until(w, told_held);
    assert_false(was_told(w, "notice_sent("));
    assert_int_equal(w->delivered, 0);
    while (admin(w, "show", 602) == OK && !strstr(w->json, "\"state\":\"failed\""))
        ;
    assert_true(strstr(w->json, "it cannot be delivered: 550 no"));
    while (admin(w, "drop", 602) == ERR_BUSY)
        ;
    forget(w); /* a null sender is never answered */
    w->rcpt_reply = "550 no\r\n";
    assert_int_equal(enqueue(w, 603, 9, "", "b@them.test", false, "x"), OK);
    world_until(w, told_bounced);
    empty(w);
    assert_false(was_told(w, "notice_sent("));
    assert_int_equal(w->delivered, 0);
}

static void our_own_trouble_bounces_nothing(void **state)
{
    struct world *w = *state;
    static const enum err temporary[] = {ERR_DNS, ERR_DNS_BOGUS, ERR_TIMEOUT, ERR_BUSY};
    for (size_t i = 0; i < ARRAY_LEN(temporary); i++) {
        forget(w);
        w->dns_says = temporary[i];
        assert_int_equal(enqueue(w, 701 + i, 9, "a@us.test", "b@far.test", false, "x"), OK);
        world_until(w, told_deferred);
        assert_false(told_bounced(w));
        assert_int_equal(w->delivered, 0);
        while (admin(w, "drop", 701 + i) == ERR_BUSY)
            ;
    }
    forget(w);
    w->account_says = ERR_BUSY;
    assert_int_equal(enqueue(w, 710, 9, "a@us.test", "c@us.test", true, "x"), OK);
    world_until(w, told_deferred);
    assert_false(told_bounced(w));
    w->account_says = OK;
    retry(w, 710);
    world_until(w, is_delivered);
    assert_string_equal(w->delivered_to, "c@us.test");
    empty(w);
}

static void the_dns_says_no(void **state)
{
    struct world *w = *state;
    static const struct {
        enum err err;
        slice mx, a;
        const char *told;
    } cases[] = {
        {ERR_NOT_FOUND, SLICE_INIT(""), SLICE_INIT(""), "the domain does not exist"},
        {OK, SLICE_INIT("\0\0\0"), SLICE_INIT(""), "takes no mail"},
        {OK, SLICE_INIT(""), SLICE_INIT(""), "no mail host and no address"},
        {OK, SLICE_INIT("\0\x0a\x02us\x04test\0"), SLICE_INIT("\x7f\0\0\x01"),
         "its best mail host is this server"},
        {OK,
         SLICE_INIT("\0\x0a\x02mx\x03"
                    "far\x04test\0"),
         SLICE_INIT("\x7f\0\0\x01"), "inside a private network"},
        {OK, SLICE_INIT(""), SLICE_INIT("\x0a\0\0\x01"), "inside a private network"},
        {OK,
         SLICE_INIT("\0\x0a\x03"
                    "a b\0"),
         SLICE_INIT("\x7f\0\0\x01"), "name no usable host"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        forget(w);
        w->dns_says = cases[i].err;
        w->mx_rdata = cases[i].mx;
        w->a_rdata = cases[i].a;
        assert_int_equal(enqueue(w, 801 + i, 9, "a@us.test", "b@far.test", false, "x"), OK);
        world_until(w, told_bounced);
        assert_told(w, cases[i].told);
        world_until(w, is_delivered); /* the notice */
        empty(w);
        assert_int_equal(w->connections, 0);
    }
    forget(w);
    assert_int_equal(enqueue(w, 820, 9, "a@us.test", "b@[127.0.0.1]", false, "x"), OK);
    world_until(w, told_bounced);
    assert_int_equal(w->connections, 0);
    empty(w);
}

static void local_recipients_and_aliases(void **state)
{
    struct world *w = *state;
    forget(w);
    assert_int_equal(enqueue(w, 901, 9, "a@us.test", "alias@us.test", true, "Subject: x\r\n\r\nhello\r\n"),
                     OK);
    world_until(w, told_sent);
    assert_int_equal(w->delivered, 1);
    assert_slice(buf_view(&w->delivered_text), "Return-Path: <a@us.test>\r\nDelivered-To: alias@us.test\r\n"
                                               "Received: here\r\nSubject: x\r\n\r\nhello\r\n");
    assert_told(w, "relayed(away@them.test,");
    empty(w);
    assert_int_equal(w->messages, 1);
    forget(w);
    assert_int_equal(enqueue(w, 902, 9, "a@us.test", "gone@us.test", true, "x"), OK);
    world_until(w, told_bounced);
    assert_told(w, "there is no such account");
    world_until(w, is_delivered);
    assert_string_equal(w->delivered_to, "a@us.test"); /* the notice */
    empty(w);
}

/* A report that was submitted: the robot gets the bare message; its no is told to who submitted it. */
static void robots_get_theirs(void **state)
{
    struct world *w = *state;
    forget(w);
    assert_int_equal(
        enqueue(w, 951, 9, "a@us.test", "dmarc-reports@us.test", true, "Subject: x\r\n\r\nhello\r\n"), OK);
    world_until(w, is_delivered);
    assert_string_equal(w->delivered_to, "dmarc-reports@us.test");
    assert_slice(buf_view(&w->delivered_text), "Subject: x\r\n\r\nhello\r\n");
    empty(w);
    forget(w);
    w->account_says = ERR_SYNTAX;
    assert_int_equal(enqueue(w, 952, 0, "a@far.test", "dmarc-reports@us.test", true, "x"), OK);
    world_until(w, told_bounced);
    assert_told(w, "this is no report");
    w->account_says = OK;
    while (admin(w, "drop", 952) == ERR_BUSY) /* it came from outside: kept to be looked at, nobody is told */
        ;
    empty(w);
}

static void nonsense_from_an_edge_is_refused(void **state)
{
    struct world *w = *state;
    forget(w);
    assert_int_equal(enqueue(w, 0, 0, "a@us.test", "b@them.test", false, "x"), ERR_SYNTAX);
    assert_int_equal(enqueue(w, 1001, 0, "a@us.test", "b@them.test>\r\nDATA", false, "x"), ERR_SYNTAX);
    assert_int_equal(enqueue(w, 1001, 0, "a\r\n@us.test", "b@them.test", false, "x"), ERR_SYNTAX);
    assert_int_equal(enqueue(w, 1001, 0, "a@us.test", "", false, "x"), ERR_SYNTAX);
    empty(w);
}

static enum err report(struct world *w, uint64_t id, const struct enqueue *in, const char *author)
{
    struct enqueue m = *in;
    struct body_writer b;
    uint64_t n;
    int fd CLEANUP(fd_done) = -1;
    m.mail_id = id;
    m.received_at = clock_unix();
    body_writer_init(&b, 1 << 20);
    assert_int_equal(body_append(&b, SLICE("From: x\r\n\r\nreport\r\n")), OK);
    assert_int_equal(body_seal(&b, &fd, &n), OK);
    body_writer_done(&b);
    w->author = author;
    w->answered = false;
    assert_int_equal(
        chan_call(w->reports, X_RELAY_ENQUEUE, &m, &fd, 1, clock_mono() + PATIENCE_MS, queued, w), OK);
    world_until(w, is_answered);
    return w->queued;
}

/* Reporter reads strangers' reports. Whoever takes it over by one of them can send reports, and nothing else
 * (THREATS 51). */
static void reporter_sends_reports_and_nothing_else(void **state)
{
    struct enqueue_rcpt to[17];
    static const struct enqueue_rcpt ours = {.address = SLICE_INIT("alice@us.test"), .local = true};
    static const char robot[] = "dmarc-reports@us.test";
    struct world *w = *state;
    const struct enqueue good = {.rcpts = to, .n_rcpts = 1};
    struct enqueue bad;
    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        to[i] = (struct enqueue_rcpt){.address = SLICE("y@them.test")};
    forget(w);
    assert_int_equal(report(w, 1201, &good, robot), OK);
    assert_int_equal(report(w, 1202, &good, "ceo@us.test"), ERR_DENIED);
    assert_int_equal(report(w, 1203, &good, "dmarc-reports.ceo@us.test"), ERR_DENIED);
    bad = good;
    bad.reverse_path = SLICE("ceo@us.test");
    assert_int_equal(report(w, 1204, &bad, robot), ERR_DENIED);
    bad.reverse_path = slice_str(robot);
    assert_int_equal(report(w, 1205, &bad, robot), OK);
    bad.account = 1;
    assert_int_equal(report(w, 1206, &bad, robot), ERR_DENIED);
    bad = good;
    bad.prefix = SLICE("From: ceo@us.test\r\n");
    assert_int_equal(report(w, 1207, &bad, robot), ERR_DENIED);
    bad = good;
    bad.rcpts = &ours;
    assert_int_equal(report(w, 1208, &bad, robot), ERR_DENIED);
    bad = good;
    bad.n_rcpts = 17;
    assert_int_equal(report(w, 1209, &bad, robot), ERR_DENIED);
}

static void held_mail_stays_here(void **state)
{
    struct world *w = *state;
    relay_end(w, SIGKILL);
    forget(w);
    relay_begin(w, "this is a demonstration");
    assert_int_equal(enqueue(w, 1101, 9, "a@us.test", "b@them.test", false, "x"), OK);
    world_until(w, told_held);
    assert_told(w, "held(b@them.test,this is a demonstration)");
    assert_int_equal(admin(w, "retry", 1101), ERR_STATE);
    buf_clear(&w->told);
    assert_int_equal(admin(w, "release", 1101), OK);
    world_until(w, told_held); /* again: the rule still holds */
    assert_int_equal(w->connections, 0);
    for (int i = 0; !strstr(w->json, "\"reason\":\"this is a demonstration\""); i++) {
        assert_true(i < 10000);
        assert_int_equal(admin(w, "show", 1101), OK);
    }
    while (admin(w, "drop", 1101) == ERR_BUSY)
        ;
    assert_int_equal(w->queued, OK);
    assert_int_equal(admin(w, "show", 1101), ERR_NOT_FOUND);
    relay_end(w, SIGKILL);
    forget(w);
    relay_begin(w, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_goes_out_once_and_clean),
        cmocka_unit_test(what_was_answered_survives_kill_9),
        cmocka_unit_test(an_id_that_is_there_is_not_taken_twice),
        cmocka_unit_test(a_line_cut_anywhere_loses_nothing),
        cmocka_unit_test(text_behind_starttls_is_never_believed),
        cmocka_unit_test(only_our_submitters_get_a_notice),
        cmocka_unit_test(our_own_trouble_bounces_nothing),
        cmocka_unit_test(the_dns_says_no),
        cmocka_unit_test(local_recipients_and_aliases),
        cmocka_unit_test(robots_get_theirs),
        cmocka_unit_test(nonsense_from_an_edge_is_refused),
        cmocka_unit_test(reporter_sends_reports_and_nothing_else),
        cmocka_unit_test(held_mail_stays_here),
    };
    must(argc == 2);
    program = argv[1];
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
    return cmocka_run_group_tests(tests, begin, end);
}
