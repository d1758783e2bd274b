/* The keys that sign mail: kept in files that survive a stop at any moment, read when they are needed, only
 * good for their own domain and state; a damaged file costs one key (THREATS 50, 53). */
#include "lib/test.h"

#include "crypto/public_key.h"
#include "proc/keys/dkim_maker.h"
#include "proc/keys/dkim_store.h"
#include "text/base64.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAY 86400000

/* ---- a machine that stops: every call of dkim_file that changes the disk is counted (linker: --wrap), and
 * the k-th one ends the process before it is done; or fails with an error */

static int stop_at, fail_at, calls;

static bool stops(void)
{
    calls++;
    if (calls == stop_at)
        _exit(42);
    return calls == fail_at;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return stops() ? (errno = EIO, -1) : __real_fsync(fd);
}
int __real_renameat(int a, const char *from, int b, const char *to);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __wrap_renameat(int a, const char *from, int b, const char *to)
{
    return stops() ? (errno = EIO, -1) : __real_renameat(a, from, b, to);
}
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags)
{
    return stops() ? (errno = EIO, -1) : __real_unlinkat(fd, name, flags);
}
enum err __real_fd_write_all(int fd, slice s);
enum err __wrap_fd_write_all(int fd, slice s);
enum err __wrap_fd_write_all(int fd, slice s)
{
    if (!stops())
        return __real_fd_write_all(fd, s);
    IGNORE_RESULT(write(fd, s.p, s.n / 2), "half of it reached the disk");
    return ERR_DISK_FULL;
}

/* ---- */

struct fixture {
    char folder[64];
    struct dkim_store *s;
    char trouble[600];
    unsigned troubles;
};

static struct {
    struct buf pem, public;
} kept[3]; /* by algorithm: made once, RSA takes its time */

static void trouble(void *arg, const char *text)
{
    struct fixture *f = arg;
    f->troubles++;
    snprintf(f->trouble, sizeof f->trouble, "%s", text);
}

static void open_it(struct fixture *f)
{
    int fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    dkim_store_close(&f->s);
    f->troubles = 0;
    assert_int_equal(dkim_store_open(fd, trouble, f, &f->s), OK);
}

static int begin(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    stop_at = fail_at = calls = 0;
    snprintf(f.folder, sizeof f.folder, "/tmp/posthorn-dkim-XXXXXX");
    if (!mkdtemp(f.folder))
        return -1;
    open_it(&f);
    *state = &f;
    return 0;
}

static size_t files(const struct fixture *f, bool remove)
{
    DIR *d = opendir(f->folder);
    char path[400];
    size_t n = 0;
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        n++;
        snprintf(path, sizeof path, "%s/%s", f->folder, e->d_name);
        if (remove)
            unlink(path);
    }
    closedir(d);
    return n;
}

static int end(void **state)
{
    struct fixture *f = *state;
    dkim_store_close(&f->s);
    files(f, true);
    return rmdir(f->folder);
}

static void add(struct fixture *f, const char *domain, const char *selector, enum dkim_key_algorithm a)
{
    struct err_detail d = {""};
    if (dkim_store_add(f->s, slice_str(domain), slice_str(selector), a, buf_view(&kept[a].public),
                       buf_view(&kept[a].pem), 1000, &d) != OK)
        fail_msg("%s", d.text);
}

static void set(struct fixture *f, const char *id, enum dkim_key_state state, time_ms now)
{
    struct err_detail d = {""};
    if (dkim_store_set(f->s, slice_str(id), state, now, &d) != OK)
        fail_msg("%s", d.text);
}

static enum err sign(struct fixture *f, const char *domain, const char *selector, time_ms now,
                     struct buf *out)
{
    static const uint8_t digest[32] = {1, 2, 3};
    buf_clear(out);
    return dkim_store_sign(f->s, slice_str(domain), slice_str(selector), slice_of(digest, 32), now, 0, out);
}

/* "id:algorithm:state ..." */
static void shows(struct fixture *f, const char *want)
{
    struct buf b CLEANUP(buf_done) = {.max = 4096};
    struct doctor_key row = {0};
    while (dkim_store_next(f->s, row.id, &row) == OK) {
        const char *state = dkim_state_name(row.state);
        buf_print(&b, "%.*s:%s ", SLICE_FMT(row.id), row.err ? err_name(err_from_wire(row.err)) : state);
        if (!row.err)
            assert_true(slice_starts(row.record, row.algorithm == DKIM_KEY_RSA
                                                     ? SLICE("v=DKIM1; k=rsa; p=MII")
                                                     : SLICE("v=DKIM1; k=ed25519; p=")));
    }
    assert_slice(buf_view(&b), want);
}

/* A signature that the key's own record verifies. */
static void verifies(slice record, slice signature)
{
    static const uint8_t digest[32] = {1, 2, 3};
    struct buf raw CLEANUP(buf_done) = {.max = 1024};
    struct public_key *k = NULL;
    bool rsa = slice_find(record, SLICE("k=rsa")) < record.n;
    assert_int_equal(base64_decode(slice_from(record, slice_find(record, SLICE("p=")) + 2), &raw), OK);
    assert_int_equal(rsa ? public_key_rsa(buf_view(&raw), &k) : public_key_ed25519(buf_view(&raw), &k), OK);
    assert_true(public_key_verify(k, digest, signature));
    public_key_free(&k);
}

static void a_life(void **state)
{
    struct fixture *f = *state;
    struct buf out CLEANUP(buf_done) = {.max = 512};
    struct dkim_signer s[DKIM_SIGNERS_MAX];
    struct doctor_key row;
    add(f, "example.org", "a", DKIM_KEY_RSA);
    add(f, "example.org", "b", DKIM_KEY_ED25519);
    shows(f, "example.org,a:waiting example.org,b:waiting ");
    assert_int_equal(dkim_store_signers(f->s, SLICE("example.org"), s), 0);
    assert_int_equal(sign(f, "example.org", "a", 5, &out), ERR_STATE);
    set(f, "example.org,a", DKIM_KEY_SIGNING, 2000);
    set(f, "example.org,b", DKIM_KEY_SIGNING, 2000);
    assert_int_equal(dkim_store_signers(f->s, SLICE("example.org"), s), 2);
    assert_slice(s[0].selector, "a");
    assert_slice(s[1].selector, "b");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(sign(f, "example.org", "a", 2001, &out), OK);
        assert_int_equal(out.n, 256);
        assert_int_equal(dkim_store_next(f->s, SLICE(""), &row), OK);
        if (again)
            verifies(row.record, buf_view(&out));
        assert_int_equal(sign(f, "example.org", "b", 2001, &out), OK);
        assert_int_equal(out.n, 64);
        assert_int_equal(dkim_store_next(f->s, SLICE("example.org,a"), &row), OK);
        if (again)
            verifies(row.record, buf_view(&out));
        open_it(f); /* a restart forgets nothing */
        shows(f, "example.org,a:signing example.org,b:signing ");
    }
    /* a successor takes over; mail that was under way is still signed */
    add(f, "example.org", "c", DKIM_KEY_RSA);
    set(f, "example.org,c", DKIM_KEY_SIGNING, DAY);
    assert_int_equal(dkim_store_signers(f->s, SLICE("example.org"), s), 2);
    assert_slice(s[0].selector, "c");
    set(f, "example.org,a", DKIM_KEY_RESTING, DAY);
    assert_int_equal(sign(f, "example.org", "a", DAY + 5, &out), OK);
    assert_int_equal(sign(f, "example.org", "a", DAY + DKIM_REST_GRACE_MS, &out), ERR_STATE);
    assert_int_equal(sign(f, "example.org", "a", DAY - 1, &out), ERR_STATE);
    assert_int_equal(dkim_store_remove(f->s, SLICE("example.org,a")), OK);
    assert_int_equal(dkim_store_remove(f->s, SLICE("example.org,a")), ERR_NOT_FOUND);
    assert_int_equal(sign(f, "example.org", "a", DAY + 5, &out), ERR_NOT_FOUND);
    shows(f, "example.org,b:signing example.org,c:signing ");
}

/* Times that a wrong clock wrote are written anew; others stay. */
static void stamped_anew(void **state)
{
    struct fixture *f = *state;
    struct doctor_key row;
    add(f, "example.org", "a", DKIM_KEY_ED25519);
    set(f, "example.org,a", DKIM_KEY_SIGNING, 900000);
    set(f, "example.org,a", DKIM_KEY_SIGNING, 950000);
    assert_int_equal(dkim_store_next(f->s, SLICE(""), &row), OK);
    assert_int_equal(row.state_at, 900000);
    set(f, "example.org,a", DKIM_KEY_SIGNING, 500);
    assert_int_equal(dkim_store_next(f->s, SLICE(""), &row), OK);
    assert_int_equal(row.state_at, 500);
    assert_int_equal(row.made_at, 500);
    set(f, "example.org,a", DKIM_KEY_RESTING, 700);
    set(f, "example.org,a", DKIM_KEY_RESTING, 800); /* a rest can begin anew */
    assert_int_equal(dkim_store_next(f->s, SLICE(""), &row), OK);
    assert_int_equal(row.state_at, 800);
    assert_int_equal(row.made_at, 500);
}

static void only_its_own(void **state)
{
    struct fixture *f = *state;
    struct buf out CLEANUP(buf_done) = {.max = 512};
    struct dkim_signer s[DKIM_SIGNERS_MAX];
    struct err_detail d;
    add(f, "example.org", "a", DKIM_KEY_ED25519);
    add(f, "sub.example.org", "a", DKIM_KEY_ED25519);
    add(f, "example.org-x.net", "a", DKIM_KEY_ED25519);
    set(f, "example.org,a", DKIM_KEY_SIGNING, 5);
    assert_int_equal(dkim_store_signers(f->s, SLICE("sub.example.org"), s), 0);
    assert_int_equal(dkim_store_signers(f->s, SLICE("example"), s), 0);
    assert_int_equal(dkim_store_signers(f->s, SLICE(""), s), 0);
    assert_int_equal(dkim_store_signers(f->s, SLICE("example.org"), s), 1);
    assert_int_equal(sign(f, "sub.example.org", "a", 5, &out), ERR_STATE);
    assert_int_equal(sign(f, "Example.org", "a", 5, &out), ERR_NOT_FOUND);
    assert_int_equal(sign(f, "example.org,a", "a", 5, &out), ERR_NOT_FOUND);
    assert_int_equal(
        dkim_store_sign(f->s, SLICE("example.org"), SLICE("a"), SLICE("twenty octets of SHA1"), 5, 0, &out),
        ERR_SYNTAX);
    assert_int_equal(dkim_store_set(f->s, SLICE("example.org,a"), DKIM_KEY_WAITING, 6, &d), ERR_STATE);
    assert_int_equal(dkim_store_set(f->s, SLICE("example.org,z"), DKIM_KEY_SIGNING, 6, &d), ERR_NOT_FOUND);
}

static void names(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[][2] = {{"example.org", ""},
                                         {"", "a"},
                                         {"example.org", "a/b"},
                                         {"..", "a"},
                                         {"Example.org", "a"},
                                         {"example.org", "A"},
                                         {"example.org", "a\nb"},
                                         {"example.org", "a,b"},
                                         {"a,b", "c"},
                                         {"../../etc/passwd", "a"}};
    struct err_detail d;
    char domain[300];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(dkim_store_may_add(f->s, slice_str(bad[i][0]), slice_str(bad[i][1]), &d),
                         ERR_SYNTAX);
    memset(domain, 'a', sizeof domain);
    for (size_t i = 50; i < sizeof domain; i += 50)
        domain[i] = '.';
    assert_int_equal(dkim_store_may_add(f->s, slice_of(domain, 240), SLICE("a"), &d), ERR_LIMIT);
    assert_int_equal(dkim_store_may_add(f->s, slice_of(domain, 238), SLICE("a"), &d), OK);
    add(f, "example.org", "a", DKIM_KEY_ED25519);
    assert_int_equal(dkim_store_may_add(f->s, SLICE("example.org"), SLICE("a"), &d), ERR_EXISTS);
}

static void damage(struct fixture *f, const char *name, const char *how)
{
    char path[400], bytes[DKIM_FILE_MAX];
    FILE *o;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    o = fopen(path, "r");
    assert_non_null(o);
    n = fread(bytes, 1, sizeof bytes, o);
    fclose(o);
    o = fopen(path, "w");
    assert_non_null(o);
    if (strcmp(how, "cut") == 0)
        n /= 2;
    else if (strcmp(how, "flip") == 0)
        bytes[n / 2] ^= 1;
    else if (strcmp(how, "empty") == 0)
        n = 0;
    else if (strcmp(how, "long") == 0)
        memset(bytes, 'x', n = sizeof bytes);
    assert_int_equal(fwrite(bytes, 1, n, o), n);
    fclose(o);
}

static void a_damaged_file_costs_one_key(void **state)
{
    static const char *const ways[] = {"cut", "flip", "empty", "long"};
    struct fixture *f = *state;
    struct buf out CLEANUP(buf_done) = {.max = 512};
    struct dkim_signer s[DKIM_SIGNERS_MAX];
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        files(f, true);
        open_it(f);
        add(f, "example.org", "a", DKIM_KEY_ED25519);
        add(f, "example.org", "b", DKIM_KEY_RSA);
        set(f, "example.org,a", DKIM_KEY_SIGNING, 5);
        set(f, "example.org,b", DKIM_KEY_SIGNING, 5);
        damage(f, "example.org,a", ways[i]);
        open_it(f);
        assert_int_equal(f->troubles, 0);
        assert_int_equal(dkim_store_signers(f->s, SLICE("example.org"), s), 1);
        assert_slice(s[0].selector, "b");
        assert_int_equal(sign(f, "example.org", "a", 5, &out), ERR_CORRUPT);
        assert_int_equal(sign(f, "example.org", "b", 5, &out), OK);
        shows(f, "example.org,a:corrupt example.org,b:signing ");
        assert_int_equal(f->troubles, 1); /* told once */
        assert_non_null(strstr(f->trouble, "keys/dkim/example.org,a cannot be used"));
    }
    /* another key's file under this name */
    files(f, true);
    open_it(f);
    add(f, "example.org", "a", DKIM_KEY_ED25519);
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/example.org,a", f->folder);
    snprintf(to, sizeof to, "%s/example.net,a", f->folder);
    assert_int_equal(rename(from, to), 0);
    open_it(f);
    shows(f, "example.net,a:corrupt ");
    /* put back: it counts again */
    assert_int_equal(rename(to, from), 0);
    open_it(f);
    shows(f, "example.org,a:waiting ");
}

/* A link, a folder, a pipe under a key's name cost that key, and no other waits behind them. Rights that
 * others have in a file are taken away. */
static void no_plain_file_costs_one_key(void **state)
{
    struct fixture *f = *state;
    struct buf out CLEANUP(buf_done) = {.max = 512};
    struct dkim_signer s[DKIM_SIGNERS_MAX];
    char path[400], to[400];
    struct stat st;
    for (int i = 0; i < 3; i++) {
        files(f, true);
        open_it(f);
        add(f, "example.org", "a", DKIM_KEY_ED25519);
        add(f, "example.org", "b", DKIM_KEY_ED25519);
        set(f, "example.org,a", DKIM_KEY_SIGNING, 5);
        set(f, "example.org,b", DKIM_KEY_SIGNING, 4);
        snprintf(path, sizeof path, "%s/example.org,a", f->folder);
        snprintf(to, sizeof to, "%s/elsewhere", f->folder);
        assert_int_equal(rename(path, to), 0);
        if (i == 0)
            assert_int_equal(symlink("elsewhere", path), 0);
        else
            assert_int_equal(i == 1 ? mkdir(path, 0700) : mkfifo(path, 0600), 0);
        snprintf(to, sizeof to, "%s/example.org,b", f->folder);
        assert_int_equal(chmod(to, 0644), 0);
        open_it(f);
        shows(f, "example.org,a:corrupt example.org,b:signing ");
        shows(f, "example.org,a:corrupt example.org,b:signing ");
        assert_int_equal(f->troubles, 2); /* with that of the strange name */
        assert_non_null(
            strstr(f->trouble, "example.org,a cannot be used: it cannot be read, or is no plain file"));
        assert_int_equal(dkim_store_signers(f->s, SLICE("example.org"), s), 1);
        assert_slice(s[0].selector, "b");
        assert_int_equal(sign(f, "example.org", "b", 6, &out), OK);
        assert_int_equal(sign(f, "example.org", "a", 6, &out), ERR_CORRUPT);
        assert_int_equal(stat(to, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        if (i == 1)
            assert_int_equal(rmdir(path), 0);
    }
}

static void halves_that_do_not_fit(void **state)
{
    struct fixture *f = *state;
    struct buf out CLEANUP(buf_done) = {.max = 512};
    struct err_detail d;
    assert_int_equal(dkim_store_add(f->s, SLICE("example.org"), SLICE("a"), DKIM_KEY_ED25519,
                                    SLICE("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                                    buf_view(&kept[DKIM_KEY_ED25519].pem), 5, &d),
                     OK);
    set(f, "example.org,a", DKIM_KEY_SIGNING, 6);
    assert_int_equal(sign(f, "example.org", "a", 7, &out), ERR_CORRUPT);
    assert_non_null(strstr(f->trouble, "halves"));
    assert_int_equal(dkim_store_loaded(f->s), 0);
}

static void strange_files_are_left_alone(void **state)
{
    struct fixture *f = *state;
    char path[128];
    FILE *o;
    snprintf(path, sizeof path, "%s/README", f->folder);
    o = fopen(path, "w");
    assert_non_null(o);
    fclose(o);
    open_it(f);
    assert_int_equal(f->troubles, 1);
    assert_int_equal(dkim_store_count(f->s), 0);
    assert_int_equal(access(path, F_OK), 0);
}

/* Stops at every step of adding, changing and removing: there is the state before or the state after. */
static void stopped_at_any_moment(void **state)
{
    struct fixture *f = *state;
    static const char *const before[] = {"example.org,a:waiting ", "example.org,a:waiting ",
                                         "example.org,a:waiting "};
    static const char *const after[] = {"example.org,a:waiting example.org,b:waiting ",
                                        "example.org,a:signing ", ""};
    for (int what = 0; what < 3; what++) {
        bool saw_before = false, saw_after = false;
        for (int k = 1;; k++) {
            struct buf b CLEANUP(buf_done) = {.max = 4096};
            struct doctor_key row = {0};
            int status;
            pid_t pid;
            files(f, true);
            open_it(f);
            add(f, "example.org", "a", DKIM_KEY_ED25519);
            fflush(NULL);
            pid = fork();
            if (pid == 0) {
                struct err_detail d;
                calls = 0;
                stop_at = k;
                enum err e =
                    what == 0   ? dkim_store_add(f->s, SLICE("example.org"), SLICE("b"), DKIM_KEY_ED25519,
                                                 buf_view(&kept[2].public), buf_view(&kept[2].pem), 9, &d)
                    : what == 1 ? dkim_store_set(f->s, SLICE("example.org,a"), DKIM_KEY_SIGNING, 9, &d)
                                : dkim_store_remove(f->s, SLICE("example.org,a"));
                _exit(e == OK ? 0 : 1);
            }
            assert_int_equal(waitpid(pid, &status, 0), pid);
            assert_true(WIFEXITED(status));
            open_it(f);
            while (dkim_store_next(f->s, row.id, &row) == OK)
                buf_print(&b, "%.*s:%s ", SLICE_FMT(row.id), row.err ? "bad" : dkim_state_name(row.state));
            assert_int_equal(f->troubles, 0);
            if (slice_eq(buf_view(&b), slice_str(before[what])))
                saw_before = true;
            else {
                assert_slice(buf_view(&b), after[what]);
                saw_after = true;
            }
            assert_int_equal(files(f, false), dkim_store_count(f->s)); /* nothing is left lying about */
            if (WEXITSTATUS(status) == 0) {
                assert_slice(buf_view(&b), after[what]);
                break;
            }
            assert_int_equal(WEXITSTATUS(status), 42);
            assert_true(k < 20);
        }
        assert_true(saw_before && saw_after);
    }
}

/* The same with a disk that refuses: the error comes out, what was stays or the change is whole. */
static void refused_at_any_moment(void **state)
{
    struct fixture *f = *state;
    struct buf out CLEANUP(buf_done) = {.max = 512};
    for (int k = 1;; k++) {
        struct err_detail d;
        files(f, true);
        open_it(f);
        add(f, "example.org", "a", DKIM_KEY_ED25519);
        calls = 0;
        fail_at = k;
        enum err e = dkim_store_set(f->s, SLICE("example.org,a"), DKIM_KEY_SIGNING, 9, &d);
        fail_at = 0;
        enum err signs = sign(f, "example.org", "a", 10, &out);
        assert_true(signs == OK || signs == ERR_STATE); /* as the file says */
        open_it(f);
        assert_int_equal(sign(f, "example.org", "a", 10, &out), signs);
        assert_int_equal(f->troubles, 0);
        if (e == OK) {
            assert_int_equal(signs, OK);
            assert_true(k > 4);
            break;
        }
    }
}

static void memory_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct buf out CLEANUP(buf_done) = {.max = 512};
    char domain[32], id[40];
    size_t n = DKIM_LOADED_MAX + 50;
    for (size_t i = 0; i < n; i++) {
        snprintf(domain, sizeof domain, "d%zu.test", i);
        snprintf(id, sizeof id, "%s,a", domain);
        add(f, domain, "a", DKIM_KEY_ED25519);
        set(f, id, DKIM_KEY_SIGNING, 5);
    }
    open_it(f);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < n; i++) {
            static const uint8_t digest[32] = {7};
            snprintf(domain, sizeof domain, "d%zu.test", i);
            buf_clear(&out);
            /* a second each thousand: below the rate */
            assert_int_equal(dkim_store_sign(f->s, slice_str(domain), SLICE("a"), slice_of(digest, 32), 6,
                                             (time_ms)(i / 1000) * 1000 + round * 100000, &out),
                             OK);
            assert_true(dkim_store_loaded(f->s) <= DKIM_LOADED_MAX);
        }
}

static void so_many_a_second(void **state)
{
    struct fixture *f = *state;
    struct buf out CLEANUP(buf_done) = {.max = 512};
    static const uint8_t digest[32] = {7};
    unsigned good = 0;
    add(f, "example.org", "a", DKIM_KEY_ED25519);
    set(f, "example.org,a", DKIM_KEY_SIGNING, 5);
    for (unsigned i = 0; i < DKIM_SIGN_RATE + 100; i++) {
        buf_clear(&out);
        enum err e =
            dkim_store_sign(f->s, SLICE("example.org"), SLICE("a"), slice_of(digest, 32), 6, 500, &out);
        assert_true(e == OK || e == ERR_BUSY);
        good += e == OK;
    }
    assert_int_equal(good, DKIM_SIGN_RATE);
    buf_clear(&out);
    assert_int_equal(
        dkim_store_sign(f->s, SLICE("example.org"), SLICE("a"), slice_of(digest, 32), 6, 1000, &out), OK);
}

/* ---- making */

static void made(void *arg, enum err e, slice public, slice pem)
{
    enum dkim_key_algorithm *a = arg;
    assert_int_equal(e, OK);
    buf_init(&kept[*a].public, 2048);
    buf_init(&kept[*a].pem, 8192);
    assert_int_equal(buf_append(&kept[*a].public, public), OK);
    assert_int_equal(buf_append(&kept[*a].pem, pem), OK);
    *a = 0;
}

static int make_keys(void **state)
{
    struct loop *loop = loop_new();
    struct dkim_maker *m = NULL;
    enum dkim_key_algorithm a;
    (void)state;
    assert_int_equal(dkim_maker_new(loop, made, &a, &m), OK);
    for (enum dkim_key_algorithm each = DKIM_KEY_RSA; each <= DKIM_KEY_ED25519; each++) {
        a = each;
        assert_int_equal(dkim_maker_begin(m, each), OK);
        assert_int_equal(dkim_maker_begin(m, each), ERR_STATE);
        while (a)
            loop_turn(loop, true);
    }
    assert_int_equal(dkim_maker_begin(m, DKIM_KEY_RSA), OK);
    dkim_maker_free(&m); /* in the middle of it */
    loop_turn(loop, false);
    loop_free(loop);
    return 0;
}

static int forget_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        buf_done(&kept[i].pem);
        buf_done(&kept[i].public);
    }
    return 0;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(a_life),
                                       T(only_its_own),
                                       T(stamped_anew),
                                       T(names),
                                       T(a_damaged_file_costs_one_key),
                                       T(no_plain_file_costs_one_key),
                                       T(halves_that_do_not_fit),
                                       T(strange_files_are_left_alone),
                                       T(stopped_at_any_moment),
                                       T(refused_at_any_moment),
                                       T(memory_is_bounded),
                                       T(so_many_a_second)};
    return cmocka_run_group_tests(tests, make_keys, forget_keys);
}
