#include "core/imap/lex.h"

#include "text/date.h"

/* Character classes, RFC 9051 §9. ATOM-CHAR is any CHAR but atom-specials: ( ) { SP CTL % * " \ ].
 * ASTRING-CHAR adds ]. Bytes above 127 are in none: UTF-8 travels quoted or as a literal. */
enum {
    LEX_ATOM = 1,
    LEX_ASTRING = 2, /* ATOM-CHAR / "]" */
    LEX_TAG = 4,     /* ASTRING-CHAR without "+" */
    LEX_LIST = 8,    /* ATOM-CHAR / "%" / "*" / "]" */
    LEX_WORD = 16
};

static uint8_t lex_class(uint8_t c)
{
    uint8_t k = 0;
    if (c <= 0x20 || c >= 0x7f || c == '(' || c == ')' || c == '{' || c == '"' || c == '\\')
        return 0;
    if (c == '%' || c == '*')
        return LEX_LIST;
    k = LEX_ASTRING | LEX_LIST;
    if (c != ']')
        k |= LEX_ATOM;
    if (c != '+')
        k |= LEX_TAG;
    if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '-' || c == '=')
        k |= LEX_WORD;
    return k;
}

static enum err lex_run(struct cursor *c, uint8_t class, slice *out)
{
    size_t n = 0;
    while (n < c->rest.n && (lex_class(c->rest.p[n]) & class))
        n++;
    if (!n)
        return ERR_SYNTAX;
    *out = slice_sub(c->rest, 0, n);
    cursor_skip(c, n);
    return OK;
}

enum err imap__tag(struct cursor *c, slice *out)
{
    slice s;
    enum err e = lex_run(c, LEX_TAG, &s);
    if (e != OK)
        return e;
    if (s.n > 128)
        return ERR_SYNTAX;
    *out = s;
    return OK;
}

enum err imap__atom(struct cursor *c, slice *out)
{
    return lex_run(c, LEX_ATOM, out);
}

enum err imap__word(struct cursor *c, slice *out)
{
    return lex_run(c, LEX_WORD, out);
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE. No CR, LF (the reader has cut lines there) or NUL; only \" and \\. */
static enum err lex_quoted(struct cursor *c, struct arena *arena, slice *out)
{
    size_t n = 0, escapes = 0, w = 0;
    slice s;
    uint8_t *p;
    if (!cursor_take(c, '"'))
        return ERR_SYNTAX;
    for (;; n++) {
        int b = cursor_peek_at(c, n);
        if (b == '"')
            break;
        if (b <= 0 || b == '\r' || b == '\n')
            return ERR_SYNTAX;
        if (b == '\\') {
            b = cursor_peek_at(c, ++n);
            if (b != '"' && b != '\\')
                return ERR_SYNTAX;
            escapes++;
        }
    }
    s = slice_sub(c->rest, 0, n);
    cursor_skip(c, n + 1);
    if (escapes && arena) {
        p = arena_alloc(arena, s.n - escapes);
        if (!p)
            return ERR_LIMIT;
        for (size_t i = 0; i < s.n; i++) {
            if (s.p[i] == '\\')
                i++;
            p[w++] = s.p[i];
        }
        s = slice_of(p, w);
    }
    *out = s;
    return OK;
}

/* literal = "{" number ["+"] "}" CRLF *CHAR8 */
static enum err lex_literal(struct cursor *c, slice *out)
{
    uint64_t n;
    if (!cursor_take(c, '{') || imap__number64(c, &n) != OK)
        return ERR_SYNTAX;
    (void)cursor_take(c, '+'); /* the reader knows whether the client waited */
    if (!cursor_take(c, '}') || !cursor_take(c, '\r') || !cursor_take(c, '\n') || n > SIZE_MAX ||
        !cursor_bytes(c, (size_t)n, out))
        return ERR_SYNTAX;
    return OK;
}

enum err imap__string(struct cursor *c, struct arena *arena, slice *out)
{
    return cursor_peek(c) == '{' ? lex_literal(c, out) : lex_quoted(c, arena, out);
}

static enum err lex_run_or_string(struct cursor *c, uint8_t class, struct arena *arena, slice *out)
{
    int b = cursor_peek(c);
    return b == '"' || b == '{' ? imap__string(c, arena, out) : lex_run(c, class, out);
}

enum err imap__astring(struct cursor *c, struct arena *arena, slice *out)
{
    return lex_run_or_string(c, LEX_ASTRING, arena, out);
}

enum err imap__list_mailbox(struct cursor *c, struct arena *arena, slice *out)
{
    return lex_run_or_string(c, LEX_LIST, arena, out);
}

enum err imap__nstring(struct cursor *c, struct arena *arena, slice *out)
{
    if (imap__keyword(c, "NIL")) {
        *out = (slice){0};
        return OK;
    }
    return imap__string(c, arena, out);
}

enum err imap__number64(struct cursor *c, uint64_t *out)
{
    size_t n = 0;
    uint64_t v;
    while (n < c->rest.n && n < 21 && ascii_is_digit(c->rest.p[n]))
        n++;
    /* number64 = unsigned 63-bit integer */
    if (!slice_u64(slice_sub(c->rest, 0, n), &v) || v > INT64_MAX)
        return ERR_SYNTAX;
    cursor_skip(c, n);
    *out = v;
    return OK;
}

enum err imap__number(struct cursor *c, uint32_t *out)
{
    uint64_t v;
    if (imap__number64(c, &v) != OK || v > UINT32_MAX)
        return ERR_SYNTAX;
    *out = (uint32_t)v;
    return OK;
}

enum err imap__nz_number(struct cursor *c, uint32_t *out)
{
    uint32_t v;
    if (cursor_peek(c) == '0' || imap__number(c, &v) != OK)
        return ERR_SYNTAX;
    *out = v;
    return OK;
}

bool imap__keyword(struct cursor *c, const char *word)
{
    slice w = slice_str(word);
    int after;
    if (!slice_starts_nocase(c->rest, w))
        return false;
    after = cursor_peek_at(c, w.n);
    if (after >= 0 && (lex_class((uint8_t)after) & LEX_WORD))
        return false;
    cursor_skip(c, w.n);
    return true;
}

/* What stands up to the next of two bytes. */
static slice lex_until(struct cursor *c, uint8_t end, uint8_t other)
{
    size_t n = 0;
    slice s;
    while (n < c->rest.n && c->rest.p[n] != end && c->rest.p[n] != other)
        n++;
    s = slice_sub(c->rest, 0, n);
    cursor_skip(c, n);
    return s;
}

/* date = date-text / DQUOTE date-text DQUOTE */
enum err imap__date(struct cursor *c, int64_t *out_days)
{
    bool quoted = cursor_take(c, '"');
    slice s = {0};
    int64_t days;
    if (quoted)
        s = lex_until(c, '"', '\r');
    else
        (void)lex_run(c, LEX_WORD, &s); /* an empty one is no date */
    if (date_parse_imap_day(s, &days) != OK || (quoted && !cursor_take(c, '"')))
        return ERR_SYNTAX;
    *out_days = days;
    return OK;
}

/* date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE */
enum err imap__date_time(struct cursor *c, time_ms *out_unix, int *out_zone_minutes)
{
    slice s;
    if (!cursor_take(c, '"'))
        return ERR_SYNTAX;
    s = lex_until(c, '"', '\r');
    return cursor_take(c, '"') ? date_parse_imap(s, out_unix, out_zone_minutes) : ERR_SYNTAX;
}

enum err imap__literal_at_end(slice line, struct imap_literal *out)
{
    struct imap_literal l = {.sync = true};
    size_t open;
    slice number;
    if (!line.n || line.p[line.n - 1] != '}')
        return ERR_NOT_FOUND;
    number = slice_sub(line, line.n > 24 ? line.n - 24 : 0, line.n - 1);
    open = slice_rindex(number, '{');
    if (open == number.n)
        return ERR_NOT_FOUND;
    l.binary = open > 0 && number.p[open - 1] == '~';
    number = slice_from(number, open + 1);
    if (number.n && number.p[number.n - 1] == '+') {
        l.sync = false;
        number.n--;
    }
    for (size_t i = 0; i < number.n; i++)
        if (!ascii_is_digit(number.p[i]))
            return ERR_NOT_FOUND; /* text that happens to end so: the parser will say what is wrong */
    if (!slice_u64(number, &l.size) || l.size > INT64_MAX)
        return ERR_SYNTAX;
    *out = l;
    return OK;
}
