/* charset: known sets to UTF-8, unknown ones keep their ASCII, and nothing but valid UTF-8 ever comes out. */
#include "lib/test.h"

#include "text/charset.h"
#include "text/utf8.h"

static void converts_known_sets(void **state)
{
    static const struct {
        const char *name, *in, *out;
        enum err err;
    } rows[] = {
        {"utf-8",
         "Gr\xC3\xBC\xC3\x9F"
         "e",
         "Gr\xC3\xBC\xC3\x9F"
         "e",
         OK},
        {"UTF8", "\xFF", "\xEF\xBF\xBD", OK},
        {"ISO-8859-1", "\xE4\x80", "\xC3\xA4\xE2\x82\xAC", OK}, /* 0x80 is the euro in truth */
        {"iso8859-15", "\xA4", "\xE2\x82\xAC", OK},
        {"latin1", "\xE4", "\xC3\xA4", OK},
        {"windows-1251", "\xCF\xF0", "\xD0\x9F\xD1\x80", OK},
        {"cp1251", "\xCF", "\xD0\x9F", OK},
        {"KOI8-R", "\xF0", "\xD0\x9F", OK},
        {"iso-8859-7", "\xE1", "\xCE\xB1", OK},
        {"", "\xE4", "\xC3\xA4", OK},
        {"", "\xC3\xA4", "\xC3\xA4", OK},
        {"us-ascii", "\x80", "\xE2\x82\xAC", OK},
        {"utf-8*en", "x", "x", OK},
        {"no-such-set",
         "a\xE4"
         "b",
         "a\xEF\xBF\xBD"
         "b",
         ERR_NOT_FOUND},
        {"utf-8//translit", "a", "a", ERR_NOT_FOUND},
        {"../../etc/passwd", "a", "a", ERR_NOT_FOUND},
        {"iso-2022-jp", "\x1B$B$3$l\x1B(B", "\xE3\x81\x93\xE3\x82\x8C", OK},
        {"Shift_JIS", "\x82\xB1", "\xE3\x81\x93", OK},
        {"gb2312", "\xC4\xE3", "\xE4\xBD\xA0", OK},
        {"euc-kr", "\xC7\xD1", "\xED\x95\x9C", OK},
        {"big5", "\xA4\xA4", "\xE4\xB8\xAD", OK},
        {"gb18030", "\xFFx\xC4", "\xEF\xBF\xBDx\xEF\xBF\xBD", OK},
        {"utf-7", "+AOQ-", "\xC3\xA4", OK},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        slice in = guard_copy(slice_str(rows[i].in));
        buf_init(&b, 200);
        if (charset_to_utf8(slice_str(rows[i].name), in, &b) != rows[i].err)
            fail_msg("%s", rows[i].name);
        assert_slice(buf_view(&b), rows[i].out);
        guard_free(in);
        buf_done(&b);
    }
}

/* Every byte pair in every table and in the multi-byte sets. */
static void never_gives_anything_but_utf8(void **state)
{
    static const char *const names[] = {"iso-8859-3",  "windows-1255", "koi8-u", "gb18030",
                                        "iso-2022-kr", "utf-16",       "utf-7",  "euc-jp",
                                        "x",           "utf-32",       "tis-620"};
    uint8_t bytes[512];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 151 + (i >> 3));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (size_t from = 0; from < 64; from++) {
            struct buf b;
            buf_init(&b, 4096);
            (void)charset_to_utf8(slice_str(names[i]), slice_of(bytes + from, sizeof bytes - from), &b);
            assert_true(utf8_valid(buf_view(&b)) && !slice_has(buf_view(&b), 0));
            buf_done(&b);
        }
}

static void stops_at_the_buffers_maximum(void **state)
{
    static const char *const names[] = {"iso-8859-2", "utf-8", "gb18030", "x", ""};
    uint8_t bytes[64];
    (void)state;
    memset(bytes, 0xC4, sizeof bytes);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (size_t max = 0; max < 64; max++) {
            struct buf b;
            buf_init(&b, max);
            assert_int_equal(charset_to_utf8(slice_str(names[i]), slice_of(bytes, sizeof bytes), &b),
                             ERR_LIMIT);
            assert_true(b.n <= max);
            buf_done(&b);
        }
}

static void tells_which_sets_need_no_files(void **state)
{
    (void)state;
    assert_true(charset_is_built_in(SLICE("UTF-8")));
    assert_true(charset_is_built_in(SLICE("Latin1")));
    assert_true(charset_is_built_in(SLICE("windows-1252")));
    assert_false(charset_is_built_in(SLICE("gb18030")));
    charset_preload();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts_known_sets),
        cmocka_unit_test(never_gives_anything_but_utf8),
        cmocka_unit_test(stops_at_the_buffers_maximum),
        cmocka_unit_test(tells_which_sets_need_no_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
