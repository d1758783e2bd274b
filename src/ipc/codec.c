#include "ipc/codec.h"

#define IPC_DEPTH 3 /* lists in lists, as declared in our own tables: never from input */

const struct ipc_message *ipc_find(const struct ipc_channel *channel, uint16_t type)
{
    for (size_t i = 0; i < channel->n_messages; i++)
        if (channel->messages[i].type == type)
            return &channel->messages[i];
    return NULL;
}

static size_t ipc_number_bytes(enum ipc_kind kind)
{
    switch (kind) {
    case IPC_BOOL:
    case IPC_U8:
        return 1;
    case IPC_U16:
        return 2;
    case IPC_U32:
        return 4;
    case IPC_U64:
    case IPC_I64:
        return 8;
    default:
        return 0;
    }
}

static uint64_t ipc_load(enum ipc_kind kind, const void *at)
{
    switch (kind) {
    case IPC_BOOL:
        return *(const bool *)at;
    case IPC_U8:
        return *(const uint8_t *)at;
    case IPC_U16:
        return *(const uint16_t *)at;
    case IPC_U32:
        return *(const uint32_t *)at;
    case IPC_U64:
        return *(const uint64_t *)at;
    default:
        return (uint64_t) * (const int64_t *)at;
    }
}

static void ipc_store(enum ipc_kind kind, void *at, uint64_t v)
{
    switch (kind) {
    case IPC_BOOL:
        *(bool *)at = v != 0;
        break;
    case IPC_U8:
        *(uint8_t *)at = (uint8_t)v;
        break;
    case IPC_U16:
        *(uint16_t *)at = (uint16_t)v;
        break;
    case IPC_U32:
        *(uint32_t *)at = (uint32_t)v;
        break;
    case IPC_U64:
        *(uint64_t *)at = v;
        break;
    default:
        *(int64_t *)at = (int64_t)v;
        break;
    }
}

static enum err ipc_encode_at(struct buf *out, const struct ipc_shape *shape, const uint8_t *value,
                              int depth);

static enum err ipc_encode_list(struct buf *out, const struct ipc_field *f, const uint8_t *value, int depth)
{
    const uint8_t *items = *(const uint8_t *const *)(const void *)(value + f->offset);
    size_t n = *(const size_t *)(const void *)(value + f->offset_n);
    must(depth < IPC_DEPTH);
    if (n > f->max)
        return ERR_LIMIT;
    (void)buf_be32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        enum err e = ipc_encode_at(out, f->item, items + i * f->item->size, depth + 1);
        if (e)
            return e;
    }
    return OK;
}

static enum err ipc_encode_field(struct buf *out, const struct ipc_field *f, const uint8_t *value, int depth)
{
    uint64_t v;
    if (f->kind == IPC_LIST)
        return ipc_encode_list(out, f, value, depth);
    if (f->kind == IPC_SLICE) {
        slice s = *(const slice *)(const void *)(value + f->offset);
        if (s.n > f->max)
            return ERR_LIMIT;
        (void)buf_be32(out, (uint32_t)s.n);
        (void)buf_append(out, s);
        return OK;
    }
    v = ipc_load(f->kind, value + f->offset);
    if (f->max && v > f->max)
        return ERR_LIMIT;
    switch (ipc_number_bytes(f->kind)) {
    case 1:
        (void)buf_byte(out, (uint8_t)v);
        break;
    case 2:
        (void)buf_be16(out, (uint16_t)v);
        break;
    case 4:
        (void)buf_be32(out, (uint32_t)v);
        break;
    default:
        (void)buf_be64(out, v);
        break;
    }
    return OK;
}

static enum err ipc_encode_at(struct buf *out, const struct ipc_shape *shape, const uint8_t *value, int depth)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        enum err e = ipc_encode_field(out, &shape->fields[i], value, depth);
        if (e)
            return e;
    }
    return OK;
}

enum err ipc_encode(struct buf *out, const struct ipc_shape *shape, const void *value)
{
    size_t before = out->n;
    enum err e = ipc_encode_at(out, shape, value, 0);
    if (!e && buf_failed(out))
        e = ERR_LIMIT;
    if (e)
        buf_truncate(out, before);
    return e;
}

static enum err ipc_decode_at(struct cursor *c, const struct ipc_shape *shape, struct arena *arena,
                              uint8_t *value, int depth);

static enum err ipc_decode_list(struct cursor *c, const struct ipc_field *f, struct arena *arena,
                                uint8_t *value, int depth)
{
    uint32_t n;
    uint8_t *items;
    must(depth < IPC_DEPTH);
    if (!cursor_u32(c, &n))
        return ERR_SYNTAX;
    if (n > f->max)
        return ERR_LIMIT;
    if (n > c->rest.n)
        return ERR_SYNTAX; /* an item has at least one byte: no allocation for a count that cannot be true */
    items = arena_array(arena, n, f->item->size);
    if (!items)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        enum err e = ipc_decode_at(c, f->item, arena, items + i * f->item->size, depth + 1);
        if (e)
            return e;
    }
    *(const uint8_t **)(void *)(value + f->offset) = items;
    *(size_t *)(void *)(value + f->offset_n) = n;
    return OK;
}

static enum err ipc_decode_field(struct cursor *c, const struct ipc_field *f, struct arena *arena,
                                 uint8_t *value, int depth)
{
    slice s;
    uint32_t n;
    uint64_t v = 0;
    if (f->kind == IPC_LIST)
        return ipc_decode_list(c, f, arena, value, depth);
    if (f->kind == IPC_SLICE) {
        if (!cursor_u32(c, &n))
            return ERR_SYNTAX;
        if (n > f->max)
            return ERR_LIMIT;
        if (!cursor_bytes(c, n, &s))
            return ERR_SYNTAX;
        *(slice *)(void *)(value + f->offset) = s;
        return OK;
    }
    if (!cursor_bytes(c, ipc_number_bytes(f->kind), &s))
        return ERR_SYNTAX;
    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    if ((f->max && v > f->max) || (f->kind == IPC_BOOL && v > 1))
        return ERR_LIMIT;
    ipc_store(f->kind, value + f->offset, v);
    return OK;
}

static enum err ipc_decode_at(struct cursor *c, const struct ipc_shape *shape, struct arena *arena,
                              uint8_t *value, int depth)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        enum err e = ipc_decode_field(c, &shape->fields[i], arena, value, depth);
        if (e)
            return e;
    }
    return OK;
}

enum err ipc_decode(slice bytes, const struct ipc_shape *shape, struct arena *arena, void *out_value)
{
    struct cursor c = cursor_of(bytes);
    enum err e;
    memset(out_value, 0, shape->size);
    e = ipc_decode_at(&c, shape, arena, out_value, 0);
    if (!e && !cursor_end(&c))
        e = ERR_SYNTAX;
    return e;
}
