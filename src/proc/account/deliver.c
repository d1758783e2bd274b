/* Deliveries. Those that arrive in one turn of the loop share one transaction and so one sync of the disk;
 * each is answered for itself after the commit (DESIGN, idea 4: 250 means kept).
 *
 * A delivery is held from its arrival to the end of the turn: the body mapped, the few words about it copied.
 * The transaction begins and ends inside one function, so no session ever meets it half done. */
#include "proc/account/child.h"

#include "core/mail/header.h"
#include "core/mail/mailbox.h"
#include "core/mail/message.h"
#include "sys/body.h"

#include <stdlib.h>

#define DELIVER_TOGETHER 128 /* in one transaction; more of them begin another */

struct held {
    uint64_t id; /* of the request */
    uint64_t mail_id, connection;
    time_ms received_at;
    slice recipient, prefix, mailbox; /* in `text` */
    bool junk;
    struct body body;
    enum err err;
    struct account_added added;
    uint8_t text[];
};

static struct {
    struct account_child *child;
    struct held *held[DELIVER_TOGETHER];
    size_t n;
    struct loop_task task;
} deliveries; /* one account, one process */

/* --- answers */

static slice mailbox_name(struct account_store *s, uint64_t id)
{
    const struct mailbox_info *m = account_mailbox_get(s, id);
    return m ? m->name : SLICE("INBOX");
}

static void tell(struct account_child *c, const struct held *h, slice mailbox)
{
    struct journal_event e = {.mail = h->mail_id, .connection = h->connection, .address = c->setting.address};
    if (h->err == OK) {
        e.kind = JOURNAL_DELIVERED;
        e.name = mailbox;
        e.number = h->added.uid;
        e.text = slice_str(h->added.duplicate ? "it was there already; nothing was added" : "");
    } else {
        e.kind = JOURNAL_DELIVERY_FAILED;
        e.text = slice_str(err_text(h->err));
        e.code = (uint32_t)err_smtp_code(h->err);
    }
    account_child_tell(c, e);
}

static void answer(struct account_child *c, struct account_store *s, struct held *h)
{
    slice mailbox = h->err == OK ? mailbox_name(s, h->added.mailbox) : (slice){NULL, 0};
    struct delivered reply = {.err = (uint32_t)h->err,
                              .text = slice_str(h->err == OK ? "" : err_text(h->err)),
                              .mailbox = mailbox,
                              .uid = h->err == OK ? h->added.uid : 0,
                              .uidvalidity = h->err == OK ? h->added.uidvalidity : 0};
    tell(c, h, mailbox); /* before the edge can say that it accepted: the story is told in order of time */
    IGNORE_RESULT(chan_reply(c->broker, h->id, ACCOUNTS_ACCOUNT_DELIVERED, &reply, NULL, 0),
                  "the asker tries again, and the second hand-over adds nothing");
    body_unmap(&h->body);
    free(h);
    must(c->deliveries > 0);
    c->deliveries--;
}

/* --- the transaction */

/* The mailbox it goes to. One that is not there (any more) is no reason to lose mail: INBOX. */
static uint64_t target(struct account_store *s, const struct held *h)
{
    const struct mailbox_info *named = h->mailbox.n ? account_mailbox_find(s, h->mailbox) : NULL;
    uint64_t junk = h->junk ? account_special(s, SPECIAL_JUNK) : 0;
    return named ? named->id : junk ? junk : account_inbox(s);
}

static enum err add(struct account_batch *b, struct account_store *s, struct held *h)
{
    const slice pieces[2] = {h->prefix, body_view(&h->body)};
    const struct account_message m = {.mailbox = target(s, h),
                                      .pieces = pieces,
                                      .pieces_n = 2,
                                      .internal_at = h->received_at,
                                      .mail_id = h->mail_id,
                                      .recipient = h->recipient};
    return account_batch_add(b, &m, &h->added);
}

/* All of held[0..n) in one transaction: each gets its own error, or the one that ended all. */
static enum err commit(struct account_store *s, struct held **held, size_t n)
{
    struct account_batch *b CLEANUP(account_batch_drop) = NULL;
    enum err e = account_batch_begin(s, &b);
    for (size_t i = 0; i < n && e == OK; i++)
        held[i]->err = add(b, s, held[i]);
    if (e == OK)
        e = account_batch_commit(&b);
    for (size_t i = 0; i < n && e != OK; i++)
        held[i]->err = e;
    return e;
}

/* Somebody deleted the mailbox for junk: it is made again, so that what is judged junk never lies among the
 * rest. When that cannot be, INBOX is better than losing mail. */
static void make_junk(struct account_child *c, struct held *const *held, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any |= held[i]->junk;
    if (!any)
        return;
    struct account_store *s = account_store_new(c->db, ACCOUNT_READ | ACCOUNT_MAILBOXES);
    const struct mailbox_info *named = account_mailbox_find(s, SLICE("Junk"));
    uint64_t id;
    if (account_special(s, SPECIAL_JUNK) == 0) {
        if (named)
            IGNORE_RESULT(account_mailbox_set_special(s, named->id, SPECIAL_JUNK), "then INBOX");
        else
            IGNORE_RESULT(account_mailbox_create(s, SLICE("Junk"), SPECIAL_JUNK, 0, &id), "then INBOX");
    }
    account_store_free(&s);
}

static void flush(void *arg)
{
    struct account_child *c = arg;
    struct held *held[DELIVER_TOGETHER];
    size_t n = deliveries.n;
    if (n == 0)
        return;
    memcpy(held, deliveries.held, n * sizeof *held);
    deliveries.n = 0;
    make_junk(c, held, n);
    struct account_store *s = account_store_new(c->db, ACCOUNT_DELIVER | ACCOUNT_READ);
    enum err e = commit(s, held, n);
    if (e != OK && n > 1 && e != ERR_IO) /* one of them may have spoilt it for all */
        for (size_t i = 0; i < n; i++)
            IGNORE_RESULT(commit(s, &held[i], 1), "its result is kept in held[i]->err");
    for (size_t i = 0; i < n; i++)
        answer(c, s, held[i]);
    account_store_free(&s);
    account_child_touch(c);
}

/* --- arrival */

/* A message that has been delivered to this very address before goes in circles (RFC 9228 §3). Only the body
 * is asked: the prefix is ours. */
static enum err check_loop(slice recipient, slice message)
{
    struct mailbox m;
    struct buf key;
    enum err e = OK;
    buf_init(&key, MAILBOX_TEXT_MAX);
    if (mailbox_parse(recipient, MAILBOX_UTF8, &m) == OK && mailbox_key(&m, &key) == OK &&
        mail_delivered_to(slice_sub(message, 0, header_end(message)), buf_view(&key)))
        e = ERR_LOOP;
    buf_done(&key);
    return e;
}

static slice keep(uint8_t **at, slice s)
{
    slice kept = slice_of(*at, s.n);
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return kept;
}

static struct held *hold(uint64_t id, const struct deliver *m)
{
    struct held *h = calloc(1, sizeof *h + m->recipient.n + m->prefix.n + m->mailbox.n);
    must(h != NULL);
    uint8_t *at = h->text;
    h->id = id;
    h->mail_id = m->mail_id;
    h->connection = m->connection;
    h->received_at = m->received_at;
    h->junk = m->junk;
    h->recipient = keep(&at, m->recipient);
    h->prefix = keep(&at, m->prefix);
    h->mailbox = keep(&at, m->mailbox);
    return h;
}

void account_deliver(struct account_child *c, uint64_t id, const struct deliver *m, int body_fd)
{
    struct held *h = hold(id, m);
    uint64_t most = c->setting.message_bytes ? c->setting.message_bytes : ACCOUNT_MESSAGE_BYTES_MAX;
    c->deliveries++;
    if (deliveries.child != c) {
        deliveries.child = c;
        loop_task_init(&deliveries.task, flush, c);
    }
    h->err = c->retiring ? ERR_BUSY : body_map(body_fd, most, &h->body);
    if (h->err == OK)
        h->err = check_loop(h->recipient, body_view(&h->body));
    if (h->err != OK) {
        struct account_store *s = account_store_new(c->db, 0);
        answer(c, s, h);
        account_store_free(&s);
        account_child_touch(c);
        return;
    }
    if (deliveries.n == DELIVER_TOGETHER)
        flush(c);
    deliveries.held[deliveries.n++] = h;
    loop_later(c->loop, &deliveries.task);
}
