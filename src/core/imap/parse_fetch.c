/* FETCH and STORE: items, sections, modifiers (RFC 9051 §6.4.5, §6.4.6; RFC 3516; RFC 7162 §3.1). */
#include "core/imap/parse__.h"

#define FETCH_FAST (IMAP_FETCH_FLAGS | IMAP_FETCH_INTERNALDATE | IMAP_FETCH_SIZE)
#define FETCH_ALL  (FETCH_FAST | IMAP_FETCH_ENVELOPE)
#define FETCH_FULL (FETCH_ALL | IMAP_FETCH_BODY)

static const struct imap__bit fetch_macros[] = {
    {"ALL", FETCH_ALL}, {"FULL", FETCH_FULL}, {"FAST", FETCH_FAST}};
static const struct imap__bit fetch_items[] = {
    {"FLAGS", IMAP_FETCH_FLAGS},
    {"UID", IMAP_FETCH_UID},
    {"INTERNALDATE", IMAP_FETCH_INTERNALDATE},
    {"RFC822.SIZE", IMAP_FETCH_SIZE},
    {"ENVELOPE", IMAP_FETCH_ENVELOPE},
    {"BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE},
    {"MODSEQ", IMAP_FETCH_MODSEQ},
    {"EMAILID", IMAP_FETCH_EMAILID},
    {"THREADID", IMAP_FETCH_THREADID},
};

/* RFC 3501 §6.4.5: names for sections of the whole message. */
static const struct {
    const char *name;
    enum imap_section_what what;
    bool peek;
} fetch_rfc822[] = {
    {"RFC822.HEADER", IMAP_WHAT_HEADER, true},
    {"RFC822.TEXT", IMAP_WHAT_TEXT, false},
    {"RFC822", IMAP_WHAT_ALL, false},
};

/* section-part = nz-number *("." nz-number). The cursor stays before what is no number. */
static enum err fetch_part(struct imap__parse *p, struct imap_section *s)
{
    uint32_t *part = ARENA_ARRAY(p->arena, IMAP_PART_DEPTH, uint32_t);
    if (!part)
        return imap__fail(p, ERR_LIMIT, "the command is too large");
    s->part = part;
    while (cursor_peek(&p->c) >= '0' && cursor_peek(&p->c) <= '9') {
        if (s->part_n == IMAP_PART_DEPTH)
            return imap__fail(p, ERR_SYNTAX, "the section is too deep");
        if (imap__nz_number(&p->c, &part[s->part_n]) != OK)
            return imap__fail(p, ERR_SYNTAX, "part numbers begin at 1");
        s->part_n++;
        if (!cursor_take(&p->c, '.'))
            return OK;
        if (cursor_peek(&p->c) == ']')
            return imap__fail(p, ERR_SYNTAX, "the section ends in a dot");
    }
    return OK;
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static enum err fetch_fields(struct imap__parse *p, struct imap_section *s)
{
    if (!imap__sp(&p->c) || !cursor_take(&p->c, '('))
        return imap__fail(p, ERR_SYNTAX, "a list of header fields is expected");
    do {
        slice *more = imap__grow(p, s->fields, s->fields_n, sizeof *more);
        if (!more)
            return ERR_LIMIT;
        s->fields = more;
        if (imap__astring(&p->c, p->arena, &s->fields[s->fields_n]) != OK)
            return imap__fail(p, ERR_SYNTAX, "the name of a header field is expected");
        s->fields_n++;
    } while (imap__sp(&p->c));
    return cursor_take(&p->c, ')') ? OK : imap__fail(p, ERR_SYNTAX, "the list of header fields has no end");
}

/* section-spec = section-msgtext / (section-part ["." section-text]) */
static enum err fetch_spec(struct imap__parse *p, struct imap_section *s)
{
    bool dot;
    enum err e = OK;
    if (cursor_peek(&p->c) == ']')
        return OK;
    e = fetch_part(p, s);
    if (e != OK)
        return e;
    dot = cursor_peek(&p->c) != ']';
    if (!dot)
        return OK;
    if (s->kind != IMAP_SECTION_BODY)
        return imap__fail(p, ERR_SYNTAX, "BINARY takes a part number only");
    if (imap__keyword(&p->c, "HEADER.FIELDS.NOT")) {
        s->what = IMAP_WHAT_FIELDS_NOT;
        return fetch_fields(p, s);
    }
    if (imap__keyword(&p->c, "HEADER.FIELDS")) {
        s->what = IMAP_WHAT_FIELDS;
        return fetch_fields(p, s);
    }
    if (imap__keyword(&p->c, "HEADER"))
        s->what = IMAP_WHAT_HEADER;
    else if (imap__keyword(&p->c, "TEXT"))
        s->what = IMAP_WHAT_TEXT;
    else if (s->part_n && imap__keyword(&p->c, "MIME"))
        s->what = IMAP_WHAT_MIME;
    else
        return imap__fail(p, ERR_SYNTAX, "there is no such section");
    return OK;
}

/* "[" [section-spec] "]" ["<" number "." nz-number ">"] */
static enum err fetch_section(struct imap__parse *p, struct imap_section *s)
{
    enum err e =
        cursor_take(&p->c, '[') ? fetch_spec(p, s) : imap__fail(p, ERR_SYNTAX, "a section is expected");
    if (e != OK)
        return e;
    if (!cursor_take(&p->c, ']'))
        return imap__fail(p, ERR_SYNTAX, "the section has no end");
    if (s->kind == IMAP_SECTION_BINARY_SIZE || !cursor_take(&p->c, '<'))
        return OK;
    s->partial = true;
    if (imap__number(&p->c, &s->offset) != OK || !cursor_take(&p->c, '.') ||
        imap__nz_number(&p->c, &s->count) != OK || !cursor_take(&p->c, '>'))
        return imap__fail(p, ERR_SYNTAX, "the partial range is not <offset.count>");
    return OK;
}

static struct imap_section *fetch_new_section(struct imap__parse *p, struct imap_fetch_args *f)
{
    struct imap_section *more = imap__grow(p, f->sections, f->sections_n, sizeof *more);
    if (!more)
        return NULL;
    f->sections = more;
    more = &more[f->sections_n++];
    *more = (struct imap_section){0};
    return more;
}

/* BODY[..], BODY.PEEK[..], BINARY[..], BINARY.PEEK[..], BINARY.SIZE[..]; or one of fetch_rfc822. */
static enum err fetch_long_item(struct imap__parse *p, struct imap_fetch_args *f)
{
    static const struct {
        const char *name;
        enum imap_section_kind kind;
        bool peek;
    } table[] = {
        {"BODY.PEEK", IMAP_SECTION_BODY, true},     {"BODY", IMAP_SECTION_BODY, false},
        {"BINARY.PEEK", IMAP_SECTION_BINARY, true}, {"BINARY.SIZE", IMAP_SECTION_BINARY_SIZE, true},
        {"BINARY", IMAP_SECTION_BINARY, false},
    };
    struct imap_section *s;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (!imap__keyword(&p->c, table[i].name))
            continue;
        if (i == 1 && cursor_peek(&p->c) != '[') {
            f->items |= IMAP_FETCH_BODY;
            return OK;
        }
        s = fetch_new_section(p, f);
        if (!s)
            return ERR_LIMIT;
        s->kind = table[i].kind;
        s->peek = table[i].peek;
        return fetch_section(p, s);
    }
    for (size_t i = 0; i < ARRAY_LEN(fetch_rfc822); i++)
        if (imap__keyword(&p->c, fetch_rfc822[i].name)) {
            s = fetch_new_section(p, f);
            if (!s)
                return ERR_LIMIT;
            *s = (struct imap_section){
                .what = fetch_rfc822[i].what, .peek = fetch_rfc822[i].peek, .rfc822 = fetch_rfc822[i].name};
            return OK;
        }
    return imap__fail(p, ERR_SYNTAX, "there is no such item to fetch");
}

static enum err fetch_item(struct imap__parse *p, struct imap_fetch_args *f)
{
    uint32_t bit = imap__take_bit(&p->c, fetch_items, ARRAY_LEN(fetch_items));
    f->items |= bit;
    return bit ? OK : fetch_long_item(p, f);
}

static enum err fetch_items_list(struct imap__parse *p, struct imap_fetch_args *f)
{
    f->items = imap__take_bit(&p->c, fetch_macros, ARRAY_LEN(fetch_macros));
    if (f->items)
        return OK;
    if (!cursor_take(&p->c, '('))
        return fetch_item(p, f);
    do {
        enum err e = fetch_item(p, f);
        if (e != OK)
            return e;
    } while (imap__sp(&p->c));
    return cursor_take(&p->c, ')') ? OK : imap__fail(p, ERR_SYNTAX, "the list of items has no end");
}

/* fetch-modifiers: (CHANGEDSINCE n), RFC 7162 §3.1.4.1 */
static enum err fetch_modifiers(struct imap__parse *p, struct imap_fetch_args *f)
{
    if (!cursor_take(&p->c, '(') || !imap__keyword(&p->c, "CHANGEDSINCE") || !imap__sp(&p->c) ||
        imap__number64(&p->c, &f->since) != OK || !cursor_take(&p->c, ')'))
        return imap__fail(p, ERR_SYNTAX, "there is no such modifier");
    f->changed_since = true;
    f->items |= IMAP_FETCH_MODSEQ;
    return OK;
}

enum err imap__parse_fetch(struct imap__parse *p, struct imap_command *out)
{
    enum err e = imap__space(p);
    if (e == OK)
        e = imap__set(p, &out->set);
    if (e == OK)
        e = imap__space(p);
    if (e == OK)
        e = fetch_items_list(p, &out->fetch);
    if (e == OK && imap__sp(&p->c))
        e = fetch_modifiers(p, &out->fetch);
    if (out->uid)
        out->fetch.items |= IMAP_FETCH_UID; /* RFC 9051 §6.4.9 */
    return e;
}

/* store = "STORE" SP sequence-set [SP "(UNCHANGEDSINCE n)"] SP ["+" / "-"] "FLAGS" [".SILENT"] SP flags */
enum err imap__parse_store(struct imap__parse *p, struct imap_command *out)
{
    struct imap_store_args *s = &out->store;
    enum err e = imap__space(p);
    if (e == OK)
        e = imap__set(p, &out->set);
    if (e == OK)
        e = imap__space(p);
    if (e != OK)
        return e;
    if (cursor_take(&p->c, '(')) {
        if (!imap__keyword(&p->c, "UNCHANGEDSINCE") || !imap__sp(&p->c) ||
            imap__number64(&p->c, &s->since) != OK || !cursor_take(&p->c, ')') || !imap__sp(&p->c))
            return imap__fail(p, ERR_SYNTAX, "there is no such modifier");
        s->unchanged_since = true;
    }
    s->how = cursor_take(&p->c, '+')   ? IMAP_STORE_ADD
             : cursor_take(&p->c, '-') ? IMAP_STORE_REMOVE
                                       : IMAP_STORE_REPLACE;
    s->silent = imap__keyword(&p->c, "FLAGS.SILENT");
    if (!s->silent && !imap__keyword(&p->c, "FLAGS"))
        return imap__fail(p, ERR_SYNTAX, "FLAGS, +FLAGS or -FLAGS is expected");
    e = imap__space(p);
    return e == OK ? imap__flags(p, true, &s->flags) : e;
}

void imap_section_write(struct buf *b, const struct imap_section *s)
{
    static const char *const kinds[] = {"BODY[", "BINARY[", "BINARY.SIZE["};
    static const char *const whats[] = {"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"};
    if (s->rfc822) {
        (void)buf_str(b, s->rfc822); /* the caller asks buf_failed(), here and below */
        return;
    }
    (void)buf_str(b, kinds[s->kind]);
    for (size_t i = 0; i < s->part_n; i++) {
        if (i)
            (void)buf_byte(b, '.');
        (void)buf_u64(b, s->part[i]);
    }
    if (s->part_n && s->what != IMAP_WHAT_ALL)
        (void)buf_byte(b, '.');
    (void)buf_str(b, whats[s->what]);
    for (size_t i = 0; i < s->fields_n; i++) {
        (void)buf_str(b, i ? " " : " (");
        imap_write_astring(b, s->fields[i]);
    }
    (void)buf_str(b, s->fields_n ? ")]" : "]");
    if (s->partial)
        (void)buf_print(b, "<%u>", s->offset);
}
