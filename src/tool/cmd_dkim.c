/* posthorn dkim: the keys that sign mail. They are made and rolled by themselves; this shows them. */
#include "tool/call.h"

#include <stdio.h>

static enum tool_exit dkim_call(struct tool *t, const char *verb, json_t *rows)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct err_detail done = {""};
    if (!tool_config(t) || !call_open(&c, t, false))
        return TOOL_FAILED;
    if (call_run(&c, verb, t->args, t->n_args, (slice){0}, rows, &done) != OK)
        return tool_fail("%s", done.text);
    return TOOL_DONE;
}

static const char *dkim_text(const json_t *o, const char *member)
{
    const char *s = json_string_value(json_object_get(o, member));
    return s ? s : "";
}

/* "2026-11-22" of "2026-11-22T00:35:00Z" */
static const char *dkim_day(const json_t *value, char out[64])
{
    const char *s = json_string_value(value);
    snprintf(out, 64, "%.10s", s ? s : "-");
    return out;
}

static void dkim_print(const struct tool *t, const json_t *rows)
{
    static const struct tool_column columns[] = {
        {"DOMAIN", "domain", NULL}, {"SELECTOR", "selector", NULL}, {"ALGORITHM", "algorithm", NULL},
        {"STATE", "state", NULL},   {"SINCE", "since", dkim_day},   {"", "note", NULL}};
    bool notes = json_object_get(json_array_get(rows, 0), "note") != NULL;
    tool_print_rows(t, rows, columns, ARRAY_LEN(columns) - !notes,
                    "There are no keys yet; they are made for each domain within the minute.");
}

static enum tool_exit dkim_rows(struct tool *t, const char *verb)
{
    json_t *rows = json_array();
    enum tool_exit x = dkim_call(t, verb, rows);
    if (x == TOOL_DONE)
        dkim_print(t, rows);
    json_decref(rows);
    return x;
}

static enum tool_exit dkim_list(struct tool *t)
{
    return dkim_rows(t, "dkim list");
}

static enum tool_exit dkim_check(struct tool *t)
{
    return dkim_rows(t, "dkim check");
}

static enum tool_exit dkim_rotate(struct tool *t)
{
    return dkim_rows(t, "dkim rotate");
}

/* The TXT records, as a zone file has them: strings of up to 255 octets (RFC 1035 §3.3.14). */
static void dkim_print_record(const json_t *o)
{
    const char *record = dkim_text(o, "record");
    size_t n = strlen(record);
    if (!n)
        return;
    printf("; %s: %s\n", dkim_text(o, "state"), dkim_text(o, "note"));
    printf("%s._domainkey.%s. 3600 IN TXT", dkim_text(o, "selector"), dkim_text(o, "domain"));
    for (size_t i = 0; i < n; i += 255)
        printf(" \"%.255s\"", record + i);
    puts("");
}

static enum tool_exit dkim_show(struct tool *t)
{
    json_t *rows = json_array(), *row;
    size_t i;
    enum tool_exit x = dkim_call(t, "dkim show", rows);
    if (x == TOOL_DONE && t->json)
        tool_print_json(rows);
    else if (x == TOOL_DONE)
        json_array_foreach(rows, i, row) dkim_print_record(row);
    json_decref(rows);
    return x;
}

const struct tool_command cmd_dkim_table[] = {
    {"dkim", "list", "[DOMAIN]", "the keys that sign mail; of one domain with what the DNS shows", 0, 0, 1,
     dkim_list},
    {"dkim", "show", "DOMAIN", "the DNS records of a domain's keys", 0, 1, 1, dkim_show},
    {"dkim", "check", "DOMAIN", "look at the DNS now, and use keys whose records are there", 0, 1, 1,
     dkim_check},
    {"dkim", "rotate", "DOMAIN", "make the next keys now", 0, 1, 1, dkim_rotate},
    {0},
};
