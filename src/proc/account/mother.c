#include "proc/account/mother.h"

#include "ipc/accounts_mother.h"
#include "proc/account/child.h"
#include "store/db.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "text/charset.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rights_filter mother_child_filter; /* built once, entered by every child */

/* In the child: nothing of the mother's stays open but the one descriptor, and the folder is the account's
 * own. */
static _Noreturn void mother_become_child(struct role_self *r, uint64_t account, int control)
{
    char name[32];
    int folder;
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)account);
    log_name("account");
    if (mkdirat(r->folder_fd, name, 0700) < 0 && errno != EEXIST) {
        log_error("cannot make the folder of account %s: %s", name, strerror(errno));
        _exit(1);
    }
    folder = openat(r->folder_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fchdir(folder) < 0) {
        log_error("cannot enter the folder of account %s: %s", name, strerror(errno));
        _exit(1);
    }
    for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
        if (fd != control && fd != folder)
            (void)close(fd); /* most are not open */
    if (rights_enter(&account_child_rights, folder, &mother_child_filter, NULL)) {
        log_error("account %s could not be locked in and does not start", name);
        _exit(1);
    }
    (void)close(folder); /* the working directory stays */
    _exit(account_child_run(control));
}

static void mother_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                           const void *message, int *fds, size_t n_fds)
{
    const struct mother_spawn *m = message;
    struct mother_spawned reply = {OK, 0};
    pid_t pid;
    (void)n_fds;
    if (type != ACCOUNTS_MOTHER_SPAWN)
        return;
    pid = fork();
    if (pid == 0)
        mother_become_child(r, m->account, fds[0]);
    if (pid < 0)
        reply.err = ERR_BUSY;
    else
        reply.pid = (uint32_t)pid;
    IGNORE_RESULT(chan_reply(peer->chan, id, ACCOUNTS_MOTHER_SPAWNED, &reply, NULL, 0),
                  "the broker times out");
}

/* Before the lock-in: what every child would otherwise have to do for itself. */
static enum err mother_prepare(struct role_self *r, struct err_detail *detail)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN, .sa_flags = SA_NOCLDWAIT};
    (void)r;
    must(sigaction(SIGCHLD, &ignore, NULL) == 0); /* children are reaped by the kernel */
    db_setup();
    charset_preload(); /* East Asian mail: a child may open no file */
    if (rights_prepare(&account_child_rights, &mother_child_filter)) {
        err_detail_set(detail, "the filter for account processes could not be built");
        return ERR_BUG;
    }
    return OK;
}

static enum err mother_begin(struct role_self *r, struct err_detail *detail)
{
    (void)r, (void)detail;
    return OK;
}

const struct role_spec account_spec = {
    .role = ROLE_ACCOUNT,
    .rights = &account_mother_rights,
    .prepare = mother_prepare,
    .start = mother_begin,
    .on_message = mother_message,
};
