/* What the files of the judge share: the role's state, and a message in hand.
 *
 *     judge.c      takes a question, waits for its turn, answers
 *     inbound.c    mail from outside: the examination, and what follows from it
 *     outbound.c   mail of our users: what is missing is added, and it is signed
 *     lists.c      DNSBL and DNSWL
 *     dns.c        questions to the DNS, and answers kept for a moment
 *     house.c      our own domains: how they are set, which keys sign for them
 *
 * A message goes through a few steps; whatever comes (answers, a key's signature, the next slice of its body)
 * calls judge_job_go(), which runs its step function once the turn of the loop is over. */
#ifndef POSTHORN_PROC_JUDGE_JUDGE__H
#define POSTHORN_PROC_JUDGE_JUDGE__H

#include "base/arena.h"
#include "core/dkim/dkim.h"
#include "core/dnsbl/dnsbl.h"
#include "ipc/x_judge.h"
#include "policy/authentication.h"
#include "policy/examination.h"
#include "policy/replay.h"
#include "proc/judge/dns.h"
#include "proc/judge/house.h"
#include "proc/judge/judge.h"
#include "sys/body.h"

/* Messages in hand at once; more wait, unopened. Most of them wait for the DNS, up to 10 s when it is slow:
 * many, so that a stranger with slow name servers takes all places only with hundreds of connections. What
 * they cost in memory is bounded below. */
#define JUDGE_JOBS_MAX       512
#define JUDGE_ARENA_MAX      ((size_t)32 << 20)  /* of one message */
#define JUDGE_ARENAS_MAX     ((size_t)160 << 20) /* of all: no further one is begun above */
#define JUDGE_ARENAS_FULL    ((size_t)288 << 20) /* of all: a message that has to grow then is deferred */
#define JUDGE_BODY_MAX       ((uint64_t)1 << 30) /* a sanity bound: the edge keeps to message-size */
#define JUDGE_SLICE          ((size_t)1 << 20)   /* of a body, hashed in one turn of the loop */
#define JUDGE_FORWARDERS_MAX 256
#define JUDGE_SEALERS_MAX    256
#define JUDGE_LISTS_MAX      8
#define JUDGE_KEYS_CACHE     2000

struct judge_lists;
struct outbound;

struct judge {
    struct role_self *role;
    struct judge_dns *dns;
    struct judge_house *house;
    struct judge_lists *lists;
    struct replay *replay;
    struct dkim_keys_cache *keys;
    struct list jobs;      /* in hand */
    struct list waiting;   /* for their turn */
    struct loop_task next; /* begins those that wait */
    size_t n_jobs;
    struct authentication_forwarder forwarders[JUDGE_FORWARDERS_MAX];
    size_t n_forwarders;
    slice sealers[JUDGE_SEALERS_MAX];
    size_t n_sealers;
    uint64_t judged, rejected, junked, deferred, signed_out, unsigned_out; /* for status */
};

struct job {
    struct list link; /* in jobs or waiting */
    struct judge *judge;
    struct role_peer *peer; /* NULL: its channel is gone */
    uint64_t id;
    int fd; /* while it waits for its turn */
    struct arena arena;
    struct judge_ask ask; /* in the arena; rcpts are copied */
    struct body body;
    slice message;
    size_t hashed; /* of message, from its header's end on */
    struct verdict verdict;
    struct loop_task task;
    struct loop_timer timer;
    void (*step)(struct job *);
    bool of_house; /* waits for what house.c knows */
    time_ms began_at;

    /* inbound */
    struct dns_table dns;
    struct judge_asker asker;
    struct examination *examination;
    struct authentication_applied applied;
    struct dnsbl_reading readings[JUDGE_LISTS_MAX];
    struct replay_seen replay;
    bool judged;

    struct outbound *outbound;
};

/* Bytes in the arenas of all messages in hand. They grow by what the DNS says, which strangers write. */
size_t judge_memory(const struct judge *judge);
/* Runs j->step() after this turn. */
void judge_job_go(struct job *j);
/* Answers with j->verdict, and the job ends. */
void judge_job_answer(struct job *j);
/* Answers "try again", for this reason. */
void judge_job_defer(struct job *j, slice why);
/* Feeds the next slice of the body to fn. True: that was the last. */
bool judge_job_hash(struct job *j, void (*fn)(struct job *, slice));

void judge_inbound_begin(struct job *j);
void judge_inbound_done(struct job *j);
/* The results as values for the channel; results lives in the arena. */
void judge_inbound_results(struct job *j, struct judge_verdict *out);

void judge_outbound_begin(struct job *j);
void judge_outbound_done(struct job *j);

struct judge_lists *judge_lists_new(struct judge *j);
void judge_lists_free(struct judge_lists **l);
/* Notes the questions of all lists that are on; AUTH_DONE when all have answered. */
enum auth_step judge_lists_ask(struct job *j);
/* Adds what they said to the verdict's reasons. False at the arena's cap. */
NODISCARD bool judge_lists_tell(struct job *j);
/* Answers doctor, which asks for the lists that are off. */
void judge_lists_answer(struct judge *judge, struct role_peer *peer, uint64_t id);

#endif
