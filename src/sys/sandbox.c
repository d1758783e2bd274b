#include "sys/sandbox.h"

#include "sys/fd.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIONBIO_REQUEST  0x5421 /* from asm-generic/ioctls.h, which clashes with the libc's own header */
#define FIONREAD_REQUEST 0x541B

#define CALL(name) SCMP_SYS(name)

static const int calls_base[] = {
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(pread64),
    CALL(writev),
    CALL(close),
    CALL(fstat),
    CALL(lseek),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(brk),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(sigaltstack),
    CALL(getpid),
    CALL(gettid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(exit),
    CALL(exit_group),
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(gettimeofday),
    CALL(time),
    CALL(nanosleep),
    CALL(clock_nanosleep),
    CALL(getrandom),
    CALL(futex),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(epoll_ctl),
    CALL(epoll_create1),
    CALL(eventfd2),
    CALL(pipe2),
    CALL(poll),
    CALL(ppoll),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(recvfrom),
    CALL(sendto),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(shutdown),
    CALL(fcntl),
    CALL(sched_yield),
    CALL(restart_syscall),
    CALL(rseq),
    CALL(set_robust_list),
    CALL(getrusage),
    CALL(uname),
    CALL(sysinfo),
    CALL(getcwd),
    CALL(sched_getaffinity),
    CALL(membarrier),
};
static const int calls_serve[] = {CALL(accept4), CALL(accept)};
static const int calls_connect[] = {CALL(connect), CALL(bind), CALL(recvmmsg), CALL(sendmmsg)};
static const int calls_files[] = {
    CALL(open),      CALL(openat),    CALL(newfstatat), CALL(stat),       CALL(lstat),
    CALL(pwrite64),  CALL(preadv),    CALL(pwritev),    CALL(fsync),      CALL(fdatasync),
    CALL(ftruncate), CALL(fallocate), CALL(unlink),     CALL(unlinkat),   CALL(access),
    CALL(faccessat), CALL(rename),    CALL(renameat),   CALL(renameat2),  CALL(mkdir),
    CALL(mkdirat),   CALL(rmdir),     CALL(getdents64), CALL(fstatfs),    CALL(statfs),
    CALL(readlink),  CALL(fchmod),    CALL(fchdir),     CALL(fadvise64),  CALL(sync_file_range),
    CALL(utimensat), CALL(flock),     CALL(statx),      CALL(readlinkat),
};
static const int calls_threads[] = {CALL(set_tid_address), CALL(sched_setaffinity), CALL(sched_getparam),
                                    CALL(sched_getscheduler), CALL(tgkill)};
static const int calls_fork[] = {CALL(fork),
                                 CALL(vfork),
                                 CALL(wait4),
                                 CALL(landlock_create_ruleset),
                                 CALL(landlock_add_rule),
                                 CALL(landlock_restrict_self),
                                 CALL(seccomp),
                                 CALL(prctl),
                                 CALL(set_tid_address),
                                 CALL(prlimit64),
                                 CALL(setrlimit)};
static const int calls_bodies[] = {CALL(memfd_create), CALL(ftruncate)};
static const int calls_pairs[] = {CALL(socketpair)};
static const int calls_clock[] = {CALL(adjtimex), CALL(clock_adjtime)};
/* Nobody's job: whoever calls them was taken over. */
static const int calls_deadly[] = {
    CALL(execve), CALL(execveat), CALL(ptrace),      CALL(process_vm_readv), CALL(process_vm_writev),
    CALL(bpf),    CALL(mount),    CALL(umount2),     CALL(pivot_root),       CALL(chroot),
    CALL(setns),  CALL(unshare),  CALL(init_module), CALL(finit_module),     CALL(kexec_load),
    CALL(keyctl), CALL(add_key),  CALL(userfaultfd), CALL(perf_event_open),
};
/* The libc asks for these first and has another way when they are not there. */
static const int calls_absent[] = {CALL(clone3),      CALL(openat2),      CALL(faccessat2),
                                   CALL(close_range), CALL(epoll_pwait2), CALL(io_uring_setup)};
#ifdef POSTHORN_SANITIZED
/* The sanitizers' run time needs these for its reports; Landlock still stands behind open. */
static const int calls_sanitizer[] = {CALL(tgkill),     CALL(readlink),  CALL(prctl),
                                      CALL(prlimit64),  CALL(getrlimit), CALL(openat),
                                      CALL(newfstatat), CALL(mprotect),  CALL(rt_tgsigqueueinfo)};
#endif

struct calls_group {
    unsigned bit;
    const int *calls;
    size_t n;
};

static const struct calls_group calls_groups[] = {
    {RIGHTS_SERVE, calls_serve, ARRAY_LEN(calls_serve)},
    {RIGHTS_CONNECT, calls_connect, ARRAY_LEN(calls_connect)},
    {RIGHTS_FILES, calls_files, ARRAY_LEN(calls_files)},
    {RIGHTS_THREADS, calls_threads, ARRAY_LEN(calls_threads)},
    {RIGHTS_FORK, calls_fork, ARRAY_LEN(calls_fork)},
    {RIGHTS_BODIES, calls_bodies, ARRAY_LEN(calls_bodies)},
    {RIGHTS_PAIRS, calls_pairs, ARRAY_LEN(calls_pairs)},
    {RIGHTS_CLOCK, calls_clock, ARRAY_LEN(calls_clock)},
};

static int rights_add(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && !r; i++) {
        r = seccomp_rule_add(ctx, action, calls[i], 0);
        if (r == -EDOM || r == -EEXIST || r == -EACCES)
            r = 0; /* not on this architecture, there already, or equal to the default */
    }
    return r;
}

/* Calls that are harmless with some arguments only. */
static int rights_add_with_arguments(scmp_filter_ctx ctx, const struct rights *r)
{
    int e = 0;
    /* Memory never becomes executable. */
    e |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    e |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    e |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO_REQUEST, 0));
    e |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD_REQUEST, 0));
    if (!(r->calls & RIGHTS_FILES)) /* the libc's fstat() is newfstatat() of an empty path */
        e |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(newfstatat), 1,
                              SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0));
    if (r->calls & RIGHTS_CONNECT) {
        e |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET, 0));
        e |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0));
    }
    if (r->calls & RIGHTS_THREADS)
        e |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, CALL(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM));
    if (r->calls & RIGHTS_FORK)
        e |= seccomp_rule_add(
            ctx, SCMP_ACT_ALLOW, CALL(clone), 1,
            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET, 0));
    return e;
}

static enum err rights_build(scmp_filter_ctx ctx, const struct rights *r)
{
    int e = rights_add(ctx, SCMP_ACT_ALLOW, calls_base, ARRAY_LEN(calls_base));
    for (size_t i = 0; i < ARRAY_LEN(calls_groups) && !e; i++)
        if (r->calls & calls_groups[i].bit)
            e = rights_add(ctx, SCMP_ACT_ALLOW, calls_groups[i].calls, calls_groups[i].n);
#ifdef POSTHORN_SANITIZED
    if (!e)
        e = rights_add(ctx, SCMP_ACT_ALLOW, calls_sanitizer, ARRAY_LEN(calls_sanitizer));
#endif
    if (!e)
        e = rights_add(ctx, SCMP_ACT_KILL_PROCESS, calls_deadly, ARRAY_LEN(calls_deadly));
    if (!e)
        e = rights_add(ctx, SCMP_ACT_ERRNO(ENOSYS), calls_absent, ARRAY_LEN(calls_absent));
    if (!e)
        e = rights_add_with_arguments(ctx, r);
    return e ? ERR_BUG : OK;
}

/* The filter's program, read back from where libseccomp writes it. */
static enum err rights_export(scmp_filter_ctx ctx, struct rights_filter *out)
{
    struct stat st;
    int fd CLEANUP(fd_done) = memfd_create("filter", MFD_CLOEXEC);
    void *p;
    if (fd < 0 || seccomp_export_bpf(ctx, fd) != 0 || fstat(fd, &st) < 0)
        return ERR_UNSUPPORTED;
    p = malloc((size_t)st.st_size);
    must(p);
    if (pread(fd, p, (size_t)st.st_size, 0) != st.st_size) {
        free(p);
        return ERR_IO;
    }
    out->program = p;
    out->n = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
    return OK;
}

enum err rights_prepare(const struct rights *r, struct rights_filter *out)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    enum err e;
    if (!ctx)
        return ERR_UNSUPPORTED;
    IGNORE_RESULT(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2),
                  "binary search of the calls: only speed");
    e = rights_build(ctx, r);
    if (!e)
        e = rights_export(ctx, out);
    seccomp_release(ctx);
    return e;
}

void rights_begin(void)
{
    struct rlimit none = {0, 0};
    must(setrlimit(RLIMIT_CORE, &none) == 0);
#ifndef POSTHORN_SANITIZED
    must(prctl(PR_SET_DUMPABLE, 0) == 0);
#endif
    (void)umask(077); /* gives the old mask, which nobody needs */
}

static void rights_limits(const struct rights *r)
{
    struct rlimit l;
    must(getrlimit(RLIMIT_NOFILE, &l) == 0);
    if (r->fds_max < l.rlim_max)
        l.rlim_max = r->fds_max;
    l.rlim_cur = l.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &l) == 0);
#ifndef POSTHORN_SANITIZED
    if (r->memory_max_mb) {
        must(getrlimit(RLIMIT_DATA, &l) == 0);
        if (r->memory_max_mb << 20 < l.rlim_max) /* never up: a child stays below what its mother has */
            l.rlim_max = r->memory_max_mb << 20;
        l.rlim_cur = l.rlim_max;
        must(setrlimit(RLIMIT_DATA, &l) == 0);
    }
#endif
}

/* Debian 12's header ends at ABI 2; these are the kernel's numbers of the later ones. */
#define LL_FS_REFER        (1ull << 13) /* ABI 2 */
#define LL_FS_TRUNCATE     (1ull << 14) /* ABI 3 */
#define LL_FS_IOCTL        (1ull << 15) /* ABI 5 */
#define LL_NET_BIND_TCP    (1ull << 0)  /* ABI 4 */
#define LL_NET_CONNECT_TCP (1ull << 1)
#define LL_SCOPE_ABSTRACT  (1ull << 0) /* ABI 6 */
#define LL_SCOPE_SIGNAL    (1ull << 1)

struct landlock_attr {
    uint64_t fs, net, scoped;
};

static enum err rights_landlock(const struct rights *r, int folder_fd, const char **out_weak)
{
    struct landlock_attr attr = {0};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int rules CLEANUP(fd_done) = -1;
    if (abi < 1) {
        *out_weak = "this kernel has no Landlock: files are guarded by seccomp and ownership only";
        return OK;
    }
    attr.fs = (1ull << 13) - 1;
    attr.fs |= abi >= 2 ? LL_FS_REFER : 0;
    attr.fs |= abi >= 3 ? LL_FS_TRUNCATE : 0;
    attr.fs |= abi >= 5 ? LL_FS_IOCTL : 0;
    if (abi >= 4)
        attr.net = LL_NET_BIND_TCP | (r->calls & RIGHTS_CONNECT ? 0 : LL_NET_CONNECT_TCP);
    if (abi >= 6)
        attr.scoped = LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL;
    rules = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (rules < 0)
        return ERR_UNSUPPORTED;
    if (r->folder) {
        struct landlock_path_beneath_attr below = {
            .allowed_access = attr.fs & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                         LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                         LANDLOCK_ACCESS_FS_REMOVE_DIR | LL_FS_TRUNCATE),
            .parent_fd = folder_fd,
        };
        if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
            return ERR_UNSUPPORTED;
    }
    if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        return ERR_UNSUPPORTED;
    return OK;
}

enum err rights_enter(const struct rights *r, int folder_fd, const struct rights_filter *filter,
                      const char **out_weak)
{
    struct rights_filter built = {0};
    struct sock_fprog program;
    const char *weak = "";
    enum err e = OK;
    if (!filter) {
        e = rights_prepare(r, &built);
        filter = &built;
    }
    if (e)
        return e;
    rights_limits(r);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        e = ERR_UNSUPPORTED;
    if (!e)
        e = rights_landlock(r, folder_fd, &weak);
    program = (struct sock_fprog){filter->n, filter->program};
    if (!e && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        e = ERR_UNSUPPORTED;
    free(built.program);
    if (!e && out_weak)
        *out_weak = weak;
    return e;
}
