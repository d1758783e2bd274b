#include "policy/doctor/finding.h"

#include "policy/journal_event.h"
#include "text/date.h"

#include <stdlib.h>

#define FINDING_TEXT_MAX ((size_t)8192)
#define FINDING_WIDTH    78

const struct finding_row finding_rows[FINDING__COUNT] = {
#define X(id, word, severity, title, why) [FINDING_##id] = {word, FINDING_##severity, title, why},
    FINDINGS(X)
#undef X
};

const char *finding_severity_name(enum finding_severity s)
{
    static const char *const names[] = {"ok", "note", "warning", "error"};
    return names[(unsigned)s < ARRAY_LEN(names) ? s : 0];
}

enum finding_kind finding_of_word(slice word)
{
    for (size_t i = 0; i < FINDING__COUNT; i++)
        if (slice_eq(word, slice_str(finding_rows[i].word)))
            return (enum finding_kind)i;
    return FINDING__COUNT;
}

void findings_init(struct findings *f, struct arena *a)
{
    *f = (struct findings){.arena = a};
}

/* A copy on one line, without control characters, and valid for JSON and terminals. */
static bool finding_keep_line(struct findings *f, slice s, slice *out)
{
    struct buf b CLEANUP(buf_done) = {.max = 8 * FINDING_TEXT_MAX};
    journal_event_escape(&b, s, FINDING_TEXT_MAX);
    return !buf_failed(&b) && arena_dup(f->arena, buf_view(&b), out);
}

/* The same with the line ends that are in it: who makes the text sees to it that they are ours. */
static bool finding_keep(struct findings *f, slice s, slice *out)
{
    struct buf b CLEANUP(buf_done) = {.max = 8 * FINDING_TEXT_MAX};
    slice line, rest = slice_sub(s, 0, FINDING_TEXT_MAX);
    bool more = rest.n > 0;
    while (more) {
        more = slice_split(rest, '\n', &line, &rest);
        journal_event_escape(&b, line, FINDING_TEXT_MAX);
        if (more)
            buf_byte(&b, '\n');
    }
    return !buf_failed(&b) && arena_dup(f->arena, buf_view(&b), out);
}

static bool findings_grow(struct findings *f)
{
    size_t room = f->room ? 2 * f->room : 32;
    struct finding *at;
    if (f->n < f->room)
        return true;
    at = f->n >= FINDINGS_MAX ? NULL : ARENA_ARRAY(f->arena, room, struct finding);
    if (!at)
        return false;
    if (f->n)
        memcpy(at, f->at, f->n * sizeof *at);
    f->at = at;
    f->room = room;
    return true;
}

size_t findings_find(const struct findings *f, enum finding_kind kind, slice subject)
{
    size_t i = 0;
    while (i < f->n && (f->at[i].kind != kind || !slice_eq(f->at[i].subject, subject)))
        i++;
    return i;
}

/* What is handed out at a limit: written to, never read. */
static _Thread_local struct finding findings_nowhere;

static struct finding *findings_put(struct findings *f, const struct finding *new)
{
    size_t at = findings_find(f, new->kind, new->subject);
    if (at < f->n)
        return &f->at[at];
    if (!findings_grow(f)) {
        f->failed = true;
        return &findings_nowhere;
    }
    f->at[f->n] = *new;
    return &f->at[f->n++];
}

struct finding *findings_add(struct findings *f, enum finding_kind kind, slice subject, slice what,
                             slice mend, slice evidence)
{
    struct finding new = {.kind = kind, .severity = finding_rows[kind].severity};
    if (!finding_keep_line(f, subject, &new.subject) || !finding_keep_line(f, what, &new.what) ||
        !finding_keep(f, mend, &new.mend) || !finding_keep(f, evidence, &new.evidence)) {
        f->failed = true;
        return &findings_nowhere;
    }
    return findings_put(f, &new);
}

struct finding *findings_copy(struct findings *f, const struct finding *one)
{
    struct finding new = *one;
    if (!arena_dup(f->arena, one->subject, &new.subject) || !arena_dup(f->arena, one->what, &new.what) ||
        !arena_dup(f->arena, one->mend, &new.mend) || !arena_dup(f->arena, one->evidence, &new.evidence) ||
        !arena_dup(f->arena, one->domain, &new.domain)) {
        f->failed = true;
        return &findings_nowhere;
    }
    return findings_put(f, &new);
}

static int finding_order(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    if (x->severity != y->severity)
        return x->severity > y->severity ? -1 : 1;
    return x->kind != y->kind ? (int)x->kind - (int)y->kind : slice_cmp(x->subject, y->subject);
}

void findings_sort(struct findings *f)
{
    if (f->n)
        qsort(f->at, f->n, sizeof *f->at, finding_order);
}

enum finding_severity findings_worst(const struct findings *f)
{
    enum finding_severity worst = FINDING_OK;
    for (size_t i = 0; i < f->n; i++)
        if (f->at[i].severity > worst)
            worst = f->at[i].severity;
    return worst;
}

static void finding_member(struct buf *b, const char *name, slice value)
{
    buf_print(b, "%s\"%s\":", b->n && b->p[b->n - 1] == '{' ? "" : ",", name);
    journal_event_json(b, value);
}

enum err finding_json(const struct finding *f, struct buf *out)
{
    const struct finding_row *row = &finding_rows[f->kind];
    buf_byte(out, '{');
    finding_member(out, "id", slice_str(row->word));
    finding_member(out, "severity", slice_str(finding_severity_name(f->severity)));
    finding_member(out, "subject", f->subject);
    finding_member(out, "what", f->what);
    finding_member(out, "why", slice_str(row->why));
    finding_member(out, "mend", f->mend);
    finding_member(out, "evidence", f->evidence);
    if (f->domain.n)
        finding_member(out, "domain", f->domain);
    if (f->since) {
        buf_str(out, ",\"since\":\"");
        date_print_iso(f->since, out);
        buf_byte(out, '"');
    }
    buf_byte(out, '}');
    return buf_failed(out) ? ERR_LIMIT : OK;
}

/* One paragraph, filled to the width, every line indented. */
static void finding_fill(struct buf *b, const char *indent, slice text)
{
    size_t column = 0;
    slice word, rest = text;
    bool more = text.n > 0;
    while (more) {
        more = slice_split(rest, ' ', &word, &rest);
        if (!word.n)
            continue;
        if (column && column + 1 + word.n > FINDING_WIDTH) {
            buf_byte(b, '\n');
            column = 0;
        }
        if (column) {
            buf_byte(b, ' ');
            column++;
        } else {
            buf_str(b, indent);
            column = strlen(indent);
        }
        buf_append(b, word);
        column += word.n;
    }
    buf_byte(b, '\n');
}

/* Lines as they are: records and commands are to be copied. */
static void finding_lines(struct buf *b, const char *indent, slice text)
{
    slice line;
    struct cursor c = cursor_of(text);
    while (cursor_line(&c, &line))
        buf_print(b, "%s%.*s\n", indent, SLICE_FMT(line));
}

enum err finding_print(const struct finding *f, struct buf *out)
{
    struct buf b CLEANUP(buf_done) = {.max = 2 * FINDING_TEXT_MAX};
    enum finding_severity s = f->severity;
    buf_print(&b, "%s: %.*s",
              s == FINDING_ERROR     ? "ERROR"
              : s == FINDING_WARNING ? "Warning"
                                     : "Note",
              SLICE_FMT(f->what));
    finding_fill(out, "", buf_view(&b));
    finding_fill(out, "    ", slice_str(finding_rows[f->kind].why));
    if (f->evidence.n) {
        buf_str(out, "    Seen:\n");
        finding_lines(out, "        ", f->evidence);
    }
    if (f->mend.n) {
        buf_str(out, "    To mend it:\n");
        finding_lines(out, "        ", f->mend);
    }
    buf_print(out, "    [%s", finding_rows[f->kind].word);
    if (f->since) {
        buf_str(out, ", seen since ");
        date_print_iso(f->since, out);
    }
    buf_str(out, "]\n");
    return buf_failed(out) ? ERR_LIMIT : OK;
}
