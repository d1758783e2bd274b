/* See account.h: mailboxes and subscriptions. All of them are in memory, in the order of their names. */
#include "store/account__.h"

#include "text/utf8.h"

#include <stdlib.h>

#define MAILBOX_ID_MAX INT32_MAX /* so that a run's row id fits: mailbox << 32 | UID */

/* --- names */

static slice first_level(slice name)
{
    return slice_sub(name, 0, slice_index(name, '/'));
}

/* INBOX in any case is INBOX, also as the first level of a longer name (RFC 9051 §5.1). The result lives in
 * room (ACCOUNT_NAME_BYTES_MAX bytes) or is the name. */
static slice canonical(slice name, uint8_t *room)
{
    slice level = first_level(name);
    if (!slice_eq_nocase(level, SLICE("INBOX")) || name.n > ACCOUNT_NAME_BYTES_MAX)
        return name;
    memcpy(room, name.p, name.n);
    memcpy(room, "INBOX", 5);
    return slice_of(room, name.n);
}

bool account_name_ok(slice name)
{
    size_t levels = 0;
    if (name.n == 0 || name.n > ACCOUNT_NAME_BYTES_MAX || !utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 32 || name.p[i] == 127 ||
            (name.p[i] == 0xc2 && name.p[i + 1] < 0xa0)) /* C0, DEL, C1 */
            return false;
    for (slice rest = name, level; levels <= ACCOUNT_NAME_LEVELS_MAX; levels++) {
        bool more = slice_split(rest, '/', &level, &rest);
        if (level.n == 0)
            return false;
        if (!more)
            return levels + 1 <= ACCOUNT_NAME_LEVELS_MAX;
    }
    return false;
}

static bool is_below(slice name, slice above)
{
    return name.n > above.n && name.p[above.n] == '/' && slice_starts(name, above);
}

static char *copy_text(slice s)
{
    char *p = account__alloc(s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

/* --- the list */

/* Index of the first mailbox whose name is not before this one. */
static size_t place(const struct account_db *db, slice name)
{
    size_t low = 0, high = db->mailboxes_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_cmp(slice_str(db->mailboxes[middle]->name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct mailbox *by_name(const struct account_db *db, slice name)
{
    size_t i = place(db, name);
    return i < db->mailboxes_n && slice_eq(slice_str(db->mailboxes[i]->name), name) ? db->mailboxes[i] : NULL;
}

struct mailbox *account__mailbox(struct account_db *db, uint64_t id)
{
    for (size_t i = 0; i < db->mailboxes_n; i++)
        if (db->mailboxes[i]->info.id == id)
            return db->mailboxes[i];
    return NULL;
}

static struct mailbox *insert(struct account_db *db, const struct mailbox_info *info)
{
    struct mailbox *m = account__alloc(1, sizeof *m);
    size_t i = place(db, info->name);
    m->name = copy_text(info->name);
    m->info = *info;
    m->info.name = slice_str(m->name);
    m->next = m->info;
    db->mailboxes =
        account__grow(db->mailboxes, db->mailboxes_n, &db->mailboxes_room, sizeof(struct mailbox *));
    memmove(db->mailboxes + i + 1, db->mailboxes + i, (db->mailboxes_n - i) * sizeof(struct mailbox *));
    db->mailboxes[i] = m;
    db->mailboxes_n++;
    return m;
}

static void mailbox_free(struct mailbox *m)
{
    if (m->view)
        m->view->m = NULL;
    free(m->name);
    free(m->next_name);
    free(m);
}

static int in_order(const void *a, const void *b)
{
    const struct mailbox *x = *(struct mailbox *const *)a, *y = *(struct mailbox *const *)b;
    return slice_cmp(slice_str(x->name), slice_str(y->name));
}

void account__mailboxes_settle(struct account_db *db, bool committed)
{
    size_t kept = 0;
    bool renamed = false;
    for (size_t i = 0; i < db->mailboxes_n; i++) {
        struct mailbox *m = db->mailboxes[i];
        if (committed ? m->dying : m->born) {
            mailbox_free(m);
            continue;
        }
        if (m->next_name && committed) {
            free(m->name);
            m->name = m->next_name;
            renamed = true;
        } else {
            free(m->next_name);
        }
        m->next_name = NULL;
        m->born = m->dying = false;
        m->info.name = m->next.name = slice_str(m->name);
        db->mailboxes[kept++] = m;
    }
    db->mailboxes_n = kept;
    if (renamed)
        qsort(db->mailboxes, kept, sizeof(struct mailbox *), in_order);
}

static void subscription_insert(struct account_db *db, slice name)
{
    struct subscription *n = account__alloc(1, sizeof *n + name.n + 1);
    size_t i = 0;
    n->n = name.n;
    if (name.n)
        memcpy(n->name, name.p, name.n);
    while (i < db->subscriptions_n && slice_cmp(slice_str(db->subscriptions[i]->name), name) < 0)
        i++;
    db->subscriptions = account__grow(db->subscriptions, db->subscriptions_n, &db->subscriptions_room,
                                      sizeof(struct subscription *));
    memmove(db->subscriptions + i + 1, db->subscriptions + i,
            (db->subscriptions_n - i) * sizeof(struct subscription *));
    db->subscriptions[i] = n;
    db->subscriptions_n++;
}

static size_t subscription_find(const struct account_db *db, slice name)
{
    size_t i = 0;
    while (i < db->subscriptions_n && !slice_eq(slice_str(db->subscriptions[i]->name), name))
        i++;
    return i;
}

static enum err load_subscriptions(struct account_db *db)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "SELECT name FROM subscription ORDER BY name");
    enum err e;
    while ((e = stmt_row(q)) == OK) {
        slice name = stmt_slice(q, 0);
        subscription_insert(db, name);
        struct mailbox *m = by_name(db, name);
        if (m)
            m->info.subscribed = m->next.subscribed = true;
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err account__mailboxes_load(struct account_db *db)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        db->db, "SELECT id, name, special, uidvalidity, uidnext, recent_from, modseq, messages, unseen,"
                " deleted, bytes FROM mailbox ORDER BY name");
    enum err e;
    while ((e = stmt_row(q)) == OK) {
        struct mailbox_info i = {.id = stmt_u64(q, 0),
                                 .name = stmt_slice(q, 1),
                                 .special = (unsigned)stmt_i64(q, 2),
                                 .uidvalidity = (uint32_t)stmt_i64(q, 3),
                                 .uidnext = (uint32_t)stmt_i64(q, 4),
                                 .recent_from = (uint32_t)stmt_i64(q, 5),
                                 .modseq = stmt_u64(q, 6),
                                 .messages = (uint32_t)stmt_i64(q, 7),
                                 .unseen = (uint32_t)stmt_i64(q, 8),
                                 .deleted = (uint32_t)stmt_i64(q, 9),
                                 .bytes = stmt_u64(q, 10)};
        if (!account_name_ok(i.name) || i.id == 0 || i.id > MAILBOX_ID_MAX || i.uidnext == 0)
            return ERR_CORRUPT;
        (void)insert(db, &i); /* the list keeps it */
        db->bytes += i.bytes;
        db->messages += i.messages;
    }
    return e == ERR_NOT_FOUND ? load_subscriptions(db) : e;
}

void account__mailboxes_free(struct account_db *db)
{
    for (size_t i = 0; i < db->mailboxes_n; i++) {
        must(!db->mailboxes[i]->view);
        mailbox_free(db->mailboxes[i]);
    }
    for (size_t i = 0; i < db->subscriptions_n; i++)
        free(db->subscriptions[i]);
    free(db->mailboxes);
    free(db->subscriptions);
}

/* --- looking up */

const struct mailbox_info *account_mailbox_at(struct account_store *s, size_t i)
{
    if (account__allow(s, ACCOUNT_READ) != OK || i >= s->db->mailboxes_n)
        return NULL;
    return &s->db->mailboxes[i]->info;
}

const struct mailbox_info *account_mailbox_find(struct account_store *s, slice name)
{
    uint8_t room[ACCOUNT_NAME_BYTES_MAX];
    struct mailbox *m = by_name(s->db, canonical(name, room));
    return m && account__allow(s, ACCOUNT_READ) == OK ? &m->info : NULL;
}

const struct mailbox_info *account_mailbox_get(struct account_store *s, uint64_t id)
{
    struct mailbox *m = account__mailbox(s->db, id);
    return m && account__allow(s, ACCOUNT_READ) == OK ? &m->info : NULL;
}

uint64_t account_inbox(struct account_store *s)
{
    struct mailbox *m = by_name(s->db, SLICE("INBOX"));
    return m ? m->info.id : 0;
}

uint64_t account_special(struct account_store *s, unsigned special)
{
    for (size_t i = 0; i < s->db->mailboxes_n; i++)
        if (s->db->mailboxes[i]->info.special & special)
            return s->db->mailboxes[i]->info.id;
    return 0;
}

bool account_mailbox_has_children(struct account_store *s, slice name)
{
    uint8_t room[ACCOUNT_NAME_BYTES_MAX];
    name = canonical(name, room);
    if (account__allow(s, ACCOUNT_READ) != OK)
        return false;
    /* names between "a" and "a/..." such as "a b" may come first, but nothing sorts between "a/" and "a/x" */
    for (size_t i = place(s->db, name); i < s->db->mailboxes_n; i++) {
        slice other = slice_str(s->db->mailboxes[i]->name);
        if (is_below(other, name))
            return true;
        if (!slice_starts(other, name))
            return false;
    }
    return false;
}

bool account_subscription_at(struct account_store *s, size_t i, slice *out_name)
{
    if (account__allow(s, ACCOUNT_READ) != OK || i >= s->db->subscriptions_n)
        return false;
    *out_name = slice_of(s->db->subscriptions[i]->name, s->db->subscriptions[i]->n);
    return true;
}

/* --- changing: inside a transaction */

enum err account__mailbox_make(struct account_db *db, slice name, unsigned special, struct mailbox **out)
{
    if (db->mailboxes_n >= ACCOUNT_MAILBOXES_MAX || db->next.mailbox >= MAILBOX_ID_MAX ||
        db->next.uidvalidity == UINT32_MAX)
        return ERR_LIMIT;
    struct mailbox_info i = {.id = ++db->next.mailbox,
                             .name = name,
                             .special = special,
                             .uidvalidity = ++db->next.uidvalidity,
                             .uidnext = 1,
                             .recent_from = 1};
    i.subscribed = subscription_find(db, name) < db->subscriptions_n;
    struct mailbox *m = insert(db, &i);
    m->born = true;
    (void)account__touch(db, m); /* gives it the MODSEQ */
    *out = m;
    return OK;
}

static enum err write_subscription(struct account_db *db, slice name, bool subscribed)
{
    struct stmt *q CLEANUP(stmt_done) = subscribed
                                            ? db_stmt(db->db, "INSERT OR IGNORE INTO subscription VALUES (?)")
                                            : db_stmt(db->db, "DELETE FROM subscription WHERE name = ?");
    stmt_bind_text(q, 1, name);
    return stmt_run(q);
}

enum err account__mailboxes_first(struct account_db *db)
{
    static const struct {
        slice name;
        unsigned special;
    } first[] = {
        {SLICE_INIT("INBOX"), 0},
        {SLICE_INIT("Archive"), SPECIAL_ARCHIVE},
        {SLICE_INIT("Drafts"), SPECIAL_DRAFTS},
        {SLICE_INIT("Junk"), SPECIAL_JUNK},
        {SLICE_INIT("Sent"), SPECIAL_SENT},
        {SLICE_INIT("Trash"), SPECIAL_TRASH},
    };
    enum err e = OK;
    for (size_t i = 0; i < ARRAY_LEN(first) && e == OK; i++) {
        struct mailbox *m;
        e = account__mailbox_make(db, first[i].name, first[i].special, &m);
        if (e == OK)
            e = write_subscription(db, first[i].name, true);
        if (e == OK) {
            subscription_insert(db, first[i].name);
            m->info.subscribed = m->next.subscribed = true;
        }
    }
    return e;
}

/* The name and the levels above that are missing; tells of each when told is true. */
static enum err make_path(struct account_db *db, slice name, unsigned special, struct mailbox **out)
{
    for (size_t i = 1; i <= name.n; i++) {
        if (i < name.n && name.p[i] != '/')
            continue;
        slice level = slice_sub(name, 0, i);
        if (by_name(db, level))
            continue;
        struct mailbox *m;
        enum err e = account__mailbox_make(db, level, i == name.n ? special : 0, &m);
        if (e != OK)
            return e;
        *out = m;
    }
    return OK;
}

static void tell_mailbox(struct account_store *s, enum account_event_kind kind, uint64_t id, slice name,
                         slice old_name)
{
    account__tell(
        s,
        &(struct account_event){
            .kind = kind, .mailbox = id, .modseq = s->db->count.modseq, .name = name, .old_name = old_name});
}

/* Events for all that were made since the counter stood at `from`. */
static void tell_made(struct account_store *s, uint64_t from)
{
    for (uint64_t id = from + 1; id <= s->db->count.mailbox; id++) {
        struct mailbox *m = account__mailbox(s->db, id);
        if (m)
            tell_mailbox(s, ACCOUNT_EVENT_CREATED, id, slice_str(m->name), (slice){NULL, 0});
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
    name = canonical(name, room);
    if (by_name(db, name))
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
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(db->db, "SELECT id, record FROM run WHERE id BETWEEN ? AND ? ORDER BY id");
    stmt_bind_i64(q, 1, account__run_id(m->info.id, 0));
    stmt_bind_i64(q, 2, account__run_id(m->info.id, UINT32_MAX));
    while ((e = stmt_row(q)) == OK) {
        struct hash_key key = account__run_key(db, stmt_i64(q, 0));
        e = run_decode(stmt_slice(q, 1), &key, run_columns(&r), &r.n);
        if (e == OK)
            e = account__expunged_write(db, m->info.id, run_columns(&r), r.n, moved, now);
        if (e != OK && e != ERR_CORRUPT) /* a damaged run must not keep a mailbox from being deleted */
            return e;
    }
    if (e != ERR_NOT_FOUND)
        return e;
    struct stmt *d CLEANUP(stmt_done) = db_stmt(db->db, "DELETE FROM run WHERE id BETWEEN ? AND ?");
    stmt_bind_i64(d, 1, account__run_id(m->info.id, 0));
    stmt_bind_i64(d, 2, account__run_id(m->info.id, UINT32_MAX));
    return stmt_run(d);
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
    slice name = slice_str(copy_text(m->info.name));
    struct view *view = m->view;
    e = account__commit(db);
    if (e == OK) {
        if (view)
            account__view_empty(view);
        tell_mailbox(s, ACCOUNT_EVENT_DELETED, id, name, (slice){NULL, 0});
    }
    free((void *)(uintptr_t)name.p);
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
        if (other != m && !is_below(other->info.name, from))
            continue;
        rename_one(db, other, from, to);
        if (!account_name_ok(other->next.name))
            return ERR_LIMIT;
        if (by_name(db, other->next.name))
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
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(db->db, "SELECT id, record FROM run WHERE id BETWEEN ? AND ? ORDER BY id");
    stmt_bind_i64(q, 1, account__run_id(inbox->info.id, 0));
    stmt_bind_i64(q, 2, account__run_id(inbox->info.id, UINT32_MAX));
    while ((e = stmt_row(q)) == OK) {
        int64_t id = stmt_i64(q, 0);
        struct hash_key key = account__run_key(db, id);
        e = run_decode(stmt_slice(q, 1), &key, run_columns(&r), &r.n);
        for (size_t i = 0; i < r.n && e == OK; i++)
            r.modseq[i] = db->txn_modseq;
        if (e == OK)
            e = account__run_write(db, to->info.id, (uint32_t)id, run_columns(&r), r.n);
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
        if (m->info.modseq != modseq || !(slice_eq(name, to) || is_below(name, to)))
            continue;
        char *old = joined(from, slice_from(name, to.n));
        tell_mailbox(s, ACCOUNT_EVENT_RENAMED, m->info.id, name, slice_str(old));
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
    name = canonical(name, room);
    if (by_name(db, name))
        return ERR_EXISTS;
    bool inbox = id == account_inbox(s);
    if (is_below(name, m->info.name) && !inbox)
        return ERR_SYNTAX;
    e = account__begin(db);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(db);
    char *from CLEANUP(account__text_free) = copy_text(m->info.name);
    slice above = slice_sub(name, 0, slice_rindex(name, '/') % (name.n ? name.n : 1));
    if (inbox)
        e = make_path(db, name, 0, &to);
    else if (above.n && !by_name(db, above))
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

static void tell_changed(struct account_store *s, slice name)
{
    struct mailbox *m = by_name(s->db, name);
    tell_mailbox(s, ACCOUNT_EVENT_CHANGED, m ? m->info.id : 0, name, (slice){NULL, 0});
}

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
        tell_changed(s, m->info.name);
    return e;
}

enum err account_subscribe(struct account_store *s, slice name, bool subscribed)
{
    struct account_db *db = s->db;
    uint8_t room[ACCOUNT_NAME_BYTES_MAX];
    enum err e = account__allow(s, ACCOUNT_MAILBOXES);
    if (e != OK)
        return e;
    if (!account_name_ok(name))
        return ERR_SYNTAX;
    name = canonical(name, room);
    size_t i = subscription_find(db, name);
    if ((i < db->subscriptions_n) == subscribed)
        return OK;
    if (subscribed && db->subscriptions_n >= 2 * ACCOUNT_MAILBOXES_MAX)
        return ERR_LIMIT;
    if (db->in_event || db->txn.db)
        return ERR_STATE;
    e = write_subscription(db, name, subscribed);
    if (e != OK)
        return e;
    if (subscribed) {
        subscription_insert(db, name);
    } else {
        free(db->subscriptions[i]);
        memmove(db->subscriptions + i, db->subscriptions + i + 1,
                (db->subscriptions_n - i - 1) * sizeof(struct subscription *));
        db->subscriptions_n--;
    }
    struct mailbox *m = by_name(db, name);
    if (m)
        m->info.subscribed = m->next.subscribed = subscribed;
    tell_changed(s, name);
    return OK;
}
