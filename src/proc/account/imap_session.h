/* imap_session: one IMAP session of this account, after login: the core of src/core/imap run on the store.
 *
 * It does not log in (the edge has done that) and knows nothing of tickets or the broker: the process around
 * it is struct imap_host, which the child fills in and a test fills in, too.
 *
 * All sessions of a process share the store and its loaded views. A command is a function that is called
 * again and again until it is done; between two calls other sessions get their turn, and it is not called
 * while more than IMAP_OUT_HIGH bytes wait for a slow client. So neither a long FETCH nor a slow reader costs
 * the others anything.
 *
 * Invariants: (1) A client's sequence numbers change only when it was told so (imap_map.h), and it is told
 * EXPUNGE only where RFC 9051 §7.5.1 allows. (2) A change is durable before its OK. (3) Nothing is answered
 * for a command after its tagged line. (4) A session is freed in one place (imap_session.c, session_turn) and
 * never inside an event of the store.
 *
 * Known weak points: BODY and TEXT search read whole messages into memory, one at a time. */
#ifndef POSTHORN_PROC_ACCOUNT_IMAP_SESSION_H
#define POSTHORN_PROC_ACCOUNT_IMAP_SESSION_H

#include "base/list.h"
#include "policy/journal_event.h"
#include "store/account.h"
#include "sys/loop.h"

#define IMAP_AUTOLOGOUT_MS (31 * MS_MINUTE) /* RFC 9051 §5.4: at least 30 minutes */
#define IMAP_KEEP_MS       (10 * MS_SECOND) /* how long a view stays loaded after the last session left it */
#define IMAP_OUT_HIGH      ((size_t)256 << 10)

struct imap_host {
    struct loop *loop;
    struct account_db *db;
    slice address; /* of the account, for the journal */
    slice hostname;
    uint64_t message_bytes; /* largest message; 0: the store's own bound */
    struct list sessions;   /* list_init() first */
    unsigned count;
    time_ms (*now)(void); /* Unix time */
    /* Each may be NULL. */
    void (*tell)(void *arg, const struct journal_event *e);
    void (*changed)(void *arg); /* sessions or their effects changed */
    void *arg;
    /* Private: the mailbox that was deselected last stays loaded for a moment. Clients come back to it. */
    struct account_store *keeper;
    struct mailbox_view *kept;
    struct loop_timer keep_timer;
};

struct imap_start {
    int fd;          /* stream socket; the session owns it on OK */
    slice tag;       /* of the login command, which the session answers; empty: nothing to answer (tests) */
    bool capability; /* in that answer */
    slice leftover;  /* bytes behind the login command */
    slice client_ip; /* for the journal */
    uint64_t connection;
};

/* Starts a session. OK, or ERR_IO / ERR_SYNTAX (a tag that is none): the caller keeps fd. */
NODISCARD enum err imap_session_start(struct imap_host *host, const struct imap_start *start);
/* All say BYE, finish what they are doing first, and end; those whose client does not read end after a while.
 */
void imap_sessions_end(struct imap_host *host);
/* At once, without a word: for the end of the process. */
void imap_sessions_drop(struct imap_host *host);

#endif
