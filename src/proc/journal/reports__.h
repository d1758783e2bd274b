/* What the files of reports share. Nobody else includes it.
 *
 * reports.c opens the file and knows its format; reports_keep.c puts reports, and rows of what we judged,
 * into it; reports_ask.c answers questions about the reports that came; reports_owed.c about those we owe. */
#ifndef POSTHORN_PROC_JOURNAL_REPORTS__H
#define POSTHORN_PROC_JOURNAL_REPORTS__H

#include "proc/journal/reports.h"
#include "store/db.h"

struct reports {
    struct db *db; /* NULL: closed after a failed sync, until reports__ready() */
    char *path;
    const char *vfs;
    struct reports_limits limits;
    uint64_t steps; /* reports_steps() */
};

/* Before every use: after a failed sync the file is opened anew (db.h, invariant 3). */
NODISCARD enum err reports__ready(struct reports *r);
/* The same, and begins a transaction. */
NODISCARD enum err reports__begin(struct reports *r, struct db_txn *out);
/* db_commit(), and the log does not grow without bound. */
NODISCARD enum err reports__commit(struct reports *r, struct db_txn *t);
/* Sums stay far from the edge of SQLite's integers. */
uint64_t reports__bounded(uint64_t n);

/* --- one page of an answer: rows of one statement (reports_page.c)
 *
 *     struct reports__page p = reports__page_of(q, a, sizeof *row);
 *     while ((row = reports__row(&p)))
 *         *row = (struct owed){.begin = stmt_i64(q, 0), .record = reports__text(&p, 1)};
 *
 * then p.e says whether p.rows, p.n and p.more are an answer. */

struct reports__page {
    struct stmt *q;
    struct arena *a;
    uint8_t *rows; /* an array in the arena, and so all that they point at */
    size_t row_bytes, n;
    size_t before; /* what the arena held before the first row's text */
    bool more;     /* the statement has rows behind these */
    enum err e;    /* ERR_LIMIT: the arena is full; else as stmt_row() says */
};

/* The statement must offer one row more than REPORT_PAGE_ROWS, when there are so many. */
struct reports__page reports__page_of(struct stmt *q, struct arena *a, size_t row_bytes);
/* Room for the next row, zeroed; the statement's columns are of this row. NULL: the page ends, because there
 * are no more rows, it has REPORT_PAGE_ROWS, what they point at passes REPORT_PAGE_BYTES, or of an error. */
void *reports__row(struct reports__page *p);
/* A column's text or bytes. At the arena's end the page fails, and it is empty. */
slice reports__text(struct reports__page *p, int column);
/* A column of signatures, as a list and its length. The page fails with ERR_CORRUPT when it is none. */
void reports__signatures(struct reports__page *p, int column, const struct report_dkim **out, size_t *out_n);

/* --- signatures as a text column: a line each, "domain selector result"; an empty name is "-"
 * (reports_dkim.c) */

#define REPORTS_DKIM_TEXT_MAX 8192

/* Replaces what out holds; it fails as every buf does when there is no room. */
void reports__dkim_print(const struct report_dkim *dkim, size_t n, struct buf *out);
/* The list lies in the arena, its names view the text. ERR_CORRUPT, or ERR_LIMIT: the arena is full. */
NODISCARD enum err reports__dkim_parse(slice text, struct arena *a, const struct report_dkim **out,
                                       size_t *out_n);

#endif
