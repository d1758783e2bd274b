#include "core/mail/envelope.h"

#include "core/mail/imap_text.h"

/* A header value: blanks around it do not count, line ends inside are left out by imap_text_string(). */
static void envelope_value(const struct fields *f, enum field which, struct buf *out)
{
    imap_text_nstring(out, slice_trim(f->value[which]));
}

/* address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"; a group's start has a NIL host and
 * its name as mailbox, its end has both NIL */
static void envelope_address(const struct address *a, struct buf *out)
{
    (void)buf_byte(out, '('); /* here and below: a full buffer is marked and asked for at the end */
    imap_text_nstring(out, a->kind == ADDRESS_MAILBOX ? a->name : slice_of(NULL, 0));
    (void)buf_byte(out, ' ');
    imap_text_nstring(out, a->route);
    (void)buf_byte(out, ' ');
    switch (a->kind) {
    case ADDRESS_MAILBOX: /* never NIL: that would make it a group */
        imap_text_string(out, a->local);
        (void)buf_byte(out, ' ');
        imap_text_string(out, a->domain);
        break;
    case ADDRESS_GROUP_START:
        imap_text_string(out, a->name);
        (void)buf_str(out, " NIL");
        break;
    case ADDRESS_GROUP_END:
        (void)buf_str(out, "NIL NIL");
        break;
    }
    (void)buf_byte(out, ')');
}

static void envelope_list(const struct address_list *list, struct buf *out)
{
    if (list->n == 0) {
        (void)buf_str(out, "NIL");
        return;
    }
    (void)buf_byte(out, '(');
    for (size_t i = 0; i < list->n; i++)
        envelope_address(&list->at[i], out);
    (void)buf_byte(out, ')');
}

void envelope_write(const struct fields *f, const struct address_list addresses[FIELD_ADDRESSES],
                    struct buf *out)
{
    static const enum field order[] = {FIELD_FROM, FIELD_SENDER, FIELD_REPLY_TO,
                                       FIELD_TO,   FIELD_CC,     FIELD_BCC};
    (void)buf_byte(out, '(');
    envelope_value(f, FIELD_DATE, out);
    (void)buf_byte(out, ' ');
    envelope_value(f, FIELD_SUBJECT, out);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        const struct address_list *list = &addresses[order[i]];
        if (list->n == 0 && (order[i] == FIELD_SENDER || order[i] == FIELD_REPLY_TO))
            list = &addresses[FIELD_FROM];
        (void)buf_byte(out, ' ');
        envelope_list(list, out);
    }
    (void)buf_byte(out, ' ');
    envelope_value(f, FIELD_IN_REPLY_TO, out);
    (void)buf_byte(out, ' ');
    envelope_value(f, FIELD_MESSAGE_ID, out);
    (void)buf_byte(out, ')');
}
