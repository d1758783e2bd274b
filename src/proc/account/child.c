#include "proc/account/child.h"

#include "ipc/control.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/probe.h"

#include <stdlib.h>
#include <time.h>

#define CHILD_EVENTS_BYTES  ((size_t)256 * 1024)
#define CHILD_EVENTS_A_SEND 100000
#define CHILD_USAGE_MS      1000 /* at most one report a second */
#define CHILD_QUIET_MS      2000 /* without work: upkeep may take its time */
#define CHILD_UPKEEP_MS     20   /* between pieces of upkeep */
#define CHILD_RETIRE_MS     5000
#define CHILD_RESERVE_BYTES ((uint64_t)16 << 20) /* THREATS 61: deliveries stop before the disk is full */
#define CHILD_OPEN_TRIES    40
#define CHILD_OPEN_WAIT_NS  50000000L

struct account_child_inside {
    struct buf events;
    struct loop_task tell_task, work_task;
    struct loop_timer usage_timer, upkeep_timer, retire_timer;
    bool usage_due, idle_told;
};

static void child_send_events(void *arg)
{
    struct account_child *c = arg;
    struct buf *b = &c->inside->events;
    while (b->n) {
        struct cursor at = cursor_of(buf_view(b));
        struct account_events m;
        size_t n = 0;
        while (!cursor_end(&at)) {
            struct journal_event e;
            must(journal_event_decode(&at, &e) == OK); /* we encoded it */
            if (b->n - at.rest.n > CHILD_EVENTS_A_SEND)
                break;
            n = b->n - at.rest.n;
        }
        m.events = slice_sub(buf_view(b), 0, n);
        if (chan_send(c->broker, ACCOUNTS_ACCOUNT_EVENTS, &m, NULL, 0))
            return;
        buf_consume(b, n);
    }
}

void account_child_tell(struct account_child *c, struct journal_event event)
{
    event.at = event.at ? event.at : clock_unix();
    event.role = JOURNAL_ROLE_ACCOUNT;
    IGNORE_RESULT(journal_event_encode(&c->inside->events, &event),
                  "telling never stops work; a full buffer drops it");
    loop_later(c->loop, &c->inside->tell_task);
}

static bool child_is_idle(const struct account_child *c)
{
    return c->deliveries == 0 && c->sessions == 0;
}

static void child_report(void *arg)
{
    struct account_child *c = arg;
    struct account_usage m = {.sessions = c->sessions, .idle = child_is_idle(c)};
    struct account_quota q;
    c->inside->usage_due = false;
    if (c->db) {
        struct account_store *s = account_store_new(c->db, ACCOUNT_READ);
        if (account_quota(s, &q) == OK) {
            m.bytes = q.bytes;
            m.messages = q.messages;
        }
        account_store_free(&s);
    }
    IGNORE_RESULT(chan_send(c->broker, ACCOUNTS_ACCOUNT_USAGE, &m, NULL, 0), "the next report makes it good");
}

static void child_end(struct account_child *c)
{
    imap_sessions_abandon(c);
    child_send_events(c);
    account_db_close(&c->db);
    loop_stop(c->loop);
}

static void child_work(void *arg)
{
    struct account_child *c = arg;
    if (c->db && account_db_broken(c->db)) {
        log_error("the database of this account does not take writes any more (%s); starting again",
                  account_db_message(c->db));
        loop_stop(c->loop); /* nothing is written any more; opening again reads back what is really there */
        return;
    }
    if (c->retiring && child_is_idle(c)) {
        child_end(c);
        return;
    }
    if (!c->inside->usage_due) {
        c->inside->usage_due = true;
        loop_timer_after(&c->inside->usage_timer, CHILD_USAGE_MS);
    }
    if (c->db) { /* never quiet: the log must not grow without end all the same */
        bool more;
        IGNORE_RESULT(account_db_idle(c->db, clock_unix(), false, &more),
                      "tried again after the next change");
    }
    loop_timer_after(&c->inside->upkeep_timer, CHILD_QUIET_MS);
}

void account_child_touch(struct account_child *c)
{
    loop_later(c->loop, &c->inside->work_task);
}

static void child_upkeep(void *arg)
{
    struct account_child *c = arg;
    bool more = false;
    if (!c->db || c->retiring)
        return;
    IGNORE_RESULT(account_db_idle(c->db, clock_unix(), true, &more), "tried again at the next quiet moment");
    if (more)
        loop_timer_after(&c->inside->upkeep_timer, CHILD_UPKEEP_MS);
}

static void child_retire_now(void *arg)
{
    child_end(arg);
}

static void child_retire(struct account_child *c)
{
    if (c->retiring)
        return;
    c->retiring = true;
    loop_timer_after(&c->inside->retire_timer, CHILD_RETIRE_MS);
    imap_sessions_retire(c);
    account_child_touch(c);
}

/* The process before us may still be closing the database. */
static enum err child_open(struct account_child *c)
{
    struct account_options o = {.path = "account.db",
                                .bytes_max = c->setting.quota_bytes,
                                .reserve_bytes = CHILD_RESERVE_BYTES,
                                .keep_ms = account_keep_ms(c->setting.expunged_days),
                                .now = clock_unix()};
    struct err_detail detail = {""};
    struct timespec wait = {0, CHILD_OPEN_WAIT_NS};
    enum err e;
    for (int i = 0;; i++) {
        e = account_db_open(&o, &c->db, &detail);
        if (e != ERR_BUSY || i == CHILD_OPEN_TRIES)
            break;
        IGNORE_RESULT(nanosleep(&wait, NULL), "a shorter wait does no harm");
    }
    if (e)
        log_error("cannot open the database of account %llu: %s", (unsigned long long)c->setting.account,
                  detail.text);
    return e;
}

static void child_setting(struct account_child *c, const struct account_setting *m)
{
    slice host;
    if (c->setting.account)
        return;
    c->setting = *m;
    c->setting.address = (slice){0};
    c->setting.hostname = SLICE("localhost");
    if (!arena_dup(&c->boot, m->address, &c->setting.address))
        c->db_err = ERR_LIMIT;
    host = slice_str(arena_str(&c->boot, m->hostname));
    if (host.n)
        c->setting.hostname = host;
    c->db_err = child_open(c);
    account_child_touch(c);
}

static void child_session(struct account_child *c, uint64_t id, const struct session_open *m, int *fd)
{
    struct session_opened reply = {0};
    enum err e = c->retiring ? ERR_BUSY : c->db ? OK : c->db_err ? c->db_err : ERR_STATE;
    if (!e)
        e = imap_session_open(c, m, *fd);
    if (!e)
        *fd = -1; /* the session owns it now */
    reply.err = (uint32_t)e;
    reply.text = slice_str(e ? err_text(e) : "");
    IGNORE_RESULT(chan_reply(c->broker, id, ACCOUNTS_ACCOUNT_SESSION_OPENED, &reply, NULL, 0),
                  "the broker times out");
    account_child_touch(c);
}

static void child_delivery(struct account_child *c, uint64_t id, const struct deliver *m, int fd)
{
    struct delivered reply = {0};
    enum err e = c->db ? OK : c->db_err ? c->db_err : ERR_STATE;
    if (!e) {
        account_deliver(c, id, m, fd);
        return;
    }
    reply.err = (uint32_t)e;
    reply.text = slice_str(err_text(e));
    IGNORE_RESULT(chan_reply(c->broker, id, ACCOUNTS_ACCOUNT_DELIVERED, &reply, NULL, 0),
                  "the broker times out");
    account_child_touch(c);
}

static void child_message(void *arg, struct chan *ch, uint16_t type, uint64_t id, const void *message,
                          int *fds, size_t n_fds)
{
    struct account_child *c = arg;
    (void)ch, (void)n_fds;
    switch (type) {
    case ACCOUNTS_ACCOUNT_SETTING:
        child_setting(c, message);
        break;
    case ACCOUNTS_ACCOUNT_DELIVER:
        child_delivery(c, id, message, fds[0]);
        break;
    case ACCOUNTS_ACCOUNT_SESSION:
        child_session(c, id, message, &fds[0]);
        break;
    case ACCOUNTS_ACCOUNT_RETIRE:
        child_retire(c);
        break;
#ifdef POSTHORN_PROBE
    case ACCOUNTS_ACCOUNT_PROBE: {
        struct control_probed reply = {probe_try(((const struct control_probe *)message)->what, NULL, 0)};
        IGNORE_RESULT(chan_reply(c->broker, id, ACCOUNTS_ACCOUNT_PROBED, &reply, NULL, 0),
                      "the test then fails");
        break;
    }
#endif
    default:
        break;
    }
}

static void child_closed(void *arg, struct chan *ch, enum err e)
{
    struct account_child *c = arg;
    (void)ch, (void)e;
    /* The broker is gone: a new one knows nothing of us, and would start another process for this account. */
    imap_sessions_abandon(c);
    account_db_close(&c->db);
    loop_stop(c->loop);
}

int account_child_run(int broker_fd)
{
    static struct account_child child;
    static struct account_child_inside inside;
    struct account_child *c = &child;
    c->inside = &inside;
    c->loop = loop_new();
    arena_init(&c->boot, "account setting", 8192);
    buf_init(&inside.events, CHILD_EVENTS_BYTES);
    loop_task_init(&inside.tell_task, child_send_events, c);
    loop_task_init(&inside.work_task, child_work, c);
    loop_timer_init(c->loop, &inside.usage_timer, child_report, c);
    loop_timer_init(c->loop, &inside.upkeep_timer, child_upkeep, c);
    loop_timer_init(c->loop, &inside.retire_timer, child_retire_now, c);
    c->broker =
        chan_new(c->loop, broker_fd, &accounts_account_channel, IPC_B, child_message, child_closed, c);
    loop_run(c->loop);
    return 0;
}
