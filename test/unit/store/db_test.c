/* db: opening, locking, migrations, statements, transactions; and the promise that what was committed stays
 * and what was not is gone, for every k-th failing write, sync, open and allocation. */
#include "lib/test.h"

#include "store/db.h"
#include "store/shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const first[] = {"CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE) STRICT"};
static const char *const second[] = {"CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE) STRICT",
                                     "ALTER TABLE t ADD COLUMN w INTEGER NOT NULL DEFAULT 7"};
static const char *const wrong[] = {"CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE) STRICT",
                                    "CREATE TABLE u (id INTEGER PRIMARY KEY); CREATE TABLE t (x)"};

static struct db_options options(const char *const *migrations, size_t n)
{
    return (struct db_options){.path = "test.db",
                               .kind = "test database",
                               .application_id = 0x50480001,
                               .migrations = migrations,
                               .migration_count = n,
                               .vfs = SHIM_VFS};
}

static struct db *open_ok(const char *const *migrations, size_t n)
{
    struct db_options o = options(migrations, n);
    struct db *db = NULL;
    struct err_detail d = {{0}};
    enum err e = db_open(&o, &db, &d);
    if (e != OK)
        print_error("%s: %s\n", err_name(e), d.text);
    assert_int_equal(e, OK);
    return db;
}

static enum err insert(struct db *db, const char *v)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "INSERT INTO t (v) VALUES (?)");
    stmt_bind_text(q, 1, slice_str(v));
    return stmt_run(q);
}

static int64_t count(struct db *db)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "SELECT count(*) FROM t");
    return stmt_row(q) == OK ? stmt_i64(q, 0) : -1;
}

static int each(void **state)
{
    (void)state;
    shim_reset(1);
    return 0;
}

static void migrations_run_once_and_forwards_only(void **state)
{
    (void)state;
    struct db *db = open_ok(first, 1);
    assert_int_equal(insert(db, "kept"), OK);
    db_close(&db);
    assert_null(db);
    db = open_ok(second, 2);
    assert_int_equal(db_format(db), 2);
    {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "SELECT v, w FROM t");
        assert_int_equal(stmt_row(q), OK);
        assert_slice(stmt_slice(q, 0), "kept");
        assert_int_equal(stmt_i64(q, 1), 7);
        assert_int_equal(stmt_row(q), ERR_NOT_FOUND);
    }
    db_close(&db);
    struct db_options o = options(first, 1);
    struct err_detail d = {{0}};
    assert_int_equal(db_open(&o, &db, &d), ERR_UNSUPPORTED);
    assert_null(db);
    assert_non_null(strstr(d.text, "newer Posthorn (format 2, this one knows up to 1)"));
}

static void failed_migration_changes_nothing(void **state)
{
    (void)state;
    struct db *db = open_ok(first, 1);
    db_close(&db);
    struct db_options o = options(wrong, 2);
    assert_int_equal(db_open(&o, &db, NULL), ERR_BUG);
    db = open_ok(second, 2); /* still format 1, and the half of the script that ran is gone */
    struct stmt *q = db_stmt(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'u'");
    assert_int_equal(stmt_row(q), OK);
    assert_int_equal(stmt_i64(q, 0), 0);
    stmt_done(&q);
    db_close(&db);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    struct db *db = NULL;
    struct err_detail d = {{0}};
    struct db_options o = options(first, 1);
    shim_put("test.db", SLICE("This is not a database, it is a text of more than one hundred bytes, which "
                              "SQLite has to look at before it can tell; so here is some more of it."));
    assert_int_equal(db_open(&o, &db, &d), ERR_CORRUPT);
    shim_reset(1);
    db = open_ok(first, 1);
    db_close(&db);
    o.application_id = 7;
    assert_int_equal(db_open(&o, &db, &d), ERR_CORRUPT);
    assert_non_null(strstr(d.text, "test.db is no test database"));
}

static void second_opener_is_refused(void **state)
{
    (void)state;
    char dir[] = "/tmp/posthorn-db-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    struct db_options o = options(first, 1);
    o.vfs = NULL;
    struct db *db = NULL, *other = NULL;
    struct err_detail d = {{0}};
    assert_int_equal(db_open(&o, &db, &d), OK);
    struct stat st;
    assert_int_equal(stat("test.db", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_not_equal(stat("test.db-shm", &st), 0);
    assert_int_equal(insert(db, "a"), OK);
    assert_int_equal(stat("test.db-wal", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(db_open(&o, &other, &d), ERR_BUSY);
    assert_non_null(strstr(d.text, "another process has it open"));
    assert_int_equal(insert(db, "b"), OK);
    db_close(&db);
    assert_int_not_equal(stat("test.db-wal", &st), 0);
    assert_int_equal(unlink("test.db"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void transactions_roll_back_unless_committed(void **state)
{
    (void)state;
    struct db *db = open_ok(first, 1);
    {
        struct db_txn t CLEANUP(db_rollback) = {0};
        assert_int_equal(db_begin(db, &t), OK);
        assert_int_equal(insert(db, "gone"), OK);
        struct db_txn inner CLEANUP(db_rollback) = {0};
        assert_int_equal(db_begin(db, &inner), ERR_STATE);
    }
    assert_int_equal(count(db), 0);
    {
        struct db_txn t CLEANUP(db_rollback) = {0};
        assert_int_equal(db_begin(db, &t), OK);
        assert_int_equal(insert(db, "kept"), OK);
        assert_int_equal(insert(db, "kept"), ERR_EXISTS);
        assert_int_equal(db_commit(&t), OK);
        assert_int_equal(db_commit(&t), ERR_STATE);
    }
    assert_int_equal(count(db), 1);
    db_close(&db);
}

static void statements_nest_and_keep_their_errors(void **state)
{
    (void)state;
    struct db *db = open_ok(first, 1);
    assert_int_equal(insert(db, "a"), OK);
    assert_int_equal(insert(db, "b"), OK);
    int pairs = 0;
    const char *all = "SELECT v FROM t";
    struct stmt *outer CLEANUP(stmt_done) = db_stmt(db, all);
    while (stmt_row(outer) == OK) {
        struct stmt *inner CLEANUP(stmt_done) = db_stmt(db, all);
        while (stmt_row(inner) == OK)
            pairs++;
    }
    assert_int_equal(pairs, 4);
    stmt_done(&outer);
    struct stmt *q = db_stmt(db, "SELECT nonsense FROM t");
    assert_int_equal(stmt_row(q), ERR_BUG);
    stmt_done(&q);
    q = db_stmt(db, "SELECT ?, NULL, x'00ff', 'text'");
    stmt_bind_u64(q, 1, (uint64_t)INT64_MAX + 1);
    assert_int_equal(stmt_row(q), ERR_LIMIT);
    stmt_done(&q);
    q = db_stmt(db, "SELECT ?, NULL, x'00ff', 'text'");
    stmt_bind_i64(q, 1, -3);
    assert_int_equal(stmt_row(q), OK);
    assert_int_equal(stmt_i64(q, 0), -3);
    assert_int_equal(stmt_u64(q, 0), 0);
    assert_true(stmt_null(q, 1));
    assert_int_equal(stmt_slice(q, 1).n, 0);
    assert_slices(stmt_slice(q, 2), slice_of("\0\377", 2));
    assert_int_equal(stmt_i64(q, 3), 0);
    stmt_done(&q);
    q = db_stmt(db, "SELECT ?, NULL, x'00ff', 'text'"); /* values do not outlive their use */
    assert_int_equal(stmt_row(q), OK);
    assert_true(stmt_null(q, 0));
    stmt_done(&q);
    db_close(&db);
}

/* Writes numbered rows, five commits of two, checkpoints in the middle. Gives the number of acknowledged
 * commits; *out_unsure when the last try ended in ERR_IO, after which nobody knows. */
static int scenario(struct db *db, bool *out_unsure)
{
    int done = 0;
    for (int i = 0; i < 5; i++) {
        struct db_txn t CLEANUP(db_rollback) = {0};
        char a[16], b[16];
        (void)snprintf(a, sizeof a, "a%d", i);
        (void)snprintf(b, sizeof b, "b%d", i);
        enum err e = db_begin(db, &t);
        e = e != OK ? e : insert(db, a);
        e = e != OK ? e : insert(db, b);
        e = e != OK ? e : db_commit(&t);
        if (e != OK) {
            *out_unsure = e == ERR_IO;
            return done;
        }
        done++;
        if (i == 2)
            IGNORE_RESULT(db_checkpoint(db) != OK, "what was committed is safe with or without it");
    }
    return done;
}

static void check_rows(struct db *db, int acked, bool unsure, uint64_t k)
{
    int64_t rows = count(db);
    if (rows != acked * 2 && !(unsure && rows == acked * 2 + 2)) {
        print_error("k=%llu acked=%d rows=%lld\n", (unsigned long long)k, acked, (long long)rows);
        fail();
    }
}

static void every_failure(enum shim_fault fault, unsigned ops)
{
    bool fired = true;
    uint64_t k = 1;
    for (; fired; k++) {
        shim_reset(k);
        struct db *db = open_ok(first, 1);
        bool unsure = false;
        shim_arm(fault, ops, k);
        int acked = scenario(db, &unsure);
        fired = shim_fired();
        if (!db_broken(db) && fault != SHIM_CRASH) {
            shim_disarm();
            check_rows(db, acked, unsure, k);
        }
        db_close(&db);
        shim_disarm();
        if (fault == SHIM_CRASH)
            shim_power_cycle();
        db = open_ok(first, 1);
        check_rows(db, acked, unsure, k);
        assert_int_equal(insert(db, "later"), OK);
        db_close(&db);
    }
    assert_true(k > 10);
}

static void failing_disk(void **state)
{
    (void)state;
    every_failure(SHIM_IO, SHIM_WRITE | SHIM_SYNC);
}
static void full_disk(void **state)
{
    (void)state;
    every_failure(SHIM_FULL, SHIM_WRITE);
}
static void power_cut(void **state)
{
    (void)state;
    every_failure(SHIM_CRASH, SHIM_WRITE | SHIM_SYNC | SHIM_OPEN);
}
static void no_memory(void **state)
{
    (void)state;
    every_failure(SHIM_NOMEM, SHIM_ALLOC);
}

static void opening_survives_every_failure(void **state)
{
    (void)state;
    bool fired = true;
    for (uint64_t k = 1; fired; k++) {
        shim_reset(k);
        struct db_options o = options(second, 2);
        struct db *db = NULL;
        shim_arm(SHIM_CRASH, SHIM_WRITE | SHIM_SYNC | SHIM_OPEN, k);
        enum err e = db_open(&o, &db, NULL);
        fired = shim_fired();
        assert_true(e == OK || fired);
        db_close(&db);
        shim_power_cycle();
        db = open_ok(second, 2);
        assert_int_equal(insert(db, "later"), OK);
        db_close(&db);
    }
}

int main(void)
{
    shim_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(migrations_run_once_and_forwards_only, each),
        cmocka_unit_test_setup(failed_migration_changes_nothing, each),
        cmocka_unit_test_setup(other_files_are_refused, each),
        cmocka_unit_test_setup(second_opener_is_refused, each),
        cmocka_unit_test_setup(transactions_roll_back_unless_committed, each),
        cmocka_unit_test_setup(statements_nest_and_keep_their_errors, each),
        cmocka_unit_test_setup(failing_disk, each),
        cmocka_unit_test_setup(full_disk, each),
        cmocka_unit_test_setup(power_cut, each),
        cmocka_unit_test_setup(no_memory, each),
        cmocka_unit_test_setup(opening_survives_every_failure, each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
