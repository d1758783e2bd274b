/* facts: all that was observed of a mail server from outside, and what it should be: what examine() makes
 * findings of. Each fact can say that it could not be observed, and why; then nothing is concluded from it.
 *
 * Answers of the DNS are not here but in the dns_table that goes with it: examine() asks what it wants. */
#ifndef POSTHORN_POLICY_DOCTOR_FACTS_H
#define POSTHORN_POLICY_DOCTOR_FACTS_H

#include "base/ip.h"
#include "base/time.h"
#include "policy/dns_plan.h"

/* ---- what should be */

struct setup_domain {
    slice name;
    struct dns_plan_input in; /* its keys, settings */
    struct dns_plan plan;     /* made of it */
};

struct setup {
    slice hostname;
    const struct ip *addresses; /* ours, as seen from outside */
    size_t n_addresses;
    bool addresses_found; /* nobody said them: they are what the host name leads to */
    const struct setup_domain *domains;
    size_t n_domains;
    const slice *resolvers; /* addresses of the servers that are asked, as text; none: the root is */
    size_t n_resolvers;
    const slice *dnsbl; /* zones of blocklists that are used here, or well known */
    size_t n_dnsbl;
    bool private_ok;       /* tests: addresses that are not the Internet's are fine */
    bool domains_only;     /* the server itself was looked at already; only the domains are now */
    slice nameserver_zone; /* the zone that is delegated to us, or empty */
    uint16_t smtp_port, submission_port, submissions_port, imaps_port; /* 0: does not listen to the world */
};

/* ---- what was observed */

/* One look at one port of ours. */
enum facts_service { FACTS_SMTP, FACTS_SUBMISSION, FACTS_SUBMISSIONS, FACTS_IMAPS, FACTS_SERVICE__COUNT };
const char *facts_service_name(enum facts_service s); /* "smtp" ... */

struct facts_certificate {
    bool seen;
    time_ms not_before, not_after; /* Unix ms */
    bool names_host;               /* one of its names is our host name */
    bool self_signed;
    bool chain_complete; /* it, and what came with it, lead to a root that is trusted */
    slice names;         /* its names, for people */
    slice chain_error;   /* why the chain is not complete */
    uint8_t spki_sha256[32];
};

struct facts_port {
    enum facts_service service;
    struct ip ip;
    uint16_t port;
    enum err err;   /* OK: a connection came about and somebody greeted */
    slice greeting; /* the first line, or empty */
    bool starttls;  /* offered; of services with TLS at once: true */
    bool tls;       /* the handshake was done */
    slice tls_error;
    struct facts_certificate certificate;
};

/* One server of a zone. */
struct facts_server {
    slice name;
    struct ip ip;
    enum err err; /* OK: it answered */
    bool no_way;  /* this machine has no way to its kind of address (IPv4, IPv6): nothing is concluded */
    bool authoritative; /* AA was set, and the SOA was of the zone */
    uint8_t rcode;
    uint32_t serial;
};

struct facts_disagreement {
    slice name;
    uint16_t type;
    slice text; /* who says what */
};

/* A zone one of our names lies in. */
struct facts_zone {
    slice domain;  /* which of ours */
    slice apex;    /* empty: none was found */
    bool nxdomain; /* the domain does not exist */
    const struct facts_server *servers;
    size_t n_servers;
    slice parent_ns, child_ns; /* names with blanks between, in order; empty: could not be seen */
    const struct facts_disagreement *disagreements;
    size_t n_disagreements;
};

enum facts_known { FACTS_UNKNOWN, FACTS_NO, FACTS_YES };

/* A list of addresses that is not asked any more. */
struct facts_list {
    slice zone;
    bool white;
    slice why; /* "it lists 127.0.0.1, ..." */
};

/* A domain whose records could not be sent to its name server (RFC 2136). */
struct facts_push {
    slice domain;
    slice why; /* a sentence */
};

struct facts_outward { /* one try to connect to port 25 of somebody */
    slice host;
    enum err err;
};

/* What the registry says of a domain. Ours without one are not known, and nothing is concluded. */
struct facts_age {
    slice domain;                /* which of ours */
    slice name;                  /* the name that the registry has: that, or one above */
    time_ms registered, expires; /* Unix ms; 0: not said */
};

/* The last probe of a domain. */
enum facts_probe_state { PROBE_NONE, PROBE_UNDER_WAY, PROBE_BACK, PROBE_LOST };
struct facts_probe {
    slice domain;
    enum facts_probe_state state;
    time_ms sent_at, back_at; /* Unix ms */
    slice part, reason;       /* lost: which part failed ("port 25 in"), and what it said */
    bool signed_;
    bool sign_wanted;
    uint8_t dkim, spf, dmarc; /* enum auth_result */
    slice dkim_reason;
};

struct facts {
    time_ms now;
    const struct facts_zone *zones;
    size_t n_zones;
    const struct facts_age *ages;
    size_t n_ages;
    const struct facts_port *ports;
    size_t n_ports;
    const struct facts_outward *outward; /* port 25 out: one that works is enough */
    size_t n_outward;
    const struct facts_probe *probes;
    size_t n_probes;
    enum facts_known clock_synchronised;
    bool dns_silent; /* the resolver answered nothing at all */
    bool disk_known;
    uint64_t disk_free, disk_total; /* bytes */
    bool queue_known;
    uint64_t queue_messages;
    uint32_t unstored; /* recipients of ours whose accounts could not take mail */
    slice unstored_why;
    time_ms queue_oldest;               /* Unix ms; 0: none */
    const struct facts_list *lists_off; /* that the house switched off */
    size_t n_lists_off;
    const struct facts_push *pushes_failed;
    size_t n_pushes_failed;
    /* before anything is set up */
    struct facts_bind {
        uint16_t port;
        enum err err;
        slice why;
    } binds[4];
    size_t n_binds;
    uint64_t memory_bytes; /* 0: not known */
    enum facts_known address_here;
    const slice *silent; /* "keys: why": roles that could not be asked */
    size_t n_silent;
};

#endif
