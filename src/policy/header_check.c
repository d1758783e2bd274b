#include "policy/header_check.h"

/* A line that is no field, with fields before and behind it: some readers end the header there, others read
 * on, and each sees another message (Exim bug 3036, THREATS 22). A body that follows without an empty line,
 * or a message that has no header at all, is only untidy. */
static bool header_check_has_hole(slice block, const struct mail_limits *limits)
{
    struct header_iter it = header_iter(block, limits);
    struct header_field f;
    bool field = false, junk = false;
    while (header_next(&it, &f)) {
        if (f.name.n == 0)
            junk = field; /* junk before the first field, as of mbox files, misleads nobody */
        else if (junk)
            return true;
        else
            field = true;
    }
    return false;
}

/* A first line that begins with a blank continues whatever stands above it: what we put there ourselves, so
 * that a stranger would write the end of our own field (THREATS 16). */
static bool header_check_continues(slice block)
{
    return block.n && (block.p[0] == ' ' || block.p[0] == '\t');
}

void header_check(slice message, const struct mail_limits *limits, struct verdict *v,
                  struct header_checked *out)
{
    out->block = slice_sub(message, 0, header_end(slice_sub(message, 0, limits->header_bytes)));
    fields_read(out->block, limits, &out->fields);
    if (out->block.n == limits->header_bytes && message.n > limits->header_bytes)
        verdict_reject(v, 552, SLICE("5.3.4"), SLICE("The header of this message is larger than 10 MB"));
    if (out->fields.defects & MAIL_DEFECT_HEADER_MANY)
        verdict_reject(v, 550, SLICE("5.6.0"), SLICE("This message has more than 1,000 header fields"));
    if (out->fields.defects & MAIL_DEFECT_HEADER_LONG)
        verdict_reject(v, 552, SLICE("5.3.4"), SLICE("This message has a header field larger than 256 KB"));
    if (out->fields.defects & MAIL_DEFECT_HEADER_NUL)
        verdict_reject(v, 550, SLICE("5.6.0"), SLICE("The header of this message holds a NUL character"));
    if (out->fields.count[FIELD_FROM] > 1)
        verdict_reject(
            v, 550, SLICE("5.6.0"),
            SLICE("This message has more than one From field, so nobody could tell who wrote it; send it "
                  "with exactly one (RFC 5322, section 3.6)"));
    if (header_check_continues(out->block))
        verdict_reject(v, 550, SLICE("5.6.0"),
                       SLICE("The header of this message begins with a blank, as if it continued something"));
    if (out->fields.defects & MAIL_DEFECT_HEADER_JUNK) {
        if (header_check_has_hole(out->block, limits))
            verdict_reject(
                v, 550, SLICE("5.6.0"),
                SLICE("The header of this message has a line in its middle that is no header field"));
        else
            verdict_reason(v, SLICE("a line of the header is no header field"));
    }
}
