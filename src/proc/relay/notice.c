#include "proc/relay/notice.h"

#include "core/mail/dsn.h"
#include "core/mail/header.h"
#include "proc/relay/writer.h"
#include "sys/clock.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define NOTICE_BYTES_MAX ((size_t)4 << 20)
#define NOTICE_RCPTS_MAX 200 /* in one notice; of more, the journal tells */

static slice notice_subject(slice header, struct arena *a)
{
    struct header_field f;
    slice text;
    return header_find(header, SLICE("Subject"), &f) && header_text(f.value, a, &text) ? text : (slice){0};
}

/* The header of the original: what we added, and its own up to the empty line. */
static slice notice_header(struct job *j, struct arena *a)
{
    slice own;
    uint8_t *p;
    if (job_body(j))
        return j->m.prefix;
    own = slice_sub(j->bytes, 0, size_min(header_end(j->bytes), DSN_ORIGINAL_HEADER_MAX));
    p = arena_alloc(a, j->m.prefix.n + own.n);
    if (!p)
        return j->m.prefix;
    if (j->m.prefix.n)
        memcpy(p, j->m.prefix.p, j->m.prefix.n);
    if (own.n)
        memcpy(p + j->m.prefix.n, own.p, own.n);
    return slice_of(p, j->m.prefix.n + own.n);
}

static slice notice_angled(slice id) /* <x@y> -> x@y */
{
    return id.n > 2 && id.p[0] == '<' && id.p[id.n - 1] == '>' ? slice_sub(id, 1, id.n - 1) : id;
}

static enum err notice_rcpts(struct job *j, struct arena *a, struct dsn *d)
{
    struct dsn_recipient *rows = ARENA_ARRAY(a, NOTICE_RCPTS_MAX, struct dsn_recipient);
    struct mailbox *boxes = ARENA_ARRAY(a, NOTICE_RCPTS_MAX, struct mailbox);
    if (!rows || !boxes)
        return ERR_LIMIT;
    for (size_t i = 0; i < j->n && d->recipients_n < NOTICE_RCPTS_MAX; i++) {
        const struct job_rcpt *rc = &j->rcpts[i];
        size_t n = d->recipients_n;
        if (!rc->noted || mailbox_parse(rc->q.address, MAILBOX_UTF8 | MAILBOX_POSTMASTER, &boxes[n]))
            continue;
        rows[n] = (struct dsn_recipient){.recipient = &boxes[n],
                                         .original = rc->q.orcpt,
                                         .action = (enum dsn_action)rc->action,
                                         .status = slice_str(rc->status),
                                         .remote_host = rc->q.host,
                                         .reply = rc->q.code ? rc->q.reply : (slice){0},
                                         .reason = rc->reason,
                                         .last_attempt = rc->q.last_attempt};
        if (rows[n].action == DSN_DELAYED)
            rows[n].will_retry_until = j->m.arrived + j->relay->remote.life_ms;
        d->recipients_n++;
    }
    d->recipients = rows;
    return d->recipients_n ? OK : ERR_NOT_FOUND;
}

static const char *notice_name(const struct job *j)
{
    bool delayed = false;
    for (size_t i = 0; i < j->n; i++) {
        if (j->rcpts[i].noted && j->rcpts[i].action == DSN_FAILED)
            return "failed";
        delayed |= j->rcpts[i].noted && j->rcpts[i].action == DSN_DELAYED;
    }
    return delayed ? "delayed" : "delivered";
}

/* The notice is a message of ours: null sender, so that nothing ever answers it. */
static void notice_queue(struct job *j, struct buf *text, uint64_t id, slice message_id)
{
    struct body none = {0};
    struct queue_rcpt to = {.address = j->m.sender,
                            .notify = SMTP_NOTIFY_NEVER,
                            .local = true,
                            .state = QUEUE_WAITING,
                            .due = clock_unix()};
    struct queue_message m = {.id = id,
                              .arrived = clock_unix(),
                              .message_id = message_id,
                              .body_bytes = text->n,
                              .rcpts = &to,
                              .n_rcpts = 1};
    struct job *n = job_new(j->relay, &m, text, &none, -1);
    role_tell(j->relay->role, (struct journal_event){.kind = JOURNAL_DSN_SENT,
                                                     .mail = j->m.id,
                                                     .connection = j->m.connection,
                                                     .address = j->m.sender,
                                                     .name = slice_str(notice_name(j)),
                                                     .number = id});
    role_tell(j->relay->role, (struct journal_event){.kind = JOURNAL_QUEUED,
                                                     .mail = id,
                                                     .address = j->m.sender,
                                                     .text = SLICE("a notice about another message")});
    writer_add(j->relay->writer, n, NULL, 0);
    job_unref(&n);
}

void notice_send(struct job *j)
{
    struct arena a;
    struct buf text CLEANUP(buf_done) = {0}; /* returns come before its init */
    struct mailbox to;
    char boundary[32], message_id[MAIL_ID_TEXT + 1 + 256];
    uint64_t id;
    struct dsn d = {.hostname = j->relay->hostname, .to = &to, .now = clock_unix(), .arrived = j->m.arrived};
    bool any = false;
    for (size_t i = 0; i < j->n; i++)
        any |= j->rcpts[i].noted;
    if (!any || !job_may_notify(j) || mailbox_parse(j->m.sender, MAILBOX_UTF8, &to))
        return;
    arena_init(&a, "notice", NOTICE_BYTES_MAX);
    buf_init(&text, NOTICE_BYTES_MAX);
    id = mail_id_next(&j->relay->ids, d.now);
    mail_id_print(id, message_id);
    message_id[MAIL_ID_TEXT] = '@';
    memcpy(message_id + MAIL_ID_TEXT + 1, d.hostname.p, size_min(d.hostname.n, 255));
    (void)snprintf(boundary, sizeof boundary, "%016llx", (unsigned long long)entropy_u64()); /* fits */
    d.message_id = slice_of(message_id, MAIL_ID_TEXT + 1 + size_min(d.hostname.n, 255));
    d.boundary = slice_str(boundary);
    d.envelope_id = j->m.envid;
    d.original_header = notice_header(j, &a);
    d.original_subject = notice_subject(d.original_header, &a);
    d.original_message_id = notice_angled(j->m.message_id);
    if (notice_rcpts(j, &a, &d) == OK && dsn_build(&d, &text) == OK)
        notice_queue(j, &text, id, d.message_id);
    else
        role_tell(j->relay->role,
                  (struct journal_event){.kind = JOURNAL_TROUBLE,
                                         .mail = j->m.id,
                                         .name = SLICE("notice"),
                                         .text = SLICE("the notice to the sender could not be made")});
    arena_done(&a);
}
