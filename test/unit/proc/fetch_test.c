/* fetch: sixty ways to write an inner address or a URL of another kind reach nobody (THREATS 36); a real TLS
 * server in a thread: content, bounds, redirects re-checked, time, a certificate that does not fit. */
#define ERR_STATE openssl_err_state /* base/err.h has a code of that name */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "lib/test.h"
#include "policy/address_class.h"
#include "proc/fetcher/fetch.h"
#include "proc/fetcher/url.h"
#include "sys/body.h"
#include "sys/net.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a server: /ok /big /to/N (N more redirects) /inner /plain /slow /gone */

static struct {
    SSL_CTX *ctx;
    int listener, ca_fd;
    uint16_t port;
    pthread_t thread;
    volatile bool ending;
    volatile unsigned connections;
} server;

static void say(SSL *ssl, const char *text)
{
    (void)SSL_write(ssl, text, (int)strlen(text)); /* the client may have left: that is a test too */
}

static void serve(SSL *ssl)
{
    static char big[65536];
    char in[4096] = "", head[512];
    int n = SSL_read(ssl, in, sizeof in - 1);
    const char *path = strchr(in, ' ');
    if (n <= 0 || !path)
        return;
    path++;
    if (strncmp(path, "/ok ", 4) == 0) {
        say(ssl, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    } else if (strncmp(path, "/big ", 5) == 0) {
        say(ssl, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        for (int i = 0; i < 100 && SSL_write(ssl, big, sizeof big) > 0; i++)
            ;
    } else if (strncmp(path, "/to/", 4) == 0) {
        int left = path[4] - '0';
        (void)snprintf(head, sizeof head,
                       "HTTP/1.1 302 Found\r\nLocation: %s%.0d\r\nContent-Length: 3\r\n\r\nno!",
                       left > 1 ? "/to/" : "/ok", left > 1 ? left - 1 : 0);
        say(ssl, head);
    } else if (strncmp(path, "/inner ", 7) == 0) {
        (void)snprintf(head, sizeof head, "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.2:%u/ok\r\n\r\n",
                       server.port);
        say(ssl, head);
    } else if (strncmp(path, "/plain ", 7) == 0) {
        (void)snprintf(head, sizeof head, "HTTP/1.1 301 Gone\r\nLocation: http://good.test:%u/ok\r\n\r\n",
                       server.port);
        say(ssl, head);
    } else if (strncmp(path, "/slow ", 6) == 0) {
        (void)SSL_read(ssl, in, 1); /* until the client has had enough */
    } else {
        say(ssl, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    }
}

static void *server_main(void *arg)
{
    (void)arg;
    while (!server.ending) {
        struct pollfd p = {.fd = server.listener, .events = POLLIN};
        if (poll(&p, 1, 50) != 1)
            continue;
        int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        server.connections++;
        SSL *ssl = SSL_new(server.ctx);
        if (SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1)
            serve(ssl);
        SSL_free(ssl);
        (void)close(fd); /* read and write are over */
    }
    return NULL;
}

static X509 *certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:good.test");
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    must(x && san && ca);
    must(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(x), -3600) && X509_gmtime_adj(X509_getm_notAfter(x), 3600));
    must(X509_set_pubkey(x, key) == 1);
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                    (const unsigned char *)"good.test", -1, -1, 0) == 1);
    must(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1);
    must(X509_add_ext(x, san, -1) == 1 && X509_add_ext(x, ca, -1) == 1);
    must(X509_sign(x, key, EVP_sha256()) > 0);
    X509_EXTENSION_free(san);
    X509_EXTENSION_free(ca);
    return x;
}

static int start_server(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = certificate(key);
    struct ip loopback = ip_from_v4((const uint8_t[]){127, 0, 0, 1});
    struct err_detail d = {{0}};
    FILE *f;
    (void)state;
    must(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    server.ca_fd = memfd_create("ca", MFD_CLOEXEC);
    f = fdopen(dup(server.ca_fd), "w");
    must(f && PEM_write_X509(f, x) == 1 && fclose(f) == 0);
    server.ctx = SSL_CTX_new(TLS_server_method());
    must(SSL_CTX_use_certificate(server.ctx, x) == 1 && SSL_CTX_use_PrivateKey(server.ctx, key) == 1);
    X509_free(x);
    EVP_PKEY_free(key);
    must(net_listen(&loopback, 0, &server.listener, &d) == OK);
    server.port = net_port(server.listener);
    return pthread_create(&server.thread, NULL, server_main, NULL);
}

static int stop_server(void **state)
{
    (void)state;
    server.ending = true;
    must(pthread_join(server.thread, NULL) == 0);
    SSL_CTX_free(server.ctx);
    return close(server.listener) | close(server.ca_fd);
}

/* --- a client: good.test and other.test are on the server; rebind.test says an outer and an inner address */

static struct loop *loop;
static struct fetch_world *world;
static struct fetch_job *asked;
static char asked_host[256];
static unsigned lookups, unresolved;
static struct loop_task answer_task;
static bool never_answer;

static void answer_lookup(void *arg)
{
    struct ip ips[2] = {ip_from_v4((const uint8_t[]){127, 0, 0, 1}),
                        ip_from_v4((const uint8_t[]){10, 0, 0, 1})};
    (void)arg;
    if (strcmp(asked_host, "good.test") == 0 || strcmp(asked_host, "other.test") == 0)
        fetch_resolved(asked, OK, ips, 1);
    else if (strcmp(asked_host, "rebind.test") == 0)
        fetch_resolved(asked, OK, ips, 2);
    else if (strcmp(asked_host, "empty.test") == 0)
        fetch_resolved(asked, OK, ips, 0);
    else
        fetch_resolved(asked, ERR_DNS, NULL, 0);
}

static enum err resolve(void *arg, struct fetch_job *job, const char *host)
{
    (void)arg;
    lookups++;
    asked = job;
    (void)snprintf(asked_host, sizeof asked_host, "%s", host);
    if (!never_answer)
        loop_later(loop, &answer_task);
    return OK;
}

static void unresolve(void *arg, struct fetch_job *job)
{
    (void)arg;
    assert_ptr_equal(job, asked);
    unresolved++;
}

/* As in the role, but that the server may be reached. */
static enum err allowed(void *arg, const struct ip *ip, struct err_detail *detail)
{
    struct ip good = ip_from_v4((const uint8_t[]){127, 0, 0, 1});
    (void)arg;
    if (ip_eq(ip, &good) && strstr(asked_host, ".test"))
        return OK;
    if (address_class(ip) == ADDRESS_GLOBAL)
        fail_msg("a test would have connected to the outside");
    err_detail_set(detail, "leads to %s", address_class_text(address_class(ip)));
    return ERR_DENIED;
}

static bool done;
static struct fetch_result got;
static char got_text[256], got_type[256], got_body[16];
static size_t got_bytes;

static void on_done(void *arg, const struct fetch_result *r)
{
    struct body b = {0};
    (void)arg;
    assert_false(done);
    done = true;
    got = *r;
    got_bytes = 0;
    (void)snprintf(got_text, sizeof got_text, "%s", r->text);
    (void)snprintf(got_type, sizeof got_type, "%s", r->content_type);
    if (r->body_fd >= 0 && body_map(r->body_fd, 10 << 20, &b) == OK) {
        got_bytes = b.n;
        (void)snprintf(got_body, sizeof got_body, "%.*s", (int)size_min(b.n, 15), (const char *)b.p);
        body_unmap(&b);
    }
}

static void begin_world(void)
{
    struct fetch_hooks hooks = {
        .resolve = resolve, .unresolve = unresolve, .allowed = allowed, .ca_fd = server.ca_fd};
    loop = loop_new();
    loop_task_init(&answer_task, answer_lookup, NULL);
    world = fetch_world_new(loop, &hooks);
    lookups = unresolved = 0;
    never_answer = false;
}

static void end_world(void)
{
    fetch_world_free(world);
    loop_turn(loop, false);
    loop_free(loop);
}

/* %u in the URL is the server's port. */
static enum err fetch(const char *url, const char *host, uint64_t bytes_max, time_ms ms)
{
    char text[512];
    struct err_detail d = {{0}};
    enum err e;
    (void)snprintf(text, sizeof text, "https://%s:%u%s", host, server.port, url);
    done = false;
    got = (struct fetch_result){.err = ERR_BUG};
    e = fetch_begin(world, slice_str(text), bytes_max, ms, on_done, NULL, &d);
    if (e)
        return e;
    assert_false(done); /* invariant 5 */
    while (!done)
        loop_turn(loop, true);
    return got.err;
}

static void content_comes_sealed(void **state)
{
    (void)state;
    begin_world();
    assert_int_equal(fetch("/ok", "good.test", 0, 0), OK);
    assert_int_equal(got.status, 200);
    assert_string_equal(got_body, "hello");
    assert_string_equal(got_type, "text/plain");
    assert_string_equal(got_text, "");
    assert_int_equal(fetch("/nothing", "good.test", 0, 0), OK);
    assert_int_equal(got.status, 404);
    assert_int_equal(lookups, 2);
    end_world();
}

static void bounds_hold(void **state)
{
    (void)state;
    begin_world();
    assert_int_equal(fetch("/big", "good.test", 0, 0), ERR_TOO_LARGE); /* 6.5 MB are more than 5 */
    assert_int_equal(fetch("/ok", "good.test", 4, 0), ERR_TOO_LARGE);
    assert_int_equal(fetch("/ok", "good.test", 5, 0), OK);
    assert_int_equal(fetch("/slow", "good.test", 0, 200), ERR_TIMEOUT);
    assert_non_null(strstr(got_text, "good.test did not answer in time"));
    never_answer = true;
    assert_int_equal(fetch("/ok", "good.test", 0, 50), ERR_TIMEOUT);
    assert_int_equal(unresolved, 1);
    end_world();
}

static void each_redirect_is_looked_at(void **state)
{
    unsigned before;
    (void)state;
    begin_world();
    assert_int_equal(fetch("/to/3", "good.test", 0, 0), OK);
    assert_string_equal(got_body, "hello");
    assert_int_equal(lookups, 4); /* each hop looked up again */
    assert_int_equal(fetch("/to/4", "good.test", 0, 0), ERR_LOOP);
    before = server.connections;
    assert_int_equal(fetch("/inner", "good.test", 0, 0), ERR_DENIED);
    assert_int_equal(fetch("/plain", "good.test", 0, 0), ERR_DENIED);
    assert_int_equal(server.connections, before + 2); /* the first hops only */
    end_world();
}

static void wrong_names_and_answers(void **state)
{
    unsigned before = server.connections;
    (void)state;
    begin_world();
    assert_int_equal(fetch("/ok", "rebind.test", 0, 0), ERR_DENIED);
    assert_int_equal(fetch("/ok", "empty.test", 0, 0), ERR_NOT_FOUND);
    assert_int_equal(fetch("/ok", "unknown.test", 0, 0), ERR_DNS);
    assert_int_equal(server.connections, before);
    assert_int_equal(fetch("/ok", "other.test", 0, 0), ERR_TLS); /* the certificate is good.test's */
    end_world();
}

static void ended_early(void **state)
{
    struct err_detail d = {{0}};
    char url[64];
    (void)state;
    begin_world();
    (void)snprintf(url, sizeof url, "https://good.test:%u/slow", server.port);
    done = false;
    assert_int_equal(fetch_begin(world, slice_str(url), 0, 0, on_done, NULL, &d), OK);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, true);
    end_world();
    assert_true(done);
    assert_int_equal(got.err, ERR_CLOSED);
}

/* THREATS 36: none of these makes a connection, or even asks the DNS about an address in disguise. */
static void sixty_forms(void **state)
{
    static const char *const forms[] = {
        "http://good.test/",
        "ftp://good.test/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "dict://127.0.0.1:11211/",
        "ldap://127.0.0.1/",
        "https:///etc/passwd",
        "https://",
        "//127.0.0.1/",
        "good.test",
        "javascript:alert(1)",
        "https://127.0.0.1/",
        "https://127.0.0.1:443/",
        "https://127.1/",
        "https://127.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://0/",
        "https://0.0.0.0/",
        "https://127.0.0.1./",
        "https://2130706433./",
        "https://0x7f.1/",
        "https://127.0.0.01/",
        "https://10.0.0.1/",
        "https://10.1/",
        "https://167772161/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://192.168.257/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://100.64.0.1/",
        "https://198.18.0.1/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://192.0.0.170/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[64:ff9b:1::1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001::1]/",
        "https://[fc00::1]/",
        "https://[fd12:3456::1]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[ff02::1]/",
        "https://[2001:db8::1]/",
        "https://[::1/",
        "https://localhost/",
        "https://localhost./",
        "https://intranet/",
        "https://a@127.0.0.1/",
        "https://good.test@127.0.0.1/",
        "https://127.0.0.1@good.test/",
        "https://user:pass@good.test/",
        "https://good.test\\@127.0.0.1/",
        "https://127.0.0.1#@good.test/",
        "https://good.test:0/",
        "https://good.test:65536/",
        "https://good.test:-1/",
        "https://good.test:22 /",
        "https://good .test/",
        "https://good.test/\r\nHost: inner",
        "https://.good.test/",
        "https://good..test/",
        "https://-good.test/",
        "https://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
        "https://127\xe3\x80\x82\060.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://1.2.3.4.5/",
        "https://1e1/",
        "https://good.test%00.evil.test/",
        "https://rebind.test/",
        "https://10.0.0.1.nip.io.1/",
    };
    unsigned before = server.connections;
    (void)state;
    begin_world();
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct err_detail d = {{0}};
        asked_host[0] = '\0';
        done = false;
        enum err e = fetch_begin(world, slice_str(forms[i]), 0, 0, on_done, NULL, &d);
        while (e == OK && !done)
            loop_turn(loop, true);
        if (e == OK)
            e = got.err;
        if (e != ERR_SYNTAX && e != ERR_DENIED)
            fail_msg("%s: %s", forms[i], err_name(e));
        if (e == ERR_SYNTAX && !d.text[0])
            fail_msg("%s: refused without a reason", forms[i]);
        if (asked_host[0] && strcmp(asked_host, "rebind.test") != 0)
            fail_msg("%s: the DNS was asked about %s", forms[i], asked_host);
    }
    assert_true(ARRAY_LEN(forms) >= 60);
    assert_int_equal(server.connections, before);
    end_world();
}

static void what_is_read_from_a_url(void **state)
{
    struct fetch_url u;
    struct err_detail d;
    (void)state;
    assert_int_equal(fetch_url_read(SLICE("HTTPS://MTA-STS.Example.ORG/.well-known/mta-sts.txt#x"), &u, &d),
                     OK);
    assert_string_equal(u.host, "mta-sts.example.org");
    assert_int_equal(u.port, 443);
    assert_false(u.literal);
    assert_null(strchr(u.text, '#'));
    assert_int_equal(fetch_url_read(SLICE("https://[2606:4700::1]:8443/a"), &u, &d), OK);
    assert_true(u.literal && u.port == 8443);
    assert_int_equal(fetch_url_read(SLICE("https://1.1.1.1/a?b=c"), &u, &d), OK);
    assert_true(u.literal);
    assert_string_equal(u.host, "1.1.1.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_from_a_url),
        cmocka_unit_test(content_comes_sealed),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(each_redirect_is_looked_at),
        cmocka_unit_test(wrong_names_and_answers),
        cmocka_unit_test(ended_early),
        cmocka_unit_test(sixty_forms),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
