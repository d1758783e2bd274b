#include "jail/roles.h"

#include "lib/test.h"

#include "ipc/role.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLAYED_MS 20000

const char *played_build;

static uint8_t played_bytes[IPC_BYTES_MAX];

static void played_send(struct played *p, uint16_t type, const void *m, int fd)
{
    assert_int_equal(chan_write_wait(p->control, &control_channel, type, 0, m, &fd, fd >= 0 ? 1 : 0), OK);
}

void played_setting(struct played *p, const char *name, const char *value)
{
    struct control_setting m = {slice_str(name), slice_str(value)};
    played_send(p, CONTROL_SETTING, &m, -1);
}

static void played_file(struct played *p, const char *name, int fd)
{
    struct control_file m = {slice_str(name)};
    assert_true(fd >= 0);
    played_send(p, CONTROL_FILE, &m, fd);
    fd_done(&fd);
}

/* A new one, or the one it had before. */
static void played_folder(struct played *p)
{
    struct control_folder m = {SLICE("data")};
    int fd;
    if (!p->folder[0]) {
        (void)snprintf(p->folder, sizeof p->folder, "/tmp/posthorn-jail-XXXXXX");
        assert_non_null(mkdtemp(p->folder));
    }
    fd = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    played_send(p, CONTROL_FOLDER, &m, fd);
    fd_done(&fd);
}

static int played_tls_file(struct played *p, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", p->folder, name);
    if (access(path, R_OK) != 0) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            char key[128], cert[128];
            (void)snprintf(key, sizeof key, "%s/key.pem", p->folder);
            (void)snprintf(cert, sizeof cert, "%s/cert.pem", p->folder);
            (void)close(STDERR_FILENO);
            (void)execlp("openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=jail.test",
                         "-keyout", key, "-out", cert, (char *)NULL);
            _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int played_control_socket(struct played *p)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s/control", p->folder);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void played_run(struct played *p, enum role role)
{
    char path[4096];
    int fds[2];
    assert_int_equal(chan_pair(fds), OK);
    (void)snprintf(path, sizeof path, "%s/posthorn-%s", played_build, role_name(role));
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        char *argv[] = {path, NULL};
        if (fds[1] == ROLE_CONTROL_FD)
            (void)fcntl(fds[1], F_SETFD, 0);
        else
            (void)dup2(fds[1], ROLE_CONTROL_FD);
        (void)execv(path, argv);
        _exit(127);
    }
    fd_done(&fds[1]);
    p->control = fds[0];
    played_setting(p, "hostname", "mail.jail.test");
    if (role == ROLE_NAMESERVER)
        played_setting(p, "zone", "roll.jail.test");
    played_setting(p, "resolver", "system");
    if (role == ROLE_DIRECTORY || role == ROLE_ACCOUNTS)
        played_setting(p, "ticket-key", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    played_folder(p);
    if (role == ROLE_KEYS) {
        played_file(p, "tls-key", played_tls_file(p, "key.pem"));
        played_file(p, "tls-cert", played_tls_file(p, "cert.pem"));
    }
    if (role == ROLE_DIRECTORY)
        played_file(p, "control-socket", played_control_socket(p));
}

void played_start(struct played *p, enum role role)
{
    *p = (struct played){.role = role, .control = -1};
    played_run(p, role);
}

void played_again(struct played *p)
{
    fd_done(&p->control);
    played_run(p, p->role);
}

int played_channel(struct played *p, enum role peer, const struct ipc_channel *def, bool it_asks)
{
    struct control_channel_end m = {(uint8_t)peer, 0, slice_str(def->name), it_asks};
    int fds[2];
    assert_int_equal(chan_pair(fds), OK);
    played_send(p, CONTROL_CHANNEL, &m, fds[1]);
    fd_done(&fds[1]);
    return fds[0];
}

void *played_read(int fd, const struct ipc_channel *def, enum ipc_end us, struct arena *a, uint16_t want,
                  uint64_t *out_id, int *out_fd)
{
    for (;;) {
        const struct ipc_message *row;
        int fds[IPC_FDS_MAX];
        size_t n_fds = 0;
        uint64_t id;
        void *m;
        enum err e = chan_read_wait(fd, def, us, PLAYED_MS, played_bytes, a, &row, &id, &m, fds, &n_fds);
        if (e)
            fail_msg("no %s message: %s", def->name, err_text(e));
        for (size_t i = 0; i < n_fds; i++)
            if (row->type == want && i == 0 && out_fd)
                *out_fd = fds[i];
            else
                fd_done(&fds[i]);
        if (row->type != want)
            continue;
        if (out_id)
            *out_id = id;
        return m;
    }
}

void played_ready(struct played *p)
{
    struct control_start m = {0};
    struct arena a;
    arena_init(&a, "played", 1 << 20);
    played_send(p, CONTROL_START, &m, -1);
    (void)played_read(p->control, &control_channel, IPC_A, &a, CONTROL_READY, NULL, NULL);
    arena_done(&a);
}

static int64_t played_death(struct played *p)
{
    int status;
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    p->pid = 0;
    assert_true(WIFSIGNALED(status));
    return 1000 + WTERMSIG(status);
}

int64_t played_probe(struct played *p, uint32_t what)
{
    struct control_probe m = {what};
    const struct ipc_message *row;
    struct arena a;
    uint64_t id;
    int64_t result = 0;
    void *reply;
    int fds[IPC_FDS_MAX];
    size_t n_fds;
    enum err e;
    assert_int_equal(chan_write_wait(p->control, &control_channel, CONTROL_PROBE, 1, &m, NULL, 0), OK);
    arena_init(&a, "played", 1 << 20);
    e = chan_read_wait(p->control, &control_channel, IPC_A, PLAYED_MS, played_bytes, &a, &row, &id, &reply,
                       fds, &n_fds);
    if (e == ERR_CLOSED) {
        result = played_death(p);
    } else {
        assert_int_equal(e, OK);
        assert_int_equal(row->type, CONTROL_PROBED);
        result = ((const struct control_probed *)reply)->result;
    }
    arena_done(&a);
    return result;
}

static int played_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void played_end(struct played *p)
{
    if (p->pid) {
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
    }
    fd_done(&p->control);
    if (p->folder[0])
        assert_int_equal(nftw(p->folder, played_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}
