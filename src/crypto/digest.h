/* digest: SHA-256, HMAC-SHA-256 and PBKDF2 over OpenSSL's libcrypto.
 *
 * Thin on purpose: bytes in, bytes out. Random bytes come from sys/random. libcrypto can only fail here for
 * lack of memory, and then the process ends, as for every other allocation.
 *
 * Known weak point: libcrypto reads files and looks for engines when it is first used; a locked-in process
 * calls digest_warm_up() before its rights are taken away. */
#ifndef POSTHORN_CRYPTO_DIGEST_H
#define POSTHORN_CRYPTO_DIGEST_H

#include "base/slice.h"

#define DIGEST_SHA256_SIZE 32

/* Makes libcrypto load what the functions below need, without its configuration file. */
void digest_warm_up(void);

/* FIPS 180-4. */
void digest_sha256(slice s, uint8_t out[DIGEST_SHA256_SIZE]);
/* RFC 2104. Keys of any length, the empty one too. */
void digest_hmac_sha256(slice key, slice s, uint8_t out[DIGEST_SHA256_SIZE]);
/* PBKDF2 with HMAC-SHA-256, one block: RFC 8018 §5.2; the Hi() of RFC 5802 §2.2. iterations is 1 or more.
 * Takes about half a microsecond an iteration. */
void digest_pbkdf2_sha256(slice password, slice salt, uint32_t iterations, uint8_t out[DIGEST_SHA256_SIZE]);

#endif
