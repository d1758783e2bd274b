/* See account.h: the bytes of messages, in chunks that are compressed and checked each on its own, so that
 * reading a part of a large message needs constant memory.
 *
 * A chunk: u8 form (0 as it is, 1 zstd) | u32 length when unpacked | u64 checksum | the bytes; big-endian.
 * The checksum is over form, length and packed bytes, keyed with the account's salt and the chunk's id. */
#include "store/account__.h"

#include <stdlib.h>

#define HEAD_BYTES 13
#define ZSTD_LEVEL 1 /* docs/decisions/0001-membership.md has the measurement */

enum form { AS_IS, PACKED };

struct account_body {
    struct account_store *s;
    uint64_t message, bytes, first_bytes;
    uint64_t at, n; /* what raw holds of the message */
    uint8_t *raw;
    size_t raw_room;
};

static int64_t chunk_id(uint64_t message, uint64_t number)
{
    return (int64_t)(message << 12 | number);
}

static uint64_t chunk_sum(const struct account_db *db, int64_t id, const uint8_t *head, slice data)
{
    uint64_t mix = (uint64_t)head[0] << 32 | (uint64_t)head[1] << 24 | (uint64_t)head[2] << 16 |
                   (uint64_t)head[3] << 8 | head[4];
    struct hash_key key = {db->salt ^ mix, (uint64_t)id};
    return hash_slice(&key, data);
}

void account__codec_free(struct account_db *db)
{
    (void)ZSTD_freeCCtx(db->compressor); /* always succeeds */
    (void)ZSTD_freeDCtx(db->decompressor);
    db->compressor = NULL;
    db->decompressor = NULL;
}

/* --- writing */

static void put_be(uint8_t *p, size_t n, uint64_t v)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

/* Packs raw into record, which has room for both forms, and writes the row. */
static enum err chunk_write(struct account_db *db, int64_t id, slice raw, uint8_t *record, size_t room)
{
    if (!db->compressor)
        db->compressor = ZSTD_createCCtx();
    must(db->compressor != NULL);
    size_t n =
        ZSTD_compressCCtx(db->compressor, record + HEAD_BYTES, room - HEAD_BYTES, raw.p, raw.n, ZSTD_LEVEL);
    bool packed = !ZSTD_isError(n) && n < raw.n;
    if (!packed) {
        memcpy(record + HEAD_BYTES, raw.p, raw.n);
        n = raw.n;
    }
    record[0] = packed ? PACKED : AS_IS;
    put_be(record + 1, 4, raw.n);
    put_be(record + 5, 8, chunk_sum(db, id, record, slice_of(record + HEAD_BYTES, n)));
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "INSERT INTO chunk VALUES (?, ?)");
    stmt_bind_i64(q, 1, id);
    stmt_bind_blob(q, 2, slice_of(record, HEAD_BYTES + n));
    return stmt_run(q);
}

/* The message's bytes at..at+n as one slice: where they lie, or gathered in room. */
static slice gather(const slice *pieces, size_t pieces_n, uint64_t at, size_t n, uint8_t *room)
{
    uint64_t start = 0;
    size_t got = 0;
    for (size_t i = 0; i < pieces_n && got < n; start += pieces[i].n, i++) {
        if (at + got >= start + pieces[i].n)
            continue;
        slice part = slice_from(pieces[i], (size_t)(at + got - start));
        part = slice_sub(part, 0, n - got);
        if (part.n == n)
            return part;
        memcpy(room + got, part.p, part.n);
        got += part.n;
    }
    return slice_of(room, got);
}

enum err account__body_write(struct account_db *db, uint64_t message, const slice *pieces, size_t pieces_n,
                             uint64_t bytes, uint64_t first_bytes)
{
    size_t largest = (size_t)size_min(bytes, size_max(first_bytes, BODY_CHUNK_BYTES));
    size_t room = ZSTD_compressBound(largest) + HEAD_BYTES;
    uint8_t *record = account__alloc(room, 1), *raw = account__alloc(largest + 1, 1);
    enum err e = OK;
    uint64_t number = 0;
    for (uint64_t at = 0; at < bytes && e == OK; number++) {
        size_t n = (size_t)size_min(number == 0 ? first_bytes : BODY_CHUNK_BYTES, bytes - at);
        must(number < BODY_CHUNKS_MAX && n > 0);
        e = chunk_write(db, chunk_id(message, number), gather(pieces, pieces_n, at, n, raw), record, room);
        at += n;
    }
    free(record);
    free(raw);
    return e;
}

/* --- reading */

enum err account_body_open(struct account_store *s, uint64_t message, struct account_body **out)
{
    uint64_t bytes, first_bytes;
    enum err e = account__allow(s, ACCOUNT_READ);
    if (e == OK)
        e = account__message_shape(s->db, message, &bytes, &first_bytes);
    if (e != OK)
        return e;
    struct account_body *b = account__alloc(1, sizeof *b);
    *b = (struct account_body){.s = s, .message = message, .bytes = bytes, .first_bytes = first_bytes};
    *out = b;
    return OK;
}

void account_body_close(struct account_body **bp)
{
    struct account_body *b = *bp;
    *bp = NULL;
    if (!b)
        return;
    free(b->raw);
    free(b);
}

uint64_t account_body_bytes(const struct account_body *b)
{
    return b->bytes;
}

/* Checks a chunk and unpacks it into b->raw; n: the length it must have. */
static enum err unpack(struct account_body *b, int64_t id, slice record, size_t n)
{
    struct account_db *db = b->s->db;
    struct cursor c = cursor_of(record);
    uint8_t form;
    uint32_t length;
    uint64_t sum;
    if (!cursor_u8(&c, &form) || !cursor_u32(&c, &length) || !cursor_u64(&c, &sum) || length != n ||
        chunk_sum(db, id, record.p, c.rest) != sum)
        return ERR_CORRUPT;
    if (b->raw_room < n) {
        free(b->raw);
        b->raw = account__alloc(n, 1);
        b->raw_room = n;
    }
    if (form == AS_IS) {
        if (c.rest.n != n)
            return ERR_CORRUPT;
        memcpy(b->raw, c.rest.p, n);
        return OK;
    }
    if (!db->decompressor)
        db->decompressor = ZSTD_createDCtx();
    must(db->decompressor != NULL);
    size_t got = ZSTD_decompressDCtx(db->decompressor, b->raw, n, c.rest.p, c.rest.n);
    return form == PACKED && !ZSTD_isError(got) && got == n ? OK : ERR_CORRUPT;
}

static enum err load(struct account_body *b, uint64_t from)
{
    uint64_t number = 0, at = 0, n = b->first_bytes;
    if (from >= b->first_bytes) {
        number = 1 + (from - b->first_bytes) / BODY_CHUNK_BYTES;
        at = b->first_bytes + (number - 1) * BODY_CHUNK_BYTES;
        n = size_min(BODY_CHUNK_BYTES, b->bytes - at);
    }
    int64_t id = chunk_id(b->message, number);
    struct stmt *q CLEANUP(stmt_done) = db_stmt(b->s->db->db, "SELECT bytes FROM chunk WHERE id = ?");
    stmt_bind_i64(q, 1, id);
    b->n = 0;
    enum err e = stmt_row(q);
    if (e == OK)
        e = unpack(b, id, stmt_slice(q, 0), (size_t)n);
    if (e == OK) {
        b->at = at;
        b->n = n;
    }
    return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
}

enum err account_body_read(struct account_body *b, uint64_t from, uint64_t max, slice *out)
{
    if (from >= b->bytes || max == 0) {
        *out = (slice){NULL, 0};
        return OK;
    }
    if (from < b->at || from - b->at >= b->n) {
        enum err e = load(b, from);
        if (e != OK)
            return e;
    }
    size_t offset = (size_t)(from - b->at);
    *out = slice_of(b->raw + offset, (size_t)size_min(b->n - offset, max));
    return OK;
}
