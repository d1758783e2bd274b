/* imap_store: STORE, COPY and MOVE (RFC 9051 §6.4.6 to §6.4.8; RFC 7162 §3.1.3). Each changes all its
 * messages in one transaction. */
#include "proc/account/imap__.h"

enum err imap__flags_of(struct imap_session *s, const struct imap_flag_list *l, bool make, flag_set *out)
{
    flag_set bits = l->system;
    for (size_t i = 0; i < l->keywords_n; i++) {
        flag_set bit;
        enum err e = account_keyword(s->store, l->keywords[i], make, &bit);
        if (e == ERR_NOT_FOUND && !make)
            continue;
        if (e != OK)
            return e;
        bits |= bit;
    }
    *out = bits;
    return OK;
}

void imap__store_done(struct imap_session *s)
{
    buf_done(&s->work.store.failed);
}

static enum err store_apply(struct imap_session *s)
{
    static const enum flag_op ops[] = {
        [IMAP_STORE_REPLACE] = FLAGS_SET, [IMAP_STORE_ADD] = FLAGS_ADD, [IMAP_STORE_REMOVE] = FLAGS_REMOVE};
    const struct imap_store_args *a = &s->cmd.store;
    struct imap_store_state *st = &s->work.store;
    struct flag_change change = {.op = ops[a->how],
                                 .unchanged_since = a->unchanged_since ? a->since : UINT64_MAX};
    struct uid_set set;
    enum err e;
    e = imap__flags_of(s, &a->flags, a->how != IMAP_STORE_REMOVE, &change.flags);
    if (e == OK)
        e = imap__walk_uids(s, &set);
    buf_init(&st->failed, SIZE_MAX / 2);
    if (e == OK)
        e = account_flags(s->store, s->sel.mailbox, set, &change, &st->modseq, &st->failed);
    return e;
}

static void store_tell(struct imap_session *s)
{
    const struct mailbox_info *m = account_mailbox_get(s->store, s->sel.mailbox);
    static const char signs[] = {
        [IMAP_STORE_REPLACE] = '=', [IMAP_STORE_ADD] = '+', [IMAP_STORE_REMOVE] = '-'};
    struct buf text;
    if (!s->work.store.modseq || !m)
        return;
    buf_init(&text, 300);
    (void)buf_byte(&text, (uint8_t)signs[s->cmd.store.how]); /* what does not fit is left out */
    (void)imap_write_flags(&text, s->cmd.store.flags.system);
    for (size_t i = 0; i < s->cmd.store.flags.keywords_n; i++) {
        (void)buf_byte(&text, ' ');
        (void)buf_append(&text, s->cmd.store.flags.keywords[i]);
    }
    imap__tell_each(s, JOURNAL_FLAGS_CHANGED, m->name, buf_view(&text), s->touched, s->touched_n, 0);
    buf_done(&text);
}

/* OK, with [MODIFIED set] of those refused by UNCHANGEDSINCE. */
static enum imap_step store_reply(struct imap_session *s)
{
    struct buf *failed = &s->work.store.failed;
    struct imap_set_writer w = {0};
    bool ghosts = s->work.store.walk.ghosts;
    if (!failed->n) {
        imap__store_done(s);
        return ghosts ? imap__reply(s, "OK", "EXPUNGEISSUED", "some of the messages were gone") : imap__ok(s);
    }
    buf_clear(&s->reply);
    (void)buf_append(&s->reply, s->cmd.tag); /* the reply's bound is far */
    (void)buf_str(&s->reply, " OK [MODIFIED ");
    for (size_t i = 0; i < failed->n / sizeof(uint32_t); i++) {
        uint32_t uid;
        memcpy(&uid, failed->p + i * sizeof uid, sizeof uid);
        imap_set_put(&w, &s->reply,
                     s->cmd.uid ? uid : imap_map_seq(&s->sel.map, mailbox_view_at(s->sel.view, uid)));
    }
    imap_set_end(&w, &s->reply);
    (void)buf_str(&s->reply, "] some were changed by others\r\n");
    imap__store_done(s);
    return IMAP_STEP_DONE;
}

enum imap_step imap__store(struct imap_session *s)
{
    struct imap_store_state *st = &s->work.store;
    bool condstore, flags = !s->cmd.store.silent;
    size_t index;
    uint32_t seq;
    if (!st->begun) {
        enum err e;
        if (s->sel.read_only)
            return imap__reply(s, "NO", "NOPERM", "the mailbox is open read-only");
        if (!imap__sync(s, false)) /* first what others did: then all that is new is ours */
            return IMAP_STEP_AGAIN;
        if (s->cmd.store.unchanged_since)
            s->caps |= IMAP_CAPS_CONDSTORE;
        e = store_apply(s);
        if (e != OK) {
            imap__store_done(s);
            return e == ERR_SYNTAX ? imap__reply(s, "BAD", NULL, "there is no such message") : imap__no(s, e);
        }
        imap__told(s);
        store_tell(s);
        if (account_keyword_count(s->store) != s->sel.keywords)
            imap__write_flags_response(s);
        if (imap__walk_begin(s, &st->walk) != OK)
            return imap__no(s, ERR_BUG);
        st->begun = true;
    }
    condstore = (s->caps & IMAP_CAPS_CONDSTORE) != 0;
    while ((flags || condstore) && imap__walk_next(s, &st->walk, &index, &seq)) {
        /* silent: only MODSEQ of those that changed (RFC 7162 §3.1.3) */
        if (flags || s->sel.view->modseq[index] == st->modseq)
            imap__write_flags(s, index, s->cmd.uid, flags);
        if (imap__full(s))
            return IMAP_STEP_AGAIN;
    }
    return store_reply(s);
}

static void copy_code(struct imap_session *s, struct buf *b, const struct account_copied *c)
{
    struct imap_set_writer w = {0};
    (void)buf_print(b, "[COPYUID %u ",
                    c->uidvalidity); /* the bounds of out and reply are far, here and below */
    for (size_t i = 0; i < c->n; i++)
        imap_set_put(&w, b, c->uids[i]);
    imap_set_end(&w, b);
    (void)buf_print(b, c->n > 1 ? " %u:%u] " : " %u] ", c->first, (uint32_t)(c->first + c->n - 1));
    (void)s;
}

/* UIDPLUS: COPYUID in the tagged OK of COPY (RFC 4315 §3), untagged before the EXPUNGEs of MOVE (RFC 6851
 * §4.3). */
static enum imap_step copy_reply(struct imap_session *s, const struct account_copied *c)
{
    bool move = s->cmd.verb == IMAP_MOVE;
    if (!c->n)
        return imap__ok(s);
    if (move) {
        (void)buf_str(&s->out, "* OK ");
        copy_code(s, &s->out, c);
        (void)buf_str(&s->out, "moved\r\n");
        return imap__ok(s);
    }
    buf_clear(&s->reply);
    (void)buf_append(&s->reply, s->cmd.tag);
    (void)buf_str(&s->reply, " OK ");
    copy_code(s, &s->reply, c);
    (void)buf_str(&s->reply, "COPY completed\r\n");
    return IMAP_STEP_DONE;
}

enum imap_step imap__copy(struct imap_session *s)
{
    bool move = s->cmd.verb == IMAP_MOVE;
    const struct mailbox_info *to = imap__mailbox_of(s, s->cmd.mailbox), *from;
    uint64_t to_id = to ? to->id : 0;
    struct account_copied copied = {0};
    struct uid_set set;
    enum err e;
    if (move && s->sel.read_only)
        return imap__reply(s, "NO", "NOPERM", "the mailbox is open read-only");
    if (!to)
        return imap__reply(s, "NO", "TRYCREATE", "there is no such mailbox: create it first");
    e = imap__walk_uids(s, &set);
    if (e == ERR_SYNTAX)
        return imap__reply(s, "BAD", NULL, "there is no such message");
    if (e == OK)
        e = account_copy(s->store, s->sel.mailbox, set, to_id, move, s->host->now(), &s->arena, &copied);
    if (e != OK)
        return imap__no(s, e);
    imap__told(s);
    from = account_mailbox_get(s->store, s->sel.mailbox);
    if (copied.n && from)
        imap__tell_each(s, move ? JOURNAL_MOVED : JOURNAL_COPIED, from->name, s->cmd.mailbox, copied.uids,
                        copied.n, copied.first);
    return copy_reply(s, &copied);
}
