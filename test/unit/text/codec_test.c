/* text: base64, quoted-printable, UTF-8, modified UTF-7 and percent codes against tables, at every cut and
 * against an unreadable page. */
#include "lib/test.h"

#include "text/base64.h"
#include "text/idna.h"
#include "text/percent.h"
#include "text/qp.h"
#include "text/utf7.h"
#include "text/utf8.h"

static void base64_strict_takes_exactly_one_form(void **state)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
    } rows[] = {
        {"", ""},        {"Zg==", "f"},    {"Zm8=", "fo"}, {"Zm9v", "foo"},       {"Zm9vYg==", "foob"},
        {"Zg=", NULL},   {"Zg", NULL},     {"Zh==", NULL}, {"Zm9=", NULL},        {"Zg==Zg==", NULL},
        {"Z===", NULL},  {"====", NULL},   {"=", NULL},    {"Zm9v\r\n", NULL},    {"Zm 9v", NULL},
        {"Zm9v=", NULL}, {"Zm9v==", NULL}, {"Zm9*", NULL}, {"Zm9vZm9vZg=", NULL}, {"A", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        slice in = guard_copy(slice_str(rows[i].in));
        buf_init(&b, 100);
        assert_int_equal(base64_decode(in, &b), rows[i].out ? OK : ERR_SYNTAX);
        assert_slice(buf_view(&b), rows[i].out ? rows[i].out : "");
        guard_free(in);
        buf_done(&b);
    }
}

/* THREATS 2: all lengths 0..1024 with each wrong tail. */
static void base64_round_trips_every_length_and_survives_wrong_tails(void **state)
{
    uint8_t bytes[1024];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + 3);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf text, back;
        buf_init(&text, 4096);
        buf_init(&back, 4096);
        assert_int_equal(base64_encode(slice_of(bytes, n), &text), OK);
        assert_int_equal(text.n, (n + 2) / 3 * 4);
        assert_int_equal(base64_decode(buf_view(&text), &back), OK);
        assert_slices(buf_view(&back), slice_of(bytes, n));
        for (size_t drop = 1; drop <= 3 && drop < text.n; drop++) {
            struct base64_decoder d = {0};
            slice torn = guard_copy(slice_sub(buf_view(&text), 0, text.n - drop));
            buf_clear(&back);
            assert_int_equal(base64_decode(torn, &back), ERR_SYNTAX);
            assert_int_equal(base64_feed(&d, torn, &back), OK);
            assert_int_equal(base64_finish(&d, &back), OK);
            assert_true(back.n <= n && slice_starts(slice_of(bytes, n), buf_view(&back)));
            guard_free(torn);
        }
        buf_done(&text);
        buf_done(&back);
    }
}

static void base64_lenient_reads_on_whatever_stands_between(void **state)
{
    struct base64_decoder d = {0};
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    assert_int_equal(base64_feed(&d, SLICE("Zm\r\n9vY!m=="), &b), OK);
    assert_int_equal(base64_feed(&d, SLICE("Zm9v"), &b), OK);
    assert_int_equal(base64_finish(&d, &b), OK);
    assert_slice(buf_view(&b), "foobfoo");
    assert_true(d.defects);
    buf_done(&b);
}

static void decoders_stop_at_the_buffers_maximum(void **state)
{
    struct base64_decoder d = {0};
    struct qp_decoder q = {0};
    struct buf b;
    (void)state;
    buf_init(&b, 5);
    assert_int_equal(base64_feed(&d, SLICE("Zm9vYmFyZm9v"), &b), ERR_LIMIT);
    assert_int_equal(b.n, 3);
    buf_clear(&b);
    assert_int_equal(base64_decode(SLICE("Zm9vYmFy"), &b), ERR_LIMIT);
    assert_int_equal(b.n, 0);
    buf_clear(&b);
    assert_int_equal(qp_feed(&q, SLICE("abcdefgh"), &b), ERR_LIMIT);
    assert_int_equal(b.n, 5);
    buf_done(&b);
}

static void qp_decodes_at_every_cut(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"a=20b", "a b"},
        {"a=\r\nb", "ab"},
        {"a= \t\r\nb", "ab"},
        {"a=\nb", "ab"},
        {"a  \r\nb \n", "a\r\nb\n"},
        {"a \t b", "a \t b"},
        {"=C3=a4", "\xC3\xA4"},
        {"50=% off", "50=% off"},
        {"x=4", "x=4"},
        {"x=", "x"},
        {"x==41", "x=A"},
        {"x= y", "x=y"}, /* blanks of a soft break that was none are lost: they were transport padding */
        {"a\rb", "a\rb"},
        {"tail  ", "tail"},
        {"=GG", "=GG"},
        {"a\r\r\nb", "a\r\r\nb"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = slice_str(rows[i].in);
        for (size_t cut = 0; cut <= in.n; cut++) {
            struct qp_decoder d = {0};
            struct buf b;
            slice head = guard_copy(slice_sub(in, 0, cut));
            buf_init(&b, 100);
            assert_int_equal(qp_feed(&d, head, &b), OK);
            assert_int_equal(qp_feed(&d, slice_from(in, cut), &b), OK);
            assert_int_equal(qp_finish(&d, &b), OK);
            assert_slice(buf_view(&b), rows[i].out);
            guard_free(head);
            buf_done(&b);
        }
    }
}

static void qp_encodes_lines_that_fit_and_come_back(void **state)
{
    struct buf in, text, back;
    (void)state;
    buf_init(&in, 10000);
    buf_init(&text, 40000);
    buf_init(&back, 10000);
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(buf_byte(&in, i % 97 == 0 ? '\n' : (uint8_t)(i * 31 % 256 == '\r' ? 'r' : i * 31)),
                         OK);
    assert_int_equal(qp_encode(buf_view(&in), &text), OK);
    {
        struct cursor c = cursor_of(buf_view(&text));
        slice line;
        while (cursor_line(&c, &line)) {
            assert_true(line.n <= 76);
            for (size_t i = 0; i < line.n; i++)
                assert_true((line.p[i] >= 32 && line.p[i] < 127) || line.p[i] == '\t');
            assert_true(line.n == 0 || line.p[line.n - 1] != ' ');
            assert_false(slice_starts(line, SLICE("From ")) || slice_starts(line, SLICE(".")));
        }
    }
    {
        struct qp_decoder d = {0};
        size_t n = 0;
        assert_int_equal(qp_feed(&d, buf_view(&text), &back), OK);
        assert_int_equal(qp_finish(&d, &back), OK);
        for (size_t i = 0; i < back.n; i++) /* line ends came out as CRLF */
            if (back.p[i] != '\r' || back.p[i + 1] != '\n')
                assert_int_equal(back.p[i], in.p[n++]);
        assert_int_equal(n, in.n);
    }
    buf_done(&in);
    buf_done(&text);
    buf_done(&back);
}

static void utf8_knows_what_is_ill_formed(void **state)
{
    static const struct {
        const char *in;
        size_t valid;
        const char *sane;
    } rows[] = {
        {"abc\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 12, "abc\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\xC0\x80", 0, "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE0\x80\x80", 0, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", 0, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF4\x90\x80\x80", 0, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"a\xE2\x82", 1, "a\xEF\xBF\xBD"},
        {"a\xE2\x82z", 1, "a\xEF\xBF\xBDz"},
        {"\xFF", 0, "\xEF\xBF\xBD"},
        {"12345678\x80", 8, "12345678\xEF\xBF\xBD"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        slice in = guard_copy(slice_str(rows[i].in));
        buf_init(&b, 100);
        assert_int_equal(utf8_valid_prefix(in), rows[i].valid);
        assert_int_equal(utf8_sanitise(in, &b), OK);
        assert_slice(buf_view(&b), rows[i].sane);
        assert_true(utf8_valid(buf_view(&b)));
        guard_free(in);
        buf_done(&b);
    }
    assert_int_equal(utf8_incomplete_tail(SLICE("a\xE2\x82")), 2);
    assert_int_equal(utf8_incomplete_tail(SLICE("a\xE2\x82\xAC")), 0);
    assert_int_equal(utf8_incomplete_tail(SLICE("a\x82")), 0);
    assert_slice(utf8_cut(SLICE("\xC3\xA4\xC3\xB6x"), 2), "\xC3\xA4\xC3\xB6");
}

static void utf8_encodes_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code++) {
        uint8_t p[UTF8_MAX];
        uint32_t back = 0;
        size_t n = utf8_put(p, code);
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        if (utf8_next(slice_of(p, n), &back) != n || back != code || utf8_next(slice_of(p, n - 1), &back))
            fail_msg("U+%04X", code);
    }
}

static void utf7_has_one_form_for_one_name(void **state)
{
    static const struct {
        const char *wire, *name; /* name NULL: refused */
    } rows[] = {
        {"INBOX", "INBOX"},
        {"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
         "~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"},
        {"Tom &- Jerry", "Tom & Jerry"},
        {"Entw&APw-rfe", "Entw\xC3\xBCrfe"},
        {"&2D3eAA-", "\xF0\x9F\x98\x80"},
        {"&AGE-", NULL},              /* "a" needs no code */
        {"&Jjo!", NULL},              /* RFC 3501: illegal */
        {"&U,BTFw-&ZeVnLIqe-", NULL}, /* superfluous shift */
        {"&APw", NULL},
        {"&", NULL},
        {"a\x7F", NULL},
        {"\xC3\xBC", NULL},
        {"&AP-", NULL},
        {"&2D0-", NULL},
        {"&3gA-", NULL},
        {"&APx-", NULL},
        {"&AAA-", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        slice in = guard_copy(slice_str(rows[i].wire));
        buf_init(&b, 200);
        assert_int_equal(utf7_decode(in, &b), rows[i].name ? OK : ERR_SYNTAX);
        assert_slice(buf_view(&b), rows[i].name ? rows[i].name : "");
        if (rows[i].name) {
            buf_clear(&b);
            assert_int_equal(utf7_encode(slice_str(rows[i].name), &b), OK);
            assert_slice(buf_view(&b), rows[i].wire);
        }
        guard_free(in);
        buf_done(&b);
    }
}

static void percent_codes_leave_what_they_do_not_know(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 100);
    assert_int_equal(percent_decode(SLICE("a%20b%zz%4"), &b), OK);
    assert_slice(buf_view(&b), "a b%zz%4");
    buf_clear(&b);
    assert_int_equal(percent_encode(SLICE("a b'\xC3"), &b), OK);
    assert_slice(buf_view(&b), "a%20b%27%C3");
    buf_done(&b);
}

static void domains_have_one_form(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"Example.COM", "example.com"},
        {"example.com.", "example.com"},
        {"b\xC3\xBC"
         "cher.Example",
         "xn--bcher-kva.example"},
        {"B\xC3\x9C"
         "CHER.example",
         "xn--bcher-kva.example"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
        {"a", "a"},
        {"xn--a", NULL},
        {"", NULL},
        {".", NULL},
        {"a..b", NULL},
        {"-a.b", NULL},
        {"a-.b", NULL},
        {"a_b.c", NULL},
        {"a b", NULL},
        {"\xFF.test", NULL},
        {"a\xE3\x80\x82"
         "b",
         "a.b"}, /* an ideographic full stop divides labels, UTS 46 */
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t out[IDNA_DOMAIN_MAX];
        size_t n = 0;
        slice in = guard_copy(slice_str(rows[i].in));
        if (idna_to_ascii(in, out, &n) != (rows[i].out ? OK : ERR_SYNTAX))
            fail_msg("%s", rows[i].in);
        assert_slice(slice_of(out, n), rows[i].out ? rows[i].out : "");
        guard_free(in);
    }
}

static void homographs_stay_in_their_code(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 300);
    assert_int_equal(idna_to_unicode(SLICE("xn--bcher-kva.example"), &b), OK);
    assert_slice(buf_view(&b), "b\xC3\xBC"
                               "cher.example");
    buf_clear(&b);
    assert_int_equal(idna_to_unicode(SLICE("xn--pple-43d.com"), &b), OK); /* Cyrillic a, Latin pple */
    assert_slice(buf_view(&b), "xn--pple-43d.com");
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_strict_takes_exactly_one_form),
        cmocka_unit_test(base64_round_trips_every_length_and_survives_wrong_tails),
        cmocka_unit_test(base64_lenient_reads_on_whatever_stands_between),
        cmocka_unit_test(decoders_stop_at_the_buffers_maximum),
        cmocka_unit_test(qp_decodes_at_every_cut),
        cmocka_unit_test(qp_encodes_lines_that_fit_and_come_back),
        cmocka_unit_test(utf8_knows_what_is_ill_formed),
        cmocka_unit_test(utf8_encodes_every_code_point),
        cmocka_unit_test(utf7_has_one_form_for_one_name),
        cmocka_unit_test(percent_codes_leave_what_they_do_not_know),
        cmocka_unit_test(domains_have_one_form),
        cmocka_unit_test(homographs_stay_in_their_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
