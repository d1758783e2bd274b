/* The header of a stranger's message, redacted: nothing that comes out breaks out of its line or its part,
 * and no local part of a recipient comes out. The same bytes as a value of XML stay inside their element. */
#include "base/buf.h"
#include "core/mail/header.h"
#include "core/reports/aggregate_write.h"
#include "core/reports/failure_write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool tells_of_people(slice line)
{
    static const slice names[] = {SLICE_INIT("Received:"), SLICE_INIT("List-Id:"), SLICE_INIT("Sender:"),
                                  SLICE_INIT("Reply-To:"), SLICE_INIT("To:"),      SLICE_INIT("Cc:")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_starts(line, names[i]))
            return true;
    return false;
}

/* Before an "@" no word but "redacted". */
static void check_redacted(slice line)
{
    for (size_t i = 1; i < line.n; i++) {
        uint8_t c = line.p[i - 1];
        bool word = ascii_is_alpha(c) || ascii_is_digit(c) || c == '+' || c == '=' || c == '.' || c == '-';
        if (line.p[i] == '@' && word && !slice_ends_nocase(slice_sub(line, 0, i), SLICE("redacted")))
            abort();
    }
}

static void check_header(slice in)
{
    struct buf out = {.max = 1 << 20};
    bool people = false;
    struct cursor c;
    slice line;
    enum err e = failure_write_header(in, &out);
    if (e && e != ERR_LIMIT)
        abort();
    c = cursor_of(buf_view(&out));
    while (cursor_line(&c, &line)) {
        if (line.n == 0 || line.p[0] == '-')
            abort();
        if (line.p[0] != ' ' && line.p[0] != '\t')
            people = tells_of_people(line);
        if (people)
            check_redacted(line);
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
