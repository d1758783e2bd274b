/* auth_cache: what PBKDF2 made of passwords that were right, so that a mail client that logs in every minute
 * costs no hashing. Kept in locked memory that is not dumped, found by a keyed hash of password and salt.
 *
 * It saves work and decides nothing: directory checks the proof made from what is found here like any other.
 * A changed password has a new salt, so old entries are never found again and get displaced. */
#ifndef POSTHORN_PROC_EDGE_AUTH_CACHE_H
#define POSTHORN_PROC_EDGE_AUTH_CACHE_H

#include "base/slice.h"
#include "core/sasl/scram.h"

struct auth_cache;

/* entries: how many are kept, the least lately used goes first; 72 bytes each. */
struct auth_cache *auth_cache_new(size_t entries);
/* Wipes. */
void auth_cache_free(struct auth_cache **c);
/* False when it is not there. password: prepared. */
NODISCARD bool auth_cache_get(struct auth_cache *c, slice password, slice salt, uint32_t iterations,
                              uint8_t out_salted[SCRAM_KEY_SIZE]);
/* Only after directory said yes. */
void auth_cache_put(struct auth_cache *c, slice password, slice salt, uint32_t iterations,
                    const uint8_t salted[SCRAM_KEY_SIZE]);

#endif
