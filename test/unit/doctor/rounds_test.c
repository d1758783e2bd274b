/* Ten thousand domains: each is looked at within a day, the server's own and the broken ones every round, and
 * no round looks at more than its bound. */
#include "lib/test.h"

#include "policy/doctor/rounds.h"

#include <stdio.h>

#define MANY 10000

static char names[MANY][24];
static struct rounds_domain ours[MANY];
static unsigned seen[MANY];

static void make(size_t n)
{
    memset(ours, 0, sizeof ours);
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "d%05zu.example", i);
        ours[i].name = slice_str(names[i]);
    }
}

/* One round; the name it ends with is copied, as one that is read from a file is. */
static size_t look(size_t n, char last[24])
{
    slice end;
    size_t chosen = rounds_choose(ours, n, slice_str(last), rounds_rest(n), &end), counted = 0;
    for (size_t i = 0; i < n; i++) {
        seen[i] += ours[i].chosen;
        counted += ours[i].chosen;
    }
    assert_int_equal(counted, chosen);
    snprintf(last, 24, "%.*s", SLICE_FMT(end));
    return chosen;
}

static void a_few_are_looked_at_every_round(void **state)
{
    char last[24] = "";
    (void)state;
    make(ROUNDS_REST);
    ours[7].wrong = ours[9].always = true;
    for (unsigned round = 1; round < 4; round++) {
        assert_int_equal(look(ROUNDS_REST, last), ROUNDS_REST);
        assert_int_equal(seen[0], round);
    }
    assert_int_equal(look(0, last), 0);
    assert_int_equal(look(1, last), 1);
}

static void each_of_many_has_its_turn_within_a_day(void **state)
{
    char last[24] = "";
    size_t most = 0;
    (void)state;
    make(MANY);
    ours[1234].always = true;
    for (size_t i = 0; i < 100; i++)
        ours[i * 97].wrong = true;
    for (unsigned round = 0; round < ROUNDS_A_DAY; round++) {
        size_t n = look(MANY, last);
        most = n > most ? n : most;
    }
    for (size_t i = 0; i < MANY; i++)
        assert_in_range(seen[i], ours[i].always || ours[i].wrong ? ROUNDS_A_DAY : 1, ROUNDS_A_DAY);
    assert_in_range(most, 1, 1 + 100 + rounds_rest(MANY));
}

static void all_broken_is_bounded_and_fair(void **state)
{
    char last[24] = "";
    (void)state;
    make(MANY);
    for (size_t i = 0; i < MANY; i++)
        ours[i].wrong = true;
    for (unsigned round = 0; round < ROUNDS_A_DAY; round++)
        assert_in_range(look(MANY, last), 1, ROUNDS_WRONG + rounds_rest(MANY));
    for (size_t i = 0; i < MANY; i++)
        assert_true(seen[i] > 0);
}

/* Domains come and go between rounds, also the one that the last round ended with. */
static void the_turn_goes_on_where_it_was(void **state)
{
    char last[24] = "d00300.exampld"; /* between two */
    (void)state;
    make(1000);
    (void)look(1000, last);
    assert_int_equal(seen[300], 1);
    assert_int_equal(seen[299], 0);
    assert_string_equal(last, "d00555.example");
    snprintf(last, sizeof last, "zzz"); /* behind all: from the beginning */
    (void)look(1000, last);
    assert_int_equal(seen[0], 1);
    assert_null(rounds_find(ours, 1000, SLICE("d00300.exampl")));
    assert_null(rounds_find(ours, 1000, SLICE("")));
    assert_null(rounds_find(ours, 0, SLICE("d00000.example")));
    assert_ptr_equal(rounds_find(ours, 1000, SLICE("d00000.example")), &ours[0]);
    assert_ptr_equal(rounds_find(ours, 1000, SLICE("d00999.example")), &ours[999]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_are_looked_at_every_round),
        cmocka_unit_test(each_of_many_has_its_turn_within_a_day),
        cmocka_unit_test(all_broken_is_bounded_and_fair),
        cmocka_unit_test(the_turn_goes_on_where_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
