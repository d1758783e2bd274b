/* part_table: what decodes is a sound tree and encodes to the same bytes; sections never point outside. */
#include "core/mail/part_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct part_table t;
    struct buf b;
    const uint64_t bytes = 100000;
    arena_init(&a, "fuzz", 16u << 20);
    buf_init(&b, 1u << 20);
    if (part_table_decode(slice_of(data, size), bytes, &a, &t) == OK) {
        uint32_t numbers[3] = {1, 2, 1};
        struct part_range range;
        must(part_table_encode(&t, &b) == OK && slice_eq(buf_view(&b), slice_of(data, size)));
        for (size_t i = 0; i < t.n; i++) {
            must(t.at[i].body_at + t.at[i].body_bytes <= bytes);
            must(i == 0 || t.at[i].parent < i);
            must(t.at[i].next == PART_NONE || t.at[i].next > i);
        }
        for (size_t n = 0; n <= 3; n++)
            for (int what = PART_WHOLE; what <= PART_MIME; what++)
                if (part_table_find(&t, numbers, n, (enum part_what)what, &range) == OK)
                    must(range.at <= bytes && range.bytes <= bytes - range.at);
    }
    buf_done(&b);
    arena_done(&a);
    return 0;
}
