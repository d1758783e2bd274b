/* read: a whole file, or standard input, for commands. */
#ifndef POSTHORN_TOOL_READ_H
#define POSTHORN_TOOL_READ_H

#include "base/buf.h"

/* Appends all of the file; "-" is standard input. ERR_NOT_FOUND, ERR_DENIED, ERR_IO, or ERR_TOO_LARGE when
 * out is full. */
NODISCARD enum err read_file(const char *path, struct buf *out);

#endif
