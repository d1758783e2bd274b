/* rdap: what a domain registry says about a domain, out of its JSON (RDAP, RFC 9083), and which server to ask
 * (RFC 9224): read only, nothing is asked here.
 *
 * Strangers' JSON: bytes, values and depth are counted before jansson sees it (text/json_small.h). Only two
 * moments are taken out of an answer, and the addresses of servers out of IANA's file; nothing else of it is
 * kept or shown. Members that are missing, of another type or written wrongly are as if not said. */
#ifndef POSTHORN_POLICY_DOCTOR_RDAP_H
#define POSTHORN_POLICY_DOCTOR_RDAP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/time.h"

/* IANA's file of the servers of all top-level domains, RFC 9224 §8.1 */
#define RDAP_SERVERS_URL   "https://data.iana.org/rdap/dns.json"
#define RDAP_SERVERS_BYTES ((size_t)1 << 20)
#define RDAP_SERVERS_MAX   4096 /* names with a server; more are left out */
#define RDAP_DOMAIN_BYTES  ((size_t)256 << 10)
#define RDAP_URL_MAX       1024

struct rdap_server {
    slice zone; /* "org": names at or below it are asked about at url */
    slice url;  /* https, as it stands there */
};
struct rdap_servers {
    struct rdap_server *at;
    size_t n;
};

/* Reads IANA's file; all of *out lies in the arena. ERR_SYNTAX: it is not that file. ERR_LIMIT: it is larger
 * or deeper than that file can be, or the arena is full. */
NODISCARD enum err rdap_servers_read(slice json, struct arena *a, struct rdap_servers *out);
/* Appends the URL that asks about the domain (A-labels): of the server whose zone has most labels in common,
 * RFC 9224 §4. ERR_NOT_FOUND: no server is known for it. ERR_LIMIT: longer than RDAP_URL_MAX. */
NODISCARD enum err rdap_url(const struct rdap_servers *servers, slice domain, struct buf *out);

struct rdap_domain {
    time_ms registered; /* Unix ms, of the last time it was registered anew; 0: not said */
    time_ms expires;    /* Unix ms; 0: not said */
};

/* Reads an answer about this domain. ERR_SYNTAX: it is none, or about another domain. ERR_LIMIT: as above. */
NODISCARD enum err rdap_domain_read(slice json, slice domain, struct rdap_domain *out);

#endif
