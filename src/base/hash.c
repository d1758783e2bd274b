#include "base/hash.h"

#include <stdlib.h>

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ROTL(v[1], 13) ^ v[0];
    v[0] = ROTL(v[0], 32);
    v[2] += v[3];
    v[3] = ROTL(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ROTL(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ROTL(v[1], 17) ^ v[2];
    v[2] = ROTL(v[2], 32);
}

uint64_t hash_slice(const struct hash_key *key, slice s)
{
    uint64_t v[4] = {key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du,
                     key->k0 ^ 0x6c7967656e657261u, key->k1 ^ 0x7465646279746573u};
    size_t whole = s.n / 8 * 8;
    uint64_t last = (uint64_t)s.n << 56;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = 0;
        for (size_t j = 0; j < 8; j++)
            m |= (uint64_t)s.p[i + j] << (8 * j);
        v[3] ^= m;
        sip_round(v);
        sip_round(v);
        v[0] ^= m;
    }
    for (size_t j = 0; j < s.n - whole; j++)
        last |= (uint64_t)s.p[whole + j] << (8 * j);
    v[3] ^= last;
    sip_round(v);
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map_entry {
    uint64_t key;
    void *value; /* NULL: free */
};

static size_t map_slot(const struct map *m, uint64_t key)
{
    size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> 20) & (m->cap - 1);
    while (m->slots[i].value && m->slots[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

void *map_get(const struct map *m, uint64_t key)
{
    return m->cap ? m->slots[map_slot(m, key)].value : NULL;
}

static void map_grow(struct map *m)
{
    struct map old = *m;
    m->cap = old.cap ? old.cap * 2 : 16;
    m->slots = calloc(m->cap, sizeof *m->slots);
    must(m->slots);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].value)
            m->slots[map_slot(m, old.slots[i].key)] = old.slots[i];
    free(old.slots);
}

void *map_put(struct map *m, uint64_t key, void *value)
{
    struct map_entry *e;
    void *old;
    must(value);
    if ((m->n + 1) * 4 > m->cap * 3)
        map_grow(m);
    e = &m->slots[map_slot(m, key)];
    old = e->value;
    m->n += old == NULL;
    e->key = key;
    e->value = value;
    return old;
}

void *map_remove(struct map *m, uint64_t key)
{
    size_t hole, i;
    void *old;
    if (!m->cap)
        return NULL;
    hole = map_slot(m, key);
    old = m->slots[hole].value;
    if (!old)
        return NULL;
    /* Close the gap so that every probe sequence stays unbroken. */
    for (i = (hole + 1) & (m->cap - 1); m->slots[i].value; i = (i + 1) & (m->cap - 1)) {
        struct map_entry e = m->slots[i];
        m->slots[i].value = NULL;
        m->slots[hole].value = NULL;
        m->slots[map_slot(m, e.key)] = e;
        if (!m->slots[i].value)
            hole = i;
    }
    m->slots[hole].value = NULL;
    m->n--;
    return old;
}

bool map_each(const struct map *m, size_t *at, uint64_t *out_key, void **out_value)
{
    for (; *at < m->cap; (*at)++)
        if (m->slots[*at].value) {
            *out_key = m->slots[*at].key;
            *out_value = m->slots[*at].value;
            (*at)++;
            return true;
        }
    return false;
}

void map_done(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}
