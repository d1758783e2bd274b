/* posthorn reports */
#include "tool/call.h"

#include <stdio.h>

static bool reports_is(const json_t *row, const char *kind)
{
    return strcmp(tool_text(row, "kind"), kind) == 0;
}

/* The sentences: what, and below it what to do. */
static void reports_sentences(const json_t *rows)
{
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        if (!*tool_text(row, "text"))
            continue;
        tool_print_text(tool_text(row, "text"));
        putchar('\n');
        if (*tool_text(row, "fix")) {
            printf("    ");
            tool_print_text(tool_text(row, "fix"));
            putchar('\n');
        }
    }
}

static json_t *reports_only(const json_t *rows, const char *kind)
{
    json_t *only = json_array(), *row;
    size_t i;
    must(only);
    json_array_foreach(rows, i, row)
    {
        if (reports_is(row, kind))
            must(json_array_append(only, row) == 0);
    }
    return only;
}

static void reports_tables(const struct tool *t, const json_t *rows)
{
    static const struct tool_column reporters[] = {{"REPORTED BY", "organisation", NULL},
                                                   {"WHAT", "reports_of", NULL},
                                                   {"REPORTS", "reports", NULL},
                                                   {"MESSAGES", "messages", NULL},
                                                   {"PROVEN", "proven", NULL}};
    static const struct tool_column sources[] = {
        {"SOURCE", "source", NULL},         {"NAME", "name", NULL},        {"MESSAGES", "messages", NULL},
        {"BELIEVED", "believed", NULL},     {"DKIM", "dkim_passed", NULL}, {"SPF", "spf_passed", NULL},
        {"JUNK", "quarantined", NULL},      {"REFUSED", "refused", NULL},  {"CLASS", "class", NULL},
        {"IT PROVES", "other_domain", NULL}};
    json_t *who = reports_only(rows, "reporter"), *what = reports_only(rows, "row");
    tool_print_rows(t, who, reporters, ARRAY_LEN(reporters), "Nobody has reported.");
    putchar('\n');
    tool_print_rows(t, what, sources, ARRAY_LEN(sources), "No source was reported.");
    json_decref(who);
    json_decref(what);
}

static enum tool_exit reports_show(struct tool *t)
{
    char days[16] = "7";
    const char *args[] = {t->args[0], days};
    json_t *rows;
    enum tool_exit x;
    if (tool_has(t, TOOL_DAYS)) {
        slice since = slice_str(t->options[TOOL_DAYS]);
        uint32_t n;
        if (slice_ends_nocase(since, SLICE("d")))
            since = slice_sub(since, 0, since.n - 1);
        if (!slice_u32(since, &n) || n == 0 || n > 3650)
            return tool_misuse(t, "\"%.32s\" is no number of days; write --since 30", t->options[TOOL_DAYS]);
        snprintf(days, sizeof days, "%u", n);
    }
    rows = json_array();
    must(rows);
    if (!tool_config(t)) {
        json_decref(rows);
        return TOOL_FAILED;
    }
    x = call_once(t, false, "reports", args, ARRAY_LEN(args), (slice){0}, rows);
    if (x == TOOL_DONE && t->json)
        tool_print_json(rows);
    else if (x == TOOL_DONE && tool_has(t, TOOL_TABLE))
        reports_tables(t, rows);
    else if (x == TOOL_DONE)
        reports_sentences(rows);
    json_decref(rows);
    return x;
}

const struct tool_command cmd_reports_table[] = {
    {"reports", NULL, "DOMAIN", "what others report of mail in a domain's name",
     1u << TOOL_DAYS | 1u << TOOL_TABLE, 1, 1, reports_show},
    {0},
};
