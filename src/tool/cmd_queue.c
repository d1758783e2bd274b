/* posthorn queue */
#include "text/date.h"
#include "tool/call.h"

#include <stdio.h>

/* Unix milliseconds to "2026-11-22T00:35:00Z". */
static const char *queue_time(const json_t *value, char out[64])
{
    struct buf b CLEANUP(buf_done) = {.max = 63};
    if (!json_is_integer(value) || date_print_iso(json_integer_value(value), &b) != OK)
        return "-";
    snprintf(out, 64, "%.*s", SLICE_FMT(buf_view(&b)));
    return out;
}

/* Adds to a row what its recipients come to: "to" and "why". */
static void queue_sum_up(json_t *row)
{
    json_t *recipients = json_object_get(row, "recipients"), *first = json_array_get(recipients, 0);
    json_int_t n = json_integer_value(json_object_get(row, "recipient_count"));
    char to[400], why[1200], due[64];
    const char *state = first ? tool_text(first, "state") : tool_text(row, "state");
    const char *reason = first ? tool_text(first, "reason") : tool_text(row, "reason");
    snprintf(to, sizeof to, n > 1 ? "%.330s and %lld more" : "%.330s", tool_text(first, "address"),
             (long long)n - 1);
    if (strcmp(state, "waiting") == 0)
        snprintf(why, sizeof why, "next try %s%s%.900s", queue_time(json_object_get(first, "due"), due),
                 *tool_text(first, "reply") ? ": " : "", tool_text(first, "reply"));
    else
        snprintf(why, sizeof why, "%s: %.1000s", state, reason);
    (void)json_object_set_new(row, "to",
                              json_string(to)); /* NULL when it is not UTF-8: then it shows as "-" */
    (void)json_object_set_new(row, "why", json_string(why)); /* the same */
}

static void queue_print(const struct tool *t, const json_t *rows)
{
    static const struct tool_column columns[] = {{"ID", "id", NULL},
                                                 {"SINCE", "arrived", queue_time},
                                                 {"SIZE", "bytes", tool_format_bytes},
                                                 {"FROM", "sender", NULL},
                                                 {"TO", "to", NULL},
                                                 {"STATE", "why", NULL}};
    json_t *row;
    size_t i;
    if (!t->json)
        json_array_foreach(rows, i, row) queue_sum_up(row);
    tool_print_rows(t, rows, columns, ARRAY_LEN(columns), "The queue is empty.");
}

static void queue_show_recipient(const json_t *r)
{
    char due[64], last[64];
    json_int_t attempts = json_integer_value(json_object_get(r, "attempts"));
    printf("  to ");
    tool_print_text(tool_text(r, "address"));
    if (strcmp(tool_text(r, "state"), "waiting") == 0)
        printf(": next try %s", queue_time(json_object_get(r, "due"), due));
    else {
        printf(": %s: ", tool_text(r, "state"));
        tool_print_text(tool_text(r, "reason"));
    }
    printf("; %lld attempts so far\n", (long long)attempts);
    if (!json_is_integer(json_object_get(r, "last_attempt")))
        return;
    printf("    last tried %s", queue_time(json_object_get(r, "last_attempt"), last));
    if (*tool_text(r, "host")) {
        printf(" at ");
        tool_print_text(tool_text(r, "host"));
    }
    printf(": ");
    tool_print_text(tool_text(r, "reply"));
    putchar('\n');
}

static void queue_show_message(const json_t *m)
{
    char since[64], size[64];
    json_t *r;
    size_t i;
    printf("Mail ");
    tool_print_text(tool_text(m, "id"));
    printf(" from <");
    tool_print_text(tool_text(m, "sender"));
    printf(">, Message-ID ");
    tool_print_text(tool_text(m, "message_id"));
    printf(", %s, in the queue since %s\n", tool_format_bytes(json_object_get(m, "bytes"), size),
           queue_time(json_object_get(m, "arrived"), since));
    json_array_foreach(json_object_get(m, "recipients"), i, r) queue_show_recipient(r);
}

static enum tool_exit queue_list(struct tool *t)
{
    struct err_detail done = {""};
    json_t *rows = json_array();
    enum tool_exit x = call_server(t, "queue list", rows, &done);
    if (x == TOOL_DONE)
        queue_print(t, rows);
    json_decref(rows);
    return x;
}

static enum tool_exit queue_show(struct tool *t)
{
    struct err_detail done = {""};
    json_t *rows = json_array(), *row;
    size_t i;
    enum tool_exit x = call_server(t, "queue show", rows, &done);
    if (x == TOOL_DONE && t->json)
        tool_print_json(json_array_size(rows) == 1 ? json_array_get(rows, 0) : rows);
    else if (x == TOOL_DONE)
        json_array_foreach(rows, i, row) queue_show_message(row);
    json_decref(rows);
    return x;
}

static enum tool_exit queue_change(struct tool *t, const char *verb)
{
    struct err_detail done = {""};
    json_t *rows = json_array();
    enum tool_exit x = call_server(t, verb, rows, &done);
    if (x == TOOL_DONE && t->json)
        tool_print_json(rows);
    else if (x == TOOL_DONE)
        tool_say(t, "%s%s%s", t->n_args ? t->args[0] : "All mail", done.text[0] ? ": " : "",
                 done.text[0] ? done.text : " done");
    json_decref(rows);
    return x;
}

static enum tool_exit queue_retry(struct tool *t)
{
    return queue_change(t, "queue retry");
}

static enum tool_exit queue_hold(struct tool *t)
{
    return queue_change(t, "queue hold");
}

static enum tool_exit queue_release(struct tool *t)
{
    return queue_change(t, "queue release");
}

static enum tool_exit queue_drop(struct tool *t)
{
    return queue_change(t, "queue drop");
}

const struct tool_command cmd_queue_table[] = {
    {"queue", "list", "", "mail that waits to go out", 0, 0, 0, queue_list},
    {"queue", "show", "ID", "one message of the queue and its attempts", 0, 1, 1, queue_show},
    {"queue", "retry", "[ID]", "try one message, or all, now", 0, 0, 1, queue_retry},
    {"queue", "hold", "[ID] [REASON]", "do not try one message, or any", 0, 0, 2, queue_hold},
    {"queue", "release", "[ID]", "try held mail again", 0, 0, 1, queue_release},
    {"queue", "drop", "ID", "throw one message away, without a notice to its sender", 0, 1, 1, queue_drop},
    {0},
};
