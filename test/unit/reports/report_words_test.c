/* report_words: each kind of source gets its class, its sentence and its advice. */
#include "lib/test.h"

#include "base/buf.h"
#include "policy/report_words.h"

struct world {
    struct arena a;
    struct report_sources s;
    struct report_summary sum;
    struct buf said; /* "kind class| text| fix\n" */
};

static int begin(void **state)
{
    static struct world w;
    w = (struct world){0};
    arena_init(&w.a, "words", 1 << 22);
    assert_true(report_sources_init(&w.s, SLICE("example.org"), &w.a));
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
    report_words(&w->sum, said, w);
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
    assert_true(report_sources_add(&w->s, &r, &ours, 1));
}

static void totals(void **state)
{
    struct world *w = *state;
    w->sum.n_orgs = 0;
    assert_says(w, "In the last 7 days nobody reported on mail in the name of example.org.");
    w->sum.n_orgs = 4;
    add(w, row("192.0.2.25", 12088, PASS_DKIM | PASS_SPF));
    assert_says(
        w,
        "In the last 7 days 4 organisations reported 12,088 messages in the name of example.org; all of them "
        "were believed.");
    add(w, row("198.51.100.7", 222, 0));
    assert_says(w,
                "4 organisations reported 12,310 messages in the name of example.org; 98.1 % were believed.");
    add(w, row("192.0.2.26", 3, PASS_DKIM));
    assert_says(w, "3 messages came by 1 source that SPF does not name, but with your signature intact");
}

static void classes(void **state)
{
    struct world *w = *state;
    struct aggregate_dkim shop = {SLICE("mailer.example"), SLICE("s"), AUTH_PASS};
    struct aggregate_dkim broken = {SLICE("news.example.org"), SLICE("s"), AUTH_FAIL};
    struct aggregate_record r = row("198.51.100.7", 310, 0);
    r.spf = AUTH_PASS;
    r.spf_domain = SLICE("shop.example");
    r.disposition = AGGREGATE_REJECT;
    add(w, r);
    assert_says(
        w,
        "source service| Source 198.51.100.7 sent 310 messages in your name that failed both checks; its SPF "
        "domain is shop.example, and it signs with no key; 310 were refused: probably a service you use");
    assert_says(w, "posthorn domain set example.org spf-include NAME");
    r = row("198.51.100.8", 20, 0);
    r.dkim = &shop;
    r.n_dkim = 1;
    add(w, r);
    assert_says(w, "Source 198.51.100.8 sent 20 messages in your name that failed both checks; it signs as "
                   "mailer.example, not as you");
    r = row("198.51.100.9", 1, 0);
    r.dkim = &broken;
    r.n_dkim = 1;
    add(w, r);
    assert_says(
        w, "source changed| Source 198.51.100.9 passed on 1 message of yours; 1 arrived with your signature "
           "broken: a mailing list or a forwarder");
    r = row("198.51.100.10", 6, 0);
    r.reason = AGGREGATE_REASON_MAILING_LIST;
    add(w, r);
    assert_says(w, "source changed| Source 198.51.100.10");
    add(w, row("203.0.113.5", 40, 0));
    assert_says(
        w, "source forged| Source 203.0.113.5 sent 40 messages in your name and proves nothing: no SPF, no "
           "signature. Nobody you know");
    assert_says(w, "With the policy reject receivers would refuse it");
    add(w, row("192.0.2.25", 2, 0));
    assert_says(
        w, "source own| Your own server: Source 192.0.2.25 sent 2 messages, of which 2 failed both checks: "
           "something of yours is broken.| Run posthorn doctor");
    assert_true(strstr(words(w), "source own") < strstr(words(w), "source service")); /* what hurts first */
    w->sum.policy = 2;
    assert_says(w, "Receivers that follow your policy refuse it.");
}

static void a_name_is_told(void **state)
{
    struct world *w = *state;
    add(w, row("203.0.113.5", 40, 0));
    w->s.at[0].name = SLICE("mail.somebody.example");
    assert_says(w, "Source 203.0.113.5 (mail.somebody.example) sent 40");
}

static void a_flood_of_forgers_is_summed_up(void **state)
{
    struct world *w = *state;
    const char *all;
    size_t n = 0;
    for (unsigned i = 0; i < 5000; i++) {
        struct aggregate_record r = row("203.0.113.5", 2, 0);
        r.source.b[13] = (uint8_t)(i >> 8);
        r.source.b[14] = (uint8_t)i;
        add(w, r);
    }
    all = words(w);
    for (const char *p = all; (p = strstr(p, "source forged")); p++)
        n++;
    assert_int_equal(n, REPORT_FORGED_MAX);
    assert_int_equal(w->s.n, REPORT_SOURCES_MAX);
    assert_says(w, "3992 further sources sent 9,984 messages that were not believed");
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

static void tls_and_failures(void **state)
{
    struct world *w = *state;
    static const struct report_words_tls tls[] = {
        {.org = SLICE_INIT("Google"), .good = 1000, .failed = 1},
        {.org = SLICE_INIT("Google"), .good = 197, .failed = 2},
        {.org = SLICE_INIT("Google"),
         .result = SLICE_INIT("certificate-host-mismatch"),
         .mx = SLICE_INIT("mx.example.org"),
         .count = 3},
    };
    static struct report_words_failure failure = {.failure = SLICE_INIT("dmarc"), .incidents = 2};
    w->sum.tls = tls;
    w->sum.n_tls = ARRAY_LEN(tls);
    w->sum.failures = &failure;
    w->sum.n_failures = 1;
    assert_says(w, "tls ok| Google reported that 3 of 1,200 TLS sessions failed.");
    assert_says(w,
                "Google reported that 3 TLS sessions failed: certificate-host-mismatch at mx.example.org.");
    assert_says(w, "2 messages were told by failure reports: mail from an unknown source failed dmarc.");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(totals), T(classes),          T(a_name_is_told), T(a_flood_of_forgers_is_summed_up),
        T(advice), T(tls_and_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
