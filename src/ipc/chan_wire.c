#include "ipc/chan__.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define CHAN_SOCKET_BUFFER (1 << 20)
#define CHAN_WRITE_MS      10000 /* chan_write_wait(): a peer that reads nothing for so long is gone */

void chan__close_fds(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_done(&fds[i]);
}

enum err chan_pair(int out_fds[2])
{
    int fds[2], size = CHAN_SOCKET_BUFFER;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return err_from_errno(errno);
    for (int i = 0; i < 2; i++)
        IGNORE_RESULT(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "smaller works too");
    out_fds[0] = fds[0];
    out_fds[1] = fds[1];
    return OK;
}

enum err chan__pack(struct buf *out, const struct ipc_channel *def, const struct ipc_message *row,
                    uint64_t id, const void *message)
{
    buf_clear(out);
    (void)buf_be16(out, def->version);
    (void)buf_be16(out, row->type);
    (void)buf_be64(out, id);
    return row->shape ? ipc_encode(out, row->shape, message) : OK;
}

ssize_t chan__sendmsg(int fd, slice bytes, const int *fds, size_t n_fds)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {(void *)(uintptr_t)bytes.p, bytes.n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t r;
    if (n_fds) {
        struct cmsghdr *h;
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(h), fds, sizeof(int) * n_fds);
    }
    do
        r = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r;
}

/* Takes the descriptors of a message; more than we allow, or a cut control message, is an error. */
static bool chan_take_fds(struct msghdr *m, int *fds, size_t *out_n)
{
    bool good = !(m->msg_flags & (MSG_CTRUNC | MSG_TRUNC));
    size_t n = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        size_t count;
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            if (n < IPC_FDS_MAX) {
                fds[n++] = fd;
            } else {
                fd_done(&fd);
                good = false;
            }
        }
    }
    if (!good)
        chan__close_fds(fds, n);
    *out_n = good ? n : 0;
    return good;
}

enum err chan__recvmsg(int fd, uint8_t *room, slice *out_bytes, int *fds, size_t *out_n_fds)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * (IPC_FDS_MAX + 1))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {room, IPC_BYTES_MAX};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t r;
    do
        r = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
    if (r == 0)
        return ERR_CLOSED;
    if (!chan_take_fds(&m, fds, out_n_fds))
        return ERR_SYNTAX;
    *out_bytes = slice_of(room, (size_t)r);
    return OK;
}

enum err chan__unpack(const struct ipc_channel *def, enum ipc_end us, slice bytes, size_t n_fds,
                      struct arena *arena, const struct ipc_message **out_row, uint64_t *out_id,
                      void **out_message)
{
    struct cursor c = cursor_of(bytes);
    const struct ipc_message *row;
    uint16_t version, type;
    uint64_t id;
    void *message = NULL;
    if (!cursor_u16(&c, &version) || !cursor_u16(&c, &type) || !cursor_u64(&c, &id) ||
        version != def->version)
        return ERR_SYNTAX;
    row = ipc_find(def, type);
    if (!row || row->from == us || n_fds < row->fds_min || n_fds > row->fds_max ||
        (row->way == IPC_ONE_WAY) != (id == 0))
        return ERR_STATE;
    if (row->shape) {
        enum err e;
        message = arena_alloc(arena, row->shape->size);
        e = message ? ipc_decode(c.rest, row->shape, arena, message) : ERR_LIMIT;
        if (e)
            return e;
    } else if (!cursor_end(&c)) {
        return ERR_SYNTAX;
    }
    *out_row = row;
    *out_id = id;
    *out_message = message;
    return OK;
}

enum err chan__wait_readable(int fd, time_ms until)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (;;) {
        time_ms left = until - clock_mono();
        int r = left < 0 ? 0 : poll(&p, 1, (int)(left > 60000 ? 60000 : left));
        if (r > 0)
            return OK;
        if (r == 0 && until - clock_mono() <= 0)
            return ERR_TIMEOUT;
        if (r < 0 && errno != EINTR)
            return ERR_IO;
    }
}

enum err chan_read_wait(int fd, const struct ipc_channel *def, enum ipc_end us, time_ms timeout_ms,
                        uint8_t *bytes, struct arena *arena, const struct ipc_message **out_row,
                        uint64_t *out_id, void **out_message, int *fds, size_t *out_n_fds)
{
    slice got;
    size_t n_fds = 0;
    time_ms until = clock_mono() + timeout_ms;
    enum err e;
    do {
        e = chan__wait_readable(fd, until);
        if (!e)
            e = chan__recvmsg(fd, bytes, &got, fds, &n_fds);
    } while (e == ERR_AGAIN);
    if (!e) {
        e = chan__unpack(def, us, got, n_fds, arena, out_row, out_id, out_message);
        if (e)
            chan__close_fds(fds, n_fds);
        else
            *out_n_fds = n_fds;
    }
    return e;
}

enum err chan_write_wait(int fd, const struct ipc_channel *def, uint16_t type, uint64_t id,
                         const void *message, const int *fds, size_t n_fds)
{
    struct buf out;
    enum err e;
    buf_init(&out, IPC_BYTES_MAX);
    e = chan__pack(&out, def, ipc_find(def, type), id, message);
    while (!e && chan__sendmsg(fd, buf_view(&out), fds, n_fds) < 0) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if ((errno != EAGAIN && errno != ENOBUFS) || poll(&p, 1, CHAN_WRITE_MS) <= 0)
            e = ERR_CLOSED;
    }
    buf_done(&out);
    return e;
}
