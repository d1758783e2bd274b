/* dmarc_uri: where a domain wants reports about its mail (rua=, ruf=; RFC 9989 §4.6, §4.8), and whether a
 * destination in somebody else's domain wants them (RFC 9990 §4): without that check anybody could have a
 * stranger's mailbox filled with reports.
 *
 * Only mailto: is served; URIs of other schemes are valid and ignored, as the RFC says. */
#ifndef POSTHORN_CORE_DMARC_DMARC_URI_H
#define POSTHORN_CORE_DMARC_DMARC_URI_H

#include "base/arena.h"
#include "core/auth/auth.h"
#include "core/dns/dns_table.h"

#define DMARC_URIS_MAX 10 /* destinations of one record that are looked at */

struct dmarc_uri {
    slice mailbox;     /* "local@domain", as mailbox_print() writes it */
    slice domain;      /* of it, lower-case A-labels */
    uint64_t size_max; /* bytes; the obsolete "!10m", which RFC 9989 §4.8 asks to ignore; 0: not said */
};

/* Is this a URI one may list: of any scheme, printable, and a mailbox when it is mailto:? */
bool dmarc_uri_valid(slice text);
/* One URI. ERR_UNSUPPORTED: valid, but not mailto:. ERR_SYNTAX. ERR_LIMIT: the arena's cap. */
NODISCARD enum err dmarc_uri_parse(slice text, struct arena *a, struct dmarc_uri *out);
/* The mailto: destinations of a list, each mailbox once, the first DMARC_URIS_MAX. What is no URI is skipped.
 * False at the arena's cap. */
NODISCARD bool dmarc_uri_list(slice value, struct arena *a, struct dmarc_uri **out, size_t *out_n);

/* The name under which a destination's domain says that it wants reports about policy_domain:
 * "example.com._report._dmarc.third.example". ERR_SYNTAX when it would be no name. */
NODISCARD enum err dmarc_uri_report_name(slice policy_domain, slice destination, struct dns_name *out);

struct dmarc_uri_permit {
    enum auth_result result; /* pass: send there; fail: do not; temperror: ask again later */
    bool external;           /* another organizational domain, so its own word was needed */
    slice rua, ruf; /* its record names another mailbox, which must be in the same domain; else empty */
    slice reason;   /* in words */
};

/* May reports about policy_domain (where the record was found) go to a mailbox in destination (its domain)?
 * All of *out lives in the arena, the table, or is static. */
NODISCARD enum auth_step dmarc_uri_allowed(slice policy_domain, slice destination, struct dns_table *dns,
                                           struct arena *a, struct dmarc_uri_permit *out);

#endif
