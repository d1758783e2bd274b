/* See account.h: subscriptions: names, whether there is such a mailbox or not (RFC 9051 §6.3.7). All of them
 * are in memory, in the order of their names. */
#include "store/account__.h"

#include <stdlib.h>

void account__subscription_add(struct account_db *db, slice name)
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

static size_t find(const struct account_db *db, slice name)
{
    size_t i = 0;
    while (i < db->subscriptions_n && !slice_eq(slice_str(db->subscriptions[i]->name), name))
        i++;
    return i;
}

enum err account__subscriptions_load(struct account_db *db)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "SELECT name FROM subscription ORDER BY name");
    enum err e;
    while ((e = stmt_row(q)) == OK) {
        slice name = stmt_slice(q, 0);
        account__subscription_add(db, name);
        struct mailbox *m = account__mailbox_named(db, name);
        if (m)
            m->info.subscribed = m->next.subscribed = true;
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

void account__subscriptions_free(struct account_db *db)
{
    for (size_t i = 0; i < db->subscriptions_n; i++)
        free(db->subscriptions[i]);
    free(db->subscriptions);
}

bool account__subscribed(const struct account_db *db, slice name)
{
    return find(db, name) < db->subscriptions_n;
}

enum err account__subscription_write(struct account_db *db, slice name, bool subscribed)
{
    struct stmt *q CLEANUP(stmt_done) = subscribed
                                            ? db_stmt(db->db, "INSERT OR IGNORE INTO subscription VALUES (?)")
                                            : db_stmt(db->db, "DELETE FROM subscription WHERE name = ?");
    stmt_bind_text(q, 1, name);
    return stmt_run(q);
}

bool account_subscription_at(struct account_store *s, size_t i, slice *out_name)
{
    if (account__allow(s, ACCOUNT_READ) != OK || i >= s->db->subscriptions_n)
        return false;
    *out_name = slice_of(s->db->subscriptions[i]->name, s->db->subscriptions[i]->n);
    return true;
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
    name = account__name_canonical(name, room);
    size_t i = find(db, name);
    if ((i < db->subscriptions_n) == subscribed)
        return OK;
    if (subscribed && db->subscriptions_n >= 2 * ACCOUNT_MAILBOXES_MAX)
        return ERR_LIMIT;
    if (db->in_event || db->txn.db)
        return ERR_STATE;
    e = account__subscription_write(db, name, subscribed);
    if (e != OK)
        return e;
    if (subscribed) {
        account__subscription_add(db, name);
    } else {
        free(db->subscriptions[i]);
        memmove(db->subscriptions + i, db->subscriptions + i + 1,
                (db->subscriptions_n - i - 1) * sizeof(struct subscription *));
        db->subscriptions_n--;
    }
    struct mailbox *m = account__mailbox_named(db, name);
    if (m)
        m->info.subscribed = m->next.subscribed = subscribed;
    account__tell_mailbox(s, ACCOUNT_EVENT_CHANGED, m ? m->info.id : 0, name, (slice){0});
    return OK;
}
