/* tag_list: any text. What is read lies inside the text and in order, names are names, and writing the tags
 * again and reading that gives the same. */
#include "text/tag_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b CLEANUP(buf_done), octets CLEANUP(buf_done);
    struct tag_list l, again;
    slice text = slice_of(data, size);
    buf_init(&b, size * 2 + 2);
    buf_init(&octets, size + 4);
    if (tag_list_parse(text, &l))
        return 0;
    must(l.n > 0 && l.n <= TAG_LIST_MAX);
    for (size_t i = 0; i < l.n; i++) {
        struct tag_items it = tag_items(l.at[i].value);
        slice item;
        must(l.at[i].name.n > 0 && ascii_is_alpha(l.at[i].name.p[0]));
        must(l.at[i].value.p >= l.at[i].name.p + l.at[i].name.n &&
             l.at[i].value.p + l.at[i].value.n <= data + size);
        must(tag_list_find(&l, l.at[i].name) == &l.at[i].value);
        for (size_t n = 0; tag_items_next(&it, ':', &item); n++)
            must(n <= l.at[i].value.n);
        IGNORE_RESULT(tag_base64(l.at[i].value, &octets), "only the sanitizers judge");
        must(buf_append(&b, l.at[i].name) == OK && buf_byte(&b, '=') == OK &&
             buf_append(&b, l.at[i].value) == OK && buf_byte(&b, ';') == OK);
    }
    must(tag_list_parse(buf_view(&b), &again) == OK && again.n == l.n);
    for (size_t i = 0; i < l.n; i++)
        must(slice_eq(again.at[i].name, l.at[i].name) && slice_eq(again.at[i].value, l.at[i].value));
    return 0;
}
