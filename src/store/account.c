/* See account.h: opening and closing, handles, counters, the frame of every transaction. */
#include "store/account__.h"

#include <stdlib.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#define KEEP_DAYS_MAX 36500 /* a hundred years: for ever */

#define ACCOUNT_APPLICATION_ID 0x50484131u /* "PHA1" */

void *account__alloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    must(p != NULL);
    return p;
}

void *account__grow(void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return array;
    size_t more = *room + *room / 2 + 8;
    void *p = reallocarray(array, more, size);
    must(p != NULL);
    *room = more;
    return p;
}

char *account__text(slice s)
{
    char *p = account__alloc(s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

void account__text_free(char **p)
{
    free(*p);
    *p = NULL;
}

time_ms account_keep_ms(uint64_t days)
{
    if (days == 0)
        return 1;
    return (time_ms)(days < KEEP_DAYS_MAX ? days : KEEP_DAYS_MAX) * MS_DAY;
}

static uint64_t free_on_disk(void *arg)
{
    struct statvfs st;
    (void)arg;
    if (statvfs(".", &st) != 0)
        return UINT64_MAX; /* not knowing is no reason to refuse mail: SQLite will tell */
    return (uint64_t)st.f_bavail * st.f_frsize;
}

/* A new account: its salt and its first UIDVALIDITY. Time makes it differ from what another account of this
 * name may have shown before (THREATS 55). */
static enum err first_row(struct account_db *db, time_ms now)
{
    uint64_t salt = 0;
    must(getrandom(&salt, sizeof salt, 0) == sizeof salt);
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(db->db, "INSERT OR IGNORE INTO account VALUES (1, ?, ?, 1, 0, 0, ?, 0)");
    int64_t seconds = now / MS_SECOND;
    stmt_bind_i64(q, 1, (int64_t)(salt >> 1));
    stmt_bind_i64(q, 2, now);
    stmt_bind_i64(q, 3, seconds > 0 && seconds < UINT32_MAX / 2 ? seconds : 1);
    return stmt_run(q);
}

static enum err read_counters(struct account_db *db)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        db->db, "SELECT salt, modseq, mailbox, message, uidvalidity, scanned_at FROM account WHERE id = 1");
    enum err e = stmt_row(q);
    if (e != OK)
        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
    db->salt = stmt_u64(q, 0);
    db->count.modseq = stmt_u64(q, 1);
    db->count.mailbox = stmt_u64(q, 2);
    db->count.message = stmt_u64(q, 3);
    db->count.uidvalidity = (uint32_t)stmt_i64(q, 4);
    db->scanned_at = stmt_i64(q, 5);
    db->next = db->count;
    return OK;
}

static enum err read_keywords(struct account_db *db)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "SELECT bit, name FROM keyword ORDER BY bit");
    enum err e;
    while ((e = stmt_row(q)) == OK) {
        slice name = stmt_slice(q, 1);
        if (stmt_u64(q, 0) != db->keywords_n || db->keywords_n == ACCOUNT_KEYWORDS_MAX)
            return ERR_CORRUPT;
        char *copy = account__alloc(name.n + 1, 1);
        if (name.n)
            memcpy(copy, name.p, name.n);
        db->keywords[db->keywords_n++] = copy;
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err fill_new(struct account_db *db)
{
    enum err e = account__begin(db);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(db);
    e = account__mailboxes_first(db);
    if (e == OK)
        e = account__commit(db);
    return e;
}

static enum err load(struct account_db *db, const struct account_options *o)
{
    enum err e = first_row(db, o->now);
    if (e == OK)
        e = read_counters(db);
    if (e == OK)
        e = read_keywords(db);
    if (e == OK)
        e = account__mailboxes_load(db);
    if (e == OK)
        e = account__subscriptions_load(db);
    if (e == OK && db->mailboxes_n == 0)
        e = fill_new(db);
    if (e == OK && !account__mailbox(db, 1))
        e = ERR_CORRUPT;
    return e;
}

enum err account_db_open(const struct account_options *o, struct account_db **out, struct err_detail *detail)
{
    const struct db_options options = {.path = o->path,
                                       .kind = "account database",
                                       .application_id = ACCOUNT_APPLICATION_ID,
                                       .migrations = account__migrations,
                                       .migration_count = account__migrations_n,
                                       .page_bytes = 4096,
                                       .cache_kib = 256,
                                       .give_back = true,
                                       .vfs = o->vfs};
    struct account_db *db = account__alloc(1, sizeof *db);
    list_init(&db->watches);
    db->bytes_max = o->bytes_max;
    db->messages_max = o->messages_max;
    db->reserve_bytes = o->reserve_bytes;
    db->keep_ms = o->keep_ms > 0 ? o->keep_ms : ACCOUNT_KEEP_MS;
    db->disk_free = o->disk_free ? o->disk_free : free_on_disk;
    db->disk_free_arg = o->disk_free_arg;
    db->real_disk = o->vfs == NULL;
    account__reserve_init(db, o->path);
    enum err e = db_open(&options, &db->db, detail);
    if (e == OK) {
        e = load(db, o);
        if (e != OK && detail)
            err_detail_set(detail, "the account database %s cannot be read: %s", o->path, db_message(db->db));
    }
    if (e != OK) {
        account_db_close(&db);
        return e;
    }
    *out = db;
    return OK;
}

void account_db_close(struct account_db **dbp)
{
    struct account_db *db = *dbp;
    *dbp = NULL;
    if (!db)
        return;
    must(db->handles == 0 && list_empty(&db->watches));
    account__rollback(&(struct account_db *){db});
    account__codec_free(db);
    account__mailboxes_free(db);
    account__subscriptions_free(db);
    for (size_t i = 0; i < db->keywords_n; i++)
        free(db->keywords[i]);
    db_close(&db->db);
    free(db->reserve_path);
    free(db);
}

bool account_db_broken(const struct account_db *db)
{
    return db_broken(db->db);
}

const char *account_db_message(const struct account_db *db)
{
    return db_message(db->db);
}

void account_db_set_quota(struct account_db *db, uint64_t bytes_max, uint64_t messages_max)
{
    db->bytes_max = bytes_max;
    db->messages_max = messages_max;
}

/* --- handles */

struct account_store *account_store_new(struct account_db *db, unsigned rights)
{
    struct account_store *s = account__alloc(1, sizeof *s);
    s->db = db;
    s->rights = rights;
    db->handles++;
    return s;
}

void account_store_free(struct account_store **sp)
{
    struct account_store *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    must(s->db->handles > 0);
    s->db->handles--;
    free(s);
}

uint64_t account__sum_bytes(const struct account_db *db)
{
    uint64_t sum = db->bytes;
    for (size_t i = 0; i < db->mailboxes_n; i++)
        if (db->mailboxes[i]->touched)
            sum = sum - db->mailboxes[i]->info.bytes + db->mailboxes[i]->next.bytes;
    return sum;
}

enum err account_quota(struct account_store *s, struct account_quota *out)
{
    enum err e = account__allow(s, ACCOUNT_READ);
    if (e == OK)
        *out = (struct account_quota){s->db->bytes, s->db->bytes_max, s->db->messages, s->db->messages_max};
    return e;
}

enum err account__disk_room(struct account_db *db, uint64_t bytes)
{
    if (db->reserve_bytes == 0)
        return OK;
    uint64_t left = db->disk_free(db->disk_free_arg);
    return left > db->reserve_bytes && left - db->reserve_bytes > bytes ? OK : ERR_DISK_FULL;
}

enum err account_room(struct account_store *s, uint64_t bytes)
{
    struct account_db *db = s->db;
    if (bytes > ACCOUNT_MESSAGE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (db->bytes_max && (db->bytes >= db->bytes_max || bytes > db->bytes_max - db->bytes))
        return ERR_QUOTA;
    if (db->messages_max && db->messages >= db->messages_max)
        return ERR_QUOTA;
    return account__disk_room(db, bytes);
}

uint64_t account_modseq(const struct account_store *s)
{
    return s->db->count.modseq;
}

/* --- transactions */

enum err account__begin(struct account_db *db)
{
    if (db->in_event)
        return ERR_STATE;
    account__reserve_give_up(db);
    enum err e = db_begin(db->db, &db->txn);
    if (e != OK)
        return e;
    db->next = db->count;
    db->txn_modseq = ++db->next.modseq;
    return OK;
}

/* Counters alone, as nearly always: with the name in it the statement would write its index each time.
 * ERR_NOT_FOUND: there is no such row. */
static enum err write_mailbox_counters(struct account_db *db, const struct mailbox_info *i)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        db->db, "UPDATE mailbox SET special = ?, uidnext = ?, recent_from = ?, modseq = ?, messages = ?,"
                " unseen = ?, deleted = ?, bytes = ? WHERE id = ?");
    stmt_bind_i64(q, 1, i->special);
    stmt_bind_i64(q, 2, i->uidnext);
    stmt_bind_i64(q, 3, i->recent_from);
    stmt_bind_u64(q, 4, i->modseq);
    stmt_bind_i64(q, 5, i->messages);
    stmt_bind_i64(q, 6, i->unseen);
    stmt_bind_i64(q, 7, i->deleted);
    stmt_bind_u64(q, 8, i->bytes);
    stmt_bind_u64(q, 9, i->id);
    enum err e = stmt_run(q);
    return e == OK && db_changes(db->db) == 0 ? ERR_NOT_FOUND : e;
}

static enum err write_mailbox(struct account_db *db, const struct mailbox *m)
{
    const struct mailbox_info *i = &m->next;
    enum err e = m->born || m->next_name ? ERR_NOT_FOUND : write_mailbox_counters(db, i);
    if (e != ERR_NOT_FOUND)
        return e;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        db->db, "INSERT INTO mailbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " name = excluded.name, special = excluded.special, uidnext = excluded.uidnext,"
                " recent_from = excluded.recent_from, modseq = excluded.modseq, messages = excluded.messages,"
                " unseen = excluded.unseen, deleted = excluded.deleted, bytes = excluded.bytes");
    stmt_bind_u64(q, 1, i->id);
    stmt_bind_text(q, 2, i->name);
    stmt_bind_i64(q, 3, i->special);
    stmt_bind_i64(q, 4, i->uidvalidity);
    stmt_bind_i64(q, 5, i->uidnext);
    stmt_bind_i64(q, 6, i->recent_from);
    stmt_bind_u64(q, 7, i->modseq);
    stmt_bind_i64(q, 8, i->messages);
    stmt_bind_i64(q, 9, i->unseen);
    stmt_bind_i64(q, 10, i->deleted);
    stmt_bind_u64(q, 11, i->bytes);
    return stmt_run(q);
}

static enum err write_counters(struct account_db *db)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        db->db, "UPDATE account SET modseq = ?, mailbox = ?, message = ?, uidvalidity = ? WHERE id = 1");
    stmt_bind_u64(q, 1, db->next.modseq);
    stmt_bind_u64(q, 2, db->next.mailbox);
    stmt_bind_u64(q, 3, db->next.message);
    stmt_bind_i64(q, 4, db->next.uidvalidity);
    return stmt_run(q);
}

/* Makes what was committed the truth in memory; sums follow. */
static void settle(struct account_db *db)
{
    for (size_t i = 0; i < db->mailboxes_n; i++) {
        struct mailbox *m = db->mailboxes[i];
        if (!m->touched)
            continue;
        db->bytes = db->bytes - m->info.bytes + m->next.bytes;
        db->messages = db->messages - m->info.messages + m->next.messages;
        m->info = m->next; /* the name follows in account__mailboxes_settle() */
        m->touched = false;
    }
    db->count = db->next;
    db->freed = false;
}

enum err account__commit(struct account_db *db)
{
    enum err e = write_counters(db);
    for (size_t i = 0; i < db->mailboxes_n && e == OK; i++)
        if (db->mailboxes[i]->touched && !db->mailboxes[i]->dying)
            e = write_mailbox(db, db->mailboxes[i]);
    if (e == OK)
        e = db_commit(&db->txn);
    if (e != OK) {
        account__rollback(&(struct account_db *){db});
        return e;
    }
    settle(db);
    account__mailboxes_settle(db, true);
    db->txn_modseq = 0;
    return OK;
}

void account__rollback(struct account_db **dbp)
{
    struct account_db *db = *dbp;
    if (!db || db->txn_modseq == 0)
        return;
    db_rollback(&db->txn); /* a failed commit has done that already; what follows is still to do */
    account__appenders_drop(db);
    for (size_t i = 0; i < db->mailboxes_n; i++) {
        db->mailboxes[i]->next = db->mailboxes[i]->info;
        db->mailboxes[i]->touched = false;
    }
    account__mailboxes_settle(db, false);
    db->next = db->count;
    db->txn_modseq = 0;
}

struct mailbox_info *account__touch(struct account_db *db, struct mailbox *m)
{
    must(db->txn.db != NULL);
    if (!m->touched)
        m->next = m->info;
    m->touched = true;
    m->next.modseq = db->txn_modseq;
    return &m->next;
}
