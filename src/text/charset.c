#include "text/charset.h"

#include "text/charset_tables.h"
#include "text/utf8.h"

#include <errno.h>
#include <iconv.h>

#define CHARSET_NAME_MAX 40

/* Other names under which the sets go about, all lower case. */
static const struct {
    slice alias, name;
} charset_aliases[] = {
    {SLICE_INIT("latin1"), SLICE_INIT("iso-8859-1")},
    {SLICE_INIT("iso8859-1"), SLICE_INIT("iso-8859-1")},
    {SLICE_INIT("iso_8859-1"), SLICE_INIT("iso-8859-1")},
    {SLICE_INIT("ascii"), SLICE_INIT("us-ascii")},
    {SLICE_INIT("ansi_x3.4-1968"), SLICE_INIT("us-ascii")},
    {SLICE_INIT("utf8"), SLICE_INIT("utf-8")},
    {SLICE_INIT("unicode-1-1-utf-8"), SLICE_INIT("utf-8")},
    {SLICE_INIT("utf-8mb4"), SLICE_INIT("utf-8")},
    {SLICE_INIT("latin2"), SLICE_INIT("iso-8859-2")},
    {SLICE_INIT("latin-9"), SLICE_INIT("iso-8859-15")},
    {SLICE_INIT("latin9"), SLICE_INIT("iso-8859-15")},
    {SLICE_INIT("iso-8859-8-i"), SLICE_INIT("iso-8859-8")},
    {SLICE_INIT("iso-8859-8-e"), SLICE_INIT("iso-8859-8")},
    {SLICE_INIT("iso-8859-6-i"), SLICE_INIT("iso-8859-6")},
    {SLICE_INIT("iso-8859-11"), SLICE_INIT("tis-620")},
    {SLICE_INIT("cp850"), SLICE_INIT("ibm850")},
    {SLICE_INIT("cp437"), SLICE_INIT("ibm437")},
    {SLICE_INIT("cp866"), SLICE_INIT("ibm866")},
    {SLICE_INIT("mac"), SLICE_INIT("macintosh")},
    {SLICE_INIT("x-mac-roman"), SLICE_INIT("macintosh")},
    /* what senders call by the smaller set's name is in truth the larger one */
    {SLICE_INIT("gb2312"), SLICE_INIT("gb18030")},
    {SLICE_INIT("gbk"), SLICE_INIT("gb18030")},
    {SLICE_INIT("x-gbk"), SLICE_INIT("gb18030")},
    {SLICE_INIT("ks_c_5601-1987"), SLICE_INIT("cp949")},
    {SLICE_INIT("euc-kr"), SLICE_INIT("cp949")},
    {SLICE_INIT("shift_jis"), SLICE_INIT("cp932")},
    {SLICE_INIT("x-sjis"), SLICE_INIT("cp932")},
    {SLICE_INIT("big5"), SLICE_INIT("big5-hkscs")},
    {SLICE_INIT("iso-2022-jp"), SLICE_INIT("iso-2022-jp-3")},
};

/* The name in lower case, aliases resolved; empty when it cannot be one. */
static slice charset_name(slice name, uint8_t room[CHARSET_NAME_MAX])
{
    slice s = slice_trim(name);
    size_t star = slice_index(s, '*'); /* "utf-8*en": RFC 2231 §5 language */
    s = slice_sub(s, 0, star);
    if (s.n >= CHARSET_NAME_MAX)
        return slice_of(NULL, 0);
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = ascii_lower(s.p[i]);
        /* nothing that iconv_open() would take for an option ("//TRANSLIT") */
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.')
            return slice_of(NULL, 0);
        room[i] = c;
    }
    s = slice_of(room, s.n);
    for (size_t i = 0; i < ARRAY_LEN(charset_aliases); i++)
        if (slice_eq(s, charset_aliases[i].alias))
            return charset_aliases[i].name;
    if (slice_starts(s, SLICE("cp125")) && s.n == 6) {
        uint8_t digit = s.p[5];
        memcpy(room, "windows-125", 11);
        room[11] = digit;
        return slice_of(room, 12);
    }
    if (slice_starts(s, SLICE("iso8859")) || slice_starts(s, SLICE("iso_8859"))) {
        size_t skip = s.p[3] == '_' ? 4 : 3;
        size_t n = s.n - skip;
        if (4 + n >= CHARSET_NAME_MAX)
            return slice_of(NULL, 0);
        memmove(room + 4, room + skip, n);
        memcpy(room, "iso-", 4);
        return slice_of(room, 4 + n);
    }
    return s;
}

static const struct charset_table *charset_table(slice name)
{
    for (size_t i = 0; i < CHARSET_TABLES; i++)
        if (slice_eq(charset_tables[i].name, name))
            return &charset_tables[i];
    return NULL;
}

/* Of one byte above 127 by a table; NULL is ISO-8859-1, whose 0x80..0x9F are in truth Windows-1252. */
static enum err charset_single(const struct charset_table *t, slice in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i], utf8[UTF8_MAX];
        uint32_t code = c < 128 ? c : t->high[c - 128];
        enum err e = buf_append(out, slice_of(utf8, utf8_put(utf8, code ? code : UTF8_REPLACEMENT)));
        if (e)
            return e;
    }
    return OK;
}

static enum err charset_ascii_only(slice in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        enum err e = c && c < 128 ? buf_byte(out, c) : buf_str(out, "\xEF\xBF\xBD");
        if (e)
            return e;
    }
    return OK;
}

static enum err charset_iconv(iconv_t cd, slice in, struct buf *out)
{
    char room[1024];
    char *from = (char *)(uintptr_t)in.p; /* iconv does not write there */
    size_t left = in.n;
    bool flushing = false;
    for (;;) {
        char *to = room;
        size_t free_n = sizeof room;
        size_t r = iconv(cd, flushing ? NULL : &from, flushing ? NULL : &left, &to, &free_n);
        int why = r == (size_t)-1 ? errno : 0;
        enum err e = utf8_sanitise(slice_of(room, sizeof room - free_n), out);
        if (e)
            return e;
        if (why == E2BIG)
            continue;
        if (flushing)
            return OK;
        if (why == 0 || left == 0) {
            flushing = true;
        } else { /* a byte that means nothing here, or a torn end */
            e = buf_str(out, "\xEF\xBF\xBD");
            if (e)
                return e;
            from++;
            left--;
        }
    }
}

enum err charset_to_utf8(slice name, slice in, struct buf *out)
{
    uint8_t room[CHARSET_NAME_MAX];
    slice set = charset_name(name, room);
    const struct charset_table *t;
    char text[CHARSET_NAME_MAX + 1];
    enum err e;
    iconv_t cd;
    if (slice_trim(name).n == 0 || slice_eq(set, SLICE("us-ascii"))) {
        if (utf8_valid(in))
            return utf8_sanitise(in, out);
        return charset_single(charset_table(SLICE("windows-1252")), in, out);
    }
    if (slice_eq(set, SLICE("utf-8")))
        return utf8_sanitise(in, out);
    t = charset_table(slice_eq(set, SLICE("iso-8859-1")) ? SLICE("windows-1252") : set);
    if (t)
        return charset_single(t, in, out);
    if (set.n == 0) {
        e = charset_ascii_only(in, out);
        return e ? e : ERR_NOT_FOUND;
    }
    memcpy(text, set.p, set.n);
    text[set.n] = 0;
    cd = iconv_open("UTF-8", text);
    if (cd == (iconv_t)-1) {
        e = charset_ascii_only(in, out);
        return e ? e : ERR_NOT_FOUND;
    }
    e = charset_iconv(cd, in, out);
    (void)iconv_close(cd); /* it only frees */
    return e;
}

bool charset_is_built_in(slice name)
{
    uint8_t room[CHARSET_NAME_MAX];
    slice set = charset_name(name, room);
    return slice_trim(name).n == 0 || slice_eq(set, SLICE("us-ascii")) || slice_eq(set, SLICE("utf-8")) ||
           slice_eq(set, SLICE("iso-8859-1")) || charset_table(set) != NULL;
}

void charset_preload(void)
{
    static const char *const names[] = {"gb18030", "cp949",       "cp932",   "big5-hkscs", "iso-2022-jp-3",
                                        "euc-jp",  "iso-2022-kr", "tis-620", "utf-7"};
    /* The one variable of this layer, for the one thing the C library keeps anyway: a table stays loaded
     * while a handle is open. Nothing reads it. */
    static iconv_t kept[ARRAY_LEN(names)];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!kept[i])
            kept[i] = iconv_open("UTF-8", names[i]);
}
