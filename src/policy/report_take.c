#include "policy/report_take.h"

#include "core/mail/mail_text.h"
#include "core/mail/mime.h"
#include "core/mail/param.h"
#include "core/reports/aggregate_read.h"
#include "text/unpack.h"

#define PROSE_MAX ((size_t)64 * 1024)
/* Attachments that are unpacked: each may be 10 MB then, and a message holds hundreds. */
#define TRIES_MAX 4

static const slice names_wanted[] = {SLICE_INIT(".xml"), SLICE_INIT(".json")};

struct taking {
    slice message;
    const struct mime *mime;
    struct arena *arena;
    struct report *out;
    struct err_detail *why;
};

/* What comes out of an archive goes straight into the reader its first bytes ask for. */
struct sink {
    struct taking *t;
    bool begun, is_json;
    struct aggregate_reader *xml;
    struct buf json;
};

static bool looks_like(slice s, const char *what)
{
    size_t i = 0;
    if (slice_starts(s, SLICE("\xef\xbb\xbf")))
        i = 3;
    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r' || s.p[i] == '\n'))
        i++;
    return slice_starts(slice_from(s, i), slice_str(what));
}

static enum err sink_piece(void *arg, slice piece)
{
    struct sink *s = arg;
    struct err_detail *why = s->t->why;
    enum err e;
    if (!s->begun) {
        s->begun = true;
        s->is_json = looks_like(piece, "{");
        if (!s->is_json && !(s->xml = aggregate_reader_new(s->t->arena)))
            return ERR_MEMORY;
    }
    e = s->is_json ? buf_append(&s->json, piece) : aggregate_reader_feed(s->xml, piece);
    if (e == ERR_DENIED)
        err_detail_set(why, "its XML has a DOCTYPE, which no report needs");
    else if (e)
        err_detail_set(why, "it is larger, or nested deeper, than any report is");
    return e;
}

static enum err sink_end(struct sink *s)
{
    struct taking *t = s->t;
    enum err e;
    if (!s->begun) {
        err_detail_set(t->why, "it is empty");
        return ERR_SYNTAX;
    }
    if (s->is_json) {
        t->out->kind = REPORT_TLS;
        return tlsrpt_read(buf_view(&s->json), t->arena, &t->out->tls, t->why);
    }
    t->out->kind = REPORT_AGGREGATE;
    e = aggregate_reader_end(s->xml, &t->out->aggregate, t->why);
    if (e == ERR_LIMIT)
        err_detail_set(t->why, "it is larger, or nested deeper, than any report is");
    else if (e == ERR_DENIED)
        err_detail_set(t->why, "its XML has a DOCTYPE, which no report needs");
    return e;
}

static enum err take_bytes(struct taking *t, slice bytes)
{
    struct sink s = {.t = t};
    enum err e;
    buf_init(&s.json, TLSRPT_BYTES_MAX);
    e = unpack(bytes, names_wanted, ARRAY_LEN(names_wanted), &unpack_limits_default, sink_piece, &s, t->why);
    if (!e)
        e = sink_end(&s);
    aggregate_reader_free(&s.xml);
    buf_done(&s.json);
    return e;
}

static slice body_of(const struct taking *t, const struct mime_part *p)
{
    return slice_sub(t->message, (size_t)p->entry.body_at, (size_t)(p->entry.body_at + p->entry.body_bytes));
}

/* The part's bytes with their transfer encoding undone: in place, or in out. */
static enum err decoded(struct taking *t, const struct mime_part *p, struct buf *out, slice *out_bytes)
{
    slice body = body_of(t, p);
    enum err e;
    if (p->entry.cte != PART_CTE_BASE64 && p->entry.cte != PART_CTE_QP) {
        *out_bytes = body;
        return OK;
    }
    e = part_decode(p->entry.cte, body, out);
    if (e) {
        err_detail_set(t->why, "the attachment is larger than is taken here");
        return ERR_LIMIT;
    }
    *out_bytes = buf_view(out);
    return OK;
}

static bool is_type(const struct mime_part *p, const char *type, const char *subtype)
{
    return slice_eq(p->entry.type, slice_str(type)) && slice_eq(p->entry.subtype, slice_str(subtype));
}

/* ---- failure reports */

/* The header of the message reported on; some encode it, which only text may be (RFC 2046 §5.2.1). */
static slice inside(struct taking *t, struct buf *room)
{
    slice all = {0};
    for (size_t i = 1; i < t->mime->n; i++) {
        const struct mime_part *p = &t->mime->parts[i];
        if (is_type(p, "message", "rfc822") || is_type(p, "text", "rfc822-headers"))
            return decoded(t, p, room, &all) == OK ? slice_sub(all, 0, PROSE_MAX) : (slice){0};
    }
    return all;
}

static enum err take_failure(struct taking *t, const struct mime_part *p)
{
    struct buf room CLEANUP(buf_done), other CLEANUP(buf_done);
    slice fields;
    enum err e;
    buf_init(&room, REPORT_PACKED_MAX);
    buf_init(&other, REPORT_PACKED_MAX);
    e = decoded(t, p, &room, &fields);
    t->out->kind = REPORT_FAILURE;
    return e ? e : failure_read(fields, inside(t, &other), t->arena, &t->out->failure, t->why);
}

static enum err take_prose(struct taking *t)
{
    for (size_t i = 0; i < t->mime->n; i++) {
        const struct mime_part *p = &t->mime->parts[i];
        struct buf room CLEANUP(buf_done);
        struct err_detail ignored;
        slice text;
        buf_init(&room, REPORT_PACKED_MAX);
        if (p->entry.kind != PART_LEAF || !is_type(p, "text", "plain") || decoded(t, p, &room, &text))
            continue;
        t->out->kind = REPORT_FAILURE;
        if (failure_read_prose(slice_sub(text, 0, PROSE_MAX), t->arena, &t->out->failure, &ignored) == OK)
            return OK;
    }
    return ERR_NOT_FOUND;
}

/* ---- attachments */

static bool is_report_type(const struct mime_part *p)
{
    static const char *const subtypes[] = {"xml",
                                           "gzip",
                                           "x-gzip",
                                           "gzip-compressed",
                                           "zip",
                                           "x-zip",
                                           "x-zip-compressed",
                                           "tlsrpt+gzip",
                                           "tlsrpt+json",
                                           "tlsrpt",
                                           "json"};
    for (size_t i = 0; i < ARRAY_LEN(subtypes); i++)
        if (slice_eq(p->entry.subtype, slice_str(subtypes[i])))
            return true;
    return false;
}

static bool is_report_name(struct taking *t, const struct mime_part *p)
{
    static const slice endings[] = {SLICE_INIT(".xml"), SLICE_INIT(".gz"), SLICE_INIT(".zip"),
                                    SLICE_INIT(".json")};
    const struct param *name = param_find(&p->disposition, SLICE("filename"));
    slice text;
    if (!name)
        name = param_find(&p->type, SLICE("name"));
    if (!name || !param_text(name, t->arena, &text))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (slice_ends_nocase(text, endings[i]))
            return true;
    return false;
}

static bool is_report_bytes(slice bytes)
{
    static const slice wide[] = {SLICE_INIT("\xff\xfe<\0"), SLICE_INIT("\xfe\xff\0<"), SLICE_INIT("<\0?\0"),
                                 SLICE_INIT("\0<\0?")}; /* UTF-16 */
    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (slice_starts(bytes, wide[i]))
            return true;
    return unpack_kind(bytes) != UNPACK_NOTHING || looks_like(bytes, "<?xml") ||
           looks_like(bytes, "<feedback") || looks_like(bytes, "{");
}

/* The first attachment that can be taken; of several that cannot, what was wrong with the first. */
static enum err take_attachments(struct taking *t)
{
    struct err_detail *why = t->why, other;
    enum err first = ERR_NOT_FOUND;
    unsigned tries = 0;
    for (size_t i = 0; i < t->mime->n && tries < TRIES_MAX; i++) {
        const struct mime_part *p = &t->mime->parts[i];
        struct buf room CLEANUP(buf_done);
        slice bytes;
        enum err e;
        buf_init(&room, REPORT_PACKED_MAX);
        if (p->entry.kind != PART_LEAF || p->entry.body_bytes == 0)
            continue;
        e = decoded(t, p, &room, &bytes);
        if (!e && !is_report_bytes(bytes) && !is_report_type(p) && !is_report_name(t, p))
            continue;
        tries++;
        if (!e)
            e = take_bytes(t, bytes);
        if (!e)
            return OK;
        if (first == ERR_NOT_FOUND)
            first = e;
        t->why = &other;
        if (e == ERR_LIMIT || e == ERR_DENIED)
            break; /* a bomb is not asked for its brothers */
    }
    t->why = why;
    return first;
}

enum err report_take(slice message, struct arena *a, struct report *out, struct err_detail *why)
{
    struct report report = {0};
    struct mime mime;
    struct taking t = {message, &mime, a, &report, why};
    enum err e;
    err_detail_set(why, "%s", "");
    mime_init(&mime, &mail_limits_default, a);
    mime_feed(&mime, message);
    e = mime_finish(&mime);
    if (e)
        err_detail_set(why, "it has more parts than any report has");
    if (!e) {
        e = ERR_NOT_FOUND;
        for (size_t i = 0; i < mime.n && e == ERR_NOT_FOUND; i++)
            if (is_type(&mime.parts[i], "message", "feedback-report"))
                e = take_failure(&t, &mime.parts[i]);
        if (e == ERR_NOT_FOUND)
            e = take_attachments(&t);
        if (e == ERR_NOT_FOUND)
            e = take_prose(&t);
        if (e == ERR_NOT_FOUND)
            err_detail_set(why, "there is no attachment that is XML, JSON, gzip or zip");
    }
    mime_done(&mime);
    if (!e)
        *out = report;
    return e;
}
