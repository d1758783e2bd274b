#include "proc/supervisor/house.h"

#include "ipc/chan.h"
#include "ipc/control.h"
#include "ipc/role.h"
#include "ipc/x_journal.h"
#include "proc/supervisor/outfit.h"
#include "proc/supervisor/watch.h"
#include "proc/supervisor/wiring.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUSE_MEMBERS      80 /* 64 edges and one of each other role */
#define HOUSE_EDGES        64
#define HOUSE_BACKOFF_MIN  100
#define HOUSE_BACKOFF_MAX  10000
#define HOUSE_STEADY_MS    (5 * MS_SECOND)
#define HOUSE_DRAIN_MS     8000
#define HOUSE_DRAIN_ALL_MS 9500

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

static void house_start_member(struct member *m);
static void house_drain_next(struct house *h);

/* ---- journal ---- */

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

static void house_tell(struct house *h, struct journal_event e)
{
    struct buf b;
    struct journal_events m;
    if (!h->journal)
        return;
    e.at = clock_unix();
    e.role = JOURNAL_ROLE_SUPERVISOR;
    buf_init(&b, JOURNAL_EVENT_MAX);
    if (journal_event_encode(&b, &e) == OK) {
        m = (struct journal_events){buf_view(&b), 0};
        IGNORE_RESULT(chan_send(h->journal, X_JOURNAL_EVENTS, &m, NULL, 0), "it is in the log as well");
    }
    buf_done(&b);
}

/* ---- status ---- */

static void house_answer_status(struct house *h)
{
    struct control_role roles[HOUSE_MEMBERS];
    struct control_house m = {.roles = roles,
                              .n_roles = h->n_members,
                              .since = h->started_unix,
                              .version = slice_str(POSTHORN_VERSION),
                              .hostname = slice_str(h->ground->conf->hostname)};
    for (size_t i = 0; i < h->n_members; i++) {
        const struct member *k = &h->members[i];
        roles[i] = (struct control_role){.role = (uint8_t)k->role,
                                         .index = (uint8_t)k->index,
                                         .pid = (uint32_t)k->pid,
                                         .restarts = k->restarts,
                                         .since = k->started_unix,
                                         .ready = k->state == MEMBER_READY,
                                         .facts = k->facts,
                                         .n_facts = k->n_facts};
    }
    if (h->asker.chan)
        IGNORE_RESULT(chan_reply(h->asker.chan, h->asker.id, CONTROL_HOUSE, &m, NULL, 0),
                      "the asker asks again");
    h->asker.chan = NULL;
    for (size_t i = 0; i < h->n_members; i++)
        h->members[i].facts = NULL, h->members[i].n_facts = 0;
    arena_reset(&h->status_arena);
}

static void house_facts(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct member *k = arg;
    const struct control_facts *m = message;
    struct house *h = k->house;
    (void)fds, (void)n_fds;
    k->asked = false;
    if (!e) {
        k->facts = ARENA_ARRAY(&h->status_arena, m->n_facts, struct control_fact);
        for (size_t i = 0; k->facts && i < m->n_facts; i++)
            if (arena_dup(&h->status_arena, m->facts[i].name, &k->facts[k->n_facts].name) &&
                arena_dup(&h->status_arena, m->facts[i].value, &k->facts[k->n_facts].value))
                k->n_facts++;
    }
    if (--h->status_pending == 0)
        house_answer_status(h);
}

static void house_ask_status(struct house *h, struct chan *asker, uint64_t id)
{
    if (h->asker.chan || h->status_pending) {
        struct control_house busy = {0};
        IGNORE_RESULT(chan_reply(asker, id, CONTROL_HOUSE, &busy, NULL, 0), "directory asks again");
        return;
    }
    h->asker = (struct house_asker){asker, id};
    h->status_pending = 1;
    for (size_t i = 0; i < h->n_members; i++) {
        struct member *k = &h->members[i];
        if (k->state == MEMBER_READY && chan_call(k->control, CONTROL_STATUS, NULL, NULL, 0,
                                                  loop_now(h->loop) + 1000, house_facts, k) == OK) {
            h->status_pending++;
            k->asked = true;
        }
    }
    if (--h->status_pending == 0)
        house_answer_status(h);
}

/* The channel of a role that died is freed, and with it the call that would have ended the round. */
static void house_no_facts(struct member *k)
{
    if (k->asked)
        house_facts(k, ERR_CLOSED, NULL, NULL, 0);
}

/* ---- the watch ---- */

static void house_watch_news(void *member, enum watch_news news)
{
    struct member *m = member;
    char text[160];
    switch (news) {
    case WATCH_SILENT:
        log_warning("%s.%u (process %d) does not answer; if it goes on so it is killed and started again",
                    role_name(m->role), m->index, (int)m->pid);
        break;
    case WATCH_BACK:
        log_info("%s.%u (process %d) answers again", role_name(m->role), m->index, (int)m->pid);
        break;
    case WATCH_HANGS:
        (void)snprintf(text, sizeof text,
                       "%s.%u (process %d) runs but answered nothing three times in a row; it is killed and "
                       "started again",
                       role_name(m->role), m->index, (int)m->pid);
        log_error("%s", text);
        house_tell(m->house, (struct journal_event){.kind = JOURNAL_TROUBLE,
                                                    .name = slice_str(role_name(m->role)),
                                                    .text = slice_str(text)});
        IGNORE_RESULT(kill(m->pid, SIGKILL), "it may be gone");
        break;
    }
}

/* ---- readiness ---- */

/* READY=1 for systemd's Type=notify, and a line for whoever started us. */
static void house_say_ready(struct house *h)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (h->ready_fd >= 0) {
        IGNORE_RESULT(fd_write_all(h->ready_fd, SLICE("ready\n")), "whoever asked may be gone");
        fd_done(&h->ready_fd);
    }
    if (path && (*path == '/' || *path == '@')) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd CLEANUP(fd_done) = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
        socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(a.sun_path));
        if (*path == '@')
            a.sun_path[0] = 0;
        IGNORE_RESULT(sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (const struct sockaddr *)&a, n),
                      "only a courtesy");
    }
}

static void house_check_ready(struct house *h)
{
    time_ms ms = clock_mono() - h->started_mono;
    if (h->was_ready || h->ending)
        return;
    for (size_t i = 0; i < h->n_members; i++)
        if (h->members[i].state != MEMBER_READY)
            return;
    h->was_ready = true;
    log_info("ready after %lld ms", (long long)ms);
    house_tell(h, (struct journal_event){.kind = JOURNAL_SERVER_READY, .number = (uint64_t)ms});
    house_say_ready(h);
}

/* ---- control channels ---- */

static void house_control(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                          int *fds, size_t n_fds)
{
    struct member *m = arg;
    struct house *h = m->house;
    (void)fds, (void)n_fds;
    switch (type) {
    case CONTROL_READY:
        if (m->state == MEMBER_STARTING) {
            m->state = MEMBER_READY;
            watch_ready(&m->watched, c);
        }
        house_check_ready(h);
        break;
    case CONTROL_FAILED: {
        const struct control_failed *f = message;
        if (!h->was_ready && !h->ending) {
            log_error("%s cannot start: %.*s", role_name(m->role), SLICE_FMT(f->text));
            h->exit_status = 1;
            h->ending = true;
            house_drain_next(h);
        }
        break;
    }
    case CONTROL_HOUSE_ASK:
        if (m->role == ROLE_DIRECTORY)
            house_ask_status(h, c, id);
        break;
    default:
        break;
    }
}

static void house_control_closed(void *arg, struct chan *c, enum err e)
{
    struct member *m = arg;
    if (e != ERR_CLOSED) {
        log_error("%s.%u broke the rules of its control channel (%s) and is ended", role_name(m->role),
                  m->index, err_name(e));
        IGNORE_RESULT(kill(m->pid, SIGKILL), "it may be gone");
    }
    if (m->house->asker.chan == c)
        m->house->asker.chan = NULL;
    if (m->control == c) {
        watch_gone(&m->watched);
        m->control = NULL;
    }
    chan_free(c);
}

/* ---- starting ---- */

static void house_send(struct member *m, uint16_t type, const void *message, int fd)
{
    if (m->control && chan_send(m->control, type, message, &fd, fd >= 0 ? 1 : 0))
        log_error("%s.%u does not take its boot messages", role_name(m->role), m->index);
}

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
    house_send(a, CONTROL_CHANNEL, &to_a, fds[0]);
    house_send(b, CONTROL_CHANNEL, &to_b, fds[1]);
    fd_done(&fds[0]);
    fd_done(&fds[1]);
}

static void house_join_journal(struct house *h, struct member *b)
{
    struct control_channel_end to_b = {ROLE_SUPERVISOR, 0, slice_str(x_journal_channel.name), false};
    int fds[2];
    if (chan_pair(fds))
        return;
    house_send(b, CONTROL_CHANNEL, &to_b, fds[1]);
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
        chan_new(m->house->loop, fds[0], &control_channel, IPC_A, house_control, house_control_closed, m);
    m->state = MEMBER_STARTING;
    m->started_mono = clock_mono();
    m->started_unix = clock_unix();
    return OK;
}

static void house_later(struct member *m)
{
    m->backoff = m->backoff ? (m->backoff * 2 > HOUSE_BACKOFF_MAX ? HOUSE_BACKOFF_MAX : m->backoff * 2)
                            : HOUSE_BACKOFF_MIN;
    loop_timer_after(&m->restart, m->backoff);
}

/* At first boot the START messages go out when all are joined; a member started again gets its own at once.
 */
static void house_begin(struct member *m)
{
    struct control_start s = {(uint8_t)m->index};
    house_send(m, CONTROL_START, &s, -1);
    house_tell(m->house, (struct journal_event){.kind = JOURNAL_ROLE_STARTED,
                                                .name = slice_str(role_name(m->role)),
                                                .number = (uint64_t)m->pid,
                                                .code = m->restarts});
}

static void house_bring_up(struct member *m)
{
    if (house_spawn(m)) {
        log_error("cannot start %s: %s", role_name(m->role), strerror(errno));
        house_later(m);
        return;
    }
    outfit_send(&(struct outfit){.to = m->control,
                                 .role = m->role,
                                 .index = m->index,
                                 .edges = house_edges(m->house),
                                 .ground = m->house->ground});
    house_wire(m);
}

static void house_start_member(struct member *m)
{
    house_bring_up(m);
    if (m->state == MEMBER_STARTING)
        house_begin(m);
}

static void house_restart(void *arg)
{
    struct member *m = arg;
    if (m->house->ending || m->state != MEMBER_DOWN)
        return;
    m->restarts++;
    house_start_member(m);
}

/* ---- ending ---- */

/* Who ends when: first those that take mail and sessions, last the one that writes it all down. */
static int house_stage(enum role r)
{
    switch (r) {
    case ROLE_EDGE:
        return 0;
    case ROLE_RELAY:
        return 1;
    case ROLE_ACCOUNTS:
        return 2;
    case ROLE_JOURNAL:
        return 4;
    default:
        return 3;
    }
}

static void house_drain_next(struct house *h)
{
    time_ms left = HOUSE_DRAIN_MS;
    for (; h->drain_stage < 5; h->drain_stage++) {
        bool any = false;
        for (size_t i = 0; i < h->n_members; i++) {
            struct member *m = &h->members[i];
            if (m->state == MEMBER_DOWN || house_stage(m->role) != (int)h->drain_stage)
                continue;
            any = true;
            if (m->state != MEMBER_ENDING) {
                struct control_drain d = {(uint32_t)left};
                m->state = MEMBER_ENDING;
                watch_gone(&m->watched);
                house_send(m, CONTROL_DRAIN, &d, -1);
                if (!m->control)
                    IGNORE_RESULT(kill(m->pid, SIGKILL), "it may be gone");
            }
        }
        if (any)
            return;
    }
    loop_stop(h->loop);
}

static void house_kill_all(void *arg)
{
    struct house *h = arg;
    for (size_t i = 0; i < h->n_members; i++)
        if (h->members[i].state != MEMBER_DOWN) {
            log_warning("%s.%u did not end in time and is killed", role_name(h->members[i].role),
                        h->members[i].index);
            IGNORE_RESULT(kill(h->members[i].pid, SIGKILL), "it may be gone");
        }
}

static void house_end(void *arg)
{
    struct house *h = arg;
    if (h->ending)
        return;
    h->ending = true;
    log_info("ending: mail in hand is finished first");
    house_tell(
        h, (struct journal_event){.kind = JOURNAL_SERVER_STOPPING, .text = SLICE("asked to by a signal")});
    for (size_t i = 0; i < h->ground->conf->listen_count; i++)
        fd_done(&h->ground->listeners[i]);
    loop_timer_after(&h->drain_limit, HOUSE_DRAIN_ALL_MS);
    house_drain_next(h);
}

static void house_member_died(struct member *m, int status)
{
    struct house *h = m->house;
    char how[64];
    if (WIFSIGNALED(status))
        (void)snprintf(how, sizeof how, "signal %d", WTERMSIG(status));
    else
        (void)snprintf(how, sizeof how, "exit status %d", WEXITSTATUS(status));
    if (h->asker.chan == m->control)
        h->asker.chan = NULL;
    watch_gone(&m->watched);
    chan_free(m->control);
    m->control = NULL;
    house_no_facts(m);
    if (!h->ending) {
        log_warning("%s.%u (process %d) ended with %s and is started again", role_name(m->role), m->index,
                    (int)m->pid, how);
        house_tell(h, (struct journal_event){.kind = JOURNAL_ROLE_DIED,
                                             .name = slice_str(role_name(m->role)),
                                             .number = (uint64_t)m->pid,
                                             .text = slice_str(how)});
        if (clock_mono() - m->started_mono > HOUSE_STEADY_MS)
            m->backoff = 0;
    }
    m->state = MEMBER_DOWN;
    if (h->ending)
        house_drain_next(h);
    else
        house_later(m);
}

static void house_reap(void *arg)
{
    struct house *h = arg;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < h->n_members; i++)
            if (h->members[i].pid == pid && h->members[i].state != MEMBER_DOWN)
                house_member_died(&h->members[i], status);
}

/* ---- the whole ---- */

static void house_add(struct house *h, enum role role, unsigned index)
{
    struct member *m = &h->members[h->n_members++];
    *m = (struct member){.house = h, .role = role, .index = index};
    loop_timer_init(h->loop, &m->restart, house_restart, m);
    watch_add(&h->watch, &m->watched, m);
}

/* A role that has nothing to do is not started. */
static bool house_wants(const struct conf *c, enum role r)
{
    return r != ROLE_NAMESERVER || c->dns_listen_count > 0;
}

static void house_people(struct house *h)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t edges = h->ground->conf->limits[CONF_LIMIT_EDGES];
    if (edges == 0)
        edges = cores > 0 ? (uint64_t)cores : 1;
    for (enum role r = ROLE_DIRECTORY; r < ROLE__COUNT; r++)
        if (house_wants(h->ground->conf, r))
            house_add(h, r, 0);
    for (unsigned i = 0; i < edges && i < HOUSE_EDGES; i++)
        house_add(h, ROLE_EDGE, i);
}

int house_run(struct ground *g, int ready_fd, time_ms watch_ms)
{
    static struct house house;
    struct house *h = &house;
    *h = (struct house){
        .ground = g, .ready_fd = ready_fd, .started_mono = clock_mono(), .started_unix = clock_unix()};
    arena_init(&h->status_arena, "status", (size_t)1 << 20);
    h->loop = loop_new();
    loop_timer_init(h->loop, &h->drain_limit, house_kill_all, h);
    watch_init(&h->watch, h->loop, watch_ms, house_watch_news);
    loop_signal(h->loop, SIGCHLD, house_reap, h);
    loop_signal(h->loop, SIGTERM, house_end, h);
    loop_signal(h->loop, SIGINT, house_end, h);
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
    (void)signal(SIGHUP, SIG_IGN);
    house_people(h);
    for (size_t i = 0; i < h->n_members; i++)
        house_bring_up(&h->members[i]);
    for (size_t i = 0; i < h->n_members; i++)
        if (h->members[i].state == MEMBER_STARTING)
            house_begin(&h->members[i]);
    loop_run(h->loop);
    return h->exit_status;
}
