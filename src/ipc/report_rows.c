#include "ipc/report_rows.h"

enum err report_rows_add(struct buf *out, const struct ipc_shape *shape, const void *row)
{
    size_t before = out->n, n;
    enum err e = buf_be32(out, 0);
    if (!e)
        e = ipc_encode(out, shape, row);
    if (e) {
        buf_truncate(out, before);
        return e;
    }
    n = out->n - before - 4;
    for (size_t i = 0; i < 4; i++)
        out->p[before + i] = (uint8_t)(n >> (24 - 8 * i));
    return OK;
}

enum err report_rows_next(struct cursor *in, const struct ipc_shape *shape, struct arena *a, void *out_row)
{
    uint32_t n;
    slice bytes;
    if (cursor_end(in))
        return ERR_NOT_FOUND;
    if (!cursor_u32(in, &n) || !cursor_bytes(in, n, &bytes))
        return ERR_SYNTAX;
    return ipc_decode(bytes, shape, a, out_row);
}
