/* Sentences about who sent, a group of sources each. */
#include "policy/report_words__.h"
#include "text/date.h"

static void group_name(struct buf *b, const struct report_group *g)
{
    char ip[IP_TEXT];
    ip_print(&g->top->ip, ip);
    if (ip_is_none(&g->top->ip)) {
        buf_str(b, "A source that cannot be read");
        return;
    }
    if (g->n > 1) {
        report__counted(b, g->n, "source", "sources");
        buf_print(b, ", first %s", ip);
    } else {
        buf_print(b, "Source %s", ip);
    }
    if (g->top->name.n)
        buf_print(b, " (%.*s)", SLICE_FMT(g->top->name));
}

/* What receivers did with what failed; and who says so, when it is one of several. */
static void treated(struct report__writer *w, const struct report_source *s)
{
    struct buf *b = &w->text;
    if (s->refused || s->quarantined)
        buf_str(b, "; ");
    if (s->refused)
        report__counted(b, s->refused, "was refused", "were refused");
    if (s->refused && s->quarantined)
        buf_str(b, " and ");
    if (s->quarantined)
        report__counted(b, s->quarantined, "filed as junk", "filed as junk");
    if (w->s->n_orgs > 1 && s->org.n)
        buf_print(b, "; only %.*s says so", SLICE_FMT(s->org));
}

/* In whose name? */
static slice sender(const struct report__writer *w, const struct report_group *g)
{
    return g->sum.as.n ? g->sum.as : w->s->domain;
}

static void in_whose_name(struct report__writer *w, const struct report_group *g)
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

static void say_own(struct report__writer *w, const struct report_group *g)
{
    const struct report_source *s = &g->sum;
    uint64_t failed = report_source_failed(s);
    bool dkim = s->bad_dkim > 0;
    buf_str(&w->text, "Your own server: ");
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    report__messages(&w->text, s->messages);
    buf_str(&w->text, ", of which ");
    report__number(&w->text, failed ? failed : s->bad_dkim);
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
static void say_mixed(struct report__writer *w, const struct report_group *g)
{
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    report__messages(&w->text, g->sum.messages);
    in_whose_name(w, g);
    buf_str(&w->text, ", and most are believed; ");
    report__number(&w->text, report_source_failed(&g->sum));
    buf_str(&w->text, " failed both checks");
    treated(w, &g->sum);
    buf_str(&w->text, ": a service of yours that does not sign all it sends, or one that others use, too.");
    buf_print(
        &w->fix,
        "If it is a service of yours: look in its settings for mail that it sends without the DKIM key of "
        "%.*s. Else there is nothing to do.",
        SLICE_FMT(sender(w, g)));
}

static void say_changed(struct report__writer *w, const struct report_group *g)
{
    if (g->sum.own_broken * 2 < report_source_failed(&g->sum)) {
        say_mixed(w, g);
        return;
    }
    group_name(&w->text, g);
    buf_str(&w->text, " passed on ");
    report__messages(&w->text, g->sum.messages);
    buf_str(&w->text, " of yours; ");
    report__number(&w->text, report_source_failed(&g->sum));
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

static void say_service(struct report__writer *w, const struct report_group *g)
{
    const struct report_summary *sum = w->s;
    const struct report_source *top = g->top;
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    report__messages(&w->text, report_source_failed(&g->sum));
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
static void say_near(struct report__writer *w, const struct report_group *g)
{
    const struct report_summary *s = w->s;
    char ip[IP_TEXT];
    ip_print(&g->top->ip, ip);
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    report__messages(&w->text, report_source_failed(&g->sum));
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

static void forged_fix(struct report__writer *w)
{
    buf_str(&w->fix,
            w->s->policy == 2
                ? "Receivers that follow your policy refuse it; nothing to do."
                : "With the policy reject receivers would refuse it; the advice below says when it is "
                  "time. If it is a machine of yours, let it send through this server.");
}

static void say_forged(struct report__writer *w, const struct report_group *g)
{
    group_name(&w->text, g);
    buf_str(&w->text, " sent ");
    report__messages(&w->text, report_source_failed(&g->sum));
    in_whose_name(w, g);
    buf_str(&w->text, g->n == 1 ? " and proves nothing: no SPF, no signature"
                                : " and prove nothing: no SPF, no signature");
    treated(w, &g->sum);
    buf_str(&w->text, ". Nobody you know, as far as this can tell.");
    forged_fix(w);
}

static void say_group(struct report__writer *w, const struct report_group *g)
{
    static void (*const sayers[REPORT_CLASS__COUNT])(struct report__writer *, const struct report_group *) = {
        [REPORT_OWN] = say_own,   [REPORT_CHANGED] = say_changed, [REPORT_SERVICE] = say_service,
        [REPORT_NEAR] = say_near, [REPORT_FORGED] = say_forged,
    };
    sayers[g->class](w, g);
    report__say(w, "source", g->class, g);
}

/* Many groups of forgers: one sentence, with the largest three. */
static void say_wave(struct report__writer *w, const struct report_group *groups, size_t n)
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
    report__number(&w->text, sources);
    buf_str(&w->text, " sources sent ");
    report__messages(&w->text, failed + w->s->sources->left_out);
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
        report__number(&w->text, report_source_failed(&groups[i].sum));
        named++;
    }
    buf_str(&w->text, "; --table shows more.");
    forged_fix(w);
    report__say(w, "source", REPORT_FORGED, top);
}

static void forwarded(struct report__writer *w)
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
    report__messages(&w->text, count);
    buf_str(&w->text, " came by ");
    report__counted(&w->text, n, "source", "sources");
    buf_str(&w->text,
            " that SPF does not name, but with your signature intact: forwarded mail, or a service that "
            "signs as you. All of it was believed; nothing to do.");
    report__say(w, "total", REPORT_FORWARDED, NULL);
}

bool report__sources(struct report__writer *w)
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
            report__counted(&w->text, rest, "further source", "further sources");
        else
            buf_str(&w->text, "Further sources");
        buf_str(&w->text, " sent ");
        report__messages(&w->text, rest_messages);
        buf_str(&w->text, rest_messages == 1 ? " that was not believed" : " that were not believed");
        buf_str(&w->text, "; --table shows the sources.");
        report__say(w, "total", REPORT_FORGED, NULL);
    }
    forwarded(w);
    return true;
}
