/* A stand-in for role fetcher, for tests: it goes nowhere, but hands each URL to the test and that one's
 * answer to who asked. The real one fetches from addresses of the Internet only (THREATS 36), which no test
 * has; so that rule needs no exception.
 *
 * The test listens on the socket that POSTHORN_FETCHER_STUB names; a URL and a line end go out, "STATUS
 * BYTES" and a line end come back, then the bytes. Status 0: nothing could be fetched. */
#include "ipc/role.h"
#include "ipc/x_fetcher.h"
#include "sys/body.h"
#include "sys/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct rights stub_rights = {
    .role = "fetcher",
    .calls = RIGHTS_CONNECT | RIGHTS_BODIES,
    .folder = false,
    .fds_max = 128,
    .memory_max_mb = 128,
};

static FILE *stub_test;

static enum err stub_prepare(struct role_self *r, struct err_detail *detail)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("POSTHORN_FETCHER_STUB");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)r;
    if (!path || fd < 0 ||
        (size_t)snprintf(to.sun_path, sizeof to.sun_path, "%s", path) >= sizeof to.sun_path ||
        connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 || !(stub_test = fdopen(fd, "r+"))) {
        err_detail_set(detail, "nobody listens at POSTHORN_FETCHER_STUB");
        return ERR_CONFIG;
    }
    return OK;
}

static enum err stub_start(struct role_self *r, struct err_detail *detail)
{
    (void)r, (void)detail;
    return OK;
}

static enum err stub_ask(slice url, uint32_t *out_status, int *out_fd)
{
    unsigned status;
    size_t bytes;
    uint64_t sealed;
    struct body_writer w;
    char line[64];
    enum err e = OK;
    if (fprintf(stub_test, "%.*s\n", SLICE_FMT(url)) < 0 || fflush(stub_test) ||
        !fgets(line, sizeof line, stub_test) || sscanf(line, "%u %zu", &status, &bytes) != 2)
        return ERR_CLOSED;
    body_writer_init(&w, 8u << 20);
    while (bytes > 0 && !e) {
        char part[4096];
        size_t n = fread(part, 1, size_min(bytes, sizeof part), stub_test);
        e = n ? body_append(&w, slice_of(part, n)) : ERR_CLOSED;
        bytes -= n;
    }
    if (!e && !status)
        e = ERR_CONNECT;
    if (!e)
        e = body_seal(&w, out_fd, &sealed);
    body_writer_done(&w);
    *out_status = status;
    return e;
}

static void stub_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                         const void *message, int *fds, size_t n_fds)
{
    const struct fetch *f = message;
    struct fetched m = {0};
    int fd CLEANUP(fd_done) = -1;
    (void)r, (void)fds, (void)n_fds;
    if (peer->def != &x_fetcher_channel || type != X_FETCHER_FETCH)
        return;
    m.err = (uint32_t)stub_ask(f->url, &m.status, &fd);
    IGNORE_RESULT(chan_reply(peer->chan, id, X_FETCHER_FETCHED, &m, &fd, fd >= 0 ? 1 : 0),
                  "who asked is gone");
}

static const struct role_spec stub_spec = {
    .role = ROLE_FETCHER,
    .rights = &stub_rights,
    .prepare = stub_prepare,
    .start = stub_start,
    .on_message = stub_message,
};

int main(void)
{
    return role_main(&stub_spec);
}
