#include "tool/read.h"

#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define READ_PIECE ((size_t)65536)

static enum err read_all(int fd, struct buf *out)
{
    for (;;) {
        uint8_t *room = buf_reserve(out, READ_PIECE);
        ssize_t n;
        if (!room)
            return ERR_TOO_LARGE;
        n = read(fd, room, READ_PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            return OK;
        buf_commit(out, (size_t)n);
    }
}

enum err read_file(const char *path, struct buf *out)
{
    int fd CLEANUP(fd_done) = -1;
    if (slice_eq(slice_str(path), SLICE("-")))
        return read_all(STDIN_FILENO, out);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_from_errno(errno) : read_all(fd, out);
}
