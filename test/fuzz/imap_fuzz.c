/* imap: the login half, then reader and parser as the account half uses them, over the same bytes cut in two
 * ways. The first byte chooses how the input is cut. What must hold: no crash, no endless loop, the same
 * events for both cuts, and that what is written never holds a bare line end from the input. */
#include "core/imap/login.h"
#include "core/imap/name.h"
#include "core/imap/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_login(slice in, size_t step)
{
    static const struct imap_login_config config = {.login_allowed = true, .scram = true, .hostname = "x"};
    struct imap_login l;
    struct imap_login_event ev = {.type = IMAP_LOGIN_MORE};
    imap_login_init(&l, &imap_login_limits_default, &config);
    for (size_t at = 0; at < in.n && ev.type != IMAP_LOGIN_CLOSE && ev.type != IMAP_LOGIN_DONE;) {
        size_t took = imap_login_feed(&l, slice_sub(in, at, at + step));
        at += took;
        do {
            imap_login_sent(&l, SIZE_MAX);
            imap_login_next(&l, &ev);
            if (ev.type == IMAP_LOGIN_PASSWORD || ev.type == IMAP_LOGIN_SASL ||
                ev.type == IMAP_LOGIN_SASL_DATA)
                must(imap_login_answer(&l,
                                       ev.type == IMAP_LOGIN_SASL ? IMAP_LOGIN_CHALLENGE : IMAP_LOGIN_DENIED,
                                       ev.data) != ERR_STATE);
        } while (ev.type != IMAP_LOGIN_MORE && ev.type != IMAP_LOGIN_CLOSE && ev.type != IMAP_LOGIN_DONE);
        if (!took)
            break;
    }
    imap_login_done(&l);
}

static void fuzz_search(struct imap_search *s)
{
    uint8_t answers[IMAP_SEARCH_TERMS_MAX];
    imap_search_resolve(s, 100, 1000);
    for (int v = IMAP_NO; v <= IMAP_UNKNOWN; v++) {
        memset(answers, v, sizeof answers);
        must(imap_search_eval(s, answers) <= IMAP_UNKNOWN);
    }
}

static void fuzz_command(slice text, struct arena *arena, struct buf *out)
{
    struct imap_command c;
    const char *why;
    enum err e = imap_parse(text, IMAP_STATE_SELECTED, false, &imap_parse_limits_default, arena, &c, &why);
    buf_clear(out);
    if (e == OK && c.verb == IMAP_FETCH) {
        imap_set_resolve(&c.set, 1000);
        for (size_t i = 0; i < c.fetch.sections_n; i++)
            imap_section_write(out, &c.fetch.sections[i]);
    } else if (e == OK && c.verb == IMAP_SEARCH) {
        fuzz_search(&c.search);
    } else if (e == OK && c.verb == IMAP_LIST) {
        for (size_t i = 0; i < c.list.patterns_n; i++)
            IGNORE_RESULT(imap_name_match(SLICE("a/b"), c.list.patterns[i]), "that it ends is what is asked");
    }
    if (e == OK && c.mailbox.n) {
        slice again;
        struct cursor cur;
        buf_clear(out);
        imap_write_list(out, "LIST", 0, c.mailbox, false, false);
        /* what we write is read back as the same name */
        cur = cursor_of(buf_view(out));
        must(cursor_take_nocase(&cur, SLICE("* LIST () \"/\" ")));
        if (cursor_peek(&cur) == '"' && !slice_has(cur.rest, '\\')) {
            slice wire = slice_sub(cur.rest, 1, cur.rest.n - 3);
            must(imap_name_decode(wire, false, arena, &again) != OK || slice_eq(again, c.mailbox));
        }
        must(slice_ends_nocase(buf_view(out), SLICE("\r\n")));
    }
    arena_reset(arena);
}

/* A number made of all events but the cuts of data. */
static uint64_t fuzz_read(slice in, size_t step, struct arena *arena, struct buf *out)
{
    struct imap_reader r;
    struct imap_read ev;
    uint64_t sum = 1;
    imap_reader_init(&r, &imap_read_limits_default);
    for (size_t at = 0; at < in.n; at += step) {
        slice piece = slice_sub(in, at, at + step);
        do {
            imap_reader_next(&r, &piece, &ev);
            if (ev.type != IMAP_READ_DATA && ev.type != IMAP_READ_MORE)
                sum = sum * 31 + (uint64_t)ev.type + ev.text.n * 7 + ev.size;
            else
                for (size_t i = 0; ev.type == IMAP_READ_DATA && i < ev.data.n; i++)
                    sum = sum * 31 + ev.data.p[i];
            if (ev.type == IMAP_READ_COMMAND) {
                fuzz_command(ev.text, arena, out);
            } else if (ev.type == IMAP_READ_APPEND) {
                struct imap_append_head h;
                const char *why;
                if (imap_append_head_parse(ev.text, ev.first, false, &imap_parse_limits_default, arena, &h,
                                           &why) != OK)
                    sum++;
                imap_reader_append(&r, ev.size % 3 != 0);
                if (ev.size % 5 == 1)
                    imap_reader_append_drop(&r);
                arena_reset(arena);
            }
        } while (ev.type != IMAP_READ_MORE && ev.type != IMAP_READ_FATAL);
        if (ev.type == IMAP_READ_FATAL)
            break;
    }
    imap_reader_done(&r);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct buf out;
    slice in = slice_of(data, size);
    size_t step = size ? 1 + data[0] % 64 : 1;
    arena_init(&arena, "fuzz", (size_t)4 << 20);
    buf_init(&out, (size_t)1 << 20);
    in = slice_from(in, 1);
    fuzz_login(in, step);
    must(fuzz_read(in, step, &arena, &out) == fuzz_read(in, in.n + 1, &arena, &out));
    arena_done(&arena);
    buf_done(&out);
    return 0;
}
