#include "proc/keys/dkim_file.h"

#include "base/secret.h"
#include "crypto/digest.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_FIRST "posthorn-dkim-key 1"
#define FILE_CHECK "check "

static const char *const file_algorithms[] = {[DKIM_KEY_RSA] = "rsa", [DKIM_KEY_ED25519] = "ed25519"};
static const char *const file_states[] = {
    [DKIM_KEY_WAITING] = "waiting", [DKIM_KEY_SIGNING] = "signing", [DKIM_KEY_RESTING] = "resting"};

const char *dkim_algorithm_name(unsigned algorithm)
{
    return algorithm < ARRAY_LEN(file_algorithms) ? file_algorithms[algorithm] : NULL;
}

const char *dkim_state_name(unsigned state)
{
    return state < ARRAY_LEN(file_states) ? file_states[state] : NULL;
}

static unsigned file_word(slice word, const char *const *words, size_t n)
{
    for (unsigned i = 1; i < n; i++)
        if (slice_eq(word, slice_str(words[i])))
            return i;
    return 0;
}

void dkim_text_done(struct dkim_text *t)
{
    if (t->p)
        secret_wipe(t->p, DKIM_FILE_MAX);
    free(t->p);
    *t = (struct dkim_text){0};
}

static enum err file_room(struct dkim_text *t)
{
    t->p = calloc(1, DKIM_FILE_MAX);
    must(t->p);
    t->n = 0;
    return OK;
}

/* ---- text */

static void file_check(slice text, char out[2 * DIGEST_SHA256_SIZE + 1])
{
    uint8_t d[DIGEST_SHA256_SIZE];
    digest_sha256(text, d);
    for (size_t i = 0; i < sizeof d; i++)
        snprintf(out + 2 * i, 3, "%02x", d[i]);
}

/* No fact of this file has a space or a control octet in it, so none is taken: what was read prints back. */
static bool file_fact(struct cursor *c, const char *name, slice *out)
{
    slice line, word;
    if (!cursor_line(c, &line))
        return false;
    (void)slice_split(line, ' ', &word, out);
    for (size_t i = 0; i < out->n; i++)
        if (out->p[i] <= ' ' || out->p[i] > '~')
            return false;
    return slice_eq(word, slice_str(name)) && out->n > 0;
}

static bool file_time(struct cursor *c, const char *name, int64_t *out)
{
    slice text;
    uint64_t v;
    if (!file_fact(c, name, &text) || !slice_u64(text, &v) || v > INT64_MAX)
        return false;
    *out = (int64_t)v;
    return true;
}

enum err dkim_file_parse(slice text, struct dkim_file *out, struct err_detail *detail)
{
    char check[2 * DIGEST_SHA256_SIZE + 1];
    struct dkim_file f;
    struct cursor c;
    slice line, word;
    size_t end = slice_find(text, SLICE("\n" FILE_CHECK));
    if (end == text.n) {
        err_detail_set(detail, "it has no end");
        return ERR_CORRUPT;
    }
    end++;
    file_check(slice_sub(text, 0, end), check);
    if (!slice_eq(slice_trim(slice_from(text, end + sizeof FILE_CHECK - 1)), slice_str(check))) {
        err_detail_set(detail, "its check does not fit: bytes of it changed");
        return ERR_CORRUPT;
    }
    c = cursor_of(slice_sub(text, 0, end));
    if (!cursor_line(&c, &line) || !slice_eq(line, SLICE(FILE_FIRST))) {
        err_detail_set(detail, "it does not begin with " FILE_FIRST);
        return ERR_CORRUPT;
    }
    err_detail_set(detail, "a line is missing or wrong");
    if (!file_fact(&c, "domain", &f.domain) || !file_fact(&c, "selector", &f.selector) ||
        !file_fact(&c, "algorithm", &word))
        return ERR_CORRUPT;
    f.algorithm = file_word(word, file_algorithms, ARRAY_LEN(file_algorithms));
    if (!file_fact(&c, "state", &word))
        return ERR_CORRUPT;
    f.state = file_word(word, file_states, ARRAY_LEN(file_states));
    if (!f.algorithm || !f.state || !file_time(&c, "made", &f.made_at) ||
        !file_time(&c, "since", &f.state_at) || !file_fact(&c, "public", &f.public))
        return ERR_CORRUPT;
    f.pem = c.rest;
    err_detail_set(detail, "%s", "");
    *out = f;
    return OK;
}

enum err dkim_file_print(const struct dkim_file *f, struct dkim_text *out)
{
    struct dkim_text t CLEANUP(dkim_text_done) = {0};
    char check[2 * DIGEST_SHA256_SIZE + 1];
    enum err e = file_room(&t);
    size_t n;
    int r;
    if (e != OK)
        return e;
    must(dkim_algorithm_name(f->algorithm) && dkim_state_name(f->state));
    r = snprintf((char *)t.p, DKIM_FILE_MAX,
                 FILE_FIRST "\ndomain %.*s\nselector %.*s\nalgorithm %s\nstate %s\nmade %" PRId64
                            "\nsince %" PRId64 "\npublic %.*s\n",
                 SLICE_FMT(f->domain), SLICE_FMT(f->selector), dkim_algorithm_name(f->algorithm),
                 dkim_state_name(f->state), f->made_at, f->state_at, SLICE_FMT(f->public));
    must(r > 0);
    n = (size_t)r;
    if (n + f->pem.n + sizeof check + 16 > DKIM_FILE_MAX)
        return ERR_LIMIT;
    if (f->pem.n)
        memcpy(t.p + n, f->pem.p, f->pem.n);
    n += f->pem.n;
    if (n && t.p[n - 1] != '\n')
        t.p[n++] = '\n';
    file_check(slice_of(t.p, n), check);
    r = snprintf((char *)t.p + n, DKIM_FILE_MAX - n, FILE_CHECK "%s\n", check);
    must(r > 0);
    t.n = n + (size_t)r;
    *out = t;
    t.p = NULL;
    return OK;
}

/* ---- the disk */

enum err dkim_file_load(int folder, const char *name, struct dkim_text *out)
{
    struct dkim_text t CLEANUP(dkim_text_done) = {0};
    int fd CLEANUP(fd_done) = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    enum err e;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_from_errno(errno);
    if (!S_ISREG(st.st_mode))
        return ERR_IO;
    if (st.st_mode & 077) /* put back from a backup with other rights */
        IGNORE_RESULT(fchmod(fd, 0600), "it may be another user's; the folder lets nobody else in anyway");
    e = file_room(&t);
    while (e == OK && t.n < DKIM_FILE_MAX) {
        ssize_t r = read(fd, t.p + t.n, DKIM_FILE_MAX - t.n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_from_errno(errno);
        if (r == 0)
            break;
        t.n += (size_t)r;
    }
    if (t.n == DKIM_FILE_MAX)
        return ERR_CORRUPT;
    *out = t;
    t.p = NULL;
    return OK;
}

enum err dkim_file_save(int folder, const char *name, slice text, bool fresh)
{
    char temporary[DKIM_ID_MAX + 8];
    int fd CLEANUP(fd_done) = -1;
    enum err e;
    must(strlen(name) <= DKIM_ID_MAX);
    if (fresh && faccessat(folder, name, F_OK, 0) == 0)
        return ERR_EXISTS;
    snprintf(temporary, sizeof temporary, ".%s.new", name);
    if (unlinkat(folder, temporary, 0) < 0 && errno != ENOENT)
        return err_from_errno(errno);
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    e = fd_write_all(fd, text);
    if (e == OK && fsync(fd) < 0)
        e = err_from_errno(errno);
    if (e == OK && renameat(folder, temporary, folder, name) < 0)
        e = err_from_errno(errno);
    if (e != OK) {
        IGNORE_RESULT(unlinkat(folder, temporary, 0), "the next start removes it");
        return e;
    }
    return fsync(folder) < 0 ? err_from_errno(errno) : OK;
}

enum err dkim_file_remove(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) < 0)
        return err_from_errno(errno);
    return fsync(folder) < 0 ? err_from_errno(errno) : OK;
}
