/* throttle: how failed logins make later ones slower, and for a while impossible (THREATS 31, 32).
 *
 * Two kinds of leaky buckets: one for each network (/24 or /64) and one for each name that was tried, whether
 * it exists or not. A failure pours in; time drains. A network whose bucket is too full is refused before
 * anything is computed. A name whose bucket is too full is refused too, except from networks where it logged
 * in lately: so a victim of guessing keeps its own devices. Loopback networks are never refused as networks.
 *
 * Pure: time is an argument. Memory is fixed: the buckets live in small sets; when one is full the emptiest
 * bucket gives way. Who floods it with networks makes them forget each other, not the names. */
#ifndef POSTHORN_PROC_DIRECTORY_THROTTLE_H
#define POSTHORN_PROC_DIRECTORY_THROTTLE_H

#include "base/hash.h"
#include "base/ip.h"
#include "base/time.h"

#define THROTTLE_NETWORK_COST (30 * MS_SECOND) /* of one failure */
#define THROTTLE_NETWORK_FULL (10 * MS_MINUTE) /* 20 failures at once */
#define THROTTLE_NAME_COST    (60 * MS_SECOND)
#define THROTTLE_NAME_FULL    (30 * MS_MINUTE)
#define THROTTLE_KNOWN_MS     (30 * MS_DAY) /* a network stays known that long after a login */
#define THROTTLE_WAIT_MIN     500
#define THROTTLE_WAIT_MAX     8000

#define THROTTLE_SETS 8192
#define THROTTLE_WAYS 4

struct throttle_bucket {
    uint64_t tag; /* 0: free */
    time_ms until;
};

struct throttle_table {
    struct throttle_bucket at[THROTTLE_SETS][THROTTLE_WAYS]; /* 512 KB */
};

struct throttle {
    struct hash_key key;
    struct throttle_table networks, names, known;
};

/* May this login be tried now? False: tell the client to come back later, the same way for every name. */
bool throttle_allows(const struct throttle *t, const struct ip *ip, slice name, time_ms now_mono);
/* A login failed. Gives how long the client should wait for the answer. *out_alarm: the name's bucket has
 * just become full, somebody should be told. */
uint32_t throttle_failed(struct throttle *t, const struct ip *ip, slice name, time_ms now_mono,
                         bool *out_alarm);
/* A login succeeded: its network is known to the name from now on. */
void throttle_passed(struct throttle *t, const struct ip *ip, slice name, time_ms now_mono);

#endif
