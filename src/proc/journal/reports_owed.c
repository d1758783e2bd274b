#include "proc/journal/reports__.h"

enum err reports_owed(struct reports *r, const struct owed_ask *ask, struct arena *a, struct owed_page *out)
{
    enum err e = reports__ready(r);
    if (e)
        return e;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT begin_at, policy_domain, envelope_to, record, sum(count) FROM seen s"
               " WHERE begin_at <= ?1 AND (begin_at, policy_domain, envelope_to, record) > (?2, ?3, ?4, ?5)"
               " AND NOT EXISTS (SELECT 1 FROM settled d WHERE d.begin_at = s.begin_at AND d.policy_domain ="
               " s.policy_domain AND d.envelope_to = s.envelope_to AND d.record = s.record)"
               " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT ?6");
    struct owed *row;
    struct reports__page p = reports__page_of(q, a, sizeof *row);
    stmt_bind_i64(q, 1, ask->until);
    stmt_bind_i64(q, 2, ask->begin);
    stmt_bind_text(q, 3, ask->policy_domain);
    stmt_bind_text(q, 4, ask->envelope_to);
    stmt_bind_text(q, 5, ask->record);
    stmt_bind_i64(q, 6, REPORT_PAGE_ROWS + 1);
    while ((row = reports__row(&p)))
        *row = (struct owed){.begin = stmt_i64(q, 0),
                             .policy_domain = reports__text(&p, 1),
                             .envelope_to = reports__text(&p, 2),
                             .record = reports__text(&p, 3),
                             .messages = stmt_u64(q, 4)};
    if (!p.e)
        *out = (struct owed_page){.owed = (struct owed *)p.rows, .n_owed = p.n, .more = p.more};
    return p.e;
}

enum err reports_material(struct reports *r, const struct material_ask *ask, struct arena *a,
                          struct material *out)
{
    enum err e = reports__ready(r);
    if (e)
        return e;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT author, source, envelope_from, spf, spf_of_helo, spf_domain, dkim, spf_aligned,"
               " dkim_aligned, disposition, override_type, override_comment, sum(count) FROM seen"
               " WHERE begin_at = ?1 AND policy_domain = ?2 AND envelope_to = ?3 AND record = ?4"
               " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"
               " ORDER BY 13 DESC, 2, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 LIMIT ?5 OFFSET ?6");
    struct seen_row *row;
    struct reports__page p = reports__page_of(q, a, sizeof *row);
    stmt_bind_i64(q, 1, ask->begin);
    stmt_bind_text(q, 2, ask->policy_domain);
    stmt_bind_text(q, 3, ask->envelope_to);
    stmt_bind_text(q, 4, ask->record);
    stmt_bind_i64(q, 5, REPORT_PAGE_ROWS + 1);
    stmt_bind_i64(q, 6, ask->from);
    while ((row = reports__row(&p))) {
        *row = (struct seen_row){.author = reports__text(&p, 0),
                                 .source = reports__text(&p, 1),
                                 .envelope_from = reports__text(&p, 2),
                                 .spf = (uint8_t)stmt_i64(q, 3),
                                 .spf_of_helo = stmt_i64(q, 4) != 0,
                                 .spf_domain = reports__text(&p, 5),
                                 .spf_aligned = stmt_i64(q, 7) != 0,
                                 .dkim_aligned = stmt_i64(q, 8) != 0,
                                 .disposition = (uint8_t)stmt_i64(q, 9),
                                 .override_type = (uint8_t)stmt_i64(q, 10),
                                 .override_comment = reports__text(&p, 11),
                                 .count = stmt_u64(q, 12)};
        reports__signatures(&p, 6, &row->dkim, &row->n_dkim);
    }
    if (!p.e)
        *out = (struct material){.rows = (struct seen_row *)p.rows, .n_rows = p.n, .more = p.more};
    return p.e;
}

enum err reports_settled(struct reports *r, const struct settled *s)
{
    struct db_txn t CLEANUP(db_rollback) = {0};
    enum err e = reports__begin(r, &t);
    if (e)
        return e;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "INSERT INTO settled (begin_at, policy_domain, envelope_to, record, outcome, at, sent_to,"
               " messages) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING");
    stmt_bind_i64(q, 1, s->begin);
    stmt_bind_text(q, 2, s->policy_domain);
    stmt_bind_text(q, 3, s->envelope_to);
    stmt_bind_text(q, 4, s->record);
    stmt_bind_i64(q, 5, s->outcome);
    stmt_bind_i64(q, 6, s->at);
    stmt_bind_text(q, 7, s->to);
    stmt_bind_u64(q, 8, reports__bounded(s->messages));
    e = stmt_run(q);
    return e ? e : reports__commit(r, &t);
}
