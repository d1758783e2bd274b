/* ipc codec: every message of every channel travels there and back; limits hold on both sides; no cut of the
 * bytes is accepted. */
#include "lib/test.h"

#include "ipc/channels.h"
#include "ipc/x_directory.h"

#include <stdlib.h>

static void every_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < ipc_channels_n; i++) {
        const struct ipc_channel *c = ipc_channels[i];
        assert_ptr_equal(ipc_channel_find(slice_str(c->name)), c);
        for (size_t m = 0; m < c->n_messages; m++) {
            const struct ipc_message *row = &c->messages[m];
            assert_ptr_equal(ipc_find(c, row->type), row); /* no type twice */
            assert_true(row->fds_min <= row->fds_max && row->fds_max <= IPC_FDS_MAX);
            if (row->way == IPC_REQUEST) {
                const struct ipc_message *reply = ipc_find(c, row->reply);
                assert_non_null(reply);
                assert_int_equal(reply->way, IPC_REPLY);
                assert_int_not_equal(reply->from, row->from);
            }
        }
    }
}

static void lists_travel_there_and_back(void **state)
{
    const struct ipc_shape *shape = ipc_find(&x_directory_channel, X_DIRECTORY_RCPT_ANSWER)->shape;
    struct rcpt_target targets[2] = {{RCPT_LOCAL, 7, SLICE("ticket"), SLICE("a@b.test"), SLICE("detail")},
                                     {RCPT_REMOTE, 0, {0}, SLICE("c@d.test"), {0}}};
    struct rcpt_answer in = {3, SLICE("why"), targets, 2}, out;
    struct buf b;
    struct arena a;
    (void)state;
    buf_init(&b, IPC_BYTES_MAX);
    arena_init(&a, "test", 100000);
    assert_int_equal(ipc_encode(&b, shape, &in), OK);
    assert_int_equal(ipc_decode(buf_view(&b), shape, &a, &out), OK);
    assert_int_equal(out.err, 3);
    assert_slice(out.text, "why");
    assert_int_equal(out.n_targets, 2);
    assert_int_equal(out.targets[0].account, 7);
    assert_slice(out.targets[0].detail, "detail");
    assert_int_equal(out.targets[1].kind, RCPT_REMOTE);
    assert_slice(out.targets[1].address, "c@d.test");
    for (size_t cut = 0; cut < b.n; cut++) {
        slice s = guard_copy(slice_sub(buf_view(&b), 0, cut));
        assert_int_not_equal(ipc_decode(s, shape, &a, &out), OK);
        guard_free(s);
        arena_reset(&a);
    }
    assert_int_equal(buf_byte(&b, 0), OK);
    assert_int_equal(ipc_decode(buf_view(&b), shape, &a, &out), ERR_SYNTAX);
    arena_done(&a);
    buf_done(&b);
}

static void limits_hold_on_both_sides(void **state)
{
    const struct ipc_shape *shape = ipc_find(&x_directory_channel, X_DIRECTORY_RCPT_ASK)->shape;
    char text[ADDRESS_MAX + 1];
    struct rcpt_ask in = {.address = {(const uint8_t *)text, ADDRESS_MAX + 1}}, out;
    struct buf b;
    struct arena a;
    (void)state;
    memset(text, 'x', sizeof text);
    buf_init(&b, IPC_BYTES_MAX);
    arena_init(&a, "test", 100000);
    assert_int_equal(ipc_encode(&b, shape, &in), ERR_LIMIT);
    assert_int_equal(b.n, 0);
    in.address.n--;
    assert_int_equal(ipc_encode(&b, shape, &in), OK);
    b.p[3]++; /* the length of the address: one more than allowed, and than there is */
    assert_int_equal(ipc_decode(buf_view(&b), shape, &a, &out), ERR_LIMIT);
    arena_done(&a);
    buf_done(&b);
}

static void a_count_that_cannot_be_true_allocates_nothing(void **state)
{
    const struct ipc_shape *shape = ipc_find(&x_directory_channel, X_DIRECTORY_RCPT_ANSWER)->shape;
    static const uint8_t bytes[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100};
    struct rcpt_answer out;
    struct arena a;
    (void)state;
    arena_init(&a, "test", 100000);
    assert_int_equal(ipc_decode(slice_of(bytes, sizeof bytes), shape, &a, &out), ERR_SYNTAX);
    assert_int_equal(a.used, 0);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_is_sound),
        cmocka_unit_test(lists_travel_there_and_back),
        cmocka_unit_test(limits_hold_on_both_sides),
        cmocka_unit_test(a_count_that_cannot_be_true_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
