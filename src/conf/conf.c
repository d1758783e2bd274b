/* conf: the parser of lines: mistakes, words, the table of settings (conf_setting.c), what only the whole
 * shows. */
#include "conf/conf__setting.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- mistakes ---- */

void conf_problem_add(struct conf_problems *problems, unsigned line, const char *hint, const char *format,
                      ...)
{
    struct conf_problem *p;
    va_list ap;
    if (problems->n == CONF_PROBLEM_MAX) {
        problems->more++;
        return;
    }
    p = &problems->at[problems->n++];
    p->line = line;
    va_start(ap, format);
    (void)vsnprintf(p->text, sizeof p->text, format, ap); /* a long one is cut */
    va_end(ap);
    snprintf(p->hint, sizeof p->hint, "%s", hint ? hint : "");
    /* What is quoted from the file was written by somebody: nothing of it may steer a terminal. */
    for (char *at = p->text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
    for (char *at = p->hint; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
}

void conf__hint_names(char out[256], slice word, const char *const *names, size_t n, const char *what)
{
    const char *near = conf_nearest(word, names, n);
    size_t used;
    if (near) {
        snprintf(out, 256, "did you mean \"%s\"?", near);
        return;
    }
    used = (size_t)snprintf(out, 256, "%s: ", what);
    for (size_t i = 0; i < n && used + strlen(names[i]) + 3 < 256; i++)
        used += (size_t)snprintf(out + used, 256 - used, "%s%s", i ? ", " : "", names[i]);
}

/* ---- lines ---- */

static bool conf_blank(int c)
{
    return c == ' ' || c == '\t';
}

/* Splits into words; "..." keeps blanks inside one word. A '#' at the start of a word begins a comment. */
static bool conf_line_split(struct conf__state *st, slice text, struct conf__line *l)
{
    struct cursor c = cursor_of(text);
    const uint8_t *rest = NULL, *end = text.p;
    l->n = 0;
    l->rest = (slice){0};
    for (;;) {
        slice word;
        while (conf_blank(cursor_peek(&c)))
            cursor_skip(&c, 1);
        if (cursor_end(&c) || cursor_peek(&c) == '#')
            break;
        if (l->n == 1)
            rest = c.rest.p;
        if (cursor_take(&c, '"')) {
            size_t n = slice_index(c.rest, '"');
            if (n == c.rest.n) {
                conf_problem_add(st->problems, l->number, "put a \" at its end",
                                 "a quoted word does not end");
                return false;
            }
            word = slice_sub(c.rest, 0, n);
            cursor_skip(&c, n + 1);
            if (!cursor_end(&c) && !conf_blank(cursor_peek(&c))) {
                conf_problem_add(st->problems, l->number, "put a blank behind the closing quote",
                                 "a quoted word goes on after its closing quote");
                return false;
            }
        } else {
            size_t n = 0;
            while (n < c.rest.n && !conf_blank(c.rest.p[n]))
                n++;
            word = slice_sub(c.rest, 0, n);
            cursor_skip(&c, n);
        }
        end = c.rest.n ? c.rest.p : text.p + text.n;
        if (l->n < CONF__WORDS_MAX)
            l->words[l->n] = word;
        l->n++;
    }
    if (rest)
        l->rest = slice_of(rest, (size_t)(end - rest));
    return true;
}

static void conf_line_parse(struct conf__state *st, struct conf__line *l, slice text)
{
    const char *names[CONF__SETTINGS];
    char hint[256];
    for (size_t i = 0; i < text.n; i++)
        if ((text.p[i] < ' ' && text.p[i] != '\t') || text.p[i] == 127) {
            conf_problem_add(st->problems, l->number, "take it away; is this a text file?",
                             "a control character (byte %u) is in the line", (unsigned)text.p[i]);
            return;
        }
    if (!conf_line_split(st, text, l) || l->n == 0)
        return;
    for (size_t i = 0; i < CONF__SETTINGS; i++) {
        const struct conf__setting *s = &conf__settings[i];
        names[i] = s->name;
        if (!slice_eq(l->words[0], slice_str(s->name)))
            continue;
        snprintf(hint, sizeof hint, "write: %s", s->usage);
        if (l->n < s->words_min)
            conf_problem_add(st->problems, l->number, hint, "%s: something is missing", s->name);
        else if (s->words_max && l->n > s->words_max)
            conf_problem_add(st->problems, l->number, hint, "%s: there is more in the line than it takes",
                             s->name);
        else if (s->once && st->seen[i])
            conf_problem_add(st->problems, l->number, "take one of the two lines away",
                             "%s was set already, in line %u", s->name, st->seen[i]);
        else
            s->set(st, l);
        if (!st->seen[i])
            st->seen[i] = l->number;
        return;
    }
    conf__hint_names(hint, l->words[0], names, ARRAY_LEN(names), "the settings are");
    conf_problem_add(st->problems, l->number, hint, "there is no setting \"%.*s\"", CONF__QUOTE(l->words[0]));
}

/* What only the whole file shows. */
static void conf_check_whole(struct conf__state *st)
{
    const struct conf *c = st->c;
    if (c->zone[0] && c->dns_listen_count == 0)
        conf_problem_add(st->problems, 0,
                         "add a line: listen dns 198.51.100.25:53, with this server's address",
                         "nobody answers for the zone %s: there is no listen dns line", c->zone);
    if (c->listen_count == 0 && c->dns_listen_count)
        conf_problem_add(st->problems, 0, "add a line: listen smtp 0.0.0.0:25",
                         "no mail could come in: there is no listen line but for dns");
    if (!c->zone[0] && c->dns_listen_count)
        conf_problem_add(st->problems, 0, "add a line: zone roll.example.org",
                         "listen dns has nothing to answer: there is no zone line");
    for (size_t i = 0; i < CONF__SETTINGS; i++) {
        const char *name = conf__settings[i].name;
        if (st->seen[i])
            continue;
        if (strcmp(name, "hostname") == 0)
            conf_problem_add(st->problems, 0, "add a line: hostname mail.example.org",
                             "the server has no name: hostname is missing");
        else if (strcmp(name, "data") == 0)
            conf_problem_add(st->problems, 0, "add a line: data /var/lib/posthorn",
                             "there is no place to keep mail: data is missing");
        else if (strcmp(name, "listen") == 0)
            conf_problem_add(st->problems, 0, "add a line: listen smtp 0.0.0.0:25",
                             "nobody could connect: there is no listen line");
        else if (strcmp(name, "tls") == 0)
            for (size_t k = 0; k < c->listen_count; k++)
                if (c->listens[k].service != CONF_SMTP && !c->listens[k].plaintext)
                    conf_problem_add(st->problems, c->listens[k].line,
                                     "add a line: tls CERTIFICATE-FILE KEY-FILE",
                                     "%s needs a certificate, and there is no tls line",
                                     conf_service_name(c->listens[k].service));
    }
}

bool conf_parse(slice text, slice folder, struct conf *out, struct conf_problems *out_problems)
{
    struct conf__state st = {.c = out, .problems = out_problems, .folder = folder};
    struct conf__line l = {0};
    struct cursor c;
    slice line;

    memset(out, 0, sizeof *out);
    out_problems->n = out_problems->more = 0;
    memcpy(out->user, "posthorn", sizeof "posthorn");
    conf__limits_preset(out);
    if (text.n > CONF_TEXT_MAX) {
        conf_problem_add(out_problems, 0, NULL, "the file is larger than %d KB", CONF_TEXT_MAX / 1024);
        return false;
    }
    c = cursor_of(text);
    while (cursor_line(&c, &line)) {
        l.number++;
        conf_line_parse(&st, &l, line);
    }
    conf_check_whole(&st);
    return out_problems->n == 0;
}

const struct conf_route *conf_route_find(const struct conf_route *routes, size_t n, slice domain)
{
    const struct conf_route *best = NULL;
    size_t best_n = 0;
    if (domain.n && domain.p[domain.n - 1] == '.')
        domain.n--;
    for (size_t i = 0; i < n; i++) {
        slice d = slice_str(routes[i].domain);
        if (slice_eq_nocase(d, domain))
            return &routes[i];
        if (d.p[0] == '*' && d.n > best_n &&
            (d.n == 1 || (domain.n >= d.n && slice_ends_nocase(domain, slice_from(d, 1))))) {
            best = &routes[i];
            best_n = d.n;
        }
    }
    return best;
}
