/* membership: which messages are in a mailbox, laid out as one row each or as packed runs? The measurement
 * behind docs/decisions/0001-membership.md: whole commands on 1,048,576 messages, both layouts, on this
 * machine's disk.
 *
 *   membership FOLDER [PAGE_BYTES [MESSAGES]]      prints a table; the folder is used for two files and
 * emptied
 *
 * Both layouts keep a mailbox row up to date in the same transaction, and both keep the mailbox as arrays in
 * memory while it is looked at; bodies are not part of this. */
#include "store/db.h"
#include "store/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ALL_N    100000 /* messages of STORE 1:* */
#define MOVED_N  10000  /* of COPY and EXPUNGE */
#define SINGLE_N 1000   /* repetitions of one-message commands */

struct view {
    struct run_columns c;
    size_t n, room;
    struct {
        uint32_t key; /* of the run's row */
        size_t at;    /* index of its first message */
    } * runs;
    size_t runs_n;
};

struct layout {
    const char *name, *schema;
    bool runs;
};

static const struct layout layouts[] = {
    {"rows",
     "CREATE TABLE member (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, flags INTEGER NOT NULL, modseq "
     "INTEGER "
     "NOT NULL, message INTEGER NOT NULL, bytes INTEGER NOT NULL, date INTEGER NOT NULL, PRIMARY KEY "
     "(mailbox, "
     "uid)) WITHOUT ROWID, STRICT;"
     "CREATE TABLE expunged (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, flags INTEGER NOT NULL, message "
     "INTEGER "
     "NOT NULL, bytes INTEGER NOT NULL, date INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (mailbox, "
     "uid)) "
     "WITHOUT ROWID, STRICT;",
     false},
    {"runs",
     "CREATE TABLE run (id INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;"
     "CREATE TABLE expunged (id INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, at INTEGER NOT NULL, record "
     "BLOB NOT "
     "NULL) STRICT;",
     true},
};
static const char mailbox_schema[] = "CREATE TABLE mailbox (id INTEGER PRIMARY KEY, uidnext INTEGER NOT "
                                     "NULL, modseq INTEGER NOT NULL, messages "
                                     "INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;";

static double now_ms(void)
{
    struct timespec t;
    must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void ok(enum err e)
{
    if (e != OK) {
        (void)fprintf(stderr, "membership: %s\n", err_text(e));
        exit(1);
    }
}

static struct hash_key key_of(int64_t id)
{
    return (struct hash_key){7, (uint64_t)id};
}

static int64_t run_id(int64_t mailbox, uint32_t first)
{
    return mailbox << 32 | first;
}

static void view_room(struct view *v, size_t n)
{
    v->c = (struct run_columns){calloc(n, 4), calloc(n, 8), calloc(n, 8),
                                calloc(n, 8), calloc(n, 4), calloc(n, 4)};
    v->runs = calloc(n / 16 + 2, sizeof *v->runs);
    v->room = n;
    v->n = v->runs_n = 0;
}

static void view_free(struct view *v)
{
    free(v->c.uid);
    free(v->c.flags);
    free(v->c.modseq);
    free(v->c.message);
    free(v->c.bytes);
    free(v->c.date);
    free(v->runs);
    *v = (struct view){0};
}

/* --- the operations inside a transaction, by layout */

static void mailbox_row(struct db *db, int64_t id, const struct view *v, uint64_t modseq)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "INSERT OR REPLACE INTO mailbox VALUES (?, ?, ?, ?, ?)");
    stmt_bind_i64(q, 1, id);
    stmt_bind_i64(q, 2, v->n ? v->c.uid[v->n - 1] + 1 : 1);
    stmt_bind_u64(q, 3, modseq);
    stmt_bind_u64(q, 4, v->n);
    stmt_bind_u64(q, 5, v->n * 4096);
    ok(stmt_run(q));
}

static void put_row(struct db *db, int64_t mailbox, const struct view *v, size_t i)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?)");
    stmt_bind_i64(q, 1, mailbox);
    stmt_bind_i64(q, 2, v->c.uid[i]);
    stmt_bind_u64(q, 3, v->c.flags[i]);
    stmt_bind_u64(q, 4, v->c.modseq[i]);
    stmt_bind_u64(q, 5, v->c.message[i]);
    stmt_bind_i64(q, 6, v->c.bytes[i]);
    stmt_bind_i64(q, 7, v->c.date[i]);
    ok(stmt_run(q));
}

static void put_run(struct db *db, int64_t mailbox, const struct view *v, size_t r)
{
    static uint8_t record[RUN_BYTES_MAX];
    size_t end = r + 1 < v->runs_n ? v->runs[r + 1].at : v->n;
    int64_t id = run_id(mailbox, v->runs[r].key);
    struct hash_key key = key_of(id);
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "INSERT OR REPLACE INTO run VALUES (?, ?)");
    stmt_bind_i64(q, 1, id);
    stmt_bind_blob(q, 2,
                   slice_of(record, run_encode(run_columns_from(v->c, v->runs[r].at), end - v->runs[r].at,
                                               &key, record)));
    ok(stmt_run(q));
}

/* Appends n messages like those real mail would give. */
static void append(const struct layout *l, struct db *db, int64_t mailbox, struct view *v, size_t n,
                   uint64_t modseq)
{
    size_t first_run = v->runs_n ? v->runs_n - 1 : 0;
    for (size_t k = 0; k < n; k++) {
        size_t i = v->n++;
        must(v->n <= v->room);
        v->c.uid[i] = i ? v->c.uid[i - 1] + 1 : 1;
        v->c.flags[i] = (uint64_t)rand() % 8 ? 1 : 0;
        v->c.modseq[i] = modseq;
        v->c.message[i] = (uint64_t)mailbox * 10000000 + i;
        v->c.bytes[i] = 1000 + (uint32_t)rand() % 60000;
        v->c.date[i] = 1600000000 + (uint32_t)i * 150 + (uint32_t)rand() % 100;
        if (!l->runs)
            put_row(db, mailbox, v, i);
        else if (v->runs_n == 0 || i - v->runs[v->runs_n - 1].at == RUN_MAX) {
            v->runs[v->runs_n].key = v->c.uid[i];
            v->runs[v->runs_n++].at = i;
        }
    }
    for (size_t r = first_run; l->runs && r < v->runs_n; r++)
        put_run(db, mailbox, v, r);
    mailbox_row(db, mailbox, v, modseq);
}

static void load(const struct layout *l, struct db *db, int64_t mailbox, struct view *v)
{
    if (l->runs) {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(db, "SELECT id, record FROM run WHERE id BETWEEN ? AND ? ORDER BY id");
        stmt_bind_i64(q, 1, run_id(mailbox, 0));
        stmt_bind_i64(q, 2, run_id(mailbox, UINT32_MAX));
        while (stmt_row(q) == OK) {
            size_t n = 0;
            struct hash_key key = key_of(stmt_i64(q, 0));
            v->runs[v->runs_n].key = (uint32_t)stmt_i64(q, 0);
            v->runs[v->runs_n++].at = v->n;
            ok(run_decode(stmt_slice(q, 1), &key, run_columns_from(v->c, v->n), &n));
            v->n += n;
        }
        return;
    }
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        db, "SELECT uid, flags, modseq, message, bytes, date FROM member WHERE mailbox = ? ORDER BY uid");
    stmt_bind_i64(q, 1, mailbox);
    while (stmt_row(q) == OK) {
        size_t i = v->n++;
        v->c.uid[i] = (uint32_t)stmt_i64(q, 0);
        v->c.flags[i] = stmt_u64(q, 1);
        v->c.modseq[i] = stmt_u64(q, 2);
        v->c.message[i] = stmt_u64(q, 3);
        v->c.bytes[i] = (uint32_t)stmt_i64(q, 4);
        v->c.date[i] = (uint32_t)stmt_i64(q, 5);
    }
}

static size_t run_of(const struct view *v, size_t i)
{
    size_t low = 0, high = v->runs_n;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (v->runs[middle].at <= i)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void flag(const struct layout *l, struct db *db, int64_t mailbox, struct view *v, size_t from,
                 size_t to, uint64_t bit, uint64_t modseq)
{
    for (size_t i = from; i < to; i++) {
        v->c.flags[i] |= bit;
        v->c.modseq[i] = modseq;
    }
    if (l->runs) {
        for (size_t r = run_of(v, from); r < v->runs_n && v->runs[r].at < to; r++)
            put_run(db, mailbox, v, r);
    } else {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(
            db, "UPDATE member SET flags = flags | ?, modseq = ? WHERE mailbox = ? AND uid BETWEEN ? AND ?");
        stmt_bind_u64(q, 1, bit);
        stmt_bind_u64(q, 2, modseq);
        stmt_bind_i64(q, 3, mailbox);
        stmt_bind_i64(q, 4, v->c.uid[from]);
        stmt_bind_i64(q, 5, v->c.uid[to - 1]);
        ok(stmt_run(q));
    }
    mailbox_row(db, mailbox, v, modseq);
}

static void flag_one(const struct layout *l, struct db *db, struct view *v, uint64_t modseq)
{
    size_t i = (size_t)rand() % v->n;
    flag(l, db, 1, v, i, i + 1, 4, modseq);
}

static void copy(const struct layout *l, struct db *db, const struct view *from, size_t at, size_t n,
                 int64_t to_id, struct view *to, uint64_t modseq)
{
    size_t first_run = to->runs_n ? to->runs_n - 1 : 0, first = to->n;
    run_columns_move(run_columns_from(to->c, first), run_columns_from(from->c, at), n);
    for (size_t i = first; i < first + n; i++) {
        to->c.uid[i] = i ? to->c.uid[i - 1] + 1 : 1;
        to->c.modseq[i] = modseq;
        to->n++;
        if (!l->runs)
            put_row(db, to_id, to, i);
        else if (to->runs_n == 0 || i - to->runs[to->runs_n - 1].at == RUN_MAX) {
            to->runs[to->runs_n].key = to->c.uid[i];
            to->runs[to->runs_n++].at = i;
        }
    }
    for (size_t r = first_run; l->runs && r < to->runs_n; r++)
        put_run(db, to_id, to, r);
    mailbox_row(db, to_id, to, modseq);
}

/* Expunges whole entries from..to of a mailbox, keeping them in the other table. */
static void expunge(const struct layout *l, struct db *db, int64_t mailbox, struct view *v, size_t from,
                    size_t to, uint64_t modseq)
{
    static uint8_t record[RUN_BYTES_MAX];
    if (l->runs) {
        for (size_t i = from; i < to; i += RUN_MAX) {
            struct hash_key key = key_of(0);
            struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "INSERT INTO expunged VALUES (NULL, ?, 0, ?)");
            stmt_bind_i64(q, 1, mailbox);
            stmt_bind_blob(q, 2,
                           slice_of(record, run_encode(run_columns_from(v->c, i), size_min(RUN_MAX, to - i),
                                                       &key, record)));
            ok(stmt_run(q));
        }
    } else {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(
            db, "INSERT INTO expunged SELECT mailbox, uid, flags, message, bytes, date, 0 FROM member WHERE "
                "mailbox = ? AND uid BETWEEN ? AND ?");
        struct stmt *d CLEANUP(stmt_done) =
            db_stmt(db, "DELETE FROM member WHERE mailbox = ? AND uid BETWEEN ? AND ?");
        struct stmt *both[] = {q, d};
        for (int k = 0; k < 2; k++) {
            stmt_bind_i64(both[k], 1, mailbox);
            stmt_bind_i64(both[k], 2, v->c.uid[from]);
            stmt_bind_i64(both[k], 3, v->c.uid[to - 1]);
            ok(stmt_run(both[k]));
        }
    }
    run_columns_move(run_columns_from(v->c, from), run_columns_from(v->c, to), v->n - to);
    v->n -= to - from;
    size_t kept = 0;
    for (size_t r = 0; r < v->runs_n; r++) {
        size_t at = v->runs[r].at, end = r + 1 < v->runs_n ? v->runs[r + 1].at : v->n + (to - from);
        bool touched = at < to && end > from;
        size_t new_at = at <= from ? at : at < to ? from : at - (to - from);
        size_t new_end = end <= from ? end : end < to ? from : end - (to - from);
        v->runs[kept].key = v->runs[r].key;
        v->runs[kept].at = new_at;
        if (new_at < new_end)
            kept++;
        else if (l->runs) {
            struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "DELETE FROM run WHERE id = ?");
            stmt_bind_i64(q, 1, run_id(mailbox, v->runs[r].key));
            ok(stmt_run(q));
        }
        if (touched && new_at < new_end)
            v->runs[kept - 1].at = new_at;
    }
    v->runs_n = kept;
    for (size_t r = 0; l->runs && r < v->runs_n; r++)
        if (v->runs[r].at <= from && (r + 1 == v->runs_n || v->runs[r + 1].at >= from))
            put_run(db, mailbox, v, r);
    mailbox_row(db, mailbox, v, modseq);
}

static size_t format_flags(const struct view *v, size_t n)
{
    static char out[65536];
    size_t at = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        if (at > sizeof out - 200) {
            total += at;
            at = 0;
        }
        at += (size_t)snprintf(out + at, 200, "* %zu FETCH (FLAGS (%s%s))\r\n", i + 1,
                               v->c.flags[i] & 1 ? "\\Seen" : "", v->c.flags[i] & 4 ? " \\Flagged" : "");
    }
    return total + at;
}

/* --- the measurements: medians of a few rounds, in milliseconds */

static int by_value(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

enum figure {
    PRELOAD,
    FILE_MB,
    LOAD_ALL,
    LOAD_100K,
    FETCH_100K,
    FLAG_ONE,
    FLAG_ALL,
    COPY,
    EXPUNGE,
    ADD_ONE,
    ADD_BATCH,
    FIGURES
};
static const char *const figure_names[FIGURES] = {
    "preload 1,048,576, s",
    "file, MB",
    "SELECT, all, not loaded",
    "SELECT, 100,000, not loaded",
    "FETCH 1:100000 (FLAGS), loaded, formatted",
    "STORE 1 +FLAGS, durable",
    "STORE 1:100000 +FLAGS",
    "COPY 10,000",
    "EXPUNGE 10,000",
    "add 1, durable",
    "add 100 in one transaction",
};

static void measure(const struct layout *l, const char *path, uint32_t page, size_t messages, double *out)
{
    const char *migrations[] = {mailbox_schema, l->schema};
    struct db_options o = {.path = path,
                           .kind = "bench",
                           .application_id = 1,
                           .migrations = migrations,
                           .migration_count = 2,
                           .page_bytes = page,
                           .give_back = true};
    struct db *db = NULL;
    struct view v = {0}, t = {0};
    uint64_t modseq = 1;
    (void)unlink(path); /* left from before, or not there */
    ok(db_open(&o, &db, NULL));
    view_room(&v, messages + 100000);
    double start = now_ms();
    for (size_t i = 0; i < messages; i += 8192) {
        struct db_txn txn CLEANUP(db_rollback) = {0};
        ok(db_begin(db, &txn));
        append(l, db, 1, &v, 8192, ++modseq);
        ok(db_commit(&txn));
        ok(db_checkpoint(db));
    }
    out[PRELOAD] = (now_ms() - start) / 1000;
    view_free(&v);
    struct db_txn txn CLEANUP(db_rollback) = {0};
    view_room(&t, 4 * ALL_N);
    ok(db_begin(db, &txn));
    append(l, db, 2, &t, ALL_N, ++modseq);
    ok(db_commit(&txn));
    view_free(&t);
    db_close(&db);
    ok(db_open(&o, &db, NULL));
    out[FILE_MB] = (double)db_file_bytes(db) / 1e6;
    double r[SINGLE_N];
    for (int i = 0; i < 5; i++) {
        view_free(&v);
        view_free(&t);
        view_room(&v, messages + 100000);
        view_room(&t, 4 * ALL_N);
        start = now_ms();
        load(l, db, 1, &v);
        r[i] = now_ms() - start;
        must(v.n == messages);
        start = now_ms();
        load(l, db, 2, &t);
        r[10 + i] = now_ms() - start;
        start = now_ms();
        must(format_flags(&t, ALL_N) > 0);
        r[20 + i] = now_ms() - start;
    }
    out[LOAD_ALL] = median(r, 5);
    out[LOAD_100K] = median(r + 10, 5);
    out[FETCH_100K] = median(r + 20, 5);
#define TIMED(figure, rounds, call)                                                                          \
    for (int i = 0; i < (rounds); i++) {                                                                     \
        start = now_ms();                                                                                    \
        ok(db_begin(db, &txn));                                                                              \
        call;                                                                                                \
        ok(db_commit(&txn));                                                                                 \
        r[i] = now_ms() - start;                                                                             \
        if (db_wal_bytes(db) > 4000000)                                                                      \
            ok(db_checkpoint(db));                                                                           \
    }                                                                                                        \
    out[figure] = median(r, (rounds))
    TIMED(FLAG_ONE, SINGLE_N, flag_one(l, db, &v, ++modseq));
    TIMED(FLAG_ALL, 5, flag(l, db, 2, &t, 0, ALL_N, 8u << i, ++modseq));
    TIMED(COPY, 5, copy(l, db, &v, (size_t)i * 11000 + 77, MOVED_N, 2, &t, ++modseq));
    TIMED(EXPUNGE, 5,
          expunge(l, db, 1, &v, (size_t)i * 11000 + 77, (size_t)i * 11000 + 77 + MOVED_N, ++modseq));
    TIMED(ADD_ONE, SINGLE_N, append(l, db, 1, &v, 1, ++modseq));
    TIMED(ADD_BATCH, 50, append(l, db, 1, &v, 100, ++modseq));
    size_t n = v.n;
    struct view again = {0};
    view_room(&again, messages + 100000);
    load(l, db, 1, &again);
    must(again.n == n && memcmp(again.c.flags, v.c.flags, n * 8) == 0 &&
         memcmp(again.c.uid, v.c.uid, n * 4) == 0);
    view_free(&again);
    view_free(&v);
    view_free(&t);
    db_close(&db);
    (void)unlink(path); /* ours */
}

int main(int argc, char **argv)
{
    uint32_t page = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 4096;
    size_t messages = argc > 3 ? strtoul(argv[3], NULL, 10) : 1048576;
    double figures[2][FIGURES];
    if (argc < 2) {
        (void)fprintf(stderr, "usage: membership FOLDER [PAGE_BYTES [MESSAGES]]\n");
        return 2;
    }
    messages = messages / 8192 * 8192;
    db_setup();
    for (int i = 0; i < 2; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/membership-%s.db", argv[1], layouts[i].name);
        measure(&layouts[i], path, page, messages, figures[i]);
    }
    (void)printf("%zu messages, pages of %u bytes; milliseconds unless said\n%-44s %10s %10s %8s\n", messages,
                 page, "", "rows", "runs", "ratio");
    for (int f = 0; f < FIGURES; f++)
        (void)printf("%-44s %10.3f %10.3f %8.2f\n", figure_names[f], figures[0][f], figures[1][f],
                     figures[0][f] / figures[1][f]);
    return 0;
}
