#include "policy/trace__.h"
#include "text/date.h"

void trace__put(struct buf *b, const char *text)
{
    (void)buf_str(b, text);
}

void trace__put_outside(struct buf *b, slice s)
{
    journal_event_escape(b, s, JOURNAL_TEXT_MAX);
}

void trace__put_address(struct buf *b, slice address)
{
    trace__put(b, "<");
    trace__put_outside(b, address);
    trace__put(b, ">");
}

void trace__put_reply(struct buf *b, const struct journal_event *e)
{
    char code[16];
    struct buf head = {.max = sizeof code};
    (void)buf_u64(&head, e->code);
    if (e->code && !slice_starts(e->text, buf_view(&head))) {
        (void)buf_append(b, buf_view(&head));
        trace__put(b, e->text.n ? " " : "");
    }
    buf_done(&head);
    trace__put_outside(b, e->text);
    if (!e->code && !e->text.n)
        trace__put(b, "no reason is recorded");
}

void trace__put_over_tls(struct buf *b, slice facts)
{
    if (facts.n == 0)
        return;
    trace__put(b, " over ");
    if (slice_starts(facts, SLICE("TLSv"))) { /* OpenSSL's spelling */
        trace__put(b, "TLS ");
        facts = slice_from(facts, 4);
    }
    trace__put_outside(b, facts);
}

void trace__put_size(struct buf *b, uint64_t bytes)
{
    if (bytes < 1024)
        (void)buf_print(b, "%llu bytes", (unsigned long long)bytes);
    else if (bytes < 1024 * 1024)
        (void)buf_print(b, "%llu KB", (unsigned long long)((bytes + 512) / 1024));
    else
        (void)buf_print(b, "%llu.%llu MB", (unsigned long long)(bytes >> 20),
                        (unsigned long long)((bytes & 0xFFFFF) * 10 >> 20));
}

void trace__put_date(struct buf *b, time_ms at)
{
    int64_t year;
    unsigned month, day;
    date_civil(at / MS_DAY, &year, &month, &day);
    (void)buf_print(b, "%04lld-%02u-%02u", (long long)year, month, day);
}

void trace__put_clock(struct buf *b, time_ms at)
{
    time_ms s = at % MS_DAY / MS_SECOND;
    (void)buf_print(b, "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

void trace__put_when(struct buf *b, time_ms at, time_ms beside)
{
    if (at / MS_DAY != beside / MS_DAY) {
        trace__put_date(b, at);
        trace__put(b, " ");
    }
    trace__put_clock(b, at);
}
