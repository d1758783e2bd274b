#include "sys/body.h"

#include "base/secret.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_HELD_BYTES ((size_t)64 * 1024)
#define BODY_SEALS      (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

void body_writer_init(struct body_writer *w, uint64_t bytes_max)
{
    *w = (struct body_writer){.fd = -1, .bytes_max = bytes_max};
    buf_init(&w->held, BODY_HELD_BYTES);
}

static enum err body_errno(void)
{
    return errno == ENOMEM || errno == ENOSPC || errno == EMFILE || errno == ENFILE ? ERR_BUSY : ERR_IO;
}

static enum err body_write(struct body_writer *w, slice s)
{
    while (s.n) {
        ssize_t r = write(w->fd, s.p, s.n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return body_errno();
        s = slice_from(s, (size_t)r);
    }
    return OK;
}

static enum err body_open(struct body_writer *w)
{
    if (w->fd >= 0)
        return OK;
    w->fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return w->fd < 0 ? body_errno() : OK;
}

static enum err body_flush(struct body_writer *w)
{
    enum err e = body_open(w);
    if (!e)
        e = body_write(w, buf_view(&w->held));
    buf_clear(&w->held);
    return e;
}

enum err body_append(struct body_writer *w, slice s)
{
    enum err e = OK;
    if (s.n > w->bytes_max - w->bytes)
        return ERR_TOO_LARGE;
    if (s.n > BODY_HELD_BYTES - w->held.n)
        e = body_flush(w);
    if (!e)
        e = s.n > BODY_HELD_BYTES ? body_write(w, s) : buf_append(&w->held, s);
    if (!e)
        w->bytes += s.n;
    return e;
}

enum err body_seal(struct body_writer *w, int *out_fd, uint64_t *out_bytes)
{
    enum err e = body_flush(w);
    if (!e && fcntl(w->fd, F_ADD_SEALS, BODY_SEALS | F_SEAL_SEAL) < 0)
        e = ERR_BUG;
    if (!e) {
        *out_fd = fd_take(&w->fd);
        *out_bytes = w->bytes;
    }
    body_writer_done(w);
    return e;
}

void body_writer_done(struct body_writer *w)
{
    fd_done(&w->fd);
    buf_done(&w->held);
    body_writer_init(w, w->bytes_max);
}

/* pread(): the descriptor's position is everybody's who holds it. */
static enum err body_read(int fd, size_t bytes, struct body *out)
{
    uint8_t *p = malloc(bytes);
    size_t n = 0;
    must(p);
    while (n < bytes) {
        ssize_t r = pread(fd, p + n, bytes - n, (off_t)n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0) {
            free(p);
            return ERR_IO;
        }
        n += (size_t)r;
    }
    *out = (struct body){p, bytes};
    return OK;
}

enum err body_map(int fd, uint64_t bytes_max, struct body *out)
{
    struct stat st;
    void *p;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & BODY_SEALS) != BODY_SEALS)
        return ERR_DENIED;
    if (fstat(fd, &st) < 0)
        return ERR_IO;
    if (st.st_size < 0 || (uint64_t)st.st_size > bytes_max)
        return ERR_TOO_LARGE;
    if (st.st_size == 0) {
        *out = (struct body){0};
        return OK;
    }
    if ((uint64_t)st.st_size <= BODY_COPY_MAX)
        return body_read(fd, (size_t)st.st_size, out);
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return body_errno();
    *out = (struct body){p, (size_t)st.st_size};
    return OK;
}

void body_unmap(struct body *b)
{
    void *p = (void *)(uintptr_t)b->p;
    if (p && b->n <= BODY_COPY_MAX) {
        secret_wipe(p, b->n); /* what was in it, keys among them, does not stay in the heap */
        free(p);
    } else if (p) {
        must(munmap(p, b->n) == 0);
    }
    *b = (struct body){0};
}
