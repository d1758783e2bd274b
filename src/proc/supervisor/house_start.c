/* How a role comes up: a process, its outfit, and a channel for each of its wires whose other end runs. */
#include "ipc/role.h"
#include "ipc/x_journal.h"
#include "proc/supervisor/house__.h"
#include "proc/supervisor/outfit.h"
#include "proc/supervisor/wiring.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define HOUSE_BACKOFF_MIN 100
#define HOUSE_BACKOFF_MAX 10000

static unsigned house_edges(const struct house *h)
{
    unsigned edges = 0;
    for (size_t i = 0; i < h->n_members; i++)
        edges += h->members[i].role == ROLE_EDGE;
    return edges;
}

static bool house_runs(const struct member *m)
{
    return m->state == MEMBER_STARTING || m->state == MEMBER_READY;
}

/* One new channel between two running members. */
static void house_join(struct member *a, struct member *b, const struct ipc_channel *def)
{
    int fds[2];
    if (chan_pair(fds)) {
        log_error("no descriptors left to join %s and %s", role_name(a->role), role_name(b->role));
        return;
    }
    struct control_channel_end to_a = {(uint8_t)b->role, (uint8_t)b->index, slice_str(def->name), true};
    struct control_channel_end to_b = {(uint8_t)a->role, (uint8_t)a->index, slice_str(def->name), false};
    house__send(a, CONTROL_CHANNEL, &to_a, fds[0]);
    house__send(b, CONTROL_CHANNEL, &to_b, fds[1]);
    fd_done(&fds[0]);
    fd_done(&fds[1]);
}

static void house_no_message(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                             int *fds, size_t n_fds)
{
    (void)arg, (void)c, (void)type, (void)id, (void)message, (void)fds,
        (void)n_fds; /* the journal only listens */
}

static void house_journal_closed(void *arg, struct chan *c, enum err e)
{
    struct house *h = arg;
    (void)e;
    if (h->journal == c)
        h->journal = NULL;
    chan_free(c);
}

static void house_join_journal(struct house *h, struct member *b)
{
    struct control_channel_end to_b = {ROLE_SUPERVISOR, 0, slice_str(x_journal_channel.name), false};
    int fds[2];
    if (chan_pair(fds))
        return;
    house__send(b, CONTROL_CHANNEL, &to_b, fds[1]);
    fd_done(&fds[1]);
    chan_free(h->journal);
    h->journal =
        chan_new(h->loop, fds[0], &x_journal_channel, IPC_A, house_no_message, house_journal_closed, h);
}

/* All wires between m and the members before it (all running ones when m is started again). */
static void house_wire(struct member *m)
{
    struct house *h = m->house;
    for (size_t w = 0; w < wires_n; w++) {
        if (wires[w].asks == ROLE_SUPERVISOR && wires[w].answers == m->role)
            house_join_journal(h, m);
        for (size_t i = 0; i < h->n_members; i++) {
            struct member *o = &h->members[i];
            if (o == m || !house_runs(o))
                continue;
            if (wires[w].asks == m->role && wires[w].answers == o->role)
                house_join(m, o, wires[w].channel);
            else if (wires[w].answers == m->role && wires[w].asks == o->role)
                house_join(o, m, wires[w].channel);
        }
    }
}

static _Noreturn void house_become(int executable, int control, enum role role)
{
    char name[32];
    char *argv[] = {name, NULL};
    sigset_t none;
    (void)snprintf(name, sizeof name, "posthorn-%s", role_name(role));
    if (executable == ROLE_CONTROL_FD) /* its number is wanted for the channel */
        executable = fcntl(executable, F_DUPFD_CLOEXEC, ROLE_CONTROL_FD + 1);
    if (control == ROLE_CONTROL_FD) {
        (void)fcntl(control, F_SETFD, 0);
    } else if (dup2(control, ROLE_CONTROL_FD) < 0) {
        _exit(111);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execveat(executable, "", argv, environ, AT_EMPTY_PATH);
    _exit(111);
}

static enum err house_spawn(struct member *m)
{
    int fds[2];
    enum err e = chan_pair(fds);
    if (e)
        return e;
    m->pid = fork();
    if (m->pid == 0)
        house_become(m->house->ground->executables[m->role], fds[1], m->role);
    fd_done(&fds[1]);
    if (m->pid < 0) {
        fd_done(&fds[0]);
        return ERR_BUSY;
    }
    m->control =
        chan_new(m->house->loop, fds[0], &control_channel, IPC_A, house__control, house__control_closed, m);
    m->state = MEMBER_STARTING;
    m->started_mono = clock_mono();
    m->started_unix = clock_unix();
    return OK;
}

void house__later(struct member *m)
{
    m->backoff = m->backoff ? (m->backoff * 2 > HOUSE_BACKOFF_MAX ? HOUSE_BACKOFF_MAX : m->backoff * 2)
                            : HOUSE_BACKOFF_MIN;
    loop_timer_after(&m->restart, m->backoff);
}

void house__begin(struct member *m)
{
    struct control_start s = {(uint8_t)m->index};
    house__send(m, CONTROL_START, &s, -1);
    house__tell(m->house, (struct journal_event){.kind = JOURNAL_ROLE_STARTED,
                                                 .name = slice_str(role_name(m->role)),
                                                 .number = (uint64_t)m->pid,
                                                 .code = m->restarts});
}

void house__bring_up(struct member *m)
{
    if (house_spawn(m)) {
        log_error("cannot start %s: %s", role_name(m->role), strerror(errno));
        house__later(m);
        return;
    }
    outfit_send(&(struct outfit){.to = m->control,
                                 .role = m->role,
                                 .index = m->index,
                                 .edges = house_edges(m->house),
                                 .ground = m->house->ground});
    house_wire(m);
}

void house__restart(void *arg)
{
    struct member *m = arg;
    if (m->house->ending || m->state != MEMBER_DOWN)
        return;
    m->restarts++;
    house__bring_up(m);
    if (m->state == MEMBER_STARTING)
        house__begin(m);
}
