/* The readers of reports, through report_take() as a message brings them: the usual, the careless, the
 * hostile. Whatever the pieces, the result is the same. */
#include "lib/test.h"

#include "base/buf.h"
#include "core/reports/aggregate_read.h"
#include "policy/report_take.h"

#define HEAD                                                                                                 \
    "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>big.example</org_name>"                     \
    "<email>dmarc@big.example</email><report_id>77</report_id><date_range><begin>1700000000</begin>"         \
    "<end>1700086399</end></date_range></report_metadata><policy_published><domain>Example.ORG</domain>"     \
    "<adkim>s</adkim><p>reject</p><sp>none</sp></policy_published>"
#define RECORD                                                                                               \
    "<record><row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated>"                        \
    "<disposition>quarantine</disposition><dkim>pass</dkim><spf>fail</spf><reason><type>forwarded</type>"    \
    "<comment>by a list</comment></reason></policy_evaluated></row><identifiers>"                            \
    "<header_from>example.org</header_from></identifiers><auth_results><dkim><domain>example.org</domain>"   \
    "<selector>s1</selector><result>pass</result></dkim><dkim><domain>list.example</domain>"                 \
    "<result>fail</result></dkim><spf><domain>list.example</domain><scope>helo</scope>"                      \
    "<result>hardfail</result></spf><spf><domain>other.example</domain><result>pass</result></spf>"          \
    "</auth_results></record>"

struct world {
    struct arena a;
    struct buf message;
    struct report r;
    struct err_detail why;
};

static int begin(void **state)
{
    static struct world w;
    arena_init(&w.a, "report", REPORT_ARENA_MAX);
    buf_init(&w.message, 1 << 25);
    *state = &w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    arena_done(&w->a);
    buf_done(&w->message);
    return 0;
}

static enum err take(struct world *w, const char *header, slice body)
{
    slice guarded;
    enum err e;
    arena_reset(&w->a);
    buf_clear(&w->message);
    buf_str(&w->message, header);
    buf_str(&w->message, "\r\n\r\n");
    buf_append(&w->message, body);
    guarded = guard_copy(buf_view(&w->message));
    w->why.text[0] = 0;
    e = report_take(guarded, &w->a, &w->r, &w->why);
    guard_free(guarded);
    return e;
}

static enum err take_xml(struct world *w, const char *xml)
{
    return take(w, "Content-Type: text/xml", slice_str(xml));
}

static void check_usual(const struct aggregate_report *r)
{
    const struct aggregate_record *record = r->records;
    assert_slice(r->org, "big.example");
    assert_slice(r->report_id, "77");
    assert_int_equal(r->begin, 1700000000000);
    assert_slice(r->policy.domain, "example.org");
    assert_int_equal(r->policy.p, 2);
    assert_int_equal(r->policy.sp, 0);
    assert_int_equal(r->policy.np, AGGREGATE_POLICY_ABSENT);
    assert_int_equal(r->policy.adkim, 's');
    assert_int_equal(r->n_records, 2);
    assert_int_equal(r->messages, 6);
    assert_int_equal(record->count, 3);
    assert_int_equal(record->disposition, AGGREGATE_QUARANTINE);
    assert_true(record->dkim_aligned && !record->spf_aligned);
    assert_int_equal(record->reason, AGGREGATE_REASON_FORWARDED);
    assert_slice(record->reason_comment, "by a list");
    assert_int_equal(record->n_dkim, 2);
    assert_slice(record->dkim[0].selector, "s1");
    assert_int_equal(record->dkim[1].result, AUTH_FAIL);
    assert_slice(record->spf_domain, "list.example"); /* the first of several */
    assert_int_equal(record->spf, AUTH_FAIL);
    assert_true(record->spf_of_helo);
}

static void the_usual(void **state)
{
    struct world *w = *state;
    assert_int_equal(take_xml(w, HEAD RECORD RECORD "</feedback>"), OK);
    assert_int_equal(w->r.kind, REPORT_AGGREGATE);
    check_usual(&w->r.aggregate);
    assert_int_equal(w->r.aggregate.mistakes, 0);
    /* with a mark of the encoding, an encoding we do not know, a prefix, and white space before it */
    assert_int_equal(take_xml(w, "\r\n\xef\xbb\xbf" HEAD RECORD RECORD "</feedback>"), OK);
    check_usual(&w->r.aggregate);
    assert_int_equal(take_xml(w, "<?xml version='1.0' encoding='windows-1252'?><n:feedback xmlns:n='urn:x'>"
                                 "<n:policy_published><n:domain>example.org</n:domain></n:policy_published>"
                                 "<n:record><n:row><n:count>1</n:count></n:row></n:record></n:feedback>"),
                     OK);
    assert_int_equal(w->r.aggregate.messages, 1);
}

/* The document with its characters as two bytes each, and one that takes four. */
static slice utf16(struct buf *b, const char *mark, const char *xml, bool big)
{
    buf_clear(b);
    buf_append(b, slice_of(mark, strlen(mark)));
    for (const char *p = xml; *p; p++) {
        if (*p == '~') {
            buf_append(b, big ? SLICE("\xd8\x3d\xde\x00") : SLICE("\x3d\xd8\x00\xde"));
            continue;
        }
        buf_byte(b, big ? 0 : (uint8_t)*p);
        buf_byte(b, big ? (uint8_t)*p : 0);
    }
    return buf_view(b);
}

static void utf_16_is_read(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *mark;
        bool big;
    } ways[] = {{"\xff\xfe", false}, {"\xfe\xff", true}, {"", false}, {"", true}};
    struct buf b CLEANUP(buf_done);
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        slice xml = utf16(&b, ways[i].mark, HEAD RECORD RECORD "</feedback>", ways[i].big);
        assert_int_equal(take(w, "Content-Type: application/octet-stream", xml), OK);
        check_usual(&w->r.aggregate);
        assert_int_equal(w->r.aggregate.mistakes, 0);
        xml =
            utf16(&b, ways[i].mark,
                  "<?xml version='1.0' encoding='UTF-16'?><feedback><report_metadata><org_name>x~</org_name>"
                  "</report_metadata>" RECORD "<policy_published><domain>example.org</domain>"
                  "</policy_published></feedback>",
                  ways[i].big);
        assert_int_equal(take(w, "Content-Type: text/xml", xml), OK);
        assert_slice(w->r.aggregate.org, "x\xf0\x9f\x98\x80");
        xml = utf16(&b, ways[i].mark, "<!DOCTYPE feedback SYSTEM 'http://127.0.0.1/x.dtd'><feedback/>",
                    ways[i].big);
        assert_int_equal(take(w, "Content-Type: text/xml", xml), ERR_DENIED);
    }
}

static void any_pieces_give_the_same(void **state)
{
    struct world *w = *state;
    static const char text[] = HEAD RECORD RECORD "<x>\xc3\xa4\xff</x></feedback>";
    for (size_t step = 1; step < 40; step += step < 8 ? 1 : 7) {
        struct aggregate_report r;
        struct aggregate_reader *reader;
        arena_reset(&w->a);
        reader = aggregate_reader_new(&w->a);
        for (size_t i = 0; i < sizeof text - 1; i += step)
            assert_int_equal(
                aggregate_reader_feed(reader, slice_of(text + i, size_min(step, sizeof text - 1 - i))), OK);
        assert_int_equal(aggregate_reader_end(reader, &r, NULL), OK);
        check_usual(&r);
        aggregate_reader_free(&reader);
    }
}

/* Order, gaps, unknown elements, numbers and names that are none, control characters. */
static void careless_reports_are_read(void **state)
{
    struct world *w = *state;
    const struct aggregate_record *r;
    assert_int_equal(
        take_xml(w, "<feedback><new><a><b>x</b></a></new><record><auth_results><spf><result>PASS</result>"
                    "<domain>Shop.Example.</domain></spf></auth_results><row><count>many</count>"
                    "<source_ip>2001:DB8::1</source_ip><source_ip>nonsense</source_ip>"
                    "<policy_evaluated><spf>pass</spf><count>9</count></policy_evaluated></row>"
                    "<identifiers><header_from>a b\x01&lt;script&gt;</header_from></identifiers></record>"
                    "<policy_published><domain>example.org</domain></policy_published>"
                    "<report_metadata><email>x@big.example</email>"
                    "<error>one\x02 &#x202e;&amp; two</error></report_metadata></feedback>"),
        OK);
    r = w->r.aggregate.records;
    assert_slice(w->r.aggregate.org, "big.example"); /* out of the address */
    assert_slice(w->r.aggregate.error, "one     & two");
    assert_int_equal(r->count, 0);
    assert_int_equal(r->spf, AUTH_PASS);
    assert_slice(r->spf_domain, "shop.example");
    assert_slice(r->header_from, ""); /* no domain name */
    assert_true(r->spf_aligned && !ip_is_none(&r->source));
    /* a broken tag costs itself only */
    assert_int_equal(take_xml(w, HEAD "<email><a@b></email>" RECORD "<x y=></x>" RECORD "</feedback>"), OK);
    check_usual(&w->r.aggregate);
    assert_true(w->r.aggregate.mistakes > 0 && w->r.aggregate.mistake.n > 0);
    /* cut off: what came is taken */
    assert_int_equal(take_xml(w, HEAD RECORD RECORD "<record><row><sour"), OK);
    assert_int_equal(w->r.aggregate.messages, 6);
    assert_true(w->r.aggregate.mistakes > 0);
}

/* Times in milliseconds, counts that are none, an encoding that is not UTF-8, nothing of what RFC 9990 asks
 * for but a domain and a period, CDATA, and characters that no XML has. */
static void odd_numbers_and_letters(void **state)
{
    struct world *w = *state;
    const struct aggregate_report *r = &w->r.aggregate;
    assert_int_equal(
        take_xml(w, "<?xml version='1.0' encoding='ISO-8859-1'?><feedback><report_metadata><org_name>"
                    "M\xfcller <![CDATA[<&>]]>&#27;&#x9b;[2J\x1b</org_name><date_range><begin>"
                    "1700000000000</begin><end>1700086399000</end></date_range></report_metadata>"
                    "<policy_published><domain>example.org</domain></policy_published><record><row>"
                    "<count>-5</count></row></record><record><row><count>99999999999999999999999"
                    "</count></row></record><record><row><count> 4 </count></row></record></feedback>"),
        OK);
    assert_int_equal(r->begin, 1700000000000);
    assert_int_equal(r->end, 1700086399000);
    assert_int_equal(r->messages, 4);
    assert_true(slice_starts(r->org, SLICE("M\xef\xbf\xbdller <&>")));
    for (size_t i = 0; i < r->org.n; i++)
        assert_true(r->org.p[i] >= ' ' && r->org.p[i] != 0x7f && r->org.p[i] != 0x9b);
    assert_int_equal(
        take_xml(w, "<feedback><report_metadata><date_range><begin>9223372036854775807</begin><end>-1"
                    "</end></date_range></report_metadata><policy_published><domain>example.org"
                    "</domain></policy_published><record/></feedback>"),
        OK);
    assert_true(r->begin == 0 && r->end == 0);
}

/* How reports lie in messages. */
static void wherever_it_lies(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *header, *before, *after;
    } ways[] = {
        {"Content-Type: text/xml; charset=utf-8\r\nContent-Disposition: inline", "", ""},
        {"Content-Type: text/plain", "", ""},
        {"Content-Type: application/octet-stream; name=\"r.xml\"", "", ""},
        {"Content-Type: multipart/mixed; boundary=a",
         "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
         "<html>report</html>\r\n--b\r\nContent-Type: application/xml\r\n\r\n",
         "\r\n--b--\r\n--a--\r\n"},
        {"Content-Type: multipart/mixed; boundary=a", /* forwarded, and never ended */
         "--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: Fwd\r\nContent-Type: text/xml\r\n\r\n", ""},
        {"Content-Type: multipart/mixed", "", ""}, /* no boundary: text, as RFC 2045 §5.2 has it */
    };
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct buf body CLEANUP(buf_done);
        buf_init(&body, 1 << 20);
        buf_str(&body, ways[i].before);
        buf_str(&body, HEAD RECORD RECORD "</feedback>");
        buf_str(&body, ways[i].after);
        if (take(w, ways[i].header, buf_view(&body)))
            fail_msg("%zu: %s", i, w->why.text);
        check_usual(&w->r.aggregate);
    }
    /* base64 that is none is no report, and not the end of the world */
    assert_int_equal(take(w, "Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64",
                          SLICE("\xff\xfe*** not base64 at all ***\r\n")),
                     ERR_SYNTAX);
}

/* Nothing of a failure report that a stranger wrote is a control character, or a name that is none. */
static void hostile_failure_reports(void **state)
{
    struct world *w = *state;
    const struct failure_report *f = &w->r.failure;
    assert_int_equal(
        take(
            w, "Content-Type: multipart/report; report-type=feedback-report; boundary=b",
            SLICE(
                "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: a\x1b[2Jb\xff\0c\r\n"
                "Reported-Domain: example.org\r\nReported-Domain: evil.example\r\nIncidents: -3\r\n"
                "Source-IP: 1.2.3.4'; DROP TABLE report\r\nAuth-Failure: \xe2\x80\xae dmarc\r\n"
                "Arrival-Date: Thu, 99 Foo 99999 10:00:00 +9999\r\nUser-Agent: x\r\n\ty\x07z\r\n"
                "Original-Mail-From: <a@b@c d>\r\nReporting-MTA: dns; a b\x1b\r\nDKIM-Selector: ../../etc\r\n"
                "--b\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                "RnJvbTogYm9zc0BzdWIuZXhhbXBsZS5vcmcNCg==\r\n--b--\r\n")),
        OK);
    const slice texts[] = {f->type, f->user_agent, f->failure, f->delivery, f->aligned};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (size_t k = 0; k < texts[i].n; k++)
            assert_true(texts[i].p[k] >= ' ' && texts[i].p[k] != 0x7f);
    assert_slice(f->failure, "dmarc");
    assert_slice(f->reported_domain, "example.org"); /* the first counts */
    assert_slice(f->header_from, "sub.example.org");
    assert_slice(f->reporting_mta, "");
    assert_slice(f->dkim_selector, "");
    assert_int_equal(f->incidents, 1);
    assert_int_equal(f->arrived, 0);
}

static void what_is_no_report_is_said(void **state)
{
    struct world *w = *state;
    assert_int_equal(take_xml(w, "<html><body>Hello</body></html>"), ERR_SYNTAX);
    assert_string_equal(w->why.text, "it is no XML with a <feedback> in it");
    assert_int_equal(take_xml(w, "<feedback><record></record></feedback>"), ERR_SYNTAX);
    assert_string_equal(w->why.text, "it does not say which domain it is about");
    assert_int_equal(take_xml(w, ""), ERR_NOT_FOUND);
    assert_int_equal(take(w, "Content-Type: text/plain", SLICE("Buy now!\r\n")), ERR_NOT_FOUND);
    assert_string_equal(w->why.text, "there is no attachment that is XML, JSON, gzip or zip");
    assert_int_equal(take(w, "Content-Type: application/json", SLICE("{\"a\": 1}")), ERR_SYNTAX);
    assert_string_equal(w->why.text, "the JSON is no TLS report: it has no \"policies\"");
    assert_int_equal(take(w, "Content-Type: application/json", SLICE("{\"a\": \n[}")), ERR_SYNTAX);
    assert_non_null(strstr(w->why.text, "it is no JSON: line 2"));
}

static void entities_and_depth_are_refused(void **state)
{
    struct world *w = *state;
    struct buf deep CLEANUP(buf_done);
    assert_int_equal(take_xml(w, "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 "
                                 "\"&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;\">]><feedback>"
                                 "<report_metadata><org_name>&lol2;</org_name></report_metadata></feedback>"),
                     ERR_DENIED);
    assert_string_equal(w->why.text, "its XML has a DOCTYPE, which no report needs");
    assert_int_equal(take_xml(w, "<!DOCTYPE feedback SYSTEM \"http://127.0.0.1/x.dtd\"><feedback/>"),
                     ERR_DENIED);
    assert_int_equal(take_xml(w, "<!DOCTYPE a [<!ENTITY % x SYSTEM \"file:///etc/passwd\"> %x;]><a/>"),
                     ERR_DENIED);
    buf_init(&deep, 1 << 24);
    buf_str(&deep, "<feedback>");
    for (int i = 0; i < 100000; i++)
        buf_str(&deep, "<a>");
    assert_int_equal(take(w, "Content-Type: text/xml", buf_view(&deep)), ERR_LIMIT);
    buf_clear(&deep);
    buf_str(&deep, "<feedback>");
    for (int i = 0; i < 300000; i++)
        buf_print(&deep, "<n%d/>", i);
    assert_int_equal(take(w, "Content-Type: text/xml", buf_view(&deep)), ERR_LIMIT);
    buf_clear(&deep);
    buf_str(&deep, "<feedback a='");
    while (deep.n < (size_t)1 << 20)
        buf_str(&deep, "0123456789abcdef");
    assert_int_equal(take(w, "Content-Type: text/xml", buf_view(&deep)), ERR_LIMIT);
    buf_clear(&deep); /* each attribute is compared with all before it, so few are taken */
    buf_str(&deep, "<feedback>");
    for (int i = 0; i < 1000; i++) {
        buf_str(&deep, "<a");
        for (int k = 0; k < 1000; k++)
            buf_print(&deep, " b%d=''", k);
        buf_str(&deep, "/>");
    }
    assert_int_equal(take(w, "Content-Type: text/xml", buf_view(&deep)), ERR_LIMIT);
    buf_clear(&deep); /* the same with namespaces, which add up over the elements that are open */
    buf_str(&deep, "<feedback>");
    for (int i = 0; i < 60; i++) {
        buf_str(&deep, "<a");
        for (int k = 0; k < 60; k++)
            buf_print(&deep, " xmlns:b%d='c'", k);
        buf_str(&deep, ">");
    }
    assert_int_equal(take(w, "Content-Type: text/xml", buf_view(&deep)), ERR_LIMIT);
    buf_clear(&deep); /* behind a mistake every place around is looked at, but not without end */
    buf_str(&deep, "<feedback><report_metadata><q a=b></q>");
    for (int i = 0; i < 50; i++)
        buf_str(&deep, "<policy_published>");
    for (int i = 0; i < 200000; i++)
        buf_str(&deep, "<email/>");
    assert_int_equal(take(w, "Content-Type: text/xml", buf_view(&deep)), ERR_LIMIT);
    buf_clear(&deep);
    for (int i = 0; i < 100000; i++)
        buf_str(&deep, i ? "[" : "{\"policies\":[");
    assert_int_equal(take(w, "Content-Type: application/json", buf_view(&deep)), ERR_LIMIT);
    buf_clear(&deep);
    buf_str(&deep, "{\"policies\":[0");
    for (int i = 0; i < 100000; i++)
        buf_str(&deep, ",[]");
    buf_str(&deep, "]}");
    assert_int_equal(take(w, "Content-Type: application/json", buf_view(&deep)), ERR_LIMIT);
}

/* Of many attachments that are no report a few are unpacked: each costs as much as a report. */
static void few_attachments_are_tried(void **state)
{
    struct world *w = *state;
    for (int junk = 3; junk <= 4; junk++) {
        struct buf m CLEANUP(buf_done);
        buf_init(&m, 1 << 20);
        for (int i = 0; i < junk; i++)
            buf_str(&m, "--b\r\nContent-Type: text/xml\r\n\r\n<html><body>no report</body></html>\r\n");
        buf_str(&m, "--b\r\nContent-Type: text/xml\r\n\r\n" HEAD RECORD "</feedback>\r\n--b--\r\n");
        assert_int_equal(take(w, "Content-Type: multipart/mixed; boundary=b", buf_view(&m)),
                         junk == 3 ? OK : ERR_SYNTAX);
    }
}

static void many_records_are_bounded(void **state)
{
    struct world *w = *state;
    struct buf many CLEANUP(buf_done);
    buf_init(&many, 1 << 24);
    buf_str(&many, HEAD);
    for (int i = 0; i < AGGREGATE_RECORDS_MAX + 10; i++)
        buf_str(
            &many,
            "<record><row><source_ip>192.0.2.9</source_ip><count>2</count><policy_evaluated><disposition>none"
            "</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></"
            "row><identifiers><header_from>"
            "example.org</header_from></identifiers><auth_results><dkim><domain>example.org</"
            "domain><selector>"
            "s</selector><result>pass</result></dkim></auth_results></record>");
    buf_str(&many, "</feedback>");
    assert_int_equal(take(w, "Content-Type: text/xml", buf_view(&many)), OK);
    assert_int_equal(w->r.aggregate.n_records, AGGREGATE_RECORDS_MAX);
    assert_int_equal(w->r.aggregate.records_left_out, 10);
    assert_int_equal(w->r.aggregate.messages, 2 * (AGGREGATE_RECORDS_MAX + 10));
    assert_true(w->a.used < REPORT_ARENA_MAX);
}

static void failure_reports(void **state)
{
    struct world *w = *state;
    const struct failure_report *f = &w->r.failure;
    char ip[IP_TEXT];
    assert_int_equal(
        take(
            w, "Content-Type: multipart/report; report-type=feedback-report; boundary=b",
            SLICE("--b\r\nContent-Type: text/plain\r\n\r\nSee {below}\r\n--b\r\n"
                  "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: Auth-Failure\r\nVersion: 1\r\n"
                  "Original-Mail-From: <Secret.Person@mail.example.org>\r\nOriginal-Rcpt-To: <u@far.test>\r\n"
                  "Source-IP: 198.51.100.7\r\nAuth-Failure: dmarc\r\nIncidents: 4\r\n"
                  "Arrival-Date: Thu, 14 Nov 2024 10:00:00 +0100\r\nDelivery-Result: reject\r\n"
                  "--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: \"a@b\" <ceo@Example.org>\r\n"
                  "Subject: salary list\r\n\r\nsecrets\r\n--b--\r\n")),
        OK);
    assert_int_equal(w->r.kind, REPORT_FAILURE);
    assert_slice(f->type, "auth-failure");
    assert_slice(f->reported_domain, "example.org"); /* of From, as nothing else says */
    assert_slice(f->mail_from, "mail.example.org");
    assert_slice(f->rcpt_to, "far.test");
    assert_slice(f->failure, "dmarc");
    assert_slice(f->delivery, "reject");
    assert_int_equal(f->incidents, 4);
    assert_int_equal(f->arrived, 1731574800000);
    ip_print(&f->source, ip);
    assert_string_equal(ip, "198.51.100.7");
    assert_int_equal(take(w, "Content-Type: message/feedback-report", SLICE("Version: 1\r\n")), ERR_SYNTAX);
    assert_true(w->why.text[0] != 0);
}

static void tls_reports(void **state)
{
    struct world *w = *state;
    const struct tlsrpt *t = &w->r.tls;
    assert_int_equal(
        take(w, "Content-Type: application/tlsrpt+json",
             SLICE("{\"organization-name\":\"Big\\u0007 Inc.\",\"report-id\":7,\"date-range\":{"
                   "\"start-datetime\":\"2024-02-29T00:00:00+01:00\",\"end-datetime\":\"never\"},"
                   "\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"Example.org\","
                   "\"mx-host\":\"mx.example.org\"},\"summary\":{\"total-successful-session-count\":1197,"
                   "\"total-failure-session-count\":\"3\"},\"failure-details\":[{\"result-type\":"
                   "\"certificate-host-mismatch\",\"sending-mta-ip\":\"192.0.2.1\",\"receiving-ip\":\"x\","
                   "\"receiving-mx-hostname\":\"mx.example.org\",\"failed-session-count\":3}]},7]}")),
        OK);
    assert_int_equal(w->r.kind, REPORT_TLS);
    assert_slice(t->org, "Big  Inc.");
    assert_slice(t->report_id, "");
    assert_int_equal(t->begin, 1709161200000);
    assert_int_equal(t->end, 0);
    assert_int_equal(t->n_policies, 2);
    assert_slice(t->policies[0].domain, "example.org");
    assert_int_equal(t->policies[0].good, 1197);
    assert_int_equal(t->policies[0].failed, 3);
    assert_int_equal(t->policies[0].n_failures, 1);
    assert_slice(t->policies[0].failures[0].result, "certificate-host-mismatch");
    assert_slice(t->policies[0].failures[0].receiving_ip, "");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_usual),
        T(utf_16_is_read),
        T(any_pieces_give_the_same),
        T(careless_reports_are_read),
        T(odd_numbers_and_letters),
        T(wherever_it_lies),
        T(hostile_failure_reports),
        T(what_is_no_report_is_said),
        T(entities_and_depth_are_refused),
        T(few_attachments_are_tried),
        T(many_records_are_bounded),
        T(failure_reports),
        T(tls_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
