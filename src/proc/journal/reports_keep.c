#include "ipc/report_rows.h"
#include "proc/journal/reports__.h"

#define ROW_ARENA     ((size_t)64 * 1024)
#define PRUNE_REPORTS 16 /* oldest that go with each report that comes, while there is too much */
#define PRUNE_SEEN    4096
#define HEAD_WEIGHT   500 /* bytes of a report without rows, about */

static enum err put_head(struct reports *r, const struct report_head *h, size_t rows_bytes)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "INSERT INTO report (kind, domain, org, report_id, email, contact, author, mail, begin_at,"
               " end_at, taken_at, p, sp, np, adkim, aspf, testing, fo, messages, left_out, mistake,"
               " proven, holder, weight) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    stmt_bind_i64(q, 1, h->kind);
    stmt_bind_text(q, 2, h->domain);
    stmt_bind_text(q, 3, h->org);
    stmt_bind_text(q, 4, h->report_id);
    stmt_bind_text(q, 5, h->email);
    stmt_bind_text(q, 6, h->contact);
    stmt_bind_text(q, 7, h->author);
    stmt_bind_i64(q, 8, (int64_t)h->mail_id);
    stmt_bind_i64(q, 9, h->begin);
    stmt_bind_i64(q, 10, h->end);
    stmt_bind_i64(q, 11, h->taken_at);
    stmt_bind_i64(q, 12, h->p);
    stmt_bind_i64(q, 13, h->sp);
    stmt_bind_i64(q, 14, h->np);
    stmt_bind_i64(q, 15, h->adkim);
    stmt_bind_i64(q, 16, h->aspf);
    stmt_bind_i64(q, 17, h->testing);
    stmt_bind_text(q, 18, h->fo);
    stmt_bind_u64(q, 19, reports__bounded(h->messages));
    stmt_bind_u64(q, 20, reports__bounded(h->left_out));
    stmt_bind_text(q, 21, h->mistake);
    stmt_bind_i64(q, 22, h->proven);
    stmt_bind_text(q, 23, h->holder);
    stmt_bind_u64(q, 24, HEAD_WEIGHT + rows_bytes);
    return stmt_run(q);
}

static enum err put_source(struct reports *r, int64_t report, const void *row, struct buf *room)
{
    const struct aggregate_row *s = row;
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(r->db, "INSERT INTO source (report, source, count, disposition, reason, reason_comment,"
                       " dkim_aligned, spf_aligned, header_from, envelope_from, envelope_to, spf_domain, spf,"
                       " spf_of_helo, dkim) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    reports__dkim_print(s->dkim, s->n_dkim, room);
    stmt_bind_i64(q, 1, report);
    stmt_bind_blob(q, 2, s->source);
    stmt_bind_u64(q, 3, reports__bounded(s->count));
    stmt_bind_i64(q, 4, s->disposition);
    stmt_bind_i64(q, 5, s->reason);
    stmt_bind_text(q, 6, s->reason_comment);
    stmt_bind_i64(q, 7, s->dkim_aligned);
    stmt_bind_i64(q, 8, s->spf_aligned);
    stmt_bind_text(q, 9, s->header_from);
    stmt_bind_text(q, 10, s->envelope_from);
    stmt_bind_text(q, 11, s->envelope_to);
    stmt_bind_text(q, 12, s->spf_domain);
    stmt_bind_i64(q, 13, s->spf);
    stmt_bind_i64(q, 14, s->spf_of_helo);
    stmt_bind_text(q, 15, buf_view(room));
    return stmt_run(q);
}

static enum err put_tls(struct reports *r, int64_t report, const void *row, struct buf *room)
{
    const struct tls_row *t = row;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "INSERT INTO tls (report, policy_type, policy_domain, mx, good, failed, result, sending_ip,"
               " receiving_mx, receiving_ip, reason, count) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)");
    (void)room;
    stmt_bind_i64(q, 1, report);
    stmt_bind_text(q, 2, t->policy_type);
    stmt_bind_text(q, 3, t->policy_domain);
    stmt_bind_text(q, 4, t->mx);
    stmt_bind_u64(q, 5, reports__bounded(t->good));
    stmt_bind_u64(q, 6, reports__bounded(t->failed));
    stmt_bind_text(q, 7, t->result);
    stmt_bind_text(q, 8, t->sending_ip);
    stmt_bind_text(q, 9, t->receiving_mx);
    stmt_bind_text(q, 10, t->receiving_ip);
    stmt_bind_text(q, 11, t->reason);
    stmt_bind_u64(q, 12, reports__bounded(t->count));
    return stmt_run(q);
}

static enum err put_failure(struct reports *r, int64_t report, const void *row, struct buf *room)
{
    const struct failure_row *f = row;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "INSERT INTO failure (report, source, failure, delivery, aligned, user_agent, header_from,"
               " mail_from, rcpt_to, dkim_domain, dkim_selector, arrived, incidents)"
               " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)");
    (void)room;
    stmt_bind_i64(q, 1, report);
    stmt_bind_blob(q, 2, f->source);
    stmt_bind_text(q, 3, f->failure);
    stmt_bind_text(q, 4, f->delivery);
    stmt_bind_text(q, 5, f->aligned);
    stmt_bind_text(q, 6, f->user_agent);
    stmt_bind_text(q, 7, f->header_from);
    stmt_bind_text(q, 8, f->mail_from);
    stmt_bind_text(q, 9, f->rcpt_to);
    stmt_bind_text(q, 10, f->dkim_domain);
    stmt_bind_text(q, 11, f->dkim_selector);
    stmt_bind_i64(q, 12, f->arrived);
    stmt_bind_u64(q, 13, reports__bounded(f->incidents));
    return stmt_run(q);
}

static enum err put_seen(struct reports *r, int64_t report, const void *row, struct buf *room)
{
    const struct seen_row *s = row;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "INSERT INTO seen (begin_at, policy_domain, author, envelope_to, source, envelope_from, spf,"
               " spf_of_helo, spf_domain, dkim, dmarc, spf_aligned, dkim_aligned, policy, disposition,"
               " override_type, override_comment, record, count)"
               " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
               " ON CONFLICT DO UPDATE SET count = count + excluded.count");
    (void)report;
    reports__dkim_print(s->dkim, s->n_dkim, room);
    stmt_bind_i64(q, 1, s->begin);
    stmt_bind_text(q, 2, s->policy_domain);
    stmt_bind_text(q, 3, s->author);
    stmt_bind_text(q, 4, s->envelope_to);
    stmt_bind_blob(q, 5, s->source);
    stmt_bind_text(q, 6, s->envelope_from);
    stmt_bind_i64(q, 7, s->spf);
    stmt_bind_i64(q, 8, s->spf_of_helo);
    stmt_bind_text(q, 9, s->spf_domain);
    stmt_bind_text(q, 10, buf_view(room));
    stmt_bind_i64(q, 11, s->dmarc);
    stmt_bind_i64(q, 12, s->spf_aligned);
    stmt_bind_i64(q, 13, s->dkim_aligned);
    stmt_bind_i64(q, 14, s->policy);
    stmt_bind_i64(q, 15, s->disposition);
    stmt_bind_i64(q, 16, s->override_type);
    stmt_bind_text(q, 17, s->override_comment);
    stmt_bind_text(q, 18, s->record);
    stmt_bind_u64(q, 19, reports__bounded(s->count));
    return stmt_run(q);
}

typedef enum err (*put_fn)(struct reports *r, int64_t report, const void *row, struct buf *room);

static enum err put_rows(struct reports *r, slice rows, const struct ipc_shape *shape, put_fn put,
                         int64_t report)
{
    union {
        struct aggregate_row a;
        struct tls_row t;
        struct failure_row f;
        struct seen_row s;
    } row;
    struct arena arena CLEANUP(arena_done);
    struct buf room CLEANUP(buf_done);
    struct cursor c = cursor_of(rows);
    enum err e;
    must(shape->size <= sizeof row);
    arena_init(&arena, "report row", ROW_ARENA);
    buf_init(&room, REPORTS_DKIM_TEXT_MAX);
    while ((e = report_rows_next(&c, shape, &arena, &row)) == OK) {
        e = put(r, report, &row, &room);
        if (e)
            return e;
        arena_reset(&arena);
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err prune_old(struct reports *r, time_ms oldest)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db,
        "DELETE FROM report WHERE id IN (SELECT id FROM report ORDER BY id LIMIT ?1) AND taken_at < ?2");
    stmt_bind_i64(q, 1, PRUNE_REPORTS);
    stmt_bind_i64(q, 2, oldest);
    return stmt_run(q);
}

/* The oldest of whoever takes the most room: a flood of reports, by nobody proven or by one domain, pushes
 * out itself and not what others reported. */
static enum err prune_largest(struct reports *r)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "DELETE FROM report WHERE id IN (SELECT id FROM report WHERE holder = (SELECT holder"
               " FROM report GROUP BY holder ORDER BY sum(weight) DESC LIMIT 1) ORDER BY id LIMIT ?1)");
    stmt_bind_i64(q, 1, PRUNE_REPORTS);
    return stmt_run(q);
}

static enum err prune_seen(struct reports *r, bool full, time_ms oldest)
{
    if (!full && db_number(r->db, "SELECT coalesce(min(begin_at), 1 << 40) FROM seen") >=
                     (uint64_t)(oldest > 0 ? oldest / MS_SECOND : 0))
        return OK; /* mostly */
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db,
        "DELETE FROM seen WHERE (begin_at, policy_domain, author, envelope_to, source, envelope_from, spf,"
        " spf_of_helo, spf_domain, dkim, dmarc, spf_aligned, dkim_aligned, policy, disposition,"
        " override_type, override_comment, record) IN (SELECT begin_at, policy_domain, author, envelope_to,"
        " source, envelope_from, spf, spf_of_helo, spf_domain, dkim, dmarc, spf_aligned,"
        " dkim_aligned, policy, disposition, override_type, override_comment, record FROM seen"
        " ORDER BY begin_at LIMIT ?1) AND (?2 OR begin_at < ?3)");
    stmt_bind_i64(q, 1, PRUNE_SEEN);
    stmt_bind_i64(q, 2, full);
    stmt_bind_i64(q, 3, oldest / MS_SECOND);
    return stmt_run(q);
}

/* Two days later than the rows they settle, so that nothing of those is left in seen. */
static enum err prune_settled(struct reports *r, time_ms oldest)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(r->db, "DELETE FROM settled WHERE begin_at < ?1");
    stmt_bind_i64(q, 1, (oldest - 2 * MS_DAY) / MS_SECOND);
    return stmt_run(q);
}

/* Invariant 3: what is too old, and of what is added now while there is too much. Reports stop at three
 * quarters of the room, so that they never push out what we judged. */
static enum err prune(struct reports *r, bool is_report, time_ms now)
{
    bool full = db_used_bytes(r->db) > (is_report ? r->limits.bytes_max / 4 * 3 : r->limits.bytes_max);
    time_ms oldest = now - (time_ms)r->limits.keep_days * MS_DAY;
    enum err e = prune_old(r, oldest);
    if (!e && full && is_report)
        e = prune_largest(r);
    if (!e)
        e = prune_settled(r, oldest);
    return e ? e : prune_seen(r, full && !is_report, oldest);
}

enum err reports_add(struct reports *r, const struct report_head *head, slice rows, time_ms now)
{
    static const struct {
        const struct ipc_shape *shape;
        put_fn put;
    } kinds[] = {
        [REPORT_HEAD_AGGREGATE] = {&aggregate_row_shape, put_source},
        [REPORT_HEAD_FAILURE] = {&failure_row_shape, put_failure},
        [REPORT_HEAD_TLS] = {&tls_row_shape, put_tls},
    };
    struct db_txn t CLEANUP(db_rollback) = {0};
    enum err e = reports__begin(r, &t);
    if (!e)
        e = prune(r, true, now);
    if (!e)
        e = put_head(r, head, rows.n);
    if (!e)
        e = put_rows(r, rows, kinds[head->kind].shape, kinds[head->kind].put, db_last_id(r->db));
    return e ? e : reports__commit(r, &t);
}

enum err reports_seen(struct reports *r, slice rows, time_ms now)
{
    struct db_txn t CLEANUP(db_rollback) = {0};
    enum err e = reports__begin(r, &t);
    if (!e)
        e = prune(r, false, now);
    if (!e)
        e = put_rows(r, rows, &seen_row_shape, put_seen, 0);
    return e ? e : reports__commit(r, &t);
}
