/* iprev: the name of a client, when its reverse name leads back to its address (RFC 8601 §2.7.3), as a
 * function of a dns_table.
 *
 * It is a signal and a word for the journal, never alone a reason to refuse. PTR records are written by
 * whoever holds the address: a name counts only when its own A or AAAA records hold the client's address.
 *
 * Limits: the first IPREV_NAMES_MAX usable names of the PTR answer are confirmed; the others are not asked
 * for. */
#ifndef POSTHORN_CORE_IPREV_IPREV_H
#define POSTHORN_CORE_IPREV_IPREV_H

#include "base/ip.h"
#include "core/auth/auth.h"
#include "core/dns/dns_table.h"

#define IPREV_NAMES_MAX 5

struct iprev_result {
    enum auth_result result; /* pass, fail, temperror, permerror */
    slice name;   /* the confirmed name, or without a pass the first one the PTR said; lower case */
    slice reason; /* in words: "no PTR record", "mx.example.org does not lead back to 192.0.2.1", ... */
};

/* pass: a PTR name leads back. fail: names, but none does. permerror: no PTR record at all, or none that
 * holds a name we use. temperror: the DNS gave no answer and no other name passed. All of *out lives in the
 * arena or is static. The names of one answer are asked for together. */
NODISCARD enum auth_step iprev_check(const struct ip *client, struct dns_table *dns, struct arena *a,
                                     struct iprev_result *out);

#endif
