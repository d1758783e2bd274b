#include "core/mail/header.h"

#include "core/mail/encoded_word.h"
#include "text/utf8.h"

/* Length of the line at the front with its LF; all that is left when there is no LF. */
static size_t header_line(slice s)
{
    size_t i = slice_index(s, '\n');
    return i < s.n ? i + 1 : s.n;
}

static bool header_is_empty_line(slice line)
{
    return (line.n == 1 && line.p[0] == '\n') || (line.n == 2 && line.p[0] == '\r' && line.p[1] == '\n');
}

size_t header_end(slice message)
{
    size_t at = 0;
    while (at < message.n) {
        slice rest = slice_from(message, at);
        size_t n = header_line(rest);
        at += n;
        if (header_is_empty_line(slice_sub(rest, 0, n)))
            return at;
    }
    return message.n;
}

struct header_iter header_iter(slice block, const struct mail_limits *limits)
{
    return (struct header_iter){.rest = block, .fields_max = limits->header_fields};
}

/* Cuts the line end off a field's raw bytes. */
static slice header_without_end(slice raw)
{
    if (raw.n && raw.p[raw.n - 1] == '\n')
        raw.n--;
    if (raw.n && raw.p[raw.n - 1] == '\r')
        raw.n--;
    return raw;
}

/* field-name = 1*ftext, %d33-57 / %d59-126 (RFC 5322 §3.6.8); blanks before the colon are obsolete (§4.5) */
static bool header_split(slice raw, slice *out_name, slice *out_value)
{
    size_t n = 0, name_n;
    while (n < raw.n && raw.p[n] > 32 && raw.p[n] < 127 && raw.p[n] != ':')
        n++;
    name_n = n;
    while (n < raw.n && (raw.p[n] == ' ' || raw.p[n] == '\t'))
        n++;
    if (name_n == 0 || n == raw.n || raw.p[n] != ':')
        return false;
    *out_name = slice_sub(raw, 0, name_n);
    *out_value = slice_from(header_without_end(raw), n + 1);
    return true;
}

/* Nothing but printable ASCII and tabs? Looks at all of it, which compilers do many octets at a time. */
static bool header_is_plain(slice s)
{
    uint8_t odd = 0;
    for (size_t i = 0; i < s.n; i++)
        odd |= ((uint8_t)(s.p[i] - 32) > 94) & (s.p[i] != '\t');
    return !odd;
}

/* Nearly every field is lines of such text that end with CRLF. */
static bool header_field_is_plain(slice raw)
{
    while (raw.n) {
        slice line = slice_sub(raw, 0, header_line(raw));
        if (line.n < 2 || line.p[line.n - 2] != '\r' || line.p[line.n - 1] != '\n' ||
            !header_is_plain(slice_sub(line, 0, line.n - 2)))
            return false;
        raw = slice_from(raw, line.n);
    }
    return true;
}

/* One walk over the bytes of a field. */
static uint32_t header_field_defects(slice raw)
{
    uint32_t defects = 0;
    bool high = false;
    if (header_field_is_plain(raw))
        return 0;
    for (size_t i = 0; i < raw.n; i++) {
        uint8_t c = raw.p[i];
        if ((uint8_t)(c - 32) < 95) /* printable: nothing to see */
            continue;
        if (c == '\n' && (i == 0 || raw.p[i - 1] != '\r'))
            defects |= MAIL_DEFECT_BARE_LF;
        else if (c == '\r' && (i + 1 == raw.n || raw.p[i + 1] != '\n'))
            defects |= MAIL_DEFECT_BARE_CR;
        else if (c == 0)
            defects |= MAIL_DEFECT_HEADER_NUL;
        high |= c >= 128;
    }
    return high && !utf8_valid(raw) ? defects | MAIL_DEFECT_EIGHT_BIT_HEADER : defects;
}

bool header_next(struct header_iter *it, struct header_field *out)
{
    size_t n = header_line(it->rest);
    slice raw;
    if (n == 0 || header_is_empty_line(slice_sub(it->rest, 0, n)))
        return false;
    if (it->fields == it->fields_max) {
        it->defects |= MAIL_DEFECT_HEADER_MANY;
        return false;
    }
    it->fields++;
    while (n < it->rest.n && (it->rest.p[n] == ' ' || it->rest.p[n] == '\t'))
        n += header_line(slice_from(it->rest, n));
    raw = slice_sub(it->rest, 0, n);
    it->rest = slice_from(it->rest, n);
    it->defects |= header_field_defects(raw);
    out->raw = raw;
    if (!header_split(raw, &out->name, &out->value)) {
        it->defects |= MAIL_DEFECT_HEADER_JUNK;
        out->name = slice_of(raw.p, 0);
        out->value = header_without_end(raw);
    }
    return true;
}

bool header_find(slice block, slice name, struct header_field *out)
{
    struct header_iter it = header_iter(block, &mail_limits_default);
    struct header_field f;
    while (header_next(&it, &f))
        if (slice_eq_nocase(f.name, name)) {
            *out = f;
            return true;
        }
    return false;
}

size_t header_count(slice block, slice name)
{
    struct header_iter it = header_iter(block, &mail_limits_default);
    struct header_field f;
    size_t n = 0;
    while (header_next(&it, &f))
        n += slice_eq_nocase(f.name, name);
    return n;
}

bool header_unfold(slice value, struct arena *a, slice *out)
{
    slice s = slice_trim(value);
    uint8_t *p;
    size_t n = 0;
    if (!slice_has(s, '\n') && !slice_has(s, '\r')) {
        *out = s;
        return true;
    }
    p = arena_alloc(a, s.n);
    if (!p)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\n' && s.p[i] != '\r')
            p[n++] = s.p[i];
    *out = slice_of(p, n);
    return true;
}

bool header_text(slice value, struct arena *a, slice *out)
{
    slice line;
    if (!header_unfold(value, a, &line))
        return false;
    return encoded_word_text(line, a, out);
}

enum err header_select(slice block, const slice *names, size_t names_n, bool invert, struct buf *out)
{
    struct header_iter it = header_iter(block, &mail_limits_default);
    struct header_field f;
    while (header_next(&it, &f)) {
        bool named = false;
        for (size_t i = 0; i < names_n && !named; i++)
            named = slice_eq_nocase(f.name, names[i]);
        if (named != invert && f.name.n) {
            enum err e = buf_append(out, f.raw);
            if (!e && f.raw.p[f.raw.n - 1] != '\n')
                e = buf_str(out, "\r\n");
            if (e)
                return e;
        }
    }
    return buf_str(out, "\r\n");
}
