/* posthorn doctor: what is wrong, why it matters, what mends it. A running server looks itself (role doctor);
 * without one, this program does. */
#include "tool/cmd_doctor.h"

#include <stdio.h>
#include <unistd.h>

#define DOCTOR_FINE     TOOL_DONE
#define DOCTOR_WARNINGS ((enum tool_exit)1)
#define DOCTOR_ERRORS   ((enum tool_exit)2)
#define DOCTOR_SHORT    4 /* findings that are seen at a glance */
#define DOCTOR_FIRST    3
#define DOCTOR_HERE_MAX 64 /* domains that are looked at without a server */

struct doctor_rows {
    const struct tool *tool;
    json_t *findings;
    json_int_t domains, looked; /* ours, and those that were looked at now */
    char rest_by[32];           /* until when the others will be, or empty */
    bool progress;              /* a line of it stands on the terminal */
};

void doctor_add(json_t *findings, const struct finding *f)
{
    struct buf b CLEANUP(buf_done) = {.max = 65536};
    if (finding_json(f, &b) == OK)
        (void)json_array_append_new(findings,
                                    json_loadb((const char *)b.p, b.n, 0, NULL)); /* NULL is not added */
}

/* ---- progress, on a terminal only */

static void progress_clear(struct doctor_rows *r)
{
    if (r->progress)
        fputs("\r\033[K", stderr);
    r->progress = false;
}

static void progress_show(struct doctor_rows *r, const char *text)
{
    if (!isatty(STDERR_FILENO) || r->tool->json)
        return;
    progress_clear(r);
    fprintf(stderr, "... %s", text);
    r->progress = true;
}

static void doctor_row(void *arg, const json_t *row)
{
    struct doctor_rows *r = arg;
    const char *progress = json_string_value(json_object_get(row, "progress"));
    if (progress)
        progress_show(r, progress);
    else if (json_object_get(row, "id"))
        (void)json_array_append_new(r->findings, json_deep_copy(row)); /* fails for lack of memory only */
    else {
        r->domains = json_integer_value(json_object_get(row, "domains"));
        r->looked = json_integer_value(json_object_get(row, "looked_at"));
        snprintf(r->rest_by, sizeof r->rest_by, "%.30s", tool_text(row, "rest_by"));
    }
}

/* ---- the list */

static enum finding_severity doctor_severity(const json_t *row)
{
    for (int s = FINDING_ERROR; s > FINDING_OK; s--)
        if (strcmp(tool_text(row, "severity"), finding_severity_name((enum finding_severity)s)) == 0)
            return (enum finding_severity)s;
    return FINDING_OK;
}

/* The worst first; otherwise as they came. */
static json_t *doctor_sorted(const json_t *findings)
{
    json_t *out = json_array(), *row;
    size_t i;
    for (int s = FINDING_ERROR; s >= FINDING_OK; s--)
        json_array_foreach((json_t *)(uintptr_t)findings, i,
                           row) if (doctor_severity(row) == (enum finding_severity)s)(void)
            json_array_append(out, row); /* fails for lack of memory only */
    return out;
}

/* Words of one paragraph, filled. */
static void doctor_fill(const char *indent, const char *text)
{
    size_t column = 0, width = 78;
    slice word, rest = slice_str(text);
    bool more = rest.n > 0;
    char one[4096];
    while (more) {
        more = slice_split(rest, ' ', &word, &rest);
        if (!word.n)
            continue;
        if (column + 1 + word.n > width || !column) {
            printf("%s%s", column ? "\n" : "", indent);
            column = strlen(indent);
        } else {
            putchar(' ');
            column++;
        }
        snprintf(one, sizeof one, "%.*s", SLICE_FMT(word));
        tool_print_text(one);
        column += word.n;
    }
    putchar('\n');
}

static void doctor_lines(const char *text)
{
    struct cursor c = cursor_of(slice_str(text));
    char one[8192];
    slice line;
    while (cursor_line(&c, &line)) {
        snprintf(one, sizeof one, "%.*s", SLICE_FMT(line));
        fputs("        ", stdout);
        tool_print_text(one);
        putchar('\n');
    }
}

static void doctor_print(const json_t *row)
{
    static const char *const words[] = {"", "Note", "Warning", "ERROR"};
    char head[4096];
    snprintf(head, sizeof head, "%s: %.3500s", words[doctor_severity(row)], tool_text(row, "what"));
    doctor_fill("", head);
    doctor_fill("    ", tool_text(row, "why"));
    if (*tool_text(row, "evidence")) {
        puts("    Seen:");
        doctor_lines(tool_text(row, "evidence"));
    }
    if (*tool_text(row, "mend")) {
        puts("    To mend it:");
        doctor_lines(tool_text(row, "mend"));
    }
    printf("    [%s%s%s]\n\n", tool_text(row, "id"), *tool_text(row, "since") ? ", seen since " : "",
           tool_text(row, "since"));
}

/* The end of a long list is what stands on the terminal: it says where to begin. */
static void doctor_begin(const struct doctor_rows *r, enum finding_severity worst)
{
    size_t records = 0, shown = 0, i;
    const json_t *row;
    json_array_foreach(r->findings, i, row) records += strstr(tool_text(row, "mend"), " IN ") != NULL;
    if (json_array_size(r->findings) > DOCTOR_SHORT) {
        puts("\nBegin with:");
        json_array_foreach(r->findings, i, row)
        {
            char head[600];
            if (doctor_severity(row) != worst || shown == DOCTOR_FIRST)
                continue;
            snprintf(head, sizeof head, "%zu. %.500s", ++shown, tool_text(row, "what"));
            doctor_fill("  ", head);
        }
    }
    if (records > 2)
        printf("\n%zu of all are mended by DNS records. All records of a domain in one piece, to paste or to "
               "send\nto whoever keeps its zone:  posthorn dns DOMAIN --zone\n",
               records);
}

/* Too many domains for one round. */
static void doctor_others(const struct doctor_rows *r)
{
    if (r->looked >= r->domains)
        return;
    printf("\n%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " domains were looked at", r->looked,
           r->domains);
    if (*r->rest_by)
        printf("; each of the others will have been by %s", r->rest_by);
    puts(".\nOne of them now:  posthorn doctor DOMAIN");
}

static enum tool_exit doctor_show(struct doctor_rows *r, const char *about)
{
    enum finding_severity worst = FINDING_OK;
    size_t counts[4] = {0}, i;
    const json_t *row;
    json_t *sorted = doctor_sorted(r->findings);
    progress_clear(r);
    json_decref(r->findings);
    r->findings = sorted;
    json_array_foreach(r->findings, i, row)
    {
        enum finding_severity s = doctor_severity(row);
        counts[s]++;
        if (s > worst)
            worst = s;
    }
    if (r->tool->json) {
        json_t *all = json_pack("{s:s, s:O}", "worst", finding_severity_name(worst), "findings", r->findings);
        if (r->domains)
            (void)json_object_update_new(
                all, json_pack("{s:I, s:I}", "domains", r->domains, "looked_at", r->looked));
        if (*r->rest_by)
            (void)json_object_set_new(all, "rest_by", json_string(r->rest_by));
        tool_print_json(all);
        json_decref(all);
    } else {
        json_array_foreach(r->findings, i, row) doctor_print(row);
        if (worst <= FINDING_NOTE)
            printf("Nothing is wrong%s%s.%s\n", *about ? " with " : "", about,
                   counts[FINDING_NOTE] ? " The notes above could be made better." : "");
        else
            printf("%zu error%s, %zu warning%s, %zu note%s.\n", counts[FINDING_ERROR],
                   counts[FINDING_ERROR] == 1 ? "" : "s", counts[FINDING_WARNING],
                   counts[FINDING_WARNING] == 1 ? "" : "s", counts[FINDING_NOTE],
                   counts[FINDING_NOTE] == 1 ? "" : "s");
        if (worst > FINDING_NOTE)
            doctor_begin(r, worst);
        doctor_others(r);
    }
    return worst == FINDING_ERROR ? DOCTOR_ERRORS : worst == FINDING_WARNING ? DOCTOR_WARNINGS : DOCTOR_FINE;
}

/* ---- the ways to look */

static void doctor_server_down(const struct tool *t, json_t *findings)
{
    char mend[CONF_PATH_MAX + 64];
    snprintf(mend, sizeof mend, "posthorn serve --config %.900s", t->config_path);
    doctor_add(findings,
               &(struct finding){.kind = FINDING_SERVER_DOWN,
                                 .severity = FINDING_ERROR,
                                 .subject = slice_str(t->conf.hostname),
                                 .what = SLICE("No server runs with this configuration; what follows was "
                                               "looked at without it (DKIM keys cannot be compared)."),
                                 .mend = slice_str(mend)});
}

/* The domains come from the directory alone. */
static bool doctor_down(struct tool *t, struct call *c, struct doctor_rows *r)
{
    struct err_detail detail = {""};
    json_t *rows = json_array(), *row;
    const char *domains[DOCTOR_HERE_MAX];
    size_t n = 0, i;
    bool good;
    if (call_run(c, "domain list", NULL, 0, (slice){0}, rows, &detail) != OK) {
        (void)tool_fail("%s", detail.text);
        json_decref(rows);
        return false;
    }
    call_close(c);
    json_array_foreach(rows, i, row)
    {
        const char *name = tool_text(row, "domain");
        if (!*name || (t->n_args && strcmp(name, t->args[0]) != 0))
            continue;
        r->domains++;
        if (n < ARRAY_LEN(domains))
            domains[n++] = name;
    }
    r->looked = (json_int_t)n;
    doctor_server_down(t, r->findings);
    progress_show(r, "asking the name servers, connecting to each port");
    good = doctor_here(t, domains, n, NULL, r->findings);
    json_decref(rows);
    return good;
}

static bool doctor_ask(struct tool *t, struct doctor_rows *r)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct err_detail detail = {""};
    if (!tool_config(t) || !call_open(&c, t, true))
        return false;
    if (c.pid > 0)
        return doctor_down(t, &c, r);
    if (call_each(&c, "doctor", t->args, t->n_args, doctor_row, r, &detail) == OK)
        return true;
    progress_clear(r);
    (void)tool_fail("%s", detail.text);
    return false;
}

static enum tool_exit doctor_probe(struct tool *t)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct err_detail detail = {""};
    if (!tool_config(t) || !call_open(&c, t, false))
        return DOCTOR_ERRORS;
    if (call_run(&c, "doctor probe", NULL, 0, (slice){0}, NULL, &detail) != OK) {
        (void)tool_fail("%s", detail.text);
        return DOCTOR_ERRORS;
    }
    tool_say(t, "%s", detail.text);
    return TOOL_DONE;
}

static enum tool_exit doctor_run(struct tool *t)
{
    struct doctor_rows r = {.tool = t, .findings = json_array()};
    enum tool_exit x = DOCTOR_ERRORS;
    const char *before = t->options[TOOL_BEFORE_INSTALL];
    bool good;
    if (tool_has(t, TOOL_PROBE) && (before || t->n_args)) {
        json_decref(r.findings);
        return tool_misuse(t, "--probe stands alone: each domain gets its probe");
    }
    if (!before && (tool_has(t, TOOL_RESOLVER) || tool_has(t, TOOL_OUTWARD))) {
        json_decref(r.findings);
        return tool_misuse(t, "--resolver and --outward go with --before-install");
    }
    if (tool_has(t, TOOL_PROBE)) {
        json_decref(r.findings);
        return doctor_probe(t);
    }
    if (before && t->n_args != 1) {
        json_decref(r.findings);
        return tool_misuse(t, "name the domain whose mail the server shall take, behind the address");
    }
    if (before)
        progress_show(&r, "looking at this machine, the network and the DNS");
    good = before ? doctor_here(t, t->args, t->n_args, before, r.findings) : doctor_ask(t, &r);
    progress_clear(&r);
    if (good)
        x = doctor_show(&r, t->n_args ? t->args[0] : "");
    json_decref(r.findings);
    return x;
}

const struct tool_command cmd_doctor_table[] = {
    {"doctor", NULL, "[DOMAIN]", "what is wrong, why it matters, and what mends it",
     1u << TOOL_BEFORE_INSTALL | 1u << TOOL_RESOLVER | 1u << TOOL_OUTWARD | 1u << TOOL_PROBE, 0, 1,
     doctor_run},
    {0},
};
