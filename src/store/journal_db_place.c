/* Where messages lie: (account, mailbox, UID) -> mail. What sessions do is told by mailbox and UID. */
#include "base/mail_id.h"
#include "store/journal_db__.h"

#define PRUNE_PLACES_MAX 1024

static int64_t box_of(const struct journal_db *j, slice account, slice mailbox)
{
    uint8_t text[JOURNAL_ADDRESS_MAX + 1 + JOURNAL_NAME_MAX];
    size_t n = size_min(account.n, JOURNAL_ADDRESS_MAX), m = size_min(mailbox.n, JOURNAL_NAME_MAX);
    for (size_t i = 0; i < n; i++)
        text[i] = ascii_lower(account.p[i]);
    text[n] = 0;
    if (m)
        memcpy(text + n + 1, mailbox.p, m);
    return (int64_t)hash_slice(&j->key, slice_of(text, n + 1 + m));
}

static enum err place_put(struct journal_db *j, slice account, slice mailbox, uint64_t uid, uint64_t mail)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(j->db, "INSERT OR REPLACE INTO place (box, uid, mail) VALUES (?, ?, ?)");
    stmt_bind_i64(q, 1, box_of(j, account, mailbox));
    stmt_bind_i64(q, 2, (int64_t)(uid & UINT32_MAX));
    stmt_bind_i64(q, 3, (int64_t)mail);
    return stmt_run(q);
}

/* *out stays when it is not known. */
static enum err place_get(struct journal_db *j, slice account, slice mailbox, uint32_t uid, uint64_t *out)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(j->db, "SELECT mail FROM place WHERE box = ? AND uid = ?");
    stmt_bind_i64(q, 1, box_of(j, account, mailbox));
    stmt_bind_i64(q, 2, uid);
    enum err e = stmt_row(q);
    if (e == OK)
        *out = (uint64_t)stmt_i64(q, 0);
    return e == ERR_NOT_FOUND ? OK : e;
}

static bool has_place(unsigned kind)
{
    return kind == JOURNAL_DELIVERED || kind == JOURNAL_FLAGS_CHANGED || kind == JOURNAL_MOVED ||
           kind == JOURNAL_COPIED || kind == JOURNAL_EXPUNGED;
}

enum err journal_db__places_resolve(struct journal_db *j)
{
    enum err err = OK;
    for (size_t i = 0; i < j->waiting_n && err == OK; i++) {
        struct waiting *w = &j->waiting[i];
        struct cursor c = cursor_of(slice_sub(buf_view(&j->bytes), w->at, (size_t)w->at + w->n));
        struct journal_event e;
        if (!has_place(w->kind))
            continue;
        must(journal_event_decode(&c, &e) == OK); /* we encoded it */
        if (e.kind == JOURNAL_DELIVERED) {
            if (w->mail && e.number)
                err = place_put(j, e.address, e.name, e.number, w->mail);
            continue;
        }
        if (!w->mail && e.code)
            err = place_get(j, e.address, e.name, e.code, &w->mail);
        if (err == OK && w->mail && e.number && (e.kind == JOURNAL_MOVED || e.kind == JOURNAL_COPIED))
            err = place_put(j, e.address, e.text, e.number, w->mail);
    }
    return err;
}

enum err journal_db__places_prune(struct journal_db *j, uint64_t many)
{
    int64_t box[PRUNE_PLACES_MAX], uid[PRUNE_PLACES_MAX];
    size_t looked = 0, n = 0;
    enum err e;
    time_ms oldest = j->last_at;
    many = many < PRUNE_PLACES_MAX ? many : PRUNE_PLACES_MAX;
    {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(j->db, "SELECT at FROM event ORDER BY id LIMIT 1");
        if (stmt_row(q) == OK)
            oldest = stmt_i64(q, 0);
    }
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        j->db, "SELECT box, uid, mail FROM place WHERE (box, uid) > (?, ?) ORDER BY box, uid LIMIT ?");
    stmt_bind_i64(q, 1, j->swept_box);
    stmt_bind_i64(q, 2, j->swept_uid);
    stmt_bind_u64(q, 3, many);
    while ((e = stmt_row(q)) == OK) {
        j->swept_box = stmt_i64(q, 0);
        j->swept_uid = stmt_i64(q, 1);
        looked++;
        if (mail_id_time(stmt_u64(q, 2)) < oldest - MS_DAY) {
            box[n] = j->swept_box;
            uid[n++] = j->swept_uid;
        }
    }
    if (looked < many) {
        j->swept_box = INT64_MIN;
        j->swept_uid = 0;
    }
    for (size_t i = 0; i < n && e == ERR_NOT_FOUND; i++) {
        struct stmt *d CLEANUP(stmt_done) = db_stmt(j->db, "DELETE FROM place WHERE box = ? AND uid = ?");
        stmt_bind_i64(d, 1, box[i]);
        stmt_bind_i64(d, 2, uid[i]);
        enum err err = stmt_run(d);
        e = err ? err : e;
    }
    return e == ERR_NOT_FOUND ? OK : e;
}
