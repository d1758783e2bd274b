#include "core/mail/param.h"

#include "core/mail/encoded_word.h"
#include "core/mail/header.h"
#include "text/cfws.h"
#include "text/charset.h"
#include "text/percent.h"

/* One parameter as written, before continuations are joined. */
struct param_raw {
    slice name, value;
    bool extended; /* the name ended in "*" */
    bool numbered; /* "name*N" */
    uint32_t number;
    bool done;
};

/* Token characters, taken widely: all but blanks, controls and what divides (RFC 2045 §5.1 tspecials that
 * matter) */
static bool param_is_token(uint8_t c)
{
    return c > 32 && c != 127 && c != ';' && c != '=' && c != '(' && c != ')' && c != '"' && c != '<' &&
           c != '>' && c != ',';
}

/* quoted-string behind its first quote, into room; line ends and NUL are dropped. */
static slice param_quoted(struct cursor *c, uint8_t *room)
{
    size_t n = 0;
    for (;;) {
        int b = cursor_next(c);
        if (b == '\\') {
            int next = cursor_peek(c);
            if (next == '"' || next == '\\') /* "C:\dir" of careless senders keeps its backslashes */
                b = cursor_next(c);
        } else if (b == '"') {
            break;
        }
        if (b < 0)
            break;
        if (b != '\r' && b != '\n' && b != 0)
            room[n++] = (uint8_t)b;
    }
    return slice_of(room, n);
}

/* An unquoted value. Blanks end it, unless no "name=" follows before the next ";": file names with blanks and
 * without quotes are common. */
static slice param_bare(struct cursor *c, uint8_t *room)
{
    size_t semicolon = slice_index(c->rest, ';'), token = 0, n = 0, end;
    slice rest;
    while (token < semicolon && c->rest.p[token] > 32 && c->rest.p[token] != '(')
        token++;
    rest = slice_trim(slice_sub(c->rest, token, semicolon));
    end = rest.n == 0 || rest.p[0] == '(' || slice_has(rest, '=') ? token : semicolon;
    rest = slice_trim(slice_sub(c->rest, 0, end));
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] >= 32 && rest.p[i] != 127)
            room[n++] = rest.p[i];
    cursor_skip(c, end);
    return slice_of(room, n);
}

/* "name", "name*", "name*3", "name*3*" (RFC 2231 §3, §4) */
static void param_split_name(struct param_raw *p)
{
    size_t star;
    if (p->name.n > 1 && p->name.p[p->name.n - 1] == '*') {
        p->extended = true;
        p->name.n--;
    }
    star = slice_rindex(p->name, '*');
    if (star > 0 && star < p->name.n && p->name.n - star <= 4 &&
        slice_u32(slice_from(p->name, star + 1), &p->number)) {
        p->numbered = true;
        p->name.n = star;
    }
}

/* Lower-cases in place; the bytes are ours. */
static slice param_lower(uint8_t *room, slice s)
{
    for (size_t i = 0; i < s.n; i++)
        room[i] = ascii_lower(s.p[i]);
    return slice_of(room, s.n);
}

/* Reads "name=value" at the cursor. *room moves behind what was written there. */
static bool param_next(struct cursor *c, uint8_t **room, struct param_raw *out)
{
    size_t n = 0;
    struct param_raw p = {0};
    while (n < c->rest.n && param_is_token(c->rest.p[n]))
        n++;
    p.name = param_lower(*room, slice_sub(c->rest, 0, n));
    *room += n;
    cursor_skip(c, n);
    cfws_skip(c);
    if (n == 0 || !cursor_take(c, '='))
        return false;
    cfws_skip(c);
    p.value = cursor_take(c, '"') ? param_quoted(c, *room) : param_bare(c, *room);
    *room += p.value.n;
    param_split_name(&p);
    *out = p;
    return true;
}

/* Joins the pieces of the continued parameter that starts at raw[first]. At most limits->params of them: the
 * square is bounded. */
static bool param_join(struct param_raw *raw, size_t n, size_t first, struct arena *a, struct param *out)
{
    size_t total = 0, at = 0;
    bool any_extended = false;
    uint8_t *p;
    for (size_t i = first; i < n; i++)
        if (raw[i].numbered && slice_eq(raw[i].name, raw[first].name)) {
            total += 3 * raw[i].value.n;
            any_extended |= raw[i].extended;
        }
    p = arena_alloc(a, total + 2);
    if (!p)
        return false;
    for (uint32_t want = 0;; want++) {
        struct param_raw *piece = NULL;
        struct buf CLEANUP(buf_done) plain = {0};
        for (size_t i = first; i < n && !piece; i++)
            if (raw[i].numbered && !raw[i].done && raw[i].number == want &&
                slice_eq(raw[i].name, raw[first].name))
                piece = &raw[i];
        buf_init(&plain, piece ? 3 * piece->value.n : 0);
        if (!piece)
            break;
        piece->done = true;
        if (want == 0 && any_extended && !piece->extended) { /* no charset told: keep the form valid */
            memcpy(p, "''", 2);
            at = 2;
        }
        if (any_extended && !piece->extended)
            (void)percent_encode(piece->value, &plain); /* 3 bytes for each always fit */
        else
            (void)buf_append(&plain, piece->value);
        if (plain.n)
            memcpy(p + at, plain.p, plain.n);
        at += plain.n;
    }
    for (size_t i = first; i < n; i++) /* pieces behind a gap are lost (RFC 2231 §3) */
        raw[i].done |= raw[i].numbered && slice_eq(raw[i].name, raw[first].name);
    *out = (struct param){raw[first].name, slice_of(p, at), any_extended};
    return true;
}

/* An extended parameter takes the place of a plain one of the same name (RFC 6266 §4.3 says so for HTTP;
 * senders of both mean the same). */
static void param_add(struct param_list *list, const struct param *p)
{
    for (size_t i = 0; i < list->n; i++)
        if (slice_eq(list->at[i].name, p->name)) {
            if (p->extended && !list->at[i].extended)
                list->at[i] = *p;
            else if (!list->at[i].extended || p->extended)
                list->defects |= MAIL_DEFECT_MIME_PARAMS | MAIL_DEFECT_MIME_AMBIGUOUS;
            return;
        }
    list->at[list->n++] = *p;
}

static bool param_collect(struct param_raw *raw, size_t n, struct arena *a, struct param_list *list)
{
    for (size_t i = 0; i < n; i++) {
        struct param p = {raw[i].name, raw[i].value, raw[i].extended};
        if (raw[i].done)
            continue;
        if (raw[i].numbered && !param_join(raw, n, i, a, &p))
            return false;
        param_add(list, &p);
    }
    return true;
}

bool param_list_parse(slice value, const struct mail_limits *limits, struct arena *a, struct param_list *out)
{
    struct cursor c = cursor_of(value);
    struct param_list list = {0};
    struct param_raw raw[64];
    size_t max = size_min(limits->params, ARRAY_LEN(raw)), n = 0, head = 0;
    uint8_t *room = arena_alloc(a, value.n + 1);
    if (!room)
        return false;
    cfws_skip(&c);
    while (head < c.rest.n && c.rest.p[head] > 32 && c.rest.p[head] != ';' && c.rest.p[head] != '(')
        head++;
    list.value = param_lower(room, slice_sub(c.rest, 0, head));
    room += head;
    cursor_skip(&c, head);
    while (!cursor_end(&c)) {
        cfws_skip(&c);
        if (cursor_take(&c, ';'))
            continue;
        if (n == max) {
            list.defects |= MAIL_DEFECT_MIME_PARAMS;
            break;
        }
        if (cursor_end(&c))
            break;
        if (param_next(&c, &room, &raw[n])) {
            n++;
        } else {
            list.defects |= MAIL_DEFECT_MIME_PARAMS;
            cursor_skip(&c, size_max(slice_index(c.rest, ';'), 1));
        }
    }
    list.at = ARENA_ARRAY(a, n + 1, struct param);
    if (!list.at || !param_collect(raw, n, a, &list))
        return false;
    *out = list;
    return true;
}

const struct param *param_find(const struct param_list *list, slice name)
{
    for (size_t i = 0; i < list->n; i++)
        if (slice_eq(list->at[i].name, name))
            return &list->at[i];
    return NULL;
}

bool param_text(const struct param *p, struct arena *a, slice *out)
{
    struct buf CLEANUP(buf_done) bytes = {0};
    struct buf CLEANUP(buf_done) text = {0};
    slice charset, rest, language, encoded;
    if (!p->extended)
        return encoded_word_text(p->value, a, out);
    buf_init(&bytes, p->value.n);
    buf_init(&text, 4 * p->value.n + 16);
    if (!slice_split(p->value, '\'', &charset, &rest) || !slice_split(rest, '\'', &language, &encoded)) {
        charset = slice_of(NULL, 0);
        encoded = p->value;
    }
    (void)percent_decode(encoded, &bytes); /* never longer than its input */
    if (charset_to_utf8(charset, buf_view(&bytes), &text) == ERR_LIMIT)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 32 || text.p[i] == 127)
            text.p[i] = ' ';
    return arena_dup(a, buf_view(&text), out);
}
