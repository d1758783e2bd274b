/* imap_session under load: a client that does not read keeps no more than a bounded output and holds up
 * nobody; long commands let other sessions in between; a client that leaves in the middle leaves nothing
 * behind; random expunges and flag changes by three sessions never make a sequence number wrong (checked
 * against what each was told). */
#include "unit/proc/imap_kit.h"

#include "proc/account/imap__.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fill(struct imap_kit *k, size_t n, size_t bytes)
{
    char *text = malloc(bytes + 100);
    int head;
    must(text);
    head = snprintf(text, 100, "Subject: big\r\nMessage-ID: <x@y>\r\n\r\n");
    memset(text + head, 'x', bytes);
    text[(size_t)head + bytes] = 0;
    for (size_t i = 0; i < n; i++)
        imap_kit_deliver(k, "INBOX", text);
    free(text);
}

static void a_client_that_does_not_read_is_no_burden(void **state)
{
    struct imap_kit k;
    struct buf out;
    slice got;
    size_t bodies = 0;
    (void)state;
    buf_init(&out, (size_t)64 << 20);
    imap_kit_start(&k);
    fill(&k, 100, 100000);
    imap_kit_connect(&k, 0);
    imap_kit_connect(&k, 1);
    got = imap_kit_ask(&k, 0, "s", "SELECT INBOX", &out);
    assert_true(slice_find(got, SLICE("* 100 EXISTS")) < got.n);
    imap_kit_send(&k, 0, SLICE("a FETCH 1:* BODY.PEEK[]\r\n"));
    k.closed[0] = true; /* our side reads no more */
    for (int i = 0; i < 50; i++)
        imap_kit_pump(&k);
    got = imap_kit_ask(&k, 1, "b", "STATUS INBOX (MESSAGES)", &out);
    assert_true(slice_find(got, SLICE("MESSAGES 100")) < got.n);
    k.closed[0] = false;
    /* and when it reads again, it gets all of it, in order and whole */
    got = imap_kit_ask(&k, 0, "c", "NOOP", &out);
    for (slice rest = got; rest.n;) {
        size_t at = slice_find(rest, SLICE("BODY[] {100035}\r\nSubject: big"));
        if (at == rest.n)
            break;
        bodies++;
        rest = slice_from(rest, at + 17 + 100035);
        assert_true(slice_starts(rest, SLICE(")\r\n")));
    }
    assert_int_equal(bodies, 100);
    imap_kit_stop(&k);
    buf_done(&out);
}

static void leaving_in_the_middle_leaves_nothing_behind(void **state)
{
    static const char *const commands[] = {"a FETCH 1:* BODY[]\r\n", "a SEARCH BODY nothing\r\n",
                                           "a STORE 1:* +FLAGS (\\Seen)\r\n", "a APPEND INBOX {1000}\r\nhalf",
                                           "a IDLE\r\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct imap_kit k;
        struct buf out;
        buf_init(&out, (size_t)64 << 20);
        imap_kit_start(&k);
        fill(&k, 50, 50000);
        imap_kit_connect(&k, 0);
        IGNORE_RESULT(imap_kit_ask(&k, 0, "s", "SELECT INBOX", &out).n, "only the state is wanted");
        imap_kit_send(&k, 0, slice_str(commands[i]));
        loop_turn(k.host.loop, false);
        (void)close(k.fd[0]);
        k.fd[0] = -1;
        for (int j = 0; j < 200 && k.host.count; j++)
            imap_kit_pump(&k);
        assert_int_equal(k.host.count, 0);
        imap_kit_stop(&k);
        buf_done(&out);
    }
}

static void ending_says_bye_to_all(void **state)
{
    struct imap_kit k;
    struct buf line;
    (void)state;
    buf_init(&line, 10000);
    imap_kit_start(&k);
    for (int i = 0; i < 3; i++)
        imap_kit_connect(&k, i);
    imap_kit_send(&k, 1, SLICE("a IDLE\r\n"));
    imap_kit_pump(&k);
    imap_sessions_end(&k.host);
    imap_kit_pump(&k);
    assert_int_equal(k.host.count, 0);
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            assert_true(imap_kit_line(&k, i, &line)); /* + idling */
        assert_true(imap_kit_line(&k, i, &line));
        assert_true(slice_starts(buf_view(&line), SLICE("* BYE")));
        assert_true(k.closed[i]);
    }
    imap_kit_stop(&k);
    buf_done(&line);
}

/* --- sequence numbers against a model: each client keeps its own list of UIDs, as a mail program would */

#define MODEL_MAX 4000

struct model {
    uint32_t uid[MODEL_MAX]; /* 0: not asked yet */
    size_t n;
};

static uint32_t number_after(slice line, const char *what)
{
    size_t at = slice_find(line, slice_str(what));
    uint32_t v = 0;
    at += strlen(what);
    while (at < line.n && ascii_is_digit(line.p[at]))
        v = v * 10 + (uint32_t)(line.p[at++] - '0');
    return v;
}

static void model_line(struct model *m, slice line)
{
    uint32_t n;
    if (!slice_starts(line, SLICE("* ")) || !ascii_is_digit(line.p[2]))
        return;
    n = number_after(line, "* ");
    if (slice_ends_nocase(line, SLICE(" EXISTS"))) {
        assert_true(n >= m->n && n < MODEL_MAX);
        while (m->n < n)
            m->uid[m->n++] = 0;
    } else if (slice_ends_nocase(line, SLICE(" EXPUNGE"))) {
        assert_true(n >= 1 && n <= m->n);
        memmove(&m->uid[n - 1], &m->uid[n], (m->n - n) * sizeof *m->uid);
        m->n--;
    } else if (slice_find(line, SLICE(" FETCH (UID ")) < line.n) {
        uint32_t uid = number_after(line, " FETCH (UID ");
        assert_true(n >= 1 && n <= m->n);
        assert_true(m->uid[n - 1] == 0 || m->uid[n - 1] == uid);
        m->uid[n - 1] = uid;
    }
}

static void model_ask(struct imap_kit *k, struct model *m, int i, const char *command, struct buf *out)
{
    slice got = imap_kit_ask(k, i, "a", command, out), line, rest;
    assert_true(slice_find(got, SLICE("a OK ")) < got.n);
    for (; got.n; got = rest) {
        size_t end = slice_find(got, SLICE("\r\n"));
        line = slice_sub(got, 0, end);
        rest = slice_from(got, end + 2);
        model_line(m, line);
    }
}

static void sequence_numbers_are_never_wrong(void **state)
{
    static struct model models[3];
    static const char *const boxes[] = {"Archive", "INBOX"};
    uint64_t seed = 42;
    struct imap_kit k;
    struct buf out;
    (void)state;
    memset(models, 0, sizeof models);
    buf_init(&out, (size_t)16 << 20);
    imap_kit_start(&k);
    for (int i = 0; i < 3; i++) {
        imap_kit_connect(&k, i);
        model_ask(&k, &models[i], i, i ? "SELECT INBOX" : "SELECT INBOX (CONDSTORE)", &out);
    }
    for (int step = 0; step < 1000; step++) {
        char command[200];
        int i = (int)(seed >> 33) % 3;
        struct model *m = &models[i];
        uint32_t a, b, what;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        what = (uint32_t)(seed >> 40) % 12;
        a = m->n ? (uint32_t)(seed >> 20) % (uint32_t)m->n + 1 : 0;
        b = m->n ? a + (uint32_t)(seed >> 28) % 3 : 0;
        b = b > m->n ? (uint32_t)m->n : b;
        if (what < 3 || !a) {
            imap_kit_deliver(&k, "INBOX", "Subject: x\r\n\r\ny\r\n");
            continue;
        }
        if (what < 5)
            (void)snprintf(command, sizeof command, "STORE %u:%u +FLAGS (\\Deleted)", a, b);
        else if (what == 5)
            (void)snprintf(command, sizeof command, "EXPUNGE");
        else if (what == 6)
            (void)snprintf(command, sizeof command, "MOVE %u Archive", a);
        else if (what == 7)
            (void)snprintf(command, sizeof command, "COPY %u %s", a, boxes[step & 1]);
        else if (what == 8)
            (void)snprintf(command, sizeof command, "NOOP");
        else
            (void)snprintf(command, sizeof command, "FETCH 1:* (UID FLAGS)");
        model_ask(&k, m, i, command, &out);
    }
    /* at the end all agree */
    for (int i = 0; i < 3; i++) {
        model_ask(&k, &models[i], i, "NOOP", &out);
        model_ask(&k, &models[i], i, "FETCH 1:* (UID FLAGS)", &out);
        assert_int_equal(models[i].n, models[0].n);
        assert_memory_equal(models[i].uid, models[0].uid, models[0].n * sizeof models[0].uid[0]);
    }
    imap_kit_stop(&k);
    buf_done(&out);
}

/* THREATS 34: a command that the parser lets through has a function, and none is known that should not be. */
static void every_command_that_is_allowed_exists(void **state)
{
    static const char *const refused[] = {
        "GENURLAUTH",  "URLFETCH", "GETACL",   "SETACL", "MYRIGHTS", "LISTRIGHTS",  "XLIST",
        "LOCALDELETE", "GETQUOTA", "SETQUOTA", "DUMP",   "XFER",     "PROXY",       "NOTIFY",
        "GETMETADATA", "RLIST",    "BURL",     "LOGIN",  "STARTTLS", "AUTHENTICATE"};
    struct imap_kit k;
    struct buf out;
    (void)state;
    for (int v = 0; v < IMAP_VERB_COUNT; v++) {
        bool after_login = imap_verb_states((enum imap_verb)v) & ~(unsigned)IMAP_STATE_NOT_AUTHENTICATED;
        assert_int_equal(imap__command_of((enum imap_verb)v) != NULL, after_login && v != IMAP_APPEND);
    }
    buf_init(&out, 10000);
    imap_kit_start(&k);
    imap_kit_connect(&k, 0);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        char command[100];
        slice got;
        (void)snprintf(command, sizeof command, "%s bob@demo.test INBOX", refused[i]);
        got = imap_kit_ask(&k, 0, "a", command, &out);
        assert_true(slice_starts(got, SLICE("a BAD ")));
        got = imap_kit_ask(&k, 0, "a", "NOOP", &out);
        assert_slice(got, "a OK NOOP completed\r\n");
    }
    imap_kit_stop(&k);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_does_not_read_is_no_burden),
        cmocka_unit_test(leaving_in_the_middle_leaves_nothing_behind),
        cmocka_unit_test(ending_says_bye_to_all),
        cmocka_unit_test(sequence_numbers_are_never_wrong),
        cmocka_unit_test(every_command_that_is_allowed_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
