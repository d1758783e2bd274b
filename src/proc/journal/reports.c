#include "proc/journal/reports__.h"

#include <stdlib.h>

#define APPLICATION_ID 0x50485250          /* "PHRP" */
#define WAL_BYTES_MAX  ((uint64_t)8 << 20) /* then it is taken into the file, also while more comes in */

/* Numbers in columns are those of the structs in ipc/reporter_journal.h. dkim: a line a signature, "domain
 * selector result"; an empty name is "-". */
static const char *const migrations[] = {
    "CREATE TABLE report (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, domain TEXT NOT NULL,"
    " org TEXT NOT NULL,"
    " report_id TEXT NOT NULL, email TEXT NOT NULL, contact TEXT NOT NULL, author TEXT NOT NULL,"
    " mail INTEGER NOT NULL, begin_at INTEGER NOT NULL, end_at INTEGER NOT NULL, taken_at INTEGER NOT NULL,"
    " p INTEGER NOT NULL, sp INTEGER NOT NULL, np INTEGER NOT NULL, adkim INTEGER NOT NULL,"
    " aspf INTEGER NOT NULL,"
    " testing INTEGER NOT NULL, fo TEXT NOT NULL, messages INTEGER NOT NULL, left_out INTEGER NOT NULL,"
    " mistake TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX report_once ON report (domain, kind, org, report_id);"
    "CREATE INDEX report_time ON report (domain, kind, end_at);"
    "CREATE TABLE source (report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,"
    " source BLOB NOT NULL,"
    " count INTEGER NOT NULL, disposition INTEGER NOT NULL, reason INTEGER NOT NULL,"
    " reason_comment TEXT NOT NULL,"
    " dkim_aligned INTEGER NOT NULL, spf_aligned INTEGER NOT NULL, header_from TEXT NOT NULL,"
    " envelope_from TEXT NOT NULL, envelope_to TEXT NOT NULL, spf_domain TEXT NOT NULL,"
    " spf INTEGER NOT NULL,"
    " spf_of_helo INTEGER NOT NULL, dkim TEXT NOT NULL) STRICT;"
    "CREATE INDEX source_report ON source (report);"
    "CREATE TABLE tls (report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,"
    " policy_type TEXT NOT NULL,"
    " policy_domain TEXT NOT NULL, mx TEXT NOT NULL, good INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " result TEXT NOT NULL, sending_ip TEXT NOT NULL, receiving_mx TEXT NOT NULL,"
    " receiving_ip TEXT NOT NULL,"
    " reason TEXT NOT NULL, count INTEGER NOT NULL) STRICT;"
    "CREATE INDEX tls_report ON tls (report);"
    "CREATE TABLE failure (report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,"
    " source BLOB NOT NULL,"
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
    " PRIMARY KEY (day, policy_domain, author, envelope_to, source, envelope_from, spf, spf_of_helo,"
    " spf_domain,"
    " dkim, dmarc, spf_aligned, dkim_aligned, policy, disposition, override_type, override_comment, record))"
    " STRICT, WITHOUT ROWID;",
    /* periods of any length: Unix seconds at which they begin, no longer days; and the reports we sent, or
     * never will */
    "ALTER TABLE seen RENAME COLUMN day TO begin_at;"
    "UPDATE seen SET begin_at = begin_at * 86400;"
    "CREATE TABLE settled (begin_at INTEGER NOT NULL, policy_domain TEXT NOT NULL,"
    " envelope_to TEXT NOT NULL,"
    " record TEXT NOT NULL, outcome INTEGER NOT NULL, at INTEGER NOT NULL, sent_to TEXT NOT NULL,"
    " messages INTEGER NOT NULL, PRIMARY KEY (begin_at, policy_domain, envelope_to, record))"
    " STRICT, WITHOUT ROWID;",
    /* who is proven to be who he says; and an id that somebody else used first does not keep the right one
       out */
    "ALTER TABLE report ADD COLUMN proven INTEGER NOT NULL DEFAULT 0;"
    "UPDATE report SET proven = author <> '';"
    "DROP INDEX report_once;"
    "CREATE UNIQUE INDEX report_once ON report (domain, kind, org, report_id, author);",
    /* whom the room is charged to, and how much it is */
    "ALTER TABLE report ADD COLUMN holder TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE report ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;"
    "UPDATE report SET holder = author,"
    " weight = 500 + 200 * (SELECT count(*) FROM source WHERE report = id);"
    "CREATE INDEX report_holder ON report (holder, id, weight);",
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

enum err reports__ready(struct reports *r)
{
    if (r->db && db_broken(r->db))
        db_close(&r->db);
    return r->db ? OK : open_file(r, NULL);
}

enum err reports__begin(struct reports *r, struct db_txn *out)
{
    enum err e = reports__ready(r);
    return e ? e : db_begin(r->db, out);
}

enum err reports__commit(struct reports *r, struct db_txn *t)
{
    enum err e = db_commit(t);
    if (e == OK && db_wal_bytes(r->db) > WAL_BYTES_MAX)
        IGNORE_RESULT(db_checkpoint(r->db), "it is in the log; the next use sees a broken database");
    return e;
}

uint64_t reports__bounded(uint64_t n)
{
    return n < (uint64_t)1 << 40 ? n : (uint64_t)1 << 40; /* eight million of them make 2^63 */
}

uint64_t reports_count(struct reports *r)
{
    return reports__ready(r) == OK ? db_number(r->db, "SELECT count(*) FROM report") : 0;
}

uint64_t reports_steps(const struct reports *r)
{
    return r->steps;
}

void reports_rest(struct reports *r)
{
    if (reports__ready(r) != OK)
        return;
    IGNORE_RESULT(db_checkpoint(r->db), "the next use sees a broken database");
    db_shrink(r->db);
}
