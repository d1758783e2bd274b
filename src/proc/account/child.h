/* child: the process of one account: its open database, its deliveries (deliver.c), its sessions
 * (imap_session.c), in one event loop. It can open files in its own folder and nothing else; everything comes
 * in over its channel from the broker. */
#ifndef POSTHORN_PROC_ACCOUNT_CHILD_H
#define POSTHORN_PROC_ACCOUNT_CHILD_H

#include "ipc/accounts_account.h"
#include "ipc/chan.h"
#include "policy/journal_event.h"
#include "store/account.h"

struct account_child {
    struct loop *loop;
    struct chan *broker;
    struct account_db *db; /* NULL: could not be opened; db_err says why */
    enum err db_err;
    struct arena boot;
    struct account_setting setting; /* slices in boot; hostname has a NUL behind it */
    uint64_t deliveries;            /* running: taken, not yet answered */
    uint32_t sessions;              /* open */
    bool retiring;
    struct account_child_inside *inside;
};

/* Runs the process on its channel to the broker; its exit status. Already locked in, in its folder. */
int account_child_run(int broker_fd);

/* Tells the journal (by way of the broker); at and role are filled in. Never waits. */
void account_child_tell(struct account_child *c, struct journal_event event);
/* Something ended, began or changed size: usage is reported soon, and upkeep or retirement may start. Call
 * when deliveries or sessions change, and after commits. */
void account_child_touch(struct account_child *c);

/* --- deliver.c */

/* Takes a delivery into the open batch; answered after the commit at the end of this loop turn. Borrows
 * body_fd. */
void account_deliver(struct account_child *c, uint64_t id, const struct deliver *m, int body_fd);

/* --- imap_child.c */

/* Starts a session on a stream socket, which it then owns. On an error the caller closes fd. */
NODISCARD enum err imap_session_open(struct account_child *c, const struct session_open *m, int fd);
/* BYE to all; c->sessions becomes 0 when the last has drained (bounded by a few seconds). */
void imap_sessions_retire(struct account_child *c);
/* At once, without a word: before the database is closed under them. */
void imap_sessions_abandon(struct account_child *c);

#endif
