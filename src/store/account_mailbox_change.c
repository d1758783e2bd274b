/* See account.h: mailboxes made, deleted, renamed and marked: one transaction each, then its events. */
#include "store/account__.h"

#include <stdlib.h>

/* Makes the name and the levels above it that are missing; *out is the last of them. */
static enum err make_path(struct account_db *db, slice name, unsigned special, struct mailbox **out)
{
    for (size_t i = 1; i <= name.n; i++) {
        if (i < name.n && name.p[i] != '/')
            continue;
        slice level = slice_sub(name, 0, i);
        if (account__mailbox_named(db, level))
            continue;
        struct mailbox *m;
        enum err e = account__mailbox_make(db, level, i == name.n ? special : 0, &m);
        if (e != OK)
            return e;
        *out = m;
    }
    return OK;
}

/* Events for all that were made since the counter stood at `from`. */
static void tell_made(struct account_store *s, uint64_t from)
{
    for (uint64_t id = from + 1; id <= s->db->count.mailbox; id++) {
        struct mailbox *m = account__mailbox(s->db, id);
        if (m)
            account__tell_mailbox(s, ACCOUNT_EVENT_CREATED, id, slice_str(m->name), (slice){0});
    }
}

enum err account_mailbox_create(struct account_store *s, slice name, unsigned special, time_ms now,
                                uint64_t *out_id)
{
    struct account_db *db = s->db;
    uint8_t room[ACCOUNT_NAME_BYTES_MAX];
    struct mailbox *m = NULL;
    uint64_t before = db->count.mailbox;
    (void)now; /* UIDVALIDITY comes from the account's counter, whatever the clock says */
    enum err e = account__allow(s, ACCOUNT_MAILBOXES);
    if (e != OK)
        return e;
    if (!account_name_ok(name))
        return ERR_SYNTAX;
    name = account__name_canonical(name, room);
    if (account__mailbox_named(db, name))
        return ERR_EXISTS;
    e = account__begin(db);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(db);
    e = make_path(db, name, special, &m);
    if (e == OK)
        e = account__commit(db);
    if (e != OK)
        return e;
    *out_id = m->info.id;
    tell_made(s, before);
    return OK;
}

/* All runs of a mailbox into `expunged`, and away. */
static enum err expunge_all(struct account_db *db, struct mailbox *m, bool moved, time_ms now)
{
    struct run r;
    enum err e;
    struct stmt *q CLEANUP(stmt_done) = account__runs(db, m->info.id);
    while ((e = stmt_row(q)) == OK) {
        e = account__run_read(db, q, run_columns(&r), &r.n);
        if (e == OK)
            e = account__expunged_write(db, m->info.id, run_columns(&r), r.n, moved, now);
        if (e != OK && e != ERR_CORRUPT) /* a damaged run must not keep a mailbox from being deleted */
            return e;
    }
    return e == ERR_NOT_FOUND ? account__runs_delete(db, m->info.id) : e;
}

static enum err bury(struct account_db *db, struct mailbox *m, time_ms now)
{
    enum err e = expunge_all(db, m, false, now);
    if (e != OK)
        return e;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "INSERT INTO mailbox_gone VALUES (?, ?, ?, ?)");
    stmt_bind_u64(q, 1, m->info.id);
    stmt_bind_text(q, 2, m->info.name);
    stmt_bind_i64(q, 3, m->info.uidvalidity);
    stmt_bind_i64(q, 4, now);
    e = stmt_run(q);
    if (e != OK)
        return e;
    struct stmt *d CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM mailbox WHERE id = ?");
    stmt_bind_u64(d, 1, m->info.id);
    return stmt_run(d);
}

enum err account_mailbox_delete(struct account_store *s, uint64_t id, time_ms now)
{
    struct account_db *db = s->db;
    enum err e = account__allow(s, ACCOUNT_MAILBOXES | ACCOUNT_EXPUNGE);
    struct mailbox *m = account__mailbox(db, id);
    if (e != OK)
        return e;
    if (!m)
        return ERR_NOT_FOUND;
    if (id == account_inbox(s))
        return ERR_DENIED;
    e = account__begin(db);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(db);
    struct mailbox_info *next = account__touch(db, m);
    next->bytes = next->messages = next->unseen = next->deleted = 0;
    m->dying = true;
    e = bury(db, m, now);
    if (e != OK)
        return e;
    char *name CLEANUP(account__text_free) = account__text(m->info.name);
    struct view *view = m->view;
    e = account__commit(db);
    if (e == OK) {
        if (view)
            account__view_empty(view);
        account__tell_mailbox(s, ACCOUNT_EVENT_DELETED, id, slice_str(name), (slice){0});
    }
    return e;
}

/* --- renaming */

static char *joined(slice a, slice b)
{
    char *p = account__alloc(a.n + b.n + 1, 1);
    memcpy(p, a.p, a.n);
    if (b.n)
        memcpy(p + a.n, b.p, b.n);
    return p;
}

static void rename_one(struct account_db *db, struct mailbox *m, slice from, slice to)
{
    struct mailbox_info *next = account__touch(db, m);
    m->next_name = joined(to, slice_from(m->info.name, from.n));
    next->name = slice_str(m->next_name);
}

/* The mailbox and all below it; the new names must fit and be free. */
static enum err rename_tree(struct account_db *db, struct mailbox *m, slice to)
{
    slice from = m->info.name;
    size_t n = db->mailboxes_n; /* nothing is inserted here */
    for (size_t i = 0; i < n; i++) {
        struct mailbox *other = db->mailboxes[i];
        if (other != m && !account__name_below(other->info.name, from))
            continue;
        rename_one(db, other, from, to);
        if (!account_name_ok(other->next.name))
            return ERR_LIMIT;
        if (account__mailbox_named(db, other->next.name))
            return ERR_EXISTS;
    }
    return OK;
}

/* RFC 9051 §6.3.6: INBOX stays, its messages move. They keep their UIDs: the target is new, and so is its
 * UIDVALIDITY. */
static enum err rename_inbox(struct account_db *db, struct mailbox *inbox, struct mailbox *to, time_ms now)
{
    struct run r;
    enum err e;
    struct stmt *q CLEANUP(stmt_done) = account__runs(db, inbox->info.id);
    while ((e = stmt_row(q)) == OK) {
        e = account__run_read(db, q, run_columns(&r), &r.n);
        for (size_t i = 0; e == OK && i < r.n; i++)
            r.modseq[i] = db->txn_modseq;
        if (e == OK)
            e = account__run_write(db, to->info.id, account__run_row_key(q), run_columns(&r), r.n);
        if (e != OK)
            return e;
    }
    if (e == ERR_NOT_FOUND)
        e = expunge_all(db, inbox, true, now);
    struct mailbox_info *a = account__touch(db, inbox), *b = account__touch(db, to);
    b->uidnext = a->uidnext;
    b->messages = a->messages;
    b->unseen = a->unseen;
    b->deleted = a->deleted;
    b->bytes = a->bytes;
    a->messages = a->unseen = a->deleted = 0;
    a->bytes = 0;
    return e;
}

static void tell_inbox_empty(struct account_store *s, struct mailbox *inbox)
{
    struct view *v = inbox->view;
    if (!v || v->pub.n == 0)
        return;
    size_t n = v->pub.n;
    uint32_t *uids = account__alloc(n, sizeof *uids);
    memcpy(uids, v->c.uid, n * sizeof *uids);
    account__view_empty(v);
    account__tell(s, &(struct account_event){.kind = ACCOUNT_EVENT_EXPUNGED,
                                             .mailbox = inbox->info.id,
                                             .uids = uids,
                                             .n = n,
                                             .modseq = s->db->count.modseq});
    free(uids);
}

static void tell_renamed(struct account_store *s, uint64_t modseq, slice from, slice to)
{
    for (size_t i = 0; i < s->db->mailboxes_n; i++) {
        struct mailbox *m = s->db->mailboxes[i];
        slice name = m->info.name;
        if (m->info.modseq != modseq || !(slice_eq(name, to) || account__name_below(name, to)))
            continue;
        char *old = joined(from, slice_from(name, to.n));
        account__tell_mailbox(s, ACCOUNT_EVENT_RENAMED, m->info.id, name, slice_str(old));
        free(old);
    }
}

enum err account_mailbox_rename(struct account_store *s, uint64_t id, slice name, time_ms now)
{
    struct account_db *db = s->db;
    uint8_t room[ACCOUNT_NAME_BYTES_MAX];
    uint64_t before = db->count.mailbox;
    enum err e = account__allow(s, ACCOUNT_MAILBOXES);
    struct mailbox *m = account__mailbox(db, id), *to = NULL;
    if (e != OK)
        return e;
    if (!m)
        return ERR_NOT_FOUND;
    if (!account_name_ok(name))
        return ERR_SYNTAX;
    name = account__name_canonical(name, room);
    if (account__mailbox_named(db, name))
        return ERR_EXISTS;
    bool inbox = id == account_inbox(s);
    if (account__name_below(name, m->info.name) && !inbox)
        return ERR_SYNTAX;
    e = account__begin(db);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(db);
    char *from CLEANUP(account__text_free) = account__text(m->info.name);
    slice above = slice_sub(name, 0, slice_rindex(name, '/') % (name.n ? name.n : 1));
    if (inbox)
        e = make_path(db, name, 0, &to);
    else if (above.n && !account__mailbox_named(db, above))
        e = make_path(db, above, 0, &to);
    if (e == OK)
        e = inbox ? rename_inbox(db, m, to, now) : rename_tree(db, m, name);
    if (e == OK)
        e = account__commit(db);
    if (e != OK)
        return e;
    tell_made(s, before);
    if (inbox)
        tell_inbox_empty(s, m);
    else
        tell_renamed(s, db->count.modseq, slice_str(from), name);
    return OK;
}

/* --- properties */

enum err account_mailbox_set_special(struct account_store *s, uint64_t id, unsigned special)
{
    struct account_db *db = s->db;
    enum err e = account__allow(s, ACCOUNT_MAILBOXES);
    struct mailbox *m = account__mailbox(db, id);
    if (e != OK)
        return e;
    if (!m)
        return ERR_NOT_FOUND;
    e = account__begin(db);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(db);
    account__touch(db, m)->special = special;
    e = account__commit(db);
    if (e == OK)
        account__tell_mailbox(s, ACCOUNT_EVENT_CHANGED, id, m->info.name, (slice){0});
    return e;
}
