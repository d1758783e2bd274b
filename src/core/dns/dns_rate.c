#include "core/dns/dns_rate.h"

#define TOKEN 1000u /* thousandths, so that a millisecond's share is a whole number */

void dns_rate_init(struct dns_rate *r, struct hash_key key)
{
    *r = (struct dns_rate){.key = key};
}

enum dns_rate_verdict dns_rate_take(struct dns_rate *r, const struct ip *peer, time_ms now)
{
    struct ip block = ip_block(peer, 24, 56);
    struct dns_rate_place *p = &r->places[hash_slice(&r->key, ip_slice(&block)) % DNS_RATE_PLACES];
    time_ms passed = now > p->since ? now - p->since : 0;
    uint64_t back = passed > MS_MINUTE ? UINT32_MAX : (uint64_t)passed * DNS_RATE_SECOND;
    p->missing = back >= p->missing ? 0 : p->missing - (uint32_t)back;
    p->since = now;
    if (p->missing + TOKEN <= DNS_RATE_BURST * TOKEN) {
        p->missing += TOKEN;
        return DNS_RATE_ANSWER;
    }
    return ++p->over % DNS_RATE_SLIP == 0 ? DNS_RATE_TRUNCATE : DNS_RATE_DROP;
}
