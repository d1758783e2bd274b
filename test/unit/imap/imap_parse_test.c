/* imap/parse: which commands are taken and which are refused, shown as tables; nesting and caps; every
 * command as it lies against an unreadable page, whole and cut at each byte. */
#include "lib/test.h"

#include "core/imap/name.h"
#include "core/imap/parse.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, "test", (size_t)4 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static enum err parse_in(enum imap_state st, const char *line, bool utf8, struct imap_command *out)
{
    static char text[300000];
    const char *why = NULL;
    enum err e;
    slice s;
    int n = snprintf(text, sizeof text, "%s\r\n", line);
    assert_true(n > 0 && (size_t)n < sizeof text);
    s = guard_copy(slice_of(text, (size_t)n));
    e = imap_parse(s, st, utf8, &imap_parse_limits_default, &arena, out, &why);
    assert_non_null(why);
    assert_true(e == OK || why[0]);
    guard_free(s);
    s = slice_of(text, (size_t)n); /* views of the result must live on */
    assert_int_equal(imap_parse(s, st, utf8, &imap_parse_limits_default, &arena, out, &why), e);
    return e;
}

static enum err parse(const char *line, struct imap_command *out)
{
    return parse_in(IMAP_STATE_SELECTED, line, false, out);
}

static void commands_are_taken_or_refused(void **state)
{
    static const struct {
        const char *line;
        enum err err;
    } rows[] = {
        {"a NOOP", OK},
        {"a noop", OK},
        {"a NOOP ", ERR_SYNTAX},
        {"a NOOP x", ERR_SYNTAX},
        {"NOOP", ERR_SYNTAX},
        {"", ERR_SYNTAX},
        {" ", ERR_SYNTAX},
        {"a", ERR_SYNTAX},
        {"a ", ERR_NOT_FOUND},
        {"a+b NOOP", ERR_SYNTAX},
        {"a] NOOP", OK},
        {"(a NOOP", ERR_SYNTAX},
        {"* NOOP", ERR_SYNTAX},
        {"a  NOOP", ERR_NOT_FOUND},
        {"a GENURLAUTH x", ERR_NOT_FOUND},
        {"a UID NOOP", ERR_NOT_FOUND},
        {"a UID SELECT x", ERR_NOT_FOUND},
        {"a UID", ERR_NOT_FOUND},
        {"a SELECT INBOX", OK},
        {"a SELECT inbox (CONDSTORE)", OK},
        {"a SELECT inbox (QRESYNC (1 2))", ERR_SYNTAX},
        {"a SELECT", ERR_SYNTAX},
        {"a SELECT \"a\\\"b\"", OK},
        {"a SELECT \"a\\xb\"", ERR_SYNTAX},
        {"a SELECT \"a", ERR_SYNTAX},
        {"a SELECT \"", ERR_SYNTAX},
        {"a SELECT \"a\\", ERR_SYNTAX},
        {"a SELECT {3}\r\nabc", OK},
        {"a SELECT {3+}\r\nabc", OK},
        {"a SELECT {4}\r\nabc", ERR_SYNTAX},
        {"a SELECT {99999999999999999999}\r\nabc", ERR_SYNTAX},
        {"a SELECT ~{3}\r\nabc", ERR_SYNTAX},
        {"a SELECT a%b", ERR_SYNTAX},
        {"a SELECT &AOQ-x", OK},
        {"a SELECT &AOQ", ERR_SYNTAX},
        {"a CREATE x (USE (\\Sent))", OK},
        {"a CREATE x (USE (\\Sent \\Trash))", OK},
        {"a CREATE x (USE ())", OK},
        {"a CREATE x (USE (\\Nothing))", ERR_NOT_FOUND},
        {"a CREATE x (USE (\\Sent)", ERR_SYNTAX},
        {"a RENAME a b", OK},
        {"a RENAME a", ERR_SYNTAX},
        {"a ENABLE IMAP4rev2 FOO=BAR CONDSTORE", OK},
        {"a ENABLE", ERR_SYNTAX},
        {"a ENABLE ", ERR_SYNTAX},
        {"a ID NIL", OK},
        {"a ID (\"name\" \"x\" \"os\" NIL)", OK},
        {"a ID (\"name\")", ERR_SYNTAX},
        {"a ID ()", OK},
        {"a LIST \"\" *", OK},
        {"a LIST \"\" \"%\"", OK},
        {"a LIST \"\" (INBOX \"Sent*\")", OK},
        {"a LIST (SUBSCRIBED REMOTE) \"\" * RETURN (CHILDREN STATUS (MESSAGES SIZE))", OK},
        {"a LIST (RECURSIVEMATCH) \"\" *", ERR_SYNTAX},
        {"a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" *", OK},
        {"a LIST (SUBSCRIBED \"\" *", ERR_SYNTAX},
        {"a LIST () \"\" * RETURN ()", OK},
        {"a LIST \"\" * RETURN (STATUS)", ERR_SYNTAX},
        {"a LIST \"\" * RETURN (NEWTHING)", ERR_SYNTAX},
        {"a LIST \"\" ()", ERR_SYNTAX},
        {"a LSUB \"\" *", OK},
        {"a STATUS x (MESSAGES UNSEEN)", OK},
        {"a STATUS x ()", ERR_SYNTAX},
        {"a STATUS x (MESSAGESX)", ERR_SYNTAX},
        {"a APPEND INBOX", ERR_SYNTAX},
        {"a FETCH 1 FLAGS", OK},
        {"a FETCH 1:* (FLAGS UID ENVELOPE)", OK},
        {"a FETCH *:1,3,$ FLAGS", ERR_SYNTAX},
        {"a FETCH $ FLAGS", OK},
        {"a FETCH 0 FLAGS", ERR_SYNTAX},
        {"a FETCH 4294967296 FLAGS", ERR_SYNTAX},
        {"a FETCH 1, FLAGS", ERR_SYNTAX},
        {"a FETCH 1: FLAGS", ERR_SYNTAX},
        {"a FETCH 1 ALL", OK},
        {"a FETCH 1 (ALL)", ERR_SYNTAX},
        {"a FETCH 1 ()", ERR_SYNTAX},
        {"a FETCH 1 BODY", OK},
        {"a FETCH 1 BODY[]", OK},
        {"a FETCH 1 BODY.PEEK[]<0.100>", OK},
        {"a FETCH 1 BODY[]<0.0>", ERR_SYNTAX},
        {"a FETCH 1 BODY[]<0>", ERR_SYNTAX},
        {"a FETCH 1 BODY.PEEK", ERR_SYNTAX},
        {"a FETCH 1 BODY[HEADER.FIELDS (From To)]", OK},
        {"a FETCH 1 BODY[HEADER.FIELDS.NOT (\"From\")]", OK},
        {"a FETCH 1 BODY[HEADER.FIELDS ()]", ERR_SYNTAX},
        {"a FETCH 1 BODY[HEADER.FIELDS]", ERR_SYNTAX},
        {"a FETCH 1 BODY[1.2.MIME]", OK},
        {"a FETCH 1 BODY[MIME]", ERR_SYNTAX},
        {"a FETCH 1 BODY[1.]", ERR_SYNTAX},
        {"a FETCH 1 BODY[0]", ERR_SYNTAX},
        {"a FETCH 1 BODY[1.HEADER]", OK},
        {"a FETCH 1 BODY[TEXT.1]", ERR_SYNTAX},
        {"a FETCH 1 BODY[", ERR_SYNTAX},
        {"a FETCH 1 BINARY.SIZE[1]", OK},
        {"a FETCH 1 BINARY[1.TEXT]", ERR_SYNTAX},
        {"a FETCH 1 BINARY.PEEK[]<5.5>", OK},
        {"a FETCH 1 (RFC822 RFC822.SIZE RFC822.TEXT RFC822.HEADER)", OK},
        {"a FETCH 1 (FLAGS) (CHANGEDSINCE 12)", OK},
        {"a FETCH 1 (FLAGS) (VANISHED)", ERR_SYNTAX},
        {"a UID FETCH 1 FLAGS", OK},
        {"a STORE 1 FLAGS (\\Seen)", OK},
        {"a STORE 1 +FLAGS.SILENT \\Seen foo", OK},
        {"a STORE 1 -FLAGS ()", OK},
        {"a STORE 1 (UNCHANGEDSINCE 5) FLAGS ()", OK},
        {"a STORE 1 +FLAGS (\\Recent)", ERR_SYNTAX},
        {"a STORE 1 +FLAGS (\\Foo)", ERR_SYNTAX},
        {"a STORE 1 *FLAGS (\\Seen)", ERR_SYNTAX},
        {"a STORE 1 FLAGS (\\Seen", ERR_SYNTAX},
        {"a COPY 1:2 x", OK},
        {"a UID MOVE 1 x", OK},
        {"a EXPUNGE", OK},
        {"a EXPUNGE 1", ERR_SYNTAX},
        {"a UID EXPUNGE 1", OK},
        {"a UID EXPUNGE", ERR_SYNTAX},
        {"a SEARCH", ERR_SYNTAX},
        {"a SEARCH ALL", OK},
        {"a SEARCH RETURN () ALL", OK},
        {"a SEARCH RETURN (MIN MAX COUNT SAVE) UNSEEN", OK},
        {"a SEARCH RETURN (FOO) ALL", ERR_SYNTAX},
        {"a SEARCH RETURN ALL", ERR_SYNTAX},
        {"a SEARCH CHARSET UTF-8 TEXT {2}\r\n\xc3\xa4", OK},
        {"a SEARCH CHARSET KOI8-R TEXT x", ERR_UNSUPPORTED},
        {"a SEARCH NOT SEEN", OK},
        {"a SEARCH NOT", ERR_SYNTAX},
        {"a SEARCH OR SEEN", ERR_SYNTAX},
        {"a SEARCH OR SEEN UNSEEN", OK},
        {"a SEARCH OR NOT SEEN (FROM a TO b)", OK},
        {"a SEARCH (SEEN UNSEEN)", OK},
        {"a SEARCH (OR SEEN)", ERR_SYNTAX},
        {"a SEARCH ()", ERR_SYNTAX},
        {"a SEARCH (SEEN", ERR_SYNTAX},
        {"a SEARCH SEEN)", ERR_SYNTAX},
        {"a SEARCH 1:5 UID 3 $", OK},
        {"a SEARCH HEADER Subject \"\"", OK},
        {"a SEARCH HEADER Subject", ERR_SYNTAX},
        {"a SEARCH BEFORE 1-Feb-1994 ON \"01-Feb-1994\"", OK},
        {"a SEARCH BEFORE 31-Foo-1994", ERR_SYNTAX},
        {"a SEARCH LARGER 12 SMALLER 4294967295", OK},
        {"a SEARCH MODSEQ 7", OK},
        {"a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338", OK},
        {"a SEARCH OLDER 0", ERR_SYNTAX},
        {"a SEARCH SEENX", ERR_SYNTAX},
        {"a LOGIN a b", ERR_STATE},
        {"a STARTTLS", ERR_STATE},
    };
    struct imap_command c;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err e = parse(rows[i].line, &c);
        if (e != rows[i].err)
            print_error("%s\n", rows[i].line);
        assert_int_equal(e, rows[i].err);
        arena_reset(&arena);
    }
}

static void each_state_has_its_commands(void **state)
{
    struct imap_command c;
    (void)state;
    assert_int_equal(parse_in(IMAP_STATE_NOT_AUTHENTICATED, "a SELECT x", false, &c), ERR_STATE);
    assert_int_equal(parse_in(IMAP_STATE_NOT_AUTHENTICATED, "a LOGIN \"u v\" {1+}\r\np", false, &c), OK);
    assert_slice(c.login.user, "u v");
    assert_slice(c.login.password, "p");
    assert_int_equal(parse_in(IMAP_STATE_NOT_AUTHENTICATED, "a AUTHENTICATE PLAIN =", false, &c), OK);
    assert_true(c.authenticate.has_initial);
    assert_int_equal(parse_in(IMAP_STATE_AUTHENTICATED, "a FETCH 1 FLAGS", false, &c), ERR_STATE);
    assert_slice(c.tag, "a");
    assert_int_equal(parse_in(IMAP_STATE_AUTHENTICATED, "a IDLE", false, &c), OK);
    for (int v = 0; v < IMAP_VERB_COUNT; v++)
        assert_true(imap_verb_states((enum imap_verb)v) && imap_verb_name((enum imap_verb)v)[0]);
}

static void mailbox_names_are_decoded(void **state)
{
    static const struct {
        const char *wire;
        bool utf8;
        const char *name; /* NULL: refused */
    } rows[] = {
        {"inBox", false, "INBOX"},
        {"inbox/Sub", false, "INBOX/Sub"},
        {"inboxes", false, "inboxes"},
        {"Entw&APw-rfe", false, "Entw\xc3\xbcrfe"},
        {"a&-b", false, "a&b"},
        {"a&-b", true, "a&-b"},
        {"\"Entw\xc3\xbcrfe\"", true, "Entw\xc3\xbcrfe"},
        {"\"\xc3\"", true, NULL},
        {"\"\xed\xa0\x80\"", true, NULL},
        {"\"a\tb\"", true, NULL},
        {"\"a\tb\"", false, NULL},
        {"&AGE-", false, NULL}, /* "a" hidden in base64 */
        {"&2D0-", false, NULL}, /* half a surrogate pair */
        {"{11}\r\na\nDELETE x/", false, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct imap_command c;
        char line[100];
        enum err e;
        (void)snprintf(line, sizeof line, "a SELECT %s", rows[i].wire);
        e = parse_in(IMAP_STATE_AUTHENTICATED, line, rows[i].utf8, &c);
        assert_int_equal(e == OK, rows[i].name != NULL);
        if (rows[i].name)
            assert_slice(c.mailbox, rows[i].name);
    }
}

static void fetch_items_come_out_typed(void **state)
{
    struct imap_command c;
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(
        parse("a UID FETCH 5:3,7 (FLAGS BODY.PEEK[1.2.HEADER.FIELDS (To \"X Y\")]<7.9> RFC822.TEXT BODY)",
              &c),
        OK);
    assert_int_equal(c.verb, IMAP_FETCH);
    assert_true(c.uid);
    assert_int_equal(c.fetch.items, IMAP_FETCH_FLAGS | IMAP_FETCH_UID | IMAP_FETCH_BODY);
    assert_int_equal(c.fetch.sections_n, 2);
    assert_true(c.fetch.sections[0].peek);
    assert_int_equal(c.fetch.sections[0].count, 9);
    imap_section_write(&b, &c.fetch.sections[0]);
    assert_slice(buf_view(&b), "BODY[1.2.HEADER.FIELDS (To \"X Y\")]<7>");
    buf_clear(&b);
    imap_section_write(&b, &c.fetch.sections[1]);
    assert_slice(buf_view(&b), "RFC822.TEXT");
    assert_false(c.fetch.sections[1].peek);
    imap_set_resolve(&c.set, 9);
    assert_int_equal(c.set.n, 2);
    assert_int_equal(c.set.ranges[0].lo, 3);
    assert_int_equal(imap_set_max(&c.set), 7);
    buf_done(&b);
}

static void sets_resolve_sort_and_merge(void **state)
{
    struct imap_command c;
    struct imap_set_writer w = {0};
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(parse("a FETCH 9,1:3,*:8,2:5,7 FLAGS", &c), OK);
    imap_set_resolve(&c.set, 6);
    for (uint32_t i = 0; i < 12; i++)
        if (imap_set_has(&c.set, i))
            imap_set_put(&w, &b, i);
    imap_set_end(&w, &b);
    assert_slice(buf_view(&b), "1:9");
    assert_int_equal(c.set.n, 1);
    assert_int_equal(imap_set_count(&c.set), 9);
    assert_int_equal(parse("a FETCH 4294967295,4294967295:4294967294,1,3 FLAGS", &c), OK);
    imap_set_resolve(&c.set, 6);
    assert_int_equal(c.set.n, 3);
    assert_true(imap_set_has(&c.set, UINT32_MAX));
    assert_false(imap_set_has(&c.set, 2));
    assert_int_equal(parse("a UID FETCH * FLAGS", &c), OK);
    imap_set_resolve(&c.set, 0);
    assert_int_equal(imap_set_max(&c.set), 0);
    buf_done(&b);
}

/* What the program gives for flags SEEN, FLAGGED, DRAFT as bits 0..2 and one dear key. */
static enum imap_tri search_run(const struct imap_search *s, uint32_t flags, enum imap_tri dear)
{
    uint8_t answers[IMAP_SEARCH_TERMS_MAX];
    for (size_t i = 0; i < s->n; i++)
        answers[i] =
            (uint8_t)(s->keys[i].op == IMAP_KEY_FLAG  ? (s->keys[i].number & flags ? IMAP_YES : IMAP_NO)
                      : s->keys[i].op == IMAP_KEY_ALL ? IMAP_YES
                                                      : dear);
    return imap_search_eval(s, answers);
}

static void searches_decide_as_early_as_they_can(void **state)
{
    struct imap_command c;
    uint32_t s = IMAP_SEEN, f = IMAP_FLAGGED;
    (void)state;
    assert_int_equal(parse("a SEARCH UNSEEN TEXT foo", &c), OK);
    assert_int_equal(c.search.cost_max, IMAP_COST_BODY);
    assert_int_equal(search_run(&c.search, s, IMAP_UNKNOWN), IMAP_NO);
    assert_int_equal(search_run(&c.search, 0, IMAP_UNKNOWN), IMAP_UNKNOWN);
    assert_int_equal(search_run(&c.search, 0, IMAP_YES), IMAP_YES);
    assert_int_equal(parse("a SEARCH OR SEEN NOT BODY x", &c), OK);
    assert_int_equal(search_run(&c.search, s, IMAP_UNKNOWN), IMAP_YES);
    assert_int_equal(search_run(&c.search, 0, IMAP_YES), IMAP_NO);
    assert_int_equal(parse("a SEARCH NOT (SEEN FLAGGED) OR (SEEN) (FLAGGED)", &c), OK);
    assert_int_equal(search_run(&c.search, s | f, IMAP_UNKNOWN), IMAP_NO);
    assert_int_equal(search_run(&c.search, s, IMAP_UNKNOWN), IMAP_YES);
    assert_int_equal(search_run(&c.search, f, IMAP_UNKNOWN), IMAP_YES);
    assert_int_equal(search_run(&c.search, 0, IMAP_UNKNOWN), IMAP_NO);
    assert_int_equal(parse("a SEARCH NOT NOT NOT SEEN OR OR SEEN SEEN FLAGGED ALL", &c), OK);
    assert_int_equal(search_run(&c.search, f, IMAP_UNKNOWN), IMAP_YES);
    assert_int_equal(search_run(&c.search, s | f, IMAP_UNKNOWN), IMAP_NO);
}

static char *repeat(const char *head, const char *what, size_t times, const char *tail)
{
    size_t n = strlen(head) + strlen(what) * times + strlen(tail) + 1;
    char *s = malloc(n), *p = s;
    must(s);
    p = stpcpy(p, head);
    for (size_t i = 0; i < times; i++)
        p = stpcpy(p, what);
    (void)stpcpy(p, tail);
    return s;
}

static void deep_and_wide_commands_are_refused(void **state)
{
    static const struct {
        const char *head, *what;
        size_t times;
        const char *tail;
        bool ok;
    } rows[] = {
        {"a SEARCH ", "(", 100000, "", false},
        {"a SEARCH ", "(", 32, "SEEN))))))))))))))))))))))))))))))))", true},
        {"a SEARCH ", "(", 33, "SEEN)))))))))))))))))))))))))))))))))", false},
        {"a SEARCH ", "NOT ", 20000, "SEEN", false},
        {"a SEARCH ", "NOT ", 255, "SEEN", true},
        {"a SEARCH ", "OR SEEN ", 10000, "SEEN", false},
        {"a SEARCH SEEN", " SEEN", 127, "", true},
        {"a SEARCH SEEN", " SEEN", 128, "", false},
        {"a FETCH 1 (", "BODY[] ", 255, "BODY[])", true},
        {"a FETCH 1 (", "BODY[] ", 256, "BODY[])", false},
        {"a FETCH ", "1,", 32767, "1 FLAGS", true},
        {"a FETCH ", "1,", 32768, "1 FLAGS", false},
        {"a FETCH 1 BODY[1", ".1", 31, "]", true},
        {"a FETCH 1 BODY[1", ".1", 32, "]", false},
        {"a FETCH 1 ", "(", 100000, "", false},
        {"a LIST \"\" ", "(", 100000, "", false},
        {"a STORE 1 FLAGS (", "k ", 300, "k)", false},
        {"", "t", 128, " NOOP", true},
        {"", "t", 129, " NOOP", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct imap_command c;
        char *line = repeat(rows[i].head, rows[i].what, rows[i].times, rows[i].tail);
        assert_int_equal(parse(line, &c) == OK, rows[i].ok);
        arena_reset(&arena);
        free(line);
    }
}

static void patterns_match_as_the_standard_says(void **state)
{
    static const struct {
        const char *name, *pattern;
        bool matches;
    } rows[] = {
        {"INBOX", "inbox", true},
        {"INBOX", "*", true},
        {"INBOX", "%", true},
        {"a/b", "%", false},
        {"a/b", "a/%", true},
        {"a/b", "*b", true},
        {"a/b", "a%b", false},
        {"a/b/c", "a/%/c", true},
        {"a/b/c", "*/c", true},
        {"a", "a*", true},
        {"abc", "%b%", true},
        {"abc", "", false},
        {"", "", true},
        {"abc", "abcd", false},
        {"Sent", "sent", false},
        {"aaaa", "a*a*a*a", true},
        {"aaa", "a*a*a*a", false},
        {"a/b/c", "%/%", false},
        {"a/b/c", "%*", true},
    };
    char *name, *pattern;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(imap_name_match(slice_str(rows[i].name), slice_str(rows[i].pattern)),
                         rows[i].matches);
    name = repeat("", "a", 1000, "");
    pattern = repeat("", "*a", 400, "*b");
    assert_false(imap_name_match(slice_str(name), slice_str(pattern)));
    free(name);
    free(pattern);
}

static void nothing_we_write_can_break_out(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool utf8;
        const char *wire;
    } rows[] = {
        {"plain", 5, false, "\"plain\""},
        {"a\"b\\c", 5, false, "\"a\\\"b\\\\c\""},
        {"\r\nA1 DELETE INBOX", 17, false, "{17}\r\n\r\nA1 DELETE INBOX"},
        {"\xc3\xa4", 2, false, "{2}\r\n\xc3\xa4"},
        {"\xc3\xa4", 2, true, "\"\xc3\xa4\""},
        {"\xc3", 1, true, "{1}\r\n\xc3"},
        {"a\0b", 3, true,
         "{3}\r\na\x80"
         "b"},
        {"", 0, false, "\"\""},
    };
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&b);
        imap_write_string(&b, slice_of(rows[i].bytes, rows[i].n), rows[i].utf8);
        assert_slice(buf_view(&b), rows[i].wire);
    }
    buf_clear(&b);
    imap_write_list(&b, "LIST", IMAP_ATTR_HASNOCHILDREN | IMAP_ATTR_SENT, SLICE("Entw\xc3\xbcrfe & \"x\""),
                    false, false);
    assert_slice(buf_view(&b), "* LIST (\\HasNoChildren \\Sent) \"/\" \"Entw&APw-rfe &- \\\"x\\\"\"\r\n");
    buf_clear(&b);
    imap_write_date_time(&b, (time_ms)837596665000, -420);
    assert_slice(buf_view(&b), "\"17-Jul-1996 02:44:25 -0700\"");
    buf_done(&b);
}

static void append_heads_are_read(void **state)
{
    static const struct {
        const char *text;
        bool first;
        enum err err;
    } rows[] = {
        {"a APPEND INBOX {5}\r\n", true, OK},
        {"a APPEND INBOX (\\Seen $Junk) \"17-Jul-1996 02:44:25 -0700\" {5+}\r\n", true, OK},
        {"a APPEND INBOX \" 7-Jul-1996 02:44:25 -0700\" ~{5}\r\n", true, OK},
        {"a APPEND INBOX UTF8 (~{5}\r\n", true, OK},
        {"a APPEND INBOX UTF8 ({5}\r\n", true, ERR_SYNTAX},
        {"a APPEND {5}\r\n", true, ERR_MORE},
        {"a APPEND {5}\r\nINBOX {5}\r\n", true, OK},
        {"a APPEND {5}\r\nINBOX{5}\r\n", true, ERR_SYNTAX},
        {"a APPEND INBOX (\\Recent) {5}\r\n", true, ERR_SYNTAX},
        {"a APPEND INBOX \"32-Jul-1996 02:44:25 -0700\" {5}\r\n", true, ERR_SYNTAX},
        {"a APPEND INBOX x {5}\r\n", true, ERR_SYNTAX},
        {" (\\Seen) {5}\r\n", false, OK},
        {" {5}\r\n", false, OK},
        {"{5}\r\n", false, ERR_SYNTAX},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct imap_append_head h;
        const char *why;
        slice s = slice_str(rows[i].text);
        assert_int_equal(
            imap_append_head_parse(s, rows[i].first, false, &imap_parse_limits_default, &arena, &h, &why),
            rows[i].err);
        assert_int_equal(
            imap_append_head_parse(s, rows[i].first, false, &imap_parse_limits_default, NULL, &h, &why),
            rows[i].err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_are_taken_or_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_state_has_its_commands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mailbox_names_are_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fetch_items_come_out_typed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sets_resolve_sort_and_merge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(searches_decide_as_early_as_they_can, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deep_and_wide_commands_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(append_heads_are_read, set_up, tear_down),
        cmocka_unit_test(patterns_match_as_the_standard_says),
        cmocka_unit_test(nothing_we_write_can_break_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
