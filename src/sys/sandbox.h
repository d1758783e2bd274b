/* sandbox: locks a process in before it reads a byte from outside.
 *
 * What a role may do is one `struct rights` on its rights.c page. rights_enter() makes it so: no new
 * privileges, not dumpable, resource limits, Landlock (only the folder named, no TCP bind, TCP connect only
 * where the job has it, no signals to processes outside), and a seccomp filter that knows only the calls of
 * the named groups. A call outside the list fails with EPERM; those that only an intruder would make (exec,
 * ptrace, ...) end the process. There is no way back.
 *
 * Weak points: stat() tells whether a path exists; Landlock's network rules need Linux 6.7, before that TCP
 * bind and connect are stopped by seccomp alone, for the roles that have no socket() at all. */
#ifndef POSTHORN_SYS_SANDBOX_H
#define POSTHORN_SYS_SANDBOX_H

#include "base/err.h"

enum rights_calls {
    RIGHTS_SERVE = 1 << 0,   /* accept connections on sockets it was handed */
    RIGHTS_CONNECT = 1 << 1, /* make TCP and UDP connections outward */
    RIGHTS_FILES = 1 << 2,   /* read and write files of its folder */
    RIGHTS_THREADS = 1 << 3, /* start threads */
    RIGHTS_FORK = 1 << 4,    /* start processes of its own image, and lock them in further */
    RIGHTS_BODIES = 1 << 5,  /* make message bodies (memfds) */
    RIGHTS_PAIRS = 1 << 6,   /* make socket pairs */
    RIGHTS_CLOCK = 1 << 7,   /* ask whether the clock is synchronised; to set it wants root besides */
};

struct rights {
    const char *role;
    unsigned calls;       /* enum rights_calls */
    bool folder;          /* reads and writes below the folder it was handed; else no file at all */
    size_t fds_max;       /* RLIMIT_NOFILE */
    size_t memory_max_mb; /* RLIMIT_DATA; 0: unlimited. Not set in sanitizer builds, whose shadow is larger */
};

/* A filter built once, for processes that are forked later (building costs a millisecond). */
struct rights_filter {
    void *program; /* struct sock_filter[] */
    unsigned short n;
};
NODISCARD enum err rights_prepare(const struct rights *r, struct rights_filter *out);

/* Early, before anything else: no core dumps, not dumpable, file mode mask 077. */
void rights_begin(void);
/* Locks this process in. folder_fd: the folder of r->folder, or -1. filter: from rights_prepare(), or NULL to
 * build it here. ERR_UNSUPPORTED only when the kernel has no seccomp; a missing Landlock is reported in
 * *out_weak (may be NULL) as a word for the log, "" when all is in force. */
NODISCARD enum err rights_enter(const struct rights *r, int folder_fd, const struct rights_filter *filter,
                                const char **out_weak);

#endif
