#include "sys/net.h"

#include "sys/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define NET_BACKLOG 1024

static socklen_t net_address(const struct ip *ip, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (ip_is_v4(ip)) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&a.sin_addr, ip->b + 12, 4);
        memcpy(out, &a, sizeof a);
        return sizeof a;
    }
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&a.sin6_addr, ip->b, 16);
    memcpy(out, &a, sizeof a);
    return sizeof a;
}

static void net_parse(const struct sockaddr_storage *s, struct ip *out_ip, uint16_t *out_port)
{
    *out_ip = (struct ip){0};
    *out_port = 0;
    if (s->ss_family == AF_INET) {
        struct sockaddr_in a;
        memcpy(&a, s, sizeof a);
        *out_ip = ip_from_v4((const uint8_t *)&a.sin_addr);
        *out_port = ntohs(a.sin_port);
    } else if (s->ss_family == AF_INET6) {
        struct sockaddr_in6 a;
        memcpy(&a, s, sizeof a);
        memcpy(out_ip->b, &a.sin6_addr, 16);
        *out_port = ntohs(a.sin6_port);
    }
}

static int net_socket_of(const struct ip *ip, int type)
{
    return socket(ip_is_v4(ip) ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int net_socket(const struct ip *ip)
{
    return net_socket_of(ip, SOCK_STREAM);
}

static void net_no_delay(int fd)
{
    int one = 1;
    IGNORE_RESULT(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "slower without, still right");
}

/* The socket of an address, of this family alone: two services may share a port. */
static enum err net_socket_at(const struct ip *ip, int type, int *out_fd, struct err_detail *detail)
{
    int one = 1, fd = net_socket_of(ip, type);
    char text[IP_TEXT];
    if (fd < 0) {
        int why = errno;
        ip_print(ip, text);
        err_detail_set(detail, "no socket for %s: %s", text, strerror(why));
        return err_from_errno(why);
    }
    if (!ip_is_v4(ip))
        IGNORE_RESULT(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one),
                      "bind tells if it clashes");
    *out_fd = fd;
    return OK;
}

/* Why a service cannot have its port, in words. what: "listen on"; ss: the options that show who has it. */
static enum err net_refused(int why, const char *what, const char *ss, const struct ip *ip, uint16_t port,
                            struct err_detail *detail)
{
    char text[IP_TEXT];
    ip_print(ip, text);
    if (why == EADDRINUSE)
        err_detail_set(detail, "cannot %s %s port %u: %s (another program has this port: `ss %s` names it)",
                       what, text, port, strerror(why), ss);
    else
        err_detail_set(detail, "cannot %s %s port %u: %s%s", what, text, port, strerror(why),
                       why == EACCES ? " (ports below 1024 need root)" : "");
    return err_from_errno(why) == ERR_IO ? ERR_CONFIG : err_from_errno(why);
}

enum err net_listen(const struct ip *ip, uint16_t port, int *out_fd, struct err_detail *detail)
{
    struct sockaddr_storage a;
    socklen_t n = net_address(ip, port, &a);
    int one = 1, fd CLEANUP(fd_done) = -1;
    enum err e = net_socket_at(ip, SOCK_STREAM, &fd, detail);
    if (e)
        return e;
    IGNORE_RESULT(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), "only quickens a restart");
    net_no_delay(fd); /* inherited by what is accepted */
    if (bind(fd, (const struct sockaddr *)&a, n) < 0 || listen(fd, NET_BACKLOG) < 0)
        return net_refused(errno, "listen on", "-ltnp", ip, port, detail);
    *out_fd = fd_take(&fd);
    return OK;
}

uint16_t net_port(int fd)
{
    struct ip ip;
    uint16_t port;
    net_local(fd, &ip, &port);
    return port;
}

enum err net_accept(int listener, int *out_fd, struct ip *out_ip, uint16_t *out_port)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    int fd;
    memset(&a, 0, sizeof a);
    fd = accept4(listener, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? ERR_BUSY
                                                                                         : ERR_AGAIN;
    net_no_delay(fd);
    net_parse(&a, out_ip, out_port);
    *out_fd = fd;
    return OK;
}

enum err net_connect(const struct ip *ip, uint16_t port, int *out_fd)
{
    struct sockaddr_storage a;
    socklen_t n = net_address(ip, port, &a);
    int fd CLEANUP(fd_done) = net_socket(ip);
    if (fd < 0)
        return err_from_errno(errno);
    net_no_delay(fd);
    if (connect(fd, (const struct sockaddr *)&a, n) < 0 && errno != EINPROGRESS)
        return err_from_errno(errno) == ERR_IO ? ERR_CONNECT : err_from_errno(errno);
    *out_fd = fd_take(&fd);
    return OK;
}

enum err net_connected(int fd)
{
    int why = 0;
    socklen_t n = sizeof why;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0)
        return ERR_CONNECT;
    return why == 0 ? OK : why == ETIMEDOUT ? ERR_TIMEOUT : ERR_CONNECT;
}

void net_local(int fd, struct ip *out_ip, uint16_t *out_port)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    memset(&a, 0, sizeof a);
    IGNORE_RESULT(getsockname(fd, (struct sockaddr *)&a, &n), "then the address reads as none");
    net_parse(&a, out_ip, out_port);
}

enum err net_read(int fd, void *p, size_t cap, size_t *out_n)
{
    ssize_t r;
    do
        r = recv(fd, p, cap, 0);
    while (r < 0 && errno == EINTR);
    if (r > 0) {
        *out_n = (size_t)r;
        return OK;
    }
    return r < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
}

enum err net_write(int fd, slice s, size_t *out_n)
{
    ssize_t r;
    do
        r = send(fd, s.p, s.n, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    if (r >= 0) {
        *out_n = (size_t)r;
        return OK;
    }
    return errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
}

/* ---- datagrams */

enum err net_datagrams(const struct ip *ip, uint16_t port, int *out_fd, struct err_detail *detail)
{
    struct sockaddr_storage a;
    socklen_t n = net_address(ip, port, &a);
    int one = 1, fd CLEANUP(fd_done) = -1;
    bool v4 = ip_is_v4(ip);
    enum err e = net_socket_at(ip, SOCK_DGRAM, &fd, detail);
    if (e)
        return e;
    if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &one, sizeof one) <
            0 ||
        bind(fd, (const struct sockaddr *)&a, n) < 0)
        return net_refused(errno, "receive datagrams on", "-lunp", ip, port, detail);
    *out_fd = fd_take(&fd);
    return OK;
}

/* Room for one of the two kinds of packet information, aligned as the kernel wants it. */
union net_control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

enum err net_receive(int fd, void *p, size_t cap, struct net_datagram *out)
{
    struct sockaddr_storage a;
    union net_control control;
    struct iovec v = {p, cap};
    struct msghdr m = {.msg_name = &a,
                       .msg_namelen = sizeof a,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t r;
    memset(&a, 0, sizeof a);
    do
        r = recvmsg(fd, &m, 0);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
    *out = (struct net_datagram){.n = (size_t)r};
    net_parse(&a, &out->peer, &out->peer_port);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo i;
            memcpy(&i, CMSG_DATA(c), sizeof i);
            out->local = ip_from_v4((const uint8_t *)&i.ipi_spec_dst);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo i;
            memcpy(&i, CMSG_DATA(c), sizeof i);
            memcpy(out->local.b, &i.ipi6_addr, sizeof out->local.b);
        }
    }
    return OK;
}

enum err net_answer(int fd, const struct net_datagram *to, slice s)
{
    struct sockaddr_storage a;
    union net_control control;
    struct iovec v = {(void *)(uintptr_t)s.p, s.n}; /* sendmsg() does not write there */
    struct msghdr m = {.msg_name = &a, .msg_iov = &v, .msg_iovlen = 1};
    bool v4 = ip_is_v4(&to->peer);
    ssize_t r;
    m.msg_namelen = net_address(&to->peer, to->peer_port, &a);
    if (!ip_is_none(&to->local)) {
        struct cmsghdr *c;
        memset(&control, 0, sizeof control);
        m.msg_control = control.bytes;
        m.msg_controllen =
            v4 ? CMSG_SPACE(sizeof(struct in_pktinfo)) : CMSG_SPACE(sizeof(struct in6_pktinfo));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
        c->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
        if (v4) {
            struct in_pktinfo i = {0};
            memcpy(&i.ipi_spec_dst, to->local.b + 12, 4);
            c->cmsg_len = CMSG_LEN(sizeof i);
            memcpy(CMSG_DATA(c), &i, sizeof i);
        } else {
            struct in6_pktinfo i = {0};
            memcpy(&i.ipi6_addr, to->local.b, 16);
            c->cmsg_len = CMSG_LEN(sizeof i);
            memcpy(CMSG_DATA(c), &i, sizeof i);
        }
    }
    do
        r = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r >= 0 ? OK : errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
}

enum err net_connect_datagrams(const struct ip *ip, uint16_t port, int *out_fd)
{
    struct sockaddr_storage a;
    socklen_t n = net_address(ip, port, &a);
    int fd CLEANUP(fd_done) = net_socket_of(ip, SOCK_DGRAM);
    if (fd < 0)
        return err_from_errno(errno);
    if (connect(fd, (const struct sockaddr *)&a, n) < 0)
        return err_from_errno(errno) == ERR_IO ? ERR_CONNECT : err_from_errno(errno);
    *out_fd = fd_take(&fd);
    return OK;
}
