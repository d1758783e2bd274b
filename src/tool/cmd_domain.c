/* posthorn domain */
#include "tool/call.h"

static enum tool_exit domain_add(struct tool *t)
{
    enum tool_exit x;
    if (!tool_config(t))
        return TOOL_FAILED;
    x = call_once(t, true, "domain add", t->args, t->n_args, (slice){0}, NULL);
    for (size_t i = 0; i < t->n_args && x == TOOL_DONE; i++)
        tool_say(t, "Added the domain %s.", t->args[i]);
    return x;
}

static enum tool_exit domain_remove(struct tool *t)
{
    enum tool_exit x;
    if (!tool_config(t))
        return TOOL_FAILED;
    x = call_once(t, true, "domain remove", t->args, t->n_args, (slice){0}, NULL);
    for (size_t i = 0; i < t->n_args && x == TOOL_DONE; i++)
        tool_say(t, "Removed the domain %s.", t->args[i]);
    return x;
}

static enum tool_exit domain_list(struct tool *t)
{
    static const struct tool_column columns[] = {
        {"DOMAIN", "domain", NULL}, {"ACCOUNTS", "accounts", NULL}, {"ALIASES", "aliases", NULL}};
    json_t *rows = json_array();
    enum tool_exit x = TOOL_FAILED;
    if (tool_config(t))
        x = call_once(t, true, "domain list", NULL, 0, (slice){0}, rows);
    if (x == TOOL_DONE)
        tool_print_rows(t, rows, columns, ARRAY_LEN(columns),
                        "There is no domain yet; add one with: posthorn domain add example.org");
    json_decref(rows);
    return x;
}

const struct tool_command cmd_domain_table[] = {
    {"domain", "add", "NAME...", "take mail for a domain", 0, 1, 64, domain_add},
    {"domain", "list", "", "the domains and how many addresses each has", 0, 0, 0, domain_list},
    {"domain", "remove", "NAME...", "stop taking mail for a domain", 0, 1, 64, domain_remove},
    {0},
};
