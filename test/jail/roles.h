/* roles: starts one real role executable the way the supervisor does, and plays the supervisor for it.
 * Blocking; every wait has an end after which the test fails. */
#ifndef POSTHORN_TEST_JAIL_ROLES_H
#define POSTHORN_TEST_JAIL_ROLES_H

#include "ipc/chan.h"
#include "ipc/control.h"
#include "ipc/house.h"

#include <sys/types.h>

struct played {
    enum role role;
    pid_t pid;
    int control; /* our end */
    char folder[64];
};

/* The build folder with the executables; set by main() from its argument. */
extern const char *played_build;

/* Starts posthorn-ROLE and sends what every role gets: hostname, ticket key, a folder of its own in a new
 * temporary directory (for roles with a folder), TLS files for keys, the control socket for directory. Not
 * yet START. */
void played_start(struct played *p, enum role role);
/* Starts another process in the place of one that has ended: the same folder. Not for directory. */
void played_again(struct played *p);
void played_setting(struct played *p, const char *name, const char *value);
/* Gives it one end of a new channel to a peer we play; returns ours. */
int played_channel(struct played *p, enum role peer, const struct ipc_channel *def, bool it_asks);
/* START, then waits for READY. */
void played_ready(struct played *p);
/* Makes it try something. Returns what the call gave (negative errno), or 1000 + signal when it died of it.
 */
int64_t played_probe(struct played *p, uint32_t what);
/* Ends and reaps it, removes its folder. */
void played_end(struct played *p);

/* One message from a channel we play; fails the test when none comes. The message lies in the arena. */
void *played_read(int fd, const struct ipc_channel *def, enum ipc_end us, struct arena *a, uint16_t want,
                  uint64_t *out_id, int *out_fd);

#endif
