/* See account.h: what is kept of a message beside its bytes, and the thread it belongs to (RFC 8474). */
#include "store/account__.h"

#include "core/mail/header.h"
#include "core/mail/message.h"
#include "store/message_record.h"

#include <stdlib.h>

#define RECORD_BYTES_MAX    ((size_t)256 << 20) /* the parser's own bounds are lower */
#define ADDRESSES_BYTES_MAX 16384               /* text kept for searching one field */
#define THREAD_IDS_MAX      20                  /* of References that count */
#define RECORD_SALT         1                   /* so that no record passes for one of another table */

static struct hash_key record_key(const struct account_db *db, uint64_t message)
{
    return (struct hash_key){db->salt ^ RECORD_SALT, message};
}

/* --- threads: a message belongs to the thread of any message that it names or that named it, if the subject
 * is the same but for "Re:" and the like (RFC 8621 §3). Once given, a thread never changes. */

static int64_t thread_hash(const struct account_db *db, slice id, slice subject, struct arena *a)
{
    struct hash_key key = {db->salt, 2};
    size_t n = id.n + 1 + subject.n;
    uint8_t *p = arena_alloc(a, n);
    if (!p)
        return 0;
    if (id.n)
        memcpy(p, id.p, id.n);
    for (size_t i = 0; i < subject.n; i++)
        p[id.n + 1 + i] = ascii_lower(subject.p[i]);
    return (int64_t)hash_slice(&key, slice_of(p, n));
}

static enum err thread_find(struct account_db *db, int64_t hash, uint64_t *out)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "SELECT thread FROM thread WHERE hash = ?");
    stmt_bind_i64(q, 1, hash);
    enum err e = stmt_row(q);
    if (e == OK)
        *out = stmt_u64(q, 0);
    return e;
}

static enum err thread_put(struct account_db *db, int64_t hash, uint64_t thread)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "INSERT OR IGNORE INTO thread VALUES (?, ?)");
    stmt_bind_i64(q, 1, hash);
    stmt_bind_u64(q, 2, thread);
    return stmt_run(q);
}

static enum err thread_of(struct account_db *db, const struct mail_summary *s, uint64_t message,
                          struct arena *a, uint64_t *out)
{
    int64_t hashes[THREAD_IDS_MAX + 2];
    size_t n = 0, skip = s->references_n > THREAD_IDS_MAX ? s->references_n - THREAD_IDS_MAX : 0;
    if (s->message_id.n)
        hashes[n++] = thread_hash(db, s->message_id, s->base_subject, a);
    if (s->in_reply_to.n)
        hashes[n++] = thread_hash(db, s->in_reply_to, s->base_subject, a);
    for (size_t i = skip; i < s->references_n; i++)
        hashes[n++] = thread_hash(db, s->references[i], s->base_subject, a);
    enum err e = ERR_NOT_FOUND;
    for (size_t i = 0; i < n && e == ERR_NOT_FOUND; i++)
        e = thread_find(db, hashes[i], out);
    if (e == ERR_NOT_FOUND) {
        *out = message;
        e = OK;
    }
    for (size_t i = 0; i < n && e == OK; i++)
        e = thread_put(db, hashes[i], *out);
    return e;
}

/* --- writing */

/* "name <address>, ..." as people would search for it. */
static slice address_text(const struct address_list *list, struct arena *a)
{
    struct buf b;
    slice out = {NULL, 0}, name;
    buf_init(&b, ADDRESSES_BYTES_MAX);
    for (size_t i = 0; i < list->n && !buf_failed(&b); i++) {
        const struct address *x = &list->at[i];
        if (x->kind == ADDRESS_GROUP_END || !header_text(x->name, a, &name))
            continue;
        size_t whole = b.n;
        if (b.n)
            (void)buf_str(&b, ", "); /* asked below */
        (void)buf_append(&b, name);
        if (x->kind == ADDRESS_MAILBOX) {
            (void)buf_str(&b, name.n ? " <" : "<");
            (void)buf_append(&b, x->local);
            (void)buf_str(&b, x->domain.n ? "@" : "");
            (void)buf_append(&b, x->domain);
            (void)buf_byte(&b, '>');
        }
        if (buf_failed(&b)) /* full: what fitted is enough to find it by */
            buf_truncate(&b, whole);
    }
    if (!arena_dup(a, buf_view(&b), &out))
        out = (slice){NULL, 0};
    buf_done(&b);
    return out;
}

static void meta_from(const struct mail_summary *s, struct arena *a, struct message_meta *m)
{
    m->bytes = s->bytes;
    m->header_bytes = s->header_bytes;
    m->lines = s->lines;
    m->has_date = s->has_date;
    m->sent_at = s->sent_at;
    m->sent_zone = s->sent_zone;
    m->has_attachment = s->has_attachment;
    m->is_reply = s->is_reply;
    m->defects = s->defects;
    m->envelope = s->envelope;
    m->body = s->body;
    m->bodystructure = s->bodystructure;
    m->part_table = s->part_table;
    m->subject = s->subject;
    m->base_subject = s->base_subject;
    m->message_id = s->message_id;
    m->in_reply_to = s->in_reply_to;
    m->preview = s->preview;
    m->from = address_text(&s->from, a);
    m->to = address_text(&s->to, a);
    m->cc = address_text(&s->cc, a);
    m->bcc = address_text(&s->bcc, a);
}

static enum err record_write(struct account_db *db, const struct message_meta *m)
{
    struct buf record;
    struct hash_key key = record_key(db, m->message);
    buf_init(&record, RECORD_BYTES_MAX);
    enum err e = message_record_encode(m, &key, &record);
    if (e == OK) {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "INSERT INTO message VALUES (?, ?)");
        stmt_bind_u64(q, 1, m->message);
        stmt_bind_blob(q, 2, buf_view(&record));
        e = stmt_run(q);
    }
    buf_done(&record);
    return e;
}

/* The header alone in the first chunk, so that a listing of headers unpacks nothing else. */
static uint64_t first_chunk(uint64_t bytes, uint64_t header_bytes)
{
    if (bytes <= BODY_SINGLE_BYTES)
        return bytes;
    return header_bytes > 0 && header_bytes <= BODY_CHUNK_BYTES ? header_bytes : BODY_CHUNK_BYTES;
}

enum err account__message_write(struct account_db *db, const struct account_message *m, uint64_t bytes,
                                uint64_t *out_id)
{
    struct arena a CLEANUP(arena_done);
    struct mail_summary summary;
    struct message_meta meta = {.message = db->next.message + 1, .added_at = m->internal_at};
    arena_init(&a, "message", MAIL_SUMMARY_ARENA_MAX);
    enum err e = mail_summarise(m->pieces, m->pieces_n, &mail_limits_default, &a, &summary);
    if (e == OK)
        e = thread_of(db, &summary, meta.message, &a, &meta.thread);
    if (e != OK)
        return e;
    meta_from(&summary, &a, &meta);
    must(meta.bytes == bytes);
    uint64_t first = first_chunk(bytes, meta.header_bytes);
    e = record_write(db, &meta);
    if (e == OK)
        e = account__body_write(db, meta.message, m->pieces, m->pieces_n, bytes, first);
    if (e == OK)
        *out_id = db->next.message = meta.message;
    return e;
}

/* --- reading */

enum err account_meta_read(struct account_store *s, uint64_t message, struct arena *a,
                           struct message_meta *out)
{
    slice record;
    enum err e = account__allow(s, ACCOUNT_READ);
    if (e != OK)
        return e;
    struct hash_key key = record_key(s->db, message);
    struct stmt *q CLEANUP(stmt_done) = db_stmt(s->db->db, "SELECT record FROM message WHERE id = ?");
    stmt_bind_u64(q, 1, message);
    e = stmt_row(q);
    if (e == OK && !arena_dup(a, stmt_slice(q, 0), &record))
        e = ERR_LIMIT;
    if (e == OK)
        e = message_record_decode(record, &key, out);
    if (e == OK)
        out->message = message;
    return e;
}
