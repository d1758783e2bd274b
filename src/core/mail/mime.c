#include "core/mail/mime.h"

static_assert(MIME_LINE_MAX > MIME_BOUNDARY_MAX + 8, "a delimiter line fits");

void mime_init(struct mime *m, const struct mail_limits *limits, struct arena *arena)
{
    memset(m, 0, offsetof(struct mime, line)); /* line and what follows is set where it matters */
    m->limits = limits;
    m->arena = arena;
    m->addresses_left = limits->addresses * MIME_ADDRESS_LISTS;
    buf_init(&m->header, limits->header_bytes);
    m->header_bytes = m->gathered = 0;
    m->steps = 0;
    m->defects = 0;
    m->current = PART_NONE;
}

void mime_done(struct mime *m)
{
    buf_done(&m->header);
}

/* ---- parts ---- */

static struct mime_part *mime_part_new(struct mime *m, uint32_t parent)
{
    struct mime_part *p;
    if (m->n == m->room) {
        size_t room = m->room ? m->room * 4 : 4;
        struct mime_part *bigger = ARENA_ARRAY(m->arena, room, struct mime_part);
        if (!bigger) {
            m->out_of_memory = m->opaque = true;
            return NULL;
        }
        if (m->n)
            memcpy(bigger, m->parts, m->n * sizeof *bigger);
        m->parts = bigger;
        m->room = room;
    }
    p = &m->parts[m->n];
    p->entry.parent = parent;
    p->entry.first_child = p->entry.next = p->last_child = PART_NONE;
    p->depth = parent == PART_NONE ? 0 : m->parts[parent].depth + 1;
    if (parent != PART_NONE) {
        struct mime_part *above = &m->parts[parent];
        if (above->last_child == PART_NONE)
            above->entry.first_child = (uint32_t)m->n;
        else
            m->parts[above->last_child].entry.next = (uint32_t)m->n;
        above->last_child = (uint32_t)m->n;
    }
    m->current = (uint32_t)m->n++;
    return p;
}

/* Begins a part whose header starts at offset at. */
static void mime_part_begin(struct mime *m, uint32_t parent, bool is_message, uint64_t at)
{
    struct mime_part *p = mime_part_new(m, parent);
    if (!p)
        return;
    p->is_message = is_message;
    p->entry.header_at = at;
    m->in_header = true;
    buf_clear(&m->header);
}

static void mime_set_type(struct mime_part *p, slice type, slice subtype)
{
    p->entry.type = type;
    p->entry.subtype = subtype;
    p->entry.kind = PART_LEAF;
}

/* What we do not look into: the bytes of a part beyond a limit. */
static void mime_make_opaque(struct mime_part *p)
{
    mime_set_type(p, SLICE("application"), SLICE("octet-stream"));
    p->entry.charset = slice_of(NULL, 0);
    p->type.n = 0;
}

/* ---- one part's header ---- */

static bool mime_is_token(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 32 || s.p[i] >= 127 || s.p[i] == '/' || s.p[i] == '"' || s.p[i] == '=' ||
            s.p[i] == ',' || s.p[i] == '\\')
            return false;
    return s.n > 0 && s.n <= 127;
}

/* Content-Type := type "/" subtype *(";" parameter) (RFC 2045 §5.1). Missing or unreadable: text/plain, or
 * message/rfc822 inside multipart/digest (RFC 2046 §5.1.5). */
static void mime_read_type(struct mime *m, struct mime_part *p)
{
    slice type, subtype, value = p->fields.value[FIELD_CONTENT_TYPE];
    bool in_digest = p->entry.parent != PART_NONE && !p->is_message &&
                     slice_eq(m->parts[p->entry.parent].entry.subtype, SLICE("digest"));
    mime_set_type(p, SLICE("text"), SLICE("plain"));
    if (p->fields.count[FIELD_CONTENT_TYPE] == 0) {
        if (in_digest)
            mime_set_type(p, SLICE("message"), SLICE("rfc822"));
        return;
    }
    if (!param_list_parse(value, m->limits, m->arena, &p->type)) {
        m->out_of_memory = true;
        return;
    }
    m->defects |= p->type.defects;
    (void)slice_split(p->type.value, '/', &type, &subtype); /* no "/" leaves an empty subtype */
    if (!mime_is_token(type) || !mime_is_token(subtype)) {
        m->defects |= MAIL_DEFECT_MIME_TYPE;
        p->type.n = 0; /* unreadable is text/plain (RFC 2045 §5.2) */
        return;
    }
    mime_set_type(p, type, subtype);
    p->type_given = true;
}

static enum part_cte mime_cte_of(slice name)
{
    static const struct {
        slice name;
        enum part_cte cte;
    } rows[] = {{SLICE_INIT("7bit"), PART_CTE_7BIT},
                {SLICE_INIT("8bit"), PART_CTE_8BIT},
                {SLICE_INIT("binary"), PART_CTE_BINARY},
                {SLICE_INIT("quoted-printable"), PART_CTE_QP},
                {SLICE_INIT("base64"), PART_CTE_BASE64}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_eq_nocase(rows[i].name, name))
            return rows[i].cte;
    return PART_CTE_UNKNOWN;
}

/* Content-Transfer-Encoding := mechanism; comments and a stray ";" are let pass */
static void mime_read_encoding(struct mime *m, struct mime_part *p)
{
    slice value = p->fields.value[FIELD_CONTENT_ENCODING];
    struct param_list list;
    p->entry.cte = PART_CTE_7BIT;
    if (p->fields.count[FIELD_CONTENT_ENCODING] == 0)
        return;
    p->entry.cte = mime_cte_of(slice_trim(value));
    if (p->entry.cte != PART_CTE_UNKNOWN)
        return;
    if (!param_list_parse(value, m->limits, m->arena, &list)) {
        m->out_of_memory = true;
        return;
    }
    p->entry.cte = mime_cte_of(list.value);
    if (p->entry.cte == PART_CTE_UNKNOWN)
        m->defects |= MAIL_DEFECT_MIME_CTE;
}

static void mime_read_disposition(struct mime *m, struct mime_part *p)
{
    const struct param *name;
    slice kind;
    if (p->fields.count[FIELD_CONTENT_DISPOSITION] &&
        !param_list_parse(p->fields.value[FIELD_CONTENT_DISPOSITION], m->limits, m->arena, &p->disposition))
        m->out_of_memory = true;
    m->defects |= p->disposition.defects;
    kind = p->disposition.value;
    name = param_find(&p->disposition, SLICE("filename"));
    if (!name)
        name = param_find(&p->type, SLICE("name"));
    p->entry.attachment = kind.n && !slice_eq(kind, SLICE("inline"));
    if (!kind.n || slice_eq(kind, SLICE("inline")))
        p->entry.attachment = name && !slice_eq(p->entry.type, SLICE("text")) &&
                              !slice_eq(p->entry.type, SLICE("multipart")) &&
                              !(p->fields.count[FIELD_CONTENT_ID] && slice_eq(p->entry.type, SLICE("image")));
}

static bool mime_is_composite_cte(enum part_cte cte)
{
    return cte == PART_CTE_7BIT || cte == PART_CTE_8BIT || cte == PART_CTE_BINARY;
}

/* Decides whether the part has parts: its kind, and the container it opens. */
static void mime_open(struct mime *m, uint32_t index)
{
    struct mime_part *p = &m->parts[index];
    bool multipart = slice_eq(p->entry.type, SLICE("multipart"));
    bool message =
        slice_eq(p->entry.type, SLICE("message")) &&
        (slice_eq(p->entry.subtype, SLICE("rfc822")) || slice_eq(p->entry.subtype, SLICE("global")));
    const struct param *boundary = multipart ? param_find(&p->type, SLICE("boundary")) : NULL;
    slice text = boundary ? boundary->value : slice_of(NULL, 0);
    if (!multipart && !message)
        return;
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--; /* RFC 2046 §5.1.1: a boundary does not end in white space */
    if (multipart && (text.n == 0 || text.n > MIME_BOUNDARY_MAX)) {
        m->defects |= MAIL_DEFECT_MIME_BOUNDARY;
        mime_set_type(p, SLICE("text"), SLICE("plain"));
        p->type.n = 0;
        return;
    }
    if (!mime_is_composite_cte(p->entry.cte)) { /* RFC 2045 §6.4 forbids it */
        m->defects |= MAIL_DEFECT_MIME_CTE | MAIL_DEFECT_MIME_AMBIGUOUS;
        if (message) {
            mime_make_opaque(p);
            return;
        }
        p->entry.cte = PART_CTE_8BIT;
    }
    if (m->open_n >= size_min(m->limits->depth, MIME_DEPTH_MAX) || m->n + 1 >= m->limits->parts) {
        m->defects |= m->n + 1 >= m->limits->parts ? MAIL_DEFECT_MIME_PARTS : MAIL_DEFECT_MIME_DEPTH;
        mime_make_opaque(p);
        return;
    }
    for (size_t i = 0; multipart && i < m->open_n; i++)
        if (m->open[i].boundary.n && slice_eq(m->open[i].boundary, text))
            m->defects |= MAIL_DEFECT_MIME_AMBIGUOUS;
    p->entry.kind = multipart ? PART_MULTIPART : PART_MESSAGE;
    m->open[m->open_n++] = (struct mime_open){index, multipart ? text : slice_of(NULL, 0)};
    m->boundaries += multipart;
    if (multipart)
        m->current = PART_NONE; /* the preamble belongs to no part */
    else
        mime_part_begin(m, index, true, p->entry.body_at);
}

static void mime_read_addresses(struct mime *m, struct mime_part *p)
{
    for (size_t i = 0; i < FIELD_ADDRESSES; i++) {
        struct mail_limits limits = *m->limits;
        limits.addresses = size_min(limits.addresses, m->addresses_left);
        if (p->fields.count[i] == 0)
            continue;
        if (!address_list_parse(p->fields.value[i], &limits, m->arena, &p->addresses[i])) {
            m->out_of_memory = true;
            p->addresses[i] = (struct address_list){0};
        }
        m->addresses_left -= size_min(m->addresses_left, p->addresses[i].n);
        m->defects |= p->addresses[i].defects;
    }
}

/* The header block is complete; the body begins at offset body_at. */
static void mime_header_end(struct mime *m, uint64_t body_at)
{
    uint32_t index = m->current;
    struct mime_part *p = &m->parts[index];
    const struct param *charset;
    slice block;
    p->entry.header_bytes = body_at - p->entry.header_at;
    p->entry.body_at = body_at;
    p->entry.lines = m->lines; /* until the end is known: where counting began */
    m->in_header = false;
    if (!arena_dup(m->arena, buf_view(&m->header), &block)) {
        m->out_of_memory = true;
        block = slice_of(NULL, 0);
    }
    fields_read(block, m->limits, &p->fields);
    m->defects |= p->fields.defects;
    mime_read_type(m, p);
    mime_read_encoding(m, p);
    mime_read_disposition(m, p);
    charset = slice_eq(p->entry.type, SLICE("text")) ? param_find(&p->type, SLICE("charset")) : NULL;
    if (charset && charset->value.n <= 64)
        p->entry.charset = charset->value;
    if (p->is_message)
        mime_read_addresses(m, p);
    mime_open(m, index);
}

/* ---- lines ---- */

/* The body of a part ends at end, where a delimiter line begins less the line end before it, which belongs to
 * the delimiter (RFC 2046 §5.1.1). When the delimiter follows the header at once, the body is empty; a
 * container never ends before its last part. */
static void mime_close_part(struct mime *m, uint32_t index, uint64_t end, uint64_t lines)
{
    struct mime_part *p = &m->parts[index];
    if (p->last_child != PART_NONE) {
        const struct part_entry *child = &m->parts[p->last_child].entry;
        end = end < child->body_at + child->body_bytes ? child->body_at + child->body_bytes : end;
    }
    if (end < p->entry.body_at)
        end = p->entry.body_at;
    p->entry.body_bytes = end - p->entry.body_at;
    p->entry.lines = lines < p->entry.lines ? 0 : lines - p->entry.lines;
}

/* Closes the part in hand and the containers above the first keep open ones. */
static void mime_close_to(struct mime *m, size_t keep, uint64_t end, uint64_t lines)
{
    if (m->in_header) { /* no empty line: the header ran into a delimiter or the end */
        m->defects |= MAIL_DEFECT_HEADER_NO_END;
        while (m->in_header) { /* the end of one header may open a message that has none at all */
            uint64_t from = m->parts[m->current].entry.header_at;
            mime_header_end(m, end > from ? end : from);
        }
        keep = size_min(keep, m->open_n);
    }
    if (m->current != PART_NONE)
        mime_close_part(m, m->current, end, lines);
    m->current = PART_NONE;
    while (m->open_n > keep) {
        struct mime_open *o = &m->open[--m->open_n];
        m->boundaries -= o->boundary.n > 0;
        mime_close_part(m, o->part, end, lines);
    }
}

/* What a line is to the open multiparts: the index in open of the one it delimits, or open_n. */
static size_t mime_delimiter(struct mime *m, slice line, bool *out_last)
{
    slice text = slice_from(line, 2);
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r' || text.p[text.n - 1] == ' ' ||
                      text.p[text.n - 1] == '\t'))
        text.n--;
    for (size_t i = m->open_n; i > 0; i--) {
        slice boundary = m->open[i - 1].boundary, rest;
        if (boundary.n == 0)
            continue;
        m->steps++;
        if (!slice_starts(text, boundary))
            continue;
        rest = slice_from(text, boundary.n);
        *out_last = slice_eq(rest, SLICE("--"));
        if (rest.n == 0 || *out_last)
            return i - 1;
    }
    return m->open_n;
}

/* A delimiter line of the multipart open[which]. */
static void mime_delimit(struct mime *m, size_t which, bool last, uint64_t line_end)
{
    uint64_t end = m->line_at - size_min(m->eol, m->line_at);
    uint32_t part = m->open[which].part;
    mime_close_to(m, which + 1, end, m->lines - (m->eol ? 1 : 0));
    if (last) {
        /* The multipart's own body ends here too as far as its parts go; its bytes, the epilogue included,
         * end where its parent's say. */
        m->boundaries--;
        m->open[which].boundary = slice_of(NULL, 0);
        return;
    }
    if (m->n + 1 >= m->limits->parts) { /* the last part we make holds all that follows */
        struct mime_part *p = mime_part_new(m, part);
        m->defects |= MAIL_DEFECT_MIME_PARTS;
        m->opaque = true;
        if (!p)
            return;
        mime_make_opaque(p);
        p->entry.header_at = p->entry.body_at = line_end;
        p->entry.lines = m->lines + 1;
        return;
    }
    mime_part_begin(m, part, false, line_end);
}

/* One whole line: prefix is all of it when it is at most MIME_LINE_MAX octets, else its beginning. */
static void mime_line(struct mime *m, slice prefix, size_t eol)
{
    uint64_t line_end = m->line_at + m->line_bytes;
    bool whole = prefix.n == m->line_bytes, last = false;
    size_t which = m->open_n;
    m->steps++;
    if (whole && m->boundaries && prefix.n > 2 && prefix.p[0] == '-' && prefix.p[1] == '-' && !m->opaque)
        which = mime_delimiter(m, prefix, &last);
    if (which < m->open_n) {
        if (m->in_header) /* the delimiter is no part of the header it ends */
            buf_truncate(&m->header, m->header.n - m->gathered);
        mime_delimit(m, which, last, line_end);
        m->lines += eol > 0;
    } else {
        m->lines += eol > 0;
        if (m->in_header && eol && whole && prefix.n == eol)
            mime_header_end(m, line_end);
    }
    m->eol = eol;
    m->line_at = line_end;
    m->line_bytes = 0;
    m->line_begun = false;
    m->gathered = 0;
}

/* Header octets are gathered up to the limit of all headers together. */
static void mime_header_bytes(struct mime *m, slice s)
{
    slice fits = slice_sub(s, 0, m->limits->header_bytes - m->header_bytes);
    if (fits.n < s.n)
        m->defects |= MAIL_DEFECT_HEADER_LONG;
    m->header_bytes += fits.n;
    m->gathered += fits.n;
    (void)buf_append(&m->header, fits); /* its maximum is the limit of all headers: it fits */
}

/* Nothing can begin any more: only lines count. */
static void mime_skip(struct mime *m, slice s)
{
    uint64_t lf = 0;
    for (size_t i = 0; i < s.n; i++)
        lf += s.p[i] == '\n';
    m->lines += lf;
    m->at += s.n;
    m->last = s.p[s.n - 1];
    m->steps++;
}

void mime_feed(struct mime *m, slice s)
{
    if (m->n == 0 && !m->out_of_memory)
        mime_part_begin(m, PART_NONE, true, 0);
    while (s.n) {
        size_t lf, n;
        slice part;
        if (!m->in_header && (m->boundaries == 0 || m->opaque) && !m->line_begun) {
            mime_skip(m, s);
            m->line_at = m->at;
            return;
        }
        lf = slice_index(s, '\n');
        n = lf < s.n ? lf + 1 : s.n;
        part = slice_sub(s, 0, n);
        if (m->in_header)
            mime_header_bytes(m, part);
        if (m->line_begun || lf == s.n) { /* a line in pieces */
            size_t have = (size_t)(m->line_bytes < MIME_LINE_MAX ? m->line_bytes : MIME_LINE_MAX);
            size_t copy = size_min(n, MIME_LINE_MAX - have);
            memcpy(m->line + have, part.p, copy);
            m->line_begun = true;
            m->line_bytes += n;
            part = slice_of(m->line, have + copy);
        } else {
            m->line_bytes = n;
            part = slice_sub(part, 0, MIME_LINE_MAX);
        }
        m->at += n;
        if (lf < s.n) {
            uint8_t before = n > 1 ? s.p[n - 2] : m->line_bytes > 1 ? m->last : 0;
            mime_line(m, part, before == '\r' ? 2 : 1);
        }
        m->last = s.p[n - 1];
        s = slice_from(s, n);
    }
}

enum err mime_finish(struct mime *m)
{
    uint64_t lines;
    if (m->n == 0 && !m->out_of_memory)
        mime_part_begin(m, PART_NONE, true, 0);
    if (m->n == 0)
        return ERR_LIMIT;
    if (m->line_begun) /* the last line has no end */
        mime_line(m, slice_of(m->line, size_min((size_t)m->line_bytes, MIME_LINE_MAX)), 0);
    for (size_t i = 0; i < m->open_n; i++)
        if (m->open[i].boundary.n)
            m->defects |= MAIL_DEFECT_MIME_UNCLOSED;
    m->line_at = m->at;
    lines = m->lines;
    mime_close_to(m, 0, m->at, lines);
    return m->out_of_memory ? ERR_LIMIT : OK;
}

enum err mime_table(const struct mime *m, struct part_table *out)
{
    struct part_entry *at = ARENA_ARRAY(m->arena, m->n, struct part_entry);
    if (!at)
        return ERR_LIMIT;
    for (size_t i = 0; i < m->n; i++)
        at[i] = m->parts[i].entry;
    *out = (struct part_table){at, m->n};
    return OK;
}
