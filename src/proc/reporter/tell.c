/* tell: posthorn reports DOMAIN. Asks directory whether the domain is ours, journal for what was reported (in
 * the days asked for, and in the last 30 for advice), resolver for the names of sources, and keeps the answer
 * as rows that directory fetches one by one. */
#include "core/dns/dns_name.h"
#include "core/dns/dns_rr.h"
#include "ipc/directory_reporter.h"
#include "ipc/x_resolver.h"
#include "ipc/x_settings.h"
#include "proc/reporter/tell__.h"
#include "sys/clock.h"
#include "sys/entropy.h"

#include <stdio.h>
#include <stdlib.h>

#define TELL_ARENA  ((size_t)16 << 20)
#define TELL_BYTES  ((size_t)4 << 20)
#define TELL_INPUT  500000 /* rows asked of journal: three seconds of work for both */
#define TELL_WATCH  100000 /* of which older ones than those asked for are read, for advice */
#define TELL_OTHERS 200    /* rows of TLS and failure reports */
#define TELL_ORGS   1000   /* told by name; what further ones reported is told together */
#define TELL_KINDS  8      /* kinds of reports, proven and not */
#define WATCH_DAYS  30
#define DAYS_MAX    3650
#define PTR_MS      (2 * MS_SECOND) /* all at once */
#define NEAR_MAX    8               /* addresses of a name */
#define ROW_BITS    12

/* What is asked of journal, one after the other. */
static const struct {
    enum report_question question;
    bool watch; /* of the last WATCH_DAYS, not of the days asked for; sources: of both, sorted out here */
} tell_steps[] = {
    {REPORT_ASK_ORGS, false}, {REPORT_ASK_ORGS, true},      {REPORT_ASK_SOURCES, true},
    {REPORT_ASK_TLS, false},  {REPORT_ASK_FAILURES, false}, {REPORT_ASK_SENT, false},
};

/* Names in front of a domain under which its web site, or its shop, mostly is. */
static const slice web_names[TELL_WEB] = {SLICE_INIT(""), SLICE_INIT("www."), SLICE_INIT("shop.")};

static void tell_free(struct tell *t)
{
    role_forget(t->reporter->role, t);
    for (size_t i = 0; i < t->n_names; i++)
        role_forget(t->reporter->role, &t->names[i]);
    list_remove(&t->link);
    t->reporter->n_tells--;
    buf_done(&t->json);
    arena_done(&t->arena);
    free(t);
}

static void tell_reply(struct tell *t, const struct words_row *row)
{
    if (t->peer && t->peer->chan && t->id)
        IGNORE_RESULT(chan_reply(t->peer->chan, t->id, DIRECTORY_REPORTER_ROW, row, NULL, 0),
                      "who asked is gone");
    t->id = 0;
}

static void tell_fail(struct tell *t, enum err e, const char *text)
{
    tell_reply(t, &(struct words_row){.err = (uint32_t)e, .text = slice_str(text)});
    tell_free(t);
}

void tell_forget(struct reporter *r, const struct role_peer *peer)
{
    LIST_EACH_SAFE(it, &r->tells)
    {
        struct tell *t = LIST_OF(it, struct tell, link);
        if (t->peer == peer)
            tell_free(t);
    }
}

/* Row i, and with the last one the end. */
static void tell_row(struct tell *t, size_t i)
{
    struct words_row row = {.json = slice_sub(buf_view(&t->json), t->at[i], t->at[i + 1])};
    bool last = i + 1 >= t->n_rows;
    if (!last)
        row.next = t->number << ROW_BITS | (uint32_t)(i + 1);
    tell_reply(t, &row);
    if (last)
        tell_free(t);
}

/* ---- the words */

/* Begun days of a time between two reports: at least one, and no more than are watched. */
static unsigned tell_days(time_ms span)
{
    time_ms days = span > 0 ? (span + MS_DAY - 1) / MS_DAY : 1;
    return days < WATCH_DAYS ? (unsigned)days : WATCH_DAYS;
}

static void tell_words(struct tell *t)
{
    struct report_summary s = {.domain = t->domain,
                               .days = t->days,
                               .hostname = role_setting(t->reporter->role, "hostname", 0),
                               .policy = t->policy,
                               .sources = &t->sources,
                               .watched = t->first ? &t->watched : NULL,
                               .tls = t->tls,
                               .n_tls = t->n_tls,
                               .failures = t->failures,
                               .n_failures = t->n_failures};
    for (size_t i = 0; i < t->n_orgs; i++) {
        const struct report_org *o = &t->orgs[i];
        if (o->proven) {
            s.n_orgs += o->kind == REPORT_HEAD_AGGREGATE;
            s.org = o->kind == REPORT_HEAD_AGGREGATE ? o->org : s.org;
            continue;
        }
        if (s.n_unproven_orgs++ == 0)
            s.unproven_org = o->org;
        s.unproven_reports += o->reports;
        s.unproven_messages += o->messages;
    }
    s.cut = t->cut;
    if (t->first) /* from there to the end of the newest: days without reports before today tell nothing */
        s.watched_days = tell_days(t->policy_end - t->first);
    if (!report_words(&s, tell__line, t)) {
        tell_fail(t, ERR_LIMIT, "there is more in the reports than fits into one answer; ask for fewer days");
        return;
    }
    tell__sent(t);
    tell__tables(t);
    tell_row(t, 0); /* there is always a total */
}

/* ---- the DNS: names of sources (PTR, RFC 1035 §3.5; only for reading, so not confirmed), and the addresses
 * of the domain's web site, so that a source is known that lies there */

static void tell_near(struct tell *t, const struct ip *ip, slice name)
{
    report_sources_near(&t->sources, ip, name);
    report_sources_near(&t->watched, ip, name);
}

static void name_came(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    const struct tell_name *asked = arg;
    const struct resolved *m = message;
    struct tell *t = asked->tell;
    struct dns_name name;
    struct ip ip;
    (void)fds, (void)n_fds; /* none */
    for (size_t i = 0; e == OK && m->err == OK && i < m->n_rrs && i < NEAR_MAX; i++) {
        slice rdata = m->rrs[i].rdata;
        if (asked->source) {
            if (i == 0 && dns_rr_name(rdata, &name) == OK &&
                !arena_dup(&t->arena, dns_name_view(&name), &asked->source->name))
                asked->source->name = (slice){0};
        } else if ((asked->type == DNS_A ? dns_rr_a(rdata, &ip) : dns_rr_aaaa(rdata, &ip)) == OK) {
            tell_near(t, &ip, asked->name);
        }
    }
    if (--t->names_open == 0)
        tell_words(t);
}

static void name_ask(struct tell *t, struct tell_name ask, slice name)
{
    struct tell_name *kept = &t->names[t->n_names];
    const struct resolve m = {.name = name, .type = ask.type};
    *kept = ask;
    t->n_names++;
    if (role_call(t->reporter->role, ROLE_RESOLVER, X_RESOLVER_RESOLVE, &m, NULL, 0, PTR_MS, name_came,
                  kept) == OK)
        t->names_open++;
}

static void ask_web(struct tell *t)
{
    for (size_t i = 0; i < ARRAY_LEN(web_names); i++) {
        struct buf name CLEANUP(buf_done) = {.max = DNS_NAME_MAX};
        slice kept;
        buf_append(&name, web_names[i]);
        buf_append(&name, t->domain);
        if (buf_failed(&name) || !arena_dup(&t->arena, buf_view(&name), &kept))
            continue;
        name_ask(t, (struct tell_name){.tell = t, .name = kept, .type = DNS_A}, kept);
        name_ask(t, (struct tell_name){.tell = t, .name = kept, .type = DNS_AAAA}, kept);
    }
}

/* Of the sources that get a sentence. */
static void tell_names(struct tell *t)
{
    size_t asked = 0;
    t->names_open = 1; /* ours */
    for (size_t i = 0; i < t->n_ours; i++)
        tell_near(t, &t->ours[i], (slice){0});
    for (size_t i = 0; i < t->sources.n && asked < TELL_PTR_MAX; i++) {
        struct report_source *s = &t->sources.at[i];
        struct dns_name reverse;
        if (s->messages == s->believed || ip_is_none(&s->ip))
            continue;
        dns_name_reverse(&s->ip, &reverse);
        name_ask(t, (struct tell_name){.tell = t, .source = s, .type = DNS_PTR}, dns_name_view(&reverse));
        asked++;
    }
    if (asked || t->watched.messages > t->watched.believed)
        ask_web(t);
    if (--t->names_open == 0)
        tell_words(t);
}

/* ---- journal */

static void tell_ask(struct tell *t);

/* The row in which all further organisations count. */
static struct report_org *org_others(struct tell *t, const struct report_org *o)
{
    for (size_t i = TELL_ORGS; i < t->n_orgs; i++)
        if (t->orgs[i].kind == o->kind && t->orgs[i].proven == o->proven)
            return &t->orgs[i];
    if (t->n_orgs == TELL_ORGS + TELL_KINDS)
        return NULL;
    t->orgs[t->n_orgs] = (struct report_org){.org = SLICE("others"),
                                             .kind = o->kind,
                                             .proven = o->proven,
                                             .begin = o->begin,
                                             .end = o->end,
                                             .p = o->p};
    return &t->orgs[t->n_orgs++];
}

static void org_add(struct report_org *to, const struct report_org *o)
{
    to->reports += o->reports;
    to->messages += o->messages;
    to->begin = o->begin < to->begin ? o->begin : to->begin;
    to->end = o->end > to->end ? o->end : to->end;
}

static bool keep_orgs(struct tell *t, const struct report_page *p, bool watch)
{
    for (size_t i = 0; i < p->n_orgs; i++) {
        const struct report_org *o = &p->orgs[i];
        if (o->proven && o->kind == REPORT_HEAD_AGGREGATE && o->end > t->policy_end) {
            t->policy = o->p;
            t->policy_end = o->end;
        }
        if (watch) {
            if (o->proven && o->kind == REPORT_HEAD_AGGREGATE && (t->first == 0 || o->begin < t->first))
                t->first = o->begin > 0 ? o->begin : o->end;
            continue;
        }
        if (t->n_orgs >= TELL_ORGS) {
            struct report_org *others = org_others(t, o);
            if (others)
                org_add(others, o);
            continue;
        }
        t->orgs[t->n_orgs] = *o;
        if (!arena_dup(&t->arena, o->org, &t->orgs[t->n_orgs].org))
            return false;
        t->n_orgs++;
    }
    return true;
}

static bool keep_sources(struct tell *t, const struct report_page *p)
{
    time_ms told = t->now - (time_ms)t->days * MS_DAY, watched = t->now - WATCH_DAYS * MS_DAY;
    for (size_t i = 0; i < p->n_sources; i++) {
        const struct report_row *in = &p->sources[i];
        const struct aggregate_row *s = &in->row;
        struct report_origin from = {in->report, in->org, in->begin, in->end};
        struct aggregate_dkim dkim[AGGREGATE_DKIM_MAX];
        struct aggregate_record row = {.count = s->count,
                                       .disposition = s->disposition,
                                       .dkim_aligned = s->dkim_aligned,
                                       .spf_aligned = s->spf_aligned,
                                       .reason = s->reason,
                                       .header_from = s->header_from,
                                       .envelope_from = s->envelope_from,
                                       .envelope_to = s->envelope_to,
                                       .spf_domain = s->spf_domain,
                                       .spf = s->spf,
                                       .spf_of_helo = s->spf_of_helo,
                                       .dkim = dkim,
                                       .n_dkim = size_min(s->n_dkim, AGGREGATE_DKIM_MAX)};
        for (size_t k = 0; k < row.n_dkim; k++)
            dkim[k] = (struct aggregate_dkim){s->dkim[k].domain, s->dkim[k].selector, s->dkim[k].result};
        if (ip_from_slice(s->source, &row.source) != OK)
            row.source = (struct ip){{0}};
        if (from.begin <= 0 || from.begin > from.end) /* not said */
            from.begin = from.end - MS_DAY;
        if ((in->end > told && !report_sources_add(&t->sources, &row, &from, t->ours, t->n_ours)) ||
            (in->end > watched && !report_sources_add(&t->watched, &row, &from, t->ours, t->n_ours)))
            return false;
    }
    return true;
}

static bool keep_others(struct tell *t, const struct report_page *p)
{
    for (size_t i = 0; i < p->n_tls && t->n_tls < TELL_OTHERS; i++) {
        const struct tls_row *row = &p->tls[i].row;
        struct report_words_tls *to = &t->tls[t->n_tls++];
        *to = (struct report_words_tls){.good = row->good, .failed = row->failed, .count = row->count};
        if (!arena_dup(&t->arena, p->tls[i].org, &to->org) ||
            !arena_dup(&t->arena, row->result, &to->result) ||
            !arena_dup(&t->arena, row->receiving_mx, &to->mx) ||
            !arena_dup(&t->arena, row->reason, &to->reason))
            return false;
    }
    for (size_t i = 0; i < p->n_failures && t->n_failures < TELL_OTHERS; i++) {
        const struct failure_row *row = &p->failures[i];
        struct report_words_failure *to = &t->failures[t->n_failures++];
        *to = (struct report_words_failure){.incidents = row->incidents};
        if (ip_from_slice(row->source, &to->source) != OK)
            to->source = (struct ip){{0}};
        if (!arena_dup(&t->arena, row->failure, &to->failure) ||
            !arena_dup(&t->arena, row->header_from, &to->header_from))
            return false;
    }
    return true;
}

/* Are there rows enough for advice, and of the days asked for all? Then it is advice of the days they reach
 * back. */
static bool tell_watched(struct tell *t, const struct report_page *p)
{
    const struct report_row *last = p->n_sources ? &p->sources[p->n_sources - 1] : NULL;
    if (!last || t->from < TELL_WATCH || last->end > t->now - (time_ms)t->days * MS_DAY)
        return false;
    if (last->end > t->first)
        t->first = last->end;
    return true;
}

static void tell_page(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct tell *t = arg;
    const struct report_page *p = message;
    bool watch = tell_steps[t->step].watch, fine;
    size_t n;
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(p->err);
    if (e) {
        tell_fail(t, e, "the journal does not answer; see posthorn status");
        return;
    }
    fine = keep_orgs(t, p, watch) && keep_sources(t, p) && keep_others(t, p);
    t->sent += p->sent;
    t->sent_messages += p->sent_messages;
    n = p->n_orgs + p->n_sources + p->n_tls + p->n_failures;
    t->from += n;
    t->place = p->place;
    if (!fine) {
        tell_fail(t, ERR_LIMIT, "there is more in the reports than fits into one answer; ask for fewer days");
        return;
    }
    t->cut = t->cut || (p->more && p->n_sources && t->from >= TELL_INPUT);
    if (!p->more || n == 0 || t->from >= TELL_INPUT || tell_watched(t, p)) {
        t->from = 0;
        t->step++;
    }
    tell_ask(t);
}

static void tell_ask(struct tell *t)
{
    struct report_ask m = {.domain = t->domain, .from = (uint32_t)t->from, .behind = t->place};
    unsigned days = t->days;
    enum err e;
    if (t->step == ARRAY_LEN(tell_steps)) {
        report_sources_sort(&t->sources);
        report_sources_sort(&t->watched);
        tell_names(t);
        return;
    }
    m.question = (uint8_t)tell_steps[t->step].question;
    if (tell_steps[t->step].watch)
        days = m.question == REPORT_ASK_SOURCES && days > WATCH_DAYS ? days : WATCH_DAYS;
    m.since = t->now - (time_ms)days * MS_DAY;
    e = role_call(t->reporter->role, ROLE_JOURNAL, REPORTER_JOURNAL_ASK, &m, NULL, 0, JOURNAL_MS, tell_page,
                  t);
    if (e)
        tell_page(t, e, NULL, NULL, 0);
}

/* ---- the question */

static void tell_known(void *arg, enum err e, const void *message, int *fds, size_t n_fds)
{
    struct tell *t = arg;
    const struct settings_domain *m = message;
    char text[TEXT_MAX];
    (void)fds, (void)n_fds; /* none */
    if (!e)
        e = err_from_wire(m->err);
    if (e == OK) {
        tell_ask(t);
        return;
    }
    (void)snprintf(text, sizeof text,
                   e == ERR_NOT_FOUND ? "there is no domain %.*s here; see posthorn domain list"
                                      : "the directory does not answer for %.*s",
                   SLICE_FMT(t->domain));
    tell_fail(t, e, text);
}

static bool tell_init(struct tell *t, slice domain)
{
    struct dns_name name;
    const struct hash_key key = entropy_hash_key();
    if (dns_name_parse(domain, &name) != OK || !arena_dup(&t->arena, dns_name_view(&name), &t->domain))
        return false;
    t->orgs = ARENA_ARRAY(&t->arena, TELL_ORGS + TELL_KINDS, struct report_org);
    t->tls = ARENA_ARRAY(&t->arena, TELL_OTHERS, struct report_words_tls);
    t->failures = ARENA_ARRAY(&t->arena, TELL_OTHERS, struct report_words_failure);
    for (size_t i = 0; i < ARRAY_LEN(t->ours); i++)
        if (ip_parse(role_setting(t->reporter->role, "address", i), &t->ours[t->n_ours]) == OK)
            t->n_ours++;
    return t->orgs && t->tls && t->failures && report_sources_init(&t->sources, t->domain, &key, &t->arena) &&
           report_sources_init(&t->watched, t->domain, &key, &t->arena);
}

void tell_call(struct reporter *r, struct role_peer *peer, uint64_t id, const void *call)
{
    const struct words_call *m = call;
    struct tell *t;
    struct settings_domain_ask ask;
    uint32_t days = 7;
    enum err e;
    if (r->n_tells >= TELLS_MAX) /* the oldest is not fetched any more, or will be asked again */
        tell_free(LIST_OF(r->tells.next, struct tell, link));
    t = calloc(1, sizeof *t);
    must(t);
    *t = (struct tell){.reporter = r, .peer = peer, .id = id, .now = clock_unix(), .policy = 255};
    t->number = ++r->tell_next & 0xfffff;
    if (t->number == 0)
        t->number = r->tell_next = 1;
    arena_init(&t->arena, "reports told", TELL_ARENA);
    buf_init(&t->json, TELL_BYTES);
    list_append(&r->tells, &t->link);
    r->n_tells++;
    if (!slice_eq(m->verb, SLICE("reports")) || m->n_args < 1 ||
        (m->n_args > 1 && (!slice_u32(m->args[1].text, &days) || days == 0 || days > DAYS_MAX))) {
        tell_fail(t, ERR_USAGE, "write it like: posthorn reports example.org --since 7");
        return;
    }
    t->days = days;
    if (!tell_init(t, m->args[0].text)) {
        tell_fail(t, ERR_SYNTAX, "that is no domain name; write it like example.org");
        return;
    }
    ask.domain = t->domain;
    e = role_call(r->role, ROLE_DIRECTORY, X_SETTINGS_DOMAIN_ASK, &ask, NULL, 0, DIRECTORY_MS, tell_known, t);
    if (e)
        tell_known(t, e, NULL, NULL, 0);
}

void tell_more(struct reporter *r, struct role_peer *peer, uint64_t id, const void *more)
{
    const struct words_more *m = more;
    struct words_row gone = {.err = ERR_EXPIRED,
                             .text = SLICE("the answer was not fetched in time; ask again")};
    size_t row = m->next & ((1u << ROW_BITS) - 1);
    LIST_EACH(it, &r->tells)
    {
        struct tell *t = LIST_OF(it, struct tell, link);
        if (t->number != m->next >> ROW_BITS || t->peer != peer || t->id || row >= t->n_rows)
            continue;
        t->id = id;
        tell_row(t, row);
        return;
    }
    if (peer->chan)
        IGNORE_RESULT(chan_reply(peer->chan, id, DIRECTORY_REPORTER_ROW, &gone, NULL, 0),
                      "who asked is gone");
}
