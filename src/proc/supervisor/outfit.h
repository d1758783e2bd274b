/* outfit: what each role is handed before it is locked in: its settings, its folder, its files and listening
 * sockets. Which role gets what is decided here and nowhere else, and is part of the security design: a
 * secret goes to the one role whose job it is. */
#ifndef POSTHORN_PROC_SUPERVISOR_OUTFIT_H
#define POSTHORN_PROC_SUPERVISOR_OUTFIT_H

#include "ipc/chan.h"
#include "proc/supervisor/ground.h"

struct outfit {
    struct chan *to; /* the role's control channel; NULL: it is gone, and nothing is sent */
    enum role role;
    unsigned index, edges; /* edges share out what counts for the whole server */
    const struct ground *ground;
};

/* Sends all of it, before START. What cannot be sent is logged; the role then fails to start. */
void outfit_send(const struct outfit *o);

#endif
