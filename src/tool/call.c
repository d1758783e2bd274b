#include "tool/call.h"

#include "ipc/chan.h"
#include "ipc/control.h"
#include "ipc/tool_directory.h"
#include "sys/entropy.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL_MS       (200 * MS_SECOND) /* directory waits 180 s for a row of doctor */
#define CALL_READY_MS (20 * MS_SECOND)
#define CALL_CHILD_FD 3 /* where a role finds its control channel */

/* ---- a running server */

/* ERR_NOT_FOUND: none runs. */
static enum err call_connect(struct call *c, const struct tool *t, struct err_detail *detail)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int data CLEANUP(fd_done) = open(t->conf.data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd CLEANUP(fd_done) = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (data < 0 && errno == ENOENT)
        return ERR_NOT_FOUND;
    if (data < 0 || fd < 0) {
        err_detail_set(detail, "the data folder %.150s cannot be opened: %s; try as root", t->conf.data,
                       strerror(errno));
        return ERR_DENIED;
    }
    /* a socket's path has room for 107 bytes only: go by the descriptor */
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/control", data);
    if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0) {
        c->fd = fd_take(&fd);
        return OK;
    }
    if (errno == ENOENT || errno == ECONNREFUSED)
        return ERR_NOT_FOUND;
    err_detail_set(detail, "the server's control socket in %.150s does not let you in: %s; try as root",
                   t->conf.data, strerror(errno));
    return ERR_DENIED;
}

/* ---- a directory of our own */

/* The user the server would run as, when we are root. */
static bool call_user(const struct tool *t, uid_t *out_uid, gid_t *out_gid, struct err_detail *detail)
{
    const struct passwd *p = getpwnam(t->conf.user);
    if (!p && strcmp(t->conf.user, "posthorn") == 0)
        p = getpwnam("nobody");
    if (!p || p->pw_uid == 0) {
        err_detail_set(detail,
                       "there is no unprivileged user \"%s\"; make one with: adduser --system --group %s",
                       t->conf.user, t->conf.user);
        return false;
    }
    *out_uid = p->pw_uid;
    *out_gid = p->pw_gid;
    return true;
}

/* Makes a folder and gives it to the user. */
static bool call_folder(const char *path, bool give, uid_t uid, gid_t gid, struct err_detail *detail)
{
    if ((mkdir(path, 0700) == 0 || errno == EEXIST) && (!give || chown(path, uid, gid) == 0))
        return true;
    err_detail_set(detail, "the folder %.180s cannot be made: %s", path, strerror(errno));
    return false;
}

/* By descriptor: the program may lie where that user may not look, like a clone in root's own folder. */
static _Noreturn void call_become(int program, int control, bool drop, uid_t uid, gid_t gid)
{
    char name[] = "posthorn-directory";
    char *argv[] = {name, NULL};
    if (program == CALL_CHILD_FD) /* its number is wanted for the channel */
        program = fcntl(program, F_DUPFD_CLOEXEC, CALL_CHILD_FD + 1);
    if (drop && (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0))
        _exit(111);
    if (control == CALL_CHILD_FD)
        (void)fcntl(control, F_SETFD, 0);
    else if (dup2(control, CALL_CHILD_FD) < 0)
        _exit(111);
    (void)execveat(program, "", argv, environ, AT_EMPTY_PATH);
    _exit(111);
}

static enum err call_send(struct call *c, uint16_t type, const void *message, int fd)
{
    return chan_write_wait(c->control, &control_channel, type, 0, message, &fd, fd >= 0 ? 1 : 0);
}

static enum err call_setting(struct call *c, const char *name, const char *value)
{
    struct control_setting s = {slice_str(name), slice_str(value)};
    return call_send(c, CONTROL_SETTING, &s, -1);
}

/* What the supervisor would send before START: see ipc/control.h. */
static enum err call_boot(struct call *c, const struct tool *t, int folder, int caller)
{
    struct control_folder room = {SLICE("data")};
    struct control_file file = {SLICE("control-caller")};
    struct control_start start = {0};
    uint8_t random[32];
    char key[65], size[32];
    enum err e;
    entropy_bytes(random, sizeof random); /* no account will see a ticket of this run */
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(key + 2 * i, 3, "%02x", random[i]);
    snprintf(size, sizeof size, "%llu", (unsigned long long)t->conf.limits[CONF_LIMIT_ACCOUNT_SIZE]);
    if ((e = call_setting(c, "hostname", t->conf.hostname)) == OK &&
        (e = call_setting(c, "ticket-key", key)) == OK && (e = call_setting(c, "account-size", size)) == OK &&
        (e = call_send(c, CONTROL_FOLDER, &room, folder)) == OK &&
        (e = call_send(c, CONTROL_FILE, &file, caller)) == OK)
        e = call_send(c, CONTROL_START, &start, -1);
    return e;
}

/* READY, or why not. */
static enum err call_wait_ready(struct call *c, struct err_detail *detail)
{
    struct arena a;
    const struct ipc_message *row;
    uint64_t id;
    void *message;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    enum err e;
    arena_init(&a, "boot answer", 65536);
    e = chan_read_wait(c->control, &control_channel, IPC_A, CALL_READY_MS, c->bytes, &a, &row, &id, &message,
                       fds, &n);
    for (size_t i = 0; i < n; i++)
        fd_done(&fds[i]);
    if (e == OK && row->type == CONTROL_FAILED) {
        slice text = ((const struct control_failed *)message)->text;
        err_detail_set(detail, "%.*s", SLICE_FMT(text));
        e = ERR_IO;
    } else if (e != OK) {
        err_detail_set(detail, "posthorn-directory does not start: %s", err_text(e));
    }
    arena_done(&a);
    return e;
}

/* The lock that a server holds as long as it runs. */
static bool call_lock(struct call *c, const struct tool *t, bool give, uid_t uid, gid_t gid,
                      struct err_detail *detail)
{
    char path[CONF_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/lock", t->conf.data);
    c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (c->lock >= 0 && (!give || fchown(c->lock, uid, gid) == 0) && flock(c->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    err_detail_set(detail, "a server is starting or stopping in %.150s (%s); try again in a moment",
                   t->conf.data, strerror(errno));
    return false;
}

static enum err call_alone(struct call *c, const struct tool *t, struct err_detail *detail)
{
    char program[CONF_PATH_MAX], path[CONF_PATH_MAX + 16];
    int pair[2], caller[2], folder CLEANUP(fd_done) = -1, executable CLEANUP(fd_done) = -1;
    bool root = geteuid() == 0;
    uid_t uid = 0;
    gid_t gid = 0;
    enum err e;
    snprintf(path, sizeof path, "%s/directory", t->conf.data);
    if ((root && !call_user(t, &uid, &gid, detail)) || !call_folder(t->conf.data, root, uid, gid, detail) ||
        !call_lock(c, t, root, uid, gid, detail) || !call_folder(path, root, uid, gid, detail))
        return ERR_DENIED;
    if (!tool_program("posthorn-directory", program)) {
        err_detail_set(detail, "posthorn-directory is missing");
        return ERR_NOT_FOUND;
    }
    executable = open(program, O_PATH | O_CLOEXEC);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (executable < 0 || folder < 0 || chan_pair(pair) != OK) {
        err_detail_set(detail, "%.180s cannot be opened: %s", executable < 0 ? program : path,
                       strerror(errno));
        return ERR_DENIED;
    }
    if (chan_pair(caller) != OK) {
        fd_done(&pair[0]);
        fd_done(&pair[1]);
        return ERR_BUSY;
    }
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0)
        call_become(executable, pair[1], root, uid, gid);
    fd_done(&pair[1]);
    c->control = pair[0];
    c->fd = caller[0];
    e = c->pid > 0 ? call_boot(c, t, folder, caller[1]) : ERR_BUSY;
    fd_done(&caller[1]);
    if (e == OK)
        return call_wait_ready(c, detail);
    err_detail_set(detail, "posthorn-directory could not be started: %s", err_text(e));
    return e;
}

/* ---- */

bool call_open(struct call *c, const struct tool *t, bool alone)
{
    struct err_detail detail = {""};
    enum err e;
    *c = (struct call){.fd = -1, .lock = -1, .control = -1, .bytes = malloc(IPC_BYTES_MAX)};
    must(c->bytes);
    e = call_connect(c, t, &detail);
    if (e == ERR_NOT_FOUND && alone)
        e = call_alone(c, t, &detail);
    else if (e == ERR_NOT_FOUND)
        err_detail_set(&detail, "the server is not running; start it with: posthorn serve --config %.150s",
                       t->config_path);
    if (e == OK)
        return true;
    call_close(c);
    (void)tool_fail("%s", detail.text);
    return false;
}

void call_close(struct call *c)
{
    fd_done(&c->fd);
    if (c->pid > 0)
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    c->pid = 0;
    fd_done(&c->control);
    fd_done(&c->lock);
    free(c->bytes);
    c->bytes = NULL;
}

/* Takes one message: a row, or the end. */
static enum err call_take(struct call *c, json_t *rows, struct arena *a, const struct admin_done **out_done)
{
    const struct ipc_message *row;
    uint64_t id;
    void *message;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    json_t *items;
    slice text;
    enum err e = chan_read_wait(c->fd, &tool_directory_channel, IPC_A, CALL_MS, c->bytes, a, &row, &id,
                                &message, fds, &n);
    for (size_t i = 0; i < n; i++)
        fd_done(&fds[i]);
    *out_done = NULL;
    if (e != OK)
        return e;
    if (row->type == TOOL_DIRECTORY_DONE) {
        *out_done = message;
        return OK;
    }
    text = ((const struct admin_row *)message)->json;
    items = json_loadb((const char *)text.p, text.n, JSON_ALLOW_NUL, NULL);
    if (!json_is_array(items)) {
        json_decref(items);
        return ERR_SYNTAX;
    }
    if (rows)
        (void)json_array_extend(rows, items); /* fails for lack of memory only */
    json_decref(items);
    return OK;
}

/* Where rows go: into an array, or to a function. */
struct call_rows {
    json_t *into;
    void (*fn)(void *arg, const json_t *row);
    void *arg;
};

static void call_hand_on(const struct call_rows *to)
{
    const json_t *row;
    size_t i;
    if (!to->fn)
        return;
    json_array_foreach(to->into, i, row) to->fn(to->arg, row);
    (void)json_array_clear(to->into); /* it is an array */
}

static enum err call_go(struct call *c, const char *verb, const char *const *args, size_t n, slice secret,
                        int fd, const struct call_rows *to, struct err_detail *detail)
{
    struct admin_arg items[TOOL_ARGS_MAX];
    struct admin_call m = {.verb = slice_str(verb), .args = items, .n_args = n, .secret = secret};
    const struct admin_done *done = NULL;
    struct arena a;
    enum err e;
    must(n <= TOOL_ARGS_MAX);
    for (size_t i = 0; i < n; i++)
        items[i].text = slice_str(args[i]);
    e = chan_write_wait(c->fd, &tool_directory_channel, TOOL_DIRECTORY_CALL, 0, &m, &fd, fd >= 0 ? 1 : 0);
    arena_init(&a, "answer", 256 * 1024);
    while (e == OK && !done) {
        arena_reset(&a);
        e = call_take(c, to->into, &a, &done);
        call_hand_on(to);
    }
    if (e != OK) {
        err_detail_set(detail, "the server did not answer: %s; see posthorn status", err_text(e));
    } else if (done->err != OK) {
        e = err_from_wire(done->err);
        err_detail_set(detail, "%.*s", SLICE_FMT(done->text));
    } else if (done->text.n) {
        err_detail_set(detail, "%.*s", SLICE_FMT(done->text));
    }
    arena_done(&a);
    return e;
}

enum err call_run(struct call *c, const char *verb, const char *const *args, size_t n, slice secret,
                  json_t *rows, struct err_detail *detail)
{
    struct call_rows to = {.into = rows};
    return call_go(c, verb, args, n, secret, -1, &to, detail);
}

enum err call_run_with(struct call *c, const char *verb, const char *const *args, size_t n, int fd,
                       json_t *rows, struct err_detail *detail)
{
    struct call_rows to = {.into = rows};
    return call_go(c, verb, args, n, (slice){0}, fd, &to, detail);
}

enum err call_each(struct call *c, const char *verb, const char *const *args, size_t n,
                   void (*fn)(void *arg, const json_t *row), void *arg, struct err_detail *detail)
{
    struct call_rows to = {json_array(), fn, arg};
    enum err e = call_go(c, verb, args, n, (slice){0}, -1, &to, detail);
    json_decref(to.into);
    return e;
}

enum tool_exit call_server(struct tool *t, const char *verb, json_t *rows, struct err_detail *done)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    if (!tool_config(t) || !call_open(&c, t, false))
        return TOOL_FAILED;
    if (call_run(&c, verb, t->args, t->n_args, (slice){0}, rows, done) != OK)
        return tool_fail("%s", done->text);
    return TOOL_DONE;
}

enum tool_exit call_once(const struct tool *t, bool alone, const char *verb, const char *const *args,
                         size_t n, slice secret, json_t *rows)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct err_detail detail = {""};
    enum err e;
    if (!call_open(&c, t, alone))
        return TOOL_FAILED;
    e = call_run(&c, verb, args, n, secret, rows, &detail);
    return e == OK ? TOOL_DONE : tool_fail("%s", detail.text);
}
