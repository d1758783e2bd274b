#include "proc/supervisor/house__.h"

#include "ipc/x_journal.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUSE_STEADY_MS    (5 * MS_SECOND)
#define HOUSE_DRAIN_MS     8000
#define HOUSE_DRAIN_ALL_MS 9500

static void house_drain_next(struct house *h);

/* ---- journal ---- */

void house__tell(struct house *h, struct journal_event e)
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
        house__tell(m->house, (struct journal_event){.kind = JOURNAL_TROUBLE,
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
    house__tell(h, (struct journal_event){.kind = JOURNAL_SERVER_READY, .number = (uint64_t)ms});
    house_say_ready(h);
}

/* ---- control channels ---- */

void house__send(struct member *m, uint16_t type, const void *message, int fd)
{
    if (m->control && chan_send(m->control, type, message, &fd, fd >= 0 ? 1 : 0))
        log_error("%s.%u does not take its boot messages", role_name(m->role), m->index);
}

void house__control(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                    size_t n_fds)
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
            house__status_ask(h, c, id);
        break;
    default:
        break;
    }
}

void house__control_closed(void *arg, struct chan *c, enum err e)
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
                house__send(m, CONTROL_DRAIN, &d, -1);
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
    house__tell(
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
    house__status_gone(m);
    if (!h->ending) {
        log_warning("%s.%u (process %d) ended with %s and is started again", role_name(m->role), m->index,
                    (int)m->pid, how);
        house__tell(h, (struct journal_event){.kind = JOURNAL_ROLE_DIED,
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
        house__later(m);
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
    loop_timer_init(h->loop, &m->restart, house__restart, m);
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
        house__bring_up(&h->members[i]);
    for (size_t i = 0; i < h->n_members; i++)
        if (h->members[i].state == MEMBER_STARTING)
            house__begin(&h->members[i]);
    loop_run(h->loop);
    return h->exit_status;
}
