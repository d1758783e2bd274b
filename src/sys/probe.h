/* probe: what an intruder would try, for test/jail. Compiled in only with -Dprobe=true, never in a release.
 */
#ifndef POSTHORN_SYS_PROBE_H
#define POSTHORN_SYS_PROBE_H

#include <stddef.h>
#include <stdint.h>

enum probe_what {
    PROBE_OPEN_PASSWD = 1, /* open("/etc/passwd") */
    PROBE_OPEN_OTHER,      /* openat(fds[0], "..") and a file of another account there */
    PROBE_CONNECT,         /* TCP to 127.0.0.1:1 from a new socket */
    PROBE_BIND,            /* TCP bind to port 0 */
    PROBE_EXEC,            /* execve("/bin/true") */
    PROBE_FORK,
    PROBE_PTRACE, /* ptrace(ATTACH) of the parent */
    PROBE_KILL,   /* SIGKILL to the parent */
    PROBE_WRITE_TMP,
    PROBE_MEMORY_EXEC, /* mmap of executable memory */
    PROBE_UNIX_CONNECT,
    PROBE__END
};

/* What the call returned when it was not stopped (>= 0), or minus errno. Some end the process. */
int64_t probe_try(uint32_t what, const int *fds, size_t n_fds);

#endif
