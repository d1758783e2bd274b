#include "policy/report_words.h"

#include "base/buf.h"
#include "core/auth/auth.h"

#include <stdlib.h>

#define TEXT_MAX      1024
#define SAFE_DAYS     14 /* of reports before a stricter policy is advised */
#define FEW_PER_MILLE 1  /* failing mail of ours that does not stand in the way */

struct writer {
    report_line_fn fn;
    void *arg;
    struct buf text, fix;
    const struct report_summary *s;
};

const char *report_class_word(enum report_class c)
{
    static const char *const words[] = {"ok", "forwarded", "own", "changed", "service", "forged"};
    static_assert(ARRAY_LEN(words) == REPORT_CLASS__COUNT, "every class has a word");
    return words[(unsigned)c < REPORT_CLASS__COUNT ? c : REPORT_FORGED];
}

/* ---- gathering */

bool report_sources_init(struct report_sources *s, slice domain, struct arena *a)
{
    *s = (struct report_sources){
        .domain = domain, .arena = a, .at = ARENA_ARRAY(a, REPORT_SOURCES_MAX, struct report_source)};
    return s->at != NULL;
}

/* The same domain, or one below it. */
static bool is_ours(slice name, slice domain)
{
    return slice_eq(name, domain) ||
           (name.n > domain.n && slice_ends_nocase(name, domain) && name.p[name.n - domain.n - 1] == '.');
}

static struct report_source *source_for(struct report_sources *s, const struct ip *ip)
{
    if (s->n && ip_eq(&s->at[s->n - 1].ip, ip))
        return &s->at[s->n - 1];
    if (s->n == REPORT_SOURCES_MAX)
        return NULL;
    s->at[s->n].ip = *ip;
    return &s->at[s->n++];
}

/* What a row that failed proves of somebody else, and whether it was ours but changed on the way. */
static bool look_closer(struct report_sources *s, struct report_source *to,
                        const struct aggregate_record *row)
{
    slice other = {0};
    /* the receiver knew the way it came */
    bool broken = row->reason == AGGREGATE_REASON_MAILING_LIST || row->reason == AGGREGATE_REASON_FORWARDER ||
                  row->reason == AGGREGATE_REASON_FORWARDED;
    bool dkim = false;
    for (size_t i = 0; i < row->n_dkim; i++) {
        bool own = is_ours(row->dkim[i].domain, s->domain);
        broken = broken || (own && row->dkim[i].result != AUTH_PASS && row->dkim[i].result != AUTH_NONE);
        if (!own && row->dkim[i].result == AUTH_PASS && other.n == 0) {
            other = row->dkim[i].domain;
            dkim = true;
        }
    }
    if (other.n == 0 && row->spf == AUTH_PASS && !is_ours(row->spf_domain, s->domain))
        other = row->spf_domain;
    if (broken)
        to->own_broken += row->count;
    else if (other.n)
        to->others += row->count;
    if (other.n == 0 || (to->other.n && (to->other_is_dkim || !dkim)))
        return true;
    to->other_is_dkim = dkim;
    return arena_dup(s->arena, other, &to->other);
}

bool report_sources_add(struct report_sources *s, const struct aggregate_record *row, const struct ip *ours,
                        size_t n_ours)
{
    struct report_source *to = source_for(s, &row->source);
    bool believed = row->dkim_aligned || row->spf_aligned;
    s->messages += row->count;
    s->believed += believed ? row->count : 0;
    if (!to) {
        s->left_out += row->count;
        return true;
    }
    for (size_t i = 0; i < n_ours; i++)
        to->ours = to->ours || ip_eq(&ours[i], &row->source);
    to->messages += row->count;
    to->believed += believed ? row->count : 0;
    to->dkim_passed += row->dkim_aligned ? row->count : 0;
    to->spf_passed += row->spf_aligned ? row->count : 0;
    to->refused += row->disposition == AGGREGATE_REJECT ? row->count : 0;
    to->quarantined += row->disposition == AGGREGATE_QUARANTINE ? row->count : 0;
    return believed || look_closer(s, to, row);
}

static uint64_t failed(const struct report_source *s)
{
    return s->messages - s->believed;
}

enum report_class report_class_of(const struct report_source *s)
{
    if (failed(s) == 0)
        return s->spf_passed > 0 || s->ours ? REPORT_OK : REPORT_FORWARDED;
    if (s->ours)
        return REPORT_OWN;
    if (s->own_broken * 2 >= failed(s) || s->believed > failed(s))
        return REPORT_CHANGED;
    return s->others * 2 >= failed(s) ? REPORT_SERVICE : REPORT_FORGED;
}

static int compare(const void *a, const void *b)
{
    const struct report_source *x = a, *y = b;
    bool own = report_class_of(x) == REPORT_OWN, other = report_class_of(y) == REPORT_OWN;
    if (own != other)
        return own ? -1 : 1;
    if (failed(x) != failed(y))
        return failed(x) > failed(y) ? -1 : 1;
    if (x->messages != y->messages)
        return x->messages > y->messages ? -1 : 1;
    return memcmp(x->ip.b, y->ip.b, sizeof x->ip.b);
}

void report_sources_sort(struct report_sources *s)
{
    if (s->n)
        qsort(s->at, s->n, sizeof s->at[0], compare);
}

/* ---- saying. Buffers have room for what is bounded; a sentence that does not fit is cut. */

/* 12,310 */
static void number(struct buf *b, uint64_t n)
{
    char digits[32];
    size_t at = sizeof digits, count = 0;
    do {
        if (count && count % 3 == 0)
            digits[--at] = ',';
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
        count++;
    } while (n);
    buf_append(b, slice_of(digits + at, sizeof digits - at));
}

static void messages(struct buf *b, uint64_t n)
{
    number(b, n);
    buf_str(b, n == 1 ? " message" : " messages");
}

/* "98.2 %", never "100.0 %" when something failed, never "0.0 %" when something passed. */
static void percent(struct buf *b, uint64_t part, uint64_t whole)
{
    uint64_t mille = whole ? (uint64_t)((double)part * 1000.0 / (double)whole) : 1000;
    if (part < whole && mille > 999)
        mille = 999;
    if (part > 0 && mille == 0)
        mille = 1;
    buf_print(b, "%llu.%llu %%", (unsigned long long)(mille / 10), (unsigned long long)(mille % 10));
}

static void say(struct writer *w, const char *kind, enum report_class class,
                const struct report_source *source)
{
    struct report_line line = {
        .kind = kind, .class = class, .source = source, .text = buf_view(&w->text), .fix = buf_view(&w->fix)};
    w->fn(w->arg, &line);
    buf_clear(&w->text);
    buf_clear(&w->fix);
}

static void totals(struct writer *w)
{
    const struct report_summary *s = w->s;
    const struct report_sources *all = s->sources;
    if (s->n_orgs == 0) {
        buf_print(&w->text, "In the last %u days nobody reported on mail in the name of %.*s.", s->days,
                  SLICE_FMT(s->domain));
        buf_print(
            &w->fix,
            "Reports come when the DMARC record asks for them; posthorn dns %.*s shows the record, posthorn "
            "doctor whether it is there.",
            SLICE_FMT(s->domain));
        say(w, "total", REPORT_OK, NULL);
        return;
    }
    buf_print(&w->text, "In the last %u days %zu %s reported ", s->days, s->n_orgs,
              s->n_orgs == 1 ? "organisation" : "organisations");
    messages(&w->text, all->messages);
    buf_print(&w->text, " in the name of %.*s", SLICE_FMT(s->domain));
    if (all->messages == 0) {
        buf_str(&w->text, ".");
    } else if (all->believed == all->messages) {
        buf_str(&w->text, "; all of them were believed.");
    } else {
        buf_str(&w->text, "; ");
        percent(&w->text, all->believed, all->messages);
        buf_str(&w->text, " were believed.");
    }
    say(w, "total", REPORT_OK, NULL);
}

static void source_name(struct buf *b, const struct report_source *s)
{
    char ip[IP_TEXT];
    ip_print(&s->ip, ip);
    buf_str(b, ip_is_none(&s->ip) ? "A source that cannot be read" : "Source ");
    if (!ip_is_none(&s->ip))
        buf_str(b, ip);
    if (s->name.n)
        buf_print(b, " (%.*s)", SLICE_FMT(s->name));
}

/* What a receiver did with what failed. */
static void treated(struct buf *b, const struct report_source *s)
{
    if (s->refused == 0 && s->quarantined == 0)
        return;
    buf_str(b, "; ");
    if (s->refused) {
        number(b, s->refused);
        buf_str(b, " were refused");
    }
    if (s->refused && s->quarantined)
        buf_str(b, " and ");
    if (s->quarantined) {
        number(b, s->quarantined);
        buf_str(b, " filed as junk");
    }
}

static void say_own(struct writer *w, const struct report_source *s)
{
    buf_str(&w->text, "Your own server: ");
    source_name(&w->text, s);
    buf_str(&w->text, " sent ");
    messages(&w->text, s->messages);
    buf_str(&w->text, ", of which ");
    number(&w->text, failed(s));
    buf_str(&w->text, " failed both checks");
    treated(&w->text, s);
    buf_str(&w->text, ": something of yours is broken.");
    buf_str(
        &w->fix,
        "Run posthorn doctor: it compares the published SPF and DKIM records with what this server does.");
}

static void say_changed(struct writer *w, const struct report_source *s)
{
    source_name(&w->text, s);
    buf_str(&w->text, " passed on ");
    messages(&w->text, s->messages);
    buf_str(&w->text, " of yours; ");
    number(&w->text, failed(s));
    buf_str(&w->text, " arrived with your signature broken");
    treated(&w->text, s);
    buf_str(&w->text, ": a mailing list or a forwarder that changes mail.");
    buf_str(&w->fix,
            "Nothing to mend here; lists of today put their own address into From, and receivers that know "
            "the list accept it by ARC.");
}

static void say_service(struct writer *w, const struct report_source *s)
{
    const struct report_summary *sum = w->s;
    source_name(&w->text, s);
    buf_str(&w->text, " sent ");
    messages(&w->text, failed(s));
    buf_str(&w->text, " in your name that failed both checks; ");
    if (s->other_is_dkim)
        buf_print(&w->text, "it signs as %.*s, not as you", SLICE_FMT(s->other));
    else
        buf_print(&w->text, "its SPF domain is %.*s, and it signs with no key", SLICE_FMT(s->other));
    treated(&w->text, s);
    buf_str(&w->text, ": probably a service you use (a shop, a newsletter, an invoice program).");
    buf_print(&w->fix, "If it is yours: let it sign as %.*s (it gives you a DKIM record to publish)",
              SLICE_FMT(sum->domain));
    if (!s->other_is_dkim)
        buf_print(&w->fix,
                  ", or allow it with posthorn domain set %.*s spf-include NAME, where NAME is the SPF name "
                  "it tells "
                  "you, and let it use %.*s as the sender's domain",
                  SLICE_FMT(sum->domain), SLICE_FMT(sum->domain));
    buf_str(&w->fix, sum->policy == 2 ? ". If it is not, it is refused already."
                                      : ". If it is not: with the policy reject it would be refused.");
}

static void say_forged(struct writer *w, const struct report_source *s)
{
    source_name(&w->text, s);
    buf_str(&w->text, " sent ");
    messages(&w->text, failed(s));
    buf_str(&w->text, " in your name and proves nothing: no SPF, no signature");
    treated(&w->text, s);
    buf_str(&w->text, ". Nobody you know, as far as this can tell.");
    buf_str(
        &w->fix,
        w->s->policy == 2
            ? "Receivers that follow your policy refuse it."
            : "With the policy reject receivers would refuse it; if it is a machine of yours, let it send "
              "through this server.");
}

static void say_source(struct writer *w, const struct report_source *s)
{
    enum report_class class = report_class_of(s);
    if (class == REPORT_OWN)
        say_own(w, s);
    else if (class == REPORT_CHANGED)
        say_changed(w, s);
    else if (class == REPORT_SERVICE)
        say_service(w, s);
    else
        say_forged(w, s);
    say(w, "source", class, s);
}

static void sources(struct writer *w)
{
    const struct report_sources *all = w->s->sources;
    size_t told = 0, forged = 0, rest = 0, forwarders = 0;
    uint64_t rest_messages = 0, forwarded = 0;
    for (size_t i = 0; i < all->n; i++) {
        const struct report_source *s = &all->at[i];
        if (report_class_of(s) == REPORT_FORWARDED) {
            forwarders++;
            forwarded += s->messages;
        }
        if (failed(s) == 0)
            continue;
        forged += report_class_of(s) == REPORT_FORGED;
        if (told < REPORT_TOLD_MAX && (report_class_of(s) != REPORT_FORGED || forged <= REPORT_FORGED_MAX)) {
            told++;
            say_source(w, s);
            continue;
        }
        rest++;
        rest_messages += failed(s);
    }
    if (rest || all->left_out) {
        buf_print(&w->text, "%zu further sources sent ", rest);
        messages(&w->text, rest_messages + all->left_out);
        buf_str(&w->text, " that were not believed; --table shows the sources.");
        say(w, "total", REPORT_FORGED, NULL);
    }
    if (forwarded) {
        messages(&w->text, forwarded);
        buf_print(&w->text,
                  " came by %zu %s SPF does not name, but with your signature intact: forwarded mail, and "
                  "believed.",
                  forwarders, forwarders == 1 ? "source that" : "sources that");
        say(w, "total", REPORT_FORWARDED, NULL);
    }
}

/* ---- is it time for a stricter policy? */

static void advice(struct writer *w)
{
    const struct report_summary *s = w->s;
    static const char *const words[] = {"none", "quarantine", "reject"};
    uint64_t unsolved = 0;
    if (!s->watched || s->policy >= 2 || s->watched->messages == 0)
        return;
    for (size_t i = 0; i < s->watched->n; i++) {
        const struct report_source *one = &s->watched->at[i];
        enum report_class class = report_class_of(one);
        if (class == REPORT_OWN || class == REPORT_SERVICE)
            unsolved += failed(one);
    }
    if (s->watched_days < SAFE_DAYS) {
        buf_print(&w->text,
                  "Your policy is %s. There are reports of %u %s so far; wait until there are %d before you "
                  "make it "
                  "stricter.",
                  words[s->policy], s->watched_days, s->watched_days == 1 ? "day" : "days", SAFE_DAYS);
    } else if (unsolved * 1000 > s->watched->messages * FEW_PER_MILLE) {
        buf_print(&w->text, "Your policy is %s. Before it can be stricter, look after the ",
                  words[s->policy]);
        messages(&w->text, unsolved);
        buf_print(&w->text,
                  " of the last %u days that come from this server or from what may be services of yours.",
                  s->watched_days);
    } else {
        buf_print(
            &w->text,
            "Your policy is %s. For %u days nothing that looks like yours has failed: it is safe to make it "
            "stricter.",
            words[s->policy], s->watched_days);
        buf_print(&w->fix,
                  "posthorn domain set %.*s dmarc %s, then publish the record that posthorn dns %.*s shows.",
                  SLICE_FMT(s->domain), words[s->policy + 1], SLICE_FMT(s->domain));
    }
    say(w, "advice", REPORT_OK, NULL);
}

/* ---- TLS and single failures */

static void tls(struct writer *w)
{
    const struct report_summary *s = w->s;
    for (size_t i = 0; i < s->n_tls; i++) {
        const struct report_words_tls *t = &s->tls[i];
        if (t->result.n == 0) {
            uint64_t good = t->good, bad = t->failed;
            while (i + 1 < s->n_tls && s->tls[i + 1].result.n == 0 && slice_eq(s->tls[i + 1].org, t->org)) {
                good += s->tls[++i].good;
                bad += s->tls[i].failed;
            }
            buf_print(&w->text, "%.*s reported that ", SLICE_FMT(t->org.n ? t->org : SLICE("Somebody")));
            number(&w->text, bad);
            buf_str(&w->text, " of ");
            number(&w->text, good + bad);
            buf_str(&w->text, good + bad == 1 ? " TLS session failed" : " TLS sessions failed");
        } else {
            buf_print(&w->text, "%.*s reported that ", SLICE_FMT(t->org.n ? t->org : SLICE("Somebody")));
            number(&w->text, t->count);
            buf_print(&w->text, t->count == 1 ? " TLS session failed: %.*s" : " TLS sessions failed: %.*s",
                      SLICE_FMT(t->result));
            if (t->mx.n)
                buf_print(&w->text, " at %.*s", SLICE_FMT(t->mx));
            buf_str(&w->fix, "posthorn doctor looks at the certificates and policies from outside.");
        }
        buf_str(&w->text, ".");
        say(w, "tls", REPORT_OK, NULL);
    }
}

static void failures(struct writer *w)
{
    const struct report_summary *s = w->s;
    for (size_t i = 0; i < size_min(s->n_failures, REPORT_TOLD_MAX); i++) {
        const struct report_words_failure *f = &s->failures[i];
        char ip[IP_TEXT];
        ip_print(&f->source, ip);
        number(&w->text, f->incidents);
        buf_print(&w->text, " %s told by failure reports: mail from %s failed %.*s.",
                  f->incidents == 1 ? "message was" : "messages were",
                  ip_is_none(&f->source) ? "an unknown source" : ip,
                  SLICE_FMT(f->failure.n ? f->failure : SLICE("the checks")));
        say(w, "failure", REPORT_FORGED, NULL);
    }
}

void report_words(const struct report_summary *s, report_line_fn fn, void *arg)
{
    struct writer w = {.fn = fn, .arg = arg, .s = s};
    buf_init(&w.text, TEXT_MAX);
    buf_init(&w.fix, TEXT_MAX);
    totals(&w);
    if (s->n_orgs) {
        sources(&w);
        advice(&w);
    }
    tls(&w);
    failures(&w);
    buf_done(&w.text);
    buf_done(&w.fix);
}
