/* reporter: the process that reads the reports others send us (DMARC, TLS), and writes those we owe.
 *
 * Strangers' XML, JSON, gzip and zip are read here and nowhere else: a role without files, network and
 * processes, with 128 MB at most. It may die on one of them: who sent it hears 451 and comes again.
 *
 *     intake.c ... a report that comes: read, is it about a domain of ours, to journal, and only then 250
 *     seen.c ..... what judge judged, counted here and flushed to journal every few seconds
 *     send.c ..... the aggregate reports we owe, when a period is over
 *     failed.c ... failure reports, at once; dests.c: to whom either may go
 *     tell.c ..... posthorn reports DOMAIN: asked of journal, said in sentences (policy/report_words)
 *
 * Invariants: 1. TAKEN says OK only after journal's KEPT. 2. Everything that waits is bounded: INTAKES_MAX
 * reports, SEEN_BYTES_MAX of counts (then they are dropped and the loss is logged), TELLS_MAX answers. */
#ifndef POSTHORN_PROC_REPORTER_REPORTER_H
#define POSTHORN_PROC_REPORTER_REPORTER_H

#include "base/hash.h"
#include "base/mail_id.h"
#include "ipc/reporter_journal.h"
#include "ipc/role.h"
#include "ipc/x_intake.h"

extern const struct rights reporter_rights;
extern const struct role_spec reporter_spec;

#define INTAKES_MAX    16
#define SEEN_BYTES_MAX ((size_t)8 << 20)
#define SEEN_FLUSH_MS  (5 * MS_SECOND)
#define TELLS_MAX      4
#define JOURNAL_MS     (30 * MS_SECOND)
#define DIRECTORY_MS   (20 * MS_SECOND)

#define RELAY_MS (90 * MS_SECOND)

#define REPORTER_ID_PROCESS 62              /* in mail ids, beside relay's 60 and doctor's 61 */
#define LATE_MS             (6 * MS_SECOND) /* after its end a period's last counts are in journal */
#define REPORTS_A_MINUTE    60
#define FAILED_PER_DOMAIN   10 /* a day */
#define FAILED_A_DAY        100
#define FAILED_JOBS         16

struct tell;
struct sender;

struct failed_count {
    uint64_t hash; /* of a policy domain */
    unsigned n;
};

struct reporter {
    struct role_self *role;
    /* intake.c */
    struct list intakes;
    size_t n_intakes;
    uint64_t taken, refused;
    /* seen.c */
    struct hash_key seen_key;
    struct map seen; /* hash of a row without its count -> struct seen_count */
    size_t seen_bytes;
    uint64_t seen_messages, seen_lost;
    struct loop_timer seen_timer;
    int seen_fd; /* rows on their way to journal; -1: none */
    bool seen_asked, draining;
    /* tell.c */
    struct list tells; /* newest first */
    size_t n_tells;
    uint32_t tell_next;
    /* send.c */
    struct mail_id_maker ids;
    int64_t period_s; /* that a report covers */
    struct sender *sender;
    uint64_t reports_sent;
    /* failed.c */
    struct list failed_jobs;
    size_t n_failed_jobs;
    int64_t failed_day; /* that the counts are of */
    unsigned failed_today;
    struct failed_count failed_counts[FAILED_A_DAY + 1];
    size_t n_failed_counts;
    uint64_t failures_sent;
    bool failed_known; /* journal has told how many there were today */
    struct loop_timer failed_timer;
};

/* When the period begins in which a moment lies: Unix seconds. */
static inline int64_t period_begin(const struct reporter *r, time_ms at)
{
    int64_t s = at / MS_SECOND;
    return s - s % r->period_s;
}

static inline struct reporter *reporter_of(struct role_self *r)
{
    return r->state;
}

/* intake.c */
void intake_give(struct reporter *r, struct role_peer *peer, uint64_t id, const struct intake *m, int fd);
/* The peer's channel is gone: nobody waits for these answers. */
void intake_forget(struct reporter *r, const struct role_peer *peer);

/* seen.c */
void seen_begin(struct reporter *r);
void seen_note(struct reporter *r, const struct seen *m);
/* Sends what was counted; ends the role when it is draining and all is sent. */
void seen_flush(struct reporter *r);

/* send.c */
void send_begin(struct reporter *r);
/* Hands relay a message of ours; fn as of chan_call(), with a struct queued. */
NODISCARD enum err send_mail(struct reporter *r, uint64_t mail_id, slice reverse_path, const slice *to,
                             size_t n_to, slice message_id, slice mail, chan_reply_fn fn, void *arg);

/* failed.c */
void failed_begin(struct reporter *r);
void failed_note(struct reporter *r, const struct failed *m);

/* tell.c: answers to the administrator, in rows */
void tell_call(struct reporter *r, struct role_peer *peer, uint64_t id, const void *call);
void tell_more(struct reporter *r, struct role_peer *peer, uint64_t id, const void *more);
void tell_forget(struct reporter *r, const struct role_peer *peer);

#endif
