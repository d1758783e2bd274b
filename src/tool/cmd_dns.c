/* posthorn dns: the records of a domain, as doctor plans them: as a zone file, to copy into a web page, as
 * JSON, or pushed to a name server. */
#include "tool/call.h"

#include <stdio.h>
#include <unistd.h>

static bool dns_is(const json_t *o, const char *member, const char *value)
{
    return strcmp(tool_text(o, member), value) == 0;
}

/* Is it a record, not the heading and not a note? */
static bool dns_is_record(const json_t *row)
{
    return json_object_get(row, "data") != NULL;
}

static const json_t *dns_heading(const json_t *rows)
{
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row) if (dns_is(row, "kind", "plan")) return row;
    return NULL;
}

/* A sentence as comment lines of at most 96 columns, each behind prefix. */
static void dns_wrapped(const char *prefix, const char *text)
{
    while (*text) {
        size_t n = strlen(text), room = 96 - strlen(prefix);
        if (n > room) {
            n = room;
            while (n > 1 && text[n] != ' ')
                n--;
            if (n == 1)
                n = room;
        }
        printf("%s%.*s\n", prefix, (int)n, text);
        text += n;
        while (*text == ' ')
            text++;
    }
}

static void dns_notes(const json_t *rows, const char *prefix)
{
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        if (!dns_is(row, "kind", "note"))
            continue;
        printf("%s\n", prefix);
        dns_wrapped(prefix, tool_text(row, "text"));
    }
}

/* The next record that belongs to an owner, from row *at on; NULL: no more. */
static const json_t *dns_next(const json_t *rows, const char *owner, size_t *at)
{
    while (*at < json_array_size(rows)) {
        const json_t *r = json_array_get(rows, (*at)++);
        if (dns_is_record(r) && dns_is(r, "owner", owner))
            return r;
    }
    return NULL;
}

/* ---- a zone file */

static void dns_zone_line(const char *prefix, const json_t *r)
{
    printf("%s%s. %lld IN %s %s\n", prefix, tool_text(r, "name"),
           (long long)json_integer_value(json_object_get(r, "ttl")), tool_text(r, "type"),
           tool_text(r, "data"));
}

/* The records of one owner; those of others than the two zones are comments, so that the whole can be loaded.
 */
static void dns_zone_part(const json_t *rows, const char *owner, const char *title, bool comment)
{
    const json_t *r;
    const char *why = "";
    size_t at = 0;
    for (bool first = true; (r = dns_next(rows, owner, &at)); first = false) {
        if (first)
            printf("\n; ==== %s\n", title);
        if (strcmp(why, tool_text(r, "why")) != 0) {
            printf("\n");
            dns_wrapped("; ", tool_text(r, "why"));
        }
        why = tool_text(r, "why");
        dns_zone_line(comment ? ";   " : "", r);
    }
}

static void dns_zone(const json_t *rows)
{
    const json_t *head = dns_heading(rows);
    printf("; The records of %s, by Posthorn.\n", tool_text(head, "domain"));
    dns_notes(rows, "; ");
    dns_zone_part(rows, "domain", "in the zone of the domain", false);
    dns_zone_part(rows, "host", "in the zone of the host name (or above the delegated zone)", false);
    dns_zone_part(rows, "provider", "set by whoever gave you the address", true);
    dns_zone_part(rows, "posthorn", "answered by this server itself: nothing to do", true);
}

/* ---- web panels */

/* Panels want the name without the zone; "@" is the zone itself. */
static void dns_panel_name(const char *name, const char *zone)
{
    size_t n = strlen(name), z = strlen(zone);
    if (z && strcmp(name, zone) == 0)
        printf("  Name   @   (in full: %s)\n", name);
    else if (z && n > z + 1 && name[n - z - 1] == '.' && strcmp(name + n - z, zone) == 0)
        printf("  Name   %.*s   (in full: %s)\n", (int)(n - z - 1), name, name);
    else
        printf("  Name   %s\n", name);
}

static void dns_panel_record(const json_t *r, const char *zone)
{
    const char *joined = tool_text(r, "joined"), *data = tool_text(r, "data");
    printf("\n%s\n", json_is_true(json_object_get(r, "must")) ? "Needed" : "Good to have");
    dns_wrapped("  ", tool_text(r, "why"));
    dns_panel_name(tool_text(r, "name"), zone);
    printf("  Type   %s\n", tool_text(r, "type"));
    printf("  TTL    %lld\n", (long long)json_integer_value(json_object_get(r, "ttl")));
    if (dns_is(r, "type", "TXT")) {
        printf("  Value  ");
        tool_print_text(joined);
        printf("\n");
        if (strlen(joined) > 255)
            printf("  or, where the page wants pieces of at most 255 characters:\n         %s\n", data);
    } else {
        printf("  Value  %s\n", data);
    }
}

static void dns_panel_part(const json_t *rows, const char *owner, const char *title, const char *zone)
{
    const json_t *r;
    size_t at = 0;
    for (bool first = true; (r = dns_next(rows, owner, &at)); first = false) {
        if (first)
            printf("\n==== %s\n", title);
        dns_panel_record(r, zone);
    }
}

static void dns_panel(const json_t *rows)
{
    const char *domain = tool_text(dns_heading(rows), "domain");
    char title[320];
    printf("The records of %s. Names are shown as most pages want them: without the domain, @ for the domain "
           "itself.\n",
           domain);
    dns_notes(rows, "");
    snprintf(title, sizeof title, "To be set where %.250s is kept", domain);
    dns_panel_part(rows, "domain", title, domain);
    dns_panel_part(rows, "host", "To be set where the name of this server is kept", "");
    dns_panel_part(rows, "provider", "To be set by whoever gave you the address", "");
    dns_panel_part(rows, "posthorn", "Answered by this server itself: nothing to do", "");
}

/* ---- pushing */

static void dns_push_print(const json_t *rows)
{
    const json_t *r;
    size_t i;
    json_array_foreach(rows, i, r)
    {
        printf("%-9s ", tool_text(r, "action"));
        tool_print_text(tool_text(r, "line"));
        printf("\n");
        if (*tool_text(r, "text"))
            dns_wrapped("          ", tool_text(r, "text"));
    }
}

static enum tool_exit dns_push(struct tool *t, struct call *c)
{
    const char *args[3] = {t->args[0], tool_has(t, TOOL_DRY_RUN) ? "dry-run" : "push",
                           tool_has(t, TOOL_FORCE) ? "force" : ""};
    struct err_detail detail = {""};
    json_t *rows = json_array();
    enum err e = call_run(c, "dns push", args, 3, (slice){0}, rows, &detail);
    if (t->json)
        tool_print_json(rows);
    else
        dns_push_print(rows);
    json_decref(rows);
    if (e)
        return tool_fail("%s", detail.text);
    tool_say(t, "%s", detail.text);
    return TOOL_DONE;
}

static enum tool_exit dns_run(struct tool *t)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct err_detail detail = {""};
    json_t *rows;
    enum err e;
    if (!tool_has(t, TOOL_PUSH) && (tool_has(t, TOOL_DRY_RUN) || tool_has(t, TOOL_FORCE)))
        return tool_misuse(t, "--dry-run and --force go with --push");
    if (tool_has(t, TOOL_ZONE) + tool_has(t, TOOL_PANEL) + tool_has(t, TOOL_PUSH) > 1)
        return tool_misuse(t, "--zone, --panel and --push are three different things: give one");
    if (!tool_config(t) || !call_open(&c, t, false))
        return TOOL_FAILED;
    if (tool_has(t, TOOL_PUSH))
        return dns_push(t, &c);
    rows = json_array();
    e = call_run(&c, "dns", t->args, 1, (slice){0}, rows, &detail);
    if (e == OK && t->json)
        tool_print_json(rows);
    else if (e == OK && (tool_has(t, TOOL_PANEL) || (!tool_has(t, TOOL_ZONE) && isatty(STDOUT_FILENO))))
        dns_panel(rows);
    else if (e == OK)
        dns_zone(rows);
    json_decref(rows);
    return e ? tool_fail("%s", detail.text) : TOOL_DONE;
}

const struct tool_command cmd_dns_table[] = {
    {"dns", NULL, "DOMAIN", "the DNS records a domain should have",
     1u << TOOL_ZONE | 1u << TOOL_PANEL | 1u << TOOL_PUSH | 1u << TOOL_DRY_RUN | 1u << TOOL_FORCE, 1, 1,
     dns_run},
    {0},
};
