#include "core/reports/report_text.h"

#include "core/auth/auth.h"
#include "core/dns/dns_name.h"
#include "text/utf8.h"

slice report_text(slice in, size_t max, struct arena *a)
{
    uint8_t room[3 * 256 + 8];
    struct buf clean = {.p = room, .cap = sizeof room, .max = sizeof room}; /* never grows: input is cut */
    slice s = slice_sub(slice_trim(in), 0, size_min(max, 255)), out;
    size_t n = 0;
    IGNORE_RESULT(utf8_sanitise(s, &clean), "three bytes for each of 255 fit");
    for (size_t i = 0; i < clean.n; i++) /* C1 and U+2028, U+2029 as blanks, too */
        if (clean.p[i] < ' ' || clean.p[i] == 127)
            room[i] = ' ';
    s = buf_view(&clean);
    while (n < s.n) { /* cut on a code point */
        uint32_t code;
        size_t step = utf8_next(slice_from(s, n), &code);
        if (step == 0 || n + step > max)
            break;
        if ((code >= 0x80 && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
            (code >= 0x2066 && code <= 0x2069))
            memset(room + n, ' ', step);
        n += step;
    }
    s = slice_trim(slice_sub(s, 0, n));
    return arena_dup(a, s, &out) ? out : (slice){0};
}

slice report_domain(slice in, struct arena *a)
{
    struct dns_name name;
    slice out;
    if (dns_name_parse(slice_trim(in), &name) != OK || name.n == 0)
        return (slice){0};
    return arena_dup(a, dns_name_view(&name), &out) ? out : (slice){0};
}

slice report_domain_end(slice name)
{
    size_t dots = 0, from = name.n, label = 0;
    while (from > 0) {
        if (name.p[from - 1] == '.') {
            if (++dots >= 2 && label > 3)
                break;
            if (dots == 3)
                break;
            label = 0;
        } else {
            label++;
        }
        from--;
    }
    return slice_from(name, from);
}

uint8_t report_result(slice word)
{
    static const struct {
        slice word;
        uint8_t result;
    } words[] = {
        {SLICE_INIT("none"), AUTH_NONE},         {SLICE_INIT("pass"), AUTH_PASS},
        {SLICE_INIT("fail"), AUTH_FAIL},         {SLICE_INIT("hardfail"), AUTH_FAIL},
        {SLICE_INIT("softfail"), AUTH_SOFTFAIL}, {SLICE_INIT("neutral"), AUTH_NEUTRAL},
        {SLICE_INIT("policy"), AUTH_POLICY},     {SLICE_INIT("temperror"), AUTH_TEMPERROR},
        {SLICE_INIT("error"), AUTH_TEMPERROR},   {SLICE_INIT("permerror"), AUTH_PERMERROR},
        {SLICE_INIT("unknown"), AUTH_PERMERROR},
    };
    word = slice_trim(word);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (slice_eq_nocase(word, words[i].word))
            return words[i].result;
    return AUTH_NONE;
}
