/* report_rows: many rows of one shape as bytes: each a 32-bit length and what ipc_encode() makes of it. What
 * lies in the memfd of reporter_journal. */
#ifndef POSTHORN_IPC_REPORT_ROWS_H
#define POSTHORN_IPC_REPORT_ROWS_H

#include "ipc/codec.h"

/* Appends one row. ERR_LIMIT: out is full, or a member too long; out is then as before. */
NODISCARD enum err report_rows_add(struct buf *out, const struct ipc_shape *shape, const void *row);
/* The next row, decoded; its slices view the bytes, its lists lie in the arena. ERR_NOT_FOUND: no more;
 * ERR_SYNTAX, ERR_LIMIT: bytes that no report_rows_add() made. */
NODISCARD enum err report_rows_next(struct cursor *in, const struct ipc_shape *shape, struct arena *a,
                                    void *out_row);

#endif
