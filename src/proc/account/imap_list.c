/* imap_list: LIST with its extensions, LSUB and STATUS (RFC 9051 §6.3.9 to §6.3.11, RFC 5258, RFC 5819, RFC
 * 6154).
 *
 * Candidates are the mailboxes (or, when subscriptions are asked for, the subscribed names) in their order,
 * each preceded by those of its ancestors that are not in that list themselves: for `%` they must be shown
 * (RFC 9051 §6.3.9.5), and RECURSIVEMATCH shows them with CHILDINFO. */
#include "proc/account/imap__.h"

struct list_source {
    struct imap_session *s;
    bool subscriptions;
};

static bool list_name_at(const struct list_source *src, size_t i, slice *out)
{
    const struct mailbox_info *m;
    if (src->subscriptions)
        return account_subscription_at(src->s->store, i, out);
    m = account_mailbox_at(src->s->store, i);
    if (m)
        *out = m->name;
    return m != NULL;
}

static bool list_above(slice parent, slice name)
{
    return name.n > parent.n && name.p[parent.n] == IMAP_NAME_DELIMITER && slice_starts(name, parent);
}

/* Is there a name below this one in the list? From i on, where names are sorted; the scan ends at the first
 * name that sorts behind "name/". */
static bool list_has_below(const struct list_source *src, size_t i, slice name)
{
    slice at;
    for (; list_name_at(src, i, &at); i++) {
        int order;
        if (list_above(name, at))
            return true;
        order = slice_cmp(slice_sub(at, 0, name.n), name);
        if (order > 0 || (order == 0 && at.n > name.n && at.p[name.n] > IMAP_NAME_DELIMITER))
            return false;
    }
    return false;
}

static bool list_matches(const struct imap_session *s, slice name)
{
    const struct imap_list_args *l = &s->cmd.list;
    for (size_t i = 0; i < l->patterns_n; i++) {
        uint8_t joined[IMAP_NAME_MAX];
        size_t n = l->reference.n + l->patterns[i].n;
        if (n > sizeof joined)
            continue;
        if (l->reference.n)
            memcpy(joined, l->reference.p, l->reference.n);
        if (l->patterns[i].n)
            memcpy(joined + l->reference.n, l->patterns[i].p, l->patterns[i].n);
        if (imap_name_match(name, slice_of(joined, n)))
            return true;
    }
    return false;
}

static bool list_is_subscribed(struct imap_session *s, slice name)
{
    const struct mailbox_info *m = account_mailbox_find(s->store, name);
    slice at;
    if (m)
        return m->subscribed;
    for (size_t i = 0; account_subscription_at(s->store, i, &at); i++)
        if (slice_eq(at, name))
            return true;
    return false;
}

static void list_write(struct imap_session *s, slice name, uint32_t attributes, bool child_info)
{
    const struct imap_list_args *l = &s->cmd.list;
    const struct mailbox_info *m = account_mailbox_find(s->store, name);
    if (!m)
        attributes |= IMAP_ATTR_NONEXISTENT;
    attributes |=
        account_mailbox_has_children(s->store, name) ? IMAP_ATTR_HASCHILDREN : IMAP_ATTR_HASNOCHILDREN;
    if (m)
        attributes |= imap__attributes(m->special);
    if ((l->options & IMAP_LIST_RET_SUBSCRIBED) && list_is_subscribed(s, name))
        attributes |= IMAP_ATTR_SUBSCRIBED;
    if ((attributes & IMAP_ATTR_NONEXISTENT) && !l->extended && !imap__rev2(s))
        attributes = (attributes & ~IMAP_ATTR_NONEXISTENT) | IMAP_ATTR_NOSELECT; /* what RFC 3501 knows */
    imap_write_list(&s->out, "LIST", attributes, name, imap__rev2(s), child_info);
    if ((l->options & IMAP_LIST_RET_STATUS) && m)
        imap__write_status(s, m, l->status);
}

static void list_lsub_write(struct imap_session *s, slice name, bool virtual)
{
    imap_write_list(&s->out, "LSUB", virtual ? IMAP_ATTR_NOSELECT : 0, name, imap__rev2(s), false);
}

/* A name of the list, or an ancestor of one that is not in it. */
static void list_candidate(const struct list_source *src, size_t i, slice name, bool virtual)
{
    struct imap_session *s = src->s;
    const struct imap_list_args *l = &s->cmd.list;
    const struct mailbox_info *m;
    uint32_t attributes = 0;
    bool child_info = false;
    if (!list_matches(s, name))
        return;
    if (s->cmd.verb == IMAP_LSUB) {
        list_lsub_write(s, name, virtual);
        return;
    }
    if ((l->options & IMAP_LIST_RECURSIVEMATCH) && src->subscriptions)
        child_info = list_has_below(src, i, name);
    if (src->subscriptions && virtual && !child_info)
        return;
    if (src->subscriptions && !virtual)
        attributes |= IMAP_ATTR_SUBSCRIBED;
    m = account_mailbox_find(s->store, name);
    if ((l->options & IMAP_LIST_SPECIAL) && !(m && m->special))
        return;
    list_write(s, name, attributes, child_info);
}

/* The ancestors of name that are not in the list and were not shown with the name before it. */
static void list_ancestors(const struct list_source *src, size_t i, slice name, slice before)
{
    for (size_t n = 0; n < name.n; n++) {
        slice parent = slice_sub(name, 0, n);
        bool there;
        if (name.p[n] != IMAP_NAME_DELIMITER || list_above(parent, before))
            continue;
        there = src->subscriptions ? list_is_subscribed(src->s, parent)
                                   : account_mailbox_find(src->s->store, parent) != NULL;
        if (!there)
            list_candidate(src, i, parent, true);
    }
}

static enum imap_step list_run(struct imap_session *s, bool subscriptions)
{
    struct imap_list_state *st = &s->work.list;
    struct list_source src = {s, subscriptions};
    slice name;
    for (; list_name_at(&src, st->at, &name); st->at++) {
        if (imap__full(s))
            return IMAP_STEP_AGAIN;
        list_ancestors(&src, st->at, name, st->last);
        list_candidate(&src, st->at, name, false);
        if (!arena_dup(&s->arena, name, &st->last))
            return imap__no(s, ERR_LIMIT);
    }
    return imap__ok(s);
}

enum imap_step imap__list(struct imap_session *s)
{
    const struct imap_list_args *l = &s->cmd.list;
    /* RFC 9051 §6.3.9: an empty pattern asks for the delimiter and the root. */
    if (!l->extended && l->patterns_n == 1 && !l->patterns[0].n) {
        (void)buf_str(&s->out, "* LIST (\\Noselect) \"/\" \"\"\r\n"); /* out_max is far */
        return imap__ok(s);
    }
    return list_run(s, (l->options & IMAP_LIST_SUBSCRIBED) != 0);
}

enum imap_step imap__lsub(struct imap_session *s)
{
    return list_run(s, true);
}

static uint32_t list_recent(struct imap_session *s, const struct mailbox_info *m)
{
    struct mailbox_view *v = NULL;
    uint32_t n = 0, from = m->recent_from;
    if (m->recent_from >= m->uidnext || imap__rev2(s) || account_view_open(s->store, m->id, &v) != OK)
        return 0;
    n = (uint32_t)(v->n - mailbox_view_at(v, from));
    account_view_close(s->store, &v);
    return n;
}

void imap__write_status(struct imap_session *s, const struct mailbox_info *m, uint32_t items)
{
    const struct {
        uint32_t bit;
        const char *name;
        uint64_t value;
    } rows[] = {
        {IMAP_STATUS_MESSAGES, "MESSAGES", m->messages},
        {IMAP_STATUS_RECENT, "RECENT", items & IMAP_STATUS_RECENT ? list_recent(s, m) : 0},
        {IMAP_STATUS_UIDNEXT, "UIDNEXT", m->uidnext},
        {IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY", m->uidvalidity},
        {IMAP_STATUS_UNSEEN, "UNSEEN", m->unseen},
        {IMAP_STATUS_DELETED, "DELETED", m->deleted},
        {IMAP_STATUS_SIZE, "SIZE", m->bytes},
        {IMAP_STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ", m->modseq},
        {IMAP_STATUS_APPENDLIMIT, "APPENDLIMIT", s->host->message_bytes},
    };
    bool some = false;
    (void)buf_str(&s->out, "* STATUS "); /* out_max is far, here and below */
    imap_name_write(&s->out, m->name, imap__rev2(s));
    (void)buf_str(&s->out, " (");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (items & rows[i].bit) {
            (void)buf_print(&s->out, "%s%s %llu", some ? " " : "", rows[i].name,
                            (unsigned long long)rows[i].value);
            some = true;
        }
    if (items & IMAP_STATUS_MAILBOXID)
        (void)buf_print(&s->out, "%sMAILBOXID (M%llu)", some ? " " : "", (unsigned long long)m->id);
    (void)buf_str(&s->out, ")\r\n");
}

enum imap_step imap__status(struct imap_session *s)
{
    const struct mailbox_info *m = imap__mailbox_of(s, s->cmd.mailbox);
    if (!m)
        return imap__no(s, ERR_NOT_FOUND);
    if (s->cmd.status & IMAP_STATUS_HIGHESTMODSEQ)
        s->caps |= IMAP_CAPS_CONDSTORE; /* RFC 7162 §3.1: a CONDSTORE-enabling command */
    imap__write_status(s, m, s->cmd.status);
    return imap__ok(s);
}
