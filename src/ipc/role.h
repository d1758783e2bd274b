/* role: the shell every role's main() runs in: it takes what the supervisor hands over, locks the process in,
 * and then keeps the control channel: new channels when a peer was restarted, status, draining.
 *
 * Order: rights_begin(); boot messages up to START; spec->prepare() (still unlocked: loads what needs the
 * file system); rights_enter() in the folder; spec->start(); READY; the loop. Nothing from outside has been
 * read before the lock-in. When the supervisor dies the role ends.
 *
 * A role that wants to tell the journal something calls role_tell(); it never waits for it. */
#ifndef POSTHORN_IPC_ROLE_H
#define POSTHORN_IPC_ROLE_H

#include "ipc/chan.h"
#include "ipc/control.h"
#include "ipc/house.h"
#include "policy/journal_event.h"
#include "sys/sandbox.h"

#define ROLE_CONTROL_FD 3 /* where a role finds its control channel */
#define ROLE_LISTENERS  32
#define ROLE_SETTINGS   256
#define ROLE_FILES      8
#define ROLE_PEERS      160 /* a directory has one channel for each of 64 edges and each other role */

struct role_listener {
    enum service service;
    bool plaintext;
    char address[64];
    int fd;
};

/* A channel to a peer. chan is NULL while the peer is down: calls then fail with ERR_CLOSED. */
struct role_peer {
    enum role role;
    unsigned index;
    const struct ipc_channel *def;
    bool asks; /* we are end A */
    struct chan *chan;
};

struct role_self;

struct role_spec {
    enum role role;
    const struct rights *rights;
    /* May be NULL. Runs before the lock-in, with everything from boot there except running channels. */
    enum err (*prepare)(struct role_self *r, struct err_detail *detail);
    /* Runs after the lock-in. */
    enum err (*start)(struct role_self *r, struct err_detail *detail);
    /* A message that is not a reply, on any peer's channel. */
    void (*on_message)(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                       const void *message, int *fds, size_t n_fds);
    /* A peer's channel came (again) or went (peer->chan is NULL then). May be NULL. */
    void (*on_peer)(struct role_self *r, struct role_peer *peer);
    /* Finish what runs and call role_exit(); at the deadline the process ends anyway. NULL: ends at once. */
    void (*on_drain)(struct role_self *r, time_ms ms);
    /* Adds facts for posthorn status. May be NULL. */
    void (*on_status)(struct role_self *r);
};

struct role_self {
    const struct role_spec *spec;
    struct loop *loop;
    unsigned index; /* which of this role */
    void *state;    /* the role's own */
    int folder_fd;  /* its "data" folder, also the working directory; -1 when it has none */
    struct role_listener listeners[ROLE_LISTENERS];
    size_t n_listeners;
    bool draining;
    struct role_inside *inside;
};

/* main() of a role: does not return before the end. */
int role_main(const struct role_spec *spec);

/* A setting's value, or an empty slice. n-th of the settings with that name, from 0. The text lives for ever
 * and has a NUL behind it. */
slice role_setting(const struct role_self *r, const char *name, size_t nth);
/* A number setting; fallback when it is not there or no number. */
uint64_t role_setting_u64(const struct role_self *r, const char *name, uint64_t fallback);
/* An open file by purpose, handed over at boot; -1 when there is none. The caller closes it. */
int role_file(struct role_self *r, const char *name);
/* The channel on which we ask a peer role (index 0 unless there are several edges), or, when there is none,
 * the one on which it asks us; never the one for journal events. NULL while it is down. The pointer may die
 * at the end of the turn: get it again each time. */
struct chan *role_chan(struct role_self *r, enum role peer, unsigned index);
/* chan_call() to a peer; ERR_CLOSED while it is down. */
NODISCARD enum err role_call(struct role_self *r, enum role peer, uint16_t type, const void *message,
                             const int *fds, size_t n_fds, time_ms ms, chan_reply_fn fn, void *arg);
/* chan_forget() on all peers: no reply for arg will come. */
void role_forget(struct role_self *r, void *arg);
/* Tells the journal: at and role are filled in when zero. Sent at the end of the turn, many in one message.
 * When the journal is down or slow, events wait up to a bound, then are dropped and counted. */
void role_tell(struct role_self *r, struct journal_event event);
/* The same for events that are packed already (accounts passes those of account processes on). */
void role_tell_packed(struct role_self *r, slice packed);
/* Adds a fact; only inside on_status(). */
void role_fact(struct role_self *r, const char *name, const char *format, ...) FORMAT(3, 4);
/* Ends the loop; role_main() returns 0. */
void role_exit(struct role_self *r);
/* Ends the process after telling the supervisor why. For errors that a restart may mend. */
_Noreturn void role_fail(struct role_self *r, const char *format, ...) FORMAT(2, 3);
/* A request to the supervisor (directory asks for the house). */
NODISCARD enum err role_call_supervisor(struct role_self *r, uint16_t type, const void *message, time_ms ms,
                                        chan_reply_fn fn, void *arg);

#endif
