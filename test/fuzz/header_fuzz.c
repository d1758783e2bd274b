/* header: the fields of any block add up to the block; text is valid UTF-8; what header_write() makes is
 * exactly one field with the same text in it; parameters, dates and subjects never misbehave. */
#include "core/mail/encoded_word.h"
#include "core/mail/header.h"
#include "core/mail/param.h"
#include "core/mail/subject.h"
#include "text/charset.h"
#include "text/date.h"
#include "text/qp.h"
#include "text/utf7.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_write(slice value, enum header_write_flags flags, struct arena *a)
{
    struct buf b;
    struct header_iter it;
    struct header_field f;
    slice before, after;
    buf_init(&b, 1u << 20);
    if (header_write(&b, SLICE("Subject"), value, flags) == OK) {
        it = header_iter(buf_view(&b), &mail_limits_default);
        must(header_next(&it, &f) && f.raw.n == b.n && slice_eq(f.name, SLICE("Subject")));
        must(!header_next(&it, &f) && it.rest.n == 0);
        must((it.defects & ~(uint32_t)MAIL_DEFECT_EIGHT_BIT_HEADER) == 0);
        if (flags == HEADER_ENCODE) {
            must(utf8_is_ascii(buf_view(&b)));
            must(header_text(f.value, a, &after));
            must(encoded_word_text(value, a, &before)); /* a blank for each control character */
            if (slice_find(value, SLICE("=?")) == value.n)
                must(slice_eq(after, slice_trim(before)));
        }
    } else {
        must(b.n == 0);
    }
    buf_done(&b);
}

static void check_codecs(slice s, struct arena *a)
{
    struct buf b, c;
    struct qp_decoder d = {0};
    time_ms at;
    int zone;
    slice base;
    bool reply;
    buf_init(&b, 1u << 20);
    buf_init(&c, 1u << 20);
    if (utf7_decode(s, &b) == OK) {
        must(utf7_encode(buf_view(&b), &c) == OK && slice_eq(buf_view(&c), s));
        buf_clear(&b);
        buf_clear(&c);
    }
    if (date_parse(s, &at, &zone) == OK) {
        time_ms again;
        must(date_print(at, zone, &b) == OK && date_parse(buf_view(&b), &again, &zone) == OK && again == at);
        buf_clear(&b);
    }
    if (!slice_has(s, '\r') && !slice_has(s, '\n')) {
        must(qp_encode(s, &b) == OK && qp_feed(&d, buf_view(&b), &c) == OK && qp_finish(&d, &c) == OK);
        must(slice_eq(buf_view(&c), s));
    }
    must(subject_base(s, a, &base, &reply) && base.n <= s.n);
    buf_done(&b);
    buf_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice s = slice_of(data, size), text;
    struct arena a;
    struct header_iter it = header_iter(s, &mail_limits_default);
    struct header_field f;
    struct param_list list;
    const uint8_t *at = s.p;
    charset_preload(); /* once: loading tables for every input would be all the work */
    arena_init(&a, "fuzz", 64u << 20);
    while (header_next(&it, &f)) {
        must(f.raw.p == at && f.raw.n > 0);
        at += f.raw.n;
        must(f.name.n + f.value.n <= f.raw.n);
        must(header_text(f.value, &a, &text) && utf8_valid(text) && !slice_has(text, '\n') &&
             !slice_has(text, 0));
    }
    must(it.rest.p == at || s.n == 0);
    must(header_end(s) <= s.n);
    must(param_list_parse(s, &mail_limits_default, &a, &list) && list.n <= mail_limits_default.params);
    for (size_t i = 0; i < list.n; i++)
        must(param_text(&list.at[i], &a, &text) && utf8_valid(text));
    check_write(s, HEADER_ENCODE, &a);
    check_write(s, HEADER_UTF8, &a);
    check_write(s, HEADER_STRUCTURED, &a);
    check_codecs(s, &a);
    arena_done(&a);
    return 0;
}
