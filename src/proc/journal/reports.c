#include "proc/journal/reports.h"

#include "ipc/report_rows.h"
#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>

#define APPLICATION_ID 0x50485250 /* "PHRP" */
#define DKIM_TEXT_MAX  8192
#define ROW_ARENA      ((size_t)64 * 1024)
#define PRUNE_REPORTS  16 /* oldest that go with each report that comes, while there is too much */
#define PRUNE_SEEN     4096

/* Numbers in columns are those of the structs in ipc/reporter_journal.h. dkim: a line a signature, "domain
 * selector result"; an empty name is "-". */
static const char *const migrations[] = {
    "CREATE TABLE report (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, domain TEXT NOT NULL, org TEXT NOT "
    "NULL,"
    " report_id TEXT NOT NULL, email TEXT NOT NULL, contact TEXT NOT NULL, author TEXT NOT NULL,"
    " mail INTEGER NOT NULL, begin_at INTEGER NOT NULL, end_at INTEGER NOT NULL, taken_at INTEGER NOT NULL,"
    " p INTEGER NOT NULL, sp INTEGER NOT NULL, np INTEGER NOT NULL, adkim INTEGER NOT NULL, aspf INTEGER NOT "
    "NULL,"
    " testing INTEGER NOT NULL, fo TEXT NOT NULL, messages INTEGER NOT NULL, left_out INTEGER NOT NULL,"
    " mistake TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX report_once ON report (domain, kind, org, report_id);"
    "CREATE INDEX report_time ON report (domain, kind, end_at);"
    "CREATE TABLE source (report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE, source BLOB NOT "
    "NULL,"
    " count INTEGER NOT NULL, disposition INTEGER NOT NULL, reason INTEGER NOT NULL, reason_comment TEXT NOT "
    "NULL,"
    " dkim_aligned INTEGER NOT NULL, spf_aligned INTEGER NOT NULL, header_from TEXT NOT NULL,"
    " envelope_from TEXT NOT NULL, envelope_to TEXT NOT NULL, spf_domain TEXT NOT NULL, spf INTEGER NOT NULL,"
    " spf_of_helo INTEGER NOT NULL, dkim TEXT NOT NULL) STRICT;"
    "CREATE INDEX source_report ON source (report);"
    "CREATE TABLE tls (report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE, policy_type TEXT "
    "NOT NULL,"
    " policy_domain TEXT NOT NULL, mx TEXT NOT NULL, good INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " result TEXT NOT NULL, sending_ip TEXT NOT NULL, receiving_mx TEXT NOT NULL, receiving_ip TEXT NOT NULL,"
    " reason TEXT NOT NULL, count INTEGER NOT NULL) STRICT;"
    "CREATE INDEX tls_report ON tls (report);"
    "CREATE TABLE failure (report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE, source BLOB NOT "
    "NULL,"
    " failure TEXT NOT NULL, delivery TEXT NOT NULL, aligned TEXT NOT NULL, user_agent TEXT NOT NULL,"
    " header_from TEXT NOT NULL, mail_from TEXT NOT NULL, rcpt_to TEXT NOT NULL, dkim_domain TEXT NOT NULL,"
    " dkim_selector TEXT NOT NULL, arrived INTEGER NOT NULL, incidents INTEGER NOT NULL) STRICT;"
    "CREATE INDEX failure_report ON failure (report);"
    /* what we judged: the material of the reports we send */
    "CREATE TABLE seen (day INTEGER NOT NULL, policy_domain TEXT NOT NULL, author TEXT NOT NULL,"
    " envelope_to TEXT NOT NULL, source BLOB NOT NULL, envelope_from TEXT NOT NULL, spf INTEGER NOT NULL,"
    " spf_of_helo INTEGER NOT NULL, spf_domain TEXT NOT NULL, dkim TEXT NOT NULL, dmarc INTEGER NOT NULL,"
    " spf_aligned INTEGER NOT NULL, dkim_aligned INTEGER NOT NULL, policy INTEGER NOT NULL,"
    " disposition INTEGER NOT NULL, override_type INTEGER NOT NULL, override_comment TEXT NOT NULL,"
    " record TEXT NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY (day, policy_domain, author, envelope_to, source, envelope_from, spf, spf_of_helo, "
    "spf_domain,"
    " dkim, dmarc, spf_aligned, dkim_aligned, policy, disposition, override_type, override_comment, record))"
    " STRICT, WITHOUT ROWID;",
    /* periods of any length: Unix seconds at which they begin, no longer days; and the reports we sent, or
     * never will */
    "ALTER TABLE seen RENAME COLUMN day TO begin_at;"
    "UPDATE seen SET begin_at = begin_at * 86400;"
    "CREATE TABLE settled (begin_at INTEGER NOT NULL, policy_domain TEXT NOT NULL, envelope_to TEXT NOT NULL,"
    " record TEXT NOT NULL, outcome INTEGER NOT NULL, at INTEGER NOT NULL, sent_to TEXT NOT NULL,"
    " messages INTEGER NOT NULL, PRIMARY KEY (begin_at, policy_domain, envelope_to, record))"
    " STRICT, WITHOUT ROWID;",
    /* who is proven to be who he says; and an id that somebody else used first does not keep the right one
       out */
    "ALTER TABLE report ADD COLUMN proven INTEGER NOT NULL DEFAULT 0;"
    "UPDATE report SET proven = author <> '';"
    "DROP INDEX report_once;"
    "CREATE UNIQUE INDEX report_once ON report (domain, kind, org, report_id, author);",
};

struct reports {
    struct db *db;
    char *path;
    const char *vfs;
    struct reports_limits limits;
    uint64_t steps;
};

static enum err open_file(struct reports *r, struct err_detail *detail)
{
    struct db_options o = {.path = r->path,
                           .kind = "database of reports",
                           .application_id = APPLICATION_ID,
                           .migrations = migrations,
                           .migration_count = ARRAY_LEN(migrations),
                           .vfs = r->vfs};
    return db_open(&o, &r->db, detail);
}

enum err reports_open(const char *path, const char *vfs, const struct reports_limits *limits,
                      struct reports **out, struct err_detail *detail)
{
    struct reports *r CLEANUP(reports_close) = calloc(1, sizeof *r);
    enum err e;
    must(r);
    r->path = strdup(path);
    must(r->path);
    r->vfs = vfs;
    r->limits = *limits;
    e = open_file(r, detail);
    if (e == ERR_CORRUPT) {
        if (!db_set_aside(path))
            return e;
        e = open_file(r, detail);
    }
    if (e)
        return e;
    *out = r;
    r = NULL;
    return OK;
}

void reports_close(struct reports **r)
{
    if (!*r)
        return;
    db_close(&(*r)->db);
    free((*r)->path);
    free(*r);
    *r = NULL;
}

/* Before every use: after a failed sync the file is opened anew (db.h, invariant 3). */
static enum err ready(struct reports *r)
{
    if (r->db && db_broken(r->db))
        db_close(&r->db);
    return r->db ? OK : open_file(r, NULL);
}

/* ---- signatures as text */

static void dkim_print(const struct report_dkim *dkim, size_t n, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < n; i++)
        buf_print(out, "%.*s %.*s %u\n", SLICE_FMT(dkim[i].domain.n ? dkim[i].domain : SLICE("-")),
                  SLICE_FMT(dkim[i].selector.n ? dkim[i].selector : SLICE("-")), dkim[i].result);
}

static enum err dkim_parse(slice text, struct arena *a, const struct report_dkim **out, size_t *out_n)
{
    struct report_dkim *items = ARENA_ARRAY(a, X_REPORTER_DKIM_MAX, struct report_dkim);
    struct cursor c = cursor_of(text);
    size_t n = 0;
    slice line, rest, result;
    if (!items)
        return ERR_LIMIT;
    while (n < X_REPORTER_DKIM_MAX && cursor_line(&c, &line)) {
        uint32_t number;
        struct report_dkim d;
        if (!slice_split(line, ' ', &d.domain, &rest) || !slice_split(rest, ' ', &d.selector, &result) ||
            !slice_u32(result, &number) || number > 7)
            return ERR_CORRUPT;
        d.result = (uint8_t)number;
        if (slice_eq(d.domain, SLICE("-")))
            d.domain = (slice){0};
        if (slice_eq(d.selector, SLICE("-")))
            d.selector = (slice){0};
        items[n++] = d;
    }
    *out = items;
    *out_n = n;
    return OK;
}

/* ---- keeping a report */

/* Sums stay far from the edge of SQLite's integers. */
static uint64_t bounded(uint64_t n)
{
    return n < (uint64_t)1 << 48 ? n : (uint64_t)1 << 48;
}

static enum err put_head(struct reports *r, const struct report_head *h)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "INSERT INTO report (kind, domain, org, report_id, email, contact, author, mail, begin_at,"
               " end_at, taken_at, p, sp, np, adkim, aspf, testing, fo, messages, left_out, mistake,"
               " proven) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
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
    stmt_bind_u64(q, 19, bounded(h->messages));
    stmt_bind_u64(q, 20, bounded(h->left_out));
    stmt_bind_text(q, 21, h->mistake);
    stmt_bind_i64(q, 22, h->proven);
    return stmt_run(q);
}

static enum err put_source(struct reports *r, int64_t report, const void *row, struct buf *room)
{
    const struct aggregate_row *s = row;
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(r->db, "INSERT INTO source (report, source, count, disposition, reason, reason_comment,"
                       " dkim_aligned, spf_aligned, header_from, envelope_from, envelope_to, spf_domain, spf,"
                       " spf_of_helo, dkim) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    dkim_print(s->dkim, s->n_dkim, room);
    stmt_bind_i64(q, 1, report);
    stmt_bind_blob(q, 2, s->source);
    stmt_bind_u64(q, 3, bounded(s->count));
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
    stmt_bind_u64(q, 5, bounded(t->good));
    stmt_bind_u64(q, 6, bounded(t->failed));
    stmt_bind_text(q, 7, t->result);
    stmt_bind_text(q, 8, t->sending_ip);
    stmt_bind_text(q, 9, t->receiving_mx);
    stmt_bind_text(q, 10, t->receiving_ip);
    stmt_bind_text(q, 11, t->reason);
    stmt_bind_u64(q, 12, bounded(t->count));
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
    stmt_bind_u64(q, 13, bounded(f->incidents));
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
    dkim_print(s->dkim, s->n_dkim, room);
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
    stmt_bind_u64(q, 19, bounded(s->count));
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
    buf_init(&room, DKIM_TEXT_MAX);
    while ((e = report_rows_next(&c, shape, &arena, &row)) == OK) {
        e = put(r, report, &row, &room);
        if (e)
            return e;
        arena_reset(&arena);
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

static uint64_t one_number(struct reports *r, const char *sql)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(r->db, sql);
    return stmt_row(q) == OK ? stmt_u64(q, 0) : 0;
}

/* Invariant 3: what is too old, and the oldest while there is too much. */
static enum err prune(struct reports *r, time_ms now)
{
    uint64_t used = (one_number(r, "PRAGMA page_count") - one_number(r, "PRAGMA freelist_count")) *
                    one_number(r, "PRAGMA page_size");
    bool full = used > r->limits.bytes_max;
    time_ms oldest = now - (time_ms)r->limits.keep_days * MS_DAY;
    enum err e;
    {
        struct stmt *q CLEANUP(stmt_done) =
            db_stmt(r->db, "DELETE FROM report WHERE id IN (SELECT id FROM report ORDER BY id LIMIT ?1)"
                           " AND (?2 OR taken_at < ?3)");
        stmt_bind_i64(q, 1, PRUNE_REPORTS);
        stmt_bind_i64(q, 2, full);
        stmt_bind_i64(q, 3, oldest);
        e = stmt_run(q);
        if (e)
            return e;
    }
    {
        struct stmt *q CLEANUP(stmt_done) = db_stmt(
            r->db, "DELETE FROM settled WHERE begin_at < ?1"); /* then nothing of it is left in seen */
        stmt_bind_i64(q, 1, oldest / MS_SECOND - 2 * 86400);
        e = stmt_run(q);
        if (e)
            return e;
    }
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
    enum err e = ready(r);
    if (!e)
        e = db_begin(r->db, &t);
    if (!e)
        e = prune(r, now);
    if (!e)
        e = put_head(r, head);
    if (!e)
        e = put_rows(r, rows, kinds[head->kind].shape, kinds[head->kind].put, db_last_id(r->db));
    return e ? e : db_commit(&t);
}

enum err reports_seen(struct reports *r, slice rows, time_ms now)
{
    struct db_txn t CLEANUP(db_rollback) = {0};
    enum err e = ready(r);
    if (!e)
        e = db_begin(r->db, &t);
    if (!e)
        e = prune(r, now);
    if (!e)
        e = put_rows(r, rows, &seen_row_shape, put_seen, 0);
    return e ? e : db_commit(&t);
}

/* ---- telling */

static slice text(struct stmt *q, int column, struct arena *a, enum err *e)
{
    slice out = {0};
    if (!arena_dup(a, stmt_slice(q, column), &out))
        *e = ERR_LIMIT;
    return out;
}

/* What the arena holds beside the array is about what the rows take on the channel. */
static bool is_full(const struct arena *a, size_t rows)
{
    static const size_t array = REPORT_PAGE_ROWS * sizeof(struct report_tls);
    return rows == REPORT_PAGE_ROWS || a->used > array + REPORT_PAGE_BYTES;
}

static void bind_ask(struct stmt *q, const struct report_ask *ask)
{
    stmt_bind_text(q, 1, ask->domain);
    stmt_bind_i64(q, 2, ask->since);
    stmt_bind_i64(q, 3, ask->until ? ask->until : INT64_MAX);
    stmt_bind_i64(q, 4, REPORT_PAGE_ROWS + 1);
    stmt_bind_i64(q, 5, ask->from);
}

static enum err ask_orgs(struct reports *r, const struct report_ask *ask, struct arena *a,
                         struct report_page *out)
{
    struct report_org *rows = ARENA_ARRAY(a, REPORT_PAGE_ROWS, struct report_org);
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(r->db, "SELECT org, kind, count(*), sum(messages), min(begin_at), max(end_at), p,"
                       " proven FROM report WHERE domain = ?1 AND kind IN (0, 1, 2) AND end_at > ?2"
                       " AND end_at <= ?3 GROUP BY proven, kind, org"
                       " ORDER BY proven DESC, kind, 4 DESC, org LIMIT ?4 OFFSET ?5");
    enum err e = rows ? OK : ERR_LIMIT;
    bind_ask(q, ask);
    while (!e && (e = stmt_row(q)) == OK) {
        if (is_full(a, out->n_orgs)) {
            out->more = true;
            break;
        }
        rows[out->n_orgs++] = (struct report_org){.org = text(q, 0, a, &e),
                                                  .kind = (uint8_t)stmt_i64(q, 1),
                                                  .reports = stmt_u64(q, 2),
                                                  .messages = stmt_u64(q, 3),
                                                  .begin = stmt_i64(q, 4),
                                                  .end = stmt_i64(q, 5),
                                                  .p = (uint8_t)stmt_i64(q, 6),
                                                  .proven = stmt_i64(q, 7) != 0};
    }
    out->orgs = rows;
    return e == ERR_NOT_FOUND ? OK : e;
}

/* Rows lie in the order of two indexes, so a page begins where the one before ended, nothing is sorted, and
 * all pages together read every row once. */
static enum err ask_sources(struct reports *r, const struct report_ask *ask, struct arena *a,
                            struct report_page *out)
{
    struct report_row *rows = ARENA_ARRAY(a, REPORT_PAGE_ROWS, struct report_row);
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT s.source, s.count, s.disposition, s.reason, s.dkim_aligned, s.spf_aligned,"
               " s.header_from, s.envelope_from, s.spf_domain, s.spf, s.spf_of_helo, s.dkim, s.envelope_to,"
               " r.org, r.begin_at, r.end_at, r.id, s.rowid FROM report r CROSS JOIN source s"
               " ON s.report = r.id WHERE r.domain = ?1 AND r.kind = 0 AND r.end_at > ?2 AND r.end_at <= ?3"
               " AND r.proven AND (r.end_at < ?3 OR ?4 = 0 OR r.id <= ?4)"
               " AND s.rowid > CASE WHEN r.id = ?4 THEN ?5 ELSE 0 END"
               " ORDER BY r.end_at DESC, r.id DESC, s.rowid LIMIT ?6");
    enum err e = rows ? OK : ERR_LIMIT;
    bool first = ask->from == 0;
    stmt_bind_text(q, 1, ask->domain);
    stmt_bind_i64(q, 2, ask->since);
    stmt_bind_i64(q, 3, !first ? ask->behind.end : ask->until ? ask->until : INT64_MAX);
    stmt_bind_u64(q, 4, first ? 0 : ask->behind.report);
    stmt_bind_u64(q, 5, first ? 0 : ask->behind.row);
    stmt_bind_i64(q, 6, REPORT_PAGE_ROWS + 1);
    while (!e && (e = stmt_row(q)) == OK) {
        struct report_row *to = &rows[out->n_sources];
        if (is_full(a, out->n_sources)) {
            out->more = true;
            break;
        }
        *to =
            (struct report_row){.org = text(q, 13, a, &e), .begin = stmt_i64(q, 14), .end = stmt_i64(q, 15)};
        to->report = stmt_u64(q, 16);
        to->row = (struct aggregate_row){.source = text(q, 0, a, &e),
                                         .count = stmt_u64(q, 1),
                                         .disposition = (uint8_t)stmt_i64(q, 2),
                                         .reason = (uint8_t)stmt_i64(q, 3),
                                         .dkim_aligned = stmt_i64(q, 4) != 0,
                                         .spf_aligned = stmt_i64(q, 5) != 0,
                                         .header_from = text(q, 6, a, &e),
                                         .envelope_from = text(q, 7, a, &e),
                                         .envelope_to = text(q, 12, a, &e),
                                         .spf_domain = text(q, 8, a, &e),
                                         .spf = (uint8_t)stmt_i64(q, 9),
                                         .spf_of_helo = stmt_i64(q, 10) != 0};
        if (!e)
            e = dkim_parse(text(q, 11, a, &e), a, &to->row.dkim, &to->row.n_dkim);
        out->place = (struct report_place){stmt_i64(q, 15), stmt_u64(q, 16), stmt_u64(q, 17)};
        out->n_sources++;
    }
    r->steps += stmt_work(q);
    out->sources = rows;
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err ask_tls(struct reports *r, const struct report_ask *ask, struct arena *a,
                        struct report_page *out)
{
    struct report_tls *rows = ARENA_ARRAY(a, REPORT_PAGE_ROWS, struct report_tls);
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT r.org, t.policy_type, t.policy_domain, t.mx, sum(t.good), sum(t.failed), t.result,"
               " t.receiving_mx, t.reason, sum(t.count) FROM report r JOIN tls t ON t.report = r.id"
               " WHERE r.domain = ?1 AND r.kind = 2 AND r.proven AND r.end_at > ?2 AND r.end_at <= ?3"
               " GROUP BY 1, 2, 3, 4, 7, 8, 9 ORDER BY 1, 7, 10 DESC, 8 LIMIT ?4 OFFSET ?5");
    enum err e = rows ? OK : ERR_LIMIT;
    bind_ask(q, ask);
    while (!e && (e = stmt_row(q)) == OK) {
        struct report_tls *row = &rows[out->n_tls];
        if (is_full(a, out->n_tls)) {
            out->more = true;
            break;
        }
        row->org = text(q, 0, a, &e);
        row->row = (struct tls_row){.policy_type = text(q, 1, a, &e),
                                    .policy_domain = text(q, 2, a, &e),
                                    .mx = text(q, 3, a, &e),
                                    .good = stmt_u64(q, 4),
                                    .failed = stmt_u64(q, 5),
                                    .result = text(q, 6, a, &e),
                                    .receiving_mx = text(q, 7, a, &e),
                                    .reason = text(q, 8, a, &e),
                                    .count = stmt_u64(q, 9)};
        out->n_tls++;
    }
    out->tls = rows;
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err ask_failures(struct reports *r, const struct report_ask *ask, struct arena *a,
                             struct report_page *out)
{
    struct failure_row *rows = ARENA_ARRAY(a, REPORT_PAGE_ROWS, struct failure_row);
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(r->db, "SELECT f.source, f.failure, f.delivery, f.header_from, f.mail_from, f.dkim_domain,"
                       " f.dkim_selector, max(f.arrived), sum(f.incidents) FROM report r JOIN failure f"
                       " ON f.report = r.id WHERE r.domain = ?1 AND r.kind = 1 AND r.proven AND r.end_at > "
                       "?2 AND r.end_at <= ?3"
                       " GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 9 DESC, 1 LIMIT ?4 OFFSET ?5");
    enum err e = rows ? OK : ERR_LIMIT;
    bind_ask(q, ask);
    while (!e && (e = stmt_row(q)) == OK) {
        if (is_full(a, out->n_failures)) {
            out->more = true;
            break;
        }
        rows[out->n_failures++] = (struct failure_row){.source = text(q, 0, a, &e),
                                                       .failure = text(q, 1, a, &e),
                                                       .delivery = text(q, 2, a, &e),
                                                       .header_from = text(q, 3, a, &e),
                                                       .mail_from = text(q, 4, a, &e),
                                                       .dkim_domain = text(q, 5, a, &e),
                                                       .dkim_selector = text(q, 6, a, &e),
                                                       .arrived = stmt_i64(q, 7),
                                                       .incidents = stmt_u64(q, 8)};
    }
    out->failures = rows;
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err ask_sent(struct reports *r, const struct report_ask *ask, struct arena *a,
                         struct report_page *out)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(r->db, "SELECT count(*), coalesce(sum(messages), 0) FROM settled WHERE envelope_to = ?1"
                       " AND at > ?2 AND at <= ?3 AND outcome = 0");
    enum err e;
    (void)a;
    stmt_bind_text(q, 1, ask->domain);
    stmt_bind_i64(q, 2, ask->since);
    stmt_bind_i64(q, 3, ask->until ? ask->until : INT64_MAX);
    e = stmt_row(q);
    if (e)
        return e;
    out->sent = stmt_u64(q, 0);
    out->sent_messages = stmt_u64(q, 1);
    return OK;
}

enum err reports_ask(struct reports *r, const struct report_ask *ask, struct arena *a,
                     struct report_page *out)
{
    enum err (*const questions[])(struct reports *, const struct report_ask *, struct arena *,
                                  struct report_page *) = {
        [REPORT_ASK_ORGS] = ask_orgs,         [REPORT_ASK_SOURCES] = ask_sources, [REPORT_ASK_TLS] = ask_tls,
        [REPORT_ASK_FAILURES] = ask_failures, [REPORT_ASK_SENT] = ask_sent,
    };
    struct report_page page = {0};
    enum err e = ready(r);
    if (!e)
        e = questions[ask->question](r, ask, a, &page);
    if (!e)
        *out = page;
    return e;
}

/* ---- what we owe */

enum err reports_owed(struct reports *r, const struct owed_ask *ask, struct arena *a, struct owed_page *out)
{
    struct owed *rows = ARENA_ARRAY(a, REPORT_PAGE_ROWS, struct owed);
    enum err e = rows ? ready(r) : ERR_LIMIT;
    if (e)
        return e;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT begin_at, policy_domain, envelope_to, record, sum(count) FROM seen s"
               " WHERE begin_at <= ?1 AND (begin_at, policy_domain, envelope_to, record) > (?2, ?3, ?4, ?5)"
               " AND NOT EXISTS (SELECT 1 FROM settled d WHERE d.begin_at = s.begin_at AND d.policy_domain ="
               " s.policy_domain AND d.envelope_to = s.envelope_to AND d.record = s.record)"
               " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT ?6");
    stmt_bind_i64(q, 1, ask->until);
    stmt_bind_i64(q, 2, ask->begin);
    stmt_bind_text(q, 3, ask->policy_domain);
    stmt_bind_text(q, 4, ask->envelope_to);
    stmt_bind_text(q, 5, ask->record);
    stmt_bind_i64(q, 6, REPORT_PAGE_ROWS + 1);
    while (!e && (e = stmt_row(q)) == OK) {
        if (is_full(a, out->n_owed)) {
            out->more = true;
            break;
        }
        rows[out->n_owed++] = (struct owed){.begin = stmt_i64(q, 0),
                                            .policy_domain = text(q, 1, a, &e),
                                            .envelope_to = text(q, 2, a, &e),
                                            .record = text(q, 3, a, &e),
                                            .messages = stmt_u64(q, 4)};
    }
    out->owed = rows;
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err reports_material(struct reports *r, const struct material_ask *ask, struct arena *a,
                          struct material *out)
{
    struct seen_row *rows = ARENA_ARRAY(a, REPORT_PAGE_ROWS, struct seen_row);
    enum err e = rows ? ready(r) : ERR_LIMIT;
    if (e)
        return e;
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        r->db, "SELECT author, source, envelope_from, spf, spf_of_helo, spf_domain, dkim, spf_aligned,"
               " dkim_aligned, disposition, override_type, override_comment, sum(count) FROM seen"
               " WHERE begin_at = ?1 AND policy_domain = ?2 AND envelope_to = ?3 AND record = ?4"
               " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"
               " ORDER BY 13 DESC, 2, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 LIMIT ?5 OFFSET ?6");
    stmt_bind_i64(q, 1, ask->begin);
    stmt_bind_text(q, 2, ask->policy_domain);
    stmt_bind_text(q, 3, ask->envelope_to);
    stmt_bind_text(q, 4, ask->record);
    stmt_bind_i64(q, 5, REPORT_PAGE_ROWS + 1);
    stmt_bind_i64(q, 6, ask->from);
    while (!e && (e = stmt_row(q)) == OK) {
        struct seen_row *row = &rows[out->n_rows];
        if (is_full(a, out->n_rows)) {
            out->more = true;
            break;
        }
        *row = (struct seen_row){.author = text(q, 0, a, &e),
                                 .source = text(q, 1, a, &e),
                                 .envelope_from = text(q, 2, a, &e),
                                 .spf = (uint8_t)stmt_i64(q, 3),
                                 .spf_of_helo = stmt_i64(q, 4) != 0,
                                 .spf_domain = text(q, 5, a, &e),
                                 .spf_aligned = stmt_i64(q, 7) != 0,
                                 .dkim_aligned = stmt_i64(q, 8) != 0,
                                 .disposition = (uint8_t)stmt_i64(q, 9),
                                 .override_type = (uint8_t)stmt_i64(q, 10),
                                 .override_comment = text(q, 11, a, &e),
                                 .count = stmt_u64(q, 12)};
        if (!e)
            e = dkim_parse(text(q, 6, a, &e), a, &row->dkim, &row->n_dkim);
        out->n_rows++;
    }
    out->rows = rows;
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err reports_settled(struct reports *r, const struct settled *s)
{
    struct db_txn t CLEANUP(db_rollback) = {0};
    enum err e = ready(r);
    if (!e)
        e = db_begin(r->db, &t);
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
    stmt_bind_u64(q, 8, bounded(s->messages));
    e = stmt_run(q);
    return e ? e : db_commit(&t);
}

uint64_t reports_count(struct reports *r)
{
    return ready(r) == OK ? one_number(r, "SELECT count(*) FROM report") : 0;
}

uint64_t reports_steps(const struct reports *r)
{
    return r->steps;
}

void reports_rest(struct reports *r)
{
    if (ready(r) != OK)
        return;
    IGNORE_RESULT(db_checkpoint(r->db), "the next use sees a broken database");
    db_shrink(r->db);
}
