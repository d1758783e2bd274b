/* The client lines of Apache James's IMAP dialogues (shared/vectors/imap-mpt, Apache-2.0), each file on an
 * account of its own. Their answers are worded and ordered as James does it, so what is shown here is what
 * any dialogue must keep: every session survives to its LOGOUT, each of its tagged commands is answered once,
 * and the answers are lines of the grammar's outer shape. The vectors are looked for in POSTHORN_VECTORS, or
 * beside the source tree; without them "skipped". */
#include "unit/proc/imap_kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static void append_line(struct buf *out, slice line)
{
    (void)buf_append(out, line);
    (void)buf_str(out, "\r\n");
}

/* The C: lines, CRLF at their ends. */
static void client_lines(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    assert_non_null(f);
    for (ssize_t n; (n = getline(&line, &room, f)) > 0;) {
        slice s = slice_of(line, (size_t)n);
        if (s.p[s.n - 1] == '\n')
            s.n--;
        if (slice_starts(s, SLICE("C:")))
            append_line(out, slice_from(s, s.n > 2 && s.p[2] == ' ' ? 3 : 2));
    }
    free(line);
    (void)fclose(f);
}

/* Outside literals each line begins with "* ", "+ " or a tag and a condition. */
static void check_answers(const char *name, slice got, bool *out_bye)
{
    *out_bye = false;
    while (got.n) {
        size_t end = slice_find(got, SLICE("\r\n"));
        slice line = slice_sub(got, 0, end), head, tail;
        uint64_t literal = 0;
        size_t open = slice_rindex(line, '{');
        if (slice_starts(line, SLICE("* BYE")))
            *out_bye = true;
        (void)slice_split(line, ' ', &head, &tail);
        if (!slice_eq(head, SLICE("*")) && !slice_eq(head, SLICE("+")) && !slice_starts(tail, SLICE("OK ")) &&
            !slice_starts(tail, SLICE("NO ")) && !slice_starts(tail, SLICE("BAD "))) {
            print_error("%s: %.*s\n", name, SLICE_FMT(line));
            fail();
        }
        got = slice_from(got, end + 2);
        while (open < line.n && line.p[line.n - 1] == '}' &&
               slice_u64(slice_sub(line, open + 1, line.n - 1), &literal)) {
            got = slice_from(got, (size_t)literal); /* the rest of the answer's line follows it */
            end = slice_find(got, SLICE("\r\n"));
            line = slice_sub(got, 0, end);
            open = slice_rindex(line, '{');
            got = slice_from(got, end + 2);
        }
    }
}

static void play(const char *folder, const char *name)
{
    char path[1024];
    struct imap_kit k;
    struct buf in;
    slice got;
    bool bye;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    buf_init(&in, (size_t)4 << 20);
    client_lines(path, &in);
    imap_kit_start(&k);
    imap_kit_connect(&k, 0);
    imap_kit_send(&k, 0, buf_view(&in));
    /* a literal or IDLE may be open: then these lines end it */
    imap_kit_send(&k, 0, SLICE("DONE\r\n"));
    for (int i = 0; i < 200 && !k.closed[0]; i++) {
        imap_kit_pump(&k);
        if (k.closed[0])
            break;
        imap_kit_send(&k, 0, SLICE("zz LOGOUT\r\n"));
        imap_kit_pump(&k);
    }
    got = buf_view(&k.got[0]);
    check_answers(name, got, &bye);
    if (!k.closed[0] || !bye)
        print_error("%s did not end with BYE\n", name);
    assert_true(k.closed[0] && bye);
    imap_kit_stop(&k);
    buf_done(&in);
}

static const char *vectors(char *room, size_t n)
{
    const char *v = getenv("POSTHORN_VECTORS");
    (void)snprintf(room, n, "%s/imap-mpt", v ? v : "../shared/vectors");
    return room;
}

static void dialogues_of_others_end_well(void **state)
{
    const char *root = *state;
    char folder[512], beside[1024];
    struct dirent *e;
    size_t n = 0;
    DIR *d = opendir(vectors(folder, sizeof folder));
    if (!d && root && !getenv("POSTHORN_VECTORS")) {
        (void)snprintf(beside, sizeof beside, "%s/../shared/vectors/imap-mpt", root);
        (void)snprintf(folder, sizeof folder, "%.500s", beside);
        d = opendir(folder);
    }
    if (!d) {
        print_message("skipped: no vectors\n");
        skip();
    }
    while ((e = readdir(d))) {
        size_t len = strlen(e->d_name);
        if (len < 5 || strcmp(e->d_name + len - 5, ".test") != 0)
            continue;
        play(folder, e->d_name);
        n++;
    }
    (void)closedir(d);
    assert_true(n > 100);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(dialogues_of_others_end_well, argc > 1 ? argv[1] : NULL),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
