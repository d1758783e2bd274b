/* base: slices, cursors, buffers at their bounds, arenas at their caps, the map, message ids. */
#include "lib/test.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mail_id.h"
#include "base/varint.h"

static void buffer_stops_at_its_maximum(void **state)
{
    (void)state;
    for (size_t max = 0; max < 300; max += 7) {
        struct buf b;
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(buf_byte(&b, 'x'), OK);
        assert_int_equal(buf_byte(&b, 'y'), ERR_LIMIT);
        assert_int_equal(buf_view(&b).n, max);
        assert_true(buf_failed(&b));
        assert_null(buf_reserve(&b, SIZE_MAX));
        assert_null(buf_reserve(&b, SIZE_MAX - 1));
        assert_non_null(buf_reserve(&b, 0));
        buf_consume(&b, SIZE_MAX);
        assert_int_equal(b.n, 0);
        buf_done(&b);
    }
}

static void buffer_prints_numbers_and_long_text(void **state)
{
    struct buf b;
    char longer[2000];
    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    buf_init(&b, 5000);
    assert_int_equal(buf_u64(&b, 0), OK);
    assert_int_equal(buf_u64(&b, UINT64_MAX), OK);
    assert_slice(buf_view(&b), "018446744073709551615");
    assert_int_equal(buf_print(&b, "%s!", longer), OK);
    assert_int_equal(b.n, 21 + 2000);
    buf_done(&b);
}

static void arena_reports_its_cap(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, "test", 10000);
    assert_non_null(arena_alloc(&a, 0));
    assert_non_null(arena_alloc(&a, 9000));
    assert_null(arena_alloc(&a, 2000));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_non_null(arena_alloc(&a, 500));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 10000));
    assert_null(arena_alloc(&a, 1));
    arena_done(&a);
}

static void count_hook(void *arg)
{
    ++*(int *)arg;
}

static void arena_runs_its_hooks_once(void **state)
{
    struct arena a;
    int n = 0;
    (void)state;
    arena_init(&a, "test", 1000);
    assert_true(arena_hook(&a, count_hook, &n));
    arena_reset(&a);
    assert_int_equal(n, 1);
    arena_done(&a);
    assert_int_equal(n, 1);
}

static void numbers_parse_only_when_whole(void **state)
{
    uint64_t v = 7;
    (void)state;
    assert_true(slice_u64(SLICE("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_false(slice_u64(SLICE("18446744073709551616"), &v));
    assert_false(slice_u64(SLICE(""), &v));
    assert_false(slice_u64(SLICE("1x"), &v));
    assert_false(slice_u64(SLICE("-1"), &v));
    assert_true(v == UINT64_MAX);
}

static void cursor_never_reads_past_the_end(void **state)
{
    slice s = guard_copy(SLICE("ab\r\ncd\n\nef"));
    struct cursor c = cursor_of(s);
    slice line;
    uint64_t v;
    (void)state;
    assert_true(cursor_line(&c, &line));
    assert_slice(line, "ab");
    assert_true(cursor_line(&c, &line));
    assert_slice(line, "cd");
    assert_true(cursor_line(&c, &line));
    assert_slice(line, "");
    assert_false(cursor_u64(&c, &v));
    assert_true(cursor_line(&c, &line));
    assert_slice(line, "ef");
    assert_false(cursor_line(&c, &line));
    assert_int_equal(cursor_next(&c), -1);
    guard_free(s);
}

static void slices_find_and_split(void **state)
{
    slice head, tail;
    (void)state;
    assert_true(slice_split(SLICE("a=b=c"), '=', &head, &tail));
    assert_slice(head, "a");
    assert_slice(tail, "b=c");
    assert_false(slice_split(SLICE("abc"), '=', &head, &tail));
    assert_int_equal(tail.n, 0);
    assert_int_equal(slice_find_nocase(SLICE("xxHELLOxx"), SLICE("hello")), 2);
    assert_int_equal(slice_find(SLICE("ab"), SLICE("abc")), 2);
    assert_slice(slice_trim(SLICE(" \t a b \r\n")), "a b");
    assert_int_equal(slice_sub(SLICE("abc"), 9, 2).n, 0);
    assert_int_equal(slice_rindex(SLICE("a.b.c"), '.'), 3);
}

static void siphash_gives_the_published_values(void **state)
{
    /* Aumasson and Bernstein, SipHash, appendix A: key 00..0f, input 00..0e */
    struct hash_key k = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    uint8_t in[15];
    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)i;
    assert_true(hash_slice(&k, slice_of(in, sizeof in)) == 0xa129ca6149be45e5u);
}

static void map_keeps_what_it_is_given(void **state)
{
    struct map m = {0};
    static int values[2000];
    uint64_t key;
    void *value;
    size_t at = 0, seen = 0;
    (void)state;
    for (size_t i = 0; i < 2000; i++)
        assert_null(map_put(&m, i * 977, &values[i]));
    for (size_t i = 0; i < 2000; i += 2)
        assert_ptr_equal(map_remove(&m, i * 977), &values[i]);
    for (size_t i = 0; i < 2000; i++)
        assert_ptr_equal(map_get(&m, i * 977), i % 2 ? &values[i] : NULL);
    while (map_each(&m, &at, &key, &value))
        seen++;
    assert_int_equal(seen, 1000);
    assert_null(map_remove(&m, 5));
    map_done(&m);
}

static void mail_ids_sort_by_time_and_read_back(void **state)
{
    struct mail_id_maker m = {.process = 3};
    uint64_t last = 0;
    char text[MAIL_ID_TEXT + 1];
    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t id = mail_id_next(&m, 1795000000000 - i / 1000), back;
        assert_true(id > last);
        last = id;
        mail_id_print(id, text);
        assert_int_equal(mail_id_parse(slice_str(text), &back), OK);
        assert_true(back == id);
    }
    assert_int_equal(mail_id_parse(SLICE("ZZZZZZZZZZZZZ"), &last), ERR_SYNTAX);
    assert_int_equal(mail_id_parse(SLICE("0123456789ABU"), &last), ERR_SYNTAX);
    assert_int_equal(mail_id_parse(SLICE("short"), &last), ERR_SYNTAX);
}

static void varints_have_one_form(void **state)
{
    static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, (uint64_t)1 << 63, UINT64_MAX};
    static const slice none[] = {SLICE_INIT(""), SLICE_INIT("\x80"), SLICE_INIT("\x81\x00"),
                                 SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
                                 SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00")};
    uint64_t v;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        uint8_t bytes[VARINT_MAX];
        size_t n = (size_t)(varint_put(bytes, numbers[i]) - bytes);
        slice s = guard_copy(slice_of(bytes, n));
        struct cursor c = cursor_of(s);
        assert_true(varint_take(&c, &v) && cursor_end(&c));
        assert_true(v == numbers[i]);
        guard_free(s);
    }
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        slice s = guard_copy(none[i]);
        struct cursor c = cursor_of(s);
        v = 42;
        assert_false(varint_take(&c, &v));
        assert_true(v == 42);
        guard_free(s);
    }
    assert_true(varint_zigzag(-1) == 1 && varint_zigzag(1) == 2 && varint_zigzag(INT64_MIN) == UINT64_MAX);
    assert_true(varint_unzigzag(varint_zigzag(INT64_MIN)) == INT64_MIN && varint_unzigzag(3) == -2);
}

static void every_error_has_a_reply(void **state)
{
    struct err_detail d;
    (void)state;
    for (unsigned e = 0; e < ERR__COUNT; e++) {
        int code = err_smtp_code((enum err)e);
        assert_non_null(err_name((enum err)e));
        assert_int_equal(err_smtp_status((enum err)e)[0], '0' + code / 100);
        if (err_kind((enum err)e) == ERR_KIND_TEMPORARY)
            assert_int_equal(code / 100, 4);
    }
    err_detail_set(&d, "%s", "cause");
    err_detail_prefix(&d, "layer");
    assert_string_equal(d.text, "layer: cause");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_stops_at_its_maximum),
        cmocka_unit_test(buffer_prints_numbers_and_long_text),
        cmocka_unit_test(arena_reports_its_cap),
        cmocka_unit_test(arena_runs_its_hooks_once),
        cmocka_unit_test(numbers_parse_only_when_whole),
        cmocka_unit_test(cursor_never_reads_past_the_end),
        cmocka_unit_test(slices_find_and_split),
        cmocka_unit_test(siphash_gives_the_published_values),
        cmocka_unit_test(map_keeps_what_it_is_given),
        cmocka_unit_test(mail_ids_sort_by_time_and_read_back),
        cmocka_unit_test(varints_have_one_form),
        cmocka_unit_test(every_error_has_a_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
