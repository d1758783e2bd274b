/* dns_plan: every DNS record one of our domains should have, and why.
 *
 * Pure: typed facts in, records out, each with its wire form, its zone-file form, a sentence on what it is
 * for, how much it matters and who can set it. `posthorn dns` prints the plan, doctor compares the DNS with
 * it, a push makes the DNS equal to it, and the nameserver role answers with the part of it that lies in the
 * delegated zone: one plan, so they cannot disagree.
 *
 * Choices
 *  - SPF ends in "~all" for a domain whose mail is signed, because receivers that refuse at "-all" before
 *    they look at signatures would lose forwarded mail that DKIM and DMARC let through (RFC 7489 §10.1);
 * DMARC is where such a domain says "reject". It ends in "-all" when mail is not signed, and for the host
 * name's own HELO, which nobody forwards.
 *  - Services that do not listen get an SRV record with target "." (RFC 6186 §3.4), so that clients do not
 *    guess; ports that only loopback reaches count as not listening.
 *  - The delegated zone holds NAME.ZONE for each NAME that is a CNAME to it: names cannot collide, and one
 *    rule explains all. DKIM keys live in DNS_PLAN_SLOTS fixed selectors there, so a rotation never needs a
 *    new CNAME. A key with another selector keeps a TXT record in the domain's own zone. TLSA stays in the
 *    host's own zone: it counts only with DNSSEC (RFC 7671), which our nameserver does not do.
 *
 * Invariants: 1. records of one (name, type) lie next to each other. 2. The plan depends on the input alone,
 * in its order: the same input gives the same bytes.
 *
 * A record that joins later is one row of the table in dns_plan.c.
 *
 * Limits: DNS_PLAN_RECORDS_MAX records, DNS_PLAN_NOTES_MAX notes. An arena of 512 KB is enough. */
#ifndef POSTHORN_POLICY_DNS_PLAN_H
#define POSTHORN_POLICY_DNS_PLAN_H

#include "base/arena.h"
#include "base/ip.h"
#include "core/dns/dns_rr.h"

#define DNS_PLAN_RECORDS_MAX 256
#define DNS_PLAN_NOTES_MAX   16
#define DNS_PLAN_TTL_S       3600
#define DNS_PLAN_ZONE_TTL_S  300 /* in the delegated zone: what we roll ourselves is seen soon */
#define DNS_PLAN_SPF_LOOKUPS 10  /* RFC 7208 §4.6.4 */

/* The selectors that are delegated: for each algorithm one that signs, and one that waits or rests. */
#define DNS_PLAN_SLOTS 4
extern const char *const dns_plan_slots[DNS_PLAN_SLOTS]; /* "ph-rsa-1", "ph-rsa-2", "ph-ed-1", "ph-ed-2" */
/* Is it one of them (any case)? */
bool dns_plan_is_slot(slice selector);

enum dns_plan_kind {
    DNS_PLAN_MX,
    DNS_PLAN_SPF,
    DNS_PLAN_DKIM,
    DNS_PLAN_DMARC,
    DNS_PLAN_TLS_RPT,
    DNS_PLAN_SRV,
    DNS_PLAN_ADDRESS,    /* A, AAAA of the host name */
    DNS_PLAN_SPF_HELO,   /* SPF of the host name */
    DNS_PLAN_TLSA,       /* of the host name's TLS ports */
    DNS_PLAN_DELEGATION, /* NS of the delegated zone, in the zone above it */
    DNS_PLAN_PTR,
    DNS_PLAN_KIND__COUNT
};
/* "mx", "spf", "dkim", ... for JSON. Static memory. */
const char *dns_plan_kind_name(enum dns_plan_kind k);

/* Who can set a record. */
enum dns_plan_owner {
    DNS_PLAN_OWNER_DOMAIN, /* whoever keeps the domain's zone */
    DNS_PLAN_OWNER_HOST,   /* whoever keeps the zone of the host name, or the zone above the delegated one */
    DNS_PLAN_OWNER_PROVIDER, /* whoever gave us the address */
    DNS_PLAN_OWNER_US,       /* the nameserver role answers it: nothing to do */
    DNS_PLAN_OWNER__COUNT
};
/* "domain", "host", "provider", "posthorn". Static memory. */
const char *dns_plan_owner_name(enum dns_plan_owner o);

/* The numbers of enum dkim_key_state in ipc/doctor_keys.h. */
enum dns_plan_key_state { DNS_PLAN_KEY_WAITING = 1, DNS_PLAN_KEY_SIGNING = 2, DNS_PLAN_KEY_RESTING = 3 };

struct dns_plan_key {
    slice selector; /* one label */
    slice record;   /* "v=DKIM1; k=rsa; p=..." */
    enum dns_plan_key_state state;
};

struct dns_plan_service {
    slice name; /* as in a listen line: "smtp", "submissions", "imaps", ... */
    uint16_t port;
};

struct dns_plan_include {
    slice name;
    int lookups; /* DNS lookups its own SPF record costs beside the include itself, or -1: not known */
};

struct dns_plan_input {
    slice domain;
    slice hostname;
    const struct ip *addresses; /* of this server, as seen from outside */
    size_t n_addresses;
    const struct dns_plan_key *keys;
    size_t n_keys;
    const slice *tlsa; /* SHA-256 of the public keys (SPKI) of our certificates, 32 octets each */
    size_t n_tlsa;
    const struct dns_plan_service *services; /* that can be reached from outside */
    size_t n_services;
    bool sign;   /* mail of this domain is signed */
    slice dmarc; /* "none", "quarantine" or "reject"; empty is none */
    const struct dns_plan_include *includes;
    size_t n_includes;
    slice zone; /* delegated to us, or empty */
};

struct dns_plan_record {
    enum dns_plan_kind kind;
    enum dns_plan_owner owner;
    bool must; /* false: should */
    struct dns_name name;
    uint16_t type;
    uint32_t ttl_s;
    slice rdata;  /* wire, uncompressed */
    slice text;   /* the same as in a zone file */
    slice why;    /* one or two sentences */
    slice marker; /* TXT: how a record of this kind begins ("v=spf1"), so that others of the same name are
                     left alone; empty: the whole set of this name and type is ours */
};

struct dns_plan {
    size_t n, n_notes;
    struct dns_plan_record *records;
    slice *notes; /* what is to be known beside the records: sentences */
};

/* All of *out lives in the arena or is static; strings of the input are copied. ERR_SYNTAX: domain, hostname
 * or zone is no such name. ERR_LIMIT: more records than DNS_PLAN_RECORDS_MAX, or the arena's cap. A name that
 * would be too long, or a setting that is none, leaves its record out and gives a note. */
NODISCARD enum err dns_plan_make(const struct dns_plan_input *in, struct arena *a, struct dns_plan *out);

/* Does TXT RDATA begin with the record's marker (any case, as RFC 7208 §4.5 says: then a blank, ";" or the
 * end)? */
bool dns_plan_txt_is(slice rdata, slice marker);

#endif
