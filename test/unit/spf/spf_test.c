/* spf: what the public suite (test/vectors/spf_test.py) does not show: reasons in words, the explanation made
 * safe, questions asked in parallel, names with odd octets, domains and local parts in Unicode, and answers
 * made to hurt (THREATS 10): cut at every octet, 64 KB, 255 labels, macros of every length. */
#include "lib/dns_kit.h"
#include "lib/test.h"

#include "core/spf/macro.h"
#include "core/spf/record.h"
#include "core/spf/spf.h"

#include <stdio.h>
#include <stdlib.h>

static struct spf_ask ask_of(const char *client, const char *helo, const char *local, const char *domain)
{
    struct spf_ask ask = {.helo = slice_str(helo),
                          .local = slice_str(local),
                          .domain = slice_str(domain),
                          .receiver = SLICE("mx.receiver.test"),
                          .now = (time_ms)1700000000123,
                          .explain = true};
    assert_int_equal(ip_parse(slice_str(client), &ask.client), OK);
    return ask;
}

static struct spf_result run(struct dns_kit *k, const struct spf_ask *ask)
{
    struct spf_result r = {.result = AUTH_NONE};
    enum auth_step step;
    while ((step = spf_check(ask, &k->table, &k->answers, &r)) == AUTH_WAIT)
        assert_true(dns_kit_answer(k));
    assert_int_equal(step, AUTH_DONE);
    assert_true(r.reason.n > 0 && r.reason.n < SPF_TEXT_MAX);
    for (size_t i = 0; i < r.reason.n; i++)
        assert_in_range(r.reason.p[i], ' ', '~');
    for (size_t i = 0; i < r.explanation.n; i++)
        assert_in_range(r.explanation.p[i], ' ', '~');
    return r;
}

/* One check in a zone of its own. The result's texts do not outlive it. */
static enum auth_result result_in(const char *zone, const char *client, const char *domain)
{
    struct spf_ask ask = ask_of(client, "mail.example.org", "user", domain);
    struct dns_kit k;
    enum auth_result result;
    dns_kit_start(&k, zone);
    result = run(&k, &ask).result;
    dns_kit_done(&k);
    return result;
}

static void every_result_says_why(void **state)
{
    static const struct {
        const char *record, *result, *mechanism, *reason;
    } rows[] = {
        {"v=spf1 ip4:192.0.2.0/24 -all", "fail", "-all",
         "198.51.100.7 is not among the addresses example.org allows (-all)"},
        {"v=spf1 ip4:198.51.100.0/24 -all", "pass", "ip4:198.51.100.0/24",
         "198.51.100.7 is among the addresses example.org allows (ip4:198.51.100.0/24)"},
        {"v=spf1 +all", "pass", "+all", "198.51.100.7 may send, as example.org allows every address (+all)"},
        {"v=spf1 -ip4:198.51.100.7 +all", "fail", "-ip4:198.51.100.7",
         "198.51.100.7 is an address that example.org forbids (-ip4:198.51.100.7)"},
        {"v=spf1 ~all", "softfail", "~all",
         "198.51.100.7 is probably not among the addresses example.org allows (~all)"},
        {"v=spf1 ?all", "neutral", "?all", "for 198.51.100.7 example.org says neither yes nor no (?all)"},
        {"v=spf1 ip4:192.0.2.1", "neutral", "default",
         "example.org says neither yes nor no to 198.51.100.7: no term of its SPF record matches"},
        {"v=spf1 include:good.test -all", "pass", "include:good.test",
         "198.51.100.7 is among the addresses example.org allows (include:good.test)"},
        {"v=spf1 a:slow.test -all", "temperror", "", "the DNS gave no answer for the address of slow.test"},
        {"v=spf1 mx:slow.test -all", "temperror", "",
         "the DNS gave no answer for the mail servers of slow.test"},
        {"v=spf1 include:slow.test -all", "temperror", "",
         "the DNS gave no answer for the SPF record of slow.test"},
        {"v=spf1 include:nowhere.test -all", "permerror", "",
         "example.org includes nowhere.test, which publishes no SPF record"},
        {"v=spf1 redirect=nowhere.test", "permerror", "",
         "the SPF record redirects to nowhere.test, which publishes none"},
        {"v=spf1 ip4:1.2.3 -all", "permerror", "",
         "the SPF record of example.org has a term that is no good: ip4:1.2.3"},
        {"v=spf1 a\\001b -all", "permerror", "",
         "the SPF record of example.org has a term that is no good: a?b"},
        {"v=spf1 include:example.org -all", "permerror", "", "example.org asks for more than 10 DNS lookups"},
        {"v=spf1 a:x1.test a:x2.test a:x3.test -all", "permerror", "",
         "example.org asks for more than 2 names that do not exist"},
    };
    struct spf_ask ask = ask_of("198.51.100.7", "mail.example.org", "user", "Example.ORG");
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char zone[1000];
        struct dns_kit k;
        struct spf_result r;
        snprintf(zone, sizeof zone,
                 "example.org TXT \"%s\"\nslow.test TIMEOUT\ngood.test TXT \"v=spf1 ip4:198.51.100.7\"\n",
                 rows[i].record);
        dns_kit_start(&k, zone);
        r = run(&k, &ask);
        assert_slices(auth_result_word(r.result), slice_str(rows[i].result));
        assert_slice(r.reason, rows[i].reason);
        assert_slice(r.mechanism, rows[i].mechanism);
        assert_slice(r.domain, "example.org");
        assert_false(r.of_helo);
        dns_kit_done(&k);
    }
}

static void without_a_domain_there_is_nothing_to_check(void **state)
{
    static const char *bad[] = {"", "localhost", "[192.0.2.1]", "a..b.test", "\x01.test", "exa mple.org"};
    struct dns_kit k;
    (void)state;
    dns_kit_start(&k, "mail.example.org TXT \"v=spf1 -all\"\n");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct spf_ask ask = ask_of("198.51.100.7", bad[i], i ? "user" : "", bad[i]);
        struct spf_result r = run(&k, &ask);
        assert_int_equal(r.result, AUTH_NONE);
        if (i != 1)
            assert_int_equal(r.domain.n, 0);
    }
    struct spf_ask ask = ask_of("198.51.100.7", "Mail.Example.org", "", "");
    struct spf_result r = run(&k, &ask);
    assert_int_equal(r.result, AUTH_FAIL);
    assert_true(r.of_helo);
    assert_slice(r.domain, "mail.example.org");
    dns_kit_done(&k);
}

static void explanations_are_fetched_on_a_fail_and_made_printable(void **state)
{
    static const char zone[] = "example.org TXT \"v=spf1 -all exp=why.example.org\"\n"
                               "soft.test TXT \"v=spf1 ~all exp=why.example.org\"\n"
                               "why.example.org TXT \"%{l} at %{c} %{r} %{t} %{v} %{p} %{h}\"\n";
    struct spf_ask ask = ask_of("2001:db8::1", "he\rlo", "a\nb\xc3\xa4", "example.org");
    struct spf_result r;
    struct dns_kit k;
    (void)state;
    dns_kit_start(&k, zone);
    r = run(&k, &ask);
    assert_int_equal(r.result, AUTH_FAIL);
    assert_slice(r.explanation, "a?b?? at 2001:db8::1 mx.receiver.test 1700000000 ip6 unknown he?lo");
    ask.explain = false;
    dns_kit_again(&k);
    r = run(&k, &ask);
    assert_int_equal(r.explanation.n, 0);
    assert_int_equal(k.rounds, 1);
    ask.explain = true;
    ask.domain = SLICE("soft.test");
    dns_kit_again(&k);
    r = run(&k, &ask);
    assert_int_equal(r.result, AUTH_SOFTFAIL);
    assert_int_equal(k.asked, 1);
    dns_kit_done(&k);
}

static void explanations_have_an_end(void **state)
{
    char zone[3000] = "example.org TXT \"v=spf1 -all exp=why.example.org\"\nwhy.example.org TXT \"";
    struct spf_ask ask = ask_of("192.0.2.1", "h.test", "user", "example.org");
    struct dns_kit k;
    size_t n;
    (void)state;
    n = strlen(zone);
    memset(zone + n, 'x', 900);
    memcpy(zone + n + 900, "\"\n", 3);
    dns_kit_start(&k, zone);
    assert_int_equal(run(&k, &ask).explanation.n, SPF_TEXT_MAX - 1);
    dns_kit_done(&k);
}

/* Latency is the longest chain: TXT, then all terms of all records known, then the addresses of the MX. */
static void questions_are_asked_in_parallel(void **state)
{
    static const char zone[] =
        "example.org TXT \"v=spf1 a mx include:one.test include:two.test exists:yes.test "
        "redirect=three.test\"\n"
        "one.test TXT \"v=spf1 a:a.one.test mx:m.one.test\"\n"
        "two.test TXT \"v=spf1 ip4:192.0.2.1 include:four.test\"\n"
        "three.test TXT \"v=spf1 -all\"\n"
        "four.test TXT \"v=spf1 ip4:192.0.2.2 -all\"\n"
        "example.org A 192.0.2.3\nexample.org MX 1 mx1.test\nexample.org MX 1 mx2.test\n"
        "mx1.test A 192.0.2.4\nmx2.test A 192.0.2.5\n"
        "a.one.test A 192.0.2.6\nm.one.test MX 1 mx3.test\nmx3.test A 192.0.2.7\n";
    struct spf_ask ask = ask_of("198.51.100.7", "h.test", "user", "example.org");
    struct spf_result r;
    struct dns_kit k;
    (void)state;
    dns_kit_start(&k, zone);
    r = run(&k, &ask);
    assert_int_equal(r.result, AUTH_FAIL);
    assert_int_equal(r.lookups, 9);
    assert_int_equal(r.voids, 1);
    assert_int_equal(k.rounds, 4); /* example.org; its terms; those of one, two, three; mx3.test */
    dns_kit_done(&k);
}

static void nothing_is_asked_behind_a_sure_match(void **state)
{
    struct spf_ask ask = ask_of("192.0.2.1", "h.test", "user", "example.org");
    struct dns_kit k;
    (void)state;
    dns_kit_start(&k, "example.org TXT \"v=spf1 a:first.test ip4:192.0.2.0/24 include:never.test -all\"\n"
                      "first.test A 192.0.2.1\n");
    assert_int_equal(run(&k, &ask).result, AUTH_PASS);
    assert_int_equal(k.asked, 2);
    dns_kit_done(&k);
}

/* However an answer comes first, the result is the same. */
static void the_order_of_answers_does_not_matter(void **state)
{
    static const char zone[] = "example.org TXT \"v=spf1 mx a:slow.test include:one.test -all\"\n"
                               "one.test TXT \"v=spf1 ptr a:%{i}.one.test -all\"\n"
                               "slow.test TIMEOUT\nexample.org MX 1 good.test\nexample.org MX 2 slow.test\n"
                               "good.test A 192.0.2.1\n";
    struct spf_ask ask = ask_of("192.0.2.1", "h.test", "user", "example.org");
    struct dns_kit k;
    (void)state;
    dns_kit_start(&k, zone);
    assert_int_equal(run(&k, &ask).result, AUTH_PASS);
    for (unsigned seed = 0; seed < 32; seed++) { /* answer one question at a time, a different one first */
        struct spf_result r = {.result = AUTH_NONE};
        size_t open[50], n = 0;
        slice names[50];
        uint16_t types[50];
        dns_kit_again(&k);
        while (spf_check(&ask, &k.table, &k.answers, &r) == AUTH_WAIT) {
            struct dns_answer answer;
            slice name;
            uint16_t type;
            size_t q, pick;
            while (dns_table_next(&k.table, &q, &name, &type)) {
                assert_true(q < ARRAY_LEN(open));
                names[q] = name;
                types[q] = type;
                open[n++] = q;
            }
            assert_true(n > 0);
            pick = seed % n;
            q = open[pick];
            open[pick] = open[--n];
            dns_zone_answer(&k.zone, names[q], types[q], &k.answers, &answer);
            dns_table_put(&k.table, q, &answer);
        }
        assert_int_equal(r.result, AUTH_PASS);
    }
    dns_kit_done(&k);
}

static void odd_names_are_asked_and_never_shown(void **state)
{
    static const char zone[] = "example.org TXT \"v=spf1 exists:%{l}._ok.example.org a:x/y+z.example.org "
                               "include:in=out.example.org -all\"\n"
                               "a+b=c._ok.example.org A 127.0.0.2\n"
                               "x/y+z.example.org A 192.0.2.9\n"
                               "in=out.example.org TXT \"v=spf1 oops\"\n";
    struct spf_ask ask = ask_of("198.51.100.7", "h.test", "A+b=c", "example.org");
    struct spf_result r;
    struct dns_kit k;
    (void)state;
    dns_kit_start(&k, zone);
    assert_int_equal(run(&k, &ask).result, AUTH_PASS);
    ask.local = SLICE("other");
    assert_int_equal(ip_parse(SLICE("192.0.2.9"), &ask.client), OK);
    assert_int_equal(run(&k, &ask).result, AUTH_PASS);
    assert_int_equal(ip_parse(SLICE("192.0.2.10"), &ask.client), OK);
    r = run(&k, &ask);
    assert_int_equal(r.result, AUTH_PERMERROR);
    assert_slice(r.reason, "the SPF record of a name that is no host name has a term that is no good: oops");
    dns_kit_done(&k);
}

/* RFC 8616 §4 */
static void unicode_is_understood(void **state)
{
    static const char zone[] = "xn--bcher-kva.example TXT \"v=spf1 exists:%{l}.ok.test include:%{s}.ok.test "
                               "-exists:%{L}.ok.test -all\"\n"
                               "*.ok.test A 127.0.0.2\n";
    struct spf_ask ask = ask_of("198.51.100.7", "h.test", "us\xc3\xa9r",
                                "B\xc3\xbc"
                                "cher.example");
    struct spf_result r;
    struct dns_kit k;
    (void)state;
    dns_kit_start(&k, zone);
    r = run(&k, &ask);
    assert_slice(r.domain, "xn--bcher-kva.example");
    assert_int_equal(r.result, AUTH_FAIL);
    assert_slice(r.mechanism, "-all");
    assert_int_equal(k.asked, 1);
    dns_kit_done(&k);
}

static void limits_hold_at_their_edges(void **state)
{
    char zone[4000];
    size_t n;
    (void)state;
    for (int mx = 10; mx <= 11; mx++) { /* RFC 7208 §4.6.4: more than 10 MX names are an error */
        n = (size_t)snprintf(zone, sizeof zone, "example.org TXT \"v=spf1 mx -all\"\n");
        for (int i = 0; i < mx; i++)
            n += (size_t)snprintf(zone + n, sizeof zone - n,
                                  "example.org MX %d m%d.test\nm%d.test A 192.0.2.%d\n", i, i, i, i + 1);
        assert_int_equal(result_in(zone, "192.0.2.10", "example.org"), mx == 10 ? AUTH_PASS : AUTH_PERMERROR);
    }
    for (int ptr = 10; ptr <= 11; ptr++) { /* ... more than 10 PTR names are left out */
        n = (size_t)snprintf(zone, sizeof zone, "example.org TXT \"v=spf1 ptr -all\"\n");
        for (int i = 0; i < ptr; i++)
            n += (size_t)snprintf(zone + n, sizeof zone - n, "1.2.0.192.in-addr.arpa PTR p%d.example.org\n",
                                  i);
        snprintf(zone + n, sizeof zone - n, "p%d.example.org A 192.0.2.1\n", ptr - 1);
        assert_int_equal(result_in(zone, "192.0.2.1", "example.org"), ptr == 10 ? AUTH_PASS : AUTH_FAIL);
    }
    for (int terms = 10; terms <= 11; terms++) {
        n = (size_t)snprintf(zone, sizeof zone, "a.test A 192.0.2.9\nexample.org TXT \"v=spf1");
        for (int i = 0; i < terms; i++)
            n += (size_t)snprintf(zone + n, sizeof zone - n, " a:a.test");
        snprintf(zone + n, sizeof zone - n, " ~all\"\n");
        assert_int_equal(result_in(zone, "192.0.2.1", "example.org"),
                         terms == 10 ? AUTH_SOFTFAIL : AUTH_PERMERROR);
    }
}

/* A sender with IPv4 only is not in error when its MX hosts have no AAAA; see check.c. */
static void mail_servers_without_ipv6_are_no_error(void **state)
{
    (void)state;
    assert_int_equal(
        result_in("example.org TXT \"v=spf1 mx -all\"\nexample.org MX 1 a.test\nexample.org MX 1 "
                  "b.test\nexample.org MX 1 c.test\na.test A 192.0.2.1\nb.test A 192.0.2.1\nc.test A "
                  "192.0.2.1\n",
                  "2001:db8::1", "example.org"),
        AUTH_FAIL);
}

/* ---- answers made to hurt */

struct cut {
    uint16_t type;
    size_t at;
    bool reached;
};

static void cut_answer(struct dns_kit *k, slice name, uint16_t type, struct dns_answer *answer)
{
    struct cut *c = (struct cut *)(uintptr_t)k->arg;
    (void)name;
    if (type != c->type || answer->n == 0)
        return;
    slice *rdata = ARENA_ARRAY(&k->answers, answer->n, slice);
    for (size_t i = 0; i < answer->n; i++) {
        c->reached |= c->at < answer->rdata[i].n;
        rdata[i] = slice_sub(answer->rdata[i], 0, c->at);
    }
    answer->rdata = rdata;
}

static void answers_cut_at_every_octet_never_pass(void **state)
{
    static const char zone[] =
        "example.org TXT \"v=spf1 a:%{p}.p.test mx ptr exists:e.test a:a.test\" \" include:in.test -all "
        "exp=x.test\"\n"
        "in.test TXT \"v=spf1 ip4:198.51.100.7 -all\"\nx.test TXT \"%{i} %{h}\"\n"
        "example.org MX 1 m.test\nm.test A 198.51.100.7\nm.test AAAA 2001:db8::7\ne.test TXT \"no\"\n"
        "a.test A 198.51.100.7\na.test AAAA 2001:db8::7\n"
        "7.100.51.198.in-addr.arpa PTR m.test\n"
        "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR m.test\n";
    static const uint16_t types[] = {DNS_TXT, DNS_A, DNS_AAAA, DNS_MX, DNS_PTR};
    static const char *clients[] = {"198.51.100.7", "2001:db8::7", "192.0.2.200"};
    struct dns_kit k;
    (void)state;
    dns_kit_start(&k, zone);
    for (size_t c = 0; c < ARRAY_LEN(clients); c++)
        for (size_t t = 0; t < ARRAY_LEN(types); t++) {
            struct cut cut = {.type = types[t], .reached = true};
            struct spf_ask ask = ask_of(clients[c], "h.test", "user", "example.org");
            k.change = cut_answer;
            k.arg = &cut;
            for (cut.at = 0; cut.reached && cut.at < 300; cut.at++) {
                struct spf_result r;
                cut.reached = false;
                dns_kit_again(&k);
                r = run(&k, &ask);
                if (types[t] == DNS_TXT && cut.reached)
                    assert_true(r.result == AUTH_NONE || r.result == AUTH_TEMPERROR ||
                                r.result == AUTH_PERMERROR || r.result == AUTH_PASS || r.result == AUTH_FAIL);
                if (c == 2) /* a stranger never passes, whatever is cut off */
                    assert_int_not_equal(r.result, AUTH_PASS);
            }
            assert_true(cut.at > 1 || (types[t] != DNS_TXT && types[t] != DNS_MX)); /* it was cut */
        }
    dns_kit_done(&k);
}

static void put_txt(struct buf *zone, const char *name, const struct buf *text)
{
    buf_str(zone, name);
    buf_str(zone, " TXT \"");
    buf_append(zone, buf_view(text));
    buf_str(zone, "\"\n");
    buf_byte(zone, 0);
}

static enum auth_result result_of_record(const struct buf *record, const char *client, const char *local)
{
    struct buf zone CLEANUP(buf_done) = {.max = 1 << 20};
    struct spf_ask ask = ask_of(client, "h.test", local, "example.org");
    struct dns_kit k;
    enum auth_result result;
    put_txt(&zone, "example.org", record);
    assert_false(buf_failed(&zone));
    dns_kit_start(&k, (const char *)zone.p);
    result = run(&k, &ask).result;
    dns_kit_done(&k);
    return result;
}

static void records_may_be_long_but_not_too_long(void **state)
{
    static const struct {
        size_t n;
        enum auth_result result;
    } rows[] = {{300, AUTH_PASS},
                {4000, AUTH_PASS},
                {SPF_RECORD_MAX, AUTH_PASS},
                {SPF_RECORD_MAX + 1, AUTH_PERMERROR},
                {64000, AUTH_PERMERROR}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf record CLEANUP(buf_done) = {.max = 70000};
        buf_str(&record, "v=spf1");
        while (record.n + 60 < rows[i].n)
            buf_str(&record, " ip4:192.0.2.1/32");
        while (record.n + 5 < rows[i].n)
            buf_byte(&record, ' ');
        buf_str(&record, " +all");
        assert_int_equal(record.n, rows[i].n);
        assert_int_equal(result_of_record(&record, "198.51.100.1", "user"), rows[i].result);
    }
}

/* A record of n octets that ends so. */
static void put_record(struct buf *zone, const char *name, size_t n, const char *end)
{
    struct buf record CLEANUP(buf_done) = {.max = SPF_RECORD_MAX};
    buf_str(&record, "v=spf1");
    while (record.n + strlen(end) < n)
        buf_byte(&record, ' ');
    buf_str(&record, end);
    assert_int_equal(record.n, n);
    put_txt(zone, name, &record);
    zone->n--; /* the NUL: there is more to come */
}

/* Every answer has all records read again, so they are few together. */
static void records_together_may_be_long_but_not_too_long(void **state)
{
    static const struct {
        const char *last;
        size_t n;
        enum auth_result result;
    } rows[] = {
        {" include:c.test +all", SPF_RECORD_MAX - 13, AUTH_PASS},
        {" include:c.test +all", SPF_RECORD_MAX - 12, AUTH_PERMERROR},
        {" redirect=c.test", SPF_RECORD_MAX - 13, AUTH_NEUTRAL},
        {" redirect=c.test", SPF_RECORD_MAX - 12, AUTH_PERMERROR},
        {" +all include:c.test", SPF_RECORD_MAX, AUTH_PASS}, /* it is not read */
        {" include:b.test +all", SPF_RECORD_MAX - 100, AUTH_PERMERROR},
    };
    struct spf_ask ask = ask_of("198.51.100.1", "h.test", "user", "a.test");
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf zone CLEANUP(buf_done) = {.max = 1 << 20};
        struct dns_kit k;
        struct spf_result r;
        put_record(&zone, "a.test", SPF_RECORD_MAX, " redirect=b.test");
        put_record(&zone, "b.test", rows[i].n, rows[i].last);
        put_record(&zone, "c.test", 13, " mx:x.y");
        buf_byte(&zone, 0);
        assert_false(buf_failed(&zone));
        dns_kit_start(&k, (const char *)zone.p);
        r = run(&k, &ask);
        if (r.result != rows[i].result)
            fail_msg("%s: %.*s", rows[i].last, SLICE_FMT(r.reason));
        if (r.result == AUTH_PERMERROR)
            assert_true(slice_find(r.reason, SLICE("a.test needs SPF records of more than")) < r.reason.n);
        dns_kit_done(&k);
    }
}

/* libspf2 CVE-2021-20314, CVE-2021-33912, CVE-2021-33913: expansions longer than their room. */
static void macros_of_every_length_expand_within_their_cap(void **state)
{
    static const char *pieces[] = {
        "%{d1r+-./}", "%{D99999999999999999999R.-+,/_=}", "%{i}", "%{S}", "%{L1r}", "%%%_%-", "a.", "."};
    char local[400];
    (void)state;
    memset(local, '%', sizeof local);
    local[sizeof local - 1] = 0;
    for (size_t p = 0; p < ARRAY_LEN(pieces); p++)
        for (size_t times = 1; times < 600; times += times < 40 ? 1 : 93) {
            struct buf record CLEANUP(buf_done) = {.max = 2 * SPF_RECORD_MAX};
            enum auth_result r;
            buf_str(&record, "v=spf1 -exists:");
            for (size_t i = 0; i < times; i++)
                buf_str(&record, pieces[p]);
            buf_str(&record, ".test ?all");
            assert_false(buf_failed(&record));
            r = result_of_record(&record, "2001:db8::1", local);
            assert_true(r == AUTH_NEUTRAL || r == AUTH_PERMERROR);
        }
}

static void names_of_255_labels_are_cut_on_the_left(void **state)
{
    struct buf record CLEANUP(buf_done) = {.max = 8000};
    struct buf zone CLEANUP(buf_done) = {.max = 9000};
    struct dns_kit k;
    struct spf_ask ask = ask_of("192.0.2.1", "h.test", "user", "example.org");
    (void)state;
    buf_str(&record, "v=spf1 exists:");
    for (int i = 0; i < 255; i++)
        buf_str(&record, "x.");
    buf_str(&record, "long.test -all");
    put_txt(&zone, "example.org", &record);
    buf_truncate(&zone, zone.n - 1);
    for (int i = 0; i < 122; i++) /* 2 * 122 + 9 = 253 */
        buf_str(&zone, "x.");
    buf_str(&zone, "long.test A 127.0.0.2\n");
    buf_byte(&zone, 0);
    dns_kit_start(&k, (const char *)zone.p);
    assert_int_equal(run(&k, &ask).result, AUTH_PASS);
    dns_kit_done(&k);
}

static void records_are_read_as_the_grammar_says(void **state)
{
    static const char *good[] = {"v=spf1",
                                 "V=SPF1 ",
                                 "v=spf1 A/0//0 MX:%{d}/32 -PTR ip6:::/0 foo=",
                                 "v=spf1 a:b.c.",
                                 "v=spf1 exists:%{ir}.%{v}._spf.%{d2}",
                                 "v=spf1 a:%{l1r-+/}.x.y//64",
                                 "v=spf1 x.y-z_1=%%%_%-"};
    static const char *bad[] = {"v=spf1 a:",           "v=spf1 a:b",
                                "v=spf1 a/",           "v=spf1 a/01",
                                "v=spf1 a//129",       "v=spf1 ip4:1.2.3.4/",
                                "v=spf1 ip4:01.2.3.4", "v=spf1 ip4:::1",
                                "v=spf1 ip6:1.2.3.4",  "v=spf1 +",
                                "v=spf1 ++all",        "v=spf1 all:x",
                                "v=spf1 a:%{",         "v=spf1 a:%{d",
                                "v=spf1 a:%{d0}",      "v=spf1 a:%{dr1}",
                                "v=spf1 a:%{dx}",      "v=spf1 a:%",
                                "v=spf1 redirect=",    "v=spf1 exp=a.b exp=a.b",
                                "v=spf1 a\tb",         "v=spf1 a:b.c\x80",
                                "v=spf1 x=\x7f",       "v=spf1 include",
                                "v=spf1 a:%{t}",       "v=spf1 ip4 ",
                                "v=spf1 a:b.1"};
    struct spf_record r;
    slice term;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        slice s = guard_copy(slice_str(good[i]));
        assert_true(spf_record_is(s));
        assert_int_equal(spf_record_parse(s, &r, &term), OK);
        guard_free(s);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        slice s = guard_copy(slice_str(bad[i]));
        assert_int_equal(spf_record_parse(s, &r, &term), ERR_SYNTAX);
        assert_true(term.n > 0);
        guard_free(s);
    }
    assert_false(spf_record_is(SLICE("v=spf10")));
    assert_false(spf_record_is(SLICE("v=spf")));
    assert_false(spf_record_is(SLICE("v=spf1\tall")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_says_why),
        cmocka_unit_test(without_a_domain_there_is_nothing_to_check),
        cmocka_unit_test(explanations_are_fetched_on_a_fail_and_made_printable),
        cmocka_unit_test(explanations_have_an_end),
        cmocka_unit_test(questions_are_asked_in_parallel),
        cmocka_unit_test(nothing_is_asked_behind_a_sure_match),
        cmocka_unit_test(the_order_of_answers_does_not_matter),
        cmocka_unit_test(odd_names_are_asked_and_never_shown),
        cmocka_unit_test(unicode_is_understood),
        cmocka_unit_test(limits_hold_at_their_edges),
        cmocka_unit_test(mail_servers_without_ipv6_are_no_error),
        cmocka_unit_test(answers_cut_at_every_octet_never_pass),
        cmocka_unit_test(records_may_be_long_but_not_too_long),
        cmocka_unit_test(records_together_may_be_long_but_not_too_long),
        cmocka_unit_test(macros_of_every_length_expand_within_their_cap),
        cmocka_unit_test(names_of_255_labels_are_cut_on_the_left),
        cmocka_unit_test(records_are_read_as_the_grammar_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
