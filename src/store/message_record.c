#include "store/message_record.h"

#include "base/varint.h"
#include "store/record_sum.h"

enum { NUMBERS = 9, TEXTS = 13 };
enum mark { HAS_DATE = 1, HAS_ATTACHMENT = 2, IS_REPLY = 4 };

static void put(struct buf *out, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];
    (void)buf_append(out,
                     slice_of(bytes, (size_t)(varint_put(bytes, v) - bytes))); /* asked once, at the end */
}

/* The texts in their order: one table for both directions. */
static void texts(struct message_meta *m, slice *out[TEXTS])
{
    slice *all[TEXTS] = {
        &m->envelope,   &m->body,        &m->bodystructure, &m->part_table, &m->subject, &m->base_subject,
        &m->message_id, &m->in_reply_to, &m->preview,       &m->from,       &m->to,      &m->cc,
        &m->bcc};
    memcpy(out, all, sizeof all);
}

enum err message_record_encode(const struct message_meta *m, const struct hash_key *key, struct buf *out)
{
    struct message_meta copy = *m;
    size_t start = out->n;
    uint64_t marks = (m->has_date ? HAS_DATE : 0u) | (m->has_attachment ? HAS_ATTACHMENT : 0u) |
                     (m->is_reply ? IS_REPLY : 0u);
    const uint64_t numbers[NUMBERS] = {m->thread,
                                       m->bytes,
                                       m->header_bytes,
                                       m->lines,
                                       varint_zigzag(m->added_at),
                                       marks,
                                       varint_zigzag(m->sent_at),
                                       varint_zigzag(m->sent_zone),
                                       m->defects};
    slice *all[TEXTS];
    (void)buf_byte(out, 1); /* asked once, below */
    for (size_t i = 0; i < NUMBERS; i++)
        put(out, numbers[i]);
    texts(&copy, all);
    for (size_t i = 0; i < TEXTS; i++) {
        put(out, all[i]->n);
        (void)buf_append(out, *all[i]); /* asked once, below */
    }
    (void)buf_be32(out, record_sum(slice_from(buf_view(out), start), key)); /* asked here: */
    return buf_failed(out) ? ERR_LIMIT : OK;
}

static bool decode(struct cursor *c, struct message_meta *m)
{
    uint64_t v[NUMBERS];
    slice *all[TEXTS];
    if (cursor_next(c) != 1)
        return false;
    for (size_t i = 0; i < NUMBERS; i++)
        if (!varint_take(c, &v[i]))
            return false;
    *m = (struct message_meta){.thread = v[0],
                               .bytes = v[1],
                               .header_bytes = v[2],
                               .lines = v[3],
                               .added_at = varint_unzigzag(v[4]),
                               .has_date = v[5] & HAS_DATE,
                               .has_attachment = v[5] & HAS_ATTACHMENT,
                               .is_reply = v[5] & IS_REPLY,
                               .sent_at = varint_unzigzag(v[6]),
                               .defects = (uint32_t)v[8]};
    int64_t zone = varint_unzigzag(v[7]);
    if (zone < -24 * 60 || zone > 24 * 60 || v[5] > 7 || v[8] > UINT32_MAX)
        return false;
    if (m->bytes > ACCOUNT_MESSAGE_BYTES_MAX || m->header_bytes > m->bytes)
        return false;
    m->sent_zone = (int)zone;
    texts(m, all);
    for (size_t i = 0; i < TEXTS; i++) {
        uint64_t n;
        if (!varint_take(c, &n) || n > c->rest.n || !cursor_bytes(c, (size_t)n, all[i]))
            return false;
    }
    return cursor_end(c);
}

enum err message_record_decode(slice record, const struct hash_key *key, struct message_meta *out)
{
    struct message_meta m;
    struct cursor c;
    if (!record_sum_open(record, key, &c) || !decode(&c, &m))
        return ERR_CORRUPT;
    *out = m;
    return OK;
}
