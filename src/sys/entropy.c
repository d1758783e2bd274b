#include "sys/entropy.h"

#include <sys/random.h>

void entropy_bytes(void *p, size_t n)
{
    uint8_t *at = p;
    while (n) {
        ssize_t r = getrandom(at, size_min(n, 256), 0);
        must(r > 0); /* up to 256 bytes are never interrupted once the generator is ready */
        at += r;
        n -= (size_t)r;
    }
}

uint64_t entropy_u64(void)
{
    uint64_t v;
    entropy_bytes(&v, sizeof v);
    return v;
}

struct hash_key entropy_hash_key(void)
{
    struct hash_key k;
    entropy_bytes(&k, sizeof k);
    return k;
}
