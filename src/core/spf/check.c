/* check: check_host() of RFC 7208 §4.
 *
 * One record is a frame. An include pushes a frame and a redirect replaces one; both cost a lookup, so there
 * are never more than SPF_LOOKUPS_MAX + 1 frames, and no call goes deeper with the input. Every run begins at
 * the start and walks the same way over the answers that are there; where one is missing it stops, and before
 * it returns spf__foresee() notes every question that the records known so far may come to ask.
 *
 * What is counted. Lookups: each include, a, mx, ptr, exists and redirect that is reached (RFC 7208 §4.6.4);
 * %{p} shares the questions of ptr and costs nothing more. Void lookups: each a, mx, ptr and exists whose own
 * question finds nothing; the addresses of MX and PTR names are not counted, because a sender with IPv4 only
 * would otherwise be in error whenever it is asked about an IPv6 client. */
#include "core/spf/check__.h"
#include "text/idna.h"

#include <stdarg.h>
#include <stdio.h>

static void spf_run_done(struct spf_run *run)
{
    while (run->n)
        buf_done(&run->frames[--run->n].joined);
}

/* ---- words */

FORMAT(3, 4) enum spf_turn spf__say(struct spf_run *run, enum spf_turn turn, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(run->why, sizeof run->why, format, args); /* cut where it is too long */
    va_end(args);
    return turn;
}

/* A name fit to be shown: other names stay inside. */
slice spf__show(const struct dns_name *name)
{
    struct dns_name again;
    return dns_name_parse(dns_name_view(name), &again) ? SLICE("a name that is no host name")
                                                       : dns_name_view(name);
}

void spf__printable(slice s, char *out, size_t out_n)
{
    size_t n = size_min(s.n, out_n - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
    out[n] = 0;
}

static struct spf_frame *spf_top(struct spf_run *run)
{
    return &run->frames[run->n - 1];
}

static void spf_words(struct spf_run *run, enum auth_result result)
{
    struct spf_frame *f = spf_top(run);
    slice domain = spf__show(&run->sender), term = slice_sub(f->term.text, 0, 120);
    bool all = f->term.kind == SPF_ALL;
    if (slice_eq(term, SLICE("default"))) {
        (void)spf__say(run, TURN_MATCH,
                       "%.*s says neither yes nor no to %s: no term of its SPF record matches",
                       SLICE_FMT(domain), run->client);
        return;
    }
    if (result == AUTH_PASS)
        (void)spf__say(run, TURN_MATCH,
                       all ? "%s may send, as %.*s allows every address (%.*s)"
                           : "%s is among the addresses %.*s allows (%.*s)",
                       run->client, SLICE_FMT(domain), SLICE_FMT(term));
    else if (result == AUTH_FAIL)
        (void)spf__say(run, TURN_MATCH,
                       all ? "%s is not among the addresses %.*s allows (%.*s)"
                           : "%s is an address that %.*s forbids (%.*s)",
                       run->client, SLICE_FMT(domain), SLICE_FMT(term));
    else if (result == AUTH_SOFTFAIL)
        (void)spf__say(run, TURN_MATCH, "%s is probably not among the addresses %.*s allows (%.*s)",
                       run->client, SLICE_FMT(domain), SLICE_FMT(term));
    else
        (void)spf__say(run, TURN_MATCH, "for %s %.*s says neither yes nor no (%.*s)", run->client,
                       SLICE_FMT(domain), SLICE_FMT(term));
}

/* ---- the run */

static enum auth_result spf_turn_result(enum spf_turn turn)
{
    return turn == TURN_TEMP ? AUTH_TEMPERROR : turn == TURN_PERM ? AUTH_PERMERROR : AUTH_NONE;
}

/* The end of the terms: redirect, or the default (RFC 7208 §4.7, §6.1). */
static enum spf_turn spf_turn_end(struct spf_run *run, struct spf_frame *f)
{
    struct dns_name name;
    enum spf_turn turn;
    if (f->record.redirect.n == 0 || f->record.has_all)
        return TURN_MISS;
    if (!spf__count(run, &turn))
        return turn;
    turn = spf__target(run, f, f->record.redirect, &name);
    if (turn == TURN_MISS)
        return spf__say(run, TURN_PERM, "%.*s redirects to what can be no domain name",
                        SLICE_FMT(spf__show(&f->domain)));
    if (turn != TURN_MATCH)
        return turn;
    buf_done(&f->joined);
    run->n--;
    spf__push(run, &name);
    return TURN_ENTER;
}

/* Brings the frame on top one step further: TURN_ENTER when there is more to do, else the frame's end, with
 * *out the result when it is TURN_MATCH or TURN_MISS. */
static enum spf_turn spf_step(struct spf_run *run, bool redirected, enum auth_result *out)
{
    struct spf_frame *f = spf_top(run);
    enum spf_turn turn;
    if (!f->loaded) {
        turn = spf__load(run, f);
        if (turn == TURN_NONE && redirected) /* RFC 7208 §6.1 */
            return spf__say(run, TURN_PERM, "the SPF record redirects to %.*s, which publishes none",
                            SLICE_FMT(spf__show(&f->domain)));
        if (turn != TURN_MATCH)
            return turn;
    }
    while (spf_record_term(&f->rest, &f->term)) {
        turn = spf__turn_term(run, f);
        if (turn == TURN_MATCH)
            *out = f->term.qualifier;
        if (turn != TURN_MISS)
            return turn;
    }
    f->term.text = SLICE("default");
    *out = AUTH_NEUTRAL;
    return spf_turn_end(run, f);
}

/* What an include makes of the result of its record (RFC 7208 §5.2). TURN_MISS: go on with the next term. */
static enum spf_turn spf_pop(struct spf_run *run, enum spf_turn turn, enum auth_result *result)
{
    struct spf_frame *child = spf_top(run), *f = child - 1;
    buf_done(&child->joined);
    run->n--;
    if (turn == TURN_NONE)
        return spf__say(run, TURN_PERM, "%.*s includes %.*s, which publishes no SPF record",
                        SLICE_FMT(spf__show(&f->domain)), SLICE_FMT(spf__show(&child->domain)));
    if (turn == TURN_TEMP || turn == TURN_PERM)
        return turn;
    if (turn != TURN_MATCH || *result != AUTH_PASS)
        return TURN_MISS;
    *result = f->term.qualifier;
    return TURN_MATCH;
}

static enum spf_turn spf_evaluate(struct spf_run *run, enum auth_result *result)
{
    bool redirected = false;
    spf__push(run, &run->sender);
    for (;;) {
        size_t before = run->n;
        enum spf_turn turn = spf_step(run, redirected, result);
        if (turn == TURN_WAIT)
            return turn;
        redirected = turn == TURN_ENTER && run->n == before;
        while (turn != TURN_ENTER) {
            if (run->n == 1)
                return turn;
            turn = spf_pop(run, turn, result);
            if (turn == TURN_MISS)
                turn = TURN_ENTER; /* on with the terms behind the include */
        }
    }
}

/* ---- the explanation */

/* exp=, RFC 7208 §6.2: whatever goes wrong here, there is no explanation. *out has room for SPF_TEXT_MAX. */
static enum spf_turn spf_explain(struct spf_run *run, char out[SPF_TEXT_MAX])
{
    const struct spf_frame *f = spf_top(run);
    const struct dns_answer *a;
    struct dns_name name;
    struct buf joined CLEANUP(buf_done), text CLEANUP(buf_done);
    slice explanation;
    enum spf_turn turn;
    buf_init(&joined, SPF_RECORD_MAX);
    buf_init(&text, SPF_EXPANSION_MAX);
    if (f->record.exp.n == 0)
        return TURN_MISS;
    turn = spf__target(run, f, f->record.exp, &name);
    if (turn != TURN_MATCH)
        return turn;
    a = dns_table_get_odd(run->dns, dns_name_view(&name), DNS_TXT);
    if (!a)
        return TURN_WAIT;
    if (dns_answer_failed(a) || a->n != 1 || spf__txt(a->rdata[0], &joined, &explanation) ||
        !spf_macro_is_explanation(explanation))
        return TURN_MISS;
    turn = spf__expand(run, f, explanation, &text);
    if (turn == TURN_MATCH)
        spf__printable(buf_view(&text), out, SPF_TEXT_MAX);
    return turn;
}

/* ---- spf_check */

/* The identity (RFC 7208 §2.3, §2.4, §4.3). False: it has no domain that could have a record. */
static bool spf_identity(struct spf_run *run, bool of_helo)
{
    const struct spf_ask *ask = run->ask;
    slice domain = of_helo ? ask->helo : ask->domain;
    uint8_t ascii[IDNA_DOMAIN_MAX];
    size_t n;
    run->local = ask->local.n ? ask->local : SLICE("postmaster");
    run->local_ascii = true;
    for (size_t i = 0; i < run->local.n; i++)
        run->local_ascii &= run->local.p[i] < 128;
    for (size_t i = 0; i < domain.n; i++)
        if (domain.p[i] >= 128) { /* RFC 8616 §4 */
            if (idna_to_ascii(domain, ascii, &n))
                return false;
            domain = slice_of(ascii, n);
            break;
        }
    return dns_name_parse(domain, &run->sender) == OK && slice_has(dns_name_view(&run->sender), '.');
}

static enum auth_step spf_finish(struct spf_run *run, struct arena *a, slice explanation,
                                 struct spf_result *r, struct spf_result *out)
{
    bool decided = r->result != AUTH_NONE && r->result != AUTH_TEMPERROR && r->result != AUTH_PERMERROR;
    slice term = decided ? spf_top(run)->term.text : (slice){0};
    r->lookups = run->lookups;
    r->voids = run->voids;
    if (!arena_dup(a, dns_name_view(&run->sender), &r->domain) || !arena_dup(a, term, &r->mechanism) ||
        !arena_dup(a, explanation, &r->explanation) || !arena_dup(a, slice_str(run->why), &r->reason))
        return AUTH_NO_MEMORY;
    *out = *r;
    return AUTH_DONE;
}

enum auth_step spf_check(const struct spf_ask *ask, struct dns_table *dns, struct arena *a,
                         struct spf_result *out)
{
    struct spf_run run CLEANUP(spf_run_done); /* its frames are made when they are pushed */
    struct spf_result r = {.of_helo = ask->local.n == 0 && ask->domain.n == 0};
    char explanation[SPF_TEXT_MAX] = "";
    enum spf_turn turn;
    run.ask = ask;
    run.dns = dns;
    run.n = 0;
    run.lookups = run.voids = 0;
    run.octets = 0;
    run.sender.n = 0;
    run.why[0] = 0;
    run.address_type = ip_is_v4(&ask->client) ? DNS_A : DNS_AAAA;
    ip_print(&ask->client, run.client);
    if (!spf_identity(&run, r.of_helo)) {
        (void)spf__say(&run, TURN_NONE,
                       r.of_helo ? "the name in HELO is no domain name, and the sender is null"
                                 : "the sender's address has no domain name");
        return spf_finish(&run, a, (slice){0}, &r, out);
    }
    turn = spf_evaluate(&run, &r.result);
    if (turn == TURN_WAIT) {
        spf__foresee(&run);
        return AUTH_WAIT;
    }
    if (turn != TURN_MATCH && turn != TURN_MISS) {
        r.result = spf_turn_result(turn);
        return spf_finish(&run, a, (slice){0}, &r, out);
    }
    if (r.result == AUTH_FAIL && ask->explain && spf_explain(&run, explanation) == TURN_WAIT)
        return AUTH_WAIT;
    spf_words(&run, r.result);
    return spf_finish(&run, a, slice_str(explanation), &r, out);
}
