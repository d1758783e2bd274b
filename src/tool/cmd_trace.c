/* posthorn trace */
#include "sys/clock.h"
#include "text/date.h"
#include "tool/call.h"

#include <stdio.h>

/* 90m, 12h, 7d */
static bool trace_ago(slice s, time_ms now, time_ms *out)
{
    uint32_t n;
    time_ms unit;
    if (s.n < 2 || !slice_u32(slice_sub(s, 0, s.n - 1), &n))
        return false;
    switch (s.p[s.n - 1]) {
    case 'm':
        unit = MS_MINUTE;
        break;
    case 'h':
        unit = MS_HOUR;
        break;
    case 'd':
        unit = MS_DAY;
        break;
    default:
        return false;
    }
    *out = n * unit < now ? now - n * unit : 0;
    return true;
}

/* Exactly n digits. */
static bool trace_digits(struct cursor *c, size_t n, uint32_t *out)
{
    slice digits;
    return cursor_bytes(c, n, &digits) && slice_u32(digits, out);
}

/* 2026-11-22, with T14:00 or T14:00:00 and maybe Z; UTC */
static bool trace_moment(const char *s, time_ms *out)
{
    struct cursor c = cursor_of(slice_str(s));
    uint32_t year, month, day, hour = 0, minute = 0, second = 0;
    if (!trace_digits(&c, 4, &year) || !cursor_take(&c, '-') || !trace_digits(&c, 2, &month) ||
        !cursor_take(&c, '-') || !trace_digits(&c, 2, &day))
        return false;
    if (cursor_take(&c, 'T') || cursor_take(&c, ' ')) {
        if (!trace_digits(&c, 2, &hour) || !cursor_take(&c, ':') || !trace_digits(&c, 2, &minute))
            return false;
        if (cursor_take(&c, ':') && !trace_digits(&c, 2, &second))
            return false;
        (void)cursor_take(&c, 'Z'); /* all times are UTC, said or not */
    }
    if (!cursor_end(&c) || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    *out =
        date_days((int)year, month, day) * MS_DAY + hour * MS_HOUR + minute * MS_MINUTE + second * MS_SECOND;
    return true;
}

static void trace_print(const struct tool *t, const json_t *rows)
{
    json_t *row;
    size_t i;
    if (t->json) {
        tool_print_json(rows);
        return;
    }
    json_array_foreach(rows, i, row) if (json_is_string(row))
        fputs(json_string_value(row), stdout); /* escaped there */
}

static enum tool_exit trace_run(struct tool *t)
{
    char since[32] = "";
    const char *args[] = {t->args[0], since, t->json ? "json" : ""};
    time_ms from = 0;
    json_t *rows;
    enum tool_exit x = TOOL_FAILED;
    if (tool_has(t, TOOL_SINCE)) {
        const char *text = t->options[TOOL_SINCE];
        if (!trace_ago(slice_str(text), clock_unix(), &from) && !trace_moment(text, &from))
            return tool_misuse(
                t, "\"%.32s\" is no time; write 2026-11-22, 2026-11-22T14:00 (UTC), or 90m, 12h, 7d", text);
        snprintf(since, sizeof since, "%lld", (long long)from);
    }
    rows = json_array();
    if (tool_config(t))
        x = call_once(t, false, "trace", args, ARRAY_LEN(args), (slice){0}, rows);
    if (x == TOOL_DONE)
        trace_print(t, rows);
    json_decref(rows);
    return x;
}

const struct tool_command cmd_trace_table[] = {
    {"trace", NULL, "ADDRESS|MESSAGE-ID|ID|IP", "what happened to mail, in sentences", 1u << TOOL_SINCE, 1, 1,
     trace_run},
    {0},
};
