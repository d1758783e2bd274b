#include "proc/accounts/broker.h"

#include "base/hash.h"
#include "ipc/accounts_account.h"
#include "ipc/accounts_mother.h"
#include "ipc/directory_accounts.h"
#include "ipc/ticket.h"
#include "ipc/x_accounts.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BROKER_CALL_MS     (60 * MS_SECOND) /* for a delivery or a session to be answered by the account */
#define BROKER_INFO_MS     (10 * MS_SECOND)
#define BROKER_IDLE_MS     (10 * MS_SECOND) /* an idle account process is kept this long */
#define BROKER_WAITING_MAX 1024             /* requests waiting for one account */
#define BROKER_ACCOUNTS    20000

enum entry_state { ENTRY_ASKING, ENTRY_RUNNING, ENTRY_RETIRING };

struct broker {
    struct role_self *role;
    struct ticket_key key;
    uint64_t epoch;
    struct ticket_replay replay_deliver, replay_session;
    struct map entries;  /* account id -> entry */
    uint64_t generation; /* counts peers' channels, so that a reply never goes to a successor */
};

struct entry {
    struct broker *broker;
    uint64_t account;
    enum entry_state state;
    struct chan *chan;
    struct list waiting; /* struct waiting */
    size_t n_waiting;
    uint32_t sessions;
    struct loop_timer idle;
};

/* Who asked: answered only as long as that very channel lives. */
struct asker {
    enum role role;
    unsigned index;
    struct chan *chan;
    uint64_t id;
};

/* A request that was passed on and not yet answered. */
struct passed {
    struct broker *broker;
    struct asker asker;
    bool session;
    int client_end; /* session: what the edge gets */
};

/* A request for an account whose process is not there yet, in encoded form. */
struct waiting {
    struct list link;
    struct asker asker;
    bool session;
    int fd; /* delivery: the body */
    struct buf bytes;
};

static void broker_start(struct entry *e);

/* ---- answering ---- */

static void broker_answer(struct broker *b, const struct asker *a, bool session, enum err e, const char *text,
                          int fd)
{
    struct chan *c = role_chan(b->role, a->role, a->index);
    slice words = slice_str(text ? text : e ? err_text(e) : "");
    if (c != a->chan || !c)
        return; /* the asker died; its successor never asked */
    if (session) {
        struct session_opened m = {(uint32_t)e, words};
        IGNORE_RESULT(chan_reply(c, a->id, X_ACCOUNTS_OPENED, &m, &fd, fd >= 0 ? 1 : 0),
                      "the asker times out");
    } else {
        struct delivered m = {.err = (uint32_t)e, .text = words};
        IGNORE_RESULT(chan_reply(c, a->id, X_ACCOUNTS_DELIVERED, &m, NULL, 0), "the asker times out");
    }
}

static void broker_passed_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct passed *p = arg;
    (void)fds, (void)n_fds;
    if (p->session) {
        const struct session_opened *m = message;
        enum err got = e ? e : err_from_wire(m->err);
        broker_answer(p->broker, &p->asker, true, got, NULL, got ? -1 : p->client_end);
    } else if (e) {
        broker_answer(p->broker, &p->asker, false, e, NULL, -1);
    } else {
        struct chan *c = role_chan(p->broker->role, p->asker.role, p->asker.index);
        if (c && c == p->asker.chan)
            IGNORE_RESULT(chan_reply(c, p->asker.id, X_ACCOUNTS_DELIVERED, message, NULL, 0),
                          "the asker times out");
    }
    fd_done(&p->client_end);
    free(p);
}

/* ---- passing on ---- */

static enum err broker_pass_delivery(struct entry *e, const struct deliver *m, int body, struct passed *p)
{
    struct deliver copy = *m;
    copy.ticket = (slice){0}; /* it has done its work */
    return chan_call(e->chan, ACCOUNTS_ACCOUNT_DELIVER, &copy, &body, 1,
                     loop_now(e->broker->role->loop) + BROKER_CALL_MS, broker_passed_reply, p);
}

static enum err broker_pass_session(struct entry *e, const struct session_open *m, struct passed *p)
{
    struct session_open copy = *m;
    int pair[2];
    enum err r;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return ERR_BUSY;
    copy.ticket = (slice){0};
    p->client_end = pair[0];
    r = chan_call(e->chan, ACCOUNTS_ACCOUNT_SESSION, &copy, &pair[1], 1,
                  loop_now(e->broker->role->loop) + BROKER_CALL_MS, broker_passed_reply, p);
    fd_done(&pair[1]);
    return r;
}

static void broker_pass(struct entry *e, const struct asker *a, bool session, const void *message, int body)
{
    struct passed *p = calloc(1, sizeof *p);
    enum err r;
    must(p);
    *p = (struct passed){.broker = e->broker, .asker = *a, .session = session, .client_end = -1};
    loop_timer_clear(&e->idle);
    r = session ? broker_pass_session(e, message, p) : broker_pass_delivery(e, message, body, p);
    if (!r)
        return;
    broker_answer(e->broker, a, session, r, NULL, -1);
    fd_done(&p->client_end);
    free(p);
}

static void broker_wait(struct entry *e, const struct asker *a, bool session, const void *message, int body)
{
    struct waiting *w;
    enum err r = OK;
    if (e->n_waiting >= BROKER_WAITING_MAX) {
        broker_answer(e->broker, a, session, ERR_BUSY, NULL, -1);
        return;
    }
    w = calloc(1, sizeof *w);
    must(w);
    *w = (struct waiting){.asker = *a, .session = session, .fd = -1};
    buf_init(&w->bytes, IPC_BYTES_MAX);
    if (body >= 0)
        r = fd_dup(body, &w->fd);
    if (!r)
        r = ipc_encode(&w->bytes, session ? &session_open_shape : &deliver_shape, message);
    if (r) {
        broker_answer(e->broker, a, session, r, NULL, -1);
        fd_done(&w->fd);
        buf_done(&w->bytes);
        free(w);
        return;
    }
    list_append(&e->waiting, &w->link);
    e->n_waiting++;
}

static void broker_waiting_free(struct entry *e, struct waiting *w)
{
    list_remove(&w->link);
    e->n_waiting--;
    fd_done(&w->fd);
    buf_done(&w->bytes);
    free(w);
}

static void broker_pass_waiting(struct entry *e)
{
    while (!list_empty(&e->waiting)) {
        struct waiting *w = LIST_OF(e->waiting.next, struct waiting, link);
        union {
            struct deliver deliver;
            struct session_open session;
        } m;
        struct arena a;
        arena_init(&a, "waiting", IPC_BYTES_MAX);
        must(ipc_decode(buf_view(&w->bytes), w->session ? &session_open_shape : &deliver_shape, &a, &m) ==
             OK);
        broker_pass(e, &w->asker, w->session, &m, w->fd);
        arena_done(&a);
        broker_waiting_free(e, w);
    }
}

static void broker_refuse_waiting(struct entry *e, enum err why)
{
    while (!list_empty(&e->waiting)) {
        struct waiting *w = LIST_OF(e->waiting.next, struct waiting, link);
        broker_answer(e->broker, &w->asker, w->session, why, NULL, -1);
        broker_waiting_free(e, w);
    }
}

/* ---- account processes ---- */

static void broker_forget(struct entry *e)
{
    struct broker *b = e->broker;
    (void)map_remove(&b->entries, e->account); /* it is there until here */
    role_forget(b->role, e);
    loop_timer_done(&e->idle);
    chan_free(e->chan);
    free(e);
    if (b->role->draining && b->entries.n == 0)
        role_exit(b->role);
}

static void broker_retire(struct entry *e)
{
    if (e->state != ENTRY_RUNNING)
        return;
    e->state = ENTRY_RETIRING;
    IGNORE_RESULT(chan_send(e->chan, ACCOUNTS_ACCOUNT_RETIRE, NULL, NULL, 0), "then it is gone already");
}

static void broker_idle_over(void *arg)
{
    broker_retire(arg);
}

static void broker_account_usage(struct entry *e, const struct account_usage *u)
{
    struct broker_usage m = {e->account, u->bytes, u->messages};
    struct chan *directory = role_chan(e->broker->role, ROLE_DIRECTORY, 0);
    e->sessions = u->sessions;
    if (directory)
        IGNORE_RESULT(chan_send(directory, DIRECTORY_ACCOUNTS_USAGE, &m, NULL, 0),
                      "the next report makes it good");
    if (u->idle && e->state == ENTRY_RUNNING)
        loop_timer_after(&e->idle, e->broker->role->draining ? 0 : BROKER_IDLE_MS);
    else
        loop_timer_clear(&e->idle);
}

static void broker_account_message(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message,
                                   int *fds, size_t n_fds)
{
    struct entry *e = arg;
    (void)c, (void)id, (void)fds, (void)n_fds;
    if (type == ACCOUNTS_ACCOUNT_EVENTS)
        role_tell_packed(e->broker->role, ((const struct account_events *)message)->events);
    else if (type == ACCOUNTS_ACCOUNT_USAGE)
        broker_account_usage(e, message);
}

/* The process ended (its pending requests were answered just before this). */
static void broker_account_closed(void *arg, struct chan *c, enum err why)
{
    struct entry *e = arg;
    (void)c;
    if (why != ERR_CLOSED)
        log_error("account %llu broke the rules of its channel: %s", (unsigned long long)e->account,
                  err_name(why));
    chan_free(e->chan);
    e->chan = NULL;
    if (e->state == ENTRY_RETIRING && !list_empty(&e->waiting) && !e->broker->role->draining) {
        broker_start(e);
        return;
    }
    broker_refuse_waiting(e, ERR_CLOSED);
    broker_forget(e);
}

static void broker_spawned(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct mother_spawned *m = message;
    (void)arg, (void)fds, (void)n_fds;
    /* On failure the other end of the account's channel is closed, which broker_account_closed() handles. */
    if (e || m->err)
        log_error("no process for an account could be started: %s", err_text(e ? e : err_from_wire(m->err)));
}

static void broker_fail(struct entry *e, enum err why)
{
    broker_refuse_waiting(e, why);
    broker_forget(e);
}

static void broker_spawn(struct entry *e, const struct account_info *info)
{
    struct broker *b = e->broker;
    struct mother_spawn m = {e->account};
    struct account_setting s = {.account = e->account,
                                .quota_bytes = info->quota_bytes,
                                .expunged_days = role_setting_u64(b->role, "expunged-days", 30),
                                .message_bytes = role_setting_u64(b->role, "message-size", 52428800),
                                .address = info->address,
                                .hostname = role_setting(b->role, "hostname", 0)};
    int pair[2];
    enum err r = chan_pair(pair);
    if (r) {
        broker_fail(e, ERR_BUSY);
        return;
    }
    r = role_call(b->role, ROLE_ACCOUNT, ACCOUNTS_MOTHER_SPAWN, &m, &pair[1], 1, BROKER_CALL_MS,
                  broker_spawned, b);
    fd_done(&pair[1]);
    if (r) {
        fd_done(&pair[0]);
        broker_fail(e, r);
        return;
    }
    e->chan = chan_new(b->role->loop, pair[0], &accounts_account_channel, IPC_A, broker_account_message,
                       broker_account_closed, e);
    e->state = ENTRY_RUNNING;
    IGNORE_RESULT(chan_send(e->chan, ACCOUNTS_ACCOUNT_SETTING, &s, NULL, 0), "a closed channel is told of");
    broker_pass_waiting(e);
}

static void broker_info(void *arg, enum err r, const void *message, int *fds, size_t n_fds)
{
    struct entry *e = arg;
    const struct account_info *m = message;
    (void)fds, (void)n_fds;
    if (!r)
        r = err_from_wire(m->err);
    if (r)
        broker_fail(e, r == ERR_TIMEOUT ? ERR_BUSY : r);
    else
        broker_spawn(e, m);
}

static void broker_start(struct entry *e)
{
    struct account_info_ask m = {e->account};
    enum err r;
    e->state = ENTRY_ASKING;
    r = role_call(e->broker->role, ROLE_DIRECTORY, DIRECTORY_ACCOUNTS_INFO_ASK, &m, NULL, 0, BROKER_INFO_MS,
                  broker_info, e);
    if (r)
        broker_fail(e, r);
}

static struct entry *broker_entry(struct broker *b, uint64_t account)
{
    struct entry *e = map_get(&b->entries, account);
    if (e || b->entries.n >= BROKER_ACCOUNTS)
        return e;
    e = calloc(1, sizeof *e);
    must(e);
    *e = (struct entry){.broker = b, .account = account, .state = ENTRY_ASKING};
    list_init(&e->waiting);
    loop_timer_init(b->role->loop, &e->idle, broker_idle_over, e);
    (void)map_put(&b->entries, account, e); /* it was not there */
    return e;
}

/* ---- requests ---- */

static enum err broker_ticket(struct broker *b, slice bytes, bool session, uint64_t account)
{
    struct ticket t;
    enum err e =
        ticket_verify(bytes, &b->key, session ? TICKET_IMAP : TICKET_DELIVER, b->epoch, clock_mono(), &t);
    if (!e && t.account != account)
        e = ERR_DENIED;
    if (!e)
        e = ticket_replay_use(session ? &b->replay_session : &b->replay_deliver, &t);
    return e;
}

static void broker_request(struct broker *b, const struct asker *a, bool session, uint64_t account,
                           slice ticket, const void *message, int body)
{
    enum err r = b->role->draining ? ERR_BUSY : broker_ticket(b, ticket, session, account);
    struct entry *e = NULL;
    bool is_new;
    if (!r) {
        is_new = map_get(&b->entries, account) == NULL;
        e = broker_entry(b, account);
        r = e ? OK : ERR_BUSY;
    }
    if (r) {
        broker_answer(b, a, session, r, NULL, -1);
        return;
    }
    if (e->state == ENTRY_RUNNING) {
        broker_pass(e, a, session, message, body);
        return;
    }
    broker_wait(e, a, session, message, body);
    if (is_new)
        broker_start(e);
}

static void broker_revoked(struct broker *b, const struct account_revoked *m)
{
    struct entry *e = map_get(&b->entries, m->account);
    if (e)
        broker_retire(e);
}

static void broker_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                           const void *message, int *fds, size_t n_fds)
{
    struct broker *b = r->state;
    struct asker a = {peer->role, peer->index, peer->chan, id};
    (void)n_fds;
    if (peer->def == &x_accounts_channel && type == X_ACCOUNTS_DELIVER) {
        const struct deliver *m = message;
        broker_request(b, &a, false, m->account, m->ticket, m, fds[0]);
    } else if (peer->def == &x_accounts_channel && type == X_ACCOUNTS_OPEN) {
        const struct session_open *m = message;
        broker_request(b, &a, true, m->account, m->ticket, m, -1);
    } else if (peer->def == &directory_accounts_channel && type == DIRECTORY_ACCOUNTS_REVOKED) {
        broker_revoked(b, message);
    }
}

static void broker_send_epoch(struct broker *b)
{
    struct broker_epoch m = {b->epoch};
    struct chan *c = role_chan(b->role, ROLE_DIRECTORY, 0);
    if (c)
        IGNORE_RESULT(chan_send(c, DIRECTORY_ACCOUNTS_EPOCH, &m, NULL, 0), "a new channel sends it again");
}

static void broker_peer(struct role_self *r, struct role_peer *peer)
{
    if (peer->role == ROLE_DIRECTORY && peer->chan)
        broker_send_epoch(r->state);
}

static void broker_drain(struct role_self *r, time_ms ms)
{
    struct broker *b = r->state;
    size_t at = 0;
    uint64_t key;
    void *value;
    (void)ms;
    if (b->entries.n == 0) {
        role_exit(r);
        return;
    }
    while (map_each(&b->entries, &at, &key, &value))
        broker_retire(value);
}

static void broker_status(struct role_self *r)
{
    struct broker *b = r->state;
    size_t at = 0;
    uint64_t key, sessions = 0;
    void *value;
    while (map_each(&b->entries, &at, &key, &value))
        sessions += ((struct entry *)value)->sessions;
    role_fact(r, "account processes", "%zu", b->entries.n);
    role_fact(r, "sessions", "%llu", (unsigned long long)sessions);
}

static enum err broker_begin(struct role_self *r, struct err_detail *detail)
{
    struct broker *b = calloc(1, sizeof *b);
    must(b);
    b->role = r;
    r->state = b;
    entropy_bytes(&b->epoch, sizeof b->epoch);
    if (ticket_key_parse(role_setting(r, "ticket-key", 0), &b->key)) {
        err_detail_set(detail, "the supervisor gave no ticket key");
        return ERR_BUG;
    }
    broker_send_epoch(b);
    return OK;
}

const struct role_spec accounts_spec = {
    .role = ROLE_ACCOUNTS,
    .rights = &accounts_rights,
    .start = broker_begin,
    .on_message = broker_message,
    .on_peer = broker_peer,
    .on_drain = broker_drain,
    .on_status = broker_status,
};
