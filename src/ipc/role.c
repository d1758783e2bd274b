#include "ipc/role.h"

#include "ipc/channels.h"
#include "ipc/x_journal.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/probe.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROLE_BOOT_MS       20000
#define ROLE_BOOT_BYTES    ((size_t)4 << 20)
#define ROLE_EVENTS_BYTES  ((size_t)1 << 20) /* events waiting for the journal */
#define ROLE_EVENTS_A_SEND 100000            /* bytes of events in one message */

struct role_setting_row {
    const char *name, *value; /* NUL behind each; in the boot arena */
    size_t value_n;
};

struct role_file_row {
    char name[64];
    int fd;
};

struct role_inside {
    struct arena boot; /* settings; lives for ever */
    struct role_setting_row settings[ROLE_SETTINGS];
    size_t n_settings;
    struct role_file_row files[ROLE_FILES];
    size_t n_files;
    struct role_peer peers[ROLE_PEERS];
    int peer_fds[ROLE_PEERS]; /* before the loop runs */
    size_t n_peers;
    struct chan *control;
    struct buf events;
    uint64_t events_dropped;
    struct loop_task tell_task;
    struct loop_timer drain_timer;
    struct control_fact facts[64];
    size_t n_facts;
    struct arena facts_arena;
};

#ifdef POSTHORN_SANITIZED
/* The leak check at exit would ptrace, which the jail stops; leaks are looked for in the unit tests. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0:allocator_may_return_null=1:handle_abort=1";
}
#endif

/* ---- settings, files, peers ---- */

slice role_setting(const struct role_self *r, const char *name, size_t nth)
{
    for (size_t i = 0; i < r->inside->n_settings; i++) {
        const struct role_setting_row *s = &r->inside->settings[i];
        if (strcmp(s->name, name) == 0 && nth-- == 0)
            return slice_of(s->value, s->value_n);
    }
    return (slice){0};
}

uint64_t role_setting_u64(const struct role_self *r, const char *name, uint64_t fallback)
{
    uint64_t v;
    return slice_u64(role_setting(r, name, 0), &v) ? v : fallback;
}

int role_file(struct role_self *r, const char *name)
{
    for (size_t i = 0; i < r->inside->n_files; i++)
        if (strcmp(r->inside->files[i].name, name) == 0)
            return fd_take(&r->inside->files[i].fd);
    return -1;
}

/* The row of a peer on which want_asks fits; def NULL: any but the journal's event channel. */
static struct role_peer *role_find_peer(struct role_self *r, enum role peer, unsigned index,
                                        const struct ipc_channel *def, bool want_asks)
{
    for (size_t i = 0; i < r->inside->n_peers; i++) {
        struct role_peer *p = &r->inside->peers[i];
        if (p->role == peer && p->index == index && p->asks == want_asks &&
            (def ? p->def == def : p->def != &x_journal_channel))
            return p;
    }
    return NULL;
}

static struct chan *role_running(const struct role_peer *p)
{
    return p && p->chan && !chan_is_closed(p->chan) ? p->chan : NULL;
}

/* While a peer comes back, its channels come one by one: that one of them runs already must not make it stand
 * in for the other. */
struct chan *role_chan(struct role_self *r, enum role peer, unsigned index)
{
    struct role_peer *p = role_find_peer(r, peer, index, NULL, true);
    return role_running(p ? p : role_find_peer(r, peer, index, NULL, false));
}

enum err role_call(struct role_self *r, enum role peer, uint16_t type, const void *message, const int *fds,
                   size_t n_fds, time_ms ms, chan_reply_fn fn, void *arg)
{
    struct chan *c = role_chan(r, peer, 0);
    return c ? chan_call(c, type, message, fds, n_fds, loop_now(r->loop) + ms, fn, arg) : ERR_CLOSED;
}

enum err role_call_supervisor(struct role_self *r, uint16_t type, const void *message, time_ms ms,
                              chan_reply_fn fn, void *arg)
{
    return chan_call(r->inside->control, type, message, NULL, 0, loop_now(r->loop) + ms, fn, arg);
}

void role_forget(struct role_self *r, void *arg)
{
    for (size_t i = 0; i < r->inside->n_peers; i++)
        chan_forget(r->inside->peers[i].chan, arg);
}

/* ---- telling the journal ---- */

/* Bytes of the events at the front that one message takes; 0 when they cannot be read. */
static size_t role_events_fit(slice events)
{
    struct cursor at = cursor_of(events);
    struct journal_event e;
    size_t n = 0;
    if (events.n <= ROLE_EVENTS_A_SEND) /* nearly always */
        return events.n;
    while (journal_event_decode(&at, &e) == OK && events.n - at.rest.n <= ROLE_EVENTS_A_SEND)
        n = events.n - at.rest.n;
    return n;
}

static void role_send_events(void *arg)
{
    struct role_self *r = arg;
    struct buf *b = &r->inside->events;
    struct chan *c = role_running(role_find_peer(r, ROLE_JOURNAL, 0, &x_journal_channel, true));
    while (c && b->n) {
        size_t n = role_events_fit(buf_view(b));
        struct journal_events m = {slice_sub(buf_view(b), 0, n), r->inside->events_dropped};
        if (n == 0) {
            buf_clear(b); /* only a fault of ours could do it: better lose these than spin */
            return;
        }
        if (chan_send(c, X_JOURNAL_EVENTS, &m, NULL, 0))
            return;
        r->inside->events_dropped = 0;
        buf_consume(b, n);
    }
}

void role_tell(struct role_self *r, struct journal_event event)
{
    if (!event.at)
        event.at = clock_unix();
    if (!event.role)
        event.role = (enum journal_role)r->spec->role;
    if (journal_event_encode(&r->inside->events, &event))
        r->inside->events_dropped++;
    loop_later(r->loop, &r->inside->tell_task);
}

void role_tell_packed(struct role_self *r, slice packed)
{
    if (buf_append(&r->inside->events, packed))
        r->inside->events_dropped++;
    loop_later(r->loop, &r->inside->tell_task);
}

/* ---- control channel while running ---- */

void role_fact(struct role_self *r, const char *name, const char *format, ...)
{
    char text[512];
    slice kept;
    int n;
    va_list ap;
    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n < 0 || r->inside->n_facts == ARRAY_LEN(r->inside->facts) ||
        !arena_dup(&r->inside->facts_arena, slice_of(text, size_min((size_t)n, sizeof text - 1)), &kept))
        return;
    r->inside->facts[r->inside->n_facts++] = (struct control_fact){slice_str(name), kept};
}

static void role_status(struct role_self *r, uint64_t id)
{
    struct control_facts m;
    r->inside->n_facts = 0;
    if (r->spec->on_status)
        r->spec->on_status(r);
    m = (struct control_facts){r->inside->facts, r->inside->n_facts};
    IGNORE_RESULT(chan_reply(r->inside->control, id, CONTROL_FACTS, &m, NULL, 0),
                  "the supervisor asks again");
    arena_reset(&r->inside->facts_arena);
}

static void role_overdue(void *arg)
{
    struct role_self *r = arg;
    log_warning("draining took too long; ending now");
    role_exit(r);
}

static void role_drain(struct role_self *r, time_ms ms)
{
    r->draining = true;
    loop_timer_after(&r->inside->drain_timer, ms);
    if (r->spec->on_drain)
        r->spec->on_drain(r, ms);
    else
        role_exit(r);
}

static void role_message(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                         size_t n_fds)
{
    struct role_self *r = arg;
    for (size_t i = 0; i < r->inside->n_peers; i++)
        if (r->inside->peers[i].chan == c) {
            r->spec->on_message(r, &r->inside->peers[i], type, id, message, fds, n_fds);
            return;
        }
}

static void role_peer_closed(void *arg, struct chan *c, enum err e)
{
    struct role_self *r = arg;
    for (size_t i = 0; i < r->inside->n_peers; i++) {
        struct role_peer *p = &r->inside->peers[i];
        if (p->chan != c)
            continue;
        if (e != ERR_CLOSED)
            log_error("the channel to %s.%u broke its rules (%s) and was closed", role_name(p->role),
                      p->index, err_name(e));
        p->chan = NULL;
        chan_free(c);
        if (r->spec->on_peer)
            r->spec->on_peer(r, p);
        return;
    }
    chan_free(c);
}

static void role_peer_open(struct role_self *r, struct role_peer *p, int fd)
{
    p->chan = chan_new(r->loop, fd, p->def, p->asks ? IPC_A : IPC_B, role_message, role_peer_closed, r);
    if (p->role == ROLE_JOURNAL)
        loop_later(r->loop, &r->inside->tell_task);
}

/* Remembers a peer; NULL when the supervisor sends nonsense or too many. */
static struct role_peer *role_peer_row(struct role_self *r, const struct control_channel_end *m)
{
    const struct ipc_channel *def = ipc_channel_find(m->channel);
    struct role_inside *in = r->inside;
    if (!def)
        return NULL;
    for (size_t i = 0; i < in->n_peers; i++)
        if (in->peers[i].role == m->peer && in->peers[i].index == m->index && in->peers[i].def == def)
            return &in->peers[i];
    if (in->n_peers == ROLE_PEERS)
        return NULL;
    in->peer_fds[in->n_peers] = -1;
    in->peers[in->n_peers] = (struct role_peer){(enum role)m->peer, m->index, def, m->asks, NULL};
    return &in->peers[in->n_peers++];
}

static void role_peer_again(struct role_self *r, const struct control_channel_end *m, int *fd)
{
    struct role_peer *p = role_peer_row(r, m);
    if (!p)
        return;
    if (p->chan) {
        struct chan *old = p->chan;
        p->chan = NULL;
        chan_free(old);
    }
    role_peer_open(r, p, fd_take(fd));
    if (r->spec->on_peer)
        r->spec->on_peer(r, p);
}

static void role_control(void *arg, struct chan *c, uint16_t type, uint64_t id, const void *message, int *fds,
                         size_t n_fds)
{
    struct role_self *r = arg;
    switch (type) {
    case CONTROL_CHANNEL:
        role_peer_again(r, message, &fds[0]);
        break;
    case CONTROL_STATUS:
        role_status(r, id);
        break;
    case CONTROL_DRAIN:
        role_drain(r, ((const struct control_drain *)message)->ms);
        break;
#ifdef POSTHORN_PROBE
    case CONTROL_PROBE: {
        struct control_probed m = {probe_try(((const struct control_probe *)message)->what, fds, n_fds)};
        IGNORE_RESULT(chan_reply(c, id, CONTROL_PROBED, &m, NULL, 0), "the test then fails by itself");
        break;
    }
#endif
    default:
        (void)c, (void)n_fds;
        log_warning("control message %u comes too late and is ignored", type);
        break;
    }
}

static void role_control_closed(void *arg, struct chan *c, enum err e)
{
    struct role_self *r = arg;
    (void)c, (void)e;
    if (!r->draining)
        log_warning("the supervisor is gone; ending");
    role_exit(r);
}

/* ---- boot ---- */

static bool role_keep(struct role_self *r, slice s, const char **out)
{
    char *p = arena_str(&r->inside->boot, s);
    if (p)
        *out = p;
    return p != NULL;
}

static enum err role_boot_setting(struct role_self *r, const struct control_setting *m)
{
    struct role_setting_row row = {.value_n = m->value.n};
    if (r->inside->n_settings == ROLE_SETTINGS || !role_keep(r, m->name, &row.name) ||
        !role_keep(r, m->value, &row.value))
        return ERR_LIMIT;
    r->inside->settings[r->inside->n_settings++] = row;
    return OK;
}

static enum err role_boot_listener(struct role_self *r, const struct control_listener *m, int *fd)
{
    struct role_listener *l = &r->listeners[r->n_listeners];
    if (r->n_listeners == ROLE_LISTENERS || m->address.n >= sizeof l->address)
        return ERR_LIMIT;
    *l = (struct role_listener){
        .service = (enum service)m->service, .plaintext = m->plaintext, .fd = fd_take(fd)};
    memcpy(l->address, m->address.p, m->address.n);
    r->n_listeners++;
    return OK;
}

static enum err role_boot_file(struct role_self *r, slice name, int *fd)
{
    struct role_file_row *row = &r->inside->files[r->inside->n_files];
    if (r->inside->n_files == ROLE_FILES || name.n >= sizeof row->name)
        return ERR_LIMIT;
    memcpy(row->name, name.p, name.n);
    row->name[name.n] = 0;
    row->fd = fd_take(fd);
    r->inside->n_files++;
    return OK;
}

static enum err role_boot_channel(struct role_self *r, const struct control_channel_end *m, int *fd)
{
    struct role_peer *p = role_peer_row(r, m);
    if (!p)
        return ERR_LIMIT;
    fd_done(&r->inside->peer_fds[p - r->inside->peers]);
    r->inside->peer_fds[p - r->inside->peers] = fd_take(fd);
    return OK;
}

static enum err role_boot_message(struct role_self *r, uint16_t type, const void *m, int *fds,
                                  bool *out_start)
{
    switch (type) {
    case CONTROL_SETTING:
        return role_boot_setting(r, m);
    case CONTROL_LISTENER:
        return role_boot_listener(r, m, &fds[0]);
    case CONTROL_FOLDER:
        fd_done(&r->folder_fd);
        r->folder_fd = fd_take(&fds[0]);
        return OK;
    case CONTROL_FILE:
        return role_boot_file(r, ((const struct control_file *)m)->name, &fds[0]);
    case CONTROL_CHANNEL:
        return role_boot_channel(r, m, &fds[0]);
    case CONTROL_START:
        r->index = ((const struct control_start *)m)->index;
        *out_start = true;
        return OK;
    default:
        return ERR_STATE;
    }
}

static enum err role_boot(struct role_self *r)
{
    struct arena scratch;
    uint8_t *bytes = malloc(IPC_BYTES_MAX);
    bool start = false;
    enum err e = OK;
    must(bytes);
    arena_init(&scratch, "boot message", ROLE_BOOT_BYTES);
    while (!e && !start) {
        const struct ipc_message *row;
        uint64_t id;
        void *message;
        int fds[IPC_FDS_MAX];
        size_t n_fds = 0;
        e = chan_read_wait(ROLE_CONTROL_FD, &control_channel, IPC_B, ROLE_BOOT_MS, bytes, &scratch, &row, &id,
                           &message, fds, &n_fds);
        if (!e)
            e = role_boot_message(r, row->type, message, fds, &start);
        for (size_t i = 0; i < n_fds; i++)
            fd_done(&fds[i]);
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    free(bytes);
    return e;
}

static _Noreturn void role_fail_text(const char *text)
{
    struct control_failed m = {slice_str(text)};
    log_error("%s", text);
    IGNORE_RESULT(chan_write_wait(ROLE_CONTROL_FD, &control_channel, CONTROL_FAILED, 0, &m, NULL, 0),
                  "it is in the log as well");
    _exit(1);
}

void role_fail(struct role_self *r, const char *format, ...)
{
    char text[512];
    va_list ap;
    (void)r;
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap); /* a long reason is cut */
    va_end(ap);
    role_fail_text(text);
}

void role_exit(struct role_self *r)
{
    loop_stop(r->loop);
}

static void role_lock_in(struct role_self *r)
{
    const char *weak = "";
    enum err e;
    if (r->folder_fd >= 0 && fchdir(r->folder_fd) < 0)
        role_fail(r, "cannot enter the data folder");
    if (r->spec->rights->folder && r->folder_fd < 0)
        role_fail(r, "no data folder was handed over");
    e = rights_enter(r->spec->rights, r->folder_fd, NULL, &weak);
    if (e)
        role_fail(r, "the process could not be locked in (%s): the kernel must offer seccomp", err_text(e));
    if (*weak && r->spec->role == ROLE_EDGE && r->index == 0)
        log_warning("%s", weak);
}

static void role_open_channels(struct role_self *r)
{
    struct role_inside *in = r->inside;
    in->control =
        chan_new(r->loop, ROLE_CONTROL_FD, &control_channel, IPC_B, role_control, role_control_closed, r);
    for (size_t i = 0; i < in->n_peers; i++)
        if (in->peer_fds[i] >= 0)
            role_peer_open(r, &in->peers[i], fd_take(&in->peer_fds[i]));
}

static void role_init(struct role_self *r, const struct role_spec *spec)
{
    struct role_inside *in = calloc(1, sizeof *in);
    must(in);
    *r = (struct role_self){.spec = spec, .folder_fd = -1, .inside = in};
    arena_init(&in->boot, "settings", ROLE_BOOT_BYTES);
    arena_init(&in->facts_arena, "facts", 65536);
    buf_init(&in->events, ROLE_EVENTS_BYTES);
}

int role_main(const struct role_spec *spec)
{
    static struct role_self self;
    struct role_self *r = &self;
    struct err_detail detail = {""};
    char name[32];
    enum err e;
    must((int)ROLE_JOURNAL == (int)JOURNAL_ROLE_JOURNAL);
    rights_begin();
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
    (void)signal(SIGINT, SIG_IGN);  /* Ctrl-C reaches the whole group; the supervisor drains us */
    log_name(role_name(spec->role));
    role_init(r, spec);
    e = role_boot(r);
    if (e) {
        log_error("boot failed: %s. This program is started by `posthorn serve`, not by hand", err_text(e));
        return 1;
    }
    (void)snprintf(name, sizeof name, "%s.%u", role_name(spec->role), r->index);
    log_name(name);
    r->loop = loop_new();
    if (spec->prepare && (e = spec->prepare(r, &detail)))
        role_fail(r, "%s", detail.text[0] ? detail.text : err_text(e));
    loop_task_init(&r->inside->tell_task, role_send_events, r);
    loop_timer_init(r->loop, &r->inside->drain_timer, role_overdue, r);
    role_lock_in(r);
    role_open_channels(r);
    e = spec->start(r, &detail);
    if (e)
        role_fail(r, "%s", detail.text[0] ? detail.text : err_text(e));
    if (chan_send(r->inside->control, CONTROL_READY, NULL, NULL, 0))
        return 1;
    loop_run(r->loop);
    role_send_events(r);
    return 0;
}
