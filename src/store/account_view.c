/* See account.h: a mailbox's messages as arrays, shared by the sessions that look at it; events. */
#include "store/account__.h"

#include <stdlib.h>

/* --- arrays in memory */

static void *more(void *p, size_t n, size_t size)
{
    void *q = reallocarray(p, n, size);
    must(q != NULL);
    return q;
}

static void room_for(struct view *v, size_t n)
{
    if (n <= v->room)
        return;
    size_t room = size_max(n, v->room + v->room / 4 + 16);
    v->c.uid = more(v->c.uid, room, sizeof *v->c.uid);
    v->c.flags = more(v->c.flags, room, sizeof *v->c.flags);
    v->c.modseq = more(v->c.modseq, room, sizeof *v->c.modseq);
    v->c.message = more(v->c.message, room, sizeof *v->c.message);
    v->c.bytes = more(v->c.bytes, room, sizeof *v->c.bytes);
    v->c.date = more(v->c.date, room, sizeof *v->c.date);
    v->room = room;
}

static void add_run(struct view *v, uint32_t key, size_t at)
{
    v->runs = account__grow(v->runs, v->runs_n, &v->runs_room, sizeof *v->runs);
    v->runs[v->runs_n++] = (struct view_run){key, at};
}

void account__view_refresh(struct view *v)
{
    v->pub.uid = v->c.uid;
    v->pub.flags = v->c.flags;
    v->pub.modseq = v->c.modseq;
    v->pub.message = v->c.message;
    v->pub.bytes = v->c.bytes;
    v->pub.date = v->c.date;
    if (!v->m)
        return;
    v->pub.mailbox = v->m->info.id;
    v->pub.uidvalidity = v->m->info.uidvalidity;
    v->pub.uidnext = v->m->info.uidnext;
    v->pub.modseq_highest = v->m->info.modseq;
}

void account__view_empty(struct view *v)
{
    v->pub.n = v->runs_n = 0;
    account__view_refresh(v);
}

static void view_free(struct view *v)
{
    free(v->c.uid);
    free(v->c.flags);
    free(v->c.modseq);
    free(v->c.message);
    free(v->c.bytes);
    free(v->c.date);
    free(v->runs);
    free(v);
}

/* A damaged run is left out: its messages are not shown, all others are (THREATS 60). Its row stays for
 * repair, and appending goes on behind it. */
static enum err load(struct account_db *db, struct mailbox *m, struct view *v)
{
    struct stmt *q CLEANUP(stmt_done) = account__runs(db, m->info.id);
    enum err e;
    room_for(v, m->info.messages);
    while ((e = stmt_row(q)) == OK) {
        size_t n, at = v->pub.n;
        room_for(v, at + RUN_MAX);
        if (account__run_read(db, q, run_columns_from(v->c, at), &n) != OK)
            continue;
        if (at > 0 && v->c.uid[at] <= v->c.uid[at - 1]) /* runs overlap: believe the first */
            continue;
        add_run(v, account__run_row_key(q), at);
        v->pub.n += n;
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err account__view_get(struct account_db *db, struct mailbox *m, struct view **out)
{
    if (!m->view) {
        struct view *v = account__alloc(1, sizeof *v);
        enum err e = load(db, m, v);
        if (e != OK) {
            view_free(v);
            return e;
        }
        v->m = m;
        m->view = v;
        account__view_refresh(v);
    }
    m->view->users++;
    *out = m->view;
    return OK;
}

enum err account__change_begin(struct account_store *s, unsigned rights, uint64_t mailbox,
                               struct mailbox **out_m, struct view **out_v)
{
    struct account_db *db = s->db;
    struct mailbox *m = account__mailbox(db, mailbox);
    enum err e = account__allow(s, rights);
    if (e != OK || !m)
        return e != OK ? e : ERR_NOT_FOUND;
    e = account__begin(db);
    if (e != OK)
        return e;
    e = account__view_get(db, m, out_v);
    if (e != OK)
        account__rollback(&db);
    else
        *out_m = m;
    return e;
}

void account__view_put(struct view **vp)
{
    struct view *v = *vp;
    *vp = NULL;
    if (!v)
        return;
    must(v->users > 0);
    if (--v->users > 0)
        return;
    if (v->m)
        v->m->view = NULL;
    view_free(v);
}

enum err account_view_open(struct account_store *s, uint64_t mailbox, struct mailbox_view **out)
{
    struct view *v;
    enum err e = account__allow(s, ACCOUNT_READ);
    struct mailbox *m = account__mailbox(s->db, mailbox);
    if (e != OK || !m)
        return e != OK ? e : ERR_NOT_FOUND;
    if (s->db->txn.db) /* what it would load is not all durable */
        return ERR_STATE;
    e = account__view_get(s->db, m, &v);
    if (e == OK)
        *out = &v->pub;
    return e;
}

void account_view_close(struct account_store *s, struct mailbox_view **view)
{
    struct view *v = (struct view *)(void *)*view;
    (void)s;
    *view = NULL;
    account__view_put(&v);
}

size_t mailbox_view_at(const struct mailbox_view *v, uint32_t uid)
{
    size_t low = 0, high = v->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->uid[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t account__view_run_of(const struct view *v, size_t i)
{
    size_t low = 0, high = v->runs_n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (v->runs[middle].at <= i)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void account__view_append(struct mailbox *m, const struct appender *a)
{
    struct view *v = m->view;
    if (!v)
        return;
    size_t at = v->pub.n, run = 0;
    room_for(v, at + a->fresh_n);
    run_columns_move(run_columns_from(v->c, at), a->fresh, a->fresh_n);
    for (size_t i = 0; i < a->fresh_n; i++)
        if (run < a->new_keys_n && a->new_keys[run] == a->fresh.uid[i]) {
            add_run(v, a->new_keys[run], at + i);
            run++;
        }
    v->pub.n += a->fresh_n;
    account__view_refresh(v);
}

enum err account_take_recent(struct account_store *s, uint64_t mailbox, uint32_t *out_first)
{
    struct account_db *db = s->db;
    enum err e = account__allow(s, ACCOUNT_READ);
    struct mailbox *m = account__mailbox(db, mailbox);
    if (e != OK || !m)
        return e != OK ? e : ERR_NOT_FOUND;
    *out_first = m->info.recent_from;
    if (m->info.recent_from == m->info.uidnext || !(s->rights & ACCOUNT_FLAG))
        return OK;
    /* Not worth a commit of its own: the next change of this mailbox writes it. After a crash some messages
     * may be \Recent once more. */
    m->info.recent_from = m->next.recent_from = m->info.uidnext;
    return OK;
}

/* --- events */

void account_watch_add(struct account_store *s, struct account_watch *w)
{
    list_init(&w->link);
    if (s->rights & ACCOUNT_READ)
        list_append(&s->db->watches, &w->link);
}

void account_watch_remove(struct account_watch *w)
{
    list_remove(&w->link);
}

void account__tell(struct account_store *s, const struct account_event *e)
{
    struct account_event told = *e;
    told.origin = s;
    s->db->in_event = true;
    LIST_EACH_SAFE(it, &s->db->watches)
    {
        struct account_watch *w = LIST_OF(it, struct account_watch, link);
        w->fn(w, &told);
    }
    s->db->in_event = false;
}

void account__tell_mailbox(struct account_store *s, enum account_event_kind kind, uint64_t id, slice name,
                           slice old_name)
{
    account__tell(
        s,
        &(struct account_event){
            .kind = kind, .mailbox = id, .modseq = s->db->count.modseq, .name = name, .old_name = old_name});
}
