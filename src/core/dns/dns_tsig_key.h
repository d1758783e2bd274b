/* dns_tsig_key: the shared secret that signs DNS updates (RFC 8945), read from a key file as BIND, Knot and
 * others write it:
 *
 *     key "posthorn" { algorithm hmac-sha256; secret "c2VjcmV0..."; };
 *
 * and, between our processes, as one line: NAME ALGORITHM BASE64.
 *
 * Only HMAC-SHA-256 and HMAC-SHA-512 are taken: RFC 8945 §6 asks for the first, and the older ones have no
 * friends left. */
#ifndef POSTHORN_CORE_DNS_DNS_TSIG_KEY_H
#define POSTHORN_CORE_DNS_DNS_TSIG_KEY_H

#include "base/secret.h"
#include "core/dns/dns_name.h"

#define DNS_TSIG_KEY_FILE_MAX 4096
#define DNS_TSIG_SECRET_MAX   256 /* octets */
#define DNS_TSIG_KEY_TEXT     1024

enum dns_tsig_algorithm { DNS_TSIG_SHA256, DNS_TSIG_SHA512, DNS_TSIG_ALGORITHM__COUNT };
/* "hmac-sha256": also its name on the wire. Static memory. */
const char *dns_tsig_algorithm_name(enum dns_tsig_algorithm a);

struct dns_tsig_key {
    struct dns_name name;
    enum dns_tsig_algorithm algorithm;
    struct secret secret; /* of 16 octets or more; the caller wipes it with secret_done() */
};

/* Reads a key file; comments with #, // and C's are skipped, what else stands in it is an error. ERR_SYNTAX
 * or ERR_UNSUPPORTED with a sentence in detail. */
NODISCARD enum err dns_tsig_key_file(slice text, struct dns_tsig_key *out, struct err_detail *detail);
/* The one-line form, and back. */
void dns_tsig_key_print(const struct dns_tsig_key *key, char out[DNS_TSIG_KEY_TEXT]);
NODISCARD enum err dns_tsig_key_parse(slice text, struct dns_tsig_key *out);

#endif
