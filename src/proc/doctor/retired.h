/* retired: which DKIM records in the DNS belong to keys that are gone, so that a push may take them away.
 *
 * A name alone does not say whose a record is: another server of the domain may have made the same selector.
 * So what is remembered is the digest of the record's text, noted before the key is removed, and a push
 * removes exactly that text under exactly that name.
 *
 * Kept in the file "retired" of doctor's folder, a line for each thing that happened: "+" or "-", domain,
 * selector, digest; written anew at the start with what is left. It is not synced: what a power cut takes
 * from it is a record that stays in the DNS and harms nobody. Lines that are none are left out.
 *
 * Limits: RETIRED_MAX records; those of later keys stay in the DNS. */
#ifndef POSTHORN_PROC_DOCTOR_RETIRED_H
#define POSTHORN_PROC_DOCTOR_RETIRED_H

#include "core/dns/dns_name.h"
#include "crypto/digest.h"

#define RETIRED_MAX 50000

struct retired {
    struct retired *next; /* of the same domain */
    struct dns_name name; /* SELECTOR._domainkey.DOMAIN */
    uint8_t digest[DIGEST_SHA256_SIZE];
    char domain[DNS_NAME_MAX + 1], selector[DNS_LABEL_MAX + 1];
};

/* Reads the file. Once, after the lock-in. */
void retired_start(void);
/* The key of this record (its text) is about to be removed. */
void retired_note(slice domain, slice selector, slice record);
/* The first of a domain, or NULL; valid until the next call of retired_note() or retired_forget(). */
const struct retired *retired_of(slice domain);
/* Is this the text it had? */
bool retired_is(const uint8_t digest[DIGEST_SHA256_SIZE], slice text);
/* It is not in the DNS any more. */
void retired_forget(slice domain, slice selector);

#endif
