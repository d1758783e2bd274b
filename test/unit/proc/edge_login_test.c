/* Logins: IMAP in front of a played directory and a played account process. What clients see, byte for byte.
 */
#include "lib/test.h"

#include "edge_kit.h"
#include "ipc/x_accounts.h"
#include "ipc/x_directory.h"
#include "proc/edge/auth.h"
#include "proc/edge/auth_cache.h"
#include "sys/fd.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int client;

static struct conn *imap_begin(bool plaintext)
{
    kit_begin();
    struct conn *c = kit_conn(SERVICE_IMAP, plaintext, &client);
    conn_start(c);
    imap_session_begin(&kit_edge, c);
    const char *hello = kit_read(client);
    if (!slice_starts(slice_str(hello), SLICE("* OK")))
        fail_msg("greeting: %s", hello);
    return c;
}

static void imap_end(void)
{
    fd_done(&client);
    kit_turns();
    kit_end();
}

/* The account's process takes the session: our end of its socket. */
static int open_account(const char *want_tag)
{
    int pair[2];
    kit_turns();
    assert_int_equal(kit_call.type, X_ACCOUNTS_OPEN);
    const struct session_open *ask = kit_call.message;
    assert_slice(ask->tag, want_tag);
    assert_slice(ask->ticket, "ticket");
    assert_slice(ask->address, "alice@demo.test");
    assert_int_equal(ask->account, 5);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    must(fd_nonblocking(pair[1]) == OK);
    struct session_opened r = {.err = OK};
    kit_reply(OK, &r, &pair[0], 1);
    return pair[1];
}

static void test_login_and_carry(void **s)
{
    (void)s;
    imap_begin(true);
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\na2 SELECT inbox\r\n");
    kit_directory("secret", OK);
    kit_send(client, "a3 NOOP\r\n"); /* while accounts is asked */
    int account = open_account("a1");
    assert_string_equal(kit_read(account), "a2 SELECT inbox\r\na3 NOOP\r\n");
    assert_string_equal(kit_read(client), ""); /* the account answers, not we */
    kit_send(account, "a1 OK welcome\r\n* 3 EXISTS\r\n");
    assert_string_equal(kit_read(client), "a1 OK welcome\r\n* 3 EXISTS\r\n");
    kit_send(client, "a4 LOGOUT\r\n");
    assert_string_equal(kit_read(account), "a4 LOGOUT\r\n");
    kit_send(account, "* BYE see you\r\na4 OK bye\r\n");
    fd_done(&account);
    assert_string_equal(kit_read(client), "* BYE see you\r\na4 OK bye\r\n");
    assert_true(kit_ended(client));
    imap_end();
}

/* The account's process dies: the client is told in words. */
static void test_account_dies(void **s)
{
    (void)s;
    imap_begin(true);
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\n");
    kit_directory("secret", OK);
    int account = open_account("a1");
    kit_send(account, "a1 OK welcome\r\n");
    fd_done(&account);
    const char *got = kit_read(client);
    assert_non_null(strstr(got, "a1 OK welcome\r\n* BYE The process of this mailbox ended"));
    assert_true(kit_ended(client));
    assert_int_equal(kit_told.kind, JOURNAL_CONN_CLOSED);
    imap_end();
}

/* In the middle of a line nothing is added to it. */
static void test_account_dies_inside_a_line(void **s)
{
    (void)s;
    imap_begin(true);
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\n");
    kit_directory("secret", OK);
    int account = open_account("a1");
    kit_send(account, "* 1 FETCH (BODY[] {100}\r\nhalf a");
    fd_done(&account);
    assert_string_equal(kit_read(client), "* 1 FETCH (BODY[] {100}\r\nhalf a");
    assert_true(kit_ended(client));
    imap_end();
}

/* Back-pressure through the whole way: neither side can fill this process. */
static void test_carry_is_bounded(void **s)
{
    (void)s;
    static uint8_t big[2 << 20], got[2 << 20];
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 13 + i / 257);
    struct conn *c = imap_begin(true);
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\n");
    kit_directory("secret", OK);
    int account = open_account("a1");
    int ways[2][2] = {{client, account}, {account, client}};
    for (int w = 0; w < 2; w++) {
        size_t sent = 0, have = 0;
        while (have < sizeof(big)) {
            ssize_t n = write(ways[w][0], big + sent, sizeof(big) - sent);
            if (n > 0)
                sent += (size_t)n;
            kit_turns();
            assert_true(conn_unread(c).n <= 64 * 1024 && c->out.n <= CONN_OUT_MAX);
            if (n > 0 && sent < sizeof(big))
                continue; /* fill until nobody takes more */
            n = read(ways[w][1], got + have, 30000);
            if (n > 0)
                have += (size_t)n;
        }
        assert_memory_equal(big, got, sizeof(big));
    }
    /* half-close: the account still may answer */
    must(shutdown(client, SHUT_WR) == 0);
    assert_true(kit_ended(account));
    kit_send(account, "* BYE idle\r\n");
    fd_done(&account);
    assert_string_equal(kit_read(client), "* BYE idle\r\n");
    assert_true(kit_ended(client));
    imap_end();
}

/* SIGTERM: a command in hand is answered, then the client is told BYE; nothing is cut off. */
static void test_drain(void **s)
{
    (void)s;
    struct conn *c = imap_begin(true);
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\n");
    kit_directory("secret", OK);
    int account = open_account("a1");
    kit_send(account, "a1 OK welcome\r\n");
    assert_string_equal(kit_read(client), "a1 OK welcome\r\n");
    kit_send(client, "a2 FETCH 1 BODY[]\r\n");
    c->protocol->on_drain(c->arg, c);
    for (int i = 0; i < 3; i++) { /* three deadlines pass without an answer */
        time_ms before = c->deadline;
        while (c->deadline == before)
            loop_turn(kit_edge.loop, true);
    }
    assert_string_equal(kit_read(client), "");
    kit_send(account, "* 1 FETCH (BODY[] {2}\r\nhi)\r\na2 OK done\r\n");
    while (!c->closing)
        loop_turn(kit_edge.loop, true);
    assert_string_equal(kit_read(client),
                        "* 1 FETCH (BODY[] {2}\r\nhi)\r\na2 OK done\r\n"
                        "* BYE This server is restarting; please connect again in a moment\r\n");
    assert_true(kit_ended(client));
    fd_done(&account);
    imap_end();
}

/* THREATS 32: unknown and known names get the same words. */
static void test_wrong_password(void **s)
{
    (void)s;
    char first[300];
    imap_begin(true);
    kit_send(client, "a1 LOGIN alice@demo.test wrong\r\n");
    kit_directory("secret", OK);
    snprintf(first, sizeof(first), "%.200s", kit_read(client));
    assert_non_null(strstr(first, "a1 NO [AUTHENTICATIONFAILED]"));
    kit_send(client, "a1 LOGIN nobody@demo.test wrong\r\n");
    kit_directory("other", OK);
    assert_string_equal(kit_read(client), first);
    kit_send(client, "a2 LOGIN alice@demo.test \"\"\r\n"); /* what cannot be a password is just wrong */
    const char *got = kit_read(client);
    assert_string_equal(got + 2, first + 2);
    kit_send(client, "a3 LOGIN alice@demo.test secret\r\n");
    kit_directory("secret", ERR_SUSPENDED);
    assert_non_null(strstr(kit_read(client), "a3 NO"));
    kit_send(client, "a4 LOGIN alice@demo.test secret\r\n");
    kit_directory("secret", OK);
    int account = open_account("a4");
    fd_done(&account);
    imap_end();
}

static void test_house_is_down(void **s)
{
    (void)s;
    imap_begin(true);
    kit_down = true;
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\n");
    assert_non_null(strstr(kit_read(client), "a1 NO [UNAVAILABLE]"));
    kit_down = false;
    kit_send(client, "a2 LOGIN alice@demo.test secret\r\n");
    kit_turns();
    kit_reply(ERR_CLOSED, NULL, NULL, 0); /* directory dies in the middle */
    assert_non_null(strstr(kit_read(client), "a2 NO [UNAVAILABLE]"));
    kit_send(client, "a3 LOGIN alice@demo.test secret\r\n");
    kit_directory("secret", OK);
    kit_reply(ERR_TIMEOUT, NULL, NULL, 0); /* accounts does not answer */
    assert_non_null(strstr(kit_read(client), "a3 NO [UNAVAILABLE]"));
    imap_end();
}

/* The client leaves while others are asked: nothing is left behind. */
static void test_client_leaves(void **s)
{
    (void)s;
    imap_begin(true);
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\n");
    kit_turns();
    assert_non_null(kit_call.fn);
    struct conn *c = LIST_OF(kit_edge.conns.next, struct conn, link);
    conn_kill(c, ERR_CLOSED);
    kit_turns();
    assert_null(kit_call.fn);
    fd_done(&client);
    kit_end();
    imap_begin(true);
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\n");
    kit_directory("secret", OK);
    assert_int_equal(kit_call.type, X_ACCOUNTS_OPEN);
    c = LIST_OF(kit_edge.conns.next, struct conn, link);
    conn_kill(c, ERR_CLOSED);
    kit_turns();
    assert_null(kit_call.fn);
    imap_end();
}

/* Without TLS on a listener that is not marked plaintext nobody may log in, and nobody is asked. */
static void test_no_login_in_clear(void **s)
{
    (void)s;
    imap_begin(false);
    kit_send(client, "a1 LOGIN alice@demo.test secret\r\n");
    assert_non_null(strstr(kit_read(client), "a1 NO [PRIVACYREQUIRED]"));
    assert_int_equal(kit_calls, 0);
    imap_end();
}

/* THREATS 14: another protocol: closed after a few lines, none of it repeated. */
static void test_foreign_words(void **s)
{
    (void)s;
    imap_begin(true);
    kit_send(client, "POST / HTTP/1.1\r\nHost: canary\r\nContent-Length: 5\r\n\r\ncanary\r\n");
    const char *got = kit_read(client);
    assert_null(strstr(got, "canary"));
    assert_null(strstr(got, "HTTP"));
    assert_true(kit_ended(client));
    imap_end();
}

/* auth.h by itself. */

static struct auth_outcome seen;
static char seen_data[512], seen_text[200];
static unsigned seen_n;

static void see(void *arg, const struct auth_outcome *o)
{
    (void)arg;
    seen = *o;
    seen_n++;
    snprintf(seen_data, sizeof(seen_data), "%.*s", SLICE_FMT(o->data));
    snprintf(seen_text, sizeof(seen_text), "%.*s", SLICE_FMT(o->text));
}

static struct conn *auth_begin(struct auth *a)
{
    kit_begin();
    struct conn *c = kit_conn(SERVICE_SUBMISSION, true, &client);
    conn_start(c);
    kit_edge.limits.connections = 1;
    smtp_session_begin(&kit_edge, c);
    auth_init(a, &kit_edge, c, see, a);
    seen_n = 0;
    return c;
}

/* The protocol of this connection does not matter; it is freed without one. */
static void auth_finish_test(struct auth *a)
{
    auth_done(a);
    fd_done(&client);
    LIST_EACH_SAFE(it, &kit_edge.conns)
    conn_kill(LIST_OF(it, struct conn, link), OK);
    kit_end();
}

static void test_scram(void **s)
{
    (void)s;
    struct auth a;
    struct scram_client sc;
    struct buf out;
    uint8_t salted[SCRAM_KEY_SIZE];
    struct secret prepared = {0};
    auth_begin(&a);
    buf_init(&out, 4096);
    scram_client_init(&sc);
    assert_int_equal(scram_client_first(&sc, SLICE("alice@demo.test"), SLICE("clientnonce"), &out), OK);
    auth_start(&a, SLICE("scram-sha-256"), false, (slice){0});
    kit_turns();
    assert_int_equal(seen.step, AUTH_CHALLENGE);
    assert_string_equal(seen_data, "");
    auth_continue(&a, buf_view(&out));

    /* directory, by hand */
    struct scram_verifier v;
    struct scram_server ss;
    struct buf server;
    buf_init(&server, 4096);
    assert_int_equal(scram_verifier_make(SLICE("secret"), (const uint8_t *)"sixteen bytes ok", &v), OK);
    scram_server_init(&ss);
    kit_turns();
    const struct auth_start *start = kit_call.message;
    assert_int_equal(start->service, SERVICE_SUBMISSION);
    assert_int_equal(start->client_ip.n, 16);
    assert_int_equal(scram_server_first(&ss, start->client_first), OK);
    assert_int_equal(scram_server_challenge(&ss, &v, SLICE("servernonce"), &server), OK);
    struct auth_challenge ch = {.handle = 3, .server_first = buf_view(&server)};
    kit_reply(OK, &ch, NULL, 0);
    assert_int_equal(seen.step, AUTH_CHALLENGE);
    assert_int_equal(scram_client_challenge(&sc, slice_str(seen_data)), OK);
    assert_int_equal(scram_password_prepare(SLICE("secret"), &prepared), OK);
    scram_salted_password(secret_view(&prepared), slice_of(sc.salt, sc.salt_n), sc.iterations, salted);
    buf_clear(&out);
    assert_int_equal(scram_client_proof(&sc, salted, &out), OK);
    auth_continue(&a, buf_view(&out));
    kit_turns();
    const struct auth_finish *finish = kit_call.message;
    assert_int_equal(finish->handle, 3);
    buf_clear(&server);
    assert_int_equal(scram_server_final(&ss, finish->client_final, &server), OK);
    struct auth_result r = {
        .account = 5, .address = SLICE("alice@demo.test"), .server_final = buf_view(&server)};
    kit_reply(OK, &r, NULL, 0);
    assert_int_equal(seen.step, AUTH_CHALLENGE); /* server-final, then the client's empty answer */
    assert_int_equal(scram_client_verify(&sc, slice_str(seen_data)), OK);
    auth_continue(&a, (slice){0});
    kit_turns();
    assert_int_equal(seen.step, AUTH_ACCEPTED);
    assert_int_equal(seen.account, 5);
    assert_int_equal(kit_told.kind, JOURNAL_LOGIN_OK);
    assert_string_equal(kit_told_text, "SCRAM-SHA-256");
    scram_client_done(&sc);
    scram_server_done(&ss);
    secret_done(&prepared);
    buf_done(&out);
    buf_done(&server);
    auth_finish_test(&a);
}

static void test_plain_and_login(void **s)
{
    (void)s;
    static const char plain[] = "\0alice@demo.test\0secret";
    struct auth a;
    auth_begin(&a);
    auth_start(&a, SLICE("PLAIN"), true, slice_of(plain, sizeof(plain) - 1));
    assert_int_equal(seen_n, 0); /* never from inside the call */
    kit_directory("secret", OK);
    assert_int_equal(seen.step, AUTH_ACCEPTED);
    auth_start(&a, SLICE("PLAIN"), false, (slice){0});
    kit_turns();
    assert_int_equal(seen.step, AUTH_CHALLENGE);
    auth_continue(&a, slice_of(plain, sizeof(plain) - 1));
    kit_directory("secret", OK);
    assert_int_equal(seen.step, AUTH_ACCEPTED);
    auth_start(&a, SLICE("LOGIN"), false, (slice){0});
    kit_turns();
    assert_string_equal(seen_data, "Username:");
    auth_continue(&a, SLICE("alice@demo.test"));
    kit_turns();
    assert_string_equal(seen_data, "Password:");
    auth_continue(&a, SLICE("secret"));
    kit_directory("secret", OK);
    assert_int_equal(seen.step, AUTH_ACCEPTED);
    auth_finish_test(&a);
}

static void test_refusals(void **s)
{
    (void)s;
    static const char other[] = "bob\0alice\0secret";
    struct auth a;
    auth_begin(&a);
    auth_start(&a, SLICE("CRAM-MD5"), false, (slice){0});
    kit_turns();
    assert_int_equal(seen.step, AUTH_UNKNOWN);
    auth_start(&a, SLICE("PLAIN"), true, SLICE("no zeros"));
    kit_turns();
    assert_int_equal(seen.step, AUTH_MALFORMED);
    auth_start(&a, SLICE("PLAIN"), true, slice_of(other, sizeof(other) - 1)); /* to act as somebody else */
    kit_turns();
    assert_int_equal(seen.step, AUTH_DENIED);
    assert_string_equal(seen_text, "The name or the password is wrong");
    auth_continue(&a, SLICE("out of turn"));
    kit_turns();
    assert_int_equal(seen.step, AUTH_MALFORMED);
    auth_password(&a, SLICE("alice"), SLICE("x"));
    kit_turns();
    struct auth_challenge busy = {.err = ERR_BUSY, .text = SLICE("slow down")};
    kit_reply(OK, &busy, NULL, 0);
    assert_int_equal(seen.step, AUTH_LIMITED);
    auth_password(&a, SLICE("alice"), SLICE("x"));
    kit_turns();
    unsigned before = seen_n;
    auth_cancel(&a);
    kit_turns();
    assert_null(kit_call.fn);
    assert_int_equal(seen_n, before);
    /* a server that does not know the password itself is not believed */
    auth_password(&a, SLICE("alice"), SLICE("secret"));
    kit_turns();
    const struct auth_start *start = kit_call.message;
    char first[300];
    slice nonce = slice_from(start->client_first, slice_find(start->client_first, SLICE("r=")) + 2);
    int n =
        snprintf(first, sizeof(first), "r=%.*sserver,s=c2l4dGVlbiBieXRlcyBvaw==,i=4096", SLICE_FMT(nonce));
    struct auth_challenge ch = {.handle = 1, .server_first = slice_of(first, (size_t)n)};
    kit_reply(OK, &ch, NULL, 0);
    struct auth_result r = {.server_final = SLICE("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                            .account = 5};
    kit_reply(OK, &r, NULL, 0);
    assert_int_equal(seen.step, AUTH_DENIED);
    auth_finish_test(&a);
}

/* Directory says how long a failure waits. */
static void test_wait(void **s)
{
    (void)s;
    struct auth a;
    auth_begin(&a);
    auth_password(&a, SLICE("alice"), SLICE("x"));
    kit_turns();
    const struct auth_start *start = kit_call.message;
    char first[300];
    slice nonce = slice_from(start->client_first, slice_find(start->client_first, SLICE("r=")) + 2);
    int n =
        snprintf(first, sizeof(first), "r=%.*sserver,s=c2l4dGVlbiBieXRlcyBvaw==,i=4096", SLICE_FMT(nonce));
    struct auth_challenge ch = {.handle = 1, .server_first = slice_of(first, (size_t)n)};
    kit_reply(OK, &ch, NULL, 0);
    struct auth_result r = {.err = ERR_AUTH, .wait_ms = 20};
    kit_reply(OK, &r, NULL, 0);
    assert_int_equal(seen_n, 0);
    while (!seen_n)
        loop_turn(kit_edge.loop, true);
    assert_int_equal(seen.step, AUTH_DENIED);
    auth_finish_test(&a);
}

static void test_cache(void **s)
{
    (void)s;
    struct auth_cache *c = auth_cache_new(3);
    uint8_t in[SCRAM_KEY_SIZE], out[SCRAM_KEY_SIZE];
    static const char *const words[] = {"one", "two", "three", "four"};
    for (size_t i = 0; i < 3; i++) {
        memset(in, (int)i + 1, sizeof(in));
        auth_cache_put(c, slice_str(words[i]), SLICE("salt"), 10000, in);
    }
    assert_true(auth_cache_get(c, SLICE("one"), SLICE("salt"), 10000, out));
    assert_int_equal(out[0], 1);
    assert_false(auth_cache_get(c, SLICE("one"), SLICE("tlas"), 10000, out));
    assert_false(auth_cache_get(c, SLICE("one"), SLICE("salt"), 10001, out));
    assert_false(auth_cache_get(c, SLICE("onesalt"), (slice){0}, 10000, out));
    auth_cache_put(c, SLICE("four"), SLICE("salt"), 10000, in); /* displaces "two", the least lately used */
    assert_false(auth_cache_get(c, SLICE("two"), SLICE("salt"), 10000, out));
    assert_true(auth_cache_get(c, SLICE("one"), SLICE("salt"), 10000, out));
    assert_true(auth_cache_get(c, SLICE("four"), SLICE("salt"), 10000, out));
    auth_cache_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_and_carry),
        cmocka_unit_test(test_account_dies),
        cmocka_unit_test(test_account_dies_inside_a_line),
        cmocka_unit_test(test_carry_is_bounded),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_wrong_password),
        cmocka_unit_test(test_house_is_down),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_no_login_in_clear),
        cmocka_unit_test(test_foreign_words),
        cmocka_unit_test(test_scram),
        cmocka_unit_test(test_plain_and_login),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
