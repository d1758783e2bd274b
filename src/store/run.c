#include "store/run.h"

#include "base/varint.h"
#include "store/record_sum.h"

enum form { CONST, STEP, DELTA, PLAIN };

struct run_columns run_columns(struct run *r)
{
    return (struct run_columns){r->uid, r->flags, r->modseq, r->message, r->bytes, r->date};
}

struct run_columns run_columns_from(struct run_columns c, size_t i)
{
    return (struct run_columns){c.uid + i, c.flags + i, c.modseq + i, c.message + i, c.bytes + i, c.date + i};
}

void run_columns_move(struct run_columns to, struct run_columns from, size_t n)
{
    if (n == 0)
        return;
    memmove(to.uid, from.uid, n * sizeof *to.uid);
    memmove(to.flags, from.flags, n * sizeof *to.flags);
    memmove(to.modseq, from.modseq, n * sizeof *to.modseq);
    memmove(to.message, from.message, n * sizeof *to.message);
    memmove(to.bytes, from.bytes, n * sizeof *to.bytes);
    memmove(to.date, from.date, n * sizeof *to.date);
}

/* The shortest form: nearly all columns of nearly all runs are constant, counting, or slowly changing. */
static enum form choose(const uint64_t *v, size_t n, bool plain)
{
    bool same = true, step = true;
    for (size_t i = 1; i < n && (same || step); i++) {
        same = same && v[i] == v[0];
        step = step && v[i] == v[i - 1] + 1;
    }
    return same ? CONST : step ? STEP : plain ? PLAIN : DELTA;
}

/* Modulo 2^64, so that a column may also go down. */
static uint64_t difference(uint64_t from, uint64_t to)
{
    return varint_zigzag((int64_t)(to - from));
}

static uint8_t *put_column(uint8_t *p, const uint64_t *v, size_t n, bool plain)
{
    enum form form = choose(v, n, plain);
    *p++ = (uint8_t)form;
    p = varint_put(p, v[0]);
    for (size_t i = 1; i < n && form >= DELTA; i++)
        p = varint_put(p, form == DELTA ? difference(v[i - 1], v[i]) : v[i]);
    return p;
}

static uint8_t *put_column32(uint8_t *p, const uint32_t *v, size_t n, bool plain)
{
    uint64_t wide[RUN_MAX];
    for (size_t i = 0; i < n; i++)
        wide[i] = v[i];
    return put_column(p, wide, n, plain);
}

size_t run_encode(struct run_columns c, size_t n, const struct hash_key *key, uint8_t *out)
{
    must(n >= 1 && n <= RUN_MAX);
    uint8_t *p = out;
    *p++ = 1;
    *p++ = (uint8_t)(n - 1);
    p = put_column32(p, c.uid, n, false);
    p = put_column(p, c.flags, n, true);
    p = put_column(p, c.modseq, n, false);
    p = put_column(p, c.message, n, false);
    p = put_column32(p, c.bytes, n, true);
    p = put_column32(p, c.date, n, false);
    uint32_t sum = record_sum(slice_of(out, (size_t)(p - out)), key);
    for (int shift = 24; shift >= 0; shift -= 8)
        *p++ = (uint8_t)(sum >> shift);
    must(p - out <= RUN_BYTES_MAX);
    return (size_t)(p - out);
}

static bool get_column(struct cursor *c, uint64_t *v, size_t n)
{
    int form = cursor_next(c);
    if (form < 0 || form > PLAIN || !varint_take(c, &v[0]))
        return false;
    for (size_t i = 1; i < n; i++) {
        uint64_t d = form == STEP;
        if (form >= DELTA && !varint_take(c, &d))
            return false;
        v[i] = form == PLAIN ? d : v[i - 1] + (form == DELTA ? (uint64_t)varint_unzigzag(d) : d);
    }
    return true;
}

static bool get_column32(struct cursor *c, uint32_t *v, size_t n)
{
    uint64_t wide[RUN_MAX], all = 0;
    if (!get_column(c, wide, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        v[i] = (uint32_t)wide[i];
        all |= wide[i];
    }
    return all <= UINT32_MAX;
}

static bool get_columns(struct cursor *c, struct run_columns to, size_t n)
{
    return get_column32(c, to.uid, n) && get_column(c, to.flags, n) && get_column(c, to.modseq, n) &&
           get_column(c, to.message, n) && get_column32(c, to.bytes, n) && get_column32(c, to.date, n);
}

enum err run_decode(slice record, const struct hash_key *key, struct run_columns c, size_t *out_n)
{
    struct cursor in;
    uint8_t version, last;
    if (!record_sum_open(record, key, &in) || !cursor_u8(&in, &version) || version != 1 ||
        !cursor_u8(&in, &last))
        return ERR_CORRUPT;
    size_t n = (size_t)last + 1;
    if (!get_columns(&in, c, n) || !cursor_end(&in) || c.uid[0] == 0)
        return ERR_CORRUPT;
    for (size_t i = 1; i < n; i++)
        if (c.uid[i] <= c.uid[i - 1])
            return ERR_CORRUPT;
    *out_n = n;
    return OK;
}
