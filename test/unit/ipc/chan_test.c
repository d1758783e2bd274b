/* ipc chan: requests meet their replies, descriptors travel, and whoever breaks the table loses the channel
 * and nothing else. */
#include "lib/test.h"

#include "ipc/chan.h"
#include "ipc/x_accounts.h"
#include "ipc/x_directory.h"
#include "sys/body.h"
#include "sys/fd.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
    struct chan *chan;
    unsigned messages, replies;
    enum err reply_err, closed;
    bool is_closed;
    char seen[64];
    slice body_text;
};

static void keep(struct end *e, slice s)
{
    size_t n = size_min(s.n, sizeof e->seen - 1);
    memcpy(e->seen, s.p, n);
    e->seen[n] = 0;
}

static void on_closed(void *arg, struct chan *c, enum err e)
{
    struct end *x = arg;
    x->closed = e;
    x->is_closed = true;
    chan_free(c);
    x->chan = NULL;
}

static void on_ask(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                   size_t n_fds)
{
    struct end *x = arg;
    const struct rcpt_ask *m = message;
    struct rcpt_target t = {RCPT_LOCAL, 1, {0}, m->address, {0}};
    struct rcpt_answer a = {OK, {0}, &t, 1};
    (void)fds, (void)n_fds;
    x->messages++;
    if (type == X_DIRECTORY_RCPT_ASK && !slice_eq(m->address, SLICE("silence@x")))
        assert_int_equal(chan_reply(c, id, X_DIRECTORY_RCPT_ANSWER, &a, NULL, 0), OK);
}

static void on_deliver(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                       size_t n_fds)
{
    struct end *x = arg;
    struct body b;
    (void)c, (void)type, (void)id, (void)message;
    assert_int_equal(n_fds, 1);
    assert_int_equal(body_map(fds[0], 1000, &b), OK);
    keep(x, body_view(&b));
    body_unmap(&b);
    x->messages++;
}

static void nobody_expects(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                           int *fds, size_t n_fds)
{
    (void)arg, (void)c, (void)type, (void)id, (void)message, (void)fds, (void)n_fds;
    fail();
}

static void on_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct end *x = arg;
    const struct rcpt_answer *a = message;
    (void)fds, (void)n_fds;
    x->replies++;
    x->reply_err = e;
    if (!e)
        keep(x, a->targets[0].address);
}

struct pair {
    struct loop *loop;
    struct end a, b;
};

static void pair_open(struct pair *p, const struct ipc_channel *def, chan_message_fn on_b)
{
    int fds[2];
    *p = (struct pair){.loop = loop_new()};
    assert_int_equal(chan_pair(fds), OK);
    p->a.chan = chan_new(p->loop, fds[0], def, IPC_A, nobody_expects, on_closed, &p->a);
    p->b.chan = chan_new(p->loop, fds[1], def, IPC_B, on_b, on_closed, &p->b);
}

static void pair_close(struct pair *p)
{
    chan_free(p->a.chan);
    chan_free(p->b.chan);
    loop_free(p->loop);
}

static void a_request_meets_its_reply(void **state)
{
    struct pair p;
    struct rcpt_ask m = {.address = SLICE("someone@x")};
    (void)state;
    pair_open(&p, &x_directory_channel, on_ask);
    for (int i = 0; i < 500; i++)
        assert_int_equal(
            chan_call(p.a.chan, X_DIRECTORY_RCPT_ASK, &m, NULL, 0, INT64_MAX / 2, on_reply, &p.a), OK);
    while (p.a.replies < 500)
        loop_turn(p.loop, true);
    assert_string_equal(p.a.seen, "someone@x");
    assert_int_equal(chan_pending(p.a.chan), 0);
    pair_close(&p);
}

static void a_deadline_answers_for_the_silent(void **state)
{
    struct pair p;
    struct rcpt_ask m = {.address = SLICE("silence@x")};
    (void)state;
    pair_open(&p, &x_directory_channel, on_ask);
    assert_int_equal(
        chan_call(p.a.chan, X_DIRECTORY_RCPT_ASK, &m, NULL, 0, loop_now(p.loop) - 1, on_reply, &p.a), OK);
    while (!p.a.replies)
        loop_turn(p.loop, true);
    assert_int_equal(p.a.reply_err, ERR_TIMEOUT);
    assert_false(p.a.is_closed);
    pair_close(&p);
}

static void a_dead_peer_answers_all_calls(void **state)
{
    struct pair p;
    struct rcpt_ask m = {.address = SLICE("silence@x")};
    (void)state;
    pair_open(&p, &x_directory_channel, on_ask);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            chan_call(p.a.chan, X_DIRECTORY_RCPT_ASK, &m, NULL, 0, INT64_MAX / 2, on_reply, &p.a), OK);
    chan_free(p.b.chan);
    p.b.chan = NULL;
    while (!p.a.is_closed)
        loop_turn(p.loop, true);
    assert_int_equal(p.a.replies, 3);
    assert_int_equal(p.a.reply_err, ERR_CLOSED);
    pair_close(&p);
}

/* Who forgot a call never hears of it: not of its reply, its deadline, nor the end of the channel. */
static void what_is_forgotten_is_not_answered(void **state)
{
    static const char *const addresses[] = {"someone@x", "silence@x", "silence@x"};
    struct pair p;
    struct end gone = {0};
    (void)state;
    pair_open(&p, &x_directory_channel, on_ask);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct rcpt_ask m = {.address = slice_str(addresses[i])};
        time_ms deadline = i == 1 ? loop_now(p.loop) - 1 : INT64_MAX / 2;
        assert_int_equal(chan_call(p.a.chan, X_DIRECTORY_RCPT_ASK, &m, NULL, 0, deadline, on_reply, &gone),
                         OK);
        assert_int_equal(chan_call(p.a.chan, X_DIRECTORY_RCPT_ASK, &m, NULL, 0, deadline, on_reply, &p.a),
                         OK);
    }
    chan_forget(p.a.chan, &gone);
    while (p.a.replies < 2)
        loop_turn(p.loop, true);
    chan_free(p.b.chan);
    p.b.chan = NULL;
    while (!p.a.is_closed)
        loop_turn(p.loop, true);
    assert_int_equal(p.a.replies, 3);
    assert_int_equal(gone.replies, 0);
    pair_close(&p);
}

static void a_body_travels_sealed(void **state)
{
    struct pair p;
    struct body_writer w;
    struct deliver m = {.account = 5, .recipient = SLICE("a@b")};
    int fd = -1;
    uint64_t n = 0;
    (void)state;
    pair_open(&p, &x_accounts_channel, on_deliver);
    body_writer_init(&w, 100);
    assert_int_equal(body_append(&w, SLICE("the body")), OK);
    assert_int_equal(body_append(&w, (slice){(const uint8_t *)"", 0}), OK);
    assert_int_equal(body_seal(&w, &fd, &n), OK);
    assert_int_equal(n, 8);
    assert_true(write(fd, "x", 1) < 0);
    assert_int_equal(chan_call(p.a.chan, X_ACCOUNTS_DELIVER, &m, &fd, 1, INT64_MAX / 2, on_reply, &p.a), OK);
    fd_done(&fd);
    while (!p.b.messages)
        loop_turn(p.loop, true);
    assert_string_equal(p.b.seen, "the body");
    pair_close(&p);
}

/* Raw bytes from end A: version, type, id, and what else. */
static void rule_breaker(const struct ipc_channel *def, chan_message_fn on_b, slice raw)
{
    struct loop *loop = loop_new();
    struct end b = {0};
    int fds[2];
    assert_int_equal(chan_pair(fds), OK);
    b.chan = chan_new(loop, fds[1], def, IPC_B, on_b, on_closed, &b);
    assert_int_equal(send(fds[0], raw.p, raw.n, 0), (ssize_t)raw.n);
    while (!b.is_closed)
        loop_turn(loop, true);
    assert_int_not_equal(b.closed, OK);
    assert_int_not_equal(b.closed, ERR_CLOSED);
    fd_done(&fds[0]);
    loop_free(loop);
}

static void whoever_breaks_the_table_loses_the_channel(void **state)
{
    static const uint8_t wrong_version[] = {0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    static const uint8_t unknown_type[] = {0, 1, 0, 99, 0, 0, 0, 0, 0, 0, 0, 1};
    static const uint8_t not_its_to_send[] = {0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1};
    static const uint8_t request_without_id[] = {0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t no_body_descriptor[] = {0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    (void)state;
    rule_breaker(&x_directory_channel, nobody_expects, slice_of(wrong_version, sizeof wrong_version));
    rule_breaker(&x_directory_channel, nobody_expects, slice_of(unknown_type, sizeof unknown_type));
    rule_breaker(&x_directory_channel, nobody_expects, slice_of(not_its_to_send, sizeof not_its_to_send));
    rule_breaker(&x_directory_channel, nobody_expects,
                 slice_of(request_without_id, sizeof request_without_id));
    rule_breaker(&x_accounts_channel, nobody_expects,
                 slice_of(no_body_descriptor, sizeof no_body_descriptor));
    rule_breaker(&x_directory_channel, nobody_expects, SLICE("short"));
}

/* Read or mapped, and wherever the descriptor stands: its position belongs to all who hold it. */
static void a_body_of_any_size_is_seen_whole(void **state)
{
    static const size_t sizes[] = {
        0, 1, BODY_COPY_MAX - 1, BODY_COPY_MAX, BODY_COPY_MAX + 1, 5 * BODY_COPY_MAX};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct body_writer w;
        struct body b = {0}, other = {0};
        uint8_t *bytes = malloc(sizes[i] + 1);
        uint64_t n = 0;
        int fd = -1;
        assert_non_null(bytes);
        for (size_t k = 0; k < sizes[i]; k++)
            bytes[k] = (uint8_t)(k * 7 + k / 251);
        body_writer_init(&w, 10 * BODY_COPY_MAX);
        assert_int_equal(body_append(&w, slice_of(bytes, sizes[i])), OK);
        assert_int_equal(body_seal(&w, &fd, &n), OK);
        assert_int_equal(lseek(fd, (off_t)sizes[i] / 2, SEEK_SET), (off_t)sizes[i] / 2);
        assert_int_equal(body_map(fd, n, &b), OK);
        if (n)
            assert_int_equal(body_map(fd, n - 1, &other), ERR_TOO_LARGE);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)sizes[i] / 2);
        fd_done(&fd);
        assert_true(slice_eq(body_view(&b), slice_of(bytes, sizes[i])));
        body_unmap(&b);
        assert_null(b.p);
        free(bytes);
    }
}

static void an_unsealed_body_is_refused(void **state)
{
    struct body b;
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(body_map(fds[0], 100, &b), ERR_DENIED);
    fd_done(&fds[0]);
    fd_done(&fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_meets_its_reply),
        cmocka_unit_test(a_deadline_answers_for_the_silent),
        cmocka_unit_test(a_dead_peer_answers_all_calls),
        cmocka_unit_test(what_is_forgotten_is_not_answered),
        cmocka_unit_test(a_body_travels_sealed),
        cmocka_unit_test(whoever_breaks_the_table_loses_the_channel),
        cmocka_unit_test(a_body_of_any_size_is_seen_whole),
        cmocka_unit_test(an_unsealed_body_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
