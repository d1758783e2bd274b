/* dns_zone_text: what a file of records answers. */
#include "core/dns/dns_zone_text.h"

#include "lib/test.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, "test", (size_t)4 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct dns_zone zone(const char *text)
{
    struct dns_zone z;
    struct err_detail d = {{0}};
    slice kept;
    slice at_the_edge = guard_copy(slice_str(text));
    assert_true(arena_dup(&arena, at_the_edge, &kept));
    enum err e = dns_zone_text_read(at_the_edge, &arena, &z, &d);
    assert_string_equal(d.text, "");
    assert_int_equal(e, OK);
    guard_free(at_the_edge);
    return z;
}

static struct dns_answer ask(const struct dns_zone *z, const char *name, uint16_t type)
{
    struct dns_answer a;
    dns_zone_answer(z, slice_str(name), type, &arena, &a);
    return a;
}

/* The i-th TXT record of an answer, joined. */
static slice txt(const struct dns_answer *a, size_t i)
{
    struct buf b = {.max = 65535};
    slice out;
    assert_true(i < a->n);
    assert_int_equal(dns_rr_txt(a->rdata[i], &b), OK);
    assert_true(arena_dup(&arena, buf_view(&b), &out));
    buf_done(&b);
    return out;
}

static void test_every_type(void **state)
{
    struct dns_zone z = zone("example.org. 300 IN MX 10 mx.Example.org.\n"
                             "example.org\tTXT\t\"v=spf1 mx -all\" ; a comment\r\n"
                             "; a whole line\n\n"
                             "mx.example.org A 192.0.2.1\n"
                             "mx.example.org AAAA 2001:db8::1\n"
                             "1.2.0.192.in-addr.arpa PTR mx.example.org.\n"
                             "example.org IN NS ns.example.org.\n"
                             "example.org SOA ns.example.org. root.example.org. (1 2 3 4 5)\n"
                             "_imap._tcp.example.org SRV 0 1 143 mx.example.org\n"
                             "_25._tcp.mx.example.org TLSA 3 1 1 00ffAB");
    struct dns_answer a = ask(&z, "EXAMPLE.org.", DNS_MX);
    struct dns_mx mx;
    struct dns_srv srv;
    struct dns_soa soa;
    struct dns_tlsa tlsa;
    struct dns_name name;
    struct ip ip;
    (void)state;
    assert_int_equal(a.n, 1);
    assert_int_equal(a.ttl_s, 300);
    assert_int_equal(dns_rr_mx(a.rdata[0], &mx), OK);
    assert_string_equal(mx.host.text, "mx.example.org");
    a = ask(&z, "example.org", DNS_TXT);
    assert_slice(txt(&a, 0), "v=spf1 mx -all");
    a = ask(&z, "mx.example.org", DNS_A);
    assert_int_equal(dns_rr_a(a.rdata[0], &ip), OK);
    a = ask(&z, "mx.example.org", DNS_AAAA);
    assert_int_equal(dns_rr_aaaa(a.rdata[0], &ip), OK);
    a = ask(&z, "1.2.0.192.in-addr.arpa", DNS_PTR);
    assert_int_equal(dns_rr_name(a.rdata[0], &name), OK);
    a = ask(&z, "example.org", DNS_SOA);
    assert_int_equal(dns_rr_soa(a.rdata[0], &soa), OK);
    assert_int_equal(soa.minimum_s, 5);
    a = ask(&z, "_imap._tcp.example.org", DNS_SRV);
    assert_int_equal(dns_rr_srv(a.rdata[0], &srv), OK);
    assert_int_equal(srv.port, 143);
    a = ask(&z, "_25._tcp.mx.example.org", DNS_TLSA);
    assert_int_equal(dns_rr_tlsa(a.rdata[0], &tlsa), OK);
    assert_int_equal(tlsa.data.n, 3);
}

static void test_strings(void **state)
{
    char line[700] = "a.org TXT \"";
    struct dns_zone z;
    struct dns_answer a;
    (void)state;
    z = zone("a.org TXT \"one \" \"two; \\\"q\\\" \\092 \\255\"\nb.org TXT \"\"\nc.org TXT bare words\n");
    a = ask(&z, "a.org", DNS_TXT);
    assert_slice(txt(&a, 0), "one two; \"q\" \\ \xff");
    a = ask(&z, "b.org", DNS_TXT);
    assert_int_equal(a.n, 1);
    assert_int_equal(txt(&a, 0).n, 0);
    a = ask(&z, "c.org", DNS_TXT);
    assert_slice(txt(&a, 0), "barewords");
    memset(line + 11, 'x', 600); /* longer than one character-string */
    line[611] = '"';
    line[612] = 0;
    z = zone(line);
    a = ask(&z, "a.org", DNS_TXT);
    assert_int_equal(txt(&a, 0).n, 600);
}

static void test_names_that_are_there_or_not(void **state)
{
    struct dns_zone z = zone("deep.below.example.org A 192.0.2.1\n"
                             "spf.example.org SPF \"v=spf1 -all\"\n"
                             "*.wild.example.org TXT \"any\"\n"
                             "there.wild.example.org A 192.0.2.2\n");
    struct dns_answer a;
    (void)state;
    assert_int_equal(ask(&z, "nowhere.example.org", DNS_A).status, DNS_ANSWER_NXDOMAIN);
    a = ask(&z, "below.example.org", DNS_A); /* an empty name in between */
    assert_int_equal(a.status, DNS_ANSWER_OK);
    assert_int_equal(a.n, 0);
    assert_int_equal(ask(&z, "spf.example.org", DNS_TXT).status, DNS_ANSWER_OK);
    assert_int_equal(ask(&z, "spf.example.org", DNS_TXT).n, 0);
    a = ask(&z, "a.b.wild.example.org", DNS_TXT);
    assert_slice(txt(&a, 0), "any");
    assert_int_equal(ask(&z, "there.wild.example.org", DNS_TXT).n, 0); /* it is there: no wildcard */
    assert_int_equal(ask(&z, "there.wild.example.org", DNS_TXT).status, DNS_ANSWER_OK);
}

static void test_failures(void **state)
{
    struct dns_zone z = zone("a.org SERVFAIL\nb.org TIMEOUT\nc.org BOGUS\nb.org A 192.0.2.1\n");
    (void)state;
    assert_int_equal(ask(&z, "a.org", DNS_TXT).status, DNS_ANSWER_TEMPFAIL);
    assert_int_equal(ask(&z, "b.org", DNS_TXT).status, DNS_ANSWER_TIMEOUT);
    assert_int_equal(ask(&z, "b.org", DNS_A).n, 1);
    assert_int_equal(ask(&z, "c.org", DNS_TXT).status, DNS_ANSWER_BOGUS);
}

static void test_aliases(void **state)
{
    struct dns_zone z = zone("a.org CNAME b.org.\nb.org CNAME c.org\nc.org TXT \"end\"\n"
                             "x.org CNAME y.org\ny.org CNAME x.org\nz.org CNAME nowhere.org\n");
    struct dns_answer a = ask(&z, "a.org", DNS_TXT);
    (void)state;
    assert_slice(txt(&a, 0), "end");
    assert_int_equal(ask(&z, "a.org", DNS_CNAME).n, 1);
    assert_int_equal(ask(&z, "x.org", DNS_TXT).status, DNS_ANSWER_TEMPFAIL);
    assert_int_equal(ask(&z, "z.org", DNS_TXT).status, DNS_ANSWER_NXDOMAIN);
}

/* Ways to write one record: example.org has the TXT record "v=spf1 -all", and nothing else is there. */
static const char *const same_record[] = {
    "example.org TXT \"v=spf1 -all\"\n",
    "example.org. TXT \"v=spf1 -all\"",
    "Example.ORG txt \"v=spf1 -all\"\n",
    "example.org\t\tTXT\t\"v=spf1 -all\"\t\n",
    "example.org 60 TXT \"v=spf1 -all\"\n",
    "example.org IN TXT \"v=spf1 -all\"\n",
    "example.org 60 IN TXT \"v=spf1 -all\"\n",
    "example.org. in 60 Txt \"v=spf1 -all\"\n",
    "example.org TXT \"v=spf1 -all\"\r\n",
    "\r\n\n \t\r\n; a comment\nexample.org TXT \"v=spf1 -all\"; another \"(\n\n",
    "$TTL 60\nexample.org TXT \"v=spf1 -all\"\n",
    "example.org TXT \"v=spf1\" \" \" \"\" \"-all\"\n",
    "example.org TXT \"v=spf1 \"\"-all\"\n",
    "example.org TXT v=spf1\\ -all\n",
    "example.org TXT v=spf1\\032-all\n",
    "example.org TXT \"\\118=spf1 \\-all\"\n",
    "example.org TXT ( \"v=spf1 -all\" )\n",
    "example.org TXT (\n\t\"v=spf1 \" ; the first half )\n\t\"-all\"\n)\n",
    "example.org (\n IN\n TXT \"v=spf1 -all\")\n",
    "   example.org TXT \"v=spf1 -all\"\n",
    "ex\\097mple.org TXT \"v=spf1 -all\"\n",
    "example.org TYPE16 \"v=spf1 -all\"\n",
    "example.org TXT \\# 12 0b763d737066 31202d616c6c\n",
    "example.org TYPE16 \\# 12 0B763D73706631202d 616C6C\n",
    "example.org SPF \"v=spf1 +all\"\nexample.org TXT \"v=spf1 -all\"\n",
    "example.org SERVFAIL\nexample.org TXT \"v=spf1 -all\"\n",
};

static void test_ways_to_write_a_record(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same_record); i++) {
        struct dns_zone z = zone(same_record[i]);
        struct dns_answer a = ask(&z, "example.org", DNS_TXT);
        if (a.status != DNS_ANSWER_OK || a.n != 1 || !slice_eq(txt(&a, 0), SLICE("v=spf1 -all")))
            fail_msg("read otherwise: %s", same_record[i]);
        assert_int_equal(ask(&z, "www.example.org", DNS_TXT).status, DNS_ANSWER_NXDOMAIN);
    }
}

static void test_raw_octets_and_empty_texts(void **state)
{
    struct dns_zone z = zone("a.org TXT \"gr\xc3\xbc\xc3\x9f \x80 ; ( \t\"\n"
                             "b.org TXT \"two\nlines\"\n"
                             "c.org TXT\n"
                             "d.org TXT \"\"\n");
    struct dns_answer a = ask(&z, "a.org", DNS_TXT);
    (void)state;
    assert_slice(txt(&a, 0), "gr\xc3\xbc\xc3\x9f \x80 ; ( \t");
    a = ask(&z, "b.org", DNS_TXT);
    assert_slice(txt(&a, 0), "two\nlines");
    for (const char *name = "c.org"; *name <= 'd'; name = *name == 'c' ? "d.org" : "e.org") {
        a = ask(&z, name, DNS_TXT);
        assert_int_equal(a.n, 1);
        assert_int_equal(txt(&a, 0).n, 0);
    }
}

/* RFC 1035 §5.1: a line that begins with a blank is about the name of the line before. */
static void test_the_name_of_the_line_before(void **state)
{
    struct dns_zone z = zone("a.org A 192.0.2.1\n"
                             "      TXT \"one\"\n"
                             "\t60 IN AAAA 2001:db8::1\n"
                             "  b.org TXT \"two\"\n");
    struct dns_answer a = ask(&z, "a.org", DNS_TXT);
    (void)state;
    assert_slice(txt(&a, 0), "one");
    a = ask(&z, "a.org", DNS_AAAA);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.ttl_s, 60);
    a = ask(&z, "b.org", DNS_TXT);
    assert_slice(txt(&a, 0), "two");
}

/* Records nobody here asks for: the name exists, and has no TXT. */
static void test_types_that_are_not_asked_for(void **state)
{
    static const char *const words[] = {"SPF",   "CAA", "caa", "DS",   "DNSKEY", "HTTPS",        "NSAP-PTR",
                                        "EUI48", "LOC", "URI", "A6",   "ZONEMD", "TYPE99 \\# 0", "SSHFP",
                                        "NAPTR", "RP",  "KX",  "NSEC", "HINFO"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct buf text = {.max = 100};
        struct dns_zone z;
        struct dns_answer a;
        assert_int_equal(buf_print(&text, "a.org 60 IN %s%c", words[i], 0), OK);
        z = zone((const char *)text.p);
        a = ask(&z, "a.org", DNS_TXT);
        assert_int_equal(a.status, DNS_ANSWER_OK);
        assert_int_equal(a.n, 0);
        buf_done(&text);
    }
}

/* An address of IPv6 that stands for one of IPv4 is an AAAA record all the same. */
static void test_mapped_address(void **state)
{
    struct dns_zone z = zone("a.org AAAA ::ffff:192.0.2.1\n");
    (void)state;
    assert_int_equal(ask(&z, "a.org", DNS_AAAA).n, 1);
    assert_int_equal(ask(&z, "a.org", DNS_A).n, 0);
}

/* A line, and where in the file it is: the record before takes one line, a comment another. */
static const struct {
    const char *text, *word;
} bad_lines[] = {
    {"a.org TXT \"open\n", "quote"},
    {"a.org TXT \"open\nb.org TXT shut\n", "quote"},
    {"a.org TXT ( \"open\"\n\nb.org A 192.0.2.1\n", "parenthesis"},
    {"a.org TXT \"open\" )\n", "parenthesis"},
    {"a.org A 1.2.3\n", "data"},
    {"a.org A ::ffff:192.0.2.1\n", "data"},
    {"a.org AAAA 192.0.2.1\n", "data"},
    {"a.org MX mail.a.org\n", "data"},
    {"a.org MX 70000 b\n", "data"},
    {"a.org A 1.2.3.4 5\n", "data"},
    {"a.org A\n", "data"},
    {"a.org\n", "type of the record is missing"},
    {"a.org IN\n", "type of the record is missing"},
    {"a.org 60\n", "type of the record is missing"},
    {"a.org TXT \"\\256\"\n", "data"},
    {"a.org TXT \"\\25\"\n", "data"},
    {"a.org TXT \\# 3 0000\n", "data"},
    {"a.org TYPE99 text\n", "data"},
    {"a.org CNAME a..b\n", "data"},
    {"a.org TLSA 3 1 1 0\n", "data"},
    {"a.org SRV 1 2 3\n", "data"},
    {"a.org A \"\n", "quote"},
    {"a.org FOO bar\n", "no type of record: FOO"},
    {"a.org TXTT \"text\"\n", "no type of record: TXTT"},
    {"a.org \"TXT\" text\n", "no type of record"},
    {"a.org CH TXT text\n", "no type of record: CH"},
    {"a.org ANY text\n", "no type of record"},
    {"a.org TYPE70000 text\n", "no type of record"},
    {"a.org 60 60 TXT text\n", "no type of record"},
    {"a.org IN IN TXT text\n", "no type of record"},
    {"a.org \x01\x02 text\n", "no type of record"},
    {"a.org v=spf1 -all\n", "no type of record"},
    {"# says what\n", "no type of record"},
    {"a.org SERVFAIL now\n", "failure"},
    {"a.org TIMEOUT TXT\n", "failure"},
    {"@ TXT text\n", "@"},
    {"a..org TXT text\n", "label"},
    {".a.org TXT text\n", "label"},
    {"a2345678901234567890123456789012345678901234567890123456789012345.org TXT text\n", "63"},
    {"b\xc3\xbc"
     "cher.example TXT text\n",
     "ASCII"},
    {"$ORIGIN a.org\n", "$ORIGIN"},
    {"$INCLUDE a.org\n", "$INCLUDE"},
    {"$GENERATE 1-2 a A 192.0.2.1\n", "$"},
};

static void test_what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_lines); i++) {
        struct buf text = {.max = 200};
        struct err_detail d = {{0}};
        struct dns_zone z;
        assert_int_equal(
            buf_print(&text, "ok.org TXT (\n\"a\"\n)\n; \" (\n%sok.org A 192.0.2.1\n", bad_lines[i].text),
            OK);
        if (dns_zone_text_read(buf_view(&text), &arena, &z, &d) != ERR_SYNTAX)
            fail_msg("taken: %s", bad_lines[i].text);
        if (!strstr(d.text, "line 5: ") || !strstr(d.text, bad_lines[i].word))
            fail_msg("%s: %s", bad_lines[i].text, d.text);
        for (const char *c = d.text; *c; c++)
            assert_true(*c >= ' ' && *c <= '~');
        buf_done(&text);
    }
}

static void test_a_line_without_a_name_needs_one_before(void **state)
{
    struct err_detail d = {{0}};
    struct dns_zone z;
    (void)state;
    assert_int_equal(dns_zone_text_read(SLICE("\n  TXT \"text\"\n"), &arena, &z, &d), ERR_SYNTAX);
    assert_non_null(strstr(d.text, "line 2: "));
}

/* Names that SPF macros make (RFC 7208 §7.3) can be asked for. */
static void test_odd_names(void **state)
{
    struct dns_zone z = zone("foo\\032bar.example.org A 192.0.2.1\nstrange+name.example.org A 192.0.2.1\n");
    (void)state;
    assert_int_equal(ask(&z, "foo bar.example.org", DNS_A).n, 1);
    assert_int_equal(ask(&z, "strange+name.example.org", DNS_A).n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_are_there_or_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aliases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ways_to_write_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_raw_octets_and_empty_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_name_of_the_line_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types_that_are_not_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mapped_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_is_said_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_without_a_name_needs_one_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
