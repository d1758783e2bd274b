/* imap_append: APPEND and MULTIAPPEND (RFC 9051 §6.3.12, RFC 3502). The messages of one command are collected
 * and added in one transaction: all or none. */
#include "proc/account/imap__.h"

#include <stdlib.h>

#define APPEND_COMMAND_BYTES ((uint64_t)192 << 20) /* all messages of one command */

static struct imap_append_message *append_free_one(struct imap_append_message *m)
{
    struct imap_append_message *next = m->next;
    buf_done(&m->body);
    free(m);
    return next;
}

void imap__append_drop(struct imap_session *s)
{
    struct imap_append_message *m = s->append.first;
    while (m)
        m = append_free_one(m);
    s->append = (struct imap_append_state){0};
}

/* Where to, and is there room? The reply is made when not. */
static bool append_mailbox(struct imap_session *s, const struct imap_append_head *h)
{
    const struct mailbox_info *m = imap__mailbox_of(s, h->mailbox);
    if (!m) {
        (void)imap__reply(s, "NO", "TRYCREATE", "there is no such mailbox: create it first"); /* ends later */
        return false;
    }
    s->append.mailbox = m->id;
    return true;
}

static bool append_room(struct imap_session *s, uint64_t size)
{
    uint64_t max = s->host->message_bytes ? s->host->message_bytes : ACCOUNT_MESSAGE_BYTES_MAX;
    enum err e = size > max || size > APPEND_COMMAND_BYTES - s->append.bytes ? ERR_TOO_LARGE
                                                                             : account_room(s->store, size);
    if (e == OK && !size)
        (void)imap__reply(s, "NO", NULL, "an empty message is not stored"); /* RFC 3502 §6.3.11: it cancels */
    else if (e != OK)
        (void)imap__no(s, e); /* the command ends later */
    return e == OK && size;
}

static bool append_head(struct imap_session *s, const struct imap_read *ev)
{
    struct imap_append_message *m;
    struct imap_append_head h;
    const char *why;
    flag_set flags;
    enum err e;
    arena_reset(&s->arena);
    e = imap_append_head_parse(ev->text, ev->first, imap__rev2(s), &imap_parse_limits_default, &s->arena, &h,
                               &why);
    if (e != OK) {
        (void)imap__reply(s, "NO", "CANNOT", why); /* the reader knows the grammar: it is the name */
        return false;
    }
    if ((ev->first && !append_mailbox(s, &h)) || !append_room(s, ev->size))
        return false;
    e = imap__flags_of(s, &h.flags, true, &flags);
    if (e != OK) {
        (void)imap__no(s, e);
        return false;
    }
    m = calloc(1, sizeof *m);
    must(m);
    m->flags = flags;
    m->date = h.has_date ? h.date : s->host->now();
    buf_init(&m->body, (size_t)ev->size);
    *s->append.last = m;
    s->append.last = &m->next;
    s->append.current = m;
    s->append.bytes += ev->size;
    return true;
}

void imap__append_begin(struct imap_session *s, const struct imap_read *ev)
{
    bool good;
    if (ev->first) {
        imap__append_drop(s);
        s->append.active = true;
        s->append.last = &s->append.first;
    }
    s->cmd = (struct imap_command){.tag = ev->tag, .verb = IMAP_APPEND};
    good = append_head(s, ev);
    imap_reader_append(&s->reader, good);
    if (good) {
        s->bad = 0;
        if (ev->sync)
            (void)buf_str(&s->out, "+ go on\r\n"); /* out_max is far */
        return;
    }
    (void)buf_append(&s->out, buf_view(&s->reply)); /* the same */
    buf_clear(&s->reply);
    imap__append_drop(s);
}

void imap__append_data(struct imap_session *s, slice data)
{
    if (s->append.current && buf_append(&s->append.current->body, data) != OK)
        s->append.failed = true; /* cannot be: the reader gives what was announced */
}

void imap__append_data_end(struct imap_session *s)
{
    s->append.current = NULL;
}

static enum err append_commit(struct imap_session *s, struct imap_set_writer *w, uint32_t *out_validity,
                              size_t *out_n)
{
    struct account_batch *batch CLEANUP(account_batch_drop) = NULL;
    enum err e;
    size_t n = 0;
    e = account_batch_begin(s->store, &batch);
    for (struct imap_append_message *m = s->append.first; m && e == OK; m = append_free_one(m)) {
        slice body = buf_view(&m->body);
        struct account_message msg = {.mailbox = s->append.mailbox,
                                      .pieces = &body,
                                      .pieces_n = 1,
                                      .flags = m->flags,
                                      .internal_at = m->date};
        struct account_added added;
        e = account_batch_add(batch, &msg, &added);
        s->append.first = m; /* freed below, or with the rest */
        if (e != OK)
            return e;
        imap_set_put(w, &s->reply, added.uid);
        *out_validity = added.uidvalidity;
        s->append.first = m->next;
        n++;
    }
    *out_n = n;
    return e == OK ? account_batch_commit(&batch) : e;
}

/* `tag OK [APPENDUID uidvalidity uids]` (RFC 4315 §3) */
void imap__append_end(struct imap_session *s, slice tag)
{
    const struct mailbox_info *m = account_mailbox_get(s->store, s->append.mailbox);
    struct imap_set_writer w = {0};
    uint64_t mailbox = s->append.mailbox;
    struct buf uids;
    uint32_t validity = 0;
    size_t n = 0;
    enum err e;
    s->cmd = (struct imap_command){.tag = tag, .verb = IMAP_APPEND};
    buf_clear(&s->reply);
    e = s->append.failed ? ERR_BUG : m ? append_commit(s, &w, &validity, &n) : ERR_NOT_FOUND;
    imap__append_drop(s);
    if (e != OK) {
        (void)imap__no(s, e); /* the reply is sent after what has changed is told */
        return;
    }
    imap_set_end(&w, &s->reply);
    buf_init(&uids, s->reply.max);
    (void)buf_append(&uids, buf_view(&s->reply)); /* the same bound */
    buf_clear(&s->reply);
    (void)buf_append(&s->reply, tag); /* the reply's bound is far */
    (void)buf_print(&s->reply, " OK [APPENDUID %u ", validity);
    (void)buf_append(&s->reply, buf_view(&uids));
    (void)buf_str(&s->reply, "] APPEND completed\r\n");
    buf_done(&uids);
    m = account_mailbox_get(s->store, mailbox);
    if (m)
        imap__tell(s, JOURNAL_APPENDED, m->name, (slice){0}, n);
}
