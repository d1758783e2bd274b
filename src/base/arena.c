#include "base/arena.h"

#include <stdlib.h>

#define ARENA_BLOCK_BYTES 4096

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    max_align_t data[];
};

struct arena_hook {
    struct arena_hook *next;
    void (*fn)(void *);
    void *arg;
};

void arena_init(struct arena *a, const char *name, size_t cap)
{
    *a = (struct arena){.name = name, .cap = cap};
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;
    size_t total;
    void *p;
    if (n > SIZE_MAX - _Alignof(max_align_t))
        return NULL;
    n = (n + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    if (!size_add(a->used, n, &total) || total > a->cap)
        return NULL;
    if (!b || b->size - b->used < n) {
        size_t size = size_max(n, ARENA_BLOCK_BYTES - sizeof *b);
        size_t bytes;
        if (!size_add(size, sizeof *b, &bytes))
            return NULL;
        b = malloc(bytes);
        must(b);
        b->size = size;
        b->used = 0;
        b->next = a->blocks;
        a->blocks = b;
    }
    p = (uint8_t *)b->data + b->used;
    b->used += n;
    a->used = total;
    if (n)
        memset(p, 0, n);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    return size_mul(count, size, &n) ? arena_alloc(a, n) : NULL;
}

bool arena_dup(struct arena *a, slice s, slice *out)
{
    uint8_t *p = arena_alloc(a, s.n);
    if (!p)
        return false;
    if (s.n)
        memcpy(p, s.p, s.n);
    *out = (slice){p, s.n};
    return true;
}

char *arena_str(struct arena *a, slice s)
{
    char *p;
    if (slice_has(s, 0) || s.n == SIZE_MAX)
        return NULL;
    p = arena_alloc(a, s.n + 1);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

bool arena_hook(struct arena *a, void (*fn)(void *), void *arg)
{
    struct arena_hook *h = ARENA_NEW(a, struct arena_hook);
    if (!h)
        return false;
    h->fn = fn;
    h->arg = arg;
    h->next = a->hooks;
    a->hooks = h;
    return true;
}

static void arena_run_hooks(struct arena *a)
{
    struct arena_hook *h = a->hooks;
    a->hooks = NULL;
    for (; h; h = h->next)
        h->fn(h->arg);
}

static void arena_free_blocks(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_reset(struct arena *a)
{
    arena_run_hooks(a);
    a->used = 0;
    if (!a->blocks)
        return;
    arena_free_blocks(a->blocks->next);
    a->blocks->next = NULL;
    a->blocks->used = 0;
    if (a->blocks->size > 16 * (size_t)ARENA_BLOCK_BYTES) {
        free(a->blocks);
        a->blocks = NULL;
    }
}

void arena_done(struct arena *a)
{
    arena_run_hooks(a);
    arena_free_blocks(a->blocks);
    a->blocks = NULL;
    a->used = 0;
}
