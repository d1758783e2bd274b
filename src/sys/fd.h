/* fd: file descriptors that close themselves. */
#ifndef POSTHORN_SYS_FD_H
#define POSTHORN_SYS_FD_H

#include "base/err.h"
#include "base/slice.h"

/* Closes *fd when it is >= 0 and sets it to -1. Fits CLEANUP(). */
void fd_done(int *fd);
/* Moves a descriptor out of its owner, which then holds -1. */
static inline int fd_take(int *fd)
{
    int r = *fd;
    *fd = -1;
    return r;
}
NODISCARD enum err fd_nonblocking(int fd);
/* A second descriptor for the same thing, close-on-exec. -1 with ERR_BUSY when the process has too many. */
NODISCARD enum err fd_dup(int fd, int *out_fd);
/* Writes all of s, waiting as it must. For small files and standard output, never for sockets. */
NODISCARD enum err fd_write_all(int fd, slice s);

#endif
