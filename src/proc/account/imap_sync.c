/* imap_sync: what a client is told about changes it did not make, and when (RFC 9051 §7.4.1, §7.5.1). */
#include "proc/account/imap__.h"

#include <stdlib.h>

static_assert(FLAG_SEEN == IMAP_SEEN && FLAG_ANSWERED == IMAP_ANSWERED && FLAG_FLAGGED == IMAP_FLAGGED &&
                  FLAG_DELETED == IMAP_DELETED && FLAG_DRAFT == IMAP_DRAFT,
              "the store's flags are the bits of core/imap");

void imap__event(struct account_watch *w, const struct account_event *e)
{
    struct imap_session *s = LIST_OF(w, struct imap_session, watch);
    bool own = e->origin == s->store;
    if (!s->sel.open || e->mailbox != s->sel.mailbox)
        return;
    if (e->kind == ACCOUNT_EVENT_FLAGS || e->kind == ACCOUNT_EVENT_EXPUNGED) {
        s->touched_n = e->n; /* read again before the next event, by the session whose command it was */
        if (e->n)
            memcpy(s->touched, e->uids, size_min(e->n, IMAP_TOUCHED) * sizeof *s->touched);
    }
    switch (e->kind) {
    case ACCOUNT_EVENT_ADDED:
        s->sel.news = true;
        break;
    case ACCOUNT_EVENT_FLAGS:
        s->sel.flags_dirty |= !own;
        break;
    case ACCOUNT_EVENT_EXPUNGED:
        imap_map_expunged(&s->sel.map, e->uids, e->n);
        break;
    case ACCOUNT_EVENT_DELETED:
        s->sel.gone = true;
        break;
    default:
        return;
    }
    if (s->idling)
        loop_later(s->host->loop, &s->task);
}

/* --- \Recent */

bool imap__is_recent(const struct imap_session *s, uint32_t uid)
{
    return imap_ranges_have(s->sel.recent.at, s->sel.recent.n, uid);
}

uint32_t imap__recent_count(const struct imap_session *s)
{
    const struct mailbox_view *v = s->sel.view;
    size_t n = 0, known = imap_map_known(&s->sel.map);
    for (size_t i = 0; i < s->sel.recent.n; i++) {
        struct imap_range r = s->sel.recent.at[i];
        size_t from = mailbox_view_at(v, r.lo), to = r.hi == UINT32_MAX ? v->n : mailbox_view_at(v, r.hi + 1);
        n += size_min(to, known) - size_min(from, known);
    }
    return (uint32_t)n;
}

static void sync_recent_add(struct imap_recent *r, uint32_t lo, uint32_t hi)
{
    if (lo > hi)
        return;
    if (r->n && r->at[r->n - 1].hi + 1 >= lo) {
        r->at[r->n - 1].hi = hi;
        return;
    }
    if (r->n == r->room) {
        r->room = r->room ? r->room * 2 : 4;
        r->at = realloc(r->at, r->room * sizeof *r->at);
        must(r->at);
    }
    r->at[r->n++] = (struct imap_range){lo, hi};
}

/* EXAMINE must not take away \Recent (RFC 3501 §6.3.2): it is shown and left. IMAP4rev2 has none. */
void imap__recent_take(struct imap_session *s)
{
    const struct mailbox_info *info = account_mailbox_get(s->store, s->sel.mailbox);
    uint32_t first;
    if (imap__rev2(s) || !info || info->recent_from >= s->sel.view->uidnext)
        return;
    first = info->recent_from;
    if (!s->sel.read_only) {
        if (account_take_recent(s->store, s->sel.mailbox, &first) != OK)
            return; /* then nobody has taken them, and the next session will */
    }
    sync_recent_add(&s->sel.recent, first, s->sel.view->uidnext - 1);
}

/* --- flags */

static void sync_keywords(struct imap_session *s, struct buf *b, flag_set flags)
{
    size_t n = account_keyword_count(s->store);
    bool first = !(flags & FLAG_SYSTEM);
    for (unsigned i = 0; i < n; i++) {
        if (!(flags & (flag_set)1 << (FLAG_KEYWORD0 + i)))
            continue;
        if (!first)
            (void)buf_byte(b, ' '); /* out_max is far */
        (void)buf_append(b, account_keyword_name(s->store, i));
        first = false;
    }
}

void imap__write_flags_item(struct imap_session *s, size_t index)
{
    struct imap_selected *sel = &s->sel;
    struct buf *b = &s->out;
    flag_set flags = sel->view->flags[index];
    bool recent = sel->recent.n && imap__is_recent(s, sel->view->uid[index]);
    if (sel->cached_n && sel->cached == flags) {
        (void)buf_append(b, slice_of(sel->cached_text, sel->cached_n)); /* out_max is far, here and below */
    } else {
        size_t at = b->n;
        (void)buf_str(b, "FLAGS (");
        (void)imap_write_flags(
            b, (uint32_t)(flags & FLAG_SYSTEM)); /* whether there were any is seen from flags */
        sync_keywords(s, b, flags);
        if (b->n - at <= sizeof sel->cached_text) {
            memcpy(sel->cached_text, b->p + at, b->n - at);
            sel->cached_n = b->n - at;
            sel->cached = flags;
        }
    }
    if (recent)
        (void)buf_str(b, flags ? " \\Recent" : "\\Recent");
    (void)buf_byte(b, ')');
}

void imap__write_flags(struct imap_session *s, size_t index, bool uid, bool flags)
{
    const struct mailbox_view *v = s->sel.view;
    struct buf *b = &s->out;
    bool modseq = (s->caps & IMAP_CAPS_CONDSTORE) != 0;
    (void)buf_append(b, SLICE("* ")); /* out_max is far, here and below */
    (void)buf_u64(b, imap_map_seq(&s->sel.map, index));
    (void)buf_append(b, SLICE(" FETCH ("));
    if (uid || modseq) {
        (void)buf_append(b, SLICE("UID "));
        (void)buf_u64(b, v->uid[index]);
        (void)buf_byte(b, ' ');
    }
    if (modseq) {
        (void)buf_append(b, SLICE("MODSEQ ("));
        (void)buf_u64(b, v->modseq[index]);
        (void)buf_append(b, flags ? SLICE(") ") : SLICE(")"));
    }
    if (flags)
        imap__write_flags_item(s, index);
    (void)buf_append(b, SLICE(")\r\n"));
}

void imap__told(struct imap_session *s)
{
    if (s->sel.open && !s->sel.flags_dirty && !s->sel.tell_next)
        s->sel.told = s->sel.view->modseq_highest;
}

/* One round over the known messages; what changes during it is told in the next. */
static bool sync_flags(struct imap_session *s)
{
    struct imap_selected *sel = &s->sel;
    const struct mailbox_view *v = sel->view;
    size_t known = imap_map_known(&sel->map);
    if (!sel->tell_next) {
        if (!sel->flags_dirty)
            return true;
        sel->flags_dirty = false;
        sel->telling = v->modseq_highest;
        sel->tell_next = 1;
    }
    for (size_t i = mailbox_view_at(v, sel->tell_next); i < known; i++) {
        if (v->modseq[i] <= sel->told)
            continue;
        if (imap__full(s)) {
            sel->tell_next = v->uid[i];
            return false;
        }
        if (account_keyword_count(s->store) != sel->keywords)
            imap__write_flags_response(s);
        imap__write_flags(s, i, false, true);
    }
    sel->tell_next = 0;
    sel->told = sel->telling;
    return true;
}

static bool sync_expunged(struct imap_session *s)
{
    size_t at = 0;
    uint32_t seq;
    while (!imap__full(s) && imap_map_tell_next(&s->sel.map, &at, &seq)) {
        (void)buf_append(&s->out, SLICE("* ")); /* out_max is far, here and below */
        (void)buf_u64(&s->out, seq);
        (void)buf_append(&s->out, SLICE(" EXPUNGE\r\n"));
    }
    imap_map_tell_end(&s->sel.map, at);
    return !s->sel.map.ghosts_n;
}

static void sync_news(struct imap_session *s)
{
    struct imap_selected *sel = &s->sel;
    if (!sel->news)
        return;
    sel->news = false;
    imap__recent_take(s); /* first: a message is not known before it is \Recent */
    sel->map.known_next = sel->view->uidnext;
    (void)buf_print(&s->out, "* %u EXISTS\r\n", imap_map_count(&sel->map)); /* out_max is far */
    if (!imap__rev2(s))
        (void)buf_print(&s->out, "* %u RECENT\r\n", imap__recent_count(s));
    imap__told(s);
}

bool imap__sync(struct imap_session *s, bool expunge)
{
    if (!s->sel.open)
        return true;
    if (s->sel.gone) {
        imap__bye(s, "the selected mailbox was deleted by another session");
        return true;
    }
    if (expunge && s->sel.map.ghosts_n && !sync_expunged(s))
        return false;
    if (!sync_flags(s))
        return false;
    sync_news(s);
    return true;
}
