#include "core/mail/address.h"

/* The reader is a loop over tokens, each looked at once: words, quoted strings, comments, domain literals and
 * the specials < > , : ; @ and dot. Nothing recurses (comments nest by a counter) and nothing looks back, so
 * work is linear in the value.
 *
 * What a token says goes to one or both of two runs of text, each written front to back in memory got at the
 * start: phrase   words with the blanks between them: a display name or a group's name address  the address
 * word being gathered: "." and "@" glue their neighbours together, a blank begins a new one and comments go
 * to a third. A flush makes an entry of them. */

struct address_run {
    uint8_t *p;
    size_t n, from; /* from: where the text in hand begins */
};

struct address_reader {
    struct cursor in;
    struct arena *arena;
    struct address_list list;
    size_t room, max; /* entries there is memory for, and may be */
    bool out_of_memory;
    struct address_run phrase, word, comment;
    size_t at;         /* in word: behind the "@" that divides it; 0 for none */
    size_t phrase_cut; /* length of phrase before the address word in hand */
    bool word_open;    /* an address word is being gathered */
    bool glue;         /* the last token was "." or "@" */
    bool blank;        /* blanks or a comment stood before the token in hand */
    bool in_angle, in_route, angle_done, in_group, full;
    bool dirty;
    struct address angle; /* what <...> gave */
};

/* atext with UTF-8 (RFC 5322 §3.2.3, RFC 6532 §3.2), and the stray bytes we take for it while flagging them
 */
static bool address_is_special(uint8_t c)
{
    return c <= 32 || c == 127 || c == '(' || c == ')' || c == '<' || c == '>' || c == '[' || c == ']' ||
           c == ':' || c == ';' || c == '@' || c == '\\' || c == ',' || c == '.' || c == '"';
}

static void run_put(struct address_run *r, slice s)
{
    if (s.n)
        memcpy(r->p + r->n, s.p, s.n);
    r->n += s.n;
}

static slice run_view(const struct address_run *r)
{
    return slice_of(r->p + r->from, r->n - r->from);
}

/* Room for one more entry. One above the maximum is kept for the end of a group. */
static bool address_grow(struct address_reader *r)
{
    size_t room = size_min(r->room ? r->room * 2 : 4, r->max + 1);
    struct address *at;
    if (r->list.n < r->room)
        return true;
    at = ARENA_ARRAY(r->arena, room, struct address);
    if (!at) {
        r->out_of_memory = true;
        return false;
    }
    if (r->list.n)
        memcpy(at, r->list.at, r->list.n * sizeof *at);
    r->list.at = at;
    r->room = room;
    return true;
}

static struct address *address_push(struct address_reader *r, enum address_kind kind)
{
    struct address *a;
    if (r->list.n == r->max || !address_grow(r)) {
        r->full = true;
        return NULL;
    }
    a = &r->list.at[r->list.n++];
    a->kind = kind;
    return a;
}

/* Divides the address word in hand at its "@". */
static void address_word_take(struct address_reader *r, struct address *out)
{
    slice all = run_view(&r->word);
    if (r->at) {
        out->local = slice_sub(all, 0, r->at - 1);
        out->domain = slice_from(all, r->at);
        if (out->local.n == 0 || out->domain.n == 0)
            r->dirty = true;
    } else {
        out->local = all;
    }
    r->word.from = r->word.n;
    r->at = 0;
    r->word_open = false;
}

static void address_begin(struct address_reader *r)
{
    r->phrase.from = r->phrase.n;
    r->word.from = r->word.n;
    r->comment.from = r->comment.n;
    r->at = 0;
    r->phrase_cut = 0;
    r->word_open = r->glue = r->blank = r->in_angle = r->in_route = r->angle_done = false;
    r->angle = (struct address){0};
}

/* An entry of what was gathered since the last comma. */
static void address_flush(struct address_reader *r)
{
    slice phrase = slice_trim(run_view(&r->phrase));
    bool bare = r->word_open && (!r->angle_done || r->at);
    struct address *a;
    if (r->in_angle) { /* no ">" */
        r->dirty = true;
        address_word_take(r, &r->angle);
        r->angle_done = true;
        bare = false;
    }
    if (r->angle_done && r->word_open)
        r->dirty = true; /* text behind "<...>" */
    if (r->angle_done && (a = address_push(r, ADDRESS_MAILBOX))) {
        *a = r->angle;
        a->name = phrase.n ? phrase : slice_trim(run_view(&r->comment));
        if (a->local.n == 0 || a->domain.n == 0)
            r->dirty = true;
    }
    if (bare && (a = address_push(r, ADDRESS_MAILBOX))) {
        bool divided = r->at != 0;
        slice before = slice_trim(slice_sub(run_view(&r->phrase), 0, r->phrase_cut));
        address_word_take(r, a);
        if (!divided && before.n) { /* "undisclosed recipients": words without any address */
            a->local = phrase;
        } else if (r->angle_done) {
            r->dirty = true;
        } else {
            a->name = before.n ? before : slice_trim(run_view(&r->comment));
        }
        if (!divided || before.n)
            r->dirty = true;
    } else if (!r->angle_done && !bare && phrase.n && (a = address_push(r, ADDRESS_MAILBOX))) {
        a->local = phrase;
        r->dirty = true;
    }
    address_begin(r);
}

/* A word, quoted string or literal goes into the runs. */
static void address_text(struct address_reader *r, slice text)
{
    bool joins = r->glue || (r->word_open && !r->blank);
    if (!joins && r->word_open && !r->in_angle) {
        if (r->at) /* a second address without a comma between: both count (THREATS 20) */
            address_flush(r), r->dirty = true;
        else
            r->word.from = r->word.n;
    }
    if (r->in_angle && r->word_open && !joins) {
        run_put(&r->word, SLICE(" "));
        r->dirty = true;
    }
    if (!r->in_angle) {
        if (r->blank && r->phrase.n > r->phrase.from)
            run_put(&r->phrase, SLICE(" "));
        if (!joins)
            r->phrase_cut = r->phrase.n - r->phrase.from;
        run_put(&r->phrase, text);
    }
    run_put(&r->word, text);
    r->word_open = true;
    r->glue = r->blank = false;
}

static void address_dot_or_at(struct address_reader *r, uint8_t c)
{
    if (!r->in_angle) {
        if (r->blank && !r->word_open && r->phrase.n > r->phrase.from)
            run_put(&r->phrase, SLICE(" "));
        if (!r->word_open)
            r->phrase_cut = r->phrase.n - r->phrase.from;
        run_put(&r->phrase, slice_of(&c, 1));
    }
    run_put(&r->word, slice_of(&c, 1));
    if (c == '@') {
        if (r->at && !r->in_route)
            r->dirty = true; /* "a@b@c": the last one divides */
        r->at = r->word.n - r->word.from;
    }
    r->word_open = true;
    r->glue = true;
    r->blank = false;
}

/* quoted-string: the cursor stands behind its first quote. Folding inside is removed (RFC 5322 §3.2.4). */
static void address_quoted(struct address_reader *r)
{
    uint8_t *text = r->comment.p + r->comment.n; /* room behind the comments: copied on at once */
    size_t n = 0;
    for (;;) {
        int b = cursor_next(&r->in);
        if (b == '"')
            break;
        if (b == '\\')
            b = cursor_next(&r->in);
        if (b < 0) {
            r->dirty = true;
            break;
        }
        if (b == '\r' || b == '\n')
            continue;
        if ((b < 32 && b != '\t') || b == 127) {
            r->dirty = true;
            continue;
        }
        text[n++] = (uint8_t)b;
    }
    address_text(r, slice_of(text, n));
}

/* comment: the cursor stands behind its "(". Nested ones stay with their parentheses (RFC 5322 §3.2.2). */
static void address_comment(struct address_reader *r)
{
    size_t depth = 1;
    r->comment.from = r->comment.n;
    for (;;) {
        int b = cursor_next(&r->in);
        if (b == '(')
            depth++;
        else if (b == ')' && --depth == 0)
            break;
        else if (b == '\\')
            b = cursor_next(&r->in);
        if (b < 0) {
            r->dirty = true;
            break;
        }
        if (b >= 32 && b != 127)
            run_put(&r->comment, slice_of(&(uint8_t){(uint8_t)b}, 1));
    }
    r->blank = true;
}

/* domain-literal: the cursor stands behind its "[". */
static void address_literal(struct address_reader *r)
{
    uint8_t *text = r->comment.p + r->comment.n;
    size_t n = 0;
    text[n++] = '[';
    while (!cursor_end(&r->in)) {
        int b = cursor_peek(&r->in);
        if (b == ',' || b == '>' || b == '<')
            break;
        cursor_skip(&r->in, 1);
        if (b > 32 && b != 127)
            text[n++] = (uint8_t)b;
        if (b == ']')
            break;
    }
    if (text[n - 1] != ']')
        r->dirty = true;
    address_text(r, slice_of(text, n));
}

/* Specials while reading "<...>"; true when it was one. */
static bool address_angle_special(struct address_reader *r, uint8_t c)
{
    if (r->in_route && (c == ',' || c == ':')) { /* obs-route = obs-domain-list ":" (RFC 5322 §4.4) */
        run_put(&r->word, slice_of(&c, 1));
        r->glue = true;
        if (c == ':') {
            r->angle.route = slice_sub(run_view(&r->word), 0, r->word.n - r->word.from - 1);
            r->word.from = r->word.n;
            r->at = 0;
            r->word_open = r->in_route = false;
        }
        return true;
    }
    if (c == '>') {
        address_word_take(r, &r->angle);
        r->in_angle = r->in_route = r->glue = false;
        r->angle_done = true;
        return true;
    }
    if (c == ':' || c == ';') {
        r->dirty = true;
        address_text(r, slice_of(&c, 1));
        return true;
    }
    return false;
}

static void address_special(struct address_reader *r, uint8_t c)
{
    struct address *a;
    if (r->in_angle && address_angle_special(r, c))
        return;
    switch (c) {
    case '<':
        if (r->angle_done || r->in_angle) { /* "<a@b> <c@d>" */
            address_flush(r);
            r->dirty = true;
        }
        r->word.from = r->word.n; /* what stood before is a name only */
        r->at = 0;
        r->word_open = r->glue = r->blank = false;
        r->in_angle = true;
        r->in_route = cursor_peek(&r->in) == '@';
        return;
    case ',':
        address_flush(r);
        return;
    case ';':
        address_flush(r);
        if (!r->in_group)
            r->dirty = true;
        else if (address_push(r, ADDRESS_GROUP_END))
            r->in_group = false; /* else the list is full, and its end is written at the end */
        return;
    case ':':
        if (r->in_group || r->angle_done) {
            r->dirty = true;
            address_flush(r);
            return;
        }
        a = address_push(r, ADDRESS_GROUP_START);
        if (a)
            a->name = slice_trim(run_view(&r->phrase));
        r->in_group = a != NULL;
        address_begin(r);
        return;
    case '.':
    case '@':
        address_dot_or_at(r, c);
        return;
    default: /* ")" "]" ">" "\" where they mean nothing */
        r->dirty = true;
        address_text(r, slice_of(&c, 1));
    }
}

static void address_token(struct address_reader *r)
{
    int b = cursor_peek(&r->in);
    size_t n = 0;
    slice word;
    if (b == ' ' || b == '\t' || b == '\r' || b == '\n') {
        cursor_skip(&r->in, 1);
        r->blank = true;
        return;
    }
    while (n < r->in.rest.n && !address_is_special(r->in.rest.p[n]))
        n++;
    word = slice_sub(r->in.rest, 0, n);
    cursor_skip(&r->in, n ? n : 1);
    if (n)
        address_text(r, word);
    else if (b == '"')
        address_quoted(r);
    else if (b == '(')
        address_comment(r);
    else if (b == '[')
        address_literal(r);
    else if (b < 32 || b == 127)
        r->dirty = true; /* a control character: dropped */
    else
        address_special(r, (uint8_t)b);
}

/* Room for the runs. A run gets at most one blank per byte of input. */
static bool address_reader_init(struct address_reader *r, slice value, size_t max, struct arena *a)
{
    uint8_t *p = value.n > SIZE_MAX / 8 ? NULL : arena_alloc(a, 6 * value.n + 8);
    if (!p)
        return false;
    r->arena = a;
    r->max = max;
    r->phrase.p = p;
    r->word.p = p + 2 * value.n + 2;
    r->comment.p = p + 4 * value.n + 4;
    r->in = cursor_of(value);
    return true;
}

bool address_list_parse(slice value, const struct mail_limits *limits, struct arena *a,
                        struct address_list *out)
{
    struct address_reader r = {0};
    if (!address_reader_init(&r, value, limits->addresses, a))
        return false;
    address_begin(&r);
    while (!cursor_end(&r.in) && !r.full)
        address_token(&r);
    if (!r.full)
        address_flush(&r);
    if (r.in_group && address_grow(&r)) {
        r.list.at[r.list.n++] = (struct address){.kind = ADDRESS_GROUP_END};
        r.dirty = true;
    }
    if (r.out_of_memory)
        return false;
    r.list.defects = (r.dirty ? MAIL_DEFECT_ADDRESS : 0u) | (r.full ? MAIL_DEFECT_ADDRESS_MANY : 0u);
    *out = r.list;
    return true;
}

/* ---- message ids ---- */

/* msg-id = "<" id-left "@" id-right ">"; the text is taken as it stands, so that equal ids stay equal.
 * Without any
 * "<" the first word counts: some senders forget them. */
static bool address_next_id(struct cursor *c, slice *out)
{
    size_t open = slice_index(c->rest, '<'), close;
    if (open == c->rest.n)
        return false;
    cursor_skip(c, open + 1);
    close = slice_index(c->rest, '>');
    if (close == c->rest.n)
        return false;
    *out = slice_sub(c->rest, 0, close);
    cursor_skip(c, close + 1);
    return true;
}

static bool address_id_dup(slice id, struct arena *a, slice *out)
{
    uint8_t *p = arena_alloc(a, id.n);
    size_t n = 0;
    if (!p)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] > 32 && id.p[i] != 127)
            p[n++] = id.p[i];
    *out = slice_of(p, n);
    return true;
}

bool address_msg_ids(slice value, size_t max, struct arena *a, slice **out_ids, size_t *out_n)
{
    struct cursor c = cursor_of(value);
    size_t total = 0, skip, n = 0;
    slice id, bare, *ids;
    while (address_next_id(&c, &id))
        total++;
    skip = total > max ? total - max : 0;
    ids = ARENA_ARRAY(a, size_min(total, max) + 1, slice);
    if (!ids)
        return false;
    c = cursor_of(value);
    while (address_next_id(&c, &id)) {
        if (skip) {
            skip--;
            continue;
        }
        if (!address_id_dup(id, a, &ids[n]))
            return false;
        n += ids[n].n > 0;
    }
    bare = slice_trim(value);
    if (total == 0 && max && bare.n && !slice_has(bare, ' ') && !slice_has(bare, '<') &&
        slice_has(bare, '@')) {
        if (!address_id_dup(bare, a, &ids[0]))
            return false;
        n = ids[0].n > 0;
    }
    *out_ids = ids;
    *out_n = n;
    return true;
}
