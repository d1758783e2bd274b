/* tool: the posthorn command. A table of commands; each is a function that asks a running server (or, for
 * domains, accounts and aliases, the directory alone when no server runs) and prints what came.
 *
 * A contract, because scripts are written against it: exit status 0 done, 1 failed (one sentence on standard
 * error: what, why, what to do), 2 usage; posthorn doctor says with it how bad things are instead: 0 at most
 * notes, 1 warnings, 2 errors, or it could not look. With --json standard output is one JSON value. Passwords
 * come from a prompt, from standard input or are made here; never from arguments. Only a SCRAM verifier
 * leaves this process. */
#ifndef POSTHORN_TOOL_TOOL_H
#define POSTHORN_TOOL_TOOL_H

#include "base/err.h"
#include "base/slice.h"
#include "conf/conf.h"

#include <jansson.h>

#define TOOL_ARGS_MAX 1024

enum tool_exit { TOOL_DONE = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

enum tool_option {
    TOOL_CONFIG,
    TOOL_JSON,
    TOOL_HELP,
    TOOL_CHECK,
    TOOL_DATA,
    TOOL_PORT_BASE,
    TOOL_STDIN,
    TOOL_RANDOM,
    TOOL_NAME,
    TOOL_QUOTA,
    TOOL_SINCE,
    TOOL_DAYS,
    TOOL_IP,
    TOOL_HELO,
    TOOL_MAIL_FROM,
    TOOL_DNS,
    TOOL_AT,
    TOOL_NO_MESSAGE,
    TOOL_ZONE,
    TOOL_PANEL,
    TOOL_PUSH,
    TOOL_DRY_RUN,
    TOOL_FORCE,
    TOOL_TABLE,
    TOOL_BEFORE_INSTALL,
    TOOL_RESOLVER,
    TOOL_OUTWARD,
    TOOL_PROBE,
    TOOL_OPTION__COUNT
};

struct tool_command;

/* One run of the command. */
struct tool {
    const struct tool_command *command;
    const char *options[TOOL_OPTION__COUNT]; /* NULL: not given; "" for those without a value */
    const char *args[TOOL_ARGS_MAX];
    size_t n_args;
    bool json;
    struct conf conf; /* after tool_config() */
    const char *config_path;
};

struct tool_command {
    const char *group, *verb; /* verb NULL: the group is the command */
    const char *args;         /* for the usage line */
    const char *help;         /* one line */
    unsigned options;         /* bits 1 << enum tool_option beside --config, --json and --help */
    size_t args_min, args_max;
    enum tool_exit (*run)(struct tool *t);
};

/* One array for each file of commands, ended by a row without a group. */
extern const struct tool_command cmd_demo_table[], cmd_serve_table[], cmd_domain_table[], cmd_account_table[],
    cmd_alias_table[], cmd_dkim_table[], cmd_dns_table[], cmd_queue_table[], cmd_trace_table[],
    cmd_status_table[], cmd_authcheck_table[], cmd_reports_table[], cmd_doctor_table[];

/* Prints the settings of a domain with their values, for --help. */
void cmd_domain_settings(void);

/* main() without its name. */
enum tool_exit tool_main(int argc, char **argv);

/* "posthorn: " and a sentence on standard error; gives TOOL_FAILED. */
enum tool_exit tool_fail(const char *format, ...) FORMAT(1, 2);
/* The same for a wrong command line, with the usage line behind it; gives TOOL_USAGE. */
enum tool_exit tool_misuse(const struct tool *t, const char *format, ...) FORMAT(2, 3);
/* Was the option given? */
static inline bool tool_has(const struct tool *t, enum tool_option o)
{
    return t->options[o] != NULL;
}
/* Sets t->config_path: --config, else POSTHORN_CONFIG, else the usual place. */
void tool_config_find(struct tool *t);
/* Reads the configuration into t->conf. False after having said why not. */
bool tool_config(struct tool *t);
/* The path of one of our programs, beside this one or where it is installed. False after having said so. */
bool tool_program(const char *name, char out[CONF_PATH_MAX]);

/* ---- printing */

/* A sentence of what was done, unless --json. */
void tool_say(const struct tool *t, const char *format, ...) FORMAT(2, 3);
/* The value, and a line end. */
void tool_print_json(const json_t *value);
/* Was there one? A change that has nothing to show prints {"done": true} at the end. */
bool tool_printed_json(void);
/* A text of an object; "" when it has none of that name. Lives as long as the object. */
const char *tool_text(const json_t *object, const char *member);
/* Text from elsewhere, made harmless for a terminal. */
void tool_print_text(const char *text);

struct tool_column {
    const char *title, *member;                               /* member of the row's object */
    const char *(*format)(const json_t *value, char out[64]); /* NULL: as it is */
};
/* Rows as a table; with no rows the sentence. With --json the rows themselves. */
void tool_print_rows(const struct tool *t, const json_t *rows, const struct tool_column *columns, size_t n,
                     const char *none);
/* "12.3 MB", "-" for 0. */
const char *tool_format_bytes(const json_t *value, char out[64]);
/* One object as lines of "name: value"; with --json the object. */
void tool_print_object(const struct tool *t, const json_t *object);

#endif
