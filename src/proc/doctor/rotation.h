/* rotation: drives the life of our DKIM keys: asks keys which there are, the DNS what it shows of them,
 * policy/key_rotation what to do, and tells keys.
 *
 * rotation.c says when: at the start, every hour, soon after a change, and again and again (15 s, 30 s, ...
 * up to the hour) while something is under way in a domain. rotation_job.c does one domain. What is kept in
 * memory only (for how long a record has been seen, since when the clock goes steadily) is found out anew
 * after a restart, which costs time and nothing else.
 *
 * Limits: ROTATION_JOBS domains at a time. */
#ifndef POSTHORN_PROC_DOCTOR_ROTATION_H
#define POSTHORN_PROC_DOCTOR_ROTATION_H

#include "base/hash.h"
#include "policy/key_rotation.h"
#include "proc/doctor/doctor.h"

#define ROTATION_JOBS       8
#define ROTATION_SOON_MS    (15 * MS_SECOND)
#define ROTATION_EVERY_MS   MS_HOUR
#define ROTATION_DOMAIN_MAX 253

/* One domain, as asked for. */
struct rotation_ask {
    slice domain;
    bool look;  /* no steps, only words */
    bool blind; /* do not ask the DNS either */
    bool gone;  /* not ours any more */
    bool force; /* make successors now */
};

struct rotation_found_key {
    slice id, record;
    struct rotation_key key;
};

struct rotation_found {
    enum err err; /* with text: why it could not be done, or not to its end */
    slice text;
    const struct rotation_found_key *keys;
    size_t n_keys;
    const struct rotation_plan *plan; /* its notes are on the keys, in their order */
    bool changed;                     /* steps were taken */
    bool waiting;                     /* a key waits: look again soon */
};
/* found lives until fn returns. */
typedef void (*rotation_found_fn)(void *arg, const struct rotation_found *found);

/* rotation_job.c: fn is called exactly once, never before this returns. */
void rotation_job(struct doctor *d, const struct rotation_ask *ask, rotation_found_fn fn, void *arg);
/* Notes the time; a jump of the clock is seen here. */
void rotation_clock(struct doctor *d);
void rotation_job_start(struct doctor *d);

/* rotation_words.c: posthorn dkim list, show, check, rotate */
#define ROTATION_VERBS 5
extern const struct doctor_verb rotation_verbs[ROTATION_VERBS];

/* rotation.c: this domain is under way: it is looked at again soon. */
void rotation_hot(struct doctor *d, slice domain);

#endif
