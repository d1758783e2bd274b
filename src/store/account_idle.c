/* See account.h: upkeep, in pieces small enough to come between two commands.
 *
 * Erasing for good is a mark and sweep (THREATS 57). What has been expunged for 30 days (or as configured) is
 * struck from `expunged` and its messages are written down as doomed. A scan over all runs and all of
 * `expunged` pardons those that are still in use somewhere (copies) and counts for the others; only what two
 * scans, SCAN_EVERY_MS apart, have found unused is erased. */
#include "store/account__.h"

#include "base/mail_id.h"

#include <stdlib.h>

#define WAL_BYTES_MAX      ((uint64_t)4 << 20) /* then it is taken in even when busy */
#define WAL_BYTES_QUIET    ((uint64_t)16 << 10)
#define SCAN_EVERY_MS      (20 * MS_HOUR)
#define SCANNED_AT_ONCE    100000 /* doomed messages one scan looks for */
#define ERASED_AT_ONCE     100
#define STRUCK_AT_ONCE     50
#define HANDOVER_KEEP_MS   (14 * MS_DAY) /* twice what a queue keeps mail */
#define GIVEN_BACK_AT_ONCE 256           /* pages */
#define FREE_PAGES_KEPT    512

/* --- 1: strike out what is past its time */

static enum err doom(struct account_db *db, uint64_t message)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "INSERT OR IGNORE INTO doomed VALUES (?, 0)");
    stmt_bind_u64(q, 1, message);
    return stmt_run(q);
}

static enum err strike(struct account_db *db, time_ms now, size_t *out_n)
{
    struct run r;
    size_t n = 0;
    int64_t last = 0;
    enum err e;
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(db->db, "SELECT id, mailbox, gone_at, record FROM expunged ORDER BY id LIMIT ?");
    stmt_bind_i64(q, 1, STRUCK_AT_ONCE);
    while ((e = stmt_row(q)) == OK && stmt_i64(q, 2) < now - db->keep_ms) {
        struct hash_key key = account__run_key(db, stmt_i64(q, 1));
        n++;
        last = stmt_i64(q, 0);
        if (run_decode(stmt_slice(q, 3), &key, run_columns(&r), &r.n) != OK)
            continue; /* unreadable: what it named stays on the disk, unseen */
        for (size_t i = 0; i < r.n; i++) {
            e = doom(db, r.message[i]);
            if (e != OK)
                return e;
        }
    }
    stmt_done(&q);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    *out_n = n;
    if (n == 0)
        return OK;
    struct stmt *d CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM expunged WHERE id <= ?");
    stmt_bind_i64(d, 1, last);
    return stmt_run(d);
}

/* --- 2: scan */

struct candidates {
    uint64_t *id; /* ascending */
    bool *used;
    size_t n;
};

static void candidates_done(struct candidates *c)
{
    free(c->id);
    free(c->used);
}

static enum err candidates_load(struct account_db *db, struct candidates *c)
{
    size_t room = 0;
    enum err e;
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(db->db, "SELECT message FROM doomed ORDER BY message LIMIT ?");
    stmt_bind_i64(q, 1, SCANNED_AT_ONCE);
    while ((e = stmt_row(q)) == OK) {
        c->id = account__grow(c->id, c->n, &room, sizeof *c->id);
        c->id[c->n++] = stmt_u64(q, 0);
    }
    c->used = account__alloc(c->n + 1, sizeof *c->used);
    return e == ERR_NOT_FOUND ? OK : e;
}

static void mark(struct candidates *c, const struct run *r)
{
    for (size_t i = 0; i < r->n; i++) {
        size_t low = 0, high = c->n;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (c->id[middle] < r->message[i])
                low = middle + 1;
            else
                high = middle;
        }
        if (low < c->n && c->id[low] == r->message[i])
            c->used[low] = true;
    }
}

/* A record that cannot be read may name anything: then nothing is erased at all. */
static enum err mark_all(struct account_db *db, struct stmt *q, struct candidates *c)
{
    struct run r;
    enum err e;
    while ((e = stmt_row(q)) == OK) {
        struct hash_key key = account__run_key(db, stmt_i64(q, 0));
        if (run_decode(stmt_slice(q, 1), &key, run_columns(&r), &r.n) != OK)
            return ERR_CORRUPT;
        mark(c, &r);
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err verdicts(struct account_db *db, const struct candidates *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct stmt *q CLEANUP(stmt_done) =
            c->used[i] ? db_stmt(db->db, "DELETE FROM doomed WHERE message = ?")
                       : db_stmt(db->db, "UPDATE doomed SET scans = scans + 1 WHERE message = ?");
        stmt_bind_u64(q, 1, c->id[i]);
        enum err e = stmt_run(q);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err scan(struct account_db *db, time_ms now)
{
    struct candidates c CLEANUP(candidates_done) = {0};
    enum err e = candidates_load(db, &c);
    if (e == OK && c.n) {
        struct stmt *runs CLEANUP(stmt_done) = db_stmt(db->db, "SELECT id, record FROM run");
        struct stmt *kept CLEANUP(stmt_done) = db_stmt(db->db, "SELECT mailbox, record FROM expunged");
        e = mark_all(db, runs, &c);
        if (e == OK)
            e = mark_all(db, kept, &c);
        if (e == OK)
            e = verdicts(db, &c);
        else if (e == ERR_CORRUPT)
            e = OK;
    }
    if (e != OK)
        return e;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "UPDATE account SET scanned_at = ? WHERE id = 1");
    stmt_bind_i64(q, 1, now);
    return stmt_run(q);
}

/* --- 3: erase */

static enum err erase_one(struct account_db *db, uint64_t message)
{
    struct stmt *a CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM chunk WHERE id BETWEEN ? AND ?");
    stmt_bind_i64(a, 1, (int64_t)(message << 12));
    stmt_bind_i64(a, 2, (int64_t)(message << 12 | (BODY_CHUNKS_MAX - 1)));
    enum err e = stmt_run(a);
    struct stmt *b CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM message WHERE id = ?");
    stmt_bind_u64(b, 1, message);
    if (e == OK)
        e = stmt_run(b);
    struct stmt *c CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM doomed WHERE message = ?");
    stmt_bind_u64(c, 1, message);
    return e == OK ? stmt_run(c) : e;
}

static enum err erase(struct account_db *db, size_t *out_n)
{
    uint64_t ids[ERASED_AT_ONCE];
    size_t n = 0;
    enum err e;
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(db->db, "SELECT message FROM doomed WHERE scans >= 2 LIMIT ?");
    stmt_bind_i64(q, 1, ERASED_AT_ONCE);
    while ((e = stmt_row(q)) == OK)
        ids[n++] = stmt_u64(q, 0);
    if (e != ERR_NOT_FOUND)
        return e;
    e = OK;
    for (size_t i = 0; i < n && e == OK; i++)
        e = erase_one(db, ids[i]);
    *out_n = n;
    return e;
}

static enum err forget_handovers(struct account_db *db, time_ms now)
{
    struct mail_id_maker maker = {0};
    if (now <= HANDOVER_KEEP_MS)
        return OK;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM handover WHERE mail_id BETWEEN 0 AND ?");
    stmt_bind_i64(q, 1, (int64_t)mail_id_next(&maker, now - HANDOVER_KEEP_MS));
    return stmt_run(q);
}

/* --- all of it */

/* Nothing here changes what anybody sees: no MODSEQ, no events. */
static enum err sweep(struct account_db *db, time_ms now, bool *out_more)
{
    struct db_txn txn CLEANUP(db_rollback) = {0};
    size_t struck = 0, erased = 0;
    bool due = now - db->scanned_at >= SCAN_EVERY_MS || now < db->scanned_at;
    enum err e = db_begin(db->db, &txn);
    if (e == OK)
        e = strike(db, now, &struck);
    if (e == OK)
        e = erase(db, &erased);
    if (e == OK && due && struck < STRUCK_AT_ONCE && erased < ERASED_AT_ONCE) {
        e = scan(db, now);
        if (e == OK)
            e = forget_handovers(db, now);
    }
    if (e == OK)
        e = db_commit(&txn);
    if (e == OK && due && struck < STRUCK_AT_ONCE && erased < ERASED_AT_ONCE)
        db->scanned_at = now;
    if (e == OK)
        *out_more = struck == STRUCK_AT_ONCE || erased == ERASED_AT_ONCE;
    return e;
}

static enum err give_back(struct account_db *db, bool *out_more)
{
    uint64_t left = 0;
    enum err e = db_give_back(db->db, 0, &left);
    if (e == OK && left > FREE_PAGES_KEPT) {
        e = db_give_back(db->db, GIVEN_BACK_AT_ONCE, &left);
        *out_more = *out_more || left > FREE_PAGES_KEPT;
    }
    return e;
}

enum err account_db_idle(struct account_db *db, time_ms now, bool quiet, bool *out_more)
{
    enum err e = OK;
    bool more = false;
    if (db->txn.db || db->in_event)
        return ERR_STATE;
    if (quiet && (!db->freed || now - db->scanned_at >= SCAN_EVERY_MS))
        e = sweep(db, now, &more);
    if (e == OK && quiet && !more && !db->freed)
        e = give_back(db, &more);
    if (e == OK && db_wal_bytes(db->db) >= (quiet ? WAL_BYTES_QUIET : WAL_BYTES_MAX))
        e = db_checkpoint(db->db);
    if (e == OK && quiet && !more) {
        account__codec_free(db);
        db_shrink(db->db);
        account__reserve_take(db);
        db->freed = true;
    }
    if (e == OK)
        *out_more = more;
    return e;
}
