#include "proc/supervisor/ground.h"

#include "sys/entropy.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/net.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The user to become, when root. */
static enum err ground_user(const struct conf *conf, uid_t *out_uid, gid_t *out_gid,
                            struct err_detail *detail)
{
    const struct passwd *p = getpwnam(conf->user);
    if (!p && strcmp(conf->user, "posthorn") == 0) {
        static bool said;
        if (!said)
            log_warning("there is no user posthorn; running as nobody. `adduser --system --group posthorn` "
                        "makes one");
        said = true;
        p = getpwnam("nobody");
    }
    if (!p || p->pw_uid == 0) {
        err_detail_set(detail,
                       "there is no unprivileged user \"%s\": make one with `adduser --system --group %s`, "
                       "or name another "
                       "with `user NAME` in the configuration",
                       conf->user, conf->user);
        return ERR_CONFIG;
    }
    *out_uid = p->pw_uid;
    *out_gid = p->pw_gid;
    return OK;
}

static uid_t ground_walk_uid;
static gid_t ground_walk_gid;

static int ground_give_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return lchown(path, ground_walk_uid, ground_walk_gid);
}

static enum err ground_give(const char *path, const struct conf *conf, struct err_detail *detail)
{
    struct stat st;
    enum err e;
    if (geteuid() != 0)
        return OK;
    e = ground_user(conf, &ground_walk_uid, &ground_walk_gid, detail);
    if (e || (stat(path, &st) == 0 && st.st_uid == ground_walk_uid))
        return e;
    if (nftw(path, ground_give_one, 32, FTW_PHYS) != 0) {
        err_detail_set(detail, "cannot give the folder %s to user %s: %s", path, conf->user, strerror(errno));
        return ERR_CONFIG;
    }
    return OK;
}

static enum err ground_folder(const char *path, struct err_detail *detail)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        err_detail_set(detail, "cannot make the folder %s: %s. %s, or change `data` in the configuration",
                       path, strerror(errno),
                       errno == EACCES || errno == EPERM ? "Start the server as root"
                                                         : "Make its parent folder");
        return ERR_CONFIG;
    }
    return OK;
}

static const struct {
    enum role role;
    const char *name;
} ground_rooms[] = {
    {ROLE_DIRECTORY, "directory"}, {ROLE_ACCOUNT, "accounts"}, {ROLE_RELAY, "queue"},
    {ROLE_JOURNAL, "journal"},     {ROLE_KEYS, "keys"},        {ROLE_DOCTOR, "doctor"},
};

static enum err ground_folders(struct ground *g, struct err_detail *detail)
{
    char path[CONF_PATH_MAX + 32];
    enum err e = ground_folder(g->conf->data, detail);
    for (size_t i = 0; i < ARRAY_LEN(ground_rooms) && !e; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", g->conf->data, ground_rooms[i].name);
        e = ground_folder(path, detail);
    }
    if (!e)
        e = ground_give(g->conf->data, g->conf, detail);
    for (size_t i = 0; i < ARRAY_LEN(ground_rooms) && !e; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", g->conf->data, ground_rooms[i].name);
        e = ground_give(path, g->conf, detail);
    }
    for (size_t i = 0; i < ARRAY_LEN(ground_rooms) && !e; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", g->conf->data, ground_rooms[i].name);
        g->folders[ground_rooms[i].role] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (g->folders[ground_rooms[i].role] < 0) {
            err_detail_set(detail, "cannot open the folder %s: %s", path, strerror(errno));
            e = ERR_CONFIG;
        }
    }
    return e;
}

/* Two servers on one data folder would harm each other's files. */
static enum err ground_lock(struct ground *g, struct err_detail *detail)
{
    char path[CONF_PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/lock", g->conf->data);
    g->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (g->lock >= 0 && flock(g->lock, LOCK_EX | LOCK_NB) == 0)
        return OK;
    if (g->lock >= 0 && errno == EWOULDBLOCK)
        err_detail_set(detail,
                       "another Posthorn runs with the data folder %s. Stop it first, or give this one a "
                       "folder of its own",
                       g->conf->data);
    else
        err_detail_set(detail, "cannot lock the data folder %s: %s", g->conf->data, strerror(errno));
    return ERR_CONFIG;
}

static enum err ground_control(struct ground *g, struct err_detail *detail)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[CONF_PATH_MAX + 32];
    int here CLEANUP(fd_done) = -1, data CLEANUP(fd_done) = -1;
    bool good;
    (void)snprintf(path, sizeof path, "%s", g->conf->data);
    /* Bound by a relative path: the room for a socket's path is short (108 bytes). */
    here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    data = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g->control_socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "control");
    good = data >= 0 && g->control_socket >= 0 && fchdir(data) == 0;
    if (good) {
        (void)unlink("control"); /* left by an earlier run; the lock says nobody uses it */
        good = bind(g->control_socket, (const struct sockaddr *)&a, sizeof a) == 0 &&
               chmod("control", 0600) == 0 && listen(g->control_socket, 64) == 0;
        if (here >= 0)
            IGNORE_RESULT(fchdir(here), "relative paths of the configuration are absolute by now");
    }
    if (good) {
        (void)snprintf(path, sizeof path, "%s/control", g->conf->data);
        return ground_give(path, g->conf, detail);
    }
    err_detail_set(detail, "cannot make the control socket in %s: %s", path, strerror(errno));
    return ERR_CONFIG;
}

static enum err ground_open(const char *path, int *out_fd, struct err_detail *detail)
{
    *out_fd = -1;
    if (!*path)
        return OK;
    *out_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*out_fd >= 0)
        return OK;
    err_detail_set(detail, "cannot read %s: %s", path, strerror(errno));
    return ERR_CONFIG;
}

static enum err ground_listen(struct ground *g, struct err_detail *detail)
{
    for (size_t i = 0; i < g->conf->listen_count; i++) {
        const struct conf_address *a = &g->conf->listens[i].address;
        enum err e;
        e = net_listen(&a->ip, a->port, &g->listeners[i], detail);
        if (e)
            return e;
    }
    return OK;
}

/* The name server's sockets: each address twice, for UDP and for TCP. */
static enum err ground_listen_dns(struct ground *g, struct err_detail *detail)
{
    for (size_t i = 0; i < g->conf->dns_listen_count; i++) {
        const struct conf_address *a = &g->conf->dns_listens[i];
        enum err e = net_datagrams(&a->ip, a->port, &g->dns_udp[i], detail);
        if (!e)
            e = net_listen(&a->ip, a->port, &g->dns_tcp[i], detail);
        if (e)
            return e;
    }
    return OK;
}

/* Only doctor gets this key; a mistake in it is said now, not at the first update. */
static enum err ground_update_key(struct ground *g, struct err_detail *detail)
{
    const char *path = g->conf->dns_update_key;
    char text[DNS_TSIG_KEY_FILE_MAX];
    int fd CLEANUP(fd_done) = -1;
    struct dns_tsig_key key;
    ssize_t n;
    enum err e = ground_open(path, &fd, detail);
    g->dns_update_key[0] = 0;
    if (e || fd < 0)
        return e;
    n = read(fd, text, sizeof text);
    if (n < 0) {
        err_detail_set(detail, "cannot read %s: %s", path, strerror(errno));
        return ERR_CONFIG;
    }
    e = dns_tsig_key_file(slice_of(text, (size_t)n), &key, detail);
    if (e == OK)
        dns_tsig_key_print(&key, g->dns_update_key);
    else
        err_detail_prefix(detail, path);
    secret_done(&key.secret);
    explicit_bzero(text, sizeof text);
    return e ? ERR_CONFIG : OK;
}

static enum err ground_executables(struct ground *g, struct err_detail *detail)
{
    char self[4096], path[4096 + 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) {
        err_detail_set(detail, "cannot find out where this program lies: is /proc mounted?");
        return ERR_CONFIG;
    }
    self[n] = 0;
    *strrchr(self, '/') = 0;
    for (enum role r = ROLE_EDGE; r < ROLE__COUNT; r++) {
        (void)snprintf(path, sizeof path, "%s/posthorn-%s", self, role_name(r));
        g->executables[r] = open(path, O_PATH | O_CLOEXEC);
        if (g->executables[r] < 0) {
            err_detail_set(detail, "the program %s is missing: it belongs beside this one", path);
            return ERR_CONFIG;
        }
    }
    return OK;
}

static void ground_ticket_key(struct ground *g)
{
    uint8_t key[32];
    entropy_bytes(key, sizeof key);
    for (size_t i = 0; i < sizeof key; i++)
        (void)snprintf(g->ticket_key + 2 * i, 3, "%02x", key[i]);
    explicit_bzero(key, sizeof key);
}

/* What doctor trusts when it looks at our certificates: as a stranger's program would. */
static enum err ground_doctor_trust(struct ground *g, struct err_detail *detail)
{
    static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    if (g->conf->doctor.trust[0])
        return ground_open(g->conf->doctor.trust, &g->doctor_trust, detail);
    for (size_t i = 0; g->doctor_trust < 0 && i < ARRAY_LEN(usual); i++)
        g->doctor_trust = open(usual[i], O_RDONLY | O_CLOEXEC);
    return OK;
}

enum err ground_prepare(struct ground *g, const struct conf *conf, struct err_detail *detail)
{
    enum err e;
    struct rlimit l;
    memset(g, 0xff, sizeof *g); /* every descriptor -1 */
    g->conf = conf;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        IGNORE_RESULT(setrlimit(RLIMIT_NOFILE, &l), "then fewer connections fit");
    }
    ground_ticket_key(g);
    e = ground_executables(g, detail);
    if (!e)
        e = ground_folders(g, detail);
    if (!e)
        e = ground_lock(g, detail);
    if (!e)
        e = ground_control(g, detail);
    if (!e)
        e = ground_open(conf->tls_cert, &g->tls_cert, detail);
    if (!e)
        e = ground_open(conf->tls_key, &g->tls_key, detail);
    if (!e)
        e = ground_open(conf->trust_anchor, &g->trust_anchor, detail);
    if (!e && !conf->resolver_forward)
        g->resolv_conf =
            open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC); /* may be absent: then from the root */
    if (!e)
        e = ground_doctor_trust(g, detail);
    if (!e)
        e = ground_update_key(g, detail);
    if (!e)
        e = ground_listen(g, detail);
    if (!e)
        e = ground_listen_dns(g, detail);
    return e;
}

enum err ground_drop_root(const struct conf *conf, struct err_detail *detail)
{
    uid_t uid;
    gid_t gid;
    enum err e;
    IGNORE_RESULT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "the roles set it again and insist");
    if (geteuid() != 0)
        return OK;
    e = ground_user(conf, &uid, &gid, detail);
    if (e)
        return e;
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
        geteuid() == 0) {
        err_detail_set(detail, "cannot become user %s: %s", conf->user, strerror(errno));
        return ERR_CONFIG;
    }
    return OK;
}
