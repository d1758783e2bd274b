/* posthorn alias */
#include "tool/call.h"

static enum tool_exit alias_add(struct tool *t)
{
    enum tool_exit x;
    if (!tool_config(t))
        return TOOL_FAILED;
    x = call_once(t, true, "alias add", t->args, t->n_args, (slice){0}, NULL);
    for (size_t i = 1; i < t->n_args && x == TOOL_DONE; i++)
        tool_say(t, "Mail for %s goes to %s.", t->args[0], t->args[i]);
    return x;
}

static enum tool_exit alias_remove(struct tool *t)
{
    enum tool_exit x;
    if (!tool_config(t))
        return TOOL_FAILED;
    x = call_once(t, true, "alias remove", t->args, t->n_args, (slice){0}, NULL);
    if (x == TOOL_DONE && t->n_args == 1)
        tool_say(t, "Removed the alias %s.", t->args[0]);
    for (size_t i = 1; i < t->n_args && x == TOOL_DONE; i++)
        tool_say(t, "Mail for %s no longer goes to %s.", t->args[0], t->args[i]);
    return x;
}

static enum tool_exit alias_list(struct tool *t)
{
    static const struct tool_column columns[] = {{"ADDRESS", "address", NULL}, {"GOES TO", "target", NULL}};
    json_t *rows = json_array();
    enum tool_exit x = TOOL_FAILED;
    if (tool_config(t))
        x = call_once(t, true, "alias list", t->args, t->n_args, (slice){0}, rows);
    if (x == TOOL_DONE)
        tool_print_rows(t, rows, columns, ARRAY_LEN(columns),
                        t->n_args ? "There is no such alias."
                                  : "There is no alias yet; add one with: posthorn alias add ADDRESS TARGET");
    json_decref(rows);
    return x;
}

const struct tool_command cmd_alias_table[] = {
    {"alias", "add", "ADDRESS TARGET...", "send mail for an address (or *@domain) to others", 0, 2, 101,
     alias_add},
    {"alias", "list", "[ADDRESS]", "the aliases", 0, 0, 1, alias_list},
    {"alias", "remove", "ADDRESS [TARGET...]", "take targets away, or the whole alias", 0, 1, 101,
     alias_remove},
    {0},
};
