#include "policy/report_words.h"

#include "base/buf.h"
#include "base/time.h"
#include "core/auth/auth.h"
#include "text/date.h"

#define TEXT_MAX      2048
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

static void counted(struct buf *b, uint64_t n, const char *one, const char *many)
{
    number(b, n);
    buf_print(b, " %s", n == 1 ? one : many);
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

/* What was written, as a line like this one. */
static void say_line(struct writer *w, struct report_line line)
{
    line.text = buf_view(&w->text);
    line.fix = buf_view(&w->fix);
    w->fn(w->arg, &line);
    buf_clear(&w->text);
    buf_clear(&w->fix);
}

static void say(struct writer *w, const char *kind, enum report_class class, const struct report_group *group)
{
    say_line(w, (struct report_line){.kind = kind, .class = class, .group = group});
}

static void since_when(struct writer *w)
{
    if (w->s->days == 1)
        buf_str(&w->text, "In the last day");
    else
        buf_print(&w->text, "In the last %u days", w->s->days);
}

static void nobody(struct writer *w)
{
    const struct report_summary *s = w->s;
    since_when(w);
    buf_print(&w->text, " nobody reported on mail in the name of %.*s.", SLICE_FMT(s->domain));
    buf_print(&w->fix,
              "The first reports come one to two days after the DMARC record asks for them, and only from "
              "receivers that got mail of yours. posthorn dns %.*s shows the record, posthorn doctor whether "
              "it is there; then wait.",
              SLICE_FMT(s->domain));
    say_line(w, (struct report_line){.kind = "total", .sum = s});
}

static void totals(struct writer *w)
{
    const struct report_summary *s = w->s;
    const struct report_sources *all = s->sources;
    if (s->n_orgs == 0) {
        nobody(w);
        return;
    }
    since_when(w);
    buf_byte(&w->text, ' ');
    counted(&w->text, s->n_orgs, "organisation", "organisations");
    buf_str(&w->text, " reported ");
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
        buf_byte(&w->text, ' ');
        messages(&w->text, all->twice);
        buf_str(&w->text, all->twice == 1 ? " was" : " were");
        buf_str(&w->text, " reported twice by the same organisation, and count once.");
    }
    if (s->n_orgs == 1 && s->org.n)
        buf_print(&w->text, " It was %.*s: what other receivers saw is not known.", SLICE_FMT(s->org));
    if (s->cut)
        buf_str(&w->text, " There is more than is read for one answer: the oldest reports are not in it.");
    say_line(w, (struct report_line){.kind = "total", .sum = s});
}

static void unproven(struct writer *w)
{
    const struct report_summary *s = w->s;
    if (s->unproven_reports == 0)
        return;
    counted(&w->text, s->unproven_reports, "report on ", "reports on ");
    messages(&w->text, s->unproven_messages);
    buf_print(&w->text, "%s not counted: not proven to come from %.*s",
              s->unproven_reports == 1 ? " is" : " are",
              SLICE_FMT(s->unproven_org.n ? s->unproven_org : SLICE("anybody")));
    if (s->n_unproven_orgs > 1) {
        buf_str(&w->text, " and ");
        number(&w->text, s->n_unproven_orgs - 1);
        buf_str(&w->text, " more");
    }
    buf_print(&w->text,
              ", because the mail that brought %s did not pass DMARC. Anybody can write such a report.",
              s->unproven_reports == 1 ? "it" : "them");
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
    if (g->n > 1) {
        counted(b, g->n, "source", "sources");
        buf_print(b, ", first %s", ip);
    } else {
        buf_print(b, "Source %s", ip);
    }
    if (g->top->name.n)
        buf_print(b, " (%.*s)", SLICE_FMT(g->top->name));
}

/* What receivers did with what failed; and who says so, when it is one of several. */
static void treated(struct writer *w, const struct report_source *s)
{
    struct buf *b = &w->text;
    if (s->refused || s->quarantined)
        buf_str(b, "; ");
    if (s->refused)
        counted(b, s->refused, "was refused", "were refused");
    if (s->refused && s->quarantined)
        buf_str(b, " and ");
    if (s->quarantined)
        counted(b, s->quarantined, "filed as junk", "filed as junk");
    if (w->s->n_orgs > 1 && s->org.n)
        buf_print(b, "; only %.*s says so", SLICE_FMT(s->org));
}

/* In whose name? */
static slice sender(const struct writer *w, const struct report_group *g)
{
    return g->sum.as.n ? g->sum.as : w->s->domain;
}

static void in_whose_name(struct writer *w, const struct report_group *g)
{
    if (slice_eq_nocase(sender(w, g), w->s->domain))
        buf_str(&w->text, " in your name");
    else
        buf_print(&w->text, " in the name of %.*s", SLICE_FMT(sender(w, g)));
}

/* Where a source is that lies near: "it is the address of www.example.org". */
static void whereabouts(struct buf *b, const struct report_source *s)
{
    if (s->near == REPORT_AT_NAME)
        buf_print(b, "it has the address of %.*s", SLICE_FMT(s->near_name));
    else if (s->near_name.n)
        buf_print(b, "it is in the network of %.*s", SLICE_FMT(s->near_name));
    else
        buf_str(b, "it is in the network of this server");
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
    treated(w, s);
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

/* Mostly believed, and what is not has no signature of ours. */
static void say_mixed(struct writer *w, const struct report_group *g)
{
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    messages(&w->text, g->sum.messages);
    in_whose_name(w, g);
    buf_str(&w->text, ", and most are believed; ");
    number(&w->text, report_source_failed(&g->sum));
    buf_str(&w->text, " failed both checks");
    treated(w, &g->sum);
    buf_str(&w->text, ": a service of yours that does not sign all it sends, or one that others use, too.");
    buf_print(
        &w->fix,
        "If it is a service of yours: look in its settings for mail that it sends without the DKIM key of "
        "%.*s. Else there is nothing to do.",
        SLICE_FMT(sender(w, g)));
}

static void say_changed(struct writer *w, const struct report_group *g)
{
    if (g->sum.own_broken * 2 < report_source_failed(&g->sum)) {
        say_mixed(w, g);
        return;
    }
    group_name(&w->text, g);
    buf_str(&w->text, " passed on ");
    messages(&w->text, g->sum.messages);
    buf_str(&w->text, " of yours; ");
    number(&w->text, report_source_failed(&g->sum));
    buf_str(&w->text, " arrived with your signature broken");
    treated(w, &g->sum);
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
    in_whose_name(w, g);
    buf_str(&w->text, " that failed both checks; ");
    if (top->near != REPORT_FAR) {
        whereabouts(&w->text, top);
        buf_str(&w->text, ", ");
    }
    if (top->other_is_dkim)
        buf_print(&w->text, "it signs as %.*s, not as you", SLICE_FMT(top->other));
    else
        buf_print(&w->text, "its SPF domain is %.*s, and it signs with no key", SLICE_FMT(top->other));
    treated(w, &g->sum);
    buf_str(&w->text, ": probably a service you use (a shop, a newsletter, an invoice program).");
    buf_print(&w->fix,
              "Ask in your house who uses %.*s. If it is yours: switch on \"own domain\" or \"DKIM\" for "
              "%.*s in its settings; it gives you a DKIM record to publish",
              SLICE_FMT(top->other), SLICE_FMT(sender(w, g)));
    if (!top->other_is_dkim)
        buf_print(
            &w->fix,
            ". If it cannot sign: allow it with posthorn domain set %.*s spf-include NAME, where NAME "
            "is the SPF name it tells you, publish the record that posthorn dns %.*s shows then, and let "
            "it use %.*s as the sender's domain",
            SLICE_FMT(sum->domain), SLICE_FMT(sum->domain), SLICE_FMT(sum->domain));
    buf_str(&w->fix, sum->policy == 2 ? ". If it is not, it is refused already."
                                      : ". If it is not: with the policy reject it would be refused.");
}

/* A machine near that proves nothing: mostly the web shop. */
static void say_near(struct writer *w, const struct report_group *g)
{
    const struct report_summary *s = w->s;
    char ip[IP_TEXT];
    ip_print(&g->top->ip, ip);
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    messages(&w->text, report_source_failed(&g->sum));
    in_whose_name(w, g);
    buf_str(&w->text, " that failed both checks; ");
    whereabouts(&w->text, g->top);
    buf_str(&w->text, " and signs with no key");
    treated(w, &g->sum);
    buf_str(&w->text, g->top->near == REPORT_AT_NAME ? ": probably your web site or web shop."
                                                     : ": probably a machine of yours, such as a web shop.");
    buf_print(&w->fix,
              "If it is yours, let it send through this server, which signs: posthorn account add shop@%.*s "
              "--random, and in its settings SMTP with that name and password, server %.*s, port 465 (TLS). ",
              SLICE_FMT(s->domain), SLICE_FMT(s->hostname.n ? s->hostname : SLICE("this one")));
    buf_print(
        &w->fix,
        "If it cannot: publish shop-spf.%.*s. TXT \"v=spf1 ip%c:%s -all\", run posthorn domain set %.*s "
        "spf-include shop-spf.%.*s, publish the record that posthorn dns %.*s shows then, and let it use "
        "an address of %.*s as the sender. ",
        SLICE_FMT(s->domain), ip_is_v4(&g->top->ip) ? '4' : '6', ip, SLICE_FMT(s->domain),
        SLICE_FMT(s->domain), SLICE_FMT(s->domain), SLICE_FMT(s->domain));
    buf_str(&w->fix, s->policy == 2 ? "If it is not, it is refused already."
                                    : "If it is not: with the policy reject it would be refused.");
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
    in_whose_name(w, g);
    buf_str(&w->text, g->n == 1 ? " and proves nothing: no SPF, no signature"
                                : " and prove nothing: no SPF, no signature");
    treated(w, &g->sum);
    buf_str(&w->text, ". Nobody you know, as far as this can tell.");
    forged_fix(w);
}

static void say_group(struct writer *w, const struct report_group *g)
{
    static void (*const sayers[REPORT_CLASS__COUNT])(struct writer *, const struct report_group *) = {
        [REPORT_OWN] = say_own,   [REPORT_CHANGED] = say_changed, [REPORT_SERVICE] = say_service,
        [REPORT_NEAR] = say_near, [REPORT_FORGED] = say_forged,
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
    treated(w, &sum);
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
    buf_str(&w->text, " came by ");
    counted(&w->text, n, "source", "sources");
    buf_str(&w->text,
            " that SPF does not name, but with your signature intact: forwarded mail, or a service that "
            "signs as you. All of it was believed; nothing to do.");
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
        if (rest)
            counted(&w->text, rest, "further source", "further sources");
        else
            buf_str(&w->text, "Further sources");
        buf_str(&w->text, " sent ");
        messages(&w->text, rest_messages);
        buf_str(&w->text, rest_messages == 1 ? " that was not believed" : " that were not believed");
        buf_str(&w->text, "; --table shows the sources.");
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
        if (class == REPORT_OWN || class == REPORT_SERVICE || class == REPORT_NEAR)
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
    say_line(w, (struct report_line){.kind = "advice", .sum = s});
}

/* ---- TLS and single failures */

/* The kinds of failure of RFC 8460 §4.3: why, and what to do about it. */
static const struct tls_kind {
    slice result, why, fix;
} tls_kinds[] = {
    {SLICE_INIT("starttls-not-supported"), SLICE_INIT("STARTTLS was not offered"),
     SLICE_INIT(
         "Run posthorn doctor; if it finds STARTTLS, something between (a firewall that reads SMTP) takes "
         "it away.")},
    {SLICE_INIT("certificate-host-mismatch"), SLICE_INIT("the certificate does not carry the server's name"),
     SLICE_INIT(
         "Let it be issued for every name your MX records have; posthorn doctor shows which it carries.")},
    {SLICE_INIT("certificate-expired"), SLICE_INIT("the certificate has expired"),
     SLICE_INIT("Renew the certificate today; posthorn doctor shows its dates.")},
    {SLICE_INIT("certificate-not-trusted"),
     SLICE_INIT("the certificate is not signed by anybody the sender trusts"),
     SLICE_INIT("Its authority is not one that senders know, or the one between is not sent along; posthorn "
                "doctor shows the chain.")},
    {SLICE_INIT("validation-failure"),
     SLICE_INIT("the certificate could not be checked, for a reason that is not told"),
     SLICE_INIT("posthorn doctor looks at the certificate as senders see it.")},
    {SLICE_INIT("tlsa-invalid"),
     SLICE_INIT("the TLSA records do not fit the certificate, or none can be used"),
     SLICE_INIT("posthorn doctor compares them; posthorn dns shows the records as they should be.")},
    {SLICE_INIT("dnssec-invalid"), SLICE_INIT("DNSSEC of the domain or of the server's name does not verify"),
     SLICE_INIT("posthorn doctor says where; nobody who checks DNSSEC can deliver until it is mended.")},
    {SLICE_INIT("dane-required"),
     SLICE_INIT("the sender insists on DANE, and found no TLSA records it can trust"),
     SLICE_INIT("posthorn doctor looks at them; posthorn dns shows the records as they should be.")},
    {SLICE_INIT("sts-policy-fetch-error"), SLICE_INIT("the MTA-STS policy could not be fetched"),
     SLICE_INIT("The DNS says there is one: posthorn doctor fetches it as senders do.")},
    {SLICE_INIT("sts-policy-invalid"), SLICE_INIT("the MTA-STS policy cannot be read"),
     SLICE_INIT("posthorn doctor says why.")},
    {SLICE_INIT("sts-webpki-invalid"),
     SLICE_INIT("the web server that has the MTA-STS policy has a certificate that is not valid for it"),
     SLICE_INIT("posthorn doctor looks at it; its name is mta-sts and your domain.")},
};
static const struct tls_kind tls_unknown = {
    {0},
    SLICE_INIT("of something this server does not know"),
    SLICE_INIT("posthorn doctor looks at certificates and policies from "
               "outside.")};

static const struct tls_kind *tls_kind(slice result)
{
    for (size_t i = 0; i < ARRAY_LEN(tls_kinds); i++)
        if (slice_eq_nocase(result, tls_kinds[i].result))
            return &tls_kinds[i];
    return &tls_unknown;
}

static void tls_failure(struct writer *w, const struct report_words_tls *t)
{
    const struct tls_kind *kind = tls_kind(t->result);
    counted(&w->text, t->count, "TLS session failed", "TLS sessions failed");
    if (t->mx.n)
        buf_print(&w->text, " at %.*s", SLICE_FMT(t->mx));
    buf_print(&w->text, " because %.*s (%.*s)", SLICE_FMT(kind->why), SLICE_FMT(t->result));
    if (t->reason.n)
        buf_print(&w->text, "; the sender adds: %.*s", SLICE_FMT(t->reason));
    buf_append(&w->fix, kind->fix);
}

static void tls(struct writer *w)
{
    const struct report_summary *s = w->s;
    for (size_t i = 0; i < s->n_tls; i++) {
        struct report_words_tls t = s->tls[i];
        while (t.result.n == 0 && i + 1 < s->n_tls && s->tls[i + 1].result.n == 0 &&
               slice_eq(s->tls[i + 1].org, t.org)) {
            t.good += s->tls[++i].good;
            t.failed += s->tls[i].failed;
        }
        buf_print(&w->text, "%.*s reported that ", SLICE_FMT(t.org.n ? t.org : SLICE("Somebody")));
        if (t.result.n) {
            tls_failure(w, &t);
        } else if (t.failed == 0) {
            buf_str(&w->text, t.good == 1 ? "the only TLS session was secure" : "all of ");
            if (t.good != 1)
                counted(&w->text, t.good, "", "TLS sessions were secure");
        } else {
            number(&w->text, t.failed);
            buf_str(&w->text, " of ");
            counted(&w->text, t.good + t.failed, "TLS session failed", "TLS sessions failed");
        }
        buf_byte(&w->text, '.');
        say_line(w, (struct report_line){.kind = "tls", .tls = &t});
    }
}

static void failures(struct writer *w)
{
    const struct report_summary *s = w->s;
    for (size_t i = 0; i < size_min(s->n_failures, REPORT_TOLD_MAX); i++) {
        const struct report_words_failure *f = &s->failures[i];
        char ip[IP_TEXT];
        ip_print(&f->source, ip);
        counted(&w->text, f->incidents, "message was", "messages were");
        buf_print(&w->text, " told by failure reports: mail from %s",
                  ip_is_none(&f->source) ? "an unknown source" : ip);
        if (f->header_from.n && !slice_eq_nocase(f->header_from, s->domain))
            buf_print(&w->text, " in the name of %.*s", SLICE_FMT(f->header_from));
        buf_print(&w->text, " failed %.*s.", SLICE_FMT(f->failure.n ? f->failure : SLICE("the checks")));
        say_line(w, (struct report_line){.kind = "failure", .class = REPORT_FORGED, .failure = f});
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
