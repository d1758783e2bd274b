/* See account.h: mailboxes. All of them are in memory, in the order of their names. */
#include "store/account__.h"

#include "text/utf8.h"

#include <stdlib.h>

#define MAILBOX_ID_MAX INT32_MAX /* so that a run's row id fits: mailbox << 32 | UID */

/* --- names */

static slice first_level(slice name)
{
    return slice_sub(name, 0, slice_index(name, '/'));
}

slice account__name_canonical(slice name, uint8_t *room)
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

bool account__name_below(slice name, slice above)
{
    return name.n > above.n && name.p[above.n] == '/' && slice_starts(name, above);
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

struct mailbox *account__mailbox_named(const struct account_db *db, slice name)
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
    m->name = account__text(info->name);
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
    return e == ERR_NOT_FOUND ? OK : e;
}

void account__mailboxes_free(struct account_db *db)
{
    for (size_t i = 0; i < db->mailboxes_n; i++) {
        must(!db->mailboxes[i]->view);
        mailbox_free(db->mailboxes[i]);
    }
    free(db->mailboxes);
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
    struct mailbox *m = account__mailbox_named(s->db, account__name_canonical(name, room));
    return m && account__allow(s, ACCOUNT_READ) == OK ? &m->info : NULL;
}

const struct mailbox_info *account_mailbox_get(struct account_store *s, uint64_t id)
{
    struct mailbox *m = account__mailbox(s->db, id);
    return m && account__allow(s, ACCOUNT_READ) == OK ? &m->info : NULL;
}

uint64_t account_inbox(struct account_store *s)
{
    struct mailbox *m = account__mailbox_named(s->db, SLICE("INBOX"));
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
    name = account__name_canonical(name, room);
    if (account__allow(s, ACCOUNT_READ) != OK)
        return false;
    /* names between "a" and "a/..." such as "a b" may come first, but nothing sorts between "a/" and "a/x" */
    for (size_t i = place(s->db, name); i < s->db->mailboxes_n; i++) {
        slice other = slice_str(s->db->mailboxes[i]->name);
        if (account__name_below(other, name))
            return true;
        if (!slice_starts(other, name))
            return false;
    }
    return false;
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
    i.subscribed = account__subscribed(db, name);
    struct mailbox *m = insert(db, &i);
    m->born = true;
    (void)account__touch(db, m); /* gives it the MODSEQ */
    *out = m;
    return OK;
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
            e = account__subscription_write(db, first[i].name, true);
        if (e == OK) {
            account__subscription_add(db, first[i].name);
            m->info.subscribed = m->next.subscribed = true;
        }
    }
    return e;
}
