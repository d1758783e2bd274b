/* posthorn account */
#include "core/sasl/scram.h"
#include "tool/call.h"
#include "tool/password.h"

#include <stdio.h>

/* Prints a password that was made here: the only time it can be seen. */
static void account_show_password(json_t *shown, const struct tool *t, const char *address,
                                  const struct secret *password)
{
    if (!tool_has(t, TOOL_RANDOM))
        return;
    (void)json_array_append_new(shown, json_pack("{s:s, s:s%}", "address", address, "password",
                                                 (const char *)password->bytes, (size_t)password->n));
    if (!t->json)
        printf("%s %.*s\n", address, (int)password->n, (const char *)password->bytes);
}

static enum tool_exit account_add_one(struct tool *t, struct call *c, const char *address,
                                      const struct secret *password, const char *quota)
{
    struct buf verifier CLEANUP(buf_done) = {.max = SCRAM_VERIFIER_TEXT_MAX};
    const char *args[] = {address, tool_has(t, TOOL_NAME) ? t->options[TOOL_NAME] : "", quota};
    struct err_detail detail = {""};
    if (!password_verifier(password, &verifier))
        return TOOL_FAILED;
    if (call_run(c, "account add", args, ARRAY_LEN(args), buf_view(&verifier), NULL, &detail) != OK)
        return tool_fail("%s", detail.text);
    return TOOL_DONE;
}

static enum tool_exit account_add_all(struct tool *t, const char *quota, json_t *shown)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct secret password CLEANUP(secret_done) = {.n = 0};
    enum tool_exit x = TOOL_DONE;
    /* one password from standard input is for all of them */
    if (tool_has(t, TOOL_STDIN) && !password_get(t, t->args[0], &password))
        return TOOL_FAILED;
    if (!call_open(&c, t, true))
        return TOOL_FAILED;
    for (size_t i = 0; i < t->n_args && x == TOOL_DONE; i++) {
        if (!tool_has(t, TOOL_STDIN) && !password_get(t, t->args[i], &password))
            return TOOL_FAILED;
        x = account_add_one(t, &c, t->args[i], &password, quota);
        if (x == TOOL_DONE && !tool_has(t, TOOL_RANDOM))
            tool_say(t, "Added the account %s.", t->args[i]);
        if (x == TOOL_DONE)
            account_show_password(shown, t, t->args[i], &password);
    }
    return x;
}

static enum tool_exit account_add(struct tool *t)
{
    char quota[32] = "";
    uint64_t bytes;
    json_t *shown;
    enum tool_exit x;
    if (tool_has(t, TOOL_STDIN) && tool_has(t, TOOL_RANDOM))
        return tool_misuse(t, "--stdin and --random exclude each other");
    if (tool_has(t, TOOL_QUOTA)) {
        if (!conf_size_parse(slice_str(t->options[TOOL_QUOTA]), &bytes))
            return tool_misuse(t, "\"%.32s\" is no size; write it like 500M or 5G", t->options[TOOL_QUOTA]);
        snprintf(quota, sizeof quota, "%llu", (unsigned long long)bytes);
    }
    if (!tool_config(t))
        return TOOL_FAILED;
    shown = json_array();
    x = account_add_all(t, quota, shown);
    if (t->json && json_array_size(shown))
        tool_print_json(shown); /* also when a later one failed: these exist */
    json_decref(shown);
    return x;
}

static enum tool_exit account_password(struct tool *t)
{
    struct secret password CLEANUP(secret_done) = {.n = 0};
    struct buf verifier CLEANUP(buf_done) = {.max = SCRAM_VERIFIER_TEXT_MAX};
    json_t *shown;
    enum tool_exit x;
    if (tool_has(t, TOOL_STDIN) && tool_has(t, TOOL_RANDOM))
        return tool_misuse(t, "--stdin and --random exclude each other");
    if (!tool_config(t) || !password_get(t, t->args[0], &password) ||
        !password_verifier(&password, &verifier))
        return TOOL_FAILED;
    x = call_once(t, true, "account password", t->args, 1, buf_view(&verifier), NULL);
    if (x != TOOL_DONE)
        return x;
    shown = json_array();
    account_show_password(shown, t, t->args[0], &password);
    if (t->json && json_array_size(shown))
        tool_print_json(json_array_get(shown, 0));
    else if (!tool_has(t, TOOL_RANDOM))
        tool_say(t, "%s has a new password; its sessions were ended.", t->args[0]);
    json_decref(shown);
    return x;
}

static const char *account_state(const json_t *value, char out[64])
{
    (void)out;
    return json_is_true(value) ? "suspended" : "open";
}

static enum tool_exit account_list(struct tool *t)
{
    static const struct tool_column columns[] = {
        {"ADDRESS", "address", NULL},          {"STATE", "suspended", account_state},
        {"MESSAGES", "messages", NULL},        {"USED", "used", tool_format_bytes},
        {"QUOTA", "quota", tool_format_bytes}, {"NAME", "name", NULL}};
    json_t *rows = json_array();
    enum tool_exit x = TOOL_FAILED;
    if (tool_config(t))
        x = call_once(t, true, "account list", t->args, t->n_args, (slice){0}, rows);
    if (x == TOOL_DONE)
        tool_print_rows(t, rows, columns, ARRAY_LEN(columns),
                        "There is no account yet; add one with: posthorn account add name@example.org");
    json_decref(rows);
    return x;
}

static enum tool_exit account_show(struct tool *t)
{
    json_t *rows = json_array();
    enum tool_exit x = TOOL_FAILED;
    if (tool_config(t))
        x = call_once(t, true, "account show", t->args, t->n_args, (slice){0}, rows);
    if (x == TOOL_DONE)
        tool_print_object(t, json_array_get(rows, 0));
    json_decref(rows);
    return x;
}

static enum tool_exit account_change(struct tool *t, const char *verb, const char *done)
{
    enum tool_exit x = TOOL_FAILED;
    if (tool_config(t))
        x = call_once(t, true, verb, t->args, t->n_args, (slice){0}, NULL);
    for (size_t i = 0; i < t->n_args && x == TOOL_DONE; i++)
        tool_say(t, "%s %s.", t->args[i], done);
    return x;
}

static enum tool_exit account_suspend(struct tool *t)
{
    return account_change(t, "account suspend", "is suspended: it takes no mail and nobody can log in");
}

static enum tool_exit account_resume(struct tool *t)
{
    return account_change(t, "account resume", "is open again");
}

static enum tool_exit account_remove(struct tool *t)
{
    return account_change(t, "account remove", "is removed; its mail is still in the data folder");
}

#define PASSWORD_OPTIONS (1u << TOOL_STDIN | 1u << TOOL_RANDOM)

const struct tool_command cmd_account_table[] = {
    {"account", "add", "ADDRESS...", "make accounts; asks for the password",
     PASSWORD_OPTIONS | 1u << TOOL_NAME | 1u << TOOL_QUOTA, 1, TOOL_ARGS_MAX, account_add},
    {"account", "list", "[DOMAIN]", "the accounts and how full they are", 0, 0, 1, account_list},
    {"account", "show", "ADDRESS", "all about one account", 0, 1, 1, account_show},
    {"account", "password", "ADDRESS", "set a new password; asks for it", PASSWORD_OPTIONS, 1, 1,
     account_password},
    {"account", "suspend", "ADDRESS...", "close accounts for a while", 0, 1, 64, account_suspend},
    {"account", "resume", "ADDRESS...", "open suspended accounts again", 0, 1, 64, account_resume},
    {"account", "remove", "ADDRESS...", "remove accounts; their mail stays on the disk", 0, 1, 64,
     account_remove},
    {0},
};
