/* posthorn serve: checks the configuration, then becomes the supervisor. */
#include "conf/conf_file.h"
#include "tool/tool.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static struct conf_problems problems;

static void serve_print_json(void)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < problems.n; i++) {
        const struct conf_problem *p = &problems.at[i];
        (void)json_array_append_new(rows, json_pack("{s:i, s:s, s:s}", "line", (int)p->line, "text", p->text,
                                                    "hint",
                                                    p->hint)); /* NULL when it is not UTF-8: then left out */
    }
    tool_print_json(rows);
    json_decref(rows);
}

static void serve_print(FILE *f, const char *path)
{
    for (size_t i = 0; i < problems.n; i++) {
        const struct conf_problem *p = &problems.at[i];
        if (p->line)
            fprintf(f, "%s:%u: %s\n", path, p->line, p->text);
        else
            fprintf(f, "%s: %s\n", path, p->text);
        if (p->hint[0])
            fprintf(f, "    %s\n", p->hint);
    }
    if (problems.more)
        fprintf(f, "and %zu more\n", problems.more);
}

static enum tool_exit serve_check(struct tool *t)
{
    if (t->json)
        serve_print_json();
    else if (problems.n == 0)
        printf("%s is fine.\n", t->config_path);
    else
        serve_print(stdout, t->config_path);
    return problems.n == 0 ? TOOL_DONE
                           : tool_fail("%s has %zu mistake%s", t->config_path, problems.n + problems.more,
                                       problems.n + problems.more == 1 ? "" : "s");
}

static enum tool_exit serve_run(struct tool *t)
{
    char program[CONF_PATH_MAX], name[] = "posthorn-supervisor", option[] = "--config";
    char *argv[] = {name, option, NULL, NULL};
    enum err e;
    tool_config_find(t);
    e = conf_file_load(t->config_path, &t->conf, &problems);
    if (e != OK && e != ERR_CONFIG)
        return tool_fail("%s%s%s", problems.at[0].text, problems.at[0].hint[0] ? "; " : "",
                         problems.at[0].hint);
    conf_file_check(&t->conf, &problems);
    if (tool_has(t, TOOL_CHECK))
        return serve_check(t);
    if (problems.n) {
        serve_print(stderr, t->config_path);
        return tool_fail("the server was not started because of the mistakes above");
    }
    if (!tool_program(name, program))
        return TOOL_FAILED;
    argv[2] = (char *)(uintptr_t)t->config_path; /* execv() does not change it */
    fflush(NULL);
    (void)execv(program, argv);
    return tool_fail("%s cannot be started: %s", program, strerror(errno));
}

const struct tool_command cmd_serve_table[] = {
    {"serve", NULL, "", "run the server", 1u << TOOL_CHECK, 0, 0, serve_run},
    {0},
};
