/* posthorn domain */
#include "policy/domain_setting.h"
#include "tool/call.h"

#include <stdio.h>

#define DOMAIN_WIDTH_MAX 40 /* of the column of values */

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

/* ---- settings */

/* The server sends what was set; adds the defaults, and says which are which: "set". */
static void domain_complete(json_t *o)
{
    json_t *sent = json_object_get(o, "settings"), *all = json_object(), *set = json_array();
    for (size_t i = 0; i < DOMAIN_SETTING__COUNT; i++) {
        const struct domain_setting *s = &domain_settings[i];
        json_t *value = json_object_get(sent, s->name);
        if (value)
            (void)json_array_append_new(set, json_string(s->name)); /* fails for lack of memory only */
        (void)json_object_set_new(all, s->name, value ? json_incref(value) : json_string(s->initial));
    }
    (void)json_object_set_new(o, "settings", all);
    (void)json_object_set_new(o, "set", set);
}

static bool domain_is_set(const json_t *o, const char *name)
{
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(o, "set"), i,
                       item) if (strcmp(json_string_value(item), name) == 0) return true;
    return false;
}

void cmd_domain_settings(void)
{
    puts("\nSettings (posthorn domain show NAME says how they are set):\n");
    for (size_t i = 0; i < DOMAIN_SETTING__COUNT; i++) {
        const struct domain_setting *s = &domain_settings[i];
        printf("  %-15s %-24s %s%s%s%s\n", s->name, s->words, s->help, *s->initial ? " (else " : "",
               s->initial, *s->initial ? ")" : "");
    }
    puts("\nLists are parted by commas or blanks; '' empties one.");
}

static void domain_print(const json_t *o)
{
    size_t width = 10;
    printf("%s: %lld accounts, %lld aliases, here since %s\n\n", tool_text(o, "domain"),
           (long long)json_integer_value(json_object_get(o, "accounts")),
           (long long)json_integer_value(json_object_get(o, "aliases")), tool_text(o, "created"));
    for (size_t i = 0; i < DOMAIN_SETTING__COUNT; i++)
        width = size_max(width, strlen(tool_text(json_object_get(o, "settings"), domain_settings[i].name)));
    width = size_min(width, DOMAIN_WIDTH_MAX);
    for (size_t i = 0; i < DOMAIN_SETTING__COUNT; i++) {
        const struct domain_setting *s = &domain_settings[i];
        const char *value = tool_text(json_object_get(o, "settings"), s->name);
        printf("%-16s %-*s  %s%s\n", s->name, (int)width, *value ? value : "-", s->help,
               domain_is_set(o, s->name) ? "" : " (default)");
    }
}

static enum tool_exit domain_show(struct tool *t)
{
    json_t *rows = json_array(), *o;
    enum tool_exit x = TOOL_FAILED;
    if (tool_config(t))
        x = call_once(t, true, "domain show", t->args, t->n_args, (slice){0}, rows);
    o = json_array_get(rows, 0);
    if (x == TOOL_DONE && o) {
        domain_complete(o);
        if (t->json)
            tool_print_json(o);
        else
            domain_print(o);
    }
    json_decref(rows);
    return x;
}

static enum tool_exit domain_set(struct tool *t)
{
    enum tool_exit x;
    if (!tool_config(t))
        return TOOL_FAILED;
    x = call_once(t, true, "domain set", t->args, t->n_args, (slice){0}, NULL);
    if (x == TOOL_DONE)
        tool_say(t, "%s: %s is %s from now on.", t->args[0], t->args[1], *t->args[2] ? t->args[2] : "empty");
    return x;
}

static enum tool_exit domain_unset(struct tool *t)
{
    const struct domain_setting *s;
    enum tool_exit x;
    if (!tool_config(t))
        return TOOL_FAILED;
    x = call_once(t, true, "domain unset", t->args, t->n_args, (slice){0}, NULL);
    s = domain_setting_find(slice_str(t->args[1]));
    if (x == TOOL_DONE)
        tool_say(t, "%s: %s is as by default: %s.", t->args[0], t->args[1],
                 s && *s->initial ? s->initial : "empty");
    return x;
}

const struct tool_command cmd_domain_table[] = {
    {"domain", "add", "NAME...", "take mail for a domain", 0, 1, 64, domain_add},
    {"domain", "list", "", "the domains and how many addresses each has", 0, 0, 0, domain_list},
    {"domain", "remove", "NAME...", "stop taking mail for a domain", 0, 1, 64, domain_remove},
    {"domain", "show", "NAME", "one domain and what is set for it", 0, 1, 1, domain_show},
    {"domain", "set", "NAME SETTING VALUE", "set something for a domain", 0, 3, 3, domain_set},
    {"domain", "unset", "NAME SETTING", "take a setting back to its default", 0, 2, 2, domain_unset},
    {0},
};
