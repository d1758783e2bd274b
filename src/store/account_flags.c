/* See account.h: flags and keywords. */
#include "store/account__.h"

#include <stdlib.h>

/* --- keywords: one table for the account, so that copies and JMAP need no translation */

/* RFC 9051 §9: flag-keyword is an atom, which has no ( ) { SP CTL % * " \ ] */
static bool is_atom(slice s)
{
    if (s.n == 0 || s.n > ACCOUNT_KEYWORD_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 32 || s.p[i] >= 127 || slice_has(SLICE("(){%*\"\\]"), s.p[i]))
            return false;
    return true;
}

static enum err keyword_write(struct account_db *db, slice name)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "INSERT INTO keyword VALUES (?, ?)");
    stmt_bind_u64(q, 1, db->keywords_n);
    stmt_bind_text(q, 2, name);
    return stmt_run(q);
}

enum err account_keyword(struct account_store *s, slice name, bool make, flag_set *out_bit)
{
    struct account_db *db = s->db;
    enum err e = account__allow(s, ACCOUNT_READ);
    if (e != OK)
        return e;
    if (!is_atom(name))
        return ERR_SYNTAX;
    for (size_t i = 0; i < db->keywords_n; i++)
        if (slice_eq_nocase(slice_str(db->keywords[i]), name)) {
            *out_bit = (flag_set)1 << (FLAG_KEYWORD0 + i);
            return OK;
        }
    if (!make)
        return ERR_NOT_FOUND;
    if (!(s->rights & (ACCOUNT_FLAG | ACCOUNT_ADD)))
        return ERR_DENIED;
    if (db->keywords_n == ACCOUNT_KEYWORDS_MAX)
        return ERR_LIMIT;
    if (db->txn.db || db->in_event)
        return ERR_STATE;
    e = keyword_write(db, name);
    if (e != OK)
        return e;
    char *copy = account__alloc(name.n + 1, 1);
    memcpy(copy, name.p, name.n);
    *out_bit = (flag_set)1 << (FLAG_KEYWORD0 + db->keywords_n);
    db->keywords[db->keywords_n++] = copy;
    return OK;
}

slice account_keyword_name(struct account_store *s, unsigned i)
{
    bool there = account__allow(s, ACCOUNT_READ) == OK && i < s->db->keywords_n;
    return slice_str(there ? s->db->keywords[i] : NULL);
}

size_t account_keyword_count(struct account_store *s)
{
    return account__allow(s, ACCOUNT_READ) == OK ? s->db->keywords_n : 0;
}

/* --- changing flags */

struct edit {
    struct account_db *db;
    struct mailbox *m;
    struct view *v;
    struct flag_change change;
    struct buf *out_failed;
    struct run hold; /* the run in hand, changed */
    size_t run;      /* its index; SIZE_MAX: none in hand */
    bool dirty;
    size_t *changed; /* indices, ascending */
    size_t changed_n, changed_room;
};

static flag_set changed_flags(const struct flag_change *c, flag_set before)
{
    switch (c->op) {
    case FLAGS_SET:
        return c->flags;
    case FLAGS_ADD:
        return before | c->flags;
    case FLAGS_REMOVE:
    default:
        return before & ~c->flags;
    }
}

static enum err edit_flush(struct edit *e)
{
    if (!e->dirty)
        return OK;
    e->dirty = false;
    return account__run_write(e->db, e->m->info.id, e->v->runs[e->run].key, run_columns(&e->hold), e->hold.n);
}

/* Takes the run of entry i in hand. */
static enum err edit_take(struct edit *e, size_t i)
{
    const struct view *v = e->v;
    size_t end = e->run == SIZE_MAX ? 0 : e->run + 1 < v->runs_n ? v->runs[e->run + 1].at : v->pub.n;
    if (e->run != SIZE_MAX && i < end)
        return OK;
    enum err err = edit_flush(e);
    if (err != OK)
        return err;
    e->run = account__view_run_of(v, i);
    end = e->run + 1 < v->runs_n ? v->runs[e->run + 1].at : v->pub.n;
    e->hold.n = end - v->runs[e->run].at;
    run_columns_move(run_columns(&e->hold), run_columns_from(v->c, v->runs[e->run].at), e->hold.n);
    return OK;
}

static enum err edit_one(struct edit *e, size_t i)
{
    const struct view *v = e->v;
    flag_set before = v->c.flags[i], after = changed_flags(&e->change, before);
    if (v->c.modseq[i] > e->change.unchanged_since)
        return e->out_failed ? buf_append(e->out_failed, slice_of(&v->c.uid[i], sizeof v->c.uid[i])) : OK;
    if (before == after)
        return OK;
    enum err err = edit_take(e, i);
    if (err != OK)
        return err;
    size_t at = i - v->runs[e->run].at;
    e->hold.flags[at] = after;
    e->hold.modseq[at] = e->db->txn_modseq;
    e->dirty = true;
    struct mailbox_info *next = account__touch(e->db, e->m);
    next->unseen += !!(before & FLAG_SEEN);
    next->unseen -= !!(after & FLAG_SEEN);
    next->deleted += !!(after & FLAG_DELETED);
    next->deleted -= !!(before & FLAG_DELETED);
    e->changed = account__grow(e->changed, e->changed_n, &e->changed_room, sizeof *e->changed);
    e->changed[e->changed_n++] = i;
    return OK;
}

static enum err edit_set(struct edit *e, struct uid_set set)
{
    enum err err = OK;
    for (size_t k = 0; k < set.n && err == OK; k++)
        for (size_t i = mailbox_view_at(&e->v->pub, set.at[k].first);
             i < e->v->pub.n && e->v->c.uid[i] <= set.at[k].last && err == OK; i++)
            err = edit_one(e, i);
    if (err == OK)
        err = edit_flush(e);
    if (err == OK && e->changed_n)
        err = account__commit(e->db);
    return err;
}

/* The same change once more, in the arrays that all sessions see. */
static void edit_apply(struct account_store *s, struct edit *e)
{
    uint32_t *uids = account__alloc(e->changed_n, sizeof *uids);
    uint64_t modseq = e->m->info.modseq;
    for (size_t k = 0; k < e->changed_n; k++) {
        size_t i = e->changed[k];
        e->v->c.flags[i] = changed_flags(&e->change, e->v->c.flags[i]);
        e->v->c.modseq[i] = modseq;
        uids[k] = e->v->c.uid[i];
    }
    account__view_refresh(e->v);
    account__tell(s, &(struct account_event){.kind = ACCOUNT_EVENT_FLAGS,
                                             .mailbox = e->m->info.id,
                                             .uids = uids,
                                             .n = e->changed_n,
                                             .modseq = modseq});
    free(uids);
}

enum err account_flags(struct account_store *s, uint64_t mailbox, struct uid_set set,
                       const struct flag_change *change, uint64_t *out_modseq, struct buf *out_failed)
{
    struct account_db *db = s->db;
    struct mailbox *m;
    struct view *v CLEANUP(account__view_put) = NULL;
    enum err e = account__change_begin(s, ACCOUNT_FLAG, mailbox, &m, &v);
    if (e != OK)
        return e;
    ROLLBACK_UNLESS_COMMITTED(db);
    struct edit *edit = account__alloc(1, sizeof *edit);
    *edit =
        (struct edit){.db = db, .m = m, .v = v, .change = *change, .out_failed = out_failed, .run = SIZE_MAX};
    edit->change.flags &= FLAG_SYSTEM | (UINT64_MAX << FLAG_KEYWORD0);
    e = edit_set(edit, set);
    if (e == OK) {
        *out_modseq = edit->changed_n ? m->info.modseq : 0;
        if (edit->changed_n)
            edit_apply(s, edit);
    }
    free(edit->changed);
    free(edit);
    return e;
}
