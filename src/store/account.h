/* account: everything of one account in one database: mailboxes, messages, flags, quota.
 *
 * One process has it open (db.h); all sessions of the account live in that process. There are two objects:
 *
 *   struct account_db     the open database, one in the process. Whoever holds it may do upkeep only.
 *   struct account_store  a handle on it that carries rights, one for each session or delivery. Every call
 * that shows or changes anything takes a handle, and a right that is missing is ERR_DENIED (THREATS 34).
 * Mailboxes are named by the id that a handle's own lookup gave; a mailbox or message that is not there, or
 * not for this handle, is ERR_NOT_FOUND.
 *
 * Invariants:
 *  1. (mailbox, UIDVALIDITY, UID) names one content for ever. UIDVALIDITY values are never used twice in an
 *     account, UIDs never twice in a mailbox (THREATS 55).
 *  2. A call that changes something and returns OK is durable. One that returns an error has changed nothing,
 *     with one exception: after ERR_IO nobody knows; account_db_broken() is then true, and the process ends
 * or opens again. Events are sent for what is durable only.
 *  3. Messages are never changed. Expunged ones are hidden for keep_ms, then erased (THREATS 57).
 *  4. Counters (messages, bytes, unseen, deleted, quota) change in the same transaction as what they count.
 *
 * Names of mailboxes are UTF-8 with '/' between levels; INBOX in any case is "INBOX". Times are given in: the
 * store reads no clock. No call may be made from inside an event callback except looking things up. */
#ifndef POSTHORN_STORE_ACCOUNT_H
#define POSTHORN_STORE_ACCOUNT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/time.h"

struct account_db;
struct account_store;

#define ACCOUNT_KEEP_MS           (30 * MS_DAY)
#define ACCOUNT_MAILBOXES_MAX     10000
#define ACCOUNT_NAME_BYTES_MAX    1000 /* of a mailbox, all levels together */
#define ACCOUNT_NAME_LEVELS_MAX   32
#define ACCOUNT_KEYWORDS_MAX      56 /* in an account */
#define ACCOUNT_KEYWORD_BYTES_MAX 128
#define ACCOUNT_MESSAGE_BYTES_MAX                                                                            \
    ((uint64_t)128 << 20) /* what the format bears; the policy's limit is lower */

/* --- open and close */

struct account_options {
    const char *path;       /* the database file, relative to the working directory */
    uint64_t bytes_max;     /* quota; 0: none */
    uint64_t messages_max;  /* quota; 0: none */
    time_ms keep_ms;        /* how long expunged messages are kept: account_keep_ms(); 0: ACCOUNT_KEEP_MS */
    uint64_t reserve_bytes; /* deliveries and appends are ERR_DISK_FULL when the disk has less than this
                               left, so that reading and deleting go on (THREATS 61); 0: no reserve */
    uint64_t (*disk_free)(void *); /* bytes left for us; NULL: statvfs of the working directory */
    void *disk_free_arg;
    const char *vfs; /* tests: SHIM_VFS */
    time_ms now;     /* Unix time: a new account's first UIDVALIDITY is made of it */
};

/* So many whole days as keep_ms. 0 days: they are erased as soon as nothing else is to be done. */
time_ms account_keep_ms(uint64_t days);
/* db_setup() first. A new account gets INBOX, Archive, Drafts, Junk, Sent and Trash, subscribed, with their
 * special use. Errors as db_open(). */
NODISCARD enum err account_db_open(const struct account_options *o, struct account_db **out,
                                   struct err_detail *detail);
/* All handles must be freed and all views closed. NULLs the pointer; NULL is fine. */
void account_db_close(struct account_db **db);
/* True after ERR_IO in writing: close and open again, or end the process. */
bool account_db_broken(const struct account_db *db);
/* SQLite's words on the last error, for the journal. */
const char *account_db_message(const struct account_db *db);
/* From now on; 0: none. What is there already stays. */
void account_db_set_quota(struct account_db *db, uint64_t bytes_max, uint64_t messages_max);

/* Off the path of replies: takes the log into the file when it is large (or quiet is true: nobody has asked
 * for anything for some seconds), erases what was kept long enough (keep_ms), gives space back; each in a
 * bounded piece of work. *out_more: call again soon. */
NODISCARD enum err account_db_idle(struct account_db *db, time_ms now, bool quiet, bool *out_more);

enum account_right {
    ACCOUNT_READ = 1,       /* see mailboxes, messages and events */
    ACCOUNT_FLAG = 2,       /* change flags */
    ACCOUNT_ADD = 4,        /* append, copy */
    ACCOUNT_EXPUNGE = 8,    /* expunge; with ACCOUNT_ADD: move */
    ACCOUNT_MAILBOXES = 16, /* create, delete, rename, subscribe */
    ACCOUNT_DELIVER = 32,   /* add to any mailbox, see nothing */
    ACCOUNT_OWNER = 31,
};

/* A handle for one user of the open account. rights: bits of enum account_right. */
struct account_store *account_store_new(struct account_db *db, unsigned rights);
/* Its views are closed and its batch is over before. NULLs the pointer; NULL is fine. */
void account_store_free(struct account_store **s);

struct account_quota {
    uint64_t bytes, bytes_max; /* of the messages in mailboxes, as often as they are there; max 0: none */
    uint64_t messages, messages_max;
};
/* Needs ACCOUNT_READ. */
NODISCARD enum err account_quota(struct account_store *s, struct account_quota *out);
/* Would a message of that size fit? OK, ERR_QUOTA, ERR_DISK_FULL, ERR_TOO_LARGE. Any right will do. */
NODISCARD enum err account_room(struct account_store *s, uint64_t bytes);
/* The account's highest MODSEQ: with every change it grows. It is the JMAP state, too. */
uint64_t account_modseq(const struct account_store *s);

/* --- mailboxes */

enum special_use { /* RFC 6154; bits */
                   SPECIAL_ARCHIVE = 1,
                   SPECIAL_DRAFTS = 2,
                   SPECIAL_FLAGGED = 4,
                   SPECIAL_JUNK = 8,
                   SPECIAL_SENT = 16,
                   SPECIAL_TRASH = 32,
                   SPECIAL_ALL = 64,
                   SPECIAL_IMPORTANT = 128, /* RFC 8457 */
};

struct mailbox_info {
    uint64_t id;      /* never used again; made into MAILBOXID (RFC 8474) */
    slice name;       /* lives until the next change of mailboxes */
    unsigned special; /* bits of enum special_use */
    bool subscribed;
    uint32_t uidvalidity, uidnext;
    uint64_t modseq; /* HIGHESTMODSEQ */
    uint32_t messages, unseen, deleted;
    uint64_t bytes;
    uint32_t recent_from; /* the first UID no session has been told about as \Recent; uidnext when none */
};

/* In the order of names, byte by byte; NULL past the last. The struct lives until the next change in this
 * account. Without ACCOUNT_READ there are none. */
const struct mailbox_info *account_mailbox_at(struct account_store *s, size_t i);
/* By name or id; NULL when not there. The INBOX is always there. */
const struct mailbox_info *account_mailbox_find(struct account_store *s, slice name);
const struct mailbox_info *account_mailbox_get(struct account_store *s, uint64_t id);
/* Also with ACCOUNT_DELIVER only. */
uint64_t account_inbox(struct account_store *s);
uint64_t account_special(struct account_store *s, unsigned special); /* 0 when none has it */
/* Is there a mailbox below this name? */
bool account_mailbox_has_children(struct account_store *s, slice name);

/* Is it a name we take? Not empty, UTF-8 without controls, no empty level, within the bounds. */
bool account_name_ok(slice name);
/* Missing levels above are made, too (RFC 9051 §6.3.4). ERR_EXISTS, ERR_SYNTAX (name), ERR_LIMIT (too many).
 */
NODISCARD enum err account_mailbox_create(struct account_store *s, slice name, unsigned special, time_ms now,
                                          uint64_t *out_id);
/* Its messages are expunged, its children stay. ERR_DENIED for INBOX. */
NODISCARD enum err account_mailbox_delete(struct account_store *s, uint64_t id, time_ms now);
/* With its children. INBOX: its messages move to the new mailbox, INBOX stays, empty; children stay (RFC 9051
 * §6.3.6). ERR_EXISTS, ERR_SYNTAX (name, or into itself), ERR_LIMIT. */
NODISCARD enum err account_mailbox_rename(struct account_store *s, uint64_t id, slice name, time_ms now);
/* special: bits of SPECIAL_*, in place of those it had (RFC 6154). ERR_NOT_FOUND. */
NODISCARD enum err account_mailbox_set_special(struct account_store *s, uint64_t id, unsigned special);
/* By name: a subscription may be there without its mailbox (RFC 9051 §6.3.7). */
NODISCARD enum err account_subscribe(struct account_store *s, slice name, bool subscribed);
/* The i-th subscribed name, in order; false past the last. Lives until the next change of mailboxes. */
bool account_subscription_at(struct account_store *s, size_t i, slice *out_name);

/* --- flags */

typedef uint64_t flag_set;
#define FLAG_SEEN     ((flag_set)1)
#define FLAG_ANSWERED ((flag_set)2)
#define FLAG_FLAGGED  ((flag_set)4)
#define FLAG_DELETED  ((flag_set)8)
#define FLAG_DRAFT    ((flag_set)16)
#define FLAG_SYSTEM   ((flag_set)31)
#define FLAG_KEYWORD0 8 /* the first keyword's bit; 5..7 are kept free */

/* The bit of a keyword, made when it is new and make is true (durable with its first use). ERR_NOT_FOUND,
 * ERR_LIMIT (ACCOUNT_KEYWORDS_MAX are there), ERR_SYNTAX (no atom). ASCII case does not count; as first
 * written it is shown. */
NODISCARD enum err account_keyword(struct account_store *s, slice name, bool make, flag_set *out_bit);
/* The name of keyword i, which has the bit FLAG_KEYWORD0 + i; empty when there is none. */
slice account_keyword_name(struct account_store *s, unsigned i);
/* How many there are; they are never taken back. */
size_t account_keyword_count(struct account_store *s);

/* --- sets of UIDs: ranges in ascending order, not overlapping. UIDs that are not there are passed over. */

struct uid_range {
    uint32_t first, last; /* both in it */
};
struct uid_set {
    const struct uid_range *at;
    size_t n;
};

/* --- a mailbox's messages, loaded: shared by all sessions of the process that look at it */

struct mailbox_view { /* read only; n entries in the order of UIDs. Pointers change with every change */
    uint64_t mailbox;
    uint32_t uidvalidity, uidnext;
    uint64_t modseq_highest;
    size_t n;
    const uint32_t *uid;
    const flag_set *flags;
    const uint64_t *modseq;
    const uint64_t *message; /* id of the content, for account_meta_read() and account_body_open(); EMAILID */
    const uint32_t *bytes;   /* RFC822.SIZE */
    const uint32_t *date;    /* INTERNALDATE, Unix seconds */
};

/* Loads it, or shares what is loaded. Sequence numbers are the session's own business: it keeps the UIDs it
 * has told its client about, and learns by events what has changed since. ERR_CORRUPT: the mailbox's list of
 * messages is damaged beyond use. */
NODISCARD enum err account_view_open(struct account_store *s, uint64_t mailbox, struct mailbox_view **out);
/* NULLs the pointer; what it pointed at is gone. */
void account_view_close(struct account_store *s, struct mailbox_view **view);
/* Index of the first entry with UID >= uid; view->n when none. Binary search. */
size_t mailbox_view_at(const struct mailbox_view *v, uint32_t uid);
/* The UIDs from *out_first (up to uidnext) are \Recent for the caller, and for nobody after it. */
NODISCARD enum err account_take_recent(struct account_store *s, uint64_t mailbox, uint32_t *out_first);
/* A message expunged by another session while this one still counts it. ERR_NOT_FOUND once erased. */
NODISCARD enum err account_expunged_find(struct account_store *s, uint64_t mailbox, uint32_t uid,
                                         uint64_t *out_message, uint32_t *out_date);

/* --- events: what has become durable, told to every watcher at once, views already changed */

enum account_event_kind {
    ACCOUNT_EVENT_ADDED,    /* uids */
    ACCOUNT_EVENT_FLAGS,    /* uids */
    ACCOUNT_EVENT_EXPUNGED, /* uids */
    ACCOUNT_EVENT_CREATED,  /* name */
    ACCOUNT_EVENT_DELETED,  /* name; an open view of it is empty from now on */
    ACCOUNT_EVENT_RENAMED,  /* old_name, name */
    ACCOUNT_EVENT_CHANGED,  /* name: subscription or special use */
};
struct account_event {
    enum account_event_kind kind;
    uint64_t mailbox;     /* 0 for a subscription without mailbox */
    const uint32_t *uids; /* ascending; lives during the call */
    size_t n;
    uint64_t modseq;
    slice name, old_name;
    const struct account_store *origin; /* the handle that did it */
};
struct account_watch {
    struct list link;
    void (*fn)(struct account_watch *w, const struct account_event *e);
};
/* Calls w->fn for each event until account_watch_remove(); w stays the caller's. Needs ACCOUNT_READ;
 * otherwise nothing is ever told. */
void account_watch_add(struct account_store *s, struct account_watch *w);
void account_watch_remove(struct account_watch *w);

/* --- adding messages: any number in one transaction */

struct account_batch; /* one at a time in a process */

struct account_message {
    uint64_t mailbox;
    const slice *pieces; /* the message is these, one behind the other */
    size_t pieces_n;
    flag_set flags;
    time_ms internal_at; /* INTERNALDATE */
    uint64_t mail_id;    /* with recipient: the key of this hand-over; 0: none */
    slice recipient;     /* a message is added once for each (mail_id, recipient) (THREATS 62) */
};
struct account_added {
    uint64_t mailbox, message;
    uint32_t uidvalidity, uid;
    bool duplicate; /* it was there already, here: nothing was added, which is success */
};

/* ERR_STATE while another batch is open. */
NODISCARD enum err account_batch_begin(struct account_store *s, struct account_batch **out);
/* ERR_QUOTA, ERR_TOO_LARGE, ERR_NOT_FOUND (mailbox), ERR_LIMIT, ERR_SYNTAX: this message is not in the batch,
 * which goes on. Any other error: the batch has failed, account_batch_commit() will say the same. */
NODISCARD enum err account_batch_add(struct account_batch *b, const struct account_message *m,
                                     struct account_added *out);
/* OK: all are durable and events were sent. Otherwise none is there (ERR_IO: unknown). Ends the batch. */
NODISCARD enum err account_batch_commit(struct account_batch **b);
/* Drops it. NULL is fine; fits CLEANUP(). */
void account_batch_drop(struct account_batch **b);

/* --- changing */

enum flag_op { FLAGS_SET, FLAGS_ADD, FLAGS_REMOVE };

struct flag_change {
    enum flag_op op;
    flag_set flags;
    uint64_t unchanged_since; /* RFC 7162 §3.1.3; UINT64_MAX: no condition */
};
/* Changes the messages of the set. *out_modseq: the new MODSEQ of those that changed (0: none did).
 * out_failed (may be NULL): UIDs refused by unchanged_since are appended as uint32_t in host order. The event
 * names those whose flags are different now. */
NODISCARD enum err account_flags(struct account_store *s, uint64_t mailbox, struct uid_set set,
                                 const struct flag_change *change, uint64_t *out_modseq,
                                 struct buf *out_failed);

struct account_copied {
    uint32_t uidvalidity, first; /* of the target; the n UIDs from first on, in the order of uids */
    uint32_t *uids;              /* of the source, in the arena */
    size_t n;
};
/* Copies, or moves, in one transaction. Flags, dates, EMAILID go along. ERR_QUOTA (copy), ERR_DISK_FULL. */
NODISCARD enum err account_copy(struct account_store *s, uint64_t from, struct uid_set set, uint64_t to,
                                bool move, time_ms now, struct arena *a, struct account_copied *out);
/* Hides the messages of the set; only_deleted: only those with FLAG_DELETED. *out_n: how many. */
NODISCARD enum err account_expunge(struct account_store *s, uint64_t mailbox, struct uid_set set,
                                   bool only_deleted, time_ms now, size_t *out_n);

/* --- reading messages */

struct message_meta {         /* slices lie in the arena */
    uint64_t message, thread; /* EMAILID, THREADID */
    uint64_t bytes, header_bytes, lines;
    time_ms added_at;
    bool has_date;
    time_ms sent_at; /* of the Date field */
    int sent_zone;   /* minutes east of UTC */
    bool has_attachment, is_reply;
    uint32_t defects;
    slice envelope, body, bodystructure; /* as IMAP sends them */
    slice part_table;                    /* for part_table_decode() */
    slice subject, base_subject;         /* decoded, UTF-8 */
    slice message_id, in_reply_to, preview;
    slice from, to, cc, bcc; /* for search: "name <address>, ...", decoded, UTF-8 */
};
/* ERR_CORRUPT: this message's record is damaged; others are not touched by that. */
NODISCARD enum err account_meta_read(struct account_store *s, uint64_t message, struct arena *a,
                                     struct message_meta *out);

struct account_body;
/* Opens a message's bytes for reading in pieces. */
NODISCARD enum err account_body_open(struct account_store *s, uint64_t message, struct account_body **out);
/* NULLs the pointer; NULL is fine. */
void account_body_close(struct account_body **b);
/* The message's size. */
uint64_t account_body_bytes(const struct account_body *b);
/* The bytes at `from`: as many as lie together, at least 1, at most max; empty at the end. The view lives
 * until the next call for this body. Memory used is constant. ERR_CORRUPT: these bytes fail their checksum.
 */
NODISCARD enum err account_body_read(struct account_body *b, uint64_t from, uint64_t max, slice *out);

#endif
