#include "text/pack.h"

#include <zlib.h>

#define GZIP_FORMAT (15 + 16) /* windowBits of zlib: a window of 32 KB, gzip around it */
#define PIECE_MAX   ((size_t)1 << 20)
#define ROOM        ((size_t)64 * 1024)

static enum err pack_piece(z_stream *z, slice piece, int flush, struct buf *out)
{
    z->next_in = (z_const Bytef *)(uintptr_t)piece.p; /* zlib only reads it */
    z->avail_in = (uInt)piece.n;
    do {
        uint8_t *room = buf_reserve(out, ROOM);
        if (!room)
            return ERR_LIMIT;
        z->next_out = room;
        z->avail_out = (uInt)ROOM;
        must(deflate(z, flush) != Z_STREAM_ERROR);
        buf_commit(out, ROOM - z->avail_out);
    } while (z->avail_out == 0);
    return OK;
}

enum err pack_gzip(const slice *pieces, size_t n, struct buf *out)
{
    z_stream z = {0};
    size_t before = out->n;
    enum err e = OK;
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_FORMAT, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_LIMIT;
    for (size_t i = 0; i < n && !e; i++)
        for (size_t at = 0; at < pieces[i].n && !e; at += PIECE_MAX)
            e = pack_piece(&z, slice_sub(pieces[i], at, at + PIECE_MAX), Z_NO_FLUSH, out);
    if (!e)
        e = pack_piece(&z, (slice){0}, Z_FINISH, out);
    (void)deflateEnd(&z); /* what is unfinished is dropped */
    if (e)
        buf_truncate(out, before);
    return e;
}
