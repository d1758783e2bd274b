#include "lib/test.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t guard_bytes(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (n + page - 1) / page * page;
}

slice guard_copy(slice s)
{
    size_t room = guard_bytes(s.n), page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(p != MAP_FAILED);
    must(mprotect(p + room, page, PROT_NONE) == 0);
    if (s.n)
        memcpy(p + room - s.n, s.p, s.n);
    return (slice){p + room - s.n, s.n};
}

void guard_free(slice s)
{
    size_t room = guard_bytes(s.n), page = (size_t)sysconf(_SC_PAGESIZE);
    must(munmap((void *)(uintptr_t)(s.p + s.n - room), room + page) == 0);
}

void assert_slice_at(slice got, slice want, const char *file, int line)
{
    if (slice_eq(got, want))
        return;
    print_error("got  (%zu) \"%.*s\"\nwant (%zu) \"%.*s\"\n", got.n, SLICE_FMT(got), want.n, SLICE_FMT(want));
    _fail(file, line);
}
