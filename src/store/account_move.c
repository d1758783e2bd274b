/* See account.h: expunging, copying and moving: one transaction each. */
#include "store/account__.h"

#include <stdlib.h>

/* Entries picked out of a view. */
struct picked {
    size_t *index; /* ascending */
    size_t n, room;
    struct run_columns c; /* copies of them; NULL until picked_copy() */
};

static void pick(struct picked *p, const struct view *v, struct uid_set set, flag_set needed)
{
    for (size_t k = 0; k < set.n; k++)
        for (size_t i = mailbox_view_at(&v->pub, set.at[k].first);
             i < v->pub.n && v->c.uid[i] <= set.at[k].last; i++)
            if ((v->c.flags[i] & needed) == needed) {
                p->index = account__grow(p->index, p->n, &p->room, sizeof *p->index);
                p->index[p->n++] = i;
            }
}

static void picked_copy(struct picked *p, const struct view *v)
{
    p->c = (struct run_columns){
        account__alloc(p->n, sizeof *p->c.uid),    account__alloc(p->n, sizeof *p->c.flags),
        account__alloc(p->n, sizeof *p->c.modseq), account__alloc(p->n, sizeof *p->c.message),
        account__alloc(p->n, sizeof *p->c.bytes),  account__alloc(p->n, sizeof *p->c.date),
    };
    for (size_t k = 0; k < p->n; k++)
        run_columns_move(run_columns_from(p->c, k), run_columns_from(v->c, p->index[k]), 1);
}

static void picked_done(struct picked *p)
{
    free(p->index);
    free(p->c.uid);
    free(p->c.flags);
    free(p->c.modseq);
    free(p->c.message);
    free(p->c.bytes);
    free(p->c.date);
}

/* --- taking entries out of runs. A run that was changed takes in the one behind it when both fit into one,
 * so that runs do not wear down to crumbs. */

struct remover {
    struct account_db *db;
    struct mailbox *m;
    const struct view *v;
    const struct picked *gone;
    size_t next_gone; /* in gone->index */
    struct run hold;  /* a changed run, not yet written */
    uint32_t hold_key;
    bool holding;
    struct view_run *runs; /* what will be */
    size_t runs_n, runs_room, at;
};

static enum err flush(struct remover *r)
{
    if (!r->holding)
        return OK;
    r->holding = false;
    return account__run_write(r->db, r->m->info.id, r->hold_key, run_columns(&r->hold), r->hold.n);
}

static void keep_run(struct remover *r, uint32_t key, size_t n)
{
    r->runs = account__grow(r->runs, r->runs_n, &r->runs_room, sizeof *r->runs);
    r->runs[r->runs_n++] = (struct view_run){key, r->at};
    r->at += n;
}

/* Entries at..end without those that go, put behind what is in hand. */
static void take(struct remover *r, size_t at, size_t end, size_t gone_n)
{
    const size_t *gone = r->gone->index + r->next_gone;
    for (size_t from = at, k = 0; k <= gone_n; k++) {
        size_t to = k < gone_n ? gone[k] : end;
        run_columns_move(run_columns_from(run_columns(&r->hold), r->hold.n), run_columns_from(r->v->c, from),
                         to - from);
        r->hold.n += to - from;
        from = to + 1;
    }
}

static enum err remove_from_run(struct remover *r, size_t run)
{
    const struct view *v = r->v;
    size_t at = v->runs[run].at, end = run + 1 < v->runs_n ? v->runs[run + 1].at : v->pub.n, gone_n = 0;
    uint32_t key = v->runs[run].key;
    while (r->next_gone + gone_n < r->gone->n && r->gone->index[r->next_gone + gone_n] < end)
        gone_n++;
    size_t kept = end - at - gone_n;
    enum err e = OK;
    if (r->holding && r->hold.n + kept <= RUN_MAX) {
        take(r, at, end, gone_n);
        r->at += kept;
        e = account__run_write(r->db, r->m->info.id, key, r->v->c, 0);
    } else {
        e = flush(r);
        if (e == OK && gone_n == 0) {
            keep_run(r, key, kept);
        } else if (e == OK && kept == 0) {
            e = account__run_write(r->db, r->m->info.id, key, r->v->c, 0);
        } else if (e == OK) {
            r->hold.n = 0;
            r->hold_key = key;
            r->holding = true;
            take(r, at, end, gone_n);
            keep_run(r, key, kept);
        }
    }
    r->next_gone += gone_n;
    return e;
}

/* Writes what remains, and keeps what goes in `expunged`. r->runs is then the new list. */
static enum err remove_all(struct remover *r, bool moved, time_ms now)
{
    enum err e = account__expunged_write(r->db, r->m->info.id, r->gone->c, r->gone->n, moved, now);
    for (size_t run = 0; run < r->v->runs_n && e == OK; run++)
        e = remove_from_run(r, run);
    if (e == OK)
        e = flush(r);
    struct mailbox_info *next = account__touch(r->db, r->m);
    for (size_t k = 0; k < r->gone->n; k++) {
        flag_set flags = r->gone->c.flags[k];
        next->messages--;
        next->bytes -= r->gone->c.bytes[k];
        next->unseen -= !(flags & FLAG_SEEN);
        next->deleted -= !!(flags & FLAG_DELETED);
    }
    return e;
}

/* After the commit: the same in the arrays. */
static void close_gaps(struct view *v, const struct picked *gone, struct remover *r)
{
    size_t to = gone->n ? gone->index[0] : 0;
    for (size_t k = 0; k < gone->n; k++) {
        size_t from = gone->index[k] + 1, end = k + 1 < gone->n ? gone->index[k + 1] : v->pub.n;
        run_columns_move(run_columns_from(v->c, to), run_columns_from(v->c, from), end - from);
        to += end - from;
    }
    v->pub.n -= gone->n;
    free(v->runs);
    v->runs = r->runs;
    v->runs_n = r->runs_n;
    v->runs_room = r->runs_room;
    r->runs = NULL;
    account__view_refresh(v);
}

static void tell_expunged(struct account_store *s, const struct mailbox *m, const struct picked *gone)
{
    account__tell(s, &(struct account_event){.kind = ACCOUNT_EVENT_EXPUNGED,
                                             .mailbox = m->info.id,
                                             .uids = gone->c.uid,
                                             .n = gone->n,
                                             .modseq = m->info.modseq});
}

/* --- the calls */

static enum err expunge(struct account_store *s, struct mailbox *m, struct view *v, struct picked *gone,
                        time_ms now)
{
    struct remover *r = account__alloc(1, sizeof *r);
    *r = (struct remover){.db = s->db, .m = m, .v = v, .gone = gone};
    picked_copy(gone, v);
    enum err e = remove_all(r, false, now);
    if (e == OK)
        e = account__commit(s->db);
    if (e == OK) {
        close_gaps(v, gone, r);
        tell_expunged(s, m, gone);
    }
    free(r->runs);
    free(r);
    return e;
}

enum err account_expunge(struct account_store *s, uint64_t mailbox, struct uid_set set, bool only_deleted,
                         time_ms now, size_t *out_n)
{
    struct mailbox *m;
    struct view *v CLEANUP(account__view_put) = NULL;
    struct picked gone CLEANUP(picked_done) = {0};
    enum err e = account__change_begin(s, ACCOUNT_EXPUNGE, mailbox, &m, &v);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(s->db);
    pick(&gone, v, set, only_deleted ? FLAG_DELETED : 0);
    if (gone.n)
        e = expunge(s, m, v, &gone, now);
    if (e == OK)
        *out_n = gone.n;
    return e;
}

/* Does a copy of all these fit? A move changes no sum. */
static enum err copy_room(struct account_db *db, const struct picked *p)
{
    uint64_t bytes = db->bytes;
    for (size_t k = 0; k < p->n; k++)
        bytes += p->c.bytes[k];
    if ((db->bytes_max && bytes > db->bytes_max) ||
        (db->messages_max && db->messages + p->n > db->messages_max))
        return ERR_QUOTA;
    return account__disk_room(db, p->n * 16);
}

static enum err put_behind(struct account_db *db, struct mailbox *to, const struct picked *p,
                           uint32_t *out_first)
{
    struct appender *a;
    enum err e = account__appender(db, to, &a);
    for (size_t k = 0; k < p->n && e == OK; k++) {
        uint32_t uid;
        e = account__append(db, a, p->c.flags[k], p->c.message[k], p->c.bytes[k], p->c.date[k], &uid);
        if (e == OK && k == 0)
            *out_first = uid;
    }
    return e == OK ? account__appenders_flush(db) : e;
}

static enum err copy(struct account_store *s, struct mailbox *from, struct view *v, struct mailbox *to,
                     struct picked *p, bool move, time_ms now, uint32_t *out_first)
{
    struct account_db *db = s->db;
    struct remover *r = account__alloc(1, sizeof *r);
    *r = (struct remover){.db = db, .m = from, .v = v, .gone = p};
    picked_copy(p, v);
    enum err e = move ? remove_all(r, true, now) : copy_room(db, p);
    if (e == OK) /* after the removal: when a message moves to where it is, the appender reads what remains */
        e = put_behind(db, to, p, out_first);
    if (e == OK)
        e = account__commit(db);
    if (e == OK) {
        if (move)
            close_gaps(v, p, r);
        account__appenders_tell(s);
        if (move)
            tell_expunged(s, from, p);
    }
    free(r->runs);
    free(r);
    return e;
}

enum err account_copy(struct account_store *s, uint64_t from, struct uid_set set, uint64_t to, bool move,
                      time_ms now, struct arena *a, struct account_copied *out)
{
    struct mailbox *source, *target = account__mailbox(s->db, to);
    struct view *v CLEANUP(account__view_put) = NULL;
    struct picked p CLEANUP(picked_done) = {0};
    uint32_t first = 0;
    enum err e = account__change_begin(s, ACCOUNT_READ | ACCOUNT_ADD | (move ? ACCOUNT_EXPUNGE : 0u), from,
                                       &source, &v);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(s->db);
    if (!target)
        return ERR_NOT_FOUND;
    pick(&p, v, set, 0);
    uint32_t *uids = ARENA_ARRAY(a, p.n, uint32_t);
    if (!uids)
        return ERR_LIMIT;
    for (size_t k = 0; k < p.n; k++)
        uids[k] = v->c.uid[p.index[k]];
    if (p.n)
        e = copy(s, source, v, target, &p, move, now, &first);
    if (e == OK)
        *out = (struct account_copied){
            .uidvalidity = target->info.uidvalidity, .first = first, .uids = uids, .n = p.n};
    return e;
}
