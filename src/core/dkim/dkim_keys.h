/* dkim_keys: the cache of parsed public keys, for key_record.c. The type is dkim.h's. */
#ifndef POSTHORN_CORE_DKIM_DKIM_KEYS_H
#define POSTHORN_CORE_DKIM_DKIM_KEYS_H

#include "core/dkim/dkim_parts.h"
#include "crypto/public_key.h"

/* The key of a record's p=. It is the cache's, until the next call; or, without a cache, the caller's: then
 * *out_own is set too. ERR_SYNTAX: no key of that kind; ERR_UNSUPPORTED: numbers that are refused. */
NODISCARD enum err dkim_keys_get(struct dkim_keys_cache *cache, const struct dkim_key_record *record,
                                 struct public_key **out, struct public_key **out_own);

#endif
