#include "core/mail/fields.h"

static const struct {
    slice name;
    bool once; /* may occur once only (RFC 5322 §3.6, RFC 2045 §3) */
} field_rows[] = {
    [FIELD_FROM] = {SLICE_INIT("from"), true},
    [FIELD_SENDER] = {SLICE_INIT("sender"), true},
    [FIELD_REPLY_TO] = {SLICE_INIT("reply-to"), true},
    [FIELD_TO] = {SLICE_INIT("to"), true},
    [FIELD_CC] = {SLICE_INIT("cc"), true},
    [FIELD_BCC] = {SLICE_INIT("bcc"), true},
    [FIELD_DATE] = {SLICE_INIT("date"), true},
    [FIELD_SUBJECT] = {SLICE_INIT("subject"), true},
    [FIELD_MESSAGE_ID] = {SLICE_INIT("message-id"), true},
    [FIELD_IN_REPLY_TO] = {SLICE_INIT("in-reply-to"), true},
    [FIELD_REFERENCES] = {SLICE_INIT("references"), true},
    [FIELD_RECEIVED] = {SLICE_INIT("received"), false},
    [FIELD_CONTENT_TYPE] = {SLICE_INIT("content-type"), true},
    [FIELD_CONTENT_ENCODING] = {SLICE_INIT("content-transfer-encoding"), true},
    [FIELD_CONTENT_DISPOSITION] = {SLICE_INIT("content-disposition"), true},
    [FIELD_CONTENT_ID] = {SLICE_INIT("content-id"), true},
    [FIELD_CONTENT_DESCRIPTION] = {SLICE_INIT("content-description"), true},
    [FIELD_CONTENT_MD5] = {SLICE_INIT("content-md5"), true},
    [FIELD_CONTENT_LANGUAGE] = {SLICE_INIT("content-language"), true},
    [FIELD_CONTENT_LOCATION] = {SLICE_INIT("content-location"), true},
};
static_assert(ARRAY_LEN(field_rows) == FIELD__COUNT, "every field has a row");

static enum field field_of(slice name)
{
    uint8_t first = name.n ? ascii_lower(name.p[0]) : 0;
    for (size_t i = 0; i < FIELD__COUNT; i++)
        if (field_rows[i].name.n == name.n && field_rows[i].name.p[0] == first &&
            slice_eq_nocase(field_rows[i].name, name))
            return (enum field)i;
    return FIELD__COUNT;
}

void fields_read(slice block, const struct mail_limits *limits, struct fields *out)
{
    struct header_iter it = header_iter(block, limits);
    struct header_field f;
    *out = (struct fields){0};
    while (header_next(&it, &f)) {
        enum field which = field_of(f.name);
        if (f.raw.n > limits->header_field_bytes) {
            out->defects |= MAIL_DEFECT_HEADER_LONG;
            f.value = slice_sub(f.value, 0, limits->header_field_bytes);
        }
        if (which == FIELD__COUNT)
            continue;
        if (out->count[which]++ == 0)
            out->value[which] = f.value;
        else if (field_rows[which].once)
            out->defects |=
                MAIL_DEFECT_DUPLICATE | (which == FIELD_CONTENT_TYPE || which == FIELD_CONTENT_ENCODING ||
                                                 which == FIELD_CONTENT_DISPOSITION
                                             ? MAIL_DEFECT_MIME_AMBIGUOUS
                                             : 0u);
    }
    out->defects |= it.defects;
}
