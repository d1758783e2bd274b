/* The arrival of a message (connection, envelope, verdict, deliveries, reply) is told as one paragraph,
 * whatever the order in which the roles' events came in; every later event is a line of its own, from the
 * table of trace_sentence.c. */
#include "base/mail_id.h"
#include "policy/trace__.h"

#include <stdlib.h>

#define LINE_MAX_BYTES                                                                                       \
    262144 /* all that one paragraph names (trace_arrival.c), escaped at its longest, fits */

static int compare(const void *a, const void *b)
{
    const struct journal_event *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

void trace_sort(struct journal_event *events, size_t n)
{
    if (n > 1)
        qsort(events, n, sizeof *events, compare);
}

/* --- lines --- */

/* Walks the lines of a story: *at = 0 before the first. Appends the sentences of the next line and gives the
 * time it stands at. False when there are no more. */
static bool next_line(struct buf *b, const struct trace__arrival *a, const struct journal_event *events,
                      size_t n, size_t *at, bool *arrived, time_ms *out_time)
{
    while (*at < n) {
        const struct journal_event *e = &events[(*at)++];
        if (!trace__in_arrival(a, e)) {
            *out_time = e->at;
            trace__tell_one(b, e);
            return true;
        }
        if (!*arrived) {
            *arrived = true;
            *out_time = e->at;
            trace__tell_arrival(b, a, events, n);
            return true;
        }
    }
    return false;
}

static void put_heading(struct buf *b, uint64_t mail, const struct trace__arrival *a)
{
    char id[MAIL_ID_TEXT + 1];
    mail_id_print(mail, id);
    (void)buf_print(b, "Mail %s", id);
    if (a->message_id) {
        trace__put(b, ", Message-ID ");
        trace__put_outside(b, a->message_id->name);
    }
    trace__put(b, " (times in UTC)\n");
}

enum err trace_text(struct buf *out, const struct journal_event *events, size_t n)
{
    struct trace__arrival a = trace__arrival_of(events, n);
    CLEANUP(buf_done) struct buf line = {.max = LINE_MAX_BYTES};
    bool arrived = false;
    time_ms when = 0, before = -MS_DAY;
    size_t at = 0;

    if (n == 0)
        return OK;
    if (events[0].mail) {
        put_heading(&line, events[0].mail, &a);
        if (buf_append(out, buf_view(&line)))
            return ERR_LIMIT;
        buf_clear(&line);
    }
    while (next_line(&line, &a, events, n, &at, &arrived, &when)) {
        CLEANUP(buf_done) struct buf head = {.max = 64};
        size_t start = out->n;
        trace__put_when(&head, when, before);
        trace__put(&head, " ");
        trace__put(&line, "\n");
        if (buf_append(out, buf_view(&head)) || buf_append(out, buf_view(&line))) {
            buf_truncate(out, start);
            return ERR_LIMIT;
        }
        before = when;
        buf_clear(&line);
    }
    return OK;
}

/* --- JSON --- */

static void json_time(struct buf *b, time_ms at)
{
    trace__put(b, "\"");
    trace__put_date(b, at);
    trace__put(b, "T");
    trace__put_clock(b, at);
    (void)buf_print(b, ".%03dZ\"", (int)(at % 1000));
}

static void json_id(struct buf *b, uint64_t mail)
{
    char id[MAIL_ID_TEXT + 1];
    if (mail == 0) {
        trace__put(b, "null");
        return;
    }
    mail_id_print(mail, id);
    (void)buf_print(b, "\"%s\"", id);
}

static void json_event(struct buf *b, const struct journal_event *e)
{
    const struct {
        const char *name;
        slice value;
    } texts[] = {{"address", e->address}, {"peer", e->peer}, {"name", e->name}, {"text", e->text}};

    trace__put(b, "{\"at\": ");
    json_time(b, e->at);
    (void)buf_print(b, ", \"kind\": \"%s\", \"role\": \"%s\"", journal_kind_name((unsigned)e->kind),
                    journal_role_name((unsigned)e->role));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i].value.n == 0)
            continue;
        (void)buf_print(b, ", \"%s\": ", texts[i].name);
        journal_event_json(b, texts[i].value);
    }
    if (e->connection)
        (void)buf_print(b, ", \"connection\": \"%llu\"", (unsigned long long)e->connection);
    if (e->number)
        (void)buf_print(b, ", \"number\": %llu", (unsigned long long)e->number);
    if (e->code)
        (void)buf_print(b, ", \"code\": %u", e->code);
    trace__put(b, "}");
}

enum err trace_json(struct buf *out, const struct journal_event *events, size_t n)
{
    struct trace__arrival a = trace__arrival_of(events, n);
    CLEANUP(buf_done) struct buf line = {.max = LINE_MAX_BYTES};
    bool arrived = false, first = true;
    size_t at = 0, start = out->n;
    time_ms when = 0;

    trace__put(out, "{\"mail\": ");
    json_id(out, n ? events[0].mail : 0);
    trace__put(out, ", \"story\": [");
    for (;; first = false) {
        CLEANUP(buf_done) struct buf whole = {.max = LINE_MAX_BYTES + 64};
        buf_clear(&line);
        if (!next_line(&line, &a, events, n, &at, &arrived, &when))
            break;
        trace__put_when(&whole, when, -MS_DAY);
        trace__put(&whole, " ");
        (void)buf_append(&whole, buf_view(&line));
        trace__put(out, first ? "" : ", ");
        journal_event_json(out, buf_view(&whole));
    }
    trace__put(out, "], \"events\": [");
    for (size_t i = 0; i < n; i++) {
        trace__put(out, i ? ", " : "");
        json_event(out, &events[i]);
    }
    trace__put(out, "]}");
    if (buf_failed(out)) {
        buf_truncate(out, start);
        return ERR_LIMIT;
    }
    return OK;
}
