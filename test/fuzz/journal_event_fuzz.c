/* Journal events from another process or from disk: a decoded event is encoded to the same bytes, and its
 * story and JSON hold no control character. */
#include "policy/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct journal_event events[64];
    CLEANUP(buf_done) struct buf again = {.max = size + JOURNAL_EVENT_MAX};
    CLEANUP(buf_done) struct buf told = {.max = 1 << 20};
    struct cursor c = cursor_of(slice_of(data, size));
    size_t n = 0;

    while (n < ARRAY_LEN(events) && journal_event_decode(&c, &events[n]) == OK)
        must(journal_event_encode(&again, &events[n++]) == OK);
    must(slice_eq(buf_view(&again), slice_of(data, again.n)));
    trace_sort(events, n);
    if (trace_text(&told, events, n) == OK && trace_json(&told, events, n) == OK)
        for (size_t i = 0; i < told.n; i++)
            must(told.p[i] == '\n' || (told.p[i] >= 0x20 && told.p[i] != 0x7f));
    return 0;
}
