/* SEARCH: keys into a postfix program, with an explicit stack instead of recursion (RFC 9051 §6.4.4). */
#include "core/imap/parse__.h"

enum search_argument {
    ARG_NONE,
    ARG_TEXT,    /* astring */
    ARG_FIELD,   /* header field name, then astring */
    ARG_ATOM,    /* flag-keyword, object id */
    ARG_NUMBER,  /* number64 */
    ARG_SECONDS, /* nz-number */
    ARG_DATE,
    ARG_SET,
    ARG_MODSEQ
};

static const struct search_row {
    const char *name;
    enum imap_search_op op;
    uint8_t argument;
    bool negate;
    uint32_t number;
} search_rows[] = {
    {"ALL", IMAP_KEY_ALL, ARG_NONE, false, 0},
    {"ANSWERED", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_ANSWERED},
    {"BCC", IMAP_KEY_BCC, ARG_TEXT, false, 0},
    {"BEFORE", IMAP_KEY_BEFORE, ARG_DATE, false, 0},
    {"BODY", IMAP_KEY_BODY, ARG_TEXT, false, 0},
    {"CC", IMAP_KEY_CC, ARG_TEXT, false, 0},
    {"DELETED", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_DELETED},
    {"DRAFT", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_DRAFT},
    {"EMAILID", IMAP_KEY_EMAILID, ARG_ATOM, false, 0},
    {"FLAGGED", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_FLAGGED},
    {"FROM", IMAP_KEY_FROM, ARG_TEXT, false, 0},
    {"HEADER", IMAP_KEY_HEADER, ARG_FIELD, false, 0},
    {"KEYWORD", IMAP_KEY_KEYWORD, ARG_ATOM, false, 0},
    {"LARGER", IMAP_KEY_LARGER, ARG_NUMBER, false, 0},
    {"MODSEQ", IMAP_KEY_MODSEQ, ARG_MODSEQ, false, 0},
    {"NEW", IMAP_KEY_NEW, ARG_NONE, false, 0},
    {"OLD", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_RECENT},
    {"OLDER", IMAP_KEY_OLDER, ARG_SECONDS, false, 0},
    {"ON", IMAP_KEY_ON, ARG_DATE, false, 0},
    {"RECENT", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_RECENT},
    {"SEEN", IMAP_KEY_FLAG, ARG_NONE, false, IMAP_SEEN},
    {"SENTBEFORE", IMAP_KEY_SENTBEFORE, ARG_DATE, false, 0},
    {"SENTON", IMAP_KEY_SENTON, ARG_DATE, false, 0},
    {"SENTSINCE", IMAP_KEY_SENTSINCE, ARG_DATE, false, 0},
    {"SINCE", IMAP_KEY_SINCE, ARG_DATE, false, 0},
    {"SMALLER", IMAP_KEY_SMALLER, ARG_NUMBER, false, 0},
    {"SUBJECT", IMAP_KEY_SUBJECT, ARG_TEXT, false, 0},
    {"TEXT", IMAP_KEY_TEXT, ARG_TEXT, false, 0},
    {"THREADID", IMAP_KEY_THREADID, ARG_ATOM, false, 0},
    {"TO", IMAP_KEY_TO, ARG_TEXT, false, 0},
    {"UID", IMAP_KEY_UID, ARG_SET, false, 0},
    {"UNANSWERED", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_ANSWERED},
    {"UNDELETED", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_DELETED},
    {"UNDRAFT", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_DRAFT},
    {"UNFLAGGED", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_FLAGGED},
    {"UNKEYWORD", IMAP_KEY_KEYWORD, ARG_ATOM, true, 0},
    {"UNSEEN", IMAP_KEY_FLAG, ARG_NONE, true, IMAP_SEEN},
    {"YOUNGER", IMAP_KEY_YOUNGER, ARG_SECONDS, false, 0},
};

/* What waits for its operands. */
enum search_frame {
    FRAME_LIST, /* keys side by side: each further one is ANDed on */
    FRAME_NOT,
    FRAME_OR_FIRST,
    FRAME_OR_SECOND
};

struct search_build {
    struct imap__parse *p;
    struct imap_search *s;
    size_t cap;
    uint8_t frames[IMAP_SEARCH_TERMS_MAX]; /* the stack */
    bool some[IMAP_SEARCH_TERMS_MAX];      /* FRAME_LIST: has a key already */
    size_t depth, lists;
};

static enum err search_emit(struct search_build *b, const struct imap_search_key *k)
{
    struct imap_search *s = b->s;
    if (s->n >= size_min(b->p->limits->search_terms, IMAP_SEARCH_TERMS_MAX))
        return imap__fail(b->p, ERR_LIMIT, "too many search keys");
    if (s->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 4;
        struct imap_search_key *more = ARENA_ARRAY(b->p->arena, cap, struct imap_search_key);
        if (!more)
            return imap__fail(b->p, ERR_LIMIT, "the command is too large");
        if (s->n)
            memcpy(more, s->keys, s->n * sizeof *more);
        s->keys = more;
        b->cap = cap;
    }
    s->keys[s->n++] = *k;
    if (imap_search_is_key(k->op)) {
        unsigned cost = imap_search_cost(k->op);
        s->cost_max = cost > s->cost_max ? cost : s->cost_max;
    }
    return OK;
}

static enum err search_push(struct search_build *b, enum search_frame frame)
{
    if (b->depth >= IMAP_SEARCH_TERMS_MAX || (frame == FRAME_LIST && b->lists > b->p->limits->list_depth))
        return imap__fail(b->p, ERR_SYNTAX, "the search is nested too deeply");
    b->frames[b->depth] = (uint8_t)frame;
    b->some[b->depth] = false;
    b->depth++;
    b->lists += frame == FRAME_LIST;
    return OK;
}

/* A whole key (or list) has been emitted: settle the operators that waited for it. */
static enum err search_complete(struct search_build *b)
{
    while (b->depth) {
        struct imap_search_key op = {.op = IMAP_KEY_NOT};
        size_t top = b->depth - 1;
        enum err e;
        switch (b->frames[top]) {
        case FRAME_LIST:
            if (!b->some[top]) {
                b->some[top] = true;
                return OK;
            }
            op.op = IMAP_KEY_AND;
            return search_emit(b, &op);
        case FRAME_OR_FIRST:
            b->frames[top] = FRAME_OR_SECOND;
            return OK;
        case FRAME_OR_SECOND:
            op.op = IMAP_KEY_OR;
            break;
        default:
            break;
        }
        e = search_emit(b, &op);
        if (e != OK)
            return e;
        b->depth--;
    }
    return OK;
}

/* MODSEQ [entry-name SP entry-type-req SP] mod-sequence-valzer, RFC 7162 §3.1.5 */
static enum err search_modseq(struct imap__parse *p, struct imap_search_key *k)
{
    slice entry;
    if (cursor_peek(&p->c) == '"' &&
        (imap__string(&p->c, p->arena, &entry) != OK || !imap__sp(&p->c) ||
         !(imap__keyword(&p->c, "PRIV") || imap__keyword(&p->c, "SHARED") || imap__keyword(&p->c, "ALL")) ||
         !imap__sp(&p->c)))
        return ERR_SYNTAX;
    return imap__number64(&p->c, &k->number);
}

static enum err search_argument(struct imap__parse *p, uint8_t argument, struct imap_search_key *k)
{
    uint32_t n;
    int64_t days;
    enum err e;
    if (argument == ARG_NONE)
        return OK;
    if (!imap__sp(&p->c))
        return ERR_SYNTAX;
    switch (argument) {
    case ARG_FIELD:
        e = imap__astring(&p->c, p->arena, &k->field);
        if (e == OK && !imap__sp(&p->c))
            e = ERR_SYNTAX;
        return e == OK ? imap__astring(&p->c, p->arena, &k->text) : e;
    case ARG_TEXT:
        return imap__astring(&p->c, p->arena, &k->text);
    case ARG_ATOM:
        return imap__astring(&p->c, p->arena, &k->text); /* an atom; quoted ones do no harm */
    case ARG_NUMBER:
        return imap__number64(&p->c, &k->number);
    case ARG_SECONDS:
        e = imap__nz_number(&p->c, &n);
        k->number = e == OK ? n : 0;
        return e;
    case ARG_DATE:
        e = imap__date(&p->c, &days);
        k->number = e == OK ? (uint64_t)days : 0;
        return e;
    case ARG_MODSEQ:
        return search_modseq(p, k);
    default:
        return imap__set(p, &k->set);
    }
}

/* A key that is a word of the table, or a sequence set. */
static enum err search_key(struct search_build *b)
{
    struct imap__parse *p = b->p;
    struct imap_search_key k = {0};
    struct cursor before = p->c;
    slice word;
    int first = cursor_peek(&p->c);
    enum err e;
    if (first == '*' || first == '$' || (first >= '0' && first <= '9')) {
        k.op = IMAP_KEY_SEQ;
        e = imap__set(p, &k.set);
        if (e == OK && k.set.saved)
            b->s->uses_saved = true;
        return e == OK ? search_emit(b, &k) : e;
    }
    if (imap__word(&p->c, &word) != OK)
        return imap__fail(p, ERR_SYNTAX, "a search key is expected");
    p->c = before;
    for (size_t i = 0; i < ARRAY_LEN(search_rows); i++) {
        const struct search_row *row = &search_rows[i];
        if (!imap__keyword(&p->c, row->name))
            continue;
        k.op = row->op;
        k.negate = row->negate;
        k.number = row->number;
        e = search_argument(p, row->argument, &k);
        if (e != OK)
            return imap__fail(p, e, "a search key lacks its argument");
        b->s->uses_modseq |= k.op == IMAP_KEY_MODSEQ;
        b->s->uses_saved |= k.set.saved;
        return search_emit(b, &k);
    }
    return imap__fail(p, ERR_SYNTAX, "there is no such search key");
}

/* One step: an opening, an operator, or a key with all that it completes. */
static enum err search_step(struct search_build *b)
{
    struct imap__parse *p = b->p;
    enum err e;
    if (cursor_take(&p->c, '('))
        return search_push(b, FRAME_LIST);
    if (imap__keyword(&p->c, "NOT"))
        e = search_push(b, FRAME_NOT);
    else if (imap__keyword(&p->c, "OR"))
        e = search_push(b, FRAME_OR_FIRST);
    else
        return search_key(b);
    if (e == OK && !imap__sp(&p->c))
        return imap__fail(p, ERR_SYNTAX, "NOT and OR want search keys");
    return e;
}

/* Closes lists after a key. True in *more when another key follows. */
static enum err search_after_key(struct search_build *b, bool *more)
{
    struct imap__parse *p = b->p;
    enum err e = search_complete(b);
    while (e == OK && b->lists > 1 && cursor_take(&p->c, ')')) {
        if (b->frames[b->depth - 1] != FRAME_LIST)
            return imap__fail(p, ERR_SYNTAX, "OR wants two search keys");
        b->depth--;
        b->lists--;
        e = search_complete(b);
    }
    if (e != OK)
        return e;
    *more = imap__sp(&p->c);
    if (!*more && b->frames[b->depth - 1] == FRAME_OR_SECOND)
        return imap__fail(p, ERR_SYNTAX, "OR wants two search keys");
    if (!*more && b->lists > 1)
        return imap__fail(p, ERR_SYNTAX, "a list of search keys has no end");
    return OK;
}

static enum err search_keys(struct imap__parse *p, struct imap_search *s)
{
    struct search_build b = {.p = p, .s = s};
    bool more = true;
    enum err e = search_push(&b, FRAME_LIST);
    while (e == OK && more) {
        size_t had = s->n;
        e = search_step(&b);
        if (e == OK && s->n > had)
            e = search_after_key(&b, &more);
    }
    return e;
}

/* search-return-opts, RFC 9051 §6.4.4 */
static enum err search_returns(struct imap__parse *p, struct imap_search *s)
{
    static const struct imap__bit table[] = {{"MIN", IMAP_RETURN_MIN},
                                             {"MAX", IMAP_RETURN_MAX},
                                             {"ALL", IMAP_RETURN_ALL},
                                             {"COUNT", IMAP_RETURN_COUNT},
                                             {"SAVE", IMAP_RETURN_SAVE}};
    s->extended = true;
    if (!imap__sp(&p->c) || !cursor_take(&p->c, '('))
        return imap__fail(p, ERR_SYNTAX, "RETURN wants a list");
    if (!cursor_take(&p->c, ')')) {
        do {
            uint32_t bit = imap__take_bit(&p->c, table, ARRAY_LEN(table));
            if (!bit)
                return imap__fail(p, ERR_SYNTAX, "there is no such result option");
            s->returns |= bit;
        } while (imap__sp(&p->c));
        if (!cursor_take(&p->c, ')'))
            return imap__fail(p, ERR_SYNTAX, "the list of result options has no end");
    }
    if (!s->returns)
        s->returns = IMAP_RETURN_ALL;
    return imap__space(p);
}

enum err imap__parse_search(struct imap__parse *p, struct imap_command *out)
{
    struct imap_search *s = &out->search;
    enum err e = imap__space(p);
    if (e == OK && imap__keyword(&p->c, "RETURN"))
        e = search_returns(p, s);
    if (e == OK && imap__keyword(&p->c, "CHARSET")) {
        slice charset;
        if (!imap__sp(&p->c) || imap__astring(&p->c, p->arena, &charset) != OK || !imap__sp(&p->c))
            return imap__fail(p, ERR_SYNTAX, "CHARSET wants a name");
        if (!slice_eq_nocase(charset, SLICE("UTF-8")) && !slice_eq_nocase(charset, SLICE("US-ASCII")))
            return imap__fail(p, ERR_UNSUPPORTED, "searching is done in UTF-8 or US-ASCII");
    }
    return e == OK ? search_keys(p, s) : e;
}
