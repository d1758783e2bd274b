#include "policy/report_words.h"

#include "base/buf.h"
#include "base/time.h"
#include "core/auth/auth.h"
#include "text/date.h"

#define TEXT_MAX      1024
#define SAFE_DAYS     14 /* of reports before a stricter policy is advised */
#define FEW_PER_MILLE 1  /* failing mail of ours that does not stand in the way */

struct writer {
    report_line_fn fn;
    void *arg;
    struct buf text, fix;
    const struct report_summary *s;
};

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

static void say(struct writer *w, const char *kind, enum report_class class, const struct report_group *group)
{
    struct report_line line = {
        .kind = kind, .class = class, .group = group, .text = buf_view(&w->text), .fix = buf_view(&w->fix)};
    w->fn(w->arg, &line);
    buf_clear(&w->text);
    buf_clear(&w->fix);
}

static void nobody(struct writer *w)
{
    const struct report_summary *s = w->s;
    buf_print(&w->text, "In the last %u days nobody reported on mail in the name of %.*s.", s->days,
              SLICE_FMT(s->domain));
    buf_print(&w->fix,
              "The first reports come one to two days after the DMARC record asks for them, and only from "
              "receivers that got mail of yours. posthorn dns %.*s shows the record, posthorn doctor whether "
              "it is there; then wait.",
              SLICE_FMT(s->domain));
    say(w, "total", REPORT_OK, NULL);
}

static void totals(struct writer *w)
{
    const struct report_summary *s = w->s;
    const struct report_sources *all = s->sources;
    if (s->n_orgs == 0) {
        nobody(w);
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
    if (all->twice) {
        buf_str(&w->text, " ");
        messages(&w->text, all->twice);
        buf_str(&w->text, " were reported twice by the same organisation, and count once.");
    }
    if (s->cut)
        buf_str(&w->text, " There is more than is read for one answer: the oldest reports are not in it.");
    say(w, "total", REPORT_OK, NULL);
}

static void unproven(struct writer *w)
{
    const struct report_summary *s = w->s;
    if (s->unproven_reports == 0)
        return;
    number(&w->text, s->unproven_reports);
    buf_str(&w->text, s->unproven_reports == 1 ? " report on " : " reports on ");
    messages(&w->text, s->unproven_messages);
    buf_print(&w->text, "%s not counted: not proven to come from %.*s",
              s->unproven_reports == 1 ? " is" : " are",
              SLICE_FMT(s->unproven_org.n ? s->unproven_org : SLICE("anybody")));
    if (s->n_unproven_orgs > 1)
        buf_print(&w->text, " and %zu more", s->n_unproven_orgs - 1);
    buf_str(&w->text,
            ", because the mail that brought it did not pass DMARC. Anybody can write such a report.");
    buf_print(&w->fix, "Nothing to do. posthorn reports %.*s --table shows who they claim to be from.",
              SLICE_FMT(s->domain));
    say(w, "unproven", REPORT_FORGED, NULL);
}

/* ---- groups of sources */

static void group_name(struct buf *b, const struct report_group *g)
{
    char ip[IP_TEXT];
    ip_print(&g->top->ip, ip);
    if (ip_is_none(&g->top->ip)) {
        buf_str(b, "A source that cannot be read");
        return;
    }
    if (g->n > 1)
        buf_print(b, "%zu sources, first %s", g->n, ip);
    else
        buf_print(b, "Source %s", ip);
    if (g->top->name.n)
        buf_print(b, " (%.*s)", SLICE_FMT(g->top->name));
}

/* What receivers did with what failed. */
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

static void date(struct buf *b, time_ms at)
{
    int64_t year;
    unsigned month, day;
    date_civil(at / MS_DAY, &year, &month, &day);
    buf_print(b, "%04lld-%02u-%02u", (long long)year, month, day);
}

/* "since 2026-11-21": all was well before. */
static void since(struct buf *b, const struct report_source *s)
{
    if (s->first == 0)
        return;
    if (s->good && s->good <= s->first + MS_HOUR)
        buf_str(b, ", since ");
    else
        buf_str(b, ", in reports from ");
    date(b, s->first);
    if (s->good && s->good <= s->first + MS_HOUR)
        buf_str(b, "; before that all was well");
    else
        buf_str(b, " on");
}

static void say_own(struct writer *w, const struct report_group *g)
{
    const struct report_source *s = &g->sum;
    uint64_t failed = report_source_failed(s);
    bool dkim = s->bad_dkim > 0;
    buf_str(&w->text, "Your own server: ");
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    messages(&w->text, s->messages);
    buf_str(&w->text, ", of which ");
    number(&w->text, failed ? failed : s->bad_dkim);
    buf_str(&w->text, failed ? " failed both checks" : " had a DKIM signature that did not verify");
    since(&w->text, s);
    treated(&w->text, s);
    buf_str(&w->text, failed ? ": something of yours is broken."
                             : ". SPF still carries it, but what is forwarded will fail.");
    buf_print(
        &w->fix,
        "Today: run posthorn doctor %.*s; it compares the published SPF and DKIM records with what this "
        "server does.",
        SLICE_FMT(w->s->domain));
    buf_print(&w->fix,
              dkim ? " A signature that does not verify is mostly a DKIM record that is missing, old or cut: "
                     "posthorn dns %.*s shows it as it should be."
                   : " posthorn dns %.*s shows the records as they should be.",
              SLICE_FMT(w->s->domain));
}

static void say_changed(struct writer *w, const struct report_group *g)
{
    group_name(&w->text, g);
    buf_str(&w->text, " passed on ");
    messages(&w->text, g->sum.messages);
    buf_str(&w->text, " of yours; ");
    number(&w->text, report_source_failed(&g->sum));
    buf_str(&w->text, " arrived with your signature broken");
    treated(&w->text, &g->sum);
    buf_str(&w->text, ": a mailing list or a forwarder that changes mail.");
    buf_str(&w->fix,
            "Nothing to mend here; lists of today put their own address into From, and receivers that "
            "know the list accept it by ARC.");
    if (g->sum.refused)
        buf_str(&w->fix, " Mail of your users to that list is refused for some: tell the list's "
                         "administrator that it has to rewrite From.");
}

static void say_service(struct writer *w, const struct report_group *g)
{
    const struct report_summary *sum = w->s;
    const struct report_source *top = g->top;
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    messages(&w->text, report_source_failed(&g->sum));
    buf_str(&w->text, " in your name that failed both checks; ");
    if (top->other_is_dkim)
        buf_print(&w->text, "it signs as %.*s, not as you", SLICE_FMT(top->other));
    else
        buf_print(&w->text, "its SPF domain is %.*s, and it signs with no key", SLICE_FMT(top->other));
    treated(&w->text, &g->sum);
    buf_str(&w->text, ": probably a service you use (a shop, a newsletter, an invoice program).");
    buf_print(&w->fix,
              "Ask in your house who uses %.*s. If it is yours: switch on \"own domain\" or \"DKIM\" for "
              "%.*s in its settings; it gives you a DKIM record to publish",
              SLICE_FMT(top->other), SLICE_FMT(sum->domain));
    if (!top->other_is_dkim)
        buf_print(&w->fix,
                  ". If it cannot sign: allow it with posthorn domain set %.*s spf-include NAME, where NAME "
                  "is the SPF name it tells you, and let it use %.*s as the sender's domain",
                  SLICE_FMT(sum->domain), SLICE_FMT(sum->domain));
    buf_str(&w->fix, sum->policy == 2 ? ". If it is not, it is refused already."
                                      : ". If it is not: with the policy reject it would be refused.");
}

static void forged_fix(struct writer *w)
{
    buf_str(&w->fix,
            w->s->policy == 2
                ? "Receivers that follow your policy refuse it; nothing to do."
                : "With the policy reject receivers would refuse it; the advice below says when it is "
                  "time. If it is a machine of yours, let it send through this server.");
}

static void say_forged(struct writer *w, const struct report_group *g)
{
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    messages(&w->text, report_source_failed(&g->sum));
    buf_str(&w->text, g->n == 1 ? " in your name and proves nothing: no SPF, no signature"
                                : " in your name and prove nothing: no SPF, no signature");
    treated(&w->text, &g->sum);
    buf_str(&w->text, ". Nobody you know, as far as this can tell.");
    forged_fix(w);
}

static void say_group(struct writer *w, const struct report_group *g)
{
    static void (*const sayers[REPORT_CLASS__COUNT])(struct writer *, const struct report_group *) = {
        [REPORT_OWN] = say_own,
        [REPORT_CHANGED] = say_changed,
        [REPORT_SERVICE] = say_service,
        [REPORT_FORGED] = say_forged,
    };
    sayers[g->class](w, g);
    say(w, "source", g->class, g);
}

/* Many groups of forgers: one sentence, with the largest three. */
static void say_wave(struct writer *w, const struct report_group *groups, size_t n)
{
    struct report_source sum = {0};
    size_t sources = 0, named = 0;
    uint64_t failed = 0;
    const struct report_group *top = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct report_group *g = &groups[i];
        if (g->class != REPORT_FORGED)
            continue;
        top = top ? top : g;
        sources += g->n;
        failed += report_source_failed(&g->sum);
        sum.refused += g->sum.refused;
        sum.quarantined += g->sum.quarantined;
    }
    number(&w->text, sources);
    buf_str(&w->text, " sources sent ");
    messages(&w->text, failed + w->s->sources->left_out);
    buf_str(&w->text, " in your name and prove nothing: no SPF, no signature");
    treated(&w->text, &sum);
    buf_str(&w->text, ". Somebody forges your address. The largest are ");
    for (size_t i = 0; i < n && named < REPORT_FORGED_MAX; i++) {
        char ip[IP_TEXT];
        if (groups[i].class != REPORT_FORGED)
            continue;
        ip_print(&groups[i].top->ip, ip);
        buf_print(&w->text, "%s%s", named ? ", " : "",
                  ip_is_none(&groups[i].top->ip) ? "one that cannot be read" : ip);
        if (groups[i].top->name.n)
            buf_print(&w->text, " (%.*s)", SLICE_FMT(groups[i].top->name));
        buf_str(&w->text, " with ");
        number(&w->text, report_source_failed(&groups[i].sum));
        named++;
    }
    buf_str(&w->text, "; --table shows more.");
    forged_fix(w);
    say(w, "source", REPORT_FORGED, top);
}

static void forwarded(struct writer *w)
{
    const struct report_sources *all = w->s->sources;
    size_t n = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < all->n; i++)
        if (report_class_of(&all->at[i]) == REPORT_FORWARDED) {
            n++;
            count += all->at[i].messages;
        }
    if (count == 0)
        return;
    messages(&w->text, count);
    buf_print(
        &w->text,
        " came by %zu %s SPF does not name, but with your signature intact: forwarded mail, and believed.", n,
        n == 1 ? "source that" : "sources that");
    say(w, "total", REPORT_FORWARDED, NULL);
}

static bool sources(struct writer *w)
{
    const struct report_sources *all = w->s->sources;
    const struct report_group *groups;
    size_t n, told = 0, forgers = 0, rest = 0;
    uint64_t rest_messages = 0;
    bool wave;
    if (!report_sources_group(all, &groups, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        forgers += groups[i].class == REPORT_FORGED;
    wave = forgers > REPORT_FORGED_MAX;
    for (size_t i = 0; i < n; i++) {
        if (wave && groups[i].class == REPORT_FORGED)
            continue;
        if (told++ < REPORT_TOLD_MAX) {
            say_group(w, &groups[i]);
            continue;
        }
        rest += groups[i].n;
        rest_messages += report_source_failed(&groups[i].sum);
    }
    if (wave)
        say_wave(w, groups, n);
    else
        rest_messages += all->left_out;
    if (rest || (!wave && all->left_out)) {
        buf_print(&w->text, "%zu further sources sent ", rest);
        messages(&w->text, rest_messages);
        buf_str(&w->text, " that were not believed; --table shows the sources.");
        say(w, "total", REPORT_FORGED, NULL);
    }
    forwarded(w);
    return true;
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
            unsolved += report_source_failed(one);
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

/* What to do about a kind of failure, RFC 8460 §4.3. */
static const char *tls_fix(slice result)
{
    static const struct {
        const char *result, *fix;
    } fixes[] = {
        {"certificate-host-mismatch", "The certificate does not carry that name: let it be issued for every "
                                      "name your MX records have; posthorn doctor shows which it carries."},
        {"certificate-expired", "Renew the certificate today; posthorn doctor shows its dates."},
        {"certificate-not-trusted", "The certificate is not signed by an authority senders know, or the one "
                                    "between is not sent along; posthorn doctor shows the chain."},
        {"starttls-not-supported", "STARTTLS was not offered: run posthorn doctor; if it finds it, something "
                                   "between (a firewall that reads SMTP) takes it away."},
        {"tlsa-invalid", "The TLSA records do not fit the certificate: posthorn doctor compares them."},
        {"dnssec-invalid",
         "DNSSEC of the domain or of the MX name does not verify: posthorn doctor says where."},
        {"dane-required",
         "The sender insists on DANE, and found no TLSA records it can trust: posthorn doctor "
         "looks at them."},
        {"sts-policy-fetch-error", "The MTA-STS policy could not be fetched: posthorn doctor fetches it."},
        {"sts-policy-invalid", "The MTA-STS policy cannot be read: posthorn doctor says why."},
        {"sts-webpki-invalid",
         "The web server of mta-sts has a certificate that is not valid for it: posthorn "
         "doctor looks at it."},
    };
    for (size_t i = 0; i < ARRAY_LEN(fixes); i++)
        if (slice_eq(result, slice_str(fixes[i].result)))
            return fixes[i].fix;
    return "posthorn doctor looks at the certificates and policies from outside.";
}

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
            buf_print(&w->fix, "%s", tls_fix(t->result));
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

bool report_words(const struct report_summary *s, report_line_fn fn, void *arg)
{
    struct writer w = {.fn = fn, .arg = arg, .s = s};
    bool fine = true;
    buf_init(&w.text, TEXT_MAX);
    buf_init(&w.fix, TEXT_MAX);
    totals(&w);
    if (s->n_orgs) {
        fine = sources(&w);
        advice(&w);
    }
    unproven(&w);
    tls(&w);
    failures(&w);
    buf_done(&w.text);
    buf_done(&w.fix);
    return fine;
}
