#include "proc/relay/admin.h"

#include "ipc/directory_relay.h"
#include "proc/relay/job.h"
#include "proc/relay/schedule.h"
#include "sys/clock.h"

#include <stdlib.h>

#define ADMIN_LIST_MAX  100000 /* messages one list shows */
#define ADMIN_JSON_MAX  65536
#define ADMIN_RCPTS_MAX 50 /* of one message in a list */

/* The ids that the list under way shows. A new list replaces it. */
static struct {
    uint64_t *ids;
    size_t n, room;
} list;

/* --- JSON */

/* Any octets as a JSON string: what is not printable ASCII leaves as \u00XX. */
static void json_string(struct buf *b, slice s)
{
    (void)buf_byte(b, '"'); /* asked for at the end, here and below */
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '"' || c == '\\')
            (void)buf_print(b, "\\%c", c);
        else if (c == '\n')
            (void)buf_str(b, "\\n");
        else if (c < 0x20 || c > 0x7e)
            (void)buf_print(b, "\\u%04x", c);
        else
            (void)buf_byte(b, c);
    }
    (void)buf_byte(b, '"');
}

static void json_text(struct buf *b, const char *name, slice value)
{
    (void)buf_print(b, ",\"%s\":", name);
    json_string(b, value);
}

static void json_number(struct buf *b, const char *name, int64_t value)
{
    (void)buf_print(b, ",\"%s\":%lld", name, (long long)value);
}

static void admin_rcpt_json(struct buf *b, const struct queue_rcpt *r)
{
    static const char *const states[] = {
        [QUEUE_WAITING] = "waiting", [QUEUE_HELD] = "held", [QUEUE_FAILED] = "failed"};
    (void)buf_str(b, "{\"address\":");
    json_string(b, r->address);
    json_text(b, "state", slice_str(states[r->state]));
    json_number(b, "attempts", r->attempts);
    if (r->state != QUEUE_WAITING)
        json_text(b, "reason", r->reason);
    if (r->state != QUEUE_HELD)
        json_number(b, "due", r->due);
    if (r->last_attempt) {
        json_number(b, "last_attempt", r->last_attempt);
        json_number(b, "code", r->code);
        json_text(b, "reply", r->reply);
        json_text(b, "host", r->host);
    }
    (void)buf_byte(b, '}');
}

static void admin_message_json(struct buf *b, const struct queue_message *m, size_t rcpts_max)
{
    char id[MAIL_ID_TEXT + 1];
    mail_id_print(m->id, id);
    (void)buf_print(b, "{\"id\":\"%s\"", id);
    json_text(b, "sender", m->sender);
    json_number(b, "arrived", m->arrived);
    json_number(b, "bytes", (int64_t)(m->body_bytes + m->prefix.n));
    json_text(b, "message_id", m->message_id);
    json_number(b, "recipient_count", (int64_t)m->n_rcpts);
    (void)buf_str(b, ",\"recipients\":[");
    for (size_t i = 0; i < m->n_rcpts && i < rcpts_max; i++) {
        if (i)
            (void)buf_byte(b, ',');
        admin_rcpt_json(b, &m->rcpts[i]);
    }
    (void)buf_str(b, "]}");
}

/* --- answers */

static void admin_answer(struct chan *c, uint64_t id, enum err e, const char *text, slice json, uint32_t next)
{
    const struct queue_row m = {
        .err = (uint32_t)e, .text = slice_sub(slice_str(text), 0, TEXT_MAX), .json = json, .next = next};
    IGNORE_RESULT(chan_reply(c, id, DIRECTORY_RELAY_ROW, &m, NULL, 0), "directory gone: nobody listens");
}

/* One message as a row; false when it is gone. */
static bool admin_json(struct relay *r, uint64_t id, struct buf *out, size_t rcpts_max)
{
    struct arena a;
    struct queue_message m;
    enum err e;
    arena_init(&a, "admin", (size_t)32 << 20);
    e = queue_load(r->queue, id, &a, &m);
    buf_clear(out);
    if (e == OK) {
        admin_message_json(out, &m, rcpts_max);
        while (buf_failed(out) && rcpts_max) {
            buf_clear(out);
            rcpts_max /= 4; /* long replies: show fewer recipients */
            admin_message_json(out, &m, rcpts_max);
        }
    } else if (e == ERR_CORRUPT) {
        char text[MAIL_ID_TEXT + 1];
        mail_id_print(id, text);
        (void)buf_print(
            out, "{\"id\":\"%s\",\"state\":\"quarantined\",\"reason\":\"its record or body is damaged\"}",
            text);
    }
    arena_done(&a);
    return e == OK || e == ERR_CORRUPT;
}

static bool admin_collect(void *arg, const struct queue_entry *entry)
{
    (void)arg;
    if (list.n == list.room) {
        list.room = list.room ? 2 * list.room : 256;
        list.ids = realloc(list.ids, list.room * sizeof *list.ids);
        must(list.ids);
    }
    list.ids[list.n++] = entry->id;
    return list.n < ADMIN_LIST_MAX;
}

/* The list from its row `from` on: the first one that is still there. */
static void admin_list_row(struct relay *r, struct chan *c, uint64_t id, size_t from)
{
    struct buf json CLEANUP(buf_done);
    buf_init(&json, ADMIN_JSON_MAX);
    for (; from < list.n; from++)
        if (admin_json(r, list.ids[from], &json, ADMIN_RCPTS_MAX)) {
            admin_answer(c, id, OK, "", buf_view(&json), from + 1 < list.n ? (uint32_t)from + 1 : 0);
            return;
        }
    admin_answer(c, id, OK, "", (slice){0}, 0);
}

/* --- verbs */

typedef enum err (*admin_change_fn)(struct relay *r, struct queue_message *m, slice text,
                                    const char **out_why);

/* Writes the recipients that changed; which ones: those whose state or due differ from before. */
static enum err admin_store(struct relay *r, const struct queue_message *m)
{
    struct queue_op *ops = calloc(m->n_rcpts, sizeof *ops);
    time_ms due = INT64_MAX;
    enum err e;
    must(ops);
    for (size_t i = 0; i < m->n_rcpts; i++) {
        ops[i] = (struct queue_op){.type = QUEUE_RCPT, .id = m->id, .rcpt = m->rcpts[i]};
        if (m->rcpts[i].state != QUEUE_HELD && m->rcpts[i].due < due)
            due = m->rcpts[i].due;
    }
    e = queue_write(r->queue, ops, m->n_rcpts);
    free(ops);
    if (e == OK)
        schedule_put(r->schedule, m->id, due);
    return e;
}

static void admin_tell(struct relay *r, const struct queue_message *m, enum journal_kind kind, slice text)
{
    for (size_t i = 0; i < m->n_rcpts; i++)
        role_tell(r->role, (struct journal_event){.kind = kind,
                                                  .mail = m->id,
                                                  .connection = m->connection,
                                                  .address = m->rcpts[i].address,
                                                  .text = text});
}

static enum err admin_retry(struct relay *r, struct queue_message *m, slice text, const char **out_why)
{
    bool any = false;
    (void)text;
    for (size_t i = 0; i < m->n_rcpts; i++)
        if (m->rcpts[i].state == QUEUE_WAITING) {
            m->rcpts[i].due = clock_unix();
            any = true;
        }
    if (!any) {
        *out_why = "it is held: release it first";
        return ERR_STATE;
    }
    admin_tell(r, m, JOURNAL_RETRY_ASKED, (slice){0});
    return admin_store(r, m);
}

static enum err admin_hold(struct relay *r, struct queue_message *m, slice text, const char **out_why)
{
    (void)out_why;
    for (size_t i = 0; i < m->n_rcpts; i++) {
        m->rcpts[i].state = QUEUE_HELD;
        m->rcpts[i].reason = text.n ? text : SLICE("held by the administrator");
    }
    admin_tell(r, m, JOURNAL_HELD, m->rcpts[0].reason);
    return admin_store(r, m);
}

static enum err admin_release(struct relay *r, struct queue_message *m, slice text, const char **out_why)
{
    bool any = false;
    (void)text;
    for (size_t i = 0; i < m->n_rcpts; i++)
        if (m->rcpts[i].state != QUEUE_WAITING) {
            m->rcpts[i].state = QUEUE_WAITING;
            m->rcpts[i].due = clock_unix();
            any = true;
        }
    if (!any) {
        *out_why = "it is not held";
        return ERR_STATE;
    }
    admin_tell(r, m, JOURNAL_RELEASED, (slice){0});
    return admin_store(r, m);
}

static enum err admin_drop(struct relay *r, struct queue_message *m, slice text, const char **out_why)
{
    struct queue_op op = {.type = QUEUE_DROP, .id = m->id};
    enum err e = queue_write(r->queue, &op, 1);
    (void)text, (void)out_why;
    if (e)
        return e;
    admin_tell(r, m, JOURNAL_DROPPED, (slice){0});
    schedule_put(r->schedule, m->id, INT64_MAX);
    return OK;
}

static enum err admin_change(struct relay *r, uint64_t id, admin_change_fn fn, slice text,
                             const char **out_why)
{
    struct arena a;
    struct queue_message m;
    enum err e;
    if (job_find(r, id)) {
        *out_why = "it is being sent at this moment: ask again in a little while";
        return ERR_BUSY;
    }
    arena_init(&a, "admin", (size_t)32 << 20);
    e = queue_load(r->queue, id, &a, &m);
    if (e == OK) {
        e = fn(r, &m, text, out_why);
    } else if (e == ERR_CORRUPT && fn == admin_drop) {
        m = (struct queue_message){.id = id};
        e = admin_drop(r, &m, text, out_why);
    } else if (e == ERR_CORRUPT) {
        *out_why = "its record is damaged: it can only be dropped";
    } else if (e == ERR_NOT_FOUND) {
        *out_why = "no such message is in the queue";
    }
    arena_done(&a);
    return e;
}

static const struct {
    const char *verb, *done;
    admin_change_fn fn;
    bool all; /* works without an id on every message */
} admin_verbs[] = {
    {"retry", "will be tried now", admin_retry, true},
    {"hold", "will stay until released", admin_hold, true},
    {"release", "will be tried now", admin_release, true},
    {"drop", "dropped: nobody is told", admin_drop, false},
};

static void admin_change_all(struct relay *r, struct chan *c, uint64_t id, size_t verb, slice text)
{
    char words[128];
    struct buf b;
    size_t done = 0;
    list.n = 0;
    enum err e = queue_each(r->queue, 0, admin_collect, NULL);
    for (size_t i = 0; e == OK && i < list.n; i++) {
        const char *why = NULL;
        done += admin_change(r, list.ids[i], admin_verbs[verb].fn, text, &why) == OK;
    }
    list.n = 0;
    buf_init(&b, sizeof words - 1);
    (void)buf_print(&b, "%zu messages: %s", done, admin_verbs[verb].done);
    memcpy(words, b.p, b.n);
    words[b.n] = 0;
    buf_done(&b);
    admin_answer(c, id, e, e ? err_text(e) : words, (slice){0}, 0);
    relay_go_on(r);
}

static void admin_call(struct relay *r, struct chan *c, uint64_t id, const struct queue_call *m)
{
    uint64_t mail = 0;
    if (m->id.n && mail_id_parse(m->id, &mail)) {
        admin_answer(c, id, ERR_USAGE, "this is no message id; posthorn queue list shows them", (slice){0},
                     0);
        return;
    }
    if (slice_eq(m->verb, SLICE("list")) && !mail) {
        list.n = 0;
        enum err e = queue_each(r->queue, 0, admin_collect, NULL);
        if (e)
            admin_answer(c, id, e, err_text(e), (slice){0}, 0);
        else
            admin_list_row(r, c, id, 0);
        return;
    }
    if (slice_eq(m->verb, SLICE("list")) || slice_eq(m->verb, SLICE("show"))) {
        struct buf json CLEANUP(buf_done);
        buf_init(&json, ADMIN_JSON_MAX);
        if (admin_json(r, mail, &json, QUEUE_RCPTS_MAX))
            admin_answer(c, id, OK, "", buf_view(&json), 0);
        else
            admin_answer(c, id, ERR_NOT_FOUND, "no such message is in the queue", (slice){0}, 0);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(admin_verbs); i++) {
        const char *why = NULL;
        if (!slice_eq(m->verb, slice_str(admin_verbs[i].verb)))
            continue;
        if (!mail && admin_verbs[i].all) {
            admin_change_all(r, c, id, i, m->text);
            return;
        }
        if (!mail)
            break;
        enum err e = admin_change(r, mail, admin_verbs[i].fn, m->text, &why);
        admin_answer(c, id, e, e ? (why ? why : err_text(e)) : admin_verbs[i].done, (slice){0}, 0);
        relay_go_on(r);
        return;
    }
    admin_answer(c, id, ERR_USAGE,
                 "the queue knows list, show ID, retry [ID], hold [ID], release [ID] and drop ID", (slice){0},
                 0);
}

void admin_message(struct relay *r, struct chan *c, uint16_t type, uint64_t id, const void *message)
{
    if (type == DIRECTORY_RELAY_CALL)
        admin_call(r, c, id, message);
    else if (type == DIRECTORY_RELAY_MORE)
        admin_list_row(r, c, id, ((const struct queue_more *)message)->next);
}
