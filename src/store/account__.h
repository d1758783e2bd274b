/* account__: what the files of the account database share. Nobody else includes it.
 *
 * How a change is made, everywhere the same:
 *  1. account__begin() opens the transaction.
 *  2. Counters of a mailbox change in `next`, rows are written from `next` by account__commit(), which then
 *     makes `next` the truth, or, when anything failed, forgets it.
 *  3. Only after that do loaded views change and events go out. So memory never says what the disk does not.
 */
#ifndef POSTHORN_STORE_ACCOUNT__H
#define POSTHORN_STORE_ACCOUNT__H

#include "store/account.h"
#include "store/db.h"
#include "store/run.h"

#include <zstd.h>

#define ACCOUNT_TXN_MAILBOXES 64 /* mailboxes one transaction adds to; a batch beyond that is ERR_LIMIT */

struct view_run {
    uint32_t key; /* of the row: the UID its first message had when the run was begun */
    size_t at;    /* index of its first message */
};

struct view {
    struct mailbox_view pub; /* first: a mailbox_view pointer is a view pointer */
    struct mailbox *m;       /* NULL: deleted since */
    struct run_columns c;    /* what pub points at */
    size_t room;
    struct view_run *runs;
    size_t runs_n, runs_room;
    unsigned users;
};

struct mailbox {
    struct mailbox_info info; /* committed; its name is `name` */
    struct mailbox_info next; /* with the open transaction's changes */
    char *name;
    char *next_name;           /* of a rename in the open transaction, else NULL */
    bool touched, born, dying; /* in the open transaction */
    struct view *view;         /* NULL: not loaded */
};

/* Messages being put at the end of a mailbox in the open transaction. */
struct appender {
    struct mailbox *m;
    struct run tail; /* the last run, with what was added; written when full and at the end */
    uint32_t key;    /* of tail; 0: not begun */
    bool dirty;
    struct run_columns fresh; /* what was added, for the view */
    size_t fresh_n, fresh_room;
    uint32_t *new_keys; /* runs begun: for the view */
    size_t new_keys_n, new_keys_room;
};

struct subscription {
    size_t n;
    char name[];
};

struct account_db {
    struct db *db;
    uint64_t salt;
    /* counters: the last value given; `next` as in struct mailbox */
    struct counters {
        uint64_t modseq, mailbox, message;
        uint32_t uidvalidity;
    } count, next;
    struct mailbox **mailboxes; /* by name */
    size_t mailboxes_n, mailboxes_room;
    struct subscription **subscriptions; /* by name */
    size_t subscriptions_n, subscriptions_room;
    char *keywords[ACCOUNT_KEYWORDS_MAX]; /* NULL past the last */
    size_t keywords_n;
    uint64_t bytes, messages; /* sums over mailboxes, committed */
    uint64_t bytes_max, messages_max, reserve_bytes;
    uint64_t (*disk_free)(void *);
    void *disk_free_arg;
    bool real_disk; /* files may be touched beside SQLite's: the reserve */
    char *reserve_path;
    bool reserve_held;
    struct list watches;
    unsigned handles;
    bool in_event; /* nothing may be changed from inside an event */

    struct db_txn txn;
    uint64_t txn_modseq; /* of all that the open transaction changes; 0: nothing yet */
    struct appender *appenders[ACCOUNT_TXN_MAILBOXES];
    size_t appenders_n;
    struct account_batch *batch;

    ZSTD_CCtx *compressor; /* made when needed, freed when idle */
    ZSTD_DCtx *decompressor;
    bool freed; /* idle work is done since the last change */
    time_ms scanned_at, keep_ms;
};

struct account_store {
    struct account_db *db;
    unsigned rights;
};

/* --- account.c */

extern const char *const account__migrations[];
extern const size_t account__migrations_n;

/* Opens the transaction and sets db->txn_modseq to the MODSEQ of what it will change. ERR_STATE inside an
 * event or while a batch is open. */
NODISCARD enum err account__begin(struct account_db *db);
/* Writes counters and mailbox rows, commits, makes it the truth. On an error everything is as before.
 * Appenders must have been flushed; their views and events are the caller's. */
NODISCARD enum err account__commit(struct account_db *db);
/* Forgets the open transaction. Harmless when there is none. Fits CLEANUP() with a struct account_db *. */
void account__rollback(struct account_db **db);
/* To be written behind a successful account__begin(), not before: it would roll back somebody else's. */
#define ROLLBACK_UNLESS_COMMITTED(x)                                                                         \
    struct account_db *txn_guard CLEANUP(account__rollback) __attribute__((unused)) = (x)
/* Marks it as changed: its row is written at the commit, with this transaction's MODSEQ as highest. */
struct mailbox_info *account__touch(struct account_db *db, struct mailbox *m);
/* ERR_DENIED when the handle has not all of these rights. */
NODISCARD static inline enum err account__allow(const struct account_store *s, unsigned rights)
{
    return (s->rights & rights) == rights ? OK : ERR_DENIED;
}
/* ERR_DISK_FULL when less than the reserve would be left. */
NODISCARD enum err account__disk_room(struct account_db *db, uint64_t bytes);
/* Of all mailboxes, the open transaction's changes in them. */
uint64_t account__sum_bytes(const struct account_db *db);
/* calloc, or the end of this process. */
void *account__alloc(size_t n, size_t size);
/* A copy with a NUL behind it; free() is its end, account__text_free() for CLEANUP(). */
char *account__text(slice s);
void account__text_free(char **p);
/* Room for one more in an array that grows by half. */
void *account__grow(void *array, size_t n, size_t *room, size_t size);

/* --- account_reserve.c */

/* A file that is given up when the disk fills, so that there is room to delete mail. path: the database's. */
void account__reserve_init(struct account_db *db, const char *path);
/* Before a change: lets go of it when the disk is nearly full. */
void account__reserve_give_up(struct account_db *db);
/* When idle: makes it when there is room. */
void account__reserve_take(struct account_db *db);

/* --- account_mailbox.c */

/* At opening, into the list; ERR_CORRUPT. And back, when no view is open. */
NODISCARD enum err account__mailboxes_load(struct account_db *db);
void account__mailboxes_free(struct account_db *db);
/* By id, or NULL. */
struct mailbox *account__mailbox(struct account_db *db, uint64_t id);
/* Inside a transaction: a new mailbox, gone again when it rolls back. name is canonical and free. */
NODISCARD enum err account__mailbox_make(struct account_db *db, slice name, unsigned special,
                                         struct mailbox **out);
/* The mailboxes of a new account. */
NODISCARD enum err account__mailboxes_first(struct account_db *db);
/* After a transaction: drops what was born and not committed, or is dying and committed; gives new names. */
void account__mailboxes_settle(struct account_db *db, bool committed);

/* Where the name stands, or NULL. name is canonical. */
struct mailbox *account__mailbox_named(const struct account_db *db, slice name);
/* INBOX in any case is INBOX, also as the first level of a longer name (RFC 9051 §5.1). The result lives in
 * room (ACCOUNT_NAME_BYTES_MAX bytes) or is the name. */
slice account__name_canonical(slice name, uint8_t *room);
/* "a/b" is below "a". */
bool account__name_below(slice name, slice above);

/* --- account_subscription.c */

/* When all mailboxes are loaded; marks those that are subscribed. */
NODISCARD enum err account__subscriptions_load(struct account_db *db);
void account__subscriptions_free(struct account_db *db);
bool account__subscribed(const struct account_db *db, slice name);
/* Into the list, which does not have it yet, and into the database, inside or outside a transaction. */
void account__subscription_add(struct account_db *db, slice name);
NODISCARD enum err account__subscription_write(struct account_db *db, slice name, bool subscribed);

/* --- account_run.c */

static inline int64_t account__run_id(uint64_t mailbox, uint32_t key)
{
    return (int64_t)(mailbox << 32 | key);
}
static inline struct hash_key account__run_key(const struct account_db *db, int64_t id)
{
    return (struct hash_key){db->salt, (uint64_t)id};
}
/* Writes the run's row, or deletes it when n is 0. */
NODISCARD enum err account__run_write(struct account_db *db, uint64_t mailbox, uint32_t key,
                                      struct run_columns c, size_t n);
/* All runs of a mailbox in their order: a statement to walk with stmt_row(); of each row: its run and its
 * key. ERR_CORRUPT: the run is damaged, c may then hold anything. c has room for RUN_MAX entries. */
struct stmt *account__runs(struct account_db *db, uint64_t mailbox);
NODISCARD enum err account__run_read(const struct account_db *db, struct stmt *q, struct run_columns c,
                                     size_t *out_n);
static inline uint32_t account__run_row_key(struct stmt *q)
{
    return (uint32_t)stmt_i64(q, 0);
}
NODISCARD enum err account__runs_delete(struct account_db *db, uint64_t mailbox);
/* Reads the last run of a mailbox. ERR_NOT_FOUND when it has none. */
NODISCARD enum err account__run_last(struct account_db *db, uint64_t mailbox, struct run *out,
                                     uint32_t *out_key);
/* Keeps entries in `expunged`. moved: they live on elsewhere. */
NODISCARD enum err account__expunged_write(struct account_db *db, uint64_t mailbox, struct run_columns c,
                                           size_t n, bool moved, time_ms now);

/* --- account_view.c */

/* How every change to messages of one mailbox begins: the rights are there, so is the mailbox, a transaction
 * is open, and *out_v is its view (counts a user: account__view_put()). Behind it stands
 * ROLLBACK_UNLESS_COMMITTED. On an error no transaction is open and nothing is written. */
NODISCARD enum err account__change_begin(struct account_store *s, unsigned rights, uint64_t mailbox,
                                         struct mailbox **out_m, struct view **out_v);
/* The view, loading it when it is not loaded; counts a user. */
NODISCARD enum err account__view_get(struct account_db *db, struct mailbox *m, struct view **out);
/* One user less; with the last one it is forgotten. NULLs the pointer; fits CLEANUP(). */
void account__view_put(struct view **v);
/* After a commit: what the appender added. */
void account__view_append(struct mailbox *m, const struct appender *a);
/* After a commit: pub follows the arrays and the mailbox's row. */
void account__view_refresh(struct view *v);
/* After a commit: all its messages are gone. */
void account__view_empty(struct view *v);
/* Index of the run that holds entry i. */
size_t account__view_run_of(const struct view *v, size_t i);
/* An event to every watcher; e->origin is filled in. */
void account__tell(struct account_store *s, const struct account_event *e);
/* What happened to a mailbox or a subscription as such. */
void account__tell_mailbox(struct account_store *s, enum account_event_kind kind, uint64_t id, slice name,
                           slice old_name);

/* --- account_add.c */

/* The appender of a mailbox in the open transaction, made when needed. */
NODISCARD enum err account__appender(struct account_db *db, struct mailbox *m, struct appender **out);
/* Puts one entry at the end: gives it the UID *out_uid and the transaction's MODSEQ; counts it. */
NODISCARD enum err account__append(struct account_db *db, struct appender *a, flag_set flags,
                                   uint64_t message, uint32_t bytes, uint32_t date, uint32_t *out_uid);
/* Before the commit: writes the tails. */
NODISCARD enum err account__appenders_flush(struct account_db *db);
/* After it: views and events; or forgets them. */
void account__appenders_tell(struct account_store *s);
void account__appenders_drop(struct account_db *db);

/* --- account_body.c */

#define BODY_CHUNK_BYTES  ((size_t)65536) /* of the message, in each chunk but the first */
#define BODY_SINGLE_BYTES ((size_t)16384) /* a message up to this is one chunk */
#define BODY_CHUNKS_MAX   4096            /* the number has 12 bits of the row's id */

/* Writes the chunks. first_bytes: how much the first holds. */
NODISCARD enum err account__body_write(struct account_db *db, uint64_t message, const slice *pieces,
                                       size_t pieces_n, uint64_t bytes, uint64_t first_bytes);
/* The memory of zstd, until it is wanted again. */
void account__codec_free(struct account_db *db);

/* --- account_message.c */

/* Parses and writes a message: its record, thread and chunks. *out_id is new. */
NODISCARD enum err account__message_write(struct account_db *db, const struct account_message *m,
                                          uint64_t bytes, uint64_t *out_id);

#endif
