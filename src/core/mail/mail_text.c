#include "core/mail/mail_text.h"

#include "text/base64.h"
#include "text/charset.h"
#include "text/qp.h"
#include "text/utf8.h"

/* A part's bytes decoded as they come; the buffer's maximum ends it. */
struct mail_text_decoder {
    enum part_cte cte;
    struct base64_decoder base64;
    struct qp_decoder qp;
};

static enum err mail_text_feed(struct mail_text_decoder *d, slice s, struct buf *out)
{
    if (d->cte == PART_CTE_BASE64)
        return base64_feed(&d->base64, s, out);
    if (d->cte == PART_CTE_QP)
        return qp_feed(&d->qp, s, out);
    if (s.n > out->max - out->n) /* fill it to the brim, then say so */
        (void)buf_append(out, slice_sub(s, 0, out->max - out->n));
    else
        return buf_append(out, s);
    return ERR_LIMIT;
}

static enum err mail_text_finish(struct mail_text_decoder *d, struct buf *out)
{
    if (d->cte == PART_CTE_BASE64)
        return base64_finish(&d->base64, out);
    return d->cte == PART_CTE_QP ? qp_finish(&d->qp, out) : OK;
}

/* Feeds octets [at, at+bytes) of the pieces. ERR_CORRUPT when they are not all there. */
static enum err mail_text_cut(const slice *pieces, size_t n, uint64_t at, uint64_t bytes,
                              struct mail_text_decoder *d, struct buf *out)
{
    for (size_t i = 0; i < n && bytes; i++) {
        slice s;
        enum err e;
        if (at >= pieces[i].n) {
            at -= pieces[i].n;
            continue;
        }
        s = slice_from(pieces[i], (size_t)at);
        s = slice_sub(s, 0, bytes < s.n ? (size_t)bytes : s.n);
        at = 0;
        bytes -= s.n;
        while (s.n) { /* in steps, so that a full buffer ends the work early */
            e = mail_text_feed(d, slice_sub(s, 0, 4096), out);
            if (e)
                return e;
            s = slice_from(s, 4096);
        }
    }
    if (bytes)
        return ERR_CORRUPT;
    return mail_text_finish(d, out);
}

/* To UTF-8; a character torn at the end of a part that was cut is dropped. */
static enum err mail_text_convert(const struct part_entry *part, slice bytes, bool cut, struct buf *out)
{
    enum err e;
    if (cut)
        bytes.n -= utf8_incomplete_tail(bytes);
    e = charset_to_utf8(part->charset, bytes, out);
    return e == ERR_NOT_FOUND ? OK : e;
}

static bool mail_text_is_text(const struct part_entry *p)
{
    return p->kind == PART_LEAF && p->cte != PART_CTE_UNKNOWN && slice_eq(p->type, SLICE("text"));
}

enum err mail_text_each(const slice *pieces, size_t n, const struct part_table *t, size_t max_bytes,
                        mail_text_fn *fn, void *arg)
{
    struct buf CLEANUP(buf_done) bytes = {0};
    struct buf CLEANUP(buf_done) text = {0};
    buf_init(&bytes, max_bytes);
    buf_init(&text, max_bytes);
    for (size_t i = 0; i < t->n && max_bytes; i++) {
        const struct part_entry *p = &t->at[i];
        struct mail_text_decoder d = {.cte = p->cte};
        enum err e;
        if (!mail_text_is_text(p))
            continue;
        buf_clear(&bytes);
        buf_clear(&text);
        bytes.max = text.max = max_bytes;
        e = mail_text_cut(pieces, n, p->body_at, p->body_bytes, &d, &bytes);
        if (e == ERR_CORRUPT)
            return e;
        if (mail_text_convert(p, buf_view(&bytes), e == ERR_LIMIT, &text) == ERR_LIMIT)
            buf_truncate(&text, utf8_valid_prefix(buf_view(&text)));
        max_bytes -= text.n;
        if (!fn(arg, p, buf_view(&text)))
            return OK;
        if (e == ERR_LIMIT)
            return OK;
    }
    return OK;
}

enum err mail_text_part(const struct part_entry *part, slice body, struct buf *out)
{
    struct buf CLEANUP(buf_done) bytes = {0};
    enum err e;
    buf_init(&bytes, body.n);
    e = part_decode(part->cte, body, &bytes); /* never longer than what is decoded */
    return e ? e : mail_text_convert(part, buf_view(&bytes), false, out);
}

/* ---- preview ---- */

/* Text on one line: controls and blanks become one blank. */
static void preview_put(struct buf *out, slice s)
{
    while (s.n && !buf_failed(out)) {
        size_t n = 0;
        if (s.p[0] <= 32 || s.p[0] == 127) {
            while (n < s.n && (s.p[n] <= 32 || s.p[n] == 127))
                n++;
            if (out->n && out->p[out->n - 1] != ' ')
                (void)buf_byte(out, ' '); /* a full buffer is marked */
        } else {
            size_t room;
            while (n < s.n && s.p[n] > 32 && s.p[n] != 127)
                n++;
            room = out->max - out->n;
            (void)buf_append(out, slice_sub(s, 0, size_min(n, room + 1) - (n > room))); /* what fits */
            if (n > room)
                out->failed = true;
        }
        s = slice_from(s, n);
    }
}

/* Elements whose content is not for reading. */
static slice preview_hidden(slice tag)
{
    static const slice names[] = {SLICE_INIT("style"), SLICE_INIT("script"), SLICE_INIT("head"),
                                  SLICE_INIT("title")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_starts_nocase(tag, names[i]) && (tag.n == names[i].n || !ascii_is_alpha(tag.p[names[i].n])))
            return names[i];
    return slice_of(NULL, 0);
}

/* Steps behind "</name"; to the end when it does not come. */
static slice preview_skip_element(slice s, slice name)
{
    while (s.n) {
        size_t at = slice_find(s, SLICE("</"));
        s = slice_from(s, size_min(at + 2, s.n));
        if (slice_starts_nocase(s, name))
            break;
    }
    return slice_from(s, slice_index(s, '>') + 1);
}

static slice preview_entity(slice s, struct buf *out)
{
    static const struct {
        slice name, text;
    } rows[] = {{SLICE_INIT("&amp;"), SLICE_INIT("&")},  {SLICE_INIT("&lt;"), SLICE_INIT("<")},
                {SLICE_INIT("&gt;"), SLICE_INIT(">")},   {SLICE_INIT("&quot;"), SLICE_INIT("\"")},
                {SLICE_INIT("&nbsp;"), SLICE_INIT(" ")}, {SLICE_INIT("&#39;"), SLICE_INIT("'")},
                {SLICE_INIT("&apos;"), SLICE_INIT("'")}, {SLICE_INIT("&zwnj;"), SLICE_INIT("")},
                {SLICE_INIT("&shy;"), SLICE_INIT("")},   {SLICE_INIT("&#160;"), SLICE_INIT(" ")},
                {SLICE_INIT("&#847;"), SLICE_INIT("")}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_starts_nocase(s, rows[i].name)) {
            preview_put(out, rows[i].text);
            return slice_from(s, rows[i].name.n);
        }
    preview_put(out, SLICE("&"));
    return slice_from(s, 1);
}

/* HTML without its tags: for a line of preview only, never shown as HTML. */
static void preview_html(slice s, struct buf *out)
{
    while (s.n && !buf_failed(out)) {
        size_t n = 0;
        slice tag, hidden;
        while (n < s.n && s.p[n] != '<' && s.p[n] != '&')
            n++;
        preview_put(out, slice_sub(s, 0, n));
        s = slice_from(s, n);
        if (s.n == 0)
            return;
        if (s.p[0] == '&') {
            s = preview_entity(s, out);
            continue;
        }
        tag = slice_from(s, 1);
        if (slice_starts(tag, SLICE("!--"))) {
            size_t end = slice_find(tag, SLICE("-->"));
            s = slice_from(tag, size_min(end + 3, tag.n));
            continue;
        }
        hidden = preview_hidden(tag);
        s = hidden.n ? preview_skip_element(tag, hidden) : slice_from(tag, slice_index(tag, '>') + 1);
        preview_put(out, SLICE(" "));
    }
}

struct preview_job {
    struct buf *out;
};

static bool preview_take(void *arg, const struct part_entry *part, slice utf8)
{
    struct preview_job *job = arg;
    if (slice_eq(part->subtype, SLICE("html")))
        preview_html(utf8, job->out);
    else
        preview_put(job->out, utf8);
    return false;
}

/* The part that people would read first. */
static const struct part_entry *preview_part(const struct part_table *t)
{
    const struct part_entry *html = NULL;
    for (size_t i = 0; i < t->n; i++) {
        const struct part_entry *p = &t->at[i];
        if (!mail_text_is_text(p) || p->attachment || p->body_bytes == 0)
            continue;
        if (slice_eq(p->subtype, SLICE("plain")))
            return p;
        if (!html && slice_eq(p->subtype, SLICE("html")))
            html = p;
    }
    return html;
}

bool mail_text_preview(const slice *pieces, size_t n, const struct part_table *t, size_t chars,
                       struct arena *a, slice *out)
{
    const struct part_entry *part = preview_part(t);
    struct buf CLEANUP(buf_done) text = {0};
    struct part_table one;
    struct preview_job job = {&text};
    struct part_entry copy;
    size_t read;
    buf_init(&text, chars * UTF8_MAX + UTF8_MAX);
    if (!part) {
        *out = slice_of(NULL, 0);
        return true;
    }
    copy = *part;
    one = (struct part_table){&copy, 1};
    /* plain text speaks at once, so little is read first, and more only when blanks or long characters eat it
     * up; a stylesheet may stand before the first word of HTML */
    read = slice_eq(part->subtype, SLICE("html")) ? 32768 : chars * 2;
    for (;;) {
        if (mail_text_each(pieces, n, &one, read, preview_take, &job))
            buf_clear(&text);
        if (read > chars * 2 || part->body_bytes <= read || buf_failed(&text) || text.n >= chars * UTF8_MAX ||
            utf8_cut(buf_view(&text), chars).n < text.n)
            break;
        read = chars * 16;
        buf_clear(&text);
    }
    buf_truncate(&text, utf8_valid_prefix(buf_view(&text)));
    return arena_dup(a, slice_trim(utf8_cut(buf_view(&text), chars)), out);
}
