/* The real keys and the real edge under their rights, joined by their channel: a client's handshake is signed
 * by keys, and edge greets. keys dies and comes back with another certificate: new connections get that one.
 * Other protocols at the real ports. Then edge drains. THREATS 13, 14, 50, 51. */
#include "jail/roles.h"
#include "lib/test.h"

#include "ipc/x_keys.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/net.h"
#include "sys/tls.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000

static void give_channel(struct played *p, enum role peer, const struct ipc_channel *def, bool asks, int fd)
{
    struct control_channel_end m = {(uint8_t)peer, 0, slice_str(def->name), asks};
    assert_int_equal(chan_write_wait(p->control, &control_channel, CONTROL_CHANNEL, 0, &m, &fd, 1), OK);
}

static void join_keys(struct played *edge, struct played *keys)
{
    int fds[2];
    assert_int_equal(chan_pair(fds), OK);
    give_channel(edge, ROLE_KEYS, &x_keys_channel, true, fds[0]);
    give_channel(keys, ROLE_EDGE, &x_keys_channel, false, fds[1]);
    fd_done(&fds[0]);
    fd_done(&fds[1]);
}

static uint16_t give_listener(struct played *edge, enum service service)
{
    struct ip ip = ip_from_v4((const uint8_t[]){127, 0, 0, 1});
    struct err_detail d;
    int fd = -1;
    assert_int_equal(net_listen(&ip, 0, &fd, &d), OK);
    uint16_t port = net_port(fd);
    struct control_listener m = {(uint8_t)service, false, SLICE("127.0.0.1:0")};
    assert_int_equal(chan_write_wait(edge->control, &control_channel, CONTROL_LISTENER, 0, &m, &fd, 1), OK);
    fd_done(&fd);
    return port;
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {fd, events, 0};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

static int connect_to(uint16_t port)
{
    struct ip ip = ip_from_v4((const uint8_t[]){127, 0, 0, 1});
    int fd = -1;
    assert_int_equal(net_connect(&ip, port, &fd), OK);
    wait_for(fd, POLLOUT);
    return fd;
}

/* One round: what we have goes out, what comes goes in. ERR_CLOSED at the end. */
static enum err round_trip(int fd, struct tls *t)
{
    uint8_t room[16384];
    size_t n = 0;
    slice s = tls_pending(t);
    while (s.n) {
        assert_int_equal(net_write(fd, s, &n), OK);
        tls_sent(t, n);
        s = tls_pending(t);
    }
    wait_for(fd, POLLIN);
    enum err e = net_read(fd, room, sizeof(room), &n);
    if (e == OK)
        e = tls_feed(t, slice_of(room, n));
    return e;
}

/* Shakes hands; on OK the greeting is in out. */
static enum err greet_as(uint16_t port, const char *alpn, char out[512])
{
    struct tls_client_options o = {0};
    struct tls_ctx *ctx = NULL;
    struct tls *t = NULL;
    size_t n = 0;
    int fd = connect_to(port);
    assert_int_equal(tls_client_new(&o, &ctx, NULL), OK);
    assert_int_equal(tls_connect(ctx, SLICE("jail.test"), slice_str(alpn), TLS_VERIFY_RECORD, &t), OK);
    enum err e = tls_handshake(t);
    while (e == ERR_AGAIN) {
        enum err r = round_trip(fd, t);
        e = r == OK ? tls_handshake(t) : r;
    }
    out[0] = 0;
    while (e == OK && n == 0) {
        enum err r = tls_read(t, (uint8_t *)out, 511, &n);
        if (r == OK)
            out[n] = 0;
        else
            e = r == ERR_AGAIN ? round_trip(fd, t) : r;
    }
    if (e == ERR_TLS)
        (void)snprintf(out, 512, "%s", tls_trouble(t));
    tls_free(&t);
    tls_ctx_free(&ctx);
    fd_done(&fd);
    return e;
}

static enum err greet(uint16_t port, char out[512])
{
    return greet_as(port, "imap", out);
}

/* Says something in clear, all at once, and hears what comes until the server ends the connection. */
static void shout(uint16_t port, const char *words, char out[4096])
{
    int fd = connect_to(port);
    size_t n = 0, got = 0;
    enum err e = OK;
    assert_int_equal(net_write(fd, slice_str(words), &n), OK);
    while (e == OK && got < 4095) {
        wait_for(fd, POLLIN);
        e = net_read(fd, out + got, 4095 - got, &n);
        got += e == OK ? n : 0;
    }
    assert_int_equal(e, ERR_CLOSED);
    out[got] = 0;
    fd_done(&fd);
}

static void kill_role(struct played *p)
{
    assert_int_equal(kill(p->pid, SIGKILL), 0);
    played_end(p);
}

static void test_handshakes_through_keys(void **state)
{
    (void)state;
    struct played edge, keys;
    char hello[512];
    played_start(&keys, ROLE_KEYS);
    played_start(&edge, ROLE_EDGE);
    join_keys(&edge, &keys);
    uint16_t port = give_listener(&edge, SERVICE_IMAPS);
    played_ready(&keys);
    played_ready(&edge);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(greet(port, hello), OK);
        assert_true(slice_starts(slice_str(hello), SLICE("* OK")));
        assert_non_null(strstr(hello, "AUTH=SCRAM-SHA-256"));
    }
    kill_role(&keys);
    played_start(&keys, ROLE_KEYS);
    join_keys(&edge, &keys);
    played_ready(&keys);
    /* A handshake that begins before the edge has heard of the death fails. */
    enum err e = ERR_TLS;
    for (int i = 0; i < 50 && e != OK; i++)
        e = greet(port, hello);
    assert_int_equal(e, OK);

    struct control_drain drain = {5000};
    assert_int_equal(chan_write_wait(edge.control, &control_channel, CONTROL_DRAIN, 0, &drain, NULL, 0), OK);
    int status;
    time_ms before = clock_mono();
    assert_int_equal(waitpid(edge.pid, &status, 0), edge.pid);
    assert_true(clock_mono() - before < 10000);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    edge.pid = 0;
    played_end(&edge);
    played_end(&keys);
}

/* THREATS 13 and 14 at the real ports. */
static void test_foreign_protocols(void **state)
{
    (void)state;
    static const char http[] =
        "POST / HTTP/1.1\r\nHost: canary.example\r\nContent-Length: 3\r\n\r\nMAIL FROM:<canary>\r\n";
    struct played edge, keys;
    char got[4096], hello[512];
    played_start(&keys, ROLE_KEYS);
    played_start(&edge, ROLE_EDGE);
    join_keys(&edge, &keys);
    const uint16_t smtp = give_listener(&edge, SERVICE_SMTP),
                   submissions = give_listener(&edge, SERVICE_SUBMISSIONS),
                   imaps = give_listener(&edge, SERVICE_IMAPS);
    played_ready(&keys);
    played_ready(&edge);
    const uint16_t ports[] = {smtp, submissions, imaps};
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        shout(ports[i], http, got);
        assert_null(strstr(got, "canary"));
        assert_null(strstr(got, "HTTP"));
        if (ports[i] != smtp)
            assert_true(strlen(got) <= 7); /* an alert */
    }
    assert_int_equal(greet_as(imaps, "h2", hello), ERR_TLS);
    assert_non_null(strstr(hello, "no application protocol"));
    assert_int_equal(greet_as(submissions, "imap", hello), ERR_TLS);
    assert_int_equal(greet_as(submissions, "", hello), OK);
    assert_true(slice_starts(slice_str(hello), SLICE("220 ")));
    shout(smtp, "EHLO a.example\r\nSTARTTLS\r\nMAIL FROM:<x@a.example>\r\n", got);
    assert_null(strstr(got, "250 2.1.0"));
    assert_non_null(strstr(got, "STARTTLS")); /* offered, so the rest was about the bytes behind it */
    played_end(&edge);
    played_end(&keys);
}

int main(int argc, char **argv)
{
    must(argc == 2);
    must(tls_setup() == OK);
    played_build = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_handshakes_through_keys),
                                       cmocka_unit_test(test_foreign_protocols)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
