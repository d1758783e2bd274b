#include "core/mail/message.h"

#include "core/mail/bodystructure.h"
#include "core/mail/envelope.h"
#include "core/mail/mail_text.h"
#include "core/mail/mime.h"
#include "core/mail/subject.h"
#include "text/date.h"

/* What is stored of one message has this bound: headers of 10 MB, each byte escaped, and the parts' numbers.
 */
#define MESSAGE_STORED_MAX ((size_t)64 << 20)

/* The four stored texts are written one behind the other and copied out together. */
static enum err message_stored(const struct mime *m, struct arena *a, struct mail_summary *s)
{
    struct buf CLEANUP(buf_done) text = {0};
    size_t ends[4];
    slice all;
    enum err e;
    buf_init(&text, MESSAGE_STORED_MAX);
    if (!buf_reserve(&text, 4096)) /* spares the usual message a few growths */
        return ERR_LIMIT;
    envelope_write(&m->parts[0].fields, m->parts[0].addresses, &text);
    ends[0] = text.n;
    bodystructure_write(m->parts, m->n, false, &text);
    ends[1] = text.n;
    bodystructure_write(m->parts, m->n, true, &text);
    ends[2] = text.n;
    e = part_table_encode(&s->parts, &text);
    ends[3] = text.n;
    if (e || buf_failed(&text) || !arena_dup(a, buf_view(&text), &all))
        return ERR_LIMIT;
    s->envelope = slice_sub(all, 0, ends[0]);
    s->body = slice_sub(all, ends[0], ends[1]);
    s->bodystructure = slice_sub(all, ends[1], ends[2]);
    s->part_table = slice_sub(all, ends[2], ends[3]);
    return OK;
}

static bool message_ids(const struct fields *f, struct arena *a, struct mail_summary *s)
{
    slice *ids;
    size_t n;
    if (!address_msg_ids(f->value[FIELD_MESSAGE_ID], 1, a, &ids, &n))
        return false;
    s->message_id = n ? ids[0] : slice_of(NULL, 0);
    if (!address_msg_ids(f->value[FIELD_IN_REPLY_TO], MAIL_REFERENCES_MAX, a, &ids, &n))
        return false;
    s->in_reply_to = n ? ids[0] : slice_of(NULL, 0);
    return address_msg_ids(f->value[FIELD_REFERENCES], MAIL_REFERENCES_MAX, a, &s->references,
                           &s->references_n);
}

static void message_date(const struct fields *f, struct mail_summary *s)
{
    s->has_date = date_parse(f->value[FIELD_DATE], &s->sent_at, &s->sent_zone) == OK;
    if (!s->has_date)
        s->defects |= MAIL_DEFECT_DATE;
}

static bool message_has_attachment(const struct part_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->at[i].attachment)
            return true;
    return false;
}

static enum err message_fill(const slice *pieces, size_t n, const struct mime *m, struct arena *a,
                             struct mail_summary *s)
{
    const struct mime_part *root = &m->parts[0];
    enum err e = mime_table(m, &s->parts);
    if (e)
        return e;
    e = message_stored(m, a, s);
    if (e)
        return e;
    s->bytes = m->at;
    s->header_bytes = root->entry.header_bytes;
    s->lines = m->lines;
    s->defects = m->defects;
    message_date(&root->fields, s);
    s->from = root->addresses[FIELD_FROM];
    s->sender = root->addresses[FIELD_SENDER];
    s->reply_to = root->addresses[FIELD_REPLY_TO];
    s->to = root->addresses[FIELD_TO];
    s->cc = root->addresses[FIELD_CC];
    s->bcc = root->addresses[FIELD_BCC];
    s->from_fields = root->fields.count[FIELD_FROM];
    s->received = root->fields.count[FIELD_RECEIVED];
    s->has_attachment = message_has_attachment(&s->parts);
    if (!header_text(root->fields.value[FIELD_SUBJECT], a, &s->subject) ||
        !subject_base(s->subject, a, &s->base_subject, &s->is_reply) || !message_ids(&root->fields, a, s) ||
        !mail_text_preview(pieces, n, &s->parts, MAIL_PREVIEW_CHARS, a, &s->preview))
        return ERR_LIMIT;
    return OK;
}

enum err mail_summarise(const slice *pieces, size_t n, const struct mail_limits *limits, struct arena *a,
                        struct mail_summary *out)
{
    struct mime m;
    struct mail_summary s = {0};
    enum err e;
    mime_init(&m, limits, a);
    for (size_t i = 0; i < n; i++)
        mime_feed(&m, pieces[i]);
    e = mime_finish(&m);
    if (!e)
        e = message_fill(pieces, n, &m, a, &s);
    mime_done(&m);
    if (e)
        return e;
    *out = s;
    return OK;
}
