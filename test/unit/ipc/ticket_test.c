/* A ticket opens what it names, once, for its time, and nothing when a single bit of it was changed. */
#include "lib/test.h"

#include "ipc/ticket.h"

static const struct ticket_key key = {{1, 2, 3}};
static const struct ticket good = {
    .account = 77, .scope = TICKET_IMAP, .expires_mono = 5000, .epoch = 42, .issuer = 9, .nonce = 1};

static void round_trip(void **state)
{
    uint8_t bytes[TICKET_SIZE];
    struct ticket t;
    (void)state;
    ticket_encode(&good, &key, bytes);
    assert_int_equal(ticket_verify(slice_of(bytes, sizeof bytes), &key, TICKET_IMAP, 42, 4999, &t), OK);
    assert_int_equal(t.account, 77);
    assert_int_equal(t.issuer, 9);
    assert_int_equal(t.nonce, 1);
    assert_int_equal(t.expires_mono, 5000);
}

static void forged(void **state)
{
    struct ticket_key other = {{1, 2, 4}};
    uint8_t bytes[TICKET_SIZE];
    struct ticket t;
    (void)state;
    ticket_encode(&good, &other, bytes);
    assert_int_equal(ticket_verify(slice_of(bytes, sizeof bytes), &key, TICKET_IMAP, 42, 0, &t), ERR_DENIED);
    ticket_encode(&good, &key, bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(ticket_verify(slice_of(bytes, sizeof bytes), &key, TICKET_IMAP, 42, 0, &t), OK);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < sizeof bytes; n++) {
        slice cut = guard_copy(slice_of(bytes, n));
        assert_int_equal(ticket_verify(cut, &key, TICKET_IMAP, 42, 0, &t), ERR_SYNTAX);
        guard_free(cut);
    }
}

static void expired_or_other_scope(void **state)
{
    uint8_t bytes[TICKET_SIZE];
    slice s = slice_of(bytes, sizeof bytes);
    struct ticket t;
    (void)state;
    ticket_encode(&good, &key, bytes);
    assert_int_equal(ticket_verify(s, &key, TICKET_IMAP, 42, 5000, &t), ERR_EXPIRED);
    assert_int_equal(ticket_verify(s, &key, TICKET_IMAP, 43, 0, &t), ERR_EXPIRED);
    assert_int_equal(ticket_verify(s, &key, TICKET_DELIVER, 42, 0, &t), ERR_DENIED);
}

static enum err use(struct ticket_replay *r, uint64_t issuer, uint64_t nonce)
{
    struct ticket t = good;
    t.issuer = issuer;
    t.nonce = nonce;
    return ticket_replay_use(r, &t);
}

static void used_once(void **state)
{
    static struct ticket_replay r;
    (void)state;
    assert_int_equal(use(&r, 1, 0), ERR_REPLAYED);
    for (uint64_t n = 1; n < 300; n += 2)
        assert_int_equal(use(&r, 1, n), OK);
    for (uint64_t n = 1; n < 300; n++)
        assert_int_equal(use(&r, 1, n), n % 2 ? ERR_REPLAYED : OK);
    /* another run of directory counts anew, and the one before is still remembered */
    assert_int_equal(use(&r, 2, 5), OK);
    assert_int_equal(use(&r, 2, 5), ERR_REPLAYED);
    assert_int_equal(use(&r, 1, 299), ERR_REPLAYED);
    assert_int_equal(use(&r, 1, 300), OK);
}

static void window_moves(void **state)
{
    static struct ticket_replay r;
    uint64_t far = 3 * TICKET_REPLAY_WINDOW + 17;
    (void)state;
    assert_int_equal(use(&r, 1, 10), OK);
    assert_int_equal(use(&r, 1, far), OK);
    assert_int_equal(use(&r, 1, 10), ERR_REPLAYED);
    assert_int_equal(use(&r, 1, 11), ERR_REPLAYED); /* too old to know */
    assert_int_equal(use(&r, 1, far - 1000), OK);
    assert_int_equal(use(&r, 1, far - 1000), ERR_REPLAYED);
    assert_int_equal(use(&r, 1, far + TICKET_REPLAY_WINDOW - 128), OK);
    assert_int_equal(use(&r, 1, far), ERR_REPLAYED);
    assert_int_equal(use(&r, 1, far + 1), OK);
    assert_int_equal(use(&r, 1, UINT64_MAX), OK);
    assert_int_equal(use(&r, 1, UINT64_MAX), ERR_REPLAYED);
    assert_int_equal(use(&r, 1, 1), ERR_REPLAYED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(forged),
        cmocka_unit_test(expired_or_other_scope),
        cmocka_unit_test(used_once),
        cmocka_unit_test(window_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
