#include "core/mail/bodystructure.h"

#include "core/mail/envelope.h"
#include "core/mail/imap_text.h"

/* Results of appends are not looked at here: a full buffer is marked, and the caller asks once. */

static void bodystructure_params(const struct param_list *list, slice default_charset, struct buf *out)
{
    bool open = false;
    if (default_charset.n && !param_find(list, SLICE("charset"))) {
        (void)buf_str(out, "(\"charset\" ");
        imap_text_string(out, default_charset);
        open = true;
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct param *p = &list->at[i];
        (void)buf_byte(out, open ? ' ' : '(');
        open = true;
        if (p->extended) {
            (void)buf_byte(out, '"'); /* a parameter's name is a token: printable, without quotes */
            for (size_t k = 0; k < p->name.n; k++)
                (void)buf_byte(out, p->name.p[k] < 127 && p->name.p[k] != '\\' ? p->name.p[k] : '?');
            (void)buf_str(out, "*\"");
        } else {
            imap_text_string(out, p->name);
        }
        (void)buf_byte(out, ' ');
        imap_text_string(out, p->value);
    }
    (void)buf_str(out, open ? ")" : "NIL");
}

/* body-fld-dsp = "(" string SP body-fld-param ")" / nil */
static void bodystructure_disposition(const struct mime_part *p, struct buf *out)
{
    if (p->disposition.value.n == 0) {
        (void)buf_str(out, "NIL");
        return;
    }
    (void)buf_byte(out, '(');
    imap_text_string(out, p->disposition.value);
    (void)buf_byte(out, ' ');
    bodystructure_params(&p->disposition, slice_of(NULL, 0), out);
    (void)buf_byte(out, ')');
}

/* body-fld-lang = nstring / "(" string *(SP string) ")"; Content-Language = 1#Language-tag (RFC 3282 §2) */
static void bodystructure_language(slice value, struct buf *out)
{
    bool open = false, more = true;
    while (more) {
        slice tag;
        more = slice_split(value, ',', &tag, &value);
        tag = slice_trim(tag);
        tag = slice_sub(tag, 0, slice_index(tag, '('));
        tag = slice_trim(tag);
        if (tag.n == 0)
            continue;
        (void)buf_byte(out, open ? ' ' : '(');
        imap_text_string(out, tag);
        open = true;
    }
    (void)buf_str(out, open ? ")" : "NIL");
}

static void bodystructure_extensions(const struct mime_part *p, struct buf *out)
{
    (void)buf_byte(out, ' ');
    bodystructure_disposition(p, out);
    (void)buf_byte(out, ' ');
    bodystructure_language(p->fields.value[FIELD_CONTENT_LANGUAGE], out);
    (void)buf_byte(out, ' ');
    imap_text_nstring(out, slice_trim(p->fields.value[FIELD_CONTENT_LOCATION]));
}

static slice bodystructure_cte(enum part_cte cte, slice written)
{
    switch (cte) {
    case PART_CTE_7BIT:
        return SLICE("7bit");
    case PART_CTE_8BIT:
        return SLICE("8bit");
    case PART_CTE_BINARY:
        return SLICE("binary");
    case PART_CTE_QP:
        return SLICE("quoted-printable");
    case PART_CTE_BASE64:
        return SLICE("base64");
    case PART_CTE_UNKNOWN:
        break;
    }
    return slice_sub(slice_trim(written), 0, 64);
}

/* body-fields = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets, with the
 * type before it */
static void bodystructure_fields(const struct mime_part *p, struct buf *out)
{
    slice cte = bodystructure_cte(p->entry.cte, p->fields.value[FIELD_CONTENT_ENCODING]);
    bool text = slice_eq(p->entry.type, SLICE("text"));
    imap_text_upper(out, p->entry.type);
    (void)buf_byte(out, ' ');
    imap_text_upper(out, p->entry.subtype);
    (void)buf_byte(out, ' ');
    bodystructure_params(&p->type, text ? SLICE("US-ASCII") : slice_of(NULL, 0), out);
    (void)buf_byte(out, ' ');
    imap_text_nstring(out, slice_trim(p->fields.value[FIELD_CONTENT_ID]));
    (void)buf_byte(out, ' ');
    imap_text_nstring(out, slice_trim(p->fields.value[FIELD_CONTENT_DESCRIPTION]));
    (void)buf_byte(out, ' ');
    if (p->entry.cte == PART_CTE_UNKNOWN)
        imap_text_string(out, cte);
    else
        imap_text_upper(out, cte);
    (void)buf_byte(out, ' ');
    (void)buf_u64(out, p->entry.body_bytes);
}

/* Before a part's children; a leaf has nothing after. */
static void bodystructure_begin(const struct mime_part *p, bool extensions, struct buf *out)
{
    (void)buf_byte(out, '(');
    if (p->entry.kind == PART_MULTIPART) {
        if (p->entry.first_child == PART_NONE)
            (void)buf_str(out,
                          extensions
                              ? "(\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0 NIL NIL "
                                "NIL NIL)"
                              : "(\"TEXT\" \"PLAIN\" (\"charset\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0)");
        return;
    }
    bodystructure_fields(p, out);
    if (p->entry.kind == PART_LEAF && slice_eq(p->entry.type, SLICE("text"))) {
        (void)buf_byte(out, ' ');
        (void)buf_u64(out, p->entry.lines);
    }
}

/* Behind a part's children. */
static void bodystructure_end(const struct mime_part *p, bool extensions, struct buf *out)
{
    if (p->entry.kind == PART_MULTIPART) {
        (void)buf_byte(out, ' ');
        imap_text_upper(out, p->entry.subtype);
        if (extensions) {
            (void)buf_byte(out, ' ');
            bodystructure_params(&p->type, slice_of(NULL, 0), out);
            bodystructure_extensions(p, out);
        }
    } else {
        if (p->entry.kind == PART_MESSAGE) {
            (void)buf_byte(out, ' ');
            (void)buf_u64(out, p->entry.lines);
        }
        if (extensions) {
            (void)buf_byte(out, ' ');
            imap_text_nstring(out, slice_trim(p->fields.value[FIELD_CONTENT_MD5]));
            bodystructure_extensions(p, out);
        }
    }
    (void)buf_byte(out, ')');
}

/* Down to the first child, along to the next, up to the parent: the tree is walked without a stack, each part
 * once down and once up. */
void bodystructure_write(const struct mime_part *parts, size_t n, bool extensions, struct buf *out)
{
    uint32_t i = 0;
    must(n > 0);
    for (;;) {
        bodystructure_begin(&parts[i], extensions, out);
        if (parts[i].entry.kind == PART_MESSAGE && parts[i].entry.first_child != PART_NONE) {
            const struct mime_part *inside = &parts[parts[i].entry.first_child];
            (void)buf_byte(out, ' ');
            envelope_write(&inside->fields, inside->addresses, out);
            (void)buf_byte(out, ' ');
        }
        if (parts[i].entry.first_child != PART_NONE) {
            i = parts[i].entry.first_child;
            continue;
        }
        for (;;) {
            bodystructure_end(&parts[i], extensions, out);
            if (i == 0)
                return;
            if (parts[i].entry.next != PART_NONE)
                break;
            i = parts[i].entry.parent;
        }
        i = parts[i].entry.next;
    }
}
