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

/* One check in which only this was found, or nothing; how many were told as new and as mended. */
static time_ms check(struct kept *k, enum finding_kind kind, const char *subject, time_ms now, size_t opened,
                     size_t closed)
{
    struct findings f = list(kind, subject), new, gone;
    kept_compare(k, &f, now, &arena, &new, &gone);
    assert_int_equal(new.n, opened);
    assert_int_equal(gone.n, closed);
    return f.n ? f.at[0].since : 0;
}

/* struct kept is never freed: the process has one. */
static void done(struct kept *k)
{
    free(*(void **)k); /* its rows, the first member */
    free(k);
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

static void too_many_and_too_long_are_bounded(void **state)
{
    struct buf b CLEANUP(buf_done) = {.max = 1 << 20};
    char long_name[1001];
    struct kept *k;
    (void)state;
    for (size_t i = 0; i < FINDINGS_MAX + 50; i++)
        assert_int_equal(buf_print(&b, "mx-missing\t1800000000000\t3\t1\td%zu.test\n", i), OK);
    put((const char *)b.p, b.n);
    k = kept_open();
    assert_int_equal(kept_count(k, FINDING_OK), FINDINGS_MAX);
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
        cmocka_unit_test(too_many_and_too_long_are_bounded),
        cmocka_unit_test(a_folder_that_is_full_keeps_the_old_file),
    };
    int failed;
    arena_init(&arena, "kept test", 16 << 20);
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_done(&arena);
    (void)unlink("findings");
    (void)unlink("findings.new");
    (void)rmdir(folder);
    return failed;
}
