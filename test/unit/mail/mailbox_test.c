/* mailbox: the strict address of the envelope: what is one, what is not (THREATS 1, 3, 21, 25), and that one
 * address has one form. */
#include "lib/test.h"

#include "core/mail/mailbox.h"

static void check(const char *text, size_t n, unsigned allow, enum err want, const char *printed)
{
    struct mailbox m = {0};
    struct buf b;
    slice in = guard_copy(slice_of(text, n));
    enum err e = mailbox_parse(in, allow, &m);
    if (e != want)
        fail_msg("%s: %s", text, err_name(e));
    buf_init(&b, MAILBOX_TEXT_MAX);
    if (e == OK) {
        assert_int_equal(mailbox_print(&m, &b), OK);
        assert_slice(buf_view(&b), printed);
    }
    buf_done(&b);
    guard_free(in);
}

static void takes_addresses_and_nothing_else(void **state)
{
    static const struct {
        const char *text, *printed; /* printed NULL: refused */
    } rows[] = {
        {"alice@Example.COM", "alice@example.com"},
        {"Alice.Liddell+tag@a.test", "Alice.Liddell+tag@a.test"},
        {"\"alice\"@a.test", "alice@a.test"},
        {"\"a b\"@a.test", "\"a b\"@a.test"},
        {"\"a\\\"b\\\\c\"@a.test", "\"a\\\"b\\\\c\"@a.test"},
        {"\"a\\lice\"@a.test", "alice@a.test"},
        {"\"a..b\"@a.test", "\"a..b\"@a.test"},
        {"!#$%&'*+-/=?^_`{|}~@a.test", "!#$%&'*+-/=?^_`{|}~@a.test"},
        {"a@[192.0.2.1]", "a@[192.0.2.1]"},
        {"a@[IPv6:2001:DB8:0:0::1]", "a@[IPv6:2001:db8::1]"},
        {"a@localhost", "a@localhost"},
        {"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
        {"", NULL},
        {"alice", NULL},
        {"postmaster", NULL},
        {"@a.test", NULL},
        {"a@", NULL},
        {"a@b@c", NULL},
        {".a@b", NULL},
        {"a.@b", NULL},
        {"a..b@c", NULL},
        {"a b@c", NULL},
        {" a@b", NULL},
        {"a@b ", NULL},
        {"a@b.", NULL},
        {"a@.b", NULL},
        {"a@b..c", NULL},
        {"a@-b", NULL},
        {"a@b_c", NULL},
        {"a@b>", NULL},
        {"\"a@b", NULL},
        {"\"\"@b", NULL},
        {"\"a\"b@c", NULL},
        {"\"a\\", NULL},
        {"a@[192.0.2.256]", NULL},
        {"a@[192.0.2.1", NULL},
        {"a@[]", NULL},
        {"a@[IPv6:]", NULL},
        {"a@[2001:db8::1]", NULL},
        {"a@[x:y]", NULL},
        {"any@legitimate.com(a.attack.com", NULL}, /* THREATS 21 */
        {"<a@b>", NULL},
        {"a,b@c", NULL},
        {"a;sleep 66;@c", NULL}, /* THREATS 1 */
        {"a\r\n@b", NULL},
        {"\"a\r\nb\"@c", NULL},
        {"\"a\tb\"@c", NULL},
        {"a@b\r", NULL},
        {"p\xC3\xA9@b", NULL},
        {"a@b\xC3\xBC.test", NULL},
        {"=?utf-8?q?a=40b?=@h", "=?utf-8?q?a=40b?=@h"}, /* never decoded: THREATS 25 */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(rows[i].text, strlen(rows[i].text), 0, rows[i].printed ? OK : ERR_SYNTAX, rows[i].printed);
    check("a\0@b", 4, 0, ERR_SYNTAX, NULL); /* THREATS 3 */
    check("\"a\0\"@b", 6, 0, ERR_SYNTAX, NULL);
    check("a@b\0c", 5, MAILBOX_UTF8, ERR_SYNTAX, NULL);
    check("a@[192.0.2.1\0]", 14, 0, ERR_SYNTAX, NULL);
}

static void utf8_only_when_asked_for(void **state)
{
    (void)state;
    check("p\xC3\xA9@b\xC3\xBC"
          "cher.test",
          16, MAILBOX_UTF8, OK, "p\xC3\xA9@xn--bcher-kva.test");
    check("p\xFF@b", 4, MAILBOX_UTF8, ERR_SYNTAX, NULL);
    check("p\xC2\x85@b", 5, MAILBOX_UTF8, ERR_SYNTAX, NULL); /* NEL is a line end to some */
    check("\"p\xC3\xA9 x\"@b", 9, MAILBOX_UTF8, OK, "\"p\xC3\xA9 x\"@b");
    check("\"\\\xC3\xA9\"@b", 7, MAILBOX_UTF8, ERR_SYNTAX, NULL);
    check("a@b\xC3", 4, MAILBOX_UTF8, ERR_SYNTAX, NULL);
}

static void parts_have_their_lengths(void **state)
{
    char text[1000];
    (void)state;
    for (size_t n = 1; n <= MAILBOX_LOCAL_MAX + 3; n++) {
        struct mailbox m;
        memset(text, 'a', n);
        memcpy(text + n, "@b", 2);
        assert_int_equal(mailbox_parse(slice_of(text, n + 2), 0, &m),
                         n <= MAILBOX_LOCAL_MAX ? OK : ERR_LIMIT);
    }
    for (size_t quotes = 1; quotes <= MAILBOX_LOCAL_MAX; quotes++) { /* quoting doubles it */
        struct mailbox m;
        struct buf b;
        size_t n = 0;
        bool fits;
        buf_init(&b, MAILBOX_TEXT_MAX);
        text[n++] = '"';
        for (size_t i = 0; i < quotes; i++) {
            text[n++] = '\\';
            text[n++] = '"';
        }
        memcpy(text + n, "\"@[IPv6:::1]", 12);
        fits = n + 12 <= MAILBOX_TEXT_MAX;
        assert_int_equal(mailbox_parse(slice_of(text, n + 12), 0, &m), fits ? OK : ERR_LIMIT);
        if (fits) {
            assert_int_equal(mailbox_print(&m, &b), OK);
            assert_slices(buf_view(&b), slice_of(text, n + 12));
        }
        buf_done(&b);
    }
}

static void is_made_of_two_parts(void **state)
{
    static const struct {
        const char *local, *domain, *printed;
    } rows[] = {
        {"alice", "A.test", "alice@a.test"},
        {"a b", "a.test", "\"a b\"@a.test"},
        {"a", "[192.0.2.1]", "a@[192.0.2.1]"},
        {"", "a.test", NULL},
        {"a", "", NULL},
        {"a", "b c", NULL},
        {"a\n", "b", NULL},
        {"a", "b>", NULL},
        {"a", "b@c", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mailbox m;
        struct buf b;
        enum err e = mailbox_make(slice_str(rows[i].local), slice_str(rows[i].domain), 0, &m);
        buf_init(&b, MAILBOX_TEXT_MAX);
        assert_int_equal(e, rows[i].printed ? OK : ERR_SYNTAX);
        if (e == OK) {
            assert_int_equal(mailbox_print(&m, &b), OK);
            assert_slice(buf_view(&b), rows[i].printed);
        }
        buf_done(&b);
    }
}

static void reads_paths_and_leaves_the_rest(void **state)
{
    static const struct {
        const char *text;
        unsigned allow;
        const char *printed, *rest; /* printed NULL: refused */
    } rows[] = {
        {"<a@b> SIZE=3", 0, "a@b", " SIZE=3"},
        {"<>", MAILBOX_NULL, "", ""},
        {"<>", 0, NULL, NULL},
        {"<@r1.test,@r2.test:a@b>", 0, "a@b", ""},
        {"<@r1.test:a@b>", 0, "a@b", ""},
        {"<@r1.test,a@b>", 0, NULL, NULL},
        {"<@:a@b>", 0, NULL, NULL},
        {"<@r1.test,@:a@b>", 0, NULL, NULL},
        {"<Postmaster>", MAILBOX_POSTMASTER, "Postmaster", ""},
        {"<Postmaster>", 0, NULL, NULL},
        {"<alice>", MAILBOX_POSTMASTER, NULL, NULL},
        {"<a@b", 0, NULL, NULL},
        {"a@b", 0, NULL, NULL},
        {"< a@b>", 0, NULL, NULL},
        {"<a@b >", 0, NULL, NULL},
        {"<a@b>>", 0, "a@b", ">"},
        {"<\"a>b\"@c>x", 0, "\"a>b\"@c", "x"},
        {"<a@[192.0.2.1]>", 0, "a@[192.0.2.1]", ""},
        {"<;sleep 66;>", 0, NULL, NULL},
        {"<`id`@x>", 0, "`id`@x", ""}, /* atext, and nothing here ever meets a shell */
        {"<\"|id\"@x>", 0, "\"|id\"@x", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = guard_copy(slice_str(rows[i].text));
        struct cursor c = cursor_of(in);
        struct mailbox m;
        struct buf b;
        enum err e = path_parse(&c, rows[i].allow, &m);
        buf_init(&b, MAILBOX_TEXT_MAX);
        if ((e == OK) != (rows[i].printed != NULL))
            fail_msg("%s: %s", rows[i].text, err_name(e));
        if (e == OK) {
            assert_int_equal(mailbox_print(&m, &b), OK);
            /* "|id" needs no quotes: "|" is atext */
            assert_slice(buf_view(&b), slice_eq(in, SLICE("<\"|id\"@x>")) ? "|id@x" : rows[i].printed);
            if (rows[i].rest)
                assert_slice(c.rest, rows[i].rest);
        } else {
            assert_slices(c.rest, in);
        }
        buf_done(&b);
        guard_free(in);
    }
}

static void keys_fold_ascii_and_nothing_else(void **state)
{
    struct mailbox a, b, kelvin;
    struct buf key;
    (void)state;
    buf_init(&key, MAILBOX_TEXT_MAX);
    assert_int_equal(mailbox_parse(SLICE("K.Smith@A.Test"), 0, &a), OK);
    assert_int_equal(mailbox_parse(SLICE("\"k\".smith@a.test"), 0, &b), ERR_SYNTAX);
    assert_int_equal(mailbox_parse(SLICE("\"k.smith\"@a.test"), 0, &b), OK);
    assert_int_equal(mailbox_parse(SLICE("\xE2\x84\xAA.smith@a.test"), MAILBOX_UTF8, &kelvin), OK);
    assert_true(mailbox_same(&a, &b));
    assert_false(mailbox_same(&a, &kelvin));
    assert_int_equal(mailbox_key(&a, &key), OK);
    assert_slice(buf_view(&key), "k.smith@a.test");
    buf_clear(&key);
    assert_int_equal(mailbox_key(&kelvin, &key), OK);
    assert_slice(buf_view(&key), "\xE2\x84\xAA.smith@a.test");
    buf_done(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_addresses_and_nothing_else),
        cmocka_unit_test(utf8_only_when_asked_for),
        cmocka_unit_test(parts_have_their_lengths),
        cmocka_unit_test(is_made_of_two_parts),
        cmocka_unit_test(reads_paths_and_leaves_the_rest),
        cmocka_unit_test(keys_fold_ascii_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
