/* journal: the process that writes down what happened, and tells the story of a message when asked.
 *
 * Events come one way from every role (x_journal); they are kept in memory and committed every COMMIT_MS, or
 * sooner when many wait. Questions come from the directory only (directory_journal). What a role says of
 * itself is believed only about itself: the role in an event is the one at whose channel it arrived (accounts
 * speaks for account). */
#ifndef POSTHORN_PROC_JOURNAL_JOURNAL_H
#define POSTHORN_PROC_JOURNAL_JOURNAL_H

#include "ipc/directory_journal.h"
#include "ipc/role.h"
#include "store/journal_db.h"

extern const struct rights journal_rights;
extern const struct role_spec journal_spec;

#define JOURNAL_ANSWER_MAILS  100
#define JOURNAL_ANSWER_EVENTS 400 /* of one mail */

/* journal_answer: one reply to a question. It finds the mails once, when asked from row 0, and keeps their
 * ids for the rows after that, so that a long answer in several parts is one answer. */
struct journal_answer {
    struct buf text; /* of the reply in hand */
    uint8_t query[1024];
    size_t query_n;
    time_ms since;
    bool json, more;
    uint64_t mails[JOURNAL_ANSWER_MAILS]; /* oldest first */
    size_t mails_n;
};

/* Fills *out; out->text points into a->text and lives until the next call. */
void journal_answer(struct journal_answer *a, struct journal_db *j, const struct trace_ask *ask,
                    struct trace_row *out);
void journal_answer_done(struct journal_answer *a);

#endif
