/* dns_tsig: signs a DNS request with a shared secret and checks the signed answer, RFC 8945.
 *
 * Pure: the time is given. A request carries DNS_TSIG_FUDGE_S of tolerance; an answer has to be signed over
 * the request's MAC, with the whole MAC (a shortened one is refused, §5.2.2.1), and within its own fudge.
 * What a server says is wrong with our signature comes in an answer that is not signed (it does not share the
 * secret) except for the time: such words are for people, and nothing is done on them. */
#ifndef POSTHORN_CORE_DNS_DNS_TSIG_H
#define POSTHORN_CORE_DNS_DNS_TSIG_H

#include "base/time.h"
#include "core/dns/dns_tsig_key.h"

#define DNS_TSIG_FUDGE_S 300
#define DNS_TSIG_MAC_MAX 64

struct dns_tsig_mac {
    uint8_t bytes[DNS_TSIG_MAC_MAX];
    size_t n;
};

enum dns_tsig_result {
    DNS_TSIG_GOOD,
    DNS_TSIG_MISSING,   /* the answer is not signed */
    DNS_TSIG_MALFORMED, /* no DNS message, or TSIG not last */
    DNS_TSIG_FOREIGN,   /* signed with another key or algorithm than asked */
    DNS_TSIG_FORGED,    /* the MAC does not fit */
    DNS_TSIG_SHORT,     /* a shortened MAC */
    DNS_TSIG_LATE,      /* a good MAC, but made at another time than ours */
    DNS_TSIG_BADSIG,    /* the server says: our MAC does not fit its secret */
    DNS_TSIG_BADKEY,    /* the server says: no such key */
    DNS_TSIG_BADTIME,   /* the server says: our clock is off; signed */
    DNS_TSIG_ERROR,     /* the server says something else */
};
/* A sentence without its full stop. Static memory. */
const char *dns_tsig_text(enum dns_tsig_result r);

/* Signs the message in out from its first octet: appends the TSIG record and counts it. The MAC is wanted for
 * the check of the answer. ERR_LIMIT: out is full; it is then spoilt. message has a header. */
NODISCARD enum err dns_tsig_sign(struct buf *message, const struct dns_tsig_key *key, time_ms now,
                                 struct dns_tsig_mac *out);
/* out_skew_s, when LATE or BADTIME: how far the server's clock is ahead of now. Else untouched. */
enum dns_tsig_result dns_tsig_check(slice answer, const struct dns_tsig_key *key,
                                    const struct dns_tsig_mac *request, time_ms now, int64_t *out_skew_s);

#endif
