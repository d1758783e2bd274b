/* reports: reports.db, beside journal.db: what others reported of mail in our name, and what we judged of
 * theirs. A file of its own, so that damage to one costs the other nothing, and each has its own bound.
 *
 * Invariants: 1. A report is kept whole or not at all: one transaction. 2. The same report (domain, who
 * reported, its id) is kept once. 3. What is older than keep_days goes, and the oldest while the file holds
 * more than bytes_max. 4. Rows are checked by the codec before they are bound; nothing is SQL but literals.
 *
 * A file that is damaged is renamed to reports.db.damaged and a new one begun. Format: docs/reports.md. */
#ifndef POSTHORN_PROC_JOURNAL_REPORTS_H
#define POSTHORN_PROC_JOURNAL_REPORTS_H

#include "base/arena.h"
#include "base/time.h"
#include "ipc/reporter_journal.h"

struct reports;

struct reports_limits {
    uint32_t keep_days;
    uint64_t bytes_max;
};

/* vfs as in db_options. */
NODISCARD enum err reports_open(const char *path, const char *vfs, const struct reports_limits *limits,
                                struct reports **out, struct err_detail *detail);
void reports_close(struct reports **r);
/* rows: as report_rows_add() made them, of the head's kind. OK: durable. ERR_EXISTS: it is there already.
 * ERR_SYNTAX, ERR_LIMIT: rows that are none. Others: the disk; nothing of it is kept. */
NODISCARD enum err reports_add(struct reports *r, const struct report_head *head, slice rows, time_ms now);
/* rows of struct seen_row; counts of rows that have all in common are added up. */
NODISCARD enum err reports_seen(struct reports *r, slice rows, time_ms now);
/* Fills *out; all of it lives in the arena. */
NODISCARD enum err reports_ask(struct reports *r, const struct report_ask *ask, struct arena *a,
                               struct report_page *out);
/* What we owe and its rows, a page of each; all of *out lives in the arena. */
NODISCARD enum err reports_owed(struct reports *r, const struct owed_ask *ask, struct arena *a,
                                struct owed_page *out);
NODISCARD enum err reports_material(struct reports *r, const struct material_ask *ask, struct arena *a,
                                    struct material *out);
/* OK: durable; also when it was settled already. */
NODISCARD enum err reports_settled(struct reports *r, const struct settled *s);
uint64_t reports_count(struct reports *r);
/* Work that REPORT_ASK_SOURCES cost so far (stmt_work()), for tests. */
uint64_t reports_steps(const struct reports *r);
/* Nothing comes in for now: takes the log into the file and gives memory back. */
void reports_rest(struct reports *r);

#endif
