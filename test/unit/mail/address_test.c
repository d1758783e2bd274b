/* address: lists as they are really written. Each row says what is read as "name<local|domain>", groups as
 * "name:" and ";". A "!" in front: the list is flagged. */
#include "lib/test.h"

#include "base/buf.h"
#include "core/mail/address.h"
#include "core/mail/header.h"

static void show(const struct address_list *list, struct buf *b)
{
    if (list->defects & MAIL_DEFECT_ADDRESS)
        assert_int_equal(buf_byte(b, '!'), OK);
    for (size_t i = 0; i < list->n; i++) {
        const struct address *a = &list->at[i];
        if (i && a->kind != ADDRESS_GROUP_END)
            assert_int_equal(buf_byte(b, ' '), OK);
        assert_int_equal(buf_append(b, a->name), OK);
        if (a->kind == ADDRESS_MAILBOX) {
            assert_int_equal(buf_byte(b, '<'), OK);
            if (a->route.n) {
                assert_int_equal(buf_append(b, a->route), OK);
                assert_int_equal(buf_byte(b, ':'), OK);
            }
            assert_int_equal(buf_append(b, a->local), OK);
            assert_int_equal(buf_byte(b, '|'), OK);
            assert_int_equal(buf_append(b, a->domain), OK);
            assert_int_equal(buf_byte(b, '>'), OK);
        } else {
            assert_int_equal(buf_byte(b, a->kind == ADDRESS_GROUP_START ? ':' : ';'), OK);
        }
    }
}

static void reads_lists(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"alice@a.test", "<alice|a.test>"},
        {"Alice <alice@a.test>", "Alice<alice|a.test>"},
        {"Alice Liddell <alice@a.test>, bob@b", "Alice Liddell<alice|a.test> <bob|b>"},
        {"\"Doe, John\" <j@x>", "Doe, John<j|x>"},
        {"\"J\\\"D\" <j@x>", "J\"D<j|x>"},
        {"John Q. Public <j@x>", "John Q. Public<j|x>"},
        {"j@x (John Doe)", "John Doe<j|x>"},
        {"j@x (a (nested) one)", "a (nested) one<j|x>"},
        {"Joe (c1) <j@x> (c2)", "Joe<j|x>"},
        {"<j@x>", "<j|x>"},
        {"<@r1,@r2:j@x>", "<@r1,@r2:j|x>"},
        {"j . d @ x . y", "<j.d|x.y>"},
        {"\r\n\tj@x,\r\n k@y", "<j|x> <k|y>"},
        {"pete(his account)@silly.test(his host)", "his host<pete|silly.test>"},
        {"A Group:Ed Jones <joe@where.test>,John <jdoe@one.test>;",
         "A Group: Ed Jones<joe|where.test> John<jdoe|one.test>;"},
        {"Undisclosed recipients:;", "Undisclosed recipients:;"},
        {"a@b, g: c@d; , e@f", "<a|b> g: <c|d>; <e|f>"},
        {"a@[192.0.2.1]", "<a|[192.0.2.1]>"},
        {"\"a b\"@c", "<a b|c>"},
        {"\"a@b\"@c", "<a@b|c>"},
        {"\"\"@c", "!<|c>"},
        {"=?utf-8?q?a=40b?=@h", "<=?utf-8?q?a=40b?=|h>"},
        {"=?utf-8?q?x=40y=2Cz?= <a@b>", "=?utf-8?q?x=40y=2Cz?=<a|b>"},
        {"\xC3\xA9@\xC3\xBC.test", "<\xC3\xA9|\xC3\xBC.test>"},
        {"", ""},
        {" , ,, ", ""},
        {"<>", "!<|>"},
        {"Name <>", "!Name<|>"},
        /* what is wrong is flagged, and every address in it is found */
        {"undisclosed recipients", "!<undisclosed recipients|>"},
        {"alice", "!<alice|>"},
        {"John Doe j@x", "!John Doe<j|x>"},
        {"a@b c@d", "!<a|b> <c|d>"},
        {"a@b\r\n c@d", "!<a|b> <c|d>"},
        {"<a@b> <c@d>", "!<a|b> <c|d>"},
        {"<a@b> c@d", "!c@d<a|b> <c|d>"},
        {"a@b <c@d>",
         "a@b<c|d>"}, /* a name that looks like an address is a name: THREATS 25 is the reader's job */
        {"a@b@c", "!<a@b|c>"},
        {"<a@b@c>", "!<a@b|c>"},
        {"<a b@c>", "!<a b|c>"},
        {"<a@b, c@d", "!<a|b> <c|d>"},
        {"a@b>", "!<a|b>>"},
        {"a@b;c@d", "!<a|b> <c|d>"},
        {"g: a@b", "!g: <a|b>;"},
        {"g: h: a@b;", "!g: <h|> <a|b>;"},
        {"(unclosed", "!"},
        {"(a\\", "!"},
        {"\"unclosed", "!<unclosed|>"},
        {"\"a\\", "!<a|>"},
        {"a@[1.2.3.4", "!<a|[1.2.3.4>"},
        {"a@", "!<a|>"},
        {"@b", "!<|b>"},
        {"a\x01@b", "!<a|b>"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = guard_copy(slice_str(rows[i].in));
        struct address_list list;
        struct arena a;
        struct buf b;
        arena_init(&a, "test", 100000);
        buf_init(&b, 1000);
        assert_true(address_list_parse(in, &mail_limits_default, &a, &list));
        show(&list, &b);
        if (!slice_eq(buf_view(&b), slice_str(rows[i].out)))
            fail_msg("%s\n  got  %.*s\n  want %s", rows[i].in, SLICE_FMT(buf_view(&b)), rows[i].out);
        buf_done(&b);
        arena_done(&a);
        guard_free(in);
    }
}

static void keeps_to_its_limit(void **state)
{
    struct mail_limits limits = mail_limits_default;
    struct address_list list;
    struct arena a;
    (void)state;
    arena_init(&a, "test", 100000);
    limits.addresses = 3;
    assert_true(address_list_parse(SLICE("a@b,c@d,e@f"), &limits, &a, &list));
    assert_int_equal(list.n, 3);
    assert_int_equal(list.defects, 0);
    assert_true(address_list_parse(SLICE("a@b,c@d,e@f,g@h"), &limits, &a, &list));
    assert_int_equal(list.n, 3);
    assert_true(list.defects & MAIL_DEFECT_ADDRESS_MANY);
    assert_true(address_list_parse(SLICE("g:c@d,e@f,g@h;"), &limits, &a, &list));
    assert_int_equal(list.n, 4); /* an open group is always closed */
    assert_int_equal(list.at[3].kind, ADDRESS_GROUP_END);
    assert_true(list.defects & MAIL_DEFECT_ADDRESS_MANY);
    arena_done(&a);
}

static void tells_when_memory_is_out(void **state)
{
    static const slice in = SLICE_INIT("g: Alice <a@b>, c@d (e), \"f\" <g@h>, i@j, k@l;");
    (void)state;
    for (size_t cap = 0; cap < 3000; cap += 16) {
        struct address_list list = {0};
        struct arena a;
        arena_init(&a, "test", cap);
        if (address_list_parse(in, &mail_limits_default, &a, &list)) {
            assert_int_equal(list.n, 7);
            assert_int_equal(list.defects, 0);
        } else {
            assert_int_equal(list.n, 0);
        }
        arena_done(&a);
    }
}

static void reads_message_ids(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"<1@a>", "1@a "},
        {"<1@a> <2@b>\r\n\t<3@c>", "1@a 2@b 3@c "},
        {"<1@a><2@b>", "1@a 2@b "},
        {"text <1@a> (comment)", "1@a "},
        {"1@a", "1@a "},
        {"your mail of monday", ""},
        {"<1@a", ""},
        {"<>", ""},
        {"< 1@\r\n a >", "1@a "},
        {"<1@a> <2@b> <3@c> <4@d> <5@e>", "2@b 3@c 4@d 5@e "},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        struct buf b;
        slice *ids;
        size_t n;
        arena_init(&a, "test", 10000);
        buf_init(&b, 100);
        assert_true(address_msg_ids(slice_str(rows[i].in), 4, &a, &ids, &n));
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(buf_append(&b, ids[k]), OK);
            assert_int_equal(buf_byte(&b, ' '), OK);
        }
        assert_slice(buf_view(&b), rows[i].out);
        buf_done(&b);
        arena_done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lists),
        cmocka_unit_test(keeps_to_its_limit),
        cmocka_unit_test(tells_when_memory_is_out),
        cmocka_unit_test(reads_message_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
