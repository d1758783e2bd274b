#include "store/queue.h"

#include "base/hash.h"
#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE_RECORD_MAX (QUEUE_PREFIX_MAX + 8192)
#define QUEUE_WAL_LONG   ((uint64_t)16 << 20)
#define QUEUE_GIVE_BACK  256 /* pages at a time */

static const char *const queue_migrations[] = {
    /* The first piece of the body lies in the message's row: most messages are one insert. The record comes
     * first, so reading it does not walk the body's pages. */
    "CREATE TABLE message (id INTEGER PRIMARY KEY, record BLOB NOT NULL, sum INTEGER NOT NULL,"
    " quarantine TEXT,"
    " body BLOB NOT NULL) STRICT;"
    "CREATE TABLE chunk (message INTEGER NOT NULL REFERENCES message(id), n INTEGER NOT NULL,"
    " sum INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, PRIMARY KEY (message, n)) STRICT;"
    "CREATE TABLE recipient (message INTEGER NOT NULL REFERENCES message(id), n INTEGER NOT NULL,"
    " state INTEGER NOT NULL, due INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (message, n))"
    " STRICT, WITHOUT ROWID;",
};

struct queue {
    struct db *db;
    char *path, *vfs;
    struct buf scratch;
    char trouble[256];
    bool trouble_new;
};

static enum err queue_rebuild(struct queue *q);

static enum err queue_open_db(const char *path, const char *vfs, struct db **out, struct err_detail *detail)
{
    const struct db_options o = {.path = path,
                                 .kind = "queue",
                                 .application_id = 0x50485155, /* PHQU */
                                 .migrations = queue_migrations,
                                 .migration_count = ARRAY_LEN(queue_migrations),
                                 .cache_kib = 2048,
                                 .give_back = true,
                                 .vfs = vfs};
    return db_open(&o, out, detail);
}

/* Are the tables what we think they are? A flipped octet in the schema shows as an error of ours otherwise.
 */
static enum err queue_check(struct db *db)
{
    static const char *const looks[] = {
        "SELECT id, record, sum, quarantine, body FROM message WHERE id = 0",
        "SELECT message, n, sum, bytes FROM chunk WHERE message = 0",
        "SELECT message, n, state, due, record FROM recipient WHERE message = 0",
        "INSERT INTO message (id, record, sum, body) VALUES (0, x'', 0, x'')",
        "INSERT INTO recipient (message, n, state, due, record) VALUES (0, 0, 1, 0, x'')",
        "INSERT INTO chunk (message, n, sum, bytes) VALUES (0, 0, 0, x'')",
    };
    struct db_txn t CLEANUP(db_rollback) = {0}; /* what is tried here is never kept */
    enum err e = db_begin(db, &t);
    for (size_t i = 0; e == OK && i < ARRAY_LEN(looks); i++) {
        struct stmt *s CLEANUP(stmt_done) = db_stmt(db, looks[i]);
        e = stmt_run(s);
    }
    return e == ERR_BUG || e == ERR_EXISTS ? ERR_CORRUPT : e;
}

/* Moves the file (and its log) to a free name beside it. False when that cannot be done. */
static bool queue_set_aside(struct queue *q, const char *what)
{
    char to[1024], from_log[1024], to_log[1024];
    for (unsigned n = 1; n < 1000 && !q->vfs; n++) {
        int length = snprintf(to, sizeof to, "%s.damaged-%u", q->path, n);
        if (length < 0 || (size_t)length + 4 >= sizeof to)
            return false;
        if (access(to, F_OK) == 0)
            continue;
        (void)snprintf(from_log, sizeof from_log, "%s-wal", q->path); /* shorter than what fitted above */
        (void)snprintf(to_log, sizeof to_log, "%.1000s-wal", to);
        (void)rename(from_log, to_log); /* there may be none */
        if (rename(q->path, to) < 0)
            return false;
        (void)snprintf(q->trouble, sizeof q->trouble,
                       "the queue's file was damaged and is now %.100s: %.100s", to, what);
        q->trouble_new = true;
        return true;
    }
    return false;
}

enum err queue_open(const char *path, const char *vfs, struct queue **out, struct err_detail *detail)
{
    struct queue *q = calloc(1, sizeof *q);
    enum err e;
    must(q);
    buf_init(&q->scratch, QUEUE_RECORD_MAX);
    q->path = strdup(path);
    q->vfs = vfs ? strdup(vfs) : NULL;
    must(q->path && (q->vfs || !vfs));
    e = queue_open_db(path, vfs, &q->db, detail);
    if (e == OK && queue_check(q->db) == ERR_CORRUPT)
        e = queue_rebuild(q);
    if ((e == ERR_CORRUPT || e == ERR_BUG) && queue_set_aside(q, "nothing in it can be read"))
        e = queue_open_db(path, vfs, &q->db, detail);
    if (e)
        queue_close(&q);
    else
        *out = q;
    return e;
}

const char *queue_trouble(struct queue *q)
{
    bool is_new = q->trouble_new;
    q->trouble_new = false;
    return is_new ? q->trouble : NULL;
}

void queue_close(struct queue **q)
{
    if (!*q)
        return;
    db_close(&(*q)->db);
    buf_done(&(*q)->scratch);
    free((*q)->path);
    free((*q)->vfs);
    free(*q);
    *q = NULL;
}

/* A broken database is closed and opened again, which reads back what is really on the disk. */
static enum err queue_ready(struct queue *q)
{
    if (q->db && db_broken(q->db))
        db_close(&q->db);
    return q->db ? OK : queue_open_db(q->path, q->vfs, &q->db, NULL);
}

/* --- writing */

static enum err queue_put_rcpt(struct queue *q, uint64_t id, const struct queue_rcpt *r, bool replace)
{
    struct stmt *s CLEANUP(stmt_done) =
        replace
            ? db_stmt(q->db,
                      "UPDATE recipient SET state = ?3, due = ?4, record = ?5 WHERE message = ?1 AND n = ?2")
            : db_stmt(q->db,
                      "INSERT INTO recipient (message, n, state, due, record) VALUES (?1, ?2, ?3, ?4, ?5)");
    enum err e;
    buf_clear(&q->scratch);
    if ((e = queue_rcpt_encode(r, &q->scratch)))
        return e;
    stmt_bind_u64(s, 1, id);
    stmt_bind_i64(s, 2, r->n);
    stmt_bind_i64(s, 3, r->state);
    stmt_bind_i64(s, 4, r->due);
    stmt_bind_blob(s, 5, buf_view(&q->scratch));
    return stmt_run(s);
}

/* To a message that may be gone meanwhile. */
static enum err queue_add_rcpt(struct queue *q, uint64_t id, const struct queue_rcpt *r)
{
    struct stmt *s CLEANUP(stmt_done) = db_stmt(q->db, "SELECT 1 FROM message WHERE id = ?");
    enum err e;
    stmt_bind_u64(s, 1, id);
    e = stmt_row(s);
    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    stmt_done(&s);
    e = queue_put_rcpt(q, id, r, false);
    return e == ERR_EXISTS ? OK : e;
}

static enum err queue_put_message(struct queue *q, const struct queue_message *m, slice first)
{
    struct stmt *s CLEANUP(stmt_done) =
        db_stmt(q->db, "INSERT INTO message (id, record, sum, body) VALUES (?, ?, ?, ?)");
    enum err e;
    buf_clear(&q->scratch);
    if ((e = queue_message_encode(m, &q->scratch)))
        return e;
    stmt_bind_u64(s, 1, m->id);
    stmt_bind_blob(s, 2, buf_view(&q->scratch));
    stmt_bind_i64(s, 3, (int64_t)queue_sum(first));
    stmt_bind_blob(s, 4, first);
    return stmt_run(s);
}

static enum err queue_add(struct queue *q, const struct queue_message *m, slice body, bool *out_existed)
{
    enum err e;
    if (m->n_rcpts == 0 || m->n_rcpts > QUEUE_RCPTS_MAX || m->body_bytes != body.n)
        return ERR_LIMIT;
    e = queue_put_message(q, m, slice_sub(body, 0, QUEUE_CHUNK));
    *out_existed = e == ERR_EXISTS;
    if (e == ERR_EXISTS)
        return OK; /* invariant 2 */
    for (size_t at = QUEUE_CHUNK, n = 1; e == OK && at < body.n; at += QUEUE_CHUNK, n++) {
        struct stmt *s CLEANUP(stmt_done) =
            db_stmt(q->db, "INSERT INTO chunk (message, n, sum, bytes) VALUES (?, ?, ?, ?)");
        slice bytes = slice_sub(body, at, at + QUEUE_CHUNK);
        stmt_bind_u64(s, 1, m->id);
        stmt_bind_u64(s, 2, n);
        stmt_bind_i64(s, 3, (int64_t)queue_sum(bytes));
        stmt_bind_blob(s, 4, bytes);
        e = stmt_run(s);
    }
    for (size_t i = 0; e == OK && i < m->n_rcpts; i++)
        e = queue_put_rcpt(q, m->id, &m->rcpts[i], false);
    return e;
}

static enum err queue_run_id(struct queue *q, const char *sql, uint64_t id)
{
    struct stmt *s CLEANUP(stmt_done) = db_stmt(q->db, sql);
    stmt_bind_u64(s, 1, id);
    return stmt_run(s);
}

static enum err queue_drop(struct queue *q, uint64_t id)
{
    enum err e = queue_run_id(q, "DELETE FROM recipient WHERE message = ?", id);
    if (e == OK)
        e = queue_run_id(q, "DELETE FROM chunk WHERE message = ?", id);
    return e ? e : queue_run_id(q, "DELETE FROM message WHERE id = ?", id);
}

static enum err queue_rcpt_done(struct queue *q, uint64_t id, uint32_t n, bool last)
{
    struct stmt *s CLEANUP(stmt_done) = NULL;
    if (last)
        return queue_drop(q, id);
    s = db_stmt(q->db, "DELETE FROM recipient WHERE message = ? AND n = ?");
    stmt_bind_u64(s, 1, id);
    stmt_bind_i64(s, 2, n);
    return stmt_run(s);
}

static enum err queue_do(struct queue *q, struct queue_op *op)
{
    switch (op->type) {
    case QUEUE_ADD:
        return queue_add(q, op->message, op->body, &op->existed);
    case QUEUE_RCPT:
        return queue_put_rcpt(q, op->id, &op->rcpt, true);
    case QUEUE_RCPT_ADD:
        return queue_add_rcpt(q, op->id, &op->rcpt);
    case QUEUE_RCPT_DONE:
        return queue_rcpt_done(q, op->id, op->rcpt.n, op->last);
    case QUEUE_DROP:
        return queue_drop(q, op->id);
    }
    return ERR_BUG;
}

static enum err queue_write_once(struct queue *q, struct queue_op *ops, size_t n)
{
    struct db_txn t CLEANUP(db_rollback) = {0};
    enum err e = queue_ready(q);
    if (e || (e = db_begin(q->db, &t)))
        return e;
    for (size_t i = 0; i < n; i++)
        if ((e = queue_do(q, &ops[i])))
            return e;
    return db_commit(&t);
}

enum err queue_write(struct queue *q, struct queue_op *ops, size_t n)
{
    enum err e = queue_write_once(q, ops, n);
    if (e == ERR_CORRUPT && queue_rebuild(q) == OK)
        e = queue_write_once(q, ops, n);
    return e;
}

enum err queue_quarantine(struct queue *q, uint64_t id, slice reason)
{
    struct db_txn t CLEANUP(db_rollback) = {0};
    struct stmt *s CLEANUP(stmt_done) = NULL;
    enum err e = queue_ready(q);
    if (e || (e = db_begin(q->db, &t)))
        return e;
    s = db_stmt(q->db, "UPDATE message SET quarantine = ?2 WHERE id = ?1");
    stmt_bind_u64(s, 1, id);
    stmt_bind_text(s, 2, reason);
    e = stmt_run(s);
    stmt_done(&s); /* a statement in use would hold the transaction open */
    return e ? e : db_commit(&t);
}

/* --- reading */

static enum err queue_bad(struct queue *q, uint64_t id, const char *reason)
{
    IGNORE_RESULT(queue_quarantine(q, id, slice_str(reason)),
                  "on a damaged disk it may fail; the caller leaves the message alone either way");
    return ERR_CORRUPT;
}

static enum err queue_load_message(struct queue *q, uint64_t id, struct arena *arena,
                                   struct queue_message *out)
{
    struct stmt *s CLEANUP(stmt_done) =
        db_stmt(q->db, "SELECT record, quarantine IS NOT NULL FROM message WHERE id = ?");
    struct queue_message m = {.id = id};
    slice record;
    enum err e;
    stmt_bind_u64(s, 1, id);
    if ((e = stmt_row(s)))
        return e;
    if (stmt_i64(s, 1))
        return ERR_CORRUPT;
    if (!arena_dup(arena, stmt_slice(s, 0), &record))
        return ERR_LIMIT;
    stmt_done(&s);
    if (queue_message_decode(record, &m))
        return queue_bad(q, id, "its envelope is damaged");
    *out = m;
    return OK;
}

static enum err queue_count(struct queue *q, uint64_t id, size_t *out)
{
    struct stmt *s CLEANUP(stmt_done) = db_stmt(q->db, "SELECT count(*) FROM recipient WHERE message = ?");
    enum err e;
    stmt_bind_u64(s, 1, id);
    e = stmt_row(s);
    if (e == OK)
        *out = (size_t)stmt_u64(s, 0);
    return e;
}

static enum err queue_load_rcpts(struct queue *q, struct arena *arena, struct queue_message *m, size_t n)
{
    struct stmt *s CLEANUP(stmt_done) =
        db_stmt(q->db, "SELECT n, record, state, due FROM recipient WHERE message = ? ORDER BY n");
    enum err e;
    m->rcpts = ARENA_ARRAY(arena, n, struct queue_rcpt);
    if (!m->rcpts)
        return ERR_LIMIT;
    stmt_bind_u64(s, 1, m->id);
    while (m->n_rcpts < n && (e = stmt_row(s)) != ERR_NOT_FOUND) {
        struct queue_rcpt *r = &m->rcpts[m->n_rcpts];
        slice record;
        if (e)
            return e;
        if (!arena_dup(arena, stmt_slice(s, 1), &record))
            return ERR_LIMIT;
        r->n = (uint32_t)stmt_i64(s, 0);
        if (queue_rcpt_decode(record, r) || (int64_t)r->state != stmt_i64(s, 2) || r->due != stmt_i64(s, 3))
            return ERR_CORRUPT;
        m->n_rcpts++;
    }
    return m->n_rcpts ? OK : ERR_CORRUPT;
}

enum err queue_load(struct queue *q, uint64_t id, struct arena *arena, struct queue_message *out)
{
    struct queue_message m = {.id = id};
    size_t n = 0;
    enum err e = queue_ready(q);
    if (e)
        return e;
    e = queue_load_message(q, id, arena, &m);
    if (e == OK)
        e = queue_count(q, id, &n);
    if (e == OK)
        e = n <= QUEUE_RCPTS_MAX ? queue_load_rcpts(q, arena, &m, n) : ERR_CORRUPT;
    if (e == ERR_CORRUPT)
        return queue_bad(q, id, "a recipient of it is damaged");
    if (e == OK)
        *out = m;
    return e;
}

static enum err queue_body_chunks(struct queue *q, uint64_t id, struct buf *out, uint64_t *out_n)
{
    struct stmt *s CLEANUP(stmt_done) =
        db_stmt(q->db, "SELECT n, sum, bytes FROM chunk WHERE message = ? ORDER BY n");
    uint64_t n = 0;
    enum err e;
    stmt_bind_u64(s, 1, id);
    while ((e = stmt_row(s)) == OK) {
        slice bytes = stmt_slice(s, 2);
        if (stmt_u64(s, 0) != ++n || (uint64_t)stmt_i64(s, 1) != queue_sum(bytes))
            return ERR_CORRUPT;
        if ((e = buf_append(out, bytes)))
            return e;
    }
    *out_n = n;
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err queue_body_first(struct queue *q, uint64_t id, struct buf *out)
{
    struct stmt *s CLEANUP(stmt_done) = db_stmt(q->db, "SELECT sum, body FROM message WHERE id = ?");
    enum err e;
    stmt_bind_u64(s, 1, id);
    if ((e = stmt_row(s)))
        return e;
    return (uint64_t)stmt_i64(s, 0) == queue_sum(stmt_slice(s, 1)) ? buf_append(out, stmt_slice(s, 1))
                                                                   : ERR_CORRUPT;
}

enum err queue_body(struct queue *q, uint64_t id, struct buf *out)
{
    size_t before = out->n;
    uint64_t chunks;
    enum err e = queue_ready(q);
    if (e == OK)
        e = queue_body_first(q, id, out);
    if (e == OK && out->n - before == QUEUE_CHUNK)
        e = queue_body_chunks(q, id, out, &chunks);
    if (e)
        buf_truncate(out, before);
    return e == ERR_CORRUPT ? queue_bad(q, id, "its body is damaged") : e;
}

static enum err queue_each_once(struct queue *q, uint64_t after,
                                bool (*fn)(void *arg, const struct queue_entry *row), void *arg)
{
    struct stmt *s CLEANUP(stmt_done) = NULL;
    enum err e = queue_ready(q);
    if (e)
        return e;
    s = db_stmt(q->db,
                "SELECT m.id, m.quarantine, count(r.n) FILTER (WHERE r.state = 1),"
                " count(r.n) FILTER (WHERE r.state != 1), min(r.due) FILTER (WHERE r.state != 2)"
                " FROM message m LEFT JOIN recipient r ON r.message = m.id WHERE m.id > ? GROUP BY m.id"
                " ORDER BY m.id");
    stmt_bind_u64(s, 1, after);
    while ((e = stmt_row(s)) == OK) {
        struct queue_entry row = {.id = stmt_u64(s, 0),
                                  .quarantine = stmt_slice(s, 1),
                                  .waiting = (uint32_t)stmt_u64(s, 2),
                                  .held = (uint32_t)stmt_u64(s, 3),
                                  .due = stmt_null(s, 4) ? INT64_MAX : stmt_i64(s, 4)};
        if (!fn(arg, &row))
            return OK;
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err queue_each(struct queue *q, uint64_t after, bool (*fn)(void *arg, const struct queue_entry *row),
                    void *arg)
{
    enum err e = queue_each_once(q, after, fn, arg);
    if (e == ERR_CORRUPT && queue_rebuild(q) == OK)
        e = queue_each_once(q, after, fn, arg); /* those before the damage are told twice */
    return e;
}

/* --- a damaged file */

struct queue_ids {
    struct map seen;
    uint64_t *ids;
    size_t n, room;
};

/* Ids that a query gives until it ends or breaks. */
static void queue_ids_add(struct queue *q, const char *sql, struct queue_ids *l)
{
    struct stmt *s CLEANUP(stmt_done) = db_stmt(q->db, sql);
    while (stmt_row(s) == OK) {
        uint64_t id = stmt_u64(s, 0);
        if (id == 0 || map_put(&l->seen, id, l))
            continue;
        if (l->n == l->room) {
            l->room = l->room ? 2 * l->room : 256;
            l->ids = realloc(l->ids, l->room * sizeof *l->ids);
            must(l->ids);
        }
        l->ids[l->n++] = id;
    }
}

static bool queue_move(struct queue *from, struct queue *to, uint64_t id)
{
    struct queue_message m;
    struct arena a;
    struct buf body CLEANUP(buf_done);
    struct queue_op op = {.type = QUEUE_ADD, .id = id, .message = &m};
    enum err e;
    arena_init(&a, "moved message", (size_t)64 << 20);
    buf_init(&body, (size_t)1 << 30);
    e = queue_load(from, id, &a, &m);
    if (e == OK)
        e = queue_body(from, id, &body);
    op.body = buf_view(&body);
    if (e == OK)
        e = queue_write_once(to, &op, 1);
    arena_done(&a);
    return e == OK;
}

/* Invariant 4. The new file is whole before it takes the old one's name; a crash before that leaves all as it
 * was. */
static enum err queue_rebuild(struct queue *q)
{
    char path[1024], what[64];
    struct queue next = {.path = path};
    struct queue_ids l = {0};
    size_t moved = 0;
    enum err e;
    if (q->vfs || snprintf(path, sizeof path, "%s.new", q->path) >= (int)sizeof path)
        return ERR_UNSUPPORTED;
    (void)unlink(path); /* of an earlier attempt, perhaps */
    e = queue_open_db(path, NULL, &next.db, NULL);
    if (e)
        return e;
    buf_init(&next.scratch, QUEUE_RECORD_MAX);
    queue_ids_add(q, "SELECT id FROM message ORDER BY id", &l);
    queue_ids_add(q, "SELECT id FROM message ORDER BY id DESC", &l); /* what lies behind the damage */
    queue_ids_add(q, "SELECT message FROM recipient", &l);
    for (size_t i = 0; i < l.n; i++)
        moved += queue_move(q, &next, l.ids[i]);
    (void)snprintf(what, sizeof what, "%zu of %zu messages were saved", moved, l.n);
    map_done(&l.seen);
    free(l.ids);
    buf_done(&next.scratch);
    db_close(&next.db);
    db_close(&q->db);
    if (!queue_set_aside(q, what) || rename(path, q->path) < 0)
        return ERR_IO;
    return queue_open_db(q->path, NULL, &q->db, NULL);
}

enum err queue_tidy(struct queue *q)
{
    uint64_t left;
    enum err e = queue_ready(q);
    if (e || db_wal_bytes(q->db) < QUEUE_WAL_LONG)
        return e;
    e = db_give_back(q->db, QUEUE_GIVE_BACK, &left);
    return e ? e : db_checkpoint(q->db);
}
