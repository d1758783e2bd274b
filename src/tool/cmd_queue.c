/* posthorn queue */
#include "tool/call.h"

#include <stdio.h>

/* Asks the relay; with words for when all is done. */
static enum tool_exit queue_call(struct tool *t, const char *verb, json_t *rows, struct err_detail *done)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    if (!tool_config(t) || !call_open(&c, t, false))
        return TOOL_FAILED;
    if (call_run(&c, verb, t->args, t->n_args, (slice){0}, rows, done) != OK)
        return tool_fail("%s", done->text);
    return TOOL_DONE;
}

/* Whatever members the first row has, in its order, are the columns. */
static void queue_print(const struct tool *t, const json_t *rows)
{
    struct tool_column columns[12];
    char titles[12][32];
    size_t n = 0;
    json_t *first = json_array_get(rows, 0);
    for (void *it = json_object_iter(first); it && n < ARRAY_LEN(columns);
         it = json_object_iter_next(first, it)) {
        const char *key = json_object_iter_key(it);
        size_t i = 0;
        for (; key[i] && i + 1 < sizeof titles[n]; i++)
            titles[n][i] = (char)ascii_upper((uint8_t)(key[i] == '_' ? ' ' : key[i]));
        titles[n][i] = 0;
        columns[n] = (struct tool_column){titles[n], key, NULL};
        n++;
    }
    tool_print_rows(t, rows, columns, n, "The queue is empty.");
}

static enum tool_exit queue_list(struct tool *t)
{
    struct err_detail done = {""};
    json_t *rows = json_array();
    enum tool_exit x = queue_call(t, "queue list", rows, &done);
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
    enum tool_exit x = queue_call(t, "queue show", rows, &done);
    if (x == TOOL_DONE && t->json)
        tool_print_json(json_array_size(rows) == 1 ? json_array_get(rows, 0) : rows);
    else if (x == TOOL_DONE)
        json_array_foreach(rows, i, row)
        {
            if (i)
                putchar('\n');
            tool_print_object(t, row);
        }
    json_decref(rows);
    return x;
}

static enum tool_exit queue_change(struct tool *t, const char *verb)
{
    struct err_detail done = {""};
    json_t *rows = json_array();
    enum tool_exit x = queue_call(t, verb, rows, &done);
    if (x == TOOL_DONE && t->json)
        tool_print_json(rows);
    else if (x == TOOL_DONE)
        tool_say(t, "%s", done.text[0] ? done.text : "Done.");
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
