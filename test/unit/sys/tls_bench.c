/* Figures for docs/decisions/0002-remote-keys.md: full TLS 1.3 handshakes a second with the key in this
 * process and with the key behind a channel to another one, and the memory of idle connections. Not a test:
 * run it by hand. Built by `ninja test/unit/sys/tls_bench`. */
#include "ipc/chan.h"
#include "ipc/x_keys.h"
#include "proc/keys/key_store.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "tls_kit.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct tls_kit kit;
static struct chan *keys;
static struct key_store *store;

static double seconds(clockid_t id)
{
    struct timespec t;
    must(clock_gettime(id, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum err sign_here(void *arg, uint32_t key, uint16_t scheme, slice text, struct buf *out)
{
    (void)arg;
    static time_ms fresh;
    return key_store_sign(store, key, scheme, text, fresh += MS_SECOND, out);
}

static enum err sign_there(void *arg, uint32_t key, uint16_t scheme, slice text, struct buf *out)
{
    struct sign_ask ask = {key, scheme, text};
    struct signature got;
    struct arena arena;
    (void)arg;
    arena_init(&arena, "bench", 8192);
    enum err e = chan_call_wait(keys, X_KEYS_SIGN, &ask, 2000, &arena, &got);
    if (e == OK)
        e = err_from_wire(got.err);
    if (e == OK)
        e = buf_append(out, got.bytes);
    arena_done(&arena);
    return e;
}

static void keys_child(int fd)
{
    static uint8_t bytes[IPC_BYTES_MAX];
    struct arena arena;
    time_ms fresh = 0;
    arena_init(&arena, "child", 1 << 20);
    for (;;) {
        const struct ipc_message *row;
        void *message;
        uint64_t id;
        int fds[IPC_FDS_MAX];
        size_t n_fds;
        struct buf out;
        if (chan_read_wait(fd, &x_keys_channel, IPC_B, 60000, bytes, &arena, &row, &id, &message, fds,
                           &n_fds) != OK)
            _exit(0);
        const struct sign_ask *ask = message;
        buf_init(&out, 1024);
        enum err e = key_store_sign(store, ask->key, ask->algorithm, ask->data, fresh += MS_SECOND, &out);
        struct signature s = {(uint32_t)e, buf_view(&out)};
        must(chan_write_wait(fd, &x_keys_channel, X_KEYS_SIGNATURE, id, &s, NULL, 0) == OK);
        buf_done(&out);
        arena_reset(&arena);
    }
}

static void move(struct tls *from, struct tls *to)
{
    slice s = tls_pending(from);
    must(tls_feed(to, s) == OK);
    tls_sent(from, s.n);
}

static double server_s;

static void shake(struct tls *server, struct tls *client)
{
    enum err se = ERR_AGAIN, ce = ERR_AGAIN;
    for (int i = 0; i < 8 && (se != OK || ce != OK); i++) {
        ce = tls_handshake(client);
        move(client, server);
        double t = seconds(CLOCK_MONOTONIC);
        se = tls_handshake(server);
        server_s += seconds(CLOCK_MONOTONIC) - t;
        move(server, client);
    }
    must(se == OK && ce == OK);
}

static struct tls_ctx *server_with(enum err (*sign)(void *, uint32_t, uint16_t, slice, struct buf *))
{
    struct tls_certificate cert = {buf_view(&kit.cert_pem), 0};
    struct tls_server_options o = {
        .listener = SLICE("bench"), .certificates = &cert, .n_certificates = 1, .signer = {sign, &kit}};
    struct tls_ctx *c = NULL;
    must(tls_server_new(&o, &c, NULL) == OK);
    return c;
}

static void handshakes(const char *name, struct tls_ctx *server, struct tls_ctx *client, unsigned n)
{
    server_s = 0;
    for (unsigned i = 0; i < n; i++) {
        struct tls *s = NULL, *c = NULL;
        must(tls_accept(server, &s) == OK);
        must(tls_connect(client, SLICE("mail.test"), (slice){0}, TLS_VERIFY_RECORD, &c) == OK);
        shake(s, c);
        tls_free(&s);
        tls_free(&c);
    }
    printf("%-28s %6.0f handshakes/s (server's part: %.0f us each, waiting included)\n", name, n / server_s,
           server_s / n * 1e6);
}

static void idle(struct tls_ctx *server, struct tls_ctx *client, size_t n)
{
    struct tls **all = calloc(n, sizeof(struct tls *));
    must(all);
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        struct tls *c = NULL;
        uint8_t b[64];
        size_t got;
        size_t before = mallinfo2().uordblks;
        must(tls_accept(server, &all[i]) == OK);
        must(tls_connect(client, SLICE("mail.test"), (slice){0}, TLS_VERIFY_RECORD, &c) == OK);
        shake(all[i], c);
        must(tls_write(c, SLICE("a NOOP\r\n"), &got) == OK);
        move(c, all[i]);
        must(tls_read(all[i], b, sizeof(b), &got) == OK);
        must(tls_write(all[i], SLICE("a OK\r\n"), &got) == OK);
        move(all[i], c);
        tls_free(&c);
        sum += mallinfo2().uordblks - before;
    }
    printf("idle TLS 1.3 connection        %zu bytes of heap each\n", sum / n);
    for (size_t i = 0; i < n; i++)
        tls_free(&all[i]);
    free(all);
}

int main(void)
{
    must(tls_setup() == OK);
    tls_kit_init(&kit, TLS_KIT_EC);
    store = key_store_new();
    uint32_t number;
    struct err_detail d;
    must(key_store_add(store, buf_view(&kit.cert_pem), buf_view(&kit.key_pem), &number, &d) == OK);
    int fds[2];
    must(chan_pair(fds) == OK);
    pid_t child = fork();
    if (child == 0)
        keys_child(fds[1]);
    struct loop *loop = loop_new();
    keys = chan_new(loop, fds[0], &x_keys_channel, IPC_A, NULL, NULL, NULL);
    struct tls_client_options co = {0};
    struct tls_ctx *client = NULL, *here = server_with(sign_here), *there = server_with(sign_there);
    must(tls_client_new(&co, &client, NULL) == OK);
    handshakes("warm-up", here, client, 300);
    for (int i = 0; i < 3; i++) {
        handshakes("key in this process", here, client, 3000);
        handshakes("key in another process", there, client, 3000);
    }
    idle(there, client, 1000);
    must(kill(child, SIGTERM) == 0 && waitpid(child, NULL, 0) == child);
    return 0;
}
