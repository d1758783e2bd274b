/* What the files of house share. Nobody else includes it. */
#ifndef POSTHORN_PROC_SUPERVISOR_HOUSE__H
#define POSTHORN_PROC_SUPERVISOR_HOUSE__H

#include "ipc/chan.h"
#include "ipc/control.h"
#include "ipc/house.h"
#include "policy/journal_event.h"
#include "proc/supervisor/house.h"
#include "proc/supervisor/watch.h"

#include <sys/types.h>

#define HOUSE_EDGES   64
#define HOUSE_MEMBERS 80 /* the edges and one of each other role */

enum member_state { MEMBER_DOWN, MEMBER_STARTING, MEMBER_READY, MEMBER_ENDING };

struct house;

struct member {
    struct house *house;
    enum role role;
    unsigned index;
    enum member_state state;
    pid_t pid;
    struct chan *control;
    unsigned restarts;
    time_ms backoff, started_mono, started_unix;
    struct loop_timer restart;
    struct watched watched;
    bool asked;                 /* its answer to this status round is out */
    struct control_fact *facts; /* of the last status round; one arena for all */
    size_t n_facts;
};

struct house_asker {
    struct chan *chan;
    uint64_t id;
};

struct house {
    struct ground *ground;
    struct loop *loop;
    struct member members[HOUSE_MEMBERS];
    size_t n_members;
    struct chan *journal;
    bool was_ready, ending;
    int ready_fd, exit_status;
    time_ms started_mono, started_unix;
    unsigned drain_stage;
    struct loop_timer drain_limit;
    struct watch watch;
    /* one status round at a time */
    struct house_asker asker;
    size_t status_pending;
    struct arena status_arena;
};

/* --- house.c */

/* Into the journal, when it is there. */
void house__tell(struct house *h, struct journal_event e);
/* A message on its control channel, with a descriptor unless fd is -1; that it cannot be sent is logged. */
void house__send(struct member *m, uint16_t type, const void *message, int fd);
/* What comes on a control channel, and its end. arg: the member. */
void house__control(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                    size_t n_fds);
void house__control_closed(void *arg, struct chan *c, enum err e);

/* --- house_start.c */

/* Starts its process, sends it its outfit, joins it to who runs. When that fails it is tried again later. */
void house__bring_up(struct member *m);
/* Lets it begin. At first boot when all are joined; a member started again at once. */
void house__begin(struct member *m);
/* Brings it up again, later each time it fails. */
void house__later(struct member *m);
/* The end of that time. arg: the member. */
void house__restart(void *arg);

/* --- house_status.c */

/* Asks everybody who is ready; the asker is answered when all answers, or their deadlines, are there. */
void house__status_ask(struct house *h, struct chan *asker, uint64_t id);
/* A member died: the channel is freed, and with it the call that would have ended the round. */
void house__status_gone(struct member *m);

#endif
