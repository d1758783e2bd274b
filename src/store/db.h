/* db: SQLite, the way every database of ours is opened and used.
 *
 * What it is: one connection to one file, in WAL mode with synchronous=FULL and an exclusive lock that is
 * held from opening to closing; so there is no shared-memory file and a second opener gets ERR_BUSY.
 * Statements are literals, prepared once and kept. What it is not: a query builder, a pool, or thread-safe.
 *
 * Invariants:
 *  1. SQL text is always a string literal; values are bound (THREATS 15).
 *  2. A transaction rolls back unless it was committed (CLEANUP).
 *  3. After a failed write or sync the database is broken: every later call gives ERR_IO until it is closed
 *     and opened again, which reads back from the log what is really there (THREATS 53). Whether the
 *     transaction in hand is kept is then unknown; an earlier one is. A full disk breaks nothing.
 *  4. Opening takes a left-over log into the file before anything is written, so that what a failed sync may
 *     have left in the page cache only is on the disk before anything is built on it.
 *
 * Use:
 *     struct stmt *q CLEANUP(stmt_done) = db_stmt(db, "SELECT name FROM mailbox WHERE id = ?");
 *     stmt_bind_i64(q, 1, id);
 *     enum err e = stmt_row(q);      OK: a row is there; ERR_NOT_FOUND: no more rows
 *     slice name = stmt_slice(q, 0); lives until the next stmt_row() or stmt_done()
 * An error in preparing or binding is kept in the statement and comes out of stmt_row() / stmt_run(). */
#ifndef POSTHORN_STORE_DB_H
#define POSTHORN_STORE_DB_H

#include "base/err.h"
#include "base/slice.h"

struct db;
struct stmt;

struct db_options {
    const char *path;              /* file, relative to the working directory, or absolute */
    const char *kind;              /* what it is, for people: "account database" */
    uint32_t application_id;       /* written into the file; another one found there is ERR_CORRUPT */
    const char *const *migrations; /* SQL scripts; number i takes format i to format i + 1 */
    size_t migration_count;        /* the format this program writes */
    uint32_t page_bytes;           /* 0: 4096. Counts for a new file only */
    uint32_t cache_kib;            /* 0: 256 */
    bool give_back;                /* free pages can be given back to the disk: db_give_back() */
    const char *vfs;               /* NULL: the system's. Tests give their shim */
};

/* Once in a process, before the first db_open(): single-threaded, no statistics, small look-aside memory. */
void db_setup(void);

/* Opens or creates the file, takes the lock, brings the format up to date in one transaction. ERR_BUSY:
 * another process has it open. ERR_CORRUPT: not a database of this kind. ERR_UNSUPPORTED: written by a newer
 * program. detail (may be NULL) says it in words. o is not kept, but the migrations' text must stay. */
NODISCARD enum err db_open(const struct db_options *o, struct db **out, struct err_detail *detail);
/* Renames a database that is damaged to "PATH.damaged" (the one set aside before is replaced) and removes its
 * log, so that a new one can be made at path. False: it could not be renamed. */
NODISCARD bool db_set_aside(const char *path);
/* Checkpoints (unless broken) and closes. NULLs the pointer; NULL is fine; fits CLEANUP(). */
void db_close(struct db **db);
/* True after a failed write or sync (invariant 3): close and open again. */
bool db_broken(const struct db *db);
/* SQLite's words on the last error, for the journal. Lives until the next call. */
const char *db_message(const struct db *db);
/* The format of the open file, equal to migration_count. */
uint32_t db_format(const struct db *db);

/* --- statements */

/* Prepared and reset; never NULL. sql is a literal: its address is the key of the cache. A literal that is in
 * use already (a query inside a loop over itself) gives a second statement. */
struct stmt *db_stmt(struct db *db, const char *sql);
/* Resets it for the next use. NULLs the pointer; fits CLEANUP(). */
void stmt_done(struct stmt **q);
/* Parameters are numbered from 1. A slice must stay until stmt_done() or the next bind; text is UTF-8. */
void stmt_bind_i64(struct stmt *q, int i, int64_t v);
void stmt_bind_u64(struct stmt *q, int i, uint64_t v); /* past INT64_MAX is kept as ERR_LIMIT */
/* In STRICT tables a TEXT column takes the one only, a BLOB column the other. */
void stmt_bind_text(struct stmt *q, int i, slice s);
void stmt_bind_blob(struct stmt *q, int i, slice s);
void stmt_bind_null(struct stmt *q, int i);
/* OK: a row; ERR_NOT_FOUND: no (more) row; otherwise an error, and the statement is at its end. */
NODISCARD enum err stmt_row(struct stmt *q);
/* Runs a statement whose rows, if any, are of no interest. ERR_EXISTS: a UNIQUE or PRIMARY KEY constraint. */
NODISCARD enum err stmt_run(struct stmt *q);
/* Steps of SQLite's machine for this statement since it was asked last: a measure of work that does not
 * depend on the machine, for tests. */
uint64_t stmt_work(struct stmt *q);
/* To its start again, parameters kept: the next round of a loop that binds and runs. */
void stmt_again(struct stmt *q);
/* Columns are numbered from 0. Of NULL: 0, an empty slice. Another type than asked for gives 0 / empty. */
int64_t stmt_i64(struct stmt *q, int column);
uint64_t stmt_u64(struct stmt *q, int column); /* negative gives 0 */
slice stmt_slice(struct stmt *q, int column);  /* text or blob */
bool stmt_null(struct stmt *q, int column);

/* The number that a query without parameters gives in its first row; 0 when it has none, or fails. */
uint64_t db_number(struct db *db, const char *sql);

/* For statements without values: PRAGMA, DDL. sql is a literal; may hold several statements. */
NODISCARD enum err db_exec(struct db *db, const char *sql);
int64_t db_last_id(const struct db *db);  /* rowid of the last INSERT */
uint64_t db_changes(const struct db *db); /* rows the last statement changed */

/* --- transactions: struct db_txn t CLEANUP(db_rollback) = {0}; db_begin(db, &t); ... db_commit(&t) */

struct db_txn {
    struct db *db; /* NULL: not begun, or over */
};
/* Takes the write lock. ERR_STATE inside another transaction. */
NODISCARD enum err db_begin(struct db *db, struct db_txn *out);
/* OK: durable. Otherwise nothing of it is kept, except ERR_IO, which says nothing (invariant 3). */
NODISCARD enum err db_commit(struct db_txn *t);
/* Does nothing after db_commit(). Fits CLEANUP(). */
void db_rollback(struct db_txn *t);

/* --- upkeep: off the path of replies */

/* Bytes in the log since it was last taken into the file. */
uint64_t db_wal_bytes(const struct db *db);
/* Takes the log into the file. Not inside a transaction. */
NODISCARD enum err db_checkpoint(struct db *db);
/* Gives up to max_pages free pages back to the disk (give_back databases); *out_left says how many remain. */
NODISCARD enum err db_give_back(struct db *db, uint32_t max_pages, uint64_t *out_left);
/* All of the file's pages, the log not counted. */
uint64_t db_file_bytes(struct db *db);
/* Of the file's pages, those that hold something. */
uint64_t db_used_bytes(struct db *db);
/* Gives cache memory back to the system. */
void db_shrink(struct db *db);

#endif
