/* directory: the process that knows who exists: says yes or no to a recipient, a login and a sender, issues
 * the tickets that open accounts, and serves the control socket.
 *
 * It holds directory.db and no connection to the network; passwords do not come here (edge and the posthorn
 * command derive what is compared). What it is asked comes from edges and the relay, which may have been
 * taken over: an answer says no more than the asker needs, and a login exchange belongs to the channel it
 * began on. */
#ifndef POSTHORN_PROC_DIRECTORY_DIRECTORY_H
#define POSTHORN_PROC_DIRECTORY_DIRECTORY_H

#include "ipc/role.h"
#include "ipc/ticket.h"
#include "ipc/x_directory.h"
#include "proc/directory/throttle.h"
#include "store/directory.h"

struct login;
struct admin;
struct admin_arg;

struct house_keeper {
    struct role_self *role;
    struct directory *store;
    struct arena scratch; /* of the message in hand */
    struct ticket_key ticket_key;
    uint64_t epoch; /* of the accounts process; 0 until it says so: no tickets before */
    uint64_t issuer, nonce;
    struct throttle throttle;
    struct loop_timer save_timer;
    /* login.c */
    struct map logins; /* handle -> struct login */
    struct list login_order;
    uint64_t login_next;
    uint64_t logins_passed, logins_failed;
    /* control.c */
    int control_fd;
    struct loop_io control_io;
    struct list admins;
    size_t n_admins;
};

extern const struct rights directory_rights;
extern const struct role_spec directory_spec;

static inline struct house_keeper *keeper_of(struct role_self *r)
{
    return r->state;
}

/* A ticket, in the arena; ERR_BUSY while accounts is not there. */
NODISCARD enum err keeper_ticket(struct house_keeper *k, uint64_t account, enum ticket_scope scope,
                                 time_ms life_ms, slice *out);
/* Tells accounts that an account's sessions must end. */
void keeper_revoke(struct house_keeper *k, uint64_t account, bool removed);

/* ask.c: recipients and senders */
void ask_rcpt(struct house_keeper *k, struct chan *c, uint64_t id, const struct rcpt_ask *m);
void ask_sender(struct house_keeper *k, struct chan *c, uint64_t id, const struct sender_ask *m);

/* login.c */
void login_init(struct house_keeper *k);
void login_start(struct house_keeper *k, struct chan *c, uint64_t id, const struct auth_start *m);
void login_finish(struct house_keeper *k, struct chan *c, uint64_t id, const struct auth_finish *m);
/* The channel's exchanges are over. */
void login_forget(struct house_keeper *k, const struct chan *c);

/* settings.c: what is set for our domains, for judge, doctor and reporter */
void settings_message(struct house_keeper *k, struct chan *c, uint16_t type, uint64_t id,
                      const void *message);
/* Tells doctor that these domains (n 0: some) came, went or were set anew, so that it looks at them now and
 * not within the hour. */
void settings_changed(struct house_keeper *k, const struct admin_arg *domains, size_t n);

/* control.c: the control socket */
NODISCARD enum err control_begin(struct house_keeper *k);
void control_end(struct house_keeper *k);

#endif
