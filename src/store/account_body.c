/* See account.h: the bytes of messages, in chunks that are compressed and checked each on its own, so that
 * reading a part of a large message needs constant memory.
 *
 * A chunk: u64 checksum | u8 form (0 as it is, 1 zstd) | u32 length when unpacked | u32 length of the message
 * | the bytes; big-endian. The checksum is over what follows it, keyed with the account's salt and the
 * chunk's id. The first chunk says how much it holds, all others but the last hold BODY_CHUNK_BYTES; an empty
 * message is one empty chunk. So reading a message needs no other table. */
#include "store/account__.h"

#include <stdlib.h>

#define HEAD_BYTES 17
#define SUM_BYTES  8
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

static uint64_t chunk_sum(const struct account_db *db, int64_t id, slice record)
{
    struct hash_key key = {db->salt ^ 3,
                           (uint64_t)id}; /* 3: so that no other kind of record passes for one */
    return hash_slice(&key, slice_from(record, SUM_BYTES));
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
static enum err chunk_write(struct account_db *db, int64_t id, slice raw, uint64_t bytes, uint8_t *record,
                            size_t room)
{
    if (!db->compressor)
        db->compressor = ZSTD_createCCtx();
    must(db->compressor != NULL);
    size_t n =
        ZSTD_compressCCtx(db->compressor, record + HEAD_BYTES, room - HEAD_BYTES, raw.p, raw.n, ZSTD_LEVEL);
    bool packed = !ZSTD_isError(n) && n < raw.n;
    if (!packed) {
        if (raw.n)
            memcpy(record + HEAD_BYTES, raw.p, raw.n);
        n = raw.n;
    }
    slice whole = slice_of(record, HEAD_BYTES + n);
    record[8] = packed ? PACKED : AS_IS;
    put_be(record + 9, 4, raw.n);
    put_be(record + 13, 4, bytes);
    put_be(record, SUM_BYTES, chunk_sum(db, id, whole));
    struct stmt *q CLEANUP(stmt_done) = db_stmt(db->db, "INSERT INTO chunk VALUES (?, ?)");
    stmt_bind_i64(q, 1, id);
    stmt_bind_blob(q, 2, whole);
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
    uint8_t *record = malloc(room), *raw = malloc(largest + 1);
    must(record != NULL && raw != NULL);
    enum err e = OK;
    uint64_t number = 0, at = 0;
    do {
        size_t n = (size_t)size_min(number == 0 ? first_bytes : BODY_CHUNK_BYTES, bytes - at);
        must(number < BODY_CHUNKS_MAX && (n > 0 || bytes == 0));
        slice part = gather(pieces, pieces_n, at, n, raw);
        e = chunk_write(db, chunk_id(message, number), part, bytes, record, room);
        at += n;
        number++;
    } while (at < bytes && e == OK);
    free(record);
    free(raw);
    return e;
}

/* --- reading */

struct chunk {
    uint8_t form;
    uint32_t length, message_bytes;
    slice data;
};

static enum err chunk_parse(const struct account_db *db, int64_t id, slice record, struct chunk *out)
{
    struct cursor c = cursor_of(record);
    uint64_t sum;
    if (!cursor_u64(&c, &sum) || !cursor_u8(&c, &out->form) || !cursor_u32(&c, &out->length) ||
        !cursor_u32(&c, &out->message_bytes) || chunk_sum(db, id, record) != sum)
        return ERR_CORRUPT;
    out->data = c.rest;
    return out->length <= out->message_bytes && out->message_bytes <= ACCOUNT_MESSAGE_BYTES_MAX ? OK
                                                                                                : ERR_CORRUPT;
}

static enum err unpack(struct account_body *b, const struct chunk *c)
{
    struct account_db *db = b->s->db;
    if (b->raw_room < c->length || !b->raw) {
        free(b->raw);
        b->raw = malloc(c->length + (size_t)1);
        must(b->raw != NULL);
        b->raw_room = c->length;
    }
    if (c->form == AS_IS) {
        if (c->data.n != c->length)
            return ERR_CORRUPT;
        if (c->length)
            memcpy(b->raw, c->data.p, c->length);
        return OK;
    }
    if (!db->decompressor)
        db->decompressor = ZSTD_createDCtx();
    must(db->decompressor != NULL);
    size_t got = ZSTD_decompressDCtx(db->decompressor, b->raw, c->length, c->data.p, c->data.n);
    return c->form == PACKED && !ZSTD_isError(got) && got == c->length ? OK : ERR_CORRUPT;
}

/* Takes a chunk in hand. The first tells the shape of the message; the others have to fit it. */
static enum err load(struct account_body *b, uint64_t number)
{
    struct chunk c;
    int64_t id = chunk_id(b->message, number);
    uint64_t at = number ? b->first_bytes + (number - 1) * BODY_CHUNK_BYTES : 0;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(b->s->db->db, "SELECT bytes FROM chunk WHERE id = ?");
    stmt_bind_i64(q, 1, id);
    b->n = 0;
    enum err e = stmt_row(q);
    if (e == OK)
        e = chunk_parse(b->s->db, id, stmt_slice(q, 0), &c);
    if (e != OK)
        return e;
    if (number == 0) {
        b->bytes = c.message_bytes;
        b->first_bytes = c.length;
    } else if (c.message_bytes != b->bytes || c.length != size_min(BODY_CHUNK_BYTES, b->bytes - at)) {
        return ERR_CORRUPT;
    }
    e = unpack(b, &c);
    if (e == OK) {
        b->at = at;
        b->n = c.length;
    }
    return e;
}

enum err account_body_open(struct account_store *s, uint64_t message, struct account_body **out)
{
    enum err e = account__allow(s, ACCOUNT_READ);
    if (e != OK)
        return e;
    struct account_body *b = account__alloc(1, sizeof *b);
    b->s = s;
    b->message = message;
    e = load(b, 0);
    if (e != OK) {
        account_body_close(&b);
        return e;
    }
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

enum err account_body_read(struct account_body *b, uint64_t from, uint64_t max, slice *out)
{
    if (from >= b->bytes || max == 0) {
        *out = (slice){NULL, 0};
        return OK;
    }
    if (from < b->at || from - b->at >= b->n) {
        uint64_t number = from < b->first_bytes ? 0 : 1 + (from - b->first_bytes) / BODY_CHUNK_BYTES;
        enum err e = load(b, number);
        if (e != OK)
            return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
    }
    size_t offset = (size_t)(from - b->at);
    *out = slice_of(b->raw + offset, (size_t)size_min(b->n - offset, max));
    return OK;
}
