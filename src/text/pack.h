/* pack: gzip (RFC 1952) of a few slices one behind the other, in one go. For reports we send. Linear; 300 KB
 * of memory beside input and output. The time field is zero, so the same input gives the same bytes. */
#ifndef POSTHORN_TEXT_PACK_H
#define POSTHORN_TEXT_PACK_H

#include "base/buf.h"

/* Appends. ERR_LIMIT when out is full; out is then as before. */
NODISCARD enum err pack_gzip(const slice *pieces, size_t n, struct buf *out);

#endif
