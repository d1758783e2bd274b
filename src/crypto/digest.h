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
#define DIGEST_SHA512_SIZE 64

/* Makes libcrypto load what the functions below need, without its configuration file. */
void digest_warm_up(void);

/* FIPS 180-4. */
void digest_sha256(slice s, uint8_t out[DIGEST_SHA256_SIZE]);

/* SHA-256 of bytes that come in pieces. All zero is empty; digest_stream_init() makes it ready (again), and
 * digest_stream_done() gives its memory back. */
struct digest_stream {
    void *context;
};
void digest_stream_init(struct digest_stream *d);
void digest_stream_update(struct digest_stream *d, slice s);
/* Gives the digest; the next use begins with digest_stream_init(). */
void digest_stream_final(struct digest_stream *d, uint8_t out[DIGEST_SHA256_SIZE]);
void digest_stream_done(struct digest_stream *d);

/* RFC 2104. Keys of any length, the empty one too. */
void digest_hmac_sha256(slice key, slice s, uint8_t out[DIGEST_SHA256_SIZE]);
void digest_hmac_sha512(slice key, slice s, uint8_t out[DIGEST_SHA512_SIZE]);
/* PBKDF2 with HMAC-SHA-256, one block: RFC 8018 §5.2; the Hi() of RFC 5802 §2.2. iterations is 1 or more.
 * Takes about half a microsecond an iteration. */
void digest_pbkdf2_sha256(slice password, slice salt, uint32_t iterations, uint8_t out[DIGEST_SHA256_SIZE]);

#endif
