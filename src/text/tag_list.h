/* tag_list: "name=value; name=value", the form of DKIM signatures and keys, ARC fields and DMARC records
 * (RFC 6376 §3.2).
 *
 * Strict, because what two readers read differently is a way in: a name that occurs twice, a byte outside the
 * grammar, or anything between "=" and ";" that is no value makes the whole list unusable. Names are
 * case-sensitive. White space may stand around names and values and inside values: SP, HTAB, and a line end
 * (CRLF or LF) that is followed by one of them. Values may hold valid UTF-8 (RFC 8616 §3); who reads a value
 * checks it further. Nothing is copied. */
#ifndef POSTHORN_TEXT_TAG_LIST_H
#define POSTHORN_TEXT_TAG_LIST_H

#include "base/buf.h"

#define TAG_LIST_MAX 48 /* the largest known list, DKIM-Signature, has 14 */

struct tag {
    slice name;
    slice value; /* without white space around it; may be empty; white space inside is as it was */
};

struct tag_list {
    struct tag at[TAG_LIST_MAX]; /* in their order */
    size_t n;
};

/* At least one tag; one ";" may end the list. ERR_SYNTAX; ERR_EXISTS: a name occurs twice; ERR_LIMIT: more
 * than TAG_LIST_MAX tags. Views into text. */
NODISCARD enum err tag_list_parse(slice text, struct tag_list *out);
/* The value of the tag of that name, exactly so written, or NULL. */
const slice *tag_list_find(const struct tag_list *list, slice name);

/* The items of a value that are divided by a character (":" in h=, "," in rua=), without white space around
 * them. "a:" has two, the second empty; an empty value has none. */
struct tag_items {
    slice rest;
    bool more;
};
static inline struct tag_items tag_items(slice value)
{
    return (struct tag_items){value, value.n > 0};
}
NODISCARD bool tag_items_next(struct tag_items *it, uint8_t divider, slice *out);
/* Is one of the items the word (ASCII case folded)? */
bool tag_item_find(slice value, uint8_t divider, slice word);
/* Base64 with white space anywhere and the padding at will (RFC 6376 §2.10, base64string), appended to out.
 * ERR_SYNTAX or ERR_LIMIT: out is as before. */
NODISCARD enum err tag_base64(slice value, struct buf *out);

#endif
