/* posthorn dkim: the keys that sign mail. They are made and rolled by themselves; this shows them, and takes
 * in a key of another server, so that a selector that is in the DNS already goes on. */
#include "base/secret.h"
#include "sys/fd.h"
#include "text/base64.h"
#include "tool/call.h"
#include "tool/read.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define DKIM_KEY_FILE_MAX  8192
#define DKIM_KEY_FILE_ROOM ((size_t)128 * 1024) /* read_file() reads in pieces of 64 KB */

/* "2026-11-22" of "2026-11-22T00:35:00Z" */
static const char *dkim_day(const json_t *value, char out[64])
{
    const char *s = json_string_value(value);
    snprintf(out, 64, "%.10s", s ? s : "-");
    return out;
}

static void dkim_print(const struct tool *t, const json_t *rows)
{
    static const struct tool_column columns[] = {
        {"DOMAIN", "domain", NULL}, {"SELECTOR", "selector", NULL}, {"ALGORITHM", "algorithm", NULL},
        {"STATE", "state", NULL},   {"SINCE", "since", dkim_day},   {"", "note", NULL}};
    bool notes = json_object_get(json_array_get(rows, 0), "note") != NULL;
    tool_print_rows(t, rows, columns, ARRAY_LEN(columns) - !notes,
                    "There are no keys yet; they are made for each domain within the minute.");
}

static enum tool_exit dkim_rows(struct tool *t, const char *verb)
{
    struct err_detail done = {""};
    json_t *rows = json_array();
    enum tool_exit x = call_server(t, verb, rows, &done);
    if (x == TOOL_DONE)
        dkim_print(t, rows);
    if (x == TOOL_DONE && done.text[0])
        tool_say(t, "%s", done.text);
    json_decref(rows);
    return x;
}

/* All keys, page by page until one is empty. */
static enum tool_exit dkim_all(struct tool *t)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct err_detail done = {""};
    json_t *rows = json_array();
    size_t before;
    enum err e = OK;
    if (!tool_config(t) || !call_open(&c, t, false)) {
        json_decref(rows);
        return TOOL_FAILED;
    }
    do {
        const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
        char after[512];
        const char *args[] = {"*", after};
        snprintf(after, sizeof after, "%s,%s", tool_text(last, "domain"), tool_text(last, "selector"));
        before = json_array_size(rows);
        e = call_run(&c, "dkim list", args, before ? 2 : 1, (slice){0}, rows, &done);
    } while (e == OK && json_array_size(rows) > before);
    if (e == OK)
        dkim_print(t, rows);
    json_decref(rows);
    return e == OK ? TOOL_DONE : tool_fail("%s", done.text);
}

static enum tool_exit dkim_list(struct tool *t)
{
    return t->n_args ? dkim_rows(t, "dkim list") : dkim_all(t);
}

static enum tool_exit dkim_check(struct tool *t)
{
    return dkim_rows(t, "dkim check");
}

static enum tool_exit dkim_rotate(struct tool *t)
{
    return dkim_rows(t, "dkim rotate");
}

/* The TXT records, as a zone file has them: strings of up to 255 octets (RFC 1035 §3.3.14). */
static void dkim_print_record(const json_t *o)
{
    const char *record = tool_text(o, "record");
    size_t n = strlen(record);
    if (!n)
        return;
    printf("; %s: %s\n", tool_text(o, "state"), tool_text(o, "note"));
    printf("%s._domainkey.%s. 3600 IN TXT", tool_text(o, "selector"), tool_text(o, "domain"));
    for (size_t i = 0; i < n; i += 255)
        printf(" \"%.255s\"", record + i);
    puts("");
}

static enum tool_exit dkim_show(struct tool *t)
{
    struct err_detail done = {""};
    json_t *rows = json_array(), *row;
    size_t i;
    enum tool_exit x = call_server(t, "dkim show", rows, &done);
    if (x == TOOL_DONE && t->json)
        tool_print_json(rows);
    else if (x == TOOL_DONE)
        json_array_foreach(rows, i, row) dkim_print_record(row);
    json_decref(rows);
    return x;
}

/* ---- import */

/* Room for a key: all of it at once, so that no copy stays where it grew. */
static bool dkim_room(struct buf *b)
{
    return buf_reserve(b, b->max) != NULL;
}

static void dkim_wipe(struct buf *b)
{
    if (b->p)
        secret_wipe(b->p, b->cap);
    buf_done(b);
}

/* rspamadm writes Ed25519 keys as base64 of the 32 octets of the key, with or without the public ones behind
 * them; PEM is the same in the frame of RFC 8410 §7. False: the text is something else. */
static bool dkim_bare_key(slice text, struct buf *out_pem)
{
    static const uint8_t frame[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    struct buf octets CLEANUP(dkim_wipe) = {.max = 96};
    struct buf framed CLEANUP(dkim_wipe) = {.max = sizeof frame + 32};
    if (text.n > 100 || !dkim_room(&octets) || !dkim_room(&framed) || base64_decode(text, &octets) != OK ||
        (octets.n != 32 && octets.n != 64))
        return false;
    buf_append(&framed, slice_of(frame, sizeof frame));
    buf_append(&framed, slice_of(octets.p, 32));
    buf_str(out_pem, "-----BEGIN PRIVATE KEY-----\n");
    base64_encode(buf_view(&framed), out_pem);
    buf_str(out_pem, "\n-----END PRIVATE KEY-----\n");
    return true;
}

/* A sealed memfd with the key, which travels to role keys unread by those in between. -1: after saying why.
 */
static int dkim_key_fd(const char *path)
{
    struct buf text CLEANUP(dkim_wipe) = {.max = DKIM_KEY_FILE_ROOM};
    struct buf pem CLEANUP(dkim_wipe) = {.max = 512};
    int fd CLEANUP(fd_done) = -1;
    slice key;
    enum err e = dkim_room(&text) && dkim_room(&pem) ? read_file(path, &text) : ERR_MEMORY;
    if (e == OK && text.n > DKIM_KEY_FILE_MAX)
        e = ERR_TOO_LARGE;
    if (e != OK) {
        (void)tool_fail("cannot read %s: %s", path,
                        e == ERR_TOO_LARGE ? "it is too long for a key" : err_text(e));
        return -1;
    }
    key = dkim_bare_key(slice_trim(buf_view(&text)), &pem) ? buf_view(&pem) : buf_view(&text);
    fd = memfd_create("key", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || fd_write_all(fd, key) != OK ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        (void)tool_fail("there is no memory to hand the key over");
        return -1;
    }
    return fd_take(&fd);
}

static enum tool_exit dkim_import(struct tool *t)
{
    struct call c CLEANUP(call_close) = {.fd = -1, .lock = -1, .control = -1};
    struct err_detail done = {""};
    json_t *rows;
    enum err e;
    int fd CLEANUP(fd_done) = -1;
    if (!tool_config(t) || (fd = dkim_key_fd(t->args[2])) < 0 || !call_open(&c, t, false))
        return TOOL_FAILED;
    rows = json_array();
    e = call_run_with(&c, "dkim import", t->args, 2, fd, rows, &done);
    if (e == OK)
        dkim_print(t, rows);
    json_decref(rows);
    if (e != OK)
        return tool_fail("%s", done.text);
    if (done.text[0])
        fprintf(stderr, "posthorn: %s\n", done.text);
    tool_say(t, "The key is taken in; %s may be deleted here once mail is signed with it.", t->args[2]);
    return TOOL_DONE;
}

const struct tool_command cmd_dkim_table[] = {
    {"dkim", "list", "[DOMAIN]", "the keys that sign mail; of one domain with what the DNS shows", 0, 0, 1,
     dkim_list},
    {"dkim", "show", "DOMAIN", "the DNS records of a domain's keys", 0, 1, 1, dkim_show},
    {"dkim", "check", "DOMAIN", "look at the DNS now, and use keys whose records are there", 0, 1, 1,
     dkim_check},
    {"dkim", "rotate", "DOMAIN", "make the next keys now", 0, 1, 1, dkim_rotate},
    {"dkim", "import", "DOMAIN SELECTOR FILE",
     "take in a private key of another server, and its selector with it", 0, 3, 3, dkim_import},
    {0},
};
