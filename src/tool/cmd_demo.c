/* posthorn demo: a whole server for demo.test on this machine's loopback, with two accounts, until Ctrl-C.
 *
 * DIR/demo.conf      written at each start
 * DIR/credentials    "address password" a line, 0600, written once
 * DIR/ca.pem cert.pem key.pem   a throw-away CA and certificate
 * DIR/welcomed       the welcome message was delivered
 * DIR/log            what the server says
 * DIR/data           the server's own */
#include "policy/journal_event.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/fd.h"
#include "text/date.h"
#include "tool/call.h"
#include "tool/demo_cert.h"
#include "tool/demo_mail.h"
#include "tool/password.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEMO_PATH_MAX 800
#define DEMO_READY_MS 30000
#define DEMO_ACCOUNTS 2

struct demo {
    struct tool *tool;
    char folder[DEMO_PATH_MAX];
    unsigned base;
    struct secret passwords[DEMO_ACCOUNTS];
    pid_t server;
};

static const char *const demo_addresses[DEMO_ACCOUNTS] = {"alice@demo.test", "bob@demo.test"};
static volatile pid_t demo_server; /* for the signal handler */

static const char *demo_path(const struct demo *d, const char *name, char out[CONF_PATH_MAX])
{
    snprintf(out, CONF_PATH_MAX, "%s/%s", d->folder, name);
    return out;
}

/* Writes a file in one step. */
static bool demo_write(const struct demo *d, const char *name, slice content)
{
    char path[CONF_PATH_MAX], fresh[CONF_PATH_MAX + 8];
    int fd CLEANUP(fd_done) = -1;
    demo_path(d, name, path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && fd_write_all(fd, content) == OK && fsync(fd) == 0 && rename(fresh, path) == 0)
        return true;
    (void)tool_fail("%s cannot be written: %s", path, strerror(errno));
    return false;
}

/* ---- what has to be there before the server starts */

static bool demo_options(struct demo *d)
{
    const struct tool *t = d->tool;
    const char *data = tool_has(t, TOOL_DATA) ? t->options[TOOL_DATA] : "posthorn-demo";
    char *absolute;
    uint32_t base = 10000;
    if (tool_has(t, TOOL_PORT_BASE) &&
        (!slice_u32(slice_str(t->options[TOOL_PORT_BASE]), &base) || base < 1 || base > 64000)) {
        (void)tool_misuse(t, "--port-base takes a number from 1 to 64000");
        return false;
    }
    d->base = base;
    if (mkdir(data, 0700) != 0 && errno != EEXIST) {
        (void)tool_fail("the folder %s cannot be made: %s; name another with --data DIR", data,
                        strerror(errno));
        return false;
    }
    absolute = realpath(data, NULL);
    if (!absolute || strlen(absolute) >= sizeof d->folder || strchr(absolute, '"')) {
        (void)tool_fail("the folder %s cannot be used; name another with --data DIR", data);
        free(absolute);
        return false;
    }
    snprintf(d->folder, sizeof d->folder, "%s", absolute);
    free(absolute);
    return true;
}

/* Another demo in the same folder holds the server's lock. */
static bool demo_is_free(const struct demo *d)
{
    char path[CONF_PATH_MAX];
    int fd CLEANUP(fd_done) = open(demo_path(d, "data/lock", path), O_RDWR | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    (void)tool_fail("a demo runs in %s already; stop it first, or name another folder with --data DIR",
                    d->folder);
    return false;
}

static bool demo_configure(struct demo *d)
{
    struct buf b CLEANUP(buf_done) = {.max = 8192};
    unsigned n = d->base;
    buf_str(&b, "# Written by posthorn demo at each start; changes are lost. See posthorn.conf(5).\n"
                "hostname mail.demo.test\n");
    buf_print(&b, "data \"%s/data\"\n", d->folder);
    buf_print(&b, "tls \"%s/cert.pem\" \"%s/key.pem\"\n", d->folder, d->folder);
    buf_print(
        &b,
        "listen smtp 127.0.0.1:%u\nlisten submission 127.0.0.1:%u plaintext\n"
        "listen submissions 127.0.0.1:%u\nlisten imap 127.0.0.1:%u plaintext\nlisten imaps 127.0.0.1:%u\n",
        n + 25, n + 587, n + 465, n + 143, n + 993);
    buf_str(&b, "hold-remote this is a demo: mail to other domains stays in the queue\n");
    buf_str(&b, "doctor off\n"); /* nobody outside knows this server: everything would be wrong */
    if (buf_failed(&b) || !demo_write(d, "demo.conf", buf_view(&b)))
        return false;
    d->tool->options[TOOL_CONFIG] = NULL;
    return true;
}

/* Reads the passwords back. False when they are not all there. */
static bool demo_credentials_read(struct demo *d)
{
    char path[CONF_PATH_MAX], text[2048];
    int fd CLEANUP(fd_done) = open(demo_path(d, "credentials", path), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    struct cursor c = cursor_of(slice_of(text, n > 0 ? (size_t)n : 0));
    slice line, address, password;
    size_t found = 0;
    while (cursor_line(&c, &line))
        for (size_t i = 0; i < DEMO_ACCOUNTS; i++)
            if (slice_split(line, ' ', &address, &password) &&
                slice_eq(address, slice_str(demo_addresses[i])) && password.n &&
                secret_set(&d->passwords[i], password) == OK)
                found++;
    return found == DEMO_ACCOUNTS;
}

static bool demo_account(struct demo *d, struct call *c, size_t i)
{
    static const char *const names[DEMO_ACCOUNTS] = {"Alice", "Bob"};
    const char *args[] = {demo_addresses[i], names[i]};
    struct buf verifier CLEANUP(buf_done) = {.max = 256};
    struct err_detail detail = {""};
    enum err e;
    password_random(&d->passwords[i]);
    if (!password_verifier(&d->passwords[i], &verifier))
        return false;
    e = call_run(c, "account add", args, 2, buf_view(&verifier), NULL, &detail);
    if (e == ERR_EXISTS) /* the credentials were lost, or an earlier start was cut short */
        e = call_run(c, "account password", args, 1, buf_view(&verifier), NULL, &detail);
    if (e != OK)
        (void)tool_fail("%s", detail.text);
    return e == OK;
}

/* The domain and its accounts, once: by a directory process of our own, before the server runs. */
static bool demo_people(struct demo *d)
{
    static const char *const domain[] = {"demo.test"};
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    struct err_detail detail = {""};
    enum err e;
    if (demo_credentials_read(d))
        return true;
    if (!call_open(&c, d->tool, true))
        return false;
    e = call_run(&c, "domain add", domain, 1, (slice){0}, NULL, &detail);
    if (e != OK && e != ERR_EXISTS) {
        (void)tool_fail("%s", detail.text);
        return false;
    }
    for (size_t i = 0; i < DEMO_ACCOUNTS; i++) {
        if (!demo_account(d, &c, i))
            return false;
        buf_print(&b, "%s ", demo_addresses[i]);
        buf_append(&b, secret_view(&d->passwords[i]));
        buf_byte(&b, '\n');
    }
    return !buf_failed(&b) && demo_write(d, "credentials", buf_view(&b));
}

/* ---- the server */

static void demo_signal(int number)
{
    (void)number;
    if (demo_server > 0)
        (void)kill(demo_server, SIGTERM); /* gone already is fine */
}

static _Noreturn void demo_become(const struct demo *d, const char *program, int ready)
{
    char path[CONF_PATH_MAX], log[CONF_PATH_MAX], fd_text[16];
    char name[] = "posthorn-supervisor", config[] = "--config", option[] = "--ready-fd";
    char *argv[] = {name, config, path, option, fd_text, NULL};
    int out = open(demo_path(d, "log", log), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    demo_path(d, "demo.conf", path);
    snprintf(fd_text, sizeof fd_text, "%d", ready);
    (void)setpgid(0, 0);                    /* Ctrl-C goes to us; we end the server in order */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* and when we are killed, it ends too */
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
        fcntl(ready, F_SETFD, 0) < 0)
        _exit(111);
    (void)execv(program, argv);
    _exit(111);
}

/* Waits for "ready". */
static bool demo_wait_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char line[16];
    int n;
    do
        n = poll(&p, 1, DEMO_READY_MS);
    while (n < 0 && errno == EINTR);
    return n > 0 && read(fd, line, sizeof line) > 0;
}

/* The last line of the log, which says why the server did not start. */
static const char *demo_last_words(const struct demo *d, char out[512])
{
    char path[CONF_PATH_MAX];
    int fd CLEANUP(fd_done) = open(demo_path(d, "log", path), O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    ssize_t n = size > 0 ? pread(fd, out, 511, size > 511 ? size - 511 : 0) : 0;
    const char *line, *error;
    out[n > 0 ? n : 0] = 0;
    while (n > 0 && out[n - 1] == '\n')
        out[--n] = 0;
    line = strrchr(out, '\n');
    line = line ? line + 1 : out;
    error = strstr(line, "error: ");
    return error ? error + sizeof "error: " - 1 : line;
}

static bool demo_start(struct demo *d)
{
    char program[CONF_PATH_MAX], log[CONF_PATH_MAX], words[512];
    int pipe_fds[2];
    bool good;
    if (!tool_program("posthorn-supervisor", program))
        return false;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        (void)tool_fail("no pipe could be made: %s", strerror(errno));
        return false;
    }
    fflush(NULL);
    d->server = fork();
    if (d->server == 0)
        demo_become(d, program, pipe_fds[1]);
    fd_done(&pipe_fds[1]);
    demo_server = d->server;
    good = d->server > 0 && demo_wait_ready(pipe_fds[0]);
    fd_done(&pipe_fds[0]);
    if (!good)
        (void)tool_fail("the server did not start: %s (more in %s; other ports: --port-base N)",
                        demo_last_words(d, words), demo_path(d, "log", log));
    return good;
}

/* Until the server ended. */
static enum tool_exit demo_wait(struct demo *d)
{
    int status = 0;
    char log[CONF_PATH_MAX];
    if (d->server <= 0)
        return TOOL_FAILED;
    while (waitpid(d->server, &status, 0) < 0)
        if (errno != EINTR)
            return tool_fail("the server is lost: %s", strerror(errno));
    d->server = 0;
    demo_server = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return TOOL_DONE;
    return tool_fail("the server ended in disorder; %s says more", demo_path(d, "log", log));
}

static void demo_end(struct demo *d)
{
    if (d->server > 0) {
        (void)kill(d->server, SIGTERM); /* it may have ended by itself */
        while (waitpid(d->server, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    for (size_t i = 0; i < DEMO_ACCOUNTS; i++)
        secret_done(&d->passwords[i]);
}

/* ---- the welcome message, once */

/* The path of this very program; "posthorn" when it cannot be found out. */
static const char *demo_self(char out[CONF_PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, CONF_PATH_MAX - 1);
    if (n <= 0)
        return "posthorn";
    out[n] = 0;
    return out;
}

static bool demo_welcome(struct demo *d)
{
    struct buf b CLEANUP(buf_done) = {.max = 8192};
    struct err_detail detail = {""};
    char path[CONF_PATH_MAX], self[CONF_PATH_MAX];
    unsigned n = d->base;
    if (access(demo_path(d, "welcomed", path), F_OK) == 0)
        return true;
    buf_str(&b, "From: Posthorn <postmaster@demo.test>\r\nTo: Alice <alice@demo.test>\r\n"
                "Subject: Welcome to Posthorn\r\nDate: ");
    date_print(clock_unix(), 0, &b);
    buf_print(&b, "\r\nMessage-ID: <welcome.%llx@demo.test>\r\n", (unsigned long long)entropy_u64());
    buf_str(
        &b,
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
        "8bit\r\n\r\n"
        "Hello Alice,\r\n\r\nthis message came in by SMTP, was checked, and was kept in your own database\r\n"
        "before the server said 250. Its journey:\r\n\r\n");
    buf_print(&b, "    %s trace alice@demo.test --config %s/demo.conf\r\n\r\n", demo_self(self), d->folder);
    buf_print(&b,
              "Write to bob@demo.test (submission, port %u) and read his answer (IMAP, port %u).\r\n"
              "Mail to other domains never leaves this machine: it is held in the queue.\r\n\r\n"
              "The folder %s holds everything; delete it and all of this is gone.\r\n",
              n + 587, n + 143, d->folder);
    if (buf_failed(&b) || demo_mail_send((uint16_t)(n + 25), "postmaster@demo.test", "alice@demo.test",
                                         buf_view(&b), &detail) != OK) {
        (void)tool_fail("%s", detail.text);
        return false;
    }
    return demo_write(d, "welcomed", SLICE("yes\n"));
}

/* ---- telling */

static void demo_tell(const struct demo *d)
{
    unsigned n = d->base;
    const struct secret *a = &d->passwords[0], *b = &d->passwords[1];
    char path[CONF_PATH_MAX];
    const char *self = demo_self(path);
    if (d->tool->json) {
        json_t *o = json_pack("{s:s, s:i, s:[{s:s, s:s%}, {s:s, s:s%}]}", "folder", d->folder, "port_base",
                              (int)n, "accounts", "address", demo_addresses[0], "password",
                              (const char *)a->bytes, (size_t)a->n, "address", demo_addresses[1], "password",
                              (const char *)b->bytes, (size_t)b->n);
        tool_print_json(o);
        json_decref(o);
        fflush(stdout);
        return;
    }
    printf("Posthorn serves demo.test on 127.0.0.1 (loopback only); everything is in %s\n", d->folder);
    printf("  smtp %u, submission %u (STARTTLS or plain), %u (TLS), imap %u (plain), %u (TLS)\n", n + 25,
           n + 587, n + 465, n + 143, n + 993);
    printf("  log in as %s, password %.*s\n", demo_addresses[0], (int)a->n, (const char *)a->bytes);
    printf("         or %s,   password %.*s\n", demo_addresses[1], (int)b->n, (const char *)b->bytes);
    printf("Try, in another terminal:\n");
    printf("  curl -u alice@demo.test:%.*s 'imap://127.0.0.1:%u/INBOX;MAILINDEX=1'\n", (int)a->n,
           (const char *)a->bytes, n + 143);
    printf(
        "  swaks --server 127.0.0.1:%u -tls -au bob@demo.test -ap %.*s -f bob@demo.test -t alice@demo.test\n",
        n + 587, (int)b->n, (const char *)b->bytes);
    printf("  mutt -f imap://alice%%40demo.test@127.0.0.1:%u/INBOX\n", n + 143);
    printf("  export POSTHORN_CONFIG=%s/demo.conf\n", d->folder);
    printf("  %s trace alice@demo.test   # what happened to her mail\n", self);
    printf("  %s dns demo.test           # the DNS records that the domain should have\n", self);
    printf("  %s doctor                  # what others would find wrong; demo.test is in no DNS\n", self);
    printf("Mail to other domains is held in the queue. Ctrl-C stops it; the mail stays.\n");
    fflush(stdout);
}

static enum tool_exit demo_run_all(struct demo *d)
{
    struct err_detail detail = {""};
    char path[CONF_PATH_MAX];
    enum tool_exit x;
    if (!demo_is_free(d))
        return TOOL_FAILED;
    if (demo_cert_make(d->folder, &detail) != OK)
        return tool_fail("%s", detail.text);
    if (!demo_configure(d))
        return TOOL_FAILED;
    d->tool->options[TOOL_CONFIG] = demo_path(d, "demo.conf", path);
    if (!tool_config(d->tool) || !demo_people(d) || !demo_start(d) || !demo_welcome(d))
        return TOOL_FAILED;
    demo_tell(d);
    x = demo_wait(d);
    if (x == TOOL_DONE)
        tool_say(d->tool, "Stopped.");
    return x;
}

static enum tool_exit demo_run(struct tool *t)
{
    static struct demo d;
    struct sigaction act = {.sa_handler = demo_signal};
    enum tool_exit x = TOOL_USAGE;
    d.tool = t;
    if (!demo_options(&d))
        return tool_has(t, TOOL_PORT_BASE) && d.base == 0 ? TOOL_USAGE : TOOL_FAILED;
    (void)sigaction(SIGINT, &act, NULL); /* cannot fail for these */
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGHUP, &act, NULL);
    x = demo_run_all(&d);
    demo_end(&d);
    return x;
}

const struct tool_command cmd_demo_table[] = {
    {"demo", NULL, "", "a whole server for demo.test on this machine, to play with",
     1u << TOOL_DATA | 1u << TOOL_PORT_BASE, 0, 0, demo_run},
    {0},
};
