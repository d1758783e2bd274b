#include "store/journal_db.h"

#include "base/hash.h"
#include "base/mail_id.h"
#include "store/db.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define APPLICATION_ID   0x50484a4c /* "PHJL" */
#define BUCKET_MS        (15 * MS_MINUTE)
#define ROW_BYTES_MAX    16384
#define KEYS_RECENT      8
#define CHECKSUM_BYTES   8
#define WAL_BYTES_MAX    (4u << 20)
#define PRUNE_ROWS_MIN   64
#define PRUNE_PLACES_MAX 1024

static const char *const migrations[] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    /* mail: 0 for the house. at: Unix ms of the commit. bytes: checksum, then encoded events without mail id
     */
    "CREATE TABLE event (id INTEGER PRIMARY KEY, mail INTEGER NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT "
    "NULL) STRICT;"
    "CREATE INDEX event_mail ON event (mail, id) WHERE mail <> 0;"
    /* key: keyed hash of a text. what: a mail id, or minus the id of an event row of the house */
    "CREATE TABLE found (bucket INTEGER NOT NULL, key INTEGER NOT NULL, what INTEGER NOT NULL,"
    " PRIMARY KEY (bucket, key, what)) STRICT, WITHOUT ROWID;",
    /* where a message lies: box: keyed hash of account and mailbox. What sessions do is told by mailbox and
       UID; here it becomes part of the message's journey */
    "CREATE TABLE place (box INTEGER NOT NULL, uid INTEGER NOT NULL, mail INTEGER NOT NULL, PRIMARY KEY "
    "(box, uid))"
    " STRICT, WITHOUT ROWID;",
};

const struct journal_db_limits journal_db_defaults = {
    .keep_days = 90, .bytes_max = (uint64_t)1 << 30, .pending_max = (size_t)4 << 20};

/* An event that waits: its mail, its place in the pending bytes, and the order it came in. */
struct waiting {
    uint64_t mail;
    uint32_t at, n;
    uint8_t kind;
};

struct journal_db {
    struct db *db;
    char *path;
    const char *vfs;
    struct journal_db_limits limits;
    struct hash_key key;
    struct buf bytes; /* encoded pending events, mail id left out */
    struct waiting *waiting;
    size_t waiting_n, waiting_cap;
    uint64_t lost[16]; /* by role */
    time_ms last_at;
    int64_t swept_box, swept_uid;    /* prune_places() goes on behind this one */
    uint64_t rows_added, keys_added; /* by the commit in hand */
    bool keys_left;                  /* the index still holds what its events are gone from */
};

static_assert(JOURNAL_ROLE_JOURNAL < 16, "lost[] has room for every role");

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

/* --- keys */

/* The part of a text that counts for finding it: without <> and spaces, the IP address alone of a peer. */
static slice key_text(slice s)
{
    size_t open = slice_rindex(s, '['), shut = slice_rindex(s, ']');
    if (open < s.n && shut < s.n && open < shut)
        return slice_sub(s, open + 1, shut);
    s = slice_trim(s);
    if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
        s = slice_sub(s, 1, s.n - 1);
    return s;
}

static int64_t key_hash(const struct journal_db *j, slice text)
{
    uint8_t folded[JOURNAL_NAME_MAX];
    slice s = slice_sub(key_text(text), 0, sizeof folded);
    for (size_t i = 0; i < s.n; i++)
        folded[i] = ascii_lower(s.p[i]);
    return (int64_t)hash_slice(&j->key, slice_of(folded, s.n));
}

/* The texts by which an event is found, at most three. */
static size_t keys_of(const struct journal_event *e, slice out[3])
{
    unsigned by = journal_kind_found_by((unsigned)e->kind);
    size_t n = 0;
    if ((by & JOURNAL_BY_ADDRESS) && e->address.n)
        out[n++] = e->address;
    if ((by & JOURNAL_BY_NAME) && e->name.n)
        out[n++] = e->name;
    if ((by & JOURNAL_BY_PEER) && e->peer.n)
        out[n++] = e->peer;
    return n;
}

static bool is_about(const struct journal_event *e, slice wanted)
{
    slice keys[3];
    size_t n = keys_of(e, keys);
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(key_text(keys[i]), wanted))
            return true;
    return false;
}

/* --- committing */

/* Fixed key: it finds accidents, not enemies; who can write the file can write the checksum. */
static uint64_t checksum(slice s)
{
    static const struct hash_key fixed = {0x706f7374686f726e, 0x6a6f75726e616c31};
    return hash_slice(&fixed, s);
}

struct writer {
    struct journal_db *j;
    int64_t bucket;
    time_ms at;
    int64_t recent[KEYS_RECENT]; /* keys of this mail just written: most repeat */
    size_t recent_n;
};

static enum err write_key(struct writer *w, slice text, int64_t what)
{
    int64_t key = key_hash(w->j, text);
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
    uint64_t sum = checksum(events);
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
        size_t n = keys_of(&e, keys);
        for (size_t i = 0; i < n; i++) {
            enum err err = write_key(w, keys[i], what);
            if (err)
                return err;
        }
    }
    must(cursor_end(&c)); /* we encoded them */
    return OK;
}

/* --- places: (account, mailbox, UID) -> mail */

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

/* Gives the events of sessions the mail they are about, in the order in which things happened. */
static enum err resolve_places(struct journal_db *j)
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

/* Looks at some places each time, round and round, and forgets those whose mail is older than the oldest
 * event. */
static enum err prune_places(struct journal_db *j, uint64_t many)
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

static uint64_t one_number(struct db *db, const char *sql)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db, sql);
    return stmt_row(q) == OK ? stmt_u64(q, 0) : 0;
}

uint64_t journal_db_bytes(struct journal_db *j)
{
    if (!j->db)
        return 0;
    uint64_t pages = one_number(j->db, "PRAGMA page_count"),
             unused = one_number(j->db, "PRAGMA freelist_count");
    return (pages - unused) * one_number(j->db, "PRAGMA page_size");
}

uint64_t journal_db_rows(struct journal_db *j)
{
    return j->db ? one_number(j->db, "SELECT count(*) FROM event") : 0;
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
        e = resolve_places(j);
    if (e == OK)
        e = write_all(&w);
    if (e == OK)
        e = prune(j, w.at);
    if (e == OK)
        e = prune_places(j, PRUNE_ROWS_MIN + 2 * j->rows_added);
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

/* --- reading */

/* Adds the events of one row (its checksum in front) that are about wanted (any, when that is empty). */
static bool read_row(slice row, uint64_t mail, slice wanted, size_t max, struct arena *a,
                     struct journal_db_events *out)
{
    slice sum, copy;
    struct cursor c = cursor_of(row);
    uint64_t want;
    struct journal_event e;

    if (!cursor_bytes(&c, CHECKSUM_BYTES, &sum)) {
        out->damaged++;
        return true;
    }
    memcpy(&want, sum.p, CHECKSUM_BYTES);
    if (checksum(c.rest) != want) {
        out->damaged++;
        return true;
    }
    if (!arena_dup(a, c.rest, &copy)) {
        out->cut = true;
        return false;
    }
    c = cursor_of(copy);
    while (journal_event_decode(&c, &e) == OK) {
        if (wanted.n && !is_about(&e, wanted))
            continue;
        if (out->n == max) {
            out->cut = true;
            return false;
        }
        e.mail = mail;
        out->items[out->n++] = e;
    }
    return true;
}

/* A damaged page is told like a damaged row: the rest of the answer counts (THREATS 60). */
static enum err at_end(enum err e, struct journal_db_events *out)
{
    if (e == ERR_CORRUPT)
        out->damaged++;
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
}

enum err journal_db_by_mail(struct journal_db *j, uint64_t mail, size_t max, struct arena *a,
                            struct journal_db_events *out)
{
    struct journal_db_events r = {.items = ARENA_ARRAY(a, max, struct journal_event)};
    enum err e = OK;
    if (!r.items)
        return ERR_LIMIT;
    if (!j->db)
        return ERR_IO;
    if (mail != 0) {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(j->db, "SELECT bytes FROM event WHERE mail = ? AND mail <> 0 ORDER BY id");
        stmt_bind_i64(q, 1, (int64_t)mail);
        while ((e = stmt_row(q)) == OK)
            if (!read_row(stmt_slice(q, 0), mail, (slice){0}, max, a, &r))
                break;
        e = at_end(e, &r);
    }
    if (e == OK)
        *out = r;
    return e;
}

/* Ids of event rows of the house, newest first, turned into events, oldest first. */
static enum err read_house(struct journal_db *j, const int64_t *ids, size_t n, slice wanted, size_t max,
                           struct arena *a, struct journal_db_events *out)
{
    enum err e = OK;
    while (n > 0 && e == OK) {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(j->db, "SELECT bytes FROM event WHERE id = ? AND mail = 0");
        stmt_bind_i64(q, 1, ids[--n]);
        e = stmt_row(q);
        if (e == OK && !read_row(stmt_slice(q, 0), 0, wanted, max, a, out))
            break;
        e = at_end(e, out);
    }
    return e;
}

static bool known(const uint64_t *mails, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (mails[i] == id)
            return true;
    return false;
}

enum err journal_db_find(struct journal_db *j, slice text, time_ms since, size_t max, struct arena *a,
                         struct journal_db_found *out)
{
    struct journal_db_found r = {.mails = ARENA_ARRAY(a, max, uint64_t)};
    int64_t *house = ARENA_ARRAY(a, max, int64_t);
    size_t house_n = 0;
    int64_t key = key_hash(j, text), last, bucket;
    enum err e = OK;

    r.house.items = ARENA_ARRAY(a, max, struct journal_event);
    if (!r.mails || !house || !r.house.items)
        return ERR_LIMIT;
    if (!j->db)
        return ERR_IO;
    last = (int64_t)one_number(j->db, "SELECT min(bucket) FROM found");
    if (since / BUCKET_MS > last)
        last = since / BUCKET_MS;
    for (bucket = j->last_at / BUCKET_MS; bucket >= last && !r.more && e == OK; bucket--) {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(j->db, "SELECT what FROM found WHERE bucket = ? AND key = ? ORDER BY abs(what) DESC");
        stmt_bind_i64(q, 1, bucket);
        stmt_bind_i64(q, 2, key);
        while ((e = stmt_row(q)) == OK) {
            int64_t what = stmt_i64(q, 0);
            if (what > 0 && known(r.mails, r.n, (uint64_t)what))
                continue;
            if (what > 0 && r.n < max)
                r.mails[r.n++] = (uint64_t)what;
            else if (what <= 0 && house_n < max)
                house[house_n++] = -what;
            else
                r.more = true; /* this quarter of an hour is looked through to its end, older ones are not */
        }
        e = at_end(e, &r.house);
    }
    if (e == OK)
        e = read_house(j, house, house_n, key_text(text), max, a, &r.house);
    if (e == OK)
        *out = r;
    return e;
}
