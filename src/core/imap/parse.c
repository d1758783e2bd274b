#include "core/imap/parse.h"

#include "core/imap/parse__.h"

const struct imap_parse_limits imap_parse_limits_default = {
    .list_depth = 32, .search_terms = IMAP_SEARCH_TERMS_MAX, .ranges = 32768, .items = 256};

enum err imap__fail(struct imap__parse *p, enum err e, const char *why)
{
    p->why = why;
    return e;
}

enum err imap__space(struct imap__parse *p)
{
    return imap__sp(&p->c) ? OK : imap__fail(p, ERR_SYNTAX, "an argument is missing");
}

void *imap__grow(struct imap__parse *p, void *array, size_t n, size_t size)
{
    void *more;
    if (n >= p->limits->items) {
        p->why = "too many items in a list";
        return NULL;
    }
    if (n && (n & (n - 1)))
        return array;
    more = arena_array(p->arena, n ? n * 2 : 1, size);
    if (more && n)
        memcpy(more, array, n * size);
    if (!more)
        p->why = "the command is too large";
    return more;
}

enum err imap__mailbox(struct imap__parse *p, slice *out)
{
    slice raw;
    enum err e = imap__astring(&p->c, p->arena, &raw);
    if (e != OK)
        return imap__fail(p, e, "a mailbox name is expected");
    if (!p->arena)
        return OK;
    e = imap_name_decode(raw, p->utf8, p->arena, out);
    return e == OK ? OK
                   : imap__fail(p, e,
                                p->utf8 ? "the mailbox name is no UTF-8"
                                        : "the mailbox name is no modified UTF-7");
}

enum err imap__set(struct imap__parse *p, struct imap_set *out)
{
    enum err e = imap_set_parse(&p->c, p->arena, p->limits->ranges, out);
    return e == OK ? OK : imap__fail(p, e, "a sequence set is expected");
}

/* flag = "\Answered" / ... / flag-keyword (an atom). \Recent cannot be set. */
static enum err parse_flag(struct imap__parse *p, struct imap_flag_list *out)
{
    slice all = p->c.rest, atom;
    bool system = cursor_take(&p->c, '\\');
    uint32_t bit;
    slice *more;
    if (imap__atom(&p->c, &atom) != OK)
        return imap__fail(p, ERR_SYNTAX, "a flag is expected");
    if (system) {
        bit = imap_flag_bit(slice_sub(all, 0, atom.n + 1));
        if (!bit || bit == IMAP_RECENT)
            return imap__fail(p, ERR_SYNTAX, "there is no such system flag to set");
        out->system |= bit;
        return OK;
    }
    if (!p->arena)
        return OK;
    more = imap__grow(p, out->keywords, out->keywords_n, sizeof *more);
    if (!more)
        return ERR_LIMIT;
    out->keywords = more;
    out->keywords[out->keywords_n++] = atom;
    return OK;
}

/* flag-list = "(" [flag *(SP flag)] ")" */
enum err imap__flags(struct imap__parse *p, bool bare, struct imap_flag_list *out)
{
    bool open = cursor_take(&p->c, '(');
    *out = (struct imap_flag_list){0};
    if (!open && !bare)
        return imap__fail(p, ERR_SYNTAX, "a list of flags is expected");
    if (open && cursor_take(&p->c, ')'))
        return OK;
    do {
        enum err e = parse_flag(p, out);
        if (e != OK)
            return e;
    } while (imap__sp(&p->c));
    if (open && !cursor_take(&p->c, ')'))
        return imap__fail(p, ERR_SYNTAX, "the list of flags has no end");
    return OK;
}

uint32_t imap__take_bit(struct cursor *c, const struct imap__bit *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (imap__keyword(c, table[i].name))
            return table[i].bit;
    return 0;
}

static enum err parse_none(struct imap__parse *p, struct imap_command *out)
{
    (void)p;
    (void)out;
    return OK;
}

static enum err parse_login(struct imap__parse *p, struct imap_command *out)
{
    if (!imap__sp(&p->c) || imap__astring(&p->c, p->arena, &out->login.user) != OK || !imap__sp(&p->c) ||
        imap__astring(&p->c, p->arena, &out->login.password) != OK)
        return imap__fail(p, ERR_SYNTAX, "LOGIN wants a user name and a password");
    return OK;
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]; initial-resp = base64 / "=" */
static enum err parse_authenticate(struct imap__parse *p, struct imap_command *out)
{
    if (!imap__sp(&p->c) || imap__atom(&p->c, &out->authenticate.mechanism) != OK)
        return imap__fail(p, ERR_SYNTAX, "AUTHENTICATE wants a mechanism");
    if (!imap__sp(&p->c))
        return OK;
    out->authenticate.has_initial = true;
    if (imap__atom(&p->c, &out->authenticate.initial) != OK)
        return imap__fail(p, ERR_SYNTAX, "the initial response is no base64");
    return OK;
}

/* id = "ID" SP id-params-list; id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil
 * RFC 2971 §4: at most 30 pairs, fields of at most 30 octets, values of at most 1024. */
static enum err parse_id(struct imap__parse *p, struct imap_command *out)
{
    slice start, field, value;
    size_t pairs = 0;
    if (!imap__sp(&p->c))
        return imap__fail(p, ERR_SYNTAX, "ID wants a list or NIL");
    start = p->c.rest;
    if (!imap__keyword(&p->c, "NIL")) {
        if (!cursor_take(&p->c, '('))
            return imap__fail(p, ERR_SYNTAX, "ID wants a list or NIL");
        while (!cursor_take(&p->c, ')')) {
            if ((pairs && !imap__sp(&p->c)) || imap__string(&p->c, p->arena, &field) != OK ||
                !imap__sp(&p->c) || imap__nstring(&p->c, p->arena, &value) != OK || field.n > 30 ||
                value.n > 1024 || ++pairs > 30)
                return imap__fail(p, ERR_SYNTAX, "ID wants at most 30 pairs of strings");
        }
    }
    out->id = slice_sub(start, 0, start.n - p->c.rest.n);
    return OK;
}

static enum err parse_enable(struct imap__parse *p, struct imap_command *out)
{
    static const struct imap__bit table[] = {
        {"IMAP4REV2", IMAP_CAPS_REV2}, {"CONDSTORE", IMAP_CAPS_CONDSTORE}, {"UTF8=ACCEPT", IMAP_CAPS_UTF8}};
    slice word;
    do {
        uint32_t bit = 0;
        if (imap__sp(&p->c))
            bit = imap__take_bit(&p->c, table, ARRAY_LEN(table));
        if (!bit && imap__atom(&p->c, &word) != OK)
            return imap__fail(p, ERR_SYNTAX, "ENABLE wants the name of an extension");
        out->enable |= bit;
    } while (cursor_peek(&p->c) == ' ');
    return OK;
}

static enum err parse_mailbox(struct imap__parse *p, struct imap_command *out)
{
    enum err e = imap__space(p);
    return e == OK ? imap__mailbox(p, &out->mailbox) : e;
}

static enum err parse_rename(struct imap__parse *p, struct imap_command *out)
{
    enum err e = parse_mailbox(p, out);
    if (e == OK)
        e = imap__space(p);
    return e == OK ? imap__mailbox(p, &out->to) : e;
}

static enum err parse_copy(struct imap__parse *p, struct imap_command *out)
{
    enum err e = imap__space(p);
    if (e == OK)
        e = imap__set(p, &out->set);
    if (e == OK)
        e = imap__space(p);
    return e == OK ? imap__mailbox(p, &out->mailbox) : e;
}

static enum err parse_expunge(struct imap__parse *p, struct imap_command *out)
{
    enum err e;
    if (!out->uid)
        return OK;
    e = imap__space(p);
    return e == OK ? imap__set(p, &out->set) : e;
}

/* The reader streams APPEND; a whole line of it has no message. */
static enum err parse_append(struct imap__parse *p, struct imap_command *out)
{
    (void)out;
    return imap__fail(p, ERR_SYNTAX, "APPEND wants a message as a literal");
}

enum { PARSE_UID_NO, PARSE_UID_TOO, PARSE_UID_ALONE };

#define ANY (IMAP_STATE_NOT_AUTHENTICATED | IMAP_STATE_AUTHENTICATED | IMAP_STATE_SELECTED)
#define PRE IMAP_STATE_NOT_AUTHENTICATED
#define AUT (IMAP_STATE_AUTHENTICATED | IMAP_STATE_SELECTED)
#define SEL IMAP_STATE_SELECTED

/* Every command there is: RFC 9051 §6, and those of RFC 3501 §6 that it dropped (LSUB, CHECK). */
static const struct parse_row {
    const char *name;
    unsigned states;
    bool uid; /* may stand behind UID (RFC 9051 §6.4.9) */
    imap__args *args;
} parse_rows[] = {
    [IMAP_CAPABILITY] = {"CAPABILITY", ANY, false, parse_none},
    [IMAP_NOOP] = {"NOOP", ANY, false, parse_none},
    [IMAP_LOGOUT] = {"LOGOUT", ANY, false, parse_none},
    [IMAP_ID] = {"ID", ANY, false, parse_id},
    [IMAP_STARTTLS] = {"STARTTLS", PRE, false, parse_none},
    [IMAP_AUTHENTICATE] = {"AUTHENTICATE", PRE, false, parse_authenticate},
    [IMAP_LOGIN] = {"LOGIN", PRE, false, parse_login},
    [IMAP_ENABLE] = {"ENABLE", AUT, false, parse_enable},
    [IMAP_SELECT] = {"SELECT", AUT, false, imap__parse_select},
    [IMAP_EXAMINE] = {"EXAMINE", AUT, false, imap__parse_select},
    [IMAP_CREATE] = {"CREATE", AUT, false, imap__parse_create},
    [IMAP_DELETE] = {"DELETE", AUT, false, parse_mailbox},
    [IMAP_RENAME] = {"RENAME", AUT, false, parse_rename},
    [IMAP_SUBSCRIBE] = {"SUBSCRIBE", AUT, false, parse_mailbox},
    [IMAP_UNSUBSCRIBE] = {"UNSUBSCRIBE", AUT, false, parse_mailbox},
    [IMAP_LIST] = {"LIST", AUT, false, imap__parse_list},
    [IMAP_LSUB] = {"LSUB", AUT, false, imap__parse_lsub},
    [IMAP_NAMESPACE] = {"NAMESPACE", AUT, false, parse_none},
    [IMAP_STATUS] = {"STATUS", AUT, false, imap__parse_status},
    [IMAP_APPEND] = {"APPEND", AUT, false, parse_append},
    [IMAP_IDLE] = {"IDLE", AUT, false, parse_none},
    [IMAP_CHECK] = {"CHECK", SEL, false, parse_none},
    [IMAP_CLOSE] = {"CLOSE", SEL, false, parse_none},
    [IMAP_UNSELECT] = {"UNSELECT", SEL, false, parse_none},
    [IMAP_EXPUNGE] = {"EXPUNGE", SEL, true, parse_expunge},
    [IMAP_SEARCH] = {"SEARCH", SEL, true, imap__parse_search},
    [IMAP_FETCH] = {"FETCH", SEL, true, imap__parse_fetch},
    [IMAP_STORE] = {"STORE", SEL, true, imap__parse_store},
    [IMAP_COPY] = {"COPY", SEL, true, parse_copy},
    [IMAP_MOVE] = {"MOVE", SEL, true, parse_copy},
};
static_assert(ARRAY_LEN(parse_rows) == IMAP_VERB_COUNT, "every command has a row");

const char *imap_verb_name(enum imap_verb verb)
{
    return (unsigned)verb < IMAP_VERB_COUNT ? parse_rows[verb].name : "";
}

unsigned imap_verb_states(enum imap_verb verb)
{
    return (unsigned)verb < IMAP_VERB_COUNT ? parse_rows[verb].states : 0;
}

static const struct parse_row *parse_verb(struct imap__parse *p, struct imap_command *out)
{
    slice word;
    if (imap__keyword(&p->c, "UID") && imap__sp(&p->c))
        out->uid = true;
    if (imap__word(&p->c, &word) != OK)
        return NULL;
    for (size_t i = 0; i < IMAP_VERB_COUNT; i++)
        if (slice_eq_nocase(word, slice_str(parse_rows[i].name)) && (!out->uid || parse_rows[i].uid)) {
            out->verb = (enum imap_verb)i;
            return &parse_rows[i];
        }
    return NULL;
}

enum err imap_parse(slice text, enum imap_state state, bool utf8, const struct imap_parse_limits *limits,
                    struct arena *arena, struct imap_command *out, const char **why)
{
    struct imap__parse p = {.c = cursor_of(text), .arena = arena, .limits = limits, .utf8 = utf8};
    const struct parse_row *row;
    struct imap_command cmd = {0};
    enum err e;
    *out = cmd;
    *why = "a command begins with a tag and a space";
    if (imap__tag(&p.c, &cmd.tag) != OK || cursor_peek(&p.c) != ' ')
        return ERR_SYNTAX;
    out->tag = cmd.tag;
    cursor_skip(&p.c, 1);
    row = parse_verb(&p, &cmd);
    *why = "there is no such command";
    if (!row)
        return ERR_NOT_FOUND;
    *out = (struct imap_command){.tag = cmd.tag, .verb = cmd.verb, .uid = cmd.uid};
    *why = state == IMAP_STATE_NOT_AUTHENTICATED ? "log in first"
           : row->states == PRE                  ? "already logged in"
                                                 : "select a mailbox first";
    if (!(row->states & state))
        return ERR_STATE;
    p.why = "the arguments do not follow the grammar";
    e = row->args(&p, &cmd);
    *why = p.why;
    if (e != OK)
        return e;
    *why = "there is more than the command takes";
    if (!cursor_take(&p.c, '\r') || !cursor_take(&p.c, '\n') || !cursor_end(&p.c))
        return ERR_SYNTAX;
    *why = "";
    *out = cmd;
    return OK;
}
