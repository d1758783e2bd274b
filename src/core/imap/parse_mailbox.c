/* Commands about mailboxes: SELECT, CREATE, LIST, LSUB, STATUS, and the head of an APPEND message. */
#include "core/imap/parse__.h"

/* select-param: CONDSTORE (RFC 7162 §3.1.8). Others are not offered. */
enum err imap__parse_select(struct imap__parse *p, struct imap_command *out)
{
    enum err e = imap__space(p);
    if (e == OK)
        e = imap__mailbox(p, &out->mailbox);
    if (e != OK || !imap__sp(&p->c))
        return e;
    if (!cursor_take(&p->c, '(') || !imap__keyword(&p->c, "CONDSTORE") || !cursor_take(&p->c, ')'))
        return imap__fail(p, ERR_SYNTAX, "there is no such parameter");
    out->condstore = true;
    return OK;
}

/* create-param: "USE" SP "(" [use-attr *(SP use-attr)] ")", RFC 6154 §3 */
enum err imap__parse_create(struct imap__parse *p, struct imap_command *out)
{
    enum err e = imap__space(p);
    if (e == OK)
        e = imap__mailbox(p, &out->mailbox);
    if (e != OK || !imap__sp(&p->c))
        return e;
    if (!cursor_take(&p->c, '(') || !imap__keyword(&p->c, "USE") || !imap__sp(&p->c) ||
        !cursor_take(&p->c, '('))
        return imap__fail(p, ERR_SYNTAX, "there is no such parameter");
    while (!cursor_take(&p->c, ')')) {
        slice all, atom;
        uint32_t bit;
        if (out->special_use && !imap__sp(&p->c))
            return imap__fail(p, ERR_SYNTAX, "a special use is expected");
        all = p->c.rest;
        if (!cursor_take(&p->c, '\\') || imap__atom(&p->c, &atom) != OK)
            return imap__fail(p, ERR_SYNTAX, "a special use is expected");
        bit = imap_attr_special(slice_sub(all, 0, atom.n + 1));
        if (!bit)
            return imap__fail(p, ERR_NOT_FOUND, "there is no such special use");
        out->special_use |= bit;
    }
    return cursor_take(&p->c, ')') ? OK : imap__fail(p, ERR_SYNTAX, "a list has no end");
}

static const struct imap__bit status_items[] = {
    {"MESSAGES", IMAP_STATUS_MESSAGES},   {"RECENT", IMAP_STATUS_RECENT},
    {"UIDNEXT", IMAP_STATUS_UIDNEXT},     {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
    {"UNSEEN", IMAP_STATUS_UNSEEN},       {"DELETED", IMAP_STATUS_DELETED},
    {"SIZE", IMAP_STATUS_SIZE},           {"HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ},
    {"MAILBOXID", IMAP_STATUS_MAILBOXID}, {"APPENDLIMIT", IMAP_STATUS_APPENDLIMIT},
};

enum err imap__status_items(struct imap__parse *p, uint32_t *out)
{
    uint32_t items = 0;
    if (!cursor_take(&p->c, '('))
        return imap__fail(p, ERR_SYNTAX, "a list of status items is expected");
    do {
        uint32_t bit = imap__take_bit(&p->c, status_items, ARRAY_LEN(status_items));
        if (!bit)
            return imap__fail(p, ERR_SYNTAX, "there is no such status item");
        items |= bit;
    } while (imap__sp(&p->c));
    if (!cursor_take(&p->c, ')'))
        return imap__fail(p, ERR_SYNTAX, "the list of status items has no end");
    *out = items;
    return OK;
}

enum err imap__parse_status(struct imap__parse *p, struct imap_command *out)
{
    enum err e = imap__space(p);
    if (e == OK)
        e = imap__mailbox(p, &out->mailbox);
    if (e == OK)
        e = imap__space(p);
    return e == OK ? imap__status_items(p, &out->status) : e;
}

/* list-select-opts, RFC 9051 §9 */
static enum err list_select_options(struct imap__parse *p, struct imap_list_args *out)
{
    static const struct imap__bit table[] = {{"SUBSCRIBED", IMAP_LIST_SUBSCRIBED},
                                             {"REMOTE", IMAP_LIST_REMOTE},
                                             {"RECURSIVEMATCH", IMAP_LIST_RECURSIVEMATCH},
                                             {"SPECIAL-USE", IMAP_LIST_SPECIAL}};
    out->extended = true;
    if (cursor_take(&p->c, ')'))
        return OK;
    do {
        uint32_t bit = imap__take_bit(&p->c, table, ARRAY_LEN(table));
        if (!bit)
            return imap__fail(p, ERR_SYNTAX, "there is no such selection option");
        out->options |= bit;
    } while (imap__sp(&p->c));
    /* RFC 9051 §6.3.9.1: RECURSIVEMATCH needs an option that selects */
    if ((out->options & IMAP_LIST_RECURSIVEMATCH) &&
        !(out->options & (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL)))
        return imap__fail(p, ERR_SYNTAX, "RECURSIVEMATCH needs another selection option");
    return cursor_take(&p->c, ')') ? OK : imap__fail(p, ERR_SYNTAX, "the selection options have no end");
}

static enum err list_return_options(struct imap__parse *p, struct imap_list_args *out)
{
    static const struct imap__bit table[] = {{"SUBSCRIBED", IMAP_LIST_RET_SUBSCRIBED},
                                             {"CHILDREN", IMAP_LIST_RET_CHILDREN},
                                             {"SPECIAL-USE", IMAP_LIST_RET_SPECIAL},
                                             {"STATUS", IMAP_LIST_RET_STATUS}};
    out->extended = true;
    if (!imap__keyword(&p->c, "RETURN") || !imap__sp(&p->c) || !cursor_take(&p->c, '('))
        return imap__fail(p, ERR_SYNTAX, "RETURN and a list of options is expected");
    if (cursor_take(&p->c, ')'))
        return OK;
    do {
        uint32_t bit = imap__take_bit(&p->c, table, ARRAY_LEN(table));
        if (!bit)
            return imap__fail(p, ERR_SYNTAX, "there is no such return option");
        out->options |= bit;
        if (bit == IMAP_LIST_RET_STATUS) {
            enum err e = imap__space(p);
            if (e == OK)
                e = imap__status_items(p, &out->status);
            if (e != OK)
                return e;
        }
    } while (imap__sp(&p->c));
    return cursor_take(&p->c, ')') ? OK : imap__fail(p, ERR_SYNTAX, "the return options have no end");
}

static enum err list_pattern(struct imap__parse *p, struct imap_list_args *out)
{
    slice raw, *more;
    enum err e = imap__list_mailbox(&p->c, p->arena, &raw);
    if (e != OK)
        return imap__fail(p, e, "a mailbox pattern is expected");
    more = imap__grow(p, out->patterns, out->patterns_n, sizeof *more);
    if (!more)
        return ERR_LIMIT;
    out->patterns = more;
    e = imap_name_decode(raw, p->utf8, p->arena, &out->patterns[out->patterns_n]);
    if (e != OK)
        return imap__fail(p, e, "the mailbox pattern is no valid name");
    out->patterns_n++;
    return OK;
}

/* mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")" */
static enum err list_patterns(struct imap__parse *p, struct imap_list_args *out)
{
    if (!cursor_take(&p->c, '('))
        return list_pattern(p, out);
    out->extended = true;
    do {
        enum err e = list_pattern(p, out);
        if (e != OK)
            return e;
    } while (imap__sp(&p->c));
    return cursor_take(&p->c, ')') ? OK : imap__fail(p, ERR_SYNTAX, "the list of patterns has no end");
}

enum err imap__parse_list(struct imap__parse *p, struct imap_command *out)
{
    struct imap_list_args *l = &out->list;
    enum err e = imap__space(p);
    if (e == OK && cursor_take(&p->c, '(')) {
        e = list_select_options(p, l);
        if (e == OK)
            e = imap__space(p);
    }
    if (e == OK)
        e = imap__mailbox(p, &l->reference);
    if (e == OK)
        e = imap__space(p);
    if (e == OK)
        e = list_patterns(p, l);
    return e == OK && imap__sp(&p->c) ? list_return_options(p, l) : e;
}

enum err imap__parse_lsub(struct imap__parse *p, struct imap_command *out)
{
    enum err e = imap__space(p);
    if (e == OK)
        e = imap__mailbox(p, &out->list.reference);
    if (e == OK)
        e = imap__space(p);
    return e == OK ? list_pattern(p, &out->list) : e;
}

/* Only the announcement of the message's literal is left, perhaps inside UTF8 ( ... ). */
static enum err append_literal(struct imap__parse *p, struct imap_append_head *out)
{
    uint64_t n;
    if (imap__keyword(&p->c, "UTF8")) {
        out->wrapped = true;
        if (!imap__sp(&p->c) || !cursor_take(&p->c, '(') || cursor_peek(&p->c) != '~')
            return imap__fail(p, ERR_SYNTAX, "UTF8 wants a literal8 in parentheses");
    }
    (void)cursor_take(&p->c, '~');
    if (!cursor_take(&p->c, '{') || imap__number64(&p->c, &n) != OK)
        return imap__fail(p, ERR_SYNTAX, "the message is expected as a literal");
    (void)cursor_take(&p->c, '+');
    if (!cursor_take(&p->c, '}') || !cursor_take(&p->c, '\r') || !cursor_take(&p->c, '\n') ||
        !cursor_end(&p->c))
        return imap__fail(p, ERR_SYNTAX, "the message is expected as a literal");
    return OK;
}

/* append-message = append-opts SP append-data; append-opts = [SP flag-list] [SP date-time] */
static enum err append_message(struct imap__parse *p, struct imap_append_head *out)
{
    enum err e = imap__space(p);
    if (e == OK && cursor_peek(&p->c) == '(') {
        e = imap__flags(p, false, &out->flags);
        if (e == OK)
            e = imap__space(p);
    }
    if (e == OK && cursor_peek(&p->c) == '"') {
        if (imap__date_time(&p->c, &out->date, &out->zone_minutes) != OK)
            return imap__fail(p, ERR_SYNTAX, "the date is no date-time");
        out->has_date = true;
        e = imap__space(p);
    }
    return e == OK ? append_literal(p, out) : e;
}

/* Is the literal at the end of the text the one that holds the mailbox's name? */
static bool append_wants_name(struct cursor c)
{
    uint64_t n;
    if (!cursor_take(&c, '{') || imap__number64(&c, &n) != OK)
        return false;
    (void)cursor_take(&c, '+');
    return cursor_take(&c, '}') && cursor_take(&c, '\r') && cursor_take(&c, '\n') && cursor_end(&c);
}

enum err imap_append_head_parse(slice text, bool first, bool utf8, const struct imap_parse_limits *limits,
                                struct arena *arena, struct imap_append_head *out, const char **why)
{
    struct imap__parse p = {.c = cursor_of(text),
                            .arena = arena,
                            .limits = limits,
                            .utf8 = utf8,
                            .why = "APPEND wants a mailbox"};
    struct imap_append_head head = {0};
    enum err e = OK;
    slice tag;
    if (first) {
        if (imap__tag(&p.c, &tag) != OK || !imap__sp(&p.c) || !imap__keyword(&p.c, "APPEND") ||
            !imap__sp(&p.c))
            e = ERR_SYNTAX;
        else if (append_wants_name(p.c))
            return ERR_MORE;
        else
            e = imap__mailbox(&p, &head.mailbox);
    }
    if (e == OK)
        e = append_message(&p, &head);
    *why = p.why;
    if (e == OK)
        *out = head;
    return e;
}
