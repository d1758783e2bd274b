#include "tool/demo_mail.h"

#include "sys/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads a reply (of several lines, RFC 5321 §4.2.1) and checks its first digit. */
static bool mail_reply(int fd, char want, char out[512])
{
    size_t n = 0, line = 0;
    while (n < 511) {
        ssize_t got = read(fd, out + n, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        if (out[n++] != '\n')
            continue;
        if (n - line >= 4 && out[line + 3] != '-') {
            out[n] = 0;
            return out[line] == want;
        }
        line = n;
    }
    return false;
}

static bool mail_say(int fd, char want, char reply[512], const char *format, ...) FORMAT(4, 5);
static bool mail_say(int fd, char want, char reply[512], const char *format, ...)
{
    char text[1024];
    va_list ap;
    int n;
    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return n > 0 && (size_t)n < sizeof text && fd_write_all(fd, slice_of(text, (size_t)n)) == OK &&
           mail_reply(fd, want, reply);
}

enum err demo_mail_send(uint16_t port, const char *from, const char *to, slice lines,
                        struct err_detail *detail)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = 10};
    char reply[512] = "no answer";
    int fd CLEANUP(fd_done) = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        connect(fd, (const struct sockaddr *)&a, sizeof a) != 0) {
        err_detail_set(detail, "the SMTP port %u does not answer: %s", port, strerror(errno));
        return ERR_CONNECT;
    }
    if (!mail_reply(fd, '2', reply) || !mail_say(fd, '2', reply, "EHLO localhost\r\n") ||
        !mail_say(fd, '2', reply, "MAIL FROM:<%s>\r\n", from) ||
        !mail_say(fd, '2', reply, "RCPT TO:<%s>\r\n", to) || !mail_say(fd, '3', reply, "DATA\r\n") ||
        fd_write_all(fd, lines) != OK || !mail_say(fd, '2', reply, ".\r\n")) {
        size_t end = strcspn(reply, "\r\n");
        err_detail_set(detail, "the server did not take the welcome message: %.*s", (int)end, reply);
        return ERR_REFUSED;
    }
    (void)mail_say(fd, '2', reply, "QUIT\r\n"); /* the message is theirs by now */
    return OK;
}
