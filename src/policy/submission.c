#include "policy/submission.h"

#include "base/mail_id.h"
#include "core/mail/address.h"
#include "core/mail/mailbox.h"
#include "policy/header_check.h"
#include "text/date.h"

#define SUBMISSION_PREFIX_MAX 4096

struct submission_job {
    const struct submission *s;
    const struct mail_limits *limits;
    struct arena *arena;
    struct verdict v;
    struct header_checked h;
    slice *senders; /* room for VERDICT_SENDERS_MAX */
};

static const slice submission_from_text =
    SLICE_INIT("The From or Sender field of this message has no address that could be read; write it as "
               "name <user@example.org>");

/* Every mailbox of a From or Sender field, normalised so that the directory compares like with like. */
static bool submission_senders_of(struct submission_job *j, enum field which)
{
    struct address_list list;
    size_t found = 0;
    if (j->h.fields.count[which] == 0)
        return true;
    if (!address_list_parse(j->h.fields.value[which], j->limits, j->arena, &list))
        return false;
    for (size_t i = 0; i < list.n; i++) {
        struct mailbox m;
        struct buf CLEANUP(buf_done) text = {.max = MAILBOX_TEXT_MAX};
        if (list.at[i].kind != ADDRESS_MAILBOX)
            continue;
        if (j->v.n_senders == VERDICT_SENDERS_MAX ||
            mailbox_make(list.at[i].local, list.at[i].domain, MAILBOX_UTF8, &m) || mailbox_print(&m, &text)) {
            verdict_reject(&j->v, 550, SLICE("5.1.7"), submission_from_text);
            return true;
        }
        if (!arena_dup(j->arena, buf_view(&text), &j->senders[j->v.n_senders]))
            return false;
        j->v.n_senders++;
        found++;
    }
    if (found == 0 || list.defects)
        verdict_reject(&j->v, 550, SLICE("5.1.7"), submission_from_text);
    return true;
}

static bool submission_message_id(struct submission_job *j, struct buf *prefix)
{
    char id[MAIL_ID_TEXT + 1];
    struct buf CLEANUP(buf_done) text = {.max = 600};
    slice *ids;
    size_t n;
    if (!address_msg_ids(j->h.fields.value[FIELD_MESSAGE_ID], 1, j->arena, &ids, &n))
        return false;
    if (n)
        j->v.message_id = ids[0];
    if (j->h.fields.count[FIELD_MESSAGE_ID])
        return true;
    mail_id_print(j->s->mail_id, id);
    if (buf_print(&text, "<%s@%.*s>", id, SLICE_FMT(j->s->hostname)) ||
        header_write(prefix, SLICE("Message-ID"), buf_view(&text), HEADER_STRUCTURED))
        return false;
    return arena_dup(j->arena, slice_sub(buf_view(&text), 1, text.n - 1), &j->v.message_id);
}

static bool submission_date(struct submission_job *j, struct buf *prefix)
{
    struct buf CLEANUP(buf_done) text = {.max = 64};
    if (j->h.fields.count[FIELD_DATE])
        return true;
    return !date_print(j->s->now, 0, &text) &&
           !header_write(prefix, SLICE("Date"), buf_view(&text), HEADER_STRUCTURED);
}

/* A message without From is given the address of whoever is logged in (RFC 6409 §8 lets us complete a
 * message). */
static bool submission_from(struct submission_job *j, struct buf *prefix)
{
    if (j->h.fields.count[FIELD_FROM])
        return true;
    if (j->s->account_address.n == 0 || j->v.n_senders == VERDICT_SENDERS_MAX) {
        verdict_reject(&j->v, 550, SLICE("5.1.7"), submission_from_text);
        return true;
    }
    if (header_write_mailbox(prefix, SLICE("From"), slice_of(NULL, 0), j->s->account_address, HEADER_UTF8))
        return false;
    j->senders[j->v.n_senders++] = j->s->account_address;
    return true;
}

static bool submission_is_bcc(slice name)
{
    return slice_eq_nocase(name, SLICE("bcc")) || slice_eq_nocase(name, SLICE("resent-bcc"));
}

/* The message without its Bcc fields, as pieces of itself (RFC 5322 §3.6.3: the recipients do not see them).
 */
static bool submission_without_bcc(struct submission_job *j)
{
    slice message = j->s->message, *keep;
    const uint8_t *from = message.p;
    size_t bcc = 0;
    struct header_iter it = header_iter(j->h.block, j->limits);
    struct header_field f;
    while (header_next(&it, &f))
        bcc += submission_is_bcc(f.name);
    if (bcc == 0)
        return true;
    keep = ARENA_ARRAY(j->arena, bcc + 1, slice);
    if (!keep)
        return false;
    it = header_iter(j->h.block, j->limits);
    while (header_next(&it, &f)) {
        if (!submission_is_bcc(f.name))
            continue;
        keep[j->v.n_keep++] = slice_of(from, (size_t)(f.raw.p - from));
        from = f.raw.p + f.raw.n;
    }
    keep[j->v.n_keep++] = slice_of(from, (size_t)(message.p + message.n - from));
    j->v.keep = keep;
    return true;
}

bool submission_decide(const struct submission *s, const struct mail_limits *limits, struct arena *a,
                       struct verdict *out)
{
    struct submission_job j = {.s = s, .limits = limits, .arena = a, .v = {.action = VERDICT_ACCEPT}};
    struct buf CLEANUP(buf_done) prefix = {.max = SUBMISSION_PREFIX_MAX};
    j.senders = ARENA_ARRAY(a, VERDICT_SENDERS_MAX, slice);
    if (!j.senders)
        return false;
    header_check(s->message, limits, &j.v, &j.h);
    if (j.h.fields.count[FIELD_SENDER] > 1)
        verdict_reject(&j.v, 550, SLICE("5.6.0"), SLICE("This message has more than one Sender field"));
    if (!submission_senders_of(&j, FIELD_FROM) || !submission_senders_of(&j, FIELD_SENDER) ||
        !submission_date(&j, &prefix) || !submission_message_id(&j, &prefix) ||
        !submission_from(&j, &prefix) || !submission_without_bcc(&j) ||
        !arena_dup(a, buf_view(&prefix), &j.v.prefix))
        return false;
    j.v.senders = j.senders;
    if (j.v.n_keep)
        verdict_reason(&j.v, SLICE("Bcc was removed"));
    *out = j.v;
    return true;
}
