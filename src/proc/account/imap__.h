/* What the files of an IMAP session share. Nobody else includes it. */
#ifndef POSTHORN_PROC_ACCOUNT_IMAP__H
#define POSTHORN_PROC_ACCOUNT_IMAP__H

#include "core/imap/name.h"
#include "core/imap/parse.h"
#include "core/imap/reader.h"
#include "core/imap/set.h"
#include "core/mail/part_table.h"
#include "proc/account/imap_map.h"
#include "proc/account/imap_session.h"

#define IMAP_ARENA_MAX  ((size_t)64 << 20) /* of one command: UIDs of a COPY of millions of messages fit */
#define IMAP_OUT_MAX    ((size_t)64 << 20) /* one answer that cannot be cut (a section made in memory) */
#define IMAP_STEP_ITEMS 2000               /* messages looked at before other sessions get their turn */

/* What a command says when it returns. */
enum imap_step {
    IMAP_STEP_DONE, /* imap__reply() was called */
    IMAP_STEP_AGAIN /* call again: when the output has drained, and after others had their turn */
};

/* Ranges of UIDs that are \Recent here (RFC 3501 §2.3.2); ascending. */
struct imap_recent {
    struct imap_range *at;
    size_t n, room;
};

/* A mailbox that is selected. */
struct imap_selected {
    bool open, read_only, gone;
    uint64_t mailbox;
    struct mailbox_view *view;
    struct imap_map map;
    struct imap_recent recent;
    bool news;          /* messages were added that the client does not know of */
    bool flags_dirty;   /* another session changed flags */
    uint64_t told;      /* MODSEQ up to which the client knows all flags of its messages */
    uint64_t telling;   /* the same when the round of telling that is under way is over */
    uint32_t tell_next; /* that round: UID to look at next; 0: none is under way */
    size_t keywords;    /* how many keywords FLAGS has named */
    flag_set cached;    /* flags whose text is in cached_text: most messages have the same */
    size_t cached_n;
    char cached_text[200];
    bool saved;             /* SEARCH RETURN (SAVE) has a result: */
    struct imap_set result; /* UIDs; ranges on the heap */
};

/* Walks the messages of a command's set, known ones only, in ascending order, between turns of others. */
struct imap_walk {
    const struct imap_set *set; /* resolved */
    bool uids;                  /* the set holds UIDs */
    size_t range;
    uint32_t next; /* number in the set to look at next; 0: at the beginning of the range */
    size_t hint;   /* where in the view it probably is */
    bool ghosts;   /* some were gone */
};

/* The message of an APPEND that is coming in. */
struct imap_append_message {
    struct imap_append_message *next;
    flag_set flags;
    time_ms date;
    struct buf body;
};

struct imap_append_state {
    bool active, failed;
    uint64_t mailbox, bytes;
    struct imap_append_message *first, **last, *current;
};

#define IMAP_SEEN_BLOCK 64 /* messages that become \Seen in one transaction */

struct imap_fetch_state {
    struct imap_walk walk;
    bool begun, needs_meta, sets_seen;
    uint32_t seen[IMAP_SEEN_BLOCK]; /* UIDs that this command has made \Seen, of the block in hand */
    size_t seen_n, block;           /* block: messages left of it */
    bool damaged;                   /* something could not be read */
    uint32_t day;                   /* the day whose text is in day_text: neighbours have the same */
    char day_text[13];
    /* the message in hand */
    bool in_message;
    uint64_t message;
    size_t section; /* next one to send */
    bool first_item;
    struct account_body *body; /* NULL: not opened */
    struct part_table parts;   /* in the arena */
    slice part_table;          /* its stored form */
    bool sending;              /* a literal of `left` bytes from `at` on */
    uint64_t at, left;
    struct arena arena; /* of the message */
};

struct imap_search_state {
    bool begun;
    uint32_t next;   /* UID to look at next */
    uint32_t *found; /* UIDs; heap */
    size_t n, room;
    uint64_t modseq; /* the highest among them */
    slice *folded;   /* needles, by key */
    flag_set *bits;  /* KEYWORD: by key */
};

struct imap_store_state {
    bool begun;
    struct imap_walk walk;
    uint64_t modseq;
    struct buf failed;
    slice code;
};

struct imap_list_state {
    bool begun;
    size_t at;
    slice last; /* the name before, in the arena */
};

#define IMAP_TOUCHED 64 /* JOURNAL_EACH_MAX: beyond that the journal is told a number only */

struct imap_session {
    struct list link;
    struct imap_host *host;
    struct account_store *store;
    struct account_watch watch;
    int fd;
    struct loop_io io;
    unsigned io_events;
    struct loop_timer timer;
    struct loop_task task;
    uint64_t connection;
    char client_ip[64];

    struct imap_reader reader;
    struct buf in, out;
    size_t in_at, out_at; /* used up of each */
    bool eof, closing, ending, broken, timed_out;
    unsigned bad;

    uint32_t caps; /* IMAP_CAPS_ that were enabled */
    struct imap_selected sel;
    bool idling;

    /* the command in hand */
    struct arena arena;
    struct imap_command cmd;
    enum imap_step (*run)(struct imap_session *s); /* NULL: none */
    uint32_t
        touched[IMAP_TOUCHED]; /* UIDs of the selected mailbox it changed, the first ones, for the journal */
    size_t touched_n;          /* how many in all */
    bool syncing;              /* it is done; what changed is told before its tagged line */
    bool sync_expunge;
    struct buf reply; /* its tagged line */
    union {
        struct imap_fetch_state fetch;
        struct imap_search_state search;
        struct imap_store_state store;
        struct imap_list_state list;
    } work;
    struct imap_append_state append;
};

/* --- imap_session.c */

/* The tagged line of the command in hand; code and text are static or in the arena. Ends with IMAP_STEP_DONE.
 */
enum imap_step imap__reply(struct imap_session *s, const char *condition, const char *code, const char *text);
/* "OK <command> completed" */
enum imap_step imap__ok(struct imap_session *s);
/* NO with the code and words that fit a store's error. */
enum imap_step imap__no(struct imap_session *s, enum err e);
/* Is more output waiting than should? */
bool imap__full(const struct imap_session *s);
/* Says BYE and ends the session when that is sent. */
void imap__bye(struct imap_session *s, const char *text);
/* An event of this session for the journal, about a mailbox. */
void imap__tell(struct imap_session *s, uint32_t kind, slice mailbox, slice text, uint64_t number);
/* One event for each of n messages (one for all when they are more than IMAP_TOUCHED): uids in the mailbox;
 * first_target: the first of their UIDs where they were copied to, 0: they were not. */
void imap__tell_each(struct imap_session *s, uint32_t kind, slice mailbox, slice text, const uint32_t *uids,
                     size_t n, uint32_t first_target);
static inline bool imap__rev2(const struct imap_session *s)
{
    return (s->caps & IMAP_CAPS_REV2) != 0;
}

/* Keeps the mailbox loaded for a moment after its view is closed. */
void imap__keep(struct imap_host *host, uint64_t mailbox);

/* --- imap_run.c */

typedef enum imap_step imap__command(struct imap_session *s);
/* The function of a command; NULL for those that belong before login. */
imap__command *imap__command_of(enum imap_verb verb);
void imap__capabilities(struct imap_session *s);

/* --- imap_select.c */

imap__command imap__select, imap__close, imap__unselect, imap__expunge;
/* Forgets the selected mailbox. */
void imap__deselect(struct imap_session *s);
/* A mailbox by the name a client gave. NULL when there is none. */
const struct mailbox_info *imap__mailbox_of(struct imap_session *s, slice name);
/* `* FLAGS (...)` and PERMANENTFLAGS, with all keywords there are. */
void imap__write_flags_response(struct imap_session *s);

/* --- imap_sync.c: telling what has changed */

/* Tells new messages, flags others changed, and with expunge what is gone. False: the output is full, call
 * again. */
bool imap__sync(struct imap_session *s, bool expunge);
void imap__event(struct account_watch *w, const struct account_event *e);
bool imap__is_recent(const struct imap_session *s, uint32_t uid);
uint32_t imap__recent_count(const struct imap_session *s);
void imap__recent_take(struct imap_session *s);
/* `FLAGS (\Seen foo)` of an entry of the view. */
void imap__write_flags_item(struct imap_session *s, size_t index);
/* `* seq FETCH (FLAGS (...))` CRLF with UID and MODSEQ where they are wanted. */
void imap__write_flags(struct imap_session *s, size_t index, bool uid, bool flags);
/* After an own change: what is up to now was told (or silenced). */
void imap__told(struct imap_session *s);

/* --- imap_walk.c: the messages a set names */

/* Resolves the command's set. OK; ERR_SYNTAX for a sequence number that the client does not have. */
NODISCARD enum err imap__walk_begin(struct imap_session *s, struct imap_walk *w);
/* The next message; false at the end. */
bool imap__walk_next(struct imap_session *s, struct imap_walk *w, size_t *out_index, uint32_t *out_seq);
/* The set as ranges of UIDs for the store, in the arena. ERR_SYNTAX as above. */
NODISCARD enum err imap__walk_uids(struct imap_session *s, struct uid_set *out);

/* --- the other commands, each in its file */

imap__command imap__create, imap__delete, imap__rename, imap__subscribe; /* imap_mailbox.c */
imap__command imap__list, imap__lsub, imap__status;                      /* imap_list.c */
imap__command imap__fetch, imap__search, imap__store, imap__copy;
void imap__fetch_done(struct imap_session *s); /* frees what a command that was broken off holds */
void imap__search_done(struct imap_session *s);
void imap__store_done(struct imap_session *s);
/* `* STATUS name (...)` CRLF */
void imap__write_status(struct imap_session *s, const struct mailbox_info *m, uint32_t items);
uint32_t imap__attributes(unsigned special); /* of the store's special uses */
unsigned imap__special(uint32_t attributes);
/* Flags of a command as the store's bits; make: unknown keywords are made, else passed over. */
NODISCARD enum err imap__flags_of(struct imap_session *s, const struct imap_flag_list *l, bool make,
                                  flag_set *out);

/* --- imap_section.c: sections of one message */

/* Sends the name and value of sections from work.fetch.section on. False: the output is full, call again. */
bool imap__sections(struct imap_session *s);

/* --- imap_append.c */

void imap__append_begin(struct imap_session *s, const struct imap_read *ev);
void imap__append_data(struct imap_session *s, slice data);
void imap__append_data_end(struct imap_session *s);
void imap__append_end(struct imap_session *s, slice tag);
void imap__append_drop(struct imap_session *s);

#endif
