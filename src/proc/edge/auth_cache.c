#include "proc/edge/auth_cache.h"

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/digest.h"
#include "sys/entropy.h"

#include <sys/mman.h>

struct auth_cache_entry {
    uint8_t tag[DIGEST_SHA256_SIZE];
    uint8_t salted[SCRAM_KEY_SIZE];
    uint64_t used; /* 0: empty; else when, counted in uses */
};

/* Lies in the same locked pages as its entries. */
struct auth_cache {
    uint8_t key[32];
    size_t n, bytes;
    uint64_t uses;
    struct auth_cache_entry entries[];
};

struct auth_cache *auth_cache_new(size_t entries)
{
    size_t bytes = sizeof(struct auth_cache) + entries * sizeof(struct auth_cache_entry);
    must(entries > 0 && entries < 100000);
    struct auth_cache *c = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(c != MAP_FAILED);
    IGNORE_RESULT(mlock(c, bytes), "not allowed everywhere; the process is not dumpable all the same");
    IGNORE_RESULT(madvise(c, bytes, MADV_DONTDUMP), "belt and braces");
    entropy_bytes(c->key, sizeof(c->key));
    c->n = entries;
    c->bytes = bytes;
    return c;
}

void auth_cache_free(struct auth_cache **c)
{
    if (!c || !*c)
        return;
    size_t bytes = (*c)->bytes;
    secret_wipe(*c, bytes);
    must(munmap(*c, bytes) == 0);
    *c = NULL;
}

static void cache_tag(const struct auth_cache *c, slice password, slice salt, uint32_t iterations,
                      uint8_t out[DIGEST_SHA256_SIZE])
{
    uint8_t room[8 + SCRAM_SALT_MAX + sizeof(((struct secret *)0)->bytes)];
    size_t n = 8;
    must(salt.n <= SCRAM_SALT_MAX && password.n <= sizeof(room) - 8 - SCRAM_SALT_MAX);
    for (size_t i = 0; i < 4; i++)
        room[i] = (uint8_t)(iterations >> 8 * i), room[4 + i] = (uint8_t)(salt.n >> 8 * i);
    if (salt.n)
        memcpy(room + n, salt.p, salt.n);
    n += salt.n;
    if (password.n)
        memcpy(room + n, password.p, password.n);
    n += password.n;
    digest_hmac_sha256(slice_of(c->key, sizeof(c->key)), slice_of(room, n), out);
    secret_wipe(room, sizeof(room));
}

static struct auth_cache_entry *cache_find(struct auth_cache *c, const uint8_t tag[DIGEST_SHA256_SIZE])
{
    for (size_t i = 0; i < c->n; i++)
        if (c->entries[i].used && memcmp(c->entries[i].tag, tag, DIGEST_SHA256_SIZE) == 0)
            return &c->entries[i];
    return NULL;
}

bool auth_cache_get(struct auth_cache *c, slice password, slice salt, uint32_t iterations,
                    uint8_t out_salted[SCRAM_KEY_SIZE])
{
    uint8_t tag[DIGEST_SHA256_SIZE];
    cache_tag(c, password, salt, iterations, tag);
    struct auth_cache_entry *e = cache_find(c, tag);
    if (!e)
        return false;
    e->used = ++c->uses;
    memcpy(out_salted, e->salted, SCRAM_KEY_SIZE);
    return true;
}

void auth_cache_put(struct auth_cache *c, slice password, slice salt, uint32_t iterations,
                    const uint8_t salted[SCRAM_KEY_SIZE])
{
    uint8_t tag[DIGEST_SHA256_SIZE];
    cache_tag(c, password, salt, iterations, tag);
    struct auth_cache_entry *e = cache_find(c, tag);
    for (size_t i = 0; !e && i < c->n; i++)
        if (!c->entries[i].used)
            e = &c->entries[i];
    if (!e) {
        e = &c->entries[0];
        for (size_t i = 1; i < c->n; i++)
            if (c->entries[i].used < e->used)
                e = &c->entries[i];
    }
    memcpy(e->tag, tag, sizeof(e->tag));
    memcpy(e->salted, salted, sizeof(e->salted));
    e->used = ++c->uses;
}
