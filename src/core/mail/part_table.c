#include "core/mail/part_table.h"

#include "text/base64.h"
#include "text/qp.h"

/* Stored form: version 1, count, then each part: parent + 1, kind and cte and attachment in one byte,
 * header_at as distance from the parent's body, header_bytes, body_bytes, lines, and the three texts with
 * their lengths. The body begins where the header ends. Numbers are LEB128, 7 bits a byte, low first, at most
 * 10 bytes. */
#define PART_TABLE_VERSION 1
#define PART_TABLE_PARTS   100000 /* sanity only: mail_limits bounds what is written */

static enum err part_table_put(struct buf *out, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    return buf_append(out, slice_of(bytes, n));
}

static bool part_table_get(struct cursor *c, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        int b = cursor_next(c);
        if (b < 0)
            return false;
        v |= (uint64_t)(b & 0x7F) << shift;
        if (b < 0x80) {
            *out = v;
            return b != 0 || shift == 0; /* one form for one number */
        }
    }
    return false;
}

static enum err part_table_put_text(struct buf *out, slice s)
{
    enum err e = part_table_put(out, s.n);
    return e ? e : buf_append(out, s);
}

static bool part_table_get_text(struct cursor *c, slice *out)
{
    uint64_t n;
    return part_table_get(c, &n) && n <= 256 && cursor_bytes(c, (size_t)n, out);
}

enum err part_table_encode(const struct part_table *t, struct buf *out)
{
    size_t start = out->n;
    enum err e = buf_byte(out, PART_TABLE_VERSION);
    if (!e)
        e = part_table_put(out, t->n);
    for (size_t i = 0; !e && i < t->n; i++) {
        const struct part_entry *p = &t->at[i];
        uint64_t base = i ? t->at[p->parent].body_at : 0;
        uint64_t numbers[] = {i ? p->parent + 1ull : 0, p->header_at - base, p->header_bytes, p->body_bytes,
                              p->lines};
        must(i == 0 || p->parent < i);
        must(p->header_at >= base && p->body_at == p->header_at + p->header_bytes);
        e = buf_byte(out,
                     (uint8_t)((unsigned)p->kind | (unsigned)p->cte << 2 | (unsigned)p->attachment << 5));
        for (size_t k = 0; !e && k < ARRAY_LEN(numbers); k++)
            e = part_table_put(out, numbers[k]);
        if (!e)
            e = part_table_put_text(out, p->type);
        if (!e)
            e = part_table_put_text(out, p->subtype);
        if (!e)
            e = part_table_put_text(out, p->charset);
    }
    if (e)
        buf_truncate(out, start);
    return e;
}

/* Reads the numbers of one part and checks that it lies inside its parent. */
static bool part_table_read(struct cursor *c, struct part_table *t, size_t i, uint64_t message_bytes)
{
    struct part_entry *p = &t->at[i];
    uint64_t parent, header_at, limit, base = 0;
    uint8_t bits;
    if (!cursor_u8(c, &bits) || bits >= 1 << 6 || (bits & 3) > PART_MESSAGE ||
        (bits >> 2 & 7) > PART_CTE_UNKNOWN || !part_table_get(c, &parent) || !part_table_get(c, &header_at) ||
        !part_table_get(c, &p->header_bytes) || !part_table_get(c, &p->body_bytes) ||
        !part_table_get(c, &p->lines) || !part_table_get_text(c, &p->type) ||
        !part_table_get_text(c, &p->subtype) || !part_table_get_text(c, &p->charset))
        return false;
    p->kind = (enum part_kind)(bits & 3);
    p->cte = (enum part_cte)(bits >> 2 & 7);
    p->attachment = bits >> 5;
    p->parent = PART_NONE;
    p->first_child = p->next = PART_NONE;
    limit = message_bytes;
    if ((i == 0) != (parent == 0) || parent > i)
        return false;
    if (i) {
        const struct part_entry *above = &t->at[parent - 1];
        if (above->kind == PART_LEAF || (above->kind == PART_MESSAGE && above->first_child != PART_NONE))
            return false;
        base = above->body_at;
        limit = above->body_at + above->body_bytes;
        p->parent = (uint32_t)(parent - 1);
    }
    /* each below 2^63, so two of them add without overflow; limit is at most message_bytes */
    if (header_at > limit - base || p->header_bytes > limit - base - header_at ||
        p->body_bytes > limit - base - header_at - p->header_bytes)
        return false;
    p->header_at = base + header_at;
    p->body_at = p->header_at + p->header_bytes;
    return true;
}

enum err part_table_decode(slice bytes, uint64_t message_bytes, struct arena *a, struct part_table *out)
{
    struct cursor c = cursor_of(bytes);
    struct part_table t = {0};
    uint32_t *last;
    uint64_t n;
    uint8_t version;
    if (!cursor_u8(&c, &version) || version != PART_TABLE_VERSION || !part_table_get(&c, &n) || n == 0 ||
        n > PART_TABLE_PARTS || n > c.rest.n)
        return ERR_CORRUPT;
    t.at = ARENA_ARRAY(a, (size_t)n, struct part_entry);
    last = ARENA_ARRAY(a, (size_t)n, uint32_t); /* the last child so far, for linking in order */
    if (!t.at || !last)
        return ERR_LIMIT;
    for (; t.n < n; t.n++) {
        struct part_entry *p = &t.at[t.n];
        if (!part_table_read(&c, &t, t.n, message_bytes))
            return ERR_CORRUPT;
        if (t.n == 0)
            continue;
        if (t.at[p->parent].first_child == PART_NONE)
            t.at[p->parent].first_child = (uint32_t)t.n;
        else
            t.at[last[p->parent]].next = (uint32_t)t.n;
        last[p->parent] = (uint32_t)t.n;
    }
    if (!cursor_end(&c))
        return ERR_CORRUPT;
    *out = t;
    return OK;
}

/* The k-th child (from 1) of an entry, or NULL. */
static const struct part_entry *part_table_child(const struct part_table *t, const struct part_entry *p,
                                                 uint32_t k)
{
    uint32_t i = p->first_child;
    while (i != PART_NONE && --k > 0)
        i = t->at[i].next;
    return i == PART_NONE ? NULL : &t->at[i];
}

/* Section numbers count inside a multipart's parts; a message that is no multipart has one part, 1, its body;
 * behind the number of a message/rfc822 part they count inside that message (RFC 9051 §6.4.5.1). */
static const struct part_entry *part_table_walk(const struct part_table *t, const uint32_t *numbers, size_t n)
{
    const struct part_entry *inside = &t->at[0], *part = NULL;
    for (size_t i = 0; i < n; i++) {
        if (part && part->kind == PART_LEAF)
            return NULL;
        if (part)
            inside = part->kind == PART_MULTIPART ? part : part_table_child(t, part, 1);
        if (!inside || numbers[i] == 0)
            return NULL;
        part = inside->kind == PART_MULTIPART ? part_table_child(t, inside, numbers[i])
               : numbers[i] == 1              ? inside
                                              : NULL;
        if (!part)
            return NULL;
    }
    return part;
}

enum err part_table_find(const struct part_table *t, const uint32_t *numbers, size_t n, enum part_what what,
                         struct part_range *out)
{
    const struct part_entry *p = n ? part_table_walk(t, numbers, n) : &t->at[0];
    if (!p)
        return ERR_NOT_FOUND;
    if (n && (what == PART_HEADER || what == PART_TEXT)) {
        p = p->kind == PART_MESSAGE ? part_table_child(t, p, 1) : NULL;
        if (!p)
            return ERR_NOT_FOUND;
    }
    switch (what) {
    case PART_WHOLE:
        if (n)
            break;
        *out = (struct part_range){p->header_at, p->header_bytes + p->body_bytes, p};
        return OK;
    case PART_BODY:
        if (n == 0)
            break;
        *out = (struct part_range){p->body_at, p->body_bytes, p};
        return OK;
    case PART_TEXT:
        *out = (struct part_range){p->body_at, p->body_bytes, p};
        return OK;
    case PART_MIME:
        if (n == 0)
            break;
        *out = (struct part_range){p->header_at, p->header_bytes, p};
        return OK;
    case PART_HEADER:
        *out = (struct part_range){p->header_at, p->header_bytes, p};
        return OK;
    }
    return ERR_NOT_FOUND;
}

enum err part_decode(enum part_cte cte, slice body, struct buf *out)
{
    struct base64_decoder base64 = {0};
    struct qp_decoder qp = {0};
    enum err e;
    switch (cte) {
    case PART_CTE_BASE64:
        e = base64_feed(&base64, body, out);
        return e ? e : base64_finish(&base64, out);
    case PART_CTE_QP:
        e = qp_feed(&qp, body, out);
        return e ? e : qp_finish(&qp, out);
    case PART_CTE_7BIT:
    case PART_CTE_8BIT:
    case PART_CTE_BINARY:
        return buf_append(out, body);
    case PART_CTE_UNKNOWN:
        break;
    }
    return ERR_UNSUPPORTED; /* RFC 3516 §4.3: UNKNOWN-CTE */
}
