/* The header of a stranger's message, redacted: nothing that comes out breaks out of its line or its part,
 * and no local part of a recipient comes out. The same bytes as a value of XML stay inside their element. */
#include "base/buf.h"
#include "core/mail/header.h"
#include "core/reports/aggregate_write.h"
#include "core/reports/failure_write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_header(slice in)
{
    struct buf out = {.max = 1 << 20};
    struct cursor c;
    slice line;
    enum err e = failure_write_header(in, &out);
    if (e && e != ERR_LIMIT)
        abort();
    c = cursor_of(buf_view(&out));
    while (cursor_line(&c, &line)) {
        if (line.n == 0 || line.p[0] == '-')
            abort();
        for (size_t i = 0; i < line.n; i++)
            if ((line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 127)
                abort();
        /* To and Cc begin with the word, in whatever form they came */
        if ((slice_starts(line, SLICE("To:")) || slice_starts(line, SLICE("Cc:"))) && line.n > 4 &&
            !slice_starts(slice_from(line, 4), SLICE("redacted")))
            abort();
    }
    buf_done(&out);
}

static void check_text(slice in)
{
    struct buf out = {.max = 1 << 20};
    aggregate_write_text(&out, in);
    for (size_t i = 0; i < out.n; i++)
        if (out.p[i] < ' ' || out.p[i] == '<' || out.p[i] == '>' || out.p[i] == '"' || out.p[i] == 127)
            abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct failure_result how = {.spf = size & 1 ? AUTH_FAIL : AUTH_PASS, .dkim_failed = size & 2};
    slice in = slice_of(data, size);
    check_header(in);
    check_text(in);
    (void)failure_exempt(in);
    (void)failure_asked(in, &how);
    return 0;
}
