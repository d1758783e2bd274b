/* What stands between the words of a structured header field is stepped over whole, and never more. */
#include "lib/test.h"
#include "text/cfws.h"

static void what_is_left(const char *in, const char *rest)
{
    slice g = guard_copy(slice_str(in));
    struct cursor c = cursor_of(g);
    cfws_skip(&c);
    assert_slice(c.rest, rest);
    guard_free(g);
}

static void comments_and_blanks_are_stepped_over(void **state)
{
    (void)state;
    what_is_left("word", "word");
    what_is_left(" \t\r\n word", "word");
    what_is_left("(a)word", "word");
    what_is_left(" (a (b) c) (d) word (e)", "word (e)");
    what_is_left("(a\\)b)word", "word");
    what_is_left(")word", ")word");
}

static void open_ends_end_with_the_input(void **state)
{
    (void)state;
    what_is_left("", "");
    what_is_left("(", "");
    what_is_left("(a", "");
    what_is_left("(a\\", "");
    what_is_left("((a)", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_and_blanks_are_stepped_over),
        cmocka_unit_test(open_ends_end_with_the_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
