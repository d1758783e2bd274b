/* conf_file: reading the configuration and looking at the files it names. */
#include "conf/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static void free_bytes(uint8_t **p)
{
    free(*p);
}

static enum err conf_file_unreadable(const char *path, int error, struct conf_problems *problems)
{
    conf_problem_add(problems, 0, error == ENOENT ? "give its place with --config FILE" : NULL,
                     "%s cannot be read: %s", path, strerror(error));
    return err_from_errno(error);
}

enum err conf_file_load(const char *path, struct conf *out, struct conf_problems *out_problems)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    CLEANUP(free_bytes) uint8_t *text = malloc(CONF_TEXT_MAX + 1);
    char folder[CONF_PATH_MAX], *absolute;
    slice dir;
    size_t n = 0;

    memset(out, 0, sizeof *out);
    out_problems->n = out_problems->more = 0;
    must(text);
    if (fd < 0)
        return conf_file_unreadable(path, errno, out_problems);
    while (n <= CONF_TEXT_MAX) {
        ssize_t got = read(fd, text + n, CONF_TEXT_MAX + 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return conf_file_unreadable(path, errno, out_problems);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    absolute = realpath(path, NULL);
    snprintf(folder, sizeof folder, "%s", absolute ? absolute : path);
    free(absolute);
    dir = slice_str(dirname(folder));
    return conf_parse(slice_of(text, n), dir, out, out_problems) ? OK : ERR_CONFIG;
}

static void conf_file_readable(struct conf_problems *problems, unsigned line, const char *what,
                               const char *path)
{
    CLEANUP(close_fd) int fd = -1;
    struct stat st;
    if (path[0] == 0)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        conf_problem_add(problems, line, "check the path and who may read it", "the %s %s cannot be read: %s",
                         what, path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || st.st_size == 0)
        conf_problem_add(problems, line, "name a file with its text", "the %s %s is %s", what, path,
                         S_ISREG(st.st_mode) ? "empty" : "not a plain file");
}

void conf_file_check(const struct conf *c, struct conf_problems *problems)
{
    struct stat st;
    conf_file_readable(problems, c->tls_line, "certificate", c->tls_cert);
    conf_file_readable(problems, c->tls_line, "private key", c->tls_key);
    conf_file_readable(problems, c->dns_update_line, "key for DNS updates", c->dns_update_key);
    conf_file_readable(problems, c->trust_anchor_line, "trust anchor", c->trust_anchor);
    if (c->data[0] && stat(c->data, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            conf_problem_add(problems, c->data_line, "name a folder", "%s is not a folder", c->data);
    } else if (c->data[0]) {
        char parent[CONF_PATH_MAX];
        const char *dir;
        snprintf(parent, sizeof parent, "%s", c->data);
        dir = dirname(parent);
        if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
            conf_problem_add(problems, c->data_line, "make the folder above it, or correct the path",
                             "the data folder %s cannot be made: there is no folder %s", c->data, dir);
    }
}
