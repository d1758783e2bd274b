/* print: tables, objects and sentences for people; JSON for scripts. */
#include "base/buf.h"
#include "policy/journal_event.h"
#include "tool/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CELL_MAX    4096
#define COLUMNS_MAX 16

void tool_say(const struct tool *t, const char *format, ...)
{
    va_list ap;
    if (t->json)
        return;
    va_start(ap, format);
    (void)vprintf(format, ap); /* the final fflush() tells */
    va_end(ap);
    putchar('\n');
}

const char *tool_text(const json_t *object, const char *member)
{
    const char *s = json_string_value(json_object_get(object, member));
    return s ? s : "";
}

static bool print_json_done;

bool tool_printed_json(void)
{
    return print_json_done;
}

void tool_print_json(const json_t *value)
{
    print_json_done = true;
    (void)json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY); /* the final fflush() tells */
    putchar('\n');
}

/* Harmless text, in a buffer of the caller. */
static slice print_escape(struct buf *b, const char *text)
{
    buf_clear(b);
    journal_event_escape(b, slice_str(text), CELL_MAX);
    return buf_view(b);
}

void tool_print_text(const char *text)
{
    struct buf b CLEANUP(buf_done) = {.max = 8 * CELL_MAX};
    slice s = print_escape(&b, text);
    (void)fwrite(s.p, 1, s.n, stdout); /* the final fflush() tells */
}

const char *tool_format_bytes(const json_t *value, char out[64])
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double v = (double)json_integer_value(value);
    size_t u = 0;
    if (v <= 0)
        return "-";
    while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
        v /= 1024;
        u++;
    }
    snprintf(out, 64, u == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[u]);
    return out;
}

/* A value in words: text as it is, lists with commas. */
static void print_value(struct buf *b, const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_string(value))
        buf_str(b, json_string_value(value));
    else if (json_is_integer(value))
        buf_print(b, "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        buf_str(b, json_is_true(value) ? "yes" : "no");
    else if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            if (i)
                buf_str(b, ", ");
            if (!json_is_array(item) && !json_is_object(item)) /* deeper is for --json */
                print_value(b, item);
            else
                buf_str(b, "...");
        }
    } else if (json_is_object(value)) {
        void *it = json_object_iter((json_t *)(uintptr_t)value);
        for (i = 0; it; it = json_object_iter_next((json_t *)(uintptr_t)value, it), i++) {
            key = json_object_iter_key(it);
            item = json_object_iter_value(it);
            if (i)
                buf_str(b, ", ");
            buf_str(b, key);
            buf_byte(b, ' ');
            if (!json_is_array(item) && !json_is_object(item))
                print_value(b, item);
            else
                buf_str(b, "...");
        }
    } else {
        buf_str(b, "-");
    }
}

static const char *print_cell(const struct tool_column *c, const json_t *row, char small[64], struct buf *b)
{
    const json_t *value = json_object_get(row, c->member);
    struct buf raw CLEANUP(buf_done) = {.max = CELL_MAX};
    if (c->format)
        return value ? c->format(value, small) : "-";
    print_value(&raw, value);
    buf_byte(&raw, 0);
    if (buf_failed(&raw))
        return "...";
    buf_clear(b);
    journal_event_escape(b, slice_str((const char *)raw.p), CELL_MAX);
    buf_byte(b, 0);
    return b->n > 1 && !buf_failed(b) ? (const char *)b->p : "-";
}

/* Columns a character takes: bytes that begin one. */
static size_t print_width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void print_padded(const char *text, size_t width, bool last)
{
    size_t n = print_width(text);
    fputs(text, stdout);
    for (; !last && n < width + 2; n++)
        putchar(' ');
}

void tool_print_rows(const struct tool *t, const json_t *rows, const struct tool_column *columns, size_t n,
                     const char *none)
{
    size_t width[COLUMNS_MAX], i;
    struct buf b CLEANUP(buf_done) = {.max = 8 * CELL_MAX};
    char small[64];
    json_t *row;
    must(n <= COLUMNS_MAX);
    if (t->json) {
        tool_print_json(rows);
        return;
    }
    if (json_array_size(rows) == 0) {
        puts(none);
        return;
    }
    for (size_t c = 0; c < n; c++)
        width[c] = print_width(columns[c].title);
    json_array_foreach(rows, i, row) for (size_t c = 0; c < n; c++) width[c] =
        size_max(width[c], print_width(print_cell(&columns[c], row, small, &b)));
    for (size_t c = 0; c < n; c++)
        print_padded(columns[c].title, width[c], c + 1 == n);
    putchar('\n');
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < n; c++)
            print_padded(print_cell(&columns[c], row, small, &b), width[c], c + 1 == n);
        putchar('\n');
    }
}

void tool_print_object(const struct tool *t, const json_t *object)
{
    struct buf b CLEANUP(buf_done) = {.max = 8 * CELL_MAX};
    char small[64];
    if (t->json) {
        tool_print_json(object);
        return;
    }
    for (void *it = json_object_iter((json_t *)(uintptr_t)object); it;
         it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
        const char *key = json_object_iter_key(it);
        struct tool_column c = {key, key, NULL};
        printf("%-12s %s\n", key, print_cell(&c, object, small, &b));
    }
}
