/* journal_db: events are found again by mail id, address, Message-ID and IP; the file stays within its days
 * and bytes; a flood, a full disk, a failing disk, flipped bytes and clocks that jump cost events at most,
 * never more. */
#include "base/mail_id.h"
#include "lib/test.h"
#include "store/journal_db.h"
#include "store/shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define T0      ((time_ms)1795341731000)                                 /* 2026-11-22 10:02:11 UTC */
#define MAIL(n) ((((uint64_t)T0 - 1577836800000) << 22) + (uint64_t)(n)) /* an id of that time */

static struct journal_db_limits limits;
static struct arena arena;

static int each(void **state)
{
    (void)state;
    shim_reset(1);
    limits = journal_db_defaults;
    arena_init(&arena, "journal test", 64 << 20);
    return 0;
}

static int after(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct journal_db *open_at(const char *path, const char *vfs, bool *out_aside)
{
    struct journal_db *j = NULL;
    struct err_detail d = {{0}};
    enum err e = journal_db_open(path, vfs, &limits, &j, out_aside, &d);
    if (e)
        print_error("%s: %s\n", err_name(e), d.text);
    assert_int_equal(e, OK);
    return j;
}

static struct journal_db *open_ok(void)
{
    bool aside;
    return open_at("journal.db", SHIM_VFS, &aside);
}

static struct journal_event event(enum journal_kind kind, uint64_t mail, time_ms at, const char *address)
{
    return (struct journal_event){
        .mail = mail, .at = at, .role = JOURNAL_ROLE_EDGE, .kind = kind, .address = slice_str(address)};
}

static void add(struct journal_db *j, enum journal_kind kind, uint64_t mail, time_ms at, const char *address)
{
    struct journal_event e = event(kind, mail, at, address);
    journal_db_add(j, &e);
}

static struct journal_db_events of_mail(struct journal_db *j, uint64_t mail)
{
    struct journal_db_events r;
    assert_int_equal(journal_db_by_mail(j, mail, 1000, &arena, &r), OK);
    return r;
}

static struct journal_db_found about(struct journal_db *j, const char *text, time_ms since)
{
    struct journal_db_found r;
    assert_int_equal(journal_db_find(j, slice_str(text), since, 100, &arena, &r), OK);
    return r;
}

static void events_are_found_again(void **state)
{
    struct journal_db *j CLEANUP(journal_db_close) = open_ok();
    struct journal_event e;
    struct journal_db_found f;
    (void)state;

    add(j, JOURNAL_MAIL_FROM, 11, T0, "a@b.example");
    add(j, JOURNAL_RCPT_OK, 11, T0 + 1, "Bob@Demo.test");
    add(j, JOURNAL_MAIL_FROM, 12, T0 + 1, "c@d.example"); /* between the events of the other mail */
    e = event(JOURNAL_MESSAGE_ID, 11, T0 + 2, "");
    e.name = SLICE("<M1@b.example>");
    journal_db_add(j, &e);
    e = event(JOURNAL_CONN_REFUSED, 0, T0 + 3, "");
    e.peer = SLICE("mail.b.example [192.0.2.7]:52000");
    journal_db_add(j, &e);
    e.peer = SLICE("[2001:db8::1]");
    journal_db_add(j, &e);
    assert_int_equal(of_mail(j, 11).n, 0); /* not before the commit */
    assert_true(journal_db_pending(j) > 0);
    assert_int_equal(journal_db_commit(j, T0 + 200), OK);
    assert_int_equal(journal_db_pending(j), 0);
    add(j, JOURNAL_DELIVERED, 11, T0 + 5000, "bob@demo.test");
    assert_int_equal(journal_db_commit(j, T0 + 5000), OK);

    journal_db_close(&j); /* and after a restart */
    j = open_ok();
    struct journal_db_events r = of_mail(j, 11);
    assert_int_equal(r.n, 4);
    assert_int_equal(r.damaged, 0);
    assert_int_equal(r.items[0].kind, JOURNAL_MAIL_FROM);
    assert_slice(r.items[0].address, "a@b.example");
    assert_true(r.items[0].mail == 11 && r.items[0].at == T0);
    assert_int_equal(r.items[3].kind, JOURNAL_DELIVERED);
    assert_int_equal(of_mail(j, 12).n, 1);
    assert_int_equal(of_mail(j, 13).n, 0);
    assert_int_equal(of_mail(j, 0).n, 0);

    static const char *const of_11[] = {"a@b.example",     "A@B.EXAMPLE",    "bob@demo.test",
                                        "<bob@demo.test>", "<m1@b.example>", " M1@b.example "};
    for (size_t i = 0; i < ARRAY_LEN(of_11); i++) {
        f = about(j, of_11[i], 0);
        assert_int_equal(f.n, 1);
        assert_int_equal(f.mails[0], 11);
        assert_int_equal(f.house.n, 0);
    }
    f = about(j, "192.0.2.7", 0);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.house.n, 1); /* its row holds the other IP's event too, which is not told */
    assert_slice(f.house.items[0].peer, "mail.b.example [192.0.2.7]:52000");
    assert_int_equal(about(j, "2001:DB8::1", 0).house.n, 1);
    assert_int_equal(about(j, "", 0).n + about(j, "nobody@demo.test", 0).n + about(j, "%", 0).n, 0);
    assert_int_equal(about(j, "a@b.example", T0 + 3600000).n, 0); /* since then there is nothing */
    assert_int_equal(about(j, "a@b.example", T0 - 1).n, 1);
}

static void session(struct journal_db *j, enum journal_kind kind, const char *box, uint32_t uid,
                    const char *to, uint64_t to_uid)
{
    struct journal_event e = event(kind, 0, T0 + 5000, "bob@demo.test");
    e.name = slice_str(box);
    e.text = slice_str(to);
    e.code = uid;
    e.number = to_uid;
    journal_db_add(j, &e);
}

/* What sessions do, told by mailbox and UID, becomes part of the mail's journey, through moves and copies. */
static void sessions_are_told_with_their_mail(void **state)
{
    struct journal_db *j CLEANUP(journal_db_close) = open_ok();
    struct journal_event e;
    (void)state;
    for (uint64_t uid = 1; uid <= 3; uid++) {
        e = event(JOURNAL_DELIVERED, MAIL(100 + uid), T0, "bob@demo.test");
        e.name = SLICE("INBOX");
        e.number = uid;
        journal_db_add(j, &e);
    }
    session(j, JOURNAL_FLAGS_CHANGED, "INBOX", 2, "+\\Seen", 2); /* in the same batch */
    assert_int_equal(journal_db_commit(j, T0), OK);
    session(j, JOURNAL_MOVED, "INBOX", 2, "Kept", 9);
    session(j, JOURNAL_FLAGS_CHANGED, "Kept", 9, "+\\Flagged", 9);
    session(j, JOURNAL_COPIED, "Kept", 9, "INBOX", 4);
    session(j, JOURNAL_EXPUNGED, "INBOX", 4, "", 4);
    session(j, JOURNAL_EXPUNGED, "INBOX", 77, "", 77); /* nobody knows it */
    session(j, JOURNAL_EXPUNGED, "INBOX", 0, "", 50);  /* fifty at once */
    shim_arm(SHIM_FULL, SHIM_WRITE, 1);                /* a failed attempt changes nothing of that */
    assert_int_equal(journal_db_commit(j, T0 + 5000), ERR_DISK_FULL);
    shim_disarm();
    assert_int_equal(journal_db_commit(j, T0 + 5000), OK);
    struct journal_db_events r = of_mail(j, MAIL(102));
    static const enum journal_kind want[] = {JOURNAL_DELIVERED,     JOURNAL_FLAGS_CHANGED, JOURNAL_MOVED,
                                             JOURNAL_FLAGS_CHANGED, JOURNAL_COPIED,        JOURNAL_EXPUNGED};
    assert_int_equal(r.n, ARRAY_LEN(want));
    for (size_t i = 0; i < r.n; i++)
        assert_int_equal(r.items[i].kind, want[i]);
    assert_int_equal(of_mail(j, MAIL(101)).n, 1);
    assert_int_equal(of_mail(j, MAIL(103)).n, 1);
}

static void newest_mails_come_first_and_are_bounded(void **state)
{
    struct journal_db *j CLEANUP(journal_db_close) = open_ok();
    struct journal_db_found f;
    (void)state;
    for (int i = 1; i <= 300; i++) {
        add(j, JOURNAL_RCPT_OK, (uint64_t)i, T0 + i, "bob@demo.test");
        if (i % 10 == 0)
            assert_int_equal(journal_db_commit(j, T0 + i * MS_MINUTE), OK);
    }
    f = about(j, "bob@demo.test", 0);
    assert_int_equal(f.n, 100);
    assert_true(f.more);
    for (size_t i = 0; i < f.n; i++)
        assert_int_equal(f.mails[i], 300 - i);
    f = about(j, "bob@demo.test", T0 + 285 * MS_MINUTE);
    assert_true(f.n >= 20 && f.n <= 50 && !f.more); /* a quarter of an hour's grain */
}

static void old_events_go(void **state)
{
    struct journal_db *j CLEANUP(journal_db_close) = NULL;
    (void)state;
    limits.keep_days = 1;
    j = open_ok();
    for (int hour = 0; hour < 24 * 3; hour++) {
        for (int i = 0; i < 20; i++)
            add(j, JOURNAL_RCPT_OK, (uint64_t)(hour * 20 + i + 1), T0 + hour * MS_HOUR, "bob@demo.test");
        assert_int_equal(journal_db_commit(j, T0 + hour * MS_HOUR), OK);
    }
    assert_int_equal(of_mail(j, 1).n, 0);
    assert_int_equal(of_mail(j, 24 * 3 * 20).n, 1);
    assert_in_range(journal_db_rows(j), 24 * 20, 26 * 20);
    assert_int_equal(about(j, "bob@demo.test", 0).mails[0], 24 * 3 * 20);
}

static void the_file_is_bounded(void **state)
{
    struct journal_db *j CLEANUP(journal_db_close) = NULL;
    (void)state;
    limits.bytes_max = 1 << 20;
    j = open_ok();
    for (int batch = 0; batch < 120; batch++) {
        for (int i = 0; i < 100; i++) {
            char address[64];
            (void)snprintf(address, sizeof address, "user%d@sender%d.example", i, batch);
            add(j, JOURNAL_MAIL_FROM, (uint64_t)(batch * 100 + i + 1), T0 + batch, address);
        }
        assert_int_equal(journal_db_commit(j, T0 + batch * MS_MINUTE), OK);
    }
    assert_in_range(journal_db_bytes(j), 1 << 19, (1 << 20) + (1 << 18));
    assert_int_equal(of_mail(j, 1).n, 0);
    assert_int_equal(of_mail(j, 12000).n, 1);
}

static void a_flood_is_counted_not_kept(void **state)
{
    struct journal_db *j CLEANUP(journal_db_close) = NULL;
    struct journal_db_events r;
    char long_text[400];
    uint64_t kept = 0;
    (void)state;
    limits.pending_max = 20000;
    j = open_ok();
    memset(long_text, 'x', sizeof long_text);
    for (uint64_t i = 1; i <= 1000; i++) {
        struct journal_event e = event(JOURNAL_MAIL_FROM, i, T0, "a@b");
        e.text = slice_of(long_text, sizeof long_text);
        journal_db_add(j, &e);
    }
    journal_db_lost(j, JOURNAL_ROLE_RELAY, 7);
    assert_true(journal_db_pending(j) <= 20001);
    assert_int_equal(journal_db_commit(j, T0), OK);
    assert_int_equal(journal_db_commit(j, T0 + 1), OK); /* there is room to say it now */
    assert_int_equal(journal_db_pending(j), 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        r = of_mail(j, i);
        kept += r.n;
        arena_reset(&arena);
    }
    assert_in_range(kept, 30, 50);
    assert_in_range(journal_db_rows(j), kept + 1,
                    kept + 2); /* one or two of the house: how many are missing */
}

/* A full disk keeps the events waiting; when there is room, they are written. */
static void a_full_disk_only_delays(void **state)
{
    struct journal_db *j CLEANUP(journal_db_close) = open_ok();
    (void)state;
    add(j, JOURNAL_RCPT_OK, 1, T0, "bob@demo.test");
    shim_arm(SHIM_FULL, SHIM_WRITE, 1);
    assert_int_equal(journal_db_commit(j, T0), ERR_DISK_FULL);
    add(j, JOURNAL_RCPT_OK, 2, T0, "bob@demo.test");
    assert_int_equal(journal_db_commit(j, T0), ERR_DISK_FULL);
    shim_disarm();
    assert_int_equal(journal_db_commit(j, T0), OK);
    assert_int_equal(of_mail(j, 1).n, 1);
    assert_int_equal(of_mail(j, 2).n, 1);
}

/* THREATS 53: every k-th write, sync and allocation fails: no crash, later events are kept, what is read is
 * whole. */
static void every_failure_is_survived(void **state)
{
    static const struct {
        enum shim_fault fault;
        unsigned ops;
    } faults[] = {{SHIM_IO, SHIM_WRITE | SHIM_SYNC}, {SHIM_FULL, SHIM_WRITE}, {SHIM_NOMEM, SHIM_ALLOC}};
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(faults); f++) {
        for (uint64_t k = 1; k < 2000; k++) {
            shim_reset(k);
            struct journal_db *j CLEANUP(journal_db_close) = open_ok();
            bool fired;
            shim_arm(faults[f].fault, faults[f].ops, k);
            for (uint64_t i = 1; i <= 6; i++) {
                add(j, JOURNAL_RCPT_OK, i, T0, "bob@demo.test");
                IGNORE_RESULT(journal_db_commit(j, T0 + (time_ms)i), "some fail, that is the test");
            }
            fired = shim_fired();
            shim_disarm();
            add(j, JOURNAL_RCPT_OK, 99, T0, "bob@demo.test");
            assert_int_equal(journal_db_commit(j, T0 + 10), OK);
            assert_int_equal(of_mail(j, 99).n, 1);
            for (uint64_t i = 1; i <= 6; i++) {
                struct journal_db_events r = of_mail(j, i);
                assert_int_equal(r.damaged, 0);
                assert_true(r.n <= 2);
                assert_true(fired || r.n == 1);
            }
            arena_reset(&arena);
            if (!fired)
                break;
            assert_int_not_equal(k, 1999); /* the scenario is longer than the test thinks */
        }
    }
}

/* THREATS 60: flipped bytes lose their rows, the rest is told, and nothing crashes. */
static void flipped_bytes_lose_little(void **state)
{
    enum { MAILS = 400, FLIPS = 100 };
    size_t told = 0, asked = 0;
    uint64_t random = 88172645463325252u;
    (void)state;
    for (int round = 0; round < FLIPS; round++) {
        shim_reset(1);
        struct journal_db *j = open_ok();
        for (uint64_t i = 1; i <= MAILS; i++)
            add(j, JOURNAL_RCPT_OK, i, T0, "bob@demo.test");
        assert_int_equal(journal_db_commit(j, T0), OK);
        journal_db_close(&j);

        slice file = shim_file("journal.db");
        uint8_t *copy = malloc(file.n);
        size_t n = file.n;
        memcpy(copy, file.p, n);
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        copy[200 + random % (n - 200)] ^= (uint8_t)(1 + (random >> 32) % 255);
        shim_put("journal.db", slice_of(copy, n));
        free(copy);

        struct err_detail d = {{0}};
        bool aside;
        if (journal_db_open("journal.db", SHIM_VFS, &limits, &j, &aside, &d) != OK)
            continue; /* on a real disk it would be set aside */
        for (uint64_t i = 1; i <= MAILS; i++) {
            struct journal_db_events r;
            asked++;
            told += journal_db_by_mail(j, i, 10, &arena, &r) == OK && r.n == 1;
        }
        struct journal_db_found found;
        IGNORE_RESULT(journal_db_find(j, SLICE("bob@demo.test"), 0, 100, &arena, &found), "may be damaged");
        add(j, JOURNAL_RCPT_OK, 7000, T0, "bob@demo.test");
        IGNORE_RESULT(journal_db_commit(j, T0), "may be damaged");
        journal_db_close(&j);
        arena_reset(&arena);
    }
    assert_true(asked > (size_t)MAILS * FLIPS / 2);
    assert_true(told > asked * 9 / 10);
}

static void a_damaged_file_is_set_aside(void **state)
{
    char dir[] = "/tmp/posthorn-journal-XXXXXX", path[64], aside_path[80];
    bool aside = false;
    struct journal_db *j;
    int fd;
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/journal.db", dir);
    (void)snprintf(aside_path, sizeof aside_path, "%s.damaged", path);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(
        write(
            fd,
            "this is no database, it is long enough to look at, though it says nothing.....................",
            94),
        94);
    assert_int_equal(close(fd), 0);
    j = open_at(path, "unix", &aside);
    assert_true(aside);
    add(j, JOURNAL_RCPT_OK, 1, T0, "bob@demo.test");
    assert_int_equal(journal_db_commit(j, T0), OK);
    journal_db_close(&j);
    assert_int_equal(access(aside_path, F_OK), 0);
    j = open_at(path, "unix", &aside);
    assert_false(aside);
    assert_int_equal(of_mail(j, 1).n, 1);
    journal_db_close(&j);
    assert_int_equal(unlink(aside_path) | unlink(path) | rmdir(dir), 0);
}

/* THREATS 63: hours back, 30 days ahead and back again, past 2038: all is found, nothing young is deleted. */
static void clocks_that_jump(void **state)
{
    struct journal_db *j CLEANUP(journal_db_close) = open_ok();
    const time_ms jumps[] = {0, -MS_HOUR, 30 * MS_DAY, 60 * 1000, (time_ms)2147483648000 - T0, 1000};
    (void)state;
    limits.keep_days = 90;
    for (size_t i = 0; i < 4; i++) {
        add(j, JOURNAL_RCPT_OK, i + 1, T0 + jumps[i], "bob@demo.test");
        assert_int_equal(journal_db_commit(j, T0 + jumps[i]), OK);
    }
    assert_int_equal(about(j, "bob@demo.test", 0).n, 4);
    for (size_t i = 4; i < ARRAY_LEN(jumps); i++) {
        add(j, JOURNAL_RCPT_OK, i + 1, T0 + jumps[i], "bob@demo.test");
        assert_int_equal(journal_db_commit(j, T0 + jumps[i]), OK);
        assert_int_equal(of_mail(j, i + 1).n, 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, after)
    const struct CMUnitTest tests[] = {
        TEST(events_are_found_again),
        TEST(sessions_are_told_with_their_mail),
        TEST(newest_mails_come_first_and_are_bounded),
        TEST(old_events_go),
        TEST(the_file_is_bounded),
        TEST(a_flood_is_counted_not_kept),
        TEST(a_full_disk_only_delays),
        TEST(every_failure_is_survived),
        TEST(flipped_bytes_lose_little),
        TEST(a_damaged_file_is_set_aside),
        TEST(clocks_that_jump),
    };
    shim_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
