/* record: what accounts and the journal keep on disk, to the byte. A change of these bytes is a change of the
 * format: old files would not be read any more. */
#include "lib/test.h"
#include "policy/journal_event.h"
#include "store/message_record.h"
#include "store/run.h"

static const struct hash_key key = {1, 2};

static void assert_hex(slice got, const char *want)
{
    struct buf hex CLEANUP(buf_done);
    buf_init(&hex, 4096);
    for (size_t i = 0; i < got.n; i++)
        assert_int_equal(buf_print(&hex, "%02x", got.p[i]), OK);
    assert_slice(buf_view(&hex), want);
}

/* Each of the four forms of a column, and differences that go down. */
static void a_run_has_these_bytes(void **state)
{
    static struct run r, back;
    uint8_t out[RUN_BYTES_MAX];
    (void)state;
    r = (struct run){.n = 4,
                     .uid = {1, 2, 3, 4},
                     .flags = {1, 0, UINT64_MAX, 5},
                     .modseq = {7, 7, 7, 7},
                     .message = {300, 299, 1000, 1001},
                     .bytes = {127, 128, 16383, 16384},
                     .date = {1795341731, 1795341730, 0, UINT32_MAX}};
    size_t n = run_encode(run_columns(&r), r.n, &key, out);
    assert_hex(slice_of(out, n), "01030101030100ffffffffffffffffff0105000702ac0201fa0a0203"
                                 "7f8001ff7f80800102a3fb8ad80601c3f695b00dfeffffff1f1814a608");
    assert_int_equal(run_decode(slice_of(out, n), &key, run_columns(&back), &back.n), OK);
    assert_memory_equal(&r, &back, sizeof r);
}

static void a_message_has_these_bytes(void **state)
{
    struct message_meta m = {.thread = UINT64_MAX,
                             .bytes = 1000,
                             .header_bytes = 200,
                             .lines = 12,
                             .added_at = 1795341731000,
                             .has_date = true,
                             .is_reply = true,
                             .sent_at = -1,
                             .sent_zone = -90,
                             .defects = 129,
                             .envelope = SLICE("(NIL)"),
                             .subject = SLICE("Hi"),
                             .bcc = SLICE("x@a.example")};
    struct message_meta back;
    struct buf out CLEANUP(buf_done);
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(message_record_encode(&m, &key, &out), OK);
    assert_hex(buf_view(&out), "01ffffffffffffffffff01e807c8010cf092a6abc0680501b301810105284e"
                               "494c29000000024869000000000000000b7840612e6578616d706c65a072ce9c");
    assert_int_equal(message_record_decode(buf_view(&out), &key, &back), OK);
    assert_true(back.thread == m.thread && back.added_at == m.added_at && back.sent_at == m.sent_at &&
                back.sent_zone == m.sent_zone && back.defects == m.defects);
    assert_slice(back.bcc, "x@a.example");
}

static void an_event_has_these_bytes(void **state)
{
    struct journal_event e = {.at = 1795341731000,
                              .role = JOURNAL_ROLE_JOURNAL,
                              .kind = JOURNAL_TROUBLE,
                              .mail = UINT64_MAX,
                              .code = 128,
                              .number = 127,
                              .name = SLICE("journal.db"),
                              .text = SLICE("it was damaged")};
    struct journal_event back;
    struct buf out CLEANUP(buf_done);
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(journal_event_encode(&out, &e), OK);
    assert_hex(buf_view(&out), "460bcdb889d395a034ffffffffffffffffff0180017f0a6a"
                               "6f75726e616c2e64620e6974207761732064616d61676564");
    struct cursor c = cursor_of(buf_view(&out));
    assert_int_equal(journal_event_decode(&c, &back), OK);
    assert_true(cursor_end(&c) && back.mail == e.mail && back.code == 128 && back.number == 127);
    assert_slice(back.text, "it was damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_has_these_bytes),
        cmocka_unit_test(a_message_has_these_bytes),
        cmocka_unit_test(an_event_has_these_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
