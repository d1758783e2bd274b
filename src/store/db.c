/* See db.h. */
#include "store/db.h"

#include "base/hash.h"
#include "store/db_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STATEMENTS_MAX 512 /* literals in one program: a bound against a mistake, not against a peer */

struct db {
    sqlite3 *sql;
    struct map statements; /* address of the literal -> struct stmt */
    uint32_t format;
    uint32_t page_bytes;
    uint32_t wal_pages;
    bool broken;
    bool in_txn;
};

struct stmt {
    sqlite3_stmt *raw; /* NULL when preparing failed */
    struct db *db;
    enum err failed; /* first error in preparing or binding */
    bool busy;       /* between db_stmt() and stmt_done() */
    bool cached;
};

/* SQLite's result codes in our words; the first match counts, extended codes before their primary one. */
static enum err from_sqlite(int rc)
{
    switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return ERR_EXISTS;
    case SQLITE_IOERR_NOMEM:
        return ERR_MEMORY;
    case SQLITE_IOERR_CORRUPTFS:
        return ERR_CORRUPT;
    default:
        break;
    }
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return OK;
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return ERR_IO;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_TOOBIG:
        return ERR_TOO_LARGE;
    case SQLITE_CONSTRAINT: /* foreign key, CHECK, NOT NULL: our statement was wrong */
    default:
        return ERR_BUG;
    }
}

/* Notes what a result means for the whole database. Reading badly harms nobody else; writing badly does. */
static enum err seen(struct db *db, int rc)
{
    enum err e = from_sqlite(rc);
    if (e == ERR_IO && rc != SQLITE_IOERR_READ && rc != SQLITE_IOERR_SHORT_READ)
        db->broken = true;
    return e;
}

void db_setup(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD); /* these fail only when SQLite is running already, */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* and it then works as well with what it has */
    (void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 256, 64);
}

static int on_wal(void *arg, sqlite3 *sql, const char *name, int pages)
{
    (void)sql;
    (void)name;
    ((struct db *)arg)->wal_pages = (uint32_t)pages;
    return SQLITE_OK;
}

/* The value of a PRAGMA or another one-cell query; sql need not be a literal. */
static int one_cell(sqlite3 *sql, const char *text, int64_t *out)
{
    sqlite3_stmt *raw = NULL;
    int rc = sqlite3_prepare_v2(sql, text, -1, &raw, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(raw);
        if (rc == SQLITE_ROW)
            *out = sqlite3_column_int64(raw, 0);
        rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    (void)sqlite3_finalize(raw); /* repeats the result of the step */
    return rc;
}

/* Settings that must stand before the first access, in this order: a new file takes its page size and its way
 * of freeing from them, and the exclusive lock before WAL is what saves the shared-memory file. */
static int settings(struct db *db, const struct db_options *o)
{
    char text[768];
    int n = snprintf(text, sizeof text,
                     "PRAGMA locking_mode=EXCLUSIVE;"
                     "PRAGMA page_size=%u;"
                     "PRAGMA auto_vacuum=%s;"
                     "PRAGMA trusted_schema=OFF;"
                     "PRAGMA cell_size_check=ON;"
                     "PRAGMA mmap_size=0;"
                     "PRAGMA temp_store=MEMORY;"
                     "PRAGMA secure_delete=FAST;"
                     "PRAGMA cache_size=-%u;"
                     "PRAGMA foreign_keys=ON;"
                     "PRAGMA journal_mode=WAL;"
                     "PRAGMA wal_autocheckpoint=0;"
                     "PRAGMA synchronous=FULL;",
                     o->page_bytes ? o->page_bytes : 4096, o->give_back ? "INCREMENTAL" : "NONE",
                     o->cache_kib ? o->cache_kib : 256);
    must(n > 0 && (size_t)n < sizeof text);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
    (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, (int *)NULL);
    return sqlite3_exec(db->sql, text, NULL, NULL, NULL);
}

/* Takes the lock and reads what the file says it is. */
static int look(struct db *db, int64_t *format, int64_t *application)
{
    int64_t page = 0, tables = 0;
    int rc = sqlite3_exec(db->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = one_cell(db->sql, "PRAGMA user_version", format);
    if (rc == SQLITE_OK)
        rc = one_cell(db->sql, "PRAGMA application_id", application);
    if (rc == SQLITE_OK)
        rc = one_cell(db->sql, "PRAGMA page_size", &page);
    if (rc == SQLITE_OK)
        rc = one_cell(db->sql, "SELECT count(*) FROM sqlite_schema", &tables);
    if (*format == 0 && tables > 0)
        *format = -1; /* somebody else's file */
    db->page_bytes = (uint32_t)page;
    return rc;
}

/* All missing migrations and the new number, in the transaction that look() began. */
static int migrate(struct db *db, const struct db_options *o, int64_t from)
{
    char text[96];
    int rc = SQLITE_OK;
    for (size_t i = (size_t)from; i < o->migration_count && rc == SQLITE_OK; i++)
        rc = sqlite3_exec(db->sql, o->migrations[i], NULL, NULL, NULL);
    if (rc == SQLITE_OK && (size_t)from < o->migration_count) {
        (void)snprintf(text, sizeof text, "PRAGMA user_version=%zu; PRAGMA application_id=%u",
                       o->migration_count, o->application_id);
        rc = sqlite3_exec(db->sql, text, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db->sql, "COMMIT", NULL, NULL, NULL);
    db->format = (uint32_t)o->migration_count;
    return rc;
}

static enum err check_format(const struct db_options *o, int64_t format, int64_t application,
                             struct err_detail *detail)
{
    if (format < 0 || (format > 0 && application != (int64_t)o->application_id)) {
        err_detail_set(detail, "%s is no %s of Posthorn: it was made by another program, or is damaged",
                       o->path, o->kind);
        return ERR_CORRUPT;
    }
    if (format > (int64_t)o->migration_count) {
        err_detail_set(
            detail,
            "the %s %s was written by a newer Posthorn (format %lld, this one knows up to %zu): run the "
            "newer program, or put back the copy made before the upgrade",
            o->kind, o->path, (long long)format, o->migration_count);
        return ERR_UNSUPPORTED;
    }
    return OK;
}

/* Private from its first moment: SQLite gives the log the mode of the file. */
static void create_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        (void)close(fd); /* SQLite says what is wrong, if anything is */
}

static enum err open_steps(struct db *db, const struct db_options *o, struct err_detail *detail)
{
    int64_t format = 0, application = 0;
    const char *vfs = db_file_vfs(o->vfs);
    must(vfs != NULL);
    if (!o->vfs)
        create_private(o->path);
    int rc = sqlite3_open_v2(o->path, &db->sql,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                             vfs);
    if (rc == SQLITE_OK)
        rc = settings(db, o);
    if (rc == SQLITE_OK)
        rc = look(db, &format, &application);
    if (rc == SQLITE_OK) {
        enum err e = check_format(o, format, application, detail);
        if (e != OK)
            return e;
        rc = migrate(db, o, format);
    }
    if (rc == SQLITE_OK) { /* invariant 4 */
        (void)sqlite3_wal_hook(db->sql, on_wal, db);
        rc = sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    if (rc == SQLITE_OK)
        return OK;
    enum err e = from_sqlite(rc);
    err_detail_set(detail, "the %s %s cannot be opened: %s", o->kind, o->path,
                   e == ERR_BUSY ? "another process has it open"
                   : db->sql     ? sqlite3_errmsg(db->sql)
                                 : "no memory");
    return e;
}

enum err db_open(const struct db_options *o, struct db **out, struct err_detail *detail)
{
    struct err_detail unused;
    struct db *db = calloc(1, sizeof *db);
    must(db != NULL);
    enum err e = open_steps(db, o, detail ? detail : &unused);
    if (e != OK) {
        db->broken = true; /* leave the log as it is */
        db_close(&db);
        return e;
    }
    *out = db;
    return OK;
}

bool db_set_aside(const char *path)
{
    char aside[4096], wal[4096];
    (void)snprintf(aside, sizeof aside, "%s.damaged", path);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    if (rename(path, aside))
        return false;
    (void)remove(wal); /* mostly not there */
    return true;
}

void db_close(struct db **dbp)
{
    struct db *db = *dbp;
    *dbp = NULL;
    if (!db)
        return;
    size_t at = 0;
    uint64_t key;
    void *value;
    while (map_each(&db->statements, &at, &key, &value)) {
        struct stmt *q = value;
        must(!q->busy);
        (void)sqlite3_finalize(q->raw); /* tells of the last step again */
        free(q);
    }
    map_done(&db->statements);
    if (db->broken && db->sql)
        (void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    if (db->sql)
        must(sqlite3_close(db->sql) == SQLITE_OK);
    free(db);
}

bool db_broken(const struct db *db)
{
    return db->broken;
}

const char *db_message(const struct db *db)
{
    return sqlite3_errmsg(db->sql);
}

uint32_t db_format(const struct db *db)
{
    return db->format;
}

/* --- statements */

static struct stmt *prepare(struct db *db, const char *sql, bool cached)
{
    struct stmt *q = calloc(1, sizeof *q);
    must(q != NULL);
    q->db = db;
    q->cached = cached;
    int rc = sqlite3_prepare_v3(db->sql, sql, -1, cached ? SQLITE_PREPARE_PERSISTENT : 0, &q->raw, NULL);
    q->failed = seen(db, rc);
    return q;
}

struct stmt *db_stmt(struct db *db, const char *sql)
{
    uint64_t key = (uint64_t)(uintptr_t)sql;
    struct stmt *q = map_get(&db->statements, key);
    if (q && !q->raw) { /* preparing failed last time: try again */
        (void)map_remove(&db->statements, key);
        free(q);
        q = NULL;
    }
    if (!q) {
        must(db->statements.n < STATEMENTS_MAX);
        q = prepare(db, sql, true);
        (void)map_put(&db->statements, key, q);
    } else if (q->busy) {
        q = prepare(db, sql, false);
    }
    q->busy = true;
    if (q->raw)
        q->failed = db->broken ? ERR_IO : OK;
    return q;
}

void stmt_done(struct stmt **qp)
{
    struct stmt *q = *qp;
    *qp = NULL;
    if (!q)
        return;
    q->busy = false;
    if (q->raw) {
        (void)sqlite3_reset(q->raw); /* repeats the last step's result, which was seen */
        (void)sqlite3_clear_bindings(q->raw);
    }
    if (!q->cached) {
        (void)sqlite3_finalize(q->raw);
        free(q);
    }
}

static void bound(struct stmt *q, int rc)
{
    if (q->failed == OK && rc != SQLITE_OK)
        q->failed = rc == SQLITE_RANGE || rc == SQLITE_MISUSE ? ERR_BUG : from_sqlite(rc);
}

void stmt_bind_i64(struct stmt *q, int i, int64_t v)
{
    if (q->raw)
        bound(q, sqlite3_bind_int64(q->raw, i, v));
}

void stmt_bind_u64(struct stmt *q, int i, uint64_t v)
{
    if (v > INT64_MAX)
        q->failed = q->failed == OK ? ERR_LIMIT : q->failed;
    else
        stmt_bind_i64(q, i, (int64_t)v);
}

void stmt_bind_text(struct stmt *q, int i, slice s)
{
    if (q->raw)
        bound(q,
              sqlite3_bind_text64(q->raw, i, s.n ? (const char *)s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_bind_blob(struct stmt *q, int i, slice s)
{
    if (q->raw)
        bound(q, sqlite3_bind_blob64(q->raw, i, s.n ? (const void *)s.p : "", s.n, SQLITE_STATIC));
}

void stmt_bind_null(struct stmt *q, int i)
{
    if (q->raw)
        bound(q, sqlite3_bind_null(q->raw, i));
}

enum err stmt_row(struct stmt *q)
{
    if (q->failed != OK)
        return q->failed;
    int rc = sqlite3_step(q->raw);
    if (rc == SQLITE_ROW)
        return OK;
    if (rc == SQLITE_DONE)
        return ERR_NOT_FOUND;
    return seen(q->db, rc);
}

enum err stmt_run(struct stmt *q)
{
    enum err e;
    do
        e = stmt_row(q);
    while (e == OK);
    return e == ERR_NOT_FOUND ? OK : e;
}

uint64_t stmt_work(struct stmt *q)
{
    return (uint64_t)sqlite3_stmt_status(q->raw, SQLITE_STMTSTATUS_VM_STEP, 1);
}

void stmt_again(struct stmt *q)
{
    if (q->raw)
        (void)sqlite3_reset(q->raw); /* repeats the last step's result, which was seen */
}

int64_t stmt_i64(struct stmt *q, int column)
{
    return sqlite3_column_type(q->raw, column) == SQLITE_INTEGER ? sqlite3_column_int64(q->raw, column) : 0;
}

uint64_t stmt_u64(struct stmt *q, int column)
{
    int64_t v = stmt_i64(q, column);
    return v < 0 ? 0 : (uint64_t)v;
}

slice stmt_slice(struct stmt *q, int column)
{
    int type = sqlite3_column_type(q->raw, column);
    if (type != SQLITE_TEXT && type != SQLITE_BLOB)
        return (slice){NULL, 0};
    const void *p = sqlite3_column_blob(q->raw, column);
    return slice_of(p, p ? (size_t)sqlite3_column_bytes(q->raw, column) : 0);
}

bool stmt_null(struct stmt *q, int column)
{
    return sqlite3_column_type(q->raw, column) == SQLITE_NULL;
}

uint64_t db_number(struct db *db, const char *sql)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db, sql);
    return stmt_row(q) == OK ? stmt_u64(q, 0) : 0;
}

enum err db_exec(struct db *db, const char *sql)
{
    if (db->broken)
        return ERR_IO;
    return seen(db, sqlite3_exec(db->sql, sql, NULL, NULL, NULL));
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->sql);
}

uint64_t db_changes(const struct db *db)
{
    return (uint64_t)sqlite3_changes64(db->sql);
}

/* --- transactions */

enum err db_begin(struct db *db, struct db_txn *out)
{
    if (db->in_txn)
        return ERR_STATE;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "BEGIN IMMEDIATE");
    enum err e = stmt_run(q);
    if (e != OK)
        return e;
    db->in_txn = true;
    out->db = db;
    return OK;
}

enum err db_commit(struct db_txn *t)
{
    struct db *db = t->db;
    if (!db)
        return ERR_STATE;
    enum err e;
    {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "COMMIT");
        e = stmt_run(q);
    }
    if (e != OK) {
        db_rollback(t);
        return e;
    }
    db->in_txn = false;
    t->db = NULL;
    return OK;
}

void db_rollback(struct db_txn *t)
{
    struct db *db = t->db;
    t->db = NULL;
    if (!db)
        return;
    db->in_txn = false;
    /* SQLite has rolled back by itself after some errors. Straight to the library: this must run when broken.
     */
    if (!sqlite3_get_autocommit(db->sql) && sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
        db->broken = true;
}

/* --- upkeep */

uint64_t db_wal_bytes(const struct db *db)
{
    return (uint64_t)db->wal_pages * (db->page_bytes + 24);
}

enum err db_checkpoint(struct db *db)
{
    if (db->in_txn)
        return ERR_STATE;
    if (db->broken)
        return ERR_IO;
    enum err e = seen(db, sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL));
    if (e == OK)
        db->wal_pages = 0;
    return e;
}

enum err db_give_back(struct db *db, uint32_t max_pages, uint64_t *out_left)
{
    char text[64];
    (void)snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%u)", max_pages);
    if (db->broken)
        return ERR_IO;
    enum err e = seen(db, sqlite3_exec(db->sql, text, NULL, NULL, NULL));
    if (e == OK)
        *out_left = db_number(db, "PRAGMA freelist_count");
    return e;
}

uint64_t db_file_bytes(struct db *db)
{
    return db_number(db, "PRAGMA page_count") * db->page_bytes;
}

uint64_t db_used_bytes(struct db *db)
{
    return (db_number(db, "PRAGMA page_count") - db_number(db, "PRAGMA freelist_count")) * db->page_bytes;
}

void db_shrink(struct db *db)
{
    (void)sqlite3_db_release_memory(db->sql); /* never fails */
}
