/* How old domains are: what registries' answers mean, which server is asked, which name is asked about and
 * when; what is kept on disk, and what damage costs. */
#include "lib/test.h"

#include "policy/doctor/rdap.h"
#include "proc/doctor/ages.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1795307700000) /* 2026-11-22 */

static char folder[] = "/tmp/posthorn-ages-XXXXXX";

/* ---- answers of registries */

static struct rdap_domain answer(const char *json, enum err want)
{
    struct rdap_domain d = {-1, -1};
    slice copy = guard_copy(slice_str(json));
    if (rdap_domain_read(copy, SLICE("example.org"), &d) != want)
        fail_msg("%s", json);
    guard_free(copy);
    return d;
}

#define DOMAIN(events)      "{\"objectClassName\":\"domain\",\"ldhName\":\"EXAMPLE.org\",\"events\":[" events "]}"
#define EVENT(action, date) "{\"eventAction\":\"" action "\",\"eventDate\":\"" date "\"}"

static void an_answer_says_since_when_and_until_when(void **state)
{
    struct rdap_domain d = answer(DOMAIN(EVENT("registration", "2026-11-22T00:35:00Z") "," EVENT(
                                      "expiration", "2027-11-22T00:35:00Z") "," EVENT("last changed", "x")),
                                  OK);
    (void)state;
    assert_int_equal(d.registered, NOW);
    assert_int_equal(d.expires, NOW + 365 * MS_DAY);
    /* it ran out once, and somebody registered it anew: that counts, in whatever order it is said */
    d = answer(DOMAIN(EVENT("reregistration", "2026-11-22T01:35:00+01:00") "," EVENT("registration",
                                                                                     "1999-01-01T00:00:00Z")),
               OK);
    assert_int_equal(d.registered, NOW);
    assert_int_equal(d.expires, 0);
}

static void what_is_not_said_is_not_known(void **state)
{
    static const char *const bare[] = {
        DOMAIN(""),
        DOMAIN(EVENT("registration", "last year") ",1,null," EVENT("expiration", "1969-01-01T00:00:00Z")),
        DOMAIN("{\"eventAction\":7,\"eventDate\":true}"),
        "{\"objectClassName\":\"domain\",\"ldhName\":\"example.org\"}",
        "{\"objectClassName\":\"domain\",\"ldhName\":\"example.org.\",\"events\":{}}",
    };
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "{\"errorCode\":404}",
        "<html>",
        "{\"objectClassName\":\"domain\",\"ldhName\":\"example.net\"}",
        "{\"objectClassName\":\"domain\"}",
        "{\"objectClassName\":\"ip network\",\"ldhName\":\"example.org\"}",
        "{\"objectClassName\":\"domain\",\"ldhName\":\"example.org\"",
        "{\"objectClassName\":\"domain\",\"ldhName\":\"example.org\\u0000\"}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
        struct rdap_domain d = answer(bare[i], OK);
        assert_int_equal(d.registered, 0);
        assert_int_equal(d.expires, 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(answer(wrong[i], ERR_SYNTAX).registered, -1);
}

static void what_is_too_large_is_not_read(void **state)
{
    char *text = malloc(RDAP_DOMAIN_BYTES + 2);
    (void)state;
    assert_non_null(text);
    memset(text, '[', 100);
    text[100] = 0;
    answer(text, ERR_LIMIT);
    memset(text, ',', 30000);
    text[0] = '[';
    text[30000] = 0;
    answer(text, ERR_LIMIT);
    memset(text, ' ', RDAP_DOMAIN_BYTES + 1);
    text[RDAP_DOMAIN_BYTES + 1] = 0;
    answer(text, ERR_LIMIT);
    free(text);
}

/* ---- which server */

static void url_is(const struct rdap_servers *s, const char *domain, const char *want)
{
    struct buf b CLEANUP(buf_done) = {.max = 2048};
    enum err e = rdap_url(s, slice_str(domain), &b);
    assert_int_equal(e, *want ? OK : ERR_NOT_FOUND);
    assert_slice(buf_view(&b), want);
}

static void the_server_of_the_longest_zone_is_asked(void **state)
{
    static const char json[] =
        "{\"services\":[[[\"org\",\"com\"],[\"http://plain.example/\",\"https://rdap.example/v1/\"]],"
        "[[\"co.uk\"],[\"https://couk.example\"]],[[\"uk\"],[\"https://uk.example/\"]],"
        "[[\"net\"],[\"http://plain.example/\"]],[[\"evil\"],[\"https://a b/\",\"https://c\\r\\nd/\"]],"
        "[[\"bad name\",7],[\"https://x/\"]],7,[[]],{}]}";
    struct arena a;
    struct rdap_servers s;
    (void)state;
    arena_init(&a, "servers", 1 << 20);
    assert_int_equal(rdap_servers_read(slice_str(json), &a, &s), OK);
    url_is(&s, "example.org", "https://rdap.example/v1/domain/example.org");
    url_is(&s, "Sub.Example.COM", "https://rdap.example/v1/domain/sub.example.com");
    url_is(&s, "example.co.uk", "https://couk.example/domain/example.co.uk");
    url_is(&s, "example.uk", "https://uk.example/domain/example.uk");
    url_is(&s, "example.net", ""); /* fetcher gets https only */
    url_is(&s, "example.evil", "");
    url_is(&s, "example.test", "");
    url_is(&s, "exam/ple.org", "");
    url_is(&s, "_x.org", "");
    url_is(&s, "", "");
    assert_int_equal(rdap_servers_read(SLICE("{\"services\":{}}"), &a, &s), ERR_SYNTAX);
    assert_int_equal(rdap_servers_read(SLICE("{"), &a, &s), ERR_SYNTAX);
    assert_int_equal(rdap_servers_read(SLICE("[[[[[[[[[1]]]]]]]]]"), &a, &s), ERR_LIMIT);
    arena_done(&a);
}

/* ---- which name, and when */

static void learn(struct ages *a, const char *name, enum domain_age_state state, time_ms at,
                  time_ms registered, time_ms expires)
{
    assert_true(ages_put(a, slice_str(name), &(struct domain_age){state, at, registered, expires}));
}

static void asks(struct ages *a, const char *domain, time_ms now, const char *want, const char *known)
{
    struct domain_age_step s;
    domain_age_walk(slice_str(domain), ages_find, a, now, &s);
    assert_slice(s.ask, want);
    assert_slice(s.name, known);
    assert_int_equal(s.known != NULL, *known != 0);
}

static struct ages *fresh(void)
{
    (void)unlink("ages");
    return ages_open();
}

static void the_name_above_is_asked_when_the_registry_does_not_have_it(void **state)
{
    struct ages *a = fresh();
    (void)state;
    asks(a, "mail.shop.example.org", NOW, "mail.shop.example.org", "");
    learn(a, "mail.shop.example.org", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    asks(a, "mail.shop.example.org", NOW, "shop.example.org", "");
    learn(a, "shop.example.org", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    asks(a, "mail.shop.example.org", NOW, "example.org", "");
    learn(a, "example.org", DOMAIN_AGE_KNOWN, NOW, NOW - MS_DAY, 0);
    asks(a, "mail.shop.example.org", NOW, "", "example.org");
    asks(a, "example.org", NOW, "", "example.org");
    /* never a top-level domain, never a third step */
    learn(a, "example.net", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    asks(a, "example.net", NOW, "", "");
    asks(a, "localhost", NOW, "", "");
    asks(a, "", NOW, "", "");
    learn(a, "a.b.c.d.net", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    learn(a, "b.c.d.net", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    learn(a, "c.d.net", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    asks(a, "a.b.c.d.net", NOW, "", "");
    ages_free(&a);
}

static void nothing_is_asked_twice_in_a_day(void **state)
{
    struct ages *a = fresh();
    (void)state;
    learn(a, "example.org", DOMAIN_AGE_FAILED, NOW, 0, 0);
    asks(a, "example.org", NOW + MS_DAY - 1, "", "");
    asks(a, "example.org", NOW + MS_DAY, "example.org", "");
    asks(a, "www.example.org", NOW, "www.example.org", ""); /* what is below is another name */
    learn(a, "www.example.org", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    asks(a, "www.example.org", NOW + MS_HOUR, "", "");
    /* registered today: the registry may tell tomorrow */
    learn(a, "new.net", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    asks(a, "new.net", NOW + MS_DAY, "new.net", "");
    /* a clock that was years ahead does not silence it for years */
    learn(a, "example.org", DOMAIN_AGE_FAILED, NOW + 1000 * MS_DAY, 0, 0);
    asks(a, "example.org", NOW, "example.org", "");
    ages_free(&a);
}

static void a_known_day_is_never_asked_for_again(void **state)
{
    struct ages *a = fresh();
    (void)state;
    learn(a, "example.org", DOMAIN_AGE_KNOWN, NOW, NOW - 9 * MS_DAY, 0);
    asks(a, "example.org", NOW + 5000 * MS_DAY, "", "example.org");
    /* but its end may be put off */
    learn(a, "ends.org", DOMAIN_AGE_KNOWN, NOW, NOW - 9 * MS_DAY, NOW + 40 * MS_DAY);
    asks(a, "ends.org", NOW + 5 * MS_DAY, "", "ends.org");
    asks(a, "ends.org", NOW + 11 * MS_DAY, "ends.org", "ends.org");
    learn(a, "ends.org", DOMAIN_AGE_FAILED, NOW + 11 * MS_DAY, 0, 0); /* it could not be asked: once a day */
    asks(a, "ends.org", NOW + 11 * MS_DAY + MS_HOUR, "", "ends.org");
    assert_int_equal(ages_find(a, SLICE("ends.org"))->expires, NOW + 40 * MS_DAY);
    asks(a, "ends.org", NOW + 12 * MS_DAY, "ends.org", "ends.org");
    learn(a, "ends.org", DOMAIN_AGE_KNOWN, NOW + 12 * MS_DAY, NOW - 9 * MS_DAY, NOW + 400 * MS_DAY);
    asks(a, "ends.org", NOW + 100 * MS_DAY, "", "ends.org");
    ages_free(&a);
}

/* ---- on disk */

static void what_was_learned_outlives_the_process(void **state)
{
    static const slice ours[] = {{(const uint8_t *)"www.example.org", 15}};
    struct ages *a = fresh();
    (void)state;
    learn(a, "www.example.org", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    learn(a, "example.org", DOMAIN_AGE_KNOWN, NOW, NOW - MS_DAY, NOW + MS_DAY);
    learn(a, "gone.org", DOMAIN_AGE_KNOWN, NOW, NOW - MS_DAY, NOW + MS_DAY);
    ages_servers_asked(a, NOW + 7);
    ages_prune(a, ours, 1); /* gone.org is no domain of ours any more */
    assert_int_equal(ages_save(a), OK);
    ages_free(&a);
    a = ages_open();
    assert_int_equal(ages_count(a), 2);
    assert_int_equal(ages_servers_at(a), NOW + 7);
    asks(a, "www.example.org", NOW, "", "example.org");
    assert_int_equal(ages_find(a, SLICE("example.org"))->registered, NOW - MS_DAY);
    assert_int_equal(ages_find(a, SLICE("example.org"))->expires, NOW + MS_DAY);
    assert_int_equal(mkdir("ages.new", 0700), 0);
    learn(a, "example.org", DOMAIN_AGE_ABSENT, NOW, 0, 0);
    assert_int_equal(ages_save(a), ERR_IO); /* the old file stays */
    ages_free(&a);
    assert_int_equal(rmdir("ages.new"), 0);
    a = ages_open();
    assert_int_equal(ages_count(a), 2);
    ages_free(&a);
}

static void damage_costs_the_lines_that_are_damaged(void **state)
{
    static const char text[] = ".\tknown\t5\t0\t0\n"
                               "a.org\tknown\t1\t2\t3\n"
                               "b.org\tperhaps\t1\t2\t3\n"
                               "c.org\tknown\t-1\t2\t3\n"
                               "d.org\tknown\t1\t2\t99999999999999999\n"
                               "e.org\tknown\t1\n"
                               "\tknown\t1\t2\t3\n"
                               "\0\xff\n"
                               "f.org\tabsent\t1\t0\t0\n"
                               "g.org\tknown\t1\t2";
    (void)state;
    for (size_t n = 0; n <= sizeof text - 1; n++) {
        FILE *f = fopen("ages", "w");
        struct ages *a;
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
        a = ages_open();
        assert_in_range(ages_count(a), 0, 2);
        if (n == sizeof text - 1) {
            assert_int_equal(ages_count(a), 2);
            assert_int_equal(ages_servers_at(a), 5);
        }
        ages_free(&a);
    }
}

static void there_is_room_for_so_many(void **state)
{
    struct ages *a = fresh();
    const struct domain_age known = {DOMAIN_AGE_KNOWN, NOW, NOW, NOW};
    char name[32];
    (void)state;
    for (unsigned i = 0; i < AGES_MAX; i++) {
        snprintf(name, sizeof name, "d%u.example", i);
        assert_true(ages_put(a, slice_str(name), &known));
    }
    assert_false(ages_put(a, SLICE("one.more"), &known));
    assert_true(ages_put(a, SLICE("d7.example"), &known));
    assert_int_equal(ages_save(a), OK);
    ages_free(&a);
    a = ages_open();
    assert_int_equal(ages_count(a), AGES_MAX);
    ages_free(&a);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_says_since_when_and_until_when),
        cmocka_unit_test(what_is_not_said_is_not_known),
        cmocka_unit_test(what_is_too_large_is_not_read),
        cmocka_unit_test(the_server_of_the_longest_zone_is_asked),
        cmocka_unit_test(the_name_above_is_asked_when_the_registry_does_not_have_it),
        cmocka_unit_test(nothing_is_asked_twice_in_a_day),
        cmocka_unit_test(a_known_day_is_never_asked_for_again),
        cmocka_unit_test(what_was_learned_outlives_the_process),
        cmocka_unit_test(damage_costs_the_lines_that_are_damaged),
        cmocka_unit_test(there_is_room_for_so_many),
    };
    int failed;
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink("ages");
    (void)unlink("ages.new");
    (void)rmdir(folder);
    return failed;
}
