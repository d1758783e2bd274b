#include "core/imap/set.h"

#include "core/imap/lex.h"

#define SET_FIRST_RANGES 8

static bool set_number(struct cursor *c, uint32_t *out)
{
    if (cursor_take(c, '*')) {
        *out = 0;
        return true;
    }
    return imap__nz_number(c, out) == OK;
}

/* seq-range / seq-number, RFC 9051 §9 */
static bool set_range(struct cursor *c, struct imap_range *out)
{
    if (!set_number(c, &out->lo))
        return false;
    out->hi = out->lo;
    return !cursor_take(c, ':') || set_number(c, &out->hi);
}

enum err imap_set_parse(struct cursor *c, struct arena *arena, size_t ranges_max, struct imap_set *out)
{
    struct imap_set set = {0};
    size_t cap = 0;
    if (cursor_take(c, '$')) {
        *out = (struct imap_set){.saved = true};
        return OK;
    }
    do {
        if (set.n == cap) {
            struct imap_range *more;
            if (set.n >= ranges_max)
                return ERR_LIMIT;
            cap = cap ? cap * 2 : SET_FIRST_RANGES;
            more = ARENA_ARRAY(arena, cap, struct imap_range);
            if (!more)
                return ERR_LIMIT;
            if (set.n)
                memcpy(more, set.ranges, set.n * sizeof *more);
            set.ranges = more;
        }
        if (!set_range(c, &set.ranges[set.n]))
            return ERR_SYNTAX;
        set.n++;
    } while (cursor_take(c, ','));
    *out = set;
    return OK;
}

static void set_swap(struct imap_range *a, struct imap_range *b)
{
    struct imap_range t = *a;
    *a = *b;
    *b = t;
}

static void set_sift(struct imap_range *r, size_t at, size_t n)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && r[child + 1].lo > r[child].lo)
            child++;
        if (r[at].lo >= r[child].lo)
            return;
        set_swap(&r[at], &r[child]);
        at = child;
    }
}

/* Heap sort by lo: in place, no worst case, no allocation. */
static void set_sort(struct imap_range *r, size_t n)
{
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = r[i - 1].lo <= r[i].lo;
    if (sorted)
        return;
    for (size_t i = n / 2; i-- > 0;)
        set_sift(r, i, n);
    for (size_t i = n; i-- > 1;) {
        set_swap(&r[0], &r[i]);
        set_sift(r, 0, i);
    }
}

void imap_set_resolve(struct imap_set *set, uint32_t star)
{
    size_t w = 0;
    for (size_t i = 0; i < set->n; i++) {
        struct imap_range *r = &set->ranges[i];
        r->lo = r->lo ? r->lo : star;
        r->hi = r->hi ? r->hi : star;
        if (r->lo > r->hi) {
            uint32_t t = r->lo;
            r->lo = r->hi;
            r->hi = t;
        }
    }
    set_sort(set->ranges, set->n);
    for (size_t i = 0; i < set->n; i++) {
        struct imap_range r = set->ranges[i];
        struct imap_range *last = w ? &set->ranges[w - 1] : NULL;
        if (last && (r.lo <= last->hi || r.lo - 1 == last->hi))
            last->hi = r.hi > last->hi ? r.hi : last->hi;
        else
            set->ranges[w++] = r;
    }
    set->n = w;
}

uint32_t imap_set_max(const struct imap_set *set)
{
    return set->n ? set->ranges[set->n - 1].hi : 0;
}

bool imap_ranges_have(const struct imap_range *ranges, size_t ranges_n, uint32_t n)
{
    size_t lo = 0, hi = ranges_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ranges[mid].hi < n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < ranges_n && ranges[lo].lo <= n;
}

bool imap_set_has(const struct imap_set *set, uint32_t n)
{
    return imap_ranges_have(set->ranges, set->n, n);
}

uint64_t imap_set_count(const struct imap_set *set)
{
    uint64_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        n += (uint64_t)set->ranges[i].hi - set->ranges[i].lo + 1;
    return n;
}

static void set_flush(struct imap_set_writer *w, struct buf *b)
{
    if (!w->hi)
        return;
    if (w->some)
        (void)buf_byte(b, ','); /* the caller asks buf_failed() */
    (void)buf_u64(b, w->lo);
    if (w->hi != w->lo) {
        (void)buf_byte(b, ':');
        (void)buf_u64(b, w->hi);
    }
    w->some = true;
}

void imap_set_put(struct imap_set_writer *w, struct buf *b, uint32_t n)
{
    if (w->hi && n == w->hi + 1) {
        w->hi = n;
        return;
    }
    set_flush(w, b);
    w->lo = w->hi = n;
}

void imap_set_end(struct imap_set_writer *w, struct buf *b)
{
    set_flush(w, b);
    *w = (struct imap_set_writer){0};
}
