/* imap_session: dialogues of test/wire/imap, each on a fresh account. Each file is a test. Lines:
 *   C: text    client 1 sends the line (C2: client 2, and so on; a client that was not there connects first)
 *   c: text    the same, also while something that was not expected yet waits
 *   S: text    client 1 gets this line next; %n is a number, %* anything
 *   X:         client 1 is disconnected by the server
 *   D: box     a message of three lines is delivered to the mailbox
 *   P:         nothing is sent; everything that goes on by itself goes on
 *   # comment
 * Nothing else may come: before each C and at the end all that was sent must have been expected. */
#include "unit/proc/imap_kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE                                                                                              \
    "From: Bob <bob@demo.test>\r\nTo: alice@demo.test\r\nSubject: hello\r\nDate: Sat, 21 Nov 2026 10:00:00 " \
    "+0100\r\n"                                                                                              \
    "Message-ID: <1@demo.test>\r\n\r\nhi\r\n"

/* %n: digits, %*: anything. */
static bool matches(slice text, slice want)
{
    while (want.n) {
        if (slice_starts(want, SLICE("%*"))) {
            want = slice_from(want, 2);
            for (size_t i = 0; i <= text.n; i++)
                if (matches(slice_from(text, i), want))
                    return true;
            return false;
        }
        if (slice_starts(want, SLICE("%n"))) {
            if (!text.n || !ascii_is_digit(text.p[0]))
                return false;
            while (text.n && ascii_is_digit(text.p[0]))
                text = slice_from(text, 1);
            want = slice_from(want, 2);
            continue;
        }
        if (!text.n || text.p[0] != want.p[0])
            return false;
        text = slice_from(text, 1);
        want = slice_from(want, 1);
    }
    return !text.n;
}

static void nothing_waits(struct imap_kit *k, const char *file, int line)
{
    imap_kit_pump(k);
    for (int i = 0; i < IMAP_KIT_CLIENTS; i++)
        if (k->got[i].n) {
            print_error("%s:%d: client %d also got: %.*s\n", file, line, i + 1,
                        SLICE_FMT(buf_view(&k->got[i])));
            fail();
        }
}

static void run_line(struct imap_kit *k, const char *file, int number, slice line)
{
    char what = (char)line.p[0];
    bool numbered = line.n > 1 && ascii_is_digit(line.p[1]);
    int i = numbered ? line.p[1] - '1' : 0;
    slice text = slice_from(line, numbered ? 3 : 2);
    struct buf got;
    must(i >= 0 && i < IMAP_KIT_CLIENTS);
    text = text.n && text.p[0] == ' ' ? slice_from(text, 1) : text;
    buf_init(&got, (size_t)64 << 20);
    if (what != 'S' && what != 'X' && what != 'c')
        nothing_waits(k, file, number);
    if (what != 'X' && what != 'D' && what != 'P' && k->fd[i] < 0)
        imap_kit_connect(k, i);
    if (what == 'C' || what == 'c') {
        imap_kit_send(k, i, text);
        imap_kit_send(k, i, SLICE("\r\n"));
    } else if (what == 'S') {
        bool came = imap_kit_line(k, i, &got);
        if (!came || !matches(buf_view(&got), text)) {
            print_error("%s:%d: want: %.*s\n     got: %.*s\n", file, number, SLICE_FMT(text),
                        SLICE_FMT(came ? buf_view(&got) : SLICE("nothing")));
            fail();
        }
    } else if (what == 'X') {
        imap_kit_pump(k);
        assert_true(k->closed[i]);
    } else if (what == 'D') {
        char box[100];
        (void)snprintf(box, sizeof box, "%.*s", SLICE_FMT(text));
        imap_kit_deliver(k, box, MESSAGE);
    } else {
        assert_int_equal(what, 'P');
    }
    buf_done(&got);
}

static void dialogue(void **state)
{
    const char *file = *state;
    struct imap_kit k;
    FILE *f = fopen(file, "re");
    char *line = NULL;
    size_t room = 0;
    int number = 0;
    assert_non_null(f);
    imap_kit_start(&k);
    for (ssize_t n; (n = getline(&line, &room, f)) > 0;) {
        slice s = slice_of(line, (size_t)n);
        number++;
        if (s.p[s.n - 1] == '\n')
            s.n--;
        if (s.n && s.p[0] != '#')
            run_line(&k, file, number, s);
    }
    nothing_waits(&k, file, number);
    imap_kit_stop(&k);
    free(line);
    (void)fclose(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[200];
    size_t n = 0;
    DIR *d = opendir(argc > 1 ? argv[1] : "test/wire/imap");
    struct dirent *e;
    must(d);
    while ((e = readdir(d)) && n < ARRAY_LEN(tests)) {
        char *path;
        size_t len = strlen(e->d_name);
        if (len < 4 || strcmp(e->d_name + len - 4, ".txt") != 0)
            continue;
        must(asprintf(&path, "%s/%s", argv[1], e->d_name) > 0);
        tests[n++] =
            (struct CMUnitTest){.name = strrchr(path, '/') + 1, .test_func = dialogue, .initial_state = path};
    }
    (void)closedir(d);
    must(n);
    qsort(tests, n, sizeof *tests, by_name);
    return _cmocka_run_group_tests("imap dialogues", tests, n, NULL, NULL);
}
