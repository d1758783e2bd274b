/* key_rotation: what to do next with the DKIM keys of one domain.
 *
 * Pure: the keys, what the DNS shows of them, the time and the limits in; steps to take and words for people
 * out. Who asks does the steps and asks again; when there are no steps, all is as it should be until next_at,
 * or until the DNS changes. It is asked often (hourly), and asking without need changes nothing.
 *
 * The life of a key, for RSA and Ed25519 each (RFC 6376 §3.6.2.1, RFC 8463 §5):
 *
 * - waiting: made; its record is to be published. Becomes signing when the DNS shows the record exactly as it
 *   has to be: at once when nothing else signs, after settle_ms of being seen when another key does.
 * - signing: when it has signed for rotate_ms (less up to spread_ms, by the domain's name, so that domains
 * that were added together do not roll together), a successor is made. Becomes resting when its successor
 * signs.
 * - resting: its record stays for rest_ms: all it signed has left the queues and expired by then (x=). Then
 * it is removed, and its record may go.
 *
 * Invariants
 *  1. No key signs before its record was seen, and none stops because its record is not seen any more: an
 *     outage of the DNS must not stop signing, so that is a note (ROTATION_BAD) and nothing else.
 *  2. While a key signs for a domain, there is one that signs after any steps.
 *  3. A clock that jumps does nothing rash: keys are made for rotation, take over and are removed only when
 *     the clock has gone steadily for ROTATION_STEADY_MS. Times that lie in the future are written anew then.
 *     A successor waits until it is newer than what it succeeds. Rest begins anew after a jump ahead: what a
 *     clock that was behind wrote down looks older than it is.
 *  4. A selector is never one that a key of this domain has, damaged ones too.
 *
 * What it cannot see: a clock that was steadily wrong, and was set right while nobody looked (the machine was
 * off). Then a key may be removed that much too early.
 *
 * Limits: ROTATION_KEYS_MAX keys of one domain are looked at; beyond them none is made. */
#ifndef POSTHORN_POLICY_KEY_ROTATION_H
#define POSTHORN_POLICY_KEY_ROTATION_H

#include "base/slice.h"
#include "base/time.h"

#define ROTATION_KEYS_MAX     32
#define ROTATION_STEPS_MAX    16
#define ROTATION_STEADY_MS    (2 * MS_HOUR)
#define ROTATION_FUTURE_MS    MS_HOUR /* a time so far ahead comes from a wrong clock */
#define ROTATION_SELECTOR_MAX 63

/* The numbers of ipc/doctor_keys.h. */
enum rotation_algorithm { ROTATION_RSA = 1, ROTATION_ED25519 = 2 };
enum rotation_state { ROTATION_WAITING = 1, ROTATION_SIGNING = 2, ROTATION_RESTING = 3 };

/* What the DNS shows under SELECTOR._domainkey.DOMAIN. */
enum rotation_seen {
    ROTATION_SEEN_UNKNOWN,   /* no answer */
    ROTATION_SEEN_EQUAL,     /* the record as it has to be */
    ROTATION_SEEN_DIFFERENT, /* something else */
    ROTATION_SEEN_MISSING,   /* the DNS says there is none */
    ROTATION_SEEN_PARTLY,    /* as it has to be, but not by each name server */
};

/* Compares TXT records found under a key's name (each the text of one record, strings joined; n 0: none) with
 * the record that has to be there: the same key, usable for mail with SHA-256, in whatever order and spacing
 * (RFC 6376 §3.6.1). More than one record is undefined for receivers (§3.6.2.2), so it counts as different.
 */
enum rotation_seen rotation_compare(slice want, const slice *shown, size_t n);

struct rotation_key {
    slice selector;
    uint8_t algorithm, state;
    bool damaged;              /* only its selector is known */
    time_ms made_at, state_at; /* Unix */
    enum rotation_seen seen;
    slice behind;    /* with PARTLY: a name server that does not show it */
    time_ms seen_ms; /* for how long it has been seen as ROTATION_SEEN_EQUAL without a break */
};

struct rotation_limits {
    time_ms rotate_ms; /* how long a key signs at most */
    time_ms spread_ms; /* by up to so much less, by the domain's name */
    time_ms settle_ms; /* how long a record must have been seen before its key takes over */
    time_ms rest_ms;   /* the queue's lifetime and that of signatures */
};
extern const struct rotation_limits rotation_limits_usual; /* 180 days, 30 days, 1 hour, 5 and 14 days */

struct rotation_input {
    slice domain;
    const struct rotation_key *keys;
    size_t n_keys;
    time_ms now;       /* Unix */
    time_ms steady_ms; /* how long the clock has gone without a jump, as far as is known */
    time_ms jumped_at; /* Unix; the clock was seen to jump ahead at this time or before; 0: it was not */
    bool gone;         /* the domain is not ours any more: its keys rest, then go */
    bool force;        /* make successors now; those that wait behind another record give way */
    bool slots;        /* selectors are the fixed ones of a delegated zone (policy/dns_plan.h) */
    struct rotation_limits limits;
};

enum rotation_action {
    ROTATION_MAKE,   /* a key of algorithm, with selector */
    ROTATION_SIGN,   /* keys[key] becomes signing */
    ROTATION_REST,   /* ... resting */
    ROTATION_REMOVE, /* ... is removed */
    ROTATION_STAMP,  /* ... is set to the state it has, with the time of now */
};
struct rotation_step {
    enum rotation_action action;
    size_t key;
    uint8_t algorithm;
    char selector[ROTATION_SELECTOR_MAX + 1];
};

enum rotation_weight { ROTATION_FINE, ROTATION_DO /* somebody has to publish it */, ROTATION_BAD };
/* One for each key that was looked at, in their order. */
struct rotation_note {
    enum rotation_weight weight;
    time_ms until; /* when it goes on by itself; 0: not by time */
    char text[320];
};

struct rotation_plan {
    struct rotation_step steps[ROTATION_STEPS_MAX];
    size_t n_steps;
    struct rotation_note notes[ROTATION_KEYS_MAX];
    size_t n_notes;
    time_ms next_at; /* Unix; when something happens by time alone; 0: nothing will */
};

void key_rotation(const struct rotation_input *in, struct rotation_plan *out);

#endif
