#include "store/queue_record.h"

#include "base/hash.h"

#define QUEUE_MESSAGE_FORMAT 2
#define QUEUE_MESSAGE_FIRST  1 /* the same without its last field, junk; records of 0.1.0 */
#define QUEUE_RCPT_FORMAT    0x81

/* Against damage, not against forgers: the key is no secret. */
static const struct hash_key queue_sum_key = {0x706f7374686f726e, 0x7175657565000001};

uint64_t queue_sum(slice bytes)
{
    return hash_slice(&queue_sum_key, bytes);
}

static void queue_put_slice(struct buf *b, slice s)
{
    (void)buf_be32(b, (uint32_t)s.n); /* asked for at the end */
    (void)buf_append(b, s);
}

static enum err queue_seal(struct buf *b, size_t begin)
{
    (void)buf_be64(b, queue_sum(slice_from(buf_view(b), begin)));
    if (!buf_failed(b))
        return OK;
    buf_truncate(b, begin);
    return ERR_LIMIT;
}

/* The fields of a record whose checksum holds. */
static bool queue_open(slice record, uint8_t format, struct cursor *out)
{
    struct cursor sum = cursor_of(slice_from(record, record.n < 8 ? record.n : record.n - 8));
    uint64_t v;
    uint8_t f;
    if (!cursor_u64(&sum, &v) || v != queue_sum(slice_sub(record, 0, record.n - 8)))
        return false;
    *out = cursor_of(slice_sub(record, 0, record.n - 8));
    return cursor_u8(out, &f) && f == format;
}

static bool queue_get_slice(struct cursor *c, size_t max, slice *out)
{
    uint32_t n;
    return cursor_u32(c, &n) && n <= max && cursor_bytes(c, n, out);
}

static bool queue_get_bool(struct cursor *c, bool *out)
{
    uint8_t v;
    if (!cursor_u8(c, &v) || v > 1)
        return false;
    *out = v;
    return true;
}

static bool queue_get_time(struct cursor *c, time_ms *out)
{
    uint64_t v;
    if (!cursor_u64(c, &v) || v > INT64_MAX)
        return false;
    *out = (time_ms)v;
    return true;
}

static uint64_t queue_time(time_ms t)
{
    return t > 0 ? (uint64_t)t : 0;
}

enum err queue_message_encode(const struct queue_message *m, struct buf *out)
{
    size_t begin = out->n;
    if (m->sender.n > QUEUE_ADDRESS_MAX || m->envid.n > QUEUE_ENVID_MAX || m->message_id.n > QUEUE_ID_MAX ||
        m->prefix.n > QUEUE_PREFIX_MAX || m->ret > 2)
        return ERR_LIMIT;
    (void)buf_byte(out, QUEUE_MESSAGE_FORMAT);
    (void)buf_be64(out, m->connection);
    (void)buf_be64(out, m->account);
    (void)buf_be64(out, queue_time(m->arrived));
    queue_put_slice(out, m->sender);
    queue_put_slice(out, m->envid);
    (void)buf_byte(out, m->ret);
    (void)buf_byte(out, m->eight_bit);
    (void)buf_byte(out, m->smtputf8);
    queue_put_slice(out, m->message_id);
    queue_put_slice(out, m->prefix);
    (void)buf_be64(out, m->body_bytes);
    (void)buf_byte(out, m->junk);
    return queue_seal(out, begin);
}

enum err queue_message_decode(slice record, struct queue_message *out)
{
    struct queue_message m = *out;
    struct cursor c;
    bool first = queue_open(record, QUEUE_MESSAGE_FIRST, &c);
    m.junk = false;
    if ((!first && !queue_open(record, QUEUE_MESSAGE_FORMAT, &c)) || !cursor_u64(&c, &m.connection) ||
        !cursor_u64(&c, &m.account) || !queue_get_time(&c, &m.arrived) ||
        !queue_get_slice(&c, QUEUE_ADDRESS_MAX, &m.sender) ||
        !queue_get_slice(&c, QUEUE_ENVID_MAX, &m.envid) || !cursor_u8(&c, &m.ret) || m.ret > 2 ||
        !queue_get_bool(&c, &m.eight_bit) || !queue_get_bool(&c, &m.smtputf8) ||
        !queue_get_slice(&c, QUEUE_ID_MAX, &m.message_id) ||
        !queue_get_slice(&c, QUEUE_PREFIX_MAX, &m.prefix) || !cursor_u64(&c, &m.body_bytes) ||
        (!first && !queue_get_bool(&c, &m.junk)) || !cursor_end(&c))
        return ERR_CORRUPT;
    *out = m;
    return OK;
}

enum err queue_rcpt_encode(const struct queue_rcpt *r, struct buf *out)
{
    size_t begin = out->n;
    if (r->address.n == 0 || r->address.n > QUEUE_ADDRESS_MAX || r->orcpt.n > QUEUE_ORCPT_MAX ||
        r->notify > 15)
        return ERR_LIMIT;
    (void)buf_byte(out, QUEUE_RCPT_FORMAT);
    queue_put_slice(out, r->address);
    queue_put_slice(out, r->orcpt);
    (void)buf_byte(out, r->notify);
    (void)buf_byte(out, r->local);
    (void)buf_byte(out, (uint8_t)r->state);
    (void)buf_be64(out, queue_time(r->due));
    (void)buf_be32(out, r->attempts);
    (void)buf_be64(out, queue_time(r->last_attempt));
    (void)buf_be32(out, r->code);
    queue_put_slice(out, slice_sub(r->reply, 0, QUEUE_REPLY_MAX));
    queue_put_slice(out, slice_sub(r->host, 0, QUEUE_REASON_MAX));
    queue_put_slice(out, slice_sub(r->reason, 0, QUEUE_REASON_MAX));
    (void)buf_byte(out, r->delay_told);
    return queue_seal(out, begin);
}

enum err queue_rcpt_decode(slice record, struct queue_rcpt *out)
{
    struct queue_rcpt r = *out;
    struct cursor c;
    uint8_t state;
    if (!queue_open(record, QUEUE_RCPT_FORMAT, &c) || !queue_get_slice(&c, QUEUE_ADDRESS_MAX, &r.address) ||
        r.address.n == 0 || !queue_get_slice(&c, QUEUE_ORCPT_MAX, &r.orcpt) || !cursor_u8(&c, &r.notify) ||
        r.notify > 15 || !queue_get_bool(&c, &r.local) || !cursor_u8(&c, &state) || state < QUEUE_WAITING ||
        state > QUEUE_FAILED || !queue_get_time(&c, &r.due) || !cursor_u32(&c, &r.attempts) ||
        !queue_get_time(&c, &r.last_attempt) || !cursor_u32(&c, &r.code) ||
        !queue_get_slice(&c, QUEUE_REPLY_MAX, &r.reply) || !queue_get_slice(&c, QUEUE_REASON_MAX, &r.host) ||
        !queue_get_slice(&c, QUEUE_REASON_MAX, &r.reason) || !queue_get_bool(&c, &r.delay_told) ||
        !cursor_end(&c))
        return ERR_CORRUPT;
    r.state = (enum queue_state)state;
    *out = r;
    return OK;
}
