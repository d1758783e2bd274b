/* posthorn status */
#include "tool/call.h"

#include <stdio.h>

static const char *status_state(const json_t *value, char out[64])
{
    (void)out;
    return json_is_true(value) ? "ready" : "DOWN";
}

static void status_print(const struct tool *t, const json_t *house)
{
    static const struct tool_column columns[] = {{"ROLE", "role", NULL},           {"NR", "index", NULL},
                                                 {"STATE", "ready", status_state}, {"PID", "pid", NULL},
                                                 {"RESTARTS", "restarts", NULL},   {"FACTS", "facts", NULL}};
    if (t->json) {
        tool_print_json(house);
        return;
    }
    printf("Posthorn ");
    tool_print_text(json_string_value(json_object_get(house, "version")));
    printf(" on ");
    tool_print_text(json_string_value(json_object_get(house, "hostname")));
    printf(", up since ");
    tool_print_text(json_string_value(json_object_get(house, "since")));
    printf("\n\n");
    tool_print_rows(t, json_object_get(house, "roles"), columns, ARRAY_LEN(columns), "No role runs.");
}

static enum tool_exit status_run(struct tool *t)
{
    json_t *rows = json_array();
    enum tool_exit x = TOOL_FAILED;
    if (tool_config(t))
        x = call_once(t, false, "status", NULL, 0, (slice){0}, rows);
    if (x == TOOL_DONE && json_is_object(json_array_get(rows, 0)))
        status_print(t, json_array_get(rows, 0));
    json_decref(rows);
    return x;
}

const struct tool_command cmd_status_table[] = {
    {"status", NULL, "", "what runs, and since when", 0, 0, 0, status_run},
    {0},
};
