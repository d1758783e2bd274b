/* header_write: the one writer of header fields. Whatever value comes in, what goes out is one field: CR, LF
 * and NUL are errors, not escapes, because nobody who means well has them (THREATS 16). */
#include "core/mail/encoded_word.h"
#include "core/mail/header.h"
#include "text/utf8.h"

#define HEADER_LINE_MAX 78 /* RFC 5322 §2.1.1 */
#define HEADER_NAME_MAX 76
/* A line without a blank to fold at may not pass this (RFC 5322 §2.1.1). */
#define HEADER_LINE_HARD 998

static bool header_name_ok(slice name)
{
    if (name.n == 0 || name.n > HEADER_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= 32 || name.p[i] >= 127 || name.p[i] == ':')
            return false;
    return true;
}

static bool header_value_ok(slice value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((value.p[i] < 32 && value.p[i] != '\t') || value.p[i] == 127)
            return false;
    return utf8_valid(value) && !utf8_has_c1(value);
}

/* The next word with the blanks before it. */
static slice header_word(slice s)
{
    size_t n = 0;
    while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
        n++;
    while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
        n++;
    return slice_sub(s, 0, n);
}

/* Writes words, breaking the line before the blanks of one that would pass the limit. A fold puts CRLF before
 * the blanks that are there, so unfolding gives the value back. */
static enum err header_fold(struct buf *out, slice value, size_t *column)
{
    while (value.n) {
        slice word = header_word(value);
        bool has_blank = word.p[0] == ' ' || word.p[0] == '\t';
        bool only_blanks = slice_trim(word).n == 0;
        enum err e = OK;
        if (has_blank && !only_blanks && *column + word.n > HEADER_LINE_MAX && *column > 1) {
            e = buf_str(out, "\r\n");
            *column = 0;
        }
        if (!e && *column + word.n > HEADER_LINE_HARD)
            e = ERR_SYNTAX;
        if (!e)
            e = buf_append(out, word);
        if (e)
            return e;
        *column += word.n;
        value = slice_from(value, word.n);
    }
    return OK;
}

static bool header_has_long_word(slice value)
{
    while (value.n) {
        slice word = header_word(value);
        if (word.n > HEADER_LINE_HARD - HEADER_NAME_MAX - 2)
            return true;
        value = slice_from(value, word.n);
    }
    return false;
}

static enum err header_write_value(struct buf *out, slice value, enum header_write_flags flags,
                                   size_t *column)
{
    bool plain = utf8_is_ascii(value) && slice_find(value, SLICE("=?")) == value.n;
    enum err e;
    if (flags & HEADER_STRUCTURED)
        return !utf8_is_ascii(value) && !(flags & HEADER_UTF8) ? ERR_SYNTAX : header_fold(out, value, column);
    if ((plain || (flags & HEADER_UTF8)) && !header_has_long_word(value))
        return header_fold(out, value, column);
    /* a long word cannot be folded, and "=?" would be taken for an encoded word: encode */
    e = encoded_word_write(value, *column, out);
    *column = 1; /* only an upper bound matters to those who write on: they fold first */
    return e;
}

enum err header_write(struct buf *out, slice name, slice value, enum header_write_flags flags)
{
    size_t start = out->n, column = name.n + 2;
    enum err e;
    value = slice_trim(value);
    if (!header_name_ok(name) || !header_value_ok(value))
        return ERR_SYNTAX;
    e = buf_append(out, name);
    if (!e)
        e = buf_str(out, ": ");
    if (!e)
        e = header_write_value(out, value, flags, &column);
    if (!e)
        e = buf_str(out, "\r\n");
    if (e)
        buf_truncate(out, start);
    return e;
}

/* display-name = phrase: atoms as they are, else a quoted string, else encoded words (RFC 5322 §3.2.5) */
static enum err header_write_phrase(struct buf *out, slice text, enum header_write_flags flags,
                                    size_t *column)
{
    bool atoms = true;
    enum err e;
    for (size_t i = 0; i < text.n; i++)
        atoms = atoms && (ascii_is_alpha(text.p[i]) || ascii_is_digit(text.p[i]) || text.p[i] == ' ' ||
                          text.p[i] == '-' || text.p[i] == '_');
    if (atoms)
        return header_fold(out, text, column);
    if ((!utf8_is_ascii(text) && !(flags & HEADER_UTF8)) || text.n > HEADER_LINE_MAX ||
        slice_find(text, SLICE("=?")) < text.n)
        return header_write_value(out, text, HEADER_ENCODE, column);
    e = buf_byte(out, '"');
    for (size_t i = 0; !e && i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            e = buf_byte(out, '\\');
        if (!e)
            e = buf_byte(out, text.p[i]);
    }
    *column += text.n + 2;
    return e ? e : buf_byte(out, '"');
}

/* An address that could end its "<...>" or begin another one is none of mailbox_print()'s; inside quotes
 * anything may stand. */
static bool header_addr_spec_ok(slice s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\')
            i++;
        else if (!quoted && (c == '<' || c == '>' || c == ',' || c == ';' || c == ' '))
            return false;
    }
    return s.n > 0 && !quoted;
}

enum err header_write_mailbox(struct buf *out, slice name, slice display, slice addr_spec,
                              enum header_write_flags flags)
{
    size_t start = out->n, column = name.n + 2;
    enum err e;
    display = slice_trim(display);
    if (!header_name_ok(name) || !header_value_ok(display) || !header_value_ok(addr_spec) ||
        !header_addr_spec_ok(addr_spec) || (!utf8_is_ascii(addr_spec) && !(flags & HEADER_UTF8)))
        return ERR_SYNTAX;
    e = buf_append(out, name);
    if (!e)
        e = buf_str(out, ": ");
    if (!e && display.n) {
        e = header_write_phrase(out, display, flags, &column);
        if (!e)
            e = buf_str(out, column + addr_spec.n + 3 > HEADER_LINE_MAX ? "\r\n <" : " <");
        if (!e)
            e = buf_append(out, addr_spec);
        if (!e)
            e = buf_byte(out, '>');
    } else if (!e) {
        e = buf_append(out, addr_spec);
    }
    if (!e)
        e = buf_str(out, "\r\n");
    if (e)
        buf_truncate(out, start);
    return e;
}
