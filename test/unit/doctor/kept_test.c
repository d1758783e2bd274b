/* kept: what is wrong and since when, from check to check and from start to start; a file that is damaged
 * costs the lines that are, never more. */
#include "lib/test.h"

#include "proc/doctor/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1800000000000)

static struct arena arena;
static char folder[] = "/tmp/posthorn-kept-XXXXXX";

static void put(const char *text, size_t n)
{
    FILE *f = fopen("findings", "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static struct findings list(enum finding_kind kind, const char *subject)
{
    struct findings f;
    findings_init(&f, &arena);
    if (subject)
        (void)findings_add(&f, kind, slice_str(subject), SLICE("what"), SLICE("mend"), (slice){0});
    return f;
}

/* A round looked at the server and at the domains that begin with a letter up to this one. */
static enum kept_look look_up_to(void *arg, slice domain)
{
    if (domain.n && domain.p[0] == 'z')
        return KEPT_NOT_OURS;
    return !domain.n || domain.p[0] <= *(const char *)arg ? KEPT_LOOKED : KEPT_NOT_LOOKED;
}

static struct findings new, gone;

static void round_of(struct kept *k, struct findings *f, time_ms now, char up_to)
{
    findings_init(&new, &arena);
    findings_init(&gone, &arena);
    kept_begin(k);
    kept_see(k, f, now, &new);
    kept_end(k, look_up_to, &up_to, &gone);
}

/* One round in which only this was found, or nothing; how many were told as new and as mended. */
static time_ms check(struct kept *k, enum finding_kind kind, const char *subject, time_ms now, size_t opened,
                     size_t closed)
{
    struct findings f = list(kind, subject);
    round_of(k, &f, now, 'y');
    assert_int_equal(new.n, opened);
    assert_int_equal(gone.n, closed);
    return f.n ? f.at[0].since : 0;
}

static void done(struct kept *k)
{
    kept_free(&k);
}

static void no_file_is_an_empty_one(void **state)
{
    struct kept *k;
    (void)state;
    (void)unlink("findings");
    k = kept_open();
    assert_int_equal(kept_count(k, FINDING_OK), 0);
    assert_int_equal(check(k, FINDING_MX_MISSING, "demo.test", NOW, 1, 0), NOW);
    assert_int_equal(check(k, FINDING_MX_MISSING, "demo.test", NOW + 9, 0, 0), NOW);
    assert_int_equal(kept_save(k), OK);
    done(k);
    k = kept_open(); /* another process: it was said already, and since when is known */
    assert_int_equal(kept_count(k, FINDING_ERROR), 1);
    assert_int_equal(check(k, FINDING_MX_MISSING, "demo.test", NOW + 99, 0, 0), NOW);
    assert_int_equal(check(k, FINDING_MX_MISSING, NULL, NOW + 100, 0, 1), 0);
    assert_int_equal(kept_save(k), OK);
    done(k);
    k = kept_open();
    assert_int_equal(kept_count(k, FINDING_OK), 0);
    done(k);
}

static void what_passes_by_itself_is_told_the_second_time(void **state)
{
    struct kept *k;
    (void)state;
    (void)unlink("findings");
    k = kept_open();
    check(k, FINDING_DNSBL_OFF, "bl.test", NOW, 0, 0);
    check(k, FINDING_DNSBL_OFF, NULL, NOW + 1, 0, 0); /* it passed, and nobody was bothered */
    check(k, FINDING_DNSBL_OFF, "bl.test", NOW + 2, 0, 0);
    check(k, FINDING_DNSBL_OFF, "bl.test", NOW + 3, 1, 0);
    check(k, FINDING_DNSBL_OFF, "bl.test", NOW + 4, 0, 0);
    check(k, FINDING_DNSBL_OFF, NULL, NOW + 5, 0, 1);
    check(k, FINDING_TODAY, "a note", NOW, 0, 0);
    check(k, FINDING_TODAY, "a note", NOW, 0, 0);
    done(k);
}

static void damaged_lines_are_left_out(void **state)
{
    static const char text[] = "no-such-word\t1800000000000\t3\t1\tdemo.test\n" /* of another version */
                               "mx-missing\t99999999999999999999\t3\t1\ta.test\n"
                               "mx-missing\t9223372036854775807\t3\t1\te.test\n"
                               "mx-missing\t-5\t3\t1\tb.test\n"
                               "mx-missing\t\t3\t1\tc.test\n"
                               "mx-missing\n"
                               "\n"
                               "\t\t\t\t\n"
                               "\0\xff\xfe rubbish \x01\n"
                               "mx-missing\t1800000000000\t3\t1\tdemo.test\n"
                               "spf-missing\t1800000000000\t3\t1"; /* cut by a crash */
    struct kept *k;
    (void)state;
    put(text, sizeof text - 1);
    k = kept_open();
    assert_int_equal(kept_count(k, FINDING_OK), 1);
    assert_int_equal(check(k, FINDING_MX_MISSING, "demo.test", NOW + 1, 0, 0), NOW);
    done(k);
}

static void each_cut_of_the_file_is_read(void **state)
{
    static const char text[] = "mx-missing\t1800000000000\t3\t1\tdemo.test\n"
                               "spf-missing\t1800000000001\t1\t0\tdemo.test\n";
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        struct kept *k;
        put(text, n);
        k = kept_open();
        assert_in_range(kept_count(k, FINDING_OK), 0, 2);
        if (n == sizeof text - 1)
            assert_int_equal(kept_count(k, FINDING_OK), 2);
        done(k);
    }
}

/* One finding of a domain. */
static void put_one(struct findings *f, enum finding_kind kind, const char *domain,
                    enum finding_severity severity)
{
    struct finding *one = findings_add(f, kind, slice_str(domain), SLICE("what"), SLICE("mend"), (slice){0});
    one->domain = slice_str(domain);
    one->severity = severity;
}

static void what_a_round_did_not_look_at_stays(void **state)
{
    struct findings f = list(FINDING_MX_MISSING, NULL), none = list(FINDING_MX_MISSING, NULL);
    struct rounds_domain ours[] = {
        {.name = SLICE("a.test")}, {.name = SLICE("b.test")}, {.name = SLICE("c.test")}};
    struct kept *k;
    (void)state;
    (void)unlink("findings");
    k = kept_open();
    put_one(&f, FINDING_MX_MISSING, "a.test", FINDING_ERROR);
    put_one(&f, FINDING_MX_MISSING, "c.test", FINDING_ERROR);
    put_one(&f, FINDING_TLSRPT_MISSING, "b.test", FINDING_NOTE);
    put_one(&f, FINDING_MX_MISSING, "z.test", FINDING_ERROR); /* looked at once, then given away */
    round_of(k, &f, NOW, 'y');
    assert_int_equal(new.n, 3);
    assert_int_equal(gone.n, 0);
    assert_int_equal(kept_count(k, FINDING_ERROR), 3);
    kept_wrong(k, ours, ARRAY_LEN(ours));
    assert_true(ours[0].wrong && ours[2].wrong);
    assert_false(ours[1].wrong); /* a note is nothing wrong */
    round_of(k, &none, NOW + 1, 'b');
    assert_int_equal(gone.n, 1); /* a.test; of c.test nothing is known, and z.test is nobody's business */
    assert_slice(gone.at[0].domain, "a.test");
    assert_int_equal(kept_save(k), OK);
    done(k);
    k = kept_open(); /* it is the same after a start */
    assert_int_equal(kept_count(k, FINDING_OK), 1);
    round_of(k, &none, NOW + 2, 'b');
    assert_int_equal(gone.n, 0);
    round_of(k, &none, NOW + 3, 'c');
    assert_int_equal(gone.n, 1);
    assert_slice(gone.at[0].domain, "c.test");
    assert_int_equal(gone.at[0].since, NOW);
    done(k);
}

static void a_round_in_parts_is_one_round(void **state)
{
    struct kept *k;
    (void)state;
    (void)unlink("findings");
    k = kept_open();
    for (unsigned round = 0; round < 2; round++) {
        struct findings first = list(FINDING_UNOBSERVED, NULL), second = list(FINDING_UNOBSERVED, NULL);
        char up_to = 'y';
        put_one(&first, FINDING_UNOBSERVED, "a.test", FINDING_WARNING);
        put_one(&second, FINDING_UNOBSERVED, "a.test",
                FINDING_WARNING); /* another domain's record lies there too */
        findings_init(&new, &arena);
        findings_init(&gone, &arena);
        kept_begin(k);
        kept_see(k, &first, NOW, &new);
        kept_see(k, &second, NOW, &new);
        kept_end(k, look_up_to, &up_to, &gone);
        assert_int_equal(
            new.n, round); /* what may pass is told when it is there the second time, not twice in one */
        assert_int_equal(gone.n, 0);
    }
    done(k);
}

static void what_gets_worse_is_told_again(void **state)
{
    static const enum finding_severity said[] = {FINDING_NOTE,  FINDING_WARNING, FINDING_WARNING,
                                                 FINDING_ERROR, FINDING_WARNING, FINDING_ERROR};
    static const size_t told[] = {0, 1, 0, 1, 0, 0};
    struct kept *k;
    (void)state;
    (void)unlink("findings");
    k = kept_open();
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        struct findings f = list(FINDING_DOMAIN_EXPIRES, NULL);
        put_one(&f, FINDING_DOMAIN_EXPIRES, "a.test", said[i]);
        round_of(k, &f, NOW, 'y');
        assert_int_equal(new.n, told[i]);
        assert_int_equal(kept_save(k), OK);
        done(k);
        k = kept_open();
    }
    done(k);
}

static void what_nobody_could_be_told_is_told_later(void **state)
{
    struct kept *k;
    (void)state;
    (void)unlink("findings");
    k = kept_open();
    check(k, FINDING_MX_MISSING, "a.test", NOW, 1, 0);
    kept_untold(k, &new);
    assert_int_equal(check(k, FINDING_MX_MISSING, "a.test", NOW + 5, 1, 0), NOW);
    check(k, FINDING_MX_MISSING, "a.test", NOW + 6, 0, 0);
    done(k);
}

static void thousands_are_told_once(void **state)
{
    struct kept *k;
    char name[32];
    (void)state;
    (void)unlink("findings");
    k = kept_open();
    for (unsigned round = 0; round < 3; round++) {
        struct findings f = list(FINDING_MX_MISSING, NULL);
        for (unsigned i = 0; i < 6000; i++) {
            snprintf(name, sizeof name, "d%u.test", i);
            put_one(&f, FINDING_MX_MISSING, name, FINDING_ERROR);
            assert_true(arena_dup(&arena, slice_str(name), &f.at[i].domain));
        }
        round_of(k, &f, NOW + round, 'y');
        assert_int_equal(new.n, round == 0 ? 6000 : 0);
        assert_int_equal(f.at[5999].since, NOW);
        kept_round_set(k, slice_str(name));
        assert_int_equal(kept_save(k), OK);
        done(k);
        k = kept_open();
        assert_slice(kept_round(k), "d5999.test");
        assert_int_equal(kept_count(k, FINDING_ERROR), 6000);
    }
    done(k);
}

static void too_many_and_too_long_are_bounded(void **state)
{
    struct buf b CLEANUP(buf_done) = {.max = 4 << 20};
    char long_name[1001];
    struct kept *k;
    (void)state;
    for (size_t i = 0; i < KEPT_MAX + 50; i++)
        assert_int_equal(buf_print(&b, "mx-missing\t1800000000000\t3\t1\td%zu.test\n", i), OK);
    put((const char *)b.p, b.n);
    k = kept_open();
    assert_int_equal(kept_count(k, FINDING_OK), KEPT_MAX);
    done(k);
    memset(long_name, 'a', 1000);
    long_name[1000] = 0;
    (void)unlink("findings");
    k = kept_open();
    check(k, FINDING_UNOBSERVED, long_name, NOW, 0, 0);
    check(k, FINDING_UNOBSERVED, long_name, NOW + 1, 1, 0); /* the cut name is the same one */
    assert_int_equal(kept_save(k), OK);
    done(k);
    k = kept_open();
    assert_int_equal(check(k, FINDING_UNOBSERVED, long_name, NOW + 2, 0, 0), NOW);
    done(k);
}

static void a_folder_that_is_full_keeps_the_old_file(void **state)
{
    static const char text[] = "mx-missing\t1800000000000\t3\t1\tdemo.test\n";
    struct kept *k;
    (void)state;
    put(text, sizeof text - 1);
    k = kept_open();
    assert_int_equal(mkdir("findings.new", 0700), 0); /* nothing can be written there */
    check(k, FINDING_MX_MISSING, NULL, NOW, 0, 1);
    assert_int_equal(kept_save(k), ERR_IO);
    assert_int_equal(rmdir("findings.new"), 0);
    done(k);
    k = kept_open();
    assert_int_equal(kept_count(k, FINDING_OK), 1);
    done(k);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_is_an_empty_one),
        cmocka_unit_test(what_passes_by_itself_is_told_the_second_time),
        cmocka_unit_test(damaged_lines_are_left_out),
        cmocka_unit_test(each_cut_of_the_file_is_read),
        cmocka_unit_test(what_a_round_did_not_look_at_stays),
        cmocka_unit_test(a_round_in_parts_is_one_round),
        cmocka_unit_test(what_gets_worse_is_told_again),
        cmocka_unit_test(what_nobody_could_be_told_is_told_later),
        cmocka_unit_test(thousands_are_told_once),
        cmocka_unit_test(too_many_and_too_long_are_bounded),
        cmocka_unit_test(a_folder_that_is_full_keeps_the_old_file),
    };
    int failed;
    arena_init(&arena, "kept test", 256 << 20);
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_done(&arena);
    (void)unlink("findings");
    (void)unlink("findings.new");
    (void)rmdir(folder);
    return failed;
}
