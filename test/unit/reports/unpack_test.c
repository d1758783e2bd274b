/* unpack: what comes out of gzip and zip is what went in; bombs, archives inside archives and damage are
 * refused with a sentence (THREATS 26). */
#include "lib/test.h"

#include "base/buf.h"
#include "text/unpack.h"

#include <zlib.h>

static const slice endings[] = {SLICE_INIT(".xml")};

static enum err gather(void *arg, slice piece)
{
    return buf_append(arg, piece);
}

static enum err open_it(slice packed, struct buf *out, struct err_detail *why)
{
    slice guarded = guard_copy(packed);
    enum err e;
    buf_clear(out);
    why->text[0] = 0;
    e = unpack(guarded, endings, 1, &unpack_limits_default, gather, out, why);
    guard_free(guarded);
    return e;
}

/* Appends deflated bytes: window as for deflateInit2(). */
static void pack(struct buf *out, slice in, int window)
{
    z_stream z = {0};
    uint8_t *room;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    room = buf_reserve(out, in.n + in.n / 100 + 70000);
    assert_non_null(room);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = room;
    z.avail_out = (uInt)(in.n + in.n / 100 + 70000);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_commit(out, z.total_out);
    deflateEnd(&z);
}

static void le(struct buf *b, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        buf_byte(b, i < 8 ? (uint8_t)(v >> (8 * i)) : 0);
}

struct member {
    const char *name;
    slice bytes;
    int method;
    bool encrypted;
};

static void zip(struct buf *out, const struct member *m, size_t n)
{
    struct buf central CLEANUP(buf_done), packed CLEANUP(buf_done);
    buf_init(&central, 1 << 20);
    buf_init(&packed, 1 << 26);
    for (size_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)out->n,
                 crc = (uint32_t)crc32(crc32(0, NULL, 0), m[i].bytes.p, (uInt)m[i].bytes.n);
        slice name = slice_str(m[i].name);
        buf_clear(&packed);
        if (m[i].method == 8)
            pack(&packed, m[i].bytes, -15);
        else
            buf_append(&packed, m[i].bytes);
        for (int c = 0; c < 2; c++) { /* local header, and entry of the directory */
            struct buf *b = c ? &central : out;
            buf_append(b, c ? SLICE("PK\1\2\24\0\24\0") : SLICE("PK\3\4\24\0"));
            le(b, m[i].encrypted, 2);
            le(b, (uint32_t)m[i].method, 2);
            le(b, 0, 4);
            le(b, crc, 4);
            le(b, (uint32_t)packed.n, 4);
            le(b, (uint32_t)m[i].bytes.n, 4);
            le(b, (uint32_t)name.n, 2);
            le(b, 0, 2);
            if (c) {
                le(b, 0, 2 + 2 + 2 + 4);
                le(b, at, 4);
            }
            buf_append(b, name);
        }
        buf_append(out, buf_view(&packed));
    }
    uint32_t begin = (uint32_t)out->n;
    buf_append(out, buf_view(&central));
    buf_append(out, SLICE("PK\5\6\0\0\0\0"));
    le(out, (uint32_t)n, 2);
    le(out, (uint32_t)n, 2);
    le(out, (uint32_t)central.n, 4);
    le(out, begin, 4);
    le(out, 0, 2);
}

#define SETUP                                                                                                \
    struct buf out CLEANUP(buf_done), packed CLEANUP(buf_done), text CLEANUP(buf_done);                      \
    struct err_detail why;                                                                                   \
    (void)state;                                                                                             \
    buf_init(&out, 1 << 26);                                                                                 \
    buf_init(&packed, 1 << 26);                                                                              \
    buf_init(&text, 1 << 27)

static void what_went_in_comes_out(void **state)
{
    SETUP;
    for (int i = 0; i < 20000; i++)
        buf_print(&text, "<record>%d</record>\n", i * 7919);
    assert_int_equal(open_it(buf_view(&text), &out, &why), OK);
    assert_slices(buf_view(&out), buf_view(&text));
    pack(&packed, buf_view(&text), 15 + 16);
    assert_int_equal(unpack_kind(buf_view(&packed)), UNPACK_GZIP);
    assert_int_equal(open_it(buf_view(&packed), &out, &why), OK);
    assert_slices(buf_view(&out), buf_view(&text));
    for (int method = 0; method <= 8; method += 8) {
        const struct member members[] = {{"folder/", SLICE(""), 0, false},
                                         {"__MACOSX/._x.xml", SLICE("junk"), 0, false},
                                         {"readme.txt", SLICE("not this"), 0, false},
                                         {"a/Report.XML", buf_view(&text), method, false},
                                         {"second.xml", SLICE("nor this"), 8, false}};
        buf_clear(&packed);
        zip(&packed, members, ARRAY_LEN(members));
        assert_int_equal(open_it(buf_view(&packed), &out, &why), OK);
        assert_slices(buf_view(&out), buf_view(&text));
        buf_clear(&packed);
        zip(&packed, members, 3);
        assert_int_equal(open_it(buf_view(&packed), &out, &why), OK);
        assert_slice(buf_view(&out), "not this");
    }
}

static void bombs_are_refused(void **state)
{
    SETUP;
    struct member m = {"bomb.xml", {0}, 8, false};
    while (text.n < (size_t)12 << 20)
        buf_append(&text, SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    pack(&packed, buf_view(&text), 15 + 16);
    assert_int_equal(open_it(buf_view(&packed), &out, &why), ERR_LIMIT);
    assert_non_null(strstr(why.text, "tighter"));
    assert_true(out.n < (size_t)2 << 20); /* long before all of it is out */
    m.bytes = buf_view(&text);
    buf_clear(&packed);
    zip(&packed, &m, 1);
    assert_int_equal(open_it(buf_view(&packed), &out, &why), ERR_LIMIT);
    buf_clear(&text); /* packs badly, so only the size speaks */
    for (uint32_t i = 0, x = 1; i < 2700000; i++) {
        x = x * 1664525 + 1013904223;
        buf_append(&text, slice_of(&x, 4));
    }
    assert_int_equal(open_it(buf_view(&text), &out, &why), ERR_LIMIT);
    assert_non_null(strstr(why.text, "larger"));
    buf_clear(&packed);
    pack(&packed, buf_view(&text), 15 + 16);
    assert_int_equal(open_it(buf_view(&packed), &out, &why), ERR_LIMIT);
}

/* 42.zip and the gzip that unpacks to itself are archives in archives. */
static void one_level_only(void **state)
{
    SETUP;
    struct member m = {"lib 0.zip", {0}, 8, false};
    pack(&text, SLICE("inner"), 15 + 16);
    pack(&packed, buf_view(&text), 15 + 16);
    assert_int_equal(open_it(buf_view(&packed), &out, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "inside"));
    assert_int_equal(out.n, 0);
    for (int method = 0; method <= 8; method += 8) {
        struct buf outer CLEANUP(buf_done);
        buf_init(&outer, 1 << 20);
        m.bytes = buf_view(&packed);
        m.method = method;
        zip(&outer, &m, 1);
        assert_int_equal(open_it(buf_view(&outer), &out, &why), ERR_DENIED);
    }
}

static void damage_is_said(void **state)
{
    SETUP;
    struct member m = {"r.xml", {0}, 8, false};
    for (int i = 0; i < 500; i++)
        buf_print(&text, "<record>%d</record>\n", i * 7919);
    pack(&packed, buf_view(&text), 15 + 16);
    for (size_t n = 3; n < packed.n - 1; n++)
        assert_int_equal(open_it(slice_sub(buf_view(&packed), 0, n), &out, &why), ERR_CORRUPT);
    packed.p[packed.n / 2] ^= 0x10;
    assert_int_equal(open_it(buf_view(&packed), &out, &why), ERR_CORRUPT);
    m.bytes = buf_view(&text);
    buf_clear(&packed);
    zip(&packed, &m, 1);
    for (size_t n = 4; n < packed.n; n++)
        assert_int_not_equal(open_it(slice_sub(buf_view(&packed), 0, n), &out, &why), OK);
    packed.p[60] ^= 0x10;
    assert_int_equal(open_it(buf_view(&packed), &out, &why), ERR_CORRUPT);
    m.encrypted = true;
    buf_clear(&packed);
    zip(&packed, &m, 1);
    assert_int_equal(open_it(buf_view(&packed), &out, &why), ERR_DENIED);
    m.encrypted = false;
    m.method = 12;
    buf_clear(&packed);
    zip(&packed, &m, 1);
    assert_int_equal(open_it(buf_view(&packed), &out, &why), ERR_UNSUPPORTED);
    buf_clear(&packed);
    zip(&packed, &m, 0);
    assert_int_not_equal(open_it(buf_view(&packed), &out, &why), OK);
    assert_true(why.text[0] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_went_in_comes_out),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(one_level_only),
        cmocka_unit_test(damage_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
