/* replay: runs every file of the folders (or the files) named on the command line through a fuzz target, each
 * input lying against an unreadable page. */
#include "base/check.h"
#include "base/slice.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

static void replay_file(const char *path)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n, room, got = 0;
    struct stat st;
    uint8_t *p;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && fstat(fd, &st) == 0);
    n = (size_t)st.st_size;
    room = (n + page - 1) / page * page;
    p = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(p != MAP_FAILED && mprotect(p + room, page, PROT_NONE) == 0);
    while (got < n) {
        ssize_t r = read(fd, p + room - n + got, n - got);
        must(r > 0);
        got += (size_t)r;
    }
    (void)close(fd); /* read only */
    (void)LLVMFuzzerTestOneInput(p + room - n, n);
    must(munmap(p, room + page) == 0);
    replayed++;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        struct dirent *e;
        if (!d) {
            replay_file(argv[i]);
            continue;
        }
        while ((e = readdir(d))) {
            char path[4096];
            if (e->d_name[0] == '.')
                continue;
            (void)snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            replay_file(path);
        }
        (void)closedir(d);
    }
    printf("%zu inputs replayed\n", replayed);
    return replayed == 0; /* a target without a corpus is a mistake */
}
