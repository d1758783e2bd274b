#include "store/record_sum.h"

uint32_t record_sum(slice bytes, const struct hash_key *key)
{
    uint64_t h = hash_slice(key, bytes);
    return (uint32_t)(h ^ h >> 32);
}

bool record_sum_open(slice record, const struct hash_key *key, struct cursor *out)
{
    size_t n = record.n < 4 ? 0 : record.n - 4;
    struct cursor tail = cursor_of(slice_from(record, n));
    uint32_t sum;
    if (!cursor_u32(&tail, &sum) || record_sum(slice_sub(record, 0, n), key) != sum)
        return false;
    *out = cursor_of(slice_sub(record, 0, n));
    return true;
}
