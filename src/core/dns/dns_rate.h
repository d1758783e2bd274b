/* dns_rate: how many answers one network gets over UDP, so that forged questions make us no weapon against
 * whoever they name (THREATS 10). A token bucket for each /24 or /56; who is over it gets nothing, or now and
 * then the empty answer "ask over TCP", which a real resolver can follow and a victim of forgery need not.
 *
 * A table of fixed size, keyed with a secret: networks that fall into one place share it. */
#ifndef POSTHORN_CORE_DNS_DNS_RATE_H
#define POSTHORN_CORE_DNS_DNS_RATE_H

#include "base/hash.h"
#include "base/ip.h"
#include "base/time.h"

#define DNS_RATE_PLACES 4096
#define DNS_RATE_BURST  100 /* answers at once */
#define DNS_RATE_SECOND 50  /* and then in a second */
#define DNS_RATE_SLIP   2   /* every second question over the rate is told to come over TCP */

enum dns_rate_verdict { DNS_RATE_ANSWER, DNS_RATE_TRUNCATE, DNS_RATE_DROP };

struct dns_rate_place {
    time_ms since;    /* when tokens was right */
    uint32_t missing; /* tokens taken of the burst, in thousandths */
    uint32_t over;    /* questions over the rate, for the slip */
};

struct dns_rate {
    struct hash_key key;
    struct dns_rate_place places[DNS_RATE_PLACES];
};

/* key: random. */
void dns_rate_init(struct dns_rate *r, struct hash_key key);
/* A question from peer, at now (monotonic). */
enum dns_rate_verdict dns_rate_take(struct dns_rate *r, const struct ip *peer, time_ms now);

#endif
