#include "edge_kit.h"

#include "ipc/x_accounts.h"
#include "ipc/x_directory.h"
#include "lib/test.h"
#include "proc/edge/auth_cache.h"
#include "proc/edge/listener.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct edge kit_edge;
struct kit_call kit_call;
unsigned kit_calls;
bool kit_down;
struct journal_event kit_told;
char kit_told_text[256];
unsigned kit_smtp_begun;

static struct arena kit_arena;
static struct role_self kit_role;

/* What role.c does in a house. */

static const struct ipc_channel *kit_channel(enum role peer)
{
    return peer == ROLE_DIRECTORY ? &x_directory_channel : &x_accounts_channel;
}

enum err role_call(struct role_self *r, enum role peer, uint16_t type, const void *message, const int *fds,
                   size_t n_fds, time_ms ms, chan_reply_fn fn, void *arg)
{
    struct buf b;
    (void)r, (void)fds, (void)n_fds;
    assert_true(ms > 0);
    if (kit_down)
        return ERR_CLOSED;
    assert_null(kit_call.fn);
    const struct ipc_shape *shape = ipc_find(kit_channel(peer), type)->shape;
    arena_reset(&kit_arena);
    buf_init(&b, IPC_BYTES_MAX);
    assert_int_equal(ipc_encode(&b, shape, message), OK);
    void *copy = arena_alloc(&kit_arena, shape->size);
    slice bytes;
    must(copy && arena_dup(&kit_arena, buf_view(&b), &bytes));
    assert_int_equal(ipc_decode(bytes, shape, &kit_arena, copy), OK);
    buf_done(&b);
    kit_call = (struct kit_call){peer, type, copy, fn, arg};
    kit_calls++;
    return OK;
}

void role_forget(struct role_self *r, void *arg)
{
    (void)r;
    if (kit_call.arg == arg)
        kit_call = (struct kit_call){0};
}

void role_tell(struct role_self *r, struct journal_event event)
{
    (void)r;
    kit_told = event;
    snprintf(kit_told_text, sizeof(kit_told_text), "%.*s", SLICE_FMT(event.text));
}

void role_exit(struct role_self *r)
{
    (void)r;
}

void smtp_session_begin(struct edge *e, struct conn *c)
{
    (void)e, (void)c;
    kit_smtp_begun++;
}

void kit_begin(void)
{
    kit_edge = (struct edge){.role = &kit_role, .loop = loop_new(), .auth_cache = auth_cache_new(4)};
    snprintf(kit_edge.hostname, sizeof(kit_edge.hostname), "mail.demo.test");
    kit_edge.limits = (struct edge_limits){.connections = 100, .connections_per_network = 3};
    list_init(&kit_edge.conns);
    list_init(&kit_edge.listeners);
    arena_init(&kit_arena, "kit", 1 << 20);
    kit_call = (struct kit_call){0};
    kit_calls = kit_smtp_begun = 0;
    kit_down = false;
    kit_told = (struct journal_event){0};
}

void kit_end(void)
{
    LIST_EACH(it, &kit_edge.conns)
    conn_kill(LIST_OF(it, struct conn, link), OK);
    kit_turns();
    listener_close_all(&kit_edge);
    assert_true(list_empty(&kit_edge.conns));
    for (size_t i = 0; i < SERVICE__COUNT; i++)
        tls_ctx_free(&kit_edge.tls[i]);
    auth_cache_free(&kit_edge.auth_cache);
    arena_done(&kit_arena);
    kit_turns();
    loop_free(kit_edge.loop);
}

void kit_turns(void)
{
    for (int i = 0; i < 12; i++)
        loop_turn(kit_edge.loop, false);
}

void kit_reply(enum err e, const void *message, int *fds, size_t n_fds)
{
    struct kit_call call = kit_call;
    assert_non_null(call.fn);
    kit_call = (struct kit_call){0};
    call.fn(call.arg, e, message, fds, n_fds);
    for (size_t i = 0; i < n_fds; i++)
        fd_done(&fds[i]);
    kit_turns();
}

void kit_directory(const char *password, enum err result)
{
    static const uint8_t salt[SCRAM_SALT_SIZE] = "sixteen bytes ok";
    struct scram_verifier v;
    struct scram_server s;
    struct buf out;
    must(scram_verifier_make(slice_str(password), salt, &v) == OK);
    scram_server_init(&s);
    buf_init(&out, 4096);
    kit_turns();
    assert_int_equal(kit_call.type, X_DIRECTORY_AUTH_START);
    const struct auth_start *start = kit_call.message;
    struct auth_challenge challenge = {.handle = 77};
    enum err e = scram_server_first(&s, start->client_first);
    if (e == OK)
        e = scram_server_challenge(&s, &v, SLICE("serverservernonce"), &out);
    challenge.err = (uint32_t)e;
    challenge.server_first = e == OK ? buf_view(&out) : (slice){0};
    kit_reply(OK, &challenge, NULL, 0);
    buf_clear(&out);
    if (kit_call.type == X_DIRECTORY_AUTH_FINISH) {
        const struct auth_finish *finish = kit_call.message;
        assert_int_equal(finish->handle, 77);
        e = scram_server_final(&s, finish->client_final, &out);
        if (e == OK)
            e = result;
        struct auth_result r = {.err = (uint32_t)e,
                                .server_final = buf_view(&out),
                                .account = 5,
                                .address = SLICE("alice@demo.test"),
                                .ticket = SLICE("ticket")};
        kit_reply(OK, &r, NULL, 0);
    }
    scram_server_done(&s);
    buf_done(&out);
}

struct conn *kit_conn(enum service service, bool plaintext, int *out_client)
{
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    struct ip ip = ip_from_v4((const uint8_t[]){192, 0, 2, 7});
    struct conn *c = conn_new(kit_edge.loop, fds[0], &ip, 4711);
    c->edge = &kit_edge;
    c->id = 9;
    c->service = service;
    c->plaintext = plaintext;
    list_append(&kit_edge.conns, &c->link);
    *out_client = fds[1];
    return c;
}

const char *kit_read(int client)
{
    static char room[64 * 1024 + 1];
    size_t n = 0;
    kit_turns();
    for (;;) {
        ssize_t r = read(client, room + n, sizeof(room) - 1 - n);
        if (r <= 0)
            break;
        n += (size_t)r;
        kit_turns();
    }
    room[n] = 0;
    return room;
}

void kit_send(int client, const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(write(client, text, n), n);
    kit_turns();
}

bool kit_ended(int client)
{
    char b;
    kit_turns();
    return read(client, &b, 1) == 0;
}
