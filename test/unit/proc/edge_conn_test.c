/* Connections and listeners over socket pairs and loopback: what a client sees when it is slow, odd, or one
 * too many. */
#include "lib/test.h"

#include "../sys/tls_kit.h"
#include "edge_kit.h"
#include "proc/edge/listener.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/net.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A protocol that keeps what it gets and can be told to leave bytes. */
struct probe {
    struct conn *conn;
    struct buf got;
    size_t take_max; /* of one callback */
    unsigned bytes, drained, deadlines, eofs, closed, tls;
    enum err why, tls_err;
};

static void probe_on_bytes(void *arg, struct conn *c)
{
    struct probe *p = arg;
    slice s = conn_unread(c);
    size_t n = size_min(s.n, p->take_max);
    p->bytes++;
    must(buf_append(&p->got, slice_sub(s, 0, n)) == OK);
    conn_used(c, n);
}

static void probe_on_drained(void *arg, struct conn *c)
{
    (void)c;
    ((struct probe *)arg)->drained++;
}

static void probe_on_tls(void *arg, struct conn *c, enum err e)
{
    struct probe *p = arg;
    (void)c;
    p->tls++;
    p->tls_err = e;
}

static void probe_on_deadline(void *arg, struct conn *c)
{
    (void)c;
    ((struct probe *)arg)->deadlines++;
}

static void probe_on_eof(void *arg, struct conn *c)
{
    (void)c;
    ((struct probe *)arg)->eofs++;
}

static void probe_on_closed(void *arg, struct conn *c, enum err why)
{
    struct probe *p = arg;
    (void)c;
    p->closed++;
    p->why = why;
    p->conn = NULL;
}

static const struct conn_protocol probe_protocol = {
    "probe",      probe_on_bytes, probe_on_drained, probe_on_tls, probe_on_deadline,
    probe_on_eof, NULL,           probe_on_closed,
};

static struct conn *probe_begin(struct probe *p, int *client)
{
    *p = (struct probe){.take_max = SIZE_MAX};
    buf_init(&p->got, 4 << 20);
    p->conn = kit_conn(SERVICE_SMTP, false, client);
    conn_set_protocol(p->conn, &probe_protocol, p);
    conn_start(p->conn);
    kit_turns();
    return p->conn;
}

static void test_plain(void **s)
{
    (void)s;
    struct probe p;
    int client;
    kit_begin();
    struct conn *c = probe_begin(&p, &client);
    for (const char *t = "HELO a\r\nQUIT\r\n"; *t; t++) {
        char one[2] = {*t, 0};
        kit_send(client, one);
    }
    assert_slice(buf_view(&p.got), "HELO a\r\nQUIT\r\n");
    conn_say(c, SLICE("250 one\r\n"));
    conn_say(c, SLICE("221 two\r\n"));
    conn_close(c);
    assert_int_equal(conn_write(c, SLICE("more")), 0);
    assert_string_equal(kit_read(client), "250 one\r\n221 two\r\n");
    assert_true(kit_ended(client));
    assert_int_equal(p.closed, 0); /* waits for the client's end */
    fd_done(&client);
    kit_turns();
    assert_int_equal(p.closed, 1);
    assert_int_equal(p.why, OK);
    assert_int_equal(p.eofs, 0);
    buf_done(&p.got);
    kit_end();
}

/* A protocol that takes nothing is not flooded: the client has to wait. THREATS 8. */
static void test_unread_is_bounded(void **s)
{
    (void)s;
    struct probe p;
    int client;
    static char flood[64 * 1024];
    kit_begin();
    struct conn *c = probe_begin(&p, &client);
    p.take_max = 0;
    memset(flood, 'x', sizeof(flood));
    size_t sent = 0;
    for (int i = 0; i < 200; i++) {
        ssize_t n = write(client, flood, sizeof(flood));
        sent += n > 0 ? (size_t)n : 0;
        kit_turns();
    }
    assert_int_equal(conn_unread(c).n, CONN_IN_MAX);
    unsigned seen = p.bytes;
    kit_turns();
    assert_int_equal(p.bytes, seen); /* and nothing spins */
    p.take_max = SIZE_MAX;
    conn_again(c);
    for (int i = 0; i < 200; i++)
        kit_turns();
    assert_int_equal(p.got.n, sent);
    fd_done(&client);
    kit_turns();
    assert_int_equal(p.eofs, 1);
    buf_done(&p.got);
    kit_end();
}

/* A client that does not read is not written to beyond the bound; what was taken arrives whole and in order.
 */
static void test_slow_reader(void **s)
{
    (void)s;
    struct probe p;
    int client;
    static uint8_t big[3 << 20], got[3 << 20];
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 7 + i / 251);
    kit_begin();
    struct conn *c = probe_begin(&p, &client);
    size_t at = 0, have = 0, refused = 0;
    while (have < sizeof(big)) {
        size_t n = at < sizeof(big) ? conn_write(c, slice_of(big + at, sizeof(big) - at)) : 0;
        at += n;
        assert_true(c->out.n <= CONN_OUT_MAX);
        kit_turns();
        if (n == 0) {
            refused++;
            ssize_t r = read(client, got + have, 10000);
            assert_true(r > 0);
            have += (size_t)r;
        }
    }
    assert_true(refused > 10);
    assert_memory_equal(big, got, sizeof(big));
    kit_turns();
    assert_true(p.drained > 0);
    assert_null(c->out.p); /* no memory is held when idle */
    fd_done(&client);
    buf_done(&p.got);
    kit_end();
}

static void test_deadline_and_kill(void **s)
{
    (void)s;
    struct probe p;
    int client;
    kit_begin();
    struct conn *c = probe_begin(&p, &client);
    conn_set_deadline(c, loop_now(kit_edge.loop) + 1);
    while (!p.deadlines)
        loop_turn(kit_edge.loop, true);
    conn_kill(c, ERR_LIMIT);
    assert_int_equal(p.closed, 0); /* never from inside the call */
    kit_turns();
    assert_int_equal(p.closed, 1);
    assert_int_equal(p.why, ERR_LIMIT);
    assert_true(kit_ended(client));
    fd_done(&client);
    buf_done(&p.got);
    kit_end();
}

/* TLS. */

struct tls_side {
    struct tls_kit kit;
    struct tls_ctx *client_ctx;
    struct tls *tls;
};

static void tls_side_begin(struct tls_side *t, const char *alpn)
{
    static const char *const imap[] = {"imap", NULL};
    tls_kit_init(&t->kit, TLS_KIT_EC);
    struct tls_certificate cert = {buf_view(&t->kit.cert_pem), 0};
    struct tls_server_options so = {.listener = SLICE("imaps"),
                                    .certificates = &cert,
                                    .n_certificates = 1,
                                    .signer = {tls_kit_sign, &t->kit},
                                    .alpn = imap};
    struct tls_client_options co = {.trust_pem = buf_view(&t->kit.cert_pem)};
    assert_int_equal(tls_server_new(&so, &kit_edge.tls[SERVICE_IMAPS], NULL), OK);
    assert_int_equal(tls_client_new(&co, &t->client_ctx, NULL), OK);
    assert_int_equal(
        tls_connect(t->client_ctx, SLICE("mail.test"), slice_str(alpn), TLS_VERIFY_PKIX, &t->tls), OK);
}

static void tls_side_end(struct tls_side *t)
{
    tls_free(&t->tls);
    tls_ctx_free(&t->client_ctx);
    tls_kit_done(&t->kit);
}

/* Moves what both have, step bytes at a time towards the server. */
static void tls_side_move(struct tls_side *t, int client, size_t step)
{
    for (slice s = tls_pending(t->tls); s.n; s = tls_pending(t->tls)) {
        ssize_t n = write(client, s.p, size_min(s.n, step));
        if (n <= 0)
            break;
        tls_sent(t->tls, (size_t)n);
        kit_turns();
    }
    kit_turns();
    for (;;) {
        uint8_t room[16384];
        ssize_t n = read(client, room, size_min(sizeof(room), tls_room(t->tls)));
        if (n <= 0)
            break;
        assert_int_equal(tls_feed(t->tls, slice_of(room, (size_t)n)), OK);
        kit_turns();
        if (tls_room(t->tls) == 0)
            break;
    }
}

static void tls_over_conn(size_t step)
{
    struct probe p;
    struct tls_side t;
    int client;
    kit_begin();
    struct conn *c = probe_begin(&p, &client);
    tls_side_begin(&t, "imap");
    assert_int_equal(conn_start_tls(c, kit_edge.tls[SERVICE_IMAPS]), OK);
    assert_int_equal(conn_start_tls(c, kit_edge.tls[SERVICE_IMAPS]), ERR_STATE);
    for (int i = 0; i < 6 && tls_handshake(t.tls) != OK; i++)
        tls_side_move(&t, client, step);
    tls_side_move(&t, client, step);
    assert_int_equal(p.tls, 1);
    assert_int_equal(p.tls_err, OK);
    assert_true(conn_is_tls(c));
    struct tls_facts f;
    conn_tls_facts(c, &f);
    assert_string_equal(f.name, "mail.test");

    size_t used;
    assert_int_equal(tls_write(t.tls, SLICE("hello over tls"), &used), OK);
    tls_side_move(&t, client, step);
    assert_slice(buf_view(&p.got), "hello over tls");

    static uint8_t big[300000], got[300000];
    memset(big, 'b', sizeof(big));
    size_t at = 0, have = 0;
    while (have < sizeof(big)) {
        at += conn_write(c, slice_of(big + at, sizeof(big) - at));
        tls_side_move(&t, client, step);
        size_t n;
        while (tls_read(t.tls, got + have, sizeof(got) - have + (have == sizeof(got)), &n) == OK)
            have += n;
    }
    assert_memory_equal(big, got, sizeof(big));
    conn_close(c);
    tls_side_move(&t, client, step);
    size_t n;
    assert_int_equal(tls_read(t.tls, got, 1, &n), ERR_CLOSED); /* close_notify came */
    fd_done(&client);
    kit_turns();
    assert_int_equal(p.closed, 1);
    tls_side_end(&t);
    buf_done(&p.got);
    kit_end();
}

static void test_tls(void **s)
{
    (void)s;
    tls_over_conn(SIZE_MAX);
    tls_over_conn(1);
    tls_over_conn(5);
}

/* THREATS 13: bytes that came in clear before STARTTLS was done never count as said under TLS. */
static void test_starttls_injection(void **s)
{
    (void)s;
    struct probe p;
    struct tls_side t;
    int client;
    kit_begin();
    struct conn *c = probe_begin(&p, &client);
    tls_side_begin(&t, "");
    p.take_max = 10;
    kit_send(client, "STARTTLS\r\nMAIL FROM:<x>\r\n");
    assert_int_equal(conn_start_tls(c, kit_edge.tls[SERVICE_IMAPS]), ERR_STATE);
    assert_slice(conn_unread(c), "MAIL FROM:<x>\r\n");
    fd_done(&client);
    tls_side_end(&t);
    buf_done(&p.got);
    kit_end();
}

/* THREATS 14: HTTP and the like on a TLS port: an alert at most, nothing repeated, closed, told. */
static void test_foreign_first_bytes(void **s)
{
    (void)s;
    static const char *const words[] = {"POST / HTTP/1.1\r\nHost: canary.example\r\n\r\n",
                                        "EHLO canary.example\r\n", "a001 CAPABILITY\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct probe p;
        struct tls_side t;
        int client;
        kit_begin();
        struct conn *c = probe_begin(&p, &client);
        tls_side_begin(&t, "");
        assert_int_equal(conn_start_tls(c, kit_edge.tls[SERVICE_IMAPS]), OK);
        kit_send(client, words[i]);
        const char *got = kit_read(client);
        assert_true(strlen(got) <= 7);
        assert_null(strstr(got, "canary"));
        assert_true(kit_ended(client));
        assert_int_equal(p.tls, 1);
        assert_int_equal(p.tls_err, ERR_TLS);
        assert_int_equal(p.bytes, 0);
        fd_done(&client);
        kit_turns();
        assert_int_equal(p.why, ERR_TLS);
        tls_side_end(&t);
        buf_done(&p.got);
        kit_end();
    }
}

/* A handshake that never ends costs a bounded amount. */
static void test_endless_hello(void **s)
{
    (void)s;
    struct probe p;
    struct tls_side t;
    int client;
    kit_begin();
    struct conn *c = probe_begin(&p, &client);
    tls_side_begin(&t, "");
    assert_int_equal(conn_start_tls(c, kit_edge.tls[SERVICE_IMAPS]), OK);
    /* a ClientHello that announces 131,000 bytes, in records of 1,000 */
    static uint8_t record[5 + 1000] = {0x16, 3, 1, 1000 >> 8, 1000 & 255, 1, 0x01, 0xff, 0xb8};
    for (int i = 0; i < 64 && !p.tls; i++) {
        IGNORE_RESULT(write(client, record, sizeof(record)) < 0, "it may be closed by now");
        memset(record + 5, 0, 4);
        kit_turns();
        assert_true(c->hello_bytes < CONN_HELLO_MAX + TLS_IN_MAX);
    }
    assert_int_equal(p.tls, 1);
    assert_int_not_equal(p.tls_err, OK);
    fd_done(&client);
    kit_turns();
    assert_int_equal(p.closed, 1);
    tls_side_end(&t);
    buf_done(&p.got);
    kit_end();
}

/* Listeners. */

static int listen_on_loopback(uint16_t *port)
{
    struct ip ip = ip_from_v4((const uint8_t[]){127, 0, 0, 1});
    struct err_detail d;
    int fd = -1;
    assert_int_equal(net_listen(&ip, 0, &fd, &d), OK);
    *port = net_port(fd);
    return fd;
}

static int client_to(uint16_t port)
{
    struct ip ip = ip_from_v4((const uint8_t[]){127, 0, 0, 1});
    int fd = -1;
    assert_int_equal(net_connect(&ip, port, &fd), OK);
    return fd;
}

/* The limit of connections: the rest waits in the kernel, no turn spins, and each end lets one in. */
static void test_connection_limit(void **s)
{
    (void)s;
    uint16_t port;
    int clients[6];
    kit_begin();
    kit_edge.limits.connections = 4;
    listener_add(&kit_edge, listen_on_loopback(&port), SERVICE_IMAP, true);
    assert_int_equal(listener_paused(&kit_edge), 1);
    listener_resume_all(&kit_edge);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        clients[i] = client_to(port);
    kit_turns();
    assert_int_equal(kit_edge.n_conns, 4);
    assert_int_equal(listener_paused(&kit_edge), 1);
    for (size_t i = 0; i < 4; i++)
        assert_true(slice_starts(slice_str(kit_read(clients[i])), SLICE("* OK")));
    assert_string_equal(kit_read(clients[5]), "");
    fd_done(&clients[0]);
    fd_done(&clients[1]);
    kit_turns();
    kit_turns();
    assert_int_equal(kit_edge.n_conns, 4);
    assert_true(slice_starts(slice_str(kit_read(clients[5])), SLICE("* OK")));
    for (size_t i = 2; i < ARRAY_LEN(clients); i++)
        fd_done(&clients[i]);
    kit_turns();
    assert_int_equal(kit_edge.n_conns, 0);
    assert_int_equal(listener_paused(&kit_edge), 0);
    kit_end();
}

/* No descriptors left: accepting pauses, then goes on by itself. */
static void test_descriptors_run_out(void **s)
{
    (void)s;
    uint16_t port;
    int clients[3], next = dup(0);
    struct rlimit old, low;
    kit_begin();
    listener_add(&kit_edge, listen_on_loopback(&port), SERVICE_IMAP, true);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        clients[i] = client_to(port);
    fd_done(&next);
    next = dup(0);
    must(getrlimit(RLIMIT_NOFILE, &old) == 0);
    low = old;
    low.rlim_cur = (rlim_t)next + 1; /* room for one more */
    fd_done(&next);
    must(setrlimit(RLIMIT_NOFILE, &low) == 0);
    listener_resume_all(&kit_edge);
    kit_turns();
    assert_int_equal(kit_edge.n_conns, 1);
    assert_int_equal(listener_paused(&kit_edge), 1);
    must(setrlimit(RLIMIT_NOFILE, &old) == 0);
    while (kit_edge.n_conns < 3)
        loop_turn(kit_edge.loop, true); /* the retry */
    assert_int_equal(listener_paused(&kit_edge), 0);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        fd_done(&clients[i]);
    kit_turns();
    kit_end();
}

static uint64_t admit(const char *text)
{
    struct ip ip;
    uint64_t block = 99;
    assert_int_equal(ip_parse(slice_str(text), &ip), OK);
    return listener_admit(&kit_edge, &ip, &block) ? block : 1;
}

/* 3 of one /24 or /64 at a time; others, and loopback, are not touched by it; a login gives a place back. */
static void test_network_limit(void **s)
{
    (void)s;
    kit_begin();
    uint64_t block = admit("192.0.2.1");
    assert_true(block > 1);
    assert_int_equal(admit("192.0.2.200"), block);
    assert_int_equal(admit("192.0.2.3"), block);
    assert_int_equal(admit("192.0.2.4"), 1); /* refused */
    assert_true(admit("192.0.3.4") > 1);
    for (int i = 0; i < 3; i++)
        assert_true(admit("2001:db8:1:2::77") > 1);
    assert_int_equal(admit("2001:db8:1:2:aaaa::1"), 1);
    assert_true(admit("2001:db8:1:3::1") > 1);
    for (int i = 0; i < 200; i++)
        assert_int_equal(admit("127.0.3.9"), 0);
    struct conn c = {.edge = &kit_edge, .block = block};
    edge_known(&kit_edge, &c);
    edge_known(&kit_edge, &c); /* once only */
    assert_int_equal(admit("192.0.2.4"), block);
    assert_int_equal(admit("192.0.2.4"), 1);
    kit_end();
}

int main(void)
{
    must(tls_setup() == OK);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_unread_is_bounded),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_deadline_and_kill),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_starttls_injection),
        cmocka_unit_test(test_foreign_first_bytes),
        cmocka_unit_test(test_endless_hello),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_network_limit),
        cmocka_unit_test(test_descriptors_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
