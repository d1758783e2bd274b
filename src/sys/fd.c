#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void fd_done(int *fd)
{
    if (*fd < 0)
        return;
    (void)close(*fd); /* nothing we close here has unwritten data whose loss matters */
    *fd = -1;
}

enum err fd_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_from_errno(errno);
    return OK;
}

enum err fd_dup(int fd, int *out_fd)
{
    int r = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (r < 0)
        return err_from_errno(errno);
    *out_fd = r;
    return OK;
}

enum err fd_write_all(int fd, slice s)
{
    while (s.n) {
        ssize_t r = write(fd, s.p, s.n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_from_errno(errno);
        s = slice_from(s, (size_t)r);
    }
    return OK;
}
