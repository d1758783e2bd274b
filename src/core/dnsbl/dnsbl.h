/* dnsbl: lists of addresses and names that are kept in the DNS (RFC 5782), black and white.
 *
 * What a list says is a signal and never alone a reason; the house asks none unless the administrator chose
 * it. A list can also harm: one that has gone away may list everybody, one that meters its users answers with
 * error codes that look like listings (THREATS 28). So:
 *
 *   1. Of a list in our table only the codes count that its keepers documented. Of another list 127.0.0.2 to
 *      127.0.0.255 count, and mean just "listed". All other codes within 127/8 mean nothing.
 *   2. 127.255.255.x, what a list documents as an error, and any address outside 127/8 switch the list off.
 *   3. A list is off until it has passed its canaries (RFC 5782 §5): 127.0.0.2 must be listed and 127.0.0.1
 *      must not; for a list of names "test" must and "invalid" must not. They are asked again every
 *      DNSBL_CHECK_MS; a canary that fails switches the list off, and on again when it passes.
 *   4. IPv6 addresses are looked up only when ::ffff:7f00:2 is listed and ::ffff:7f00:1 is not.
 *
 * What a list says about one address is a function of a dns_table; its state, struct dnsbl_list, is a value
 * that the shell keeps. Whoever sees *out_changed tells the administrator. */
#ifndef POSTHORN_CORE_DNSBL_DNSBL_H
#define POSTHORN_CORE_DNSBL_DNSBL_H

#include "base/time.h"
#include "core/auth/auth.h"
#include "core/dns/dns_table.h"

#define DNSBL_CHECK_MS MS_HOUR
#define DNSBL_RETRY_MS (10 * MS_MINUTE) /* after a check that the DNS did not answer */

/* The numbers travel on channels and lie in the journal. */
enum dnsbl_meaning {
    DNSBL_NOTHING = 0,
    DNSBL_UNKNOWN = 1,   /* listed, and we do not know what for */
    DNSBL_SPAM = 2,      /* sends spam, or names its senders */
    DNSBL_EXPLOITED = 3, /* a machine or site that others misuse */
    DNSBL_POLICY = 4,    /* its network says that it should not send mail by itself */
    DNSBL_PHISHING = 5,
    DNSBL_MALWARE = 6,
    DNSBL_WELCOME = 7, /* a white list's entry */
};

struct dnsbl_code {
    uint8_t third[2], fourth[2]; /* 127.0.third.fourth, from .. to */
    enum dnsbl_meaning meaning;  /* DNSBL_NOTHING: an error of the list's own */
    slice words;                 /* "SBL: a known source of spam" */
};
/* A list whose codes we know. */
struct dnsbl_facts {
    slice zone;
    bool names;             /* takes domain names, not addresses */
    slice listed, unlisted; /* canaries of a list of names */
    const struct dnsbl_code *codes;
    size_t n_codes;
};
/* NULL: not in our table. */
const struct dnsbl_facts *dnsbl_facts(slice zone);
/* Our table, for tests and documents; NULL behind the last. */
const struct dnsbl_facts *dnsbl_facts_at(size_t i);

/* What one answer (to a question for A) says. */
enum dnsbl_status {
    DNSBL_NOT_LISTED,
    DNSBL_LISTED,
    DNSBL_NO_ANSWER, /* the DNS gave none: as if not listed, but nobody knows */
    DNSBL_ERROR,     /* the list says that it does not serve us */
    DNSBL_OFF,       /* not asked */
};
struct dnsbl_reading {
    enum dnsbl_status status;
    enum dnsbl_meaning meaning; /* the first of our table's order when there are several */
    uint8_t code[4];            /* with DNSBL_LISTED and DNSBL_ERROR: that address */
    slice words;                /* of the code; static */
};
/* facts NULL: a list that we do not know; white then says what a listing means. */
struct dnsbl_reading dnsbl_read(const struct dnsbl_facts *facts, bool white, const struct dns_answer *answer);

/* The name to ask for (RFC 5782 §2.1, §2.4). False: it would be longer than a name can be, or domain is none
 * of a host: lists of domains answer with an error when they are asked for an address. */
NODISCARD bool dnsbl_address_name(const struct ip *ip, slice zone, struct dns_name *out);
NODISCARD bool dnsbl_domain_name(slice domain, slice zone, struct dns_name *out);

struct dnsbl_list {
    struct dns_name zone;
    const struct dnsbl_facts *facts; /* or NULL */
    bool white;
    bool on, v6;      /* v6: addresses of IPv6 may be asked for too */
    char why[160];    /* when it is off: in words */
    time_ms since;    /* of on, or of off, Unix time */
    time_ms check_at; /* when to check its canaries again, Unix time */
};
/* A list as configured, off and due for its first check. ERR_SYNTAX: zone is no domain name. */
NODISCARD enum err dnsbl_list_init(struct dnsbl_list *l, slice zone, bool white, time_ms now);
/* Asks the canaries and sets on, v6, why and the times. A dns_table of its own: answers must be fresh.
 * *out_changed: it was switched on or off. AUTH_DONE or AUTH_WAIT. */
NODISCARD enum auth_step dnsbl_list_check(struct dnsbl_list *l, struct dns_table *dns, time_ms now,
                                          bool *out_changed);
/* What the list says of an address or, when it is a list of names, of a domain; the other one is not looked
 * at. An error code switches the list off. AUTH_DONE or AUTH_WAIT. */
NODISCARD enum auth_step dnsbl_list_ask(struct dnsbl_list *l, const struct ip *ip, slice domain,
                                        struct dns_table *dns, time_ms now, struct dnsbl_reading *out,
                                        bool *out_changed);
/* "zen.spamhaus.org lists 192.0.2.1 (127.0.0.2, SBL: a known source of spam)"; for a reading that is no
 * listing in the same way. False at the arena's cap. */
NODISCARD bool dnsbl_words(const struct dnsbl_list *l, slice what, const struct dnsbl_reading *r,
                           struct arena *a, slice *out);

#endif
