/* queue: queue.db, where a message that was answered with 250 waits until each of its recipients is done.
 *
 * What it is: messages with their bodies and the state of their recipients, written in groups: a list of
 * operations is one transaction and one sync. What it is not: a schedule; the relay keeps that in memory and
 * fills it at the start from queue_each().
 *
 *     state of a recipient    moves to            by                            on disk
 *     (not here)              waiting, held       QUEUE_ADD                     the row appears; then 250
 *     waiting                 waiting (later)     QUEUE_RCPT after an attempt   the row is replaced
 *     waiting                 held                QUEUE_RCPT (somebody, policy) the row is replaced
 *     waiting                 failed              QUEUE_RCPT (given up, and nobody may be told)
 *     held, failed            waiting             QUEUE_RCPT (release)          the row is replaced
 *     any                     done                QUEUE_RCPT_DONE, QUEUE_DROP   the row is gone
 *
 * Moves in one list happen together or not at all. A crash between an attempt and its move repeats the
 * attempt: for a local recipient that is harmless (the account knows the mail id), for a remote one it is the
 * window that RFC 1047 describes.
 *
 * Invariants
 *  1. A message has at least one recipient: with its last one it goes, in the same transaction.
 *  2. A message id is there once: adding it again changes nothing and is a success (THREATS 62).
 *  3. A record that does not decode, or a body whose checksum is wrong, is put aside (quarantined) with the
 *     reason: it is kept, shown by queue_each() and never tried; the others move on (THREATS 60).
 *  4. A damaged file stops nothing: when SQLite finds its own structure broken, all that can still be read
 *     moves into a new file and the old one stays beside it as queue.db.damaged-N. queue_trouble() says so.
 *  5. After a failed write the whole list has failed; queue_write() may be called again with it or without
 *     the additions. When the database is broken (store/db.h, invariant 3) it is opened anew first. */
#ifndef POSTHORN_STORE_QUEUE_H
#define POSTHORN_STORE_QUEUE_H

#include "base/arena.h"
#include "store/queue_record.h"

#define QUEUE_CHUNK ((size_t)256 * 1024) /* bytes of body in one row */

struct queue;

/* Opens or creates the file. path is relative to the working directory. vfs: NULL, or a test's. The errors
 * are db_open()'s; detail may be NULL. */
NODISCARD enum err queue_open(const char *path, const char *vfs, struct queue **out,
                              struct err_detail *detail);
/* NULLs the pointer; NULL is fine; fits CLEANUP(). */
void queue_close(struct queue **q);

enum queue_op_type {
    QUEUE_ADD,       /* .message with all its recipients, and .body */
    QUEUE_RCPT,      /* .id, .rcpt: its row is replaced */
    QUEUE_RCPT_ADD,  /* .id, .rcpt: one more, that an alias of ours led to; its number is new */
    QUEUE_RCPT_DONE, /* .id, .rcpt.n: its row goes; .last: the message too */
    QUEUE_DROP,      /* .id: message and recipients go */
};

struct queue_op {
    enum queue_op_type type;
    uint64_t id;
    const struct queue_message *message;
    slice body;
    struct queue_rcpt rcpt;
    bool last;
    bool existed; /* out, QUEUE_ADD: it was there already and is as it was */
};

/* All of them, durable, or none. An update of something that is not there any more is no error.
 * ERR_DISK_FULL, ERR_IO, ERR_LIMIT (a member too long: a bug of the caller's). */
NODISCARD enum err queue_write(struct queue *q, struct queue_op *ops, size_t n);

/* A message with its recipients that are not done, in the arena. ERR_NOT_FOUND; ERR_CORRUPT: it was put aside
 * now or earlier. */
NODISCARD enum err queue_load(struct queue *q, uint64_t id, struct arena *arena, struct queue_message *out);
/* Its body, appended to out in order. ERR_CORRUPT: put aside now. ERR_LIMIT: out is too small. */
NODISCARD enum err queue_body(struct queue *q, uint64_t id, struct buf *out);

/* One message as the schedule and the lists need it. */
struct queue_entry {
    uint64_t id;
    time_ms due; /* earliest of the waiting recipients; INT64_MAX when none waits */
    uint32_t waiting, held;
    slice quarantine; /* why it was put aside; empty: it was not */
};
/* Calls fn for each message with id > after, in order of id (which is order of arrival), until fn gives
 * false. */
NODISCARD enum err queue_each(struct queue *q, uint64_t after,
                              bool (*fn)(void *arg, const struct queue_entry *row), void *arg);
/* Puts a message aside: reason is ours. */
NODISCARD enum err queue_quarantine(struct queue *q, uint64_t id, slice reason);
/* What happened to the file since the last call, a sentence for the log and the journal; NULL: nothing. */
const char *queue_trouble(struct queue *q);
/* Upkeep, for quiet moments: takes the log into the file when it is long, gives disk space back. */
NODISCARD enum err queue_tidy(struct queue *q);

#endif
