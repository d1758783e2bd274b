/* See account.h: the runs of mailboxes (run.h) on the disk, those of messages that are gone too. */
#include "store/account__.h"

enum err account__run_write(struct account_db *db, uint64_t mailbox, uint32_t key, struct run_columns c,
                            size_t n)
{
    uint8_t record[RUN_BYTES_MAX];
    int64_t id = account__run_id(mailbox, key);
    if (n == 0) {
        struct stmt *d CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM run WHERE id = ?");
        stmt_bind_i64(d, 1, id);
        return stmt_run(d);
    }
    struct hash_key hash = account__run_key(db, id);
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        db->db, "INSERT INTO run VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record");
    stmt_bind_i64(q, 1, id);
    stmt_bind_blob(q, 2, slice_of(record, run_encode(c, n, &hash, record)));
    return stmt_run(q);
}

static void bind_all(struct stmt *q, uint64_t mailbox)
{
    stmt_bind_i64(q, 1, account__run_id(mailbox, 0));
    stmt_bind_i64(q, 2, account__run_id(mailbox, UINT32_MAX));
}

struct stmt *account__runs(struct account_db *db, uint64_t mailbox)
{
    struct stmt *q = db_stmt(db->db, "SELECT id, record FROM run WHERE id BETWEEN ? AND ? ORDER BY id");
    bind_all(q, mailbox);
    return q;
}

enum err account__run_read(const struct account_db *db, struct stmt *q, struct run_columns c, size_t *out_n)
{
    struct hash_key key = account__run_key(db, stmt_i64(q, 0));
    return run_decode(stmt_slice(q, 1), &key, c, out_n);
}

enum err account__runs_delete(struct account_db *db, uint64_t mailbox)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM run WHERE id BETWEEN ? AND ?");
    bind_all(q, mailbox);
    return stmt_run(q);
}

enum err account__run_last(struct account_db *db, uint64_t mailbox, struct run *out, uint32_t *out_key)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(db->db, "SELECT id, record FROM run WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1");
    bind_all(q, mailbox);
    enum err e = stmt_row(q);
    if (e == OK)
        e = account__run_read(db, q, run_columns(out), &out->n);
    if (e == OK)
        *out_key = account__run_row_key(q);
    return e;
}

enum err account__expunged_write(struct account_db *db, uint64_t mailbox, struct run_columns c, size_t n,
                                 bool moved, time_ms now)
{
    uint8_t record[RUN_BYTES_MAX];
    struct hash_key hash = account__run_key(db, (int64_t)mailbox);
    for (size_t i = 0; i < n; i += RUN_MAX) {
        size_t length = run_encode(run_columns_from(c, i), size_min(n - i, RUN_MAX), &hash, record);
        struct stmt *q CLEANUP(stmt_done) = db_stmt(
            db->db, "INSERT INTO expunged (mailbox, modseq, gone_at, moved, record) VALUES (?, ?, ?, ?, ?)");
        stmt_bind_u64(q, 1, mailbox);
        stmt_bind_u64(q, 2, db->txn_modseq);
        stmt_bind_i64(q, 3, now);
        stmt_bind_i64(q, 4, moved);
        stmt_bind_blob(q, 5, slice_of(record, length));
        enum err e = stmt_run(q);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err account_expunged_find(struct account_store *s, uint64_t mailbox, uint32_t uid, uint64_t *out_message,
                               uint32_t *out_date)
{
    struct run r;
    enum err e = account__allow(s, ACCOUNT_READ);
    if (e != OK)
        return e;
    struct hash_key hash = account__run_key(s->db, (int64_t)mailbox);
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(s->db->db, "SELECT record FROM expunged WHERE mailbox = ? ORDER BY modseq DESC");
    stmt_bind_u64(q, 1, mailbox);
    while ((e = stmt_row(q)) == OK) {
        if (run_decode(stmt_slice(q, 0), &hash, run_columns(&r), &r.n) != OK)
            continue; /* one damaged record hides only what was in it */
        for (size_t i = 0; i < r.n; i++)
            if (r.uid[i] == uid) {
                *out_message = r.message[i];
                *out_date = r.date[i];
                return OK;
            }
    }
    return e;
}
