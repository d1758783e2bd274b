/* hash: SipHash-2-4 with a secret key, for tables whose keys come from outside (THREATS 6), and map: a table
 * from 64-bit numbers to pointers. */
#ifndef POSTHORN_BASE_HASH_H
#define POSTHORN_BASE_HASH_H

#include "base/slice.h"

struct hash_key {
    uint64_t k0, k1;
};

/* SipHash-2-4 (Aumasson, Bernstein 2012). */
uint64_t hash_slice(const struct hash_key *key, slice s);

/* map: number -> pointer, open addressing. Zero-initialised is empty and ready. Does not own the values.
 * Keys are spread by multiplication only: use numbers we made (ids), or hash_slice() of outside text. */
struct map_entry;
struct map {
    struct map_entry *slots;
    size_t n, cap;
};

void *map_get(const struct map *m, uint64_t key); /* NULL when absent */
/* value is not NULL. Replaces and returns the old value, or NULL. */
void *map_put(struct map *m, uint64_t key, void *value);
/* Removes and returns the value, or NULL. */
void *map_remove(struct map *m, uint64_t key);
/* Walks all entries: start with *at = 0; false at the end. Nothing may be put or removed meanwhile. */
bool map_each(const struct map *m, size_t *at, uint64_t *out_key, void **out_value);
void map_done(struct map *m);

#endif
