/* report_words: each kind of source gets its class, its sentence and its advice; ten situations of an
 * administrator; what counts once; who is believed to have reported. */
#include "lib/test.h"

#include "base/buf.h"
#include "policy/report_words.h"

#define T0 ((time_ms)1795305600000) /* 2026-11-22 00:00 UTC */

struct world {
    struct arena a;
    struct report_sources s;
    struct report_summary sum;
    struct report_origin from;
    struct buf said; /* "kind class| text| fix\n" */
};

static int begin(void **state)
{
    static struct world w;
    w = (struct world){0};
    arena_init(&w.a, "words", 1 << 24);
    assert_true(report_sources_init(&w.s, SLICE("example.org"), &(struct hash_key){1, 2}, &w.a));
    w.from = (struct report_origin){1, SLICE("big.example"), T0 - MS_DAY, T0};
    w.sum = (struct report_summary){
        .domain = SLICE("example.org"), .days = 7, .n_orgs = 1, .policy = 0, .sources = &w.s};
    buf_init(&w.said, 1 << 20);
    *state = &w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    arena_done(&w->a);
    buf_done(&w->said);
    return 0;
}

static void said(void *arg, const struct report_line *line)
{
    struct world *w = arg;
    buf_print(&w->said, "%s %s| ", line->kind, report_class_word(line->class));
    buf_append(&w->said, line->text);
    buf_str(&w->said, "| ");
    buf_append(&w->said, line->fix);
    buf_str(&w->said, "\n");
}

static const char *words(struct world *w)
{
    report_sources_sort(&w->s);
    buf_clear(&w->said);
    assert_true(report_words(&w->sum, said, w));
    buf_byte(&w->said, 0);
    return (const char *)w->said.p;
}

#define assert_says(w, what)                                                                                 \
    do {                                                                                                     \
        const char *told_ = words(w);                                                                        \
        if (!strstr(told_, what))                                                                            \
            fail_msg("\"%s\" is not in:\n%s", what, told_);                                                  \
    } while (0)

enum { PASS_DKIM = 1, PASS_SPF = 2 };

static struct aggregate_record row(const char *ip, uint64_t count, int passed)
{
    struct aggregate_record r = {
        .count = count, .dkim_aligned = passed & PASS_DKIM, .spf_aligned = passed & PASS_SPF};
    assert_int_equal(ip_parse(slice_str(ip), &r.source), OK);
    return r;
}

static void add(struct world *w, struct aggregate_record r)
{
    struct ip ours;
    assert_int_equal(ip_parse(SLICE("192.0.2.25"), &ours), OK);
    assert_true(report_sources_add(&w->s, &r, &w->from, &ours, 1));
}

#define assert_silent(w, what)                                                                               \
    do {                                                                                                     \
        const char *told_ = words(w);                                                                        \
        if (strstr(told_, what))                                                                             \
            fail_msg("\"%s\" is in:\n%s", what, told_);                                                      \
    } while (0)

static size_t lines(struct world *w, const char *kind)
{
    size_t n = 0;
    for (const char *p = words(w); (p = strstr(p, kind)); p++)
        n++;
    return n;
}

/* 1 */
static void own_server_only_and_all_well(void **state)
{
    struct world *w = *state;
    w->sum.n_orgs = 4;
    add(w, row("192.0.2.25", 12088, PASS_DKIM | PASS_SPF));
    assert_string_equal(words(w),
                        "total ok| In the last 7 days 4 organisations reported 12,088 messages in the "
                        "name of example.org; all of them were believed.| \n");
}

/* 2 */
static void a_web_shop_with_spf_of_its_own(void **state)
{
    struct world *w = *state;
    static const char *const ips[] = {"198.51.100.7", "203.0.113.80", "192.0.2.200"};
    for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
        struct aggregate_record r = row(ips[i], 100 + i, 0);
        r.spf = AUTH_PASS;
        r.spf_domain = SLICE("shop.example");
        r.disposition = i == 0 ? AGGREGATE_REJECT : AGGREGATE_NONE;
        add(w, r);
    }
    assert_int_equal(lines(w, "source service"), 1); /* three networks, one shop */
    assert_says(
        w, "source service| 3 sources, first 192.0.2.200 sent 303 messages in your name that failed both "
           "checks; its SPF domain is shop.example, and it signs with no key; 100 were refused: probably "
           "a service you use (a shop");
    assert_says(
        w, "| Ask in your house who uses shop.example. If it is yours: switch on \"own domain\" or "
           "\"DKIM\" for example.org in its settings; it gives you a DKIM record to publish. If it cannot "
           "sign: allow it with posthorn domain set example.org spf-include NAME");
}

/* 3 */
static void a_newsletter_that_signs_as_itself(void **state)
{
    struct world *w = *state;
    struct aggregate_dkim theirs = {SLICE("news.example"), SLICE("s"), AUTH_PASS};
    struct aggregate_record r = row("198.51.100.8", 20, 0);
    r.dkim = &theirs;
    r.n_dkim = 1;
    add(w, r);
    assert_says(w, "Source 198.51.100.8 sent 20 messages in your name that failed both checks; it signs as "
                   "news.example, not as you: probably a service");
    assert_says(w, "it gives you a DKIM record to publish. If it is not: with the policy reject");
    assert_silent(w, "spf-include"); /* who can sign, shall */
}

/* 4 */
static void mailing_lists_and_forwarders(void **state)
{
    struct world *w = *state;
    struct aggregate_dkim broken = {SLICE("news.example.org"), SLICE("s"), AUTH_FAIL};
    struct aggregate_record r = row("198.51.100.9", 1, 0);
    r.dkim = &broken;
    r.n_dkim = 1;
    add(w, r);
    r.source.b[15] = 10; /* its neighbour */
    r.count = 6;
    add(w, r);
    assert_says(
        w, "source changed| 2 sources, first 198.51.100.10 passed on 7 messages of yours; 7 arrived with "
           "your signature broken: a mailing list or a forwarder that changes mail.| Nothing to mend");
    r = row("203.0.113.10", 6, 0);
    r.reason = AGGREGATE_REASON_MAILING_LIST;
    r.disposition = AGGREGATE_REJECT;
    add(w, r);
    assert_says(w, "tell the list's administrator that it has to rewrite From");
    add(w, row("192.0.2.26", 3, PASS_DKIM));
    assert_says(w, "3 messages came by 1 source that SPF does not name, but with your signature intact");
}

/* 5 */
static void a_wave_from_500_addresses(void **state)
{
    struct world *w = *state;
    add(w, row("192.0.2.25", 1000, PASS_DKIM | PASS_SPF));
    for (unsigned i = 0; i < 500; i++) {
        struct aggregate_record r = row("203.0.113.5", i == 77 ? 40 : 2, 0);
        r.source.b[13] = (uint8_t)(i >> 8);
        r.source.b[14] = (uint8_t)i;
        r.disposition = AGGREGATE_QUARANTINE;
        add(w, r);
    }
    assert_int_equal(lines(w, "source forged"), 1);
    assert_says(w,
                "source forged| 500 sources sent 1,038 messages in your name and prove nothing: no SPF, no "
                "signature; 1,038 filed as junk. Somebody forges your address. The largest are 203.0.77.5 "
                "with 40, ");
    assert_says(w, "the advice below says when it is time");
    w->sum.policy = 2;
    assert_says(w, "Receivers that follow your policy refuse it; nothing to do.");
}

/* 6 */
static void own_server_fails_since_yesterday(void **state)
{
    struct world *w = *state;
    struct aggregate_dkim broken = {SLICE("example.org"), SLICE("s1"), AUTH_FAIL};
    struct aggregate_record r = row("192.0.2.25", 50, PASS_SPF);
    r.dkim = &broken;
    r.n_dkim = 1;
    add(w, r);
    w->from = (struct report_origin){2, SLICE("big.example"), T0 - 2 * MS_DAY, T0 - MS_DAY};
    add(w, row("192.0.2.25", 900, PASS_DKIM | PASS_SPF));
    add(w, row("198.51.100.7", 222, 0));
    assert_says(
        w, "source own| Your own server: Source 192.0.2.25 sent 950 messages, of which 50 had a DKIM "
           "signature that did not verify, since 2026-11-21; before that all was well. SPF still carries "
           "it, but what is forwarded will fail.| Today: run posthorn doctor example.org; ");
    assert_says(w, "posthorn dns example.org shows it as it should be");
    assert_true(strstr(words(w), "source own") < strstr(words(w), "source forged")); /* what hurts first */
    r.spf_aligned = false;
    r.disposition = AGGREGATE_REJECT;
    add(w, r);
    assert_says(w, "of which 50 failed both checks");
    assert_says(w, "50 were refused: something of yours is broken.");
}

/* 7 */
static void only_known_ones_for_thirty_days(void **state)
{
    struct world *w = *state;
    struct aggregate_record list = row("198.51.100.9", 30, 0);
    list.reason = AGGREGATE_REASON_MAILING_LIST;
    add(w, row("192.0.2.25", 9000, PASS_DKIM | PASS_SPF));
    add(w, row("203.0.113.5", 400, 0)); /* forgers do not stand in the way, nor do lists */
    add(w, list);
    w->sum.watched = &w->s;
    w->sum.watched_days = 30;
    assert_says(w,
                "advice ok| Your policy is none. For 30 days nothing that looks like yours has failed: it is "
                "safe to make it stricter.| posthorn domain set example.org dmarc quarantine");
}

/* 8 */
static void tls_failures(void **state)
{
    struct world *w = *state;
    static const struct report_words_tls tls[] = {
        {.org = SLICE_INIT("google.com (Google Inc.)"), .good = 1000, .failed = 1},
        {.org = SLICE_INIT("google.com (Google Inc.)"), .good = 197, .failed = 2},
        {.org = SLICE_INIT("google.com (Google Inc.)"),
         .result = SLICE_INIT("certificate-host-mismatch"),
         .mx = SLICE_INIT("mx.example.org"),
         .count = 3},
    };
    w->sum.n_orgs = 0; /* TLS reports come without any of the others */
    w->sum.tls = tls;
    w->sum.n_tls = ARRAY_LEN(tls);
    assert_says(w, "tls ok| google.com (Google Inc.) reported that 3 of 1,200 TLS sessions failed.");
    assert_says(
        w, "3 TLS sessions failed at mx.example.org because the certificate does not carry the server's name "
           "(certificate-host-mismatch).| Let it be issued for every name your MX records have");
}

/* 9 */
static void no_reports_yet(void **state)
{
    struct world *w = *state;
    w->sum.n_orgs = 0;
    assert_says(w,
                "total ok| In the last 7 days nobody reported on mail in the name of example.org.| The first "
                "reports come one to two days after the DMARC record asks for them");
    assert_int_equal(lines(w, "\n"), 1);
    w->sum.n_unproven_orgs = 2;
    w->sum.unproven_reports = 3;
    w->sum.unproven_messages = 1200;
    w->sum.unproven_org = SLICE("google.com");
    assert_says(w, "unproven forged| 3 reports on 1,200 messages are not counted: not proven to come from "
                   "google.com and 1 more, because the mail that brought them did not pass DMARC.");
}

/* 10: one saw all of it pass, the other refused some: both are told, and neither is taken for a duplicate */
static void two_reporters_disagree(void **state)
{
    struct world *w = *state;
    struct aggregate_dkim broken = {SLICE("example.org"), SLICE("s1"), AUTH_FAIL};
    struct aggregate_record r = row("192.0.2.25", 40, 0);
    w->sum.n_orgs = 2;
    add(w, row("192.0.2.25", 100, PASS_DKIM | PASS_SPF));
    w->from = (struct report_origin){2, SLICE("other.example"), T0 - MS_DAY, T0};
    r.dkim = &broken;
    r.n_dkim = 1;
    r.disposition = AGGREGATE_REJECT;
    add(w, r);
    assert_says(w, "2 organisations reported 140 messages in the name of example.org; 71.4 % were believed.");
    assert_says(
        w,
        "of which 40 failed both checks, in reports from 2026-11-21 on; 40 were refused; only other.example "
        "says so: something of yours is broken.");
    assert_silent(w, "reported twice");
}

static void report(struct world *w, uint64_t number, const char *org, time_ms begin, time_ms end,
                   uint64_t count)
{
    w->from = (struct report_origin){number, slice_str(org), begin, end};
    add(w, row("192.0.2.25", count, PASS_DKIM | PASS_SPF));
}

static void what_is_told_twice_counts_once(void **state)
{
    struct world *w = *state;
    report(w, 1, "big.example", T0 - MS_DAY, T0, 100);
    report(w, 2, "big.example", T0 - MS_DAY, T0, 100); /* again, with another id */
    assert_int_equal(w->s.messages, 100);
    report(w, 3, "big.example", T0 - MS_DAY, T0 - MS_DAY / 2, 60); /* of the first half */
    assert_int_equal(w->s.messages, 100);
    assert_int_equal(w->s.twice, 160);
    report(w, 4, "big.example", T0 - 2 * MS_DAY, T0 - MS_DAY + MS_MINUTE, 7); /* the day before */
    assert_int_equal(w->s.messages, 107);
    report(w, 5, "other.example", T0 - MS_DAY, T0, 100);
    assert_int_equal(w->s.messages, 207);
    report(w, 6, "third.example", T0 - MS_DAY, T0, 5);
    report(w, 6, "third.example", T0 - MS_DAY, T0, 5); /* one report may have a row twice */
    assert_int_equal(w->s.messages, 217);
    report(w, 7, "third.example", T0 - MS_DAY, T0, 12); /* the longer one counts */
    assert_int_equal(w->s.messages, 219);
    assert_says(w, "170 messages were reported twice by the same organisation, and count once.");
}

#define EURO "\xe2\x82\xac"
#define TEN  EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO

static void who_reported(void **state)
{
    static const struct {
        const char *author, *org, *told;
    } cases[] = {
        {"google.com", "google.com", "google.com"},
        {"dmarc.yahoo.com", "yahoo.com", "yahoo.com"},
        {"microsoft.com", "Enterprise Outlook", "microsoft.com (Enterprise Outlook)"},
        {"evil.example", "google.com", "evil.example (calls itself google.com)"},
        {"evil.example", "", "evil.example"},
        {"", "google.com", "google.com"},
        {"a.example", TEN TEN TEN TEN "x", "a.example (" TEN TEN TEN EURO EURO EURO ")"},
        {"notgoogle.com", "google.com", "notgoogle.com (calls itself google.com)"},
    };
    struct buf b CLEANUP(buf_done);
    (void)state;
    buf_init(&b, REPORT_WHO_MAX);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        report_who(slice_str(cases[i].author), slice_str(cases[i].org), &b);
        assert_slice(buf_view(&b), cases[i].told);
    }
}

static void names_that_end_alike_are_one(void **state)
{
    struct world *w = *state;
    static const char *const ips[] = {"203.0.113.5", "198.51.100.1", "192.0.2.99"};
    static const char *const names[] = {"a.pool.isp.co.uk", "b.pool.isp.co.uk", "c.elsewhere.co.uk"};
    const struct report_group *groups;
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
        add(w, row(ips[i], 10 - i, 0));
        w->s.at[i].name = slice_str(names[i]);
    }
    report_sources_sort(&w->s);
    assert_true(report_sources_group(&w->s, &groups, &n));
    assert_int_equal(n, 2);
    assert_int_equal(groups[0].n, 2);
    assert_int_equal(groups[0].sum.messages, 19);
}

static void a_name_is_told(void **state)
{
    struct world *w = *state;
    add(w, row("203.0.113.5", 40, 0));
    w->s.at[0].name = SLICE("mail.somebody.example");
    assert_says(w, "Source 203.0.113.5 (mail.somebody.example) sent 40");
}

static void a_flood_of_forgers_is_bounded(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 5000; i++) {
        struct aggregate_record r = row("203.0.113.5", 2, 0);
        r.source.b[13] = (uint8_t)(i >> 8);
        r.source.b[14] = (uint8_t)i;
        add(w, r);
    }
    assert_int_equal(w->s.n, REPORT_SOURCES_MAX);
    assert_int_equal(lines(w, "source forged"), 1);
    assert_says(w, "4,000 sources sent 10,000 messages");
}

static void advice(void **state)
{
    struct world *w = *state;
    struct aggregate_record r = row("198.51.100.7", 50, 0);
    add(w, row("192.0.2.25", 9000, PASS_DKIM | PASS_SPF));
    add(w, row("203.0.113.5", 400, 0)); /* forgers do not stand in the way */
    w->sum.watched = &w->s;
    w->sum.watched_days = 1;
    assert_says(w,
                "advice ok| Your policy is none. There are reports of 1 day so far; wait until there are 14");
    w->sum.watched_days = 20;
    assert_says(w, "For 20 days nothing that looks like yours has failed: it is safe to make it stricter.| "
                   "posthorn domain "
                   "set example.org dmarc quarantine");
    w->sum.policy = 1;
    assert_says(w, "posthorn domain set example.org dmarc reject");
    r.spf = AUTH_PASS;
    r.spf_domain = SLICE("shop.example");
    add(w, r);
    assert_says(w, "Before it can be stricter, look after the 50 messages of the last 20 days");
    w->sum.policy = 2;
    assert_null(strstr(words(w), "advice"));
}

static struct ip address(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(slice_str(text), &ip), OK);
    return ip;
}

static void near(struct world *w, const char *ip, const char *name)
{
    const struct ip a = address(ip);
    report_sources_near(&w->s, &a, slice_str(name));
}

/* 11: the sentence of the issue */
static void a_web_shop_in_our_network_without_any_key(void **state)
{
    struct world *w = *state;
    w->sum.hostname = SLICE("mail.example.org");
    w->sum.n_orgs = 2;
    add(w, row("198.51.100.7", 310, 0));
    add(w, row("198.51.100.8", 3, 0)); /* each machine by itself: they are different ones */
    add(w, row("203.0.113.9", 40, 0));
    add(w, row("2001:db8:1::7", 1, 0));
    near(w, "198.51.100.25", "");
    near(w, "2001:db8:1:2::1", "www.example.org");
    assert_int_equal(lines(w, "source near"), 3);
    assert_int_equal(lines(w, "source forged"), 1);
    assert_says(
        w,
        "source near| Source 198.51.100.7 sent 310 messages in your name that failed both checks; it is in "
        "the network of this server and signs with no key; only big.example says so: probably a machine of "
        "yours, such as a web shop.| If it is yours, let it send through this server, which signs: posthorn "
        "account add shop@example.org --random, and in its settings SMTP with that name and password, server "
        "mail.example.org, port 465 (TLS). If it cannot: publish shop-spf.example.org. TXT \"v=spf1 "
        "ip4:198.51.100.7 -all\", run posthorn domain set example.org spf-include shop-spf.example.org, "
        "publish the record that posthorn dns example.org shows then");
    assert_says(w, "Source 2001:db8:1::7 sent 1 message in your name that failed both checks; it is in the "
                   "network of www.example.org and signs with no key");
    assert_says(w, "v=spf1 ip6:2001:db8:1::7 -all");
    near(w, "198.51.100.7", "www.example.org");
    assert_says(w,
                "Source 198.51.100.7 sent 310 messages in your name that failed both checks; it has the "
                "address of www.example.org and signs with no key; only big.example says so: probably your "
                "web site or web shop.");
    w->sum.watched = &w->s; /* and it stands in the way of a stricter policy */
    w->sum.watched_days = 30;
    assert_says(w, "look after the 314 messages");
}

/* 12 */
static void a_subdomain_sends(void **state)
{
    struct world *w = *state;
    struct aggregate_dkim theirs = {SLICE("news.example"), SLICE("s"), AUTH_PASS};
    struct aggregate_record r = row("198.51.100.8", 20, 0);
    r.dkim = &theirs;
    r.n_dkim = 1;
    r.header_from = SLICE("letters.example.org");
    add(w, r);
    assert_says(w, "Source 198.51.100.8 sent 20 messages in the name of letters.example.org that failed");
    assert_says(w, "switch on \"own domain\" or \"DKIM\" for letters.example.org in its settings");
    r.header_from = SLICE("example.org");
    add(w, r);
    assert_says(w, "sent 40 messages in your name that failed"); /* two names: neither is told */
    r = row("203.0.113.9", 5, 0);
    r.header_from = SLICE("pay.example.org");
    add(w, r);
    assert_says(w, "Source 203.0.113.9 sent 5 messages in the name of pay.example.org and proves nothing");
}

/* 13 */
static void one_receiver_only(void **state)
{
    struct world *w = *state;
    w->sum.org = SLICE("big.example");
    add(w, row("192.0.2.25", 1, PASS_DKIM | PASS_SPF));
    assert_says(
        w, "In the last 7 days 1 organisation reported 1 message in the name of example.org; all of them "
           "were believed. It was big.example: what other receivers saw is not known.");
    w->sum.days = 1;
    assert_says(w, "In the last day 1 organisation");
}

/* 14 */
static void a_service_that_signs_only_some(void **state)
{
    struct world *w = *state;
    add(w, row("198.51.100.8", 1000, PASS_DKIM));
    add(w, row("198.51.100.8", 3, 0));
    assert_says(
        w, "source changed| Source 198.51.100.8 sent 1,003 messages in your name, and most are believed; 3 "
           "failed both checks: a service of yours that does not sign all it sends, or one that others "
           "use, too.| If it is a service of yours: look in its settings");
    assert_silent(w, "signature broken");
}

/* 15: a receiver whose DNS failed proves nothing against our key */
static void a_receivers_trouble_is_not_ours(void **state)
{
    struct world *w = *state;
    struct aggregate_dkim ours = {SLICE("example.org"), SLICE("s1"), AUTH_TEMPERROR};
    struct aggregate_record r = row("192.0.2.25", 2, PASS_SPF);
    r.dkim = &ours;
    r.n_dkim = 1;
    add(w, r);
    assert_silent(w, "source own");
    assert_says(w, "all of them were believed");
}

static void one_is_not_many(void **state)
{
    struct world *w = *state;
    static struct report_words_failure failure = {
        .failure = SLICE_INIT("dmarc"), .incidents = 1, .header_from = SLICE_INIT("pay.example.org")};
    struct aggregate_record r = row("203.0.113.9", 1, 0);
    r.disposition = AGGREGATE_REJECT;
    add(w, r);
    add(w, row("192.0.2.99", 1, PASS_DKIM));
    w->sum.failures = &failure;
    w->sum.n_failures = 1;
    assert_says(w, "sent 1 message in your name and proves nothing: no SPF, no signature; 1 was refused.");
    assert_says(w, "1 message came by 1 source that SPF does not name");
    assert_says(w, "1 message was told by failure reports: mail from an unknown source in the name of "
                   "pay.example.org failed dmarc.");
    w->sum.n_unproven_orgs = w->sum.unproven_reports = w->sum.unproven_messages = 1;
    assert_says(
        w, "1 report on 1 message is not counted: not proven to come from anybody, because the mail that "
           "brought it did not pass");
}

/* RFC 8460 §4.3: each kind has its words, and what to do */
static void every_kind_of_tls_failure(void **state)
{
    struct world *w = *state;
    static const char *const kinds[] = {"starttls-not-supported", "certificate-host-mismatch",
                                        "certificate-expired",    "certificate-not-trusted",
                                        "validation-failure",     "tlsa-invalid",
                                        "dnssec-invalid",         "dane-required",
                                        "sts-policy-fetch-error", "sts-policy-invalid",
                                        "sts-webpki-invalid"};
    struct report_words_tls t = {.org = SLICE("big.example"), .count = 1};
    w->sum.n_orgs = 0;
    w->sum.tls = &t;
    w->sum.n_tls = 1;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        t.result = slice_str(kinds[i]);
        assert_silent(w, "does not know");
        assert_says(w, "tls ok| big.example reported that 1 TLS session failed because ");
        assert_says(w, "posthorn doctor");
    }
    t.result = SLICE("new-kind");
    t.reason = SLICE("because");
    t.count = 2000;
    assert_says(w, "2,000 TLS sessions failed because of something this server does not know (new-kind); the "
                   "sender adds: because.");
    t = (struct report_words_tls){.org = SLICE("big.example"), .good = 1500};
    assert_says(w, "big.example reported that all of 1,500 TLS sessions were secure.");
    t.good = 1;
    assert_says(w, "big.example reported that the only TLS session was secure.");
}

static void single_failures(void **state)
{
    struct world *w = *state;
    static struct report_words_failure failure = {.failure = SLICE_INIT("dmarc"), .incidents = 2};
    w->sum.failures = &failure;
    w->sum.n_failures = 1;
    assert_says(w, "2 messages were told by failure reports: mail from an unknown source failed dmarc.");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(own_server_only_and_all_well),
        T(a_web_shop_with_spf_of_its_own),
        T(a_newsletter_that_signs_as_itself),
        T(mailing_lists_and_forwarders),
        T(a_wave_from_500_addresses),
        T(own_server_fails_since_yesterday),
        T(only_known_ones_for_thirty_days),
        T(tls_failures),
        T(no_reports_yet),
        T(two_reporters_disagree),
        T(what_is_told_twice_counts_once),
        T(who_reported),
        T(names_that_end_alike_are_one),
        T(a_name_is_told),
        T(a_flood_of_forgers_is_bounded),
        T(a_web_shop_in_our_network_without_any_key),
        T(a_subdomain_sends),
        T(one_receiver_only),
        T(a_service_that_signs_only_some),
        T(a_receivers_trouble_is_not_ours),
        T(one_is_not_many),
        T(every_kind_of_tls_failure),
        T(advice),
        T(single_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
