/* journal_db: journal.db, where the events of the last 90 days are kept and found again.
 *
 * What it is: an append-only log with three ways in: by mail id, by text (an address in either direction, a
 * Message-ID, a peer's IP), and in order. What it is not: a store of content (see policy/journal_event.h), or
 * a promise made for each event: they are committed in batches, a few times a second.
 *
 * Invariants:
 *  1. journal_db_add() only copies into memory, bounded; what does not fit is dropped and counted, and the
 *     count is itself an event in the next batch. Mail never waits for the journal.
 *  2. The events of one mail in one batch are one row, with a checksum: a row that is damaged is left out of
 *     an answer and counted, the others are told (THREATS 60). A file that is no journal any more is set
 *     aside by journal_db_open() and a new one begun.
 *  3. Rows older than keep_days, and the oldest ones while the file holds more than bytes_max, are deleted a
 *     little with every batch, always more than came in. Time that runs backwards moves nothing: rows are
 *     aged by their order (THREATS 63).
 *  4. Text keys are hashed with a secret of this file (THREATS 6); what the index finds is compared before it
 *     is told. The index lies in quarters of an hour, so that writing it touches few pages.
 *
 * Format: docs/journal.md. */
#ifndef POSTHORN_STORE_JOURNAL_DB_H
#define POSTHORN_STORE_JOURNAL_DB_H

#include "base/arena.h"
#include "base/err.h"
#include "policy/journal_event.h"

struct journal_db;

struct journal_db_limits {
    uint32_t keep_days; /* 90 */
    uint64_t bytes_max; /* of the file's pages in use: 1 GiB */
    size_t pending_max; /* bytes of events not yet committed: 4 MiB */
};
extern const struct journal_db_limits journal_db_defaults;

/* Opens or makes the file. vfs as in db_options. When the file there is damaged, it is renamed to
 * PATH.damaged (an older one of that name is replaced), a new one is begun and *out_set_aside is true. */
NODISCARD enum err journal_db_open(const char *path, const char *vfs, const struct journal_db_limits *limits,
                                   struct journal_db **out, bool *out_set_aside, struct err_detail *detail);
/* Commits what is pending, if it can, and closes. NULLs the pointer; NULL is fine; fits CLEANUP(). */
void journal_db_close(struct journal_db **j);

/* Takes a copy of the event. When there is no room any more, it is dropped and counted. */
void journal_db_add(struct journal_db *j, const struct journal_event *e);
/* Counts events that were lost before they came here (a channel that was full). role: who told too much. */
void journal_db_lost(struct journal_db *j, enum journal_role role, uint64_t count);
/* Bytes waiting for the next commit; 0: nothing to do. */
size_t journal_db_pending(const struct journal_db *j);
/* Writes what is pending in one transaction and deletes a little of what is too old or too much. now is Unix
 * time. After an error everything is still pending, except after ERR_IO: then the file was closed and opened
 * again and it is unknown (and does not matter) whether the batch is in it twice. */
NODISCARD enum err journal_db_commit(struct journal_db *j, time_ms now);

/* Nothing comes in for now: takes the log into the file and gives memory back. */
void journal_db_rest(struct journal_db *j);

struct journal_db_events {
    struct journal_event *items; /* in the order they were written; in the arena, like their texts */
    size_t n;
    size_t damaged; /* rows that could not be read */
    bool cut;       /* there were more than fitted */
};
/* What is known of one mail, at most max events. None is no error: n is 0. Commit first: pending events are
 * not seen. */
NODISCARD enum err journal_db_by_mail(struct journal_db *j, uint64_t mail, size_t max, struct arena *a,
                                      struct journal_db_events *out);

struct journal_db_found {
    uint64_t *mails; /* ids, newest first */
    size_t n;
    struct journal_db_events house; /* events about the key that belong to no mail, oldest first */
    bool more;                      /* older ones were left out */
};
/* What has to do with a text: an address (whole, ASCII case does not matter), a Message-ID with or without
 * <>, an IP address. since is Unix time; at most max mails and max events of the house, the newest ones. */
NODISCARD enum err journal_db_find(struct journal_db *j, slice text, time_ms since, size_t max,
                                   struct arena *a, struct journal_db_found *out);
/* Rows now in the file: for tests and `posthorn status`. */
uint64_t journal_db_rows(struct journal_db *j);
/* Bytes in use in it: what bytes_max bounds. */
uint64_t journal_db_bytes(struct journal_db *j);

#endif
