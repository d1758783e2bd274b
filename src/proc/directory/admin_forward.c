/* admin_forward: what relay (queue), journal (trace) and supervisor (status) know. Their rows come in several
 * replies; the next is asked for when one has come. */
#include "ipc/directory_journal.h"
#include "ipc/directory_relay.h"
#include "proc/directory/admin.h"

#include <stdio.h>

#define FORWARD_MS    (20 * MS_SECOND)
#define FORWARD_SLICE 16384 /* text goes out in rows of this many bytes */

static void forward_keep(char *to, size_t cap, slice s)
{
    size_t n = size_min(s.n, cap - 1);
    if (n)
        memcpy(to, s.p, n);
    to[n] = 0;
}

static const char *forward_down(const char *who, enum err e, char out[128])
{
    snprintf(out, 128, "%s does not answer (%s); see posthorn status", who, err_text(e));
    return out;
}

/* ---- queue */

static void queue_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds);

static enum err queue_ask(struct admin *a, uint32_t next)
{
    struct role_self *r = a->keeper->role;
    struct queue_more more = {next, slice_str(a->query)};
    struct queue_call call = {slice_str(a->verb), slice_str(a->query), slice_str(a->text)};
    return next ? role_call(r, ROLE_RELAY, DIRECTORY_RELAY_MORE, &more, NULL, 0, FORWARD_MS, queue_reply, a)
                : role_call(r, ROLE_RELAY, DIRECTORY_RELAY_CALL, &call, NULL, 0, FORWARD_MS, queue_reply, a);
}

static void queue_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct admin *a = arg;
    const struct queue_row *row = message;
    char text[TEXT_MAX + 1];
    (void)fds, (void)n_fds;
    if (e != OK) {
        admin_end(a, e, forward_down("relay", e, text));
        return;
    }
    if (row->json.n) {
        buf_append(admin_row_begin(a), row->json);
        admin_row_end(a);
    }
    forward_keep(text, sizeof text, row->text);
    e = err_from_wire(row->err);
    if (e == OK && row->next) {
        e = queue_ask(a, row->next);
        if (e == OK)
            return;
        forward_down("relay", e, text);
    }
    admin_end(a, e, e != OK && !text[0] ? err_text(e) : text);
}

static enum err queue_run(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    enum err e;
    char text[128];
    forward_keep(a->verb, sizeof a->verb, slice_from(m->verb, sizeof "queue " - 1));
    forward_keep(a->query, sizeof a->query, admin_arg(m, 0));
    forward_keep(a->text, sizeof a->text, admin_arg(m, 1));
    e = queue_ask(a, 0);
    if (e == OK)
        return ERR_MORE;
    err_detail_set(detail, "%s", forward_down("relay", e, text));
    return e;
}

/* ---- trace: query, since (Unix ms), "json" or nothing */

static void trace_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds);

static enum err trace_ask_from(struct admin *a, uint32_t from)
{
    struct trace_ask m = {slice_str(a->query), a->since, from, a->json};
    return role_call(a->keeper->role, ROLE_JOURNAL, DIRECTORY_JOURNAL_ASK, &m, NULL, 0, FORWARD_MS,
                     trace_reply, a);
}

static void trace_row_pass(struct admin *a, slice text)
{
    slice line;
    if (a->json) { /* an object a line */
        struct cursor c = cursor_of(text);
        while (cursor_line(&c, &line))
            if (line.n) {
                buf_append(admin_row_begin(a), line);
                admin_row_end(a);
            }
        return;
    }
    while (text.n) {
        slice part = slice_sub(text, 0, FORWARD_SLICE);
        size_t end = slice_rindex(part, '\n');
        if (text.n > FORWARD_SLICE && end < part.n)
            part.n = end + 1;
        journal_event_json(admin_row_begin(a), part);
        admin_row_end(a);
        text = slice_from(text, part.n);
    }
}

static void trace_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct admin *a = arg;
    const struct trace_row *row = message;
    char text[128];
    (void)fds, (void)n_fds;
    if (e != OK) {
        admin_end(a, e, forward_down("journal", e, text));
        return;
    }
    e = err_from_wire(row->err);
    if (e == OK) {
        a->any = a->any || row->text.n;
        trace_row_pass(a, row->text);
        if (row->next && (e = trace_ask_from(a, row->next)) == OK)
            return;
    }
    if (e == ERR_NOT_FOUND && a->any)
        e = OK;
    if (e == ERR_NOT_FOUND || (e == OK && !a->any))
        admin_end(a, ERR_NOT_FOUND,
                  "the journal knows nothing of that; it keeps 90 days, and looks for a whole address, "
                  "Message-ID, IP "
                  "address or mail id");
    else
        admin_end(a, e, e == OK ? "" : forward_down("journal", e, text));
}

static enum err trace_run(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    char text[128];
    uint64_t since = 0;
    enum err e;
    if (admin_arg(m, 1).n && !slice_u64(admin_arg(m, 1), &since)) {
        err_detail_set(detail, "the time to begin at is no number");
        return ERR_SYNTAX;
    }
    forward_keep(a->query, sizeof a->query, admin_arg(m, 0));
    a->since = (int64_t)(since & INT64_MAX);
    a->json = slice_eq(admin_arg(m, 2), SLICE("json"));
    e = trace_ask_from(a, 0);
    if (e == OK)
        return ERR_MORE;
    err_detail_set(detail, "%s", forward_down("journal", e, text));
    return e;
}

/* ---- status */

static void status_role(struct buf *b, const struct control_role *role)
{
    buf_byte(b, '{');
    admin_json_text(b, "role", slice_str(role_name((enum role)role->role)));
    admin_json_u64(b, "index", role->index);
    admin_json_u64(b, "pid", role->pid);
    admin_json_bool(b, "ready", role->ready);
    admin_json_u64(b, "restarts", role->restarts);
    admin_json_time(b, "since", role->since);
    buf_str(b, ",\"facts\":{");
    for (size_t i = 0; i < role->n_facts; i++) {
        if (i)
            buf_byte(b, ',');
        journal_event_json(b, role->facts[i].name);
        buf_byte(b, ':');
        journal_event_json(b, role->facts[i].value);
    }
    buf_str(b, "}}");
}

static void status_reply(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct admin *a = arg;
    const struct control_house *m = message;
    char text[128];
    struct buf *b;
    (void)fds, (void)n_fds;
    if (e == OK && m->n_roles == 0)
        e = ERR_BUSY;
    if (e != OK) {
        admin_end(a, e, forward_down("supervisor", e, text));
        return;
    }
    b = admin_row_begin(a);
    buf_byte(b, '{');
    admin_json_text(b, "hostname", m->hostname);
    admin_json_text(b, "version", m->version);
    admin_json_time(b, "since", m->since);
    buf_str(b, ",\"roles\":[");
    for (size_t i = 0; i < m->n_roles; i++) {
        if (i)
            buf_byte(b, ',');
        status_role(b, &m->roles[i]);
    }
    buf_str(b, "]}");
    admin_row_end(a);
    admin_end(a, OK, "");
}

static enum err status_run(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    char text[128];
    enum err e;
    (void)m;
    e = role_call_supervisor(a->keeper->role, CONTROL_HOUSE_ASK, NULL, FORWARD_MS, status_reply, a);
    if (e == OK)
        return ERR_MORE;
    err_detail_set(detail, "%s", forward_down("supervisor", e, text));
    return e;
}

const struct admin_verb admin_forwards[] = {
    {"queue list", 0, 1, queue_run}, {"queue show", 1, 1, queue_run},    {"queue retry", 0, 1, queue_run},
    {"queue hold", 0, 2, queue_run}, {"queue release", 0, 1, queue_run}, {"queue drop", 1, 1, queue_run},
    {"trace", 1, 3, trace_run},      {"status", 0, 0, status_run},
};
const size_t admin_forwards_n = ARRAY_LEN(admin_forwards);
