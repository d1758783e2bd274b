/* PLAIN takes RFC 4616's own examples and nothing that is almost one. */
#include "lib/test.h"

#include "core/sasl/plain.h"

static enum err parse(const char *p, size_t n, struct plain *out)
{
    slice g = guard_copy(slice_of(p, n));
    enum err e = plain_parse(g, out);
    guard_free(g);
    return e;
}

static void good(void **state)
{
    struct plain p;
    (void)state;
    assert_int_equal(plain_parse(SLICE("\0tim\0tanstaaftanstaaf"), &p), OK);
    assert_slice(p.name, "tim");
    assert_slice(p.password, "tanstaaftanstaaf");
    assert_int_equal(plain_parse(SLICE("tim\0tim\0x"), &p), OK);
    assert_slice(p.name, "tim");
}

static void bad(void **state)
{
    struct plain p;
    char text[700];
    (void)state;
    assert_int_equal(parse("Ursel\0Kurt\0xipj3plmq", 20, &p), ERR_DENIED);
    assert_int_equal(parse("", 0, &p), ERR_SYNTAX);
    assert_int_equal(parse("\0", 1, &p), ERR_SYNTAX);
    assert_int_equal(parse("\0a", 2, &p), ERR_SYNTAX);
    assert_int_equal(parse("\0a\0", 3, &p), ERR_SYNTAX);
    assert_int_equal(parse("\0\0b", 3, &p), ERR_SYNTAX);
    assert_int_equal(parse("\0a\0b\0", 5, &p), ERR_SYNTAX);
    assert_int_equal(parse("\0a\0b\xff", 5, &p), ERR_SYNTAX);
    memset(text, 'x', sizeof text);
    text[0] = text[2] = 0;
    assert_int_equal(parse(text, 3 + PLAIN_PASSWORD_MAX, &p), OK);
    assert_int_equal(parse(text, 3 + PLAIN_PASSWORD_MAX + 1, &p), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
