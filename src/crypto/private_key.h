/* private_key: signing keys for mail: RSA of 2048 bits and Ed25519. OpenSSL's libcrypto makes, reads and
 * writes them and signs with RSA; libsodium signs with Ed25519, in less than half the time.
 *
 * Only the keys process links this. Private numbers lie in OpenSSL's secure heap when the process made one
 * (proc/keys/key_store.c), and are wiped when the key is freed. A key signs digests of 32 octets and nothing
 * else: what is signed is always DKIM's form. */
#ifndef POSTHORN_CRYPTO_PRIVATE_KEY_H
#define POSTHORN_CRYPTO_PRIVATE_KEY_H

#include "base/buf.h"
#include "crypto/digest.h"

#define PRIVATE_KEY_PEM_MAX   ((size_t)8 * 1024)
#define PRIVATE_KEY_SIGNATURE 512 /* octets of the longest signature: RSA-4096 */

enum private_key_kind { PRIVATE_KEY_RSA = 1, PRIVATE_KEY_ED25519 = 2 };

struct private_key;

/* A new key: RSA has 2048 bits and exponent 65537 (0.1 s or so). NULL when libcrypto could not, which only
 * happens without memory or without entropy. */
NODISCARD struct private_key *private_key_make(enum private_key_kind kind);
/* From PEM (PKCS #8, or PKCS #1 for RSA), without passphrase. ERR_CONFIG with words in detail: not such a
 * key, or RSA of fewer than 1024 or more than 4096 bits. The PEM text stays with its owner, who wipes it. */
NODISCARD enum err private_key_read(slice pem, struct private_key **out, struct err_detail *detail);
/* Wipes it. */
void private_key_free(struct private_key **k);

enum private_key_kind private_key_kind_of(const struct private_key *k);
unsigned private_key_bits(const struct private_key *k); /* of the modulus; 256 for Ed25519 */

/* Appends it as PEM, PKCS #8, not encrypted. out belongs to the caller, who wipes it (secret_wipe) before
 * buf_done(): give it room for PRIVATE_KEY_PEM_MAX at once with buf_reserve(), so that no copy is left behind
 * where it grew. ERR_LIMIT when out is full. */
NODISCARD enum err private_key_write(const struct private_key *k, struct buf *out);
/* Appends the public half as the p= of a DKIM key record, base64 without white space: SubjectPublicKeyInfo
 * for RSA (RFC 6376 §3.6.1), the 32 octets for Ed25519 (RFC 8463 §4). ERR_LIMIT when out is full. */
NODISCARD enum err private_key_public_text(const struct private_key *k, struct buf *out);
/* Appends the signature over a SHA-256 digest: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 6376 §3.3.2), or Ed25519
 * over the 32 octets of the digest (RFC 8463 §3). ERR_LIMIT when out is full, ERR_BUG when libcrypto could
 * not. */
NODISCARD enum err private_key_sign(const struct private_key *k, const uint8_t digest[DIGEST_SHA256_SIZE],
                                    struct buf *out);

#endif
