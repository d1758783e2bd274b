#include "core/mail/encoded_word.h"

#include "text/base64.h"
#include "text/charset.h"
#include "text/percent.h"
#include "text/qp.h"
#include "text/utf8.h"

/* encoded-word = "=?" charset "?" encoding "?" encoded-text "?=" (RFC 2047 §2). The limit of 75 characters is
 * not enforced on reading. '?' inside the text is against the rule and seen all the same; that many are let
 * pass, so that the search for the end is linear whatever stands there. */
#define ENCODED_WORD_MARKS 8

struct encoded_word {
    slice charset, text;
    bool base64;
    size_t n; /* bytes of the whole word */
};

/* Index of the "?=" that ends the text, or n. */
static size_t encoded_word_end(slice text)
{
    size_t at = 0;
    for (size_t marks = 0; marks < ENCODED_WORD_MARKS; marks++) {
        at += slice_index(slice_from(text, at), '?');
        if (at + 1 >= text.n || (text.p[at + 1] != '=' && at && text.p[at - 1] == '='))
            return text.n; /* the second is another word's start */
        if (text.p[at + 1] == '=')
            return at;
        at++;
    }
    return text.n;
}

static bool encoded_word_at(slice s, struct encoded_word *out)
{
    struct encoded_word w;
    slice rest;
    size_t end;
    if (!slice_starts(s, SLICE("=?")))
        return false;
    rest = slice_from(s, 2);
    w.charset = slice_sub(rest, 0, slice_index(slice_sub(rest, 0, 80), '?'));
    if (w.charset.n == 0 || w.charset.n + 3 > rest.n || slice_has(w.charset, ' '))
        return false;
    rest = slice_from(rest, w.charset.n);
    if (rest.p[0] != '?' || rest.p[2] != '?')
        return false;
    if (ascii_lower(rest.p[1]) != 'b' && ascii_lower(rest.p[1]) != 'q')
        return false;
    w.base64 = ascii_lower(rest.p[1]) == 'b';
    rest = slice_from(rest, 3);
    end = encoded_word_end(rest);
    if (end == rest.n)
        return false;
    w.text = slice_sub(rest, 0, end); /* blanks inside are against the rule, yet common in the Q encoding */
    w.n = 2 + w.charset.n + 3 + end + 2;
    *out = w;
    return true;
}

/* RFC 2047 §4.2 */
static enum err encoded_word_q(slice text, struct buf *out)
{
    struct cursor c = cursor_of(text);
    while (!cursor_end(&c)) {
        int b = cursor_next(&c), high = -1, low = -1;
        enum err e;
        if (b == '_')
            b = ' ';
        if (b == '=' && c.rest.n >= 2) {
            high = hex_digit(c.rest.p[0]);
            low = hex_digit(c.rest.p[1]);
        }
        if (high >= 0 && low >= 0) {
            b = high << 4 | low;
            cursor_skip(&c, 2);
        }
        e = buf_byte(out, (uint8_t)b);
        if (e)
            return e;
    }
    return OK;
}

static enum err encoded_word_bytes(const struct encoded_word *w, struct buf *out)
{
    struct base64_decoder d = {0};
    enum err e;
    if (!w->base64)
        return encoded_word_q(w->text, out);
    e = base64_feed(&d, w->text, out);
    return e ? e : base64_finish(&d, out);
}

/* One run of encoded words of one charset: bytes are gathered, then converted together. */
static enum err encoded_word_run(slice *s, struct buf *bytes, struct buf *out)
{
    struct encoded_word first, w;
    enum err e;
    buf_clear(bytes);
    if (!encoded_word_at(*s, &first))
        return ERR_BUG;
    w = first;
    for (;;) {
        size_t blanks;
        e = encoded_word_bytes(&w, bytes);
        if (e)
            return e;
        *s = slice_from(*s, w.n);
        for (blanks = 0; blanks < s->n && (s->p[blanks] == ' ' || s->p[blanks] == '\t'); blanks++)
            ;
        if (!encoded_word_at(slice_from(*s, blanks), &w))
            break;
        *s = slice_from(*s, blanks); /* RFC 2047 §6.2 */
        if (!slice_eq_nocase(w.charset, first.charset))
            break;
    }
    e = charset_to_utf8(first.charset, buf_view(bytes), out);
    return e == ERR_NOT_FOUND ? OK : e;
}

/* Controls have no business in a header line that people read; each becomes a blank. DEL and C1 too. */
static void encoded_word_clean(struct buf *b)
{
    for (size_t i = 0; i < b->n; i++) {
        bool c1 = b->p[i] == 0xC2 && i + 1 < b->n && b->p[i + 1] < 0xA0;
        if (b->p[i] < 32 || b->p[i] == 127)
            b->p[i] = ' ';
        if (c1)
            b->p[i] = b->p[i + 1] = ' ';
    }
}

static bool encoded_word_is_plain(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 32 || s.p[i] > 126 || (s.p[i] == '=' && i + 1 < s.n && s.p[i + 1] == '?'))
            return false;
    return true;
}

static enum err encoded_word_decode(slice s, struct buf *bytes, struct buf *out)
{
    while (s.n) {
        size_t at = slice_find(s, SLICE("=?"));
        struct encoded_word w;
        enum err e = charset_to_utf8(slice_of(NULL, 0), slice_sub(s, 0, at), out);
        if (e)
            return e;
        s = slice_from(s, at);
        if (s.n == 0)
            return OK;
        if (encoded_word_at(s, &w)) {
            e = encoded_word_run(&s, bytes, out);
        } else {
            e = buf_append(out, slice_sub(s, 0, 2));
            s = slice_from(s, 2);
        }
        if (e)
            return e;
    }
    return OK;
}

bool encoded_word_text(slice line, struct arena *a, slice *out)
{
    struct buf CLEANUP(buf_done) bytes = {0};
    struct buf CLEANUP(buf_done) text = {0};
    if (encoded_word_is_plain(line)) {
        *out = line;
        return true;
    }
    buf_init(&bytes, line.n);
    buf_init(&text, line.n * 4 + 16); /* no conversion makes more than 4 bytes of one */
    if (encoded_word_decode(line, &bytes, &text)) {
        slice s =
            buf_view(&text); /* only reached when an iconv table grows more than we know: keep what fits */
        buf_truncate(&text, utf8_valid_prefix(s));
    }
    encoded_word_clean(&text);
    return arena_dup(a, buf_view(&text), out);
}

/* ---- writing ---- */

#define WORD_MAX      75
#define WORD_OVERHEAD 12 /* "=?UTF-8?B?" and "?=" */

/* Which characters may stand as they are in Q, for every place a word may have (RFC 2047 §5 (3)). */
static bool encoded_word_q_plain(uint8_t c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t encoded_word_q_cost(slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += encoded_word_q_plain(text.p[i]) || text.p[i] == ' ' ? 1 : 3;
    return n;
}

static enum err encoded_word_q_write(slice text, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i], code[3] = {'=', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
        enum err e = c == ' '                  ? buf_byte(out, '_')
                     : encoded_word_q_plain(c) ? buf_byte(out, c)
                                               : buf_append(out, slice_of(code, 3));
        if (e)
            return e;
    }
    return OK;
}

/* The longest run of whole characters that costs at most room. At least one character. */
static size_t encoded_word_fit(slice text, bool base64, size_t room)
{
    size_t n = 0;
    while (n < text.n) {
        uint32_t code = 0;
        size_t step = size_max(utf8_next(slice_from(text, n), &code), 1);
        slice more = slice_sub(text, n, n + step);
        if (n && (base64 ? (n + step + 2) / 3 * 4 : encoded_word_q_cost(more)) > room)
            break;
        if (!base64)
            room -= size_min(room, encoded_word_q_cost(more));
        n += step;
    }
    return n;
}

enum err encoded_word_write(slice text, size_t column, struct buf *out)
{
    bool base64 = encoded_word_q_cost(text) > (text.n + 2) / 3 * 4;
    while (text.n) {
        size_t room = WORD_MAX - size_min(column, 40) - WORD_OVERHEAD;
        size_t n = encoded_word_fit(text, base64, room);
        slice part = slice_sub(text, 0, n);
        enum err e = buf_str(out, base64 ? "=?UTF-8?B?" : "=?UTF-8?Q?");
        if (!e)
            e = base64 ? base64_encode(part, out) : encoded_word_q_write(part, out);
        if (!e)
            e = buf_str(out, "?=");
        text = slice_from(text, n);
        if (!e && text.n)
            e = buf_str(out, "\r\n ");
        if (e)
            return e;
        column = 1;
    }
    return OK;
}
