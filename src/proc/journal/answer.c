/* An answer's rows: row 0 holds what belongs to no mail (refused connections, logins); row i the story of the
 * i-th mail, the oldest first. As many rows as fit go into one reply. */
#include "base/mail_id.h"
#include "policy/trace.h"
#include "proc/journal/journal.h"

#define REPLY_BYTES ((size_t)98000)
#define ARENA_BYTES ((size_t)4 << 20)

void journal_answer_done(struct journal_answer *a)
{
    buf_done(&a->text);
}

/* Appends one story; ERR_LIMIT when the reply is full. A story that fits into no reply is cut by
 * trace_text(). */
static enum err append_story(struct journal_answer *a, struct journal_event *events, size_t n, size_t damaged,
                             bool cut)
{
    size_t start = a->text.n;
    enum err e;

    if (n == 0)
        return OK;
    trace_sort(events, n);
    if (a->json) {
        e = trace_json(&a->text, events, n);
        while (e == ERR_LIMIT && start == 0 && n > 1) { /* the longest beginning of it that fits */
            n /= 2;
            buf_clear(&a->text);
            e = trace_json(&a->text, events, n);
        }
        if (e == OK)
            e = buf_byte(&a->text, '\n');
    } else {
        if (start > 0)
            IGNORE_RESULT(buf_byte(&a->text, '\n'), "the next append fails too");
        e = trace_text(&a->text, events, n);
        cut = cut || e == ERR_LIMIT;
        if (e == ERR_LIMIT && start == 0)
            e = OK;
        if (cut && e == OK)
            e = buf_str(&a->text, "More happened to it than fits here.\n");
        if (damaged && e == OK)
            e = buf_print(&a->text, "%zu records of it are damaged and left out.\n", damaged);
    }
    if (e)
        buf_truncate(&a->text, start);
    return e;
}

static enum err find(struct journal_answer *a, struct journal_db *j, const struct trace_ask *ask,
                     struct arena *arena, struct journal_db_found *out)
{
    enum err e = journal_db_find(j, ask->query, ask->since, JOURNAL_ANSWER_MAILS, arena, out);
    if (e)
        return e;
    a->mails_n = out->n;
    for (size_t i = 0; i < out->n; i++)
        a->mails[out->n - 1 - i] = out->mails[i];
    a->more = out->more;
    return OK;
}

/* Row 0: finds the mails and tells what belongs to none. */
static enum err first_row(struct journal_answer *a, struct journal_db *j, const struct trace_ask *ask,
                          struct arena *arena)
{
    struct journal_db_events one;
    struct journal_db_found found;
    uint64_t mail;
    enum err e;

    a->query_n = size_min(ask->query.n, sizeof a->query);
    if (a->query_n)
        memcpy(a->query, ask->query.p, a->query_n);
    a->since = ask->since;
    a->mails_n = 0;
    a->more = false;
    if (mail_id_parse(ask->query, &mail) == OK) {
        e = journal_db_by_mail(j, mail, JOURNAL_ANSWER_EVENTS, arena, &one);
        if (e == OK && one.n) {
            a->mails[a->mails_n++] = mail;
            return OK;
        }
    }
    e = find(a, j, ask, arena, &found);
    if (e)
        return e;
    if (a->more && !a->json)
        IGNORE_RESULT(
            buf_print(&a->text, "Only the newest %zu mails are told; there are older ones.\n", a->mails_n),
            "the first line of a reply fits");
    return append_story(a, found.house.items, found.house.n, found.house.damaged, found.house.cut);
}

static bool same_question(const struct journal_answer *a, const struct trace_ask *ask)
{
    return slice_eq(slice_of(a->query, a->query_n), ask->query) && a->since == ask->since;
}

void journal_answer(struct journal_answer *a, struct journal_db *j, const struct trace_ask *ask,
                    struct trace_row *out)
{
    CLEANUP(arena_done) struct arena arena;
    enum err e = OK;
    size_t row = ask->from;

    arena_init(&arena, "trace", ARENA_BYTES);
    if (a->text.max == 0)
        buf_init(&a->text, REPLY_BYTES);
    buf_clear(&a->text);
    a->json = ask->json;
    if (row == 0 || !same_question(a, ask)) {
        e = first_row(a, j, ask, &arena);
        if (row)
            buf_clear(&a->text);
        row = size_max(row, 1);
    }
    while (e == OK && row <= a->mails_n) {
        struct journal_db_events r;
        arena_reset(&arena);
        e = journal_db_by_mail(j, a->mails[row - 1], JOURNAL_ANSWER_EVENTS, &arena, &r);
        if (e == OK)
            e = append_story(a, r.items, r.n, r.damaged, r.cut);
        row += e == OK;
    }
    *out = (struct trace_row){.err = (uint32_t)e, .text = buf_view(&a->text)};
    if (e == ERR_LIMIT && a->text.n > 0) {
        out->err = OK;
        out->next = (uint32_t)row;
    } else if (e == OK && a->text.n == 0) {
        out->err = ERR_NOT_FOUND;
    }
}
