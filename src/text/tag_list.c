#include "text/tag_list.h"

#include "text/base64.h"
#include "text/utf8.h"

/* How many octets of white space s begins with: [FWS] of RFC 6376 §2.8, with LF taken as CRLF. A line end
 * with no blank behind it is none. */
static size_t tag_fws(slice s)
{
    size_t i = 0;
    for (;;) {
        size_t at = i;
        if (at + 1 < s.n && s.p[at] == '\r' && s.p[at + 1] == '\n')
            at += 2;
        else if (at < s.n && s.p[at] == '\n')
            at++;
        if (at == s.n || (s.p[at] != ' ' && s.p[at] != '\t'))
            return i;
        i = at + 1;
    }
}

static bool tag_is_name(uint8_t c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_';
}

/* tag-name = ALPHA *ALNUMPUNC */
static size_t tag_name_length(slice s)
{
    size_t i = 0;
    if (s.n == 0 || !ascii_is_alpha(s.p[0]))
        return 0;
    while (i < s.n && tag_is_name(s.p[i]))
        i++;
    return i;
}

/* tag-value = [ tval *( 1*(WSP / FWS) tval ) ] with tval = 1*VALCHAR, up to a ";" or the end. Gives the
 * length without the white space behind, or SIZE_MAX when a byte is none of these. *out_used counts that too.
 */
static size_t tag_value_length(slice s, size_t *out_used)
{
    size_t i = 0, end = 0;
    bool ascii = true;
    while (i < s.n && s.p[i] != ';') {
        uint8_t c = s.p[i];
        if (c > 0x20 && c != 0x7f) {
            ascii = ascii && c < 0x80;
            end = ++i;
            continue;
        }
        size_t blanks = tag_fws(slice_from(s, i));
        if (blanks == 0)
            return SIZE_MAX;
        i += blanks;
    }
    slice value = slice_sub(s, 0, end);
    if (!ascii && (!utf8_valid(value) || utf8_has_c1(value)))
        return SIZE_MAX;
    *out_used = i;
    return end;
}

/* One tag-spec from the front of *rest; the ";" behind it stays. */
static bool tag_spec(slice *rest, struct tag *out)
{
    slice s = slice_from(*rest, tag_fws(*rest));
    size_t n = tag_name_length(s), used = 0;
    out->name = slice_sub(s, 0, n);
    s = slice_from(s, n);
    s = slice_from(s, tag_fws(s));
    if (n == 0 || s.n == 0 || s.p[0] != '=')
        return false;
    s = slice_from(s, 1);
    s = slice_from(s, tag_fws(s));
    n = tag_value_length(s, &used);
    if (n == SIZE_MAX)
        return false;
    out->value = slice_sub(s, 0, n);
    *rest = slice_from(s, used);
    return true;
}

const slice *tag_list_find(const struct tag_list *list, slice name)
{
    for (size_t i = 0; i < list->n; i++)
        if (slice_eq(list->at[i].name, name))
            return &list->at[i].value;
    return NULL;
}

enum err tag_list_parse(slice text, struct tag_list *out)
{
    struct tag_list list;
    list.n = 0;
    for (;;) {
        struct tag t;
        if (!tag_spec(&text, &t))
            return ERR_SYNTAX;
        if (tag_list_find(&list, t.name))
            return ERR_EXISTS;
        if (list.n == TAG_LIST_MAX)
            return ERR_LIMIT;
        list.at[list.n++] = t;
        /* what stands here is the end, or the ";" of the next tag or of the end */
        text = slice_from(text, 1);
        if (tag_fws(text) == text.n)
            break;
    }
    memcpy(out->at, list.at, list.n * sizeof(list.at[0]));
    out->n = list.n;
    return OK;
}

bool tag_items_next(struct tag_items *it, uint8_t divider, slice *out)
{
    slice head;
    if (!it->more)
        return false;
    it->more = slice_split(it->rest, divider, &head, &it->rest);
    *out = slice_trim(head);
    return true;
}

bool tag_item_find(slice value, uint8_t divider, slice word)
{
    struct tag_items it = tag_items(value);
    slice item;
    while (tag_items_next(&it, divider, &item))
        if (slice_eq_nocase(item, word))
            return true;
    return false;
}

enum err tag_base64(slice value, struct buf *out)
{
    struct buf text CLEANUP(buf_done);
    buf_init(&text, value.n + 2);
    while (value.n) {
        size_t n = 0, gap;
        while (n < value.n && value.p[n] > ' ')
            n++;
        gap = tag_fws(slice_from(value, n));
        if (n == 0 && gap == 0)
            return ERR_SYNTAX;
        IGNORE_RESULT(buf_append(&text, slice_sub(value, 0, n)), "text has room for all of value");
        value = slice_from(value, n + gap);
    }
    /* the grammar leaves the padding out as it likes */
    for (size_t pad = text.n % 4; pad >= 2; pad = text.n % 4)
        IGNORE_RESULT(buf_byte(&text, '='), "and for these");
    return base64_decode(buf_view(&text), out);
}
