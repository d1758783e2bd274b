/* header: fields, folding, encoded words, parameters; and the one writer, which lets no line end through
 * (THREATS 16). */
#include "lib/test.h"

#include "core/mail/header.h"
#include "core/mail/message.h"
#include "core/mail/param.h"
#include "core/mail/subject.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, "test", 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void finds_fields_with_any_line_end(void **state)
{
    static const char *const texts[] = {
        "From: a\r\nX-Long: one\r\n two\r\n\tthree\r\nsubject : s\r\n\r\nSubject: body\r\n",
        "From: a\nX-Long: one\n two\n\tthree\nsubject : s\n\nSubject: body\n",
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        slice in = guard_copy(slice_str(texts[i])), text;
        struct header_field f;
        assert_slice(slice_sub(slice_from(in, header_end(in)), 0, 13), "Subject: body");
        assert_true(header_find(in, SLICE("SUBJECT"), &f));
        assert_slice(slice_trim(f.value), "s");
        assert_int_equal(header_count(in, SLICE("subject")), 1);
        assert_true(header_find(in, SLICE("x-long"), &f));
        assert_true(header_unfold(f.value, &arena, &text));
        assert_slice(text, "one two\tthree");
        assert_false(header_find(in, SLICE("to"), &f));
        guard_free(in);
    }
}

static void says_what_is_wrong_with_a_block(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        uint32_t defects;
        size_t fields;
    } rows[] = {
        {"A: b\r\n\r\n", 8, 0, 1},
        {"A: b\n\n", 6, MAIL_DEFECT_BARE_LF, 1},
        {"A: b\rC: d\r\n", 11, MAIL_DEFECT_BARE_CR, 1},
        {"A: b\0c\r\n", 8, MAIL_DEFECT_HEADER_NUL, 1},
        {"junk\r\nA: b\r\n", 12, MAIL_DEFECT_HEADER_JUNK, 2},
        {": b\r\n", 5, MAIL_DEFECT_HEADER_JUNK, 1},
        {"a b: c\r\n", 8, MAIL_DEFECT_HEADER_JUNK, 1},
        {" folded first\r\n", 15, MAIL_DEFECT_HEADER_JUNK, 1},
        {"A: \xFF\r\n", 6, MAIL_DEFECT_EIGHT_BIT_HEADER, 1},
        {"A: \xC3\xA9\r\n", 7, 0, 1},
        {"A: b", 4, 0, 1},
        {"", 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = guard_copy(slice_of(rows[i].text, rows[i].n));
        struct header_iter it = header_iter(in, &mail_limits_default);
        struct header_field f;
        size_t n = 0;
        while (header_next(&it, &f))
            n++;
        assert_int_equal(n, rows[i].fields);
        assert_int_equal(it.defects, rows[i].defects);
        guard_free(in);
    }
}

/* Octets are looked at many at a time: none may hide in the middle of them, or in what is left at an end. */
static void sees_a_bad_octet_wherever_it_stands(void **state)
{
    static const char text[] =
        "Subject: more than sixteen octets of text, and then some\r\n\tone more line\r\n";
    (void)state;
    for (size_t at = 9; at < sizeof text - 1; at++)
        for (unsigned c = 0; c < 256; c++) {
            char changed[sizeof text];
            struct header_field f;
            uint32_t defects = c == 0 ? MAIL_DEFECT_HEADER_NUL : c == '\r' ? MAIL_DEFECT_BARE_CR : 0;
            if (c >= 128)
                defects = MAIL_DEFECT_EIGHT_BIT_HEADER;
            if (c == '\n' || strchr("\r\n\t", text[at])) /* those change where the field ends */
                continue;
            memcpy(changed, text, sizeof text);
            changed[at] = (char)c;
            struct header_iter it = header_iter(slice_of(changed, sizeof text - 1), &mail_limits_default);
            assert_true(header_next(&it, &f));
            assert_int_equal(f.raw.n, sizeof text - 1);
            assert_int_equal(it.defects, defects);
        }
}

static void selects_fields_in_their_order(void **state)
{
    static const slice block = SLICE_INIT("From: a\r\nTo: b\r\n c\r\nX: y\r\nFROM: d\r\n\r\n");
    static const slice names[] = {SLICE_INIT("to"), SLICE_INIT("from"), SLICE_INIT("cc")};
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(header_select(block, names, 3, false, &b), OK);
    assert_slice(buf_view(&b), "From: a\r\nTo: b\r\n c\r\nFROM: d\r\n\r\n");
    buf_clear(&b);
    assert_int_equal(header_select(block, names, 3, true, &b), OK);
    assert_slice(buf_view(&b), "X: y\r\n\r\n");
    buf_clear(&b);
    assert_int_equal(header_select(SLICE("To: torn"), names, 3, false, &b), OK);
    assert_slice(buf_view(&b), "To: torn\r\n\r\n");
    buf_done(&b);
}

static void decodes_encoded_words(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "plain"},
        {"=?iso-8859-1?Q?a=E4_b?=", "a\xC3\xA4 b"},
        {"=?UTF-8?B?R3LDvMOfZQ==?=", "Gr\xC3\xBC\xC3\x9F"
                                     "e"},
        {"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
        {"=?utf-8?q?a?=\r\n\t=?utf-8?q?b?= c", "ab c"},
        {"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"},
        {"=?utf-8?q?a?=x", "ax"},
        {"=?iso-8859-1?q?=E4?= =?utf-8?q?=C3=A4?=", "\xC3\xA4\xC3\xA4"},
        {"=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "\xC3\xA4"}, /* a character torn in two comes out whole */
        {"=?utf-8*en?q?x?=", "x"},
        {"=?no-such?q?a=E4?=", "a\xEF\xBF\xBD"},
        {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
        {"=?utf-8?q?a", "=?utf-8?q?a"},
        {"=?utf-8?q?a?b?=", "a?b"},
        {"=?utf-8?q?a b?=", "a b"},
        {"=?", "=?"},
        {"=??q?a?=", "=??q?a?="},
        {"=?utf-8?q?line=0D=0AX: y?=", "line  X: y"}, /* no control characters come out */
        {"=?utf-8?q?=00?=", "\xEF\xBF\xBD"},
        {"\xE4", "\xC3\xA4"},
        {"\xC3\xA4", "\xC3\xA4"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = guard_copy(slice_str(rows[i].in)), out;
        assert_true(header_text(in, &arena, &out));
        assert_slice(out, rows[i].out);
        guard_free(in);
    }
}

static void reads_parameters(void **state)
{
    static const struct {
        const char *in, *value, *name, *text; /* text NULL: no such parameter */
    } rows[] = {
        {"text/plain; charset=us-ascii", "text/plain", "charset", "us-ascii"},
        {"Text/PLAIN;CHARSET=\"utf-8\"", "text/plain", "charset", "utf-8"},
        {"text/plain (c) ; (d) charset (e) = (f) utf-8 (g)", "text/plain", "charset", "utf-8"},
        {"a; b=\"x\\\"y\"", "a", "b", "x\"y"},
        {"a; b=\"C:\\dir\\f\"", "a", "b", "C:\\dir\\f"},
        {"a; b", "a", "b", NULL},
        {"a; b=", "a", "b", ""},
        {"a; =b; c=d", "a", "c", "d"},
        {"a;;; c=d;", "a", "c", "d"},
        {"a; charset=utf-8 format=flowed", "a", "format", "flowed"},
        {"a; charset=utf-8 format=flowed", "a", "charset", "utf-8"},
        {"attachment; filename=my file (1).pdf; size=3", "attachment", "filename", "my file (1).pdf"},
        {"attachment; filename=my file.pdf; size=3", "attachment", "filename", "my file.pdf"},
        {"a; f*=utf-8''%e2%82%ac%20rates", "a", "f", "\xE2\x82\xAC rates"},
        {"a; f*=iso-8859-1'en'%A3%20rates", "a", "f", "\xC2\xA3 rates"},
        {"a; f*0=\"long \"; f*1=\"name\"", "a", "f", "long name"},
        {"a; f*1=\"name\"; f*0=\"long \"", "a", "f", "long name"},
        {"a; f*0*=utf-8''%e2%82; f*1*=%ac; f*2=\" %41\"", "a", "f", "\xE2\x82\xAC %41"},
        {"a; f*0=x; f*2=z", "a", "f", "x"},
        {"a; f=plain; f*=utf-8''better", "a", "f", "better"},
        {"a; f*=utf-8''better; f=plain", "a", "f", "better"},
        {"a; f=\"=?utf-8?q?=C3=A4.pdf?=\"", "a", "f", "\xC3\xA4.pdf"},
        {"a; f*=''x", "a", "f", "x"},
        {"a; f*=broken", "a", "f", "broken"},
        {"a; f*=utf-8''a%0D%0Ab", "a", "f", "a  b"},
        {"a; f=\"unclosed", "a", "f", "unclosed"},
        {"a; f=\"unclosed\\", "a", "f", "unclosed\\"},
        {"", "", "f", NULL},
        {"(", "", "f", NULL},
        {"(\\", "", "f", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = guard_copy(slice_str(rows[i].in)), text;
        struct param_list list;
        const struct param *p;
        assert_true(param_list_parse(in, &mail_limits_default, &arena, &list));
        assert_slice(list.value, rows[i].value);
        p = param_find(&list, slice_str(rows[i].name));
        if ((p == NULL) != (rows[i].text == NULL))
            fail_msg("%s: %s", rows[i].in, rows[i].name);
        if (p) {
            assert_true(param_text(p, &arena, &text));
            if (!slice_eq(text, slice_str(rows[i].text)))
                fail_msg("%s: %.*s", rows[i].in, SLICE_FMT(text));
        }
        guard_free(in);
    }
}

static void parameters_keep_to_their_limit(void **state)
{
    struct buf b;
    struct param_list list;
    (void)state;
    buf_init(&b, 100000);
    assert_int_equal(buf_str(&b, "a"), OK);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(buf_print(&b, "; p%u=v", i), OK);
    assert_true(param_list_parse(buf_view(&b), &mail_limits_default, &arena, &list));
    assert_int_equal(list.n, 64);
    assert_int_equal(list.defects, 0);
    assert_int_equal(buf_str(&b, "; one=more"), OK);
    assert_true(param_list_parse(buf_view(&b), &mail_limits_default, &arena, &list));
    assert_int_equal(list.n, 64);
    assert_true(list.defects & MAIL_DEFECT_MIME_PARAMS);
    assert_true(param_list_parse(SLICE("a; boundary=x; boundary=y"), &mail_limits_default, &arena, &list));
    assert_int_equal(list.n, 1);
    assert_slice(list.at[0].value, "x");
    assert_true(list.defects & MAIL_DEFECT_MIME_AMBIGUOUS);
    buf_done(&b);
}

static void writes_one_field_or_nothing(void **state)
{
    static const struct {
        const char *value;
        size_t n;
        enum header_write_flags flags;
        const char *out; /* NULL: refused */
    } rows[] = {
        {"hello", 5, HEADER_ENCODE, "X: hello\r\n"},
        {"", 0, HEADER_ENCODE, "X: \r\n"},
        {"x\r\nBcc: v@x", 11, HEADER_ENCODE, NULL},
        {"x\nBcc: v@x", 10, HEADER_UTF8, NULL},
        {"x\r", 2, HEADER_STRUCTURED, "X: x\r\n"}, /* blanks around are trimmed */
        {"x\ry", 3, HEADER_STRUCTURED, NULL},
        {"x\0y", 3, HEADER_ENCODE, NULL},
        {"x\x1By", 3, HEADER_ENCODE, NULL},
        {"x\xC2\x85y", 4, HEADER_UTF8, NULL},
        {"\xFF", 1, HEADER_ENCODE, NULL},
        {"Gr\xC3\xBC\xC3\x9F"
         "e",
         7, HEADER_ENCODE, "X: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"},
        {"\xC3\xBC"
         "ber die Berge und weit",
         24, HEADER_ENCODE, "X: =?UTF-8?Q?=C3=BCber_die_Berge_und_weit?=\r\n"},
        {"Gr\xC3\xBC\xC3\x9F"
         "e",
         7, HEADER_UTF8,
         "X: Gr\xC3\xBC\xC3\x9F"
         "e\r\n"},
        {"Gr\xC3\xBC\xC3\x9F"
         "e",
         7, HEADER_STRUCTURED, NULL},
        {"=?utf-8?q?not_mine?=", 20, HEADER_ENCODE, "X: =?UTF-8?B?PT91dGYtOD9xP25vdF9taW5lPz0=?=\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 10000);
        assert_int_equal(header_write(&b, SLICE("X"), slice_of(rows[i].value, rows[i].n), rows[i].flags),
                         rows[i].out ? OK : ERR_SYNTAX);
        assert_slice(buf_view(&b), rows[i].out ? rows[i].out : "");
        buf_done(&b);
    }
}

static void refuses_bad_names(void **state)
{
    static const char *const names[] = {"", "a b", "a:", "a\r\n", "\xC3\xA4", "a\x7F"};
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(header_write(&b, slice_str(names[i]), SLICE("x"), HEADER_ENCODE), ERR_SYNTAX);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

/* Whatever the text, lines stay below their limits and unfolding gives it back. */
static void folds_and_comes_back(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 400; seed++) {
        uint8_t text[700];
        size_t n = 0;
        unsigned r = seed;
        struct buf b;
        struct header_field f;
        slice back;
        while (n < seed) {
            r = r * 1103515245 + 12345;
            if (seed % 3 == 0 && r % 5 == 0 && n + 2 < seed) {
                text[n++] = 0xC3;
                text[n++] = 0xA4;
            } else {
                text[n++] = r >> 16 & 7 ? (uint8_t)('a' + r % 26) : ' ';
            }
        }
        buf_init(&b, 10000);
        assert_int_equal(header_write(&b, SLICE("Subject"), slice_of(text, n), HEADER_ENCODE), OK);
        {
            struct cursor c = cursor_of(buf_view(&b));
            slice line;
            while (cursor_line(&c, &line))
                assert_true(line.n <= 78);
        }
        assert_true(header_find(buf_view(&b), SLICE("Subject"), &f));
        assert_int_equal(f.raw.n, b.n);
        assert_true(header_text(f.value, &arena, &back));
        assert_slices(back, slice_trim(slice_of(text, n)));
        buf_done(&b);
    }
}

static void writes_mailboxes(void **state)
{
    static const struct {
        const char *display, *out;
    } rows[] = {
        {"", "To: a@b\r\n"},
        {"Alice", "To: Alice <a@b>\r\n"},
        {"Doe, John", "To: \"Doe, John\" <a@b>\r\n"},
        {"a\"b\\", "To: \"a\\\"b\\\\\" <a@b>\r\n"},
        {"J\xC3\xBCrgen", "To: =?UTF-8?Q?J=C3=BCrgen?= <a@b>\r\n"},
        {"a\r\nBcc: x", NULL},
    };
    static const char *const bad[] = {"a@b>, <c@d", "a@b, c@d", "\"a@b", "", "a b@c", "a@b\r\nX: y"};
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&b);
        assert_int_equal(
            header_write_mailbox(&b, SLICE("To"), slice_str(rows[i].display), SLICE("a@b"), HEADER_ENCODE),
            rows[i].out ? OK : ERR_SYNTAX);
        assert_slice(buf_view(&b), rows[i].out ? rows[i].out : "");
    }
    buf_clear(&b);
    assert_int_equal(
        header_write_mailbox(&b, SLICE("To"), SLICE("x"), SLICE("\"a>, <b\\\"\"@c"), HEADER_ENCODE), OK);
    assert_slice(buf_view(&b), "To: x <\"a>, <b\\\"\"@c>\r\n");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(header_write_mailbox(&b, SLICE("To"), SLICE("x"), slice_str(bad[i]), HEADER_ENCODE),
                         ERR_SYNTAX);
    buf_done(&b);
}

/* RFC 5256 §2.1 */
static void finds_the_base_of_subjects(void **state)
{
    static const struct {
        const char *in, *out;
        bool reply;
    } rows[] = {
        {"hello", "hello", false},
        {"Re: hello", "hello", true},
        {"RE : Fwd: fw: hello (fwd) (FWD) ", "hello", true},
        {"Re[2]: hello", "hello", true},
        {"[list] Re: [tag] hello", "hello", true},
        {"[list] hello", "hello", false},
        {"[list]", "[list]", false},
        {"[a][b]", "[b]", false},
        {"Re: [list]", "[list]", true},
        {"[fwd: hello]", "hello", true},
        {"[Fwd: Re: [fwd: hello]]", "hello", true},
        {"a \t  b", "a b", false},
        {"re", "re", false},
        {"re:", "", true},
        {"reply: x", "reply: x", false},
        {"", "", false},
        {"[fwd:", "[fwd:", false},
        {"[fwd:]", "", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = guard_copy(slice_str(rows[i].in)), out;
        bool reply;
        assert_true(subject_base(in, &arena, &out, &reply));
        if (!slice_eq(out, slice_str(rows[i].out)) || reply != rows[i].reply)
            fail_msg("%s: %.*s", rows[i].in, SLICE_FMT(out));
        guard_free(in);
    }
}

static void sees_loops(void **state)
{
    static const slice block = SLICE_INIT("Delivered-To: Alice@A.test\r\nreceived: x\r\nReceived: y\r\n z\r\n"
                                          "Delivered-To: <bob@b.test>\r\n\r\nReceived: body\r\n");
    (void)state;
    assert_int_equal(mail_received_count(block), 2);
    assert_true(mail_delivered_to(block, SLICE("alice@a.test")));
    assert_true(mail_delivered_to(block, SLICE("bob@b.test")));
    assert_false(mail_delivered_to(block, SLICE("carol@a.test")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_fields_with_any_line_end, setup, teardown),
        cmocka_unit_test_setup_teardown(says_what_is_wrong_with_a_block, setup, teardown),
        cmocka_unit_test_setup_teardown(sees_a_bad_octet_wherever_it_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(selects_fields_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(decodes_encoded_words, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(parameters_keep_to_their_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_one_field_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_names, setup, teardown),
        cmocka_unit_test_setup_teardown(folds_and_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_mailboxes, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_the_base_of_subjects, setup, teardown),
        cmocka_unit_test_setup_teardown(sees_loops, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
