/* tag_list: the grammar of RFC 6376 §3.2, what is refused, and that nothing is read past the end. */
#include "lib/test.h"
#include "text/tag_list.h"

static enum err parse(const char *text, struct tag_list *out)
{
    slice s = guard_copy(slice_str(text));
    enum err e = tag_list_parse(s, out);
    /* the views point into the copy, which goes: keep the text they have in the literal instead */
    for (size_t i = 0; e == OK && i < out->n; i++) {
        out->at[i].name.p = (const uint8_t *)text + (out->at[i].name.p - s.p);
        out->at[i].value.p = (const uint8_t *)text + (out->at[i].value.p - s.p);
    }
    guard_free(s);
    return e;
}

static void test_read(void **state)
{
    struct tag_list l;
    (void)state;
    assert_int_equal(parse(" v = 1 ;a=b c; empty=;\r\n\tlast_1=x = y;\r\n ", &l), OK);
    assert_int_equal(l.n, 4);
    assert_slice(l.at[0].name, "v");
    assert_slice(l.at[0].value, "1");
    assert_slice(l.at[1].value, "b c");
    assert_slice(l.at[2].value, "");
    assert_slice(l.at[3].name, "last_1");
    assert_slice(l.at[3].value, "x = y");
    assert_slice(*tag_list_find(&l, SLICE("a")), "b c");
    assert_null(tag_list_find(&l, SLICE("A")));
    assert_null(tag_list_find(&l, SLICE("las")));
    assert_int_equal(parse("a=1;b=2\r\n  3\r\n", &l), ERR_SYNTAX); /* a line end with nothing behind it */
    assert_int_equal(parse("a=\r\n 1", &l), OK);
    assert_slice(l.at[0].value, "1");
    assert_int_equal(parse("i=j\xc3\xb6rg@x", &l), OK);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        enum err e;
    } table[] = {
        {"", ERR_SYNTAX},           {" ", ERR_SYNTAX},        {";", ERR_SYNTAX},
        {"a", ERR_SYNTAX},          {"a=1;;", ERR_SYNTAX},    {"a=1;b", ERR_SYNTAX},
        {"=1", ERR_SYNTAX},         {"1a=1", ERR_SYNTAX},     {"_a=1", ERR_SYNTAX},
        {"a-b=1", ERR_SYNTAX},      {"a b=1", ERR_SYNTAX},    {"a=1\x01", ERR_SYNTAX},
        {"a=\x7f", ERR_SYNTAX},     {"a=\xff", ERR_SYNTAX},   {"a=\xc2\x85", ERR_SYNTAX},
        {"a=1\r2", ERR_SYNTAX},     {"a=1\r\n2", ERR_SYNTAX}, {"a=1;a=1", ERR_EXISTS},
        {"a=1;b=2;a=", ERR_EXISTS}, {"a=1 ; ; ", ERR_SYNTAX},
    };
    struct tag_list l;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (parse(table[i].text, &l) != table[i].e)
            fail_msg("%zu: \"%s\"", i, table[i].text);
    assert_int_equal(tag_list_parse(slice_of("a=1;b=\0", 7), &l), ERR_SYNTAX);
}

static void test_many(void **state)
{
    struct buf b CLEANUP(buf_done);
    struct tag_list l;
    (void)state;
    buf_init(&b, 10000);
    for (unsigned i = 0; i < TAG_LIST_MAX; i++)
        assert_int_equal(buf_print(&b, "t%u=%u;", i, i), OK);
    assert_int_equal(tag_list_parse(buf_view(&b), &l), OK);
    assert_int_equal(l.n, TAG_LIST_MAX);
    assert_int_equal(buf_str(&b, "more=1"), OK);
    assert_int_equal(tag_list_parse(buf_view(&b), &l), ERR_LIMIT);
}

static void test_items(void **state)
{
    struct tag_items it = tag_items(SLICE("From : to:\r\n\tsubject:"));
    slice item;
    (void)state;
    assert_true(tag_items_next(&it, ':', &item));
    assert_slice(item, "From");
    assert_true(tag_items_next(&it, ':', &item));
    assert_slice(item, "to");
    assert_true(tag_items_next(&it, ':', &item));
    assert_slice(item, "subject");
    assert_true(tag_items_next(&it, ':', &item));
    assert_slice(item, "");
    assert_false(tag_items_next(&it, ':', &item));
    it = tag_items(slice_of(NULL, 0));
    assert_false(tag_items_next(&it, ':', &item));
    assert_true(tag_item_find(SLICE("sha1 : SHA256"), ':', SLICE("sha256")));
    assert_false(tag_item_find(SLICE("sha1:sha2567"), ':', SLICE("sha256")));
}

static void test_base64(void **state)
{
    struct buf b CLEANUP(buf_done);
    (void)state;
    buf_init(&b, 100);
    assert_int_equal(tag_base64(SLICE("aG Vs\r\n\tbG8="), &b), OK);
    assert_slice(buf_view(&b), "hello");
    assert_int_equal(tag_base64(SLICE("aGVsbG8"), &b), OK); /* base64string needs no padding */
    assert_slice(buf_view(&b), "hellohello");
    assert_int_equal(tag_base64(SLICE("aGVsbG9"), &b), ERR_SYNTAX); /* bits over */
    assert_int_equal(tag_base64(SLICE("aGVsb"), &b), ERR_SYNTAX);
    assert_int_equal(tag_base64(SLICE("aG\r\nVs"), &b), ERR_SYNTAX);
    assert_int_equal(tag_base64(SLICE("a-Vs"), &b), ERR_SYNTAX);
    assert_slice(buf_view(&b), "hellohello");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_many), cmocka_unit_test(test_items),
                                       cmocka_unit_test(test_base64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
