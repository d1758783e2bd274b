/* tool: the command line: finds the command, reads options, says what is wrong. */
#include "tool/tool.h"

#include "conf/conf_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOOL_CONFIG_DEFAULT "/etc/posthorn/posthorn.conf"

static const struct {
    const char *name, *value, *help; /* value NULL: takes none */
} tool_options[] = {
    [TOOL_CONFIG] = {"--config", "FILE",
                     "the configuration (else POSTHORN_CONFIG, else " TOOL_CONFIG_DEFAULT ")"},
    [TOOL_JSON] = {"--json", NULL, "print JSON"},
    [TOOL_HELP] = {"--help", NULL, "print this"},
    [TOOL_CHECK] = {"--check", NULL, "only report every mistake in the configuration"},
    [TOOL_DATA] = {"--data", "DIR", "where the demo keeps everything (else ./posthorn-demo)"},
    [TOOL_PORT_BASE] = {"--port-base", "N", "ports are N+25, N+143, N+465, N+587, N+993 (else 10000)"},
    [TOOL_STDIN] = {"--stdin", NULL, "read the password from standard input"},
    [TOOL_RANDOM] = {"--random", NULL, "make a password and print it"},
    [TOOL_NAME] = {"--name", "NAME", "the person's name"},
    [TOOL_QUOTA] = {"--quota", "SIZE", "how much mail the account may hold, like 5G (0: any)"},
    [TOOL_SINCE] = {"--since", "TIME", "begin there: 2026-11-22, 2026-11-22T14:00, or 90m, 12h, 7d ago"},
    [TOOL_DAYS] = {"--since", "DAYS", "begin so many days ago (else 7)"},
    [TOOL_IP] = {"--ip", "ADDRESS", "who handed the message over"},
    [TOOL_HELO] = {"--helo", "NAME", "what the client called itself"},
    [TOOL_MAIL_FROM] = {"--mail-from", "ADDRESS", "the envelope's sender; <> or nothing is the null sender"},
    [TOOL_DNS] = {"--dns", "FILE", "records to use instead of the DNS, one a line as in a zone file"},
    [TOOL_AT] = {"--at", "UNIX_TIME", "as it was at that time, in seconds since 1970"},
    [TOOL_NO_MESSAGE] = {"--no-message", NULL, "SPF alone"},
    [TOOL_ZONE] = {"--zone", NULL, "as a zone file (usual when the output is no terminal)"},
    [TOOL_PANEL] = {"--panel", NULL, "to copy into a provider's web page, with a word on each"},
    [TOOL_PUSH] = {"--push", NULL, "send them to the name server of the dns-update line"},
    [TOOL_DRY_RUN] = {"--dry-run", NULL, "with --push: only say what would change"},
    [TOOL_FORCE] = {"--force", NULL, "with --push: also replace records that are not ours"},
    [TOOL_TABLE] = {"--table", NULL, "tables of who reported and of sources, instead of sentences"},
    [TOOL_BEFORE_INSTALL] = {"--before-install", "IP",
                             "can this host serve mail for DOMAIN at this address?"},
    [TOOL_RESOLVER] = {"--resolver", "ADDRESS@PORT",
                       "with --before-install: ask this resolver (else those of /etc/resolv.conf)"},
    [TOOL_OUTWARD] = {"--outward", "NAME[@PORT]",
                      "with --before-install: whose mail server is tried to see whether port 25 is open"},
    [TOOL_PROBE] = {"--probe", NULL, "send the hourly probe message now"},
};
static_assert(ARRAY_LEN(tool_options) == TOOL_OPTION__COUNT, "every option has a row");

#define TOOL_COMMON (1u << TOOL_CONFIG | 1u << TOOL_JSON | 1u << TOOL_HELP)

static const struct tool_command *const tool_groups[] = {
    cmd_demo_table,      cmd_serve_table,  cmd_domain_table,  cmd_account_table, cmd_alias_table,
    cmd_dkim_table,      cmd_dns_table,    cmd_queue_table,   cmd_trace_table,   cmd_status_table,
    cmd_authcheck_table, cmd_doctor_table, cmd_reports_table,
};

/* ---- saying */

enum tool_exit tool_fail(const char *format, ...)
{
    va_list ap;
    fflush(stdout);
    fputs("posthorn: ", stderr);
    va_start(ap, format);
    (void)vfprintf(stderr, format, ap); /* nobody to tell when standard error is gone */
    va_end(ap);
    fputc('\n', stderr);
    return TOOL_FAILED;
}

static void tool_usage_line(FILE *f, const struct tool_command *c)
{
    fprintf(f, "posthorn %s%s%s%s%s", c->group, c->verb ? " " : "", c->verb ? c->verb : "",
            c->args[0] ? " " : "", c->args);
    for (size_t i = 0; i < TOOL_OPTION__COUNT; i++)
        if (c->options & 1u << i)
            fprintf(f, " [%s%s%s]", tool_options[i].name, tool_options[i].value ? " " : "",
                    tool_options[i].value ? tool_options[i].value : "");
}

enum tool_exit tool_misuse(const struct tool *t, const char *format, ...)
{
    va_list ap;
    fputs("posthorn: ", stderr);
    va_start(ap, format);
    (void)vfprintf(stderr, format, ap); /* nobody to tell when standard error is gone */
    va_end(ap);
    fputs("\nusage: ", stderr);
    tool_usage_line(stderr, t->command);
    fputs("\n", stderr);
    return TOOL_USAGE;
}

static enum tool_exit tool_help_all(FILE *f)
{
    fputs("Posthorn " POSTHORN_VERSION ": a whole mail service.\n\n", f);
    for (size_t g = 0; g < ARRAY_LEN(tool_groups); g++)
        for (const struct tool_command *c = tool_groups[g]; c->group; c++) {
            char line[128];
            snprintf(line, sizeof line, "posthorn %s%s%s %s", c->group, c->verb ? " " : "",
                     c->verb ? c->verb : "", c->args);
            fprintf(f, "  %-52s %s\n", line, c->help);
        }
    fputs("\nEach takes --config FILE (or POSTHORN_CONFIG), --json and --help. More: man posthorn.\n", f);
    return f == stdout ? TOOL_DONE : TOOL_USAGE;
}

static enum tool_exit tool_help_group(const struct tool_command *table, FILE *f)
{
    for (const struct tool_command *c = table; c->group; c++) {
        fputs(c == table ? "usage: " : "       ", f);
        tool_usage_line(f, c);
        fputs("\n", f);
    }
    return f == stdout ? TOOL_DONE : TOOL_USAGE;
}

static enum tool_exit tool_help_command(const struct tool_command *c)
{
    fputs("usage: ", stdout);
    tool_usage_line(stdout, c);
    printf("\n\n%c%s.\n\n", ascii_upper((uint8_t)c->help[0]), c->help + 1);
    /* the command's own options first, then those of all */
    for (unsigned pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < TOOL_OPTION__COUNT; i++)
            if ((pass ? TOOL_COMMON : c->options) & 1u << i) {
                char line[64];
                snprintf(line, sizeof line, "%s %s", tool_options[i].name,
                         tool_options[i].value ? tool_options[i].value : "");
                printf("  %-23s %s\n", line, tool_options[i].help);
            }
    if (strcmp(c->group, "domain") == 0 && (strcmp(c->verb, "set") == 0 || strcmp(c->verb, "unset") == 0))
        cmd_domain_settings();
    return TOOL_DONE;
}

/* ---- finding */

static const struct tool_command *tool_find_group(const char *name)
{
    for (size_t g = 0; g < ARRAY_LEN(tool_groups); g++)
        if (strcmp(tool_groups[g]->group, name) == 0)
            return tool_groups[g];
    return NULL;
}

static enum tool_exit tool_unknown(const char *what, const char *word, const char *const *names, size_t n)
{
    const char *near = conf_nearest(slice_str(word), names, n);
    fprintf(stderr, "posthorn: there is no %s \"%.64s\"", what, word);
    if (near) {
        fprintf(stderr, "; did you mean \"%s\"?\n", near);
    } else {
        fputs("; there are:", stderr);
        for (size_t i = 0; i < n; i++)
            fprintf(stderr, " %s", names[i]);
        fputs("\n", stderr);
    }
    return TOOL_USAGE;
}

static enum tool_exit tool_unknown_group(const char *word)
{
    const char *names[ARRAY_LEN(tool_groups)] = {NULL};
    for (size_t g = 0; g < ARRAY_LEN(tool_groups); g++)
        names[g] = tool_groups[g]->group;
    return tool_unknown("command", word, names, ARRAY_LEN(names));
}

static enum tool_exit tool_unknown_verb(const struct tool_command *table, const char *word)
{
    const char *names[16] = {NULL};
    size_t n = 0;
    for (const struct tool_command *c = table; c->group && n < ARRAY_LEN(names); c++)
        names[n++] = c->verb;
    return tool_unknown("such thing to do:", word, names, n);
}

/* ---- options */

static enum tool_option tool_option_find(const struct tool_command *c, slice name)
{
    for (size_t i = 0; i < TOOL_OPTION__COUNT; i++)
        if (slice_eq(name, slice_str(tool_options[i].name)) && (c->options | TOOL_COMMON) & 1u << i)
            return (enum tool_option)i;
    return TOOL_OPTION__COUNT;
}

static enum tool_exit tool_parse_option(struct tool *t, int argc, char **argv, int *i)
{
    const char *equals = strchr(argv[*i], '=');
    slice name = equals ? slice_of(argv[*i], (size_t)(equals - argv[*i])) : slice_str(argv[*i]);
    enum tool_option o = tool_option_find(t->command, name);
    if (o == TOOL_OPTION__COUNT)
        return tool_misuse(t, "there is no option %.64s here", argv[*i]);
    if (!tool_options[o].value) {
        if (equals)
            return tool_misuse(t, "%s takes no value", tool_options[o].name);
        t->options[o] = "";
        return TOOL_DONE;
    }
    if (equals) {
        t->options[o] = equals + 1;
    } else if (*i + 1 < argc) {
        t->options[o] = argv[++*i];
    } else {
        return tool_misuse(t, "%s needs a value: %s %s", tool_options[o].name, tool_options[o].name,
                           tool_options[o].value);
    }
    return TOOL_DONE;
}

static enum tool_exit tool_parse(struct tool *t, int argc, char **argv, int from)
{
    bool options = true;
    for (int i = from; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            enum tool_exit x = tool_parse_option(t, argc, argv, &i);
            if (x != TOOL_DONE)
                return x;
        } else if (t->n_args == TOOL_ARGS_MAX) {
            return tool_misuse(t, "more than %d arguments", TOOL_ARGS_MAX);
        } else {
            t->args[t->n_args++] = argv[i];
        }
    }
    if (tool_has(t, TOOL_HELP))
        return TOOL_DONE;
    if (t->n_args < t->command->args_min)
        return tool_misuse(t, "something is missing");
    if (t->n_args > t->command->args_max)
        return tool_misuse(t, "\"%.64s\" is too much", t->args[t->command->args_max]);
    return TOOL_DONE;
}

/* Which command: posthorn GROUP [VERB]. */
static enum tool_exit tool_find(int argc, char **argv, const struct tool_command **out, int *out_from)
{
    const struct tool_command *table = tool_find_group(argv[1]);
    if (!table)
        return tool_unknown_group(argv[1]);
    *out_from = 2;
    if (!table->verb) {
        *out = table;
        return TOOL_DONE;
    }
    if (argc < 3)
        return tool_help_group(table, stderr);
    if (strcmp(argv[2], "--help") == 0) {
        *out = NULL;
        return tool_help_group(table, stdout);
    }
    *out_from = 3;
    for (const struct tool_command *c = table; c->group; c++)
        if (strcmp(c->verb, argv[2]) == 0) {
            *out = c;
            return TOOL_DONE;
        }
    return tool_unknown_verb(table, argv[2]);
}

void tool_config_find(struct tool *t)
{
    const char *from_env = getenv("POSTHORN_CONFIG");
    t->config_path = tool_has(t, TOOL_CONFIG) ? t->options[TOOL_CONFIG]
                     : from_env && *from_env  ? from_env
                                              : TOOL_CONFIG_DEFAULT;
}

bool tool_config(struct tool *t)
{
    static struct conf_problems problems;
    tool_config_find(t);
    if (conf_file_load(t->config_path, &t->conf, &problems) == OK)
        return true;
    if (problems.at[0].line)
        (void)tool_fail(
            "%s has mistakes, the first in line %u: %s; posthorn serve --config %s --check lists all",
            t->config_path, problems.at[0].line, problems.at[0].text, t->config_path);
    else
        (void)tool_fail("%s%s%s", problems.at[0].text, problems.at[0].hint[0] ? "; " : "",
                        problems.at[0].hint);
    return false;
}

bool tool_program(const char *name, char out[CONF_PATH_MAX])
{
    char self[CONF_PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 64);
    char *slash;
    if (n > 0) {
        self[n] = 0;
        slash = strrchr(self, '/');
        if (slash)
            *slash = 0;
        snprintf(out, CONF_PATH_MAX, "%.900s/%s", self, name);
        if (access(out, X_OK) == 0)
            return true;
        snprintf(out, CONF_PATH_MAX, "%.900s/../libexec/posthorn/%s", self, name);
        if (access(out, X_OK) == 0)
            return true;
        snprintf(out, CONF_PATH_MAX, "%s/%s", POSTHORN_LIBEXEC, name);
        if (access(out, X_OK) == 0)
            return true;
    }
    (void)tool_fail(
        "the program %s is neither beside this one nor in %s; was everything built and installed?", name,
        POSTHORN_LIBEXEC);
    return false;
}

enum tool_exit tool_main(int argc, char **argv)
{
    static struct tool t;
    enum tool_exit x;
    int from = 0;
    if (argc < 2)
        return tool_help_all(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0)
        return tool_help_all(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("posthorn " POSTHORN_VERSION);
        return TOOL_DONE;
    }
    x = tool_find(argc, argv, &t.command, &from);
    if (x != TOOL_DONE || !t.command)
        return x;
    x = tool_parse(&t, argc, argv, from);
    if (x != TOOL_DONE)
        return x;
    if (tool_has(&t, TOOL_HELP))
        return tool_help_command(t.command);
    t.json = tool_has(&t, TOOL_JSON);
    x = t.command->run(&t);
    if (x == TOOL_DONE && t.json && !tool_printed_json()) {
        json_t *done = json_pack("{s:b}", "done", 1);
        tool_print_json(done);
        json_decref(done);
    }
    if (fflush(stdout) != 0 && x == TOOL_DONE)
        return tool_fail("the output could not be written");
    return x;
}
