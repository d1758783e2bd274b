/* imap_walk: from the set of a command to messages. */
#include "proc/account/imap__.h"

enum err imap__walk_begin(struct imap_session *s, struct imap_walk *w)
{
    struct imap_set *set = &s->cmd.set;
    uint32_t count = imap_map_count(&s->sel.map);
    *w = (struct imap_walk){.set = set, .uids = true};
    if (set->saved) {
        w->set = &s->sel.result;
    } else if (s->cmd.uid) {
        imap_set_resolve(set, imap_map_last_uid(&s->sel.map));
    } else if (!count) {
        set->n = 0; /* 1:* in an empty mailbox is nothing, not a mistake */
        w->uids = false;
    } else {
        imap_set_resolve(set, count);
        w->uids = false;
        if (imap_set_max(set) > count)
            return ERR_SYNTAX;
    }
    return OK;
}

/* The first known message at or behind number n of the UID range. */
static bool walk_uid(struct imap_session *s, struct imap_walk *w, uint32_t n, size_t *out_index)
{
    const struct mailbox_view *v = s->sel.view;
    size_t i = w->hint;
    if (!(i < v->n && v->uid[i] >= n && (i == 0 || v->uid[i - 1] < n)))
        i = mailbox_view_at(v, n);
    if (i >= imap_map_known(&s->sel.map))
        return false;
    *out_index = i;
    w->hint = i + 1;
    return true;
}

bool imap__walk_next(struct imap_session *s, struct imap_walk *w, size_t *out_index, uint32_t *out_seq)
{
    while (w->range < w->set->n) {
        struct imap_range r = w->set->ranges[w->range];
        uint32_t n = w->next > r.lo ? w->next : r.lo, at;
        size_t i;
        n = n ? n : 1;
        if (n > r.hi)
            goto next_range;
        if (w->uids) {
            if (!walk_uid(s, w, n, &i)) {
                w->range = w->set->n;
                return false;
            }
            at = s->sel.view->uid[i];
            if (at > r.hi)
                goto next_range;
            *out_seq = imap_map_seq(&s->sel.map, i);
        } else {
            at = n;
            (void)imap_map_uid(&s->sel.map, n, &i); /* its place is what is wanted */
            *out_seq = n;
        }
        if (at == r.hi) {
            w->range++;
            w->next = 0;
        } else {
            w->next = at + 1;
        }
        if (i == SIZE_MAX) {
            w->ghosts = true;
            continue;
        }
        *out_index = i;
        return true;
    next_range:
        w->range++;
        w->next = 0;
    }
    return false;
}

enum err imap__walk_uids(struct imap_session *s, struct uid_set *out)
{
    struct imap_walk w;
    struct uid_range *at;
    size_t n = 0, index;
    uint32_t last = imap_map_last_uid(&s->sel.map);
    enum err e = imap__walk_begin(s, &w);
    if (e != OK)
        return e;
    at = ARENA_ARRAY(&s->arena, w.set->n, struct uid_range);
    if (!at)
        return ERR_LIMIT;
    for (size_t i = 0; i < w.set->n; i++) {
        struct imap_range r = w.set->ranges[i];
        if (!w.uids) {
            r.lo = imap_map_uid(&s->sel.map, r.lo, &index);
            r.hi = imap_map_uid(&s->sel.map, r.hi, &index);
        }
        r.lo = r.lo ? r.lo : 1;
        r.hi = r.hi < last ? r.hi : last;
        if (r.lo <= r.hi)
            at[n++] = (struct uid_range){r.lo, r.hi};
    }
    *out = (struct uid_set){at, n};
    return OK;
}
