/* public_key: checking of signatures: RSA over libcrypto, Ed25519 over libsodium.
 *
 * OpenSSL's decoders take 230 us to read an RSA key, ten times as long as a verification; the two DER forms
 * are so small that they are read here, strictly, and only the numbers are handed on (8 us). libsodium checks
 * an Ed25519 signature in less than half of OpenSSL 3.0's time and refuses keys of small order and signatures
 * that are not canonical.
 *
 * Limits: RSA of at most PUBLIC_KEY_RSA_BITS_MAX bits, an odd modulus, an odd exponent from 3 up to 32 bits
 * (a long one makes verification slow: THREATS 6). Keys under PUBLIC_KEY_RSA_BITS_MIN are read, so that it
 * can be said how short they are, but verify nothing (RFC 8301 §3.2). */
#ifndef POSTHORN_CRYPTO_PUBLIC_KEY_H
#define POSTHORN_CRYPTO_PUBLIC_KEY_H

#include "base/err.h"
#include "crypto/digest.h"

#define PUBLIC_KEY_RSA_BITS_MIN 1024
#define PUBLIC_KEY_RSA_BITS_MAX 8192
#define PUBLIC_KEY_ED25519_SIZE 32

struct public_key;

/* An RSA key in DER: SubjectPublicKeyInfo (RFC 5280 §4.1, as RFC 6376 §3.6.1 is read by most) or the bare
 * RSAPublicKey (RFC 8017 §A.1.1, as it says). ERR_SYNTAX: it is neither; ERR_UNSUPPORTED: too long, or
 * numbers that no honest key has. The caller frees it. */
NODISCARD enum err public_key_rsa(slice der, struct public_key **out);
/* An Ed25519 key: its 32 octets (RFC 8463 §4). ERR_SYNTAX for another length. */
NODISCARD enum err public_key_ed25519(slice octets, struct public_key **out);
void public_key_free(struct public_key **k);
/* Of the modulus; 256 for Ed25519. */
unsigned public_key_bits(const struct public_key *k);
/* Is it a signature over this SHA-256 digest: RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.2), or PureEdDSA over the 32
 * octets of the digest (RFC 8463 §3)? */
NODISCARD bool public_key_verify(struct public_key *k, const uint8_t digest[DIGEST_SHA256_SIZE],
                                 slice signature);

#endif
