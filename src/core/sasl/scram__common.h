/* scram__common: what both sides of SCRAM share, for this folder only. */
#ifndef POSTHORN_CORE_SASL_SCRAM_COMMON_H
#define POSTHORN_CORE_SASL_SCRAM_COMMON_H

#include "core/sasl/scram.h"

#include "crypto/digest.h"

/* Takes "X=value" up to the next comma or the end, and that comma. False when the next is not attribute x. */
bool scram__attribute(struct cursor *c, uint8_t x, slice *out);
/* Appends to a fixed array. False when it does not fit. */
bool scram__append(uint8_t *to, size_t *n, size_t cap, slice s);
/* printable = %x21-2B / %x2D-7E, 1..SCRAM_NONCE_MAX * 2 of them. */
bool scram__nonce_good(slice s);
/* Base64 of exactly cap bytes at most. */
NODISCARD enum err scram__decode(slice text, uint8_t *out, size_t cap, size_t *out_n);
/* HMAC(key, s). */
void scram__hmac(const uint8_t key[SCRAM_KEY_SIZE], slice s, uint8_t out[SCRAM_KEY_SIZE]);

#endif
