/* The shell around store/journal_db and policy/trace. */
#include "proc/journal/journal.h"

#include "ipc/x_journal.h"
#include "store/db.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/settle.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#define COMMIT_MS     200               /* how long an event may wait */
#define COMMIT_BYTES  ((size_t)1 << 19) /* ... and how much may wait that long */
#define RETRY_MS      (5 * MS_SECOND)
#define REST_MS       (10 * MS_SECOND)
#define DISK_FREE_MIN 3                   /* percent; the mail stores stop at 5 (THREATS 61) */
#define DISK_FREE_BIG ((uint64_t)1 << 30) /* this much is enough on any disk */

struct journal_state {
    struct journal_db *db;
    struct journal_answer answer;
    struct loop *loop;
    struct loop_timer commit, rest;
    struct loop_task soon;
    bool waiting;  /* the commit timer runs */
    enum err last; /* of the last commit */
    uint64_t events, refused;
};

/* The journal is the first to stop writing when the disk fills: what is left belongs to mail. */
static bool disk_is_low(void)
{
    struct statvfs st;
    return statvfs(".", &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize < DISK_FREE_BIG &&
           (uint64_t)st.f_bavail * 100 < (uint64_t)st.f_blocks * DISK_FREE_MIN;
}

static void commit(struct journal_state *s)
{
    enum err e = ERR_DISK_FULL;
    s->waiting = false;
    loop_timer_clear(&s->commit);
    if (journal_db_pending(s->db) == 0)
        return;
    if (!disk_is_low())
        e = journal_db_commit(s->db, clock_unix());
    if (e != s->last && e)
        log_warning("events cannot be written: %s; the newest %zu KiB wait in memory", err_text(e),
                    journal_db_pending(s->db) / 1024);
    else if (e != s->last)
        log_info("events can be written again");
    s->last = e;
    if (journal_db_pending(s->db)) {
        s->waiting = true;
        loop_timer_after(&s->commit, e ? RETRY_MS : COMMIT_MS);
    }
    loop_timer_after(&s->rest, REST_MS);
}

static void commit_due(void *arg)
{
    commit(arg);
}

static void rest_due(void *arg)
{
    struct journal_state *s = arg;
    journal_db_rest(s->db);
    settle();
}

/* Something waits: now, when it is much, or in COMMIT_MS. */
static void wake(struct journal_state *s)
{
    if (journal_db_pending(s->db) > COMMIT_BYTES && s->last == OK) {
        loop_later(s->loop, &s->soon);
    } else if (!s->waiting) {
        s->waiting = true;
        loop_timer_after(&s->commit, COMMIT_MS);
    }
}

static_assert((int)ROLE_JOURNAL == (int)JOURNAL_ROLE_JOURNAL && (int)ROLE_EDGE == (int)JOURNAL_ROLE_EDGE &&
                  (int)ROLE_SUPERVISOR == (int)JOURNAL_ROLE_SUPERVISOR,
              "one numbering of roles");

static void take_events(struct journal_state *s, enum role from, const struct journal_events *m)
{
    struct cursor c = cursor_of(m->events);
    struct journal_event e;

    while (journal_event_decode(&c, &e) == OK) {
        if (!(from == ROLE_ACCOUNTS && e.role == JOURNAL_ROLE_ACCOUNT))
            e.role = (enum journal_role)from;
        journal_db_add(s->db, &e);
        s->events++;
    }
    if (!cursor_end(&c) && s->refused++ == 0)
        log_warning("%s sent events that cannot be read; they are left out, from now on without a word",
                    role_name(from));
    if (m->dropped)
        journal_db_lost(s->db, (enum journal_role)from, m->dropped);
    wake(s);
}

static void journal_message(struct role_self *r, struct role_peer *peer, uint16_t type, uint64_t id,
                            const void *message, int *fds, size_t n_fds)
{
    struct journal_state *s = r->state;
    (void)fds, (void)n_fds;

    if (!s->db)
        return; /* drained */
    if (peer->def == &x_journal_channel && type == X_JOURNAL_EVENTS) {
        take_events(s, peer->role, message);
    } else if (peer->def == &directory_journal_channel && type == DIRECTORY_JOURNAL_ASK && peer->chan) {
        struct trace_row row;
        commit(s); /* so that the answer holds what happened until now */
        journal_answer(&s->answer, s->db, message, &row);
        IGNORE_RESULT(chan_reply(peer->chan, id, DIRECTORY_JOURNAL_ROW, &row, NULL, 0), "who asked is gone");
        loop_timer_after(&s->rest, REST_MS);
    }
}

static enum err journal_start(struct role_self *r, struct err_detail *detail)
{
    struct journal_db_limits limits = journal_db_defaults;
    struct journal_state *s = calloc(1, sizeof *s);
    bool set_aside = false;
    enum err e;

    must(s);
    r->state = s;
    s->loop = r->loop;
    limits.keep_days = (uint32_t)role_setting_u64(r, "journal-days", limits.keep_days);
    limits.bytes_max = role_setting_u64(r, "journal-size", limits.bytes_max);
    db_setup();
    e = journal_db_open("journal.db", NULL, &limits, &s->db, &set_aside, detail);
    if (e)
        return e;
    loop_timer_init(r->loop, &s->commit, commit_due, s);
    loop_timer_init(r->loop, &s->rest, rest_due, s);
    loop_task_init(&s->soon, commit_due, s);
    if (set_aside) {
        struct journal_event event = {
            .at = clock_unix(),
            .role = JOURNAL_ROLE_JOURNAL,
            .kind = JOURNAL_TROUBLE,
            .name = SLICE("journal.db"),
            .text = SLICE("it was damaged, is kept as journal.db.damaged, and a new one begun")};
        log_warning("journal.db was damaged; it is kept as journal.db.damaged, and a new one begun");
        journal_db_add(s->db, &event);
        wake(s);
    }
    return OK;
}

static void journal_drain(struct role_self *r, time_ms ms)
{
    struct journal_state *s = r->state;
    (void)ms;
    /* The other roles still tell us their end: the supervisor drains us last. */
    commit(s);
    journal_db_close(&s->db);
    role_exit(r);
}

static void journal_status(struct role_self *r)
{
    struct journal_state *s = r->state;
    role_fact(r, "events", "%llu", (unsigned long long)s->events);
    role_fact(r, "waiting", "%zu", journal_db_pending(s->db));
    role_fact(r, "bytes", "%llu", (unsigned long long)journal_db_bytes(s->db));
    if (s->last)
        role_fact(r, "trouble", "%s", err_text(s->last));
}

const struct role_spec journal_spec = {
    .role = ROLE_JOURNAL,
    .rights = &journal_rights,
    .start = journal_start,
    .on_message = journal_message,
    .on_drain = journal_drain,
    .on_status = journal_status,
};
