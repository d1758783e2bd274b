/* The configuration: a whole file becomes the struct it says, every mistake is reported at once with its line
 * and what was probably meant. */
#include "lib/test.h"

#include "conf/conf.h"
#include "conf/conf_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct conf c;
static struct conf_problems problems;

static bool parse(const char *text)
{
    slice g = guard_copy(slice_str(text));
    bool good = conf_parse(g, SLICE("/etc/posthorn"), &c, &problems);
    guard_free(g);
    return good;
}

#define LEAST "hostname mail.example.org\ndata /var/lib/posthorn\nlisten smtp 0.0.0.0:25\n"

static const char whole[] = "# Posthorn\n"
                            "\n"
                            "hostname Mail.Example.org.   # our name\n"
                            "data data\n"
                            "user mail\n"
                            "listen smtp 0.0.0.0:25\r\n"
                            "listen smtp [::]:25\n"
                            "\tlisten imap 127.0.0.1:143 plaintext\n"
                            "listen submission [::1]:587 plaintext\n"
                            "tls cert.pem \"/etc/my keys/key.pem\"\n"
                            "resolver forward 127.0.0.1@5353 ::1@53\n"
                            "trust-anchor root.key\n"
                            "route Example.NET smtp.example.net:2525\n"
                            "route *.sink.test 127.0.0.1:2599\n"
                            "route * [2001:db8::1]:587\n"
                            "hold-remote nothing leaves this  machine # really\n"
                            "limit message-size 5M\n"
                            "limit recipients 200";

static void whole_file(void **state)
{
    char text[CONF_ADDRESS_TEXT];
    (void)state;
    if (!parse(whole))
        fail_msg("line %u: %s", problems.at[0].line, problems.at[0].text);
    assert_string_equal(c.hostname, "mail.example.org");
    assert_string_equal(c.data, "/etc/posthorn/data");
    assert_string_equal(c.user, "mail");
    assert_int_equal(c.listen_count, 4);
    assert_int_equal(c.listens[0].service, CONF_SMTP);
    assert_false(c.listens[0].plaintext);
    conf_address_print(&c.listens[1].address, text);
    assert_string_equal(text, "[::]:25");
    assert_int_equal(c.listens[2].service, CONF_IMAP);
    assert_true(c.listens[2].plaintext);
    assert_int_equal(c.listens[2].line, 8);
    conf_address_print(&c.listens[3].address, text);
    assert_string_equal(text, "[::1]:587");
    assert_string_equal(c.tls_cert, "/etc/posthorn/cert.pem");
    assert_string_equal(c.tls_key, "/etc/my keys/key.pem");
    assert_true(c.resolver_forward);
    assert_int_equal(c.forward_count, 2);
    assert_int_equal(c.forwards[0].port, 5353);
    assert_string_equal(c.trust_anchor, "/etc/posthorn/root.key");
    assert_int_equal(c.route_count, 3);
    assert_string_equal(c.routes[0].domain, "example.net");
    assert_string_equal(c.routes[2].host, "2001:db8::1");
    assert_string_equal(c.hold_remote, "nothing leaves this  machine");
    assert_int_equal(c.limits[CONF_LIMIT_MESSAGE_SIZE], 5 * 1024 * 1024);
    assert_int_equal(c.limits[CONF_LIMIT_RECIPIENTS], 200);
    assert_int_equal(c.limits[CONF_LIMIT_JOURNAL_DAYS], 90);
}

static void least_file(void **state)
{
    (void)state;
    assert_true(parse(LEAST));
    assert_string_equal(c.user, "posthorn");
    assert_false(c.resolver_forward);
    assert_string_equal(c.hold_remote, "");
}

/* One mistake behind the least file: its line, a part of its sentence, a part of its hint. */
static void one_mistake_each(void **state)
{
    static const struct {
        const char *line, *text, *hint;
    } rows[] = {
        {"hostnam x.y", "no setting \"hostnam\"", "did you mean \"hostname\"?"},
        {"lsiten imap 127.0.0.1:1", "no setting \"lsiten\"", "did you mean \"listen\"?"},
        {"xyzzy 1", "no setting \"xyzzy\"", "the settings are: hostname, data"},
        {"hostname other.example.org", "was set already, in line 1", ""},
        {"listen smpt 127.0.0.1:26", "no service \"smpt\"", "did you mean \"smtp\"?"},
        {"listen pop3 127.0.0.1:110", "no service \"pop3\"", "the services are: smtp"},
        {"listen smtp localhost:25", "no address with a port", "0.0.0.0:25"},
        {"listen smtp ::1:25", "no address with a port", ""},
        {"listen smtp [127.0.0.1]:25", "no address with a port", ""},
        {"listen smtp 127.0.0.1:0", "no address with a port", ""},
        {"listen smtp 127.0.0.1:65536", "no address with a port", ""},
        {"listen smtp", "something is missing", "listen SERVICE ADDRESS:PORT"},
        {"listen imap 192.0.2.1:143 plaintext", "for loopback addresses only", "127.0.0.1"},
        {"listen imaps 127.0.0.1:993 plaintext", "TLS from the first byte", ""},
        {"listen imap 127.0.0.1:143 plain", "\"plain\" is not understood", "plaintext"},
        {"listen smtp 0.0.0.0:25", "taken already by smtp in line 3", ""},
        {"listen imaps 0.0.0.0:993", "needs a certificate", "tls CERTIFICATE"},
        {"listen smtp 0.0.0.0:26 plaintext extra", "more in the line", ""},
        {"user root", "may not run as root", ""},
        {"user 9x", "no user name", ""},
        {"resolver sytem", "no resolver", "did you mean \"system\"?"},
        {"resolver forward", "needs the address", "127.0.0.1@53"},
        {"resolver forward 127.0.0.1:53", "no address of a name server", "@"},
        {"route example.org mx.example.org", "no host with a port", ""},
        {"route exa_mple.org mx.example.org:25", "no domain", ""},
        {"limit mesage-size 5M", "no limit", "did you mean \"message-size\"?"},
        {"limit message-size 5X", "no size", "50M"},
        {"limit message-size 99999999999999999999G", "no size", ""},
        {"limit message-size 1K", "out of range", ""},
        {"limit recipients 5", "out of range", "from 100"},
        {"limit recipients 1K", "no number", ""},
        {"data \"x", "does not end", ""},
        {"data \"x\"y", "goes on after", ""},
        {"tls \x01 b", "control character", ""},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(text, sizeof text, LEAST "%s\n", rows[i].line);
        assert_false(parse(text));
        if (problems.at[0].line != 4 || !strstr(problems.at[0].text, rows[i].text) ||
            !strstr(problems.at[0].hint, rows[i].hint))
            fail_msg("%s: line %u: %s / %s", rows[i].line, problems.at[0].line, problems.at[0].text,
                     problems.at[0].hint);
        assert_int_equal(problems.n, 1);
    }
}

static void all_mistakes_at_once(void **state)
{
    (void)state;
    assert_false(parse("hostname bad_name\nfoo\nlimit edges 1000\nlisten imap 0.0.0.0:143\n"));
    assert_int_equal(problems.n, 5); /* the three lines, no data, no tls */
    assert_int_equal(problems.at[0].line, 1);
    assert_int_equal(problems.at[1].line, 2);
    assert_int_equal(problems.at[2].line, 3);
    assert_false(parse(""));
    assert_int_equal(problems.n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(problems.at[i].hint[0]);
}

static void many_mistakes(void **state)
{
    char text[4096] = "";
    (void)state;
    for (int i = 0; i < 300; i++)
        memcpy(text + strlen(text), "x\n", 3);
    assert_false(parse(text));
    assert_int_equal(problems.n, CONF_PROBLEM_MAX);
    assert_int_equal(problems.n + problems.more, 303);
}

static void nul_byte(void **state)
{
    (void)state;
    assert_false(conf_parse(slice_of("data a\0b\n", 9), SLICE(""), &c, &problems));
    assert_int_equal(problems.at[0].line, 1);
    assert_non_null(strstr(problems.at[0].text, "control character"));
}

static void routes(void **state)
{
    (void)state;
    assert_true(parse(LEAST "route a.test h:1\nroute *.a.test h:2\nroute *.b.a.test h:3\n"));
    assert_int_equal(conf_route_find(c.routes, c.route_count, SLICE("A.test"))->port, 1);
    assert_int_equal(conf_route_find(c.routes, c.route_count, SLICE("x.a.test."))->port, 2);
    assert_int_equal(conf_route_find(c.routes, c.route_count, SLICE("x.b.a.test"))->port, 3);
    assert_null(conf_route_find(c.routes, c.route_count, SLICE("xa.test")));
    assert_true(parse(LEAST "route * h:9\nroute a.test h:1\n"));
    assert_int_equal(conf_route_find(c.routes, c.route_count, SLICE("other"))->port, 9);
    assert_int_equal(conf_route_find(c.routes, c.route_count, SLICE("a.test"))->port, 1);
}

static void sizes(void **state)
{
    uint64_t v;
    (void)state;
    assert_true(conf_size_parse(SLICE("0"), &v) && v == 0);
    assert_true(conf_size_parse(SLICE("10k"), &v) && v == 10240);
    assert_true(conf_size_parse(SLICE("2T"), &v) && v == (uint64_t)2 << 40);
    assert_false(conf_size_parse(SLICE(""), &v));
    assert_false(conf_size_parse(SLICE("M"), &v));
    assert_false(conf_size_parse(SLICE("-1"), &v));
    assert_false(conf_size_parse(SLICE("18446744073709551615K"), &v));
}

static void files(void **state)
{
    char dir[] = "/tmp/posthorn-conf-XXXXXX", path[64], data[64];
    FILE *f;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/posthorn.conf", dir);
    assert_int_equal(conf_file_load(path, &c, &problems), ERR_NOT_FOUND);
    assert_int_equal(problems.n, 1);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("hostname a.test\ndata no/such\nlisten imaps 127.0.0.1:993\ntls cert.pem key.pem\n", f);
    fclose(f);
    assert_int_equal(conf_file_load(path, &c, &problems), OK);
    snprintf(data, sizeof data, "%s/no/such", dir);
    assert_string_equal(c.data, data);
    conf_file_check(&c, &problems);
    assert_int_equal(problems.n, 3); /* certificate, key, the folder above data */
    assert_int_equal(problems.at[0].line, 4);
    unlink(path);
    rmdir(dir);
}

/* The server's own addresses, its nameserver, and where updates of the DNS go. */
static void dns_side(void **state)
{
    char text[CONF_ADDRESS_TEXT];
    (void)state;
    assert_true(parse(LEAST "address 198.51.100.25\naddress 2001:db8::25\nlisten dns 198.51.100.25:53\n"
                            "listen dns [2001:db8::25]:53\nzone _Roll.example.org.\n"
                            "dns-update 192.0.2.53@5300 update.key\n"));
    assert_int_equal(c.address_count, 2);
    assert_int_equal(c.listen_count, 1);
    assert_int_equal(c.dns_listen_count, 2);
    conf_address_print(&c.dns_listens[1], text);
    assert_string_equal(text, "[2001:db8::25]:53");
    assert_string_equal(c.zone, "_roll.example.org");
    conf_address_print(&c.dns_update, text);
    assert_string_equal(text, "192.0.2.53:5300");
    assert_string_equal(c.dns_update_key, "/etc/posthorn/update.key");
    assert_false(parse(LEAST "listen dns 198.51.100.25:53\n"));
    assert_non_null(strstr(problems.at[0].text, "nothing to answer"));
    assert_false(parse(LEAST "zone roll.example.org\n"));
    assert_non_null(strstr(problems.at[0].text, "nobody answers"));
    assert_false(parse("hostname m.example.org\ndata /d\nlisten dns 198.51.100.25:53\nzone a.example\n"));
    assert_non_null(strstr(problems.at[0].text, "no mail could come in"));
    assert_false(parse(LEAST "zone org\n"));
    assert_false(parse(LEAST "address mail.example.org\n"));
    assert_false(parse(LEAST "address 198.51.100.25\naddress 198.51.100.25\n"));
    assert_false(parse(LEAST "dns-update ns.example.org@53 update.key\n"));
    assert_false(parse(LEAST "listen dns 198.51.100.25\n"));
    assert_false(parse(LEAST "listen dns 192.0.2.1:53 plaintext\nzone a.example\n"));
}

/* What the judge is told. */
static void judge_side(void **state)
{
    (void)state;
    assert_true(parse(LEAST "forwarder 192.0.2.0/24\nforwarder Lists.Example.org\nforwarder 2001:db8::/32\n"
                            "arc-sealer example.net\ndnsbl zen.spamhaus.org\ndnswl list.dnswl.org\n"
                            "mailing-list lists.example.org\nmailing-list 192.0.2.7\n"));
    assert_int_equal(c.judge_count, 8);
    assert_int_equal(c.judge[6].kind, CONF_MAILING_LIST);
    assert_string_equal(c.judge[7].text, "192.0.2.7");
    assert_int_equal(c.judge[1].kind, CONF_FORWARDER);
    assert_string_equal(c.judge[0].text, "192.0.2.0/24");
    assert_string_equal(c.judge[1].text, "lists.example.org");
    assert_int_equal(c.judge[3].kind, CONF_ARC_SEALER);
    assert_string_equal(conf_judge_name(c.judge[5].kind), "dnswl");
    assert_false(parse(LEAST "forwarder 192.0.2.0/33\n"));
    assert_non_null(strstr(problems.at[0].text, "no network or name"));
    assert_false(parse(LEAST "forwarder localhost\n"));
    assert_false(parse(LEAST "mailing-list localhost\n"));
    assert_false(parse(LEAST "dnsbl 192.0.2.0/24\n"));
    assert_false(parse(LEAST "arc-sealer a.org\narc-sealer A.org\n"));
    assert_non_null(strstr(problems.at[0].text, "there already"));
}

/* What the doctor is told. */
static void doctor_side(void **state)
{
    (void)state;
    assert_true(parse(LEAST
                      "admin Admin@example.org\ndoctor off\ndoctor trust ca.pem\ndoctor outward example.net\n"
                      "doctor outward 192.0.2.9@2525\n"));
    assert_string_equal(c.admin, "Admin@example.org");
    assert_true(c.doctor.off);
    assert_false(c.doctor.test);
    assert_false(c.doctor.rdap_off);
    assert_int_equal(c.doctor.outward_count, 2);
    assert_string_equal(c.doctor.outward[1], "192.0.2.9@2525");
    assert_false(parse(LEAST "admin nobody\n"));
    assert_non_null(strstr(problems.at[0].text, "no mail address"));
    assert_false(parse(LEAST "doctor outwad example.net\n"));
    assert_non_null(strstr(problems.at[0].hint, "outward"));
    assert_false(parse(LEAST "doctor test 53\n"));
    assert_false(parse(LEAST "doctor off now\n"));
    assert_true(parse(LEAST "doctor rdap off\n"));
    assert_true(c.doctor.rdap_off);
    assert_false(c.doctor.off);
    assert_true(parse(LEAST "doctor rdap on\n"));
    assert_false(c.doctor.rdap_off);
    assert_false(parse(LEAST "doctor rdap\n"));
    assert_false(parse(LEAST "doctor rdap maybe\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dns_side),
        cmocka_unit_test(judge_side),
        cmocka_unit_test(doctor_side),
        cmocka_unit_test(whole_file),
        cmocka_unit_test(least_file),
        cmocka_unit_test(one_mistake_each),
        cmocka_unit_test(all_mistakes_at_once),
        cmocka_unit_test(many_mistakes),
        cmocka_unit_test(nul_byte),
        cmocka_unit_test(routes),
        cmocka_unit_test(sizes),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
