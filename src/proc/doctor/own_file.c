#include "proc/doctor/own_file.h"

#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define OWN_FILE_PIECE 16384

enum err own_file_read(const char *name, struct buf *out)
{
    int fd CLEANUP(fd_done) = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = 1;
    if (fd < 0)
        return ERR_NOT_FOUND;
    while (n > 0) {
        uint8_t *room = buf_reserve(out, OWN_FILE_PIECE);
        if (!room)
            return ERR_LIMIT;
        n = read(fd, room, OWN_FILE_PIECE);
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    return n < 0 ? ERR_IO : OK;
}

enum err own_file_write(const char *name, slice content)
{
    char fresh[OWN_FILE_NAME_MAX + sizeof ".new"];
    int fd CLEANUP(fd_done) = -1;
    enum err e;
    must(strlen(name) <= OWN_FILE_NAME_MAX);
    snprintf(fresh, sizeof fresh, "%s.new", name);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    e = fd < 0 ? ERR_IO : fd_write_all(fd, content);
    if (!e && (fsync(fd) < 0 || renameat(AT_FDCWD, fresh, AT_FDCWD, name) < 0))
        e = ERR_IO;
    return e;
}
