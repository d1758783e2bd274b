/* imap/reader: a dialogue gives the same events however it is cut; caps, bare line ends, NULs, skipped
 * literals, streamed APPENDs. Events are written as text, one a line, and compared with what a person would
 * expect. */
#include "lib/test.h"

#include "core/imap/reader.h"

#include <stdio.h>
#include <stdlib.h>

static const struct imap_read_limits small = {.line_max = 64, .literals_max = 32, .skip_max = 1000};

/* Feeds the input in pieces of step bytes and tells what came. '!' in the answers refuses that APPEND
 * message, 'd' drops after its first data. */
static void run(slice input, size_t step, const struct imap_read_limits *limits, const char *answers,
                struct buf *log)
{
    struct imap_reader r;
    struct imap_read ev;
    bool in_data = false;
    imap_reader_init(&r, limits);
    for (size_t at = 0; at < input.n; at += step) {
        slice in = slice_sub(input, at, at + step);
        for (;;) {
            imap_reader_next(&r, &in, &ev);
            if (in_data && ev.type != IMAP_READ_DATA && ev.type != IMAP_READ_MORE) {
                (void)buf_str(log, "\n");
                in_data = false;
            }
            if (ev.type == IMAP_READ_MORE)
                break;
            switch (ev.type) {
            case IMAP_READ_CONTINUE:
                (void)buf_str(log, "+\n");
                break;
            case IMAP_READ_COMMAND:
                (void)buf_print(log, "C %.*s", SLICE_FMT(ev.text));
                break;
            case IMAP_READ_LINE:
                (void)buf_print(log, "L %.*s\n", SLICE_FMT(ev.text));
                break;
            case IMAP_READ_APPEND:
                (void)buf_print(log, "A %.*s%s%s%llu\n", SLICE_FMT(ev.tag), ev.first ? " first " : " next ",
                                ev.binary ? "binary " : "", (unsigned long long)ev.size);
                imap_reader_append(&r, *answers != '!');
                break;
            case IMAP_READ_DATA:
                if (!in_data)
                    (void)buf_str(log, "D ");
                in_data = true;
                (void)buf_append(log, ev.data);
                if (*answers == 'd')
                    imap_reader_append_drop(&r);
                break;
            case IMAP_READ_DATA_END:
                (void)buf_str(log, "E\n");
                break;
            case IMAP_READ_APPEND_END:
                (void)buf_print(log, "Z %.*s\n", SLICE_FMT(ev.tag));
                break;
            case IMAP_READ_BAD:
                (void)buf_print(log, "B %.*s%s\n", SLICE_FMT(ev.tag), ev.too_big ? " big" : "");
                break;
            default:
                (void)buf_str(log, "F\n");
                break;
            }
            if (*answers &&
                (ev.type == IMAP_READ_APPEND_END || (ev.type == IMAP_READ_APPEND && *answers == '!')))
                answers++;
        }
    }
    imap_reader_done(&r);
}

static const struct {
    const char *in;
    size_t n; /* 0: strlen */
    const char *answers;
    const char *events;
} rows[] = {
    {"a NOOP\r\nb NOOP\r\n", 0, "", "C a NOOP\r\nC b NOOP\r\n"},
    {"a X {3}\r\nabc {2+}\r\nde\r\n", 0, "", "+\nC a X {3}\r\nabc {2+}\r\nde\r\n"},
    {"a X {0}\r\n\r\n", 0, "", "+\nC a X {0}\r\n\r\n"},
    {"a NOOP\nb NOOP\r\n", 0, "", "B a\nC b NOOP\r\n"},
    {"a NO\rOP\r\nb NOOP\r\n", 0, "", "B a\nC b NOOP\r\n"},
    {"a NO\0OP\r\nb NOOP\r\n", 17, "", "B a\nC b NOOP\r\n"},
    {"a X {2+}\r\n\0b y\r\nb NOOP\r\n", 24, "", "B a\nC b NOOP\r\n"},
    {"a 0123456789012345678901234567890123456789012345678901234567890123456789\r\nb NOOP\r\n", 0, "",
     "B a big\nC b NOOP\r\n"},
    /* a literal above the cap is refused before its `+`; the client that waited goes on, the other's bytes
       are skipped */
    {"a X {33}\r\nb NOOP\r\n", 0, "", "B a big\nC b NOOP\r\n"},
    {"a X {33+}\r\n012345678901234567890123456789012 {3+}\r\nxyz\r\nb NOOP\r\n", 0, "",
     "B a big\nC b NOOP\r\n"},
    {"a X {20+}\r\n01234567890123456789 {13+}\r\n0123456789012\r\nb NOOP\r\n", 0, "",
     "B a big\nC b NOOP\r\n"},
    {"a X {1001+}\r\nb NOOP\r\n", 0, "", "F\n"},
    {"a X {99999999999999999999}\r\nb NOOP\r\n", 0, "", "F\n"},
    {"a X {9223372036854775807}\r\nb NOOP\r\n", 0, "", "B a big\nC b NOOP\r\n"},
    {"a X \"{x}\r\n", 0, "", "C a X \"{x}\r\n"},
    {"a APPEND x {5}\r\nhello\r\nb NOOP\r\n", 0, "", "A a first 5\nD hello\nE\nZ a\nC b NOOP\r\n"},
    {"a APPEND x ~{2+}\r\n\0\n\r\n", 22, "", "A a first binary 2\nD \0\n\nE\nZ a\n"},
    {"a APPEND x {0}\r\n\r\n", 0, "", "A a first 0\nE\nZ a\n"},
    {"a APPEND {1+}\r\nx (\\Seen) {2+}\r\nhi {3+}\r\nabc\r\n", 0, "",
     "A a first 2\nD hi\nE\nA a next 3\nD abc\nE\nZ a\n"},
    {"a APPEND x UTF8 (~{2+}\r\nhi)\r\nb NOOP\r\n", 0, "", "A a first binary 2\nD hi\nE\nZ a\nC b NOOP\r\n"},
    {"a APPEND x {2+}\r\nhi)\r\nb NOOP\r\n", 0, "", "A a first 2\nD hi\nE\nB a\nC b NOOP\r\n"},
    {"a APPEND x {2+}\r\nhi foo {3+}\r\nabc\r\nb NOOP\r\n", 0, "", "A a first 2\nD hi\nE\nB a\nC b NOOP\r\n"},
    {"a APPEND x {5}\r\nb NOOP\r\n", 0, "!", "A a first 5\nC b NOOP\r\n"},
    {"a APPEND x {5+}\r\nhello\r\nb NOOP\r\n", 0, "!", "A a first 5\nC b NOOP\r\n"},
    {"a APPEND x {5+}\r\nhello {2+}\r\nhi\r\nb NOOP\r\n", 0, "!", "A a first 5\nC b NOOP\r\n"},
    {"a APPEND x y {5+}\r\nhello\r\nb NOOP\r\n", 0, "", "B a\nC b NOOP\r\n"},
    {"a APPEND x y {5}\r\nb NOOP\r\n", 0, "", "B a\nC b NOOP\r\n"},
};

static void events_do_not_depend_on_how_input_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        slice in = guard_copy(slice_of(rows[i].in, rows[i].n ? rows[i].n : strlen(rows[i].in)));
        struct buf log;
        buf_init(&log, 10000);
        for (size_t step = 1; step <= in.n; step++) {
            buf_clear(&log);
            run(in, step, &small, rows[i].answers, &log);
            if (memchr(rows[i].in, 0, in.n) && rows[i].events[0] == 'A')
                assert_true(slice_find(buf_view(&log), SLICE("E\nZ a\n")) < log.n);
            else
                assert_slice(buf_view(&log), rows[i].events);
        }
        buf_done(&log);
        guard_free(in);
    }
}

static void dropped_appends_end_once(void **state)
{
    struct buf log;
    (void)state;
    buf_init(&log, 10000);
    run(SLICE("a APPEND x {5+}\r\nhello {2+}\r\nhi\r\nb NOOP\r\n"), 100, &small, "d", &log);
    assert_slice(buf_view(&log), "A a first 5\nD hello\nZ a\nC b NOOP\r\n");
    buf_clear(&log);
    run(SLICE("a APPEND x {5+}\r\nhello {2}\r\nb NOOP\r\n"), 100, &small, "d", &log);
    assert_slice(buf_view(&log), "A a first 5\nD hello\nZ a\nC b NOOP\r\n");
    buf_clear(&log);
    run(SLICE("a APPEND x {5+}\r\nhello)\r\nb NOOP\r\n"), 100, &small, "d", &log);
    assert_slice(buf_view(&log), "A a first 5\nD hello\nZ a\nC b NOOP\r\n");
    buf_done(&log);
}

static void memory_stays_within_the_caps(void **state)
{
    struct imap_reader r;
    struct imap_read ev;
    size_t bad = 0;
    (void)state;
    imap_reader_init(&r, &imap_read_limits_login);
    for (int i = 0; i < 1000; i++) {
        uint8_t piece[1000];
        slice in = slice_of(piece, sizeof piece);
        memset(piece, 'x', sizeof piece);
        do {
            imap_reader_next(&r, &in, &ev);
            bad += ev.type == IMAP_READ_BAD;
        } while (ev.type != IMAP_READ_MORE);
        assert_true(r.text.cap <= imap_read_limits_login.line_max + imap_read_limits_login.literals_max);
    }
    assert_int_equal(bad, 1);
    imap_reader_done(&r);
}

static void line_mode_gives_raw_lines(void **state)
{
    struct imap_reader r;
    struct imap_read ev;
    slice in = SLICE("a IDLE\r\nDONE\r\nb NOOP\r\n");
    (void)state;
    imap_reader_init(&r, &imap_read_limits_default);
    imap_reader_next(&r, &in, &ev);
    assert_int_equal(ev.type, IMAP_READ_COMMAND);
    imap_reader_line_mode(&r, true);
    imap_reader_next(&r, &in, &ev);
    assert_int_equal(ev.type, IMAP_READ_LINE);
    assert_slice(ev.text, "DONE");
    imap_reader_line_mode(&r, false);
    imap_reader_next(&r, &in, &ev);
    assert_slice(ev.text, "b NOOP\r\n");
    assert_true(imap_reader_idle(&r));
    imap_reader_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_do_not_depend_on_how_input_is_cut),
        cmocka_unit_test(dropped_appends_end_once),
        cmocka_unit_test(memory_stays_within_the_caps),
        cmocka_unit_test(line_mode_gives_raw_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
