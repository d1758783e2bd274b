#include "core/auth/auth.h"
#include "proc/journal/reports__.h"

void reports__dkim_print(const struct report_dkim *dkim, size_t n, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < n; i++)
        buf_print(out, "%.*s %.*s %u\n", SLICE_FMT(dkim[i].domain.n ? dkim[i].domain : SLICE("-")),
                  SLICE_FMT(dkim[i].selector.n ? dkim[i].selector : SLICE("-")), dkim[i].result);
}

enum err reports__dkim_parse(slice text, struct arena *a, const struct report_dkim **out, size_t *out_n)
{
    struct report_dkim *items = ARENA_ARRAY(a, X_REPORTER_DKIM_MAX, struct report_dkim);
    struct cursor c = cursor_of(text);
    size_t n = 0;
    slice line, rest, result;
    if (!items)
        return ERR_LIMIT;
    while (n < X_REPORTER_DKIM_MAX && cursor_line(&c, &line)) {
        uint32_t number;
        struct report_dkim d;
        if (!slice_split(line, ' ', &d.domain, &rest) || !slice_split(rest, ' ', &d.selector, &result) ||
            !slice_u32(result, &number) || number > AUTH__LAST)
            return ERR_CORRUPT;
        d.result = (uint8_t)number;
        if (slice_eq(d.domain, SLICE("-")))
            d.domain = (slice){0};
        if (slice_eq(d.selector, SLICE("-")))
            d.selector = (slice){0};
        items[n++] = d;
    }
    *out = items;
    *out_n = n;
    return OK;
}
