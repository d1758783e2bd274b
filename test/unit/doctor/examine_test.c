/* examine_test: a right zone gives no finding; each way of breaking it gives one finding of its own, with its
 * own words and the record that mends it. The zone is text; what the table does to it is the test. */
#include "lib/test.h"

#include "core/dns/dns_zone_text.h"
#include "lib/dns_kit.h"
#include "policy/doctor/examine.h"

#include <stdio.h>

#define KEY_RSA                                                                                              \
    "v=DKIM1; k=rsa; "                                                                                       \
    "p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7on"  \
    "LRnrq0"
#define KEY_ED "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* What a domain should have. */
static const char zone_good[] =
    "example.org MX 10 mail.example.org\n"
    "example.org TXT \"v=spf1 mx ~all\"\n"
    "mail.example.org A 198.51.100.7\n"
    "mail.example.org AAAA 2001:db8::7\n"
    "mail.example.org TXT \"v=spf1 a -all\"\n"
    "7.100.51.198.in-addr.arpa PTR mail.example.org\n"
    "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mail.example.org\n"
    "s1._domainkey.example.org TXT \"" KEY_RSA "\"\n"
    "s2._domainkey.example.org TXT \"" KEY_ED "\"\n"
    "_dmarc.example.org TXT \"v=DMARC1; p=quarantine; rua=mailto:dmarc-reports@example.org\"\n"
    "_smtp._tls.example.org TXT \"v=TLSRPTv1; rua=mailto:tls-reports@example.org\"\n"
    "_imaps._tcp.example.org SRV 0 1 993 mail.example.org\n"
    "_submissions._tcp.example.org SRV 0 1 465 mail.example.org\n"
    "2.0.0.127.bl.test A 127.0.0.2\n"
    "other.test MX 10 mail.other.test\n"
    "mail.other.test A 192.0.2.99\n"
    "alias.example.org CNAME mail.example.org\n";

#define TLSA_OURS  "ab00000000000000000000000000000000000000000000000000000000000000"
#define TLSA_OTHER "cd00000000000000000000000000000000000000000000000000000000000000"

struct variant {
    const char *name;
    const char *drop; /* lines that begin so are left out; several divided by "|" */
    const char *add;
    const char *word; /* the finding there must be, and the only one of its weight */
    const char *what; /* part of its sentence */
    const char *mend; /* part of its mend; NULL: any */
};

static const struct variant variants[] = {
    {"mx missing", "example.org MX", "", "mx-missing", "has no MX record",
     "example.org. 3600 IN MX 10 mail.example.org."},
    {"mx elsewhere", "example.org MX", "example.org MX 10 mail.other.test\n", "mx-elsewhere",
     "do not lead to this server", "MX 10 mail.example.org."},
    {"mx also elsewhere", "", "example.org MX 20 mail.other.test\n", "mx-also", "beside this one", NULL},
    {"mx an address", "example.org MX", "example.org MX 10 198.51.100.7\n", "mx-ip", "holds the address",
     NULL},
    {"mx an alias", "example.org MX", "example.org MX 10 alias.example.org\n", "mx-cname",
     "names alias.example.org, which is an alias", NULL},
    {"mx without address", "example.org MX", "example.org MX 10 nowhere.example.org\n", "mx-no-address",
     "names nowhere.example.org, which has no address", NULL},
    {"null mx", "example.org MX", "example.org MX 0 .\n", "mx-null", "takes no mail at all", NULL},
    {"host elsewhere", "mail.example.org A ", "mail.example.org A 192.0.2.1\n", "host-elsewhere",
     "leads to 192.0.2.1", "mail.example.org. 3600 IN A 198.51.100.7"},
    {"an address that the configuration leaves out", "", "mail.example.org A 198.51.100.8\n",
     "host-elsewhere", "leads to 198.51.100.7, 198.51.100.8", "\naddress 198.51.100.8"},
    {"host without IPv6", "mail.example.org AAAA", "", "host-incomplete",
     "mail.example.org does not lead to 2001:db8::7", "AAAA 2001:db8::7"},
    {"host missing", "mail.example.org A", "", "host-missing", "neither an A nor an AAAA record", NULL},
    {"ptr missing", "7.100.51", "", "ptr-missing", "198.51.100.7 has no reverse name",
     "7.100.51.198.in-addr.arpa. 3600 IN PTR mail.example.org."},
    {"ptr several", "", "7.100.51.198.in-addr.arpa PTR alias.example.org\n", "ptr-several",
     "has 2 reverse names", NULL},
    {"ptr other", "7.100.51", "7.100.51.198.in-addr.arpa PTR alias.example.org\n", "ptr-other",
     "is not mail.example.org", NULL},
    {"ptr unconfirmed", "7.100.51", "7.100.51.198.in-addr.arpa PTR mail.other.test\n", "ptr-unconfirmed",
     "mail.other.test does not lead to 198.51.100.7", "mail.other.test. 3600 IN A 198.51.100.7"},
    {"listed", "", "7.100.51.198.bl.test A 127.0.0.2\n7.100.51.198.bl.test TXT \"spam seen\"\n",
     "dnsbl-listed", "198.51.100.7 is listed by bl.test", NULL},
    {"list lists all", "", "1.0.0.127.bl.test A 127.0.0.2\n7.100.51.198.bl.test A 127.0.0.2\n", "dnsbl-off",
     "lists 127.0.0.1", NULL},
    {"list refuses us", "2.0.0.127.bl", "*.bl.test A 127.255.255.254\n", "dnsbl-off", "127.255.255.254",
     NULL},
    {"spf missing", "example.org TXT", "", "spf-missing", "has no SPF record",
     "example.org. 3600 IN TXT \"v=spf1 mx "},
    {"spf two", "", "example.org TXT \"v=spf1 -all\"\n", "spf-two", "has 2 SPF records", NULL},
    {"spf syntax", "example.org TXT", "example.org TXT \"v=spf1 ipv4:198.51.100.7 ~all\"\n", "spf-syntax",
     "at \"ipv4:198.51.100.7\"", NULL},
    {"spf without us", "example.org TXT", "example.org TXT \"v=spf1 ip4:198.51.100.7 -all\"\n", "spf-not-us",
     "gives fail for our address 2001:db8::7", NULL},
    {"spf too many lookups", "example.org TXT",
     "example.org TXT \"v=spf1 a:a1.other.test a:a2.other.test include:i1.other.test -all\"\n"
     "a1.other.test A 192.0.2.3\na2.other.test A 192.0.2.3\n"
     "i1.other.test TXT \"v=spf1 a:a1.other.test a:a2.other.test include:i2.other.test -all\"\n"
     "i2.other.test TXT \"v=spf1 a:a1.other.test a:a2.other.test include:i3.other.test -all\"\n"
     "i3.other.test TXT \"v=spf1 a:a1.other.test a:a2.other.test include:i4.other.test -all\"\n"
     "i4.other.test TXT \"v=spf1 a:a1.other.test -all\"\n",
     "spf-lookups", "does not work", NULL},
    {"spf void lookups", "example.org TXT",
     "example.org TXT \"v=spf1 a:no1.other.test a:no2.other.test a:no3.other.test mx -all\"\n", "spf-void",
     "does not work", NULL},
    {"spf +all", "example.org TXT", "example.org TXT \"v=spf1 mx +all\"\n", "spf-all", "ends in +all", NULL},
    {"dkim missing", "s1._domainkey", "", "dkim-missing", "s1._domainkey.example.org does not exist",
     "s1._domainkey.example.org. 3600 IN TXT \"v=DKIM1; k=rsa; p="},
    {"dkim another key", "s2._domainkey",
     "s2._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURX=\"\n",
     "dkim-different", "at character 65: there is \"X=\" where \"o=\" should be", NULL},
    {"dkim cut", "s1._domainkey",
     "s1._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAA\"\n", "dkim-different",
     "characters", NULL},
    {"dkim in two records", "s2._domainkey",
     "s2._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/\"\n"
     "s2._domainkey.example.org TXT \"7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n",
     "dkim-split", "is split into 2 records", NULL},
    {"dkim quotes in it", "s2._domainkey",
     "s2._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/\\\" "
     "\\\"7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n",
     "dkim-split", "The quotes", NULL},
    {"dkim revoked", "s1._domainkey", "s1._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=\"\n",
     "dkim-revoked", "counts as revoked", NULL},
    {"dkim type", "s2._domainkey",
     "s2._domainkey.example.org TXT \"v=DKIM1; k=rsa; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n",
     "dkim-type", "of type rsa; it is ed25519", NULL},
    {"dkim two", "", "s1._domainkey.example.org TXT \"" KEY_ED "\"\n", "dkim-two", "has 2 TXT records", NULL},
    {"dmarc missing", "_dmarc", "", "dmarc-missing", "has no DMARC record",
     "_dmarc.example.org. 3600 IN TXT \"v=DMARC1; p=quarantine"},
    {"dmarc two", "", "_dmarc.example.org TXT \"v=DMARC1; p=none\"\n", "dmarc-two", "has 2 DMARC records",
     NULL},
    {"dmarc no version", "_dmarc", "_dmarc.example.org TXT \"p=reject\"\n", "dmarc-syntax",
     "does not begin with v=DMARC1", NULL},
    {"dmarc wrong policy", "_dmarc", "_dmarc.example.org TXT \"v=DMARC1; p=refuse\"\n", "dmarc-syntax",
     "p= is none of", NULL},
    {"dmarc weaker", "_dmarc",
     "_dmarc.example.org TXT \"v=DMARC1; p=none; rua=mailto:dmarc-reports@example.org\"\n", "dmarc-weaker",
     "is none in the DNS; quarantine was set", NULL},
    {"dmarc reports abroad", "_dmarc",
     "_dmarc.example.org TXT \"v=DMARC1; p=reject; "
     "rua=mailto:dmarc-reports@example.org,mailto:x@other.test\"\n",
     "dmarc-permission", "does not say that it wants them",
     "example.org._report._dmarc.other.test. 3600 IN TXT \"v=DMARC1\""},
    {"tls-rpt wrong", "_smtp._tls", "_smtp._tls.example.org TXT \"v=TLSRPTv1; rua=mailto:x@other.test\"\n",
     "tlsrpt-different", "is not the one", NULL},
    {"srv elsewhere", "_imaps", "_imaps._tcp.example.org SRV 0 1 143 mail.example.org\n", "srv-different",
     "leads elsewhere", "SRV 0 1 993 mail.example.org."},
    {"no answer", "_dmarc", "_dmarc.example.org SERVFAIL\n", "unobserved", "TXT _dmarc.example.org", NULL},
    {"bogus", "_dmarc", "_dmarc.example.org BOGUS\n", "dnssec-bogus", "failed its DNSSEC check", NULL},
};

struct world {
    struct arena arena;
    struct setup setup;
    struct setup_domain domain;
    struct facts facts;
    struct dns_zone zone;
};

static void world_setup(struct world *w)
{
    static struct ip ips[2];
    static const struct dns_plan_key keys[] = {{SLICE_INIT("s1"), SLICE_INIT(KEY_RSA), DNS_PLAN_KEY_SIGNING},
                                               {SLICE_INIT("s2"), SLICE_INIT(KEY_ED), DNS_PLAN_KEY_SIGNING}};
    static const struct dns_plan_service services[] = {
        {SLICE_INIT("smtp"), 25}, {SLICE_INIT("submissions"), 465}, {SLICE_INIT("imaps"), 993}};
    static const slice lists[] = {SLICE_INIT("bl.test")};
    assert_int_equal(ip_parse(SLICE("198.51.100.7"), &ips[0]), OK);
    assert_int_equal(ip_parse(SLICE("2001:db8::7"), &ips[1]), OK);
    w->domain = (struct setup_domain){
        .name = SLICE("example.org"),
        .in = {.domain = SLICE("example.org"),
               .hostname = SLICE("mail.example.org"),
               .addresses = ips,
               .n_addresses = 2,
               .keys = keys,
               .n_keys = 2,
               .services = services,
               .n_services = 3,
               .sign = true,
               .dmarc = SLICE("quarantine")},
    };
    assert_int_equal(dns_plan_make(&w->domain.in, &w->arena, &w->domain.plan), OK);
    w->setup = (struct setup){.hostname = SLICE("mail.example.org"),
                              .addresses = ips,
                              .n_addresses = 2,
                              .domains = &w->domain,
                              .n_domains = 1,
                              .dnsbl = lists,
                              .n_dnsbl = 1,
                              .private_ok = true};
    w->facts = (struct facts){.now = 1800000000000, .clock_synchronised = FACTS_YES};
}

static void world_zone(struct world *w, const char *drop, const char *add)
{
    struct buf text CLEANUP(buf_done) = {.max = 65536};
    struct cursor c = cursor_of(slice_str(zone_good));
    struct err_detail detail;
    slice line, own;
    while (cursor_line(&c, &line)) {
        slice word, rest = slice_str(drop);
        bool out = false;
        while (rest.n) {
            (void)slice_split(rest, '|', &word, &rest);
            out |= slice_starts(line, word);
        }
        if (!out)
            buf_print(&text, "%.*s\n", SLICE_FMT(line));
    }
    buf_str(&text, add);
    assert_true(arena_dup(&w->arena, buf_view(&text), &own));
    if (dns_zone_text_read(own, &w->arena, &w->zone, &detail) != OK)
        fail_msg("%s", detail.text);
}

static void world_examine(struct world *w, struct findings *out)
{
    struct dns_table dns;
    enum auth_step step;
    assert_true(dns_table_init(&dns, &w->arena, EXAMINE_QUESTIONS));
    for (unsigned rounds = 0; (step = examine(&w->setup, &w->facts, &dns, &w->arena, out)) == AUTH_WAIT;) {
        assert_in_range(++rounds, 1, 30);
        assert_true(dns_kit_answer_from(&w->zone, &dns, &w->arena) > 0); /* it waits only for what it asked */
    }
    assert_int_equal(step, AUTH_DONE);
}

static void world_begin(struct world *w)
{
    arena_init(&w->arena, "examine test", 16 << 20);
    world_setup(w);
}

static void show(const struct findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        fprintf(stderr, "  %s %.*s: %.*s\n", finding_rows[f->at[i].kind].word, SLICE_FMT(f->at[i].subject),
                SLICE_FMT(f->at[i].what));
}

static void test_right_zone(void **state)
{
    struct world w;
    struct findings f;
    (void)state;
    world_begin(&w);
    world_zone(&w, "", "");
    world_examine(&w, &f);
    show(&f);
    assert_int_equal(f.n, 0);
    assert_int_equal(findings_worst(&f), FINDING_OK);
    arena_done(&w.arena);
}

static void variant_check(const struct variant *v)
{
    struct world w;
    struct findings f;
    const struct finding *hit = NULL;
    world_begin(&w);
    world_zone(&w, v->drop, v->add);
    world_examine(&w, &f);
    for (size_t i = 0; i < f.n; i++)
        if (strcmp(finding_rows[f.at[i].kind].word, v->word) == 0)
            hit = &f.at[i];
    if (!hit || slice_find(hit->what, slice_str(v->what)) == hit->what.n ||
        (v->mend && slice_find(hit->mend, slice_str(v->mend)) == hit->mend.n)) {
        show(&f);
        if (hit)
            fprintf(stderr, "  mend: %.*s\n", SLICE_FMT(hit->mend));
        fail_msg("%s: expected %s \"%s\"", v->name, v->word, v->what);
    }
    assert_true(hit->mend.n > 0);
    assert_true(strlen(finding_rows[hit->kind].why) > 20);
    arena_done(&w.arena);
}

static void test_broken_zones(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(variants); i++)
        variant_check(&variants[i]);
}

/* Different ways of being broken are told in different sentences. */
static void test_sentences_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(variants); i++)
        for (size_t k = 0; k < i; k++)
            assert_true(strcmp(variants[i].word, variants[k].word) != 0 ||
                        strcmp(variants[i].what, variants[k].what) != 0);
    assert_true(ARRAY_LEN(variants) >= 30);
}

/* A host with one kind of address only is right without the other. */
static void test_one_kind_of_address(void **state)
{
    static const char *const drop[] = {"mail.example.org AAAA|7.0.0.0.", "mail.example.org A |7.100.51"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct findings f;
        world_begin(&w);
        w.domain.in.addresses += i;
        w.domain.in.n_addresses = 1;
        assert_int_equal(dns_plan_make(&w.domain.in, &w.arena, &w.domain.plan), OK);
        w.setup.addresses += i;
        w.setup.n_addresses = 1;
        world_zone(&w, drop[i], "");
        world_examine(&w, &f);
        show(&f);
        assert_int_equal(f.n, 0);
        arena_done(&w.arena);
    }
}

/* Whatever stands in records, greetings and certificates: what and subject are one line, evidence has no line
 * that somebody else began, and no control character comes through, in text and in JSON. */
static void test_nobody_adds_lines(void **state)
{
    static const struct facts_port port = {
        .service = FACTS_SMTP,
        .port = 25,
        .greeting = SLICE_INIT("220 x\x1b[2J\r\nERROR: \xe2\x80\xae fake"),
        .starttls = true,
        .tls = true,
        .certificate = {.seen = true,
                        .not_after = INT64_MAX,
                        .names = SLICE_INIT("a\n    To mend it:\n        rm")},
    };
    static const struct facts_probe probe = {.domain = SLICE_INIT("example.org"),
                                             .state = PROBE_LOST,
                                             .part = SLICE_INIT("port 25 in"),
                                             .reason = SLICE_INIT("554 no\n554 To mend it:\x07")};
    struct world w;
    struct findings f;
    struct buf b CLEANUP(buf_done) = {.max = 1 << 20};
    (void)state;
    world_begin(&w);
    world_zone(&w, "_dmarc|s1._domainkey|example.org TXT",
               "_dmarc.example.org TXT \"v=DMARC1; p=no\\010    To mend it:\\010        rm\\027[31m\"\n"
               "s1._domainkey.example.org TXT \"v=DKIM1; k=rsa;\\010ERROR: p=AAAA\"\n"
               "example.org TXT \"v=spf1 foo\\010ERROR: fake -all\"\n");
    w.facts.ports = &port;
    w.facts.n_ports = 1;
    w.facts.probes = &probe;
    w.facts.n_probes = 1;
    world_examine(&w, &f);
    assert_true(f.n >= 6);
    for (size_t i = 0; i < f.n; i++) {
        struct cursor c;
        slice line;
        assert_false(slice_has(f.at[i].what, '\n'));
        assert_false(slice_has(f.at[i].subject, '\n'));
        buf_clear(&b);
        assert_int_equal(finding_json(&f.at[i], &b), OK);
        assert_int_equal(finding_print(&f.at[i], &b), OK);
        for (size_t k = 0; k < b.n; k++)
            assert_true(b.p[k] == '\n' || (b.p[k] >= ' ' && b.p[k] != 127));
        assert_int_equal(slice_find(buf_view(&b), SLICE("\xe2\x80\xae")), b.n);
        c = cursor_of(f.at[i].evidence);
        while (cursor_line(&c, &line)) {
            assert_false(slice_starts(slice_trim(line), SLICE("To mend it:")));
            assert_false(slice_starts(line, SLICE("ERROR:")));
            assert_false(slice_starts(slice_trim(line), SLICE("rm")));
        }
    }
    arena_done(&w.arena);
}

/* As many MX records as an answer holds cost a bounded number of questions. */
static void test_a_hundred_mx(void **state)
{
    struct buf add CLEANUP(buf_done) = {.max = 65536};
    struct world w;
    struct findings f;
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        buf_print(&add, "example.org MX %u mx%u.other.test\nmx%u.other.test A 192.0.2.%u\n", 20 + i, i, i,
                  i + 1);
    assert_int_equal(buf_byte(&add, 0), OK);
    world_begin(&w);
    world_zone(&w, "", (const char *)add.p);
    world_examine(&w, &f);
    assert_int_equal(f.n, 2);
    assert_true(slice_find(f.at[0].what, SLICE("The SPF record of example.org does not work")) ==
                0); /* its "mx" */
    assert_int_equal(f.at[1].kind, FINDING_MX_ALSO);
    arena_done(&w.arena);
}

/* What cannot be compared from here is no mismatch. */
static void test_tlsa(void **state)
{
    static const struct {
        const char *records;
        const char *word; /* NULL: none */
    } rows[] = {
        {"_25._tcp.mail.example.org TLSA 3 1 1 " TLSA_OURS "\n", NULL},
        {"_25._tcp.mail.example.org TLSA 3 1 1 " TLSA_OTHER "\n", "tlsa-mismatch"},
        {"_25._tcp.mail.example.org TLSA 3 1 1 " TLSA_OTHER
         "\n_25._tcp.mail.example.org TLSA 3 1 1 " TLSA_OURS "\n",
         NULL},
        {"_25._tcp.mail.example.org TLSA 2 1 1 " TLSA_OTHER "\n", NULL}, /* of the issuer */
        {"_25._tcp.mail.example.org TLSA 3 0 1 " TLSA_OTHER "\n", NULL}, /* of the whole certificate */
        {"_25._tcp.mail.example.org TLSA 1 1 1 " TLSA_OTHER "\n",
         "tlsa-mismatch"}, /* unusable, RFC 7672 §3.1.3 */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct facts_port port = {.service = FACTS_SMTP,
                                  .greeting = SLICE("220 mail.example.org"),
                                  .starttls = true,
                                  .tls = true,
                                  .certificate = {.seen = true,
                                                  .not_after = INT64_MAX,
                                                  .names_host = true,
                                                  .chain_complete = true,
                                                  .spki_sha256 = {0xab}}};
        struct world w;
        struct findings f;
        size_t errors = 0;
        world_begin(&w);
        world_zone(&w, "", rows[i].records);
        w.facts.ports = &port;
        w.facts.n_ports = 1;
        world_examine(&w, &f);
        for (size_t k = 0; k < f.n; k++)
            if (f.at[k].kind != FINDING_TLSA_UNSIGNED) { /* the zones of this test are not */
                errors++;
                assert_string_equal(finding_rows[f.at[k].kind].word, rows[i].word ? rows[i].word : "none");
                assert_true(f.at[k].mend.n > 0);
            }
        assert_int_equal(errors, rows[i].word ? 1 : 0);
        arena_done(&w.arena);
    }
}

/* A domain below another of ours needs no record of its own. */
static void test_inherited_dmarc(void **state)
{
    struct world w;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        static const char *const above[] = {"v=DMARC1; p=quarantine", "v=DMARC1; p=reject; sp=none",
                                            "v=spf1"};
        struct buf add CLEANUP(buf_done) = {.max = 4096};
        struct findings f;
        const struct finding *hit = NULL;
        world_begin(&w);
        w.domain.name = w.domain.in.domain = SLICE("a.b.example.org");
        assert_int_equal(dns_plan_make(&w.domain.in, &w.arena, &w.domain.plan), OK);
        buf_print(&add, "a.b.example.org MX 10 mail.example.org\n_dmarc.example.org TXT \"%s\"\n", above[i]);
        buf_byte(&add, 0);
        world_zone(&w, "_dmarc", (const char *)add.p);
        world_examine(&w, &f);
        for (size_t k = 0; k < f.n; k++)
            if (slice_starts(slice_str(finding_rows[f.at[k].kind].word), SLICE("dmarc-")))
                hit = &f.at[k];
        assert_int_equal(hit != NULL, i > 0);
        if (i == 1)
            assert_slice(hit->what,
                         "The DMARC policy of a.b.example.org is none, by the record of example.org; "
                         "quarantine was set.");
        if (i == 2)
            assert_int_equal(hit->kind, FINDING_DMARC_MISSING);
        arena_done(&w.arena);
    }
}

/* ---- what is not in the DNS */

static void found_one(struct world *w, const char *word, const char *what)
{
    struct findings f;
    bool hit = false;
    world_examine(w, &f);
    for (size_t i = 0; i < f.n; i++)
        hit |= strcmp(finding_rows[f.at[i].kind].word, word) == 0 &&
               slice_find(f.at[i].what, slice_str(what)) < f.at[i].what.n;
    if (!hit) {
        show(&f);
        fail_msg("expected %s \"%s\"", word, what);
    }
}

static void test_ports(void **state)
{
    struct world w;
    struct facts_port port;
    struct findings f;
    const struct facts_port good = {
        .service = FACTS_SMTP,
        .port = 25,
        .err = OK,
        .greeting = SLICE("220 mail.example.org ESMTP"),
        .starttls = true,
        .tls = true,
        .certificate = {.seen = true,
                        .not_before = 1700000000000,
                        .not_after = 1900000000000,
                        .names_host = true,
                        .chain_complete = true},
    };
    (void)state;
    world_begin(&w);
    world_zone(&w, "", "");
    w.facts.ports = &port;
    w.facts.n_ports = 1;
    port = good;
    port.ip = w.setup.addresses[0];
    world_examine(&w, &f);
    assert_int_equal(f.n, 0);
    port.certificate.not_after = w.facts.now - 1;
    found_one(&w, "certificate-expired", "expired on 2027-");
    port.certificate.not_after = w.facts.now + 5 * MS_DAY;
    found_one(&w, "certificate-expires-soon", "expires on");
    port.certificate.not_after = good.certificate.not_after;
    port.certificate.not_before = w.facts.now + MS_HOUR;
    found_one(&w, "certificate-not-yet", "valid only from");
    port.certificate.not_before = good.certificate.not_before;
    port.certificate.names_host = false;
    found_one(&w, "certificate-name", "is not for mail.example.org");
    port.certificate.names_host = true;
    port.certificate.chain_complete = false;
    found_one(&w, "certificate-chain", "cannot be verified with what the server sends");
    port.certificate.self_signed = true;
    found_one(&w, "certificate-self-signed", "signed by itself");
    port.tls = false;
    found_one(&w, "tls-failed", "fails");
    port.starttls = false;
    found_one(&w, "starttls-missing", "is not offered");
    port.greeting = SLICE("220 proxy.other.test");
    found_one(&w, "greeting-other", "does not call itself mail.example.org");
    port.err = ERR_TIMEOUT;
    found_one(&w, "port25-in", "cannot be reached");
    port.service = FACTS_IMAPS;
    found_one(&w, "port-closed", "imaps");
    arena_done(&w.arena);
}

/* A certificate that four ports show is one thing that is wrong, and one more at a fifth is another. */
static void test_certificates_are_told_once(void **state)
{
    static const enum facts_service services[] = {FACTS_SMTP, FACTS_SUBMISSION, FACTS_SUBMISSIONS,
                                                  FACTS_IMAPS, FACTS_IMAPS};
    struct world w;
    struct facts_port ports[ARRAY_LEN(services)];
    struct findings f;
    slice subject;
    (void)state;
    world_begin(&w);
    world_zone(&w, "", "");
    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        ports[i] = (struct facts_port){.service = services[i],
                                       .ip = w.setup.addresses[i / 4],
                                       .port = (uint16_t)(25 + i),
                                       .greeting = SLICE("220 mail.example.org ESMTP"),
                                       .starttls = true,
                                       .tls = true,
                                       .certificate = {.seen = true,
                                                       .not_before = 1700000000000,
                                                       .not_after = 1900000000000,
                                                       .names_host = true,
                                                       .self_signed = true}};
    w.facts.ports = ports;
    w.facts.n_ports = ARRAY_LEN(services);
    world_examine(&w, &f);
    assert_int_equal(f.n, 1);
    assert_slice(
        f.at[0].what,
        "The certificate at smtp 198.51.100.7 port 25, submission 198.51.100.7 port 26, submissions "
        "198.51.100.7 port 27, imaps 198.51.100.7 port 28 and imaps 2001:db8::7 port 29 is signed by "
        "itself.");
    subject = f.at[0].subject;
    ports[3].err = ERR_TIMEOUT; /* a port that goes is no other certificate */
    ports[4].certificate.spki_sha256[0] = 7;
    world_examine(&w, &f);
    assert_int_equal(f.n, 3);
    assert_int_equal(f.at[0].kind, FINDING_PORT_CLOSED);
    assert_slices(f.at[1].subject, subject);
    assert_slice(f.at[1].what,
                 "The certificate at smtp 198.51.100.7 port 25, submission 198.51.100.7 port 26 and "
                 "submissions 198.51.100.7 port 27 is signed by itself.");
    assert_slice(f.at[2].what, "The certificate at imaps 2001:db8::7 port 29 is signed by itself.");
    arena_done(&w.arena);
}

static void test_zones(void **state)
{
    struct world w;
    struct facts_server servers[2] = {
        {.name = SLICE("ns1.example.org"), .authoritative = true, .serial = 7},
        {.name = SLICE("ns2.example.org"), .authoritative = true, .serial = 7},
    };
    struct facts_disagreement odd = {SLICE("example.org"), DNS_MX, SLICE("ns1: a\nns2: b")};
    struct facts_zone zone = {.domain = SLICE("example.org"),
                              .apex = SLICE("example.org"),
                              .servers = servers,
                              .n_servers = 2,
                              .parent_ns = SLICE("ns1.example.org ns2.example.org"),
                              .child_ns = SLICE("ns1.example.org ns2.example.org")};
    struct findings f;
    (void)state;
    world_begin(&w);
    world_zone(&w, "", "");
    servers[0].ip = servers[1].ip = w.setup.addresses[0];
    w.facts.zones = &zone;
    w.facts.n_zones = 1;
    world_examine(&w, &f);
    assert_int_equal(f.n, 0);
    servers[0].err = servers[1].err = ERR_TIMEOUT; /* they have IPv6 addresses only, and this machine none */
    servers[0].no_way = servers[1].no_way = true;
    world_examine(&w, &f);
    assert_int_equal(f.n, 0);
    servers[0].err = servers[1].err = OK;
    servers[0].no_way = servers[1].no_way = false;
    servers[1].serial = 6;
    found_one(&w, "serial-differs", "ns2.example.org has 6");
    servers[1].authoritative = false;
    found_one(&w, "server-lame", "does not feel responsible");
    servers[0].err = servers[1].err = ERR_TIMEOUT;
    found_one(&w, "servers-none", "None of the 2 name servers");
    zone.parent_ns = SLICE("ns9.other.test");
    found_one(&w, "delegation-differs", "other name servers than the zone names itself");
    zone.disagreements = &odd;
    zone.n_disagreements = 1;
    found_one(&w, "servers-disagree", "do not agree on MX of example.org");
    zone.nxdomain = true;
    found_one(&w, "domain-missing", "does not exist");
    arena_done(&w.arena);
}

static void test_house(void **state)
{
    struct world w;
    struct facts_outward out[2] = {{SLICE("mx.a.test"), ERR_TIMEOUT}, {SLICE("mx.b.test"), ERR_CONNECT}};
    struct facts_probe probe = {.domain = SLICE("example.org"),
                                .state = PROBE_LOST,
                                .sent_at = 1,
                                .part = SLICE("port 25 in"),
                                .sign_wanted = true};
    static const slice public[] = {SLICE_INIT("9.9.9.9")};
    static const struct facts_push push = {SLICE_INIT("example.org"),
                                           SLICE_INIT("192.0.2.53 refused the key")};
    struct findings f;
    (void)state;
    world_begin(&w);
    world_zone(&w, "", "");
    w.facts.outward = out;
    w.facts.n_outward = 2;
    found_one(&w, "port25-out", "No other mail server can be reached");
    out[1].err = OK; /* one that works is enough */
    world_examine(&w, &f);
    assert_int_equal(f.n, 0);
    w.facts.clock_synchronised = FACTS_NO;
    found_one(&w, "clock-unsynchronised", "clock");
    w.facts.disk_known = true;
    w.facts.disk_total = (uint64_t)100 << 30;
    w.facts.disk_free = (uint64_t)1 << 30;
    found_one(&w, "disk-low", "1024 MB of 102400 MB are free");
    w.facts.queue_known = true;
    w.facts.queue_messages = 5000;
    w.facts.queue_oldest = w.facts.now - 5 * MS_HOUR;
    found_one(&w, "queue-old", "of 5000 messages");
    found_one(&w, "queue-large", "5000 messages wait");
    w.setup.resolvers = public;
    w.setup.n_resolvers = 1;
    found_one(&w, "resolver-public", "9.9.9.9 (Quad9)");
    w.facts.dns_silent = true;
    found_one(&w, "dns-silent", "None of the questions");
    w.facts.dns_silent = false;
    w.facts.pushes_failed = &push;
    w.facts.n_pushes_failed = 1;
    found_one(&w, "dns-push-failed", "example.org were not pushed: 192.0.2.53 refused the key");
    w.facts.probes = &probe;
    w.facts.n_probes = 1;
    found_one(&w, "probe-lost", "port 25 in");
    probe.state = PROBE_BACK;
    found_one(&w, "probe-unsigned", "without a DKIM signature");
    probe.signed_ = true;
    probe.dkim = AUTH_FAIL;
    probe.dkim_reason = SLICE("the body was changed");
    found_one(&w, "probe-dkim", "the body was changed");
    probe.spf = AUTH_FAIL;
    found_one(&w, "probe-spf", "SPF gave fail");
    probe.dmarc = AUTH_FAIL;
    found_one(&w, "probe-dmarc", "DMARC gave fail");
    arena_done(&w.arena);
}

static const struct finding *age_found(struct world *w, struct findings *f, time_ms registered,
                                       time_ms expires)
{
    struct facts_age *age = ARENA_ARRAY(&w->arena, 1, struct facts_age);
    assert_non_null(age);
    *age = (struct facts_age){SLICE("example.org"), SLICE("example.org"), registered, expires};
    w->facts.ages = age;
    w->facts.n_ages = 1;
    world_examine(w, f);
    assert_in_range(f->n, 0, 1);
    return f->n ? &f->at[0] : NULL;
}

/* The bounds of days: 90 and 14 after the registration, 30 and 7 before its end. */
static void test_ages(void **state)
{
    struct world w;
    struct findings f;
    const struct finding *hit;
    time_ms now;
    (void)state;
    world_begin(&w);
    world_zone(&w, "", "");
    now = w.facts.now;
    assert_null(age_found(&w, &f, 0, 0));
    assert_null(age_found(&w, &f, now - 90 * MS_DAY, now + 30 * MS_DAY));
    assert_null(age_found(&w, &f, now + 2 * MS_DAY, 0)); /* somebody's clock is wrong */
    hit = age_found(&w, &f, now - 90 * MS_DAY + 1, 0);
    assert_int_equal(hit->kind, FINDING_DOMAIN_NEW);
    assert_int_equal(hit->severity, FINDING_NOTE);
    assert_slice(hit->what,
                 "example.org was registered on 2026-10-17; to large providers it is new until it is "
                 "90 days old.");
    assert_int_equal(age_found(&w, &f, now - 14 * MS_DAY, 0)->severity, FINDING_NOTE);
    assert_int_equal(age_found(&w, &f, now - 14 * MS_DAY + 1, 0)->severity, FINDING_WARNING);
    hit = age_found(&w, &f, 1, now + 30 * MS_DAY - 1);
    assert_int_equal(hit->kind, FINDING_DOMAIN_EXPIRES);
    assert_int_equal(hit->severity, FINDING_WARNING);
    assert_slice(hit->what, "The registration of example.org ends on 2027-02-14.");
    assert_int_equal(age_found(&w, &f, 1, now + 7 * MS_DAY)->severity, FINDING_WARNING);
    assert_int_equal(age_found(&w, &f, 1, now + 7 * MS_DAY - 1)->severity, FINDING_ERROR);
    hit = age_found(&w, &f, 1, now - 1);
    assert_slice(hit->what, "The registration of example.org ended on 2027-01-15.");
    assert_true(hit->mend.n > 0);
    arena_done(&w.arena);
}

static void test_words(void **state)
{
    struct arena a;
    struct findings f;
    struct buf b CLEANUP(buf_done) = {.max = 65536};
    (void)state;
    arena_init(&a, "words", 1 << 20);
    findings_init(&f, &a);
    (void)findings_add(&f, FINDING_TLSRPT_MISSING, SLICE("b.org"), SLICE("x"), SLICE("y"), (slice){0});
    (void)findings_add(&f, FINDING_MX_MISSING, SLICE("a.org"), SLICE("esc \x1b[31m \xe2\x80\xae"),
                       SLICE("l1\nl2"), SLICE("\"quoted\""));
    (void)findings_add(&f, FINDING_MX_MISSING, SLICE("a.org"), SLICE("again"), SLICE("z"), (slice){0});
    findings_sort(&f);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.at[0].kind, FINDING_MX_MISSING); /* worst first */
    assert_int_equal(slice_index(f.at[0].what, 0x1b), f.at[0].what.n);
    assert_int_equal(finding_json(&f.at[0], &b), OK);
    assert_true(slice_find(buf_view(&b), SLICE("\"id\":\"mx-missing\",\"severity\":\"error\"")) < b.n);
    buf_clear(&b);
    assert_int_equal(finding_print(&f.at[0], &b), OK);
    assert_true(slice_find(buf_view(&b), SLICE("        l1\n        l2\n")) < b.n);
    assert_int_equal(finding_of_word(SLICE("mx-missing")), FINDING_MX_MISSING);
    assert_int_equal(finding_of_word(SLICE("nothing")), FINDING__COUNT);
    for (size_t i = 0; i < FINDING__COUNT; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(finding_rows[i].word, finding_rows[k].word);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_zone),
        cmocka_unit_test(test_broken_zones),
        cmocka_unit_test(test_sentences_differ),
        cmocka_unit_test(test_one_kind_of_address),
        cmocka_unit_test(test_nobody_adds_lines),
        cmocka_unit_test(test_a_hundred_mx),
        cmocka_unit_test(test_tlsa),
        cmocka_unit_test(test_inherited_dmarc),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_certificates_are_told_once),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_house),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
