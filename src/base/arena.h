/* arena: memory for one unit of work (a command, a query, a message), freed as a whole.
 *
 * Each arena has a name and a cap stated when it is made. Asking for more than the cap gives NULL, which the
 * caller reports as ERR_LIMIT. When the system allocator fails the process ends (the supervisor starts
 * another). An arena is not shared between threads. */
#ifndef POSTHORN_BASE_ARENA_H
#define POSTHORN_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;
struct arena_hook;

struct arena {
    const char *name;
    size_t cap, used; /* bytes handed out, and the bound on them */
    struct arena_block *blocks;
    struct arena_hook *hooks;
};

/* name is a literal. Nothing is allocated before the first use. */
void arena_init(struct arena *a, const char *name, size_t cap);
/* Zeroed memory, aligned for any type; NULL when the cap would be passed. n == 0 gives a valid pointer. */
NODISCARD void *arena_alloc(struct arena *a, size_t n);
/* count * size, overflow-checked. */
NODISCARD void *arena_array(struct arena *a, size_t count, size_t size);
#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, count, type) ((type *)arena_array((a), (count), sizeof(type)))
/* A copy of s in the arena. False at the cap. */
NODISCARD bool arena_dup(struct arena *a, slice s, slice *out);
/* The same with a NUL behind it, for libraries that want one. NULL at the cap or when s holds a NUL. */
NODISCARD char *arena_str(struct arena *a, slice s);
/* fn(arg) runs at reset or done, last added first. False at the cap. */
NODISCARD bool arena_hook(struct arena *a, void (*fn)(void *), void *arg);
/* Runs the hooks and forgets all that was handed out; keeps one block for reuse. */
void arena_reset(struct arena *a);
/* Runs the hooks and gives everything back. The arena may be used again. */
void arena_done(struct arena *a);

#endif
