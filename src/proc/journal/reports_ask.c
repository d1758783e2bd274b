#include "proc/journal/reports__.h"

/* ?1 to ?3: the domain and the time. */
static void bind_time(struct stmt *q, const struct report_ask *ask)
{
    stmt_bind_text(q, 1, ask->domain);
    stmt_bind_i64(q, 2, ask->since);
    stmt_bind_i64(q, 3, ask->until ? ask->until : INT64_MAX);
}

/* ?4 and ?5: the page. */
static void bind_page(struct stmt *q, const struct report_ask *ask)
{
    stmt_bind_i64(q, 4, REPORT_PAGE_ROWS + 1);
    stmt_bind_i64(q, 5, ask->from);
}

static enum err ask_orgs(struct reports *r, const struct report_ask *ask, struct arena *a,
                         struct report_page *out)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(r->db, "SELECT org, kind, count(*), sum(messages), min(begin_at), max(end_at),"
                       " max(end_at * 256 + p) % 256, proven FROM report WHERE domain = ?1"
                       " AND kind IN (0, 1, 2) AND end_at > ?2 AND end_at <= ?3 GROUP BY proven, kind, org"
                       " ORDER BY proven DESC, kind, 4 DESC, org LIMIT ?4 OFFSET ?5");
    struct report_org *row;
    struct reports__page p = reports__page_of(q, a, sizeof *row);
    bind_time(q, ask);
    bind_page(q, ask);
    while ((row = reports__row(&p)))
        *row = (struct report_org){.org = reports__text(&p, 0),
                                   .kind = (uint8_t)stmt_i64(q, 1),
                                   .reports = stmt_u64(q, 2),
                                   .messages = stmt_u64(q, 3),
                                   .begin = stmt_i64(q, 4),
                                   .end = stmt_i64(q, 5),
                                   .p = (uint8_t)stmt_i64(q, 6),
                                   .proven = stmt_i64(q, 7) != 0};
    *out = (struct report_page){.orgs = (struct report_org *)p.rows, .n_orgs = p.n, .more = p.more};
    return p.e;
}

/* Rows lie in the order of two indexes, so a page begins where the one before ended, nothing is sorted, and
 * all pages together read every row once. */
static enum err ask_sources(struct reports *r, const struct report_ask *ask, struct arena *a,
                            struct report_page *out)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT s.source, s.count, s.disposition, s.reason, s.dkim_aligned, s.spf_aligned,"
               " s.header_from, s.envelope_from, s.spf_domain, s.spf, s.spf_of_helo, s.dkim, s.envelope_to,"
               " r.org, r.begin_at, r.end_at, r.id, s.rowid FROM report r CROSS JOIN source s"
               " ON s.report = r.id WHERE r.domain = ?1 AND r.kind = 0 AND r.end_at > ?2 AND r.end_at <= ?3"
               " AND r.proven AND (r.end_at < ?3 OR ?4 = 0 OR r.id <= ?4)"
               " AND s.rowid > CASE WHEN r.id = ?4 THEN ?5 ELSE 0 END"
               " ORDER BY r.end_at DESC, r.id DESC, s.rowid LIMIT ?6");
    struct report_row *row;
    struct reports__page p = reports__page_of(q, a, sizeof *row);
    struct report_place place = {0};
    bind_time(q, ask);
    if (ask->from)
        stmt_bind_i64(q, 3, ask->behind.end);
    stmt_bind_u64(q, 4, ask->from ? ask->behind.report : 0);
    stmt_bind_u64(q, 5, ask->from ? ask->behind.row : 0);
    stmt_bind_i64(q, 6, REPORT_PAGE_ROWS + 1);
    while ((row = reports__row(&p))) {
        row->org = reports__text(&p, 13);
        row->begin = stmt_i64(q, 14);
        row->end = stmt_i64(q, 15);
        row->report = stmt_u64(q, 16);
        row->row = (struct aggregate_row){.source = reports__text(&p, 0),
                                          .count = stmt_u64(q, 1),
                                          .disposition = (uint8_t)stmt_i64(q, 2),
                                          .reason = (uint8_t)stmt_i64(q, 3),
                                          .dkim_aligned = stmt_i64(q, 4) != 0,
                                          .spf_aligned = stmt_i64(q, 5) != 0,
                                          .header_from = reports__text(&p, 6),
                                          .envelope_from = reports__text(&p, 7),
                                          .envelope_to = reports__text(&p, 12),
                                          .spf_domain = reports__text(&p, 8),
                                          .spf = (uint8_t)stmt_i64(q, 9),
                                          .spf_of_helo = stmt_i64(q, 10) != 0};
        reports__signatures(&p, 11, &row->row.dkim, &row->row.n_dkim);
        place = (struct report_place){row->end, row->report, stmt_u64(q, 17)};
    }
    r->steps += stmt_work(q);
    *out = (struct report_page){
        .sources = (struct report_row *)p.rows, .n_sources = p.n, .place = place, .more = p.more};
    return p.e;
}

static enum err ask_tls(struct reports *r, const struct report_ask *ask, struct arena *a,
                        struct report_page *out)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT r.org, t.policy_type, t.policy_domain, t.mx, sum(t.good), sum(t.failed), t.result,"
               " t.receiving_mx, t.reason, sum(t.count) FROM report r JOIN tls t ON t.report = r.id"
               " WHERE r.domain = ?1 AND r.kind = 2 AND r.proven AND r.end_at > ?2 AND r.end_at <= ?3"
               " GROUP BY 1, 2, 3, 4, 7, 8, 9 ORDER BY 1, 7, 10 DESC, 8 LIMIT ?4 OFFSET ?5");
    struct report_tls *row;
    struct reports__page p = reports__page_of(q, a, sizeof *row);
    bind_time(q, ask);
    bind_page(q, ask);
    while ((row = reports__row(&p))) {
        row->org = reports__text(&p, 0);
        row->row = (struct tls_row){.policy_type = reports__text(&p, 1),
                                    .policy_domain = reports__text(&p, 2),
                                    .mx = reports__text(&p, 3),
                                    .good = stmt_u64(q, 4),
                                    .failed = stmt_u64(q, 5),
                                    .result = reports__text(&p, 6),
                                    .receiving_mx = reports__text(&p, 7),
                                    .reason = reports__text(&p, 8),
                                    .count = stmt_u64(q, 9)};
    }
    *out = (struct report_page){.tls = (struct report_tls *)p.rows, .n_tls = p.n, .more = p.more};
    return p.e;
}

static enum err ask_failures(struct reports *r, const struct report_ask *ask, struct arena *a,
                             struct report_page *out)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT f.source, f.failure, f.delivery, f.header_from, f.mail_from, f.dkim_domain,"
               " f.dkim_selector, max(f.arrived), sum(f.incidents) FROM report r JOIN failure f"
               " ON f.report = r.id WHERE r.domain = ?1 AND r.kind = 1 AND r.proven AND r.end_at > ?2"
               " AND r.end_at <= ?3 GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 9 DESC, 1 LIMIT ?4 OFFSET ?5");
    struct failure_row *row;
    struct reports__page p = reports__page_of(q, a, sizeof *row);
    bind_time(q, ask);
    bind_page(q, ask);
    while ((row = reports__row(&p)))
        *row = (struct failure_row){.source = reports__text(&p, 0),
                                    .failure = reports__text(&p, 1),
                                    .delivery = reports__text(&p, 2),
                                    .header_from = reports__text(&p, 3),
                                    .mail_from = reports__text(&p, 4),
                                    .dkim_domain = reports__text(&p, 5),
                                    .dkim_selector = reports__text(&p, 6),
                                    .arrived = stmt_i64(q, 7),
                                    .incidents = stmt_u64(q, 8)};
    *out = (struct report_page){.failures = (struct failure_row *)p.rows, .n_failures = p.n, .more = p.more};
    return p.e;
}

static enum err ask_sent(struct reports *r, const struct report_ask *ask, struct arena *a,
                         struct report_page *out)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(r->db, "SELECT count(*), coalesce(sum(messages), 0) FROM settled WHERE envelope_to = ?1"
                       " AND at > ?2 AND at <= ?3 AND outcome = 0");
    enum err e;
    (void)a;
    bind_time(q, ask);
    e = stmt_row(q);
    if (!e)
        *out = (struct report_page){.sent = stmt_u64(q, 0), .sent_messages = stmt_u64(q, 1)};
    return e;
}

static enum err ask_failed(struct reports *r, const struct report_ask *ask, struct arena *a,
                           struct report_page *out)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT policy_domain, count(*) FROM settled WHERE begin_at >= ?2 / 1000 AND outcome = 4"
               " AND (?1 = '' OR policy_domain = ?1) AND at <= ?3 GROUP BY policy_domain LIMIT ?4"
               " OFFSET ?5");
    struct report_org *row;
    struct reports__page p = reports__page_of(q, a, sizeof *row);
    bind_time(q, ask);
    bind_page(q, ask);
    while ((row = reports__row(&p)))
        *row = (struct report_org){.org = reports__text(&p, 0), .reports = stmt_u64(q, 1)};
    *out = (struct report_page){.orgs = (struct report_org *)p.rows, .n_orgs = p.n, .more = p.more};
    return p.e;
}

enum err reports_ask(struct reports *r, const struct report_ask *ask, struct arena *a,
                     struct report_page *out)
{
    static enum err (*const questions[])(struct reports *, const struct report_ask *, struct arena *,
                                         struct report_page *) = {
        [REPORT_ASK_ORGS] = ask_orgs, [REPORT_ASK_SOURCES] = ask_sources,
        [REPORT_ASK_TLS] = ask_tls,   [REPORT_ASK_FAILURES] = ask_failures,
        [REPORT_ASK_SENT] = ask_sent, [REPORT_ASK_FAILED] = ask_failed,
    };
    static_assert(ARRAY_LEN(questions) == REPORT_ASK__LAST + 1, "each question has its function");
    struct report_page page;
    enum err e = reports__ready(r);
    if (!e)
        e = questions[ask->question](r, ask, a, &page);
    if (!e)
        *out = page;
    return e;
}
