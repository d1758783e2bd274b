/* part_table: sections as IMAP numbers them, and stored tables that are not sound (RFC 9051 §6.4.5.1). */
#include "lib/test.h"

#include "core/mail/message.h"

/* RFC 9051 §6.4.5.1's example of part specifiers, as a message: 1 text, 2 octets, 3 message (mixed), 4 mixed.
 */
static const char example[] = "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
                              "--a\r\nX: 1\r\n\r\none\r\n"
                              "--a\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n"
                              "--a\r\nContent-Type: message/rfc822\r\n\r\n"
                              "Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                              "--b\r\n\r\nthree one\r\n"
                              "--b\r\nContent-Type: application/octet-stream\r\n\r\nthree two\r\n--b--\r\n"
                              "--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
                              "--c\r\nContent-Type: image/gif\r\n\r\nfour one\r\n"
                              "--c\r\nContent-Type: message/rfc822\r\n\r\n"
                              "Subject: four two\r\n\r\nfour two one\r\n--c--\r\n"
                              "--a--\r\n";

static void finds_sections(void **state)
{
    static const struct {
        uint32_t numbers[4];
        size_t n;
        enum part_what what;
        const char *begin; /* how the section begins; NULL: there is none */
        const char *end;
    } rows[] = {
        {{0}, 0, PART_WHOLE, "Content-Type: multipart/mixed; boundary=a", "--a--\r\n"},
        {{0}, 0, PART_HEADER, "Content-Type: multipart/mixed; boundary=a", "=a\r\n\r\n"},
        {{0}, 0, PART_TEXT, "--a\r\nX: 1", "--a--\r\n"},
        {{0}, 0, PART_MIME, NULL, NULL},
        {{0}, 0, PART_BODY, NULL, NULL},
        {{1}, 1, PART_BODY, "one", "one"},
        {{1}, 1, PART_MIME, "X: 1\r\n\r\n", "X: 1\r\n\r\n"},
        {{1}, 1, PART_HEADER, NULL, NULL},
        {{1}, 1, PART_TEXT, NULL, NULL},
        {{1}, 1, PART_WHOLE, NULL, NULL},
        {{1, 1}, 2, PART_BODY, NULL, NULL},
        {{2}, 1, PART_BODY, "two", "two"},
        {{3}, 1, PART_BODY, "Subject: three\r\nContent", "--b--"},
        {{3}, 1, PART_MIME, "Content-Type: message/rfc822\r\n\r\n", "\r\n\r\n"},
        {{3}, 1, PART_HEADER, "Subject: three\r\n", "=b\r\n\r\n"},
        {{3}, 1, PART_TEXT, "--b\r\n\r\nthree one", "--b--"},
        {{3, 1}, 2, PART_BODY, "three one", "three one"},
        {{3, 1}, 2, PART_MIME, "\r\n", "\r\n"},
        {{3, 2}, 2, PART_BODY, "three two", "three two"},
        {{3, 3}, 2, PART_BODY, NULL, NULL},
        {{4}, 1, PART_BODY, "--c\r\n", "--c--"},
        {{4, 1}, 2, PART_BODY, "four one", "four one"},
        {{4, 2}, 2, PART_BODY, "Subject: four two", "four two one"},
        {{4, 2}, 2, PART_HEADER, "Subject: four two\r\n\r\n", "two\r\n\r\n"},
        {{4, 2}, 2, PART_TEXT, "four two one", "four two one"},
        {{4, 2, 1}, 3, PART_BODY, "four two one", "four two one"},
        {{4, 2, 2}, 3, PART_BODY, NULL, NULL},
        {{4, 2, 1, 1}, 4, PART_BODY, NULL, NULL},
        {{5}, 1, PART_BODY, NULL, NULL},
        {{0}, 1, PART_BODY, NULL, NULL},
    };
    struct mail_summary s;
    struct part_table t;
    struct arena a;
    slice message = slice_str(example);
    (void)state;
    arena_init(&a, "test", 1 << 20);
    assert_int_equal(mail_summarise(&message, 1, &mail_limits_default, &a, &s), OK);
    assert_int_equal(part_table_decode(s.part_table, message.n, &a, &t), OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct part_range r;
        enum err e = part_table_find(&t, rows[i].numbers, rows[i].n, rows[i].what, &r);
        slice text;
        if ((e == OK) != (rows[i].begin != NULL))
            fail_msg("row %zu: %s", i, err_name(e));
        if (e)
            continue;
        text = slice_sub(message, (size_t)r.at, (size_t)(r.at + r.bytes));
        if (!slice_starts(text, slice_str(rows[i].begin)) || !slice_ends_nocase(text, slice_str(rows[i].end)))
            fail_msg("row %zu: %.*s", i, SLICE_FMT(text));
    }
    arena_done(&a);
}

static void a_message_of_one_part_has_part_one(void **state)
{
    struct mail_summary s;
    struct part_range r;
    struct arena a;
    slice message = SLICE("Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nSGk=\r\n");
    uint32_t one = 1, two = 2;
    struct buf b;
    (void)state;
    arena_init(&a, "test", 1 << 20);
    buf_init(&b, 100);
    assert_int_equal(mail_summarise(&message, 1, &mail_limits_default, &a, &s), OK);
    assert_int_equal(part_table_find(&s.parts, &one, 1, PART_BODY, &r), OK);
    assert_slice(slice_sub(message, (size_t)r.at, (size_t)(r.at + r.bytes)), "SGk=\r\n");
    assert_int_equal(part_decode(r.part->cte, SLICE("SGk=\r\n"), &b), OK);
    assert_slice(buf_view(&b), "Hi");
    assert_int_equal(part_decode(PART_CTE_UNKNOWN, SLICE("x"), &b), ERR_UNSUPPORTED);
    assert_int_equal(part_table_find(&s.parts, &two, 1, PART_BODY, &r), ERR_NOT_FOUND);
    buf_done(&b);
    arena_done(&a);
}

/* Every byte of a stored table changed to every value: it is refused, or what comes out is sound. */
static void damaged_tables_never_point_outside(void **state)
{
    struct mail_summary s;
    struct arena a, b;
    slice message = slice_str(example);
    (void)state;
    arena_init(&a, "test", 1 << 20);
    arena_init(&b, "back", 1 << 20);
    assert_int_equal(mail_summarise(&message, 1, &mail_limits_default, &a, &s), OK);
    for (size_t i = 0; i < s.part_table.n; i++)
        for (unsigned v = 0; v < 256; v += 3) {
            uint8_t bytes[1000];
            struct part_table t;
            memcpy(bytes, s.part_table.p, s.part_table.n);
            bytes[i] = (uint8_t)(bytes[i] + v);
            if (part_table_decode(slice_of(bytes, s.part_table.n), message.n, &b, &t) == OK)
                for (size_t k = 0; k < t.n; k++) {
                    assert_true(t.at[k].body_at + t.at[k].body_bytes <= message.n);
                    assert_true(k == 0 || t.at[k].parent < k);
                }
            arena_reset(&b);
        }
    for (size_t n = 0; n < s.part_table.n; n++) {
        slice torn = guard_copy(slice_sub(s.part_table, 0, n));
        struct part_table t;
        assert_int_equal(part_table_decode(torn, message.n, &b, &t), ERR_CORRUPT);
        guard_free(torn);
    }
    {
        struct part_table t;
        assert_int_equal(part_table_decode(s.part_table, message.n - 1, &b, &t), ERR_CORRUPT);
    }
    arena_done(&a);
    arena_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_sections),
        cmocka_unit_test(a_message_of_one_part_has_part_one),
        cmocka_unit_test(damaged_tables_never_point_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
