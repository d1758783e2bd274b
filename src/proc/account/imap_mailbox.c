/* imap_mailbox: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8). */
#include "proc/account/imap__.h"

static const struct {
    unsigned special;
    uint32_t attribute;
} mailbox_uses[] = {
    {SPECIAL_ARCHIVE, IMAP_ATTR_ARCHIVE}, {SPECIAL_DRAFTS, IMAP_ATTR_DRAFTS},
    {SPECIAL_FLAGGED, IMAP_ATTR_FLAGGED}, {SPECIAL_JUNK, IMAP_ATTR_JUNK},
    {SPECIAL_SENT, IMAP_ATTR_SENT},       {SPECIAL_TRASH, IMAP_ATTR_TRASH},
    {SPECIAL_ALL, IMAP_ATTR_ALL},         {SPECIAL_IMPORTANT, IMAP_ATTR_IMPORTANT},
};

uint32_t imap__attributes(unsigned special)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < ARRAY_LEN(mailbox_uses); i++)
        bits |= special & mailbox_uses[i].special ? mailbox_uses[i].attribute : 0;
    return bits;
}

unsigned imap__special(uint32_t attributes)
{
    unsigned bits = 0;
    for (size_t i = 0; i < ARRAY_LEN(mailbox_uses); i++)
        bits |= attributes & mailbox_uses[i].attribute ? mailbox_uses[i].special : 0;
    return bits;
}

/* "a/" is a name under which only others are wanted: we make "a", which can hold both (RFC 9051 §6.3.4). */
static slice mailbox_bare(slice name)
{
    while (name.n && name.p[name.n - 1] == IMAP_NAME_DELIMITER)
        name.n--;
    return name;
}

enum imap_step imap__create(struct imap_session *s)
{
    slice name = mailbox_bare(s->cmd.mailbox);
    uint64_t id;
    enum err e;
    e = imap_name_ok(name)
            ? account_mailbox_create(s->store, name, imap__special(s->cmd.special_use), s->host->now(), &id)
            : ERR_SYNTAX;
    if (e != OK)
        return imap__no(s, e);
    imap__tell(s, JOURNAL_MAILBOX_CREATED, name, (slice){0}, 0);
    buf_clear(&s->reply);
    (void)buf_append(&s->reply, s->cmd.tag); /* a tag and a few words always fit */
    (void)buf_print(&s->reply, " OK [MAILBOXID (M%llu)] CREATE completed\r\n", (unsigned long long)id);
    return IMAP_STEP_DONE;
}

enum imap_step imap__delete(struct imap_session *s)
{
    const struct mailbox_info *m = imap__mailbox_of(s, s->cmd.mailbox);
    uint64_t id = m ? m->id : 0;
    uint32_t messages = m ? m->messages : 0;
    enum err e;
    if (!m)
        return imap__no(s, ERR_NOT_FOUND);
    e = account_mailbox_delete(s->store, id, s->host->now());
    if (e != OK)
        return imap__no(s, e);
    imap__tell(s, JOURNAL_MAILBOX_DELETED, s->cmd.mailbox, (slice){0}, messages);
    if (s->sel.open && s->sel.mailbox == id) {
        imap__deselect(s);
        (void)buf_str(&s->out, "* OK [CLOSED] the selected mailbox is deleted\r\n"); /* out_max is far */
    }
    return imap__ok(s);
}

enum imap_step imap__rename(struct imap_session *s)
{
    const struct mailbox_info *m = imap__mailbox_of(s, s->cmd.mailbox);
    slice to = mailbox_bare(s->cmd.to);
    uint64_t id = m ? m->id : 0;
    enum err e;
    if (!m)
        return imap__no(s, ERR_NOT_FOUND);
    e = imap_name_ok(to) ? account_mailbox_rename(s->store, id, to, s->host->now()) : ERR_SYNTAX;
    if (e != OK)
        return imap__no(s, e);
    imap__tell(s, JOURNAL_MAILBOX_RENAMED, s->cmd.mailbox, to, 0);
    return imap__ok(s);
}

enum imap_step imap__subscribe(struct imap_session *s)
{
    slice name = mailbox_bare(s->cmd.mailbox);
    bool on = s->cmd.verb == IMAP_SUBSCRIBE;
    enum err e;
    e = imap_name_ok(name) ? account_subscribe(s->store, name, on) : ERR_SYNTAX;
    if (e == ERR_NOT_FOUND && !on)
        e = OK; /* it was not subscribed */
    return e == OK ? imap__ok(s) : imap__no(s, e);
}
