/* imap_select: SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE (RFC 9051 §6.3.2, §6.3.3, §6.4). */
#include "proc/account/imap__.h"

#include <stdlib.h>

const struct mailbox_info *imap__mailbox_of(struct imap_session *s, slice name)
{
    return name.n ? account_mailbox_find(s->store, name) : NULL;
}

void imap__deselect(struct imap_session *s)
{
    struct imap_selected *sel = &s->sel;
    if (!sel->open)
        return;
    imap_map_done(&sel->map);
    free(sel->recent.at);
    free(sel->result.ranges);
    if (!sel->gone)
        imap__keep(s->host, sel->mailbox);
    account_view_close(s->store, &sel->view);
    *sel = (struct imap_selected){0};
}

/* RFC 9051 §7.3.5 and PERMANENTFLAGS of §7.1. */
void imap__write_flags_response(struct imap_session *s)
{
    struct buf names;
    buf_init(&names, (size_t)ACCOUNT_KEYWORDS_MAX * (ACCOUNT_KEYWORD_BYTES_MAX + 1) + 100);
    (void)imap_write_flags(&names, IMAP_SYSTEM); /* all of them; names has room for all, here and below */
    s->sel.keywords = account_keyword_count(s->store);
    for (unsigned i = 0; i < s->sel.keywords; i++) {
        (void)buf_byte(&names, ' ');
        (void)buf_append(&names, account_keyword_name(s->store, i));
    }
    (void)buf_str(&s->out, "* FLAGS ("); /* out_max is far, here and below */
    (void)buf_append(&s->out, buf_view(&names));
    (void)buf_str(&s->out, ")\r\n* OK [PERMANENTFLAGS (");
    if (!s->sel.read_only) {
        (void)buf_append(&s->out, buf_view(&names));
        if (s->sel.keywords < ACCOUNT_KEYWORDS_MAX)
            (void)buf_str(&s->out, " \\*");
    }
    (void)buf_str(&s->out, s->sel.read_only ? ")] read-only: nothing can be changed\r\n"
                                            : ")] these can be changed\r\n");
    buf_done(&names);
}

/* Sequence number of the first message without \Seen; 0 when there is none (RFC 3501 §7.1). */
static uint32_t select_first_unseen(const struct mailbox_view *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (!(v->flags[i] & FLAG_SEEN))
            return (uint32_t)(i + 1);
    return 0;
}

static void select_answer(struct imap_session *s, const struct mailbox_info *m)
{
    const struct mailbox_view *v = s->sel.view;
    struct buf *b = &s->out; /* out_max is far */
    imap__write_flags_response(s);
    (void)buf_print(b, "* %zu EXISTS\r\n", v->n);
    if (imap__rev2(s)) {
        imap_write_list(b, "LIST", imap__attributes(m->special), m->name, true, false);
    } else {
        uint32_t unseen = m->unseen ? select_first_unseen(v) : 0;
        (void)buf_print(b, "* %u RECENT\r\n", imap__recent_count(s));
        if (unseen)
            (void)buf_print(b, "* OK [UNSEEN %u] the first unseen message\r\n", unseen);
    }
    (void)buf_print(b, "* OK [UIDVALIDITY %u] UIDs are valid\r\n* OK [UIDNEXT %u] the next UID, at least\r\n",
                    v->uidvalidity, v->uidnext);
    (void)buf_print(b, "* OK [HIGHESTMODSEQ %llu] highest\r\n* OK [MAILBOXID (M%llu)] its id\r\n",
                    (unsigned long long)v->modseq_highest, (unsigned long long)m->id);
}

enum imap_step imap__select(struct imap_session *s)
{
    const struct mailbox_info *m;
    struct mailbox_view *view = NULL;
    bool was = s->sel.open;
    enum err e;
    imap__deselect(s); /* also when this one fails (RFC 9051 §6.3.2) */
    if (was)
        (void)buf_str(&s->out, "* OK [CLOSED] the mailbox before is closed\r\n"); /* out_max is far */
    m = imap__mailbox_of(s, s->cmd.mailbox);
    if (!m)
        return imap__no(s, ERR_NOT_FOUND);
    e = account_view_open(s->store, m->id, &view);
    if (e != OK)
        return imap__no(s, e);
    s->sel = (struct imap_selected){
        .open = true, .read_only = s->cmd.verb == IMAP_EXAMINE, .mailbox = m->id, .view = view};
    if (s->cmd.condstore)
        s->caps |= IMAP_CAPS_CONDSTORE;
    imap_map_init(&s->sel.map, view);
    imap__recent_take(s);
    imap__told(s);
    m = account_mailbox_get(s->store, s->sel.mailbox);
    if (!m)
        return imap__no(s, ERR_NOT_FOUND);
    select_answer(s, m);
    if (s->sel.read_only)
        return imap__reply(s, "OK", "READ-ONLY", "EXAMINE completed");
    return imap__reply(s, "OK", "READ-WRITE", "SELECT completed");
}

enum imap_step imap__unselect(struct imap_session *s)
{
    imap__deselect(s);
    return imap__ok(s);
}

static enum err select_expunge(struct imap_session *s, struct uid_set set)
{
    const struct mailbox_info *m = account_mailbox_get(s->store, s->sel.mailbox);
    size_t n = 0;
    enum err e;
    e = account_expunge(s->store, s->sel.mailbox, set, true, s->host->now(), &n);
    if (e == OK && n && m)
        imap__tell_each(s, JOURNAL_EXPUNGED, m->name, (slice){0}, s->touched, s->touched_n, 0);
    imap__told(s);
    return e;
}

static struct uid_set select_all(struct imap_session *s, struct uid_range *all)
{
    *all = (struct uid_range){1, imap_map_last_uid(&s->sel.map)};
    return (struct uid_set){all, all->last ? 1 : 0};
}

/* RFC 9051 §6.4.1: without untagged answers. */
enum imap_step imap__close(struct imap_session *s)
{
    struct uid_range all;
    enum err e = OK;
    if (!s->sel.read_only && !s->sel.gone)
        e = select_expunge(s, select_all(s, &all));
    if (e != OK)
        return imap__no(s, e);
    imap__deselect(s);
    return imap__ok(s);
}

/* EXPUNGE, UID EXPUNGE (RFC 4315 §2.1): what is gone is told by imap__sync(), as to all others. */
enum imap_step imap__expunge(struct imap_session *s)
{
    struct uid_range all;
    struct uid_set set;
    enum err e = OK;
    if (s->sel.read_only)
        return imap__reply(s, "NO", "NOPERM", "the mailbox is open read-only");
    if (s->cmd.uid)
        e = imap__walk_uids(s, &set);
    else
        set = select_all(s, &all);
    if (e == OK)
        e = select_expunge(s, set);
    return e == OK ? imap__ok(s) : imap__no(s, e);
}
