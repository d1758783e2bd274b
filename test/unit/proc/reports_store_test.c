/* reports: reports.db: what comes in is told again, the same report counts once, the old and the too much go,
 * a failing disk leaves all of a report or nothing. */
#include "ipc/report_rows.h"
#include "lib/test.h"
#include "proc/journal/reports.h"
#include "store/db.h"
#include "store/shim.h"

#include <stdio.h>
#include <stdlib.h>

#define T0 ((time_ms)1795341731000) /* 2026-11-22 10:02:11 UTC */

static struct reports *r;
static struct buf rows;
static struct arena a;
static struct report_page page;

static void begin_file(uint32_t keep_days, uint64_t bytes_max)
{
    struct err_detail d = {{0}};
    const struct reports_limits limits = {keep_days, bytes_max};
    assert_int_equal(reports_open("reports.db", SHIM_VFS, &limits, &r, &d), OK);
}

static int setup(void **state)
{
    (void)state;
    shim_reset(1);
    buf_init(&rows, 1 << 24);
    arena_init(&a, "page", 1 << 20);
    begin_file(90, 1 << 28);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    reports_close(&r);
    buf_done(&rows);
    arena_done(&a);
    return 0;
}

static struct report_head head(const char *id, time_ms end)
{
    return (struct report_head){.org = SLICE("big.example"),
                                .report_id = slice_str(id),
                                .domain = SLICE("example.org"),
                                .begin = end - MS_DAY,
                                .end = end,
                                .taken_at = end,
                                .messages = 7,
                                .author = SLICE("big.example"),
                                .proven = true,
                                .p = 1};
}

static void source(uint8_t last, uint64_t count, bool passed)
{
    uint8_t ip[16] = {0};
    struct report_dkim dkim[] = {{SLICE("example.org"), SLICE("s1"), 1}, {{0}, {0}, 2}};
    struct aggregate_row row = {.source = slice_of(ip, sizeof ip),
                                .count = count,
                                .dkim_aligned = passed,
                                .header_from = SLICE("example.org"),
                                .spf_domain = SLICE("shop.example"),
                                .spf = 1,
                                .dkim = dkim,
                                .n_dkim = 2};
    ip[15] = last;
    assert_int_equal(report_rows_add(&rows, &aggregate_row_shape, &row), OK);
}

static enum err add(const struct report_head *h, time_ms now)
{
    return reports_add(r, h, buf_view(&rows), now);
}

static void ask(enum report_question q, time_ms since, uint32_t from)
{
    struct report_ask m = {.question = (uint8_t)q,
                           .domain = SLICE("example.org"),
                           .since = since,
                           .from = from,
                           .behind = page.place};
    arena_reset(&a);
    assert_int_equal(reports_ask(r, &m, &a, &page), OK);
}

static void what_comes_is_told(void **state)
{
    struct report_head h = head("1", T0);
    (void)state;
    source(9, 4, false);
    source(8, 3, true);
    assert_int_equal(add(&h, T0), OK);
    assert_int_equal(add(&h, T0), ERR_EXISTS); /* the same report again */
    h.report_id = SLICE("2");
    assert_int_equal(add(&h, T0), OK);
    ask(REPORT_ASK_ORGS, T0 - MS_HOUR, 0);
    assert_int_equal(page.n_orgs, 1);
    assert_slice(page.orgs[0].org, "big.example");
    assert_int_equal(page.orgs[0].reports, 2);
    assert_int_equal(page.orgs[0].messages, 14);
    assert_int_equal(page.orgs[0].p, 1);
    ask(REPORT_ASK_SOURCES, T0 - MS_HOUR, 0);
    assert_int_equal(page.n_sources, 4); /* of two reports; who gathers them says what counts twice */
    assert_false(page.more);
    assert_int_not_equal(page.sources[0].report, page.sources[2].report);
    assert_slice(page.sources[0].org, "big.example");
    assert_int_equal(page.sources[0].begin, T0 - MS_DAY);
    assert_int_equal(page.sources[0].end, T0);
    assert_int_equal(page.sources[0].row.source.p[15], 9);
    assert_int_equal(page.sources[0].row.count, 4);
    assert_slice(page.sources[0].row.spf_domain, "shop.example");
    assert_int_equal(page.sources[0].row.n_dkim, 2);
    assert_slice(page.sources[0].row.dkim[0].selector, "s1");
    assert_slice(page.sources[0].row.dkim[1].domain, "");
    assert_int_equal(page.sources[0].row.dkim[1].result, 2);
    ask(REPORT_ASK_SOURCES, T0 + MS_HOUR, 0);
    assert_int_equal(page.n_sources, 0);
}

/* Every row once, the newest first, however the pages fall; and no page reads what those before it read:
 * 20,000 rows of one report and 600 small ones cost about as many steps of SQLite a row. */
static void long_answers_come_in_pages(void **state)
{
    struct report_head h = head("1", T0);
    size_t told = 0, pages = 0;
    time_ms before = INT64_MAX;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint8_t ip[16] = {0};
        struct aggregate_row row = {.source = slice_of(ip, sizeof ip), .count = (uint64_t)i + 1};
        ip[14] = (uint8_t)(i >> 8);
        ip[15] = (uint8_t)i;
        assert_int_equal(report_rows_add(&rows, &aggregate_row_shape, &row), OK);
    }
    assert_int_equal(add(&h, T0), OK);
    buf_clear(&rows);
    source(1, 1, true);
    for (int i = 0; i < 600; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "small %d", i);
        h = head(id, T0 + i % 3 * MS_DAY - MS_DAY);
        assert_int_equal(add(&h, T0), OK);
    }
    bool *seen = calloc(20001, sizeof *seen);
    uint64_t steps = reports_steps(r), first_steps = 0;
    page = (struct report_page){0};
    do {
        ask(REPORT_ASK_SOURCES, 0, (uint32_t)told);
        assert_true(page.n_sources > 0 && page.n_sources <= REPORT_PAGE_ROWS);
        for (size_t i = 0; i < page.n_sources; i++) {
            uint64_t count = page.sources[i].row.count;
            assert_true(page.sources[i].end <= before);
            before = page.sources[i].end;
            if (page.sources[i].row.spf_domain.n)
                continue;
            assert_true(count <= 20000 && !seen[count]);
            seen[count] = true;
        }
        told += page.n_sources;
        if (pages++ == 0)
            first_steps = reports_steps(r) - steps;
    } while (page.more);
    free(seen);
    assert_int_equal(told, 20600);
    assert_in_range(pages, 52, 120); /* what a row takes decides, 400 at most */
    assert_true(first_steps > 0 && reports_steps(r) - steps < 3 * first_steps * pages);
}

static void what_is_not_proven_counts_nowhere(void **state)
{
    struct report_head h = head("1", T0);
    (void)state;
    source(9, 4, false);
    h.author = (slice){0};
    h.proven = false;
    assert_int_equal(add(&h, T0), OK);
    h = head("1", T0); /* who guessed its id does not keep the right one out */
    assert_int_equal(add(&h, T0), OK);
    assert_int_equal(add(&h, T0), ERR_EXISTS);
    ask(REPORT_ASK_ORGS, 0, 0);
    assert_int_equal(page.n_orgs, 2);
    assert_true(page.orgs[0].proven);
    assert_false(page.orgs[1].proven);
    ask(REPORT_ASK_SOURCES, 0, 0);
    assert_int_equal(page.n_sources, 1);
}

static void rows_that_are_none_leave_nothing(void **state)
{
    struct report_head h = head("1", T0);
    (void)state;
    source(9, 4, false);
    buf_append(&rows, SLICE("\0\0\0\5junk!"));
    assert_int_not_equal(add(&h, T0), OK);
    assert_int_equal(reports_count(r), 0);
    h.kind = REPORT_HEAD_TLS;
    assert_int_not_equal(add(&h, T0), OK); /* rows of another kind */
    assert_int_equal(reports_count(r), 0);
}

static void the_old_go(void **state)
{
    char id[16];
    (void)state;
    source(9, 4, false);
    for (int i = 0; i < 40; i++) {
        struct report_head h;
        (void)snprintf(id, sizeof id, "%d", i);
        h = head(id, T0 + i * MS_DAY);
        assert_int_equal(add(&h, T0 + i * MS_DAY), OK);
    }
    assert_int_equal(reports_count(r), 40);
    for (int i = 0; i < 4; i++) {
        struct report_head h;
        (void)snprintf(id, sizeof id, "later %d", i);
        h = head(id, T0 + (120 + i) * MS_DAY);
        assert_int_equal(add(&h, T0 + (120 + i) * MS_DAY), OK);
    }
    assert_int_equal(reports_count(r),
                     4 + 40 - 33); /* those of the first 33 days are older than 90 days now */
    reports_close(&r);
    begin_file(90, 4096); /* and now there is too much: the oldest go with each that comes */
    struct report_head h = head("last", T0 + 124 * MS_DAY);
    assert_int_equal(add(&h, T0 + 124 * MS_DAY), OK);
    assert_int_equal(reports_count(r), 1);
    ask(REPORT_ASK_SOURCES, 0, 0); /* their rows went with them */
    assert_int_equal(page.n_sources, 1);
}

/* A flood takes the room of whoever made it, proven or not; and never that of what we judged. */
static void a_flood_pushes_out_itself(void **state)
{
    static const char *const floods[] = {"", "evil.example"};
    struct report_head h = head("real", T0);
    char id[16];
    (void)state;
    reports_close(&r);
    begin_file(90, 400 * 1024);
    h.holder = SLICE("big.example");
    source(9, 4, true);
    assert_int_equal(add(&h, T0), OK);
    for (size_t f = 0; f < ARRAY_LEN(floods); f++)
        for (int i = 0; i < 400; i++) {
            (void)snprintf(id, sizeof id, "%zu.%d", f, i);
            h = head(id, T0 + i);
            h.org = SLICE("big.example, as it says");
            h.author = h.holder = slice_str(floods[f]);
            h.proven = f > 0;
            buf_clear(&rows);
            for (uint8_t k = 0; k < (f ? 20 : 0); k++)
                source(k, 1, false);
            assert_int_equal(add(&h, T0 + i), OK);
        }
    assert_in_range(reports_count(r), 16, 799);
    ask(REPORT_ASK_ORGS, 0, 0);
    assert_slice(page.orgs[page.n_orgs > 1 ? 1 : 0].org, "big.example"); /* proven, of fewer messages */
    assert_int_equal(page.orgs[1].reports, 1);
}

/* Sums of what strangers count never pass the edge of SQLite's numbers, which would make every answer fail.
 */
static void numbers_without_measure(void **state)
{
    char id[16];
    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        struct report_head h = head(id, T0 + i * MS_DAY);
        h.messages = UINT64_MAX;
        h.p = (uint8_t)(i % 3);
        buf_clear(&rows);
        source(1, UINT64_MAX, true);
        assert_int_equal(add(&h, T0), OK);
    }
    ask(REPORT_ASK_ORGS, 0, 0);
    assert_true(page.orgs[0].messages == (uint64_t)20 << 40);
    assert_int_equal(page.orgs[0].p, 19 % 3); /* as the newest saw it */
    ask(REPORT_ASK_SOURCES, 0, 0);
    assert_true(page.sources[0].row.count == (uint64_t)1 << 40);
}

/* Also while reports come without a pause: the log is part of the room. */
static void the_log_stays_small(void **state)
{
    char id[16];
    (void)state;
    for (int i = 0; i < 2000; i++)
        source((uint8_t)i, 1, true);
    for (int i = 0; i < 60; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        struct report_head h = head(id, T0);
        assert_int_equal(add(&h, T0), OK);
    }
    assert_true(shim_file("reports.db").n > (size_t)1 << 20);
    assert_true(shim_file("reports.db-wal").n < (size_t)12 << 20);
}

static void failure_reports_are_counted_by_day(void **state)
{
    struct settled s = {.begin = T0 / MS_DAY * 86400,
                        .policy_domain = SLICE("asks.example"),
                        .envelope_to = SLICE("example.org"),
                        .record = SLICE("f1"),
                        .outcome = SETTLED_FAILURE,
                        .at = T0,
                        .to = SLICE("x@asks.example"),
                        .messages = 1};
    struct report_ask m = {.question = REPORT_ASK_FAILED, .since = T0 / MS_DAY * MS_DAY};
    (void)state;
    assert_int_equal(reports_settled(r, &s), OK);
    s.record = SLICE("f2");
    assert_int_equal(reports_settled(r, &s), OK);
    s.begin -= 86400; /* yesterday's */
    assert_int_equal(reports_settled(r, &s), OK);
    arena_reset(&a);
    assert_int_equal(reports_ask(r, &m, &a, &page), OK);
    assert_int_equal(page.n_orgs, 1);
    assert_slice(page.orgs[0].org, "asks.example");
    assert_int_equal(page.orgs[0].reports, 2);
    ask(REPORT_ASK_SENT, 0, 0); /* and they are no aggregate reports */
    assert_int_equal(page.sent, 0);
}

static void what_we_judged_adds_up(void **state)
{
    uint8_t ip[16] = {0};
    struct report_dkim dkim = {SLICE("a.example"), SLICE("s"), 1};
    struct seen_row row = {.begin = T0 / MS_DAY * 86400,
                           .author = SLICE("a.example"),
                           .policy_domain = SLICE("a.example"),
                           .record = SLICE("v=DMARC1; p=none"),
                           .source = slice_of(ip, sizeof ip),
                           .dkim = &dkim,
                           .n_dkim = 1,
                           .count = 3};
    struct db_options o = {.path = "reports.db", .kind = "x", .application_id = 0x50485250, .vfs = SHIM_VFS};
    struct db *db;
    struct stmt *q;
    (void)state;
    assert_int_equal(report_rows_add(&rows, &seen_row_shape, &row), OK);
    row.dmarc = 2;
    assert_int_equal(report_rows_add(&rows, &seen_row_shape, &row), OK);
    assert_int_equal(reports_seen(r, buf_view(&rows), T0), OK);
    assert_int_equal(reports_seen(r, buf_view(&rows), T0), OK);
    reports_close(&r);
    o.migrations = (const char *const[]){"", "", "", "", "", "", "", "", "", ""};
    for (o.migration_count = 1; db_open(&o, &db, NULL) == ERR_UNSUPPORTED; o.migration_count++)
        assert_true(o.migration_count < 10);
    q = db_stmt(db, "SELECT count(*), sum(count) FROM seen");
    assert_int_equal(stmt_row(q), OK);
    assert_int_equal(stmt_i64(q, 0), 2);
    assert_int_equal(stmt_i64(q, 1), 12);
    stmt_done(&q);
    db_close(&db);
    begin_file(90, 1 << 28);
}

/* ---- what we owe */

#define DAY0 (T0 / MS_DAY * 86400)

static void judged(int64_t begin, slice policy_domain, slice to, slice record, uint8_t last, uint64_t count)
{
    uint8_t ip[16] = {[15] = last};
    struct seen_row row = {.begin = begin,
                           .author = policy_domain,
                           .policy_domain = policy_domain,
                           .envelope_to = to,
                           .record = record,
                           .source = slice_of(ip, sizeof ip),
                           .count = count};
    buf_clear(&rows);
    assert_int_equal(report_rows_add(&rows, &seen_row_shape, &row), OK);
    row.dmarc = 2; /* a report does not tell it: still the same row of it */
    assert_int_equal(report_rows_add(&rows, &seen_row_shape, &row), OK);
    assert_int_equal(reports_seen(r, buf_view(&rows), T0), OK);
}

static struct owed_page owed(int64_t until, const struct owed *after)
{
    struct owed_ask q = {.until = until};
    struct owed_page p = {0};
    if (after)
        q = (struct owed_ask){until, after->begin, after->policy_domain, after->envelope_to, after->record};
    assert_int_equal(reports_owed(r, &q, &a, &p), OK);
    return p;
}

static void what_we_owe_is_one_report_for_each_policy(void **state)
{
    const slice one = SLICE("v=DMARC1; p=none"), two = SLICE("v=DMARC1; p=reject"), us = SLICE("demo.test");
    struct owed_page p;
    struct material m = {0};
    struct material_ask q;
    struct settled done;
    (void)state;
    judged(DAY0, SLICE("a.example"), us, one, 1, 3);
    judged(DAY0, SLICE("a.example"), us, one, 2, 5);
    judged(DAY0, SLICE("a.example"), us, two, 1, 1);               /* the record was changed */
    judged(DAY0, SLICE("a.example"), SLICE("we.test"), one, 1, 1); /* another domain of ours */
    judged(DAY0, SLICE("b.example"), us, one, 1, 1);
    judged(DAY0 + 86400, SLICE("a.example"), us, one, 1, 1); /* not over yet */
    p = owed(DAY0, NULL);
    assert_int_equal(p.n_owed, 4);
    assert_false(p.more);
    assert_slice(p.owed[0].policy_domain, "a.example");
    assert_slice(p.owed[0].envelope_to, "demo.test");
    assert_slice(p.owed[0].record, "v=DMARC1; p=none");
    assert_int_equal(p.owed[0].messages, 16);
    assert_int_equal(owed(DAY0, &p.owed[0]).n_owed, 3);
    assert_int_equal(owed(DAY0 + 86400, &p.owed[3]).n_owed, 1);

    q = (struct material_ask){DAY0, p.owed[0].policy_domain, us, one, 0};
    assert_int_equal(reports_material(r, &q, &a, &m), OK);
    assert_int_equal(m.n_rows, 2);
    assert_int_equal(m.rows[0].count, 10); /* most first; the two alike are one */
    assert_int_equal(m.rows[0].source.p[15], 2);
    assert_int_equal(m.rows[1].count, 6);

    done = (struct settled){.begin = DAY0,
                            .policy_domain = p.owed[0].policy_domain,
                            .envelope_to = us,
                            .record = one,
                            .outcome = SETTLED_SENT,
                            .at = T0,
                            .to = SLICE("x@a.example"),
                            .messages = 16};
    assert_int_equal(reports_settled(r, &done), OK);
    assert_int_equal(reports_settled(r, &done), OK); /* a second time changes nothing */
    arena_reset(&a);
    assert_int_equal(owed(DAY0, NULL).n_owed, 3);
    reports_close(&r);
    begin_file(90, 1 << 28);
    arena_reset(&a);
    p = owed(DAY0, NULL);
    assert_int_equal(p.n_owed, 3);
    assert_slice(p.owed[0].record, "v=DMARC1; p=reject");
    buf_clear(&rows);
    page = (struct report_page){0};
    assert_int_equal(
        reports_ask(r, &(struct report_ask){.question = REPORT_ASK_SENT, .domain = us}, &a, &page), OK);
    assert_int_equal(page.sent, 1);
    assert_int_equal(page.sent_messages, 16);
}

static void many_rows_come_in_pages(void **state)
{
    const slice record = SLICE("v=DMARC1; p=none"), us = SLICE("demo.test");
    struct material_ask q = {DAY0, SLICE("a.example"), us, record, 0};
    uint64_t sum = 0, last = UINT64_MAX;
    bool more = true;
    (void)state;
    buf_clear(&rows);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t ip[16] = {[14] = (uint8_t)(i >> 8), [15] = (uint8_t)i};
        struct seen_row row = {.begin = DAY0,
                               .author = SLICE("a.example"),
                               .policy_domain = SLICE("a.example"),
                               .envelope_to = us,
                               .record = record,
                               .source = slice_of(ip, sizeof ip),
                               .count = i + 1};
        assert_int_equal(report_rows_add(&rows, &seen_row_shape, &row), OK);
    }
    assert_int_equal(reports_seen(r, buf_view(&rows), T0), OK);
    while (more) {
        struct material m = {0};
        arena_reset(&a);
        assert_int_equal(reports_material(r, &q, &a, &m), OK);
        assert_true(m.n_rows > 0 && m.n_rows <= REPORT_PAGE_ROWS);
        for (size_t i = 0; i < m.n_rows; i++) {
            assert_true(m.rows[i].count < last);
            last = m.rows[i].count;
            sum += last;
        }
        q.from += (uint32_t)m.n_rows;
        more = m.more;
    }
    assert_int_equal(q.from, 1000);
    assert_int_equal(sum, 500500);
}

static const struct ipc_shape *shape_of(uint16_t type)
{
    return ipc_find(&reporter_journal_channel, type)->shape;
}

/* Every page fits into one message: 500 policies, whose records are long enough that bytes decide. */
static void a_page_of_long_records_fits_into_a_message(void **state)
{
    struct buf message CLEANUP(buf_done);
    char name[32], record[331];
    size_t told = 0, pages = 0;
    struct owed_page p = {0};
    struct owed last = {0};
    (void)state;
    buf_init(&message, IPC_BYTES_MAX - IPC_HEADER);
    memset(record, 'r', sizeof record - 1);
    record[sizeof record - 1] = '\0';
    for (unsigned i = 0; i < 500; i++) {
        struct seen_row row = {.begin = DAY0, .record = slice_str(record), .count = 1};
        (void)snprintf(name, sizeof name, "%03u.example", i);
        row.policy_domain = row.author = slice_str(name);
        assert_int_equal(report_rows_add(&rows, &seen_row_shape, &row), OK);
    }
    assert_int_equal(reports_seen(r, buf_view(&rows), T0), OK);
    do {
        p = owed(DAY0, told ? &last : NULL);
        assert_true(p.n_owed > 0 && p.n_owed < REPORT_PAGE_ROWS);
        buf_clear(&message);
        assert_int_equal(ipc_encode(&message, shape_of(REPORTER_JOURNAL_OWED), &p), OK);
        told += p.n_owed;
        last = p.owed[p.n_owed - 1];
        pages++;
    } while (p.more);
    assert_int_equal(told, 500);
    assert_int_equal(pages, 2);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_comes_is_told),
        T(long_answers_come_in_pages),
        T(rows_that_are_none_leave_nothing),
        T(what_is_not_proven_counts_nowhere),
        T(the_old_go),
        T(a_flood_pushes_out_itself),
        T(numbers_without_measure),
        T(the_log_stays_small),
        T(failure_reports_are_counted_by_day),
        T(what_we_judged_adds_up),
        T(what_we_owe_is_one_report_for_each_policy),
        T(many_rows_come_in_pages),
        T(a_page_of_long_records_fits_into_a_message),
    };
    shim_install();
    db_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
