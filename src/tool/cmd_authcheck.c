/* posthorn authcheck: the house's own examination over a message in a file, for whoever asks why a message
 * was refused, and for suites that test the evaluators from outside. */
#include "conf/conf_file.h"
#include "core/mail/header.h"
#include "policy/authentication.h"
#include "policy/examination.h"
#include "policy/inbound.h"
#include "policy/journal_event.h"
#include "sys/clock.h"
#include "tool/lookup.h"
#include "tool/read.h"
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTHCHECK_MESSAGE_MAX ((size_t)256 << 20)
#define AUTHCHECK_ARENA_MAX   ((size_t)256 << 20)
#define AUTHCHECK_RESULTS_MAX 65536

struct authcheck {
    struct tool *tool;
    struct arena arena;
    slice message; /* CRLF line ends; empty with --no-message */
    slice header;
    struct ip ip;
    slice helo, mail_from, hostname;
    time_ms now;
    struct lookup lookup;
    struct examination *examination;
    struct verdict verdict;
    struct authentication_applied applied;
    char host[CONF_NAME_MAX];
    struct authentication_forwarder forwarders[CONF_JUDGE_MAX];
    slice sealers[CONF_JUDGE_MAX];
};

/* ---- the message */

/* Files have LF alone where mail has CRLF (RFC 5321 §2.3.8). A file with nothing in it is a message whose
 * header is empty. */
static bool authcheck_crlf(struct arena *a, slice text, slice *out)
{
    size_t bare = 0, at = 0;
    uint8_t *p;
    if (text.n == 0)
        text = SLICE("\r\n");
    for (size_t i = 0; i < text.n; i++)
        bare += text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r');
    p = arena_alloc(a, text.n + bare);
    if (!p)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
            p[at++] = '\r';
        p[at++] = text.p[i];
    }
    *out = slice_of(p, at);
    return true;
}

/* Without the line that an mbox puts before a message: "From ", and not an old way to write "From:". */
static slice authcheck_no_postmark(slice text)
{
    size_t at = 5;
    if (!slice_starts(text, SLICE("From ")))
        return text;
    while (at < text.n && (text.p[at] == ' ' || text.p[at] == '\t'))
        at++;
    return at < text.n && text.p[at] == ':' ? text : slice_from(text, slice_index(text, '\n') + 1);
}

static enum tool_exit authcheck_read(struct authcheck *c, const char *path)
{
    struct buf text CLEANUP(buf_done) = {.max = AUTHCHECK_MESSAGE_MAX};
    enum err e = read_file(path, &text);
    if (e)
        return tool_fail("the message %.200s cannot be read: %s", path, err_text(e));
    if (!authcheck_crlf(&c->arena, authcheck_no_postmark(buf_view(&text)), &c->message))
        return tool_fail("the message %.200s is too large", path);
    c->header = slice_sub(c->message, 0, header_end(c->message));
    return TOOL_DONE;
}

/* ---- the command line */

static slice authcheck_text(const struct tool *t, enum tool_option o)
{
    return t->options[o] ? slice_str(t->options[o]) : (slice){0};
}

static enum tool_exit authcheck_options(struct authcheck *c)
{
    struct tool *t = c->tool;
    uint64_t at;
    slice from = authcheck_text(t, TOOL_MAIL_FROM);
    if (!tool_has(t, TOOL_NO_MESSAGE) && t->n_args != 1)
        return tool_misuse(t, "name one message (- is standard input), or say --no-message");
    if (!tool_has(t, TOOL_IP) &&
        (tool_has(t, TOOL_NO_MESSAGE) || tool_has(t, TOOL_HELO) || tool_has(t, TOOL_MAIL_FROM)))
        return tool_misuse(t, "--ip is missing: SPF is about the address of a client");
    if (tool_has(t, TOOL_IP) && ip_parse(authcheck_text(t, TOOL_IP), &c->ip))
        return tool_misuse(t, "\"%.64s\" is no IP address", t->options[TOOL_IP]);
    if (from.n >= 2 && from.p[0] == '<' && from.p[from.n - 1] == '>')
        from = slice_sub(from, 1, from.n - 1);
    c->mail_from = from;
    c->helo = authcheck_text(t, TOOL_HELO);
    c->now = clock_unix();
    if (tool_has(t, TOOL_AT)) {
        if (!slice_u64(authcheck_text(t, TOOL_AT), &at) || at > (uint64_t)INT64_MAX / 1000)
            return tool_misuse(t, "\"%.64s\" is no time; --at takes seconds since 1970", t->options[TOOL_AT]);
        c->now = (time_ms)at * MS_SECOND;
    }
    return TOOL_DONE;
}

/* Without --config there is no house: this machine's name, and no local overrides. */
static enum tool_exit authcheck_house(struct authcheck *c)
{
    if (tool_has(c->tool, TOOL_CONFIG)) {
        if (!tool_config(c->tool))
            return TOOL_FAILED;
        c->hostname = slice_str(c->tool->conf.hostname);
        return TOOL_DONE;
    }
    if (gethostname(c->host, sizeof c->host - 1) || !c->host[0])
        snprintf(c->host, sizeof c->host, "localhost");
    c->hostname = slice_str(c->host);
    return TOOL_DONE;
}

/* ---- the examination */

/* The forwarders and sealers of --config. What single domains trust lies in the directory: it is not asked.
 */
static void authcheck_policy(struct authcheck *c, struct authentication_policy *out)
{
    const struct conf *conf = &c->tool->conf;
    *out = (struct authentication_policy){.forwarders = c->forwarders,
                                          .sealers = c->sealers,
                                          .rcpts_known = true,
                                          .sends_nothing = examination_sends_nothing(c->examination),
                                          .odd_author = examination_odd_author(c->examination),
                                          .of_list = examination_of_list(c->examination)};
    for (size_t i = 0; i < conf->judge_count; i++) {
        slice text = slice_str(conf->judge[i].text);
        bool lists = conf->judge[i].kind == CONF_MAILING_LIST;
        if (conf->judge[i].kind == CONF_ARC_SEALER)
            c->sealers[out->n_sealers++] = text;
        else if ((lists || conf->judge[i].kind == CONF_FORWARDER) &&
                 authentication_forwarder_parse(text, &c->forwarders[out->n_forwarders]) == OK)
            c->forwarders[out->n_forwarders++].lists = lists;
    }
}

static bool authcheck_decide(struct authcheck *c)
{
    struct authentication_policy p;
    const struct auth_results *r = examination_results(c->examination);
    if (c->header.n == 0)
        return authentication_envelope(r, &c->arena, &c->verdict);
    authcheck_policy(c, &p);
    if (!inbound_decide(c->message, &mail_limits_default, &c->arena, &c->verdict) ||
        !authentication_decide(r, &p, &c->arena, &c->verdict, &c->applied))
        return false;
    if (c->verdict.action == VERDICT_REJECT) /* also for what the header alone gives reason to refuse */
        c->applied.applied = DMARC_POLICY_REJECT;
    else if (c->verdict.action == VERDICT_JUNK)
        c->applied.applied = DMARC_POLICY_QUARANTINE;
    return true;
}

static enum tool_exit authcheck_examine(struct authcheck *c)
{
    const struct examination_ask ask = {.header = c->header,
                                        .client = c->ip,
                                        .helo = c->helo,
                                        .reverse_path = c->mail_from,
                                        .hostname = c->hostname,
                                        .now = c->now};
    struct dns_table dns;
    enum auth_step s;
    c->examination = examination_begin(&ask, &mail_limits_default, &c->arena);
    if (!c->examination || !dns_table_init(&dns, &c->arena, EXAMINATION_QUESTIONS))
        return tool_fail("the message needs more memory than a message may");
    if (c->header.n)
        examination_body(c->examination, slice_from(c->message, c->header.n));
    examination_body_end(c->examination);
    while ((s = examination_step(c->examination, &dns, NULL)) == AUTH_WAIT)
        lookup_answer(&c->lookup, &dns);
    if (s == AUTH_NO_MEMORY || !authcheck_decide(c))
        return tool_fail("the message needs more memory than a message may");
    return TOOL_DONE;
}

/* ---- printing */

static json_t *authcheck_json(slice s)
{
    json_t *j = json_stringn((const char *)(s.n ? s.p : (const uint8_t *)""), s.n);
    struct buf b CLEANUP(buf_done) = {.max = 8 * AUTHCHECK_RESULTS_MAX};
    if (j)
        return j;
    journal_event_escape(&b, s, AUTHCHECK_RESULTS_MAX); /* it was no UTF-8 */
    return json_stringn((const char *)(b.n ? b.p : (const uint8_t *)""), b.n);
}

static json_t *authcheck_word(enum auth_result r)
{
    return authcheck_json(auth_result_word(r));
}

static void authcheck_print_json(const struct authcheck *c, slice field)
{
    const struct auth_results *r = examination_results(c->examination);
    json_t *dkim = json_array(), *all;
    for (size_t i = 0; i < r->n_dkim; i++)
        json_array_append_new(dkim,
                              json_pack("{s:o,s:o,s:o,s:o}", "result", authcheck_word(r->dkim[i].result),
                                        "domain", authcheck_json(r->dkim[i].domain), "selector",
                                        authcheck_json(r->dkim[i].selector), "reason",
                                        authcheck_json(r->dkim[i].reason)));
    all = json_pack("{s:{s:o,s:o,s:o},s:o,s:{s:o,s:o},s:{s:o,s:o,s:o,s:o,s:o},s:o}", "spf", "result",
                    authcheck_word(r->spf.result), "domain", authcheck_json(r->spf.domain), "explanation",
                    authcheck_json(r->spf.explanation), "dkim", dkim, "arc", "result",
                    authcheck_word(r->arc.result), "reason", authcheck_json(r->arc.reason), "dmarc", "result",
                    authcheck_word(r->dmarc.result), "domain", authcheck_json(r->dmarc.author), "policy",
                    authcheck_json(dmarc_policy_word(r->dmarc.published)), "applied",
                    authcheck_json(dmarc_policy_word(c->applied.applied)), "reason",
                    authcheck_json(r->dmarc.reason), "authentication_results", authcheck_json(field));
    must(all);
    tool_print_json(all);
    json_decref(all);
}

static void authcheck_print_slice(slice s)
{
    struct buf b CLEANUP(buf_done) = {.max = 8 * AUTHCHECK_RESULTS_MAX};
    journal_event_escape(&b, s, AUTHCHECK_RESULTS_MAX);
    (void)fwrite(b.p, 1, b.n, stdout); /* the final fflush() tells */
}

static void authcheck_print_text(const struct authcheck *c, slice field)
{
    static const char *const ends[] = {"It would be accepted.", "It would be filed as junk.",
                                       "The sender would be asked to try again:", "It would be refused:"};
    const struct auth_results *r = examination_results(c->examination);
    for (size_t i = 0; i < c->verdict.n_reasons; i++) {
        authcheck_print_slice(c->verdict.reasons[i]);
        puts(".");
    }
    if (r->spf.explanation.n) {
        fputs("The sender's domain says about the SPF fail: ", stdout);
        authcheck_print_slice(r->spf.explanation);
        puts("");
    }
    if (c->header.n) {
        fputs(ends[c->verdict.action], stdout);
        if (c->verdict.code) {
            printf(" %u %.*s ", c->verdict.code, SLICE_FMT(c->verdict.status));
            authcheck_print_slice(c->verdict.text);
            fputs(".", stdout);
        }
        puts("");
    }
    fputs("\nAuthentication-Results: ", stdout);
    authcheck_print_slice(field);
    puts("");
}

static enum tool_exit authcheck_print(const struct authcheck *c)
{
    struct buf field CLEANUP(buf_done) = {.max = AUTHCHECK_RESULTS_MAX};
    if (auth_results_print(examination_results(c->examination), c->hostname, &field))
        return tool_fail("the results are longer than a header field may be");
    if (c->tool->json)
        authcheck_print_json(c, buf_view(&field));
    else
        authcheck_print_text(c, buf_view(&field));
    return TOOL_DONE;
}

static enum tool_exit authcheck_run(struct tool *t)
{
    struct authcheck c = {.tool = t};
    struct err_detail detail = {{0}};
    enum tool_exit x;
    arena_init(&c.arena, "message", AUTHCHECK_ARENA_MAX);
    x = authcheck_options(&c);
    if (x == TOOL_DONE)
        x = authcheck_house(&c);
    if (x == TOOL_DONE && !lookup_begin(&c.lookup, t->options[TOOL_DNS], &detail))
        x = tool_fail("%s", detail.text);
    if (x == TOOL_DONE && !tool_has(t, TOOL_NO_MESSAGE)) /* one that is named all the same is not read */
        x = authcheck_read(&c, t->args[0]);
    if (x == TOOL_DONE)
        x = authcheck_examine(&c);
    if (x == TOOL_DONE)
        x = authcheck_print(&c);
    lookup_done(&c.lookup);
    arena_done(&c.arena);
    return x;
}

const struct tool_command cmd_authcheck_table[] = {
    {"authcheck", NULL, "MESSAGE", "what SPF, DKIM, ARC and DMARC say about a message, and what follows",
     1u << TOOL_IP | 1u << TOOL_HELO | 1u << TOOL_MAIL_FROM | 1u << TOOL_DNS | 1u << TOOL_AT |
         1u << TOOL_NO_MESSAGE,
     0, 1, authcheck_run},
    {0},
};
