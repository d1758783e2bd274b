#include "text/unpack.h"

#include <zlib.h>

#define PIECE       ((size_t)32 * 1024)
#define RATIO_FREE  ((uint64_t)64 * 1024)
#define MEMBERS_MAX 64   /* of a gzip */
#define ENTRIES_MAX 1000 /* of a zip that are looked at */
#define END_BYTES   22   /* of the end record, APPNOTE 4.3.16 */
#define END_FAR     (65535 + END_BYTES)
#define CENTRAL     46 /* bytes before an entry's name, APPNOTE 4.3.12 */
#define LOCAL       30 /* APPNOTE 4.3.7 */

const struct unpack_limits unpack_limits_default = {(uint64_t)10 << 20, 100};

struct unpacking {
    const struct unpack_limits *limits;
    unpack_fn fn;
    void *arg;
    struct err_detail *why;
    uint64_t in, out;
    bool begun;
};

enum unpack_kind unpack_kind(slice s)
{
    if (s.n >= 3 && s.p[0] == 0x1f && s.p[1] == 0x8b && s.p[2] == 8)
        return UNPACK_GZIP;
    if (slice_starts(s, SLICE("PK\3\4")) || slice_starts(s, SLICE("PK\5\6")))
        return UNPACK_ZIP;
    return UNPACK_NOTHING;
}

static enum err failed(struct unpacking *u, enum err e, const char *text)
{
    err_detail_set(u->why, "%s", text);
    return e;
}

/* One piece that came out. */
static enum err give(struct unpacking *u, slice piece)
{
    if (piece.n == 0)
        return OK;
    if (!u->begun && unpack_kind(piece) != UNPACK_NOTHING)
        return failed(u, ERR_DENIED, "it is an archive inside an archive");
    u->begun = true;
    u->out += piece.n;
    if (u->out > u->limits->bytes_max)
        return failed(u, ERR_LIMIT, "it is larger unpacked than is taken here");
    if (u->out > RATIO_FREE + u->in * u->limits->ratio_max)
        return failed(u, ERR_LIMIT, "it is packed tighter than any report is");
    return u->fn(u->arg, piece);
}

/* Inflates what begins at *in and steps over it. The first piece is a full one unless all is smaller, so that
 * give() sees how it begins. */
static enum err inflate_all(struct unpacking *u, int window, slice *in, uint32_t *out_crc)
{
    uint8_t room[PIECE];
    z_stream z = {0};
    uLong crc = crc32(0, NULL, 0);
    enum err e = OK;
    int r = Z_OK;
    if (in->n > UINT32_MAX)
        return failed(u, ERR_LIMIT, "it is larger than is taken here");
    if (inflateInit2(&z, window) != Z_OK)
        return failed(u, ERR_MEMORY, "there is no memory to unpack it");
    z.next_in = (Bytef *)(uintptr_t)in->p; /* zlib does not write there */
    z.avail_in = (uInt)in->n;
    while (e == OK && r != Z_STREAM_END) {
        z.next_out = room;
        z.avail_out = sizeof room;
        while (z.avail_out && (r = inflate(&z, Z_NO_FLUSH)) == Z_OK && (z.avail_in || z.avail_out == 0))
            ;
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) {
            e = failed(u, ERR_CORRUPT, "it is damaged and cannot be unpacked");
        } else {
            slice piece = slice_of(room, sizeof room - z.avail_out);
            crc = crc32(crc, room, (uInt)piece.n);
            e = give(u, piece);
            if (!e && r != Z_STREAM_END && z.avail_in == 0 && z.avail_out)
                e = failed(u, ERR_CORRUPT, "it is cut off");
        }
    }
    *in = slice_from(*in, in->n - z.avail_in);
    inflateEnd(&z);
    if (!e)
        *out_crc = (uint32_t)crc;
    return e;
}

static enum err unpack_gzip(struct unpacking *u, slice in)
{
    enum err e = OK;
    uint32_t crc;
    for (int i = 0; e == OK && unpack_kind(in) == UNPACK_GZIP; i++) {
        if (i == MEMBERS_MAX)
            return failed(u, ERR_LIMIT, "it is packed in more parts than is taken here");
        e = inflate_all(u, 15 + 16, &in, &crc); /* zlib checks length and sum (RFC 1952 §2.3.1) */
    }
    return e; /* bytes behind the last member are padding: RFC 1952 does not forbid it, tar makes it */
}

static uint32_t le(slice s, size_t at, size_t n)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint32_t)s.p[at + i] << (8 * i);
    return v;
}

struct zip_entry {
    uint32_t flags, method, crc, packed, size, local;
    slice name;
};

/* Where the central directory begins, and how many entries it says it has. */
static bool zip_directory(slice in, size_t *out_at, size_t *out_n)
{
    size_t low = in.n > END_FAR ? in.n - END_FAR : 0;
    if (in.n < END_BYTES)
        return false;
    for (size_t at = in.n - END_BYTES + 1; at-- > low;) {
        if (!slice_starts(slice_from(in, at), SLICE("PK\5\6")))
            continue;
        *out_n = le(in, at + 10, 2);
        *out_at = le(in, at + 16, 4);
        return *out_at <= at;
    }
    return false;
}

static bool zip_entry(slice in, size_t *at, struct zip_entry *out)
{
    slice s = slice_from(in, *at);
    size_t name, all;
    if (s.n < CENTRAL || !slice_starts(s, SLICE("PK\1\2")))
        return false;
    name = le(s, 28, 2);
    all = CENTRAL + name + le(s, 30, 2) + le(s, 32, 2);
    *out = (struct zip_entry){.flags = le(s, 8, 2),
                              .method = le(s, 10, 2),
                              .crc = le(s, 16, 4),
                              .packed = le(s, 20, 4),
                              .size = le(s, 24, 4),
                              .local = le(s, 42, 4),
                              .name = slice_sub(s, CENTRAL, CENTRAL + name)};
    *at += all;
    return all <= s.n;
}

static bool ends_in(slice name, const slice *endings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_ends_nocase(name, endings[i]))
            return true;
    return false;
}

/* The member to take. */
static enum err zip_choose(struct unpacking *u, slice in, const slice *endings, size_t n_endings,
                           struct zip_entry *out)
{
    struct zip_entry entry;
    size_t at = 0, n = 0;
    bool found = false;
    if (!zip_directory(in, &at, &n))
        return failed(u, ERR_CORRUPT, "the zip has no directory: it is cut off or damaged");
    for (size_t i = 0; i < size_min(n, ENTRIES_MAX) && zip_entry(in, &at, &entry); i++) {
        bool junk = slice_ends_nocase(entry.name, SLICE("/")) || slice_starts(entry.name, SLICE("__MACOSX/"));
        if (junk)
            continue;
        if (!found)
            *out = entry;
        found = true;
        if (ends_in(entry.name, endings, n_endings)) {
            *out = entry;
            return OK;
        }
    }
    return found ? OK : failed(u, ERR_CORRUPT, "the zip is empty");
}

static enum err unpack_zip(struct unpacking *u, slice in, const slice *endings, size_t n_endings)
{
    struct zip_entry entry;
    slice data;
    uint32_t crc = 0;
    size_t skip;
    enum err e = zip_choose(u, in, endings, n_endings, &entry);
    if (e)
        return e;
    if (entry.flags & 1)
        return failed(u, ERR_DENIED, "the zip is encrypted");
    if (entry.packed == UINT32_MAX || entry.size == UINT32_MAX || entry.local == UINT32_MAX)
        return failed(u, ERR_UNSUPPORTED, "the zip is of the kind for very large files");
    data = slice_from(in, entry.local);
    if (data.n < LOCAL || !slice_starts(data, SLICE("PK\3\4")))
        return failed(u, ERR_CORRUPT, "the zip is damaged");
    skip = LOCAL + le(data, 26, 2) + le(data, 28, 2);
    if (skip > data.n || entry.packed > data.n - skip)
        return failed(u, ERR_CORRUPT, "the zip is cut off");
    data = slice_sub(data, skip, skip + entry.packed);
    if (entry.method == 8) {
        e = inflate_all(u, -15, &data, &crc);
    } else if (entry.method == 0) {
        e = give(u, data);
        crc = (uint32_t)crc32(crc32(0, NULL, 0), data.p, (uInt)data.n);
    } else {
        return failed(u, ERR_UNSUPPORTED, "the zip is packed by a method that is not taken here");
    }
    if (!e && crc != entry.crc)
        e = failed(u, ERR_CORRUPT, "the zip is damaged: its check sum is wrong");
    return e;
}

enum err unpack(slice packed, const slice *endings, size_t n_endings, const struct unpack_limits *limits,
                unpack_fn fn, void *arg, struct err_detail *why)
{
    struct unpacking u = {.limits = limits, .fn = fn, .arg = arg, .why = why, .in = packed.n};
    switch (unpack_kind(packed)) {
    case UNPACK_GZIP:
        return unpack_gzip(&u, packed);
    case UNPACK_ZIP:
        return unpack_zip(&u, packed, endings, n_endings);
    default:
        return give(&u, packed);
    }
}
