#include "store/journal_db__.h"

#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define APPLICATION_ID 0x50484a4c /* "PHJL" */
#define ROW_BYTES_MAX  16384
#define KEYS_RECENT    8
#define WAL_BYTES_MAX  (4u << 20)
#define PRUNE_ROWS_MIN 64

static const char *const migrations[] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    /* mail: 0 for the house. at: Unix ms of the commit. bytes: checksum, then encoded events without mail id
     */
    "CREATE TABLE event (id INTEGER PRIMARY KEY, mail INTEGER NOT NULL, at INTEGER NOT NULL,"
    " bytes BLOB NOT NULL) STRICT;"
    "CREATE INDEX event_mail ON event (mail, id) WHERE mail <> 0;"
    /* key: keyed hash of a text. what: a mail id, or minus the id of an event row of the house */
    "CREATE TABLE found (bucket INTEGER NOT NULL, key INTEGER NOT NULL, what INTEGER NOT NULL,"
    " PRIMARY KEY (bucket, key, what)) STRICT, WITHOUT ROWID;",
    /* where a message lies: box: keyed hash of account and mailbox. What sessions do is told by mailbox and
       UID; here it becomes part of the message's journey */
    "CREATE TABLE place (box INTEGER NOT NULL, uid INTEGER NOT NULL, mail INTEGER NOT NULL,"
    " PRIMARY KEY (box, uid))"
    " STRICT, WITHOUT ROWID;",
};

const struct journal_db_limits journal_db_defaults = {
    .keep_days = 90, .bytes_max = (uint64_t)1 << 30, .pending_max = (size_t)4 << 20};

#define X(id, number, name)                                                                                  \
    static_assert((number) < ARRAY_LEN(((struct journal_db *)0)->lost), "lost[] has room for every role");
JOURNAL_ROLES(X)
#undef X

/* --- opening */

static enum err load_key(struct journal_db *j)
{
    struct hash_key key;
    {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(j->db, "SELECT value FROM meta WHERE name = 'key'");
        enum err e = stmt_row(q);
        if (e == OK && stmt_slice(q, 0).n == sizeof j->key) {
            memcpy(&j->key, stmt_slice(q, 0).p, sizeof j->key);
            return OK;
        }
        if (e != ERR_NOT_FOUND)
            return e ? e : ERR_CORRUPT;
    }
    key = entropy_hash_key();
    struct stmt *q CLEANUP(stmt_done) = db_stmt(j->db, "INSERT INTO meta (name, value) VALUES ('key', ?)");
    stmt_bind_blob(q, 1, slice_of(&key, sizeof key));
    enum err e = stmt_run(q);
    if (e == OK)
        j->key = key;
    return e;
}

static enum err load_last(struct journal_db *j)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(j->db, "SELECT at FROM event ORDER BY id DESC LIMIT 1");
    enum err e = stmt_row(q);
    if (e == OK)
        j->last_at = stmt_i64(q, 0);
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err open_file(struct journal_db *j, struct err_detail *detail)
{
    struct db_options o = {.path = j->path,
                           .kind = "journal",
                           .application_id = APPLICATION_ID,
                           .migrations = migrations,
                           .migration_count = ARRAY_LEN(migrations),
                           .cache_kib = 1024,
                           .vfs = j->vfs};
    enum err e = db_open(&o, &j->db, detail);
    if (e)
        return e;
    e = load_key(j);
    if (e == OK)
        e = load_last(j);
    if (e) {
        err_detail_set(detail, "the journal %s cannot be read: %s", j->path, db_message(j->db));
        db_close(&j->db);
    }
    return e;
}

enum err journal_db_open(const char *path, const char *vfs, const struct journal_db_limits *limits,
                         struct journal_db **out, bool *out_set_aside, struct err_detail *detail)
{
    struct journal_db *j CLEANUP(journal_db_close) = calloc(1, sizeof *j);
    bool set_aside = false;
    enum err e;

    must(j);
    j->path = strdup(path);
    must(j->path);
    j->vfs = vfs;
    j->swept_box = INT64_MIN;
    j->limits = *limits;
    buf_init(&j->bytes, limits->pending_max);
    e = open_file(j, detail);
    if (e == ERR_CORRUPT) {
        if (!db_set_aside(path))
            return e;
        set_aside = true;
        e = open_file(j, detail);
    }
    if (e)
        return e;
    *out_set_aside = set_aside;
    *out = j;
    j = NULL;
    return OK;
}

void journal_db_close(struct journal_db **j)
{
    if (!*j)
        return;
    if ((*j)->db)
        IGNORE_RESULT(journal_db_commit(*j, (*j)->last_at), "closing: there is nobody left to try again");
    db_close(&(*j)->db);
    buf_done(&(*j)->bytes);
    free((*j)->waiting);
    free((*j)->path);
    free(*j);
    *j = NULL;
}

/* --- taking events */

void journal_db_lost(struct journal_db *j, enum journal_role role, uint64_t count)
{
    must(journal_role_name((unsigned)role));
    j->lost[role] += count;
}

static bool push(struct journal_db *j, const struct journal_event *e)
{
    struct journal_event bare = *e;
    size_t before = j->bytes.n;
    bare.mail = 0;
    if (journal_event_encode(&j->bytes, &bare))
        return false;
    if (j->waiting_n == j->waiting_cap) {
        j->waiting_cap = size_max(64, j->waiting_cap * 2); /* bounded, because the bytes are */
        j->waiting = realloc(j->waiting, j->waiting_cap * sizeof *j->waiting);
        must(j->waiting);
    }
    j->waiting[j->waiting_n++] = (struct waiting){.mail = e->mail,
                                                  .at = (uint32_t)before,
                                                  .n = (uint32_t)(j->bytes.n - before),
                                                  .kind = (uint8_t)e->kind};
    return true;
}

void journal_db_add(struct journal_db *j, const struct journal_event *e)
{
    if (!push(j, e))
        journal_db_lost(j, e->role, 1);
}

size_t journal_db_pending(const struct journal_db *j)
{
    for (size_t i = 0; i < ARRAY_LEN(j->lost); i++)
        if (j->lost[i])
            return j->bytes.n + 1;
    return j->bytes.n;
}

/* --- committing */

struct writer {
    struct journal_db *j;
    int64_t bucket;
    time_ms at;
    int64_t recent[KEYS_RECENT]; /* keys of this mail just written: most repeat */
    size_t recent_n;
};

static enum err write_key(struct writer *w, slice text, int64_t what)
{
    int64_t key = journal_db__key(w->j, text);
    for (size_t i = 0; i < size_min(w->recent_n, KEYS_RECENT); i++)
        if (w->recent[i] == key)
            return OK;
    w->recent[w->recent_n++ % KEYS_RECENT] = key;
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(w->j->db, "INSERT OR IGNORE INTO found (bucket, key, what) VALUES (?, ?, ?)");
    stmt_bind_i64(q, 1, w->bucket);
    stmt_bind_i64(q, 2, key);
    stmt_bind_i64(q, 3, what);
    w->j->keys_added++;
    return stmt_run(q);
}

static enum err write_row(struct writer *w, uint64_t mail, slice events)
{
    uint8_t row[CHECKSUM_BYTES + ROW_BYTES_MAX + JOURNAL_EVENT_MAX];
    uint64_t sum = journal_db__sum(events);
    struct cursor c = cursor_of(events);
    struct journal_event e;
    int64_t what;

    must(events.n <= sizeof row - CHECKSUM_BYTES);
    memcpy(row, &sum, CHECKSUM_BYTES);
    memcpy(row + CHECKSUM_BYTES, events.p, events.n);
    {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(w->j->db, "INSERT INTO event (mail, at, bytes) VALUES (?, ?, ?)");
        stmt_bind_i64(q, 1, (int64_t)mail);
        stmt_bind_i64(q, 2, w->at);
        stmt_bind_blob(q, 3, slice_of(row, CHECKSUM_BYTES + events.n));
        enum err err = stmt_run(q);
        if (err)
            return err;
    }
    w->j->rows_added++;
    w->recent_n = 0;
    what = mail ? (int64_t)mail : -db_last_id(w->j->db);
    while (journal_event_decode(&c, &e) == OK) {
        slice keys[3];
        size_t n = journal_db__keys_of(&e, keys);
        for (size_t i = 0; i < n; i++) {
            enum err err = write_key(w, keys[i], what);
            if (err)
                return err;
        }
    }
    must(cursor_end(&c)); /* we encoded them */
    return OK;
}

static int compare_arrival(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int compare_waiting(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    if (x->mail != y->mail)
        return x->mail < y->mail ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

/* The pending events, those of a mail together. */
static enum err write_all(struct writer *w)
{
    struct journal_db *j = w->j;
    CLEANUP(buf_done) struct buf row = {.max = ROW_BYTES_MAX + JOURNAL_EVENT_MAX};

    qsort(j->waiting, j->waiting_n, sizeof *j->waiting, compare_waiting);
    for (size_t i = 0; i < j->waiting_n; i++) {
        const struct waiting *it = &j->waiting[i];
        bool last = i + 1 == j->waiting_n || it[1].mail != it->mail;
        must(buf_append(&row, slice_sub(buf_view(&j->bytes), it->at, (size_t)it->at + it->n)) == OK);
        if (!last && row.n < ROW_BYTES_MAX)
            continue;
        enum err e = write_row(w, it->mail, buf_view(&row));
        if (e)
            return e;
        buf_clear(&row);
    }
    return OK;
}

/* --- growing no further */

uint64_t journal_db_bytes(struct journal_db *j)
{
    return j->db ? db_used_bytes(j->db) : 0;
}

uint64_t journal_db_rows(struct journal_db *j)
{
    return j->db ? db_number(j->db, "SELECT count(*) FROM event") : 0;
}

static enum err prune(struct journal_db *j, time_ms now)
{
    uint64_t rows = PRUNE_ROWS_MIN + 2 * j->rows_added, keys = PRUNE_ROWS_MIN + 2 * j->keys_added + rows;
    bool full = journal_db_bytes(j) > j->limits.bytes_max;
    enum err e;
    {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(
            j->db,
            "DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?1) AND (?2 OR at < ?3)");
        stmt_bind_u64(q, 1, rows);
        stmt_bind_i64(q, 2, full);
        stmt_bind_i64(q, 3, now - (time_ms)j->limits.keep_days * MS_DAY);
        e = stmt_run(q);
        if (e || (db_changes(j->db) == 0 && !j->keys_left))
            return e;
    }
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(j->db, "DELETE FROM found WHERE (bucket, key, what) IN (SELECT bucket, key, what FROM found"
                       " ORDER BY bucket, key, what LIMIT ?1)"
                       " AND bucket < (SELECT at FROM event ORDER BY id LIMIT 1) / ?2");
    stmt_bind_u64(q, 1, keys);
    stmt_bind_i64(q, 2, BUCKET_MS);
    e = stmt_run(q);
    j->keys_left = e == OK && db_changes(j->db) == keys;
    return e;
}

static void tell_losses(struct journal_db *j, time_ms now)
{
    for (unsigned role = 0; role < ARRAY_LEN(j->lost); role++) {
        struct journal_event e = {.at = now,
                                  .role = JOURNAL_ROLE_JOURNAL,
                                  .kind = JOURNAL_EVENTS_DROPPED,
                                  .name = slice_str(journal_role_name(role)),
                                  .number = j->lost[role]};
        if (j->lost[role] && push(j, &e))
            j->lost[role] = 0;
    }
}

static enum err commit(struct journal_db *j, time_ms now)
{
    struct writer w = {.j = j, .at = now > j->last_at ? now : j->last_at};
    struct db_txn t CLEANUP(db_rollback) = {0};
    enum err e = db_begin(j->db, &t);

    w.bucket = w.at / BUCKET_MS;
    j->rows_added = j->keys_added = 0;
    if (e == OK)
        e = journal_db__places_resolve(j);
    if (e == OK)
        e = write_all(&w);
    if (e == OK)
        e = prune(j, w.at);
    if (e == OK)
        e = journal_db__places_prune(j, PRUNE_ROWS_MIN + 2 * j->rows_added);
    if (e == OK)
        e = db_commit(&t);
    if (e == OK)
        j->last_at = w.at;
    return e;
}

enum err journal_db_commit(struct journal_db *j, time_ms now)
{
    enum err e;
    if (!j->db) { /* a failed sync closed it, and it could not be opened again then */
        struct err_detail d = {{0}};
        e = open_file(j, &d);
        if (e)
            return e;
    }
    tell_losses(j, now);
    if (j->waiting_n == 0)
        return OK;
    e = commit(j, now);
    if (e == OK && db_wal_bytes(j->db) > WAL_BYTES_MAX)
        IGNORE_RESULT(db_checkpoint(j->db), "the batch is in the log; a broken database shows below");
    if (db_broken(j->db)) {
        struct err_detail d = {{0}};
        db_close(&j->db);
        IGNORE_RESULT(open_file(j, &d), "the next commit tries again");
        e = e ? e : ERR_IO;
    }
    if (e == OK || e == ERR_IO) {
        j->waiting_n = 0;
        buf_clear(&j->bytes);
    } else {
        qsort(j->waiting, j->waiting_n, sizeof *j->waiting, compare_arrival); /* for the next attempt */
    }
    return e;
}

void journal_db_rest(struct journal_db *j)
{
    if (!j->db)
        return;
    IGNORE_RESULT(db_checkpoint(j->db), "the next commit sees a broken database");
    db_shrink(j->db);
}
