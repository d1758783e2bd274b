/* reporter: the process that reads the reports others send us (DMARC, TLS), and writes those we owe.
 *
 * Strangers' XML, JSON, gzip and zip are read here and nowhere else: a role without files, network and
 * processes, with 128 MB at most. It may die on one of them: who sent it hears 451 and comes again.
 *
 *     intake.c ... a report that comes: read, is it about a domain of ours, to journal, and only then 250
 *     seen.c ..... what judge judged, counted here and flushed to journal every few seconds
 *     tell.c ..... posthorn reports DOMAIN: asked of journal, said in sentences (policy/report_words)
 *
 * Invariants: 1. TAKEN says OK only after journal's KEPT. 2. Everything that waits is bounded: INTAKES_MAX
 * reports, SEEN_BYTES_MAX of counts (then they are dropped and the loss is logged), TELLS_MAX answers. */
#ifndef POSTHORN_PROC_REPORTER_REPORTER_H
#define POSTHORN_PROC_REPORTER_REPORTER_H

#include "base/hash.h"
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

struct tell;

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
};

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

/* tell.c: answers to the administrator, in rows */
void tell_call(struct reporter *r, struct role_peer *peer, uint64_t id, const void *call);
void tell_more(struct reporter *r, struct role_peer *peer, uint64_t id, const void *more);
void tell_forget(struct reporter *r, const struct role_peer *peer);

#endif
