/* The real posthorn-directory, started as the supervisor starts it, asked over its channels: recipients,
 * logins, senders, tickets, changes (THREATS 29, 31, 32, 33, 38). argv[1]: the program. */
#include "lib/test.h"

#include "base/ip.h"
#include "core/sasl/scram.h"
#include "ipc/chan.h"
#include "ipc/control.h"
#include "ipc/directory_accounts.h"
#include "ipc/directory_doctor.h"
#include "ipc/ticket.h"
#include "ipc/tool_directory.h"
#include "ipc/x_directory.h"
#include "ipc/x_settings.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS       20000
#define EPOCH    77
#define PASSWORD "correct horse"

static const char *program;

struct house {
    char folder[64];
    pid_t pid;
    int control, edges[2], accounts, caller, doctor, judge;
    uint64_t next_id;
    uint8_t *bytes;
    struct arena a; /* what came last lives here */
};

static const struct ticket_key key = {{0x01, 0x23, 0xab}};

/* ---- talking */

static void send_to(int fd, const struct ipc_channel *def, uint16_t type, uint64_t id, const void *m,
                    int extra)
{
    assert_int_equal(chan_write_wait(fd, def, type, id, m, &extra, extra >= 0 ? 1 : 0), OK);
}

/* The next message; its type. */
static uint16_t take(struct house *h, int fd, const struct ipc_channel *def, uint64_t *out_id, void **out)
{
    const struct ipc_message *row;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    enum err e = chan_read_wait(fd, def, IPC_A, MS, h->bytes, &h->a, &row, out_id, out, fds, &n);
    if (e != OK)
        fail_msg("%s: %s", def->name, err_name(e));
    assert_int_equal(n, 0);
    return row->type;
}

static const void *ask_edge(struct house *h, unsigned edge, uint16_t type, const void *m)
{
    uint64_t id = ++h->next_id, got;
    void *answer;
    arena_reset(&h->a);
    send_to(h->edges[edge], &x_directory_channel, type, id, m, -1);
    assert_int_equal(take(h, h->edges[edge], &x_directory_channel, &got, &answer), type + 1);
    assert_int_equal(got, id);
    return answer;
}

static enum err admin(struct house *h, const char *verb, const char *a, const char *b, slice secret)
{
    struct admin_arg args[2] = {{slice_str(a)}, {slice_str(b)}};
    struct admin_call m = {slice_str(verb), args, b ? 2 : 1, secret};
    uint64_t id;
    void *answer;
    arena_reset(&h->a);
    send_to(h->caller, &tool_directory_channel, TOOL_DIRECTORY_CALL, 0, &m, -1);
    while (take(h, h->caller, &tool_directory_channel, &id, &answer) == TOOL_DIRECTORY_ROW)
        ;
    return err_from_wire(((const struct admin_done *)answer)->err);
}

static void add_account(struct house *h, const char *address)
{
    static const uint8_t salt[SCRAM_SALT_SIZE] = {9};
    struct buf verifier CLEANUP(buf_done) = {.max = SCRAM_VERIFIER_TEXT_MAX};
    struct scram_verifier v;
    assert_int_equal(scram_verifier_make(SLICE(PASSWORD), salt, &v), OK);
    assert_int_equal(scram_verifier_print(&v, &verifier), OK);
    assert_int_equal(admin(h, "account add", address, NULL, buf_view(&verifier)), OK);
}

/* ---- starting */

static void hand_channel(struct house *h, enum role peer, unsigned index, const struct ipc_channel *def,
                         int *out)
{
    struct control_channel_end m = {(uint8_t)peer, (uint8_t)index, slice_str(def->name), false};
    int pair[2];
    assert_int_equal(chan_pair(pair), OK);
    send_to(h->control, &control_channel, CONTROL_CHANNEL, 0, &m, pair[1]);
    fd_done(&pair[1]);
    *out = pair[0];
}

/* The channel on which directory asks. */
static void hand_doctor(struct house *h)
{
    struct control_channel_end m = {ROLE_DOCTOR, 0, slice_str(directory_doctor_channel.name), true};
    int pair[2];
    assert_int_equal(chan_pair(pair), OK);
    send_to(h->control, &control_channel, CONTROL_CHANNEL, 0, &m, pair[1]);
    fd_done(&pair[1]);
    h->doctor = pair[0];
}

static void boot(struct house *h)
{
    struct control_setting setting = {
        SLICE("ticket-key"), SLICE("0123ab0000000000000000000000000000000000000000000000000000000000")};
    struct control_folder folder = {SLICE("data")};
    struct control_file file = {SLICE("control-caller")};
    struct control_start start = {0};
    int room CLEANUP(fd_done) = open(h->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), pair[2];
    uint64_t id;
    void *m;
    send_to(h->control, &control_channel, CONTROL_SETTING, 0, &setting, -1);
    send_to(h->control, &control_channel, CONTROL_FOLDER, 0, &folder, room);
    assert_int_equal(chan_pair(pair), OK);
    send_to(h->control, &control_channel, CONTROL_FILE, 0, &file, pair[1]);
    fd_done(&pair[1]);
    h->caller = pair[0];
    hand_channel(h, ROLE_EDGE, 0, &x_directory_channel, &h->edges[0]);
    hand_channel(h, ROLE_EDGE, 1, &x_directory_channel, &h->edges[1]);
    hand_channel(h, ROLE_ACCOUNTS, 0, &directory_accounts_channel, &h->accounts);
    hand_channel(h, ROLE_JUDGE, 0, &x_settings_channel, &h->judge);
    hand_doctor(h);
    send_to(h->control, &control_channel, CONTROL_START, 0, &start, -1);
    assert_int_equal(take(h, h->control, &control_channel, &id, &m), CONTROL_READY);
}

static int begin(void **state)
{
    static struct house h;
    char name[] = "posthorn-directory", *argv[] = {name, NULL};
    int pair[2];
    memset(&h, 0, sizeof h);
    snprintf(h.folder, sizeof h.folder, "/tmp/posthorn-house-XXXXXX");
    if (!mkdtemp(h.folder) || chan_pair(pair) != OK)
        return -1;
    h.bytes = malloc(IPC_BYTES_MAX);
    must(h.bytes);
    arena_init(&h.a, "answers", 1 << 22);
    h.pid = fork();
    if (h.pid == 0) {
        if (pair[1] == 3)
            (void)fcntl(3, F_SETFD, 0);
        else
            (void)dup2(pair[1], 3);
        (void)execv(program, argv);
        _exit(111);
    }
    fd_done(&pair[1]);
    h.control = pair[0];
    boot(&h);
    assert_int_equal(admin(&h, "domain add", "demo.test", NULL, (slice){0}), OK);
    add_account(&h, "alice@demo.test");
    add_account(&h, "bob@demo.test");
    *state = &h;
    return 0;
}

static void tell_epoch(struct house *h)
{
    struct broker_epoch m = {EPOCH};
    struct account_info_ask ask = {1};
    uint64_t id;
    void *answer;
    send_to(h->accounts, &directory_accounts_channel, DIRECTORY_ACCOUNTS_EPOCH, 0, &m, -1);
    /* an answer on the same channel says that the epoch has been read */
    send_to(h->accounts, &directory_accounts_channel, DIRECTORY_ACCOUNTS_INFO_ASK, 5, &ask, -1);
    assert_int_equal(take(h, h->accounts, &directory_accounts_channel, &id, &answer),
                     DIRECTORY_ACCOUNTS_INFO);
    assert_slice(((const struct account_info *)answer)->address, "alice@demo.test");
}

static int end(void **state)
{
    struct house *h = *state;
    char path[128];
    int status = 0;
    fd_done(&h->control); /* the supervisor is gone: so goes the role */
    assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
    for (int i = 0; i < 2; i++)
        fd_done(&h->edges[i]);
    fd_done(&h->accounts);
    fd_done(&h->caller);
    fd_done(&h->doctor);
    fd_done(&h->judge);
    arena_done(&h->a);
    free(h->bytes);
    snprintf(path, sizeof path, "%s/directory.db-wal", h->folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/directory.db", h->folder);
    unlink(path);
    rmdir(h->folder);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- recipients and senders */

static const struct rcpt_answer *rcpt(struct house *h, const char *address, uint64_t sender)
{
    struct rcpt_ask m = {.address = slice_str(address), .sender_account = sender};
    return ask_edge(h, 0, X_DIRECTORY_RCPT_ASK, &m);
}

static void recipients(void **state)
{
    struct house *h = *state;
    const struct rcpt_answer *a = rcpt(h, "alice@demo.test", 0);
    struct ticket t;
    assert_int_equal(a->err, ERR_BUSY); /* no ticket while accounts is not there */
    tell_epoch(h);
    a = rcpt(h, "Alice+x@demo.test", 0);
    assert_int_equal(a->err, OK);
    assert_int_equal(a->n_targets, 1);
    assert_slice(a->targets[0].address, "alice@demo.test");
    assert_slice(a->targets[0].detail, "x");
    assert_int_equal(ticket_verify(a->targets[0].ticket, &key, TICKET_DELIVER, EPOCH, clock_mono(), &t), OK);
    assert_int_equal(t.account, a->targets[0].account);
    assert_int_equal(ticket_verify(a->targets[0].ticket, &key, TICKET_IMAP, EPOCH, clock_mono(), &t),
                     ERR_DENIED);
    assert_int_equal(rcpt(h, "carol@demo.test", 0)->err, ERR_NOT_FOUND);
    assert_int_equal(rcpt(h, "x@foreign.test", 0)->err, ERR_DENIED);
    a = rcpt(h, "x@foreign.test", 1);
    assert_int_equal(a->err, OK);
    assert_int_equal(a->targets[0].kind, RCPT_REMOTE);
    /* a change counts with the next question */
    assert_int_equal(admin(h, "alias add", "carol@demo.test", "bob@demo.test", (slice){0}), OK);
    a = rcpt(h, "carol@demo.test", 0);
    assert_int_equal(a->err, OK);
    assert_slice(a->targets[0].address, "bob@demo.test");
}

/* Every domain of ours has addresses that robots read; names made by the administrator win, but not over the
 * probe's. */
static void robots(void **state)
{
    struct house *h = *state;
    const struct rcpt_answer *a = rcpt(h, "DMARC-Reports+a@demo.test", 0);
    assert_int_equal(a->err, OK);
    assert_int_equal(a->n_targets, 1);
    assert_int_equal(a->targets[0].kind, RCPT_REPORT);
    assert_slice(a->targets[0].address, "dmarc-reports@demo.test");
    assert_int_equal(a->targets[0].ticket.n, 0);
    assert_int_equal(rcpt(h, "tls-reports@demo.test", 1)->targets[0].kind, RCPT_REPORT);
    assert_int_equal(rcpt(h, "posthorn-probe@demo.test", 0)->targets[0].kind, RCPT_PROBE);
    assert_int_equal(rcpt(h, "dmarc-reports@foreign.test", 0)->err, ERR_DENIED);
    assert_int_equal(admin(h, "account add", "posthorn-probe@demo.test", NULL, (slice){0}), ERR_DENIED);
    assert_int_equal(admin(h, "alias add", "Posthorn-Probe@demo.test", "bob@demo.test", (slice){0}),
                     ERR_DENIED);
    assert_int_equal(admin(h, "alias add", "tls-reports@demo.test", "bob@demo.test", (slice){0}), OK);
    tell_epoch(h);
    a = rcpt(h, "tls-reports@demo.test", 0);
    assert_int_equal(a->targets[0].kind, RCPT_LOCAL);
    assert_slice(a->targets[0].address, "bob@demo.test");
    assert_int_equal(admin(h, "alias add", "dmarc@demo.test", "dmarc-reports@demo.test", (slice){0}), OK);
    assert_int_equal(rcpt(h, "dmarc@demo.test", 0)->targets[0].kind, RCPT_REPORT);
}

static void senders(void **state)
{
    struct house *h = *state;
    const struct sender_item mine[] = {{SLICE("alice@demo.test")}, {SLICE("Alice+y@Demo.test")}};
    const struct sender_item both[] = {{SLICE("alice@demo.test")}, {SLICE("bob@demo.test")}};
    struct sender_ask m = {1, mine, 2};
    const struct sender_answer *a = ask_edge(h, 0, X_DIRECTORY_SENDER_ASK, &m);
    assert_int_equal(a->err, OK);
    m.addresses = both;
    a = ask_edge(h, 0, X_DIRECTORY_SENDER_ASK, &m);
    assert_int_equal(a->err, ERR_DENIED);
    assert_slice(a->address, "bob@demo.test");
}

/* ---- logins */

struct attempt {
    enum err start, finish, server; /* server: does it know the password, too? */
    char first[512], text[256];
    uint64_t account, handle;
    uint32_t wait_ms;
    bool has_ticket;
    struct ticket ticket;
    struct scram_client client;
    uint8_t final[1024];
    size_t final_n;
};

/* The first half: after it at->final is what the client would send. */
static void login_start(struct house *h, struct attempt *at, const char *name, const char *password,
                        const char *ip_text, enum service service)
{
    static uint8_t random[SCRAM_RANDOM_SIZE];
    struct buf b CLEANUP(buf_done) = {.max = 2048};
    struct ip ip;
    struct auth_start m = {.service = (uint8_t)service, .tls = true};
    const struct auth_challenge *c;
    uint8_t nonce[SCRAM_NONCE_SIZE], salted[SCRAM_KEY_SIZE];
    memset(at, 0, sizeof *at);
    random[0]++;
    scram_nonce(random, nonce);
    scram_client_init(&at->client);
    assert_int_equal(scram_client_first(&at->client, slice_str(name), slice_of(nonce, sizeof nonce), &b), OK);
    assert_int_equal(ip_parse(slice_str(ip_text), &ip), OK);
    m.client_first = buf_view(&b);
    m.client_ip = ip_slice(&ip);
    c = ask_edge(h, 0, X_DIRECTORY_AUTH_START, &m);
    at->start = err_from_wire(c->err);
    snprintf(at->text, sizeof at->text, "%.*s", SLICE_FMT(c->text));
    if (at->start != OK)
        return;
    at->handle = c->handle;
    snprintf(at->first, sizeof at->first, "%.*s", SLICE_FMT(c->server_first));
    assert_int_equal(scram_client_challenge(&at->client, c->server_first), OK);
    scram_salted_password(slice_str(password), slice_of(at->client.salt, at->client.salt_n),
                          at->client.iterations, salted);
    buf_clear(&b);
    assert_int_equal(scram_client_proof(&at->client, salted, &b), OK);
    memcpy(at->final, b.p, b.n);
    at->final_n = b.n;
}

static void login_finish(struct house *h, struct attempt *at, unsigned edge)
{
    struct auth_finish m = {at->handle, slice_of(at->final, at->final_n)};
    const struct auth_result *r = ask_edge(h, edge, X_DIRECTORY_AUTH_FINISH, &m);
    at->finish = err_from_wire(r->err);
    at->account = r->account;
    at->wait_ms = r->wait_ms;
    snprintf(at->text, sizeof at->text, "%.*s", SLICE_FMT(r->text));
    if (at->finish == OK)
        at->server = scram_client_verify(&at->client, r->server_final);
    at->has_ticket = r->ticket.n > 0;
    if (at->has_ticket)
        assert_int_equal(ticket_verify(r->ticket, &key, TICKET_IMAP, EPOCH, clock_mono(), &at->ticket), OK);
}

static struct attempt login(struct house *h, const char *name, const char *password, const char *ip)
{
    static struct attempt at;
    login_start(h, &at, name, password, ip, SERVICE_IMAPS);
    if (at.start == OK)
        login_finish(h, &at, 0);
    return at;
}

static void logins(void **state)
{
    struct house *h = *state;
    struct attempt at;
    tell_epoch(h);
    at = login(h, "alice@demo.test", PASSWORD, "192.0.2.1");
    assert_int_equal(at.finish, OK);
    assert_int_equal(at.server, OK);
    assert_int_equal(at.account, 1);
    assert_true(at.has_ticket && at.ticket.account == 1);
    at = login(h, "BOB@demo.test", PASSWORD, "192.0.2.1");
    assert_int_equal(at.finish, OK);
    assert_int_equal(at.account, 2);
    login_start(h, &at, "alice@demo.test", PASSWORD, "192.0.2.1", SERVICE_SUBMISSION);
    login_finish(h, &at, 0);
    assert_int_equal(at.finish, OK);
    assert_false(at.has_ticket); /* sending opens no account */
}

/* A name that is not there is told from a wrong password by nothing. */
static void unknown_names(void **state)
{
    struct house *h = *state;
    struct attempt wrong, nobody, again;
    tell_epoch(h);
    wrong = login(h, "alice@demo.test", "wrong wrong", "192.0.2.1");
    nobody = login(h, "nobody@demo.test", "wrong wrong", "192.0.2.2");
    again = login(h, "Nobody@demo.test", "wrong wrong", "203.0.113.9");
    assert_int_equal(wrong.finish, ERR_AUTH);
    assert_int_equal(nobody.finish, ERR_AUTH);
    assert_string_equal(wrong.text, nobody.text);
    assert_int_equal(wrong.account, 0);
    assert_int_equal(strlen(wrong.first), strlen(nobody.first));
    assert_string_equal(strstr(wrong.first, ",i="), strstr(nobody.first, ",i="));
    assert_string_equal(strstr(nobody.first, ",s="), strstr(again.first, ",s="));
    assert_true(wrong.wait_ms > 0 && nobody.wait_ms > 0);
}

/* An exchange belongs to its channel, and ends with its answer. */
static void exchanges_stay_apart(void **state)
{
    struct house *h = *state;
    struct attempt at, other;
    tell_epoch(h);
    login_start(h, &at, "alice@demo.test", PASSWORD, "192.0.2.1", SERVICE_IMAPS);
    other = at;
    login_finish(h, &other, 1);
    assert_int_equal(other.finish, ERR_EXPIRED);
    login_finish(h, &at, 0);
    assert_int_equal(at.finish, OK);
    login_finish(h, &at, 0);
    assert_int_equal(at.finish, ERR_EXPIRED);
    /* a proof fits its own exchange only */
    login_start(h, &other, "alice@demo.test", PASSWORD, "192.0.2.1", SERVICE_IMAPS);
    memcpy(other.final, at.final, at.final_n);
    other.final_n = at.final_n;
    login_finish(h, &other, 0);
    assert_int_not_equal(other.finish, OK);
}

static void guessing_is_refused(void **state)
{
    struct house *h = *state;
    struct attempt at;
    char name[32];
    int i;
    tell_epoch(h);
    for (i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "n%d@demo.test", i);
        at = login(h, name, "wrong wrong", "198.51.100.5");
        if (at.start != OK)
            break;
    }
    assert_true(i >= 15 && i < 40);
    assert_int_equal(at.start, ERR_BUSY);
    at = login(h, "alice@demo.test", PASSWORD, "198.51.100.77"); /* the same network, right or not */
    assert_int_equal(at.start, ERR_BUSY);
    at = login(h, "alice@demo.test", PASSWORD, "192.0.2.1");
    assert_int_equal(at.finish, OK);
}

static void suspended(void **state)
{
    struct house *h = *state;
    struct attempt at;
    uint64_t id;
    void *m;
    tell_epoch(h);
    assert_int_equal(admin(h, "account suspend", "alice@demo.test", NULL, (slice){0}), OK);
    assert_int_equal(take(h, h->accounts, &directory_accounts_channel, &id, &m), DIRECTORY_ACCOUNTS_REVOKED);
    assert_int_equal(((const struct account_revoked *)m)->account, 1);
    at = login(h, "alice@demo.test", PASSWORD, "192.0.2.1");
    assert_int_equal(at.finish, ERR_SUSPENDED);
    assert_false(at.has_ticket);
    at = login(h, "alice@demo.test", "wrong wrong",
               "192.0.2.1"); /* only who knows the password learns of it */
    assert_int_equal(at.finish, ERR_AUTH);
    assert_int_equal(rcpt(h, "alice@demo.test", 0)->err, ERR_SUSPENDED);
    assert_int_equal(admin(h, "account resume", "alice@demo.test", NULL, (slice){0}), OK);
    at = login(h, "alice@demo.test", PASSWORD, "192.0.2.1");
    assert_int_equal(at.finish, OK);
}

static void wrong_calls(void **state)
{
    struct house *h = *state;
    assert_int_equal(admin(h, "account fly", "alice@demo.test", NULL, (slice){0}), ERR_UNSUPPORTED);
    assert_int_equal(admin(h, "domain add", "a\nb.test", NULL, (slice){0}), ERR_SYNTAX);
    assert_int_equal(admin(h, "account add", "new@demo.test", NULL, SLICE("a password")), ERR_SYNTAX);
    assert_int_equal(admin(h, "domain list", "x", NULL, (slice){0}), ERR_USAGE);
    assert_int_equal(admin(h, "queue show", "x", NULL, (slice){0}), ERR_CLOSED); /* no relay here */
    assert_int_equal(admin(h, "account show", "alice@demo.test", NULL, (slice){0}), OK);
}

/* Nonsense costs its sender the channel, and nobody else anything. */
static void nonsense(void **state)
{
    struct house *h = *state;
    uint8_t junk[64];
    struct sender_ask m = {1, NULL, 0};
    memset(junk, 0xee, sizeof junk);
    assert_int_equal(write(h->edges[0], junk, sizeof junk), sizeof junk);
    assert_int_equal(read(h->edges[0], junk, sizeof junk), 0);
    assert_int_equal(((const struct sender_answer *)ask_edge(h, 1, X_DIRECTORY_SENDER_ASK, &m))->err, OK);
}

/* ---- words that are carried to doctor, and settings */

/* The next message that directory sends to doctor. */
static const void *doctor_hears(struct house *h, uint16_t type, uint64_t *out_id)
{
    const struct ipc_message *row;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    void *m;
    assert_int_equal(chan_read_wait(h->doctor, &directory_doctor_channel, IPC_B, MS, h->bytes, &h->a, &row,
                                    out_id, &m, fds, &n),
                     OK);
    assert_int_equal(row->type, type);
    return m;
}

static void doctor_says(struct house *h, uint64_t id, struct words_row row)
{
    send_to(h->doctor, &directory_doctor_channel, DIRECTORY_DOCTOR_ROW, id, &row, -1);
}

static const struct words_call *doctor_called(struct house *h, const char *verb, uint64_t *out_id)
{
    const struct words_call *c = doctor_hears(h, DIRECTORY_DOCTOR_CALL, out_id);
    assert_slice(c->verb, verb);
    return c;
}

static void words_are_carried(void **state)
{
    struct house *h = *state;
    struct admin_arg args[1] = {{SLICE("demo.test")}};
    struct admin_call call = {SLICE("dkim list"), args, 1, {0}};
    const struct words_call *heard;
    uint64_t id;
    void *m;
    arena_reset(&h->a);
    /* it was told of the domain that begin() added */
    heard = doctor_called(h, "domains-changed", &id);
    assert_int_equal(heard->n_args, 1);
    assert_slice(heard->args[0].text, "demo.test");
    doctor_says(h, id, (struct words_row){.err = OK});
    send_to(h->caller, &tool_directory_channel, TOOL_DIRECTORY_CALL, 0, &call, -1);
    heard = doctor_called(h, "dkim list", &id);
    assert_int_equal(heard->n_args, 1);
    assert_slice(heard->args[0].text, "demo.test");
    doctor_says(h, id, (struct words_row){.json = SLICE("{\"a\":1}"), .next = 7});
    assert_int_equal(((const struct words_more *)doctor_hears(h, DIRECTORY_DOCTOR_MORE, &id))->next, 7);
    doctor_says(h, id, (struct words_row){.json = SLICE("{\"a\":2}"), .next = 8});
    assert_int_equal(((const struct words_more *)doctor_hears(h, DIRECTORY_DOCTOR_MORE, &id))->next, 8);
    doctor_says(h, id, (struct words_row){.text = SLICE("that is all")});
    assert_int_equal(take(h, h->caller, &tool_directory_channel, &id, &m), TOOL_DIRECTORY_ROW);
    assert_slice(((const struct admin_row *)m)->json, "[{\"a\":1},{\"a\":2}]");
    assert_int_equal(take(h, h->caller, &tool_directory_channel, &id, &m), TOOL_DIRECTORY_DONE);
    assert_int_equal(((const struct admin_done *)m)->err, OK);
    assert_slice(((const struct admin_done *)m)->text, "that is all");
    /* an error of doctor's is the caller's; a word that nobody has is nobody's */
    send_to(h->caller, &tool_directory_channel, TOOL_DIRECTORY_CALL, 0, &call, -1);
    (void)doctor_called(h, "dkim list", &id);
    doctor_says(h, id, (struct words_row){.err = ERR_NOT_FOUND, .text = SLICE("no such domain")});
    assert_int_equal(take(h, h->caller, &tool_directory_channel, &id, &m), TOOL_DIRECTORY_DONE);
    assert_int_equal(((const struct admin_done *)m)->err, ERR_NOT_FOUND);
    assert_int_equal(admin(h, "dnsx", "a", NULL, (slice){0}), ERR_UNSUPPORTED);
    /* doctor goes away in the middle */
    send_to(h->caller, &tool_directory_channel, TOOL_DIRECTORY_CALL, 0, &call, -1);
    (void)doctor_called(h, "dkim list", &id);
    fd_done(&h->doctor);
    assert_int_equal(take(h, h->caller, &tool_directory_channel, &id, &m), TOOL_DIRECTORY_DONE);
    assert_int_equal(((const struct admin_done *)m)->err, ERR_CLOSED);
}

static const void *ask_judge(struct house *h, uint16_t type, const void *m)
{
    uint64_t id = ++h->next_id, got;
    void *answer;
    arena_reset(&h->a);
    send_to(h->judge, &x_settings_channel, type, id, m, -1);
    assert_int_equal(take(h, h->judge, &x_settings_channel, &got, &answer), type + 1);
    assert_int_equal(got, id);
    return answer;
}

static void settings_are_told(void **state)
{
    struct house *h = *state;
    struct settings_domain_ask ours = {SLICE("demo.test")}, foreign = {SLICE("far.test")};
    struct settings_domains_ask all = {{0}};
    const struct settings_domain *d = ask_judge(h, X_SETTINGS_DOMAIN_ASK, &ours);
    const struct settings_domains *names;
    struct admin_arg args[3] = {{SLICE("demo.test")}, {SLICE("dmarc")}, {SLICE("reject")}};
    struct admin_call call = {SLICE("domain set"), args, 3, {0}};
    uint64_t id;
    void *m;
    assert_int_equal(d->err, OK);
    assert_int_equal(d->n_values, 0);
    send_to(h->caller, &tool_directory_channel, TOOL_DIRECTORY_CALL, 0, &call, -1);
    assert_int_equal(take(h, h->caller, &tool_directory_channel, &id, &m), TOOL_DIRECTORY_DONE);
    assert_int_equal(((const struct admin_done *)m)->err, OK);
    d = ask_judge(h, X_SETTINGS_DOMAIN_ASK, &ours);
    assert_int_equal(d->n_values, 1);
    assert_slice(d->values[0].name, "dmarc");
    assert_slice(d->values[0].value, "reject");
    d = ask_judge(h, X_SETTINGS_DOMAIN_ASK, &foreign);
    assert_int_equal(d->err, ERR_NOT_FOUND);
    names = ask_judge(h, X_SETTINGS_DOMAINS_ASK, &all);
    assert_int_equal(names->n_domains, 1);
    assert_slice(names->domains[0].name, "demo.test");
    assert_false(names->more);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(recipients),
        T(robots),
        T(senders),
        T(logins),
        T(unknown_names),
        T(exchanges_stay_apart),
        T(guessing_is_refused),
        T(suspended),
        T(wrong_calls),
        T(nonsense),
        T(words_are_carried),
        T(settings_are_told),
    };
    if (argc != 2)
        return 1;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
