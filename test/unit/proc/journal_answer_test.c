/* journal: the answer to `posthorn trace`: by mail id, by address with more mails than fit into one reply,
 * refused connections included; nothing told twice, nothing left out. */
#include "base/mail_id.h"
#include "lib/test.h"
#include "proc/journal/journal.h"
#include "store/shim.h"

#include <stdio.h>

#define T0 ((time_ms)1795341731000) /* 2026-11-22 10:02:11 UTC */

static struct journal_db *db;
static struct journal_answer answer;
static uint64_t ids[120];

static void add(struct journal_event e)
{
    e.role = JOURNAL_ROLE_EDGE;
    journal_db_add(db, &e);
}

/* 120 mails to bob, each with 40 flag changes, and a failed login of his. */
static int setup(void **state)
{
    struct mail_id_maker maker = {0};
    struct err_detail d = {{0}};
    bool aside;
    (void)state;
    shim_reset(1);
    if (journal_db_open("journal.db", SHIM_VFS, &journal_db_defaults, &db, &aside, &d))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        time_ms at = T0 + (time_ms)i * MS_MINUTE;
        ids[i] = mail_id_next(&maker, at);
        add((struct journal_event){
            .kind = JOURNAL_MAIL_FROM, .mail = ids[i], .at = at, .address = SLICE("a@b.example")});
        add((struct journal_event){
            .kind = JOURNAL_RCPT_OK, .mail = ids[i], .at = at, .address = SLICE("bob@demo.test")});
        for (int k = 0; k < 40; k++)
            add((struct journal_event){.kind = JOURNAL_FLAGS_CHANGED,
                                       .mail = ids[i],
                                       .at = at + 1000,
                                       .address = SLICE("bob@demo.test"),
                                       .name = SLICE("INBOX"),
                                       .text = SLICE("+\\Seen"),
                                       .number = i + 1});
    }
    add((struct journal_event){.kind = JOURNAL_LOGIN_FAILED,
                               .at = T0,
                               .address = SLICE("bob@demo.test"),
                               .peer = SLICE("[192.0.2.66]"),
                               .name = SLICE("imaps"),
                               .text = SLICE("the password does not match")});
    return journal_db_commit(db, T0 + 120 * MS_MINUTE) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    journal_answer_done(&answer);
    answer = (struct journal_answer){0};
    journal_db_close(&db);
    return 0;
}

static size_t count(slice all, const char *what)
{
    slice w = slice_str(what);
    size_t n = 0;
    for (size_t at = slice_find(all, w); at < all.n; at = slice_find(all, w), n++)
        all = slice_from(all, at + w.n);
    return n;
}

static void ask_all(const char *query, bool json, struct buf *all, size_t *out_replies)
{
    struct trace_row row = {0};
    *out_replies = 0;
    do {
        struct trace_ask ask = {.query = slice_str(query), .from = row.next, .json = json};
        journal_answer(&answer, db, &ask, &row);
        assert_int_equal(row.err, OK);
        assert_true(row.text.n > 0 && row.text.n <= 100000);
        assert_int_equal(buf_append(all, row.text), OK);
        (*out_replies)++;
    } while (row.next);
}

static void an_address_is_told_in_parts(void **state)
{
    CLEANUP(buf_done) struct buf all = {.max = 4 << 20};
    size_t replies, before = 0;
    (void)state;
    ask_all("Bob@demo.test", false, &all, &replies);
    assert_true(replies > 1);
    assert_int_equal(count(buf_view(&all), "Mail "), 100);
    assert_int_equal(count(buf_view(&all), "changed flags"), 100 * 40);
    assert_int_equal(count(buf_view(&all), "A login of bob@demo.test from [192.0.2.66] by imaps failed"), 1);
    assert_int_equal(count(buf_view(&all), "Only the newest 100 mails are told"), 1);
    for (size_t i = 20; i < 120; i++) { /* the newest hundred, the oldest first */
        char id[MAIL_ID_TEXT + 1];
        mail_id_print(ids[i], id);
        size_t at = slice_find(buf_view(&all), slice_str(id));
        assert_true(at < all.n && at > before);
        before = at;
    }
}

static void json_is_a_line_a_mail(void **state)
{
    CLEANUP(buf_done) struct buf all = {.max = 4 << 20};
    size_t replies;
    (void)state;
    ask_all("a@b.example", true, &all, &replies);
    assert_true(replies > 1);
    assert_int_equal(count(buf_view(&all), "{\"mail\": "), 100);
    assert_int_equal(count(buf_view(&all), "\n"), 100);
    assert_int_equal(count(buf_view(&all), "]}\n"), 100);
}

static void one_mail_by_its_id(void **state)
{
    char id[MAIL_ID_TEXT + 1];
    struct trace_row row;
    (void)state;
    mail_id_print(ids[3], id);
    journal_answer(&answer, db, &(struct trace_ask){.query = slice_str(id)}, &row);
    assert_int_equal(row.err, OK);
    assert_int_equal(row.next, 0);
    assert_int_equal(count(row.text, "Mail "), 1);
    assert_int_equal(count(row.text, "(UID 4)"), 40);
}

static void since_and_unknown(void **state)
{
    struct trace_row row;
    (void)state;
    journal_answer(&answer, db, &(struct trace_ask){.query = SLICE("nobody@demo.test")}, &row);
    assert_int_equal(row.err, ERR_NOT_FOUND);
    journal_answer(&answer, db, &(struct trace_ask){.query = SLICE("")}, &row);
    assert_int_equal(row.err, ERR_NOT_FOUND);
    journal_answer(&answer, db, &(struct trace_ask){.query = SLICE("bob@demo.test"), .since = T0 + MS_DAY},
                   &row);
    assert_int_equal(row.err, ERR_NOT_FOUND);
    journal_answer(&answer, db, &(struct trace_ask){.query = SLICE("bob@demo.test"), .from = 4000000000u},
                   &row);
    assert_int_equal(row.err, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_is_told_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_a_line_a_mail, setup, teardown),
        cmocka_unit_test_setup_teardown(one_mail_by_its_id, setup, teardown),
        cmocka_unit_test_setup_teardown(since_and_unknown, setup, teardown),
    };
    shim_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
