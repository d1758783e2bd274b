/* The shell around store/journal_db and policy/trace. */
#include "proc/journal/journal.h"

#include "ipc/x_journal.h"
#include "proc/journal/reports.h"
#include "store/db.h"
#include "sys/body.h"
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
    struct reports *reports;
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
    reports_rest(s->reports);
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

/* ---- reports */

#define REPORTS_ARENA     ((size_t)512 * 1024)
#define REPORTS_BYTES_MAX ((uint64_t)256 << 20)

static void keep_rows(struct journal_state *s, struct chan *c, uint16_t type, uint64_t id,
                      const void *message, int fd)
{
    struct report_kept kept = {.err = ERR_DISK_FULL, .text = SLICE("the disk is nearly full")};
    struct body body = {0};
    enum err e = disk_is_low() ? ERR_DISK_FULL : body_map(fd, REPORT_ROWS_BYTES_MAX, &body);
    if (!e)
        e = type == REPORTER_JOURNAL_SEEN ? reports_seen(s->reports, body_view(&body), clock_unix())
                                          : reports_add(s->reports, message, body_view(&body), clock_unix());
    body_unmap(&body);
    kept.known = e == ERR_EXISTS;
    kept.err = kept.known ? OK : (uint32_t)e;
    if (e != ERR_DISK_FULL)
        kept.text = e && !kept.known ? slice_str(err_text(e)) : (slice){0};
    if (e && !kept.known)
        log_warning("a report could not be kept: %s", err_text(e));
    IGNORE_RESULT(chan_reply(c, id, REPORTER_JOURNAL_KEPT, &kept, NULL, 0),
                  "who asked is gone; it asks again");
}

static void tell_reports(struct journal_state *s, struct chan *c, uint64_t id, const struct report_ask *ask)
{
    struct arena a CLEANUP(arena_done);
    struct report_page page = {0};
    enum err e;
    arena_init(&a, "reports page", REPORTS_ARENA);
    e = reports_ask(s->reports, ask, &a, &page);
    page.err = (uint32_t)e;
    IGNORE_RESULT(chan_reply(c, id, REPORTER_JOURNAL_PAGE, &page, NULL, 0), "who asked is gone");
}

/* What reporter owes others. */
static void tell_owed(struct journal_state *s, struct chan *c, uint16_t type, uint64_t id,
                      const void *message)
{
    struct arena a CLEANUP(arena_done);
    enum err e;
    arena_init(&a, "reports owed", REPORTS_ARENA);
    if (type == REPORTER_JOURNAL_OWED_ASK) {
        struct owed_page page = {0};
        e = reports_owed(s->reports, message, &a, &page);
        if (e)
            page = (struct owed_page){.err = (uint32_t)e};
        IGNORE_RESULT(chan_reply(c, id, REPORTER_JOURNAL_OWED, &page, NULL, 0), "who asked is gone");
    } else if (type == REPORTER_JOURNAL_MATERIAL_ASK) {
        struct material page = {0};
        e = reports_material(s->reports, message, &a, &page);
        if (e)
            page = (struct material){.err = (uint32_t)e};
        IGNORE_RESULT(chan_reply(c, id, REPORTER_JOURNAL_MATERIAL, &page, NULL, 0), "who asked is gone");
    } else {
        const struct report_kept kept = {.err = (uint32_t)reports_settled(s->reports, message)};
        IGNORE_RESULT(chan_reply(c, id, REPORTER_JOURNAL_KEPT, &kept, NULL, 0), "it is sent again");
    }
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
    } else if (peer->def == &reporter_journal_channel && peer->chan) {
        if (type == REPORTER_JOURNAL_ASK)
            tell_reports(s, peer->chan, id, message);
        else if (type >= REPORTER_JOURNAL_OWED_ASK)
            tell_owed(s, peer->chan, type, id, message);
        else
            keep_rows(s, peer->chan, type, id, message, fds[0]);
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
    if (!e)
        e = reports_open("reports.db", NULL, &(struct reports_limits){limits.keep_days, REPORTS_BYTES_MAX},
                         &s->reports, detail);
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
    reports_close(&s->reports);
    role_exit(r);
}

static void journal_status(struct role_self *r)
{
    struct journal_state *s = r->state;
    role_fact(r, "events", "%llu", (unsigned long long)s->events);
    role_fact(r, "reports", "%llu", (unsigned long long)reports_count(s->reports));
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
