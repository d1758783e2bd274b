/* What we send is read back by our own readers as it was meant, whatever strangers put into it; and what of a
 * message is told in a failure report, and to whom not. */
#include "lib/test.h"

#include "core/reports/aggregate_read.h"
#include "core/reports/aggregate_write.h"
#include "core/reports/failure_write.h"
#include "core/reports/report_mail.h"
#include "policy/report_take.h"
#include "text/pack.h"

#include <libxml/xmlschemas.h>

#define HOSTILE "a]]><!--&lt;\"'\x01\xff\xe2\x80\xa8 <b>\n"

static const slice to[] = {SLICE_INIT("agg@example.org"), SLICE_INIT("\"a b\"@other.example")};
static const struct report_mail envelope = {.receiver = SLICE_INIT("demo.test"),
                                            .from = SLICE_INIT("dmarc-reports@demo.test"),
                                            .hostname = SLICE_INIT("mail.demo.test"),
                                            .policy_domain = SLICE_INIT("example.org"),
                                            .report_id = SLICE_INIT("17000000000123456789abcdef"),
                                            .message_id = SLICE_INIT("<1700000000.0123@demo.test>"),
                                            .begin = 1700000000000,
                                            .end = 1700086399000,
                                            .now = 1700090000000,
                                            .to = to,
                                            .n_to = 2,
                                            .messages = 8};

static struct aggregate_report head(void)
{
    return (struct aggregate_report){.org = SLICE("mail.demo.test"),
                                     .email = SLICE("dmarc-reports@demo.test"),
                                     .contact = SLICE("<script>&\"' " HOSTILE),
                                     .report_id = envelope.report_id,
                                     .generator = SLICE("Posthorn"),
                                     .begin = envelope.begin,
                                     .end = envelope.end,
                                     .policy = {.domain = SLICE("example.org"),
                                                .p = 2,
                                                .sp = 1,
                                                .np = 2,
                                                .adkim = 's',
                                                .aspf = 'r',
                                                .testing = true,
                                                .treewalk = true,
                                                .fo = SLICE("1:d")}};
}

static struct aggregate_record record(struct aggregate_dkim *dkim)
{
    struct aggregate_record r = {.count = 5,
                                 .disposition = AGGREGATE_REJECT,
                                 .dkim_aligned = true,
                                 .reason = AGGREGATE_REASON_LOCAL_POLICY,
                                 .reason_comment = SLICE("arc=pass " HOSTILE),
                                 .header_from = SLICE("sub.example.org"),
                                 .envelope_from = SLICE("bounce.example.net"),
                                 .spf_domain = SLICE("bounce.example.net"),
                                 .spf = AUTH_SOFTFAIL,
                                 .dkim = dkim,
                                 .n_dkim = 3};
    assert_int_equal(ip_parse(SLICE("2001:db8::7"), &r.source), OK);
    dkim[0] = (struct aggregate_dkim){SLICE("example.org"), SLICE("s1"), AUTH_PASS};
    dkim[1] = (struct aggregate_dkim){SLICE("list.example"), SLICE("s2"), AUTH_PERMERROR};
    dkim[2] = (struct aggregate_dkim){{0}, {0}, AUTH_PERMERROR}; /* nobody's: left out */
    return r;
}

static void document(struct buf *xml, size_t records_max, size_t bytes_max)
{
    struct aggregate_dkim dkim[3];
    struct aggregate_record one = record(dkim), two = one;
    struct aggregate_report h = head();
    struct aggregate_writer w;
    two.count = 3;
    two.reason = 0;
    two.n_dkim = 0;
    two.dkim_aligned = false;
    two.disposition = AGGREGATE_NONE;
    two.envelope_from = (slice){0};
    two.spf_of_helo = true;
    assert_int_equal(ip_parse(SLICE("192.0.2.9"), &two.source), OK);
    aggregate_writer_init(&w, records_max, bytes_max);
    aggregate_write_record(&w, &one);
    aggregate_write_record(&w, &two);
    two.source = (struct ip){{0}};
    aggregate_write_record(&w, &two); /* from nowhere: left out */
    assert_int_equal(aggregate_write_end(&w, &h, xml), OK);
    aggregate_writer_done(&w);
}

static void read_back(slice message, struct arena *a, struct report *out)
{
    struct err_detail why = {{0}};
    enum err e;
    arena_init(a, "report", REPORT_ARENA_MAX);
    e = report_take(message, a, out, &why);
    if (e)
        print_error("%s\n", why.text);
    assert_int_equal(e, OK);
}

static void test_read_back(void **state)
{
    struct buf xml CLEANUP(buf_done) = {.max = 1 << 20}, gz CLEANUP(buf_done) = {.max = 1 << 20};
    struct buf mail CLEANUP(buf_done) = {.max = 1 << 20};
    struct arena a CLEANUP(arena_done);
    struct report r;
    const struct aggregate_report *g = &r.aggregate;
    slice pieces[2];
    (void)state;
    document(&xml, 10, 1 << 20);
    pieces[0] = slice_sub(buf_view(&xml), 0, 100);
    pieces[1] = slice_from(buf_view(&xml), 100);
    assert_int_equal(pack_gzip(pieces, 2, &gz), OK);
    assert_int_equal(report_mail_aggregate(&envelope, buf_view(&gz), &mail), OK);
    read_back(buf_view(&mail), &a, &r);
    assert_int_equal(r.kind, REPORT_AGGREGATE);
    assert_int_equal(g->mistakes, 0);
    assert_slice(g->org, "mail.demo.test");
    assert_slice(g->report_id, "17000000000123456789abcdef");
    assert_slice(g->generator, "Posthorn");
    assert_int_equal(g->begin, envelope.begin);
    assert_int_equal(g->end, envelope.end);
    assert_slice(g->policy.domain, "example.org");
    assert_int_equal(g->policy.p, 2);
    assert_int_equal(g->policy.sp, 1);
    assert_int_equal(g->policy.np, 2);
    assert_int_equal(g->policy.adkim, 's');
    assert_int_equal(g->policy.aspf, 'r');
    assert_true(g->policy.testing);
    assert_true(g->policy.treewalk);
    assert_slice(g->policy.fo, "1:d");
    assert_int_equal(g->n_records, 2);
    assert_int_equal(g->messages, 8);
    assert_int_equal(g->records->disposition, AGGREGATE_REJECT);
    assert_true(g->records->dkim_aligned);
    assert_false(g->records->spf_aligned);
    assert_int_equal(g->records->reason, AGGREGATE_REASON_LOCAL_POLICY);
    assert_true(slice_starts(g->records->reason_comment, SLICE("arc=pass a]]><!--&lt;\"'")));
    assert_slice(g->records->header_from, "sub.example.org");
    assert_slice(g->records->envelope_from, "bounce.example.net");
    assert_int_equal(g->records->spf, AUTH_SOFTFAIL);
    assert_int_equal(g->records->n_dkim, 2);
    assert_slice(g->records->dkim[1].selector, "s2");
    assert_int_equal(g->records->dkim[1].result, AUTH_PERMERROR);
    assert_int_equal(g->last->n_dkim, 0);
    assert_slice(g->last->envelope_from, "bounce.example.net"); /* of HELO */
}

static void test_no_byte_escapes(void **state)
{
    struct buf xml CLEANUP(buf_done) = {.max = 1 << 20};
    struct buf all CLEANUP(buf_done) = {.max = 1 << 12}, text CLEANUP(buf_done) = {.max = 1 << 14};
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        buf_byte(&all, (uint8_t)i);
        buf_byte(&all, 'x');
    }
    aggregate_write_text(&text, buf_view(&all));
    for (size_t i = 0; i < text.n; i++) {
        assert_true(text.p[i] >= ' ' && text.p[i] != 0x7f && text.p[i] != '<' && text.p[i] != '>');
        assert_true(text.p[i] != '"' && text.p[i] != '\'');
    }
    document(&xml, 10, 1 << 20);
    assert_true(slice_find(buf_view(&xml), SLICE("<script>")) == xml.n);
    assert_true(slice_find(buf_view(&xml), SLICE("<b>")) == xml.n);
}

static const char *schema_path;

/* So that a failure says what is wrong. */
static void schema_error(void *arg, xmlError *error)
{
    (void)arg;
    print_error("line %d: %s", error->line, error->message);
}

static bool is_valid(slice xml)
{
    xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(schema_path);
    xmlSchemaPtr schema = parser ? xmlSchemaParse(parser) : NULL;
    xmlDocPtr doc = xmlReadMemory((const char *)xml.p, (int)xml.n, NULL, NULL, XML_PARSE_NONET);
    xmlSchemaValidCtxtPtr valid;
    int result;
    assert_non_null(schema);
    assert_non_null(doc);
    valid = xmlSchemaNewValidCtxt(schema);
    xmlSchemaSetValidStructuredErrors(valid, schema_error, NULL);
    result = xmlSchemaValidateDoc(valid, doc);
    xmlSchemaFreeValidCtxt(valid);
    xmlFreeDoc(doc);
    xmlSchemaFree(schema);
    xmlSchemaFreeParserCtxt(parser);
    return result == 0;
}

/* libxml2 holds what we write, hostile values and all, against the schema of RFC 9990; and every result,
 * reason and disposition there is has a word that the schema knows. */
static void test_valid_by_the_schema(void **state)
{
    struct buf xml CLEANUP(buf_done) = {.max = 1 << 20};
    struct aggregate_dkim dkim[3];
    struct aggregate_record r = record(dkim);
    struct aggregate_report h = head();
    struct aggregate_writer w;
    (void)state;
    if (!schema_path)
        skip();
    document(&xml, 10, 1 << 20);
    assert_true(is_valid(buf_view(&xml)));
    buf_clear(&xml);
    document(&xml, 1, 1 << 20); /* cut, with its <error> */
    assert_true(is_valid(buf_view(&xml)));
    buf_clear(&xml);
    aggregate_writer_init(&w, 100, 1 << 20);
    for (uint8_t i = 0; i < 8; i++) {
        r.spf = r.reason = dkim[0].result = dkim[1].result = i;
        r.disposition = i % 4;
        aggregate_write_record(&w, &r);
    }
    h.policy = (struct aggregate_policy){
        .domain = SLICE("example.org"), .sp = AGGREGATE_POLICY_ABSENT, .np = AGGREGATE_POLICY_ABSENT};
    h.contact = (slice){0};
    assert_int_equal(aggregate_write_end(&w, &h, &xml), OK);
    aggregate_writer_done(&w);
    assert_true(is_valid(buf_view(&xml)));
}

/* RFC 9990 §3.1.3 */
static void test_order_of_signatures(void **state)
{
    struct buf xml CLEANUP(buf_done) = {.max = 1 << 20};
    struct aggregate_dkim dkim[4];
    struct aggregate_report h = head();
    struct aggregate_record r = record(dkim);
    struct aggregate_writer w;
    struct cursor c;
    slice line;
    char order[8] = "";
    (void)state;
    dkim[0] = (struct aggregate_dkim){SLICE("list.example"), SLICE("a"), AUTH_FAIL};
    dkim[1] = (struct aggregate_dkim){SLICE("list.example"), SLICE("b"), AUTH_PASS};
    dkim[2] = (struct aggregate_dkim){SLICE("example.org"), SLICE("c"), AUTH_PASS};
    dkim[3] = (struct aggregate_dkim){SLICE("sub.example.org"), SLICE("d"), AUTH_PASS};
    r.n_dkim = 4;
    aggregate_writer_init(&w, 100, 1 << 20);
    aggregate_write_record(&w, &r);
    assert_int_equal(aggregate_write_end(&w, &h, &xml), OK);
    aggregate_writer_done(&w);
    c = cursor_of(buf_view(&xml));
    while (cursor_line(&c, &line)) {
        size_t at = slice_find(line, SLICE("<selector>"));
        if (at < line.n && strlen(order) + 1 < sizeof order)
            order[strlen(order)] = (char)line.p[at + 10];
    }
    assert_string_equal(order, "dcba");
}

static void test_cut_with_words(void **state)
{
    struct buf xml CLEANUP(buf_done) = {.max = 1 << 20}, none CLEANUP(buf_done) = {.max = 1 << 20};
    struct aggregate_report h = head();
    struct aggregate_writer w;
    (void)state;
    document(&xml, 1, 1 << 20);
    assert_true(slice_find(buf_view(&xml), SLICE("<error>The report is cut: 1 more records, of 3 messages")) <
                xml.n);
    buf_clear(&xml);
    document(&xml, 10, 1200);
    assert_true(slice_find(buf_view(&xml), SLICE("The report is cut: 1 more")) < xml.n);
    aggregate_writer_init(&w, 10, 1 << 20);
    assert_int_equal(aggregate_write_end(&w, &h, &none), ERR_USAGE);
    aggregate_writer_done(&w);
}

static void test_form_of_the_message(void **state)
{
    struct buf mail CLEANUP(buf_done) = {.max = 1 << 20}, small CLEANUP(buf_done) = {.max = 200};
    struct report_mail bad = envelope;
    static const slice wrong[] = {SLICE_INIT("x@example.org\r\nBcc: all@example.org")};
    (void)state;
    assert_int_equal(report_mail_aggregate(&envelope, SLICE("gz"), &mail), OK);
    assert_true(slice_find(buf_view(&mail),
                           SLICE("Subject: Report Domain: example.org Submitter: demo.test")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("Report-ID:\r\n <17000000000123456789abcdef>")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("filename=\"demo.test!example.org!1700000000!1700086399!"
                                                  "17000000000123456789abcdef.xml.gz\"")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("Auto-Submitted: auto-generated\r\n")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("To: agg@example.org, \"a b\"@other.example\r\n")) <
                mail.n);
    bad.to = wrong;
    bad.n_to = 1;
    assert_int_equal(report_mail_aggregate(&bad, SLICE("gz"), &mail), ERR_SYNTAX);
    assert_int_equal(report_mail_aggregate(&envelope, SLICE("gz"), &small), ERR_LIMIT);
}

static void test_fo(void **state)
{
    static const struct {
        const char *fo;
        bool spf_aligned, dkim_aligned;
        enum auth_result spf;
        bool dkim_failed;
        const char *wanted;
    } rows[] = {
        {"", false, false, AUTH_NONE, false, "dmarc"},       {"0", false, true, AUTH_FAIL, false, ""},
        {"1", false, true, AUTH_PASS, false, "dmarc"},       {"1", true, true, AUTH_PASS, true, ""},
        {"d", true, true, AUTH_PASS, true, "signature"},     {"d", false, false, AUTH_FAIL, false, ""},
        {"s", true, true, AUTH_FAIL, false, "spf"},          {"s", false, false, AUTH_NEUTRAL, true, ""},
        {"0:d:s", true, false, AUTH_SOFTFAIL, false, "spf"}, {"x: S", true, false, AUTH_FAIL, false, "spf"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct failure_result r = {rows[i].spf_aligned, rows[i].dkim_aligned, rows[i].spf,
                                   rows[i].dkim_failed};
        assert_slice(failure_asked(slice_str(rows[i].fo), &r), rows[i].wanted);
    }
}

static void test_exempt(void **state)
{
    (void)state;
    assert_true(failure_exempt(SLICE("From: a@b\r\nAuto-Submitted: auto-replied\r\n\r\n")));
    assert_true(failure_exempt(SLICE("content-type:  Multipart/Report; x=y\r\n\r\n")));
    assert_false(failure_exempt(SLICE("Auto-Submitted: no\r\nContent-Type: text/plain\r\n\r\n")));
}

static const slice header = SLICE_INIT(
    "Received: from x (x [192.0.2.1]) by mail.demo.test\r\n\tfor <secret.person@demo.test>; Sun, 22 Nov "
    "2026\r\n"
    "From: Boss <boss@example.org>\r\n"
    "To: Secret Person <secret.person@demo.test>, \"secret,\\\"one\"@demo.test, friends:secret@a.example;\r\n"
    "Cc: secret\r\n"
    "Subject: secret plans\r\n"
    "X-Secret: secret\r\n"
    "List-Id: \"secret list\"@lists.example\r\n"
    "Received: by x for secret; Sun, 22 Nov 2026 03:59:00 +0000\r\n"
    "Received: from y by x (envelope-from <bounce+secret=demo.test@bounce.example.net>); Sun, 22 Nov 2026\r\n"
    "Sender: list-bounces+secret=demo.test@lists.example\r\n"
    "Date: Sun, 22 Nov 2026 04:00:00 +0000\r\n"
    "Message-ID: <1@example.org>\r\n"
    "DKIM-Signature: v=1; d=example.org;\r\n s=s1;\r\n z=To:secret=40demo.test|Subject:secret=20plans; "
    "b=abc\r\n\r\nsecret body\r\n");

static void test_failure(void **state)
{
    struct failure_write f = {.hostname = SLICE("mail.demo.test"),
                              .reported_domain = SLICE("example.org"),
                              .mail_from_domain = SLICE("bounce.example.net"),
                              .rcpt_domain = SLICE("demo.test"),
                              .failure = SLICE("dmarc"),
                              .delivery = SLICE("reject"),
                              .results = SLICE("mail.demo.test; spf=fail (secret@demo.test) "
                                               "smtp.mailfrom=bounce+secret=demo.test@bounce.example.net;"
                                               " dkim=fail header.i=@example.org; dmarc=fail "
                                               "header.from=example.org"),
                              .dkim_domain = SLICE("example.org"),
                              .dkim_selector = SLICE("s1"),
                              .arrived = 1700090000000};
    struct buf fields CLEANUP(buf_done) = {.max = 1 << 16}, inside CLEANUP(buf_done) = {.max = 1 << 16};
    struct buf mail CLEANUP(buf_done) = {.max = 1 << 18};
    struct arena a CLEANUP(arena_done);
    struct report r;
    (void)state;
    assert_int_equal(ip_parse(SLICE("192.0.2.1"), &f.source), OK);
    assert_int_equal(failure_write_fields(&f, &fields), OK);
    assert_int_equal(failure_write_header(header, &inside), OK);
    assert_int_equal(report_mail_failure(&envelope, SLICE("It failed.\nSee below.\n"), buf_view(&fields),
                                         buf_view(&inside), &mail),
                     OK);
    assert_true(slice_find_nocase(buf_view(&mail), SLICE("secret")) == mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("To: redacted@demo.test, redacted@demo.test, "
                                                  "redacted@a.example\r\nCc: redacted\r\n")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("From: Boss <boss@example.org>\r\n")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("Original-Rcpt-To: redacted@demo.test\r\n")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("Identity-Alignment: dkim, spf\r\n")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("smtp.mailfrom=redacted@bounce.example.net")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("header.i=@example.org")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("DKIM-Identity: @example.org\r\n")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("Sender: redacted@lists.example\r\n")) < mail.n);
    assert_true(slice_find(buf_view(&mail), SLICE("s=s1; b=abc")) < mail.n);
    read_back(buf_view(&mail), &a, &r);
    assert_int_equal(r.kind, REPORT_FAILURE);
    assert_slice(r.failure.type, "auth-failure");
    assert_slice(r.failure.failure, "dmarc");
    assert_slice(r.failure.reported_domain, "example.org");
    assert_slice(r.failure.delivery, "reject");
    assert_slice(r.failure.dkim_selector, "s1");
    assert_slice(r.failure.reporting_mta, "mail.demo.test");
    assert_int_equal(r.failure.arrived, f.arrived);
    assert_true(ip_eq(&r.failure.source, &f.source));
}

/* A header of a stranger never breaks out of its part. */
static void test_failure_hostile_header(void **state)
{
    static const slice bad = SLICE_INIT(
        "To: \"a@b\" <x\rBcc: y@z>, (@@@@ ,,;\r\nFrom: \x01\xff\r\n no colon\r\nReceived: @@\"@\r\n"
        "Cc: --=_17000000000123456789abcdef_=--\r\nDate: \0\r\n\r\n");
    struct buf inside CLEANUP(buf_done) = {.max = 1 << 16};
    struct cursor c;
    slice line, guarded = guard_copy(bad);
    (void)state;
    assert_int_equal(failure_write_header(guarded, &inside), OK);
    c = cursor_of(buf_view(&inside));
    while (cursor_line(&c, &line)) {
        assert_true(line.n > 0 && line.p[0] != '-');
        assert_false(slice_starts(line, SLICE("Bcc")));
    }
    for (size_t i = 0; i < inside.n; i++)
        assert_true(inside.p[i] >= ' ' || inside.p[i] == '\r' || inside.p[i] == '\n' || inside.p[i] == '\t');
    guard_free(guarded);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_no_byte_escapes),
        cmocka_unit_test(test_valid_by_the_schema),
        cmocka_unit_test(test_order_of_signatures),
        cmocka_unit_test(test_cut_with_words),
        cmocka_unit_test(test_form_of_the_message),
        cmocka_unit_test(test_fo),
        cmocka_unit_test(test_exempt),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_failure_hostile_header),
    };
    schema_path = argc > 1 ? argv[1] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
