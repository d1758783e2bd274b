/* See account.h: adding messages. A batch is one transaction; what it puts into a mailbox goes through that
 * mailbox's appender, which holds the last run until it is full or the batch ends. */
#include "store/account__.h"

#include <stdlib.h>

#define ROOM_STEP ((uint64_t)1 << 20)

struct account_batch {
    struct account_store *s;
    enum err failed;  /* why it cannot be committed */
    uint64_t bytes;   /* what it has added */
    uint64_t granted; /* what the disk has been asked for: the system is not asked for each message */
};

/* --- appenders */

enum err account__appender(struct account_db *db, struct mailbox *m, struct appender **out)
{
    for (size_t i = 0; i < db->appenders_n; i++)
        if (db->appenders[i]->m == m) {
            *out = db->appenders[i];
            return OK;
        }
    if (db->appenders_n == ACCOUNT_TXN_MAILBOXES)
        return ERR_LIMIT;
    struct appender *a = account__alloc(1, sizeof *a);
    a->m = m;
    enum err e = account__run_last(db, m->info.id, &a->tail, &a->key);
    if (e == ERR_NOT_FOUND || e == ERR_CORRUPT) { /* none, or one that is left alone: begin another */
        a->key = 0;
        a->tail.n = 0;
    } else if (e != OK) {
        free(a);
        return e;
    }
    db->appenders[db->appenders_n++] = a;
    *out = a;
    return OK;
}

static enum err flush(struct account_db *db, struct appender *a)
{
    if (!a->dirty)
        return OK;
    a->dirty = false;
    return account__run_write(db, a->m->info.id, a->key, run_columns(&a->tail), a->tail.n);
}

static void *more(void *p, size_t n, size_t size)
{
    void *q = reallocarray(p, n, size);
    must(q != NULL);
    return q;
}

static void fresh_room(struct appender *a)
{
    if (a->fresh_n < a->fresh_room)
        return;
    size_t n = a->fresh_room * 2 + 4;
    a->fresh = (struct run_columns){more(a->fresh.uid, n, sizeof *a->fresh.uid),
                                    more(a->fresh.flags, n, sizeof *a->fresh.flags),
                                    more(a->fresh.modseq, n, sizeof *a->fresh.modseq),
                                    more(a->fresh.message, n, sizeof *a->fresh.message),
                                    more(a->fresh.bytes, n, sizeof *a->fresh.bytes),
                                    more(a->fresh.date, n, sizeof *a->fresh.date)};
    a->fresh_room = n;
}

static void set(struct run_columns c, size_t i, uint32_t uid, flag_set flags, uint64_t modseq,
                uint64_t message, uint32_t bytes, uint32_t date)
{
    c.uid[i] = uid;
    c.flags[i] = flags;
    c.modseq[i] = modseq;
    c.message[i] = message;
    c.bytes[i] = bytes;
    c.date[i] = date;
}

enum err account__append(struct account_db *db, struct appender *a, flag_set flags, uint64_t message,
                         uint32_t bytes, uint32_t date, uint32_t *out_uid)
{
    struct mailbox_info *next = account__touch(db, a->m);
    if (next->uidnext == UINT32_MAX)
        return ERR_LIMIT;
    uint32_t uid = next->uidnext;
    if (a->key == 0 || a->tail.n == RUN_MAX) {
        enum err e = flush(db, a);
        if (e != OK)
            return e;
        a->key = uid;
        a->tail.n = 0;
        a->new_keys = account__grow(a->new_keys, a->new_keys_n, &a->new_keys_room, sizeof *a->new_keys);
        a->new_keys[a->new_keys_n++] = uid;
    }
    set(run_columns(&a->tail), a->tail.n++, uid, flags, db->txn_modseq, message, bytes, date);
    a->dirty = true;
    fresh_room(a);
    set(a->fresh, a->fresh_n++, uid, flags, db->txn_modseq, message, bytes, date);
    next->uidnext++;
    next->messages++;
    next->bytes += bytes;
    next->unseen += !(flags & FLAG_SEEN);
    next->deleted += !!(flags & FLAG_DELETED);
    *out_uid = uid;
    return OK;
}

enum err account__appenders_flush(struct account_db *db)
{
    enum err e = OK;
    for (size_t i = 0; i < db->appenders_n && e == OK; i++)
        e = flush(db, db->appenders[i]);
    return e;
}

static void appender_free(struct appender *a)
{
    free(a->fresh.uid);
    free(a->fresh.flags);
    free(a->fresh.modseq);
    free(a->fresh.message);
    free(a->fresh.bytes);
    free(a->fresh.date);
    free(a->new_keys);
    free(a);
}

void account__appenders_drop(struct account_db *db)
{
    for (size_t i = 0; i < db->appenders_n; i++)
        appender_free(db->appenders[i]);
    db->appenders_n = 0;
}

void account__appenders_tell(struct account_store *s)
{
    struct account_db *db = s->db;
    size_t n = db->appenders_n;
    struct appender *all[ACCOUNT_TXN_MAILBOXES];
    memcpy(all, db->appenders, n * sizeof *all);
    db->appenders_n = 0;
    for (size_t i = 0; i < n; i++)
        account__view_append(all[i]->m, all[i]);
    for (size_t i = 0; i < n; i++) {
        const struct mailbox_info *info = &all[i]->m->info;
        if (all[i]->fresh_n)
            account__tell(s, &(struct account_event){.kind = ACCOUNT_EVENT_ADDED,
                                                     .mailbox = info->id,
                                                     .uids = all[i]->fresh.uid,
                                                     .n = all[i]->fresh_n,
                                                     .modseq = info->modseq});
        appender_free(all[i]);
    }
}

/* --- batches */

enum err account_batch_begin(struct account_store *s, struct account_batch **out)
{
    struct account_db *db = s->db;
    if (!(s->rights & (ACCOUNT_ADD | ACCOUNT_DELIVER)))
        return ERR_DENIED;
    if (db->batch)
        return ERR_STATE;
    enum err e = account__begin(db);
    if (e != OK)
        return e;
    struct account_batch *b = account__alloc(1, sizeof *b);
    b->s = s;
    db->batch = *out = b;
    return OK;
}

static uint64_t recipient_hash(const struct account_db *db, slice recipient)
{
    struct hash_key key = {db->salt, 0};
    return hash_slice(&key, recipient);
}

/* Was this handed over before? ERR_NOT_FOUND: no. */
static enum err find_handover(struct account_db *db, const struct account_message *m,
                              struct account_added *out)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(db->db, "SELECT mailbox, uid, message FROM handover WHERE mail_id = ? AND recipient = ?");
    stmt_bind_i64(q, 1, (int64_t)m->mail_id);
    stmt_bind_i64(q, 2, (int64_t)recipient_hash(db, m->recipient));
    enum err e = stmt_row(q);
    if (e != OK)
        return e;
    struct mailbox *there = account__mailbox(db, stmt_u64(q, 0));
    *out = (struct account_added){.mailbox = stmt_u64(q, 0),
                                  .message = stmt_u64(q, 2),
                                  .uidvalidity = there ? there->info.uidvalidity : 0,
                                  .uid = (uint32_t)stmt_i64(q, 1),
                                  .duplicate = true};
    return OK;
}

static enum err write_handover(struct account_db *db, const struct account_message *m,
                               const struct account_added *added)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "INSERT INTO handover VALUES (?, ?, ?, ?, ?)");
    stmt_bind_i64(q, 1, (int64_t)m->mail_id);
    stmt_bind_i64(q, 2, (int64_t)recipient_hash(db, m->recipient));
    stmt_bind_u64(q, 3, added->mailbox);
    stmt_bind_i64(q, 4, added->uid);
    stmt_bind_u64(q, 5, added->message);
    return stmt_run(q);
}

/* What can be said against one message without touching the disk. */
static enum err check(struct account_batch *b, const struct account_message *m, struct mailbox *to,
                      uint64_t *out_bytes)
{
    struct account_db *db = b->s->db;
    size_t bytes = 0;
    uint64_t messages = db->messages;
    for (size_t i = 0; i < m->pieces_n; i++)
        if (!size_add(bytes, m->pieces[i].n, &bytes))
            return ERR_TOO_LARGE;
    if (bytes > ACCOUNT_MESSAGE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (!to)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < db->appenders_n; i++)
        messages += db->appenders[i]->fresh_n;
    uint64_t sum = account__sum_bytes(db);
    if (db->bytes_max && (sum >= db->bytes_max || bytes > db->bytes_max - sum))
        return ERR_QUOTA;
    if (db->messages_max && messages >= db->messages_max)
        return ERR_QUOTA;
    *out_bytes = bytes;
    return OK;
}

static enum err add(struct account_batch *b, const struct account_message *m, struct mailbox *to,
                    uint64_t bytes, struct account_added *out)
{
    struct account_db *db = b->s->db;
    struct appender *a;
    struct account_added added = {.mailbox = m->mailbox, .uidvalidity = to->info.uidvalidity};
    int64_t seconds = m->internal_at / MS_SECOND;
    enum err e = account__message_write(db, m, bytes, &added.message);
    if (e == OK)
        e = account__appender(db, to, &a);
    if (e == OK)
        e = account__append(db, a, m->flags, added.message, (uint32_t)bytes,
                            seconds < 0 ? 0 : (uint32_t)(seconds > UINT32_MAX ? UINT32_MAX : seconds),
                            &added.uid);
    if (e == OK && m->mail_id)
        e = write_handover(db, m, &added);
    if (e == OK)
        *out = added;
    return e;
}

static enum err disk_room(struct account_batch *b, uint64_t bytes)
{
    uint64_t all = b->bytes + bytes;
    if (all <= b->granted)
        return OK;
    if (account__disk_room(b->s->db, all + ROOM_STEP) == OK) {
        b->granted = all + ROOM_STEP;
        return OK;
    }
    return account__disk_room(b->s->db, all);
}

enum err account_batch_add(struct account_batch *b, const struct account_message *m,
                           struct account_added *out)
{
    struct account_db *db = b->s->db;
    struct mailbox *to = account__mailbox(db, m->mailbox);
    uint64_t bytes;
    if (b->failed != OK)
        return b->failed;
    enum err e = m->mail_id ? find_handover(db, m, out) : ERR_NOT_FOUND;
    if (e == OK)
        return OK;
    if (e == ERR_NOT_FOUND) {
        e = check(b, m, to, &bytes);
        if (e != OK)
            return e;
        e = disk_room(b, bytes);
    }
    if (e == OK)
        e = add(b, m, to, bytes, out);
    if (e == OK)
        b->bytes += bytes;
    else
        b->failed = e;
    return e;
}

enum err account_batch_commit(struct account_batch **bp)
{
    struct account_batch *b = *bp;
    struct account_store *s = b->s;
    struct account_db *db = s->db;
    enum err e = b->failed;
    if (e == OK)
        e = account__appenders_flush(db);
    if (e == OK && db->appenders_n) {
        db->batch = NULL;
        e = account__commit(db);
    }
    account_batch_drop(bp);
    if (e == OK)
        account__appenders_tell(s);
    return e;
}

void account_batch_drop(struct account_batch **bp)
{
    struct account_batch *b = *bp;
    *bp = NULL;
    if (!b)
        return;
    struct account_db *db = b->s->db;
    db->batch = NULL;
    account__rollback(&(struct account_db *){db}); /* nothing is open after a commit */
    free(b);
}
